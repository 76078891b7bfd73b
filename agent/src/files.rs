//! Files that are whole or not there: written beside and renamed. Under its new name no file ends in `.wasm`, so that an
//! agent that watches a folder never takes a half-written one.

use anyhow::Context;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Puts bytes in a file's place; a crash leaves the old file or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let cannot = || format!("cannot write `{}`", path.display());
    let mut new = OsString::from(path);
    new.push(format!(".{}.new", std::process::id()));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(cannot);
        }
        _ => {}
    }
    let written = write(Path::new(&new), bytes, mode).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        drop(std::fs::remove_file(&new));
    }
    written.with_context(cannot)?;
    sync_folder(path).with_context(cannot)
}

/// Puts other bytes into an existing file; who may read it stays as it was, and a link leads to the same place.
pub(crate) fn rewrite(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("cannot write `{}`", path.display());
    let place = std::fs::canonicalize(path).with_context(cannot)?;
    let mode = std::fs::metadata(&place).with_context(cannot)?.mode();
    replace(&place, bytes, mode & 0o7777)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode & 0o700)
        .open(path)?;
    file.write_all(bytes)?;
    // As asked, whatever the umask says; only now, so that nobody reads half of it.
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Makes names of a file's folder last.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_the_mode_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("one");
        replace(&file, b"1", 0o644).unwrap();
        replace(&file, b"2", 0o600).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"2");
        let mode = || std::fs::metadata(&file).unwrap().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        rewrite(&link, b"3").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"3");
        assert_eq!(mode(), 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        assert!(replace(&dir.path().join("gone/x"), b"", 0o600).is_err());
    }
}
