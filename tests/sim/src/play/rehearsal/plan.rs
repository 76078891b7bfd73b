//! Owns how a merchant's settings become those of a rehearsal: addresses and credentials of the sandboxes, short waits,
//! no alerts, no practice, no hours; everything else as it is. Must not know what is ordered.

use super::{Brief, Side};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// Settings that would keep an order from going its way now, or would tell somebody of it.
const STOPS: [&str; 9] = [
    "practice.",
    "hours.",
    "alerts.",
    "poll-secs.",
    "compare-",
    "keep-",
    "disk-",
    "retry-",
    "gather-",
];
/// Settings of a connection that say where its system is, how one signs in, and how fast it may be asked.
const PLACES: [&str; 22] = [
    "account",
    "api-domain",
    "base-url",
    "auth",
    "app-ref",
    "dev-ref",
    "oauth-url",
    "instance-id",
    "api-url",
    "install-id",
    "stream-id",
    "transport",
    "search-settle-secs",
    "search-lag-secs",
    "ack-wait-secs",
    "confirm-secs",
    "calls-per-minute",
    "hooks.public-url",
    "connect.redirect-url",
    "multi-message",
    "log-window-secs",
    "confirm-limit-secs",
];
/// The same, by how they begin or end.
const TRANSFERS: [&str; 2] = ["sftp-", "file-"];

/// The settings as they were handed over.
pub(super) struct Settings(Table);

fn is_kept(key: &str) -> bool {
    !STOPS.iter().any(|stop| key.starts_with(stop))
}

fn is_kept_of_connection(key: &str) -> bool {
    is_kept(key)
        && !PLACES.contains(&key)
        && !TRANSFERS.iter().any(|start| key.starts_with(start))
        && !key.ends_with("-by")
}

fn section<'t>(table: &'t Table, name: &str) -> Option<&'t Table> {
    table.get(name)?.as_table()
}

fn tables<'t>(table: &'t Table, name: &str) -> impl Iterator<Item = &'t Table> {
    let list = table.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_table)
}

fn text<'t>(table: &'t Table, name: &str) -> Option<&'t str> {
    table.get(name)?.as_str()
}

