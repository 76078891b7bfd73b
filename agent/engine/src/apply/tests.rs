//! The provisioning file as data in, data out: every mistake at once, with its place.

use super::{Mistake, Plan, parse, references};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use waybill_model::contract::{
    Choice, Credential, Descriptor, Feed, Field, Intake, Scheme, Setting, Table,
};
use waybill_model::document::Entity;

pub(super) const FULL: &str = r#"
version = 1

[agent]
store-name = "Northfold Goods"

[settings]
"items.source-id" = "sku"
retry-cap-secs = 2.5

[[retailer]]
code = "1000007001"
settings = { "orders.test-orders" = "allow" }

[[connection]]
name = "network"
connector = "net"
private-addresses = true
grants = ["extra.example:443"]
settings = { api-url = "http://127.0.0.1:9001/api/v3", poll-secs.order = "0.2" }
[connection.credentials.client]
client-id = { env = "NET_ID" }
client-secret = { file = "secret.txt" }
[[connection.retailer]]
code = "1000007001"
settings = { channel = 7 }

[[connection]]
name = "erp"
connector = "books"
settings = { account = "northfold" }

[[route]]
entity = "order"
from = "network"
to = "erp"

[[crosswalk]]
from = "network"
to = "erp"
table = "shipping-methods"
retailer = "1000007001"
pairs = { "UPCG" = "12", "*" = 13 }

[[crosswalk]]
from = "network"
to = "erp"
table = "items"
csv = "items.csv"
"#;

/// A file of the right form that no connector agrees with.
const WRONG: &str = r#"version = 1
[settings]
"items.source-id" = "skuu"
"items.source" = "sku"
[[retailer]]
code = "1"
settings = { gather-secs = "1" }
[[connection]]
name = "network"
connector = "net"
settings = { api-url = "http://10.0.0.1/x", chanel = "1", share = "1,5", live = "yes", mode = "fats" }
[connection.credentials.client]
client-ident = { env = "NET_ID" }
[connection.credentials.token]
value = { env = "NET_ID" }
[[connection.retailer]]
code = "1"
settings = { live = true, channel = "x" }
[[connection]]
name = "erp"
connector = "books"
[[connection]]
name = "third"
connector = "book"
[[route]]
entity = "order"
from = "erp"
to = "network"
[[route]]
entity = "order"
from = "netwrk"
to = "erp"
[[crosswalk]]
from = "network"
to = "erp"
table = "item"
pairs = { a = "b" }
[[crosswalk]]
from = "network"
to = "erp"
table = "reasons"
retailer = "1"
pairs = { a = "b" }
[[crosswalk]]
from = "network"
to = "erp"
table = "items"
pairs = { "*" = "b" }
"#;

fn setting(key: &str, field: Field, required: bool, per_retailer: bool) -> Setting {
    Setting {
        key: key.to_owned(),
        label: key.to_owned(),
        help: format!("Enter {key}."),
        group: "main".to_owned(),
        required,
        per_retailer,
        default: None,
        field,
        was: Vec::new(),
    }
}

fn descriptor(id: &str, title: &str) -> Descriptor {
    Descriptor {
        id: id.to_owned(),
        version: "0.1.0".to_owned(),
        title: title.to_owned(),
        reach: Vec::new(),
        credentials: Vec::new(),
        settings: Vec::new(),
        tables: Vec::new(),
        pulls: Vec::new(),
        pushes: Vec::new(),
    }
}

pub(super) fn descriptors() -> Vec<Descriptor> {
    let choice = |value: &str| Choice {
        value: value.to_owned(),
        label: value.to_owned(),
        disabled: false,
    };
    let mut network = descriptor("net", "The network");
    network.settings = vec![
        setting("api-url", Field::Url, false, false),
        setting("channel", Field::Integer, false, true),
        setting("share", Field::Decimal, false, false),
        setting("live", Field::Toggle, false, false),
        setting(
            "mode",
            Field::OneOf(vec![choice("fast"), choice("slow")]),
            false,
            false,
        ),
    ];
    network.credentials = vec![Credential {
        slot: "client".to_owned(),
        label: "Client".to_owned(),
        help: String::new(),
        scheme: Scheme::Headers(Vec::new()),
        secrets: vec!["client-id".to_owned(), "client-secret".to_owned()],
        hosts: Vec::new(),
        steps: Vec::new(),
    }];
    network.pulls = vec![Feed {
        entity: Entity::Order,
        poll_secs: 60,
        settles: Vec::new(),
    }];
    let mut books = descriptor("books", "The books");
    books.settings = vec![setting("account", Field::Text, true, false)];
    books.pushes = vec![Intake {
        entity: Entity::Order,
        max_batch: 1,
        self_decrementing: false,
    }];
    books.tables = vec![Table {
        name: "reasons".to_owned(),
        label: "Reasons".to_owned(),
        columns: Vec::new(),
        per_retailer: false,
        lookup: None,
    }];
    vec![network, books]
}

