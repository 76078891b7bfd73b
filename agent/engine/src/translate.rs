//! The store as the tables of `model::crosswalk`, and what a push carries beside the document.

use crate::core::Desk;
use crate::shipment;
use crate::shipment::rest::Rest;
use std::collections::BTreeMap;
use waybill_model::amounts::Rules;
use waybill_model::contract::{Delivery, Gap, Pairs, Problem};
use waybill_model::crosswalk::{self, IdFields, Match, Tables, Untranslated};
use waybill_model::document::{
    Address, Body, Customer, Document, Entity, Order, OrderLine, OrderPhase,
};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::{Ending, Reason};
use waybill_model::settings::{
    self, COUNTRY, CUSTOMER_PER_ORDER, CUSTOMER_PER_RETAILER, CUSTOMERS, SOURCE_ID, TARGET_ID,
    Values,
};
use waybill_store::{JobRow, Read, StoreError, Tx};

/// What becomes of a ready job when it is looked at.
pub(crate) enum Looked {
    /// It can be sent.
    Go(Box<Delivery>),
    /// A person must act.
    Park(Reason),
    /// The receiving system creates the customer first; the document is the one to create it from.
    NeedsCustomer(Gap),
    /// The order was cancelled meanwhile.
    Withdrawn,
    /// Its flow does not run; looked at again then at the latest.
    Hold(Millis),
    /// Its order's acknowledgement was only practised: that leaves first.
    Unacknowledged,
    /// Not yet; it is looked at again by itself.
    Rest(Rest),
    /// Nothing is left to do; why, for the timeline.
    End(Ending, String),
}

/// Stands for the key of the customer that would be made first, where nothing is sent. A number, since some systems have
/// no other keys, and one that nobody takes for a customer's.
pub(crate) const STAND_IN: &str = "999999999";

/// Reads of one translation. A store error is kept and handed out at the end: the trait has no place for it.
struct StoreTables<'a, 'b> {
    tx: &'a Tx<'b>,
    from: ConnectionId,
    to: ConnectionId,
    /// Each order has a customer of its own.
    per_order: bool,
    /// In practice no customer is made: another key stands for the one that would be.
    stand_in: bool,
    error: std::cell::RefCell<Option<StoreError>>,
}

impl StoreTables<'_, '_> {
    fn keep<T>(&self, result: Result<T, StoreError>, otherwise: T) -> T {
        result.unwrap_or_else(|error| {
            self.error.borrow_mut().get_or_insert(error);
            otherwise
        })
    }
}

impl Tables for StoreTables<'_, '_> {
    fn cell(&self, table: &str, retailer: &str, value: &str) -> Option<String> {
        let known = self.tx.cell(self.from, self.to, table, retailer, value);
        self.keep(known, None)
    }
    fn items(&self, kind: &str, value: &str) -> Match {
        self.keep(self.tx.items(self.to, kind, value), Match::Missing)
    }
    fn customer(&self, order: &str, retailer: &str) -> Result<String, Gap> {
        let gap = if self.per_order {
            crosswalk::order_gap(retailer, order)
        } else {
            crosswalk::retailer_gap(retailer)
        };
        // What a person filled in wins over what was made.
        let filled = self.cell(crosswalk::CUSTOMERS, retailer, &gap.value);
        let made = || {
            let made = made_for(self.tx, (self.from, self.to), order);
            self.keep(made, None).filter(|_| self.per_order)
        };
        let stand_in = || self.stand_in.then(|| STAND_IN.to_owned());
        filled.or_else(made).or_else(stand_in).ok_or(gap)
    }
}

/// The customer that was made for one order.
fn made_for(
    tx: &Tx<'_>,
    (from, to): (ConnectionId, ConnectionId),
    order: &str,
) -> Result<Option<String>, StoreError> {
    let links = tx.links_between(from, Entity::Customer, order, to)?;
    let mut made = links.into_iter().filter(|l| l.entity == Entity::Customer);
    Ok(made.next().map(|link| link.key))
}

