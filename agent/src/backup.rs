//! `waybill backup` and `waybill restore`: files of a person on one side, the running agent or its data folder on the
//! other. Owns the wording; what a backup is and how one takes the place of a database is the store's.

use crate::cli::{Backup, BackupOther, Restore};
use crate::commands::client_failure;
use crate::config::Config;
use crate::machine::SystemClock;
use crate::out::{Failure, Out};
use crate::wire;
use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use waybill_host::ports::Clock as _;
use waybill_http::{ClientError, LocalClient};
use waybill_model::ids::Millis;
use waybill_store::{BackupError, Kept, Manifest, Totals, Why, backup_closed, verify_backup};

const BUFFER: usize = 1024 * 1024;

fn failure(error: &BackupError) -> Failure {
    Failure::Other {
        message: wire::chain(error),
        hint: error.hint().map(capital),
    }
}

/// Hints of the store are parts of sentences.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// A time on this machine's clock face.
fn shown(at: Millis) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system())
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

/// In a folder, a backup is named by its time.
fn target(given: &Path, now: Millis) -> PathBuf {
    if !given.is_dir() {
        return given.to_owned();
    }
    let at = Timestamp::from_millisecond(now).unwrap_or_default();
    given.join(format!("waybill-{}.backup", at.strftime("%Y%m%dT%H%M%SZ")))
}

/// `waybill backup`.
pub(crate) async fn backup(out: Out, config: &Config, args: &Backup) -> Result<(), Failure> {
    match (&args.other, &args.target) {
        (Some(BackupOther::Verify(args)), _) => verify(out, &args.file),
        (None, Some(given)) => {
            let target = target(given, SystemClock.now_ms());
            let unborn = beside(&target);
            let written = write(config, &unborn).await;
            let whole = written.and_then(|()| born(&unborn, &target));
            if whole.is_err() {
                drop(std::fs::remove_file(&unborn));
            }
            let (manifest, totals) = whole?;
            let length = std::fs::metadata(&target).map_or(0, |file| file.len());
            let name = target.display();
            out.line(format!(
                "{} orders and everything about them are in `{name}` ({length} bytes), checked.",
                totals.orders()
            ));
            out.line(
                "It holds no key: keep `key-file`, or the credential, where your passwords are.",
            );
            out.value(&json!({
                "file": name.to_string(), "bytes": length, "manifest": manifest, "totals": totals,
            }));
            Ok(())
        }
        (None, None) => Err(Failure::other("a backup needs a place to go to")),
    }
}

/// The name of a backup that is not whole yet.
fn beside(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

async fn write(config: &Config, unborn: &Path) -> Result<(), Failure> {
    let cannot = || format!("cannot write `{}`", unborn.display());
    match std::fs::remove_file(unborn) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(anyhow::Error::new(error).context(cannot()).into());
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(unborn);
    let file = file.with_context(cannot)?;
    let mut file = BufWriter::with_capacity(BUFFER, file);
    match LocalClient::connect(&config.socket).await {
        Ok(client) => client
            .download("/api/v1/backup", &mut file)
            .await
            .map_err(|error| client_failure(&error))?,
        Err(ClientError::NotRunning { .. }) => closed(config, &mut file)?,
        Err(error) => return Err(client_failure(&error)),
    }
    file.flush().with_context(cannot)?;
    let file = file.into_inner().map_err(anyhow::Error::from)?;
    file.sync_all().with_context(cannot)?;
    Ok(())
}

/// Of a stopped agent.
fn closed(config: &Config, out: &mut BufWriter<File>) -> Result<(), Failure> {
    let home = wire::home(config);
    if !home.file.exists() {
        return Err(Failure::hinted(
            format!("there is no database at `{}`", home.file.display()),
            "Name the configuration of the agent with --config.",
        ));
    }
    let key = wire::seal_key(config, true)?;
    let version = env!("CARGO_PKG_VERSION");
    let now = SystemClock.now_ms();
    backup_closed(&home.file, Some(&home.spool), &key, version, now, out)
        .map(drop)
        .map_err(|error| failure(&error))
}

/// Checks what was written and gives it its name.
fn born(unborn: &Path, target: &Path) -> Result<(Manifest, Totals), Failure> {
    let whole = verify_backup(read(unborn)?).map_err(|error| failure(&error))?;
    let cannot = || format!("cannot write `{}`", target.display());
    std::fs::rename(unborn, target).with_context(cannot)?;
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))
        .and_then(|folder| folder.sync_all())
        .with_context(cannot)?;
    Ok(whole)
}

