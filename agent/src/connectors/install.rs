//! Puts a connector's file into the connectors folder, and takes one away: root's commands. They never tell the agent to
//! load or drop anything; it looks at its folder and decides by itself.

use super::keys::{read, refused};
use super::verify::signer;
use crate::cli::{Install, Remove};
use crate::commands::{client_failure, list, text};
use crate::config::Config;
use crate::files;
use crate::out::{Failure, Out};
use crate::trust;
use crate::wire::{self, Found, Offline};
use anyhow::Context;
use serde_json::json;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use waybill_host::generation::Generation;
use waybill_host::limits::Limits;
use waybill_host::load::Loader;
use waybill_http::{ClientError, LocalClient};
use waybill_model::contract::Descriptor;
use waybill_model::ids;

/// Installs a file under the name that its connector has there already, else under its id.
pub(crate) async fn install(out: Out, config: &Config, args: &Install) -> Result<(), Failure> {
    let bytes = read(&args.file)?;
    let loader = Loader::new(
        wire::machine(None)?,
        Limits::default(),
        config.trust.load()?,
    );
    let new = loader.load(bytes.clone(), ids::Generation(1)).await;
    let new = new.map_err(|error| refused(&args.file, &error))?;
    let notes = trust::notes(config)?;
    let found = wire::load_connectors(config).await?;
    let old = holder(&found, &new.descriptor().id);
    let place = place(config, &found, old, &new.descriptor().id)?;
    show(out, &new, old);
    for note in &notes {
        out.line(format!("note: {note}"));
    }
    let same = old.is_some_and(|(_, old)| old.hash() == new.hash());
    if !same && !args.dry_run {
        put(&place, &bytes)?;
    }
    out.line(match (same, args.dry_run) {
        (true, _) => format!(
            "`{}` is exactly this file. Nothing was changed.",
            place.display()
        ),
        (false, true) => format!(
            "It would be installed as `{}`. Nothing was changed.",
            place.display()
        ),
        (false, false) => format!("Installed as `{}`. {}", place.display(), next(config).await),
    });
    out.value(&json!({
        "id": new.descriptor().id, "version": new.descriptor().version, "sha256": new.hash(),
        "signer": new.signer().map(|signer| json!({"name": signer.name, "id": signer.id.to_string()})),
        "replaces": old.map(|(_, old)| json!({"version": old.descriptor().version, "sha256": old.hash()})),
        "file": place, "installed": !same && !args.dry_run, "notes": notes,
    }));
    Ok(())
}

/// The file that holds a connector, and what is in it.
fn holder<'f>(found: &'f [Found], id: &str) -> Option<(&'f Path, &'f Generation)> {
    found.iter().find_map(|found| {
        let generation = found.loaded.as_ref().ok()?;
        (generation.descriptor().id == id).then_some((found.path.as_path(), generation.as_ref()))
    })
}

fn place(
    config: &Config,
    found: &[Found],
    old: Option<(&Path, &Generation)>,
    id: &str,
) -> Result<PathBuf, Failure> {
    if let Some((path, _)) = old {
        return Ok(path.to_owned());
    }
    let path = config.connectors_dir.join(format!("{id}.wasm"));
    let taken = found.iter().find(|found| found.path == path);
    match taken.map(|found| &found.loaded) {
        Some(Ok(other)) => Err(Failure::hinted(
            format!(
                "`{}` holds another connector, `{}`",
                path.display(),
                other.descriptor().id
            ),
            "Rename that file first: a connector may have any name that ends in `.wasm`.",
        )),
        _ => Ok(path),
    }
}

fn put(place: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = place.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    files::replace(place, bytes, 0o644).map_err(|error| {
        Failure::hinted(
            format!("{error:#}"),
            "Installing is root's: run the command as root (sudo).",
        )
    })
}

