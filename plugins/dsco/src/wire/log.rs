//! Answers to queued writes and the change log that holds their outcome. Knows no canonical type.

use super::shape;
use crate::api::collect;
use serde::Deserialize;
use serde_json::Value;
use waybill_sdk::lenient;

shape!(
    /// The answer to a queued write.
    Queued {
        status: Option<String> = word,
        success: Option<bool> = flag,
        request_id: Option<String> = text,
    }
);

/// A page of the change log.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Log {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) scroll_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "lenient::list")]
    pub(crate) logs: Vec<Entry>,
}

shape!(
    /// One object of one write.
    Entry {
        payload: Option<Payload> = object,
        status: Option<String> = word,
        request_id: Option<String> = text,
        process_id: Option<String> = text,
        request_method: Option<String> = word,
        date_processed: Option<i64> = when,
        results: Value = any,
    }
);

shape!(
    /// What was submitted, as far as it is recognised by it.
    Payload {
        id: Option<String> = text,
        dsco_order_id: Option<String> = text,
        po_number: Option<String> = text,
        supplier_order_number: Option<String> = text,
        line_items: Value = any,
        shipments: Vec<Parcel> = list,
        sku: Option<String> = text,
        quantity_available: Option<i64> = integer,
        invoice_id: Option<String> = text,
    }
);

shape!(
    /// A parcel of a shipment, as it was submitted.
    Parcel {
        tracking_number: Option<String> = text,
    }
);

impl Entry {
    /// What it was submitted with: a request or, as rows of a file, the process of an import.
    pub(crate) const fn run(&self) -> Option<&String> {
        match &self.request_id {
            Some(id) => Some(id),
            None => self.process_id.as_ref(),
        }
    }

    /// Whether it may have been a row of a file: a call says that it was none.
    pub(crate) fn may_be_of_a_file(&self) -> bool {
        !matches!(self.request_method.as_deref(), Some("api" | "portal"))
    }

    /// The vendor's words about it.
    pub(crate) fn words(&self) -> String {
        let mut words = Vec::new();
        collect(&self.results, &mut words);
        words.join("; ")
    }
}

impl Payload {
    /// The order it is about.
    pub(crate) fn order(&self) -> Option<&String> {
        self.id.as_ref().or(self.dsco_order_id.as_ref())
    }

    /// Whether this was an acknowledgement of a whole order: cancels and line acknowledgements have lines, shipments
    /// have shipments, and both may be in the same log.
    pub(crate) fn is_acknowledgement(&self) -> bool {
        self.id.is_some() && self.line_items.is_null() && self.shipments.is_empty()
    }
}
