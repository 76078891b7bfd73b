//! `waybill doctor` against set-ups that are broken on purpose, one by one, for real: it names exactly what was broken,
//! where it is and what to do, and it changes nothing.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod shop;

use redb::{Database, TableDefinition};
use rustix::process::Signal;
use serde_json::Value;
use shop::{Shop, json, stdout, town};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use waybill_sim::play::house::House;
use waybill_sim::ports::free_port;

/// What was found wrong: check, which one, and the whole finding.
type Problems = Vec<(String, String, Value)>;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every file below with its content and mode.
fn everything(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let mode = meta.permissions().mode();
        if meta.is_dir() {
            files.extend(everything(&path));
            files.insert(path, (Vec::new(), mode));
        } else if meta.is_file() {
            files.insert(path.clone(), (std::fs::read(&path).unwrap(), mode));
        }
    }
    files
}

fn examined(shop: &Shop, args: &[&str]) -> (Value, Problems) {
    let args = [&["doctor", "--json"], args].concat();
    let output = shop.run(&args);
    let answer = json(&output);
    let problems: Problems = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["state"] == "problem")
        .map(|f| (text(&f["check"]), text(&f["about"]), f.clone()))
        .collect();
    assert_eq!(answer["healthy"], problems.is_empty());
    let code = output.status.code().unwrap();
    assert_eq!(code, i32::from(!problems.is_empty()), "{answer:#}");
    (answer, problems)
}

/// Examines a stopped agent: nothing may change, and that it does not run is not what is looked for.
fn stopped(shop: &Shop, args: &[&str]) -> Problems {
    let before = everything(&shop.data());
    let (_, mut problems) = examined(shop, args);
    assert!(everything(&shop.data()) == before, "something was changed");
    problems.retain(|(check, ..)| check != "agent");
    if shop.path("none").exists() {
        // A shop without connectors: that they are missing is not what is looked for.
        problems.retain(|(check, ..)| check != "connectors-folder" && check != "connection");
    }
    problems
}

/// Exactly these checks fail; each says where and what next.
#[track_caller]
fn names(problems: &Problems, wanted: &[(&str, &str)]) {
    let found: Vec<(&str, &str)> = problems.iter().map(|(c, a, _)| (&**c, &**a)).collect();
    assert_eq!(found, wanted, "{problems:#?}");
    for (.., finding) in problems {
        assert!(finding["next"].is_string(), "{finding:#}");
        assert!(finding["place"].is_string(), "{finding:#}");
    }
}

#[track_caller]
fn says(problems: &Problems, words: &[&str]) {
    let all = format!("{:#?}", problems.iter().map(|p| &p.2).collect::<Vec<_>>());
    for word in words {
        assert!(all.contains(word), "`{word}` is not in {all}");
    }
}

/// Answers every request with that text, as long as the test runs.
fn answering(answer: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 2048];
            drop(stream.read(&mut request));
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    port
}

