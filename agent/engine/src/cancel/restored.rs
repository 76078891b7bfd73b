//! Owns what a cancel on its way to the sale waits for after a restore, the retailer's and one that he asks for: what was
//! taken off the sale for it before the loss is not taken off once more. Must not know how a sale is read, nor what its
//! order's source is told.
//!
//! | state | what is on disk, under the job's key | a crash leaves |
//! | --- | --- | --- |
//! | asked | when its sale was asked for first, with the hint that asks and the job that rests: one commit | the hint, which is followed again |
//! | read | when that reading was asked for, and the units that are off the sale there, that nothing here explains and that this cancel wants: they are its own. In the commit that takes the reading | all of it, or the hint |
//! | over | the same: these units stay off the sale | |
//!
//! Only a reading counts that was asked for after the restore and after the cancel was known: no clock says that one came.
//! A request waits for its order first. As many units as it names that the source shows as cancelled, and that nobody here
//! told or took off, are the request, carried out before; fewer are a card. The same holds for its sale, but that it is
//! answered then: the answer has its own doubt (`look.rs`). While a cancel waits, what its sale shows is not the merchant's.

use super::count::{self, Shows, Sight};
use super::retailer;
use crate::core::Desk;
use crate::order;
use crate::restored::{self, PATIENCE_MS, SETTLES_MS, Seen, Telling};
use crate::shipment::count::Units;
use crate::shipment::rest::{Reads, Rest};
use crate::translate::Looked;
use serde::{Deserialize, Serialize};
use waybill_model::document::{Body, Cancellation, Document, LineQuantity, OrderState};
use waybill_model::ids::{ConnectionId, JobId, Millis};
use waybill_model::job::{Ending, JobState};
use waybill_store::{JobRow, OrderRow, Read, Restored, StoreError, Tx};

/// How it ends where all of it was off the sale before.
const BEFORE: &str = "taken off before the restore";
/// Why a cancel waits, for people.
pub(crate) const WAITS: &str =
    "Waits until its sale is read once more, since the database was restored";
/// The same for a request.
pub(crate) const BOTH_WAIT: &str =
    "Waits until its order and its sale are read once more, since the database was restored";

/// What is kept of a cancel's sale.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    /// When it was asked for first.
    asked: Option<Millis>,
    /// When the reading was asked for that came.
    read: Option<Millis>,
    /// Units that were off the sale there and are this cancel's.
    off: Vec<LineQuantity>,
    /// Lines that it wants and the reading says nothing of.
    unsaid: Vec<String>,
}

impl Kept {
    fn place(job: JobId) -> String {
        format!("sale-after-restore/{}", job.0)
    }

    fn of(tx: &Tx<'_>, job: JobId) -> Result<Self, StoreError> {
        let kept = tx.meta(&Self::place(job))?;
        Ok(kept
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default())
    }

    fn put(&self, tx: &mut Tx<'_>, job: JobId) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        tx.put_meta(&Self::place(job), &bytes)
    }

    /// When it was asked for after the restore.
    fn asked(&self, since: Millis) -> Option<Millis> {
        self.asked.filter(|at| *at >= since)
    }

    /// Whether a reading came that was asked for after the restore.
    fn is_read(&self, since: Millis) -> bool {
        self.read.is_some_and(|at| at >= since)
    }
}

/// The restore, where something of that order may have happened before it.
fn doubt(tx: &Tx<'_>, row: &OrderRow) -> Result<Option<Restored>, StoreError> {
    restored::before(tx, row.placed_at.unwrap_or_default())
}

/// What a cancel took off does not show in a reading that was asked for before that.
fn since(job: &JobRow, restored: Restored) -> Millis {
    job.created_at.max(restored.at)
}

/// Units that were off the sale before the restore and are this cancel's.
pub(super) fn off(tx: &Tx<'_>, job: &JobRow) -> Result<Vec<LineQuantity>, StoreError> {
    Ok(Kept::of(tx, job.id)?.off)
}

