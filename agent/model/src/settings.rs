//! The agent's own settings for orders: what is asked, its default, and the typed answer. A connector's settings are
//! in its descriptor; both are stored the same way and may be overridden per retailer.

use crate::contract::{Choice, Field, Setting};
use crate::document::Entity;
use std::collections::BTreeMap;

/// Effective values by key.
pub type Values = BTreeMap<String, String>;

/// Key of the setting: identifier kind of the order's line that names the item.
pub const SOURCE_ID: &str = "items.source-id";
/// Key of the setting: identifier kind of the receiving system's item it must equal.
pub const TARGET_ID: &str = "items.target-id";
/// Key of the setting: what becomes of test orders.
pub const TEST_ORDERS: &str = "orders.test-orders";
/// Key of the setting: how a retailer gets its customer.
pub const CUSTOMERS: &str = "customers.mode";
/// Value of [`CUSTOMERS`]: a retailer's customer is created with the first sale that needs it.
pub const CUSTOMER_PER_RETAILER: &str = "create";
/// Value of [`CUSTOMERS`]: each order has a customer of its own, made of its consumer.
pub const CUSTOMER_PER_ORDER: &str = "order";
/// Key of the setting: how long settles are gathered, in seconds.
pub const GATHER: &str = "gather-secs";
/// Key of the setting: upper bound of the first wait before a retry, in seconds.
pub const RETRY_BASE: &str = "retry-base-secs";
/// Key of the setting: upper bound of every wait before a retry, in seconds.
pub const RETRY_CAP: &str = "retry-cap-secs";
/// Prefix of the settings that set a feed's poll interval in seconds: `poll-secs.order`. Per connection.
pub const POLL: &str = "poll-secs.";
/// Key of the setting: the merchant's time zone, by its IANA name.
pub const TIME_ZONE: &str = "time-zone";
/// Prefix of the settings that limit a flow to hours of the week: `hours.shipment`. Of the connection it comes from.
pub const HOURS: &str = "hours.";
/// Kinds of document that flow over routes.
pub const FLOWS: [Entity; 5] = [
    Entity::Order,
    Entity::Shipment,
    Entity::InventoryLevel,
    Entity::Invoice,
    Entity::Cancellation,
];
/// Key of the setting: hour of the merchant's day at which both sides are compared.
pub const COMPARE_HOUR: &str = "compare-hour";
/// Key of the setting: days that a comparison goes back.
pub const COMPARE_DAYS: &str = "compare-days";
/// Key of the setting: how soon a vendor is asked first what became of a queued write, in seconds. Per connection.
pub const CONFIRM: &str = "confirm-secs";
/// Key of the setting: days that documents and stored answers are kept.
pub const KEEP_DOCUMENTS: &str = "keep-documents-days";
/// Key of the setting: days that transcripts are kept.
pub const KEEP_TRANSCRIPTS: &str = "keep-transcripts-days";
/// Key of the setting: days that audit and setting changes are kept.
pub const KEEP_AUDIT: &str = "keep-audit-days";
/// Key of the setting: MiB of free disk below which people are told.
pub const DISK_ALARM: &str = "disk-alarm-mib";
/// Key of the setting: MiB of free disk below which nothing new is read.
pub const DISK_STOP: &str = "disk-stop-mib";
/// Key of the setting: how far a goods-out note must be before its shipment is reported.
pub const SHIP_TRIGGER: &str = "shipments.trigger";
/// Key of the setting: statuses of a sale at which its shipments are reported, separated by commas.
pub const SHIP_STATUSES: &str = "shipments.statuses";
/// Key of the setting: whether a shipment waits for its tracking number.
pub const SHIP_TRACKING: &str = "shipments.tracking";
/// Key of the setting: hours after which a missing tracking number becomes a card.
pub const SHIP_GRACE: &str = "shipments.tracking-grace-hours";
/// Key of the setting: whether a shipment needs the source's warehouse code.
pub const SHIP_WAREHOUSE: &str = "shipments.warehouse-code";
/// Key of a context's setting: the earliest trigger any retailer has, so that a source reads open notes only if needed.
pub const SHIP_STAGE: &str = "shipments.stage";
/// Key of a context's setting: statuses at which a source must tell a sale's state, separated by commas; missing for none.
pub const TOLD_STATUSES: &str = "order-states.statuses";
/// Key of a connector's setting: codes of shipping methods that stand for no one method, separated by commas.
pub const GENERIC_CODES: &str = "generic-codes";
/// Key of the setting: whether a retailer's request to cancel is answered by itself.
pub const CANCEL_REQUESTS: &str = "cancel.requests";
/// Key of the setting: how far a goods-out note may be for its sale still to be cancelled.
pub const CANCEL_NOTE: &str = "cancel.note";
/// Key of the setting: what becomes of a request when the note is further.
pub const CANCEL_ELSE: &str = "cancel.otherwise";
/// Key of the setting: whether the retailer takes a cancel of a part.
pub const CANCEL_FILL_KILL: &str = "cancel.fill-kill";
/// Key of the setting: how a retailer wants its invoices cut.
pub const INVOICE_POLICY: &str = "invoices.policy";
/// Key of the setting: how far an invoice may be off what the order expects, in the order's currency.
pub const INVOICE_TOLERANCE: &str = "invoices.tolerance";
/// Key of the setting: the same in percent of what is expected.
pub const INVOICE_PERCENT: &str = "invoices.tolerance-percent";
/// Key of the setting: hours after which an invoice that waits for its shipments becomes a card.
pub const INVOICE_WAIT: &str = "invoices.wait-hours";
/// Key of the setting: how many days old an invoice may be that a change of the policy takes up.
pub const INVOICE_AGAIN: &str = "invoices.again-days";
/// Key of the setting: country of addresses that name none.
pub const COUNTRY: &str = "orders.default-country";

