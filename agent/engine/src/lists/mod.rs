//! Lists of what follows the sales: goods-out notes, invoices, cancellations, newest first, by state and retailer, or
//! found by a number. A page is a few range reads and one look at each row, however many orders there are. Read
//! `notes.rs`, `bills.rs`, `cancels.rs`; `find.rs` searches.

mod bills;
mod cancels;
mod find;
mod notes;

pub use bills::InvoiceLine;
pub use cancels::{CancelLine, Wanted};
pub use notes::ShipmentLine;

use crate::core::{Core, Desk};
use crate::handle::{CommandError, Handle};
use crate::status;
use crate::view::{OrderView, Tone};
use crate::words;
use serde::Serialize;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, JobId, Millis, RetailerId};
use waybill_model::job::{JobState, Reason};
use waybill_store::{FlowQuery, JobRow, Lists, Read, Rx, Standing, StoreError};

/// Rows of a state are counted up to here.
const COUNTED: usize = 1_000;
/// The longest page.
const MOST: usize = 500;

/// Where a row stands, as lists are narrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Waits for a person; refused ones too.
    You,
    /// Waits by itself.
    Waits,
    /// On its way.
    UnderWay,
    /// Sent, not confirmed.
    Unconfirmed,
    /// Confirmed.
    Confirmed,
    /// Ended without being told.
    Over,
}

impl State {
    /// Each of them, as tabs show them.
    pub const ALL: &'static [Self] = &[
        Self::You,
        Self::Waits,
        Self::UnderWay,
        Self::Unconfirmed,
        Self::Confirmed,
        Self::Over,
    ];

    /// As in addresses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Waits => "waits",
            Self::UnderWay => "under-way",
            Self::Unconfirmed => "unconfirmed",
            Self::Confirmed => "confirmed",
            Self::Over => "over",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.word() == word)
    }

    const fn standing(self) -> Standing {
        match self {
            Self::You => Standing::Parked,
            Self::Waits => Standing::Resting,
            Self::UnderWay => Standing::UnderWay,
            Self::Unconfirmed => Standing::Unconfirmed,
            Self::Confirmed => Standing::Told,
            Self::Over => Standing::Over,
        }
    }
}

/// Which rows.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only of that state.
    pub state: Option<State>,
    /// Only of that retailer.
    pub retailer: Option<RetailerId>,
    /// Instead of both: a PO, sale, note, tracking or invoice number.
    pub find: String,
    /// Only older than that one.
    pub before: Option<JobId>,
    /// At most so many.
    pub limit: usize,
}

/// How many rows are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StateCount {
    /// The state.
    pub state: State,
    /// So many.
    pub rows: usize,
    /// And perhaps more.
    pub or_more: bool,
}

/// A retailer that a list can be narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetailerName {
    /// Its number here.
    pub id: RetailerId,
    /// Its code at the network.
    pub code: String,
    /// Its name, or its code where no name is known.
    pub name: String,
    /// Title of the system its orders come from.
    pub source: String,
}

/// A page of rows.
#[derive(Debug, Clone, Serialize)]
pub struct FlowList<T> {
    /// Newest first.
    pub rows: Vec<T>,
    /// Pass as `before` for the next page.
    pub next: Option<JobId>,
    /// Rows by state, of the chosen retailer.
    pub counts: Vec<StateCount>,
    /// Every retailer that sent an order.
    pub retailers: Vec<RetailerName>,
    /// Title of the system the documents come from, and of the one they go to.
    pub route: Option<(String, String)>,
}

/// What every row says.
#[derive(Debug, Clone, Serialize)]
pub struct Common {
    /// Its order; `None` where that is not known.
    pub order: Option<OrderView>,
    /// The job that carries it over.
    pub job: JobId,
    /// Where it stands.
    pub standing: State,
    /// The same in words, with the reason where it waits or was refused.
    pub state: String,
    /// Tone of it.
    pub tone: Tone,
    /// What to do, where it waits for a person.
    pub hint: Option<String>,
    /// When it is looked at, tried or asked about again by itself, at the latest.
    pub until: Option<Millis>,
    /// When it came.
    pub made_at: Millis,
    /// Last change.
    pub changed_at: Millis,
}

/// Where a job stands.
const fn standing(state: &JobState) -> State {
    use waybill_model::job::Ending::{Ignored, Merged, Recorded, Refused, Withdrawn, Written};
    match state {
        JobState::Parked(_) => State::You,
        JobState::Resting { .. } | JobState::Held { .. } | JobState::Practised => State::Waits,
        JobState::Pending { .. } => State::Unconfirmed,
        JobState::WaitingForAccept
        | JobState::Ready
        | JobState::Running(_)
        | JobState::Waiting { .. }
        | JobState::Blocked(_) => State::UnderWay,
        JobState::Done(Written(_) | Merged(_) | Recorded) => State::Confirmed,
        JobState::Done(Ignored(_) | Refused | Withdrawn) => State::Over,
    }
}

