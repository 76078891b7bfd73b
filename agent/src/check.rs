//! `waybill check` and `waybill connectors list`: read configuration, connectors and a provisioning file. They bind
//! nothing, open no database and write nothing.

use crate::config::{Config, environment};
use crate::out::{Failure, Out};
use crate::provision;
use crate::trust;
use crate::wire::{self, Found};
use serde_json::{Value, json};
use std::path::Path;
use waybill_engine::apply;

const NONE: &str = "No mistakes found. Nothing was changed.";

/// Checks the configuration, which was read before, and a provisioning file. A connector that cannot be loaded is told,
/// but does not fail the check: the agent starts without it.
pub(crate) async fn run(out: Out, config: &Config, file: Option<&Path>) -> Result<(), Failure> {
    let notes = trust::notes(config)?;
    let found = wire::load_connectors(config).await?;
    if let Some(file) = file {
        let file = provision::read(file, &environment)?;
        let plan = apply::parse(&file.text, &file.inputs)
            .map_err(|mistakes| Failure::mistakes(&file.name, mistakes))?;
        let mistakes = plan.check(&wire::descriptors(&found));
        if !mistakes.is_empty() {
            return Err(Failure::mistakes(&file.name, mistakes));
        }
    }
    show(out, config, &found);
    tell(out, &notes);
    out.value(&json!({"mistakes": [], "notes": notes, "connectors": values(&found)}));
    Ok(())
}

/// The configuration, which was read before, and the keys it trusts; that is all: loading connectors would compile them,
/// and the agent tells itself which it starts without.
pub(crate) fn quick(out: Out, config: &Config) -> Result<(), Failure> {
    config.trust.load()?;
    let notes = trust::notes(config)?;
    tell(out, &notes);
    out.value(&json!({"mistakes": [], "notes": notes}));
    Ok(())
}

fn tell(out: Out, notes: &[String]) {
    for note in notes {
        out.line(format!("note: {note}"));
    }
    out.line(NONE);
}

/// Lists what is in the connectors folder; fails when one of them cannot be loaded.
pub(crate) async fn connectors(out: Out, config: &Config) -> Result<(), Failure> {
    let found = wire::load_connectors(config).await?;
    show(out, config, &found);
    out.value(&json!({"connectors": values(&found)}));
    match found.iter().filter(|found| found.loaded.is_err()).count() {
        0 => Ok(()),
        bad if out.json => Err(Failure::other(format!("{bad} not loaded"))),
        bad => Err(Failure::hinted(
            format!("{bad} of {} connectors cannot be loaded", found.len()),
            "The list above says why.",
        )),
    }
}

fn show(out: Out, config: &Config, found: &[Found]) {
    if found.is_empty() {
        out.line(format!(
            "No connector is in `{}`.",
            config.connectors_dir.display()
        ));
        return;
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|found| {
            let file = found
                .path
                .file_name()
                .unwrap_or_default()
                .display()
                .to_string();
            match &found.loaded {
                Ok(generation) => {
                    let descriptor = generation.descriptor();
                    let passport = generation.passport();
                    let roles: Vec<&str> = passport.roles.iter().map(|role| role.word()).collect();
                    let permissions: Vec<&str> =
                        passport.permissions.iter().map(String::as_str).collect();
                    vec![
                        file,
                        descriptor.id.clone(),
                        descriptor.version.clone(),
                        descriptor.title.clone(),
                        roles.join(","),
                        permissions.join(","),
                    ]
                }
                Err((error, _)) => vec![file, "not loaded:".to_owned(), error.clone()],
            }
        })
        .collect();
    out.table(
        &["FILE", "ID", "VERSION", "TITLE", "ROLES", "MAY USE"],
        &rows,
    );
}

/// The same for scripts.
pub(crate) fn values(found: &[Found]) -> Vec<Value> {
    let value = |found: &Found| match &found.loaded {
        Ok(generation) => json!({
            "file": found.path,
            "id": generation.descriptor().id,
            "version": generation.descriptor().version,
            "title": generation.descriptor().title,
            "sha256": generation.hash(),
            "signer": generation.signer().map(|signer| json!({"name": signer.name, "id": signer.id.to_string()})),
            "roles": generation.passport().roles,
            "permissions": generation.passport().permissions,
        }),
        Err((error, hint)) => json!({"file": found.path, "error": error, "hint": hint}),
    };
    found.iter().map(value).collect()
}
