//! Owns finding our own records again in Brightpearl: sales by external reference, contacts by account reference.
//! A search whose filter was ignored answers with everything; such an answer proves nothing and is never taken for
//! "not there". Must not know why something is looked up.

use crate::api::Api;
use crate::wire::contact;
use crate::wire::envelope::unescape;
use crate::wire::ids::{encode, id_set, stamp};
use crate::wire::lists;
use crate::wire::search::{Row, Search};
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

/// Most pages of contacts that are looked through for one.
const PAGES: usize = 4;

/// A search may take a moment in another time zone than it was meant.
const A_DAY: i64 = 86_400_000;

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
    let text = |row: Row<'_>| row.text(column).unwrap_or_default();
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
pub fn firm(
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
    let company = company.trim();
    let filter = format!("exactCompanyName={}", encode(company));
    let same = |row: Row<'_>| {
        let theirs = row.text("companyName");
        theirs.is_none_or(|name| unescape(&name).to_lowercase() == company.to_lowercase())
    };
    listed(api, &filter, "contactId,companyName", same, reference)
}

/// The contact of a person with that account reference, among those of that name. Where it is not among them it may still
/// be there: how this search takes a name apart is not known of every name.
pub fn person(
    api: &Api<'_>,
    (first, last): (&str, &str),
    reference: &str,
) -> Result<Found, Failure> {
    let filter = format!("firstName={}&lastName={}", encode(first), encode(last));
    let names = |row: Row<'_>| {
        let same = |column: &str, name: &str| {
            let theirs = unescape(&row.text(column).unwrap_or_default()).to_lowercase();
            let name = name.to_lowercase();
            name.split_whitespace().all(|word| theirs.contains(word))
        };
        same("firstName", first) && same("lastName", last)
    };
    listed(
        api,
        &filter,
        "contactId,firstName,lastName",
        names,
        reference,
    )
}

/// The contact with that account reference, among all that were made since then.
pub fn made_since(api: &Api<'_>, since: i64, reference: &str) -> Result<Found, Failure> {
    let Some(from) = stamp(since) else {
        return Ok(Found::Unclear);
    };
    let filter = format!("createdOn={}", encode(&format!("{from}/")));
    let is_since = |row: Row<'_>| {
        let made = row.instant("createdOn");
        made.is_none_or(|made| made > since - A_DAY)
    };
    listed(api, &filter, "contactId,createdOn", is_since, reference)
}

/// The contact with that account reference among those that a filter leaves, newest first: what is looked for was made just
/// now. `fits` says of a row whether it can have passed the filter.
fn listed(
    api: &Api<'_>,
    filter: &str,
    columns: &str,
    fits: impl Fn(Row<'_>) -> bool,
    reference: &str,
) -> Result<Found, Failure> {
    let mut first = Some(1);
    for _ in 0..PAGES {
        let Some(from) = first else {
            return Ok(Found::Absent);
        };
        let path = format!(
            "/contact-service/contact-search?{filter}&columns={columns}&sort=contactId.DESC&pageSize={PAGE}&firstResult={from}"
        );
        let Some(search) = asked(api, &path)? else {
            return Ok(Found::Unclear);
        };
        let fitting = search.rows().filter(|row| fits(*row));
        let ids: Vec<i64> = fitting.filter_map(|row| row.whole("contactId")).collect();
        let ours = contacts(api, &ids)?
            .into_iter()
            .filter(|c| c.account_reference.as_deref() == Some(reference))
            .map(|c| c.id)
            .min();
        if let Some(id) = ours {
            return Ok(Found::Record(id));
        }
        if !search.rows().all(&fits) {
            return Ok(Found::Unclear);
        }
        first = search.next(from, PAGE);
    }
    Ok(if first.is_none() {
        Found::Absent
    } else {
        Found::Unclear
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
