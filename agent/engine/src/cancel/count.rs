//! What is cancelled of an order, line by line: at its source, in its sale, and by us on the way between them. Counted
//! from documents and jobs alone.

use crate::restored::{self, MAYBE_REPORTED};
use crate::shipment::count::{self as shipped, Units};
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Body, CancelPhase, Cancellation, Entity, LineQuantity, Order, OrderLine, OrderPhase, OrderState,
};
use waybill_model::ids::{ConnectionId, JobId, OrderId};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_model::quantities::{self, LineCount};
use waybill_store::{JobRow, OrderRow, Read, Restored, StoreError, Tx};

/// Whether this is the job of a cancellation.
pub(crate) fn is_cancel(job: &JobRow) -> bool {
    job.work == Work::Push(Entity::Cancellation)
}

/// Whether it tells the order's source, rather than its sale.
pub(crate) fn is_back(job: &JobRow, row: &OrderRow) -> bool {
    is_cancel(job) && job.to == row.connection
}

/// Whether the source is about to be told of a cancel by itself.
pub(crate) fn is_being_told(jobs: &[JobRow], row: &OrderRow) -> bool {
    jobs.iter().any(|job| {
        is_back(job, row) && !matches!(job.state, JobState::Done(_) | JobState::Parked(_))
    })
}

/// Whether cancellations lead from one connection to the other.
pub(crate) fn leads(
    rows: &dyn Read,
    from: ConnectionId,
    to: ConnectionId,
) -> Result<bool, StoreError> {
    let routes = rows.routes()?;
    Ok(routes
        .iter()
        .any(|r| r.entity == Entity::Cancellation && r.from == from && r.to == to))
}

/// Whether a cancel waits for what its order's source shows after a restore, or for a person who knows: it may have been
/// told.
pub(super) fn waits_after_restore(job: &JobRow) -> bool {
    match &job.state {
        JobState::Resting { .. } => !job.units.is_empty(),
        JobState::Parked(Reason::Problem(problem)) => problem.code == MAYBE_REPORTED,
        _ => false,
    }
}

/// Everything a cancellation of an order is judged by.
pub(crate) struct Sight {
    pub(crate) row: OrderRow,
    /// The newest revision at its source.
    pub(crate) newest: Order,
    /// The revision that its sale was made of.
    pub(crate) sold: Order,
    pub(crate) jobs: Vec<JobRow>,
    /// What its source was told, or may have been.
    back: Vec<Told>,
    /// Cancels on their way to the sale, or there.
    inward: Vec<Taken>,
}

/// A cancel on its way to the order's source, or there.
struct Told {
    job: JobId,
    units: Vec<LineQuantity>,
    /// The merchant's, not the answer to a request.
    own: bool,
    /// The source confirmed it.
    confirmed: bool,
}

/// A cancel on its way to the sale, or there.
struct Taken {
    job: JobId,
    /// Units that it takes off, or took.
    units: Vec<LineQuantity>,
    /// Units that were off before a restore, and are its own.
    before: Vec<LineQuantity>,
    /// It has ended, by us or by a person at our asking.
    ended: bool,
    /// It is on its way.
    leaves: bool,
    /// It waits until its sale is read after a restore.
    waits: bool,
    /// The retailer asked for it; known after a restore.
    asked: bool,
}

impl Taken {
    fn of(tx: &Tx<'_>, job: &JobRow, restored: Option<Restored>) -> Result<Self, StoreError> {
        let mut taken = Self {
            job: job.id,
            units: job.units.clone(),
            before: Vec::new(),
            ended: matches!(
                &job.state,
                JobState::Done(Ending::Written(_) | Ending::Recorded | Ending::Ignored(_))
            ),
            leaves: matches!(
                job.state,
                JobState::Running(_) | JobState::Waiting { .. } | JobState::Pending { .. }
            ),
            waits: false,
            asked: false,
        };
        if let Some(restored) = restored {
            taken.before = super::restored::off(tx, job)?;
            taken.waits = super::restored::waits(tx, job, restored)?;
            taken.asked = is_answer(tx, job)?;
        }
        Ok(taken)
    }
}

fn sum<'a>(all: impl Iterator<Item = &'a Told>) -> Units {
    let mut units = Units::new();
    for told in all {
        quantities::add(&mut units, &told.units);
    }
    units
}

