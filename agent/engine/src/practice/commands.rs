//! What a person does about practice: switch it, apply what was practised, discard it. Each is one commit and is audited.

use super::rule;
use crate::core::Desk;
use crate::crosswalks::{refuse_open, required_open};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::{cancel, flow, invoice, order, retailers, words};
use std::collections::BTreeSet;
use waybill_model::contract::Problem;
use waybill_model::crash;
use waybill_model::document::Entity;
use waybill_model::ids::{JobId, Millis};
use waybill_model::job::{Ending, JobState, Work};
use waybill_model::order_state::OrderStage;
use waybill_model::practice::{PRACTICE, key_of};
use waybill_model::settings::FLOWS;
use waybill_store::{JobRow, NoteKind, Read, Scope, StoreError, Tx};

/// Longest reason that is kept.
const MOST_WHY: usize = 300;
/// Numbers named in History.
const NAMED: usize = 20;

/// What is switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// One flow; all of them where there is none.
    pub flow: Option<Entity>,
    /// One retailer's own word, by its code; everybody's where there is none.
    pub retailer: Option<String>,
    /// Practice, or live.
    pub practice: bool,
}

/// What becomes of what was practised when it goes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// A person decides one by one.
    Keep,
    /// All of it is sent, as it stands then.
    Apply,
    /// None of it is: for example because it was entered by hand.
    Discard(String),
}

fn refused(code: &str, message: &str, hint: &str) -> CommandError {
    CommandError::Refused(Problem::new(code, message, hint))
}

fn reason(given: &str) -> Result<String, CommandError> {
    let why: String = given.trim().chars().take(MOST_WHY).collect();
    if why.is_empty() {
        return Err(refused(
            "no-reason",
            "A reason is needed to discard what was practised.",
            "Write why, for example: entered by hand. It is kept in History.",
        ));
    }
    Ok(why)
}

/// Whether codes of crosswalks are translated in that flow.
const fn translates(flow: Option<Entity>) -> bool {
    matches!(flow, None | Some(Entity::Order | Entity::Shipment))
}

impl Handle {
    /// Whether this may be switched; changes nothing.
    ///
    /// # Errors
    /// A retailer nobody knows. Stock of one retailer: a network holds one number for all. Going live while a required
    /// code has no match. Something to be done with what was practised where nothing goes live, or without a reason.
    pub async fn may_switch(&self, switch: &Switch, then: &Then) -> Result<(), CommandError> {
        if switch.flow.is_some_and(|flow| !FLOWS.contains(&flow)) {
            return Err(CommandError::NotFound("such a flow".to_owned()));
        }
        if switch.retailer.is_some() && switch.flow == Some(Entity::InventoryLevel) {
            return Err(refused(
                "stock-of-all",
                "Stock cannot be practised for one retailer.",
                "A network holds one number for all retailers: switch it for everybody.",
            ));
        }
        if let Some(code) = &switch.retailer {
            self.known_retailer(code).await?;
        }
        if switch.practice && *then != Then::Keep {
            return Err(refused(
                "nothing-goes-live",
                "What was practised is sent or discarded only when something goes live.",
                "To practise only, let it stay until you decide; or decide about it on the page Practice.",
            ));
        }
        if let Then::Discard(why) = then {
            reason(why)?;
        }
        if !switch.practice && translates(switch.flow) {
            let retailer = switch.retailer.clone();
            let open = self
                .read(move |core, rx| required_open(rx, &core.desk(), retailer.as_deref()))
                .await?;
            refuse_open(&open)?;
        }
        Ok(())
    }

    async fn known_retailer(&self, code: &str) -> Result<(), CommandError> {
        let wanted = code.to_owned();
        let names = self
            .read(move |core, rx| {
                let own = rule::retailers(rx)?.contains(&wanted);
                let names = retailers::names(&core.desk(), rx)?;
                Ok((!own && !names.contains_key(&wanted)).then_some(names))
            })
            .await?;
        let Some(names) = names else {
            return Ok(());
        };
        let some = names.iter().take(NAMED);
        let some: Vec<String> = some
            .map(|(code, name)| format!("{code} ({name})"))
            .collect();
        let hint = if some.is_empty() {
            "No retailer is known yet: they come with the first orders. Leave it out to switch all retailers.".to_owned()
        } else {
            format!(
                "Known are: {}. Leave it out to switch all retailers.",
                some.join(", ")
            )
        };
        let message = format!("No retailer has the code {code}.");
        Err(refused("unknown-retailer", &message, &hint))
    }

