//! Telling stock: the levels of many items in one call. A level is absolute: told twice it is the same, so nothing is
//! looked up after a lost answer, the call is simply sent again. An item's levels stand beside each other in a batch and
//! are one object, since DSCO takes an item's list of warehouses as a whole. How the verdicts are read is in
//! `stock_log.rs`. Must not know what of the stock may be sold: the agent decided that.

use crate::api::{Api, words};
use crate::bindings::exports::waybill::connector::levels::Level;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::queue::{ENOUGH_MS, halves, is_about_content, parts, put};
use crate::settings::Flow;
use crate::stock_file;
use crate::stock_log::{Handle, refused};
use crate::wire::log::Queued;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use waybill_sdk::call::{self, Fault};
use waybill_sdk::commerce::{Body, Decimal};
use waybill_sdk::date;
use waybill_sdk::effect::effect;
use waybill_sdk::http::Response;
use waybill_sdk::problem::for_all;
use waybill_sdk::types::{Failure, Verdict};

/// Most units of an item: the vendor's fields are 32-bit numbers.
const MOST: i64 = i32::MAX as i64;
/// Longest SKU.
const SKU: usize = 90;
/// Calls of one batch at most when DSCO refuses a whole body: enough to find two bad items among 25,000.
const CALLS: usize = 60;

/// An item's stock, as it is sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item<'a> {
    pub(crate) sku: &'a str,
    /// DSCO derives it from the quantity, and wants it all the same.
    pub(crate) status: &'static str,
    pub(crate) quantity_available: i64,
    pub(crate) warehouses: Vec<Warehouse<'a>>,
    /// Its places in the batch.
    #[serde(skip)]
    pub(crate) members: Vec<u32>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Warehouse<'a> {
    pub(crate) code: &'a str,
    pub(crate) quantity: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) estimated_availability_date: Option<String>,
}

/// The quantity of an item in one warehouse, as it comes.
struct Quantity<'a> {
    /// Its item's place in the batch, or its own.
    member: u32,
    item: &'a str,
    warehouse: &'a str,
    available: Decimal,
    expected_at: Option<i64>,
}

/// Tells the levels of items. One verdict per item, in their order.
pub(crate) fn push(api: &Api<'_>, batch: &[Level]) -> Vec<Verdict> {
    let quantities = (0..).zip(batch).flat_map(|(member, level)| {
        level.places.iter().map(move |place| Quantity {
            member,
            item: &level.item,
            warehouse: &place.warehouse,
            available: place.available,
            expected_at: place.expected_at,
        })
    });
    let mut verdicts: Vec<Verdict> = vec![Err(Failure::Retry(None)); batch.len()];
    let items = items(batch.len(), quantities, &mut verdicts);
    tell(api, &items, verdicts)
}

/// Tells levels that come as a document for each item and warehouse. One verdict per document, in their order; those of one
/// item are the same.
pub(crate) fn push_documents(api: &Api<'_>, batch: &[Delivery]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = vec![Err(unsupported()); batch.len()];
    let quantities = (0..).zip(batch).filter_map(|(member, delivery)| {
        let Body::InventoryLevel(level) = &delivery.document.body else {
            return None;
        };
        Some(Quantity {
            member,
            item: &level.item,
            warehouse: &level.warehouse,
            available: level.available,
            expected_at: level.expected_at,
        })
    });
    let items = items(batch.len(), quantities, &mut verdicts);
    tell(api, &items, verdicts)
}

fn unsupported() -> Failure {
    Failure::rejected(
        "unsupported",
        "DSCO's connector does not take documents of this kind.",
        "Update the connector.",
    )
}

