//! The connectors folder, and the copies of builds that were accepted. A copy is named by its content and durable before
//! anybody relies on it. It decides nothing: which build is loaded is the engine's choice.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use waybill_engine::hosted::Hosting;
use waybill_engine::swap::{Build, Refusal, Seen, Shelf};
use waybill_host::load::{LoadError, Loader};
use waybill_model::ids::Generation;

/// Files that are looked at end so.
const EXTENSION: &str = "wasm";
/// A copy that is being written ends so.
const PART: &str = "part";
/// Larger files are no connectors.
const MAX_BYTES: u64 = 64 << 20;

/// Both folders, and what loads from the second.
pub(crate) struct FolderShelf {
    places: Arc<Places>,
    loader: Loader,
    hosting: Hosting,
    /// Compiles a component apart from this process, whose memory would grow for good.
    apart: OnceLock<fn(&Path)>,
}

#[derive(Debug)]
struct Places {
    folder: PathBuf,
    kept: PathBuf,
}

impl FolderShelf {
    /// Files come from `folder`, copies are kept in `kept`, which is made when the first is.
    pub(crate) fn new(folder: &Path, kept: &Path, loader: Loader, hosting: Hosting) -> Self {
        Self {
            places: Arc::new(Places {
                folder: folder.to_owned(),
                kept: kept.to_owned(),
            }),
            loader,
            hosting,
            apart: OnceLock::new(),
        }
    }

    /// From now on components are compiled by `compile` before they are loaded: it finds the code in its folder then.
    pub(crate) fn compile_apart(&self, compile: fn(&Path)) {
        // The first one stays; there is only one.
        let _first_stays = self.apart.set(compile);
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Places) -> T + Send + 'static,
    ) -> Option<T> {
        let places = Arc::clone(&self.places);
        tokio::task::spawn_blocking(move || work(&places))
            .await
            .ok()
    }
}

fn interrupted() -> Refusal {
    refusal(&LoadError::Interrupted)
}

fn refusal(error: &LoadError) -> Refusal {
    Refusal {
        reason: error.to_string(),
        hint: error.hint(),
    }
}

#[async_trait]
impl Shelf for FolderShelf {
    async fn files(&self) -> Result<Vec<Seen>, Refusal> {
        let found = self.on_disk(Places::files).await;
        found.unwrap_or_else(|| Err(interrupted()))
    }

    async fn take(&self, file: &str) -> Result<String, Refusal> {
        let file = file.to_owned();
        let taken = self.on_disk(move |places| places.take(&file)).await;
        taken.unwrap_or_else(|| Err(interrupted()))
    }

    async fn keeps(&self, hash: &str) -> bool {
        let hash = hash.to_owned();
        let kept = self.on_disk(move |places| places.copy(&hash).is_file());
        kept.await.unwrap_or(false)
    }

    async fn load(&self, hash: &str, generation: Generation) -> Result<Arc<dyn Build>, Refusal> {
        let copy = self.places.copy(hash);
        if let Some(compile) = self.apart.get().copied() {
            let file = copy.clone();
            self.on_disk(move |_| compile(&file)).await;
        }
        let loaded = self.loader.load_file(&copy, generation).await;
        let build = loaded.map_err(|error| refusal(&error))?;
        // A copy that was changed on the disk is not what was accepted.
        if build.hash() != hash {
            return Err(Refusal::hinted(
                "its kept copy was changed",
                "Put the build into the connectors folder again.",
            ));
        }
        Ok(self.hosting.build(build))
    }

    async fn keep_only(&self, hashes: BTreeSet<String>) {
        let removed = self.on_disk(move |places| places.keep_only(&hashes)).await;
        if let Some(Err(error)) = removed {
            tracing::warn!(%error, "Copies of builds that are not needed could not be removed.");
        }
    }
}

impl Places {
    fn copy(&self, hash: &str) -> PathBuf {
        self.kept.join(hash).with_extension(EXTENSION)
    }

