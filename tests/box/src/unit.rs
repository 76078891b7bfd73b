//! The unit, by systemd's own judgement: how exposed the service is, and whether every key is known.

use crate::folder;
use crate::proof::Proof;
use anyhow::{Context as _, ensure};
use std::process::{Command, Stdio};

/// Highest exposure, in tenths.
const EXPOSURE: u32 = 12;

pub(crate) fn prove(proof: &Proof) -> anyhow::Result<()> {
    let unit = waybill_packages::root().join("packaging/systemd/waybill.service");

    proof.begin("the unit's exposure is at most 1.2");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true"])
        .arg(format!("--threshold={EXPOSURE}"))
        .arg(&unit)
        .stdin(Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = told.lines().last().unwrap_or_default().to_owned();
    ensure!(output.status.success(), "too exposed: {last}");
    crate::say(last.trim());
    proof.done();

    proof.begin("systemd knows every key of the unit");
    let text = std::fs::read_to_string(&unit).context("cannot read the unit")?;
    let held = text.replace("/usr/bin/waybill", "/bin/true");
    ensure!(held != text, "the unit starts no `/usr/bin/waybill`");
    let place = folder().join("unit/waybill.service");
    std::fs::create_dir_all(folder().join("unit"))?;
    std::fs::write(&place, held)?;
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&place)
        .stdin(Stdio::null())
        .output()?;
    // An unknown key is only said, not failed on.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success() && said.trim().is_empty(),
        "systemd-analyze verify: {said}"
    );
    proof.done();
    Ok(())
}
