//! Builds of both connectors, good and bad: no two have the same bytes, each is signed, and each is put into the watched
//! folder the way people and programs do. Must not know what becomes of them.

use crate::alter::{Deed, alter, replaced};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use waybill_pack::{Pack, wrap};
use waybill_sim::play::agent::Place;

/// A connector: its package, its file, its id.
#[derive(Debug, Clone, Copy)]
pub struct Which {
    /// Its package.
    pub package: &'static str,
    /// Its id.
    pub id: &'static str,
    /// Whether the text is in it that becomes a host nobody granted.
    pub names_host: bool,
}

/// Both, the one that orders are written to and the one they come from.
pub const BOTH: [Which; 2] = [
    Which {
        package: "waybill-brightpearl",
        id: "brightpearl",
        names_host: true,
    },
    Which {
        package: "waybill-dsco",
        id: "dsco",
        names_host: false,
    },
];

/// What a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// As good as the one before.
    Good,
    /// Every batch stops it.
    Trap,
    /// Every batch runs for ever.
    Loop,
    /// Every request is made twice.
    Twice,
    /// Of a version of the contract that nobody knows.
    Version,
    /// Signed by a stranger, or changed after it was signed.
    Signature,
    /// A file that was written to its half.
    Half,
    /// Its test of a connection stops it.
    Probe,
    /// Asks for a host that nobody granted.
    Host,
}

impl Kind {
    /// All bad ones.
    pub const BAD: [Self; 8] = [
        Self::Trap,
        Self::Loop,
        Self::Twice,
        Self::Version,
        Self::Signature,
        Self::Half,
        Self::Probe,
        Self::Host,
    ];

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Trap => "traps",
            Self::Loop => "loops",
            Self::Twice => "twice the calls per batch",
            Self::Version => "wrong version of the contract",
            Self::Signature => "wrong signature",
            Self::Half => "half-written file",
            Self::Probe => "failing probe",
            Self::Host => "asks for a new host",
        }
    }
}

const GRANTED: &str = "https://{api-domain}";
/// As long as the granted one.
pub const NEW_HOST: &str = "https://newhost.test";

/// A finished build.
#[derive(Debug)]
pub struct Ready {
    /// The file.
    pub bytes: Vec<u8>,
    /// As the agent names it.
    pub hash: String,
}

/// Makes builds.
#[derive(Debug)]
pub struct Workshop {
    place: Place,
    folder: PathBuf,
    /// Core modules, by connector's id.
    modules: BTreeMap<&'static str, Vec<u8>>,
    /// Components that were made before, without a number and a signature.
    made: Mutex<BTreeMap<(&'static str, Flaw), Vec<u8>>>,
    number: Mutex<u32>,
}

/// What is wrong inside of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flaw {
    None,
    Does(Deed),
    Version,
    Host,
}

impl Workshop {
    /// Builds both connectors.
    ///
    /// # Errors
    /// When they cannot be built.
    pub fn new(place: &Place, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut modules = BTreeMap::new();
        for which in BOTH {
            modules.insert(which.id, Pack::new().module(which.package)?);
        }
        place.make_key(&folder.join("stranger.key"), "nobody the agent trusts")?;
        Ok(Self {
            place: place.clone(),
            folder: folder.to_owned(),
            modules,
            made: Mutex::default(),
            number: Mutex::default(),
        })
    }

    fn component(&self, id: &'static str, flaw: Flaw) -> anyhow::Result<Vec<u8>> {
        let mut made = self
            .made
            .lock()
            .map_err(|_| anyhow::anyhow!("another task ended badly"))?;
        if let Some(bytes) = made.get(&(id, flaw)) {
            return Ok(bytes.clone());
        }
        let module = self.modules.get(id).context("no such connector")?;
        let component = match flaw {
            Flaw::None => wrap(module)?,
            Flaw::Does(deed) => wrap(&alter(module, deed)?)?,
            Flaw::Version => replaced(&wrap(module)?, "@0.1.0", "@0.9.0")?,
            Flaw::Host => wrap(&replaced(module, GRANTED, NEW_HOST)?)?,
        };
        made.insert((id, flaw), component.clone());
        Ok(component)
    }

    fn next(&self) -> anyhow::Result<u32> {
        let mut number = self
            .number
            .lock()
            .map_err(|_| anyhow::anyhow!("another task ended badly"))?;
        *number += 1;
        Ok(*number)
    }

    /// The next build of that kind.
    ///
    /// # Errors
    /// When it cannot be made or signed.
    pub fn make(&self, which: Which, kind: Kind) -> anyhow::Result<Ready> {
        let number = self.next()?;
        let even = number.is_multiple_of(2);
        let flaw = match kind {
            Kind::Good | Kind::Signature | Kind::Half => Flaw::None,
            Kind::Trap if even => Flaw::Does(Deed::Trap),
            Kind::Trap => Flaw::Does(Deed::TrapAfterAnswer),
            Kind::Loop => Flaw::Does(Deed::Loop),
            Kind::Twice => Flaw::Does(Deed::Twice),
            Kind::Probe => Flaw::Does(Deed::ProbeTraps),
            Kind::Version => Flaw::Version,
            Kind::Host => Flaw::Host,
        };
        let mut bytes = self.component(which.id, flaw)?;
        // A section of its own makes other bytes of it, as any change of the sources would.
        let name = format!("build-{number:06}");
        bytes.extend([0, u8::try_from(name.len() + 1)?, u8::try_from(name.len())?]);
        bytes.extend(name.as_bytes());
        let file = self.folder.join(format!("{}-{number}.wasm", which.id));
        std::fs::write(&file, &bytes)?;
        // A stranger's key, or a bit that changed after it was signed.
        let strange = kind == Kind::Signature && even;
        let stranger = self.folder.join("stranger.key");
        let key = strange.then_some(stranger.as_path());
        self.place.sign(key, &[&file])?;
        let mut bytes = std::fs::read(&file)?;
        std::fs::remove_file(&file)?;
        if kind == Kind::Signature && !even {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        if kind == Kind::Half {
            bytes.truncate(bytes.len() / 2);
        }
        Ok(Ready {
            hash: hex(&Sha256::digest(&bytes)),
            bytes,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

/// Pieces a plain copy comes in, and the time between two of them.
const PIECES: usize = 4;
const BETWEEN: Duration = Duration::from_millis(30);

/// Puts bytes where a file is, in one of three ways: copied over it piece by piece, written beside and renamed, or as
/// editors do, with the old file out of the way first.
///
/// # Errors
/// When the folder cannot be written to.
pub async fn put(file: &Path, bytes: &[u8], way: usize) -> anyhow::Result<()> {
    let beside = file.with_extension("new");
    match way % 3 {
        0 => {
            let mut over = std::fs::File::create(file)?;
            for piece in bytes.chunks(bytes.len().div_ceil(PIECES).max(1)) {
                over.write_all(piece)?;
                tokio::time::sleep(BETWEEN).await;
            }
        }
        1 => {
            std::fs::write(&beside, bytes)?;
            std::fs::rename(&beside, file)?;
        }
        _ => {
            let old = file.with_extension("wasm~");
            std::fs::rename(file, &old)?;
            tokio::time::sleep(BETWEEN).await;
            std::fs::write(&beside, bytes)?;
            std::fs::rename(&beside, file)?;
            std::fs::remove_file(&old)?;
        }
    }
    Ok(())
}
