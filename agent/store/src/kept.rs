//! Databases kept beside the one in use: the snapshot before an upgrade's migration, the one that a restore replaced.
//! Owns their folder and every step by which one file takes another's place, so that a stop in between leaves the old
//! database or the new one, never none. Knows nothing of rows.
//!
//! A kept database is a folder: `waybill.redb`, `bodies` with the large bodies it names (links: they cost no space
//! while the database in use names them too), `about.json`.

use crate::backup::BackupError;
use crate::store::sync_folder;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use waybill_model::ids::Millis;

/// Kept databases of each kind; older ones go.
const KEPT: usize = 2;
/// Free bytes that are left over whatever is written.
pub(crate) const SPARE: u64 = 8 * 1024 * 1024;
const DATABASE: &str = "waybill.redb";
const BODIES: &str = "bodies";
/// Suffix of a database that is being restored.
pub(crate) const RESTORING: &str = ".restoring";
const ABOUT: &str = "about.json";

/// How many bytes are free where a path lies: the disk is a port.
pub type FreeSpace = fn(&Path) -> io::Result<u64>;

/// Where a store and what is kept beside it lie.
#[derive(Debug, Clone)]
pub struct Home {
    /// The database file.
    pub file: PathBuf,
    /// Folder of large bodies.
    pub spool: PathBuf,
    /// Folder of kept databases.
    pub kept: PathBuf,
    /// Asked before anything large is written.
    pub free_space: FreeSpace,
    /// Told each step on the disk; tests stop here.
    #[doc(hidden)]
    pub step: fn(&'static str),
}

/// Why a database was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A newer version was about to bring it up to its schema.
    Upgrade,
    /// Another one took its place.
    Restore,
}

/// A kept database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its name, for `waybill restore --kept`.
    #[serde(default)]
    pub name: String,
    /// Why it was kept.
    pub why: Why,
    /// When.
    pub at: Millis,
    /// Its schema version, where it is known.
    pub schema: Option<u32>,
}

pub(crate) fn failed(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let what = path.display().to_string();
    move |source| BackupError::File { what, source }
}

/// Gives what root made to the owner of the folder it is in: a service with a user of its own must be able to open it.
pub(crate) fn give_to_owner(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let owner = std::fs::metadata(folder.unwrap_or(Path::new(".")))?;
    let own = std::fs::metadata(path)?;
    if (own.uid(), own.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()))
}

fn private_folder(path: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made
            .and_then(|()| give_to_owner(path))
            .map_err(failed(path)),
    }
}

/// A new private file.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    let file = options.mode(0o600).open(path)?;
    give_to_owner(path)?;
    Ok(file)
}

/// A name with something appended.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove_folder(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

/// Whether a name is one of a body's file.
fn is_body(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Puts links to the files of one folder of bodies into another.
fn link_bodies(from: &Path, to: &Path) -> Result<(), BackupError> {
    let entries = match std::fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(from)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed(from))?;
        let name = entry.file_name();
        if !name.to_str().is_some_and(is_body) {
            continue;
        }
        let target = to.join(&name);
        match std::fs::hard_link(entry.path(), &target) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(&target)(error));
            }
            _ => {}
        }
    }
    File::open(to)
        .and_then(|folder| folder.sync_all())
        .map_err(failed(to))
}

