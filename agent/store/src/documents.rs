//! Accepted documents: a revision is stored once, its head stays when retention drops its body.
//! Knows which order a document belongs to and which words of it are searched; not what the engine does with it.

use crate::access::{Access, Entry, Tx};
use crate::bodies::body;
use crate::codec::{Key, Span, corrupt};
use crate::error::StoreError;
use crate::retention::{Age, age_key, is_reference};
use crate::rows::{Accepted, DocumentRow};
use crate::schema::Tab;
use crate::{items, orders};
use serde::{Deserialize, Serialize};
use waybill_model::document::{Body, Document, Entity};
use waybill_model::ids::{ConnectionId, DocumentId, Millis, OrderId};

/// What stays of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) connection: ConnectionId,
    pub(crate) entity: Entity,
    pub(crate) key: String,
    pub(crate) revision: String,
    pub(crate) occurred_at: Millis,
    pub(crate) order: Option<OrderId>,
    pub(crate) stored_at: Millis,
    pub(crate) body: Option<u64>,
    /// Searched: item codes of an order, tracking numbers of a shipment.
    pub(crate) words: Vec<String>,
}

pub(crate) fn latest_key(connection: ConnectionId, entity: Entity, key: &str) -> Key {
    Key::new().u32(connection.0).text(entity.word()).text(key)
}

/// All index entries of a head, except `latest`.
pub(crate) fn entries(id: DocumentId, head: &Head) -> Vec<Entry> {
    let seen = latest_key(head.connection, head.entity, &head.key).text(&head.revision);
    let mut out = vec![Entry::number(Tab::Seen, seen, id.0)];
    if let Some(order) = head.order {
        out.push(Entry::mark(
            Tab::OrderDocuments,
            Key::new().u64(order.0).u64(id.0),
        ));
        out.extend(
            head.words
                .iter()
                .map(|w| orders::word_entry(w, order, id.0)),
        );
    }
    out
}

fn searched(document: &Document) -> Vec<String> {
    let mut words: Vec<String> = match &document.body {
        Body::Order(order) => {
            let kinds = ["sku", "partner-sku"];
            let lines = order.lines.iter();
            lines
                .flat_map(|l| kinds.iter().filter_map(|k| l.identifier(k)))
                .map(orders::searchable)
                .collect()
        }
        Body::Shipment(shipment) => {
            let parcels = shipment.parcels.iter();
            parcels
                .filter_map(|p| p.tracking.as_deref())
                .map(orders::searchable)
                .collect()
        }
        _ => Vec::new(),
    };
    words.retain(|w| !w.is_empty());
    words.sort_unstable();
    words.dedup();
    words
}

fn order_key(document: &Document) -> Option<&str> {
    match &document.body {
        Body::Order(_) => Some(&document.key),
        Body::Cancellation(c) => Some(&c.order_key),
        Body::OrderState(s) => Some(&s.order_key),
        Body::Shipment(s) => Some(&s.order_key),
        Body::Invoice(i) => Some(&i.order_key),
        _ => None,
    }
}

