//! Owns what the ERP's sandbox holds in a rehearsal: the lists of the merchant's own account as far as they are known,
//! else what the settings name, so that the merchant's ids mean there what they mean at home. Must not know the order.

use super::plan::Settings;
use super::{Brief, Entry, Item, aside};
use crate::brightpearl::{Furniture, Goods};
use std::collections::{BTreeMap, BTreeSet};

/// Members of staff: a list of contacts, not of the account's own.
const STAFF: &str = "staff";
/// Custom fields of products: a list beside the seeded one.
const PRODUCT_FIELDS: &str = "product-field";
/// Entries of a list of records that are handed over: where there are as many there may be more.
const LISTED: usize = 500;

/// Lists of the account, what people call them, and the settings that are chosen from them.
const LISTS: [(&str, &str, &[&str]); 10] = [
    (
        "order-status",
        "statuses",
        &["order-status", "cancel-status"],
    ),
    ("channel", "channels", &["channel"]),
    ("price-list", "price lists", &["price-list"]),
    ("warehouse", "warehouses", &["warehouse"]),
    ("shipping-method", "shipping methods", &["shipping-method"]),
    ("lead-source", "lead sources", &["lead-source"]),
    ("tax-code", "tax codes", &["tax-code", "charge-tax-code"]),
    (
        "nominal-code",
        "nominal codes",
        &[
            "nominal-code",
            "nominal-shipping",
            "nominal-handling",
            "nominal-discount",
            "nominal-surcharge",
            "nominal-tax",
        ],
    ),
    (STAFF, "members of staff", &["owner"]),
    (
        PRODUCT_FIELDS,
        "custom fields of products",
        &["custom-id-field"],
    ),
];

/// What is known of a list of the account.
#[derive(Debug, Default)]
struct Known {
    /// Words by value; empty: it was never read.
    entries: BTreeMap<String, String>,
    /// It is longer.
    cut: bool,
}

impl Known {
    fn add(&mut self, entries: &[Entry], cut: bool) {
        self.entries.extend(entries.iter().cloned());
        self.cut |= cut;
    }
}

/// What is known of a list: as it was offered last for those of the settings that say something, since these are looked at
/// every day; else for any of them; else what was read as records.
fn known(settings: &Settings, brief: &Brief, list: &str, keys: &[&str]) -> Known {
    let of = &brief.to;
    let mut known = Known::default();
    let says = |key: &&&str| !settings.named(of, &[**key]).is_empty();
    let offered = |key: &&&str| of.lists.contains_key(**key);
    let said = keys.iter().filter(says).filter(offered).copied();
    let mut taken: Vec<&str> = said.collect();
    if taken.is_empty() {
        taken.extend(keys.iter().find(offered));
    }
    for key in taken {
        known.add(&of.lists[key], of.cut.contains(key));
    }
    if known.entries.is_empty() {
        let records = match list {
            "warehouse" => of.warehouses.as_slice(),
            "shipping-method" => of.methods.as_slice(),
            _ => &[],
        };
        known.add(records, records.len() >= LISTED);
    }
    known
}

/// A value with its name, where that is known.
pub(super) fn in_words(settings: &Settings, brief: &Brief, list: &str, value: &str) -> String {
    let keys = LISTS.iter().find(|(name, ..)| *name == list);
    let mut all = keys.map(|(_, _, keys)| known(settings, brief, list, keys).entries);
    match all.as_mut().and_then(|all| all.remove(value)) {
        Some(name) if name.contains(value) => name,
        Some(name) => format!("{name} ({value})"),
        None => value.to_owned(),
    }
}

/// The network's warehouses: those that were read, and those that are matched.
pub(super) fn network_warehouses(settings: &Settings, brief: &Brief) -> Vec<Entry> {
    let into = settings.cells((&brief.from, &brief.to), "warehouses", None);
    let back = settings.cells((&brief.to, &brief.from), "warehouses", None);
    let matched = into.into_keys().chain(back.into_values());
    let matched = matched.filter(|code| !code.is_empty() && code != "*");
    let read = brief.from.warehouses.iter().cloned();
    read.chain(matched.map(|code| (code.clone(), code)))
        .collect()
}