/// Whether a cancel that has not ended waits for its sale.
pub(super) fn waits(tx: &Tx<'_>, job: &JobRow, restored: Restored) -> Result<bool, StoreError> {
    if job.state.is_done() {
        return Ok(false);
    }
    let (kept, since) = (Kept::of(tx, job.id)?, since(job, restored));
    Ok(kept.asked(since).is_some() && !kept.is_read(since) && !order::has_begun(tx, job)?)
}

/// When a cancel's sale was asked for first, after the restore.
pub(crate) fn asked(tx: &Tx<'_>, job: &JobRow) -> Result<Option<Millis>, StoreError> {
    let Some(restored) = tx.restored()? else {
        return Ok(None);
    };
    Ok(Kept::of(tx, job.id)?.asked(since(job, restored)))
}

/// A cancel's sale is asked for now.
pub(crate) fn ask(tx: &mut Tx<'_>, job: &JobRow, now: Millis) -> Result<(), StoreError> {
    let mut kept = Kept::of(tx, job.id)?;
    kept.asked = Some(now);
    kept.put(tx, job.id)
}

/// Sales were read, asked for at that time: what is off them and nothing explains belongs to the cancels that wait for them.
pub(crate) fn read(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    documents: &[Document],
    asked_at: Millis,
    now: Millis,
) -> Result<(), StoreError> {
    if tx.restored()?.is_none() {
        return Ok(());
    }
    for document in documents {
        let Body::OrderState(state) = &document.body else {
            continue;
        };
        let Some(row) = tx.order_linked(connection, &state.order_key)? else {
            continue;
        };
        let Some(restored) = doubt(tx, &row)? else {
            continue;
        };
        let mut found = false;
        for job in tx.jobs_of_order(row.id)? {
            let inward = count::is_cancel(&job) && job.to == connection;
            if !inward || !waits(tx, &job, restored)? || asked_at < since(&job, restored) {
                continue;
            }
            find(tx, &row, &job, state, asked_at, now)?;
            found = true;
        }
        if found {
            super::look::wake(tx, desk, row.id, now)?;
            order::refresh(tx, row.id, now)?;
        }
    }
    Ok(())
}

/// Keeps what a reading says of one cancel.
fn find(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    job: &JobRow,
    state: &OrderState,
    asked_at: Millis,
    now: Millis,
) -> Result<(), StoreError> {
    let mut kept = Kept {
        read: Some(asked_at),
        off: Vec::new(),
        unsaid: Vec::new(),
        ..Kept::of(tx, job.id)?
    };
    kept.put(tx, job.id)?;
    let request = count::request(tx, job)?;
    if request.is_some() {
        not_the_merchants(tx, row, now)?;
    }
    let Some(sight) = Sight::of(tx, row.id)? else {
        return Ok(());
    };
    let mut own = Units::new();
    for (line, wanted) in wanted(&sight, job, request.as_ref()) {
        let said = state.lines.iter().find(|said| said.line == line);
        let gone = said.map(|said| said.cancelled);
        // Of a sale that is cancelled nothing is left.
        let of_this = match gone {
            _ if state.cancelled => wanted,
            Some(gone) => sight.unexplained_in_sale(&line, gone).min(wanted),
            None => {
                kept.unsaid.push(line);
                continue;
            }
        };
        if of_this.is_positive() {
            own.insert(line, of_this);
        }
    }
    kept.off = count::lines(&own);
    kept.put(tx, job.id)
}

/// What a cancel wants off its sale.
fn wanted(sight: &Sight, job: &JobRow, request: Option<&Cancellation>) -> Units {
    match request {
        Some(request) => sight.asked(request, Some(job.id)),
        None => sight.due(),
    }
}

