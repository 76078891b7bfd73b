//! The checks in their order: what needs no call first, what needs the whole vendor last. A check that depends on a broken
//! one is skipped with that reason, so that each fault is told once.

use crate::check::{Check, Outcome as Found, Report};
use crate::kit::Kit;
use crate::stand::{Seen, Stand};
use crate::{descriptor, documents, feeds, hostile, once, pushes};
use std::path::Path;
use std::sync::Arc;
use waybill_host::engine::HostEngine;
use waybill_host::generation::Generation;
use waybill_host::limits::Limits;
use waybill_host::load::{LoadError, Loader};
use waybill_host::trust::{SigningKey, Trust, sign};
use waybill_model::ids;

/// Signed with a key of the moment, whoever signed it before: the agent runs nothing else.
async fn signed_and_loaded(
    engine: HostEngine,
    bytes: &[u8],
    key: &SigningKey,
) -> Result<Arc<Generation>, LoadError> {
    let signed = sign(bytes, key)?;
    let trust = Trust::new(vec![key.public()], false);
    let loader = Loader::new(engine, Limits::default(), trust);
    loader.load(signed.bytes, ids::Generation(1)).await
}

/// Loads a component, or puts down which promise kept it from being loaded.
async fn load(
    report: &mut Report,
    engine: HostEngine,
    bytes: &[u8],
    key: &SigningKey,
) -> Option<Arc<Generation>> {
    let error = match signed_and_loaded(engine, bytes, key).await {
        Ok(generation) => {
            let permissions: Vec<&str> = generation
                .passport()
                .permissions
                .iter()
                .map(String::as_str)
                .collect();
            let imports = permissions.join(", ");
            report.put(Check::Loads, Found::Passed(format!("it may use {imports}")));
            report.put(
                Check::ExportsMatch,
                Found::Passed(format!(
                    "{} roles, all described",
                    generation.passport().roles.len()
                )),
            );
            return Some(generation);
        }
        Err(error) => error,
    };
    let check = match &error {
        LoadError::Describe(_) => Check::DescribeIsPure,
        LoadError::Disagrees { .. } => Check::ExportsMatch,
        _ => Check::Loads,
    };
    if check != Check::Loads {
        report.put(Check::Loads, Found::Passed("it compiles".to_owned()));
    }
    let hint = error
        .hint()
        .map(|hint| format!(" ({hint})"))
        .unwrap_or_default();
    report.put(check, Found::Failed(format!("{error}{hint}")));
    None
}

/// Runs every check on a component. `settings` is the author's file; without one, connectors of this house meet their
/// sandboxes and others a vendor that says little.
///
/// # Errors
/// When the test itself cannot go on: a settings file that cannot be read, no free port. Broken promises are no errors.
pub async fn run(
    engine: HostEngine,
    bytes: &[u8],
    settings: Option<&Path>,
) -> anyhow::Result<(Report, Option<Kit>)> {
    let mut report = Report::default();
    let key = SigningKey::generate("contract test")?;
    let Some(generation) = load(&mut report, engine, bytes, &key).await else {
        report.skip_rest("it was not loaded");
        return Ok((report, None));
    };
    let kit = Kit::of(&generation.descriptor().id, settings)?;
    report.put(Check::DescribeIsPure, descriptor::pure(&generation).await);
    report.put(
        Check::DescriptorHolds,
        descriptor::holds(generation.descriptor()),
    );
    if !report.failed().is_empty() {
        report.skip_rest("its descriptor is wrong");
        return Ok((report, Some(kit)));
    }
    talk(&mut report, &kit, &generation).await?;
    report.skip_rest("something before it went wrong");
    Ok((report, Some(kit)))
}

/// Everything that calls it.
async fn talk(report: &mut Report, kit: &Kit, generation: &Arc<Generation>) -> anyhow::Result<()> {
    let stand = Stand::new(kit, generation).await?;
    let known_good = !kit.is_generic();
    descriptor::validate(report, &stand, known_good).await;
    descriptor::probe(report, &stand, known_good).await;
    feeds::look(report, kit, generation).await?;
    pushes::look(report, kit, generation).await?;
    let calls = [
        Check::EffectsAreNamed,
        Check::StaysInReach,
        Check::OneVerdictEach,
    ];
    if report.failed().iter().any(|check| calls.contains(check)) {
        let why = "a batch that is not cut breaks a promise already";
        report.put(Check::StepsAreStable, Found::Skipped(why.to_owned()));
        report.put(Check::PushHappensOnce, Found::Skipped(why.to_owned()));
    } else {
        once::look(report, kit, generation).await?;
    }
    let (stand, seen) = hostile::look(report, kit, generation).await?;
    report.put(Check::SecretsStay, secrets(kit, generation, &stand, &seen));
    documents::look(report, kit, generation).await
}

/// Whether a secret came out of the connector, even from a vendor that repeats what it was sent.
fn secrets(kit: &Kit, generation: &Arc<Generation>, stand: &Stand, seen: &Seen) -> Found {
    if let Some(why) = descriptor::asks_for_secrets(generation.descriptor()) {
        return Found::Failed(why);
    }
    let secrets: Vec<String> = kit
        .secrets(generation.descriptor())
        .into_values()
        .flat_map(std::collections::BTreeMap::into_values)
        .filter(|secret| secret.len() >= 12)
        .collect();
    // The host itself sends secrets to where tokens are fetched, and nowhere else.
    let fetches: Vec<String> = descriptor::token_paths(generation.descriptor());
    let sent = stand.tap.take_left();
    let texts = sent
        .iter()
        .filter(|left| !fetches.iter().any(|path| left.url.ends_with(path.as_str())))
        .map(|left| format!("{} {}", left.url, String::from_utf8_lossy(&left.body)));
    let said = seen.said.iter().cloned();
    for text in texts.chain(said) {
        if let Some(secret) = secrets.iter().find(|secret| text.contains(secret.as_str())) {
            let place: String = text
                .replace(secret.as_str(), "***")
                .chars()
                .take(160)
                .collect();
            return Found::Failed(format!("it said a secret: {place}"));
        }
    }
    Found::Passed(format!(
        "{} secrets, none in what it sent or said",
        secrets.len()
    ))
}
