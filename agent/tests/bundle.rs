//! A support bundle of a shop whose secrets and consumers are known to the test: nothing of them is anywhere in it, and
//! everything a support person needs is.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod shop;

use flate2::read::GzDecoder;
use rustix::process::Signal;
use serde_json::{Value, json};
use shop::{Shop, json as answer, list, stderr, stdout, town, wait};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use waybill_sim::play::provisioning::SECRETS;

/// Typed into a free text of the settings by mistake.
const IN_SETTINGS: &str = "Kx9-secret-in-the-wrong-field";

fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let file = std::fs::File::open(path).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let name = name.strip_prefix("waybill-support/").unwrap().to_owned();
            (name, text)
        })
        .collect()
}

const FILES: [&str; 12] = [
    "README.txt",
    "configuration.txt",
    "connections.json",
    "connectors.json",
    "counters.json",
    "doctor.json",
    "log.txt",
    "manifest.json",
    "metrics.txt",
    "status.json",
    "stopped-jobs.json",
    "versions.json",
];

fn read(files: &BTreeMap<String, String>, name: &str) -> Value {
    serde_json::from_str(&files[name]).unwrap()
}

/// Nothing of these is anywhere in it, whatever the case.
#[track_caller]
fn lacks(files: &BTreeMap<String, String>, planted: &[String]) {
    for (name, text) in files {
        let lower = text.to_lowercase();
        for value in planted {
            assert!(
                !lower.contains(&value.to_lowercase()),
                "`{value}` is in {name}:\n{text}"
            );
        }
    }
}

fn secrets(shop: &Shop) -> Vec<String> {
    let mut all: Vec<String> = SECRETS
        .iter()
        .map(|(_, secret)| (*secret).to_owned())
        .collect();
    all.push(IN_SETTINGS.to_owned());
    let key = std::fs::read_to_string(shop.data().join("seal.key")).unwrap();
    all.push(key.trim().to_owned());
    all
}

/// What the log of a careless connector could hold.
const LOGGED: [&str; 4] = [
    "someone.else@shop.example.com",
    "(641) 555-0177",
    "eyJhbGciOiJIUzI1NiJ9xx1234567890abcdef",
    "hunter22x",
];

/// Name, street and phone of the order's consumer, as the agent knows them.
fn consumer(detail: &Value) -> Vec<String> {
    let to = &detail["document"]["body"];
    let to = to.as_object().unwrap().values().next().unwrap()["ship_to"].clone();
    let mut all = vec![to["name"].as_str().unwrap().to_owned()];
    all.extend(to["phone"].as_str().map(str::to_owned));
    let street = to["street"].as_array().unwrap().iter();
    all.extend(street.filter_map(|s| s.as_str()).map(str::to_owned));
    all.retain(|value| value.len() >= 4);
    assert!(all.len() >= 2, "{to:#}");
    all
}