/// What was taken for a cancel of the merchant's own and was not told yet may be what a request took off: it is looked at
/// anew when that has ended.
fn not_the_merchants(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(row.id)? {
        let own = count::is_back(&job, row) && count::waits_after_restore(&job);
        if !own || count::is_answer(tx, &job)? || order::has_begun(tx, &job)? {
            continue;
        }
        tx.set_job_units(job.id, Vec::new())?;
        // Else it would count as told or left alone.
        tx.set_attempt(job.id, 0, None)?;
        let ending = Ending::Ignored("the retailer asked for it".to_owned());
        tx.set_state(job.id, JobState::Done(ending), now)?;
    }
    Ok(())
}

/// A cancel on its way to the sale.
pub(super) struct Inward<'a, 'b> {
    pub(super) tx: &'a Tx<'b>,
    pub(super) desk: &'a Desk,
    pub(super) job: &'a JobRow,
    pub(super) sight: &'a Sight,
    pub(super) request: Option<&'a Cancellation>,
    /// When its document came.
    pub(super) came: Millis,
    pub(super) now: Millis,
}

impl Inward<'_, '_> {
    /// What it waits for, or whether it was carried out before the restore. `None`: it may go.
    pub(super) fn after_restore(&self) -> Result<Option<Looked>, StoreError> {
        let Some(restored) = doubt(self.tx, &self.sight.row)? else {
            return Ok(None);
        };
        let (kept, since) = (Kept::of(self.tx, self.job.id)?, since(self.job, restored));
        if let Some(request) = self.request {
            // Once its sale is asked for, this is settled.
            if kept.asked(since).is_none()
                && let Some(looked) = self.order_unread(restored)?
            {
                return Ok(Some(looked));
            }
            if let Some(looked) = self.shown(request)? {
                return Ok(Some(looked));
            }
        }
        if !kept.is_read(since) {
            return self.sale_unread(kept.asked(since));
        }
        self.found(&kept)
    }

    fn order_unread(&self, restored: Restored) -> Result<Option<Looked>, StoreError> {
        let row = &self.sight.row;
        let telling = Telling {
            job: self.job,
            row,
            named: "the request to cancel",
            came: self.came,
            now: self.now,
        };
        match restored::seen(&telling, self.tx, restored.at + SETTLES_MS)? {
            Seen::Yes => Ok(None),
            Seen::Not(rest) => Ok(Some(Looked::Rest(rest))),
            Seen::Overdue => self.card(format!(
                "Order {} could not be read again at {}: the database was restored, and what its retailer asks to cancel may be off sale {} already.",
                row.number,
                self.desk.title(row.connection),
                self.sale()
            )),
        }
    }

    /// What the source shows as cancelled may be this request, carried out.
    fn shown(&self, request: &Cancellation) -> Result<Option<Looked>, StoreError> {
        let row = &self.sight.row;
        let network = self.desk.title(row.connection);
        let named = count::named(&request.lines);
        let found = match count::shows(&self.sight.cancelled_there(), &request.lines) {
            Shows::Nothing => return Ok(None),
            Shows::All => {
                let text = format!(
                    "{network} shows as cancelled already what the retailer asks for: {named}. Nothing is taken off for the request."
                );
                let ending = Ending::Ignored("carried out before the restore".to_owned());
                return Ok(Some(Looked::End(ending, text)));
            }
            Shows::Part(found) => found,
        };
        self.card(format!(
            "{network} shows {} of order {} as cancelled, and its retailer asks for {}: the database was restored, and that may be off sale {} already.",
            count::named(&found),
            row.number,
            named,
            self.sale()
        ))
    }

