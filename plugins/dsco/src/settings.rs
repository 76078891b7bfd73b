//! The settings of a connection, typed, with their defaults. Must not know how a setting is shown: `describe.rs` does.

use waybill_sdk::Settings;
use waybill_sdk::types::Problem;

/// Every key, and its default where it has one.
pub(crate) mod key {
    pub(crate) const API_URL: (&str, &str) = ("api-url", "https://api.dsco.io/api/v3");
    pub(crate) const AUTH: (&str, &str) = ("auth", "client");
    pub(crate) const INSTALL_ID: (&str, &str) = ("install-id", "main");
    pub(crate) const STREAM_ID: &str = "stream-id";
    pub(crate) const ORDER_TYPES: (&str, &str) = ("order-types", "dropship");
    pub(crate) const TEST_ORDERS: (&str, &str) = ("include-test-orders", "false");
    pub(crate) const TOTAL: (&str, &str) = ("total-field", "extendedExpectedCostTotal");
    pub(crate) const SURCHARGE: (&str, &str) = ("surcharge-as-charge", "false");
    pub(crate) const PAGE_SIZE: (&str, i64) = ("page-size", 1000);
    pub(crate) const BACKFILL_DAYS: (&str, i64) = ("backfill-days", 365);
    pub(crate) const CHECKPOINT_POLLS: (&str, i64) = ("checkpoint-polls", 5);
    pub(crate) const SEARCH_LAG: (&str, i64) = ("search-lag-secs", 10);
    pub(crate) const SETTLE: (&str, i64) = ("search-settle-secs", 30);
    pub(crate) const LOG_WINDOW: (&str, i64) = ("log-window-secs", 60);
    pub(crate) const ACK_WAIT: (&str, i64) = ("ack-wait-secs", 5);
    pub(crate) const CONFIRM_LIMIT: (&str, i64) = ("confirm-limit-secs", 7200);

    pub(crate) const SKIP_UNKNOWN: (&str, &str) = ("skip-unknown-items", "true");

    pub(crate) const INVOICE_SHIP: (&str, &str) = ("invoice-tracking", "true");
    pub(crate) const INVOICE_SUBTOTALS: (&str, &str) = ("invoice-subtotals", "true");
    pub(crate) const INVOICE_DAYS: &str = "invoice-net-days";

    pub(crate) const GENERIC: (&str, &str) = ("generic-codes", "GCG,GND,GSE,GCP,GCE");
    pub(crate) const SHIP_WAREHOUSE: (&str, &str) = ("ship-warehouse", "true");
    pub(crate) const SHIP_COST: (&str, &str) = ("ship-cost", "none");
    pub(crate) const SHIP_TO: (&str, &str) = ("ship-to", "false");
    pub(crate) const REQUEST_CODE: (&str, &str) = ("cancel-request-code", "CXSC");
    pub(crate) const SHIP_FROM: &str = "ship-from";
    pub(crate) const TRACKING_URL: &str = "tracking-url";

    /// The whole-number settings with the least and the most they may be.
    pub(crate) const RANGES: [((&str, i64), i64, i64); 8] = [
        (PAGE_SIZE, 10, 1000),
        (BACKFILL_DAYS, 0, 3650),
        (CHECKPOINT_POLLS, 1, 1000),
        (SEARCH_LAG, 6, 600),
        (SETTLE, 0, 3600),
        (LOG_WINDOW, 10, 3600),
        (ACK_WAIT, 0, 600),
        (CONFIRM_LIMIT, 60, 604_800),
    ];
    /// What `total-field` may be.
    pub(crate) const TOTALS: [&str; 3] = [TOTAL.1, "orderTotalAmount", "none"];
}

/// Slots of the descriptor.
pub(crate) const CLIENT: &str = "client";
pub(crate) const TOKEN: &str = "token";

