//! Lists of jobs by where they stand: of one state for the engine; of one kind, and of one retailer, for the pages of
//! shipments, invoices and cancellations. Every answer is a range read. Must not know what a state means to people.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Span, decode};
use crate::error::StoreError;
use crate::rows::JobRow;
use crate::schema::Tab;
use crate::{orders, retailers};
use waybill_model::document::Entity;
use waybill_model::ids::{JobId, RetailerId};
use waybill_model::job::{Ending, JobState, Work};

/// Where a job of a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// On its way: in line, being sent, or tried again.
    UnderWay,
    /// Sent, and not confirmed yet.
    Unconfirmed,
    /// Waits by itself.
    Resting,
    /// Waits for a person.
    Parked,
    /// Written, or told with another one.
    Told,
    /// Ended without being told.
    Over,
}

impl Standing {
    /// Each of them.
    pub const ALL: &'static [Self] = &[
        Self::UnderWay,
        Self::Unconfirmed,
        Self::Resting,
        Self::Parked,
        Self::Told,
        Self::Over,
    ];

    const fn places(self) -> &'static [u8] {
        match self {
            Self::UnderWay => &[0, 1, 2, 4, 6],
            Self::Unconfirmed => &[3],
            Self::Resting => &[5, HELD, PRACTISED],
            Self::Parked => &[7],
            Self::Told => &[DONE_TOLD],
            Self::Over => &[DONE_OVER],
        }
    }
}

const DONE_TOLD: u8 = 8;
const DONE_OVER: u8 = 9;
const HELD: u8 = 10;
const PRACTISED: u8 = 11;

/// Every state by its byte; a state that is done has two.
const fn place(state: &JobState) -> u8 {
    match state {
        JobState::WaitingForAccept => 0,
        JobState::Ready => 1,
        JobState::Running(_) => 2,
        JobState::Pending { .. } => 3,
        JobState::Waiting { .. } => 4,
        JobState::Resting { .. } => 5,
        JobState::Held { .. } => HELD,
        JobState::Practised => PRACTISED,
        JobState::Blocked(_) => 6,
        JobState::Parked(_) => 7,
        JobState::Done(Ending::Written(_) | Ending::Merged(_) | Ending::Recorded) => DONE_TOLD,
        JobState::Done(Ending::Withdrawn | Ending::Refused | Ending::Ignored(_)) => DONE_OVER,
    }
}

/// The words of `JobState`.
pub const JOB_WORDS: &[&str] = &[
    "waiting-for-accept",
    "ready",
    "running",
    "pending",
    "waiting",
    "resting",
    "held",
    "practised",
    "blocked",
    "parked",
    "done",
];

/// The places of a state's word.
fn places_of(word: &str) -> &'static [u8] {
    match word {
        "waiting-for-accept" => &[0],
        "ready" => &[1],
        "running" => &[2],
        "pending" => &[3],
        "waiting" => &[4],
        "resting" => &[5],
        "held" => &[HELD],
        "practised" => &[PRACTISED],
        "blocked" => &[6],
        "parked" => &[7],
        "done" => &[DONE_TOLD, DONE_OVER],
        _ => &[],
    }
}

/// Kinds of work by their byte: settles from 0, documents from 2, what is only looked at behind them.
const KINDS: u8 = 15;

const fn kind(work: Work) -> u8 {
    use waybill_model::contract::Moment;
    match work {
        Work::Settle(Moment::Accepted) => 0,
        Work::Settle(Moment::Delivered) => 1,
        Work::Push(entity) => pushed(entity),
        Work::Compare => 13,
        Work::Attend => 14,
    }
}

const fn pushed(entity: Entity) -> u8 {
    match entity {
        Entity::Order => 2,
        Entity::Cancellation => 3,
        Entity::OrderState => 4,
        Entity::Shipment => 5,
        Entity::Invoice => 6,
        Entity::InventoryLevel => 7,
        Entity::Item => 8,
        Entity::Customer => 9,
        Entity::Retailer => 10,
        Entity::Warehouse => 11,
        Entity::ShippingMethod => 12,
    }
}

/// Whether people are shown a list of that work, by retailer.
pub(crate) const fn is_listed(work: Work) -> bool {
    matches!(
        work,
        Work::Push(Entity::Shipment | Entity::Invoice | Entity::Cancellation)
    )
}

/// The entries of a job's place.
pub(crate) fn entries(row: &JobRow) -> Vec<Entry> {
    let (kind, place) = (kind(row.work), place(&row.state));
    let key = Key::new().byte(place).byte(kind).u64(row.id.0);
    let mut out = vec![Entry::mark(Tab::JobPlaces, key)];
    if let (true, Some(retailer)) = (is_listed(row.work), row.retailer) {
        let key = Key::new().byte(kind).u32(retailer.0).byte(place);
        out.push(Entry::mark(Tab::JobRetailers, key.u64(row.id.0)));
    }
    out
}

