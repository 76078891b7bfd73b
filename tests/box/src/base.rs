//! The bare Debian that every system starts as: made once, kept in the target folder, never booted itself.

use crate::Problem;
use crate::say;
use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Packages beside the essential ones: what boots, and what the `.deb` depends on.
const INCLUDE: &str = "systemd,systemd-sysv,dbus,procps,ca-certificates";
/// As in `apt-get indextargets`: address of a source, name of its release, name of its part.
const SOURCE: &str = "$(REPO_URI) $(CODENAME) $(COMPONENT)";
/// Nothing here reads documentation.
const LEFT_OUT: [&str; 3] = ["doc", "man", "locale"];

/// The base, made where it is missing.
pub(crate) fn ready(folder: &Path) -> Result<PathBuf, Problem> {
    let (base, mark) = (folder.join("base"), folder.join("base.ok"));
    if mark.exists() {
        return Ok(base);
    }
    let found = source().or_else(|| {
        // A machine that never asked its sources knows nothing of them.
        drop(Command::new("apt-get").args(["update", "-qq"]).status());
        source()
    });
    let Some(source) = found else {
        return Err(Problem::Skipped(
            "apt on this machine names no source to make a system from".to_owned(),
        ));
    };
    say("Making a bare Debian, once (a minute) ...");
    std::fs::create_dir_all(folder)?;
    drop(std::fs::remove_dir_all(&base));
    let status = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=minbase"])
        .arg(format!("--include={INCLUDE}"))
        .args(LEFT_OUT.map(|part| format!("--dpkgopt=path-exclude=/usr/share/{part}/*")))
        .arg(&source.release)
        .arg(&base)
        .arg(&source.mirror)
        .stdin(Stdio::null())
        .status()
        .context("cannot start mmdebstrap")?;
    // Nothing of ours has run yet: the mirror is away, or this machine does not let anybody make a system.
    if !status.success() {
        return Err(Problem::Skipped(format!(
            "no bare system can be made here: mmdebstrap from `{}` ended with {status}",
            source.mirror
        )));
    }
    std::fs::write(mark, "")?;
    Ok(base)
}

/// Where this machine gets its own packages from. The same release, so that what is built here finds its libraries.
struct Source {
    mirror: String,
    release: String,
}

fn source() -> Option<Source> {
    let own = std::fs::read_to_string("/etc/os-release").ok()?;
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?
        .trim_matches('"');
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", SOURCE, "Created-By: Packages"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    chosen(&String::from_utf8(output.stdout).ok()?, own)
}

/// The first source of that release's main part; updates and third parties have other names.
fn chosen(told: &str, own: &str) -> Option<Source> {
    told.lines().find_map(
        |line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [mirror, release, "main"] if release == own => Some(Source {
                mirror: mirror.to_owned(),
                release: release.to_owned(),
            }),
            _ => None,
        },
    )
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

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn the_machines_own_release_is_chosen_and_nobody_elses() {
        let told = "https://others.example/ bookworm stable\n\
                    https://mirror.example/security bookworm-security main\n\
                    https://mirror.example/debian bookworm main\n";
        let source = chosen(told, "bookworm").expect("it is named");
        assert_eq!(
            (source.mirror.as_str(), source.release.as_str()),
            ("https://mirror.example/debian", "bookworm")
        );
        assert!(chosen(told, "trixie").is_none());
    }
}
