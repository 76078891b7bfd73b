//! What the connector says of itself. Must not know the values a merchant entered.

use crate::files::describe as files;
use crate::settings::{CLIENT, TOKEN, key};
use waybill_sdk::commerce::Entity;
use waybill_sdk::types::{
    Choice, Credential, Descriptor, Feed, Field, Intake, Moment, Oauth, Reach, Scheme, Setting,
    Table,
};

/// What the connector says of itself.
pub(crate) fn descriptor() -> Descriptor {
    Descriptor {
        id: "dsco".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "DSCO".to_owned(),
        reach: reach(),
        credentials: {
            let mut all = credentials();
            all.extend(files::credentials());
            all
        },
        settings: settings(),
        tables: tables(),
        pulls: vec![
            feed(Entity::Order, 60, vec![Moment::Accepted, Moment::Delivered]),
            feed(Entity::Cancellation, 60, Vec::new()),
            feed(Entity::Retailer, 3600, Vec::new()),
            feed(Entity::Warehouse, 3600, Vec::new()),
        ],
        pushes: vec![
            intake(Entity::Shipment, 1000, false),
            intake(Entity::Cancellation, 1000, false),
            intake(Entity::Invoice, 1000, false),
            // Lowered by DSCO itself for each order it hands out.
            intake(Entity::InventoryLevel, 25_000, true),
        ],
    }
}

const fn intake(entity: Entity, max_batch: u32, self_decrementing: bool) -> Intake {
    Intake {
        entity,
        max_batch,
        self_decrementing,
    }
}

const fn feed(entity: Entity, poll_secs: u32, settles: Vec<Moment>) -> Feed {
    Feed {
        entity,
        poll_secs,
        settles,
    }
}

/// Four fifths of the documented limits; calls without a number get 5 a second.
fn reach() -> Vec<Reach> {
    let limit = |path: &str, per_minute: u32, per_second: u32| Reach {
        url: format!("{{api-url}}{path}"),
        per_minute,
        per_second,
    };
    vec![
        limit("/", 240, 4),
        limit("/order/?", 400, 8),
        limit("/order/page", 400, 8),
        limit("/order/acknowledge", 800, 12),
        limit("/invoice?", 800, 12),
    ]
}

fn steps(list: &[&str]) -> Vec<String> {
    list.iter().map(|step| (*step).to_owned()).collect()
}

fn credentials() -> Vec<Credential> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let hosts = || vec!["{api-url}".to_owned()];
    vec![
        Credential {
            slot: CLIENT.to_owned(),
            label: "Client id and secret".to_owned(),
            help: "In the DSCO portal: Automation & Reporting, Automation, API. An administrator creates them; the secret is shown once."
                .to_owned(),
            scheme: Scheme::Oauth2Client(Oauth {
                authorize_url: String::new(),
                token_url: "{api-url}/oauth2/token".to_owned(),
                client_id: "{client-id}".to_owned(),
                form: vec![pair("client_secret", "{client-secret}")],
                headers: vec![pair("Authorization", "bearer {access_token}")],
                expose: Vec::new(),
            }),
            secrets: vec!["client-id".to_owned(), "client-secret".to_owned()],
            hosts: hosts(),
            steps: steps(&[
                "Log in to the DSCO portal as an administrator.",
                "Open Automation & Reporting, then Automation, then API.",
                "Create an API client. Its secret is shown once: copy id and secret at once.",
                "Production and staging have credentials of their own; enter the address they belong to.",
            ]),
        },
        Credential {
            slot: TOKEN.to_owned(),
            label: "Access token".to_owned(),
            help: "Older accounts have one that never expires, instead of a client id and secret."
                .to_owned(),
            scheme: Scheme::Headers(vec![pair("Authorization", "bearer {token}")]),
            secrets: vec!["token".to_owned()],
            hosts: hosts(),
            steps: steps(&[
                "Only older accounts have a token that never expires: DSCO support gives it out.",
                "Everybody else creates a client id and secret instead.",
            ]),
        },
    ]
}

