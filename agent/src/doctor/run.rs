//! The order of an examination: from the configuration outwards. What a running agent knows better is asked of it; what
//! only lies there is looked at here. Must not change anything, whatever it finds.

use super::awake::Agent;
use super::{asleep, folder, listener, show};
use crate::cli;
use crate::config::{CREDENTIALS_DIRECTORY, Config, environment};
use crate::key;
use crate::out::{Failure, Out};
use crate::wire::{self, Found};
use std::path::{Path, PathBuf};
use waybill_engine::Handle;
use waybill_engine::finding::{Check, Finding};
use waybill_store::SealKey;

/// Examines, shows, and fails where there is a problem.
pub(crate) async fn run(
    out: Out,
    file: &Path,
    config: Result<Config, Failure>,
    args: &cli::Doctor,
) -> Result<(), Failure> {
    let findings = match config {
        Ok(config) => {
            let mut findings = vec![Finding::ok(
                Check::Configuration,
                format!("`{}` is read without mistakes.", file.display()),
            )];
            let shelf = Shelf::look(&config).await;
            findings.extend(examine(&config, &shelf, !args.local).await);
            findings
        }
        Err(failure) => unreadable(file, failure),
    };
    show::show(out, &findings)
}

/// Nothing else can be judged by a configuration that is wrong: the agent would not start with it either.
fn unreadable(file: &Path, failure: Failure) -> Vec<Finding> {
    let again = "Mend it; `waybill check` says whether it is right.";
    let mut findings: Vec<Finding> = match failure {
        Failure::Mistakes(mistakes) => mistakes
            .into_iter()
            .map(|found| {
                let (file, mistake) = (found.file, found.mistake);
                let text = format!("{}.", mistake.message.trim_end_matches('.'));
                Finding::problem(Check::Configuration, text)
                    .at(format!("{file}:{}:{}", mistake.line, mistake.column))
                    .next(mistake.hint.unwrap_or_else(|| again.to_owned()))
            })
            .collect(),
        Failure::Usage { message, hint } | Failure::Other { message, hint } => vec![
            Finding::problem(Check::Configuration, format!("{message}."))
                .at(file.display().to_string())
                .next(hint.unwrap_or_else(|| again.to_owned())),
        ],
        Failure::Told => Vec::new(),
    };
    findings.push(Finding::skipped(
        Check::Agent,
        "Nothing else was looked at: where it is says the configuration.",
    ));
    findings
}

/// Everything but the configuration itself.
pub(crate) async fn examine(config: &Config, shelf: &Shelf, vendors: bool) -> Vec<Finding> {
    let mut findings = folder::data(config);
    findings.push(folder::space(config));
    let (agent, told) = Agent::find(config).await;
    findings.extend(told);
    let (key, told) = sealing_key(config, agent.is_up());
    findings.extend(told);
    findings.extend(listener::look(config, agent.is_up()).await);
    findings.extend(shelf.findings.iter().cloned());
    match agent {
        Agent::Up(client) => findings.extend(super::awake::inside(&client, vendors).await),
        Agent::Denied => findings.push(Finding::skipped(
            Check::Database,
            "Only the running agent can tell, and it does not talk to this user.",
        )),
        Agent::Silent => findings.push(Finding::skipped(
            Check::Database,
            "Only the running agent can tell, and it does not answer.",
        )),
        Agent::Down => {
            findings.extend(asleep::look(config, key, shelf.found.clone(), vendors).await);
        }
    }
    findings.sort_by_key(|finding| finding.check);
    findings
}

/// The engine of a stopped agent over its untouched database, never run; or why there is none.
pub(crate) async fn stopped(config: &Config, shelf: &Shelf) -> Result<Handle, String> {
    let credentials = environment(CREDENTIALS_DIRECTORY).map(PathBuf::from);
    let named = config.key_file.as_deref();
    let key = match key::find(&config.data_dir, credentials.as_deref(), named) {
        Ok(key::Place::Key(key)) => key,
        Ok(key::Place::Missing(_)) => return Err("the sealing key is missing".to_owned()),
        Err(error) => return Err(format!("{error:#}")),
    };
    asleep::handle(config, Some(key), shelf.found.clone())
        .await
        .map_err(|finding| finding.text)
}

