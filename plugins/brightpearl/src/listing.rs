//! Owns the full comparison and the back-fill of the catalogue, of shipments, of invoices and of sales. Must not know the feeds' positions: these are its own.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::listing::Scope;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::item::{self, Filter};
use crate::settings::Settings;
use crate::{invoice, sales, shipment, source};
use serde::{Deserialize, Serialize};
use waybill_sdk::Host;
use waybill_sdk::commerce::Entity;
use waybill_sdk::types::{Context, Failure};

/// The filters still to be read, and the row to go on with in the first of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Left {
    filters: Vec<Filter>,
    first: u64,
}

/// One page of a listing.
pub fn read(
    host: &dyn Host,
    ctx: &Context,
    entity: Entity,
    scope: &Scope,
    cursor: Option<&[u8]>,
) -> Result<Page, Failure> {
    let whole = |documents| Page {
        documents,
        cursor: Vec::new(),
        more: false,
    };
    if let Scope::Keys(keys) = scope {
        return source::fetch(host, ctx, entity, keys).map(whole);
    }
    if let Entity::Order | Entity::Shipment | Entity::Invoice = entity {
        return by_row(host, ctx, entity, scope, cursor);
    }
    if entity == Entity::OrderState {
        return source::pull(host, ctx, entity, cursor);
    }
    if entity != Entity::Item {
        // The other lists are short and have no dates.
        return source::pull(host, ctx, entity, None).map(|page| whole(page.documents));
    }
    let filters = match scope {
        Scope::Between((from, to)) => vec![
            Filter::Created(*from, Some(*to)),
            Filter::Updated(*from, Some(*to)),
        ],
        Scope::Everything | Scope::Keys(_) => vec![Filter::Everything],
    };
    let mut left = cursor
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or(Left { filters, first: 1 });
    let settings = Settings::of(&ctx.settings);
    let api = Api::new(host, settings)?;
    let Some(filter) = left.filters.first() else {
        return Ok(whole(Vec::new()));
    };
    let found = item::search(&api, settings, filter, left.first)?;
    if let Some(first) = found.next {
        left.first = first;
    } else {
        left.filters.remove(0);
        left.first = 1;
    }
    Ok(Page {
        documents: found.documents,
        more: !left.filters.is_empty(),
        cursor: item::bytes(&left),
    })
}

/// Sales that were made in a time, whoever made them; goods-out notes that were shipped in it; or invoices of sales that
/// changed since it began. The position is the row of the search to go on with.
fn by_row(
    host: &dyn Host,
    ctx: &Context,
    entity: Entity,
    scope: &Scope,
    cursor: Option<&[u8]>,
) -> Result<Page, Failure> {
    let (from, to) = match scope {
        Scope::Between((from, to)) => (*from, Some(*to)),
        Scope::Everything | Scope::Keys(_) => (0, None),
    };
    let first = cursor.and_then(|bytes| serde_json::from_slice(bytes).ok());
    let first = first.unwrap_or(1);
    let settings = Settings::of(&ctx.settings);
    let api = Api::new(host, settings)?;
    let (documents, next) = match entity {
        Entity::Order => sales::list(&api, from, to, first)?,
        Entity::Shipment => shipment::list(&api, from, to, first)?,
        _ => invoice::list(&api, settings, from, first)?,
    };
    Ok(Page {
        documents,
        cursor: item::bytes(&next.unwrap_or(1)),
        more: next.is_some(),
    })
}
