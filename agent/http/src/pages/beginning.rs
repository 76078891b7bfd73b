//! What is read before the first order, kind by kind, and how far it is.

use crate::answer::Failure;
use crate::html::{Mark, count};
use crate::site::Asked;
use waybill_engine::connecting::{Beginning, FirstRead};
use waybill_engine::view::Tone;
use waybill_model::document::Entity;

/// One kind.
pub(super) struct Read {
    pub(super) what: &'static str,
    pub(super) taken: String,
    pub(super) mark: Mark,
}

/// All of a connection.
pub(super) struct Begun {
    pub(super) mark: Mark,
    pub(super) reads: Vec<Read>,
    pub(super) complete: bool,
}

const fn what(entity: Entity) -> &'static str {
    match entity {
        Entity::Item => "Items",
        Entity::Warehouse => "Warehouses",
        Entity::ShippingMethod => "Shipping methods",
        Entity::Retailer => "Retailers",
        _ => "Contacts",
    }
}

fn read(read: &FirstRead, stopped: bool, reached: bool) -> Read {
    let mark = match (read.done_at, read.failures) {
        (Some(_), _) => Mark::of(Tone::Ok, "All read"),
        _ if stopped => Mark::of(Tone::Hold, "Stopped; it goes on where it was"),
        _ if !reached => Mark::of(Tone::Soon, "Not begun"),
        (None, 1..) => Mark::of(
            Tone::You,
            "It did not work the last time; it is tried again by itself",
        ),
        (None, 0) => Mark::of(Tone::Soon, "Being read"),
    };
    Read {
        what: what(read.entity),
        taken: count(read.taken, "read", "read"),
        mark,
    }
}

/// As it is shown.
pub(super) fn compose(beginning: &Beginning) -> Begun {
    let complete = beginning.is_complete();
    let done = beginning
        .reads
        .iter()
        .filter(|r| r.done_at.is_some())
        .count();
    let all = beginning.reads.len();
    let mark = if complete {
        Mark::of(Tone::Ok, "Everything was read")
    } else if beginning.paused {
        Mark::of(
            Tone::Hold,
            format!("Stopped: {done} of {all} kinds are read"),
        )
    } else if beginning.reached {
        Mark::of(Tone::Soon, format!("{done} of {all} kinds are read"))
    } else {
        Mark::of(Tone::Soon, "It begins as soon as the connection works")
    };
    Begun {
        mark,
        complete,
        reads: beginning
            .reads
            .iter()
            .map(|r| read(r, beginning.paused, beginning.reached))
            .collect(),
    }
}

/// How far a connection is; `None`: there is no such one, or nothing is read first.
pub(super) async fn of(asked: &Asked<'_>, name: &str) -> Result<Option<Begun>, Failure> {
    let all = asked.site.handle.beginnings().await?;
    let found = all.iter().find(|b| b.name == name && !b.reads.is_empty());
    Ok(found.map(compose))
}