    /// Switches practice on, or goes live. How many practised steps were applied or discarded.
    ///
    /// # Errors
    /// What [`Handle::may_switch`] refuses.
    pub async fn switch_practice(
        &self,
        switch: Switch,
        then: Then,
        who: &str,
    ) -> Result<u64, CommandError> {
        self.may_switch(&switch, &then).await?;
        let then = match then {
            Then::Discard(why) => Then::Discard(reason(&why)?),
            other => other,
        };
        let (who, now, desk) = (who.to_owned(), self.now(), self.core.desk());
        crash::point("practice.before-commit");
        let turned = self
            .core
            .store
            .write(move |tx| turn(tx, &desk, &switch, &then, &who, now))
            .await?;
        crash::point("practice.committed");
        self.core.reload()?;
        self.core.wake(Event::Changed);
        Ok(turned)
    }

    /// Sends what was practised for real, whatever the switch says. A step of an order takes the order's other practised
    /// steps of its flow along: a sale is not made before its order is acknowledged. How many steps; `None`: all of them.
    pub async fn apply_practised(
        &self,
        jobs: Option<Vec<JobId>>,
        who: &str,
    ) -> Result<u64, CommandError> {
        self.decide(jobs, Then::Apply, who).await
    }

    /// Ends what was practised without sending it, with a reason that is kept. How many steps.
    pub async fn discard_practised(
        &self,
        jobs: Option<Vec<JobId>>,
        why: &str,
        who: &str,
    ) -> Result<u64, CommandError> {
        let why = reason(why)?;
        self.decide(jobs, Then::Discard(why), who).await
    }

    async fn decide(
        &self,
        jobs: Option<Vec<JobId>>,
        then: Then,
        who: &str,
    ) -> Result<u64, CommandError> {
        let one = jobs.is_some();
        let (who, now, desk) = (who.to_owned(), self.now(), self.core.desk());
        crash::point("practice.before-commit");
        let decided = self
            .core
            .store
            .write(move |tx| {
                let chosen = match &jobs {
                    Some(ids) => family(tx, ids)?,
                    None => tx.jobs_in("practised", usize::MAX)?,
                };
                settle(tx, &desk, chosen, &then, &who, now)
            })
            .await?;
        crash::point("practice.committed");
        if one && decided == 0 {
            return Err(refused(
                "not-practised",
                "This is not practised any more.",
                "Load the page again.",
            ));
        }
        self.core.wake(Event::Changed);
        Ok(decided)
    }
}

/// These practised jobs, and with each the others of its order that belong to the flow of orders as it does.
fn family(tx: &Tx<'_>, ids: &[JobId]) -> Result<Vec<JobRow>, StoreError> {
    let mut found: BTreeSet<JobId> = BTreeSet::new();
    for id in ids {
        let Some(job) = tx.job(*id)? else { continue };
        found.insert(job.id);
        if let (Entity::Order, Some(order)) = (flow::of_job(&job).0, job.order) {
            let others = tx.jobs_of_order(order)?.into_iter();
            let same = others.filter(|other| flow::of_job(other).0 == Entity::Order);
            found.extend(same.map(|other| other.id));
        }
    }
    let mut jobs = Vec::new();
    for id in found {
        jobs.extend(tx.job(id)?.filter(|job| job.state == JobState::Practised));
    }
    Ok(jobs)
}

fn turn(
    tx: &mut Tx<'_>,
    desk: &Desk,
    switch: &Switch,
    then: &Then,
    who: &str,
    now: Millis,
) -> Result<u64, StoreError> {
    let scope = Scope {
        connection: None,
        retailer: switch.retailer.clone(),
    };
    let word = if switch.practice { "on" } else { "off" };
    let key = switch.flow.map_or_else(|| PRACTICE.to_owned(), key_of);
    tx.set_setting(&scope, &key, Some(word), who, now)?;
    if switch.flow.is_none() {
        // All means all: what was said of single flows is over.
        for flow in FLOWS {
            tx.set_setting(&scope, &key_of(flow), None, who, now)?;
        }
    }
    let what = switch.flow.map_or("all flows", flow::show::plural);
    let whose = switch.retailer.as_deref();
    let whose = whose.map_or_else(String::new, |code| format!(" of retailer {code}"));
    let done = if switch.practice {
        "Practice switched on"
    } else {
        "Went live"
    };
    tx.audit(who, done, &format!("{what}{whose}"), now)?;
    if switch.practice {
        return Ok(0);
    }
    super::turned(tx)?;
    if *then == Then::Keep {
        return Ok(0);
    }
    let mut live = Vec::new();
    for job in tx.jobs_in("practised", usize::MAX)? {
        let own = switch.flow.is_none_or(|flow| flow == flow::of_job(&job).0);
        if own && !rule::says(tx, &job)? && of_retailer(tx, &job, switch)? {
            live.push(job);
        }
    }
    settle(tx, desk, live, then, who, now)
}

