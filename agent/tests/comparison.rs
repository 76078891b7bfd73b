//! The comparison with the real connectors against both sandboxes: what no feed has brought is taken, sales that nobody
//! here knows are said; and what the command line shows of it, and of stock. Waits on what the agent says, never on time.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod shop;

use serde_json::{Value, json};
use shop::{Shop, json as answer, list, stdout, town, wait};
use std::collections::BTreeSet;
use waybill_sim::play::provisioning::{self, HURRY, INVOICES, Pace, SECRETS, Scene};

/// Orders are read at once; what comes back is read when the agent starts, and not again today.
const BLIND: Pace = Pace {
    notes: "80000",
    states: "80000",
    ..HURRY
};

/// The order, once it is that far.
fn order(shop: &Shop, number: &str, stage: &str) -> Value {
    wait(&format!("{number} {stage}"), || {
        let found = answer(&shop.run(&["orders", "--find", number, "--json"]));
        let mut rows = list(&found["rows"]).iter();
        rows.find(|row| row["number"] == number && row["stage"] == stage)
            .cloned()
    })
}

/// Compares, and waits for the report.
fn compare(shop: &Shop) -> Value {
    let begun = answer(&shop.run(&["compare", "--now", "--json"]));
    let id = begun["id"].as_u64().unwrap();
    wait("the report", || {
        let all = answer(&shop.run(&["compare", "--json"]));
        let newest = all["rows"][0].clone();
        (newest["id"] == id).then_some(newest)
    })
}

/// Lines of a report: what was found, the kind, the key.
fn found(report: &Value) -> BTreeSet<(String, String, String)> {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let lines = list(&report["lines"]).iter();
    lines
        .map(|line| {
            (
                text(line, "finding"),
                text(line, "entity"),
                text(line, "key"),
            )
        })
        .collect()
}

#[test]
fn what_no_feed_brought_is_taken_and_strange_sales_are_said() {
    let _turn = shop::turn();
    let town = town();
    town.hurry();
    let shop = Shop::new();
    let plan = provisioning::plan(
        &town.house,
        &Scene {
            every_method: true,
            invoices: &INVOICES,
            ..Scene::of(&BLIND)
        },
    );
    shop.applied(&plan, &SECRETS);
    let agent = shop.start();
    let wish = json!({"po": "PO-COMPARE-1", "retailer": INVOICES[0].0,
        "lines": [{"sku": "TEE-BLK-M", "quantity": 2, "cost_cents": 950}]});
    let made = town.control("POST", "orders", &wish);
    assert!(made["error"].is_null(), "{made:#}");
    order(&shop, "PO-COMPARE-1", "created");
    let quiet = compare(&shop);
    assert_eq!(found(&quiet), BTreeSet::new(), "{quiet:#}");
    assert_eq!(quiet["taken"], 0, "{quiet:#}");

    // Shipped and invoiced at the ERP, and nobody tells of it. Beside it two sales that were made by hand.
    let sales = town.erp("GET", "sales", &Value::Null);
    let own = list(&sales["orders"])
        .iter()
        .find(|sale| sale["ref"] == "PO-COMPARE-1");
    let own = own.unwrap_or_else(|| panic!("{sales:#}")).clone();
    let id = own["id"].as_i64().unwrap();
    let note = json!({"stage": "shipped", "reference": "1Z999AA10000000001"});
    let note = town.erp("POST", &format!("order/{id}/note"), &note);
    let note = note["goodsOutNoteId"].as_i64().unwrap().to_string();
    town.erp("POST", &format!("order/{id}/invoice"), &json!({}));
    let by_hand = |reference: &str| {
        let body = json!({"customer": {"id": own["customerId"]}, "ref": reference, "currency": {"code": "USD"},
            "rows": [{"name": "By hand", "quantity": 1, "taxCode": "Z", "net": "1.00", "tax": "0.00"}]});
        let made = town.erp("POST", "order", &body);
        made["orderId"]
            .as_i64()
            .unwrap_or_else(|| panic!("{made:#}"))
            .to_string()
    };
    let (twice, old) = (by_hand("PO-COMPARE-1"), by_hand("PO-OLD-1"));
    let line =
        |what: &str, entity: &str, key: &str| (what.to_owned(), entity.to_owned(), key.to_owned());
    let expected = BTreeSet::from([
        line("repaired", "invoice", &id.to_string()),
        line("repaired", "shipment", &note),
        line("unknown", "order", &twice),
        line("unknown", "order", &old),
    ]);
    // Lists trail what was written by some seconds: what the first comparison does not see, a later one does. The order's
    // own new state may come by a comparison as well as by its feed.
    let mut all = BTreeSet::new();
    let report = wait("all that was missing", || {
        let report = compare(&shop);
        let lines = found(&report).into_iter();
        all.extend(lines.filter(|(what, entity, _)| what != "repaired" || entity != "order"));
        all.is_superset(&expected).then_some(report)
    });
    assert_eq!(all, expected, "{report:#}");
    let told = report["lines"].to_string();
    assert!(
        told.contains("has the number of order PO-COMPARE-1, whose sale is"),
        "{told}"
    );
    assert!(told.contains("PO-OLD-1, is for"), "{told}");
    // What was taken goes its way to the network; nothing is taken twice.
    order(&shop, "PO-COMPARE-1", "invoiced");
    // The network shows a new order in its list after some seconds.
    wait("order, sale, note and invoice alike", || {
        let again = compare(&shop);
        (again["equal"] == 4 && again["taken"] == 0).then_some(())
    });
    let table = stdout(&shop.run(&["compare"]));
    assert!(
        table.contains("UNKNOWN") && table.contains("PO-OLD-1"),
        "{table}"
    );
    drop(agent);
}

