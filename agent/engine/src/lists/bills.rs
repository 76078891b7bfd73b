//! An invoice, or a part of one, in the list of invoices.

use super::{Common, common};
use crate::core::Desk;
use crate::invoice::show;
use crate::words;
use serde::Serialize;
use std::collections::BTreeMap;
use waybill_model::contract::Field;
use waybill_model::decimal::Decimal;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::{Ending, JobState};
use waybill_model::settings::{self, INVOICE_POLICY};
use waybill_store::{JobRow, Read, Rx, StoreError};

/// An invoice, or a part of one, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct InvoiceLine {
    /// What every row says.
    #[serde(flatten)]
    pub common: Common,
    /// Its number where it is sent.
    pub number: String,
    /// The number of the one it was cut from.
    pub of: Option<String>,
    /// What it is over, with tax, and the currency; `None` where the document is kept no longer.
    pub over: Option<(Decimal, String)>,
    /// Its date.
    pub issued_at: Option<Millis>,
    /// How its retailer wants invoices now, in words.
    pub policy: String,
}

/// Policies by network and retailer, each read once a page.
#[derive(Default)]
pub(super) struct Policies(BTreeMap<(ConnectionId, String), String>);

impl Policies {
    fn of(&mut self, rx: &Rx, network: ConnectionId, retailer: &str) -> Result<String, StoreError> {
        let place = (network, retailer.to_owned());
        if let Some(known) = self.0.get(&place) {
            return Ok(known.clone());
        }
        let values = rx.effective(Some(network), Some(retailer))?;
        let all = settings::agent_settings();
        let value = settings::value(&values, INVOICE_POLICY, &all).unwrap_or_default();
        let field = all.iter().find(|s| s.key == INVOICE_POLICY);
        let label = match field.map(|s| &s.field) {
            Some(Field::OneOf(choices)) => choices.iter().find(|c| c.value == value),
            _ => None,
        };
        let label = label.map_or_else(|| value.to_owned(), |choice| choice.label.clone());
        self.0.insert(place, label.clone());
        Ok(label)
    }
}

pub(super) fn line(
    desk: &Desk,
    rx: &Rx,
    job: &JobRow,
    policies: &mut Policies,
) -> Result<InvoiceLine, StoreError> {
    let title = desk.title(job.to);
    let told = match &job.state {
        JobState::Done(Ending::Written(_)) => format!("Sent, confirmed by {title}"),
        JobState::Done(Ending::Merged(_)) => "Sent in parts".to_owned(),
        state => words::state(state, &title),
    };
    let common = common(desk, rx, job, &told)?;
    let jobs = match job.order {
        Some(id) => rx.jobs_of_order(id)?,
        None => Vec::new(),
    };
    let view = show::invoice(desk, rx, &jobs, job)?;
    let retailer = common.order.as_ref().map(|order| order.retailer.clone());
    let policy = match retailer {
        Some(retailer) => policies.of(rx, job.to, &retailer)?,
        None => String::new(),
    };
    Ok(InvoiceLine {
        common,
        number: job.key.clone(),
        of: view.as_ref().and_then(|view| view.of.clone()),
        issued_at: view.as_ref().map(|view| view.issued_at),
        over: view.map(|view| (view.over, view.currency)),
        policy,
    })
}
