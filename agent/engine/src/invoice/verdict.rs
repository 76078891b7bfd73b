//! What the network's word on an invoice means for its order.

use super::look;
use crate::core::Desk;
use crate::order;
use waybill_model::contract::{Problem, Receipt};
use waybill_model::document::Entity;
use waybill_model::ids::Millis;
use waybill_model::job::{JobState, Reason};
use waybill_store::{JobRow, NoteKind, OrderRow, StoreError, Tx};

/// Code: the network says that the order was cancelled.
const WITHDRAWN: &str = "invoice-withdrawn";

/// The network has it.
pub(crate) fn done(
    tx: &mut Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    row: &OrderRow,
    receipt: &Receipt,
    now: Millis,
) -> Result<(), StoreError> {
    let invoice = Entity::Invoice;
    tx.link(job.from, invoice, &job.key, job.to, invoice, &receipt.key)?;
    let sent = look::sent(tx, job)?;
    let over = sent.map_or_else(String::new, |sent| {
        let gross = sent.total.gross.rounded(2).fixed(2);
        format!(" over {gross} {}", sent.currency)
    });
    let title = desk.title(job.to);
    let text = if receipt.duplicate {
        format!("{title} has invoice {}{over} already.", job.key)
    } else {
        format!(
            "Invoice {}{over} sent to {}. {}",
            job.key,
            row.retailer_name,
            crate::words::confirmed(&title, receipt)
        )
    };
    order::note(tx, row.id, now, NoteKind::Ok, "ok", &text, None)
}

/// The network says that the order was cancelled: nothing is taken back by itself, a person must know.
pub(crate) fn withdrawn(
    tx: &mut Tx<'_>,
    job: &JobRow,
    row: &OrderRow,
    why: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let problem = Problem::new(
        WITHDRAWN,
        format!(
            "Invoice {} of order {} is not taken: {why}",
            job.key, row.number
        ),
        "Credit it where it was made, or settle it with the retailer; then leave this card with a reason.",
    );
    tx.forget_effects(job.id)?;
    let text = &problem.message;
    order::note(tx, row.id, now, NoteKind::You, "you", text, None)?;
    tx.set_state(job.id, JobState::Parked(Reason::Problem(problem)), now)
}
