//! `waybill logs`: the last lines of the service's journal for people, narrowed down to an order, a connection, a level, a
//! time. `journalctl` reads the journal; here is only what it is asked and how its answer is shown.

use crate::cli::Logs;
use crate::config::{Config, LogFormat};
use crate::out::{Failure, Out};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;
use waybill_http::LocalClient;

/// The unit of the packages.
const UNIT: &str = "waybill.service";
/// Lines that are looked through for an order: it may be few of many.
const LOOKED_THROUGH: usize = 50_000;

/// What marks the lines of an order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Marks {
    /// Its PO number, as it was given.
    number: String,
    /// Its key at its source, where the agent could be asked.
    key: Option<String>,
    /// Numbers of its jobs.
    jobs: Vec<String>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    at_us: i64,
    priority: u8,
    text: String,
    fields: Vec<(String, String)>,
}

const FIELDS: [&str; 6] = ["CONNECTION", "ENTITY", "KEY", "JOB", "GENERATION", "ORDER"];

impl Line {
    fn of(value: &Value) -> Option<Self> {
        let text = |name: &str| match &value[name] {
            Value::String(text) => Some(text.clone()),
            // What is no text comes as its bytes.
            Value::Array(bytes) => {
                let bytes = bytes.iter().filter_map(Value::as_u64);
                let bytes: Vec<u8> = bytes.filter_map(|b| u8::try_from(b).ok()).collect();
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => None,
        };
        let fields = FIELDS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), text(name)?)));
        Some(Self {
            at_us: text("__REALTIME_TIMESTAMP")?.parse().ok()?,
            priority: text("PRIORITY").and_then(|p| p.parse().ok()).unwrap_or(6),
            text: text("MESSAGE")?,
            fields: fields.collect(),
        })
    }

    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn is_of(&self, marks: &Marks) -> bool {
        let is = |name: &str, value: &str| self.field(name) == Some(value);
        is("ORDER", &marks.number)
            || marks.key.as_deref().is_some_and(|key| is("KEY", key))
            || marks.jobs.iter().any(|job| is("JOB", job))
            || names(&self.text, &marks.number)
    }

    const fn level(&self) -> &'static str {
        match self.priority {
            0..=3 => "ERROR",
            4 => "WARN",
            5 | 6 => "info",
            _ => "debug",
        }
    }

    /// For people: time, level, what was said.
    pub(crate) fn shown(&self) -> String {
        let at = jiff::Timestamp::from_microsecond(self.at_us).unwrap_or_default();
        let at = at.to_zoned(jiff::tz::TimeZone::system());
        format!(
            "{}  {:<5}  {}",
            at.strftime("%Y-%m-%d %H:%M:%S"),
            self.level(),
            self.text
        )
    }

    fn value(&self) -> Value {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), json!(value)));
        json!({
            "at": self.at_us / 1_000,
            "level": self.level().to_ascii_lowercase(),
            "text": self.text,
            "fields": Value::Object(fields.collect()),
        })
    }
}

/// Whether a text names that number, and not a longer one.
fn names(text: &str, number: &str) -> bool {
    let part = |c: char| c.is_alphanumeric();
    text.match_indices(number).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + number.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// What `journalctl` is asked.
fn question(args: &Logs, lines: usize) -> Vec<String> {
    let mut all: Vec<String> = ["--unit", UNIT, "--output", "json", "--no-pager", "--quiet"]
        .map(str::to_owned)
        .to_vec();
    all.extend(["--lines".to_owned(), lines.to_string()]);
    if let Some(since) = args.since {
        all.extend([
            "--since".to_owned(),
            format!("@{}", since.div_euclid(1_000)),
        ]);
    }
    if let Some(level) = args.level {
        all.extend(["--priority".to_owned(), level.to_owned()]);
    }
    if let Some(connection) = &args.connection {
        all.push(format!("CONNECTION={connection}"));
    }
    all
}

/// Whether this machine keeps a journal.
fn journal() -> bool {
    let kept = ["/run/log/journal", "/var/log/journal"];
    kept.iter().any(|folder| Path::new(folder).is_dir())
}

/// The last lines, oldest first; `None`: there is no journal here.
pub(crate) async fn read(args: &Logs, lines: usize) -> Result<Option<Vec<Line>>, Failure> {
    let output = Command::new("journalctl")
        .args(question(args, lines))
        .stdin(Stdio::null())
        .output()
        .await;
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::other(format!(
                "`journalctl` does not start: {error}"
            )));
        }
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::hinted(
            format!("`journalctl` says: {}", said.trim()),
            "Run the command as root (sudo), or as a member of the group `systemd-journal`.",
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    if text.trim().is_empty() && !journal() {
        return Ok(None);
    }
    let values = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    Ok(Some(values.filter_map(|v: Value| Line::of(&v)).collect()))
}

