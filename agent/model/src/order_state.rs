//! The seven states of an order that a merchant sees, and nothing else.

use crate::document::words;
use serde::{Deserialize, Serialize};

words!(
    /// Where an order stands, in the merchant's words. `refused` is one that was not imported: a test order, or one whose sale a person decided not to make.
    OrderStage {
        Received = "received", Waiting = "waiting", Created = "created", PartShipped = "part-shipped",
        Shipped = "shipped", Invoiced = "invoiced", Cancelled = "cancelled", Refused = "refused",
    }
);

impl OrderStage {
    /// As shown on the page; `erp` is the title of the system that holds the sale.
    pub fn label(self, erp: &str) -> String {
        match self {
            Self::Received => "Received".to_owned(),
            Self::Waiting => "Waiting for you".to_owned(),
            Self::Created => format!("Created in {erp}"),
            Self::PartShipped => "Part shipped".to_owned(),
            Self::Shipped => "Shipped".to_owned(),
            Self::Invoiced => "Invoiced".to_owned(),
            Self::Cancelled => "Cancelled".to_owned(),
            Self::Refused => "Not imported".to_owned(),
        }
    }
}
