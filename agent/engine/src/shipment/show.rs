//! What an order's page shows of its lines and of its goods-out notes.

use super::{count, unnoted};
use crate::core::Desk;
use crate::view::{LineView, ShipmentView, Tone};
use crate::words;
use waybill_model::document::{Body, Order, Shipment};
use waybill_model::job::JobState;
use waybill_model::quantities;
use waybill_store::{JobRow, Read, StoreError};

/// Lines with their quantities.
pub(crate) fn lines(order: &Order, jobs: &[JobRow]) -> Vec<LineView> {
    let counted = quantities::count(order, &count::told(jobs));
    let invoiced = crate::invoice::show::units(jobs);
    let lines = order.lines.iter().zip(counted);
    lines
        .map(|(line, count)| LineView {
            line: line.line.clone(),
            number: line.number,
            sku: ["sku", "partner-sku"]
                .iter()
                .find_map(|kind| line.identifier(kind))
                .map(str::to_owned),
            title: line.title.clone(),
            ordered: count.ordered,
            shipped: count.shipped,
            cancelled: count.cancelled,
            open: count.open,
            invoiced: invoiced.get(&line.line).copied().unwrap_or_default(),
        })
        .collect()
}

/// The goods-out notes of an order, in the order of arrival.
pub(crate) fn shipments(
    desk: &Desk,
    rx: &dyn Read,
    jobs: &[JobRow],
) -> Result<Vec<ShipmentView>, StoreError> {
    let mut views = Vec::new();
    for job in jobs.iter().filter(|j| count::is_shipment(j)) {
        views.push(shipment(desk, rx, job)?);
    }
    Ok(views)
}

/// The goods-out note of a job.
pub(crate) fn shipment(
    desk: &Desk,
    rx: &dyn Read,
    job: &JobRow,
) -> Result<ShipmentView, StoreError> {
    let stored = rx.document(job.document)?;
    let shipment = match stored.as_ref().map(|s| &s.document.body) {
        Some(Body::Shipment(shipment)) => Some(shipment),
        _ => None,
    };
    Ok(view(desk, job, shipment))
}

fn view(desk: &Desk, job: &JobRow, shipment: Option<&Shipment>) -> ShipmentView {
    let title = desk.title(job.to);
    let (state, tone) = match &job.state {
        JobState::Resting { .. } => {
            let why = job.last_failure.clone();
            let why = why.unwrap_or_else(|| words::state(&job.state, &title));
            (why, Tone::Hold)
        }
        JobState::Parked(_) => (words::state(&job.state, &title), Tone::You),
        JobState::Done(_) if count::is_told(job) => ("Reported".to_owned(), Tone::Ok),
        JobState::Done(_) => (words::state(&job.state, &title), Tone::Quiet),
        state => (words::state(state, &title), Tone::Soon),
    };
    let method = shipment.and_then(|s| s.shipping_method.as_ref());
    let units = job.units.iter().map(|q| (q.line.clone(), q.quantity));
    ShipmentView {
        note: if unnoted::is_whole(&job.key) {
            "none".to_owned()
        } else {
            job.key.clone()
        },
        job: job.id,
        tracking: shipment.map(tracking).unwrap_or_default(),
        carrier: method.and_then(|m| m.carrier.clone().or_else(|| m.name.clone())),
        stage: shipment.map(|s| s.stage),
        shipped_at: shipment.and_then(|s| s.shipped_at),
        units: units.collect(),
        state,
        tone,
        changed_at: job.changed_at,
        can_retry: matches!(job.state, JobState::Parked(_)),
    }
}

/// Tracking numbers of a shipment, each once.
pub(crate) fn tracking(shipment: &Shipment) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    for number in shipment.parcels.iter().filter_map(|p| p.tracking.as_ref()) {
        let number = number.trim();
        if !number.is_empty() && !numbers.iter().any(|n| n == number) {
            numbers.push(number.to_owned());
        }
    }
    numbers
}
