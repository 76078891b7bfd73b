//! Newtypes for every id, so that a job can never be passed where a document is due.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A merchant's connection: small, given in the order of creation, never used again.
    ConnectionId,
    u32
);
number_id!(
    /// One order in this agent: ascending in the order of arrival.
    OrderId,
    u64
);
number_id!(
    /// A retailer that sent an order: ascending in the order of their first orders.
    RetailerId,
    u32
);
number_id!(
    /// One stored revision of a document: ascending.
    DocumentId,
    u64
);
number_id!(
    /// One document on one route, or one settle: ascending.
    JobId,
    u64
);
number_id!(
    /// Jobs sent in one call: ascending.
    BatchId,
    u64
);
number_id!(
    /// One journalled outside effect: ascending.
    EffectId,
    u64
);
number_id!(
    /// One webhook request as it came: ascending in the order of arrival.
    DeliveryId,
    u64
);
number_id!(
    /// A loaded build of a connector: ascending, never used again for another one.
    Generation,
    u64
);

/// UTC milliseconds since 1970.
pub type Millis = i64;
