//! What a refusal of something told means: the vendor's words in plain ones, with what to do. Where its words may mean
//! that there is nothing to mend, the order itself is looked at first.

use crate::api::Api;
use crate::invoice_look;
use crate::lookup::{self, Shown};
use crate::source::order_by_key;
use crate::told::{Told, What};
use waybill_sdk::problem::done;
use waybill_sdk::types::{Failure, Problem, Verdict};

/// The verdict of a refusal; none where the order has to be looked at and `looks` are used up.
pub(crate) fn verdict(
    api: &Api<'_>,
    told: &Told,
    words: &str,
    looks: &mut usize,
) -> Option<Verdict> {
    let topic = match &told.what {
        What::Invoiced(bill) => return invoice_look::refused(api, told, bill, words, looks),
        What::Acknowledged { .. } => None,
        What::Shipped { .. } | What::Cancelled { .. } => Some(Topic::of(words)),
    };
    if topic.is_none_or(Topic::needs_a_look) {
        *looks = looks.checked_sub(1)?;
        match look(api, told) {
            Ok(Some(verdict)) => return Some(verdict),
            Ok(None) => {}
            Err(failure) => return Some(Err(failure)),
        }
    }
    let said = if words.is_empty() {
        "no reason was given"
    } else {
        words
    };
    Some(Err(Failure::Rejected(match topic {
        None => Problem::new(
            "acknowledge-refused",
            format!("DSCO refused the acknowledgement: {said}"),
            "Correct what DSCO says, or acknowledge the order in the DSCO portal, then retry.",
        ),
        Some(topic) if matches!(told.what, What::Cancelled { .. }) => topic.of_cancel(said),
        Some(topic) => topic.problem(said),
    })))
}

/// An order acknowledged already is as good as done, parcels that are there are, and a cancelled order needs nothing.
fn look(api: &Api<'_>, told: &Told) -> Result<Option<Verdict>, Failure> {
    let Some(order) = order_by_key(api, &told.order)? else {
        return Ok(None);
    };
    Ok(match (lookup::shows(told, &order), &told.what) {
        (Shown::Verdict(verdict), _) => Some(verdict),
        // The refusal of a second one, with another number or none: the first one stands.
        (_, What::Acknowledged { .. }) if lookup::is_acknowledged(&order) => {
            Some(done(told.receipt().already_there()))
        }
        _ => None,
    })
}

/// The retailer cancelled the order first: nothing is left to do.
pub(crate) fn cancelled(told: &Told) -> Failure {
    Failure::Withdrawn(match told.what {
        What::Acknowledged { .. } => Problem::bare(
            "cancelled-by-retailer",
            "The retailer cancelled this order before it was acknowledged.",
        ),
        What::Shipped { .. } => Problem::new(
            "cancelled-by-retailer",
            "This order is cancelled at DSCO, which takes no shipment for it.",
            "If the parcel has left, stop it, or ask the retailer what becomes of it.",
        ),
        What::Invoiced(_) => Problem::new(
            "cancelled-by-retailer",
            "This order is cancelled at DSCO, which takes no invoice for it.",
            "If the parcel has left, ask the retailer what becomes of it.",
        ),
        What::Cancelled { .. } => {
            Problem::bare("cancelled-by-retailer", "This order is cancelled already.")
        }
    })
}

/// DSCO has a parcel of that tracking number, which is not ours.
pub(crate) fn taken(tracking: &str) -> Failure {
    Failure::rejected(
        "tracking-taken",
        format!(
            "DSCO already has a parcel {tracking} on this order, with other contents than this shipment."
        ),
        "Compare the parcel in the DSCO portal with the shipment: correct the tracking number and retry, or enter the rest in the portal and press Done.",
    )
}

/// What the vendor's words are about. Its codes are the same for everything, and the words are not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    Generic,
    Warehouse,
    FillKill,
    TrackingTaken,
    Tracking,
    Cancelled,
    Closed,
    TooEarly,
    Quantity,
    Service,
    Line,
    Order,
    Date,
    Other,
}

impl Topic {
    pub(crate) fn of(words: &str) -> Self {
        let words = words.to_ascii_lowercase();
        let any = |all: &[&str]| all.iter().any(|word| words.contains(word));
        let tracking = any(&["trackingnumber", "tracking number", "tracking_number"]);
        if any(&["generic"]) {
            Self::Generic
        } else if any(&["warehouse"]) {
            Self::Warehouse
        } else if any(&["fill or kill", "fill/kill", "fill-kill", "fillkill"]) {
            Self::FillKill
        } else if tracking && any(&["already", "duplicate", "exists", "other lines", "in use"]) {
            Self::TrackingTaken
        } else if tracking {
            Self::Tracking
        } else if any(&["cancel"]) {
            Self::Cancelled
        } else if any(&["not available yet", "not yet available"]) {
            Self::TooEarly
        } else if any(&[
            "quantity",
            "would ship",
            "exceed",
            "packagespan",
            "over ship",
            "overship",
        ]) {
            Self::Quantity
        } else if any(&["completed", "closed", "already shipped", "fully shipped"]) {
            Self::Closed
        } else if any(&[
            "servicelevel",
            "service level",
            "carrier",
            "shipmethod",
            "ship method",
        ]) {
            Self::Service
        } else if any(&["shipdate", "ship date"]) {
            Self::Date
        } else if any(&["linenumber", "line number", "lineitem", "item", "sku"]) {
            Self::Line
        } else if any(&["order", "ponumber"]) {
            Self::Order
        } else {
            Self::Other
        }
    }

    /// Whether it may mean that the parcels are there already, or that the order is over.
    const fn needs_a_look(self) -> bool {
        matches!(
            self,
            Self::TrackingTaken | Self::Cancelled | Self::Closed | Self::Quantity
        )
    }

