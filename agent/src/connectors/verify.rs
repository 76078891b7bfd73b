//! Looks at a connector's file: who signed it, and what it may do. It compiles what is trusted, to read the names of its
//! imports and exports, and runs nothing.

use super::keys::{read, refused};
use crate::cli::Verify;
use crate::config::Config;
use crate::out::{Failure, Out};
use crate::trust::public_keys;
use crate::wire;
use serde_json::{Value, json};
use waybill_host::limits::Limits;
use waybill_host::load::{Loader, Look};
use waybill_host::trust::{Signer, Trust};

/// Fails where the agent would refuse the file for its signature or for what it is.
pub(crate) async fn verify(out: Out, config: &Config, args: &Verify) -> Result<(), Failure> {
    let trust = match &args.key {
        Some(file) => Trust::new(public_keys(file)?, false),
        None => config.trust.load()?,
    };
    let bytes = read(&args.file)?;
    let loader = Loader::new(wire::machine(None)?, Limits::default(), trust);
    let look = loader.look(bytes).await;
    let look = look.map_err(|error| refused(&args.file, &error))?;
    out.line(format!("{}", args.file.display()));
    show(out, &look);
    out.line("Nothing of it was run. The addresses it may call are shown when it is installed.");
    out.value(&value(&look));
    Ok(())
}

/// The signer in words.
pub(super) fn signer(signer: Option<&Signer>) -> String {
    signer.map_or_else(
        || "nobody; the configuration allows that".to_owned(),
        |signer| format!("{} (key {})", signer.name, signer.id),
    )
}

/// What stands in a file, for people.
pub(super) fn show(out: Out, look: &Look) {
    out.line(format!("  signed by  {}", signer(look.signer.as_ref())));
    out.line(format!("  SHA-256    {}", look.hash));
    let versions = look.passport.versions.iter();
    let versions: Vec<String> = versions.map(|(name, at)| format!("{name} {at}")).collect();
    out.line(format!("  built for  {}", versions.join(", ")));
    for (head, lines) in [
        ("what it does:", look.passport.duties()),
        ("what it may use:", look.passport.abilities()),
    ] {
        out.line(format!("  {head}"));
        for line in lines {
            out.line(format!("    - {line}"));
        }
    }
}

fn value(look: &Look) -> Value {
    let signer = look.signer.as_ref();
    json!({
        "sha256": look.hash,
        "signer": signer.map(|signer| json!({"name": signer.name, "id": signer.id.to_string()})),
        "versions": look.passport.versions,
        "roles": look.passport.roles,
        "permissions": look.passport.permissions,
        "does": look.passport.duties(),
        "may_use": look.passport.abilities(),
    })
}