    fn files(&self) -> Result<Vec<Seen>, Refusal> {
        let cannot = |error: io::Error| {
            let folder = self.folder.display();
            Refusal {
                reason: format!("the connectors folder `{folder}` cannot be read: {error}"),
                hint: None,
            }
        };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot(error)),
        };
        let mut seen = Vec::new();
        for entry in entries {
            let path = entry.map_err(cannot)?.path();
            if !is_component(&path) {
                continue;
            }
            let hash = hash_of(&path).map_err(|error| error.to_string());
            seen.push(Seen {
                file: name(&path),
                hash,
            });
        }
        seen.sort_by(|a, b| a.file.cmp(&b.file));
        Ok(seen)
    }

    fn take(&self, file: &str) -> Result<String, Refusal> {
        let path = self.folder.join(file);
        let cannot = |what: &str, error: &io::Error| Refusal {
            reason: format!("`{file}` cannot be {what}: {error}"),
            hint: None,
        };
        let bytes = read(&path).map_err(|error| cannot("read", &error))?;
        let hash = hex(&Sha256::digest(&bytes));
        let copy = self.copy(&hash);
        if !copy.is_file() {
            self.write(&copy, &bytes)
                .map_err(|error| cannot("copied", &error))?;
        }
        Ok(hash)
    }

    /// Beside, synced, renamed, and the folder synced: a copy is whole or not there.
    fn write(&self, copy: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.kept)?;
        let part = copy.with_extension(PART);
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, copy)?;
        File::open(&self.kept)?.sync_all()
    }

    fn keep_only(&self, hashes: &BTreeSet<String>) -> io::Result<()> {
        let entries = match fs::read_dir(&self.kept) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            if !(is_component(&path) && hashes.contains(&*stem)) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Whether a file is looked at. Editors and copying programs write under other names first.
pub(crate) fn is_component(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == EXTENSION) && !name(path).starts_with('.')
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn too_large(len: u64) -> io::Error {
    io::Error::other(format!("it has {len} bytes, far more than any connector"))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    if len > MAX_BYTES {
        return Err(too_large(len));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// By pieces: a look every few minutes must not hold whole components in memory.
fn hash_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    if len > MAX_BYTES {
        return Err(too_large(len));
    }
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&piece[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> (tempfile::TempDir, Places) {
        let dir = tempfile::tempdir().unwrap();
        let places = Places {
            folder: dir.path().join("folder"),
            kept: dir.path().join("data/builds"),
        };
        fs::create_dir(&places.folder).unwrap();
        (dir, places)
    }

    #[test]
    fn files_are_told_by_name_and_hash_and_others_left_out() {
        let (_dir, places) = places();
        for (name, text) in [
            ("b.wasm", "bb"),
            ("a.wasm", "aa"),
            (".a.wasm.swp", "x"),
            (".hidden.wasm", "x"),
            ("a.wasm.part", "x"),
        ] {
            fs::write(places.folder.join(name), text).unwrap();
        }
        fs::create_dir(places.folder.join("c.wasm")).unwrap();
        let seen = places.files().unwrap();
        let names: Vec<&str> = seen.iter().map(|s| s.file.as_str()).collect();
        assert_eq!(names, ["a.wasm", "b.wasm", "c.wasm"]);
        assert_eq!(
            seen[0].hash.as_deref(),
            Ok(hex(&Sha256::digest("aa")).as_str())
        );
        assert!(seen[2].hash.is_err(), "a folder is no component");
    }

    #[test]
    fn no_folder_is_no_files() {
        let (_dir, places) = places();
        fs::remove_dir(&places.folder).unwrap();
        assert_eq!(places.files(), Ok(Vec::new()));
    }

    #[test]
    fn a_copy_outlives_its_file_and_what_nobody_needs_goes() {
        let (_dir, places) = places();
        let file = places.folder.join("a.wasm");
        fs::write(&file, "one").unwrap();
        let one = places.take("a.wasm").unwrap();
        fs::write(&file, "two").unwrap();
        let two = places.take("a.wasm").unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(fs::read(places.copy(&one)).unwrap(), b"one");
        assert_eq!(fs::read(places.copy(&two)).unwrap(), b"two");
        assert!(places.take("a.wasm").is_err());
        // A write that was cut short is no copy, and goes too.
        fs::write(places.copy(&one).with_extension(PART), "on").unwrap();
        places.keep_only(&BTreeSet::from([two.clone()])).unwrap();
        let left: Vec<_> = fs::read_dir(&places.kept)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        assert_eq!(left, [places.copy(&two)]);
    }

    #[test]
    fn copies_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, places) = places();
        fs::write(places.folder.join("a.wasm"), "one").unwrap();
        places.take("a.wasm").unwrap();
        let mode = fs::metadata(&places.kept).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
