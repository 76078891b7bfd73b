//! The bare Debian that every system starts as: made once, kept in the target folder, never booted itself.

use crate::Problem;
use crate::say;
use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Packages beside the essential ones: what boots, and what the `.deb` depends on.
const INCLUDE: &str = "systemd,systemd-sysv,dbus,procps,ca-certificates";
const RELEASE: &str = "bookworm";
/// Nothing here reads documentation.
const LEFT_OUT: [&str; 3] = ["doc", "man", "locale"];

/// The base, made where it is missing.
pub(crate) fn ready(folder: &Path) -> Result<PathBuf, Problem> {
    let (base, mark) = (folder.join("base"), folder.join("base.ok"));
    if mark.exists() {
        return Ok(base);
    }
    let Some(mirror) = mirror() else {
        return Err(Problem::Skipped(
            "this machine names no Debian mirror to make a system from".to_owned(),
        ));
    };
    say("Making a bare Debian, once (a minute) ...");
    std::fs::create_dir_all(folder)?;
    drop(std::fs::remove_dir_all(&base));
    let status = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=minbase"])
        .arg(format!("--include={INCLUDE}"))
        .args(LEFT_OUT.map(|part| format!("--dpkgopt=path-exclude=/usr/share/{part}/*")))
        .arg(RELEASE)
        .arg(&base)
        .arg(mirror)
        .stdin(Stdio::null())
        .status()
        .context("cannot start mmdebstrap")?;
    if !status.success() {
        return Err(anyhow::anyhow!("mmdebstrap ended with {status}").into());
    }
    std::fs::write(mark, "")?;
    Ok(base)
}

/// A mirror that this machine already uses, else Debian's own.
fn mirror() -> Option<String> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)"])
        .args(["Created-By: Packages", &format!("Codename: {RELEASE}")])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let first = text.lines().next().map(str::to_owned);
    Some(first.unwrap_or_else(|| "http://deb.debian.org/debian".to_owned()))
}

/// A fresh copy of the base.
pub(crate) fn copy(base: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to).with_context(|| format!("cannot empty `{}`", to.display()))?;
    }
    let status = Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .arg(base)
        .arg(to)
        .status()?;
    ensure!(status.success(), "copying the base ended with {status}");
    Ok(())
}
