//! Whose connectors this agent runs: what the configuration says, the keys that the package brought, and whether anybody
//! but root could have changed either. Reads files; decides nothing about a connector's bytes.

use crate::config::{self, Config};
use crate::out::Failure;
use anyhow::Context;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use waybill_engine::apply::reader::{Reader, Section};
use waybill_engine::apply::{At, Mistake};
use waybill_host::trust::{PublicKey, Trust};

/// Where the package's keys lie.
const PACKAGED: &str = "/usr/lib/waybill/trusted-keys.d";
/// How a file with a public key ends.
const ENDING: &str = "pub";

/// `[connectors]` of the configuration: said there and nowhere else, since that file is root's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrustConfig {
    /// Keys written in the file itself.
    pub(crate) keys: Vec<PublicKey>,
    /// Holds more of them: those of the package.
    pub(crate) keys_dir: PathBuf,
    /// Take unsigned connectors: for development.
    pub(crate) allow_unsigned: bool,
    /// The configuration's own file; `None`: there is none.
    pub(crate) file: Option<PathBuf>,
}

impl TrustConfig {
    /// Reads the section; paths start at `base`.
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>, base: &Path) -> Self {
        let mut trust = Self {
            keys: Vec::new(),
            keys_dir: PathBuf::from(PACKAGED),
            allow_unsigned: false,
            file: None,
        };
        let Some(section) = reader.section(root, "connectors") else {
            return trust;
        };
        reader.only(
            &section,
            &["trusted-keys", "trusted-keys-dir", "allow-unsigned"],
        );
        for At { value, place } in reader.texts(&section, "trusted-keys") {
            match value.parse::<PublicKey>() {
                Ok(key) if trust.keys.iter().any(|other| other.id() == key.id()) => {
                    let message = format!("key `{}` is listed twice", key.id());
                    reader.note(Mistake::new(place, message));
                }
                Ok(key) => trust.keys.push(key),
                Err(error) => {
                    let mistake = Mistake::new(place, format!("`trusted-keys` is wrong: {error}"));
                    reader.note(mistake.hint(
                        "Copy the line of the `.pub` file that `waybill connectors keygen` wrote.",
                    ));
                }
            }
        }
        if Reader::has(&section, "trusted-keys-dir") {
            trust.keys_dir = config::path(reader, &section, "trusted-keys-dir", base, PACKAGED);
        }
        let unsigned = reader.toggle(&section, "allow-unsigned");
        trust.allow_unsigned = unsigned.is_some_and(|at| at.value);
        trust
    }

    /// The configuration's keys and those of the folder. Fails where others than its owner could have written them.
    pub(crate) fn load(&self) -> Result<Trust, Failure> {
        if let Some(file) = &self.file {
            not_for_all(file, "says whose connectors are run")?;
        }
        let mut keys = self.keys.clone();
        for file in key_files(&self.keys_dir)? {
            not_for_all(&file, "holds a trusted key")?;
            for key in public_keys(&file)? {
                if keys.iter().all(|other| other.id() != key.id()) {
                    keys.push(key);
                }
            }
        }
        Ok(Trust::new(keys, self.allow_unsigned))
    }
}

/// The files of a folder of keys, by name; no folder is no keys.
fn key_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = || format!("the folder of keys `{}` cannot be read", folder.display());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(anyhow::Error::from(error).context(cannot()).into()),
    };
    not_for_all(folder, "holds trusted keys")?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(cannot)?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The keys of a file: one a line; blank lines and those that begin with `#` are left out.
pub(crate) fn public_keys(file: &Path) -> Result<Vec<PublicKey>, Failure> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the key `{}` cannot be read", file.display()))?;
    let lines = (1..).zip(text.lines());
    let mut keys = Vec::new();
    for (number, line) in lines {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let key = line.parse::<PublicKey>().map_err(|error| {
            Failure::hinted(
                format!("`{}` line {number}: {error}", file.display()),
                "Copy the `.pub` file that `waybill connectors keygen` wrote, or remove it.",
            )
        })?;
        keys.push(key);
    }
    Ok(keys)
}

fn not_for_all(path: &Path, what: &str) -> Result<(), Failure> {
    let shown = path.display();
    let mode = std::fs::metadata(path)
        .with_context(|| format!("`{shown}` cannot be read"))?
        .mode();
    if mode & 0o002 == 0 {
        return Ok(());
    }
    Err(Failure::hinted(
        format!("`{shown}` {what}, and everybody on this machine can change it"),
        format!("Look what is in it, then run `chmod o-w {shown}`."),
    ))
}

