//! Streams and their events. Knows no canonical type.

use super::order::Order;
use super::shape;
use serde::Deserialize;
use waybill_sdk::lenient;

shape!(
    /// A stream as the vendor lists it.
    Stream {
        id: Option<String> = text,
        partitions: Vec<Partition> = list,
        max_events: Option<MaxEvents> = object,
    }
);

shape!(
    /// What ends a page of it.
    MaxEvents {
        object_count: Option<i64> = integer,
    }
);

shape!(
    /// One of its partitions.
    Partition {
        partition_id: Option<i64> = integer,
        position: Option<String> = text,
    }
);

/// What a read gives.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Events {
    #[serde(deserialize_with = "lenient::list")]
    pub(crate) events: Vec<Event>,
}

shape!(
    /// One event; the payload is the whole order as it is now.
    Event {
        id: Option<String> = text,
        payload: Option<Order> = object,
        event_reasons: Vec<String> = texts,
    }
);
