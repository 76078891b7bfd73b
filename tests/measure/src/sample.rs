//! Owns orders as a network would send them, told apart by a number: so many lines, identifiers and extra fields as the
//! sandbox's orders carry. Must not know where they are stored.

use waybill_model::contract::Exchange;
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Address, Body, Deadline, DeadlineSource, Document, Extra, Identifier, Method, Order, OrderLine,
    OrderPhase, Totals,
};
use waybill_model::ids::Millis;

const DAY: Millis = 86_400_000;
const CITIES: [(&str, &str, &str); 6] = [
    ("Boston", "MA", "02108"),
    ("Austin", "TX", "73301"),
    ("Portland", "OR", "97035"),
    ("Denver", "CO", "80014"),
    ("Savannah", "GA", "31401"),
    ("Madison", "WI", "53703"),
];
const FIRST: [&str; 8] = [
    "Sam", "Maria", "Chen", "Aisha", "Tom", "Ingrid", "Luis", "Nora",
];
const LAST: [&str; 8] = [
    "O'Neil", "Kowalski", "Wei", "Haddad", "Fielding", "Larsen", "Romero", "Beck",
];
const STREETS: [&str; 5] = [
    "Harbor Rd",
    "Mill Lane",
    "2nd Avenue",
    "Orchard St",
    "Hillcrest Dr",
];
const THINGS: [(&str, &str); 8] = [
    ("TEE", "Tee"),
    ("CAP", "Cap"),
    ("MUG", "Mug"),
    ("SOCK", "Socks"),
    ("BAG", "Bag"),
    ("LAMP", "Lamp"),
    ("RUG", "Rug"),
    ("HOOD", "Hoodie"),
];
const COLOURS: [(&str, &str); 5] = [
    ("BLK", "black"),
    ("RED", "red"),
    ("BLU", "blue"),
    ("GRN", "green"),
    ("WHT", "white"),
];
const RETAILERS: [&str; 3] = ["Northwind Stores", "Blue Harbor", "Petal and Pine"];

/// Chance that is the same every time: `SplitMix64`.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `below`, without the end.
    fn up_to(&mut self, below: u32) -> u32 {
        u32::try_from(self.next() % u64::from(below.max(1))).unwrap_or(0)
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        let below = u32::try_from(all.len()).unwrap_or(1);
        &all[self.up_to(below) as usize]
    }
}

/// How far the network says the order is: it comes again after each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    New,
    Acknowledged,
    Numbered,
}

/// An order of the sample.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) key: String,
    pub(crate) sale: String,
    pub(crate) placed_at: Millis,
    order: Order,
}

/// Order number `n`, placed at that time.
pub(crate) fn order(n: u64, placed_at: Millis) -> Sample {
    let mut dice = Dice::new(n);
    let count = 1 + dice.up_to(4);
    let lines: Vec<OrderLine> = (1..=count).map(|number| line(number, &mut dice)).collect();
    let net = lines.iter().fold(Decimal::ZERO, |sum, line| {
        let amount = line
            .unit_price
            .and_then(|price| price.checked_mul(line.quantity));
        amount
            .and_then(|amount| sum.checked_add(amount))
            .unwrap_or(sum)
    });
    let retailer = dice.up_to(3);
    let deadline = |days| Deadline {
        at: placed_at + days * DAY,
        set_by: DeadlineSource::Order,
    };
    let number = format!("PO-{}", 100_000 + n);
    let order = Order {
        retailer: (1_000_007_001 + u64::from(retailer)).to_string(),
        retailer_name: RETAILERS[retailer as usize % RETAILERS.len()].to_owned(),
        kind: "dropship".to_owned(),
        test: false,
        phase: OrderPhase::Open,
        currency: Some("USD".to_owned()),
        placed_at: Some(placed_at),
        acknowledge_by: Some(deadline(1)),
        ship_by: Some(deadline(3)),
        invoice_by: None,
        cancel_after: Some(placed_at + 10 * DAY),
        customer: None,
        warehouse: Some("WH01".to_owned()),
        shipping_method: Some(Method {
            carrier: Some("FedEx".to_owned()),
            name: Some("Ground".to_owned()),
            code: Some("FECG".to_owned()),
        }),
        bill_to: None,
        ship_to: address(&mut dice),
        lines,
        charges: Vec::new(),
        total: Some(Totals {
            net,
            tax: Decimal::ZERO,
            gross: net,
        }),
        supplier_number: None,
        extras: extras(&number, count, &mut dice),
        number,
    };
    Sample {
        // None of these does a sandbox give to an order of its own.
        key: (900_000_000 + n).to_string(),
        sale: (10_000_000 + n).to_string(),
        placed_at,
        order,
    }
}