/// What is said of any job; `done` are the words of one that was told.
fn common(desk: &Desk, rx: &dyn Read, job: &JobRow, done: &str) -> Result<Common, StoreError> {
    let title = desk.title(job.to);
    let standing = standing(&job.state);
    let (state, tone) = match (standing, &job.last_failure) {
        (State::Waits, Some(why)) if matches!(job.state, JobState::Resting { .. }) => {
            (why.clone(), Tone::Hold)
        }
        (State::Waits, _) => (words::state(&job.state, &title), Tone::Hold),
        (State::You, _) => (words::state(&job.state, &title), Tone::You),
        (State::Confirmed, _) => (done.to_owned(), Tone::Ok),
        (State::Over, _) => (words::state(&job.state, &title), Tone::Quiet),
        _ => (words::state(&job.state, &title), Tone::Soon),
    };
    let hint = match &job.state {
        JobState::Parked(Reason::Problem(problem) | Reason::InDoubt(problem)) => {
            problem.hint.clone()
        }
        _ => None,
    };
    let until = match &job.state {
        JobState::Resting { due } | JobState::Waiting { due } | JobState::Pending { due, .. } => {
            Some(*due)
        }
        _ => None,
    };
    let order = match job.order {
        Some(id) => rx.order(id)?,
        None => None,
    };
    Ok(Common {
        order: order.map(|row| status::order_view(desk, &row)),
        job: job.id,
        standing,
        state,
        tone,
        hint,
        until,
        made_at: job.created_at,
        changed_at: job.changed_at,
    })
}

/// Every retailer, by name.
pub(crate) fn names(desk: &Desk, rx: &dyn Lists) -> Result<Vec<RetailerName>, StoreError> {
    let mut names: Vec<RetailerName> = rx
        .retailers()?
        .into_iter()
        .map(|row| RetailerName {
            id: row.id,
            name: if row.name.is_empty() {
                row.code.clone()
            } else {
                row.name
            },
            code: row.code,
            source: desk.title(row.connection),
        })
        .collect();
    names.sort_by_cached_key(|row| (row.name.to_lowercase(), row.id));
    Ok(names)
}

/// The route of a list: documents of one kind go from one system to the other.
fn route(desk: &Desk, entity: Entity) -> Option<(ConnectionId, ConnectionId)> {
    let mut routes = desk.routes.iter().filter(|r| r.entity == entity);
    routes.next().map(|r| (r.from, r.to))
}

/// A page of jobs of one kind, each shown by `row`.
fn list<T>(
    core: &Core,
    rx: &Rx,
    entity: Entity,
    query: &ListQuery,
    mut row: impl FnMut(&Desk, &Rx, &JobRow) -> Result<T, StoreError>,
) -> Result<FlowList<T>, StoreError> {
    let desk = core.desk();
    let limit = query.limit.clamp(1, MOST);
    let one = query.state.map(|state| [state.standing()]);
    let asked = FlowQuery {
        entity,
        standing: one.as_ref().map_or(Standing::ALL, |one| one),
        retailer: query.retailer,
        before: query.before,
        limit,
    };
    let (jobs, next) = if query.find.trim().is_empty() {
        let page = rx.flow(&asked)?;
        (page.rows, page.next)
    } else {
        (
            find::jobs(&desk, rx, entity, query.find.trim(), limit)?,
            None,
        )
    };
    let rows = jobs.iter().map(|job| row(&desk, rx, job));
    let rows = rows.collect::<Result<_, _>>()?;
    let mut counts = Vec::new();
    for state in State::ALL {
        let all = FlowQuery {
            standing: &[state.standing()],
            before: None,
            ..asked
        };
        let rows = rx.flow_count(&all, COUNTED)?;
        counts.push(StateCount {
            state: *state,
            rows,
            or_more: rows == COUNTED,
        });
    }
    let titles = |(from, to)| (desk.title(from), desk.title(to));
    Ok(FlowList {
        rows,
        next,
        counts,
        retailers: names(&desk, rx)?,
        route: route(&desk, entity).map(titles),
    })
}

impl Handle {
    /// Goods-out notes and what became of their shipments.
    pub async fn shipments(
        &self,
        query: ListQuery,
    ) -> Result<FlowList<ShipmentLine>, CommandError> {
        self.read(move |core, rx| list(core, rx, Entity::Shipment, &query, notes::line))
            .await
    }

    /// Invoices, and the parts that were cut from them.
    pub async fn invoices(&self, query: ListQuery) -> Result<FlowList<InvoiceLine>, CommandError> {
        self.read(move |core, rx| {
            let mut policies = bills::Policies::default();
            list(core, rx, Entity::Invoice, &query, |desk, rx, job| {
                bills::line(desk, rx, job, &mut policies)
            })
        })
        .await
    }

    /// Cancellations, both ways.
    pub async fn cancellations(
        &self,
        query: ListQuery,
    ) -> Result<FlowList<CancelLine>, CommandError> {
        self.read(move |core, rx| list(core, rx, Entity::Cancellation, &query, cancels::line))
            .await
    }
}