/// The settings of a call.
#[derive(Debug, Clone)]
pub(crate) struct Config<'a> {
    raw: Settings<'a>,
    /// Without a slash at its end.
    pub(crate) api_url: &'a str,
    /// The slot whose secret is sent.
    pub(crate) credential: &'static str,
    install_id: &'a str,
    pub(crate) order_types: Vec<&'a str>,
    pub(crate) test_orders: bool,
    pub(crate) total_field: &'a str,
    pub(crate) surcharge_as_charge: bool,
    pub(crate) page_size: usize,
    pub(crate) backfill_ms: i64,
    pub(crate) checkpoint_polls: i64,
    pub(crate) search_lag_ms: i64,
    pub(crate) settle_ms: i64,
    pub(crate) log_window_ms: i64,
    pub(crate) ack_wait_secs: u32,
    pub(crate) confirm_limit_ms: i64,
    /// Leave out the stock of items that DSCO does not have, instead of making them there.
    pub(crate) skip_unknown: bool,
}

impl<'a> Config<'a> {
    /// Reads what is there; whatever is missing or out of range has its default.
    pub(crate) fn read(pairs: &'a [(String, String)]) -> Self {
        let raw = Settings::new(pairs);
        let whole = |(name, default): (&str, i64)| {
            let value = raw.integer(name, default);
            let range = key::RANGES.iter().find(|((key, _), _, _)| *key == name);
            range.map_or(value, |(_, least, most)| value.clamp(*least, *most))
        };
        let text = |(name, default): (&str, &'static str)| raw.text(name, default);
        let order_types = text(key::ORDER_TYPES)
            .split(',')
            .map(str::trim)
            .filter(|kind| !kind.is_empty())
            .collect();
        Self {
            raw,
            api_url: text(key::API_URL).trim_end_matches('/'),
            credential: if text(key::AUTH) == TOKEN {
                TOKEN
            } else {
                CLIENT
            },
            install_id: text(key::INSTALL_ID),
            order_types,
            test_orders: raw.toggle(key::TEST_ORDERS.0, false),
            total_field: text(key::TOTAL),
            surcharge_as_charge: raw.toggle(key::SURCHARGE.0, false),
            page_size: usize::try_from(whole(key::PAGE_SIZE)).unwrap_or(1000),
            backfill_ms: whole(key::BACKFILL_DAYS) * 86_400_000,
            checkpoint_polls: whole(key::CHECKPOINT_POLLS),
            search_lag_ms: whole(key::SEARCH_LAG) * 1000,
            settle_ms: whole(key::SETTLE) * 1000,
            log_window_ms: whole(key::LOG_WINDOW) * 1000,
            ack_wait_secs: u32::try_from(whole(key::ACK_WAIT)).unwrap_or(1),
            confirm_limit_ms: whole(key::CONFIRM_LIMIT) * 1000,
            skip_unknown: raw.toggle(key::SKIP_UNKNOWN.0, true),
        }
    }

    /// The value of a retailer's own setting, else the connection's.
    pub(crate) fn own(&self, own: Settings<'a>, key: &str) -> Option<&'a str> {
        own.get(key).or_else(|| self.raw.get(key))
    }

    /// The id of our order stream: always the same for an install, so that a restart finds it.
    pub(crate) fn stream_id(&self) -> String {
        self.raw.get(key::STREAM_ID).map_or_else(
            || format!("waybill-{}-orders", self.install_id),
            str::to_owned,
        )
    }

    /// What stands in the stream's description.
    pub(crate) fn install_id(&self) -> &str {
        self.install_id
    }

    /// What is wrong with the values entered; codes are the settings' keys.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |name: &str, message: String, hint: &str| {
            problems.push(Problem::new(name, message, hint));
        };
        let address = self.api_url;
        if !(address.starts_with("https://") || address.starts_with("http://"))
            || address.contains([' ', '?', '#'])
        {
            wrong(
                key::API_URL.0,
                format!("`{address}` is not the address of an API."),
                "Enter it with https:// and without a query, for example https://api.dsco.io/api/v3.",
            );
        }
        for (name, value) in [
            (key::INSTALL_ID.0, self.install_id.to_owned()),
            (key::STREAM_ID, self.stream_id()),
        ] {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if value.len() > 100 || !value.chars().all(plain) {
                wrong(
                    name,
                    format!("`{value}` cannot be part of a stream's name."),
                    "Use letters, digits, - and _ only.",
                );
            }
        }
        if let Some(from) = self.raw.get(key::SHIP_FROM)
            && sender(from).is_none()
        {
            wrong(
                key::SHIP_FROM,
                format!("`{from}` is not an address of six parts."),
                "Enter name | street | city | region | postcode | country.",
            );
        }
        if !key::TOTALS.contains(&self.total_field) {
            wrong(
                key::TOTAL.0,
                format!(
                    "`{}` is not a total this connector reads.",
                    self.total_field
                ),
                "Choose one of the list.",
            );
        }
        for ((name, _), least, most) in key::RANGES {
            let Some(entered) = self.raw.get(name) else {
                continue;
            };
            if !entered
                .parse()
                .is_ok_and(|value| (least..=most).contains(&value))
            {
                wrong(
                    name,
                    format!("`{entered}` is not a whole number from {least} to {most}."),
                    "Correct it, or clear it to use the default.",
                );
            }
        }
        problems
    }
}