/// A journal whose lines hold all of it. The program of that name stands in for the system's.
fn journal(shop: &Shop, person: &[String]) -> std::path::PathBuf {
    let folder = shop.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let mut lines = String::new();
    let texts = person
        .iter()
        .cloned()
        .chain(SECRETS.iter().map(|(_, secret)| (*secret).to_owned()))
        .chain([
            format!("to {}", LOGGED[0]),
            format!("call {}", LOGGED[1]),
            format!("got {}", LOGGED[2]),
            format!("password={}", LOGGED[3]),
            "Poll failed and will be repeated.".to_owned(),
        ]);
    for text in texts {
        let line = json!({"__REALTIME_TIMESTAMP": "1795917693000000", "PRIORITY": "4", "MESSAGE": format!("Said. {text}"), "CONNECTION": "erp"});
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    std::fs::write(folder.join("lines"), lines).unwrap();
    let program = folder.join("journalctl");
    std::fs::write(
        &program,
        format!("#!/bin/sh\nexec cat {}\n", folder.join("lines").display()),
    )
    .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[expect(
    clippy::disallowed_methods,
    reason = "the system's programs are found behind ours"
)]
fn bundle(shop: &Shop, journal: &Path, path: &Path) -> std::process::Output {
    let system = std::env::var("PATH").unwrap();
    let mut command = shop.command(&["support-bundle", path.to_str().unwrap()]);
    command.env("PATH", format!("{}:{system}", journal.display()));
    command.output().unwrap()
}

/// Until a card is there: the order's item is not matched.
fn waits_for_a_person(shop: &Shop) {
    wait("a card", || {
        let cards = answer(&shop.run(&["cards", "--json"]));
        (!list(&cards["cards"]).is_empty()).then_some(())
    });
}

/// The log is there, and the manifest counts what was taken out of it.
fn log_is_clean(files: &BTreeMap<String, String>) {
    assert!(
        files["log.txt"].contains("Poll failed and will be repeated."),
        "{}",
        files["log.txt"]
    );
    let listed = read(files, "manifest.json");
    let listed = listed["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["file"] == "log.txt")
        .cloned();
    let removed = listed.unwrap()["removed"].clone();
    for kind in ["secret", "person", "e-mail", "phone", "token"] {
        assert!(
            removed[kind].as_u64().unwrap_or(0) > 0,
            "{kind}: {removed:#}"
        );
    }
}

#[test]
fn a_bundle_of_a_running_agent_holds_what_helps_and_nobodys_data() {
    let shop = Shop::new();
    shop.set("erp", "dev-ref", IN_SETTINGS);
    shop.set("network", "poll-secs.order", "0.2");
    // An order that cannot become a sale: its item is no product.
    let order = json!({"po": "PO-BUNDLE-1", "lines": [{"sku": "NO-SUCH-ITEM"}]});
    let made = town().control("POST", "orders", &order);
    assert!(made["error"].is_null(), "{made:#}");
    let agent = shop.start();
    waits_for_a_person(&shop);
    let detail = answer(&shop.run(&["order", "PO-BUNDLE-1", "--json"]));
    let person = consumer(&detail);
    let path = shop.path("support.tar.gz");
    let journal = journal(&shop, &person);
    let output = bundle(&shop, &journal, &path);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("Cleaned by the running agent"),
        "{}",
        stdout(&output)
    );
    let permissions = std::fs::metadata(&path).unwrap().permissions();
    assert_eq!(permissions.mode() & 0o777, 0o600);

    let files = unpacked(&path);
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), FILES);
    lacks(&files, &secrets(&shop));
    lacks(&files, &person);
    lacks(&files, &LOGGED.map(str::to_owned));
    log_is_clean(&files);

    let stopped = read(&files, "stopped-jobs.json");
    assert_eq!(stopped[0]["order"], "PO-BUNDLE-1", "{stopped:#}");
    let connections = read(&files, "connections.json");
    let erp = &connections["connections"][1];
    assert_eq!(erp["settings"]["currency"], "a text of 3 characters");
    assert_eq!(erp["settings"]["warehouse"], "2");
    assert_eq!(erp["secrets_that_are_set"][0]["name"], "token");
    let connectors = read(&files, "connectors.json");
    assert_eq!(
        connectors["connectors"][0]["sha256"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    assert!(
        read(&files, "counters.json")["jobs"]["parked"]
            .as_u64()
            .unwrap()
            > 0
    );
    assert!(files["metrics.txt"].contains("waybill_orders{stage=\"waiting\"} 1"));
    let manifest = read(&files, "manifest.json");
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len(), FILES.len() - 1, "all but itself");
    assert!(
        listed
            .iter()
            .all(|file| file["about"].is_string() && file["bytes"].is_u64())
    );

    // A file that is there is not written over.
    let output = shop.run(&["support-bundle", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    agent.end(Signal::TERM);

    // The same of the stopped agent, from its database.
    let path = shop.path("stopped.tar.gz");
    let before = std::fs::read(shop.database()).unwrap();
    let output = bundle(&shop, &journal, &path);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(std::fs::read(shop.database()).unwrap() == before);
    let files = unpacked(&path);
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), FILES);
    lacks(&files, &secrets(&shop));
    lacks(&files, &person);
    assert!(files["stopped-jobs.json"].contains("PO-BUNDLE-1"));
}

#[test]
fn without_a_database_the_bundle_says_that_it_was_cleaned_by_looks() {
    let shop = Shop::new();
    std::fs::write(shop.database(), "this is no database").unwrap();
    let path = shop.path("support.tar.gz");
    let output = shop.run(&["support-bundle", path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("by looks alone"),
        "{}",
        stdout(&output)
    );
    let files = unpacked(&path);
    assert!(
        files["doctor.json"].contains("damaged"),
        "{}",
        files["doctor.json"]
    );
    lacks(&files, &secrets(&shop));
}