impl Sight {
    /// Of an order that has a job for its sale.
    pub(crate) fn of(tx: &Tx<'_>, id: OrderId) -> Result<Option<Self>, StoreError> {
        let Some(row) = tx.order(id)? else {
            return Ok(None);
        };
        let jobs = tx.jobs_of_order(id)?;
        let Some(push) = jobs.iter().find(|j| is_sale(j)) else {
            return Ok(None);
        };
        let (sold, newest) = (tx.document(push.document)?, tx.document(row.document)?);
        let order = |stored: Option<waybill_store::DocumentRow>| match stored?.document.body {
            Body::Order(order) => Some(order),
            _ => None,
        };
        let Some((sold, newest)) = order(sold).zip(order(newest)) else {
            return Ok(None);
        };
        let mut back = Vec::new();
        for job in &jobs {
            if is_back(job, &row) && (shipped::is_counted(job) || waits_after_restore(job)) {
                back.push(Told {
                    job: job.id,
                    units: job.units.clone(),
                    own: !is_answer(tx, job)?,
                    confirmed: shipped::is_told(job),
                });
            }
        }
        let restored = restored::before(tx, row.placed_at.unwrap_or_default())?;
        let inward = jobs
            .iter()
            .filter(|job| is_cancel(job) && !is_back(job, &row))
            .map(|job| Taken::of(tx, job, restored))
            .collect::<Result<_, _>>()?;
        Ok(Some(Self {
            row,
            newest,
            sold,
            jobs,
            back,
            inward,
        }))
    }

    /// The job that makes the sale.
    pub(crate) fn push(&self) -> Option<&JobRow> {
        self.jobs.iter().find(|j| is_sale(j))
    }

    /// Units taken off the sale, by us or by a person at our asking.
    fn taken_off(&self) -> Units {
        let mut units = Units::new();
        for taken in self.inward.iter().filter(|taken| taken.ended) {
            quantities::add(&mut units, &taken.units);
        }
        units
    }

    /// Units that were off the sale before a restore, and belong to cancels that are known.
    fn off_before(&self) -> Units {
        let mut units = Units::new();
        for taken in &self.inward {
            quantities::add(&mut units, &taken.before);
        }
        units
    }

    /// Whether a cancel waits until the sale is read after a restore: what the sale shows may be that cancel.
    pub(crate) fn waits_for_sale(&self) -> bool {
        self.inward.iter().any(|taken| taken.waits)
    }

    /// Units that the source was told of, or may have been, but for one job's.
    fn told(&self, but: Option<JobId>) -> Units {
        sum(self.back.iter().filter(|told| Some(told.job) != but))
    }

    /// Those of them that the merchant had taken off the sale by himself.
    fn dropped_before(&self, but: Option<JobId>) -> Units {
        sum(self
            .back
            .iter()
            .filter(|told| told.own && Some(told.job) != but))
    }

    /// Units that are off the sale, whoever took them.
    fn off(&self) -> Units {
        let mut off = self.taken_off();
        quantities::add(&mut off, &lines(&self.dropped_before(None)));
        quantities::add(&mut off, &lines(&self.off_before()));
        off
    }

    /// How much of what is off a line of the sale nothing here took off.
    pub(crate) fn unexplained_in_sale(&self, line: &str, gone: Decimal) -> Decimal {
        less(gone, units_of(&self.off(), line))
    }

    /// Units that stand in the sale, line by line.
    pub(crate) fn in_sale(&self) -> Units {
        let off = self.off();
        let left = |line: &OrderLine| {
            let left = less(line.wanted(), units_of(&off, &line.line));
            (line.line.clone(), left)
        };
        self.sold.lines.iter().map(left).collect()
    }

    /// Lines of the newest revision; what we told and the source does not show yet counts as cancelled.
    pub(crate) fn counted(&self, but: Option<JobId>) -> Vec<LineCount> {
        // A shipment's job is never a cancellation's: all of them count.
        let sent = shipped::sent(&self.jobs, JobId(0));
        let told = self.told(but);
        self.without(&told, quantities::count(&self.newest, &sent))
    }

    /// The same for lines that were counted elsewhere.
    pub(crate) fn less_told(&self, lines: Vec<LineCount>) -> Vec<LineCount> {
        self.without(&self.told(None), lines)
    }