/// The account; says which lists were never read.
pub(super) fn furniture(settings: &Settings, brief: &Brief, item: &Item) -> Furniture {
    let mut with = Furniture::default();
    let mut unread = Vec::new();
    for (list, words, keys) in LISTS {
        let Known { mut entries, cut } = known(settings, brief, list, keys);
        let is_unread = entries.is_empty();
        if is_unread || cut {
            let named = named(settings, brief, list, keys);
            if is_unread && !named.is_empty() {
                unread.push(words);
            }
            for value in named {
                entries.entry(value.clone()).or_insert(value);
            }
        }
        if !entries.is_empty() {
            let entries = entries.into_iter().collect();
            with.lists.insert(list.to_owned(), entries);
        }
    }
    let staff = with.lists.remove(STAFF).unwrap_or_default().into_iter();
    with.staff = staff
        .filter_map(|(id, name)| Some((id.parse().ok()?, name)))
        .collect();
    with.product_fields = with.lists.remove(PRODUCT_FIELDS).unwrap_or_default();
    if !unread.is_empty() {
        aside(&format!(
            "These lists were not read from {} yet, so what you entered of them is taken as it is: {}. Look at the page Defaults once, and they are.",
            brief.to.title,
            unread.join(", ")
        ));
    }
    let contacts = settings.cells((&brief.from, &brief.to), "customers", None);
    let ids = contacts.values().filter_map(|code| code.parse().ok());
    with.contacts = ids.collect();
    with.goods = vec![Goods {
        id: item.key.parse().unwrap_or(1001),
        name: item.title.clone(),
        identifiers: item.identifiers.clone(),
    }];
    with
}

/// Values of a list that settings and matches name.
fn named(settings: &Settings, brief: &Brief, list: &str, keys: &[&str]) -> BTreeSet<String> {
    let mut named = settings.named(&brief.to, keys);
    let table = match list {
        "warehouse" => "warehouses",
        "shipping-method" => "shipping-methods",
        "order-status" => {
            let statuses = settings
                .value(None, "", "shipments.statuses")
                .unwrap_or_default();
            named.extend(super::order::list(statuses));
            return named;
        }
        _ => return named,
    };
    let into = settings.cells((&brief.from, &brief.to), table, None);
    let back = settings.cells((&brief.to, &brief.from), table, None);
    let cells = into.into_values().chain(back.into_keys());
    named.extend(cells.filter(|value| value.parse::<i64>().is_ok()));
    named
}

#[cfg(test)]
mod tests {
    use super::super::Side;
    use super::*;
    use crate::brightpearl::{Brightpearl, Options};
    use crate::vendor::{Req, Vendor as _};
    use serde_json::{Value, json};

    const FILE: &str = r#"
version = 1
[settings]
"items.target-id" = "custom:PCF_NET"
[[connection]]
name = "shop"
[connection.settings]
owner = "77"
custom-id-field = "PCF_NET"
nominal-tax = "2200"
nominal-code = "4100"
channel = "9"
[[crosswalk]]
from = "net"
to = "shop"
table = "warehouses"
[crosswalk.pairs]
"*" = "2"
NJ-MAIN = "4"
[[crosswalk]]
from = "shop"
to = "net"
table = "warehouses"
[crosswalk.pairs]
4 = "NJ-BACK"
"#;

    fn entries(all: &[&str]) -> Vec<Entry> {
        let named = |value: &&str| ((*value).to_owned(), format!("Name of {value}"));
        all.iter().map(named).collect()
    }

    fn side(name: &str) -> Side {
        Side {
            name: name.to_owned(),
            title: name.to_owned(),
            connector: name.to_owned(),
            lists: BTreeMap::new(),
            cut: BTreeSet::new(),
            warehouses: Vec::new(),
            methods: Vec::new(),
        }
    }

