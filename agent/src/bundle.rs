//! `waybill support-bundle`: everything a support person needs in one file, without secrets and without what is known or
//! looks like personal data. What is not certain to be clean is cleaned by the agent; without it, and without its
//! database, by looks alone, and the manifest says so. The file belongs to whoever asked, mode 0600.

use crate::check;
use crate::cli::{Logs, SupportBundle};
use crate::config::Config;
use crate::doctor::{self, Shelf};
use crate::logs;
use crate::out::{Failure, Out};
use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use waybill_engine::support::Parts;
use waybill_http::LocalClient;

/// Lines of the log.
const LINES: u16 = 2_000;
/// The folder inside.
const INSIDE: &str = "waybill-support";

/// What each file is, for the manifest.
const ABOUT: [(&str, &str); 12] = [
    (
        "configuration.txt",
        "the configuration as the agent reads it: where things are",
    ),
    (
        "connections.json",
        "each connection, its settings without free texts, names of secrets",
    ),
    (
        "connectors.json",
        "files of the connectors folder with their hashes",
    ),
    ("counters.json", "orders, jobs and the database in figures"),
    ("doctor.json", "what `waybill doctor` found"),
    ("log.txt", "the last lines of the service's journal"),
    ("manifest.json", "this list"),
    ("metrics.txt", "figures as Prometheus reads them"),
    ("README.txt", "what this is"),
    ("status.json", "what the page's frame and Today show"),
    (
        "stopped-jobs.json",
        "jobs that stopped, why, and the vendors' words",
    ),
    ("versions.json", "versions of the agent and the system"),
];

/// How the texts were cleaned.
enum Way {
    /// The running agent knew secrets and consumers.
    Agent,
    /// Its database did.
    Database,
    /// Nobody could be asked.
    Looks(String),
}

impl Way {
    fn said(&self) -> String {
        match self {
            Self::Agent => "by the running agent: all secrets of its vault, the consumers of its newest 2,000 orders and of every order that stopped, and what looks like an address, a phone number or a token".to_owned(),
            Self::Database => "as above, by the database of the stopped agent".to_owned(),
            Self::Looks(why) => format!("by looks alone, since the database could not be asked ({why}): read the log before you send it"),
        }
    }
}

/// Makes the file.
pub(crate) async fn run(out: Out, config: &Config, args: &SupportBundle) -> Result<(), Failure> {
    if args.file.exists() {
        return Err(Failure::hinted(
            format!("`{}` is there already", args.file.display()),
            "Name a new file.",
        ));
    }
    let client = LocalClient::connect(&config.socket).await.ok();
    let shelf = Shelf::look(config).await;
    let texts = gathered(config, &shelf, client.as_ref()).await;
    let (parts, way) = cleaned(config, &shelf, client.as_ref(), texts).await;
    let files = complete(&shelf, parts, &way);
    write(&args.file, &files).map_err(|error| {
        Failure::hinted(
            format!("`{}` cannot be written: {error:#}", args.file.display()),
            "Name a place that you may write to.",
        )
    })?;
    let names: Vec<&String> = files.keys().collect();
    out.line(format!(
        "{} holds {} files:",
        args.file.display(),
        files.len()
    ));
    for name in &names {
        let about = ABOUT.iter().find(|(known, _)| known == *name);
        out.line(format!(
            "  {name:<18}  {}",
            about.map_or("", |(_, about)| about)
        ));
    }
    out.line(format!("Cleaned {}.", way.said()));
    out.line("Look into it before you send it: `manifest.json` says what was removed.");
    out.value(&json!({"file": args.file, "files": names, "cleaned": way.said()}));
    Ok(())
}