#[test]
fn a_running_agent_that_is_well_has_no_problem() {
    let shop = Shop::new();
    let (page, hooks) = (free_port(), free_port());
    let more = format!("[hooks]\nlisten = \"127.0.0.1:{hooks}\"\n");
    shop.listen(&format!("127.0.0.1:{page}"), &more);
    let url = format!("http://127.0.0.1:{hooks}");
    shop.set("erp", "hooks.public-url", &url);
    let agent = shop.start();
    // Webhooks are registered by the running agent in its own time.
    let mut tries = 0;
    while !stdout(&shop.run(&["status"])).contains("Registered") {
        tries += 1;
        assert!(tries < 2_000, "{}", stdout(&shop.run(&["status"])));
    }
    let (answer, problems) = examined(&shop, &[]);
    names(&problems, &[]);
    let told = format!("{answer:#}");
    for part in [
        "It runs and answers.",
        "Signed in.",
        "All 4 stored secrets open with the key.",
        "The connector takes its settings.",
        "It agrees with the vendor's.",
        "Their address leads to this agent.",
    ] {
        assert!(told.contains(part), "`{part}` is not in {told}");
    }
    // The file that the next start needs, gone under a running agent.
    std::fs::remove_file(shop.data().join("seal.key")).unwrap();
    let output = shop.run(&["doctor", "--local"]);
    let said = stdout(&output);
    for part in [
        "WARNING  sealing-key",
        "nothing was to leave this machine",
        "No problem, 1 warning. Nothing was changed.",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    assert_eq!(output.status.code(), Some(0));
    agent.end(Signal::TERM);
}

#[test]
fn a_stopped_agent_that_is_well_has_one_problem() {
    let shop = Shop::new();
    let before = everything(&shop.data());
    let (_, problems) = examined(&shop, &[]);
    assert!(everything(&shop.data()) == before, "something was changed");
    names(&problems, &[("agent", "")]);
    says(&problems, &["It does not run.", "systemctl start waybill"]);
}

#[test]
fn set_up_1_a_configuration_with_an_unknown_key() {
    let shop = Shop::bare();
    let good = std::fs::read_to_string(shop.config()).unwrap();
    std::fs::write(shop.config(), format!("lisen = \"x\"\n{good}")).unwrap();
    let problems = stopped(&shop, &[]);
    names(&problems, &[("configuration", "")]);
    says(
        &problems,
        &[
            "unknown key `lisen`",
            "agent.toml:1:1",
            "Did you mean `listen`?",
        ],
    );
}

#[test]
fn set_up_2_a_port_that_another_program_has() {
    let shop = Shop::bare();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let none = shop.path("none");
    let hooks = format!("[hooks]\nlisten = \"{address}\"\n");
    shop.configure(&none, &address, &hooks, &none);
    let problems = stopped(&shop, &["--local"]);
    names(&problems, &[("page", ""), ("hooks-listener", "")]);
    let own = format!("(process {})", std::process::id());
    says(
        &problems,
        &["Another program has that port", &own, &address],
    );
}

#[test]
fn set_up_3_a_data_folder_that_the_agent_cannot_write() {
    let shop = Shop::bare();
    let mode = std::fs::Permissions::from_mode;
    std::fs::set_permissions(shop.data(), mode(0o500)).unwrap();
    let problems = stopped(&shop, &["--local"]);
    assert_eq!(problems[0].0, "data-folder");
    says(&problems, &["its mode is 0500", "chmod 700"]);
    std::fs::set_permissions(shop.data(), mode(0o700)).unwrap();
    // What a command run as another user leaves behind.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(shop.database(), Some(12_345), None).unwrap();
        let problems = stopped(&shop, &["--local"]);
        names(&problems, &[("data-folder", "")]);
        says(
            &problems,
            &["`waybill.redb` in it belongs to user 12345", "chown -R"],
        );
        std::os::unix::fs::chown(shop.database(), Some(0), None).unwrap();
    }
    std::fs::set_permissions(shop.database(), mode(0o400)).unwrap();
    let problems = stopped(&shop, &["--local"]);
    names(&problems, &[("data-folder", "")]);
    says(&problems, &["cannot write `waybill.redb`", "0400"]);
}

#[test]
fn set_up_4_the_sealing_key_is_missing() {
    let shop = Shop::bare();
    std::fs::remove_file(shop.data().join("seal.key")).unwrap();
    let problems = stopped(&shop, &["--local"]);
    names(&problems, &[("sealing-key", "")]);
    says(
        &problems,
        &["The key is missing", "seal.key", "from the backup"],
    );
}

#[test]
fn set_up_5_the_sealing_key_of_another_database() {
    let shop = Shop::bare();
    std::fs::write(shop.data().join("seal.key"), [9; 32]).unwrap();
    let problems = stopped(&shop, &["--local"]);
    names(&problems, &[("sealing-key", "")]);
    says(
        &problems,
        &[
            "not the one that the secrets were sealed with",
            "3 of 3",
            "in the backup",
        ],
    );
    // One that everybody can read is none at all.
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(shop.data().join("seal.key"), open).unwrap();
    let problems = stopped(&shop, &["--local"]);
    names(&problems, &[("sealing-key", "")]);
    says(&problems, &["can be read by other users", "chmod 600"]);
}

#[test]
fn set_up_6_a_damaged_database() {
    let shop = Shop::bare();
    let whole = std::fs::read(shop.database()).unwrap();
    let at = whole.windows(9).rposition(|w| w == b"connector").unwrap();
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    std::fs::write(shop.database(), &flipped).unwrap();
    let problems = stopped(&shop, &["--local"]);
    names(&problems, &[("database", "")]);
    says(&problems, &["damaged", "Restore the last backup"]);
    std::fs::write(shop.database(), "this is no database").unwrap();
    let problems = stopped(&shop, &["--local"]);
    names(&problems, &[("database", "")]);
}

