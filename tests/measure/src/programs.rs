//! Owns what is measured: the released agent, the sandboxes and the connectors, built. Must not know what is done with
//! them.

use anyhow::{Context as _, ensure};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [&str; 3] = ["waybill", "waybill-sim", "waybill-measure"];

/// Where the released programs lie.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The agent.
    pub(crate) agent: PathBuf,
    /// The sandboxes.
    pub(crate) sandbox: PathBuf,
    /// A folder for everything a run writes.
    pub(crate) folder: PathBuf,
}

impl Programs {
    /// Beside this program, when it is a released one.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let binaries = own.parent().context("this program lies in no folder")?;
        let target = binaries
            .parent()
            .context("this program lies in no target folder")?;
        let programs = Self {
            agent: binaries.join("waybill"),
            sandbox: binaries.join("waybill-sandbox"),
            folder: target.join("measure"),
        };
        for program in [&programs.agent, &programs.sandbox] {
            ensure!(
                program.is_file(),
                "`{}` is not there\nhint: run `cargo measure`, which builds it",
                program.display()
            );
        }
        Ok(programs)
    }
}

/// Builds everything in release and becomes the released twin of this program; comes back only when that fails.
pub(crate) fn hand_over() -> anyhow::Error {
    match released() {
        Ok(twin) => {
            let error = Command::new(&twin).args(std::env::args_os().skip(1)).exec();
            anyhow::Error::new(error).context(format!("cannot start `{}`", twin.display()))
        }
        Err(error) => error,
    }
}

fn released() -> anyhow::Result<PathBuf> {
    crate::say("Building the agent, the sandboxes and this program in release ...");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = waybill_pack::own_cargo();
    cargo
        .current_dir(root)
        .args(["build", "--release", "--locked", "--bins"]);
    for package in PACKAGES {
        cargo.args(["-p", package]);
    }
    let status = cargo.status().context("cannot start cargo")?;
    ensure!(
        status.success(),
        "cargo build --release ended with {status}"
    );
    let own = std::env::current_exe()?;
    let name = own.file_name().context("this program has no name")?;
    let target = own
        .ancestors()
        .nth(2)
        .context("this program lies in no target folder")?;
    Ok(target.join("release").join(name))
}