/// Looks at a job of a push: translated and checked, or why not.
pub(crate) fn look(
    tx: &Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    practises: bool,
    now: Millis,
) -> Result<Looked, StoreError> {
    if job.entity == Entity::Shipment {
        return shipment::look::look(tx, desk, job, now);
    }
    if job.entity == Entity::Invoice {
        return crate::invoice::look::look(tx, desk, job, now);
    }
    if job.entity == Entity::Cancellation {
        return crate::cancel::look::look(tx, desk, job, now);
    }
    let Some(stored) = tx.document(job.document)? else {
        return Ok(Looked::Park(missing_document()));
    };
    match (job.entity, stored.document.order()) {
        (Entity::Order, Some(order)) => {
            look_at_order(tx, desk, job, &stored.document, order, practises)
        }
        (Entity::Customer, Some(_)) if is_unneeded(tx, job)? => Ok(Looked::Withdrawn),
        (Entity::Customer, Some(order)) => {
            customer(tx, desk, job, order).map(|d| Looked::Go(Box::new(d)))
        }
        _ => Ok(Looked::Park(missing_document())),
    }
}

pub(crate) fn missing_document() -> Reason {
    Reason::Problem(Problem::new(
        "document-missing",
        "The stored document of this job is missing.",
        "Send a support bundle; run a back-fill for this order.",
    ))
}

fn look_at_order(
    tx: &Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    document: &Document,
    order: &Order,
    practises: bool,
) -> Result<Looked, StoreError> {
    if crate::order::is_cancelled(order) {
        return Ok(Looked::Withdrawn);
    }
    let values = tx.effective(Some(job.from), Some(&order.retailer))?;
    let ruled = Rules::of(&values).apply(order);
    if let Err(problem) = ruled.check() {
        // A person accepted this very difference, and no other.
        let accepted = tx.meta(&lines_accepted_key(job))?;
        if accepted.as_deref() != Some(problem.message.as_bytes()) {
            return Ok(Looked::Park(Reason::Problem(problem)));
        }
    }
    let document = &Document {
        body: Body::Order(ruled.into_order()),
        ..document.clone()
    };
    let defaults = settings::agent_settings();
    let value = |key: &str| settings::value(&values, key, &defaults);
    let ids = IdFields {
        source: value(SOURCE_ID).unwrap_or("sku"),
        target: value(TARGET_ID).unwrap_or("sku"),
    };
    let per_order = value(CUSTOMERS) == Some(CUSTOMER_PER_ORDER);
    let creates = (per_order || value(CUSTOMERS) == Some(CUSTOMER_PER_RETAILER))
        && takes_customers(desk, job.to);
    let tables = StoreTables {
        tx,
        from: job.from,
        to: job.to,
        per_order,
        stand_in: practises && creates,
        error: std::cell::RefCell::new(None),
    };
    let translated = crosswalk::translate(document, &ids, value(COUNTRY), &tables);
    if let Some(error) = tables.error.into_inner() {
        return Err(error);
    }
    match translated {
        Ok(mapped) => {
            let settings = delivery_settings(tx, desk, job.to, &order.retailer)?;
            let links = tx.links_between(job.from, Entity::Order, &job.key, job.to)?;
            Ok(Looked::Go(Box::new(Delivery {
                document: mapped.into_document(),
                origin: None,
                links,
                settings,
            })))
        }
        Err(Untranslated::Problem(problem)) => Ok(Looked::Park(Reason::Problem(problem))),
        Err(Untranslated::Gaps(gaps)) => {
            let (customers, others): (Vec<_>, Vec<_>) = gaps
                .into_iter()
                .partition(|g| creates && g.table == crosswalk::CUSTOMERS);
            match customers.into_iter().next() {
                Some(gap) if others.is_empty() => Ok(Looked::NeedsCustomer(gap)),
                _ => Ok(Looked::Park(Reason::Gaps(others))),
            }
        }
    }
}

