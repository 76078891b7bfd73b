//! All of the connector's logic, over a host that tests replace. It knows one vendor's dialect and keeps nothing between
//! two calls.

use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::bindings::exports::waybill::connector::source::Page;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use waybill_sdk::call::{self, Dialect, Fault};
use waybill_sdk::commerce::{Body, Document, Entity, Parcel, Shipment, Stage};
use waybill_sdk::effect::effect;
use waybill_sdk::http::{Request, Response};
use waybill_sdk::lenient::text_of;
use waybill_sdk::problem::done;
use waybill_sdk::types::{
    Context, Credential, Descriptor, Failure, Feed, Field, Intake, Outcome, Problem, Reach,
    Receipt, Scheme, Setting, Verdict,
};
use waybill_sdk::{Host, Settings};

const ADDRESS: &str = "address";
const SLOT: &str = "key";
/// The name of the effect: the same for ever, in every version.
const STEP: &str = "create-order";
/// How long this vendor's searches trail what was written.
const SEARCH_LAG_MS: u64 = 30_000;
const VENDOR: Dialect = Dialect {
    vendor: "The shop",
    throttles: &[429],
};

/// What the connector says of itself: constants, nothing else.
pub fn descriptor() -> Descriptor {
    let address = || "{address}".to_owned();
    Descriptor {
        id: "example".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Example shop".to_owned(),
        reach: vec![Reach {
            url: address(),
            per_minute: 120,
            per_second: 0,
        }],
        credentials: vec![Credential {
            slot: SLOT.to_owned(),
            label: "API key".to_owned(),
            help: "In the shop: Settings, API.".to_owned(),
            scheme: Scheme::Headers(vec![("x-api-key".to_owned(), "{key}".to_owned())]),
            secrets: vec!["key".to_owned()],
            hosts: vec![address()],
            steps: vec!["Ask the warehouse's office for a token.".to_owned()],
        }],
        settings: vec![Setting {
            key: ADDRESS.to_owned(),
            label: "API address".to_owned(),
            help: "For example https://shop.example/api.".to_owned(),
            group: "connection".to_owned(),
            required: true,
            per_retailer: false,
            default: None,
            field: Field::Url,
            was: Vec::new(),
        }],
        tables: Vec::new(),
        pulls: vec![Feed {
            entity: Entity::Shipment,
            poll_secs: 60,
            settles: Vec::new(),
        }],
        pushes: vec![Intake {
            entity: Entity::Order,
            max_batch: 10,
            self_decrementing: false,
        }],
    }
}

/// Problems by the key of the setting. No network.
pub fn validate(ctx: &Context) -> Vec<Problem> {
    let address = Settings::new(&ctx.settings)
        .get(ADDRESS)
        .unwrap_or_default();
    if address.starts_with("https://") || address.starts_with("http://") {
        return Vec::new();
    }
    let message = "The API address must begin with https://.";
    vec![Problem::new(
        ADDRESS,
        message,
        "Copy it from the shop's settings.",
    )]
}

fn request(ctx: &Context, method: &str, path: &str) -> Request {
    let address = Settings::new(&ctx.settings)
        .text(ADDRESS, "")
        .trim_end_matches('/');
    Request::new(method, format!("{address}{path}")).credential(SLOT)
}

fn refused(response: &Response) -> Failure {
    let message = format!("The shop refused a call with status {}.", response.status);
    Failure::rejected("refused", message, "Look at the order in the shop.")
}

fn read(host: &dyn Host, ctx: &Context, path: &str) -> Result<Value, Failure> {
    call::read(host, VENDOR, &request(ctx, "GET", path), refused)
}

/// Read-only proof that address and key work.
pub fn probe(host: &dyn Host, ctx: &Context) -> Result<Vec<(String, String)>, Failure> {
    let hello = read(host, ctx, "/hello")?;
    let name = text_of(&hello["name"]).unwrap_or_default();
    Ok(vec![("shop".to_owned(), name)])
}

#[derive(Debug, Deserialize)]
struct Listed {
    shipments: Vec<Value>,
    #[serde(default)]
    more: bool,
}

/// The cursor is the id of the last shipment taken: it holds the whole position.
pub fn pull(host: &dyn Host, ctx: &Context, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let text = cursor.and_then(|bytes| std::str::from_utf8(bytes).ok());
    // A cursor of another version starts over: that costs calls, and loses nothing.
    let after: u64 = text.and_then(|text| text.parse().ok()).unwrap_or(0);
    let listed = read(host, ctx, &format!("/shipments?after={after}"))?;
    let listed: Listed = serde_json::from_value(listed).map_err(|_| Failure::Retry(None))?;
    let last = listed
        .shipments
        .iter()
        .filter_map(|s| s["id"].as_u64())
        .max()
        .unwrap_or(0);
    let now = host.now_ms();
    Ok(Page {
        documents: listed
            .shipments
            .iter()
            .filter_map(|s| shipment(s, now))
            .collect(),
        // `more` only where the cursor moved on: a feed that stands still must not be asked for ever.
        more: listed.more && last > after,
        cursor: last.max(after).to_string().into_bytes(),
    })
}

