//! The engine's sentences for a merchant: what waits, what happened. Plain, present tense, naming who acted.

use waybill_model::contract::{Gap, Moment, Receipt};
use waybill_model::crosswalk;
use waybill_model::document::Entity;
use waybill_model::job::{JobState, Reason, Work};

/// "The network confirmed.", or what is known where it answers for files as a whole only.
pub(crate) fn confirmed(title: &str, receipt: &Receipt) -> String {
    match receipt.file() {
        Some(file) => format!(
            "It went by file {file}, which {title} has processed; it does not say what became of single rows."
        ),
        None => format!("{title} confirmed."),
    }
}

/// "Item not matched: `AB-12`".
pub(crate) fn gap_title(gap: &Gap) -> String {
    if let Some(order) = crosswalk::order_of(gap) {
        return format!("Consumer has no contact yet: order {order}");
    }
    match gap.table.as_str() {
        crosswalk::ITEMS => format!("Item not matched: {}", gap.value),
        crosswalk::CUSTOMERS => format!("Retailer has no customer yet: {}", gap.value),
        crosswalk::SHIPPING_METHODS => format!("Shipping method not matched: {}", gap.value),
        crosswalk::WAREHOUSES => format!("Warehouse not matched: {}", gap.value),
        crosswalk::CANCEL_CODES => format!("Reason of a cancel not matched: {}", gap.value),
        table => format!("No entry in {table} for {}", gap.value),
    }
}

/// The label of the field that a gap's card shows.
pub(crate) fn gap_field(gap: &Gap, target: &str) -> String {
    let what = match gap.table.as_str() {
        crosswalk::ITEMS => "product",
        crosswalk::CUSTOMERS => "contact",
        crosswalk::SHIPPING_METHODS => "shipping method",
        crosswalk::WAREHOUSES => "warehouse",
        crosswalk::CANCEL_CODES => "reason code",
        _ => "value",
    };
    match crosswalk::order_of(gap) {
        Some(order) => format!("{target} {what} for order {order}"),
        None => format!("{target} {what} for {}", gap.value),
    }
}

/// Why an order waits, in one sentence.
pub(crate) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Gaps(gaps) => gaps.iter().map(gap_title).collect::<Vec<_>>().join("; "),
        Reason::Problem(problem) | Reason::InDoubt(problem) => problem.message.clone(),
    }
}

/// "Acknowledgement", "Sale", "Sale number".
pub(crate) fn work(work: Work) -> &'static str {
    match work {
        Work::Settle(Moment::Accepted) => "Acknowledgement",
        Work::Settle(Moment::Delivered) => "Sale number",
        Work::Push(Entity::Order) => "Sale",
        Work::Push(Entity::Customer) => "Customer",
        Work::Push(Entity::Cancellation) => "Cancellation",
        Work::Push(Entity::Shipment) => "Shipment",
        Work::Push(Entity::Invoice) => "Invoice",
        Work::Push(_) => "Record",
        Work::Compare => "Comparison",
        Work::Attend => "Reading",
    }
}

/// A job's state for a merchant.
pub(crate) fn state(state: &JobState, target: &str) -> String {
    match state {
        JobState::WaitingForAccept => "Waits until the order is acknowledged".to_owned(),
        JobState::Ready => "Next in line".to_owned(),
        JobState::Running(_) => format!("Being sent to {target}"),
        JobState::Pending { .. } => format!("Sent, {target} has not confirmed yet"),
        JobState::Waiting { .. } => "Will be tried again by itself".to_owned(),
        JobState::Resting { .. } => "Waits by itself".to_owned(),
        JobState::Held { .. } => "Held: its flow is paused or outside its hours".to_owned(),
        JobState::Practised => format!("Practice: would be sent to {target}; nothing was sent"),
        JobState::Blocked(gap) => format!("Waits: {}", gap_title(gap).to_lowercase()),
        JobState::Parked(why) => format!("Waits for you: {}", reason(why)),
        JobState::Done(ending) => match ending {
            waybill_model::job::Ending::Written(_) => "Confirmed".to_owned(),
            waybill_model::job::Ending::Recorded => "Recorded, not sent (practice)".to_owned(),
            waybill_model::job::Ending::Withdrawn => {
                "Not needed: cancelled or withdrawn".to_owned()
            }
            waybill_model::job::Ending::Merged(key) => format!("Reported with {key}"),
            waybill_model::job::Ending::Refused => "Not imported: test order".to_owned(),
            waybill_model::job::Ending::Ignored(why) => format!("Left alone: {why}"),
        },
    }
}
