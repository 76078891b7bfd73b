//! Makes keys and signs with them. The private key is a file that nobody but its owner can read; it leaves that file for
//! no other place.

use crate::cli::{Keygen, Sign};
use crate::files;
use crate::out::{Failure, Out};
use anyhow::Context;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use waybill_host::load::LoadError;
use waybill_host::trust::{self, SigningKey};
use zeroize::Zeroizing;

/// Longest file that is read as a key.
const MAX_KEY_BYTES: u64 = 4096;

/// Makes a key; both files are new.
pub(crate) fn keygen(out: Out, args: &Keygen) -> Result<(), Failure> {
    let key = SigningKey::generate(&args.name).map_err(|error| Failure::Usage {
        message: error.to_string(),
        hint: None,
    })?;
    let mut beside = OsString::from(&args.file);
    beside.push(".pub");
    let beside = PathBuf::from(beside);
    let public = key.public();
    create(&beside, 0o644, format!("{public}\n").as_bytes())?;
    let private = Zeroizing::new(format!("{}\n", key.line().as_str()));
    if let Err(failure) = create(&args.file, 0o600, private.as_bytes()) {
        // Half a pair would only puzzle whoever finds it.
        drop(std::fs::remove_file(&beside));
        return Err(failure);
    }
    out.line(format!(
        "Key `{}` of {} is made.",
        public.id(),
        public.name()
    ));
    out.line(format!(
        "  private: {} (keep it to yourself)",
        args.file.display()
    ));
    out.line(format!("  public:  {}", beside.display()));
    out.line("To trust it, add this line to `trusted-keys` under `[connectors]` in agent.toml:");
    out.line(format!("  \"{public}\""));
    out.value(&json!({
        "id": public.id().to_string(), "name": public.name(), "public": public.to_string(),
        "private_file": args.file, "public_file": beside,
    }));
    Ok(())
}

fn create(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let cannot = || format!("cannot write `{}`", path.display());
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut file = match opened {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::hinted(
                format!("`{}` exists already", path.display()),
                "Choose another name: what was signed with a lost key has to be signed again.",
            ));
        }
        opened => opened.with_context(cannot)?,
    };
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(cannot)?;
    Ok(())
}

/// Signs each file in its place; all are looked at before the first is written.
pub(crate) fn sign(out: Out, args: &Sign) -> Result<(), Failure> {
    let key = private_key(&args.key)?;
    let public = key.public();
    let mut signed = Vec::new();
    for path in &args.files {
        let bytes = read(path)?;
        let done = trust::sign(&bytes, &key).map_err(|error| refused(path, &error))?;
        signed.push((path, done));
    }
    let mut values: Vec<Value> = Vec::new();
    for (path, done) in signed {
        files::rewrite(path, &done.bytes)?;
        let before = match done.replaced {
            Some(id) if id != public.id() => format!(", in place of key `{id}`"),
            _ => String::new(),
        };
        out.line(format!(
            "`{}` is signed by {} (key `{}`){before}.",
            path.display(),
            public.name(),
            public.id()
        ));
        values.push(json!({"file": path, "replaced": done.replaced.map(|id| id.to_string())}));
    }
    out.value(
        &json!({"key": {"id": public.id().to_string(), "name": public.name()}, "signed": values}),
    );
    Ok(())
}

pub(super) fn refused(path: &Path, error: &LoadError) -> Failure {
    Failure::Other {
        message: format!("`{}`: {error}", path.display()),
        hint: error.hint(),
    }
}

/// A connector's bytes, if it has the size of one.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    waybill_host::load::read(path).map_err(|error| match error {
        error @ LoadError::File { .. } => Failure::other(error.to_string()),
        error => refused(path, &error),
    })
}

fn private_key(path: &Path) -> Result<SigningKey, Failure> {
    let shown = path.display();
    let cannot = || format!("the key `{shown}` cannot be read");
    let mut file = File::open(path).with_context(cannot)?;
    let metadata = file.metadata().with_context(cannot)?;
    if metadata.mode() & 0o077 != 0 {
        return Err(Failure::hinted(
            format!("`{shown}` can be read by other users, so it is nobody's key any more"),
            format!(
                "If nobody can have seen it: `chmod 600 {shown}`. Else make a new key with `waybill connectors keygen`, and trust the old one no longer."
            ),
        ));
    }
    let mut text = Zeroizing::new(String::new());
    Read::by_ref(&mut file)
        .take(MAX_KEY_BYTES)
        .read_to_string(&mut text)
        .with_context(cannot)?;
    text.parse::<SigningKey>().map_err(|error| {
        Failure::hinted(
            format!("`{shown}`: {error}"),
            "Name the file that `waybill connectors keygen` wrote, the one without `.pub`.",
        )
    })
}