/// These shipments as they are now; those that are gone are left out.
pub fn fetch(host: &dyn Host, ctx: &Context, keys: &[String]) -> Result<Vec<Document>, Failure> {
    let mut found = Vec::new();
    // Keys are numbers here: any other is not ours.
    for key in keys.iter().filter(|key| key.parse::<u64>().is_ok()) {
        let answer = call::send(
            host,
            VENDOR,
            &request(ctx, "GET", &format!("/shipments/{key}")),
        );
        match answer {
            Ok(response) => found.extend(shipment(&call::json::<Value>(&response)?, host.now_ms())),
            Err(Fault::Refused(response)) if response.status == 404 => {}
            Err(fault) => return Err(fault.failure(refused)),
        }
    }
    Ok(found)
}

fn shipment(value: &Value, now: i64) -> Option<Document> {
    Some(Document {
        key: text_of(&value["id"])?,
        revision: text_of(&value["changed"]).unwrap_or_default(),
        occurred_at: value["shippedAt"].as_i64().unwrap_or(now),
        body: Body::Shipment(Shipment {
            order_key: text_of(&value["order"])?,
            stage: Stage::Shipped,
            // A date that the source does not give is none: never invented.
            shipped_at: value["shippedAt"].as_i64(),
            warehouse: None,
            shipping_method: None,
            parcels: vec![Parcel {
                tracking: text_of(&value["tracking"]),
                lines: Vec::new(),
                span: false,
                extras: Vec::new(),
            }],
            extras: Vec::new(),
        }),
    })
}

#[derive(Debug, Serialize)]
struct NewOrder<'a> {
    /// Ours: by it the order is found again when an answer was lost.
    reference: &'a str,
    number: &'a str,
    lines: Vec<(&'a str, String)>,
}

/// One verdict per member, in its order.
pub fn push(host: &dyn Host, ctx: &Context, batch: &[Delivery]) -> Vec<Verdict> {
    (0..)
        .zip(batch)
        .map(|(index, delivery)| create(host, ctx, index, &delivery.document))
        .collect()
}

fn create(host: &dyn Host, ctx: &Context, index: u32, document: &Document) -> Verdict {
    let Body::Order(order) = &document.body else {
        let message = "The example shop takes orders only.";
        return Err(Failure::rejected(
            "unsupported",
            message,
            "Remove the route.",
        ));
    };
    let reference = format!("waybill-{}", document.key);
    let line = |l: &waybill_sdk::commerce::OrderLine| (l.title.clone(), l.quantity.to_string());
    let lines: Vec<(String, String)> = order.lines.iter().map(line).collect();
    let body = NewOrder {
        reference: &reference,
        number: &order.number,
        lines: lines
            .iter()
            .map(|(title, n)| (title.as_str(), n.clone()))
            .collect(),
    };
    let sending = request(ctx, "POST", "/orders").json(&body);
    let first = sending.clone().effect(effect(STEP, [index]));
    match call::send(host, VENDOR, &first) {
        Ok(response) => match id_of(&call::json::<Value>(&response).unwrap_or_default()) {
            Some(id) => done(Receipt::of(id)),
            // The order is there, and the answer does not say under which id.
            None => looked_up(host, ctx, &reference, None, || {
                Err(Failure::Retry(Some(30)))
            }),
        },
        Err(Fault::InDoubt(age)) => looked_up(host, ctx, &reference, Some(age), || {
            let again = sending.effect(effect(STEP, [index]).resend());
            match call::send(host, VENDOR, &again) {
                Ok(response) => match id_of(&call::json::<Value>(&response).unwrap_or_default()) {
                    Some(id) => done(Receipt::of(id)),
                    None => Err(Failure::Retry(Some(30))),
                },
                Err(Fault::InDoubt(_)) => Err(Failure::Retry(Some(30))),
                Err(fault) => fault.verdict(refused),
            }
        }),
        Err(fault) => fault.verdict(refused),
    }
}

fn id_of(value: &Value) -> Option<String> {
    text_of(&value["id"])
}

/// Adopts the order that bears our reference; where a search would show it by now and does not, `absent` decides.
fn looked_up(
    host: &dyn Host,
    ctx: &Context,
    reference: &str,
    age_ms: Option<u64>,
    absent: impl FnOnce() -> Verdict,
) -> Verdict {
    let found = read(
        host,
        ctx,
        &format!("/orders?reference={}", encoded(reference)),
    )?;
    let orders = found["orders"].as_array().ok_or(Failure::Retry(None))?;
    let ours = orders
        .iter()
        .find(|o| o["reference"].as_str() == Some(reference));
    if let Some(id) = ours.and_then(id_of) {
        return Ok(Outcome::Done(Receipt::of(id).already_there()));
    }
    match age_ms {
        Some(age) if age < SEARCH_LAG_MS => {
            let secs = (SEARCH_LAG_MS - age).div_ceil(1_000);
            Err(Failure::Retry(u32::try_from(secs).ok()))
        }
        _ => absent(),
    }
}

/// Percent-encodes everything but letters, digits and `-`.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The verdicts of a settle that has nothing to say to the vendor.
pub fn nothing_to_tell(count: usize) -> Vec<Verdict> {
    vec![Ok(Outcome::Recorded); count]
}
