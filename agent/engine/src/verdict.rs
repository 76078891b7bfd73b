//! What a verdict does to its job and its order. The same for a push, a settle and a confirmed ticket.

use crate::cancel;
use crate::core::{Core, Desk};
use crate::invoice;
use crate::order;
use crate::shipment;
use crate::unclaimed;
use crate::words;
use std::sync::Arc;
use waybill_model::amounts::{Rules, WAITS};
use waybill_model::backoff::Backoff;
use waybill_model::contract::{Failure, Gap, Moment, Outcome, Receipt, Verdict};
use waybill_model::crosswalk;
use waybill_model::document::{Entity, OrderPhase};
use waybill_model::ids::{JobId, Millis};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_model::settings::CONFIRM;
use waybill_store::{JobRow, NewJob, NoteKind, OrderRow, Read, StoreError, Tx};

/// Applies verdicts at one moment. Carries its own randomness, so that a closure that runs twice judges alike.
#[derive(Clone)]
pub(crate) struct Judge {
    now: Millis,
    backoff: Backoff,
    random: u64,
}

/// A verdict in one word, for the event log.
pub(crate) fn short(verdict: &Verdict) -> &'static str {
    match verdict {
        Ok(Outcome::Done(r)) if r.duplicate => "adopted",
        Ok(Outcome::Done(_)) => "done",
        Ok(Outcome::Pending(_)) => "pending",
        Ok(Outcome::Recorded) => "recorded",
        Err(Failure::Retry(_)) => "retry",
        Err(Failure::Rejected(_)) => "rejected",
        Err(Failure::Unmapped(_)) => "unmapped",
        Err(Failure::InDoubt(_)) => "in-doubt",
        Err(Failure::Unauthorized(_)) => "unauthorized",
        Err(Failure::Withdrawn(_)) => "withdrawn",
    }
}

/// The cell that the orders wait for which a customer is made for.
fn customer_gap(job: &JobRow, order: Option<&OrderRow>) -> Gap {
    match order {
        Some(row) => crosswalk::order_gap(&row.retailer, &row.key),
        None => crosswalk::retailer_gap(&job.key),
    }
}

/// Whether this is the acknowledgement of an order that its source already calls accepted.
fn is_acknowledged(tx: &Tx<'_>, job: &JobRow) -> Result<bool, StoreError> {
    if job.work != Work::Settle(Moment::Accepted) {
        return Ok(false);
    }
    let row = job.order.map(|id| tx.order(id)).transpose()?.flatten();
    Ok(row.is_some_and(|row| row.acknowledged_at.is_some()))
}

/// "Total 19.00 USD, equal to the order to the cent." Only what the document that was sent proves.
fn total_of_sale(tx: &Tx<'_>, job: &JobRow) -> Result<String, StoreError> {
    let Some(stored) = tx.document(job.document)? else {
        return Ok(String::new());
    };
    let Some(order) = stored.document.order() else {
        return Ok(String::new());
    };
    let whole = order.lines.iter().all(|l| l.cancelled.is_zero());
    let values = tx.effective(Some(job.from), Some(&order.retailer))?;
    let ruled = Rules::of(&values).apply(order);
    Ok(match ruled.check() {
        Ok(sum) if whole => format!(
            " Total {} {}, {}.",
            sum.gross.rounded(2).fixed(2),
            order.currency.as_deref().unwrap_or_default(),
            if ruled.is_compared() {
                "equal to the order to the cent"
            } else {
                "held against no total of the order"
            }
        ),
        Ok(_) => " Without the quantities that were cancelled before.".to_owned(),
        Err(problem) if problem.code == WAITS => {
            " With the amounts that somebody was asked about.".to_owned()
        }
        Err(_) => " Its total is that of the lines, not the one the order states.".to_owned(),
    })
}

impl Judge {
    pub(crate) fn new(core: &Arc<Core>, now: Millis) -> Self {
        Self {
            now,
            backoff: core.backoff(),
            random: core.rng.next_u64(),
        }
    }