fn extra(name: &str, value: impl Into<String>) -> Extra {
    Extra {
        name: name.to_owned(),
        value: value.into(),
    }
}

fn extras(number: &str, lines: u32, dice: &mut Dice) -> Vec<Extra> {
    vec![
        extra("dscoStatus", "created"),
        extra("dscoLifecycle", "received"),
        extra("dscoTradingPartnerId", "ACME-GOODS"),
        extra("channel", *dice.of(&RETAILERS)),
        extra("consumerOrderNumber", format!("W{number}")),
        extra("dscoSupplierId", "1000012345"),
        extra("dscoSupplierName", "Acme Goods"),
        extra("dscoTradingPartnerName", "Acme Goods"),
        extra("dscoWarehouseDscoId", "5000000001"),
        extra(
            "expectedDeliveryDate",
            format!("2026-11-{:02}T21:23:26+00:00", 1 + dice.up_to(28)),
        ),
        extra("expediteFlag", "false"),
        extra(
            "giftFlag",
            if dice.up_to(9) == 0 { "true" } else { "false" },
        ),
        extra("numberOfLineItems", lines.to_string()),
        extra("packingSlipMessage", "Thank you for your order."),
        extra("requestedShippingServiceLevelCodeUnmapped", "FECG"),
        extra("requestedWarehouseDscoId", "5000000001"),
        extra("shipWarehouseDscoId", "5000000001"),
        extra("signatureRequiredFlag", "false"),
        extra("shipping.addressType", "Residential"),
        extra("shipping.carrier", "FedEx"),
        extra("shipping.method", "Ground"),
    ]
}

fn address(dice: &mut Dice) -> Address {
    let (city, region, postcode) = *dice.of(&CITIES);
    let street = format!("{} {}", 1 + dice.up_to(1999), dice.of(&STREETS));
    Address {
        name: format!("{} {}", dice.of(&FIRST), dice.of(&LAST)),
        company: None,
        attention: None,
        street: vec![street, format!("Apt {}", 1 + dice.up_to(60))],
        city: city.to_owned(),
        region: Some(region.to_owned()),
        postcode: postcode.to_owned(),
        country: Some("US".to_owned()),
        phone: Some(format!("555{:07}", dice.up_to(10_000_000))),
        email: Some(format!("buyer{}@example.com", dice.up_to(1_000_000))),
    }
}

fn line(number: u32, dice: &mut Dice) -> OrderLine {
    let (code, thing) = *dice.of(&THINGS);
    let (colour_code, colour) = *dice.of(&COLOURS);
    let size = *dice.of(&["S", "M", "L", "XL", "OS"]);
    let quantity = 1 + dice.up_to(4);
    let cents = 380 + i64::from(dice.up_to(20_000));
    let item = dice.up_to(20_000);
    let identifier = |kind: &str, value: String| Identifier {
        kind: kind.to_owned(),
        value,
    };
    OrderLine {
        line: number.to_string(),
        number: Some(number),
        identifiers: vec![
            identifier("sku", format!("{code}-{colour_code}-{size}-{item}")),
            identifier("partner-sku", format!("R3-{item}")),
            identifier("upc", format!("0100{item:08}")),
            identifier("ean", format!("40000{item:08}")),
            identifier("network-item", format!("10900{item:05}")),
        ],
        title: format!("{thing} {colour} {size}"),
        quantity: Decimal::whole(i64::from(quantity)),
        cancelled: Decimal::ZERO,
        shipped: Decimal::ZERO,
        unit_price: Some(Decimal::new(cents, 2)),
        tax: None,
        ship_by: None,
        warehouse: Some("WH01".to_owned()),
        extras: vec![
            extra("acceptedQuantity", "0"),
            extra("consumerPrice", Decimal::new(cents * 2, 2).to_string()),
            extra("dscoLifecycle", "received"),
            extra("remainingQuantity", quantity.to_string()),
            extra("retailerLineId", number.to_string()),
            extra("unitOfMeasure", "EA"),
        ],
    }
}

