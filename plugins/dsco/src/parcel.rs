//! A canonical shipment as the vendor's: parcels with DSCO's own item ids and line numbers, taken from its order, never
//! from elsewhere. Knows no call.

use crate::services;
use crate::settings::Shipping;
use crate::told::{Sent, Told, What};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use waybill_sdk::commerce::{Address, Document, Method, Order, OrderLine, Parcel, Shipment};
use waybill_sdk::date;
use waybill_sdk::types::{Failure, Gap};

/// Identifiers of a line by the vendor's field, in the precedence by which it reads them.
const IDS: [(&str, &str); 5] = [
    ("network-item", "dscoItemId"),
    ("sku", "sku"),
    ("partner-sku", "partnerSku"),
    ("upc", "upc"),
    ("ean", "ean"),
];
/// What is sent where a line has none of them.
const OTHER_IDS: [(&str, &str); 3] = [("gtin", "gtin"), ("isbn", "isbn"), ("mpn", "mpn")];

/// A shipment with everything it is made of.
pub(crate) struct Source<'a> {
    pub(crate) document: &'a Document,
    pub(crate) shipment: &'a Shipment,
    /// Key of the order at DSCO, and the order as DSCO last gave it.
    pub(crate) key: &'a str,
    pub(crate) order: &'a Order,
    pub(crate) settings: Shipping<'a>,
    /// For a shipment that was reported before it was handed over, as the merchant wants it: then it leaves now.
    pub(crate) now: i64,
}

/// What is told, and the object to send.
pub(crate) fn build(source: &Source<'_>) -> Result<(Told, Value), Failure> {
    let po = Some(source.order.number.as_str()).filter(|number| *number != source.key);
    let sent = parcels(source)?;
    let common = common(source)?;
    let shipments: Result<Vec<Value>, Failure> = sent
        .iter()
        .map(|packed| {
            let parcel = &packed.sent;
            let mut fields = common.clone();
            fields.insert("trackingNumber".to_owned(), json!(parcel.tracking));
            if packed.untracked {
                fields.insert("untracked".to_owned(), json!(true));
            } else if let Some(template) = source.settings.tracking_url {
                let url = template.replace("{tracking}", &parcel.tracking);
                fields.insert("trackingUrl".to_owned(), json!(url));
            }
            let lines = parcel.lines.iter();
            let items: Result<Vec<Value>, Failure> = lines
                .map(|(line, units)| Ok(item(find_line(source, line)?, *units, packed.span)))
                .collect();
            fields.insert("lineItems".to_owned(), Value::Array(items?));
            Ok(Value::Object(fields))
        })
        .collect();
    let mut body = json!({"dscoOrderId": source.key, "shipments": shipments?});
    if let Some(po) = po {
        body["poNumber"] = json!(po);
    }
    let told = Told {
        order: source.key.to_owned(),
        what: What::Shipped {
            po: po.map(str::to_owned),
            parcels: sent.into_iter().map(|packed| packed.sent).collect(),
        },
    };
    Ok((told, body))
}

/// A parcel to send.
struct Packed {
    sent: Sent,
    /// Its number is one of ours, since there is none.
    untracked: bool,
    /// Its units lie in other parcels, too.
    span: bool,
}

/// The parcels, one for each tracking number: it is the vendor's key.
fn parcels(source: &Source<'_>) -> Result<Vec<Packed>, Failure> {
    let mut all: Vec<Packed> = Vec::new();
    let mut unnamed = 0;
    for parcel in &source.shipment.parcels {
        let lines = units(source, parcel)?;
        if lines.is_empty() {
            continue;
        }
        let number = parcel
            .tracking
            .as_deref()
            .map(str::trim)
            .filter(|t| !t.is_empty());
        let tracking = if let Some(number) = number {
            number.to_owned()
        } else {
            unnamed += 1;
            match unnamed {
                1 => format!("untracked-{}", source.document.key),
                more => format!("untracked-{}-{more}", source.document.key),
            }
        };
        let Some(known) = all.iter_mut().find(|known| known.sent.tracking == tracking) else {
            all.push(Packed {
                sent: Sent { tracking, lines },
                untracked: number.is_none(),
                span: parcel.span,
            });
            continue;
        };
        for (line, more) in lines {
            let units = known.sent.lines.entry(line).or_default();
            *units = if parcel.span {
                more.max(*units)
            } else {
                units.saturating_add(more)
            };
        }
    }
    if all.is_empty() {
        return Err(Failure::rejected(
            "empty-shipment",
            "Nothing of this order is in the shipment.",
            "Correct the lines of the shipment, then retry; or ignore it, with the reason.",
        ));
    }
    Ok(all)
}

/// Units by line: DSCO takes whole ones.
fn units(source: &Source<'_>, parcel: &Parcel) -> Result<BTreeMap<String, i64>, Failure> {
    let mut all = BTreeMap::new();
    for packed in &parcel.lines {
        if packed.quantity.is_zero() {
            continue;
        }
        let line = find_line(source, &packed.line)?;
        if packed.part.is_some() {
            return Err(Failure::rejected(
                "kit-not-folded",
                format!(
                    "`{}` is shipped by its components, which DSCO does not know.",
                    line.title
                ),
                "This is a fault of the agent: send a support bundle.",
            ));
        }
        let whole = packed.quantity.to_whole().filter(|units| *units > 0);
        let Some(whole) = whole else {
            return Err(Failure::rejected(
                "not-whole",
                format!(
                    "The shipment holds {} of `{}` (line {}); DSCO takes whole units only.",
                    packed.quantity, line.title, packed.line
                ),
                "Correct the quantity of the shipment, then retry.",
            ));
        };
        let units: &mut i64 = all.entry(packed.line.clone()).or_default();
        *units = units.saturating_add(whole);
    }
    Ok(all)
}

