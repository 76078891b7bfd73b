//! What a component is, read from the names of its imports and exports before any of its code runs: roles, permissions
//! and the versions it was built against. It runs nothing.

use crate::load::LoadError;
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::contract::Role;

/// The versions this agent serves, as people write them.
pub const SERVED: &str = "0.1";
/// The newest of them: what `wit/` says.
pub const CONTRACT: &str = "0.1.0";

/// Capabilities, those first that reach furthest, and what each lets a connector do.
const CAPABILITIES: &[(&str, &str)] = &[
    (
        "http",
        "calls web addresses: only those it declares and its connection's settings allow",
    ),
    (
        "sftp",
        "exchanges files with the SFTP servers that its connection's settings name",
    ),
    (
        "folder",
        "reads and writes the one folder that its connection's settings name",
    ),
    (
        "effects",
        "changes records in its system; each change is noted before it is sent",
    ),
    (
        "links",
        "sees which of its records belong to which of the other side",
    ),
    ("kv", "keeps notes of its own in the agent's database"),
    (
        "blob",
        "hands large files to the agent and takes them from it",
    ),
    ("clock", "reads the time"),
    ("log", "writes to the agent's log"),
];

fn is_capability(name: &str) -> bool {
    CAPABILITIES.iter().any(|(known, _)| *known == name)
}

/// Exports are roles, imports are permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passport {
    /// What it exports beside `base`.
    pub roles: BTreeSet<Role>,
    /// Capabilities of the host it imports, such as `http`: what it does not import it cannot do.
    pub permissions: BTreeSet<String>,
    /// The version of each contract package it names.
    pub versions: BTreeMap<String, String>,
}

struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    version: &'a str,
}

/// `waybill:host/http@0.1.0` taken apart; `None` for a bare name.
fn take_apart(name: &str) -> Option<Name<'_>> {
    let (package, rest) = name.split_once('/')?;
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    Some(Name {
        package,
        interface,
        version,
    })
}

/// A version's numbers, for comparing; a missing or strange one counts as 0.
pub(crate) fn numbers(version: &str) -> [u64; 3] {
    let mut parts = version
        .split(['.', '-', '+'])
        .map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

/// The line of versions that a version belongs to, as in `0.1`: an agent of the same line serves it. From 1.0 on the
/// first number alone makes the line.
pub(crate) fn line(version: &str) -> String {
    match numbers(version) {
        [0, middle, _] => format!("0.{middle}"),
        [first, ..] => first.to_string(),
    }
}

fn served(version: &str) -> bool {
    version == SERVED
        || version
            .strip_prefix(SERVED)
            .is_some_and(|rest| rest.starts_with('.'))
}

impl Passport {
    /// A package of which it was built against a later version than this agent has.
    pub(crate) fn newer(&self) -> Option<(&str, &str)> {
        let mut versions = self.versions.iter();
        let newer = versions.find(|(_, version)| numbers(version) > numbers(CONTRACT))?;
        Some((newer.0, newer.1))
    }

    /// What it offers the agent, a sentence for each role.
    pub fn duties(&self) -> Vec<&'static str> {
        let duty = |role: &Role| match role {
            Role::Source => "reads documents from its system, such as orders",
            Role::Listing => "lists what its system holds, for comparing both sides",
            Role::Sink => "writes documents into its system, such as sales and shipments",
            Role::Levels => "tells its system the stock of very many items at once",
            Role::Tickets => "asks later what became of what it wrote",
            Role::Webhook => "understands its system's webhooks",
        };
        self.roles.iter().map(duty).collect()
    }

    /// What it may use of the agent, a sentence for each permission. What is not listed it cannot do.
    pub fn abilities(&self) -> Vec<&'static str> {
        let permitted = |(name, _): &&(&str, &str)| self.permissions.contains(*name);
        let sentences = CAPABILITIES.iter().filter(permitted);
        sentences.map(|(_, sentence)| *sentence).collect()
    }

    pub(crate) fn read<'a>(
        imports: impl Iterator<Item = &'a str>,
        exports: impl Iterator<Item = &'a str>,
    ) -> Result<Self, LoadError> {
        let imports: Vec<&str> = imports.collect();
        let exports: Vec<&str> = exports.collect();
        let versions = versions(imports.iter().chain(&exports))?;
        let permissions = permissions(&imports)?;
        let roles = roles(&exports)?;
        Ok(Self {
            roles,
            permissions,
            versions,
        })
    }
}

