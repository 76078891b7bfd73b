//! Streams and their events. Knows no canonical type.

use super::order::Order;
use super::shape;
use waybill_sdk::lenient;

shape!(
    /// A stream as the vendor lists it.
    Stream {
        id: Option<String> = "lenient::text",
        partitions: Vec<Partition> = "lenient::list",
    }
);

shape!(
    /// One of its partitions.
    Partition {
        partition_id: Option<i64> = "lenient::integer",
        position: Option<String> = "lenient::text",
    }
);

shape!(
    /// What a read gives.
    Events {
        events: Vec<Event> = "lenient::list",
    }
);

shape!(
    /// One event; the payload is the whole order as it is now.
    Event {
        id: Option<String> = "lenient::text",
        payload: Option<Order> = "lenient::object",
        event_reasons: Vec<String> = "lenient::texts",
    }
);
