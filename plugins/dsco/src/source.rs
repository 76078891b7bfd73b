//! The source's entrance: which feed is read how, single orders by key, and the probe. Knows no shape of the vendor's.

use crate::api::{Api, encode, refused};
use crate::bindings::exports::waybill::connector::source::Page;
use crate::feed::Feed;
use crate::order::{self, Names};
use crate::wire::Many;
use crate::wire::order::Order;
use crate::{cancellation, partners, stream};
use serde_json::Value;
use waybill_sdk::call;
use waybill_sdk::commerce::{Document, Entity};
use waybill_sdk::date;
use waybill_sdk::types::{Failure, Settings};

/// Proof that address and credentials work.
pub(crate) fn probe(api: &Api<'_>) -> Result<Settings, Failure> {
    let response = api.get("/hello").map_err(|fault| fault.failure(refused))?;
    let hello: Value = call::json(&response)?;
    if hello.get("hello").is_none() {
        return Err(Failure::rejected(
            "not-dsco",
            "The API address answers, but not as DSCO does.",
            "Correct the API address of this connection.",
        ));
    }
    let mut facts = vec![("reached".to_owned(), api.config.api_url.to_owned())];
    if let Some(at) = response.header("date").and_then(date::parse_http) {
        facts.push(("clock".to_owned(), date::clock(at, api.host.now_ms())));
    }
    Ok(facts)
}

/// The next page of a feed.
pub(crate) fn pull(api: &Api<'_>, entity: Entity, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    if !api.config.api {
        return without_api(api, entity);
    }
    match (Feed::of(entity), entity) {
        (Some(feed), _) => stream::pull(api, feed, cursor),
        (None, Entity::Retailer) => partners::retailers(api),
        (None, Entity::Warehouse) => partners::warehouses(api, cursor),
        (None, _) => Err(no_such_feed(entity)),
    }
}

/// What is known where the API is not connected: the retailers whose orders came. Nothing else is told by files.
fn without_api(api: &Api<'_>, entity: Entity) -> Result<Page, Failure> {
    let documents = match entity {
        Entity::Retailer => partners::known(api),
        Entity::Cancellation | Entity::Warehouse => Vec::new(),
        other => return Err(no_such_feed(other)),
    };
    Ok(Page {
        documents,
        cursor: Vec::new(),
        more: false,
    })
}

/// Why something cannot be looked up.
pub(crate) fn no_api() -> Failure {
    Failure::rejected(
        "no-api",
        "DSCO's files cannot be searched, and its API is not connected.",
        "Look in the DSCO portal; or connect the API as well, and choose the transport of each flow in this connection's settings.",
    )
}

/// These records, now. Keys that DSCO does not know are left out.
pub(crate) fn fetch(
    api: &Api<'_>,
    entity: Entity,
    keys: &[String],
) -> Result<Vec<Document>, Failure> {
    match entity {
        Entity::Retailer if !api.config.api => Ok(only(partners::known(api), keys)),
        _ if !api.config.api => Err(no_api()),
        Entity::Order | Entity::Cancellation => {
            let mut orders = Vec::new();
            for key in keys {
                orders.extend(order_by_key(api, key)?);
            }
            if entity == Entity::Cancellation {
                let asked = orders
                    .iter()
                    .filter(|order| cancellation::is_requested(order));
                return Ok(asked
                    .filter_map(|order| cancellation::document(api, order))
                    .collect());
            }
            let names = Names::of(api.host, &orders);
            Ok(orders
                .iter()
                .filter_map(|order| order::document(api, order, &names))
                .collect())
        }
        Entity::Retailer => Ok(only(partners::retailers(api)?.documents, keys)),
        Entity::Warehouse => {
            let mut found = Vec::new();
            let mut cursor = None;
            loop {
                let page = partners::warehouses(api, cursor.as_deref())?;
                found.extend(only(page.documents, keys));
                if !page.more {
                    return Ok(found);
                }
                cursor = Some(page.cursor);
            }
        }
        other => Err(no_such_feed(other)),
    }
}

fn only(documents: Vec<Document>, keys: &[String]) -> Vec<Document> {
    let mut documents = documents;
    documents.retain(|document| keys.contains(&document.key));
    documents
}

/// One order; none where DSCO has none of that id.
pub(crate) fn order_by_key(api: &Api<'_>, key: &str) -> Result<Option<Order>, Failure> {
    let path = format!("/order/?orderKey=dscoOrderId&value={}", encode(key));
    let found: Option<Many<Order>> = api.find(&path)?;
    Ok(found.and_then(|all| all.0.into_iter().next()))
}

/// Orders with that PO number: a split one, and those of other retailers.
pub(crate) fn orders_by_number(api: &Api<'_>, number: &str) -> Result<Vec<Order>, Failure> {
    let path = format!(
        "/order/?orderKey=poNumber&value={}&returnMultiple=true",
        encode(number)
    );
    let found: Option<Many<Order>> = api.find(&path)?;
    Ok(found.map(|all| all.0).unwrap_or_default())
}

pub(crate) fn no_such_feed(entity: Entity) -> Failure {
    Failure::rejected(
        "no-such-feed",
        format!("This connector gives no {entity:?} documents."),
        "Remove the route, or update the connector.",
    )
}
