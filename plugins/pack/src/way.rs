//! Which compiler builds the guests on this machine: the installed toolchain where it has the target's standard
//! library, else Debian's compiler with the standard library built from its source. Knows nothing of packages.

use crate::child;
use anyhow::{Context as _, bail, ensure};
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

/// The target every first-party connector is built for: no WASI, so it imports nothing but our own interfaces.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
const APT: &str = "/usr/bin/apt-get";
/// The first minor version of the 1.x compilers that can build the workspace.
const OLDEST_MINOR: u32 = 95;

/// How guests are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The toolchain first on PATH; it has the target's standard library (`rustup target add`).
    Native,
    /// Debian's compiler beside it, which builds the standard library from Debian's source package.
    Debian,
}

impl Way {
    /// The word of this way on the command line; also the name of its target folder.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Debian => "debian",
        }
    }

    /// Whether this machine can build that way as it is; the error says what is missing.
    pub fn is_there(self) -> anyhow::Result<()> {
        Compiler::find(Some(self), false).map(drop)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Way {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> anyhow::Result<Self> {
        match word {
            "native" => Ok(Self::Native),
            "debian" => Ok(Self::Debian),
            _ => bail!("`{word}` is no way to build: say `native` or `debian`"),
        }
    }
}

/// A compiler that was found and can build guests.
#[derive(Debug, Clone)]
pub(crate) enum Compiler {
    Native,
    Debian { linker: PathBuf },
}

impl Compiler {
    /// Finds the compiler of that way, or the first that is there. `install`: Debian's packages may be installed.
    pub(crate) fn find(way: Option<Way>, install: bool) -> anyhow::Result<Self> {
        match way {
            Some(Way::Native) => {
                ensure!(
                    has_target(&sysroot()?),
                    "the installed toolchain has no standard library for `{TARGET}`\n\
                     hint: run `rustup target add {TARGET}`"
                );
                Ok(Self::Native)
            }
            None if has_target(&sysroot()?) => Ok(Self::Native),
            Some(Way::Debian) | None => debian(install),
        }
    }

    pub(crate) const fn way(&self) -> Way {
        match self {
            Self::Native => Way::Native,
            Self::Debian { .. } => Way::Debian,
        }
    }

    /// The cargo of this compiler with everything set that does not depend on the package.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Self::Native => child::command("cargo"),
            Self::Debian { linker } => {
                let mut cargo = child::command(DEBIAN_CARGO);
                cargo
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                cargo
            }
        }
    }

    /// Arguments this compiler needs beyond the usual ones.
    pub(crate) const fn arguments(&self) -> &'static [&'static str] {
        match self {
            Self::Native => &[],
            Self::Debian { .. } => &["-Zbuild-std=std,panic_abort"],
        }
    }
}

/// Whether that sysroot holds a compiled standard library for the target.
pub(crate) fn has_target(sysroot: &Path) -> bool {
    let folder = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().starts_with("libstd-")
            })
        })
    })
}

fn sysroot() -> anyhow::Result<PathBuf> {
    Ok(PathBuf::from(say("rustc", &["--print", "sysroot"])?.trim()))
}

/// What a program prints, when it succeeds.
fn say(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = child::command(program)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{program}`"))?;
    ensure!(
        output.status.success(),
        "`{program} {}` ended with {}",
        arguments.join(" "),
        output.status
    );
    String::from_utf8(output.stdout).with_context(|| format!("`{program}` did not print text"))
}

fn debian(install: bool) -> anyhow::Result<Compiler> {
    if !debian_is_there() && install && is_root() && Path::new(APT).exists() {
        install_debian()?;
    }
    if !debian_is_there() {
        bail!(
            "no compiler for `{TARGET}` on this machine\n\
             hint: run `rustup target add {TARGET}`; where that is out of reach, on Debian 12 as root \
             `apt-get install -y --no-install-recommends {}`; then try again",
            DEBIAN_PACKAGES.join(" ")
        );
    }
    Ok(Compiler::Debian { linker: linker()? })
}

fn debian_is_there() -> bool {
    Path::new(DEBIAN_SOURCE).exists()
        && Path::new(DEBIAN_CARGO).exists()
        && say(DEBIAN_RUSTC, &["--version"])
            .ok()
            .and_then(|text| minor(&text))
            .is_some_and(|minor| minor >= OLDEST_MINOR)
}

/// The minor version in `rustc 1.96.0 (...)`.
fn minor(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(1)?;
    let mut parts = number.split('.');
    (parts.next()? == "1").then(|| parts.next()?.parse().ok())?
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn install_debian() -> anyhow::Result<()> {
    let run = |arguments: &[&str]| {
        child::command(APT)
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot start `{APT}`"))
    };
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(DEBIAN_PACKAGES);
    if run(&arguments)?.success() {
        return Ok(());
    }
    // A fresh machine has no package lists yet; whether the second try worked is seen by looking for the compiler.
    run(&["update"])?;
    run(&arguments)?;
    Ok(())
}

/// The linker for wasm: it comes with rustup's toolchain, not with Debian's compiler.
fn linker() -> anyhow::Result<PathBuf> {
    let verbose = say("rustc", &["-vV"])?;
    let host = verbose
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("`rustc -vV` names no host")?;
    let linker = sysroot()?
        .join("lib/rustlib")
        .join(host)
        .join("bin/rust-lld");
    ensure!(
        linker.exists(),
        "no linker at `{}`\nhint: the toolchain first on PATH must be one installed by rustup",
        linker.display()
    );
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_counts_only_with_its_compiled_library() {
        let root = tempfile::tempdir().unwrap();
        assert!(!has_target(root.path()));
        let folder = root.path().join("lib/rustlib").join(TARGET).join("lib");
        std::fs::create_dir_all(&folder).unwrap();
        assert!(!has_target(root.path()));
        std::fs::write(folder.join("libstd-0123456789abcdef.rlib"), b"").unwrap();
        assert!(has_target(root.path()));
    }

    #[test]
    fn reads_the_version_a_compiler_prints() {
        assert_eq!(
            minor("rustc 1.96.0 (ac68faa20 2026-05-25) (Debian)"),
            Some(96)
        );
        assert_eq!(minor("rustc 2.0.0"), None);
        assert_eq!(minor(""), None);
    }

    #[test]
    fn the_word_of_a_way_reads_back() {
        for way in [Way::Native, Way::Debian] {
            assert_eq!(way.word().parse::<Way>().unwrap(), way);
        }
        assert!("docker".parse::<Way>().is_err());
    }
}
