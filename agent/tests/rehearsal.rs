//! A rehearsal by the real programs: the order goes all the way on the stand-ins, and nothing of it is at either live
//! system or in the live database; what would stop a real order is said word for word; a kill leaves no process.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod shop;

use rustix::process::Signal;
use serde_json::{Value, json};
use shop::{Shop, Town, WAYBILL, json, list, stderr, stdout, town, wait};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// The steps of an order that goes all the way.
const STEPS: [&str; 8] = [
    "placed",
    "read",
    "sale",
    "acknowledged",
    "told",
    "note",
    "shipment",
    "invoice",
];
/// What the live connections sign in with while it is rehearsed.
const SECRET: &str = "wrong-one";

fn asked(shop: &Shop, arguments: &[&str]) -> Value {
    json(&shop.run(&[&["--json"], arguments].concat()))
}

fn last(shop: &Shop) -> Value {
    asked(shop, &["rehearse", "--last"])
}

/// Until products, warehouses, methods and retailers were read from the sandboxes.
fn read_everything(shop: &Shop) {
    wait("the first reading", || {
        let status = asked(shop, &["status"]);
        let connections = list(&status["frame"]["connections"]).iter();
        let feeds = connections.flat_map(|of| list(&of["feeds"]));
        let read = |entity: &str| {
            let mut own = feeds.clone().filter(|feed| feed["entity"] == entity);
            own.any(|feed| !feed["caught_up_at"].is_null())
        };
        let all = ["item", "shipping-method", "retailer"];
        all.iter().all(|entity| read(entity)).then_some(())
    });
}

/// All calls that both live sandboxes answered.
fn calls(town: &Town) -> u64 {
    let counted = [
        town.control("GET", "counters", &Value::Null),
        town.erp("GET", "counters", &Value::Null),
    ];
    let endpoints = counted
        .iter()
        .flat_map(|c| c["endpoints"].as_object().unwrap());
    endpoints.map(|(_, c)| c["calls"].as_u64().unwrap()).sum()
}

/// Processes whose command line names this shop's rehearsals: the sandbox and its agent.
fn players(shop: &Shop) -> Vec<String> {
    let folder = shop.data().join("rehearsal").display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(&folder).then_some(line)
    });
    lines.collect()
}

