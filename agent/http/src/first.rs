//! The file of the first password: written whole or not at all, readable by its owner only, gone when it is spent.
//! Knows nothing of users.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Letters and digits that are not mistaken for each other.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A code of five groups of four: 100 random bits, easy to type.
pub(crate) fn code(random: &[u8; 20]) -> String {
    let mut code = String::with_capacity(24);
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    code
}

/// The code as typed, without what people add: space, dashes, small letters.
pub(crate) fn plain(typed: &str) -> String {
    typed
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Writes the code to a file of mode 0600: made anew beside its place, synced, then renamed onto it, so that neither a
/// link nor a file somebody else put there is ever followed or kept.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write(path: &Path, code: &str) -> io::Result<()> {
    let new = beside(path);
    remove(&new)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(format!("{code}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Removes the file; one that is not there is fine.
///
/// # Errors
/// When it is there and cannot be removed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_code_has_five_groups_and_is_forgiving_to_type() {
        let code = code(&[7; 20]);
        assert_eq!(code.len(), 24);
        assert_eq!(code.split('-').count(), 5);
        assert_eq!(
            plain(&format!(" {} ", code.to_lowercase().replace('-', " "))),
            plain(&code)
        );
    }

    #[test]
    fn the_file_is_for_its_owner_only_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("victim");
        fs::write(&target, "untouched").unwrap();
        let path = folder.path().join("first-password");
        symlink(&target, &path).unwrap();
        write(&path, "CODE").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
        let meta = fs::symlink_metadata(&path).unwrap();
        assert!(meta.is_file());
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "CODE\n");
        assert!(!beside(&path).exists());
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
