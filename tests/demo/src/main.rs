//! `cargo demo`: builds agent, sandboxes and connectors, then hands over to `waybill demo`. Knows nothing of the play
//! itself; arguments pass through unchanged.

use anyhow::{Context as _, bail};
use std::path::PathBuf;
use std::process::Command;

fn main() -> anyhow::Result<()> {
    let binaries = binaries()?;
    step("Building the agent and the sandboxes", || {
        waybill_pack::build_programs(&["waybill", "waybill-sandbox"], &[])
    })?;
    let connectors = binaries.parent().unwrap_or(&binaries).join("connectors");
    step("Building the connectors", || {
        waybill_pack::build_all(&connectors).map(drop)
    })?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let status = Command::new(binaries.join("waybill"))
        .arg("demo")
        .arg("--connectors")
        .arg(&connectors)
        .args(arguments)
        .status()
        .context("cannot start `waybill demo`")?;
    if !status.success() {
        bail!("the demo ended with {status}");
    }
    Ok(())
}

/// The folder that cargo puts binaries in: this program lies there itself.
fn binaries() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    Ok(own
        .parent()
        .context("this program lies in no folder")?
        .to_path_buf())
}

#[expect(
    clippy::print_stderr,
    reason = "progress of a long build belongs on the terminal"
)]
fn step(what: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    eprintln!("{what} ...");
    work()
}
