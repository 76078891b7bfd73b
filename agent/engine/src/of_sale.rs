//! Documents of the ERP that belong to one of our sales: notes, invoices, states of it. Which order each is about, and what
//! happens to those of nobody we know.

use crate::cancel;
use crate::core::Desk;
use crate::intake::Taken;
use crate::invoice;
use crate::shipment;
use crate::unclaimed;
use waybill_model::document::{Body, Document, Shipment};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{Read, StoreError, Tx};

/// Takes a document of that sort. `false`: it is of another one.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    document: &Document,
    taken: &mut Taken,
    now: Millis,
) -> Result<bool, StoreError> {
    let sale = match &document.body {
        Body::Shipment(shipment) => {
            take_note(tx, desk, connection, document, shipment, taken, now)?;
            return Ok(true);
        }
        Body::Invoice(made) => &made.order_key,
        Body::OrderState(state) => &state.order_key,
        _ => return Ok(false),
    };
    if tx.order_linked(connection, sale)?.is_none() {
        strange(tx, desk, connection, document, sale, taken, now)?;
        return Ok(true);
    }
    let new = match &document.body {
        Body::Invoice(made) => invoice::intake::take(tx, desk, connection, document, made, now)?,
        Body::OrderState(state) => {
            cancel::merchant::take(tx, desk, connection, document, state, now)?
        }
        _ => false,
    };
    if new {
        taken.new += 1;
    } else {
        taken.seen += 1;
    }
    Ok(true)
}

fn take_note(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    document: &Document,
    found: &Shipment,
    taken: &mut Taken,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(row) = shipment::intake::order_of(tx, desk, connection, found)? else {
        let sale = &found.order_key;
        return strange(tx, desk, connection, document, sale, taken, now);
    };
    let Some(accepted) = tx.accept(connection, document, now)? else {
        taken.seen += 1;
        return shipment::intake::seen(tx, connection, document, &row, now);
    };
    taken.new += 1;
    let accepted = accepted.document;
    shipment::intake::take(tx, desk, connection, document, &row, accepted, now)
}

/// What belongs to a sale that nobody knows is ignored; while a sale's creation is under way, it is remembered.
fn strange(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    document: &Document,
    sale: &str,
    taken: &mut Taken,
    now: Millis,
) -> Result<(), StoreError> {
    taken.seen += 1;
    let what = (connection, document.body.entity());
    let unsure = &mut taken.unsure;
    unclaimed::remember(tx, desk, what, (sale, &document.key), unsure, now)
}
