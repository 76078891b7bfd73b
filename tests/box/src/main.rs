//! `cargo box [-- unit|rpm|life] [--release] [--no-install]`: installs the packages on a booted system of their own and
//! lives through a service's life. Chooses the part and says loudly what this machine cannot do (exit code 77).
//! Read `life.rs` for what is proved, `system.rs` for how a system is booted.

mod base;
mod browser;
mod builds;
mod deb;
mod life;
mod older;
mod proof;
mod redhat;
mod system;
mod tools;
mod trade;
mod unit;

use proof::Proof;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use waybill_packages::Wishes;

const USAGE: &str = "\
Proves the packages on a system of their own: a small Debian in a container, with systemd as its first process.

usage: cargo box [-- PART] [--release] [--no-install]

  unit          the unit's hardening score and its spelling; needs no root
  rpm           installs, verifies, upgrades and erases the .rpm
  life          installs the .deb, lets orders flow, kills, hangs, upgrades, breaks, reboots, removes and purges
                (without a part: all three)
  --release     the packages that people install; without it those of the development build
  --no-install  install no Debian packages and no packager
";
/// Exit code: this machine cannot do it.
const SKIPPED: u8 = 77;
/// Internal parts of `life`, in a network of their own: whether a bare system boots here, and the life itself.
const BOOTS: &str = "boots";
const INSIDE: &str = "inside";

/// Why a part did not come to a good end.
pub(crate) enum Problem {
    /// This machine cannot do it.
    Skipped(String),
    /// It went wrong.
    Wrong(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Wrong(error.into())
    }
}

fn main() -> ExitCode {
    let mut wishes = Wishes {
        release: false,
        out: waybill_packages::root().join("target/box/packages"),
        ..Wishes::default()
    };
    let mut parts = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--release" => wishes.release = true,
            "--no-install" => wishes.install = false,
            "--help" | "-h" => {
                say(USAGE.trim_end());
                return ExitCode::SUCCESS;
            }
            _ => parts.push(argument),
        }
    }
    let all = ["unit", "rpm", "life"].map(str::to_owned);
    let parts = if parts.is_empty() { &all[..] } else { &parts };
    let proof = Proof::default();
    let mut code = ExitCode::SUCCESS;
    if let [inside, deb, folder] = parts
        && inside == INSIDE
    {
        return end(
            INSIDE,
            life::inside(&proof, Path::new(deb), Path::new(folder)),
            &proof,
        );
    }
    for part in parts {
        let done = match part.as_str() {
            BOOTS => life::boots(),
            "unit" => unit(&proof),
            "rpm" => rpm(&proof, &wishes),
            "life" => life(&wishes),
            other => Err(anyhow::anyhow!("`{other}` is no part; see `cargo box -- --help`").into()),
        };
        let ended = end(part, done, &proof);
        if ended != ExitCode::SUCCESS {
            code = ended;
        }
    }
    code
}

fn end(part: &str, done: Result<(), Problem>, proof: &Proof) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Problem::Skipped(why)) => {
            say(&format!("SKIPPED {part}: {why}"));
            ExitCode::from(SKIPPED)
        }
        Err(Problem::Wrong(error)) => {
            if let Some(doing) = proof.doing() {
                say(&format!("FAILED {doing}"));
            }
            say(&format!("FAILED {part}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Where everything of the box lies.
pub(crate) fn folder() -> PathBuf {
    waybill_packages::root().join("target/box")
}

fn unit(proof: &Proof) -> Result<(), Problem> {
    if tools::find("systemd-analyze").is_none() {
        return Err(Problem::Skipped("systemd-analyze is missing".to_owned()));
    }
    Ok(unit::prove(proof)?)
}

fn rpm(proof: &Proof, wishes: &Wishes) -> Result<(), Problem> {
    tools::need(&["rpm", "mmdebstrap"], wishes.install)?;
    let base = base::ready(&folder())?;
    let stage = waybill_packages::stage(wishes)?;
    let first = waybill_packages::rpm(wishes, &stage)?;
    let next = Wishes {
        revision: wishes.revision + 1,
        ..wishes.clone()
    };
    let next = waybill_packages::rpm(&next, &stage)?;
    Ok(redhat::prove(proof, &base, &folder(), &first, &next)?)
}

/// Builds what is needed, then becomes itself in a network of its own: the system's loopback is then also the
/// sandboxes', nothing of this machine can be reached, and no port is taken.
///
/// What this machine cannot do is found out first and with nothing of ours: a bare system that does not boot is the
/// machine's matter. Once one did, whatever goes wrong is ours.
fn life(wishes: &Wishes) -> Result<(), Problem> {
    tools::need(
        &[
            "mmdebstrap",
            "systemd-nspawn",
            "pgrep",
            "unshare",
            "dpkg-deb",
        ],
        wishes.install,
    )?;
    if !wishes.install
        && let Err(error) = waybill_packages::packager(false)
    {
        return Err(Problem::Skipped(format!("{error:#}")));
    }
    base::ready(&folder())?;
    let tried = apart()?.arg(BOOTS).output()?;
    if !tried.status.success() {
        let told = [tried.stdout, tried.stderr].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        say(told.trim_end());
        return Err(Problem::Skipped(format!(
            "systemd-nspawn boots no bare system on this machine: {}",
            told.trim_end()
                .lines()
                .last()
                .unwrap_or("it does not say why")
        )));
    }
    let stage = waybill_packages::stage(wishes)?;
    let deb = waybill_packages::deb(wishes, &stage)?;
    let status = apart()?
        .arg(INSIDE)
        .arg(&deb)
        .arg(stage.folder())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(anyhow::anyhow!("it ended with {status}").into())
    }
}

/// This program once more, in a network of its own.
fn apart() -> anyhow::Result<Command> {
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--"])
        .arg(std::env::current_exe()?)
        .process_group(0);
    Ok(command)
}
