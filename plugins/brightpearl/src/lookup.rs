//! Owns finding our own records again in Brightpearl: sales by external reference, contacts by account reference.
//! A search whose filter was ignored answers with everything; such an answer proves nothing and is never taken for
//! "not there". Must not know why something is looked up.

use crate::api::Api;
use crate::wire::contact;
use crate::wire::envelope::unescape;
use crate::wire::ids::{encode, id_set};
use crate::wire::lists;
use crate::wire::search::Search;
use std::collections::BTreeMap;
use waybill_sdk::log::Level;
use waybill_sdk::types::Failure;

/// What a look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is there; its id.
    Record(i64),
    /// The search works, and it is not there (yet: a search may trail a write).
    Absent,
    /// The search cannot tell.
    Unclear,
}

/// Most ids of one contact GET.
const CONTACTS: usize = 200;

/// The sale with that external reference.
pub fn sale(api: &Api<'_>, external_ref: &str) -> Result<Found, Failure> {
    let filter = encode(external_ref);
    let mut seen = Found::Unclear;
    for (path, id) in [
        ("/order-service/order-search", "orderId"),
        ("/order-service/sales-order-search", "salesOrderId"),
    ] {
        let path = format!("{path}?externalRef={filter}&columns={id},externalRef");
        match exact(api, &path, id, "externalRef", external_ref)? {
            Found::Record(id) => return Ok(Found::Record(id)),
            Found::Absent => seen = Found::Absent,
            Found::Unclear => {}
        }
    }
    Ok(seen)
}

/// Rows of a search for many sales.
const PAGE: usize = 500;

/// The sales with these external references, each with the customer's reference it was sent with. One search for all,
/// where it can tell: it takes a list of customer references, and what separates them is known to work only when it
/// finds one of several. What it cannot tell is looked up one by one.
pub fn sales(api: &Api<'_>, wanted: &[(String, String)]) -> Result<Vec<Found>, Failure> {
    let mut found = vec![Found::Unclear; wanted.len()];
    if let Some(rows) = together(api, wanted)? {
        let any = wanted.iter().any(|(own, _)| rows.contains_key(own));
        for ((own, reference), found) in wanted.iter().zip(&mut found) {
            match rows.get(own) {
                Some(id) => *found = Found::Record(*id),
                None if any && listable(reference) => *found = Found::Absent,
                None => {}
            }
        }
    }
    for ((own, _), found) in wanted.iter().zip(&mut found) {
        if *found == Found::Unclear {
            *found = sale(api, own)?;
        }
    }
    Ok(found)
}

/// Whether a reference can stand in a list.
fn listable(reference: &str) -> bool {
    !reference.is_empty() && !reference.contains(',')
}

/// Sales by external reference; `None` where one search cannot tell.
fn together(
    api: &Api<'_>,
    wanted: &[(String, String)],
) -> Result<Option<BTreeMap<String, i64>>, Failure> {
    let mut asked: Vec<&str> = wanted
        .iter()
        .map(|(_, reference)| reference.as_str())
        .collect();
    asked.retain(|reference| listable(reference));
    asked.sort_unstable();
    asked.dedup();
    if asked.len() < 2 {
        return Ok(None);
    }
    let list: Vec<String> = asked.iter().map(|reference| encode(reference)).collect();
    let path = format!(
        "/order-service/sales-order-search?customerRefs={}&columns=salesOrderId,customerRef,externalRef&sort=salesOrderId.ASC&pageSize={PAGE}",
        list.join(",")
    );
    let Some(search) = self::asked(api, &path)? else {
        return Ok(None);
    };
    let ignored = search.rows().any(|row| {
        let theirs = unescape(&row.text("customerRef").unwrap_or_default());
        !asked
            .iter()
            .any(|own| own.trim().eq_ignore_ascii_case(&theirs))
    });
    if ignored || search.next(1, PAGE).is_some() {
        return Ok(None);
    }
    let mut rows = BTreeMap::new();
    for row in search.rows() {
        if let (Some(own), Some(id)) = (row.text("externalRef"), row.whole("salesOrderId")) {
            // Of several the first is taken, as everywhere.
            rows.entry(own).or_insert(id);
        }
    }
    Ok(Some(rows))
}

/// A search, where it gave one. One that Brightpearl refuses proves nothing, and must not look as if the write had been
/// refused.
fn asked(api: &Api<'_>, path: &str) -> Result<Option<Search>, Failure> {
    match api.get_found(path) {
        Ok(reply) => Ok(reply.and_then(|reply| Search::read(reply.value))),
        Err(Failure::Rejected(problem)) => {
            let fields = [("answer", problem.message.as_str())];
            api.host.log(Level::Warn, "A look-up was refused.", &fields);
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// The smallest id of the rows whose `column` is exactly `value`.
fn exact(api: &Api<'_>, path: &str, id: &str, column: &str, value: &str) -> Result<Found, Failure> {
    let Some(search) = asked(api, path)? else {
        return Ok(Found::Unclear);
    };
    let text = |row: crate::wire::search::Row<'_>| row.text(column).unwrap_or_default();
    let mut ours: Vec<i64> = search
        .rows()
        .filter(|row| text(*row) == value)
        .filter_map(|row| row.whole(id))
        .collect();
    ours.sort_unstable();
    ours.dedup();
    if ours.len() > 1 {
        let fields = [("reference", value), ("records", &id_set(&ours))];
        let words = "Several records carry the same reference, the first is taken.";
        api.host.log(Level::Error, words, &fields);
    }
    if let Some(first) = ours.first() {
        return Ok(Found::Record(*first));
    }
    let ignored = !search
        .rows()
        .all(|row| text(row).eq_ignore_ascii_case(value));
    Ok(if ignored {
        Found::Unclear
    } else {
        Found::Absent
    })
}

/// The contact with that account reference: among `known` ids first, then among those of that company.
pub fn customer(
    api: &Api<'_>,
    company: &str,
    reference: &str,
    known: &[i64],
) -> Result<Found, Failure> {
    for contact in contacts(api, known)? {
        // One that a person made the link for may have no reference; another's reference is somebody else.
        if contact
            .account_reference
            .is_none_or(|theirs| theirs == reference)
        {
            return Ok(Found::Record(contact.id));
        }
    }
    let path = format!(
        "/contact-service/contact-search?exactCompanyName={}&columns=contactId,companyName",
        encode(company)
    );
    let Some(search) = asked(api, &path)? else {
        return Ok(Found::Unclear);
    };
    let same = |name: Option<String>| {
        name.is_none_or(|n| unescape(&n).to_lowercase() == company.trim().to_lowercase())
    };
    let ids: Vec<i64> = search
        .rows()
        .filter(|row| same(row.text("companyName")))
        .filter_map(|row| row.whole("contactId"))
        .collect();
    let ours = contacts(api, &ids)?
        .into_iter()
        .filter(|c| c.account_reference.as_deref() == Some(reference))
        .map(|c| c.id)
        .min();
    Ok(match ours {
        Some(id) => Found::Record(id),
        None if search.rows().all(|row| same(row.text("companyName"))) => Found::Absent,
        None => Found::Unclear,
    })
}

fn contacts(api: &Api<'_>, ids: &[i64]) -> Result<Vec<contact::Known>, Failure> {
    let mut all = Vec::new();
    for chunk in ids.chunks(CONTACTS) {
        let path = format!("/contact-service/contact/{}", id_set(chunk));
        if let Some(reply) = api.get_found(&path)? {
            all.extend(lists::items(&reply.value).filter_map(contact::known));
        }
    }
    Ok(all)
}