pub(super) fn inputs() -> BTreeMap<String, String> {
    [
        ("env:NET_ID", "id-1"),
        ("file:secret.txt", "s3cret"),
        (
            "csv:items.csv",
            r#"[["AB-1","501","Mug"],["AB-2","502",null]]"#,
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

pub(super) fn plan(text: &str) -> Plan {
    parse(text, &inputs()).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn places(mistakes: &[Mistake]) -> Vec<(usize, &str)> {
    mistakes
        .iter()
        .map(|m| (m.line, m.message.as_str()))
        .collect()
}

#[test]
fn a_full_file_is_read() {
    let plan = plan(FULL);
    assert_eq!(plan.store_name.as_deref(), Some("Northfold Goods"));
    assert_eq!(plan.settings[1].value.value, "2.5");
    let network = &plan.connections[0];
    assert!(network.allow_private);
    assert_eq!(network.settings[1].key.value, "poll-secs.order");
    assert_eq!(network.settings[1].value.value, "0.2");
    assert_eq!(network.retailers[0].settings[0].value.value, "7");
    assert_eq!(network.secrets[0].value.expose_secret(), "id-1");
    assert_eq!(network.secrets[1].value.expose_secret(), "s3cret");
    let cells = |at: usize| -> Vec<(&str, &str)> {
        let cells = plan.crosswalks[at].cells.iter();
        cells.map(|c| (c.value.as_str(), c.code.as_str())).collect()
    };
    assert_eq!(
        cells(0),
        [("upcg", "12"), ("*", "13")],
        "methods are kept in lower case"
    );
    assert_eq!(cells(1), [("AB-1", "501"), ("AB-2", "502")]);
    assert_eq!(plan.check(&descriptors()), []);
    assert!(!format!("{plan:?}").contains("s3cret"));
}

#[test]
fn references_are_named_in_order_with_their_places() {
    let found: Vec<_> = references(FULL)
        .unwrap()
        .into_iter()
        .map(|r| (r.name, r.line))
        .collect();
    let line = |text: &str| FULL.lines().position(|l| l.contains(text)).unwrap() + 1;
    assert_eq!(
        found,
        [
            ("env:NET_ID".to_owned(), line("NET_ID")),
            ("file:secret.txt".to_owned(), line("secret.txt")),
            ("csv:items.csv".to_owned(), line("items.csv")),
        ]
    );
}

#[test]
fn missing_inputs_are_mistakes_with_places() {
    let mistakes = parse(FULL, &BTreeMap::new()).unwrap_err();
    assert_eq!(mistakes.len(), 3);
    assert_eq!(
        mistakes[0].message,
        "the environment variable `NET_ID` is not set"
    );
    assert_eq!(
        mistakes[1].message,
        "the file `secret.txt` is empty or cannot be read"
    );
    assert!(mistakes.iter().all(|m| m.hint.is_some() && m.line > 15));
}

#[test]
fn every_mistake_of_form_is_told_at_once() {
    let text = r#"version = 2
storename = "x"
[agent]
store_name = "x"
[[connection]]
name = "Net Work"
connector = 7
grants = ["https://x/y"]
[connection.credentials.client]
client-id = "plain text secret"
client-secret = { env = "A", file = "b" }
[[connection]]
connector = "books"
[route]
entity = "order"
[[crosswalk]]
from = "a"
to = "b"
table = "items"
[[retailer]]
code = "1"
settings = { a = [1] }
[[retailer]]
code = "1"
"#;
    let mistakes = parse(text, &inputs()).unwrap_err();
    assert_eq!(
        places(&mistakes),
        [
            (1, "version 2 is not known"),
            (2, "unknown key `storename` in the file"),
            (4, "unknown key `store_name` in [agent]"),
            (6, "`Net Work` cannot be a connection's name"),
            (7, "`connector` must be a string, not an integer"),
            (8, "`https://x/y` is not a host"),
            (10, "`client-id` must be a table, not a string"),
            (11, "`client-secret` needs either `env` or `file`"),
            (12, "`name` is missing in [[connection]]"),
            (14, "`route` must be a list of tables"),
            (16, "a crosswalk needs either `pairs` or `csv`"),
            (
                22,
                "`a` must be a string, a number, true or false, not an array"
            ),
            (24, "retailer `1` is declared twice, first on line 21"),
        ]
    );
    let hints: Vec<_> = mistakes.iter().filter_map(|m| m.hint.as_deref()).collect();
    assert!(hints.contains(&"Did you mean `store-name`?"), "{hints:?}");
    assert!(
        hints.contains(&"Write `[[route]]` with two brackets."),
        "{hints:?}"
    );
}

#[test]
fn text_that_is_no_toml_tells_every_broken_line() {
    let mistakes = parse("version = 1\na = = 2\n[agent]\nb = \"x\nc = 1\n", &inputs()).unwrap_err();
    let lines: Vec<usize> = mistakes.iter().map(|m| m.line).collect();
    assert!(lines.contains(&2) && lines.contains(&4), "{mistakes:?}");
}

#[test]
fn a_plan_is_checked_against_descriptors_all_at_once() {
    let mistakes = plan(WRONG).check(&descriptors());
    assert_eq!(
        places(&mistakes),
        [
            (
                3,
                "`items.source-id` cannot be `skuu`: it is none of the choices"
            ),
            (4, "the agent has no setting `items.source`"),
            (7, "`gather-secs` cannot differ by retailer"),
            (
                11,
                "`10.0.0.1` is this machine or in a private network, which connection `network` is not granted"
            ),
            (11, "The network has no setting `chanel`"),
            (11, "`share` cannot be `1,5`: it must be a decimal number"),
            (11, "`live` cannot be `yes`: it must be true or false"),
            (11, "`mode` cannot be `fats`: it is none of the choices"),
            (13, "`client` has no secret `client-ident`"),
            (14, "The network has no credentials `token`"),
            (18, "`live` cannot differ by retailer"),
            (18, "`channel` cannot be `x`: it must be a whole number"),
            (20, "connection `erp` lacks the setting `account` (account)"),
            (24, "no connector `book` is loaded"),
            (27, "The books gives no `order` documents"),
            (28, "The network takes no `order` documents"),
            (31, "there is no connection `netwrk`"),
            (36, "there is no table `item`"),
            (42, "table `reasons` cannot differ by retailer"),
            (48, "`*` means nothing in table `items`"),
        ]
    );
    let hint_of = |line: usize| {
        let of_line = mistakes.iter().filter(|m| m.line == line);
        of_line
            .filter_map(|m| m.hint.clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(hint_of(11).contains("`channel`") && hint_of(11).contains("private-addresses"));
    assert_eq!(hint_of(24), "Did you mean `books`?");
    assert_eq!(hint_of(31), "Did you mean `network`?");
}

#[test]
fn a_file_may_refer_to_connections_that_exist() {
    let text = "version = 1\n[[crosswalk]]\nfrom = \"network\"\nto = \"erp\"\ntable = \"items\"\npairs = { a = \"b\" }\n";
    let plan = plan(text);
    assert_eq!(plan.check(&descriptors()).len(), 2);
    let existing = [("network", "net"), ("erp", "books")]
        .map(|(name, connector)| (name.to_owned(), connector.to_owned()))
        .into();
    assert_eq!(plan.check_beside(&descriptors(), &existing), []);
}

#[test]
fn a_contact_that_was_made_for_a_retailer_is_taken_as_it_was_exported() {
    let text = "version = 1\n[[crosswalk]]\nfrom = \"network\"\nto = \"erp\"\ntable = \"customers\"\nretailer = \"R1\"\npairs = { R1 = \"204\" }\n";
    let existing = [("network", "net"), ("erp", "books")]
        .map(|(name, connector)| (name.to_owned(), connector.to_owned()))
        .into();
    let mut described = descriptors();
    let mut contacts = described[1].tables[0].clone();
    "customers".clone_into(&mut contacts.name);
    described[1].tables.push(contacts);
    assert_eq!(plan(text).check_beside(&described, &existing), []);
}

#[test]
fn a_connection_keeps_its_connector() {
    let existing = [("erp".to_owned(), "net".to_owned())].into();
    let mistakes = plan(FULL).check_beside(&descriptors(), &existing);
    assert!(
        mistakes[0]
            .message
            .contains("exists already and uses `net`"),
        "{mistakes:?}"
    );
}

#[test]
fn a_cell_cannot_have_two_codes() {
    let text = "version = 1\n[[crosswalk]]\nfrom = \"a\"\nto = \"b\"\ntable = \"shipping-methods\"\npairs = { \"UPS\" = \"1\",\n \"ups\" = \"2\" }\n";
    let mistakes = parse(text, &inputs()).unwrap_err();
    assert_eq!(
        mistakes[0].message,
        "the cell `ups` of `shipping-methods` is `2` here and `1` on line 6"
    );
}