    fn brief() -> Brief {
        Brief {
            settings: FILE.to_owned(),
            from: side("net"),
            to: side("shop"),
            retailer: None,
            item: None,
            looked_at: 0,
        }
    }

    fn item() -> Item {
        Item {
            key: "1234".to_owned(),
            title: "Tee".to_owned(),
            identifiers: vec![
                ("sku".to_owned(), "TEE".to_owned()),
                ("custom:PCF_NET".to_owned(), "N-1".to_owned()),
            ],
            source: "sku".to_owned(),
            target: "custom:PCF_NET".to_owned(),
            value: "N-1".to_owned(),
        }
    }

    fn values(with: &Furniture, list: &str) -> Vec<String> {
        let all = with.lists.get(list).into_iter().flatten();
        all.map(|(value, _)| value.clone()).collect()
    }

    fn get(account: &mut Brightpearl, path: &str) -> Value {
        let req = Req::new("GET", &format!("/public-api/simaccount{path}"))
            .with_header("brightpearl-app-ref", "simaccount_waybill")
            .with_header("brightpearl-staff-token", "sim-staff-token");
        let now = 1_762_178_700_000;
        account.tick(now);
        let answer = account.handle(now, &req);
        assert_eq!(answer.status, 200, "{path}: {}", answer.value());
        answer.value()["response"].clone()
    }

    #[test]
    fn what_settings_name_is_in_the_lists_that_they_are_held_against() {
        let (brief, settings) = (brief(), Settings::read(FILE).unwrap());
        let with = furniture(&settings, &brief, &item());
        assert_eq!(values(&with, "nominal-code"), ["2200", "4100"]);
        let mut account = Brightpearl::new(Options::default()).furnished(&with);
        let staff = get(
            &mut account,
            "/contact-service/contact-search?isStaff=true&columns=contactId",
        );
        assert_eq!(staff["results"], json!([[4], [77]]));
        let fields = get(
            &mut account,
            "/product-service/product/custom-field-meta-data",
        );
        let codes = fields.as_array().unwrap().iter();
        let codes: Vec<&Value> = codes.map(|field| &field["code"]).collect();
        assert_eq!(codes, ["PCF_DSCO", "PCF_DSCOSKU", "PCF_NET"]);
        let custom = get(&mut account, "/product-service/product-custom-field/1234");
        assert_eq!(custom["1234"], json!({"PCF_NET": "N-1"}));
    }

    #[test]
    fn a_whole_list_counts_and_a_cut_one_gets_what_is_named() {
        let (mut brief, settings) = (brief(), Settings::read(FILE).unwrap());
        let lists = [
            ("channel", vec!["1", "2"]),
            ("owner", vec!["5"]),
            // Of a setting that says nothing: nobody has looked at it since.
            ("nominal-shipping", vec!["1"]),
            ("nominal-code", vec!["4100"]),
            ("nominal-tax", vec!["4100", "2200"]),
        ];
        for (key, all) in lists {
            brief.to.lists.insert(key.to_owned(), entries(&all));
        }
        brief.to.cut.insert("owner".to_owned());
        let with = furniture(&settings, &brief, &item());
        assert_eq!(values(&with, "channel"), ["1", "2"]);
        assert_eq!(values(&with, "nominal-code"), ["2200", "4100"]);
        let staff: Vec<i64> = with.staff.iter().map(|(id, _)| *id).collect();
        assert_eq!(staff, [5, 77]);
        let words = |value| in_words(&settings, &brief, "channel", value);
        assert_eq!((words("2"), words("9")), ("Name of 2".into(), "9".into()));
    }

    #[test]
    fn warehouses_of_the_network_are_those_read_and_those_matched() {
        let (mut brief, settings) = (brief(), Settings::read(FILE).unwrap());
        brief.from.warehouses = entries(&["NY"]);
        let all = network_warehouses(&settings, &brief).into_iter();
        let codes: Vec<String> = all.map(|(code, _)| code).collect();
        assert_eq!(codes, ["NY", "NJ-MAIN", "NJ-BACK"]);
    }
}