    /// The same for a cancel.
    fn of_cancel(self, words: &str) -> Problem {
        const ABOVE: (&str, &str, &str) = (
            "cancel-above-open",
            "less is open there than is to be cancelled",
            "Compare the order's open quantities in the DSCO portal with the sale, then leave this card with a reason.",
        );
        let lower = words.to_ascii_lowercase();
        let (code, what, hint) = if lower.contains("cancelcode") {
            (
                "cancel-code-refused",
                "this retailer does not take the reason code",
                "Correct the code in Matching, cancel-codes, for this retailer (or the code for requests in Settings), then retry.",
            )
        } else {
            match self {
                Self::FillKill => (
                    "partial-forbidden",
                    "this retailer takes no cancel of a part (fill or kill)",
                    "Cancel the rest of the order or line too, or ship it; then leave this card with a reason.",
                ),
                Self::Quantity | Self::Closed | Self::Cancelled if lower.contains("quantity") => {
                    ABOVE
                }
                Self::Closed => ABOVE,
                _ => (
                    "cancel-refused",
                    "it gives a reason of its own",
                    "Correct what DSCO says, or cancel it in the DSCO portal and leave this card with a reason.",
                ),
            }
        };
        Problem::new(
            code,
            format!("DSCO refused the cancel: {what}. Its words: {words}"),
            hint,
        )
    }

    fn problem(self, words: &str) -> Problem {
        let (code, what, hint) = match self {
            Self::Generic => (
                "generic-code",
                "this retailer takes no generic service code",
                "Map the shipping method to the carrier's own service code in the table of shipping methods for this retailer, then retry.",
            ),
            Self::Warehouse => (
                "warehouse-refused",
                "the warehouse code is missing or not known there",
                "Enter the code in the table of warehouses exactly as the DSCO portal's Warehouse Manager shows it, then retry.",
            ),
            Self::FillKill => (
                "partial-forbidden",
                "this retailer takes no partial shipments (fill or kill)",
                "Ship the rest or cancel it, then report the whole in the DSCO portal and press Done, or retry once all of it is in one shipment.",
            ),
            Self::TrackingTaken => (
                "tracking-taken",
                "the tracking number is on the order already, with other contents",
                "Compare the parcel in the DSCO portal with the shipment: correct the tracking number and retry, or press Done.",
            ),
            Self::Tracking => (
                "tracking-refused",
                "it does not take the tracking number",
                "Correct the tracking number of the shipment, then retry.",
            ),
            Self::Cancelled => (
                "line-cancelled",
                "something in it is cancelled at DSCO",
                "Compare the order's lines with the shipment. If the parcel has left, ask the retailer what becomes of it.",
            ),
            Self::Closed => (
                "order-completed",
                "nothing of the order is open there",
                "Compare the order's parcels in the DSCO portal with the shipment; press Done if it is there.",
            ),
            Self::TooEarly => (
                "not-available-yet",
                "the order is not released there yet",
                "Retry in some minutes.",
            ),
            Self::Quantity => (
                "quantity-refused",
                "it holds more units, or others, than are open there",
                "Compare the order's open quantities in the DSCO portal with the shipment, correct it and retry.",
            ),
            Self::Service => (
                "service-refused",
                "it does not take the carrier, method or service code",
                "Correct the shipping method's cell in the table of shipping methods to what DSCO's ship mapping knows, then retry.",
            ),
            Self::Date => (
                "ship-date-refused",
                "it does not take the ship date",
                "Correct the date of the shipment, then retry.",
            ),
            Self::Line => (
                "line-refused",
                "it does not recognise a line",
                "Compare the order's lines in the DSCO portal with the shipment, then retry.",
            ),
            Self::Order => (
                "order-refused",
                "it does not recognise the order",
                "Look for the order in the DSCO portal; check that the credentials are those of the account it belongs to.",
            ),
            Self::Other => (
                "shipment-refused",
                "it gives a reason of its own",
                "Correct what DSCO says, then retry.",
            ),
        };
        Problem::new(
            code,
            format!("DSCO refused the shipment: {what}. Its words: {words}"),
            hint,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Topic;

    #[test]
    fn words_are_told_apart() {
        for (words, topic) in [
            ("shippingServiceLevelCode GCG is generic", Topic::Generic),
            ("warehouseCode X9 is not known", Topic::Warehouse),
            ("warehouseCode is required", Topic::Warehouse),
            (
                "The retailer's fill or kill policy forbids shipping a part of line 1",
                Topic::FillKill,
            ),
            (
                "trackingNumber 1Z is already on the order with other lines",
                Topic::TrackingTaken,
            ),
            ("trackingNumber is required", Topic::Tracking),
            ("Order is cancelled", Topic::Cancelled),
            ("Order is completed", Topic::Closed),
            ("Order is not available yet", Topic::TooEarly),
            (
                "Line 1 would ship 3 of 2 units; packageSpanFlag is needed when one unit is in several parcels",
                Topic::Quantity,
            ),
            ("quantity must be at least 1", Topic::Quantity),
            ("Ship carrier is required", Topic::Service),
            (
                "All of these fields are required: poNumber, carrier, shippingServiceLevelCode",
                Topic::Service,
            ),
            ("Item with sku A is not on the order", Topic::Line),
            ("lineNumber 5 does not fit the item with sku A", Topic::Line),
            ("Order 17 was not found", Topic::Order),
            ("shipDate is in the future", Topic::Date),
            ("no", Topic::Other),
        ] {
            assert_eq!(Topic::of(words), topic, "{words}");
        }
    }
}
