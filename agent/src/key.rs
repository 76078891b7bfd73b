//! The key that seals secrets in the database: from systemd's credentials, else the file that the configuration names,
//! else a file in the data folder, made at the first start. Files have mode 0600. Never made anew beside an existing
//! database: its secrets would be lost without a word.

use anyhow::{Context, bail};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use waybill_store::SealKey;
use zeroize::Zeroizing;

/// Name of the systemd credential.
pub(crate) const CREDENTIAL: &str = "waybill.key";
/// Name of the file in the data folder.
pub(crate) const FILE: &str = "seal.key";

/// Where the key was found, or should have been.
pub(crate) enum Place {
    /// The key itself.
    Key(SealKey),
    /// No file is there.
    Missing(PathBuf),
}

/// Looks for the key of this agent and makes none. `named`: the file of the configuration.
pub(crate) fn find(
    data_dir: &Path,
    credentials_dir: Option<&Path>,
    named: Option<&Path>,
) -> anyhow::Result<Place> {
    if let Some(path) = credentials_dir.map(|dir| dir.join(CREDENTIAL)) {
        match std::fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => {
                return decode(&bytes)
                    .map(Place::Key)
                    .with_context(|| format!("the credential `{CREDENTIAL}` is no key"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
            }
        }
    }
    let path = named.map_or_else(|| data_dir.join(FILE), Path::to_owned);
    match File::open(&path) {
        Ok(file) => read(&file, &path).map(Place::Key),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Place::Missing(path)),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// The key of this agent, made where there is no database yet.
pub(crate) fn load_or_create(
    data_dir: &Path,
    credentials_dir: Option<&Path>,
    named: Option<&Path>,
    store_exists: bool,
) -> anyhow::Result<SealKey> {
    match find(data_dir, credentials_dir, named)? {
        Place::Key(key) => Ok(key),
        Place::Missing(path) if store_exists => bail!(
            "`{}` is missing, and the database's secrets are sealed with it; restore it from the backup",
            path.display()
        ),
        Place::Missing(path) => create(&path),
    }
}

fn read(file: &File, path: &Path) -> anyhow::Result<SealKey> {
    let shown = path.display();
    let mode = file
        .metadata()
        .with_context(|| format!("cannot read `{shown}`"))?
        .mode();
    if mode & 0o077 != 0 {
        bail!(
            "`{shown}` can be read by other users; run `chmod 600 {shown}`, and renew the secrets if others may have seen it"
        );
    }
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{shown}`"))?;
    decode(&Zeroizing::new(bytes)).with_context(|| format!("`{shown}` is no key"))
}

fn create(path: &Path) -> anyhow::Result<SealKey> {
    let cannot = || format!("cannot make `{}`", path.display());
    let key = SealKey::generate().with_context(cannot)?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in key.expose_bytes() {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text.push('\n');
    // Written beside and renamed: a crash in between leaves no half key that a later start would trip over.
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(cannot);
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    file.sync_all().with_context(cannot)?;
    std::fs::rename(&new, path).with_context(cannot)?;
    if let Some(folder) = path.parent() {
        File::open(folder)
            .and_then(|f| f.sync_all())
            .with_context(cannot)?;
    }
    Ok(key)
}

/// 32 raw bytes, or 64 hexadecimal digits with or without a line end.
fn decode(bytes: &[u8]) -> anyhow::Result<SealKey> {
    if let Ok(raw) = <[u8; 32]>::try_from(bytes) {
        return Ok(SealKey::from_bytes(raw));
    }
    let text = bytes.trim_ascii();
    let mut raw = Zeroizing::new([0_u8; 32]);
    if text.len() != 64 {
        bail!("it must be 32 bytes or 64 hexadecimal digits");
    }
    for (byte, digits) in raw.iter_mut().zip(text.chunks(2)) {
        let digits = std::str::from_utf8(digits).context("it must be hexadecimal")?;
        *byte = u8::from_str_radix(digits, 16).context("it must be hexadecimal")?;
    }
    Ok(SealKey::from_bytes(*raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_start_makes_a_private_key_that_later_starts_read() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path(), None, None, false).unwrap();
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = load_or_create(dir.path(), None, None, true).unwrap();
        assert_eq!(first.expose_bytes(), read.expose_bytes());
    }

    #[test]
    fn a_key_is_never_made_beside_an_existing_database() {
        let dir = tempfile::tempdir().unwrap();
        let error = load_or_create(dir.path(), None, None, true)
            .unwrap_err()
            .to_string();
        assert!(error.contains("restore it from the backup"), "{error}");
        assert!(!dir.path().join(FILE).exists());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        load_or_create(dir.path(), None, None, false).unwrap();
        let path = dir.path().join(FILE);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = load_or_create(dir.path(), None, None, true)
            .unwrap_err()
            .to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn the_credential_goes_first() {
        let (data, credentials) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(credentials.path().join(CREDENTIAL), [7; 32]).unwrap();
        let key = load_or_create(data.path(), Some(credentials.path()), None, true).unwrap();
        assert_eq!(key.expose_bytes(), &[7; 32]);
        std::fs::write(credentials.path().join(CREDENTIAL), "short").unwrap();
        assert!(load_or_create(data.path(), Some(credentials.path()), None, true).is_err());
    }

    #[test]
    fn a_named_file_stands_in_for_the_one_in_the_data_folder() {
        let (data, etc) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let named = etc.path().join("seal.key");
        let first = load_or_create(data.path(), None, Some(&named), false).unwrap();
        assert!(named.exists() && !data.path().join(FILE).exists());
        let read = load_or_create(data.path(), None, Some(&named), true).unwrap();
        assert_eq!(first.expose_bytes(), read.expose_bytes());
    }
}