fn show(out: Out, new: &Generation, old: Option<(&Path, &Generation)>) {
    let descriptor = new.descriptor();
    out.line(format!(
        "{} (`{}`) {}",
        descriptor.title, descriptor.id, descriptor.version
    ));
    if let Some((path, old)) = old {
        let is = old.descriptor();
        out.line(format!("  replaces   {} in {}", is.version, path.display()));
    }
    out.line(format!("  signed by  {}", signer(new.signer())));
    out.line(format!("  SHA-256    {}", new.hash()));
    out.line("  what it may use:");
    for line in new.passport().abilities() {
        out.line(format!("    - {line}"));
    }
    out.line("  where it may call:");
    for address in addresses(descriptor) {
        let is_new = old.is_some_and(|(_, old)| !addresses(old.descriptor()).contains(&address));
        let mark = if is_new { " (new)" } else { "" };
        out.line(format!("    - {address}{mark}"));
    }
    for credential in &descriptor.credentials {
        out.line(format!(
            "  secrets \"{}\" go to: {}",
            credential.label,
            credential.hosts.join(", ")
        ));
    }
}

/// Where it may call; names in braces are filled in from the connection's settings.
fn addresses(descriptor: &Descriptor) -> Vec<String> {
    let mut addresses: Vec<String> = descriptor.reach.iter().map(|r| r.url.clone()).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

async fn next(config: &Config) -> &'static str {
    match LocalClient::connect(&config.socket).await {
        Ok(_) => {
            "The running agent looks at it by itself; `waybill connectors list` says how it stands."
        }
        Err(_) => "No agent runs here: the next start looks at it.",
    }
}

/// Takes a connector's file away, unless a connection needs it.
pub(crate) async fn remove(out: Out, config: &Config, args: &Remove) -> Result<(), Failure> {
    let found = wire::load_connectors(config).await?;
    let named = found.iter().find(|found| {
        found
            .path
            .file_name()
            .is_some_and(|name| name == args.connector.as_str())
    });
    let (path, id) = match (holder(&found, &args.connector), named) {
        (Some((path, loaded)), _) => (path, Some(loaded.descriptor().id.clone())),
        (None, Some(found)) => {
            let loaded = found.loaded.as_ref().ok();
            (
                found.path.as_path(),
                loaded.map(|g| g.descriptor().id.clone()),
            )
        }
        (None, None) => {
            return Err(Failure::hinted(
                format!(
                    "no connector `{}` is in `{}`",
                    args.connector,
                    config.connectors_dir.display()
                ),
                "`waybill connectors list` says what is there.",
            ));
        }
    };
    let users = match &id {
        Some(id) => users(config, id).await?,
        None => Vec::new(), // nothing that could be loaded, so nobody works with this file
    };
    if !users.is_empty() && !args.force {
        return Err(Failure::hinted(
            format!("{} `{}`", used_by(&users), args.connector),
            "Its documents wait while there is no connector. `--force` removes the file all the same.",
        ));
    }
    std::fs::remove_file(path)
        .and_then(|()| files::sync_folder(path))
        .with_context(|| format!("cannot remove `{}`", path.display()))?;
    out.line(format!("Removed `{}`.", path.display()));
    if !users.is_empty() {
        out.line(format!(
            "{} it: an agent that runs goes on with what it has loaded, and without it documents wait until a build is installed again.",
            capital(&used_by(&users))
        ));
    }
    out.value(&json!({"removed": path, "id": id, "used_by": users}));
    Ok(())
}

fn used_by(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [one] => format!("the connection {one} uses"),
        several => format!("the connections {} use", several.join(", ")),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Connections that use a connector: from the running agent, else from its database.
async fn users(config: &Config, id: &str) -> Result<Vec<String>, Failure> {
    match LocalClient::connect(&config.socket).await {
        Ok(client) => {
            let frame = client.get_json("/api/v1/frame").await;
            let frame = frame.map_err(|error| client_failure(&error))?;
            // One whose connector is not loaded may well wait for this one.
            let ours = list(&frame["connections"]).iter().filter(|connection| {
                connection["connector"].is_null() || connection["connector"][0] == id
            });
            Ok(ours.map(|connection| text(&connection["name"])).collect())
        }
        Err(ClientError::NotRunning { .. }) if !config.store_file().exists() => Ok(Vec::new()),
        Err(ClientError::NotRunning { .. }) => {
            let offline = Offline::open(config).await?;
            let connections = offline.connections()?;
            offline.close()?;
            let ours = connections
                .into_iter()
                .filter(|(_, connector)| connector == id);
            Ok(ours.map(|(name, _)| name).collect())
        }
        Err(error) => Err(client_failure(&error)),
    }
}