/// Jobs whose state has that word, oldest first.
pub(crate) fn in_state(
    a: &dyn Access,
    word: &str,
    limit: usize,
) -> Result<Vec<JobRow>, StoreError> {
    let mut ids = Vec::new();
    for place in places_of(word) {
        for kind in 0..KINDS {
            let span = Span::prefix(Key::new().byte(*place).byte(kind));
            ids.extend(a.tails(Tab::JobPlaces, &span, limit)?);
        }
    }
    ids.sort_unstable();
    ids.truncate(limit);
    a.named(Tab::Jobs, &ids)
}

/// Which shipments, invoices or cancellations.
#[derive(Debug, Clone)]
pub struct FlowQuery<'a> {
    /// The kind of document.
    pub entity: Entity,
    /// Where they stand.
    pub standing: &'a [Standing],
    /// Of that retailer alone.
    pub retailer: Option<RetailerId>,
    /// Only older than that one.
    pub before: Option<JobId>,
    /// At most so many.
    pub limit: usize,
}

/// A page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowPage {
    /// Newest first.
    pub rows: Vec<JobRow>,
    /// Where the next page goes on; `None`: nothing more is there.
    pub next: Option<JobId>,
}

/// The stretches of the index that make up the answer.
fn spans(query: &FlowQuery<'_>) -> Vec<(Tab, Span)> {
    let kind = pushed(query.entity);
    let places = query.standing.iter().flat_map(|s| s.places());
    places
        .map(|place| {
            let (tab, prefix) = match query.retailer {
                Some(retailer) => (
                    Tab::JobRetailers,
                    Key::new().byte(kind).u32(retailer.0).byte(*place),
                ),
                None => (Tab::JobPlaces, Key::new().byte(*place).byte(kind)),
            };
            let span = Span::prefix(prefix.clone()).newest_first();
            (
                tab,
                match query.before {
                    Some(before) => span.before(prefix.u64(before.0)),
                    None => span,
                },
            )
        })
        .collect()
}

pub(crate) fn list(a: &dyn Access, query: &FlowQuery<'_>) -> Result<FlowPage, StoreError> {
    let limit = query.limit.max(1);
    let mut ids = Vec::new();
    for (tab, span) in spans(query) {
        ids.extend(a.tails(tab, &span, limit + 1)?);
    }
    ids.sort_unstable_by(|x, y| y.cmp(x));
    let more = ids.len() > limit;
    ids.truncate(limit);
    Ok(FlowPage {
        next: ids.last().filter(|_| more).map(|id| JobId(*id)),
        rows: a.named(Tab::Jobs, &ids)?,
    })
}

pub(crate) fn count(
    a: &dyn Access,
    query: &FlowQuery<'_>,
    most: usize,
) -> Result<usize, StoreError> {
    let mut found = 0;
    for (tab, span) in spans(query) {
        let mut left = most.saturating_sub(found);
        if left > 0 {
            a.scan(tab, &span, &mut |_, _| {
                found += 1;
                left -= 1;
                Ok(left > 0)
            })?;
        }
    }
    Ok(found)
}

/// Rows that are read at once while a file is brought up.
const STRIDE: usize = 1_000;

/// Brings a file of an older version up: retailers, orders by retailer, jobs by place.
pub(crate) fn index_jobs(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.drop_table("job_states")?;
    retailers::index_orders(tx)?;
    let mut span = Span::all();
    loop {
        let mut rows: Vec<JobRow> = Vec::new();
        tx.scan(Tab::Jobs, &span, &mut |key, value| {
            rows.push(decode(Tab::Jobs.name(), key, value)?);
            Ok(rows.len() < STRIDE)
        })?;
        let Some(last) = rows.last().map(|row| row.id) else {
            return Ok(());
        };
        for mut row in rows {
            if is_listed(row.work)
                && let Some(order) = row.order
                && let Some(order) = orders::order(tx, order)?
            {
                let retailer = retailers::id(tx, order.connection, &order.retailer)?;
                if retailer != row.retailer {
                    row.retailer = retailer;
                    tx.put_row(Tab::Jobs, &crate::jobs::job_key(row.id), &row)?;
                }
            }
            tx.reindex(&[], &entries(&row))?;
        }
        span = Span::all().after(Key::new().u64(last.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_word_and_kind_has_its_place() {
        for word in JOB_WORDS {
            assert!(!places_of(word).is_empty(), "{word}");
        }
        let mut kinds: Vec<u8> = Entity::ALL.iter().map(|entity| pushed(*entity)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), Entity::ALL.len());
        assert!(kinds.iter().all(|kind| (2..KINDS).contains(kind)));
        let mut places: Vec<u8> = Standing::ALL
            .iter()
            .flat_map(|standing| standing.places().iter().copied())
            .collect();
        places.sort_unstable();
        assert_eq!(places, (0..=PRACTISED).collect::<Vec<_>>());
    }
}
