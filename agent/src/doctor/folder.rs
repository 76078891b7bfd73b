//! Folders and their disk: who may write where, and how much room is left. Reads owners and modes; tries nothing out by
//! writing.

use crate::config::Config;
use rustix::fs::{Access, StatVfsMountFlags};
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use waybill_engine::finding::{Check, Finding};

/// Below that the agent soon cannot work.
const PROBLEM_BYTES: u64 = 100 * 1024 * 1024;
/// Below that a busy week may fill it.
const WARNING_BYTES: u64 = 500 * 1024 * 1024;

const AS_ROOT: &str = "Run `waybill doctor` as root (sudo).";

/// The data folder: there, owned by one user, writable by its owner and by nobody else.
pub(super) fn data(config: &Config) -> Vec<Finding> {
    let folder = &config.data_dir;
    let shown = folder.display().to_string();
    let problem = |text: String| Finding::problem(Check::DataFolder, text).at(shown.clone());
    let meta = match std::fs::metadata(folder) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return vec![
                Finding::ok(
                    Check::DataFolder,
                    format!("`{shown}` is not there yet; the first start makes it."),
                )
                .at(shown),
            ];
        }
        Err(error) => {
            return vec![
                Finding::skipped(
                    Check::DataFolder,
                    format!("It cannot be looked at: {error}."),
                )
                .at(shown)
                .next(AS_ROOT),
            ];
        }
    };
    if !meta.is_dir() {
        return vec![
            problem("It is no folder.".to_owned())
                .next("Name a folder in `data-dir` of the configuration."),
        ];
    }
    let mut findings = Vec::new();
    let mode = meta.mode() & 0o777;
    if mode & 0o700 != 0o700 {
        findings.push(
            problem(format!(
                "The agent cannot write there: its mode is {mode:04o}."
            ))
            .next(format!("chmod 700 {shown}")),
        );
    } else if mode & 0o077 != 0 {
        findings.push(
            Finding::warning(
                Check::DataFolder,
                format!("Other users can look into it: its mode is {mode:04o}."),
            )
            .at(shown.clone())
            .next(format!("chmod 700 {shown}")),
        );
    }
    let own = rustix::process::geteuid();
    if !own.is_root() && rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        findings.push(
            problem(format!(
                "This user ({}) cannot write there; the folder belongs to user {}.",
                own.as_raw(),
                meta.uid()
            ))
            .next(format!(
                "Run the agent and its commands as the folder's owner, or: chown -R {} {shown}",
                own.as_raw()
            )),
        );
    }
    findings.extend(strangers(folder, &meta).map(|text| {
        problem(text).next(format!("chown -R --reference={shown} {shown}, then start the agent again. Commands that open the data folder themselves (`--offline`) are run as the agent's user."))
    }));
    if findings.is_empty() {
        findings.push(Finding::ok(
            Check::DataFolder,
            format!("`{shown}` is its owner's alone."),
        ));
    }
    findings
}

/// A file of somebody else, or one that its owner cannot write, such as a command run as root leaves behind.
fn strangers(folder: &Path, meta: &Metadata) -> Option<String> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in [folder.to_owned(), folder.join("bodies")] {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        paths.extend(entries.map(|entry| entry.path()));
    }
    paths.sort();
    paths.into_iter().find_map(|path| {
        let file = std::fs::symlink_metadata(&path).ok()?;
        let name = path.strip_prefix(folder).unwrap_or(&path).display();
        if file.uid() != meta.uid() {
            return Some(format!(
                "`{name}` in it belongs to user {}, the folder to user {}: the agent cannot open it.",
                file.uid(),
                meta.uid()
            ));
        }
        let mode = file.mode() & 0o777;
        (file.is_file() && mode & 0o600 != 0o600)
            .then(|| format!("The agent cannot write `{name}` in it: its mode is {mode:04o}."))
    })
}

/// Room on the disk of the data folder.
pub(super) fn space(config: &Config) -> Finding {
    let folder = config.data_dir.ancestors().find(|path| path.exists());
    let folder = folder.unwrap_or(Path::new("/"));
    let shown = folder.display().to_string();
    let disk = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            return Finding::skipped(Check::DiskSpace, format!("It cannot be asked: {error}."))
                .at(shown);
        }
    };
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Finding::problem(Check::DiskSpace, "The disk takes no writes (read-only).")
            .at(shown)
            .next("A disk that failed is made read-only by the system: look at `dmesg`, then mount it writable again.");
    }
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let file = std::fs::metadata(config.store_file()).map_or(0, |meta| meta.len());
    judged(free, file).at(shown)
}

fn judged(free: u64, file: u64) -> Finding {
    let mib = free / (1024 * 1024);
    let step = "Free some space, or move `data-dir` to a larger disk. The agent stops taking orders when it cannot store them.";
    if free < PROBLEM_BYTES {
        Finding::problem(Check::DiskSpace, format!("Only {mib} MiB are free.")).next(step)
    } else if free < WARNING_BYTES.max(file + file / 2) {
        // An upgrade and a backup each keep a copy of the database.
        Finding::warning(
            Check::DiskSpace,
            format!("{mib} MiB are free; a copy of the database may not fit."),
        )
        .next(step)
    } else {
        Finding::ok(Check::DiskSpace, format!("{mib} MiB are free."))
    }
}

/// Whoever can write into the connectors folder runs code as the agent.
pub(super) fn guarded(config: &Config) -> Option<Finding> {
    let folder = &config.connectors_dir;
    let meta = std::fs::metadata(folder).ok()?;
    let shown = folder.display().to_string();
    let owner = std::fs::metadata(&config.data_dir).ok().map(|m| m.uid());
    let text = if meta.mode() & 0o022 != 0 {
        format!(
            "Other users can write there: its mode is {:04o}. Who can write there runs code as the agent.",
            meta.mode() & 0o777
        )
    } else if meta.uid() != 0 && rustix::process::geteuid().is_root() && owner == Some(meta.uid()) {
        "It belongs to the agent's own user. Who can write there runs code as the agent.".to_owned()
    } else {
        return None;
    };
    Some(
        Finding::warning(Check::ConnectorsFolder, text)
            .at(shown.clone())
            .next(format!("chown -R root:root {shown} && chmod 755 {shown}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_engine::finding::State;

    #[test]
    fn room_is_judged_by_what_is_kept_there() {
        const MIB: u64 = 1024 * 1024;
        assert_eq!(judged(99 * MIB, 0).state, State::Problem);
        assert_eq!(judged(499 * MIB, 0).state, State::Warning);
        assert_eq!(judged(501 * MIB, 0).state, State::Ok);
        assert_eq!(judged(1_400 * MIB, 1_000 * MIB).state, State::Warning);
        assert_eq!(judged(1_600 * MIB, 1_000 * MIB).state, State::Ok);
    }
}