fn read(file: &Path) -> Result<BufReader<File>, Failure> {
    let opened = File::open(file).map_err(|error| Failure::Usage {
        message: format!("`{}` cannot be read: {error}", file.display()),
        hint: None,
    })?;
    Ok(BufReader::with_capacity(BUFFER, opened))
}

fn verify(out: Out, file: &Path) -> Result<(), Failure> {
    let (manifest, totals) = verify_backup(read(file)?).map_err(|error| failure(&error))?;
    out.line(format!(
        "Whole: {} orders as of {}, written by version {}.",
        totals.orders(),
        shown(manifest.at),
        manifest.agent
    ));
    out.value(&json!({"manifest": manifest, "totals": totals}));
    Ok(())
}

/// `waybill restore`.
pub(crate) async fn restore(out: Out, config: &Config, args: &Restore) -> Result<(), Failure> {
    let home = wire::home(config);
    if args.list {
        list(out, &home.kept().map_err(|error| failure(&error))?);
        return Ok(());
    }
    match LocalClient::connect(&config.socket).await {
        Err(ClientError::NotRunning { .. }) => {}
        Err(error) => return Err(client_failure(&error)),
        Ok(_) => {
            return Err(Failure::hinted(
                "the agent is running on the database",
                "Stop it first: `systemctl stop waybill`.",
            ));
        }
    }
    // What cannot be restored is told before anybody is asked.
    if let Some(file) = &args.file {
        verify_backup(read(file)?).map_err(|error| failure(&error))?;
    }
    let question = "Put it in place of the database that is there?";
    if !args.yes && home.file.exists() && !out.ask(question, "Say --yes.")? {
        out.line("Nothing was changed.");
        return Ok(());
    }
    wire::private_folder(&config.data_dir)?;
    let key = wire::seal_key(config, !args.without_secrets)?;
    let how = waybill_store::Restore {
        home: &home,
        key: &key,
        now: SystemClock.now_ms(),
        pause: !args.resume,
        secrets: !args.without_secrets,
        who: "waybill restore",
    };
    let (from, totals, kept) = match (&args.file, &args.kept) {
        (Some(file), _) => {
            let open = || File::open(file).map(|file| BufReader::with_capacity(BUFFER, file));
            let outcome = how.backup(open).map_err(|error| failure(&error))?;
            let from = format!(
                "{} orders as of {}, from the backup written by version {}",
                outcome.totals.orders(),
                shown(outcome.manifest.at),
                outcome.manifest.agent
            );
            (from, Some(outcome.totals), outcome.kept)
        }
        (None, Some(name)) => {
            let kept = how.kept(name).map_err(|error| failure(&error))?;
            (format!("the database kept as `{name}`"), None, kept)
        }
        (None, None) => return Err(Failure::other("a restore needs a backup")),
    };
    told(out, args, &from, kept.as_ref());
    out.value(&json!({"restored": from, "totals": totals, "kept": kept, "paused": !args.resume}));
    Ok(())
}

fn told(out: Out, args: &Restore, from: &str, kept: Option<&Kept>) {
    out.line(format!("Restored: {from}."));
    if let Some(kept) = kept {
        let name = &kept.name;
        out.line(format!("The database before it is kept as `{name}`."));
        out.line(format!("The way back: waybill restore --kept {name}"));
    }
    if args.resume {
        out.line("The connections go on with the next start.");
    } else {
        out.line("All connections are paused. Start the agent, compare what it shows with both systems, then");
        out.line("`waybill resume CONNECTION` for each of them. What happened since is looked up before anything is sent.");
    }
    if args.without_secrets {
        out.line("The secrets are gone: enter them again with `waybill apply` or on the page.");
    }
    out.line("Never let two machines run on copies of one database: each would send what the other has sent.");
}

fn list(out: Out, kept: &[Kept]) {
    if kept.is_empty() {
        out.line("Nothing is kept.");
    } else {
        let rows: Vec<Vec<String>> = kept
            .iter()
            .map(|kept| {
                let why = match kept.why {
                    Why::Upgrade => "before an upgrade",
                    Why::Restore => "replaced by a restore",
                };
                vec![kept.name.clone(), shown(kept.at), why.to_owned()]
            })
            .collect();
        out.table(&["NAME", "KEPT SINCE", "WHY"], &rows);
    }
    out.value(&json!({"kept": kept}));
}
