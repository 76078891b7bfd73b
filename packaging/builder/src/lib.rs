//! Builds the packages: `.deb` and `.rpm` from one list of files (`agent/Cargo.toml`, `package.metadata.deb`). Knows
//! nothing of what the files do. Read `stage.rs` for how they are made, then `debian.rs` and `redhat.rs`.

mod debian;
mod list;
mod redhat;
mod stage;

pub use stage::{Stage, own_key, root, target};

use std::path::{Path, PathBuf};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// The optimised build that people install; else the development one, for trying the package.
    pub release: bool,
    /// Number of this packaging of the version, from 1.
    pub revision: u32,
    /// Folder of the packages.
    pub out: PathBuf,
    /// Tools that are missing may be installed into the target folder.
    pub install: bool,
    /// Signs the connectors; its public half lies beside it. Without one, a key of this build folder does.
    pub signing_key: Option<PathBuf>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            release: true,
            revision: 1,
            out: root().join("target/packages"),
            install: true,
            signing_key: None,
        }
    }
}

/// Builds everything and gathers it where the list finds it.
pub fn stage(wishes: &Wishes) -> anyhow::Result<Stage> {
    stage::make(wishes)
}

/// The `.deb` of what is gathered.
pub fn deb(wishes: &Wishes, stage: &Stage) -> anyhow::Result<PathBuf> {
    debian::make(wishes, stage)
}

/// The `.rpm` of what is gathered.
pub fn rpm(wishes: &Wishes, stage: &Stage) -> anyhow::Result<PathBuf> {
    redhat::make(wishes, stage)
}

/// The packager of `.deb` files, installed where it is missing and that is allowed.
pub fn packager(install: bool) -> anyhow::Result<PathBuf> {
    debian::packager(install)
}

fn read(path: &Path) -> anyhow::Result<String> {
    use anyhow::Context as _;
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}
