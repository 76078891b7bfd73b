//! One package -> one component file: cargo builds the core module, `wit-component` wraps it, the file is written
//! beside its place and renamed, and only when its bytes changed, so that a running agent sees no empty swap.

use crate::way::{Compiler, TARGET, Way};
use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use wit_component::ComponentEncoder;

/// Built when nobody names a package.
pub const DEFAULT_PACKAGES: [&str; 2] = ["waybill-dsco", "waybill-brightpearl"];
/// The profile of the root manifest that guests are built with; a package may override it there.
const PROFILE: &str = "guest";

/// What to build with, and where to put it.
#[derive(Debug, Clone)]
pub struct Pack {
    root: PathBuf,
    out: PathBuf,
    way: Option<Way>,
    install: bool,
}

impl Default for Pack {
    fn default() -> Self {
        Self::new()
    }
}

impl Pack {
    /// This repository, into `target/connectors`, with the compiler that is there.
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .unwrap_or_else(|| Path::new("."))
            .to_owned();
        Self {
            out: root.join("target/connectors"),
            root,
            way: None,
            install: std::env::var_os("WAYBILL_NO_INSTALL").is_none(),
        }
    }

    /// Into that folder.
    #[must_use]
    pub fn into_dir(mut self, out: &Path) -> Self {
        out.clone_into(&mut self.out);
        self
    }

    /// With that compiler and no other.
    #[must_use]
    pub const fn by(mut self, way: Way) -> Self {
        self.way = Some(way);
        self
    }

    /// Without installing anything.
    #[must_use]
    pub const fn without_install(mut self) -> Self {
        self.install = false;
        self
    }

    /// Builds these packages, one component each, in their order.
    pub fn build(&self, packages: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
        let compiler = Compiler::find(self.way, self.install)?;
        packages
            .iter()
            .map(|package| {
                let module = self.compile(&compiler, package)?;
                let component =
                    wrap(&module).with_context(|| format!("cannot wrap `{package}`"))?;
                let place = self.out.join(format!("{}.wasm", name(package)));
                write_if_changed(&place, &component)?;
                Ok(place)
            })
            .collect()
    }

    /// The core module of a package, not wrapped yet.
    ///
    /// # Errors
    /// No compiler is there, or it says on the terminal what is wrong.
    pub fn module(&self, package: &str) -> anyhow::Result<Vec<u8>> {
        self.compile(&Compiler::find(self.way, self.install)?, package)
    }

    /// Compiles one package and gives its core module.
    fn compile(&self, compiler: &Compiler, package: &str) -> anyhow::Result<Vec<u8>> {
        let folder = self.root.join("target/guests").join(compiler.way().word());
        // `cargo rustc --crate-type`: the packages are ordinary libraries as well, for tests on the host, and a library
        // that is both would not be optimised across crates.
        let status = compiler
            .cargo()
            .current_dir(&self.root)
            .args(["rustc", "--locked", "--lib", "--crate-type", "cdylib"])
            .args(["--package", package, "--target", TARGET])
            .args(["--profile", PROFILE, "--target-dir"])
            .arg(&folder)
            .args(compiler.arguments())
            .status()
            .context("cannot start cargo")?;
        ensure!(
            status.success(),
            "building `{package}` for {TARGET} ({} way) ended with {status}",
            compiler.way()
        );
        let module = folder
            .join(TARGET)
            .join(PROFILE)
            .join(format!("{}.wasm", package.replace('-', "_")));
        std::fs::read(&module).with_context(|| format!("cannot read `{}`", module.display()))
    }
}

/// Builds one package into `target/connectors`.
pub fn build(package: &str) -> anyhow::Result<PathBuf> {
    let mut places = Pack::new().build(&[package])?;
    places.pop().context("nothing was built")
}

/// Builds all first-party connectors into that folder.
pub fn build_all(out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    Pack::new().into_dir(out).build(&DEFAULT_PACKAGES)
}

/// The file's name: the package's without the product's.
fn name(package: &str) -> &str {
    package.strip_prefix("waybill-").unwrap_or(package)
}

/// Wraps a core module; the section that the bindings left in it carries its world.
///
/// # Errors
/// It is no module of a connector.
pub fn wrap(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)?
        .encode()
}

/// Writes beside and renames. Returns whether anything was written.
fn write_if_changed(place: &Path, bytes: &[u8]) -> anyhow::Result<bool> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if std::fs::read(place).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let folder = place.parent().context("the file has no folder")?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create `{}`", folder.display()))?;
    // Not `.wasm`: an agent that watches the folder must not take the half-written file. Process and count keep two
    // builds apart.
    let beside = place.with_extension(format!(
        "{}-{}.tmp",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, place))
        .with_context(|| format!("cannot write `{}`", place.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_after_the_vendor() {
        assert_eq!(name("waybill-dsco"), "dsco");
        assert_eq!(name("acme-wms"), "acme-wms");
    }

    #[test]
    fn unchanged_bytes_are_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deep/one.wasm");
        assert!(write_if_changed(&place, b"1").unwrap());
        assert!(!write_if_changed(&place, b"1").unwrap());
        assert!(write_if_changed(&place, b"2").unwrap());
        assert_eq!(std::fs::read(&place).unwrap(), b"2");
        let left = std::fs::read_dir(place.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "no half-written file is left");
    }

    #[test]
    fn bytes_that_are_no_module_are_refused() {
        assert!(wrap(b"not wasm").is_err());
    }
}