fn tell(api: &Api<'_>, items: &[Item<'_>], mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let mut calls = CALLS;
    let by_file = api.config.by_files(Flow::Stock);
    for (number, part) in (1..).zip(parts(items, Item::bytes)) {
        let answers = if number > 1 && api.host.remaining_ms() < ENOUGH_MS {
            for_all(part.len(), &Err(Failure::Retry(Some(0))))
        } else if by_file {
            stock_file::send(api, number, part)
        } else {
            send(api, number, part, &mut calls)
        };
        for (item, verdict) in part.iter().zip(answers) {
            let (last, others) = item.members.split_last().unzip();
            for member in others.into_iter().flatten() {
                put(&mut verdicts, *member, verdict.clone());
            }
            if let Some(member) = last {
                put(&mut verdicts, *member, verdict);
            }
        }
    }
    verdicts
}

/// The items of a batch, in its order; what cannot be sent has its verdict.
fn items<'a>(
    most: usize,
    quantities: impl Iterator<Item = Quantity<'a>>,
    verdicts: &mut [Verdict],
) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::with_capacity(most);
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(most);
    let mut unfit: BTreeMap<&str, Failure> = BTreeMap::new();
    for quantity in quantities {
        if let Some(failure) = misfit(&quantity) {
            unfit.insert(quantity.item, failure.clone());
            put(verdicts, quantity.member, Err(failure));
            continue;
        }
        let place = *places.entry(quantity.item).or_insert_with(|| {
            items.push(Item {
                sku: quantity.item,
                status: "out-of-stock",
                quantity_available: 0,
                warehouses: Vec::new(),
                members: Vec::new(),
            });
            items.len() - 1
        });
        items[place].add(&quantity);
    }
    // The others of its warehouses alone would be taken as all it has.
    items.retain(|item| {
        let failure = unfit.get(item.sku);
        for member in item.members.iter().filter(|_| failure.is_some()) {
            put(
                verdicts,
                *member,
                failure.cloned().map_or(Err(Failure::Retry(None)), Err),
            );
        }
        failure.is_none()
    });
    items
}

/// Why a quantity cannot be sent.
fn misfit(quantity: &Quantity<'_>) -> Option<Failure> {
    let sku = quantity.item;
    if sku.trim().is_empty() || sku.chars().count() > SKU {
        return Some(Failure::rejected(
            "sku-unfit",
            format!("DSCO takes SKUs of 1 to {SKU} characters, not `{sku}`."),
            "Match the item to the SKU that DSCO's catalogue has for it.",
        ));
    }
    quantity.warehouse.trim().is_empty().then(|| {
        Failure::rejected(
            "no-warehouse",
            format!("The stock of `{sku}` has no DSCO warehouse."),
            "Enter the code in the table of warehouses exactly as the DSCO portal's Warehouse Manager shows it.",
        )
    })
}

impl<'a> Item<'a> {
    fn add(&mut self, quantity: &Quantity<'a>) {
        if self.members.last() != Some(&quantity.member) {
            self.members.push(quantity.member);
        }
        let units = units(quantity.available);
        match self
            .warehouses
            .iter_mut()
            .find(|w| w.code == quantity.warehouse)
        {
            // DSCO refuses a warehouse that is given twice. The lower figure promises nothing that is not there.
            Some(known) => known.quantity = known.quantity.min(units),
            None => self.warehouses.push(Warehouse {
                code: quantity.warehouse,
                quantity: units.min(MOST - self.quantity_available),
                estimated_availability_date: quantity.expected_at.map(date::format),
            }),
        }
        self.quantity_available = self.warehouses.iter().map(|w| w.quantity).sum();
        self.status = if self.quantity_available > 0 {
            "in-stock"
        } else {
            "out-of-stock"
        };
    }

    pub(crate) fn codes(&self) -> Vec<String> {
        self.warehouses.iter().map(|w| w.code.to_owned()).collect()
    }

    /// The bytes it takes in a body, without writing it. A letter that has to be escaped counts as the longest one.
    fn bytes(&self) -> usize {
        let text = |text: &str| text.len() + text.bytes().filter(|b| is_escaped(*b)).count() * 5;
        let places: usize = self
            .warehouses
            .iter()
            .map(|place| {
                let date = place.estimated_availability_date.as_ref();
                let date = date.map_or(0, |date| date.len() + DATE);
                text(place.code) + digits(place.quantity) + date + PLACE
            })
            .sum();
        text(self.sku) + self.status.len() + digits(self.quantity_available) + places + ITEM
    }
}

