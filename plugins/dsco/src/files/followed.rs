//! Orders by files, and what becomes of them by the API where it is connected: files do not tell of a cancel or a parcel.
//! An order that comes both ways has one key, and the newer revision counts. Knows no file and no event.

use super::depot::Depot;
use super::feed;
use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::cursor;
use crate::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use waybill_sdk::commerce::{Body, Document, OrderPhase};
use waybill_sdk::types::Failure;

/// Where both readings stand.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Both {
    files: Value,
    stream: Value,
}

/// The next page of orders: of files first, then of their changes.
pub(crate) fn pull(api: &Api<'_>, depot: Depot<'_>, known: Option<&[u8]>) -> Result<Page, Failure> {
    let mut both = match cursor::read::<Both>(known) {
        Some(both) => both,
        // The API was not connected before.
        None => Both {
            files: read(known),
            stream: Value::Null,
        },
    };
    let page = feed::pull(api, depot, bytes(&both.files).as_deref());
    if !api.config.api {
        return page;
    }
    let wrong = match page {
        Ok(page) => {
            both.files = read(Some(&page.cursor));
            if page.more || !page.documents.is_empty() {
                return Ok(Page {
                    cursor: cursor::write(&both),
                    ..page
                });
            }
            None
        }
        // A file that waits for a person must not hide what happens to other orders.
        Err(failure) => Some(failure),
    };
    let mut page = stream::follow(api, bytes(&both.stream).as_deref())?;
    page.documents.retain(is_followed);
    both.stream = read(Some(&page.cursor));
    match wrong {
        Some(failure) if !page.more && page.documents.is_empty() => Err(failure),
        _ => Ok(Page {
            cursor: cursor::write(&both),
            ..page
        }),
    }
}

/// New orders come by files alone.
fn is_followed(document: &Document) -> bool {
    match &document.body {
        Body::Order(order) => !matches!(order.phase, OrderPhase::Open | OrderPhase::Pending),
        _ => true,
    }
}

fn read(bytes: Option<&[u8]>) -> Value {
    bytes
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default()
}

fn bytes(cursor: &Value) -> Option<Vec<u8>> {
    (!cursor.is_null()).then(|| cursor.to_string().into_bytes())
}