#[test]
fn stock_is_listed_and_explained_on_the_command_line() {
    let _turn = shop::turn();
    let town = town();
    let shop = Shop::new();
    let agent = shop.start();
    let none = shop.run(&["stock", "list"]);
    assert!(
        stdout(&none).contains("there is no route"),
        "{}",
        stdout(&none)
    );
    drop(agent);
    let scene = Scene {
        stock: Some("1"),
        // At this pace polls alone would use up what is left to stock.
        network_calls: Some(100_000),
        ..Scene::of(&HURRY)
    };
    shop.applied(&provisioning::plan(&town.house, &scene), &SECRETS);
    let agent = shop.start();
    let row = wait("a number", || {
        let all = answer(&shop.run(&["stock", "list", "TEE", "--json"]));
        let mut rows = list(&all["rows"]).iter();
        rows.find(|row| row["sent"].is_object()).cloned()
    });
    let item = row["item"].as_str().unwrap();
    assert!(item.starts_with("TEE"), "{row:#}");
    let table = stdout(&shop.run(&["stock", "list", "TEE", "--limit", "1"]));
    assert!(
        table.contains("WAREHOUSE") && table.contains("TEE"),
        "{table}"
    );
    let why = shop.run(&["stock", "why", item]);
    assert!(
        stdout(&why).contains("Why is the number for"),
        "{}",
        stdout(&why)
    );
    let why = answer(&shop.run(&["stock", "why", item, "--json"]));
    let steps = list(&why["places"][0]["steps"]).iter();
    let sum: i64 = steps.map(|step| step["units"].as_i64().unwrap()).sum();
    assert_eq!(
        json!(sum),
        why["places"][0]["row"]["wanted"]["units"],
        "{why:#}"
    );
    let unknown = shop.run(&["stock", "why", "NO-SUCH-ITEM"]);
    assert!(!unknown.status.success());
    let off = shop.run(&["stock", "off"]);
    assert!(stdout(&off).contains("until it is switched on"));
    let all = answer(&shop.run(&["stock", "list", "--json"]));
    assert_eq!(all["on"], false);
    assert!(shop.run(&["stock", "on"]).status.success());
    let again = shop.run(&["stock", "send", item]);
    assert!(
        stdout(&again).contains("are sent again"),
        "{}",
        shop::stderr(&again)
    );
    drop(agent);
}