/// Settings without those that are not kept.
fn sifted(all: Option<&Table>, is_kept: impl Fn(&str) -> bool) -> Table {
    let all = all.into_iter().flatten();
    all.filter(|(key, _)| is_kept(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn with(mut table: Table, pairs: &[(&str, &str)]) -> Table {
    for (key, value) in pairs {
        table.insert((*key).to_owned(), Value::from(*value));
    }
    table
}

/// Own settings of retailers.
fn retailers(within: &Table, is_kept: impl Fn(&str) -> bool + Copy) -> Vec<Value> {
    let own = tables(within, "retailer").filter_map(|retailer| {
        let settings = sifted(section(retailer, "settings"), is_kept);
        let code = text(retailer, "code")?;
        let mut table = with(Table::new(), &[("code", code)]);
        table.insert("settings".to_owned(), Value::Table(settings));
        Some(Value::Table(table))
    });
    own.collect()
}

impl Settings {
    pub(super) fn read(file: &str) -> anyhow::Result<Self> {
        Ok(Self(file.parse()?))
    }

    fn connection(&self, name: &str) -> Option<&Table> {
        tables(&self.0, "connection").find(|table| text(table, "name") == Some(name))
    }

    /// What holds for a retailer: of that connection, or agent-wide where none is named.
    pub(super) fn value(&self, of: Option<&Side>, retailer: &str, key: &str) -> Option<&str> {
        let within = match of {
            Some(side) => self.connection(&side.name)?,
            None => &self.0,
        };
        let own = tables(within, "retailer").find(|own| text(own, "code") == Some(retailer));
        let own = own.and_then(|own| text(section(own, "settings")?, key));
        let value = own.or_else(|| text(section(within, "settings")?, key))?;
        Some(value).filter(|value| !value.trim().is_empty())
    }

    /// Every value that settings of a connection give a key, whoever it is for.
    pub(super) fn named(&self, of: &Side, keys: &[&str]) -> BTreeSet<String> {
        let Some(within) = self.connection(&of.name) else {
            return BTreeSet::new();
        };
        let own = tables(within, "retailer").chain([within]);
        let settings = own.filter_map(|table| section(table, "settings"));
        let values = settings.flat_map(|s| keys.iter().filter_map(|key| text(s, key)));
        values
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// The cells of a table for a retailer; `None`: of all of them.
    pub(super) fn cells(
        &self,
        (from, to): (&Side, &Side),
        table: &str,
        retailer: Option<&str>,
    ) -> BTreeMap<String, String> {
        let mut cells = BTreeMap::new();
        let fitting = |own: &&Table| {
            text(own, "from") == Some(&from.name)
                && text(own, "to") == Some(&to.name)
                && text(own, "table") == Some(table)
        };
        let all: Vec<&Table> = tables(&self.0, "crosswalk").filter(fitting).collect();
        // What is said for one retailer counts before what is said for all.
        for own in [false, true] {
            for table in &all {
                let whose = text(table, "retailer");
                let counts = whose.is_none_or(|code| retailer.is_none_or(|wanted| wanted == code));
                if whose.is_some() != own || !counts {
                    continue;
                }
                for (value, code) in section(table, "pairs").into_iter().flatten() {
                    cells.insert(value.clone(), code.as_str().unwrap_or_default().to_owned());
                }
            }
        }
        cells
    }

    /// Whether anything of a connection goes by files.
    pub(super) fn goes_by_files(&self, of: &Side) -> bool {
        let value = |key: &str| self.value(Some(of), "", key);
        let Some(within) = self.connection(&of.name) else {
            return false;
        };
        let mut ways = section(within, "settings").into_iter().flatten();
        let is_file =
            |(key, by): (&String, &Value)| key.ends_with("-by") && by.as_str() == Some("files");
        match value("transport") {
            Some("files") => true,
            Some("each") => ways.any(is_file),
            _ => false,
        }
    }

    /// The provisioning of the rehearsal. `addresses`: of both sandboxes. `matched`: how the ordered item is matched,
    /// where its identifiers alone do not say it.
    pub(super) fn provisioning(
        &self,
        brief: &Brief,
        (network, erp): (&str, &str),
        matched: Option<(&str, &str)>,
    ) -> anyhow::Result<String> {
        let mut file = Table::new();
        file.insert("version".to_owned(), Value::from(1));
        if let Some(agent) = section(&self.0, "agent") {
            file.insert("agent".to_owned(), Value::Table(agent.clone()));
        }
        let settings = with(
            sifted(section(&self.0, "settings"), is_kept),
            &[
                ("gather-secs", "0.1"),
                ("retry-base-secs", "0.2"),
                ("retry-cap-secs", "1"),
                ("compare-days", "0"),
            ],
        );
        file.insert("settings".to_owned(), Value::Table(settings));
        file.insert("retailer".to_owned(), retailers(&self.0, is_kept).into());
        let connections = vec![self.network(brief, network), self.erp(brief, erp)];
        file.insert("connection".to_owned(), connections.into());
        file.insert("route".to_owned(), routes(brief).into());
        let crosswalk = self.crosswalk(brief, matched);
        file.insert("crosswalk".to_owned(), crosswalk.into());
        Ok(toml::to_string(&file)?)
    }

    fn made_over(
        &self,
        side: &Side,
        pairs: &[(&str, &str)],
        secrets: (&str, &[(&str, &str)]),
    ) -> Value {
        let empty = Table::new();
        let old = self.connection(&side.name).unwrap_or(&empty);
        let mut table = with(
            Table::new(),
            &[
                ("name", &side.name),
                ("connector", &side.connector),
                ("title", &side.title),
            ],
        );
        table.insert("private-addresses".to_owned(), Value::from(true));
        let settings = with(
            sifted(section(old, "settings"), is_kept_of_connection),
            pairs,
        );
        table.insert("settings".to_owned(), Value::Table(settings));
        let own = retailers(old, is_kept_of_connection);
        if !own.is_empty() {
            table.insert("retailer".to_owned(), own.into());
        }
        let (slot, named) = secrets;
        let named = named.iter().map(|(name, variable)| {
            let place = with(Table::new(), &[("env", variable)]);
            ((*name).to_owned(), Value::Table(place))
        });
        let mut credentials = Table::new();
        credentials.insert(slot.to_owned(), Value::Table(named.collect()));
        table.insert("credentials".to_owned(), Value::Table(credentials));
        Value::Table(table)
    }

    fn network(&self, brief: &Brief, api: &str) -> Value {
        self.made_over(
            &brief.from,
            &[
                ("api-url", &format!("{api}/api/v3")),
                ("auth", "client"),
                ("transport", "api"),
                ("poll-secs.order", "0.3"),
                ("poll-secs.cancellation", "60"),
                ("confirm-secs", "0.3"),
                ("ack-wait-secs", "1"),
                ("search-settle-secs", "1"),
            ],
            (
                "client",
                &[
                    ("client-id", "NETWORK_CLIENT_ID"),
                    ("client-secret", "NETWORK_CLIENT_SECRET"),
                ],
            ),
        )
    }

    fn erp(&self, brief: &Brief, api: &str) -> Value {
        self.made_over(
            &brief.to,
            &[
                ("base-url", &format!("{api}/public-api/simaccount")),
                ("auth", "staff"),
                ("app-ref", "simaccount_waybill"),
                ("poll-secs.shipment", "1"),
                ("poll-secs.order-state", "2"),
                ("poll-secs.invoice", "1"),
                ("poll-secs.inventory-level", "3600"),
                ("search-settle-secs", "1"),
            ],
            ("staff", &[("token", "ERP_STAFF_TOKEN")]),
        )
    }

    /// The cells between both, and the one of the ordered item.
    fn crosswalk(&self, brief: &Brief, matched: Option<(&str, &str)>) -> Vec<Value> {
        let names = [brief.from.name.as_str(), brief.to.name.as_str()];
        let is_ours = |own: &&Table| {
            let ends = [text(own, "from"), text(own, "to")];
            ends.iter()
                .all(|end| end.is_some_and(|end| names.contains(&end)))
        };
        let all = tables(&self.0, "crosswalk").filter(is_ours);
        let mut all: Vec<Value> = all.map(|own| Value::Table(own.clone())).collect();
        if let Some((value, key)) = matched {
            let mut table = with(
                Table::new(),
                &[("from", names[0]), ("to", names[1]), ("table", "items")],
            );
            table.insert(
                "pairs".to_owned(),
                Value::Table(with(Table::new(), &[(value, key)])),
            );
            all.push(Value::Table(table));
        }
        all
    }
}

fn routes(brief: &Brief) -> Vec<Value> {
    let (network, erp) = (brief.from.name.as_str(), brief.to.name.as_str());
    let all = [
        ("order", network, erp),
        ("shipment", erp, network),
        ("invoice", erp, network),
        ("cancellation", network, erp),
        ("cancellation", erp, network),
    ];
    let route = |(entity, from, to): (&str, &str, &str)| {
        Value::Table(with(
            Table::new(),
            &[("entity", entity), ("from", from), ("to", to)],
        ))
    };
    all.map(route).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
version = 1
[settings]
"practice.mode" = "on"
"alerts.mail-to" = "a@b.test"
"hours.order" = "mon 06:00-07:00"
"items.source-id" = "upc"
[[retailer]]
code = "7"
[retailer.settings]
"practice.order" = "on"
"invoices.policy" = "shipment"
[[connection]]
name = "shop"
connector = "brightpearl"
title = "Shop"
[connection.settings]
base-url = "https://live.example/public-api/mine"
"hooks.public-url" = "https://hooks.example"
account = "mine"
warehouse = "4"
[[connection.retailer]]
code = "7"
[connection.retailer.settings]
warehouse = "5"
[[connection]]
name = "net"
connector = "dsco"
title = "Net"
[connection.settings]
api-url = "https://api.live.example/api/v3"
sftp-host = "sftp.live.example"
transport = "each"
orders-by = "files"
ship-warehouse = "true"
[[connection]]
name = "other"
connector = "dsco"
title = "Other"
[[crosswalk]]
from = "net"
to = "shop"
table = "warehouses"
[crosswalk.pairs]
WH1 = "4"
[[crosswalk]]
from = "net"
to = "shop"
table = "warehouses"
retailer = "7"
[crosswalk.pairs]
WH1 = "5"
[[crosswalk]]
from = "other"
to = "shop"
table = "warehouses"
[crosswalk.pairs]
X = "9"
"#;

    fn side(name: &str, connector: &str) -> Side {
        Side {
            name: name.to_owned(),
            title: name.to_owned(),
            connector: connector.to_owned(),
            lists: BTreeMap::new(),
            cut: BTreeSet::new(),
            warehouses: Vec::new(),
            methods: Vec::new(),
        }
    }

    fn brief() -> Brief {
        Brief {
            settings: FILE.to_owned(),
            from: side("net", "dsco"),
            to: side("shop", "brightpearl"),
            retailer: None,
            item: None,
            looked_at: 0,
        }
    }

    #[test]
    fn nothing_of_the_live_systems_is_left_and_nothing_holds_the_order_up() {
        let brief = brief();
        let settings = Settings::read(FILE).unwrap();
        assert!(settings.goes_by_files(&brief.from) && !settings.goes_by_files(&brief.to));
        let addresses = ("http://127.0.0.1:1", "http://127.0.0.1:2");
        let file = settings
            .provisioning(&brief, addresses, Some(("SKU", "1001")))
            .unwrap();
        for gone in [
            "example", "practice", "alerts", "hours", "b.test", "other", "\"9\"",
        ] {
            assert!(!file.contains(gone), "{gone}:\n{file}");
        }
        let made: Table = file.parse().unwrap();
        let made = Settings(made);
        assert!(!made.goes_by_files(&brief.from));
        assert_eq!(made.value(None, "7", "items.source-id"), Some("upc"));
        assert_eq!(made.value(None, "7", "invoices.policy"), Some("shipment"));
        assert_eq!(made.value(Some(&brief.to), "7", "warehouse"), Some("5"));
        assert_eq!(made.value(Some(&brief.to), "8", "warehouse"), Some("4"));
        assert_eq!(
            made.value(Some(&brief.from), "7", "ship-warehouse"),
            Some("true")
        );
        let to_shop = (&brief.from, &brief.to);
        assert_eq!(made.cells(to_shop, "warehouses", Some("7"))["WH1"], "5");
        assert_eq!(made.cells(to_shop, "warehouses", Some("8"))["WH1"], "4");
        assert_eq!(made.cells(to_shop, "items", Some("8"))["SKU"], "1001");
    }
}
