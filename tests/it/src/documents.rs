//! The documents that cases hand to the bench: items, orders, goods-out notes, parcels; routes of more than one of them,
//! and the causes that are open.

use crate::bench::Bench;
use crate::simulation::START;
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Body, CancelPhase, Cancellation, Document, Entity, Identifier, InventoryLevel, Invoice, Item,
    LineState, Method, Order, OrderLine, OrderState, PackedLine, Parcel, Shipment, Stage, Totals,
};
use waybill_model::ids::ConnectionId;
use waybill_store::{Cause, RouteRow, StoreError, Tx};

/// Cancellations lead both ways.
pub(crate) fn routes_of_cancels(
    tx: &mut Tx<'_>,
    network: ConnectionId,
    erp: ConnectionId,
) -> Result<(), StoreError> {
    for (from, to) in [(network, erp), (erp, network)] {
        tx.put_route(&RouteRow::new(Entity::Cancellation, from, to))?;
    }
    Ok(())
}

/// A retailer asks to cancel the whole order.
pub fn request(order: &str) -> Document {
    Document {
        key: order.to_owned(),
        revision: "1".to_owned(),
        occurred_at: 0,
        body: Body::Cancellation(Cancellation {
            order_key: order.to_owned(),
            phase: CancelPhase::Requested,
            reason: None,
            lines: Vec::new(),
        }),
    }
}

/// What the ERP's warehouse holds of an item.
pub(crate) fn level(item: &str, units: i64) -> Document {
    Document {
        key: format!("{item}@2"),
        revision: "1".to_owned(),
        occurred_at: 0,
        body: Body::InventoryLevel(InventoryLevel {
            item: item.to_owned(),
            warehouse: "2".to_owned(),
            available: Decimal::whole(units),
            expected_at: None,
        }),
    }
}

/// An item of the ERP.
pub fn item(sku: &str, key: &str) -> Document {
    Document {
        key: key.to_owned(),
        revision: "1".to_owned(),
        occurred_at: 0,
        body: Body::Item(Item {
            identifiers: vec![Identifier {
                kind: "sku".to_owned(),
                value: sku.to_owned(),
            }],
            title: sku.to_owned(),
            tracked: true,
            active: true,
            components: Vec::new(),
            extras: Vec::new(),
        }),
    }
}

/// An open order over five units of `SKU-1`, changed as the test likes.
///
/// # Panics
/// Never: the document is an order.
pub fn order(key: &str, revision: u32, change: impl FnOnce(&mut Order)) -> Document {
    let mut document = crate::network::document(&crate::world::NetworkOrder {
        key: key.to_owned(),
        retailer: "R1".to_owned(),
        item: "SKU-1".to_owned(),
        units: 5,
        case: crate::world::Case::Plain,
        version: u64::from(revision),
        cancelled: false,
        acknowledged: false,
        number: None,
        renumbered: 0,
        kit: false,
        shipped: 0,
        parcels: Vec::new(),
        ship_by: 4_000_000_000_000,
        slow: false,
    });
    let Body::Order(order) = &mut document.body else {
        unreachable!("the network hands out orders")
    };
    change(order);
    document
}

impl Bench {
    /// Codes of the problems on the cards, and table and value of the gaps.
    pub fn codes(&self) -> Vec<String> {
        let cause = |cause| match cause {
            Cause::Gap { gap, .. } => format!("{} {}", gap.table, gap.value),
            Cause::Problem { problem, .. } | Cause::InDoubt { problem, .. } => problem.code,
        };
        let cards = self.cards().into_iter();
        cards.map(|card| cause(card.cause)).collect()
    }

    /// The state of an order's sale, with nothing special about its line 1.
    ///
    /// # Panics
    /// When the order has no sale yet.
    pub fn state(
        &self,
        order: &str,
        revision: &str,
        change: impl FnOnce(&mut OrderState),
    ) -> Document {
        let sale = self.order(order).sale_key.expect("the sale is made");
        state(&sale, revision, change)
    }
}

/// A sale of line 1 at status 22, changed as the test likes.
pub fn state(sale: &str, revision: &str, change: impl FnOnce(&mut OrderState)) -> Document {
    let mut state = OrderState {
        order_key: sale.to_owned(),
        status: "22".to_owned(),
        cancelled: false,
        invoices: Vec::new(),
        lines: vec![LineState {
            line: "1".to_owned(),
            allocated: Decimal::ZERO,
            shipped: Decimal::ZERO,
            cancelled: Decimal::ZERO,
            invoiced: Decimal::ZERO,
        }],
    };
    change(&mut state);
    Document {
        key: sale.to_owned(),
        revision: revision.to_owned(),
        occurred_at: 0,
        body: Body::OrderState(state),
    }
}

/// A goods-out note with one parcel that holds all five units of line 1, changed as the test likes.
pub fn note(key: &str, sale: &str, revision: u32, change: impl FnOnce(&mut Shipment)) -> Document {
    let mut shipment = Shipment {
        order_key: sale.to_owned(),
        stage: Stage::Shipped,
        shipped_at: Some(START),
        warehouse: Some("2".to_owned()),
        shipping_method: Some(Method {
            carrier: None,
            name: Some("UPS Ground".to_owned()),
            code: Some("12".to_owned()),
        }),
        parcels: vec![parcel(Some(&format!("1Z{key}")), &[("1", 5)])],
        extras: Vec::new(),
    };
    change(&mut shipment);
    Document {
        key: key.to_owned(),
        revision: revision.to_string(),
        occurred_at: START,
        body: Body::Shipment(shipment),
    }
}

/// A line of an invoice: units and price in cents.
pub fn billed(line: &str, units: i64, cents: i64) -> OrderLine {
    OrderLine {
        line: line.to_owned(),
        number: None,
        identifiers: Vec::new(),
        title: "A thing".to_owned(),
        quantity: Decimal::whole(units),
        cancelled: Decimal::ZERO,
        shipped: Decimal::ZERO,
        unit_price: Some(Decimal::new(cents, 2)),
        tax: Some(Decimal::ZERO),
        ship_by: None,
        warehouse: None,
        extras: Vec::new(),
    }
}

/// The ERP's invoice of a sale, over these lines.
///
/// # Panics
/// When the amounts do not fit.
pub fn invoice(sale: &str, number: &str, lines: Vec<OrderLine>) -> Document {
    let net = lines.iter().fold(Decimal::ZERO, |sum, line| {
        let price = line.unit_price.unwrap_or_default();
        let amount = price.checked_mul(line.quantity).expect("a small amount");
        sum.checked_add(amount).expect("a small amount")
    });
    Document {
        key: sale.to_owned(),
        revision: format!("{number} {net}"),
        occurred_at: START,
        body: Body::Invoice(Invoice {
            number: number.to_owned(),
            order_key: sale.to_owned(),
            issued_at: START,
            currency: "USD".to_owned(),
            lines,
            charges: Vec::new(),
            total: Totals {
                net,
                tax: Decimal::ZERO,
                gross: net,
            },
            extras: Vec::new(),
        }),
    }
}

/// A parcel with units of these lines.
pub fn parcel(tracking: Option<&str>, lines: &[(&str, i64)]) -> Parcel {
    let packed = |(line, units): &(&str, i64)| PackedLine {
        line: (*line).to_owned(),
        quantity: Decimal::whole(*units),
        part: None,
    };
    Parcel {
        tracking: tracking.map(str::to_owned),
        lines: lines.iter().map(packed).collect(),
        span: false,
        extras: Vec::new(),
    }
}