fn is_agent(line: &str) -> bool {
    line.trim_end().ends_with(" run")
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .flat_map(|path| {
            if path.is_dir() && !path.is_symlink() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn begun(shop: &Shop) -> Child {
    let mut command = shop.command(&["rehearse"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap();
    wait("the rehearsal's beginning", || {
        let seen = last(shop);
        let steps = list(&seen["report"]["steps"]);
        (seen["running"] == true && !steps.is_empty()).then_some(())
    });
    child
}

/// Stopped, with everything read and credentials that open nothing; then started, and told not to call.
fn quiet(shop: &Shop) -> shop::Agent {
    let agent = shop.start();
    read_everything(shop);
    agent.end(Signal::TERM);
    shop.forget_credentials();
    let agent = shop.start();
    for connection in ["network", "erp"] {
        let paused = shop.run(&["pause", connection]);
        assert!(paused.status.success(), "{}", stderr(&paused));
    }
    // What was under way has its answer.
    let mut counted = (calls(town()), 0);
    wait("the last call", || {
        let now = calls(town());
        counted = (now, if now == counted.0 { counted.1 + 1 } else { 0 });
        (counted.1 == 10).then_some(())
    });
    agent
}

#[test]
fn an_order_goes_all_the_way_and_nothing_of_it_reaches_anybody() {
    let _turn = shop::turn();
    let (town, shop) = (town(), Shop::new());
    let agent = quiet(&shop);
    let before = calls(town);
    let mut child = begun(&shop);
    let second = shop.run(&["rehearse"]);
    assert!(!second.status.success());
    assert!(
        stderr(&second).contains("runs already"),
        "{}",
        stderr(&second)
    );
    let strange = [SECRET, &town.house.erp.api, &town.house.network.api];
    let mut seen = 0;
    while child.try_wait().unwrap().is_none() {
        for file in files(&shop.data().join("rehearsal")) {
            // Files come and go.
            let Ok(bytes) = std::fs::read(&file) else {
                continue;
            };
            seen += 1;
            for word in strange {
                let found = bytes
                    .windows(word.len())
                    .any(|part| part == word.as_bytes());
                assert!(!found, "`{word}` is in {}", file.display());
            }
        }
    }
    assert!(seen > 0, "nothing was looked at");
    let output = child.wait_with_output().unwrap();
    let told = last(&shop);
    assert!(output.status.success(), "{}{told:#}", stdout(&output));
    let report = &told["report"];
    let steps = list(&report["steps"]).iter();
    let mut steps: Vec<&str> = steps.map(|step| step["step"].as_str().unwrap()).collect();
    // It is acknowledged and made a sale at once.
    if steps.get(2) == Some(&"acknowledged") {
        steps.swap(2, 3);
    }
    assert_eq!(steps, STEPS, "{told:#}");
    assert_eq!(report["end"]["good"], true);
    let sale = report["sale"].to_string();
    for word in ["Main warehouse", "(2)", "39.98 USD"] {
        assert!(sale.contains(word), "`{word}` is not in {sale}");
    }
    assert_eq!(calls(town), before, "a live system was called");
    let orders = asked(&shop, &["orders"]);
    assert!(!orders.to_string().contains("REHEARSAL"), "{orders:#}");
    assert_eq!(players(&shop), Vec::<String>::new());
    assert_eq!(files(&shop.data().join("rehearsal")), Vec::<PathBuf>::new());
    agent.end(Signal::TERM);
    let outdated = || {
        let agent = shop.start();
        let outdated = last(&shop)["outdated"].clone();
        agent.end(Signal::TERM);
        outdated
    };
    assert_eq!(outdated(), false, "nothing has changed since");
    shop.set("erp", "channel", "4");
    assert_eq!(outdated(), true);
}

/// Asks for a list of the account, as the page of the defaults does.
fn look_at_list(shop: &Shop, setting: &str) {
    let mut socket = UnixStream::connect(shop.path("s")).unwrap();
    let place = format!("/api/v1/connections/erp/choices/{setting}");
    write!(
        socket,
        "GET {place} HTTP/1.1\r\nhost: local\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn what_would_stop_a_real_order_is_said_word_for_word() {
    let _turn = shop::turn();
    let shop = Shop::new();
    let agent = shop.start();
    read_everything(&shop);
    look_at_list(&shop, "channel");
    agent.end(Signal::TERM);
    // Past every check: the account has no such channel, and its list says so.
    shop.set("erp", "channel", "99");
    let agent = shop.start();
    let output = shop.run(&["rehearse"]);
    assert!(!output.status.success(), "{}", stdout(&output));
    let end = &last(&shop)["report"]["end"];
    let title = end["card"]["title"].as_str().unwrap();
    assert!(
        title.starts_with("The setting `channel` is `99`, and "),
        "{end:#}"
    );
    assert!(stdout(&output).contains(title), "{}", stdout(&output));
    agent.end(Signal::TERM);
}

#[test]
fn his_own_warehouse_staff_and_product_field_are_known_to_the_stand_ins() {
    let _turn = shop::turn();
    let (town, shop) = (town(), Shop::nothing());
    let plan = town.plan(None);
    let own = "owner = \"77\"\ncustom-id-field = \"PCF_NET\"\nnominal-tax = \"2200\"\n";
    let plan = plan
        .replace("WH01 = \"2\"\nWH02 = \"3\"\n", "NJ-MAIN = \"2\"\n")
        .replace(
            "[settings]\n",
            "[settings]\n\"items.target-id\" = \"custom:PCF_NET\"\n",
        )
        .replace("warehouse = \"2\"\n", &format!("warehouse = \"2\"\n{own}"));
    for word in ["NJ-MAIN", "nominal-tax", "custom:PCF_NET"] {
        assert!(plan.contains(word), "`{word}` is not in the plan:\n{plan}");
    }
    assert!(!plan.contains("WH01"), "{plan}");
    shop.applied(&plan, &waybill_sim::play::provisioning::SECRETS);
    // Nothing can be read of either system: the settings alone say what is there.
    shop.forget_credentials();
    // The builds are accepted; the folder holds none of them afterwards.
    shop.start().end(Signal::TERM);
    std::fs::create_dir(shop.path("none")).unwrap();
    shop.with_connectors(&shop.path("none"));
    let agent = shop.start();
    let output = shop.run(&["rehearse"]);
    let told = last(&shop);
    assert!(output.status.success(), "{}{told:#}", stdout(&output));
    let steps = list(&told["report"]["steps"]).iter();
    let mut steps = steps.filter(|step| step["step"] == "shipment");
    let shipment = steps.next().unwrap()["text"].as_str().unwrap();
    assert!(shipment.contains("NJ-MAIN"), "{shipment}");
    let asides = told["report"]["asides"].to_string();
    for words in [
        "members of staff",
        "custom fields of products",
        "No product was read yet",
    ] {
        assert!(asides.contains(words), "`{words}` is not in {asides}");
    }
    agent.end(Signal::TERM);
}

#[test]
fn a_method_without_a_counterpart_names_its_cell() {
    let _turn = shop::turn();
    let (town, shop) = (town(), Shop::nothing());
    let plan = town.plan(None);
    let mut parts = plan.split("[[crosswalk]]");
    let mut bare = parts.next().unwrap().to_owned();
    for part in parts.filter(|part| !part.contains("shipping-methods")) {
        bare = [bare.as_str(), "[[crosswalk]]", part].concat();
    }
    let bare = bare.replace(
        "warehouse = \"2\"\n",
        "warehouse = \"2\"\nshipping-method = \"11\"\n",
    );
    shop.applied(&bare, &waybill_sim::play::provisioning::SECRETS);
    let agent = shop.start();
    let output = shop.run(&["rehearse", "--retailer", "nobody"]);
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("no retailer `nobody`"),
        "{}",
        stderr(&output)
    );
    let output = shop.run(&["rehearse"]);
    assert!(!output.status.success(), "{}", stdout(&output));
    let told = last(&shop);
    let cell = &told["report"]["end"]["card"]["cell"];
    let named = json!({"from": "erp", "to": "network", "table": "shipping-methods", "value": "11"});
    for (name, value) in named.as_object().unwrap() {
        assert_eq!(cell[name], *value, "{told:#}");
    }
    agent.end(Signal::TERM);
}

#[test]
fn a_kill_in_the_middle_leaves_no_process_and_the_next_one_works() {
    let _turn = shop::turn();
    let shop = Shop::new();
    let agent = quiet(&shop);
    let child = begun(&shop);
    let playing = players(&shop);
    assert!(playing.iter().any(|line| is_agent(line)), "{playing:?}");
    agent.end(Signal::KILL);
    drop(child.wait_with_output());
    wait("the end of what the killed agent began", || {
        players(&shop).is_empty().then_some(())
    });
    let agent = shop.start();
    assert_eq!(files(&shop.data().join("rehearsal")), Vec::<PathBuf>::new());
    assert_eq!(last(&shop)["cut_short"], true);
    let output = shop.run(&["rehearse"]);
    assert!(output.status.success(), "{}", stdout(&output));
    agent.end(Signal::TERM);
}

#[test]
fn without_the_sandbox_program_it_is_said_and_nothing_else_fails() {
    let _turn = shop::turn();
    let beside = Path::new(WAYBILL).parent().unwrap();
    let folder = tempfile::tempdir_in(beside).unwrap();
    let alone = folder.path().join("waybill");
    std::fs::hard_link(WAYBILL, &alone).unwrap();
    let shop = Shop::bare();
    let mut run = std::process::Command::new(&alone);
    run.arg("run").env("WAYBILL_CONFIG", shop.config());
    let mut run = run
        .current_dir(shop.dir.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = wait("the agent", || {
        let output = shop.run(&["rehearse"]);
        (!stderr(&output).contains("no agent is running")).then_some(output)
    });
    drop(run.kill());
    drop(run.wait());
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("is not there"), "{said}");
    assert!(said.contains("go on without a rehearsal"), "{said}");
}