fn find_line<'a>(source: &Source<'a>, key: &str) -> Result<&'a OrderLine, Failure> {
    let mut lines = source.order.lines.iter();
    lines.find(|line| line.line == key).ok_or_else(|| {
        Failure::rejected(
            "line-unknown",
            format!(
                "The shipment names line {key}, which order {} does not have.",
                source.order.number
            ),
            "Compare the lines of the shipment with the order, correct it and retry.",
        )
    })
}

/// A line of a parcel or an invoice: its number, its ids, the units.
pub(crate) fn item(line: &OrderLine, units: i64, span: bool) -> Value {
    let mut fields = ids(line);
    fields.insert("quantity".to_owned(), json!(units));
    if span {
        fields.insert("packageSpanFlag".to_owned(), json!(true));
    }
    Value::Object(fields)
}

/// What names a line to DSCO: its number, and its item's ids.
pub(crate) fn ids(line: &OrderLine) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.extend(
        line.number
            .map(|number| ("lineNumber".to_owned(), json!(number))),
    );
    let mut put = |ids: &[(&str, &str)]| {
        for (kind, name) in ids {
            let mut known = line.identifiers.iter();
            if let Some(id) = known.find(|id| id.kind == *kind) {
                fields.insert((*name).to_owned(), json!(id.value));
            }
        }
        fields.keys().any(|name| name != "lineNumber")
    };
    if !put(&IDS) {
        put(&OTHER_IDS);
    }
    fields
}

/// What all parcels share.
fn common(source: &Source<'_>) -> Result<Map<String, Value>, Failure> {
    let Source {
        shipment,
        order,
        settings,
        ..
    } = source;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    let handed_over = shipment.shipped_at.unwrap_or(source.now);
    put("shipDate", json!(date::format(handed_over)));
    let method = method(source)?;
    for (name, value) in [
        ("shipCarrier", &method.carrier),
        ("shipMethod", &method.name),
        ("shippingServiceLevelCode", &method.code),
    ] {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    if let Some(code) = shipment.warehouse.as_deref().filter(|_| settings.warehouse) {
        put("warehouseCode", json!(code));
    }
    if settings.zero_cost {
        put("shipCost", json!(0));
        if let Some(currency) = &order.currency {
            put("currencyCode", json!(currency));
        }
    }
    if let Some(from) = settings.from {
        let [name, street, city, region, postal, country] = from;
        put(
            "shipFrom",
            json!({"name": name, "address": [street], "city": city, "region": region, "postal": postal,
                   "country": country}),
        );
    }
    if settings.to {
        put("shipTo", address(&order.ship_to));
    }
    Ok(fields)
}

/// Carrier, method and code as far as they are known: the code alone is enough, and so are carrier and method.
fn method(source: &Source<'_>) -> Result<Method, Failure> {
    let filled = |text: &Option<String>| {
        let text = text.as_deref().map(str::trim);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let known = source
        .shipment
        .shipping_method
        .as_ref()
        .map(|method| Method {
            carrier: filled(&method.carrier),
            name: filled(&method.name),
            code: filled(&method.code),
        });
    let enough = |method: &Method| {
        method.code.is_some() || (method.carrier.is_some() && method.name.is_some())
    };
    let Some(method) = known.filter(enough) else {
        return Err(unmapped(source, None));
    };
    // Without a code the carrier's name tells: `Generic` and a method become a generic code there.
    let any_carrier = method.code.is_none() && is_generic_carrier(&method);
    match method.code.as_deref() {
        Some(code) if source.settings.is_generic(code) => Err(unmapped(source, Some(code))),
        _ if any_carrier => Err(unmapped(source, method.carrier.as_deref())),
        _ => Ok(completed(method, source.order)),
    }
}

/// With the carrier and the method of its code, where only the code is given: some retailers want all three. The order's
/// own words for that code come first.
fn completed(method: Method, order: &Order) -> Method {
    let Some(code) = method.code.as_deref() else {
        return method;
    };
    if method.carrier.is_some() || method.name.is_some() {
        return method;
    }
    let same = |other: &&Method| {
        let other = other.code.as_deref();
        other.is_some_and(|other| other.eq_ignore_ascii_case(code))
    };
    let (carrier, name) = match order.shipping_method.as_ref().filter(same) {
        Some(asked) => (asked.carrier.clone(), asked.name.clone()),
        None => services::of_code(code).unzip(),
    };
    Method {
        carrier,
        name,
        ..method
    }
}

fn is_generic_carrier(method: &Method) -> bool {
    let carrier = method.carrier.as_deref();
    carrier.is_some_and(|carrier| carrier.eq_ignore_ascii_case("generic"))
}

/// The cell to fill: the shipping method as the sender calls it, where the agent says so.
fn unmapped(source: &Source<'_>, code: Option<&str>) -> Failure {
    let all = source.shipment.extras.iter();
    let named = all
        .filter(|extra| extra.name == "shipping-method")
        .map(|extra| extra.value.as_str());
    let value = named.chain(code).next().unwrap_or("none");
    Failure::Unmapped(vec![Gap {
        table: "shipping-methods".to_owned(),
        retailer: Some(source.order.retailer.clone()),
        value: value.to_owned(),
    }])
}

fn address(address: &Address) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(address.name));
    fields.insert("address".to_owned(), json!(address.street));
    fields.insert("city".to_owned(), json!(address.city));
    fields.insert("postal".to_owned(), json!(address.postcode));
    for (name, value) in [
        ("region", &address.region),
        ("country", &address.country),
        ("company", &address.company),
        ("attention", &address.attention),
        ("phone", &address.phone),
        ("email", &address.email),
    ] {
        fields.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
    }
    Value::Object(fields)
}