/// What is allowed but should not stay so on a merchant's machine.
pub(crate) fn notes(config: &Config) -> Result<Vec<String>, Failure> {
    let mut notes: Vec<String> = connectors_folder(config)?.into_iter().collect();
    if config.trust.allow_unsigned {
        notes.push("Unsigned connectors are run: `allow-unsigned` is for development.".to_owned());
    }
    Ok(notes)
}

/// Whether anybody but root could put a connector into the folder: refused where everybody can, told where the agent
/// itself or a group can. Signatures keep foreign code out either way; but who can write there can take a connector away
/// or bring back an old one.
fn connectors_folder(config: &Config) -> Result<Option<String>, Failure> {
    let folder = &config.connectors_dir;
    let Ok(metadata) = std::fs::metadata(folder) else {
        return Ok(None); // none is no connectors; what cannot be read is told by who reads it
    };
    not_for_all(folder, "holds the connectors")?;
    let shown = folder.display();
    let root = rustix::process::geteuid().is_root();
    if !root && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok() {
        return Ok(Some(format!(
            "The agent's own user can write to `{shown}`; only root should."
        )));
    }
    if metadata.mode() & 0o020 != 0 {
        return Ok(Some(format!(
            "The group {} can write to `{shown}`; only root should.",
            metadata.gid()
        )));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use waybill_host::trust::SigningKey;

    fn read(text: &str) -> Result<TrustConfig, Vec<Mistake>> {
        config::parse(text, Path::new("/base")).map(|config| config.trust)
    }

    const KEY: &str = "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a IT";

    #[test]
    fn whose_connectors_are_run_is_said_outright() {
        let none = read("").unwrap();
        assert!(none.keys.is_empty() && !none.allow_unsigned);
        assert_eq!(none.keys_dir, Path::new(PACKAGED));
        let said = read(&format!(
            "[connectors]\ntrusted-keys = [{KEY:?}]\ntrusted-keys-dir = \"keys\"\nallow-unsigned = true\n"
        ))
        .unwrap();
        assert_eq!(said.keys[0].to_string(), KEY);
        assert_eq!(said.keys_dir, Path::new("/base/keys"));
        assert!(said.allow_unsigned);
        for (wrong, part) in [
            (format!("trusted-keys = {KEY:?}"), "a list"),
            (format!("trusted-keys = [{KEY:?}, {KEY:?}]"), "twice"),
            ("trusted-keys = [\"x\"]".to_owned(), "64 hex"),
            ("allow_unsigned = true".to_owned(), "unknown key"),
            ("allow-unsigned = 1".to_owned(), "true or false"),
        ] {
            let mistakes = read(&format!("[connectors]\n{wrong}\n")).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{wrong}");
            assert!(mistakes[0].message.contains(part), "{mistakes:?}");
            assert_eq!(mistakes[0].line, 2);
        }
    }

    #[test]
    fn keys_of_the_folder_are_trusted_beside_those_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let key = SigningKey::generate("package").unwrap().public();
        let file = dir.path().join("package.pub");
        std::fs::write(&file, format!("# ours\n\n{key}\n{KEY}\n")).unwrap();
        std::fs::write(dir.path().join("notes.txt"), "no key").unwrap();
        let mut said = read(&format!("[connectors]\ntrusted-keys = [{KEY:?}]\n")).unwrap();
        said.keys_dir = dir.path().to_owned();
        let trust = said.load().unwrap();
        let names: Vec<&str> = trust.keys().iter().map(PublicKey::name).collect();
        assert_eq!(names, ["IT", "package"]);
        let failure = |said: &TrustConfig| crate::out::text(&said.load().unwrap_err());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(failure(&said).contains("chmod o-w"), "{}", failure(&said));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(&file, "# ours\ned25519:12 x\n").unwrap();
        assert!(failure(&said).contains("line 2"), "{}", failure(&said));
        said.keys_dir = dir.path().join("gone");
        assert_eq!(said.load().unwrap().keys().len(), 1);
    }

    #[test]
    fn a_folder_that_everybody_can_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config::parse("", Path::new("/base")).unwrap();
        config.connectors_dir = dir.path().join("connectors");
        assert!(matches!(connectors_folder(&config), Ok(None)));
        std::fs::create_dir(&config.connectors_dir).unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&config.connectors_dir, mode).unwrap();
        };
        set(0o757);
        assert!(connectors_folder(&config).is_err());
        set(0o775);
        assert!(connectors_folder(&config).unwrap().is_some());
        set(0o555);
        assert!(connectors_folder(&config).unwrap().is_none());
    }
}