fn of_retailer(tx: &Tx<'_>, job: &JobRow, switch: &Switch) -> Result<bool, StoreError> {
    Ok(match &switch.retailer {
        Some(code) => rule::retailer_of(tx, job)?.as_ref() == Some(code),
        None => true,
    })
}

/// Applies or discards these jobs; how many.
fn settle(
    tx: &mut Tx<'_>,
    desk: &Desk,
    jobs: Vec<JobRow>,
    then: &Then,
    who: &str,
    now: Millis,
) -> Result<u64, StoreError> {
    let mut named = BTreeSet::new();
    let mut orders = BTreeSet::new();
    // Whether a sale waits is asked of its order's jobs: acknowledgements go first.
    let (settles, pushes): (Vec<_>, Vec<_>) = jobs
        .into_iter()
        .partition(|job| matches!(job.work, Work::Settle(_)));
    let mut count = 0;
    for job in settles.iter().chain(&pushes) {
        let row = job.order.map(|id| tx.order(id)).transpose()?.flatten();
        named.insert(row.map_or_else(|| job.key.clone(), |row| row.number));
        orders.extend(job.order);
        match then {
            Then::Keep => continue,
            Then::Apply => apply(tx, desk, job, who, now)?,
            Then::Discard(why) => discard(tx, job, why, who, now)?,
        }
        count += 1;
    }
    for order in orders {
        order::refresh(tx, order, now)?;
    }
    if count > 0 {
        let first: Vec<&str> = named.iter().take(NAMED).map(String::as_str).collect();
        let mut detail = first.join(", ");
        if named.len() > NAMED {
            detail = format!("{detail} and {} more", named.len() - NAMED);
        }
        let what = match then {
            Then::Discard(why) => {
                detail = format!("{detail}: {why}");
                "Discarded what was practised"
            }
            _ => "Applied what was practised",
        };
        tx.audit(who, what, &detail, now)?;
    }
    Ok(count)
}

fn apply(
    tx: &mut Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    who: &str,
    now: Millis,
) -> Result<(), StoreError> {
    if rule::says(tx, job)? {
        tx.set_for_real(job.id)?;
    }
    tx.set_attempt(job.id, 0, job.last_failure.as_deref())?;
    let state = order::at_rest(tx, job)?;
    tx.set_state(job.id, state, now)?;
    if let Some(order) = job.order {
        let what = words::work(job.work).to_lowercase();
        let text = format!("{who}: {what} goes to {} for real.", desk.title(job.to));
        order::note(tx, order, now, NoteKind::Info, "person", &text, None)?;
    }
    Ok(())
}

/// It counts as carried out by hand, where its flow counts that, and a sale that is not made is never made.
fn discard(
    tx: &mut Tx<'_>,
    job: &JobRow,
    why: &str,
    who: &str,
    now: Millis,
) -> Result<(), StoreError> {
    if let Some(units) = invoice::look::left_alone(tx, job)? {
        tx.set_job_units(job.id, cancel::count::lines(&units))?;
    }
    if cancel::count::is_cancel(job) && cancel::count::is_answer(tx, job)? {
        tx.set_job_units(job.id, Vec::new())?;
    }
    let ending = Ending::Ignored(why.to_owned());
    tx.set_state(job.id, JobState::Done(ending), now)?;
    let Some(mut row) = job.order.map(|id| tx.order(id)).transpose()?.flatten() else {
        return Ok(());
    };
    let what = words::work(job.work);
    let text = format!("{what} was only practised and is not sent. {who}: {why}");
    order::note(tx, row.id, now, NoteKind::Info, "person", &text, None)?;
    if job.work == Work::Push(Entity::Order) && row.sale_key.is_none() {
        row.stage = OrderStage::Refused;
        tx.put_order(&row)?;
    }
    order::open_routes(tx, &row, now)
}
