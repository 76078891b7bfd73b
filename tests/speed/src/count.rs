//! Instructions by callgrind: this program runs itself under valgrind with few and with many calls, and the difference is
//! the calls' own. Knows no connector.

use crate::Kind;
use anyhow::{Context as _, ensure};
use std::process::Command;

const FEW: u32 = 20;
const MANY: u32 = 60;

/// Instructions of one call, or one mapping, of that kind; `None` where valgrind is missing.
pub(crate) fn instructions(kind: Kind) -> anyhow::Result<Option<u64>> {
    let run = |calls| run(kind.word(), calls);
    // The first finds no compiled code: under valgrind the processor has other features.
    if run(1)?.is_none() {
        return Ok(None);
    }
    let gone = "valgrind went away";
    let (few, many) = (run(FEW)?.context(gone)?, run(MANY)?.context(gone)?);
    Ok(Some(many.saturating_sub(few) / u64::from(MANY - FEW)))
}

fn run(kind: &str, calls: u32) -> anyhow::Result<Option<u64>> {
    let own = std::env::current_exe()?;
    let ran = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--smc-check=all-non-file",
        ])
        .arg(own)
        .args(["--only", kind, "--calls", &calls.to_string()])
        .output();
    let output = match ran {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.context("cannot start valgrind")?,
    };
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "under valgrind it ended with {}: {told}",
        output.status
    );
    let collected = told
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse().ok());
    collected
        .map(Some)
        .with_context(|| format!("callgrind printed no count: {told}"))
}