#[test]
fn set_up_7_a_database_of_a_newer_version() {
    let shop = Shop::bare();
    let database = Database::open(shop.database()).unwrap();
    let txn = database.begin_write().unwrap();
    let meta: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
    let newest = 4_711_u32.to_be_bytes();
    txn.open_table(meta)
        .unwrap()
        .insert(b"schema".as_slice(), newest.as_slice())
        .unwrap();
    txn.commit().unwrap();
    drop(database);
    let problems = stopped(&shop, &["--local"]);
    names(&problems, &[("database", "")]);
    says(
        &problems,
        &[
            "newer version (schema 4711)",
            "Install the newer agent again",
        ],
    );
}

#[test]
fn set_up_8_connectors_that_are_not_there() {
    let shop = Shop::new();
    let folder = shop.path("connectors");
    std::fs::create_dir(&folder).unwrap();
    shop.with_connectors(&folder);
    let problems = stopped(&shop, &["--local"]);
    let missing = [
        ("connectors-folder", ""),
        ("connection", "network"),
        ("connection", "erp"),
    ];
    names(&problems, &missing);
    says(
        &problems,
        &["No connector is there", "Install the package again"],
    );
    // One of two.
    let one = connectors(&town().connectors)[0].clone();
    std::fs::copy(&one, folder.join(one.file_name().unwrap())).unwrap();
    let problems = stopped(&shop, &["--local"]);
    let checks: Vec<&str> = problems.iter().map(|p| &*p.0).collect();
    assert_eq!(checks, ["connection"], "{problems:#?}");
    says(&problems, &["is not installed"]);
}

/// The components in a folder, by name.
fn connectors(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "wasm"))
        .collect();
    files.sort();
    files
}

#[test]
fn set_up_9_connectors_that_are_refused() {
    let shop = Shop::new();
    let folder = shop.path("connectors");
    shop::copy(&town().connectors, &folder);
    shop.with_connectors(&folder);
    let refused = |shop: &Shop| -> Problems {
        let problems = stopped(shop, &["--local"]);
        problems
            .into_iter()
            .filter(|p| p.0 == "connector")
            .collect()
    };
    // Signed by nobody, where a signature is asked for.
    let config = std::fs::read_to_string(shop.config()).unwrap();
    std::fs::write(shop.config(), config.replace("allow-unsigned = true", "")).unwrap();
    let unsigned = refused(&shop);
    assert_eq!(unsigned.len(), 2, "{unsigned:#?}");
    says(&unsigned, &["waybill connectors sign"]);
    std::fs::write(shop.config(), config).unwrap();

    let files = connectors(&folder);
    let [first, second] = files.as_slice() else {
        panic!("two connectors, not {files:?}")
    };
    // Built for another contract.
    let mut bytes = std::fs::read(first).unwrap();
    let (old, new) = (b"@0.1.0", b"@9.1.0");
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(6).position(|w| w == old) {
        bytes[at + found..at + found + 6].copy_from_slice(new);
        at += found + 6;
    }
    std::fs::write(first, bytes).unwrap();
    // Half written.
    let bytes = std::fs::read(second).unwrap();
    std::fs::write(second, &bytes[..bytes.len() / 2]).unwrap();
    let broken = refused(&shop);
    assert_eq!(broken.len(), 2, "{broken:#?}");
    says(&broken, &["9.1.0", "serves 0.1.x", "upgrade the agent"]);
    for (_, about, finding) in &broken {
        assert!(text(&finding["place"]).ends_with(about.as_str()));
        assert!(finding["next"].is_string());
    }
}

#[test]
fn set_up_10_a_clock_that_is_off() {
    let shop = Shop::new();
    let answer = "HTTP/1.1 200 OK\r\ndate: Fri, 20 Nov 2015 12:00:00 GMT\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let port = answering(answer.to_owned());
    shop.set("network", "api-url", &format!("http://127.0.0.1:{port}"));
    let problems = stopped(&shop, &[]);
    let clock: Problems = problems.into_iter().filter(|p| p.0 == "clock").collect();
    names(&clock, &[("clock", "network")]);
    says(&clock, &["ahead of the vendor's", "timedatectl"]);
}