/// What stands on the invoices of a retailer beside what DSCO itself wants: some refuse every further field.
#[derive(Debug, Clone)]
pub(crate) struct Billing {
    /// The parcels' tracking numbers.
    pub(crate) ship: bool,
    /// Subtotals, and amounts of lines.
    pub(crate) subtotals: bool,
    /// Days until it is to be paid.
    pub(crate) net_days: Option<u16>,
}

impl Billing {
    /// The retailer's settings over the connection's.
    pub(crate) fn read(config: &Config<'_>, own: &[(String, String)]) -> Self {
        let own = Settings::new(own);
        let value = |key: &str| own.get(key).or_else(|| config.raw.get(key));
        let toggle = |(key, default): (&str, &str)| {
            matches!(value(key).unwrap_or(default), "true" | "yes" | "on" | "1")
        };
        Self {
            ship: toggle(key::INVOICE_SHIP),
            subtotals: toggle(key::INVOICE_SUBTOTALS),
            net_days: value(key::INVOICE_DAYS).and_then(|days| days.trim().parse().ok()),
        }
    }
}

/// How the shipments of a retailer are reported.
#[derive(Debug, Clone)]
pub(crate) struct Shipping<'a> {
    generic: Vec<&'a str>,
    /// Send the warehouse code where it is known.
    pub(crate) warehouse: bool,
    /// Say that shipping costs nothing.
    pub(crate) zero_cost: bool,
    /// Repeat the address.
    pub(crate) to: bool,
    /// Name, street, city, region, postcode, country.
    pub(crate) from: Option<[&'a str; 6]>,
    /// Where a parcel is followed, with `{tracking}`.
    pub(crate) tracking_url: Option<&'a str>,
}

impl<'a> Shipping<'a> {
    /// The retailer's settings over the connection's.
    pub(crate) fn read(config: &Config<'a>, own: &'a [(String, String)]) -> Self {
        let own = Settings::new(own);
        let value = |key: &str| config.own(own, key);
        let toggle = |(key, default): (&str, &str)| {
            matches!(value(key).unwrap_or(default), "true" | "yes" | "on" | "1")
        };
        let (generic, default) = key::GENERIC;
        let generic = value(generic).unwrap_or(default).split(',').map(str::trim);
        Self {
            generic: generic.filter(|code| !code.is_empty()).collect(),
            warehouse: toggle(key::SHIP_WAREHOUSE),
            zero_cost: value(key::SHIP_COST.0) == Some("zero"),
            to: toggle(key::SHIP_TO),
            from: value(key::SHIP_FROM).and_then(sender),
            tracking_url: value(key::TRACKING_URL),
        }
    }

    /// Whether the code means any carrier.
    pub(crate) fn is_generic(&self, code: &str) -> bool {
        let mut all = self.generic.iter();
        all.any(|generic| generic.eq_ignore_ascii_case(code))
    }
}

/// An address of six parts, the name and the country may be empty.
fn sender(text: &str) -> Option<[&str; 6]> {
    let parts: Vec<&str> = text.split('|').map(str::trim).collect();
    let parts: [&str; 6] = parts.try_into().ok()?;
    let [_, street, city, region, postal, _] = parts;
    let needed = [street, city, region, postal];
    needed.iter().all(|part| !part.is_empty()).then_some(parts)
}