fn tables() -> Vec<Table> {
    let table = |name: &str, label: &str, per_retailer: bool, lookup: &str| Table {
        name: name.to_owned(),
        label: label.to_owned(),
        columns: vec!["code".to_owned(), "name".to_owned()],
        per_retailer,
        lookup: Some(lookup.to_owned()),
    };
    vec![
        table("customers", "Retailers", false, "retailer"),
        table("warehouses", "Warehouses", true, "warehouse"),
        table(
            "shipping-methods",
            "Carrier | method | code",
            true,
            "service",
        ),
        table("cancel-codes", "Reason code", true, "cancel-code"),
    ]
}

const CONNECTION: &str = "connection";
const ORDERS: &str = "orders";
const SHIPMENTS: &str = "shipments";
const CANCELS: &str = "cancellations";
const STOCK: &str = "stock";
const INVOICES: &str = "invoices";
const TIMING: &str = "timing";

pub(crate) fn setting(
    group: &str,
    (name, default): (&str, &str),
    label: &str,
    help: &str,
    field: Field,
) -> Setting {
    Setting {
        key: name.to_owned(),
        label: label.to_owned(),
        help: help.to_owned(),
        group: group.to_owned(),
        required: false,
        per_retailer: [SHIPMENTS, CANCELS, INVOICES].contains(&group),
        default: Some(default.to_owned()).filter(|text| !text.is_empty()),
        field,
        was: Vec::new(),
    }
}

pub(crate) fn one_of(list: &[(&str, &str)]) -> Field {
    let choice = |(value, label): &(&str, &str)| Choice {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        disabled: false,
    };
    Field::OneOf(list.iter().map(choice).collect())
}

fn settings() -> Vec<Setting> {
    let mut all = vec![
        Setting {
            required: true,
            ..setting(
                CONNECTION,
                key::API_URL,
                "API address",
                "Left empty, it is production: https://api.dsco.io/api/v3. Staging is https://staging-api.dsco.io/api/v3, with credentials of its own.",
                Field::Url,
            )
        },
        setting(
            CONNECTION,
            key::AUTH,
            "Log in with",
            "The client id and secret, unless DSCO gave you an access token.",
            one_of(&[(CLIENT, "Client id and secret"), (TOKEN, "Access token")]),
        ),
        setting(
            CONNECTION,
            key::INSTALL_ID,
            "Name of this installation",
            "Two agents on one DSCO account need two names: each has its own order stream, or they would take each other's orders.",
            Field::Text,
        ),
        setting(
            CONNECTION,
            (key::STREAM_ID, ""),
            "Order stream",
            "Leave it empty: Waybill makes a stream of its own, named after this installation. Or the id of a stream that is at DSCO already.",
            Field::Text,
        ),
        setting(
            ORDERS,
            key::ORDER_TYPES,
            "Order types",
            "Any of dropship, wholesale, marketplace, separated by commas. Counts when the stream is created.",
            Field::Text,
        ),
        setting(
            ORDERS,
            key::TEST_ORDERS,
            "Read test orders",
            "Whether searches ask for test orders too. Whether they are imported is set with the orders.",
            Field::Toggle,
        ),
        setting(
            ORDERS,
            key::TOTAL,
            "Total of an order",
            "The field that the sum of the lines must equal; an order without it is not compared.",
            one_of(&[
                (key::TOTALS[0], "Extended expected cost"),
                (key::TOTALS[1], "Order total amount"),
                (key::TOTALS[2], "Do not compare"),
            ]),
        ),
        setting(
            ORDERS,
            key::SURCHARGE,
            "Shipping surcharge is paid",
            "On: the order's shipping surcharge becomes a charge of the sale. Off: it is only shown.",
            Field::Toggle,
        ),
    ];
    all.extend(shipments());
    all.extend(invoices());
    all.push(setting(
        STOCK,
        key::SKIP_UNKNOWN,
        "Leave out unknown items",
        "On: stock of an item that DSCO does not have yet is passed over; create the item in its catalogue first. Off: DSCO makes the item from the SKU alone, or refuses it where a retailer wants a UPC, EAN or GTIN. An item made there can never be deleted.",
        Field::Toggle,
    ));
    all.extend(numbers());
    all.extend(files::settings());
    all
}

