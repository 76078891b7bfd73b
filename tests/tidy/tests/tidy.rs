//! The rules. Each failure names the file and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use waybill_tidy::{files, read, sources};

const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "agent",
    "plugins",
    "wit",
    "tests",
    "packaging",
    "clippy.toml",
    "rustfmt.toml",
    "deny.toml",
];

/// Floor of each crate of the agent; a crate may depend on lower floors only.
const FLOORS: &[(&str, u8)] = &[
    ("waybill-model", 0),
    ("waybill-store", 1),
    ("waybill-host", 1),
    ("waybill-engine", 2),
    ("waybill-http", 3),
    ("waybill", 4),
];

fn fail_on(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn nothing_else_lies_at_the_top() {
    let found: BTreeSet<String> = files()
        .iter()
        .filter_map(|path| path.components().next())
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let problems: Vec<String> = found
        .iter()
        .filter(|n| !TOP.contains(&n.as_str()))
        .map(|n| format!("{n}: not in the top-level list"))
        .collect();
    fail_on(&problems);
}

#[test]
fn the_agent_knows_no_vendor() {
    let mut problems = Vec::new();
    for path in files() {
        let kind = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        if !path.starts_with("agent") || !["rs", "html", "css", "js"].contains(&kind) {
            continue;
        }
        for (index, line) in read(&path).lines().enumerate() {
            let lower = line.to_lowercase();
            if lower.contains("brightpearl") || lower.contains("dsco") {
                problems.push(format!(
                    "{}:{}: names a vendor; say `connection`, or ask the connector's title",
                    path.display(),
                    index + 1
                ));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn every_source_says_what_it_owns() {
    let problems: Vec<String> = sources()
        .iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| {
            format!(
                "{}: open with a `//!` header: what it owns, what it must not know",
                path.display()
            )
        })
        .collect();
    fail_on(&problems);
}

#[test]
fn files_stay_small_enough_to_live_in() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let is_test = path.components().any(|c| c.as_os_str() == "tests")
            && !path.starts_with("tests")
            || path.starts_with("tests")
                && path
                    .components()
                    .filter(|c| c.as_os_str() == "tests")
                    .count()
                    > 1;
        let limit = if is_test || path.file_name().is_some_and(|n| n == "tests.rs") {
            900
        } else {
            600
        };
        let lines = text.lines().count();
        if lines > limit {
            problems.push(format!(
                "{}: {lines} lines, at most {limit}; split it by what it owns",
                path.display()
            ));
        }
        for (index, line) in text.lines().enumerate() {
            if line.ends_with(' ') || line.contains('\t') {
                problems.push(format!(
                    "{}:{}: trailing blank or tab",
                    path.display(),
                    index + 1
                ));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn no_room_for_everything() {
    let banned = [
        "utils.rs",
        "util.rs",
        "common.rs",
        "helpers.rs",
        "helper.rs",
        "manager.rs",
        "misc.rs",
    ];
    let problems: Vec<String> = files()
        .iter()
        .filter(|path| {
            path.file_name()
                .and_then(|n| n.to_str())
                .is_some_and(|n| banned.contains(&n))
        })
        .map(|path| {
            format!(
                "{}: name it by the noun it owns or the verb it does",
                path.display()
            )
        })
        .collect();
    fail_on(&problems);
}

fn manifests() -> BTreeMap<String, (PathBuf, BTreeSet<String>)> {
    files()
        .into_iter()
        .filter(|path| {
            path.file_name().is_some_and(|n| n == "Cargo.toml") && path != Path::new("Cargo.toml")
        })
        .map(|path| {
            let manifest: toml::Table = read(&path).parse().expect("a manifest is TOML");
            let name = manifest["package"]["name"]
                .as_str()
                .expect("a package has a name")
                .to_owned();
            let keys = |section: &str| {
                manifest
                    .get(section)
                    .and_then(toml::Value::as_table)
                    .map(|t| t.keys().cloned().collect::<Vec<_>>())
                    .unwrap_or_default()
            };
            let dependencies = keys("dependencies")
                .into_iter()
                .chain(keys("build-dependencies"))
                .collect();
            (name, (path, dependencies))
        })
        .collect()
}

#[test]
fn dependencies_point_down() {
    let manifests = manifests();
    let floor = |name: &str| FLOORS.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
    let mut problems = Vec::new();
    for (name, own) in FLOORS {
        let (path, dependencies) = manifests
            .get(*name)
            .unwrap_or_else(|| panic!("crate {name} is missing"));
        for dependency in dependencies {
            if floor(dependency).is_some_and(|other| other >= *own) {
                problems.push(format!(
                    "{}: floor {own} depends on {dependency}, which is not below it",
                    path.display()
                ));
            }
            if *name == "waybill-http"
                && ["waybill-store", "waybill-host"].contains(&dependency.as_str())
            {
                problems.push(format!(
                    "{}: the page talks to the engine's handle, not to {dependency}",
                    path.display()
                ));
            }
            if [
                "waybill-sdk",
                "waybill-dsco",
                "waybill-brightpearl",
                "waybill-sim",
            ]
            .contains(&dependency.as_str())
            {
                problems.push(format!(
                    "{}: the agent must not know {dependency}",
                    path.display()
                ));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn sandboxes_share_nothing_with_us() {
    let manifests = manifests();
    let (path, dependencies) = &manifests["waybill-sim"];
    let problems: Vec<String> = dependencies
        .iter()
        .filter(|d| d.starts_with("waybill"))
        .map(|d| {
            format!(
                "{}: depends on {d}; a simulator that shares the client's types proves nothing",
                path.display()
            )
        })
        .collect();
    fail_on(&problems);
}

#[test]
fn crash_points_are_listed_and_used() {
    let listed = read(Path::new("agent/model/src/crash.rs"));
    let page = read(Path::new("agent/ARCHITECTURE.md"));
    let mut used = BTreeSet::new();
    for (path, text) in sources() {
        if path.starts_with("agent") && !path.ends_with("model/src/crash.rs") {
            let plain = text.split("crash::point(\"").skip(1);
            for part in plain.chain(text.split("crash::point_of(\"").skip(1)) {
                used.insert(part.split('"').next().unwrap_or_default().to_owned());
            }
        }
    }
    let names: BTreeSet<String> = listed
        .split("POINTS")
        .nth(1)
        .expect("crash.rs lists its points")
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert_eq!(
        names, used,
        "the list of crash points and the places that mark them differ"
    );
    let problems: Vec<String> = names
        .iter()
        .filter(|n| !page.contains(&format!("`{n}`")))
        .map(|n| format!("agent/ARCHITECTURE.md: crash point {n} is not explained"))
        .collect();
    fail_on(&problems);
}

#[test]
fn nothing_speaks_of_the_workshop() {
    // Paths of a machine and hosts of a registry do not belong into the project.
    let banned = [
        ["/wo", "rk/"].concat(),
        ["..", "/shared"].concat(),
        ["/ro", "ot/"].concat(),
    ];
    let mut problems = Vec::new();
    for path in files() {
        let kind = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        if !["rs", "md", "toml", "html", "wit", "sh"].contains(&kind) {
            continue;
        }
        let text = read(&path);
        for word in &banned {
            if text.contains(word.as_str()) {
                problems.push(format!("{}: names {word}", path.display()));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn tests_that_the_table_of_steps_names_exist() {
    let table = read(Path::new("packaging/docs/steps.md"));
    let tests: String = sources().into_iter().map(|(_, text)| text).collect();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let mut wrong = Vec::new();
    let mut named = 0;
    for row in rows {
        let shown_by = row.split(" | ").nth(2).unwrap_or_default();
        for name in shown_by.split('`').skip(1).step_by(2) {
            named += 1;
            if !tests.contains(&format!("fn {name}(")) {
                wrong.push(format!(
                    "packaging/docs/steps.md names `{name}`: no such test"
                ));
            }
        }
    }
    assert!(named > 40, "the table was not read: {named} names");
    fail_on(&wrong);
}
