//! What the box needs from this machine: named first, installed where that is possible, said loudly where it is not.

use crate::Problem;
use crate::say;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program and Debian's package that holds it.
const PACKAGES: &[(&str, &str)] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("systemd-analyze", "systemd"),
    ("pgrep", "procps"),
    ("unshare", "util-linux"),
    ("dpkg-deb", "dpkg"),
    ("rpm", "rpm"),
];

/// Makes sure of root and of these programs.
pub(crate) fn need(programs: &[&str], may_install: bool) -> Result<(), Problem> {
    if !is_root() {
        return Err(Problem::Skipped("it needs root".to_owned()));
    }
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(program, _)| programs.contains(program) && find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    say(&format!("Missing: {}", missing.join(" ")));
    if may_install && find("apt-get").is_some() {
        // A failed update is told by the installation that follows.
        drop(Command::new("apt-get").args(["update", "-qq"]).status());
        let installed = Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status();
        if installed.is_ok_and(|status| status.success()) {
            return Ok(());
        }
    }
    Err(Problem::Skipped(format!(
        "install by hand: apt-get install {}",
        missing.join(" ")
    )))
}

/// Where a program lies.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