    fn without(&self, told: &Units, mut lines: Vec<LineCount>) -> Vec<LineCount> {
        for line in &mut lines {
            let before = self.sold.lines.iter().find(|l| l.line == line.line);
            let before = before.map_or(Decimal::ZERO, |l| l.cancelled);
            let all = before
                .checked_add(units_of(told, &line.line))
                .unwrap_or(before);
            line.open = less(line.open, less(all, line.cancelled));
        }
        lines
    }

    /// What the source cancelled and the sale still has.
    pub(crate) fn due(&self) -> Units {
        let off = self.off();
        let mut due = Units::new();
        for line in &self.sold.lines {
            let now = self.wanted_now(&line.line);
            let gone = less(less(line.wanted(), now), units_of(&off, &line.line));
            if gone.is_positive() {
                due.insert(line.line.clone(), gone);
            }
        }
        due
    }

    /// What the source wants of a line now; a cancelled order wants nothing, whatever its lines say.
    fn wanted_now(&self, line: &str) -> Decimal {
        let line = self.newest.lines.iter().find(|l| l.line == line);
        match line {
            Some(line) if self.row.phase != OrderPhase::Cancelled => line.wanted(),
            _ => Decimal::ZERO,
        }
    }

    /// Whether the source wants more of any line than the sale holds. What the merchant took off and the source has not
    /// confirmed yet, it may still want.
    pub(crate) fn wants_more(&self) -> bool {
        let confirmed = self.back.iter().filter(|told| told.own && told.confirmed);
        let mut off = self.taken_off();
        quantities::add(&mut off, &lines(&sum(confirmed)));
        let mut newest = self.newest.lines.iter();
        newest.any(|l| {
            let sold = self.sold.lines.iter().find(|s| s.line == l.line);
            let sold = sold.map_or(Decimal::ZERO, OrderLine::wanted);
            self.wanted_now(&l.line) > less(sold, units_of(&off, &l.line))
        })
    }

    /// What a request asks for and can still be had: open at the source, and not taken off the sale before, be it for this
    /// very job.
    pub(crate) fn asked(&self, request: &Cancellation, job: Option<JobId>) -> Units {
        let in_sale = self.in_sale();
        let mut own = Units::new();
        for taken in self.inward.iter().filter(|taken| Some(taken.job) == job) {
            quantities::add(&mut own, &taken.before);
        }
        let mut units = Units::new();
        for line in self.counted(None) {
            let left = less(units_of(&in_sale, &line.line), line.shipped);
            let most = line.open.min(left);
            let named = request.lines.iter().find(|l| l.line == line.line);
            let wanted = match named {
                Some(named) => less(named.quantity, units_of(&own, &line.line)).min(most),
                None if request.lines.is_empty() => most,
                None => Decimal::ZERO,
            };
            if wanted.is_positive() {
                units.insert(line.line, wanted);
            }
        }
        units
    }

    /// What the merchant took off the sale by himself and the source does not know of.
    pub(crate) fn dropped(&self, state: &OrderState, but: Option<JobId>) -> Units {
        let (mut off, told) = (self.taken_off(), self.dropped_before(but));
        quantities::add(&mut off, &lines(&self.off_before()));
        let mut units = Units::new();
        for line in self.counted(but) {
            let sold = self.sold.lines.iter().find(|l| l.line == line.line);
            let dropped = if state.cancelled {
                sold.map_or(Decimal::ZERO, OrderLine::wanted)
            } else {
                let named = state.lines.iter().find(|l| l.line == line.line);
                named.map_or(Decimal::ZERO, |l| l.cancelled)
            };
            let known = units_of(&off, &line.line);
            let known = known
                .checked_add(units_of(&told, &line.line))
                .unwrap_or(known);
            let new = less(dropped, known).min(line.open);
            if new.is_positive() {
                units.insert(line.line, new);
            }
        }
        units
    }

    /// Units that the source shows as cancelled and that nothing here explains, but for one job's.
    pub(crate) fn unexplained(&self, but: JobId) -> Units {
        let mut off = self.cancelled_by_retailer();
        for taken in self.inward.iter().filter(|taken| !taken.asked) {
            quantities::add(&mut off, &taken.before);
        }
        self.cancelled_beyond(&self.told(Some(but)), &off)
    }

