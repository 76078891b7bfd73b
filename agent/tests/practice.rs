//! Practice with the real connectors against both sandboxes, whose own counters prove that not one writing call came; a
//! kill in between; and going live, which ends without a difference. Waits on what the agent says, never on time.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod shop;

use rustix::process::Signal;
use serde_json::{Value, json};
use shop::{Shop, Town, json as answer, list, stderr, stdout, town, wait};
use std::collections::BTreeSet;
use waybill_sim::check::check;
use waybill_sim::play::provisioning::{self, HURRY, INVOICES, SECRETS, Scene};

/// Endpoints that change something and were called, of both sandboxes; and all calls. Tokens change nothing.
fn calls(town: &Town) -> (BTreeSet<String>, u64) {
    let sides = [
        town.control("GET", "counters", &Value::Null),
        town.erp("GET", "counters", &Value::Null),
    ];
    let mut written = BTreeSet::new();
    let mut total = 0;
    for side in &sides {
        total += side["total"].as_u64().unwrap();
        let names = side["endpoints"].as_object().unwrap().keys();
        written.extend(
            names
                .filter(|name| {
                    let name = name.to_lowercase();
                    let writes = ["post", "put", "patch", "delete"];
                    writes.iter().any(|verb| name.starts_with(verb)) && !name.contains("token")
                })
                .cloned(),
        );
    }
    (written, total)
}

fn practised(shop: &Shop) -> Value {
    answer(&shop.run(&["practice", "list", "--json"]))
}

/// What would be sent for orders, and how many items' stock would be told.
fn told(view: &Value) -> BTreeSet<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = list(&view["rows"]).iter();
    rows.map(|row| (text(row, "number"), text(row, "what")))
        .collect()
}

/// A shop in practice, and two orders at the network.
fn set_up(town: &Town) -> Shop {
    town.hurry();
    let shop = Shop::new();
    let scene = Scene {
        every_method: true,
        invoices: &INVOICES,
        stock: Some("1"),
        ..Scene::of(&HURRY)
    };
    let plan = provisioning::plan(&town.house, &scene);
    let plan = plan.replacen(
        "[settings]\n",
        "[settings]\n\"practice.mode\" = \"on\"\n",
        1,
    );
    shop.applied(&plan, &SECRETS);
    for number in ["PO-PRACTICE-1", "PO-PRACTICE-2"] {
        let wish = json!({"po": number, "retailer": INVOICES[0].0,
            "lines": [{"sku": "TEE-BLK-M", "quantity": 2, "cost_cents": 950}]});
        let made = town.control("POST", "orders", &wish);
        assert!(made["error"].is_null(), "{made:#}");
    }
    shop
}

/// Everything that is set goes out as one file, which changes nothing where it came from; and going live is a version.
fn comes_back(shop: &Shop) {
    let out = shop.run(&["settings", "export", "--out", "all.toml"]);
    assert!(out.status.success(), "{}", stderr(&out));
    let text = std::fs::read_to_string(shop.path("all.toml")).unwrap();
    for (_, secret) in SECRETS {
        assert!(!text.contains(secret), "a secret is in the file");
    }
    let same = answer(&shop.run(&["settings", "import", "all.toml", "--dry-run", "--json"]));
    assert_eq!(
        list(&same["difference"]["changes"]),
        &[] as &[Value],
        "{same:#}"
    );
    let versions = answer(&shop.run(&["settings", "versions", "--json"]));
    let mut rows = list(&versions).iter();
    let live = rows.find(|row| row["key"] == "practice.mode").unwrap();
    let before = (live["version"].as_u64().unwrap() - 1).to_string();
    let table = stdout(&shop.run(&["settings", "compare", &before]));
    assert!(table.contains("practice.mode"), "{table}");
    let shown = shop.run(&["settings", "restore", &before]);
    assert!(
        stdout(&shown).contains("Nothing was changed"),
        "{}",
        stdout(&shown)
    );
}

#[test]
fn not_one_writing_call_comes_in_practice_and_going_live_ends_without_a_difference() {
    let town = town();
    let shop = set_up(town);
    let mut agent = shop.start();
    let expected: BTreeSet<(String, String)> = ["PO-PRACTICE-1", "PO-PRACTICE-2"]
        .into_iter()
        .flat_map(|po| ["Acknowledgement", "Sale"].map(|what| (po.to_owned(), what.to_owned())))
        .collect();
    let ready = |shop: &Shop| {
        wait("what would be sent", || {
            let view = practised(shop);
            let stock = view["stock_waiting"].as_u64().unwrap() > 0;
            (told(&view) == expected && stock).then_some(view)
        })
    };
    let view = ready(&shop);
    assert_eq!((&view["any"], &view["all"]), (&json!(true), &json!(true)));
    let mut rows = list(&view["rows"]).iter();
    let sale = rows.find(|row| row["what"] == "Sale").unwrap();
    assert!(list(&sale["fields"]).len() > 5, "{sale:#}");
    assert_eq!(sale["request"]["method"], "POST");
    let now = sale["now"].as_str().unwrap();
    assert!(now.contains("contact is made first"), "{now}");
    // Killed, and it goes on practising: many calls that read, none that writes.
    agent.end(Signal::KILL);
    agent = shop.start();
    let before = calls(town).1;
    wait("some rounds of reading", || {
        (calls(town).1 > before + 40).then_some(())
    });
    assert_eq!(told(&ready(&shop)), expected);
    assert_eq!(calls(town).0, BTreeSet::new(), "writing calls came");
    let table = stdout(&shop.run(&["practice", "list", "--fields"]));
    assert!(
        table.contains("WOULD SEND") && table.contains("PO-PRACTICE-1"),
        "{table}"
    );

    let live = shop.run(&["practice", "live", "--apply"]);
    assert!(live.status.success(), "{}", stderr(&live));
    assert!(
        stdout(&live).contains("4 practised steps"),
        "{}",
        stdout(&live)
    );
    // Killed at once: what was applied is on disk.
    agent.end(Signal::KILL);
    let agent = shop.start();
    wait("no difference between both sides", || {
        let network = town.control("GET", "truth", &Value::Null);
        let erp = town.erp("GET", "truth", &Value::Null);
        let report = check(&network, &erp, &BTreeSet::new());
        (report.ok() && report.matched == 2 && report.sales == 2).then_some(())
    });
    let view = practised(&shop);
    assert_eq!(
        (&view["any"], &view["practised"]),
        (&json!(false), &json!(0))
    );
    comes_back(&shop);
    let history = stdout(&shop.run(&["history"]));
    assert!(
        history.contains("Went live") && history.contains("Applied what was practised"),
        "{history}"
    );
    drop(agent);
}
