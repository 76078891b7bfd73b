//! Owns the programs of a crash run: an agent that kills itself at crash points, and what it needs.

use anyhow::Context as _;
use std::path::PathBuf;
use waybill_pack::build_programs;

/// Where the programs lie.
#[derive(Debug)]
pub(crate) struct Built {
    /// The agent with crash points.
    pub(crate) agent: PathBuf,
    /// The sandboxes.
    pub(crate) sandbox: PathBuf,
    /// The connectors.
    pub(crate) connectors: PathBuf,
    /// A folder for data, of this run alone.
    pub(crate) data: PathBuf,
}

/// Builds everything. The agent is copied away: a later build without crash points replaces the usual one.
pub(crate) fn all() -> anyhow::Result<Built> {
    let own = std::env::current_exe()?;
    let binaries = own.parent().context("this program lies in no folder")?;
    let target = binaries
        .parent()
        .context("this program lies in no target folder")?;
    build_programs(&["waybill-sandbox"], &[])?;
    build_programs(&["waybill"], &["--features", "waybill/crash-points"])?;
    // One folder a run: two at once must not take each other's things away.
    let folder = target.join("crash").join(std::process::id().to_string());
    std::fs::create_dir_all(&folder)?;
    let agent = folder.join("waybill");
    std::fs::copy(binaries.join("waybill"), &agent)?;
    let connectors = target.join("connectors");
    waybill_pack::build_all(&connectors)?;
    Ok(Built {
        agent,
        sandbox: binaries.join("waybill-sandbox"),
        connectors,
        data: folder.join("data"),
    })
}
