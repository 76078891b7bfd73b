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
    pub(crate) const TRANSPORT: (&str, &str) = ("transport", "api");
    /// Who carries each flow where `transport` leaves it to them.
    pub(crate) const ORDERS_BY: &str = "orders-by";
    pub(crate) const SHIPMENTS_BY: &str = "shipments-by";
    pub(crate) const STOCK_BY: &str = "stock-by";
    pub(crate) const INVOICES_BY: &str = "invoices-by";
    pub(crate) const CANCELS_BY: &str = "cancels-by";
    pub(crate) const SFTP_HOST: (&str, &str) = ("sftp-host", "sftp.dsco.io");
    pub(crate) const SFTP_LOGIN: (&str, &str) = ("sftp-login", "password");
    pub(crate) const SFTP_HOST_KEY: &str = "sftp-host-key";
    pub(crate) const FOLDER_IN: (&str, &str) = ("folder-in", "in");
    pub(crate) const FOLDER_OUT: (&str, &str) = ("folder-out", "out");
    pub(crate) const FILE_ENDING: (&str, &str) = ("file-ending", "csv");
    pub(crate) const ORDERS_FILE: (&str, &str) = ("orders-file", "Purchase_Order_");
    pub(crate) const SHIPMENTS_FILE: (&str, &str) = ("shipments-file", "Shipment_");
    pub(crate) const INVOICES_FILE: (&str, &str) = ("invoices-file", "Invoice_");
    pub(crate) const CANCELS_FILE: (&str, &str) = ("cancels-file", "Cancel_");
    pub(crate) const STOCK_FILE: (&str, &str) = ("stock-file", "Inventory_");
    pub(crate) const CODE_COLUMN: (&str, &str) = ("cancel-code-column", "line_item_cancel_code");
    pub(crate) const IGNORED_FILES: &str = "ignored-files";
    pub(crate) const FILE_SETTLE: (&str, i64) = ("file-settle-secs", 10);
    pub(crate) const ARCHIVE_DAYS: (&str, i64) = ("archive-days", 0);

    pub(crate) const SHIP_FROM: &str = "ship-from";
    pub(crate) const TRACKING_URL: &str = "tracking-url";

    /// The whole-number settings with the least and the most they may be.
    pub(crate) const RANGES: [((&str, i64), i64, i64); 10] = [
        (PAGE_SIZE, 10, 1000),
        (BACKFILL_DAYS, 0, 3650),
        (CHECKPOINT_POLLS, 1, 1000),
        (SEARCH_LAG, 6, 600),
        (SETTLE, 0, 3600),
        (LOG_WINDOW, 10, 3600),
        (ACK_WAIT, 0, 600),
        (CONFIRM_LIMIT, 60, 604_800),
        (FILE_SETTLE, 0, 3600),
        (ARCHIVE_DAYS, 0, 60),
    ];
    /// What `total-field` may be.
    pub(crate) const TOTALS: [&str; 3] = [TOTAL.1, "orderTotalAmount", "none"];
}

/// Slots of the descriptor.
pub(crate) const CLIENT: &str = "client";
pub(crate) const TOKEN: &str = "token";
pub(crate) const SFTP: &str = "sftp";
pub(crate) const SFTP_KEY: &str = "sftp-key";

/// How a flow travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Orders,
    Shipments,
    Stock,
    Invoices,
    Cancels,
}

impl Flow {
    const fn key(self) -> &'static str {
        match self {
            Self::Orders => key::ORDERS_BY,
            Self::Shipments => key::SHIPMENTS_BY,
            Self::Stock => key::STOCK_BY,
            Self::Invoices => key::INVOICES_BY,
            Self::Cancels => key::CANCELS_BY,
        }
    }
}

/// Where files lie and how they are called.
#[derive(Debug, Clone)]
pub(crate) struct Transfer<'a> {
    /// The slot that signs in.
    pub(crate) credential: &'static str,
    pub(crate) host: &'a str,
    pub(crate) folder_in: &'a str,
    pub(crate) folder_out: &'a str,
    ending: &'a str,
    /// Sub-folder and beginning of the name.
    pub(crate) orders_file: &'a str,
    pub(crate) shipments_file: &'a str,
    pub(crate) invoices_file: &'a str,
    pub(crate) cancels_file: &'a str,
    pub(crate) stock_file: &'a str,
    /// Column of a cancel's reason code.
    pub(crate) code_column: &'a str,
    /// Names that a person took out.
    pub(crate) ignored: Vec<&'a str>,
    /// How long a file must be the same before it counts as written.
    pub(crate) settle_ms: i64,
    /// How old an archived file may be when the connection is first used.
    pub(crate) archive_ms: i64,
}