    fn sale_unread(&self, asked: Option<Millis>) -> Result<Option<Looked>, StoreError> {
        let until = asked.map(|at| at + PATIENCE_MS);
        if until.is_some_and(|until| self.now >= until) {
            return self.card(format!(
                "Sale {} of order {} could not be read again at {}: the database was restored, and what is to be cancelled may be off it already.",
                self.sale(),
                self.sight.row.number,
                self.desk.title(self.job.to)
            ));
        }
        let sale = self.sight.row.sale_key.clone().unwrap_or_default();
        Ok(Some(Looked::Rest(Rest {
            why: WAITS.to_owned(),
            reads: Reads::State(self.job.to, sale),
            until,
            said: true,
        })))
    }

    /// Its sale was read.
    fn found(&self, kept: &Kept) -> Result<Option<Looked>, StoreError> {
        let (erp, sale) = (self.desk.title(self.job.to), self.sale());
        if !kept.unsaid.is_empty() {
            return self.card(format!(
                "{erp} does not say how much sale {sale} of order {} still has of line {}: the database was restored, and what is to be cancelled may be off it already.",
                self.sight.row.number,
                kept.unsaid.join(", ")
            ));
        }
        if kept.off.is_empty() {
            return Ok(None);
        }
        let left = wanted(self.sight, self.job, self.request);
        let named = count::named(&kept.off);
        if left.is_empty() {
            let text = format!("Off sale {sale} in {erp} already: {named}. Nothing more is.");
            let ending = if self.request.is_some() {
                Ending::Written(BEFORE.to_owned())
            } else {
                Ending::Ignored(BEFORE.to_owned())
            };
            return Ok(Some(Looked::End(ending, text)));
        }
        match self.request {
            // All of an order that is cancelled in part is what is left of it.
            Some(request) if !request.lines.is_empty() => self.card(format!(
                "Sale {sale} of order {} in {erp} lacks {named}, which nothing here took off, and its retailer asks for {}: the database was restored, and that may be off already.",
                self.sight.row.number,
                count::named(&request.lines)
            )),
            _ => Ok(None),
        }
    }

    /// The sale's number, for people.
    fn sale(&self) -> &str {
        let row = &self.sight.row;
        let number = row.sale_number.as_deref().filter(|n| !n.is_empty());
        number.or(row.sale_key.as_deref()).unwrap_or_default()
    }

    fn card(&self, message: String) -> Result<Option<Looked>, StoreError> {
        let hint = format!(
            "Look at sale {} in {}. Where it still has what is to be cancelled, press Retry to take it off; where that is off, leave this card with a reason.",
            self.sale(),
            self.desk.title(self.job.to)
        );
        restored::unless_read(self.tx, self.job, message, hint)
    }
}

/// A cancel ended by our own look: a request that was carried out is answered, and one that a cancel took over is taken up.
pub(crate) fn ended(
    tx: &mut Tx<'_>,
    job: &JobRow,
    ending: &Ending,
    now: Millis,
) -> Result<(), StoreError> {
    let before = matches!(ending, Ending::Written(why) | Ending::Ignored(why) if why == BEFORE);
    if !before || !count::is_cancel(job) {
        return Ok(());
    }
    let Some(row) = job.order.map(|id| tx.order(id)).transpose()?.flatten() else {
        return Ok(());
    };
    if count::is_answer(tx, job)? {
        retailer::answer(tx, &row, job, now)
    } else {
        retailer::again(tx, &row, now)
    }
}

/// A person says that it is off the sale: it counts, and a request is answered.
pub(crate) fn is_off(
    tx: &mut Tx<'_>,
    job: &JobRow,
    row: &OrderRow,
    now: Millis,
) -> Result<(), StoreError> {
    let request = count::request(tx, job)?;
    let units = Sight::of(tx, row.id)?.map(|sight| wanted(&sight, job, request.as_ref()));
    let job = JobRow {
        units: count::lines(&units.unwrap_or_default()),
        ..job.clone()
    };
    tx.set_job_units(job.id, job.units.clone())?;
    let ending = Ending::Written(BEFORE.to_owned());
    tx.set_state(job.id, JobState::Done(ending.clone()), now)?;
    ended(tx, &job, &ending, now)
}