    /// Units that the source shows as cancelled, though it was not told of them and a cancel of the retailer's that came here
    /// did not take them off.
    pub(crate) fn cancelled_there(&self) -> Units {
        self.cancelled_beyond(&self.told(None), &self.cancelled_by_retailer())
    }

    /// Units that the retailer cancelled without asking, and that were taken off the sale for it, or are about to be. For
    /// what he asked for, the source shows our answer.
    fn cancelled_by_retailer(&self) -> Units {
        let mut off = Units::new();
        for taken in self.inward.iter().filter(|taken| !taken.asked) {
            // One that has not left yet is worked out anew once this is known.
            if taken.ended || taken.leaves {
                quantities::add(&mut off, &taken.units);
            }
        }
        off
    }

    fn cancelled_beyond(&self, told: &Units, off: &Units) -> Units {
        let mut unknown = Units::new();
        for line in &self.newest.lines {
            let before = self.sold.lines.iter().find(|l| l.line == line.line);
            let before = before.map_or(Decimal::ZERO, |l| l.cancelled);
            let known = [units_of(told, &line.line), units_of(off, &line.line)];
            let left = known
                .into_iter()
                .fold(less(line.cancelled, before), |left, known| {
                    less(left, known)
                });
            if left.is_positive() {
                unknown.insert(line.line.clone(), left);
            }
        }
        unknown
    }

    /// Whether these units are all that the sale holds, and nothing of it has left.
    pub(crate) fn is_whole(&self, units: &Units) -> bool {
        let sent = shipped::sent(&self.jobs, JobId(0));
        let counted = quantities::count(&self.newest, &sent);
        let untouched = counted.iter().all(|line| line.shipped.is_zero());
        let mut held = self.in_sale().into_iter();
        untouched && held.all(|(line, held)| units_of(units, &line) == held)
    }
}

/// Whether this job makes an order's sale.
pub(crate) fn is_sale(job: &JobRow) -> bool {
    job.work == Work::Push(Entity::Order)
}

/// The request or the cancel that a job carries, if its document is one.
pub(crate) fn request(tx: &Tx<'_>, job: &JobRow) -> Result<Option<Cancellation>, StoreError> {
    Ok(match tx.document(job.document)?.map(|d| d.document.body) {
        Some(Body::Cancellation(request)) => Some(request),
        _ => None,
    })
}

/// Whether a job answers a request of the retailer's.
pub(crate) fn is_answer(tx: &Tx<'_>, job: &JobRow) -> Result<bool, StoreError> {
    let request = request(tx, job)?;
    Ok(request.is_some_and(|request| request.phase == CancelPhase::Requested))
}

/// Units of a line; nought where there are none.
pub(crate) fn units_of(units: &Units, line: &str) -> Decimal {
    units.get(line).copied().unwrap_or_default()
}

/// What is left, never below nought.
pub(crate) fn less(all: Decimal, part: Decimal) -> Decimal {
    let left = all.checked_sub(part).unwrap_or_default();
    left.max(Decimal::ZERO)
}

/// As kept with a job.
pub(crate) fn lines(units: &Units) -> Vec<LineQuantity> {
    let lines = units.iter();
    lines
        .map(|(line, quantity)| LineQuantity {
            line: line.clone(),
            quantity: *quantity,
        })
        .collect()
}

/// "2 of line 1; 1 of line 3".
pub(crate) fn named(units: &[LineQuantity]) -> String {
    let each: Vec<String> = units
        .iter()
        .map(|unit| format!("{} of line {}", unit.quantity.normal(), unit.line))
        .collect();
    each.join("; ")
}

/// How much of what is to be cancelled shows as cancelled.
pub(super) enum Shows {
    Nothing,
    /// So much of those lines.
    Part(Vec<LineQuantity>),
    All,
}

/// What shows of these lines.
pub(super) fn shows(cancelled: &Units, wanted: &[LineQuantity]) -> Shows {
    let mut units = Units::new();
    quantities::add(&mut units, wanted);
    let mut found = lines(cancelled);
    found.retain(|line| units.contains_key(&line.line));
    let mut all = units.iter();
    if found.is_empty() {
        Shows::Nothing
    } else if all.all(|(line, units)| units_of(cancelled, line) >= *units) {
        Shows::All
    } else {
        Shows::Part(found)
    }
}