/// The order a document of that connection speaks of: by its key there, or by the link of its sale.
fn order_of(
    a: &dyn Access,
    connection: ConnectionId,
    document: &Document,
) -> Result<Option<OrderId>, StoreError> {
    let Some(key) = order_key(document) else {
        return Ok(None);
    };
    if let Some(id) = orders::id_by_key(a, connection, key)? {
        return Ok(Some(id));
    }
    for (other, entity, key) in crate::links::ends(a, connection, Entity::Order, key)? {
        if entity == Entity::Order
            && let Some(id) = orders::id_by_key(a, other, &key)?
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

pub(crate) fn head(a: &dyn Access, id: DocumentId) -> Result<Option<Head>, StoreError> {
    a.row(Tab::Documents, &Key::new().u64(id.0).0)
}

/// A document whose body is still kept.
pub(crate) fn document(a: &dyn Access, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
    let Some(head) = head(a, id)? else {
        return Ok(None);
    };
    let Some(body_id) = head.body else {
        return Ok(None);
    };
    let body = match a.kept(body_id) {
        Some(body) => body,
        None => unpacked(a, id, body_id)?,
    };
    Ok(Some(DocumentRow {
        id,
        connection: head.connection,
        document: Document {
            key: head.key,
            revision: head.revision,
            occurred_at: head.occurred_at,
            body,
        },
        order: head.order,
        stored_at: head.stored_at,
    }))
}

fn unpacked(a: &dyn Access, id: DocumentId, body_id: u64) -> Result<Body, StoreError> {
    let damaged = |why: String| corrupt(Tab::Documents.name(), &id.0.to_be_bytes(), why);
    let bytes = body(a, body_id)?.ok_or_else(|| damaged(format!("body {body_id} is missing")))?;
    let body = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    a.keep(body_id, &body);
    Ok(body)
}

pub(crate) fn order_of_latest(
    a: &dyn Access,
    connection: ConnectionId,
    entity: Entity,
    key: &str,
) -> Result<Option<OrderId>, StoreError> {
    match latest_id(a, connection, entity, key)? {
        Some(id) => Ok(head(a, id)?.and_then(|head| head.order)),
        None => Ok(None),
    }
}

pub(crate) fn latest(
    a: &dyn Access,
    connection: ConnectionId,
    entity: Entity,
    key: &str,
) -> Result<Option<DocumentRow>, StoreError> {
    match latest_id(a, connection, entity, key)? {
        Some(id) => document(a, id),
        None => Ok(None),
    }
}

pub(crate) fn latest_id(
    a: &dyn Access,
    connection: ConnectionId,
    entity: Entity,
    key: &str,
) -> Result<Option<DocumentId>, StoreError> {
    Ok(
        a.number(Tab::Latest, &latest_key(connection, entity, key).0)?
            .map(DocumentId),
    )
}

/// Latest documents of one entity, in the order of their keys.
pub(crate) fn latest_of(
    a: &dyn Access,
    connection: ConnectionId,
    entity: Entity,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<DocumentRow>, StoreError> {
    let mut span = Span::prefix(Key::new().u32(connection.0).text(entity.word()));
    if let Some(after) = after {
        span = span.after(latest_key(connection, entity, after));
    }
    let mut ids = Vec::new();
    if limit > 0 {
        a.scan(Tab::Latest, &span, &mut |key, value| {
            ids.push(crate::codec::value_u64(Tab::Latest.name(), key, value)?);
            Ok(ids.len() < limit)
        })?;
    }
    let rows = ids.into_iter().map(|id| document(a, DocumentId(id)));
    rows.filter_map(Result::transpose).collect()
}

/// Documents of an order, newest first; those whose bodies are gone are left out.
pub(crate) fn of_order(
    a: &dyn Access,
    order: OrderId,
    limit: usize,
) -> Result<Vec<DocumentRow>, StoreError> {
    let span = Span::prefix(Key::new().u64(order.0)).newest_first();
    let ids = a.tails(Tab::OrderDocuments, &span, limit)?;
    let rows = ids.into_iter().map(|id| document(a, DocumentId(id)));
    rows.filter_map(Result::transpose).collect()
}

impl Tx<'_> {
    /// Stores a document unless that revision was seen, and makes it the latest of its key.
    ///
    /// What only says how something is (a retailer, an item) may be as it was before: then its newest document is the older
    /// one again, with the time it has now.
    pub fn accept(
        &mut self,
        connection: ConnectionId,
        document: &Document,
        now: Millis,
    ) -> Result<Option<Accepted>, StoreError> {
        self.at(now);
        let entity = document.body.entity();
        let place = latest_key(connection, entity, &document.key);
        let seen = place.clone().text(&document.revision);
        let seen = self.dynamic().number(Tab::Seen, &seen.0)?.map(DocumentId);
        if seen.is_some() && !is_reference(entity) {
            return Ok(None);
        }
        let previous = self
            .dynamic()
            .number(Tab::Latest, &place.0)?
            .map(DocumentId);
        if let Some(seen) = seen {
            if !self.is_again(seen, previous, document)? {
                return Ok(None);
            }
            self.forget_document(seen)?;
        }
        let id = DocumentId(self.next("document")?);
        let json = serde_json::to_vec(&document.body)
            .map_err(|e| corrupt(Tab::Documents.name(), &place.0, e.to_string()))?;
        let body = self.put_body(&json)?;
        self.keep(body, &document.body);
        let head = Head {
            connection,
            entity,
            key: document.key.clone(),
            revision: document.revision.clone(),
            occurred_at: document.occurred_at,
            order: order_of(self, connection, document)?,
            stored_at: now,
            body: Some(body),
            words: searched(document),
        };
        self.put_row(Tab::Documents, &Key::new().u64(id.0).0, &head)?;
        self.reindex(&[], &entries(id, &head))?;
        self.put_bytes(Tab::BodyAges, &age_key(Age::Document, now, id.0).0, &[])?;
        self.put_number(Tab::Latest, &place.0, id.0)?;
        let item_values = match &document.body {
            Body::Item(item) => items::update(self, connection, &document.key, item)?,
            _ => Vec::new(),
        };
        Ok(Some(Accepted {
            document: id,
            previous,
            item_values,
        }))
    }

    /// Whether a document that was seen says that something is again as it was: another one came after it, and it is newer
    /// than that by its source's own time. One that was read late is not.
    fn is_again(
        &self,
        seen: DocumentId,
        previous: Option<DocumentId>,
        document: &Document,
    ) -> Result<bool, StoreError> {
        let Some(previous) = previous.filter(|previous| *previous != seen) else {
            return Ok(false);
        };
        let newest = head(self, previous)?;
        Ok(newest.is_none_or(|newest| document.occurred_at > newest.occurred_at))
    }

    /// Takes a document of reference data out, with everything that names it.
    fn forget_document(&mut self, id: DocumentId) -> Result<(), StoreError> {
        let Some(row) = head(self, id)? else {
            return Ok(());
        };
        if let Some(body) = row.body {
            self.drop_body(body)?;
        }
        self.reindex(&entries(id, &row), &[])?;
        self.del(Tab::Documents, &Key::new().u64(id.0).0)?;
        let age = age_key(Age::Document, row.stored_at, id.0);
        self.del(Tab::BodyAges, &age.0).map(drop)
    }

    /// Says which order a document belongs to; the first word stands.
    pub(crate) fn attach(&mut self, id: DocumentId, order: OrderId) -> Result<(), StoreError> {
        let Some(old) = head(self, id)? else {
            return Ok(());
        };
        if old.order.is_some() {
            return Ok(());
        }
        let new = Head {
            order: Some(order),
            ..old.clone()
        };
        self.put_row(Tab::Documents, &Key::new().u64(id.0).0, &new)?;
        self.reindex(&entries(id, &old), &entries(id, &new))
    }
}