/// Bytes of an item, a warehouse and its date in a body beside their values.
const ITEM: usize = r#"{"sku":"","status":"","quantityAvailable":,"warehouses":[]}"#.len();
const PLACE: usize = r#"{"code":"","quantity":},"#.len();
const DATE: usize = r#","estimatedAvailabilityDate":"""#.len();

const fn digits(quantity: i64) -> usize {
    match quantity.checked_ilog10() {
        Some(tens) => tens as usize + 1,
        None => 1,
    }
}

const fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// Whole units, never negative: part of a unit cannot be sold. No more than fits the vendor's field.
fn units(available: Decimal) -> i64 {
    let one = 10_i64.checked_pow(u32::from(available.scale));
    let whole = one.map_or(0, |one| available.units.div_euclid(one));
    whole.clamp(0, MOST)
}

fn post(api: &Api<'_>, number: usize, items: &[Item<'_>]) -> Result<Response, Fault> {
    let members = items.iter().flat_map(|item| item.members.iter().copied());
    let step = effect(&format!("inventory-{number}"), members).resend();
    let path = if api.config.skip_unknown {
        "/inventory/batch/small?skipItemsThatDontExist=true"
    } else {
        "/inventory/batch/small"
    };
    api.write("POST", path, Some(&items), step)
}

/// The verdicts of items sent in one call, or in halves where DSCO refuses the whole body for one bad item.
fn send(api: &Api<'_>, number: usize, items: &[Item<'_>], calls: &mut usize) -> Vec<Verdict> {
    *calls = calls.saturating_sub(1);
    let said = match post(api, number, items) {
        Ok(response) => match queued(api, items, &response) {
            Ok(verdicts) => return verdicts,
            Err(said) => said,
        },
        Err(Fault::Refused(response)) if is_about_content(&response) => words(&response.text()),
        Err(fault) => return for_all(items.len(), &fault.verdict(crate::api::refused)),
    };
    if items.len() == 1 || *calls == 0 {
        let one = |item: &Item<'_>| Err(refused(item.sku, &item.codes(), &said));
        return items.iter().map(one).collect();
    }
    halves(api, items, |half| send(api, number, half, calls))
}

/// The tickets of an answer below 300, or the vendor's words where it is a refusal all the same.
fn queued(api: &Api<'_>, items: &[Item<'_>], response: &Response) -> Result<Vec<Verdict>, String> {
    let answer: Queued = call::json(response).unwrap_or_default();
    if answer.status.as_deref() == Some("failure") || answer.success == Some(false) {
        return Err(words(&response.text()));
    }
    let sent = api.host.now_ms();
    let ticket = |item: &Item<'_>| {
        Handle::new(answer.request_id.clone(), item.sku, item.codes(), sent)
            .ticket(api.config.ack_wait_secs)
    };
    Ok(items.iter().map(ticket).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_takes_as_many_bytes_as_are_counted() {
        let quantity = |warehouse, units, expected_at| Quantity {
            member: 0,
            item: "TEE-BLK-M",
            warehouse,
            available: Decimal { units, scale: 0 },
            expected_at,
        };
        for quantities in [
            vec![quantity("WH01", 0, None)],
            vec![
                quantity("WH01", 10, None),
                quantity("W", 999, Some(1_764_000_000_000)),
            ],
        ] {
            let mut verdicts = Vec::new();
            let items = items(1, quantities.into_iter(), &mut verdicts);
            let written = serde_json::to_string(&items[0]).unwrap();
            // Behind each warehouse but the last there is a comma.
            assert_eq!(items[0].bytes(), written.len() + 1, "{written}");
        }
        let odd = [quantity("W\"\u{1}", 1, None)];
        let items = items(1, odd.into_iter(), &mut []);
        let written = serde_json::to_string(&items[0]).unwrap();
        assert!(items[0].bytes() > written.len(), "{written}");
    }
}