/// Key of the setting: where a vendor sends the browser back to after an approval. Per connection.
pub const REDIRECT_URL: &str = "connect.redirect-url";
/// Key of the setting: address under which a vendor reaches this agent's hooks listener. Per connection.
pub const HOOKS_URL: &str = "hooks.public-url";

/// Key of the setting: calls a minute that the vendor agreed to. Per connection.
pub const CALLS_PER_MINUTE: &str = "calls-per-minute";

fn choice(value: &str, label: &str) -> Choice {
    Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        disabled: false,
    }
}

fn setting(key: &str, label: &str, help: &str, default: Option<&str>, field: Field) -> Setting {
    Setting {
        key: key.to_owned(),
        label: label.to_owned(),
        help: help.to_owned(),
        group: key.split('.').next().unwrap_or_default().to_owned(),
        required: false,
        per_retailer: true,
        default: default.map(str::to_owned),
        field,
        was: Vec::new(),
    }
}

/// When a shipment is reported, and what it must have by then.
fn shipment_settings() -> Vec<Setting> {
    let stages = [
        ("created", "Created"),
        ("printed", "Printed"),
        ("picked", "Picked"),
        ("packed", "Packed"),
        ("shipped", "Shipped"),
        ("status", "Any, once its sale has a chosen status"),
    ];
    let choices =
        |of: &[(&str, &str)]| Field::OneOf(of.iter().map(|(v, l)| choice(v, l)).collect());
    vec![
        setting(
            SHIP_TRIGGER,
            "Report a shipment when its note is",
            "How far a goods-out note must be before its shipment is reported.",
            Some("shipped"),
            choices(&stages),
        ),
        setting(
            SHIP_STATUSES,
            "Statuses that report a shipment",
            "Codes of the sale's statuses, separated by commas. They count where a shipment waits for a chosen status.",
            None,
            Field::Text,
        ),
        setting(
            SHIP_TRACKING,
            "Tracking number",
            "Whether a shipment without a tracking number waits for one.",
            Some("wait"),
            choices(&[("wait", "Wait for it"), ("send", "Report without it")]),
        ),
        setting(
            SHIP_GRACE,
            "Hours a tracking number may be late",
            "After that, a shipment without one waits for you.",
            Some("24"),
            Field::Integer,
        ),
        setting(
            SHIP_WAREHOUSE,
            "Warehouse code of a shipment",
            "Required: a shipment from a warehouse without a code waits for you.",
            Some("when-known"),
            choices(&[("when-known", "When it is known"), ("required", "Required")]),
        ),
    ]
}

