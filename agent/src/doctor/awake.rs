//! The running agent: whether it runs, answers, and what it says of itself from the inside. Asks; commands nothing.

use crate::config::Config;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;
use waybill_engine::finding::{Check, Finding};
use waybill_http::{ClientError, LocalClient};

/// A process that works answers at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// The unit of the packages, and the socket it has.
const UNIT: &str = "waybill.service";
const SOCKET: &str = "/run/waybill/admin.sock";

/// How the agent stands.
pub(super) enum Agent {
    /// It answers.
    Up(LocalClient),
    /// It does not talk to this user.
    Denied,
    /// It is there and does not answer.
    Silent,
    /// It does not run.
    Down,
}

impl Agent {
    pub(super) const fn is_up(&self) -> bool {
        matches!(self, Self::Up(_))
    }

    /// Finds it by its socket, and asks the service manager about it.
    pub(super) async fn find(config: &Config) -> (Self, Vec<Finding>) {
        let at = config.socket.display().to_string();
        let managed = managed(&config.socket).await;
        let (agent, finding) = match LocalClient::connect(&config.socket).await {
            Ok(client) => {
                let asked = tokio::time::timeout(PATIENCE, client.get_json("/live")).await;
                if let Ok(Ok(_)) = asked {
                    let found = Finding::ok(Check::Agent, "It runs and answers.");
                    (Self::Up(client), found)
                } else {
                    let text = format!(
                        "It is there and does not answer within {} s: it hangs, or the machine is overloaded.",
                        PATIENCE.as_secs()
                    );
                    let found = Finding::problem(Check::Agent, text).next(
                        "`journalctl -u waybill -n 50` says what it did last; `systemctl restart waybill` starts it again, nothing is lost.",
                    );
                    (Self::Silent, found)
                }
            }
            Err(ClientError::Denied { .. }) => {
                let found = Finding::skipped(Check::Agent, "This user may not ask it.");
                (
                    Self::Denied,
                    found.next("Run `waybill doctor` as root (sudo)."),
                )
            }
            Err(ClientError::NotRunning { source, .. }) => {
                let text = if source.kind() == ErrorKind::NotFound {
                    "It does not run."
                } else {
                    "It does not run; one that was killed left its socket behind, which the next start replaces."
                };
                let found = Finding::problem(Check::Agent, text).next(
                    "`systemctl start waybill` (or `waybill run`); when it ends again, `journalctl -u waybill -n 50` says why.",
                );
                (Self::Down, found)
            }
            Err(error) => {
                let found = Finding::problem(Check::Agent, format!("{error}."));
                (Self::Silent, found.next("`systemctl restart waybill`"))
            }
        };
        let finding = Finding {
            text: match managed.as_ref().filter(|_| !agent.is_up()) {
                Some(unit) => format!("{} systemd says: {}.", finding.text, unit.said()),
                None => finding.text.clone(),
            },
            ..finding.at(at)
        };
        let mut findings = vec![finding];
        if let (Self::Up(_), Some(unit)) = (&agent, managed) {
            findings.extend(unit.restarted());
        }
        (agent, findings)
    }
}

/// What the service manager says of the unit.
#[derive(Debug, Default)]
struct Unit {
    active: String,
    sub: String,
    result: String,
    restarts: u32,
}

impl Unit {
    fn read(text: &str) -> Option<Self> {
        let values: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once('=')).collect();
        let value = |name: &str| values.get(name).copied().unwrap_or_default().to_owned();
        (value("LoadState") == "loaded").then(|| Self {
            active: value("ActiveState"),
            sub: value("SubState"),
            result: value("Result"),
            restarts: value("NRestarts").parse().unwrap_or(0),
        })
    }

    fn said(&self) -> String {
        let restarts = match self.restarts {
            0 => String::new(),
            1 => ", started again once".to_owned(),
            n => format!(", started again {n} times"),
        };
        format!(
            "{} ({}), result {}{restarts}",
            self.active, self.sub, self.result
        )
    }

    fn restarted(&self) -> Option<Finding> {
        (self.restarts > 0).then(|| {
            Finding::warning(
                Check::Agent,
                format!(
                    "It ended {} times by itself since the machine was booted or the service was started, and was started again.",
                    self.restarts
                ),
            )
            .at(UNIT)
            .next("`journalctl -u waybill -p err` says why. Nothing is lost by it.")
        })
    }
}

/// The unit, where this agent is the service.
async fn managed(socket: &Path) -> Option<Unit> {
    if socket != Path::new(SOCKET) || !Path::new("/run/systemd/system").exists() {
        return None;
    }
    let names = "LoadState,ActiveState,SubState,Result,NRestarts";
    let asked = Command::new("systemctl")
        .args(["show", UNIT, "-p", names])
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
    Unit::read(&String::from_utf8_lossy(&output.stdout))
}

#[derive(Deserialize)]
struct Answer {
    findings: Vec<Finding>,
}

/// What the agent finds from the inside.
pub(super) async fn inside(client: &LocalClient, vendors: bool) -> Vec<Finding> {
    let answer = client
        .post_json("/api/v1/doctor", &json!({"vendors": vendors}))
        .await;
    let why = match answer {
        Ok(answer) => match read(answer) {
            Ok(findings) => return findings,
            Err(error) => format!("its answer is of another version ({error})"),
        },
        Err(error) => error.to_string(),
    };
    let finding = Finding::problem(Check::Agent, format!("It could not examine itself: {why}."));
    vec![finding.next(
        "Is it of another version than this program? `systemctl restart waybill` starts the one that is installed.",
    )]
}

fn read(answer: Value) -> Result<Vec<Finding>, serde_json::Error> {
    serde_json::from_value::<Answer>(answer).map(|answer| answer.findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_managers_words_are_read() {
        let text = "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=exit-code\nNRestarts=14\n";
        let unit = Unit::read(text).unwrap();
        assert_eq!(
            unit.said(),
            "activating (auto-restart), result exit-code, started again 14 times"
        );
        assert!(unit.restarted().is_some());
        assert!(Unit::read("LoadState=not-found\n").is_none());
    }
}
