//! Builds programs of this workspace beside the running one. Must not know what they are for.

use crate::own_cargo;
use anyhow::{Context as _, ensure};
use std::path::Path;

/// Builds these programs, where cargo puts them. With `--workspace` the features of what they depend on are
/// those of the whole check, so that nothing is compiled a second time.
///
/// # Errors
/// Cargo cannot be started, or says on the terminal what is wrong.
pub fn build_programs(names: &[&str], more: &[&str]) -> anyhow::Result<()> {
    let mut cargo = own_cargo();
    cargo
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .args(["build", "--quiet", "--locked", "--workspace"]);
    for name in names {
        cargo.args(["--bin", name]);
    }
    let status = cargo.args(more).status().context("cannot start cargo")?;
    ensure!(
        status.success(),
        "cargo build of {} ended with {status}; its messages are above",
        names.join(", ")
    );
    Ok(())
}