fn versions<'a>(
    names: impl Iterator<Item = &'a &'a str>,
) -> Result<BTreeMap<String, String>, LoadError> {
    let mut versions = BTreeMap::new();
    for name in names.filter_map(|n| take_apart(n)) {
        if !name.package.starts_with("waybill:") {
            continue;
        }
        if !served(name.version) {
            return Err(LoadError::Version {
                package: name.package.to_owned(),
                found: name.version.to_owned(),
            });
        }
        versions.insert(name.package.to_owned(), name.version.to_owned());
    }
    Ok(versions)
}

fn permissions(imports: &[&str]) -> Result<BTreeSet<String>, LoadError> {
    let wasi: Vec<String> = imports
        .iter()
        .filter(|n| n.starts_with("wasi:") || n.starts_with("wasi_"))
        .map(|n| (*n).to_owned())
        .collect();
    if !wasi.is_empty() {
        return Err(LoadError::Wasi(wasi));
    }
    let mut permissions = BTreeSet::new();
    for import in imports {
        let unknown = || LoadError::UnknownImport((*import).to_owned());
        let name = take_apart(import).ok_or_else(unknown)?;
        match name.package {
            "waybill:host" if is_capability(name.interface) => {
                permissions.insert(name.interface.to_owned());
            }
            // Types only: the linker has no functions under these names.
            "waybill:commerce" | "waybill:connector" => {}
            _ => return Err(unknown()),
        }
    }
    Ok(permissions)
}

fn roles(exports: &[&str]) -> Result<BTreeSet<Role>, LoadError> {
    let mut roles = BTreeSet::new();
    let mut base = false;
    for export in exports {
        let Some(name) = take_apart(export).filter(|n| n.package == "waybill:connector") else {
            continue; // a foreign toolchain's own exports do no harm: nobody calls them
        };
        match name.interface {
            "base" => base = true,
            "types" => {}
            other => {
                let role = Role::from_word(other)
                    .ok_or_else(|| LoadError::UnknownExport((*export).to_owned()))?;
                roles.insert(role);
            }
        }
    }
    if base {
        Ok(roles)
    } else {
        Err(LoadError::NoConnector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(imports: &[&str], exports: &[&str]) -> Result<Passport, LoadError> {
        Passport::read(imports.iter().copied(), exports.iter().copied())
    }

    #[test]
    fn imports_are_permissions_and_exports_are_roles() {
        let passport = read(
            &["waybill:commerce/types@0.1.0", "waybill:host/http@0.1.4"],
            &[
                "waybill:connector/base@0.1.0",
                "waybill:connector/sink@0.1.0",
            ],
        )
        .unwrap();
        assert_eq!(passport.permissions, BTreeSet::from(["http".to_owned()]));
        assert_eq!(passport.roles, BTreeSet::from([Role::Sink]));
        assert_eq!(passport.versions["waybill:host"], "0.1.4");
    }

    #[test]
    fn other_versions_are_refused_with_both_ranges() {
        for found in ["0.2.0", "1.0.0", "0.10.0", ""] {
            let name = format!("waybill:connector/base@{found}");
            let error = read(&[], &[&name]).unwrap_err();
            assert!(
                matches!(error, LoadError::Version { .. }),
                "{found}: {error}"
            );
        }
        let told = |found: &str| {
            let name = format!("waybill:connector/base@{found}");
            let error = read(&[], &[&name]).unwrap_err();
            (error.to_string(), error.hint().unwrap_or_default())
        };
        let (text, hint) = told("0.10.2");
        assert_eq!(
            text,
            "the component is built for `waybill:connector` 0.10.2, so it needs an agent that serves 0.10.x from 0.10.2 on; this agent serves 0.1.x up to 0.1.0"
        );
        assert!(hint.contains("upgrade the agent"), "{hint}");
        let (text, hint) = told("0.0.9");
        assert!(text.contains("serves 0.0.x"), "{text}");
        assert!(hint.contains("build of the connector for 0.1"), "{hint}");
    }

    #[test]
    fn strangers_are_refused() {
        let base = "waybill:connector/base@0.1.0";
        let wasi = read(&["wasi:cli/environment@0.2.3"], &[base]).unwrap_err();
        assert!(wasi.to_string().contains("wasi:cli/environment"));
        assert!(matches!(
            read(&["env"], &[base]),
            Err(LoadError::UnknownImport(_))
        ));
        assert!(matches!(
            read(&["waybill:host/gpu@0.1.0"], &[base]),
            Err(LoadError::UnknownImport(_))
        ));
        assert!(matches!(
            read(&[], &[base, "waybill:connector/oven@0.1.0"]),
            Err(LoadError::UnknownExport(_))
        ));
        assert!(matches!(read(&[], &["run"]), Err(LoadError::NoConnector)));
    }
}