#[test]
fn set_up_11_a_vendor_that_cannot_be_reached() {
    let shop = Shop::new();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    shop.set("network", "api-url", &nobody);
    let unknown = "https://no-such-name.invalid/public-api/simaccount";
    shop.set("erp", "base-url", unknown);
    let problems = stopped(&shop, &[]);
    names(&problems, &[("address", "network"), ("address", "erp")]);
    says(&problems, &["connection was refused", "firewall", &nobody]);
    says(
        &problems,
        &[
            "does not resolve",
            "getent hosts",
            "https://no-such-name.invalid",
        ],
    );
    // Other authorities than those this machine trusts.
    let shop = Shop::new();
    let secured = town().secured(shop.dir.path());
    let api = format!("{}/api/v3", secured.network.api);
    shop.set("network", "api-url", &api);
    let problems = stopped(&shop, &[]);
    names(&problems, &[("address", "network")]);
    says(
        &problems,
        &[
            "certificate is not trusted",
            "trusted-roots",
            &secured.network.api,
        ],
    );
    let roots = House::roots(shop.dir.path()).unwrap();
    let more = format!("trusted-roots = {:?}\n", roots.display().to_string());
    shop.listen("127.0.0.1:0", &more);
    names(&stopped(&shop, &[]), &[]);
}

#[test]
fn set_up_12_credentials_that_the_vendor_refuses() {
    let shop = Shop::new();
    shop.forget_credentials();
    let problems = stopped(&shop, &[]);
    names(&problems, &[("login", "network"), ("login", "erp")]);
    says(
        &problems,
        &[
            "credentials of connection `network`",
            "credentials of connection `erp`",
        ],
    );
    let told = format!("{problems:?}");
    assert!(!told.contains("wrong-one"), "{told}");
}

#[test]
fn set_up_13_webhooks_that_lead_elsewhere_or_do_not_stand() {
    let shop = Shop::new();
    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let elsewhere = format!("http://127.0.0.1:{}", answering(answer.to_owned()));
    shop.set("erp", "hooks.public-url", &elsewhere);
    // Wanted, and nobody listens.
    let problems = stopped(&shop, &[]);
    names(&problems, &[("webhooks", "erp")]);
    says(&problems, &["does not listen for them", "[hooks]"]);
    // Never registered.
    let more = format!("[hooks]\nlisten = \"127.0.0.1:{}\"\n", free_port());
    shop.listen("127.0.0.1:0", &more);
    let problems = stopped(&shop, &[]);
    names(&problems, &[("webhooks", "erp")]);
    says(&problems, &["not registered yet", "hooks.public-url"]);
    // Registered at an address that leads to somebody else, though it answers just as we would.
    let agent = shop.start();
    let (_, problems) = examined(&shop, &[]);
    says(
        &problems,
        &[
            "leads to somebody else, who answers with status 404",
            "reverse proxy",
        ],
    );
    says(&problems, &[&elsewhere]);
    agent.end(Signal::TERM);
}

#[test]
fn set_up_14_a_disk_that_is_nearly_full() {
    let shop = Shop::bare();
    let small = shop.path("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs"])
        .arg(&small)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no small disk can be mounted here (needs root)");
        return;
    }
    let inside = small.join("data");
    shop::copy(&shop.data(), &inside);
    std::fs::remove_dir_all(shop.data()).unwrap();
    std::os::unix::fs::symlink(&inside, shop.data()).unwrap();
    let problems = stopped(&shop, &["--local"]);
    let unmounted = std::process::Command::new("umount").arg(&small).status();
    names(&problems, &[("disk-space", "")]);
    says(&problems, &["MiB are free", "Free some space"]);
    assert!(unmounted.unwrap().success());
}

#[test]
fn set_up_15_an_agent_that_was_killed_or_hangs() {
    let shop = Shop::bare();
    let of_agent = |shop: &Shop| -> Problems {
        let (_, problems) = examined(shop, &["--local"]);
        problems.into_iter().filter(|p| p.0 == "agent").collect()
    };
    let agent = shop.start();
    agent.signal(Signal::STOP);
    let problems = of_agent(&shop);
    names(&problems, &[("agent", "")]);
    says(
        &problems,
        &["does not answer within", "systemctl restart waybill"],
    );
    agent.signal(Signal::CONT);
    agent.end(Signal::KILL);
    assert!(shop.path("s").exists(), "a kill leaves the socket behind");
    let problems = of_agent(&shop);
    names(&problems, &[("agent", "")]);
    says(&problems, &["left its socket behind"]);
    let said = stdout(&shop.run(&["doctor", "--local"]));
    assert!(said.contains("PROBLEM  agent: It does not run; "), "{said}");
    assert!(
        said.ends_with(" problems. Nothing was changed.\n"),
        "{said}"
    );
}

#[test]
fn set_up_16_settings_that_the_connector_does_not_take() {
    let shop = Shop::new();
    shop.set("erp", "currency", "usd");
    let problems = stopped(&shop, &[]);
    names(&problems, &[("settings", "erp")]);
    says(&problems, &["setting `currency` of connection `erp`"]);
}