/// What becomes of a cancellation, whoever wants it.
fn cancel_settings() -> Vec<Setting> {
    let choices =
        |of: &[(&str, &str)]| Field::OneOf(of.iter().map(|(v, l)| choice(v, l)).collect());
    vec![
        setting(
            CANCEL_REQUESTS,
            "A retailer asks to cancel",
            "Accept: the sale is cancelled and the retailer is told, as far as its goods-out note allows. Ask: every request waits for you.",
            Some("accept"),
            choices(&[("accept", "Accept by itself"), ("ask", "Ask me")]),
        ),
        setting(
            CANCEL_NOTE,
            "Cancel a sale while its goods-out note is",
            "An open note that is no further is deleted, and the sale cancelled. What has left the warehouse is never cancelled.",
            Some("none"),
            choices(&[
                ("none", "Not made yet"),
                ("created", "Created"),
                ("printed", "Printed"),
                ("picked", "Picked"),
                ("packed", "Packed"),
            ]),
        ),
        setting(
            CANCEL_ELSE,
            "A request that comes too late",
            "When the note is further than that, or the sale is invoiced or paid.",
            Some("ask"),
            choices(&[("ask", "Ask me"), ("refuse", "Refuse: ship it")]),
        ),
        setting(
            CANCEL_FILL_KILL,
            "Cancels of a part",
            "Some retailers want all or nothing, of an order or of each line. A cancel that breaks it waits for you.",
            Some("none"),
            choices(&[
                ("none", "Allowed"),
                ("order", "Only the whole order"),
                ("line", "Only whole lines"),
            ]),
        ),
    ]
}

/// How invoices are cut, and what they may be off.
fn invoice_settings() -> Vec<Setting> {
    let choices =
        |of: &[(&str, &str)]| Field::OneOf(of.iter().map(|(v, l)| choice(v, l)).collect());
    vec![
        setting(
            INVOICE_POLICY,
            "Invoices",
            "How the retailer wants its invoices, as the network's portal shows it. Each is sent once its shipment is confirmed.",
            Some("order"),
            choices(&[
                ("none", "None: nothing is sent"),
                ("order", "One per order, once all of it has shipped"),
                ("shipment", "One per shipment"),
                ("lines", "Whole lines, each once all of it has shipped"),
            ]),
        ),
        setting(
            INVOICE_TOLERANCE,
            "Amount an invoice may be off",
            "Against the prices of the order. All differences are added up; what is off by more waits for you.",
            Some("0.00"),
            Field::Decimal,
        ),
        setting(
            INVOICE_PERCENT,
            "Percent an invoice may be off",
            "Of what the order expects. The larger of the two counts.",
            Some("0"),
            Field::Decimal,
        ),
        setting(
            INVOICE_WAIT,
            "Hours an invoice may wait for its shipment",
            "After that it is shown to you; it goes on by itself all the same. 0: it waits without a word.",
            Some("72"),
            Field::Integer,
        ),
        setting(
            INVOICE_AGAIN,
            "Days of invoices that a change takes up",
            "When a retailer that took none takes invoices from now on, those of so many days are sent, too. 0: only new ones; at most 90.",
            Some("7"),
            Field::Integer,
        ),
    ]
}

/// The agent's own settings, all of them overridable per retailer.
pub fn agent_settings() -> Vec<Setting> {
    let mut all = order_settings();
    all.extend(crate::amounts::amount_settings());
    all.extend(shipment_settings());
    all.extend(cancel_settings());
    all.extend(invoice_settings());
    all
}

fn order_settings() -> Vec<Setting> {
    let source_kinds = [
        "sku",
        "partner-sku",
        "upc",
        "ean",
        "gtin",
        "mpn",
        "isbn",
        "network-item",
    ];
    let kinds = |names: &[&str]| Field::OneOf(names.iter().map(|n| choice(n, n)).collect());
    vec![
        setting(
            SOURCE_ID,
            "Item id on the order",
            "The field of an order line that names the item.",
            Some("sku"),
            kinds(&source_kinds),
        ),
        setting(
            TARGET_ID,
            "Item id in your ERP",
            "The field of your products that must hold the same value: sku, ean, upc, isbn, mpn, barcode or custom:NAME.",
            Some("sku"),
            Field::Text,
        ),
        setting(
            TEST_ORDERS,
            "Test orders",
            "Networks send test orders while a retailer is set up. Refused ones are shown, never acknowledged, never created.",
            Some("refuse"),
            Field::OneOf(vec![
                choice("refuse", "Refuse"),
                choice("allow", "Import like real ones"),
            ]),
        ),
        setting(
            CUSTOMERS,
            "Customer of a new sale",
            "One contact per retailer: created by itself, or matched by you. Or one for each order, made of its consumer: name, address, phone and e-mail that it ships to. That takes a few calls more per order.",
            Some(CUSTOMER_PER_RETAILER),
            Field::OneOf(vec![
                choice(CUSTOMER_PER_RETAILER, "Create one contact per retailer"),
                choice("map", "I match retailers to contacts"),
                choice(
                    CUSTOMER_PER_ORDER,
                    "Create a contact of the consumer per order",
                ),
            ]),
        ),
        setting(
            COUNTRY,
            "Country of addresses without one",
            "Left empty, such an order waits for you.",
            None,
            Field::Text,
        ),
    ]
}

