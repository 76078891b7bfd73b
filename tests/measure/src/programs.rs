//! Owns what is measured: the released agent, the sandboxes and the connectors, built. Must not know what is done with
//! them.

use anyhow::{Context as _, ensure};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

const PROGRAMS: [&str; 3] = ["waybill", "waybill-sandbox", "waybill-measure"];

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
    waybill_pack::build_programs(&PROGRAMS, &["--release"])?;
    let own = std::env::current_exe()?;
    let name = own.file_name().context("this program has no name")?;
    let target = own
        .ancestors()
        .nth(2)
        .context("this program lies in no target folder")?;
    Ok(target.join("release").join(name))
}
