//! A retailer's cancel request as a canonical cancellation. Knows no call and no cursor.

use crate::api::Api;
use crate::order;
use crate::wire::order::Order;
use waybill_sdk::commerce::{
    Body, CancelPhase, Cancellation, Document, LineQuantity, Order as Canonical, OrderPhase,
};

/// Whether the retailer asks for a cancel of the order or of a line of it.
pub(crate) fn is_requested(order: &Order) -> bool {
    order.cancel_requested == Some(true)
        || order
            .line_items
            .iter()
            .any(|line| line.cancel_requested == Some(true))
}

/// The cancellation that an order of the cancel-request stream stands for: such a stream holds requests, their
/// rejections, and nothing else.
pub(crate) fn document(api: &Api<'_>, order: &Order) -> Option<Document> {
    let document = order::document(api, order, &order::Names::default())?;
    let Body::Order(canonical) = &document.body else {
        return None;
    };
    let phase = if canonical.phase == OrderPhase::Cancelled {
        CancelPhase::Accepted
    } else if is_requested(order) {
        CancelPhase::Requested
    } else {
        CancelPhase::Refused
    };
    let lines = lines(order, canonical);
    let of_line = order
        .line_items
        .iter()
        .find_map(|line| line.cancel_requested_code.clone());
    Some(Document {
        body: Body::Cancellation(Cancellation {
            order_key: document.key.clone(),
            phase,
            reason: order.cancel_requested_code.clone().or(of_line),
            lines,
        }),
        ..document
    })
}

/// The requests that orders of a search carry. A revision of their own: the same request may have come before its order
/// was known, and was then passed over.
pub(crate) fn with_orders(api: &Api<'_>, orders: &[Order]) -> Vec<Document> {
    let asked = orders.iter().filter(|order| is_requested(order));
    asked
        .filter_map(|order| document(api, order))
        .filter(|document| {
            let requested = |c: &Cancellation| c.phase == CancelPhase::Requested;
            matches!(&document.body, Body::Cancellation(c) if requested(c))
        })
        .map(|document| Document {
            revision: format!("{} with its order", document.revision),
            ..document
        })
        .collect()
}

/// The open quantities of the lines named; none where the whole order is meant.
fn lines(order: &Order, canonical: &Canonical) -> Vec<LineQuantity> {
    let named = |line: &crate::wire::order::Line| line.cancel_requested == Some(true);
    if order.line_items.iter().all(named) {
        return Vec::new();
    }
    order
        .line_items
        .iter()
        .zip(&canonical.lines)
        .filter(|(wire, _)| named(wire))
        .filter_map(|(_, line)| {
            let open = line.quantity.minus(line.cancelled)?.minus(line.shipped)?;
            open.is_positive().then(|| LineQuantity {
                line: line.line.clone(),
                quantity: open,
            })
        })
        .collect()
}
