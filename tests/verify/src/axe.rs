//! axe-core, which looks at the pages for what keeps people from using them. Not ours and no crate: taken from npm's
//! registry, and only where it is exactly the one named here.

use crate::steps::{Done, root};
use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const VERSION: &str = "4.14.1";
/// Of `axe.min.js` in it.
const SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// Where the tests look for it: see `agent/tests/browser/axe.rs`.
const FILE: &str = "target/tools/axe-core/package/axe.min.js";

fn is_it(file: &Path) -> bool {
    let Ok(bytes) = std::fs::read(file) else {
        return false;
    };
    let mut hash = String::new();
    for byte in &Sha256::digest(&bytes) {
        // Writing to a string cannot fail.
        let _infallible = write!(hash, "{byte:02x}");
    }
    hash == SHA256
}

/// Fetches it where it is missing.
pub(crate) fn fetch(may_install: bool) -> anyhow::Result<Done> {
    let file = root().join(FILE);
    if is_it(&file) {
        return Ok(Done::Passed {
            passed: 1,
            skipped: 0,
        });
    }
    let has_npm = Command::new("npm")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !may_install || !has_npm {
        let package = format!("axe-core@{VERSION}");
        return Ok(Done::Skipped(format!(
            "no page was looked at by axe; install npm, or unpack what `npm pack {package}` fetches in `target/tools/axe-core`"
        )));
    }
    let folder = root().join("target/tools/axe-core");
    std::fs::create_dir_all(&folder).context("cannot make a folder for axe-core")?;
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start `{program}`"))?;
        ensure!(
            output.status.success(),
            "`{program} {}`: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        anyhow::Ok(())
    };
    if let Err(error) = run("npm", &["pack", "--silent", &format!("axe-core@{VERSION}")]) {
        let why = format!("{error:#}").replace('\n', " ");
        let why = format!("no page was looked at by axe, which cannot be fetched: {why}");
        return Ok(Done::Skipped(why));
    }
    run("tar", &["xzf", &format!("axe-core-{VERSION}.tgz")])?;
    ensure!(
        is_it(&file),
        "`{FILE}` is not that of axe-core {VERSION}: remove the folder and try again"
    );
    Ok(Done::Passed {
        passed: 1,
        skipped: 0,
    })
}
