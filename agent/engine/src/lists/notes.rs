//! A goods-out note in the list of shipments.

use super::{Common, common};
use crate::core::Desk;
use crate::shipment::show;
use crate::words;
use serde::Serialize;
use waybill_model::decimal::Decimal;
use waybill_model::document::Stage;
use waybill_model::ids::Millis;
use waybill_model::job::{Ending, JobState};
use waybill_store::{JobRow, Rx, StoreError};

/// A goods-out note, and what became of its shipment.
#[derive(Debug, Clone, Serialize)]
pub struct ShipmentLine {
    /// What every row says.
    #[serde(flatten)]
    pub common: Common,
    /// Number of the note.
    pub note: String,
    /// Tracking numbers, each once.
    pub tracking: Vec<String>,
    /// Carrier, or the shipping method in the ERP's words, where known.
    pub carrier: Option<String>,
    /// How far the note is.
    pub stage: Option<Stage>,
    /// When it was shipped.
    pub shipped_at: Option<Millis>,
    /// Units that are told or being told.
    pub units: Decimal,
}

pub(super) fn line(desk: &Desk, rx: &Rx, job: &JobRow) -> Result<ShipmentLine, StoreError> {
    let view = show::shipment(desk, rx, job)?;
    let mut units = Decimal::ZERO;
    for (_, more) in &view.units {
        units = units.checked_add(*more).unwrap_or(units);
    }
    let title = desk.title(job.to);
    let told = match &job.state {
        JobState::Done(Ending::Written(_)) => format!("Reported, confirmed by {title}"),
        state => words::state(state, &title),
    };
    Ok(ShipmentLine {
        common: common(desk, rx, job, &told)?,
        note: view.note,
        tracking: view.tracking,
        carrier: view.carrier,
        stage: view.stage,
        shipped_at: view.shipped_at,
        units,
    })
}