/// Key of the setting: whether stock is sent.
pub const STOCK_MODE: &str = "stock.mode";
/// Key of the setting: identifier kind of a product that the network knows its item by.
pub const STOCK_ID: &str = "stock.item-id";
/// Key of the setting: percent of what is free that is told.
pub const STOCK_PERCENT: &str = "stock.percent";
/// Key of the setting: units held back of each item in each warehouse.
pub const STOCK_BUFFER: &str = "stock.buffer";
/// Key of the setting: most units that are told of an item in a warehouse.
pub const STOCK_CAP: &str = "stock.cap";
/// Key of the setting: keys of the warehouses whose stock counts, separated by commas.
pub const STOCK_WAREHOUSES: &str = "stock.warehouses";
/// Key of the setting: hours after which every level is sent again.
pub const STOCK_FULL: &str = "stock.full-set-hours";

/// How stock is told, agent-wide; never per retailer, since a network holds one number per item and warehouse.
pub fn stock_settings() -> Vec<Setting> {
    let one = |key: &str, label: &str, help: &str, default: Option<&str>, field: Field| Setting {
        per_retailer: false,
        ..setting(key, label, help, default, field)
    };
    vec![
        one(
            STOCK_MODE,
            "Send stock",
            "Off: nothing is sent; what the network holds stays as it is.",
            Some("on"),
            Field::OneOf(vec![choice("on", "On"), choice("off", "Off")]),
        ),
        one(
            STOCK_ID,
            "Item id in your ERP for stock",
            "The field of your products that holds the network's SKU: sku, ean, upc, isbn, mpn, barcode or custom:NAME. What you matched by hand wins.",
            Some("sku"),
            Field::Text,
        ),
        one(
            STOCK_PERCENT,
            "Percent of the free units",
            "Of what no order has taken, this share is told, rounded down. A cell of the table stock-percent wins.",
            Some("100"),
            Field::Integer,
        ),
        one(
            STOCK_BUFFER,
            "Units held back",
            "Off each item in each warehouse. A cell of the table stock-buffer wins.",
            Some("0"),
            Field::Integer,
        ),
        one(
            STOCK_CAP,
            "Most units told",
            "Of an item in a warehouse. Empty: no bound. A cell of the table stock-cap wins.",
            None,
            Field::Integer,
        ),
        one(
            STOCK_WAREHOUSES,
            "Warehouses that count",
            "Keys of your warehouses, separated by commas. Empty: every warehouse that is matched to one of the network's.",
            None,
            Field::Text,
        ),
        one(
            STOCK_FULL,
            "Full set every so many hours",
            "Networks score how fresh stock is: every level is sent again after this time, changed or not.",
            Some("24"),
            Field::Integer,
        ),
    ]
}

/// When both sides are compared, and how far back.
fn compare_settings() -> impl Iterator<Item = Setting> {
    [
        (
            COMPARE_HOUR,
            "Hour of the comparison",
            "At this hour of your day, 0 to 23, what both sides list is held against what is here.",
            "3",
        ),
        (
            COMPARE_DAYS,
            "Days of the comparison",
            "How far back it goes. 0: there is none.",
            "3",
        ),
    ]
    .into_iter()
    .map(|(key, label, help, default)| Setting {
        per_retailer: false,
        group: "timing".to_owned(),
        ..setting(key, label, help, Some(default), Field::Integer)
    })
}

