//! Full comparison, back-fill by date, and pasted lists of keys; invoices by their numbers. Knows no stream.

use crate::api::Api;
use crate::backfill;
use crate::bindings::exports::waybill::connector::listing::Scope;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::cursor::{self, ListCursor, Window};
use crate::feed::Feed;
use crate::order::{self, Names};
use crate::{invoice_look, partners, source};
use waybill_sdk::commerce::{Document, Entity};
use waybill_sdk::types::Failure;

/// Keys read in one call: each is a request, or two.
const KEYS_PER_CALL: usize = 10;
/// Of invoices each is one short request.
const INVOICES_PER_CALL: usize = 50;

/// The next page of a listing.
pub(crate) fn read(
    api: &Api<'_>,
    entity: Entity,
    scope: &Scope,
    cursor: Option<&[u8]>,
) -> Result<Page, Failure> {
    if !api.config.api {
        return match entity {
            Entity::Retailer | Entity::Warehouse => source::pull(api, entity, None),
            _ => Err(source::no_api()),
        };
    }
    if let Scope::Keys(keys) = scope {
        return by_keys(api, entity, keys, cursor);
    }
    match (Feed::of(entity), entity) {
        (Some(feed), _) => by_date(api, feed, scope, cursor),
        (None, Entity::Retailer) => partners::retailers(api),
        (None, Entity::Warehouse) => partners::warehouses(api, cursor),
        (None, _) => Err(source::no_such_feed(entity)),
    }
}

fn by_keys(
    api: &Api<'_>,
    entity: Entity,
    keys: &[String],
    cursor: Option<&[u8]>,
) -> Result<Page, Failure> {
    let done = match cursor::read(cursor) {
        Some(ListCursor::Keys(done)) => done.min(keys.len()),
        _ => 0,
    };
    let most = match entity {
        Entity::Invoice => INVOICES_PER_CALL,
        _ => KEYS_PER_CALL,
    };
    let end = (done + most).min(keys.len());
    let keys_now = &keys[done..end];
    let (documents, looked) = match entity {
        Entity::Order => (orders(api, keys_now)?, keys_now.len()),
        // DSCO lists no invoices by date: it is asked for each that it confirmed.
        Entity::Invoice => invoice_look::listed(api, keys_now)?,
        _ => (source::fetch(api, entity, keys_now)?, keys_now.len()),
    };
    let end = done + looked;
    Ok(Page {
        documents,
        cursor: cursor::write(&ListCursor::Keys(end)),
        more: end < keys.len(),
    })
}

/// Orders by what people have of them: mostly the PO number, which several may share, else DSCO's own id.
fn orders(api: &Api<'_>, keys: &[String]) -> Result<Vec<Document>, Failure> {
    let mut found = Vec::new();
    for key in keys {
        let mut orders = source::orders_by_number(api, key)?;
        if orders.is_empty() && key.chars().all(|c| c.is_ascii_digit()) {
            orders.extend(source::order_by_key(api, key)?);
        }
        found.append(&mut orders);
    }
    let names = Names::of(api.host, &found);
    let documents = found
        .iter()
        .filter_map(|found| order::document(api, found, &names));
    Ok(documents.collect())
}

/// Orders by the date of their creation, whatever their state.
fn by_date(
    api: &Api<'_>,
    feed: Feed,
    scope: &Scope,
    cursor: Option<&[u8]>,
) -> Result<Page, Failure> {
    let now = api.vendor_now_ms();
    let latest = backfill::latest(api);
    let window = if let Some(ListCursor::Window(window)) = cursor::read(cursor) {
        window
    } else {
        let (since, until) = match scope {
            Scope::Between((since, until)) => (*since, (*until).min(latest)),
            Scope::Everything | Scope::Keys(_) => (now - api.config.backfill_ms, latest),
        };
        Window {
            updated: false,
            since,
            until,
            scroll: None,
        }
    };
    if window.since >= window.until {
        return Ok(Page {
            documents: Vec::new(),
            cursor: Vec::new(),
            more: false,
        });
    }
    let found = backfill::page(api, &window, &[])?;
    Ok(Page {
        documents: feed.found(api, &found.orders),
        more: found.next.is_some(),
        cursor: found
            .next
            .map_or_else(Vec::new, |next| cursor::write(&ListCursor::Window(next))),
    })
}
