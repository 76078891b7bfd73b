//! Answers to queued writes and the change log that holds their outcome. Knows no canonical type.

use super::shape;
use serde::Deserialize;
use serde_json::Value;
use waybill_sdk::lenient;

shape!(
    /// The answer to a queued write.
    Queued {
        status: Option<String> = "lenient::text",
        request_id: Option<String> = "lenient::text",
    }
);

shape!(
    /// A page of the change log.
    Log {
        scroll_id: Option<String> = "lenient::text",
        status: Option<String> = "lenient::text",
        logs: Vec<Entry> = "lenient::list",
    }
);

shape!(
    /// One object of one write.
    Entry {
        payload: Option<Payload> = "lenient::object",
        status: Option<String> = "lenient::text",
        request_id: Option<String> = "lenient::text",
        results: Value = "any",
    }
);

shape!(
    /// What was submitted, as far as an acknowledgement is recognised by it.
    Payload {
        id: Option<String> = "lenient::text",
        supplier_order_number: Option<String> = "lenient::text",
        line_items: Value = "any",
        shipments: Value = "any",
    }
);

impl Payload {
    /// Whether this was an acknowledgement of a whole order: cancels and line acknowledgements have lines, shipments
    /// have shipments, and both may be in the same log.
    pub(crate) fn is_acknowledgement(&self) -> bool {
        self.id.is_some() && self.line_items.is_null() && self.shipments.is_null()
    }
}

fn any<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Value::deserialize(deserializer)
}