/// When flows run, and whose hours those are.
fn hour_settings() -> impl Iterator<Item = Setting> {
    let text = |key: &str, label: &str, help: &str| Setting {
        per_retailer: false,
        group: "timing".to_owned(),
        ..setting(key, label, help, None, Field::Text)
    };
    let zone = text(
        TIME_ZONE,
        "Time zone",
        "Name of your time zone, as in Europe/Berlin: for hours and for the times on the page. Empty: this machine's.",
    );
    let hours = FLOWS.into_iter().map(move |entity| {
        text(
            &format!("{HOURS}{entity}"),
            &format!("Hours of {entity}"),
            "When this flow runs, as in mon-fri 06:00-20:00, sat 08:00-12:00. Outside of them nothing new is read or sent. Empty: always.",
        )
    });
    std::iter::once(zone).chain(hours)
}

/// Timings, agent-wide or per connection; never per retailer. Decimal seconds.
pub fn timing_settings() -> Vec<Setting> {
    let timing = |key: &str, label: &str, help: &str, default: Option<&str>| Setting {
        per_retailer: false,
        group: "timing".to_owned(),
        ..setting(key, label, help, default, Field::Decimal)
    };
    let mut all = vec![
        timing(
            GATHER,
            "Gather answers for",
            "How long acknowledgements, sale numbers and shipments wait for each other at most, so that many leave in one call.",
            Some("30"),
        ),
        timing(
            RETRY_BASE,
            "First wait before a retry",
            "Upper bound; doubled at each attempt, with jitter.",
            Some("1"),
        ),
        timing(
            RETRY_CAP,
            "Longest wait before a retry",
            "Upper bound of every wait.",
            Some("300"),
        ),
        timing(
            CONFIRM,
            "First look for a verdict after",
            "Overrides the connector's own first wait.",
            None,
        ),
    ];
    for (key, label, days) in [
        (KEEP_DOCUMENTS, "Keep documents for days", "400"),
        (
            KEEP_TRANSCRIPTS,
            "Keep the messages exchanged for days",
            "90",
        ),
        (KEEP_AUDIT, "Keep the history for days", "800"),
    ] {
        let help = "What an open order needs is never removed, nor what keeps an order from being made twice.";
        all.push(Setting {
            field: Field::Integer,
            ..timing(key, label, help, Some(days))
        });
    }
    for (key, label, mib) in [
        (DISK_ALARM, "Warn below so many MiB of free disk", "1024"),
        (
            DISK_STOP,
            "Read nothing new below so many MiB of free disk",
            "256",
        ),
    ] {
        let help = "What is here already goes on; nothing is lost, it is read once there is room.";
        all.push(Setting {
            field: Field::Integer,
            ..timing(key, label, help, Some(mib))
        });
    }
    all.extend(hour_settings());
    all.extend(compare_settings());
    for entity in Entity::ALL {
        all.push(timing(
            &format!("{POLL}{entity}"),
            &format!("Poll {entity} every"),
            "Overrides the connector's own interval.",
            None,
        ));
    }
    all
}

/// Settings of a connection whatever its connector, never per retailer.
pub fn connection_settings() -> Vec<Setting> {
    let all = [
        setting(
            HOOKS_URL,
            "Address for webhooks",
            "Where the other side reaches this agent's hooks listener, as in https://hooks.example.com. Empty: no webhooks; polling works without them.",
            None,
            Field::Url,
        ),
        setting(
            REDIRECT_URL,
            "Address to come back to",
            "Where the other side sends your browser after you approved, as it was registered there. Empty: this page's own address followed by /connect/ and the connection's name.",
            None,
            Field::Url,
        ),
        setting(
            CALLS_PER_MINUTE,
            "Calls a minute",
            "What the vendor agreed to, where it is more or less than the limit it publishes; a limit by the second grows with it. Empty: the published limits.",
            None,
            Field::Integer,
        ),
    ];
    all.into_iter()
        .map(|setting| Setting {
            per_retailer: false,
            ..setting
        })
        .collect()
}

/// The value of a key: the stored one, else the agent's default.
pub fn value<'a>(values: &'a Values, key: &str, defaults: &'a [Setting]) -> Option<&'a str> {
    values.get(key).map(String::as_str).or_else(|| {
        defaults
            .iter()
            .find(|s| s.key == key)
            .and_then(|s| s.default.as_deref())
    })
}
