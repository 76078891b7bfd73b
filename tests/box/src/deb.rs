//! Other versions of a `.deb`, made from the built one: the next, and one that does not start. Knows `dpkg-deb` only.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The same package under a higher revision.
pub(crate) fn revised(deb: &Path, folder: &Path, revision: u32) -> anyhow::Result<PathBuf> {
    remade(deb, folder, revision, |_| Ok(()))
}

/// The same package under a higher revision, with a program that ends at once.
pub(crate) fn broken(deb: &Path, folder: &Path, revision: u32) -> anyhow::Result<PathBuf> {
    remade(deb, folder, revision, |tree| {
        let program = tree.join("usr/bin/waybill");
        std::fs::write(&program, "#!/bin/sh\necho broken on purpose >&2\nexit 1\n")?;
        Ok(())
    })
}

fn remade(
    deb: &Path,
    folder: &Path,
    revision: u32,
    change: impl Fn(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let tree = folder.join("tree");
    drop(std::fs::remove_dir_all(&tree));
    run(Command::new("dpkg-deb").arg("-R").arg(deb).arg(&tree))?;
    let control = tree.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control)?;
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.strip_prefix("Version: ") {
            Some(version) => {
                let upstream = version.split('-').next().unwrap_or(version);
                format!("Version: {upstream}-{revision}")
            }
            None => line.to_owned(),
        })
        .collect();
    std::fs::write(&control, lines.join("\n") + "\n")?;
    change(&tree)?;
    let place = folder.join(format!("waybill_{revision}.deb"));
    run(Command::new("dpkg-deb")
        .args(["-b", "-Znone"])
        .arg(&tree)
        .arg(&place))?;
    std::fs::remove_dir_all(&tree)?;
    Ok(place)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