fn sealing_key(config: &Config, up: bool) -> (Option<SealKey>, Option<Finding>) {
    let credentials = environment(CREDENTIALS_DIRECTORY).map(PathBuf::from);
    let named = config.key_file.as_deref();
    let check = Check::SealingKey;
    match key::find(&config.data_dir, credentials.as_deref(), named) {
        Ok(key::Place::Key(key)) => (Some(key), None),
        Ok(key::Place::Missing(path)) => {
            let shown = path.display().to_string();
            let finding = if up {
                Finding::warning(check, "The file is not there; the running agent has the key, perhaps as a credential of systemd.")
                    .next("If it is no credential, the next start will fail: put the file back from the backup.")
            } else if exists(&config.store_file()) {
                Finding::problem(check, "The key is missing, and the database's secrets are sealed with it.")
                    .next("Put it back from the backup, mode 0600. Without it: a new data folder, and the credentials entered again. (A key that systemd hands over as a credential is not seen here.)")
            } else {
                Finding::ok(check, "There is none yet; the first start makes it.")
            };
            (None, Some(finding.at(shown)))
        }
        Err(error) if denied(&error) => (
            None,
            Some(
                Finding::skipped(check, format!("{error:#}."))
                    .next("Run `waybill doctor` as root (sudo)."),
            ),
        ),
        Err(error) => {
            let at = named.map_or_else(|| config.data_dir.join(key::FILE), Path::to_owned);
            let finding = Finding::problem(check, format!("{error:#}."))
                .at(at.display().to_string())
                .next("Mend the file, or put it back from the backup.");
            (None, Some(finding))
        }
    }
}

fn denied(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<std::io::Error>();
        cause.is_some_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
    })
}

/// Whether something is there; what cannot be looked at counts as there.
pub(super) fn exists(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

/// The connectors folder, looked at once: loading compiles, and that takes its time.
pub(crate) struct Shelf {
    /// Its files.
    pub(crate) found: Vec<Found>,
    findings: Vec<Finding>,
}

impl Shelf {
    /// Loads every file, and keeps none of the compiled code.
    pub(crate) async fn look(config: &Config) -> Self {
        let shown = config.connectors_dir.display().to_string();
        let mut findings = Vec::from_iter(folder::guarded(config));
        let found = match wire::load_connectors(config).await {
            Ok(found) => found,
            Err(failure) => {
                findings.push(unread(failure).at(shown));
                return Self {
                    found: Vec::new(),
                    findings,
                };
            }
        };
        if found.is_empty() {
            findings.push(
                Finding::problem(Check::ConnectorsFolder, "No connector is there.")
                    .at(shown)
                    .next("Install the package again, or name the folder in `connectors-dir` of the configuration."),
            );
        }
        findings.extend(found.iter().map(file));
        Self { found, findings }
    }
}

fn unread(failure: Failure) -> Finding {
    let (message, hint) = match failure {
        Failure::Other { message, hint } | Failure::Usage { message, hint } => (message, hint),
        Failure::Mistakes(mistakes) => {
            let first = mistakes.into_iter().next().map(|found| found.mistake);
            first.map_or_else(Default::default, |m| (m.message, m.hint))
        }
        Failure::Told => Default::default(),
    };
    let hint = hint.unwrap_or_else(|| "Check the folder's owner and mode.".to_owned());
    Finding::problem(Check::ConnectorsFolder, format!("{message}.")).next(hint)
}

fn file(file: &Found) -> Finding {
    let name = file.path.file_name().unwrap_or_default();
    let name = name.display().to_string();
    match &file.loaded {
        Ok(generation) => {
            let descriptor = generation.descriptor();
            let text = format!("`{}` {} can be loaded.", descriptor.id, descriptor.version);
            Finding::ok(Check::Connector, text).about(name)
        }
        Err((why, hint)) => {
            let hint = hint.clone();
            let next = hint.unwrap_or_else(|| {
                "Install the connector again; remove the file if it is none of yours.".to_owned()
            });
            Finding::problem(Check::Connector, format!("It is refused: {why}."))
                .about(name)
                .at(file.path.display().to_string())
                .next(next)
        }
    }
}
