//! Builds programs, connectors, manual and completions and gathers them in one folder. Must not know how a package is
//! written.

use crate::Wishes;
use anyhow::{Context as _, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The shells whose completions are packaged: name for the program, name of the file.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "waybill.bash"),
    ("zsh", "waybill.zsh"),
    ("fish", "waybill.fish"),
];

/// What is gathered, ready for packaging.
#[derive(Debug, Clone)]
pub struct Stage {
    folder: PathBuf,
    /// Seconds since 1970 of the last change, so that the same sources give the same package.
    pub(crate) date: Option<u32>,
}

impl Stage {
    /// The folder that holds it; `agent/Cargo.toml` names the same.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The top of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or_else(|| Path::new("."))
        .to_owned()
}

/// The folder of all builds: this program lies there itself.
pub fn target() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    Ok(own
        .ancestors()
        .nth(2)
        .context("this program lies in no target folder")?
        .to_path_buf())
}

pub(crate) fn make(wishes: &Wishes) -> anyhow::Result<Stage> {
    let built = programs(wishes.release)?;
    let folder = root().join("target/packages/stage");
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("the last stage cannot be removed");
        }
        _ => {}
    }
    let bin = folder.join("bin");
    for part in ["bin", "completions", "man", "trusted-keys"] {
        std::fs::create_dir_all(folder.join(part))?;
    }
    for program in ["waybill", "waybill-sandbox"] {
        let place = bin.join(program);
        std::fs::copy(built.join(program), &place)
            .with_context(|| format!("cannot copy `{program}`"))?;
        if !wishes.release {
            strip(&place);
        }
    }
    let waybill = bin.join("waybill");
    let connectors = waybill_pack::build_all(&folder.join("connectors"))?;
    sign(
        &waybill,
        wishes.signing_key.as_deref(),
        &connectors,
        &folder,
    )?;
    run(Command::new(&waybill)
        .arg("manual-pages")
        .arg(folder.join("man")))?;
    for (shell, name) in SHELLS {
        let output = Command::new(&waybill)
            .args(["completions", shell])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot ask for completions")?;
        if !output.status.success() {
            bail!("`waybill completions {shell}` ended with {}", output.status);
        }
        std::fs::write(folder.join("completions").join(name), output.stdout)?;
    }
    Ok(Stage {
        folder,
        date: last_change(),
    })
}

/// The key of this build folder, which signs when nobody gives another.
pub fn own_key() -> PathBuf {
    root().join("target/packages-signing.key")
}

/// Signs the connectors, and puts the key's public half among what is packaged. Without a key of somebody's, one of this
/// build folder does: enough for trying a package, and worth nothing elsewhere.
fn sign(
    waybill: &Path,
    key: Option<&Path>,
    connectors: &[PathBuf],
    folder: &Path,
) -> anyhow::Result<()> {
    let own = own_key();
    let key = key.unwrap_or(&own);
    let mut public = OsString::from(key);
    public.push(".pub");
    if key == own && !Path::new(&public).exists() {
        run(Command::new(waybill)
            .args(["connectors", "keygen", "--name", "a build of Waybill"])
            .arg(key)
            .stdout(Stdio::null()))?;
    }
    run(Command::new(waybill)
        .args(["connectors", "sign", "--key"])
        .arg(key)
        .args(connectors)
        .stdout(Stdio::null()))?;
    std::fs::copy(&public, folder.join("trusted-keys/waybill.pub")).with_context(|| {
        format!(
            "the public key `{}` must lie beside its other half",
            public.display()
        )
    })?;
    Ok(())
}

/// Builds the agent and the sandboxes; where they lie.
fn programs(release: bool) -> anyhow::Result<PathBuf> {
    if !release {
        waybill_pack::build_programs(&["waybill", "waybill-sandbox"], &[])?;
        return Ok(target()?.join("debug"));
    }
    // What is shipped has no feature that only a test asks for.
    let mut cargo = waybill_pack::own_cargo();
    cargo
        .current_dir(root())
        .args(["build", "--quiet", "--locked", "--release", "--bins"])
        .args(["-p", "waybill", "-p", "waybill-sim"]);
    run(&mut cargo)?;
    Ok(target()?.join("release"))
}

/// Takes the debug information out of a development build, which is most of it. As good without: only larger.
fn strip(program: &Path) {
    drop(
        Command::new("strip")
            .arg("--strip-debug")
            .arg(program)
            .stderr(Stdio::null())
            .status(),
    );
}

/// When the last commit was made, where git knows.
fn last_change() -> Option<u32> {
    let output = Command::new("git")
        .current_dir(root())
        .args(["log", "-1", "--format=%ct"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Runs a command to its good end.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
