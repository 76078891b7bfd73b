//! The `.deb`, by `cargo-deb`: it knows Debian's rules for units, configuration files and maintainer scripts. Owns which
//! version of it is used.

use crate::stage::{Stage, root, run};
use crate::{Wishes, stage};
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGER: &str = "cargo-deb";
const VERSION: &str = "3.8.0";

pub(crate) fn make(wishes: &Wishes, stage: &Stage) -> anyhow::Result<PathBuf> {
    let packager = packager(wishes.install)?;
    let folder = wishes.out.join("deb");
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make `{}`", folder.display()))?;
    let mut command = Command::new(packager);
    command
        .current_dir(root())
        .args(["--manifest-path", "agent/Cargo.toml", "--no-build"])
        .args(["--no-strip", "--locked", "--quiet"])
        .args(["--deb-revision", &wishes.revision.to_string()])
        .arg("--output")
        .arg(&folder);
    if !wishes.release {
        command.arg("--fast");
    }
    if let Some(date) = stage.date {
        command.env("SOURCE_DATE_EPOCH", date.to_string());
    }
    command.stdout(Stdio::null());
    run(&mut command)?;
    // The packager names the file after the machine; it is moved beside the others.
    let made = std::fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == "deb"))
        .context("the packager wrote no `.deb`")?;
    let place = wishes
        .out
        .join(made.file_name().context("a file has a name")?);
    std::fs::rename(&made, &place)?;
    drop(std::fs::remove_dir(&folder));
    Ok(place)
}

/// The packager's program: of the machine where its version is right, else our own.
pub(crate) fn packager(install: bool) -> anyhow::Result<PathBuf> {
    let right = |program: &Path| {
        let told = Command::new(program)
            .arg("--version")
            .stderr(Stdio::null())
            .output();
        told.is_ok_and(|o| {
            let text = String::from_utf8_lossy(&o.stdout).into_owned();
            o.status.success() && text.trim().ends_with(VERSION)
        })
    };
    let plain = PathBuf::from(PACKAGER);
    if right(&plain) {
        return Ok(plain);
    }
    let tools = stage::target()?.join("tools");
    let own = tools.join("bin").join(PACKAGER);
    if right(&own) {
        return Ok(own);
    }
    let package = format!("{PACKAGER}@{VERSION}");
    if !install {
        bail!("`{PACKAGER}` {VERSION} is missing: cargo install --locked {package}");
    }
    // Its development build packs as fast, since it optimises what compresses, and is there in a third of the time.
    run(waybill_pack::own_cargo()
        .args(["install", "--debug", "--locked", "--quiet"])
        .args(["--no-default-features", "--features", "lzma", "--root"])
        .arg(&tools)
        .arg(&package))?;
    Ok(own)
}