fn invoices() -> Vec<Setting> {
    vec![
        setting(
            INVOICES,
            key::INVOICE_SHIP,
            "Tracking number",
            "Most retailers want the parcel's number on the invoice; some refuse it.",
            Field::Toggle,
        ),
        setting(
            INVOICES,
            key::INVOICE_SUBTOTALS,
            "Subtotals",
            "Whether the amount of each line, the sum of the lines and the sum of the rest are sent beside the total.",
            Field::Toggle,
        ),
        setting(
            INVOICES,
            (key::INVOICE_DAYS, ""),
            "Days to pay",
            "For retailers that want payment terms on the invoice. Left out where it is empty.",
            Field::Integer,
        ),
    ]
}

fn shipments() -> Vec<Setting> {
    vec![
        setting(
            CANCELS,
            key::REQUEST_CODE,
            "Code for accepted requests",
            "The reason code with which a retailer's request to cancel is accepted. Some retailers take few codes.",
            Field::Text,
        ),
        setting(
            SHIPMENTS,
            key::GENERIC,
            "Generic service codes",
            "Codes that mean any carrier, separated by commas. They are on orders, and never sent back on a shipment. Enter none to send them all the same.",
            Field::Text,
        ),
        setting(
            SHIPMENTS,
            key::SHIP_WAREHOUSE,
            "Send the warehouse code",
            "Some retailers require it. It must be exactly the code in the DSCO portal's Warehouse Manager.",
            Field::Toggle,
        ),
        setting(
            SHIPMENTS,
            key::SHIP_COST,
            "Shipping cost",
            "Retailers that take over the cost want to see one, even where it is nought.",
            one_of(&[("none", "Leave it out"), ("zero", "Send 0")]),
        ),
        setting(
            SHIPMENTS,
            key::SHIP_TO,
            "Repeat the address",
            "Whether the order's address is sent with each parcel.",
            Field::Toggle,
        ),
        setting(
            SHIPMENTS,
            (key::SHIP_FROM, ""),
            "Sender",
            "For retailers that want it with each parcel: name | street | city | region | postcode | country.",
            Field::Text,
        ),
        setting(
            SHIPMENTS,
            (key::TRACKING_URL, ""),
            "Tracking address",
            "Where a parcel is followed, with {tracking} for its number. Left out where it is empty.",
            Field::Text,
        ),
    ]
}

fn numbers() -> Vec<Setting> {
    let number = |group: &str, (name, default): (&str, i64), label: &str, help: &str| {
        setting(
            group,
            (name, &default.to_string()),
            label,
            help,
            Field::Integer,
        )
    };
    vec![
        number(
            ORDERS,
            key::BACKFILL_DAYS,
            "Look back, days",
            "How old an open order may be to be found when the connection is first used.",
        ),
        number(
            TIMING,
            key::PAGE_SIZE,
            "Orders per page",
            "Most orders and events of one answer.",
        ),
        number(
            TIMING,
            key::CHECKPOINT_POLLS,
            "Polls between bookmarks",
            "How often our place in the stream is also stored at DSCO, which only matters when this agent's data is lost.",
        ),
        number(
            TIMING,
            key::SEARCH_LAG,
            "Search ends before now, seconds",
            "DSCO refuses searches that end less than 5 seconds ago.",
        ),
        number(
            TIMING,
            key::SETTLE,
            "Searches trail writes by, seconds",
            "How long after a lost answer a search can still miss what was written.",
        ),
        number(
            TIMING,
            key::LOG_WINDOW,
            "Log window, seconds",
            "How far around the time of a lost call the change log is searched.",
        ),
        number(
            TIMING,
            key::ACK_WAIT,
            "First look at the log after, seconds",
            "How soon the change log is asked what became of acknowledgements, shipments, invoices and stock. DSCO takes some seconds; asking sooner costs a second call.",
        ),
        number(
            TIMING,
            key::CONFIRM_LIMIT,
            "Give up asking after, seconds",
            "When DSCO has not answered by then, a person is asked to look.",
        ),
    ]
}