/// The receiving system's item that a line of an order stands for, where that is known.
pub(crate) fn item_of(
    tx: &Tx<'_>,
    (from, to): (ConnectionId, ConnectionId),
    order: &Order,
    line: &OrderLine,
) -> Result<Option<String>, StoreError> {
    let values = tx.effective(Some(from), Some(&order.retailer))?;
    let defaults = settings::agent_settings();
    let value = |key: &str| settings::value(&values, key, &defaults).unwrap_or("sku");
    let Some(name) = line.identifier(value(SOURCE_ID)) else {
        return Ok(None);
    };
    if let Some(key) = tx.cell(from, to, crosswalk::ITEMS, &order.retailer, name)? {
        return Ok(Some(key));
    }
    Ok(match tx.items(to, value(TARGET_ID), name)? {
        Match::One(key) => Some(key),
        Match::Missing | Match::Ambiguous(_) => None,
    })
}

/// Where it is kept that a person accepted what a card said of an order's amounts, in these very words.
pub(crate) fn lines_accepted_key(job: &JobRow) -> String {
    format!("lines-accepted/{}/{}", job.from, job.key)
}

/// Whether customers can be created there.
pub(crate) fn takes_customers(desk: &Desk, connection: ConnectionId) -> bool {
    desk.slots
        .get(&connection)
        .and_then(|s| s.descriptor())
        .is_some_and(|d| d.intake(Entity::Customer).is_some())
}

/// What a connector is told of its settings for one retailer.
pub(crate) fn delivery_settings(
    tx: &Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    retailer: &str,
) -> Result<Pairs, StoreError> {
    let mut values: Values = tx.effective(Some(connection), Some(retailer))?;
    for setting in desk
        .slots
        .get(&connection)
        .and_then(|s| s.descriptor())
        .map(|d| d.settings.as_slice())
        .unwrap_or_default()
    {
        if let Some(default) = &setting.default {
            values
                .entry(setting.key.clone())
                .or_insert_with(|| default.clone());
        }
    }
    Ok(values
        .into_iter()
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .collect())
}

/// Whether the customer that one order was to have is needed no more: the order is over, or its sale has another. What may
/// exist outside goes on to its end, so that it is known.
fn is_unneeded(tx: &Tx<'_>, job: &JobRow) -> Result<bool, StoreError> {
    let Some(row) = job.order.map(|id| tx.order(id)).transpose()?.flatten() else {
        return Ok(false);
    };
    let over = row.phase == OrderPhase::Cancelled || row.sale_key.is_some();
    Ok(over && !tx.has_effects(job.id)?)
}

/// What a customer is made of: the consumer of the one order that has it for itself, or the retailer.
fn customer(tx: &Tx<'_>, desk: &Desk, job: &JobRow, order: &Order) -> Result<Delivery, StoreError> {
    let (code, address, links) = if job.order.is_some() {
        (job.key.clone(), consumer(tx, job, order)?, Vec::new())
    } else {
        let links = tx.links_between(job.from, Entity::Retailer, &job.key, job.to)?;
        (order.retailer.clone(), retailer(order), links)
    };
    Ok(Delivery {
        document: Document {
            key: code.clone(),
            revision: "1".to_owned(),
            occurred_at: job.created_at,
            body: Body::Customer(Customer {
                code,
                address,
                extras: Vec::new(),
            }),
        },
        origin: None,
        links,
        settings: delivery_settings(tx, desk, job.to, &order.retailer)?,
    })
}

/// Where an order ships to, with the country that such orders are in where it names none.
fn consumer(tx: &Tx<'_>, job: &JobRow, order: &Order) -> Result<Address, StoreError> {
    let mut address = order.ship_to.clone();
    if address.country.is_none() {
        let values = tx.effective(Some(job.from), Some(&order.retailer))?;
        let defaults = settings::agent_settings();
        address.country = settings::value(&values, COUNTRY, &defaults).map(str::to_owned);
    }
    Ok(address)
}

/// A retailer's name, and the bill-to address of the order that needs it first.
fn retailer(order: &Order) -> Address {
    let address = order.bill_to.clone().unwrap_or_else(|| Address {
        name: order.retailer_name.clone(),
        company: Some(order.retailer_name.clone()),
        attention: None,
        street: Vec::new(),
        city: String::new(),
        region: None,
        postcode: String::new(),
        country: None,
        phone: None,
        email: None,
    });
    let name = if order.retailer_name.trim().is_empty() {
        order.retailer.clone()
    } else {
        order.retailer_name.clone()
    };
    Address {
        name: name.clone(),
        company: Some(name),
        ..address
    }
}