    fn jitter(&self, job: JobId) -> u64 {
        self.random
            .rotate_left(u32::try_from(job.0 % 63).unwrap_or(1))
            ^ job.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Moves the job, and everything that hangs on it, in this transaction.
    pub(crate) fn apply(
        &self,
        tx: &mut Tx<'_>,
        desk: &Desk,
        id: JobId,
        verdict: &Verdict,
    ) -> Result<(), StoreError> {
        let Some(job) = tx.job(id)? else {
            return Ok(());
        };
        if job.state.is_done() {
            return Ok(());
        }
        match verdict {
            Ok(Outcome::Done(receipt)) => self.done(tx, desk, &job, receipt)?,
            Ok(Outcome::Recorded) => {
                crate::practice::recorded(tx, desk, &job, self.now)?;
            }
            Ok(Outcome::Pending(ticket)) => {
                self.pending(tx, desk, &job, ticket.handle.clone(), ticket.check_in_secs)?;
            }
            Err(failure) => {
                self.failed(tx, desk, &job, failure)?;
                cancel::merchant::after(tx, desk, &job, self.now)?;
            }
        }
        if let Some(order) = job.order {
            order::refresh(tx, order, self.now)?;
        }
        Ok(())
    }

    fn pending(
        &self,
        tx: &mut Tx<'_>,
        desk: &Desk,
        job: &JobRow,
        handle: String,
        secs: u32,
    ) -> Result<(), StoreError> {
        let asked = if let JobState::Pending { asked, .. } = job.state {
            asked + 1
        } else {
            0
        };
        let first = desk
            .slots
            .get(&job.to)
            .and_then(|s| s.millis(CONFIRM))
            .filter(|_| asked < 10);
        // A connector that names no time is not asked without a pause.
        let wait = first
            .unwrap_or_else(|| Millis::from(secs.max(1)) * 1000)
            .max(1);
        if asked == 0
            && let Some(order) = job.order
        {
            let text = format!(
                "{} sent to {}, not confirmed yet.",
                words::work(job.work),
                desk.title(job.to)
            );
            order::note(tx, order, self.now, NoteKind::Soon, "soon", &text, None)?;
        }
        tx.set_state(
            job.id,
            JobState::Pending {
                handle,
                due: self.now + wait,
                asked,
            },
            self.now,
        )
    }

    fn done(
        &self,
        tx: &mut Tx<'_>,
        desk: &Desk,
        job: &JobRow,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        tx.set_state(
            job.id,
            JobState::Done(Ending::Written(receipt.key.clone())),
            self.now,
        )?;
        let title = desk.title(job.to);
        match (
            job.work,
            job.order.map(|o| tx.order(o)).transpose()?.flatten(),
        ) {
            (Work::Push(Entity::Order), Some(row)) => {
                self.sale_created(tx, desk, job, row, receipt, &title)
            }
            (Work::Push(Entity::Customer), row) => {
                self.customer_created(tx, job, row.as_ref(), receipt, &title)
            }
            (Work::Push(Entity::Shipment), Some(row)) => {
                shipment::verdict::done(tx, desk, job, &row, receipt, self.now)
            }
            (Work::Push(Entity::Invoice), Some(row)) => {
                invoice::verdict::done(tx, desk, job, &row, receipt, self.now)
            }
            (Work::Push(Entity::Cancellation), Some(row)) => {
                cancel::verdict::done(tx, desk, job, &row, receipt, self.now)
            }
            (Work::Settle(Moment::Accepted), Some(mut row)) => {
                row.acknowledged_at = Some(self.now);
                tx.put_order(&row)?;
                let text = match receipt.file() {
                    Some(_) => format!("Acknowledged: {title} counts it so since its export."),
                    None => format!("Acknowledged. {title} confirmed."),
                };
                order::note(tx, row.id, self.now, NoteKind::Ok, "ok", &text, None)?;
                order::open_routes(tx, &row, self.now)
            }
            (Work::Settle(Moment::Delivered), Some(mut row)) => {
                row.delivered_at = Some(self.now);
                tx.put_order(&row)?;
                let sale = row.sale_number.as_deref().unwrap_or_default();
                let text = format!("{title} confirmed and keeps sale number {sale}.");
                // Without a number there is nothing it could keep.
                let text = if receipt.file().is_some() {
                    format!("{title} takes no sale number by file.")
                } else if sale.is_empty() {
                    format!("{title} confirmed.")
                } else {
                    text
                };
                order::note(tx, row.id, self.now, NoteKind::Ok, "ok", &text, None)
            }
            _ => Ok(()),
        }
    }

    fn sale_created(
        &self,
        tx: &mut Tx<'_>,
        desk: &Desk,
        job: &JobRow,
        mut row: OrderRow,
        receipt: &Receipt,
        title: &str,
    ) -> Result<(), StoreError> {
        let number = receipt
            .number
            .clone()
            .unwrap_or_else(|| receipt.key.clone());
        tx.link(
            job.from,
            Entity::Order,
            &job.key,
            job.to,
            Entity::Order,
            &receipt.key,
        )?;
        unclaimed::claim(tx, job.to, &receipt.key, self.now)?;
        if receipt.duplicate {
            invoice::intake::found(tx, desk, job.to, &receipt.key, self.now)?;
        }
        row.sale_key = Some(receipt.key.clone());
        row.sale_number = Some(number.clone());
        if job.document == row.document {
            row.wanted_sold.clone_from(&row.wanted);
        }
        tx.put_order(&row)?;
        let total = total_of_sale(tx, job)?;
        let how = if receipt.duplicate {
            "Found"
        } else {
            "Created"
        };
        let text = format!("{how} in {title} as sale {number}.{total}");
        order::note(tx, row.id, self.now, NoteKind::Info, "doc", &text, None)?;
        cancel::retailer::sold(tx, &row, self.now)?;
        self.customer_unneeded(tx, &row)?;
        let tells = desk
            .slots
            .get(&job.from)
            .and_then(|s| s.descriptor())
            .and_then(|d| d.feed(Entity::Order))
            .is_some_and(|f| f.settles.contains(&Moment::Delivered));
        let open = tx
            .jobs_of_order(row.id)?
            .iter()
            .any(|j| j.work == Work::Push(Entity::Order) && !j.state.is_done());
        if tells && !open {
            self.tell_delivered(tx, job, &row)?;
        }
        Ok(())
    }

    /// The sale has a customer, by hand or of its retailer: one that waits to be made for this order alone is not made.
    fn customer_unneeded(&self, tx: &mut Tx<'_>, row: &OrderRow) -> Result<(), StoreError> {
        for job in tx.jobs_of_order(row.id)? {
            let waits = !job.state.is_done() && !job.state.holds_lane();
            if waits && job.work == Work::Push(Entity::Customer) {
                tx.set_state(job.id, JobState::Done(Ending::Withdrawn), self.now)?;
            }
        }
        Ok(())
    }

    fn tell_delivered(
        &self,
        tx: &mut Tx<'_>,
        job: &JobRow,
        row: &OrderRow,
    ) -> Result<(), StoreError> {
        let number = tx.create_job(
            NewJob {
                work: Work::Settle(Moment::Delivered),
                from: job.from,
                to: job.from,
                entity: Entity::Order,
                key: job.key.clone(),
                order: Some(row.id),
                lane: job.key.clone(),
                document: job.document,
                state: JobState::Ready,
                urgent_by: order::urgent_by(row),
            },
            self.now,
        )?;
        waybill_model::crash::point("settle.created");
        if job.for_real {
            tx.set_for_real(number)?;
        }
        Ok(())
    }

    /// A retailer's customer fills the cell that its orders wait for; that of one order is linked to it, since a cell for
    /// each order would bury the others.
    fn customer_created(
        &self,
        tx: &mut Tx<'_>,
        job: &JobRow,
        order: Option<&OrderRow>,
        receipt: &Receipt,
        title: &str,
    ) -> Result<(), StoreError> {
        if let Some(row) = order {
            let customer = Entity::Customer;
            tx.link(job.from, customer, &row.key, job.to, customer, &receipt.key)?;
            let how = if receipt.duplicate {
                "found"
            } else {
                "created"
            };
            let text = format!("Contact {} of its consumer {how} in {title}.", receipt.key);
            order::note(tx, row.id, self.now, NoteKind::Info, "person", &text, None)?;
        } else {
            self.customer_of_retailer(tx, job, receipt)?;
        }
        let gap = customer_gap(job, order);
        for released in tx.release_gap(job.from, job.to, &gap, self.now)? {
            if let Some(order) = tx.job(released)?.and_then(|j| j.order) {
                order::refresh(tx, order, self.now)?;
            }
        }
        Ok(())
    }

    fn customer_of_retailer(
        &self,
        tx: &mut Tx<'_>,
        job: &JobRow,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        let retailer = job.key.as_str();
        tx.link(
            job.from,
            Entity::Retailer,
            retailer,
            job.to,
            Entity::Customer,
            &receipt.key,
        )?;
        // What a person matched meanwhile wins.
        let known = tx.cell(job.from, job.to, crosswalk::CUSTOMERS, retailer, retailer)?;
        if known.is_none() {
            tx.set_cell(
                job.from,
                job.to,
                crosswalk::CUSTOMERS,
                Some(retailer),
                retailer,
                Some(&receipt.key),
                None,
                "waybill",
                self.now,
            )?;
        }
        Ok(())
    }

    fn failed(
        &self,
        tx: &mut Tx<'_>,
        desk: &Desk,
        job: &JobRow,
        failure: &Failure,
    ) -> Result<(), StoreError> {
        let is_customer = job.work == Work::Push(Entity::Customer);
        let state = match failure {
            // The question was not answered; the write itself stands as it is.
            Failure::Retry(after) if matches!(job.state, JobState::Pending { .. }) => {
                return self.ask_again(tx, job, *after);
            }
            Failure::Unauthorized(_) if matches!(job.state, JobState::Pending { .. }) => {
                return self.ask_again(tx, job, None);
            }
            // The source itself says that it has our acknowledgement: a refusal of the second one is no news.
            Failure::Rejected(_) | Failure::InDoubt(_) if is_acknowledged(tx, job)? => {
                return tx.set_state(
                    job.id,
                    JobState::Done(Ending::Written(job.key.clone())),
                    self.now,
                );
            }
            Failure::Retry(after) => {
                let attempt = job.attempt + 1;
                tx.set_attempt(job.id, attempt, None)?;
                let wait = after.map_or_else(
                    || self.backoff.wait_ms(attempt, self.jitter(job.id)),
                    |secs| Millis::from(secs) * 1000,
                );
                JobState::Waiting {
                    due: self.now + wait.max(1),
                }
            }
            Failure::Unauthorized(_) => JobState::Ready,
            Failure::Rejected(problem) => JobState::Parked(Reason::Problem(problem.clone())),
            Failure::InDoubt(problem) => JobState::Parked(Reason::InDoubt(problem.clone())),
            Failure::Unmapped(gaps) => JobState::Parked(Reason::Gaps(gaps.clone())),
            // No customer can have been cancelled: a person must look.
            Failure::Withdrawn(problem) if is_customer || job.order.is_none() => {
                JobState::Parked(Reason::Problem(problem.clone()))
            }
            Failure::Withdrawn(problem) => return self.withdrawn(tx, desk, job, &problem.message),
        };
        let parks = matches!(state, JobState::Parked(_));
        if matches!(failure, Failure::Rejected(_)) && matches!(job.state, JobState::Pending { .. })
        {
            // The vendor judged the queued write and refused it: the next attempt is a first one.
            tx.forget_effects(job.id)?;
        }
        if let Failure::Rejected(problem) = failure
            && shipment::verdict::is_overtaken(tx, job, problem, self.now)?
        {
            return Ok(());
        }
        if let Failure::Rejected(problem) = failure
            && cancel::verdict::refused(tx, job, problem, self.now)?
        {
            return Ok(());
        }
        if let (JobState::Parked(why), Some(order)) = (&state, job.order) {
            let text = format!(
                "{} waits for you: {}",
                words::work(job.work),
                words::reason(why)
            );
            order::note(tx, order, self.now, NoteKind::You, "you", &text, None)?;
        }
        tx.set_state(job.id, state, self.now)?;
        if parks && is_customer {
            self.customer_parked(tx, job)?;
        }
        Ok(())
    }

    /// Nobody fills the customer's cell by itself any more: the orders that wait for it wait for a person, who may fill
    /// it by hand as well.
    fn customer_parked(&self, tx: &mut Tx<'_>, job: &JobRow) -> Result<(), StoreError> {
        let order = job.order.map(|id| tx.order(id)).transpose()?.flatten();
        let gap = customer_gap(job, order.as_ref());
        for id in tx.gap_jobs(job.from, job.to, &gap)? {
            let Some(blocked) = tx.job(id)? else { continue };
            if !matches!(blocked.state, JobState::Blocked(_)) {
                continue;
            }
            let reason = Reason::Gaps(vec![gap.clone()]);
            tx.set_state(id, JobState::Parked(reason), self.now)?;
            if let Some(order) = blocked.order {
                order::refresh(tx, order, self.now)?;
            }
        }
        Ok(())
    }

    fn ask_again(
        &self,
        tx: &mut Tx<'_>,
        job: &JobRow,
        after: Option<u32>,
    ) -> Result<(), StoreError> {
        let JobState::Pending { handle, asked, .. } = &job.state else {
            return Ok(());
        };
        // All of a call wait alike: what was sent together is one question, and must stay one.
        let jittered = self.backoff.wait_ms(asked + 1, self.random);
        let wait = after.map_or(jittered, |secs| Millis::from(secs) * 1000);
        let state = JobState::Pending {
            handle: handle.clone(),
            due: self.now + wait.max(1),
            asked: asked + 1,
        };
        tx.set_state(job.id, state, self.now)
    }

    /// Cancelled at its source before our call: nothing is created, and nothing is owed.
    fn withdrawn(
        &self,
        tx: &mut Tx<'_>,
        desk: &Desk,
        job: &JobRow,
        why: &str,
    ) -> Result<(), StoreError> {
        if invoice::count::is_invoice(job) {
            return match job.order.map(|o| tx.order(o)).transpose()?.flatten() {
                Some(row) => invoice::verdict::withdrawn(tx, job, &row, why, self.now),
                None => Ok(()),
            };
        }
        if shipment::count::is_shipment(job) {
            return match job.order.map(|o| tx.order(o)).transpose()?.flatten() {
                Some(row) => shipment::verdict::withdrawn(tx, job, &row, why, self.now),
                None => Ok(()),
            };
        }
        tx.set_state(job.id, JobState::Done(Ending::Withdrawn), self.now)?;
        let Some(mut row) = job.order.map(|o| tx.order(o)).transpose()?.flatten() else {
            return Ok(());
        };
        let text = format!("{}: {why}", desk.title(job.to));
        order::note(tx, row.id, self.now, NoteKind::Info, "x", &text, None)?;
        if row.phase != OrderPhase::Cancelled {
            row.phase = OrderPhase::Cancelled;
            tx.put_order(&row)?;
        }
        if row.sale_key.is_none() {
            order::withdraw(tx, row.id, self.now)?;
        }
        Ok(())
    }
}