/// Copies a file, without the blocks that are only zeros: a database is long and mostly empty after it has grown.
fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = private_file(to)?;
    let (mut block, mut at) = (vec![0; 64 * 1024], 0_u64);
    loop {
        let mut filled = 0;
        while filled < block.len() {
            match source.read(&mut block[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        if filled == 0 {
            break;
        }
        if block[..filled].iter().any(|byte| *byte != 0) {
            io::Seek::seek(&mut target, io::SeekFrom::Start(at))?;
            target.write_all(&block[..filled])?;
        }
        at += filled as u64;
    }
    target.set_len(at)?;
    target.sync_all()
}

impl Home {
    /// A database of that name in a folder, with everything beside it.
    pub fn new(file: PathBuf, spool: PathBuf, kept: PathBuf, free_space: FreeSpace) -> Self {
        Self {
            file,
            spool,
            kept,
            free_space,
            step: |_| (),
        }
    }

    /// What is kept, newest first.
    pub fn kept(&self) -> Result<Vec<Kept>, BackupError> {
        let mut all = Vec::new();
        let entries = match std::fs::read_dir(&self.kept) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
            Err(error) => return Err(failed(&self.kept)(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed(&self.kept))?.path();
            let about = std::fs::read(path.join(ABOUT)).ok();
            let about = about.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
            let name = path.file_name().and_then(|name| name.to_str());
            if let (Some(about), Some(name)) = (about, name.filter(|name| !name.contains('.'))) {
                all.push(Kept {
                    name: name.to_owned(),
                    ..about
                });
            }
        }
        all.sort_by(|a, b| (b.at, &b.name).cmp(&(a.at, &a.name)));
        Ok(all)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.kept.join(name)
    }

    /// Refuses when less is free than needed.
    pub(crate) fn need_room(&self, need: u64) -> Result<(), BackupError> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let free = (self.free_space)(folder).map_err(failed(folder))?;
        if free < need {
            return Err(BackupError::NoRoom {
                need,
                free,
                folder: folder.display().to_string(),
            });
        }
        Ok(())
    }

    /// Makes a kept database out of the one in use, which nobody has open. `whole`: a copy, since the one in use will
    /// be changed in place; else a link, since another file will take its place.
    fn keep(&self, about: &Kept, whole: bool) -> Result<(), BackupError> {
        private_folder(&self.kept)?;
        let unborn = self.place(&format!("{}.new", about.name));
        remove_folder(&unborn)?;
        private_folder(&unborn)?;
        let copy = unborn.join(DATABASE);
        if whole {
            copy_sparse(&self.file, &copy).map_err(failed(&copy))?;
        } else {
            std::fs::hard_link(&self.file, &copy).map_err(failed(&copy))?;
        }
        (self.step)("the database is copied");
        let bodies = unborn.join(BODIES);
        private_folder(&bodies)?;
        link_bodies(&self.spool, &bodies)?;
        (self.step)("the large bodies are linked");
        let path = unborn.join(ABOUT);
        let text = serde_json::to_vec(about).map_err(io::Error::other);
        text.and_then(|text| {
            let mut file = private_file(&path)?;
            file.write_all(&text)?;
            file.sync_all()
        })
        .map_err(failed(&path))?;
        sync_folder(&path).map_err(failed(&unborn))?;
        (self.step)("the kept one is whole");
        let born = self.place(&about.name);
        remove_folder(&born)?;
        std::fs::rename(&unborn, &born).map_err(failed(&born))?;
        (self.step)("the kept one has its name");
        sync_folder(&born).map_err(failed(&self.kept))
    }

    /// A snapshot before a migration. The database is closed.
    pub(crate) fn snapshot(&self, found: u32, now: Millis) -> Result<Kept, BackupError> {
        let disk = std::fs::metadata(&self.file).map_err(failed(&self.file))?;
        // The migration itself needs some as well.
        let taken = disk.blocks() * 512;
        self.need_room(taken + taken / 4 + SPARE)?;
        let about = Kept {
            name: format!("schema-{found}-at-{now}"),
            why: Why::Upgrade,
            at: now,
            schema: Some(found),
        };
        self.keep(&about, true)?;
        Ok(about)
    }

    /// Lets a new database take the place of the one in use, which is kept. Nobody has either open.
    pub(crate) fn replace(&self, new: &Path, now: Millis) -> Result<Option<Kept>, BackupError> {
        let kept = if self.file.exists() {
            let about = Kept {
                name: format!("replaced-at-{now}"),
                why: Why::Restore,
                at: now,
                schema: None,
            };
            self.keep(&about, false)?;
            Some(about)
        } else {
            None
        };
        (self.step)("the new one is to take its place");
        std::fs::rename(new, &self.file).map_err(failed(&self.file))?;
        (self.step)("the new one took its place");
        sync_folder(&self.file).map_err(failed(&self.file))?;
        Ok(kept)
    }

    /// Takes a kept database back: where it lies, with its large bodies in place. It is no longer kept once it has
    /// taken the place of the one in use.
    pub(crate) fn take(&self, name: &str) -> Result<PathBuf, BackupError> {
        let all = self.kept()?;
        if !all.iter().any(|kept| kept.name == name) {
            let names: Vec<&str> = all.iter().map(|kept| kept.name.as_str()).collect();
            return Err(BackupError::NotKept {
                name: name.to_owned(),
                there: if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                },
            });
        }
        let place = self.place(name);
        private_folder(&self.spool)?;
        link_bodies(&place.join(BODIES), &self.spool)?;
        (self.step)("the large bodies are back");
        Ok(place.join(DATABASE))
    }

    /// Removes a kept database.
    pub(crate) fn forget(&self, name: &str) -> Result<(), BackupError> {
        remove_folder(&self.place(name))
    }

    /// Removes what a stop half way left behind, and all but the newest of each kind.
    pub(crate) fn tidy(&self) -> Result<(), BackupError> {
        let current = std::fs::metadata(&self.file)
            .ok()
            .map(|m| (m.dev(), m.ino()));
        let mut counted = [0; 2];
        for kept in self.kept()? {
            let file = std::fs::metadata(self.place(&kept.name).join(DATABASE)).ok();
            let file = file.map(|m| (m.dev(), m.ino()));
            // The very file that is in use: its replacement never came. Without one: it was taken back.
            let empty = file.is_none() || file == current;
            let seen = &mut counted[usize::from(kept.why == Why::Restore)];
            *seen += usize::from(!empty);
            if empty || *seen > KEPT {
                self.forget(&kept.name)?;
            }
        }
        let entries = std::fs::read_dir(&self.kept).into_iter().flatten();
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().ends_with(".new") {
                remove_folder(&entry.path())?;
            }
        }
        let unborn = beside(&self.file, RESTORING);
        match std::fs::remove_file(&unborn) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&unborn)(error)),
            _ => Ok(()),
        }
    }
}