async fn marks(config: &Config, number: &str) -> Marks {
    let mut marks = Marks {
        number: number.to_owned(),
        ..Marks::default()
    };
    let Ok(client) = LocalClient::connect(&config.socket).await else {
        return marks;
    };
    let place = format!(
        "/api/v1/orders?limit=5&q={}",
        crate::commands::coded(number)
    );
    let Ok(found) = client.get_json(&place).await else {
        return marks;
    };
    for order in crate::commands::list(&found["rows"]) {
        if order["number"] != number {
            continue;
        }
        marks.key = order["key"].as_str().map(str::to_owned);
        let id = crate::commands::text(&order["id"]);
        if let Ok(detail) = client.get_json(&format!("/api/v1/orders/{id}")).await {
            let jobs = crate::commands::list(&detail["jobs"]).iter();
            marks
                .jobs
                .extend(jobs.map(|job| crate::commands::text(&job["id"])));
        }
    }
    marks
}

/// Where lines go where there is no journal.
fn elsewhere(config: &Config) -> Failure {
    let form = match config.log_format {
        LogFormat::Text => "as text",
        LogFormat::Json => "as JSON",
    };
    Failure::hinted(
        format!("this machine keeps no journal; the agent writes its log {form} to standard error"),
        "Look where whoever started `waybill run` sends its standard error: the container's log, a file, the terminal.",
    )
}

/// Shows the last lines.
pub(crate) async fn run(out: Out, config: &Config, args: &Logs) -> Result<(), Failure> {
    let wanted = usize::from(args.lines);
    let lines = match &args.order {
        None => read(args, wanted).await?,
        Some(number) => {
            let marks = marks(config, number).await;
            let all = read(args, LOOKED_THROUGH).await?;
            all.map(|all| all.into_iter().filter(|line| line.is_of(&marks)).collect())
        }
    };
    let Some(mut lines) = lines else {
        return Err(elsewhere(config));
    };
    drop(lines.drain(..lines.len().saturating_sub(wanted)));
    for line in &lines {
        out.line(line.shown());
    }
    if lines.is_empty() {
        out.line("No such line.");
    }
    let values: Vec<Value> = lines.iter().map(Line::value).collect();
    out.value(&json!({"lines": values}));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, fields: &[(&str, &str)]) -> Line {
        let mut value = json!({
            "__REALTIME_TIMESTAMP": "1795917693000000", "PRIORITY": "4", "MESSAGE": text,
        });
        for (name, field) in fields {
            value[*name] = json!(field);
        }
        Line::of(&value).unwrap()
    }

    #[test]
    fn a_line_of_the_journal_is_read() {
        let read = line(
            "Step parked. job=12",
            &[("JOB", "12"), ("CONNECTION", "erp")],
        );
        assert_eq!(read.field("JOB"), Some("12"));
        assert!(
            read.shown().ends_with("  WARN   Step parked. job=12"),
            "{}",
            read.shown()
        );
        assert_eq!(
            read.value()["fields"],
            json!({"job": "12", "connection": "erp"})
        );
        assert_eq!(read.value()["at"], 1_795_917_693_000_i64);
        let bytes = json!({"__REALTIME_TIMESTAMP": "1", "MESSAGE": [72, 105, 255]});
        assert_eq!(Line::of(&bytes).unwrap().text, "Hi\u{fffd}");
        assert_eq!(Line::of(&json!({"PRIORITY": "4"})), None);
    }

    #[test]
    fn the_lines_of_an_order_are_those_of_its_number_key_and_jobs() {
        let marks = Marks {
            number: "PO-1001".to_owned(),
            key: Some("7001".to_owned()),
            jobs: vec!["12".to_owned()],
        };
        for (text, fields, wanted) in [
            ("Step parked.", &[("JOB", "12")][..], true),
            ("Step parked.", &[("JOB", "120")], false),
            ("Taken.", &[("KEY", "7001")], true),
            ("Order PO-1001 waits.", &[], true),
            ("Order PO-10012 waits.", &[], false),
            ("Order XPO-1001 waits.", &[], false),
            ("Pulled.", &[("CONNECTION", "erp")], false),
        ] {
            assert_eq!(
                line(text, fields).is_of(&marks),
                wanted,
                "{text} {fields:?}"
            );
        }
    }

    #[test]
    fn journalctl_is_asked_for_what_was_wished() {
        let args = Logs {
            order: None,
            connection: Some("erp".to_owned()),
            level: Some("warning"),
            since: Some(1_795_917_693_000),
            lines: 100,
        };
        let asked = question(&args, 100).join(" ");
        for part in [
            "--unit waybill.service",
            "--lines 100",
            "--since @1795917693",
            "--priority warning",
            "CONNECTION=erp",
        ] {
            assert!(asked.contains(part), "`{part}` is not in {asked}");
        }
    }
}