impl Sample {
    /// As the network sends it at that step.
    pub(crate) fn document(&self, step: Step) -> Document {
        let mut order = self.order.clone();
        let (seconds, lifecycle) = match step {
            Step::New => (0, "received"),
            Step::Acknowledged | Step::Numbered => (2, "acknowledged"),
        };
        if step != Step::New {
            order.phase = OrderPhase::Accepted;
        }
        if step == Step::Numbered {
            order.supplier_number = Some(self.sale.clone());
        }
        let occurred_at = self.placed_at + seconds * 1000;
        Document {
            key: self.key.clone(),
            revision: format!("{occurred_at} {lifecycle} {step:?}"),
            occurred_at,
            body: Body::Order(order),
        }
    }

    pub(crate) const fn order(&self) -> &Order {
        &self.order
    }

    /// The call that makes the sale, and its answer.
    pub(crate) fn sale_call(&self, at: Millis) -> Exchange {
        let ship_to = &self.order.ship_to;
        let rows: Vec<serde_json::Value> = self
            .order
            .lines
            .iter()
            .map(|line| {
                serde_json::json!({
                    "productId": 1000 + u32::try_from(line.title.len()).unwrap_or(0), "name": line.title,
                    "quantity": line.quantity.to_string(), "taxCode": "Z", "nominalCode": "4000",
                    "net": line.unit_price.unwrap_or_default().to_string(), "tax": "0.00",
                    "externalRef": format!("{}-{}", self.key, line.line),
                })
            })
            .collect();
        let body = serde_json::json!({
            "customer": {"id": 4000, "address": {"addressFullName": ship_to.name, "countryIsoCode": "US"}},
            "delivery": {"address": {"addressFullName": ship_to.name, "addressLine1": ship_to.street.first(),
                "addressLine2": ship_to.street.get(1), "addressLine3": ship_to.city, "addressLine4": ship_to.region,
                "postalCode": ship_to.postcode, "countryIsoCode": "US", "telephone": ship_to.phone}, "shippingMethodId": 11},
            "ref": self.order.number, "externalRef": self.key, "currency": {"code": "USD"}, "rows": rows,
        });
        exchange(
            at,
            "https://use1.brightpearlconnect.com/public-api/acme/order-service/sales-order",
            "create-sale",
            body.to_string(),
            format!("{{\"response\":{}}}", self.sale),
        )
    }
}

/// The call that acknowledges these orders, with or without the numbers of their sales.
pub(crate) fn acknowledgement(samples: &[Sample], numbers: bool, at: Millis) -> Exchange {
    let entries: Vec<serde_json::Value> = samples
        .iter()
        .map(|sample| {
            let mut entry = serde_json::json!({"id": sample.key, "type": "DSCO_ORDER_ID"});
            if numbers {
                entry["supplierOrderNumber"] = sample.sale.clone().into();
            }
            entry
        })
        .collect();
    let mut dice = Dice::new(u64::try_from(at).unwrap_or(0));
    let request = format!("{:016x}{:016x}", dice.next(), dice.next());
    exchange(
        at,
        "https://api.dsco.io/api/v3/order/acknowledge",
        if numbers {
            "acknowledge-number"
        } else {
            "acknowledge"
        },
        serde_json::Value::from(entries).to_string(),
        format!("{{\"eventDate\":\"{at}\",\"requestId\":\"{request}\",\"status\":\"pending\"}}"),
    )
}

fn exchange(at: Millis, url: &str, step: &str, request: String, answer: String) -> Exchange {
    Exchange {
        at,
        took_ms: 210,
        method: "POST".to_owned(),
        url: url.to_owned(),
        status: 200,
        step: Some(step.to_owned()),
        replayed: false,
        request,
        answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_is_the_same_order_and_others_differ() {
        let one = order(7, 1_000).document(Step::New);
        assert_eq!(one, order(7, 1_000).document(Step::New));
        assert_ne!(one.body, order(8, 1_000).document(Step::New).body);
    }

    #[test]
    fn every_step_is_a_revision_of_its_own() {
        let sample = order(7, 1_000);
        let revisions = [Step::New, Step::Acknowledged, Step::Numbered]
            .map(|step| sample.document(step).revision);
        assert_ne!(revisions[0], revisions[1]);
        assert_ne!(revisions[1], revisions[2]);
    }
}