impl Transfer<'_> {
    /// Where the server puts exports that were read.
    pub(crate) fn archive(&self) -> String {
        format!("{}/archive", self.folder_out)
    }

    /// How names end.
    pub(crate) fn ending(&self) -> String {
        format!(".{}", self.ending)
    }

    /// What stands between two cells.
    pub(crate) fn delimiter(&self) -> u8 {
        match self.ending {
            "tab" => b'\t',
            "psv" => b'|',
            _ => b',',
        }
    }
}

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
    /// Whether the API is connected.
    pub(crate) api: bool,
    pub(crate) transfer: Transfer<'a>,
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
        let order_types = list(text(key::ORDER_TYPES));
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
            api: text(key::TRANSPORT) != "files",
            transfer: Transfer {
                credential: if text(key::SFTP_LOGIN) == "key" {
                    SFTP_KEY
                } else {
                    SFTP
                },
                host: text(key::SFTP_HOST),
                folder_in: text(key::FOLDER_IN).trim_end_matches('/'),
                folder_out: text(key::FOLDER_OUT).trim_end_matches('/'),
                ending: text(key::FILE_ENDING),
                orders_file: text(key::ORDERS_FILE),
                shipments_file: text(key::SHIPMENTS_FILE),
                invoices_file: text(key::INVOICES_FILE),
                cancels_file: text(key::CANCELS_FILE),
                stock_file: text(key::STOCK_FILE),
                code_column: text(key::CODE_COLUMN),
                ignored: list(raw.text(key::IGNORED_FILES, "")),
                settle_ms: whole(key::FILE_SETTLE) * 1000,
                archive_ms: whole(key::ARCHIVE_DAYS) * 86_400_000,
            },
        }
    }

    /// Whether that flow goes by files.
    pub(crate) fn by_files(&self, flow: Flow) -> bool {
        match self.raw.text(key::TRANSPORT.0, key::TRANSPORT.1) {
            "files" => true,
            "each" => self.raw.get(flow.key()) == Some("files"),
            _ => false,
        }
    }

    /// Whether any flow goes by files.
    pub(crate) fn any_files(&self) -> bool {
        let all = [
            Flow::Orders,
            Flow::Shipments,
            Flow::Stock,
            Flow::Invoices,
            Flow::Cancels,
        ];
        all.into_iter().any(|flow| self.by_files(flow))
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

    /// What is wrong with where files lie.
    fn transfer_problems(&self, problems: &mut Vec<Problem>) {
        let transfer = &self.transfer;
        for (name, value) in [
            (key::FOLDER_IN.0, transfer.folder_in),
            (key::FOLDER_OUT.0, transfer.folder_out),
            (key::ORDERS_FILE.0, transfer.orders_file),
            (key::SHIPMENTS_FILE.0, transfer.shipments_file),
            (key::INVOICES_FILE.0, transfer.invoices_file),
            (key::CANCELS_FILE.0, transfer.cancels_file),
            (key::STOCK_FILE.0, transfer.stock_file),
        ] {
            let odd = |c: char| c.is_control() || matches!(c, '\\' | '*' | '?');
            if value.chars().any(odd) || value.split('/').any(|part| part == "..") {
                problems.push(Problem::new(
                    name,
                    format!("`{value}` is not a folder or a beginning of names."),
                    "Enter it as it is on the server, without stars.",
                ));
            }
        }
        if transfer.host.contains([' ', '/', '@']) {
            problems.push(Problem::new(
                key::SFTP_HOST.0,
                format!("`{}` is not the name of a file server.", transfer.host),
                "Enter host or host:port, for example sftp.dsco.io.",
            ));
        }
    }

    /// What is wrong with the values entered; codes are the settings' keys.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.transfer_problems(&mut problems);
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

/// The parts of a text with commas.
fn list(text: &str) -> Vec<&str> {
    let parts = text.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
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
