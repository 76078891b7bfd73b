//! The `.rpm`: installed into a root of its own by `rpm`, verified, upgraded, erased. The root has no other rpm, so what
//! the package requires of others is not asked.

use crate::base;
use crate::proof::Proof;
use anyhow::{Context as _, ensure};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FILES: [&str; 7] = [
    "/usr/bin/waybill",
    "/usr/bin/waybill-sandbox",
    "/usr/lib/systemd/system/waybill.service",
    "/usr/share/man/man1/waybill.1.gz",
    "/usr/share/zsh/site-functions/_waybill",
    "/etc/waybill/agent.toml",
    "/usr/lib/waybill/trusted-keys.d/waybill.pub",
];
/// Folders in which erasing must leave nothing of ours.
const EMPTIED: [&str; 4] = [
    "usr/bin",
    "usr/lib",
    "usr/lib/systemd/system",
    "usr/share/doc",
];

/// Installs the first, upgrades to the next, erases. `folder`: where the root is made.
pub(crate) fn prove(
    proof: &Proof,
    base: &Path,
    folder: &Path,
    first: &Path,
    next: &Path,
) -> anyhow::Result<()> {
    let root = Root(folder.join("rpm"));
    base::copy(base, &root.0)?;

    proof.begin("the .rpm installs and verifies");
    root.rpm(&["-i", "--nodeps"], Some(first))?;
    let said = root.rpm(&["-V", "--nodeps", "waybill"], None)?;
    ensure!(said.trim().is_empty(), "rpm -V: {said}");
    let files = root.rpm(&["-ql", "waybill"], None)?;
    for file in FILES {
        ensure!(
            files.lines().any(|line| line == file),
            "no `{file}` in\n{files}"
        );
    }
    proof.done();

    proof.begin("its configuration passes `waybill check`, its connectors are signed by its key, the sealing key is root's alone");
    root.check()?;
    proof.done();

    proof.begin("an upgrade keeps the key and an edited configuration");
    let before = std::fs::read(root.key())?;
    let config = root.0.join("etc/waybill/agent.toml");
    let text = std::fs::read_to_string(&config)? + "# own line\n";
    std::fs::write(&config, &text)?;
    root.rpm(&["-U", "--nodeps"], Some(next))?;
    ensure!(std::fs::read(root.key())? == before, "the key changed");
    let kept = std::fs::read_to_string(&config)?;
    ensure!(kept == text, "the configuration changed");
    proof.done();

    proof.begin("erasing leaves the key, the saved configuration and nothing else");
    root.rpm(&["-e", "waybill"], None)?;
    let left = root.left();
    ensure!(left.is_empty(), "left behind: {left:?}");
    ensure!(
        root.key().exists(),
        "the key is gone, and with it every sealed secret"
    );
    ensure!(
        std::fs::read_to_string(config.with_extension("toml.rpmsave"))? == text,
        "the edited configuration is not saved"
    );
    proof.done();
    std::fs::remove_dir_all(&root.0)?;
    Ok(())
}

struct Root(PathBuf);

impl Root {
    fn key(&self) -> PathBuf {
        self.0.join("etc/waybill/seal.key")
    }

    /// Runs `rpm` on this root; what it said.
    fn rpm(&self, arguments: &[&str], file: Option<&Path>) -> anyhow::Result<String> {
        let mut command = Command::new("rpm");
        command
            .arg("--root")
            .arg(&self.0)
            .args(arguments)
            .args(file);
        let output = command.stdin(Stdio::null()).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(
            output.status.success(),
            "{command:?} ended with {}: {said}",
            output.status
        );
        Ok(said)
    }

    fn check(&self) -> anyhow::Result<()> {
        self.waybill(&["check"])?;
        // The packaged key vouches for every packaged connector.
        let connectors = "usr/lib/waybill/connectors";
        for entry in std::fs::read_dir(self.0.join(connectors))? {
            let name = entry?.file_name();
            let file = format!("/{connectors}/{}", name.to_string_lossy());
            self.waybill(&["connectors", "verify", &file])?;
        }
        let about = std::fs::metadata(self.key()).context("no key was made")?;
        let mode = about.permissions().mode() & 0o777;
        ensure!(
            mode == 0o600 && about.uid() == 0 && about.len() == 65,
            "the key has mode {mode:o} and {} bytes",
            about.len()
        );
        Ok(())
    }

    fn waybill(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let output = Command::new("chroot")
            .arg(&self.0)
            .arg("/usr/bin/waybill")
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "waybill {}: {said}",
            arguments.join(" ")
        );
        Ok(())
    }

    /// What is named after us where nothing should be.
    fn left(&self) -> Vec<PathBuf> {
        let entries = EMPTIED
            .iter()
            .filter_map(|folder| std::fs::read_dir(self.0.join(folder)).ok());
        entries
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("waybill"))
            .map(|entry| entry.path())
            .collect()
    }
}
