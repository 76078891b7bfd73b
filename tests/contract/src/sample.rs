//! One plausible document of every kind, told apart by a number. Knows no vendor.

use waybill_model::contract::Delivery;
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Address, Body, CancelPhase, Cancellation, Charge, Customer, Document, Entity, Extra,
    Identifier, InventoryLevel, Invoice, Item, LineQuantity, LineState, Method, Order, OrderLine,
    OrderPhase, OrderState, PackedLine, Parcel, Retailer, Shipment, ShippingMethod, Stage, Totals,
    Warehouse,
};
use waybill_model::ids::Millis;

/// A document of that kind, as the agent would push it at that time.
pub(crate) fn document(entity: Entity, number: u32, now: Millis) -> Document {
    Document {
        key: format!("contract-{number}"),
        revision: "1".to_owned(),
        occurred_at: now - 60_000,
        body: body(entity, number, now),
    }
}

/// The same as a member of a push; whatever belongs to an order comes with it.
pub(crate) fn delivery(entity: Entity, number: u32, now: Millis) -> Delivery {
    let of_order = matches!(
        entity,
        Entity::Shipment | Entity::Cancellation | Entity::OrderState | Entity::Invoice
    );
    let origin = of_order.then(|| Document {
        key: order_key(number),
        ..document(Entity::Order, number, now)
    });
    Delivery {
        document: document(entity, number, now),
        origin,
        links: Vec::new(),
        settings: Vec::new(),
    }
}

fn order_key(number: u32) -> String {
    format!("order-{number}")
}

fn body(entity: Entity, number: u32, now: Millis) -> Body {
    let one = Decimal::whole(1);
    let key = order_key(number);
    match entity {
        Entity::Order => Body::Order(order(number, now)),
        Entity::Cancellation => Body::Cancellation(Cancellation {
            order_key: key,
            phase: CancelPhase::Ordered,
            reason: Some("no longer wanted".to_owned()),
            lines: vec![LineQuantity {
                line: "1".to_owned(),
                quantity: one,
            }],
        }),
        Entity::OrderState => Body::OrderState(OrderState {
            order_key: key,
            status: "open".to_owned(),
            cancelled: false,
            invoices: Vec::new(),
            lines: vec![LineState {
                line: "1".to_owned(),
                allocated: one,
                shipped: Decimal::ZERO,
                cancelled: Decimal::ZERO,
                invoiced: Decimal::ZERO,
            }],
        }),
        Entity::Shipment => Body::Shipment(shipment(number, now)),
        Entity::Invoice => {
            let order = order(number, now);
            Body::Invoice(Invoice {
                number: format!("INV-{number}"),
                order_key: key,
                issued_at: now,
                currency: "USD".to_owned(),
                lines: order.lines,
                charges: order.charges,
                total: totals(5_500, 0),
                extras: Vec::new(),
            })
        }
        Entity::InventoryLevel => Body::InventoryLevel(InventoryLevel {
            item: format!("SKU-{number}"),
            warehouse: "main".to_owned(),
            available: Decimal::whole(7),
            expected_at: None,
        }),
        Entity::Item => Body::Item(Item {
            identifiers: identifiers(number),
            title: format!("Thing {number}"),
            tracked: true,
            active: true,
            components: Vec::new(),
            extras: Vec::new(),
        }),
        Entity::Customer => Body::Customer(Customer {
            code: format!("retailer-{number}"),
            address: address(number),
            extras: Vec::new(),
        }),
        Entity::Retailer => Body::Retailer(Retailer {
            code: format!("retailer-{number}"),
            name: format!("Retailer {number}"),
            active: true,
            extras: Vec::new(),
        }),
        Entity::Warehouse => Body::Warehouse(Warehouse {
            code: format!("W{number}"),
            name: format!("Warehouse {number}"),
            active: true,
            extras: Vec::new(),
        }),
        Entity::ShippingMethod => Body::ShippingMethod(ShippingMethod {
            method: method(),
            extras: Vec::new(),
        }),
    }
}

fn totals(net: i64, tax: i64) -> Totals {
    let cents = |units| Decimal::new(units, 2);
    Totals {
        net: cents(net),
        tax: cents(tax),
        gross: cents(net + tax),
    }
}

fn method() -> Method {
    Method {
        carrier: Some("UPS".to_owned()),
        name: Some("Ground".to_owned()),
        code: Some("UPCG".to_owned()),
    }
}

fn identifiers(number: u32) -> Vec<Identifier> {
    let one = |kind: &str, value: String| Identifier {
        kind: kind.to_owned(),
        value,
    };
    vec![
        one("mapped", (1_000 + number).to_string()),
        one("sku", format!("SKU-{number}")),
        one(
            "upc",
            format!("{:012}", 36_000_291_452_u64 + u64::from(number)),
        ),
    ]
}

pub(crate) fn address(number: u32) -> Address {
    Address {
        name: "Jo Doe".to_owned(),
        company: Some(format!("Retailer {number}")),
        attention: None,
        street: vec![format!("{number} Way"), "Unit 2".to_owned()],
        city: "Austin".to_owned(),
        region: Some("TX".to_owned()),
        postcode: "78701".to_owned(),
        country: Some("US".to_owned()),
        phone: Some("+1 512 555 0100".to_owned()),
        email: Some("jo@example.test".to_owned()),
    }
}

/// An order of five lines.
pub(crate) fn order(number: u32, now: Millis) -> Order {
    let line = |n: u32| OrderLine {
        line: n.to_string(),
        number: Some(n),
        identifiers: identifiers(n),
        title: format!("Thing {n}"),
        quantity: Decimal::whole(1),
        cancelled: Decimal::ZERO,
        shipped: Decimal::ZERO,
        unit_price: Some(Decimal::new(1_000, 2)),
        tax: Some(Decimal::ZERO),
        ship_by: Some(now + 86_400_000),
        warehouse: None,
        extras: vec![Extra {
            name: "color".to_owned(),
            value: "blue".to_owned(),
        }],
    };
    Order {
        number: format!("PO-{number}"),
        retailer: "retailer-1".to_owned(),
        retailer_name: "Retailer 1".to_owned(),
        kind: "dropship".to_owned(),
        test: false,
        phase: OrderPhase::Accepted,
        currency: Some("USD".to_owned()),
        placed_at: Some(now - 3_600_000),
        acknowledge_by: None,
        ship_by: None,
        invoice_by: None,
        cancel_after: None,
        customer: Some("200".to_owned()),
        warehouse: None,
        shipping_method: None,
        bill_to: None,
        ship_to: address(number),
        lines: (1..=5).map(line).collect(),
        charges: vec![Charge {
            kind: "shipping".to_owned(),
            title: "Ground".to_owned(),
            amount: totals(500, 0),
        }],
        total: Some(totals(5_500, 0)),
        supplier_number: None,
        extras: Vec::new(),
    }
}

fn shipment(number: u32, now: Millis) -> Shipment {
    Shipment {
        order_key: order_key(number),
        stage: Stage::Shipped,
        shipped_at: Some(now - 60_000),
        warehouse: None,
        shipping_method: Some(method()),
        parcels: vec![Parcel {
            tracking: Some(format!("1Z{number}")),
            lines: vec![PackedLine {
                line: "1".to_owned(),
                quantity: Decimal::whole(1),
                part: None,
            }],
            span: false,
            extras: Vec::new(),
        }],
        extras: Vec::new(),
    }
}
