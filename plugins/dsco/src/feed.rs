//! The two feeds that are read from order streams, and what makes them differ. Knows no call.

use crate::api::Api;
use crate::order::Names;
use crate::wire::order::Order;
use crate::{cancellation, order};
use serde_json::{Value, json};
use waybill_sdk::commerce::{Document, Entity};

/// What a stream is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Orders; such a stream withholds cancel requests.
    Orders,
    /// Cancel requests; such a stream holds nothing else.
    Cancels,
}

impl Feed {
    /// The feed of that entity, if it comes from a stream.
    pub(crate) const fn of(entity: Entity) -> Option<Self> {
        match entity {
            Entity::Order => Some(Self::Orders),
            Entity::Cancellation => Some(Self::Cancels),
            _ => None,
        }
    }

    /// The id of its stream.
    pub(crate) fn stream_id(self, api: &Api<'_>) -> String {
        let id = api.config.stream_id();
        match self {
            Self::Orders => id,
            Self::Cancels => format!("{id}-cancels"),
        }
    }

    /// What is asked for when the stream is created.
    pub(crate) fn definition(self, api: &Api<'_>) -> Value {
        let mut query = json!({ "queryType": "order", "orderTypes": api.config.order_types });
        if self == Self::Cancels {
            query["onlyIncludeCancelRequests"] = Value::Bool(true);
        }
        json!({
            "id": self.stream_id(api),
            "description": format!(
                "Waybill, installation {}: {}",
                api.config.install_id(),
                match self {
                    Self::Orders => "orders",
                    Self::Cancels => "cancel requests",
                }
            ),
            "objectType": "order",
            "numPartitions": 1,
            "maxEvents": {
                // Bytes end a page first. Twice an answer's orders, so that a wave of that many is one read, not a full
                // one with an empty one behind it.
                "objectCount": api.config.page_size * 2,
                "numBytes": MAX_BYTES,
                "durationSec": 22,
            },
            "query": query,
        })
    }

    /// The states in which an order that existed before the stream still matters.
    pub(crate) const fn statuses(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &["created", "shipment_pending"],
            Self::Cancels => &["shipment_pending"],
        }
    }

    /// The documents of orders that a stream gave.
    pub(crate) fn documents(self, api: &Api<'_>, orders: &[Order]) -> Vec<Document> {
        match self {
            Self::Orders => {
                let names = Names::of(api.host, orders);
                let ready = |order: &&Order| !order::is_pending(order);
                orders
                    .iter()
                    .filter(ready)
                    .filter_map(|order| order::document(api, order, &names))
                    .collect()
            }
            Self::Cancels => orders
                .iter()
                .filter_map(|order| cancellation::document(api, order))
                .collect(),
        }
    }

    /// The documents of orders that a search gave: there, an order without a request says nothing about requests.
    pub(crate) fn found(self, api: &Api<'_>, orders: &[Order]) -> Vec<Document> {
        match self {
            Self::Orders => self.documents(api, orders),
            Self::Cancels => orders
                .iter()
                .filter(|order| cancellation::is_requested(order))
                .filter_map(|order| cancellation::document(api, order))
                .collect(),
        }
    }
}

/// Bytes after which the vendor ends a page.
pub(crate) const MAX_BYTES: usize = 4_194_304;
