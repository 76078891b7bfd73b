//! What the check needs from the system: named first, installed where that is possible, said loudly where it is not.

use crate::steps::{Done, cargo_command, ran, root};
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use waybill_pack::Way;

const DENY: &str = "0.20.2";

/// Debian packages of the check: path that proves one is there, and its name.
const PACKAGES: &[(&str, &str)] = &[
    ("/usr/bin/gcc", "gcc"),
    ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
    ("/usr/bin/promtool", "prometheus"),
    // What a merchant has before his eyes; the first run is looked at in it.
    ("/usr/bin/chromium", "chromium"),
    // The file server that the tests of SFTP talk to.
    ("/usr/sbin/sshd", "openssh-server"),
    // For the packages on a system of their own; see `tests/box/src/tools.rs`.
    ("/usr/bin/systemd-analyze", "systemd"),
    ("/usr/bin/systemd-nspawn", "systemd-container"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/bin/pgrep", "procps"),
    ("/usr/bin/rpm", "rpm"),
];

/// Names and installs missing system packages.
#[expect(clippy::print_stdout, reason = "the report is this program's output")]
pub(crate) fn packages(may_install: bool) -> anyhow::Result<Done> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(path, _)| !Path::new(path).exists())
        .map(|(_, name)| *name)
        .collect();
    let guests = Way::Native.is_there().is_err() && Way::Debian.is_there().is_err();
    if missing.is_empty() && !guests {
        return Ok(Done::Passed {
            passed: 1,
            skipped: 0,
        });
    }
    println!(
        "Missing: {}{}",
        missing.join(" "),
        if guests {
            " a compiler for guests (installed by the step `connectors`)"
        } else {
            ""
        }
    );
    if missing.is_empty() {
        return Ok(Done::Passed {
            passed: 1,
            skipped: 0,
        });
    }
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout.starts_with(b"0\n"));
    if !may_install || !root || !Path::new("/usr/bin/apt-get").exists() {
        return Ok(Done::Skipped(format!(
            "install by hand: apt-get install {}",
            missing.join(" ")
        )));
    }
    ran(Command::new("apt-get").args(["update", "-qq"]))?;
    ran(Command::new("apt-get")
        .args(["install", "-y", "--no-install-recommends"])
        .args(&missing))
}

/// `cargo deny`, installed into the target folder when it is missing.
pub(crate) fn deny(may_install: bool) -> anyhow::Result<Done> {
    let Some(program) = find_deny(may_install)? else {
        return Ok(Done::Skipped(format!(
            "cargo-deny is missing: cargo install --locked cargo-deny@{DENY}"
        )));
    };
    ran(Command::new(program).current_dir(root()).args([
        "--locked",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))
}

fn find_deny(may_install: bool) -> anyhow::Result<Option<PathBuf>> {
    let answers = |program: &Path| {
        let told = Command::new(program)
            .arg("--version")
            .stderr(Stdio::null())
            .output();
        told.is_ok_and(|o| o.status.success())
    };
    let plain = PathBuf::from("cargo-deny");
    if answers(&plain) {
        return Ok(Some(plain));
    }
    let tools = root().join("target/tools");
    let own = tools.join("bin/cargo-deny");
    if answers(&own) {
        return Ok(Some(own));
    }
    if !may_install {
        return Ok(None);
    }
    let package = format!("cargo-deny@{DENY}");
    // It runs for a second, and is built for minutes: not worth optimising.
    let status = cargo_command()
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .args(["install", "--debug", "--locked", "--quiet", "--root"])
        .arg(&tools)
        .arg(&package)
        .status()
        .context("cannot start `cargo install`")?;
    if !status.success() {
        bail!("`cargo install {package}` ended with {status}");
    }
    Ok(Some(own))
}