/// What the program itself knows, not yet cleaned.
async fn gathered(
    config: &Config,
    shelf: &Shelf,
    client: Option<&LocalClient>,
) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let mut add = |name: &str, text: String| drop(texts.insert(name.to_owned(), text));
    add("versions.json", pretty(&versions()));
    add("configuration.txt", configuration(config));
    let findings = doctor::examine(config, shelf, true).await;
    add("doctor.json", pretty(&json!({"findings": findings})));
    let metrics = match client {
        Some(client) => client.get_json("/metrics").await,
        None => Ok(Value::String("# the agent does not run\n".to_owned())),
    };
    add(
        "metrics.txt",
        match metrics {
            Ok(Value::String(text)) => text,
            Ok(other) => other.to_string(),
            Err(error) => format!("# {error}\n"),
        },
    );
    let lines = logs::read(&Logs::last(LINES), usize::from(LINES)).await;
    add(
        "log.txt",
        match lines {
            Ok(Some(lines)) => lines.iter().fold(String::new(), |mut text, line| {
                // Writing to a string cannot fail.
                let _infallible = writeln!(text, "{}", line.shown());
                text
            }),
            Ok(None) => "no journal on this machine\n".to_owned(),
            Err(_) => "the journal may not be read by this user\n".to_owned(),
        },
    );
    texts
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string())
}

/// As the agent understood it: a file may hold anything in its comments.
fn configuration(config: &Config) -> String {
    format!("{config:#?}\n")
}

fn versions() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let system = read("/etc/os-release");
    let name = system.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="));
    json!({
        "waybill": env!("CARGO_PKG_VERSION"),
        "schema": waybill_store::SCHEMA_VERSION,
        "system": name.map(|name| name.trim_matches('"')),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "architecture": std::env::consts::ARCH,
    })
}

/// The same and the agent's own parts, cleaned by who knows most.
async fn cleaned(
    config: &Config,
    shelf: &Shelf,
    client: Option<&LocalClient>,
    texts: BTreeMap<String, String>,
) -> (Parts, Way) {
    let why = match client {
        Some(client) => {
            let answer = client
                .post_json("/api/v1/support", &json!({"texts": texts}))
                .await
                .map_err(|error| error.to_string());
            let parts = answer.and_then(|a| serde_json::from_value(a).map_err(|e| e.to_string()));
            match parts {
                Ok(parts) => return (parts, Way::Agent),
                Err(why) => why,
            }
        }
        None => match doctor::stopped(config, shelf).await {
            Ok(handle) => match handle.support(texts.clone()).await {
                Ok(parts) => return (parts, Way::Database),
                Err(error) => error.to_string(),
            },
            Err(why) => why,
        },
    };
    (Parts::by_looks(texts), Way::Looks(why))
}

/// Adds the connectors, whose hashes no cleaner would leave, and the list of everything.
fn complete(shelf: &Shelf, parts: Parts, way: &Way) -> BTreeMap<String, String> {
    let mut files = parts.files;
    let connectors = json!({"connectors": check::values(&shelf.found)});
    files.insert("connectors.json".to_owned(), pretty(&connectors));
    let readme = "A support bundle of Waybill. manifest.json lists what is in it and what was removed.\n\
                  No secret is in it, and no consumer's data that the agent knows of.\n";
    files.insert("README.txt".to_owned(), readme.to_owned());
    let listed: Vec<Value> = files
        .iter()
        .map(|(name, text)| {
            let about = ABOUT.iter().find(|(known, _)| known == name);
            json!({
                "file": name,
                "about": about.map(|(_, about)| about),
                "bytes": text.len(),
                "removed": parts.removed.get(name).cloned().unwrap_or_default(),
            })
        })
        .collect();
    let manifest = json!({
        "cleaned": way.said(),
        "never_in_it": [
            "values of secrets", "the sealing key", "documents of orders", "bodies of requests and of good answers",
            "free texts among the settings", "users and passwords of the page",
        ],
        "files": listed,
    });
    files.insert("manifest.json".to_owned(), pretty(&manifest));
    files
}

fn write(path: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(0);
        header.set_cksum();
        archive
            .append_data(&mut header, format!("{INSIDE}/{name}"), text.as_bytes())
            .with_context(|| format!("`{name}`"))?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()?;
    Ok(())
}
