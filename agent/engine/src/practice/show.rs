//! Filling the views of practice: what is live, what would be sent, what stock would be told.

use super::view::{FlowSwitch, PracticeView, RetailerSwitch, WouldRequest, WouldSend, WouldTell};
use super::{fields, rule};
use crate::core::{Core, Desk};
use crate::flow::show::plural;
use crate::handle::{CommandError, Handle};
use crate::translate::STAND_IN;
use crate::view::AlarmView;
use crate::{flow, retailers, words};
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::contract::Moment;
use waybill_model::document::Entity;
use waybill_model::ids::JobId;
use waybill_model::job::{JobState, Work};
use waybill_model::practice::{PRACTICE, key_of};
use waybill_model::settings::FLOWS;
use waybill_store::{JobRow, Read, Rx, Scope, SettingRow, StoreError};

/// Items of stock that are shown.
const ITEMS: usize = 50;
/// Practised jobs that a page of any kind looks through for undecided ones.
const LOOK_AT: usize = 500;

/// Flows that lead somewhere; all kinds while nothing is set up.
fn led(desk: &Desk) -> Vec<Entity> {
    let led = |flow: &Entity| desk.routes.iter().any(|row| row.entity == *flow);
    let some: Vec<Entity> = FLOWS.into_iter().filter(led).collect();
    if some.is_empty() {
        FLOWS.to_vec()
    } else {
        some
    }
}

/// What all flows are called, where a retailer is live all the same.
const EVERYTHING: &str = "everything else";

/// What is in practice, in words.
#[derive(Default)]
pub(crate) struct Practised {
    /// Flows of everybody, where not all are.
    flows: Vec<String>,
    /// All flows are.
    all: bool,
    /// "Harbor & Pine: orders", where those are live for everybody else.
    own: Vec<String>,
    /// The same where they are live for this retailer alone.
    live: Vec<String>,
}

impl Practised {
    fn any(&self) -> bool {
        self.all || !self.flows.is_empty() || !self.own.is_empty()
    }

    /// Everything is, without an exception.
    fn whole(&self) -> bool {
        self.all && self.live.is_empty()
    }

    /// One by one; `None`: nothing is, and an empty list: everything.
    pub(crate) fn words(self) -> Option<Vec<String>> {
        if !self.any() {
            return None;
        }
        if self.whole() {
            return Some(Vec::new());
        }
        let all = self.all.then(|| EVERYTHING.to_owned());
        let live = self.live.iter().map(|words| format!("{words} live"));
        let words = all.into_iter().chain(self.flows).chain(self.own);
        Some(words.chain(live).collect())
    }

    fn sentence(&self) -> String {
        if !self.any() {
            return "Live: what is ready is sent.".to_owned();
        }
        if self.whole() {
            return "Practice: everything is read and worked out, and nothing is sent.".to_owned();
        }
        let practised: Vec<&str> = self
            .flows
            .iter()
            .chain(&self.own)
            .map(String::as_str)
            .collect();
        let live = self.live.join("; ");
        match (self.all, live.is_empty()) {
            (true, _) => format!("Live for {live}. Everything else stays in practice."),
            (false, true) => format!("Practice for {}; the rest is live.", practised.join("; ")),
            (false, false) => format!(
                "Practice for {}, but live for {live}; the rest is live.",
                practised.join("; ")
            ),
        }
    }
}

/// What is in practice.
pub(crate) fn practised(rx: &Rx, desk: &Desk) -> Result<Practised, StoreError> {
    let flows = led(desk);
    let mut found = Practised::default();
    let mut everybody = Vec::new();
    for flow in &flows {
        if rule::is_on(rx, *flow, None)? {
            everybody.push(*flow);
        }
    }
    let own = rule::retailers(rx)?;
    let names = if own.is_empty() {
        BTreeMap::new()
    } else {
        retailers::names(desk, rx)?
    };
    for retailer in own {
        let (mut practised, mut live) = (Vec::new(), Vec::new());
        for flow in flows.iter().filter(|f| **f != Entity::InventoryLevel) {
            let on = rule::is_on(rx, *flow, Some(&retailer))?;
            match (on, everybody.contains(flow)) {
                (true, false) => practised.push(plural(*flow).to_lowercase()),
                (false, true) => live.push(plural(*flow).to_lowercase()),
                _ => {}
            }
        }
        let name = names.get(&retailer).unwrap_or(&retailer);
        let told = |flows: &[String]| format!("{name}: {}", flows.join(", "));
        if !practised.is_empty() {
            found.own.push(told(&practised));
        }
        if !live.is_empty() {
            found.live.push(told(&live));
        }
    }
    found.all = everybody.len() == flows.len();
    if !found.all {
        let words = everybody.iter().map(|f| plural(*f).to_lowercase());
        found.flows = words.collect();
    }
    Ok(found)
}

/// Whose word holds for a flow.
fn by(
    rows: &dyn Read,
    flow: Entity,
    retailer: Option<&str>,
) -> Result<Option<SettingRow>, StoreError> {
    let scope = Scope {
        connection: None,
        retailer: retailer.map(str::to_owned),
    };
    for key in [key_of(flow), PRACTICE.to_owned()] {
        let row = rows.setting(&scope, &key)?;
        if let Some(row) = row.filter(|row| matches!(row.value.as_str(), "on" | "off")) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn switches(
    rows: &dyn Read,
    flows: &[Entity],
    retailer: Option<&str>,
) -> Result<Vec<FlowSwitch>, StoreError> {
    let mut out = Vec::new();
    for flow in flows {
        let by = by(rows, *flow, retailer)?;
        out.push(FlowSwitch {
            flow: *flow,
            title: plural(*flow).to_owned(),
            practice: rule::is_on(rows, *flow, retailer)?,
            who: by.as_ref().map(|row| row.who.clone()),
            at: by.as_ref().map(|row| row.at),
        });
    }
    Ok(out)
}

/// What is there now, before it is sent.
fn now(job: &JobRow, back: bool) -> &'static str {
    match job.work {
        Work::Settle(Moment::Accepted) => "Not acknowledged",
        Work::Settle(Moment::Delivered) => "It does not know the sale's number",
        Work::Push(Entity::Order) => "No sale",
        Work::Push(Entity::Customer) if job.order.is_some() => "No contact for this consumer",
        Work::Push(Entity::Customer) => "No contact for this retailer",
        Work::Push(Entity::Shipment) => "Not reported as shipped",
        Work::Push(Entity::Invoice) => "Not invoiced",
        Work::Push(Entity::Cancellation) if back => "Not told of the cancel",
        Work::Push(Entity::Cancellation) => "The sale stands as it was",
        _ => "Nothing",
    }
}

fn would_send(desk: &Desk, rx: &dyn Read, job: &JobRow) -> Result<WouldSend, StoreError> {
    let order = job.order.map(|id| rx.order(id)).transpose()?.flatten();
    let exchanges = match job.batch {
        Some(batch) => rx.transcript(batch)?,
        None => Vec::new(),
    };
    let recorded = fields::recorded(&exchanges);
    let sale = job.work == Work::Push(Entity::Order);
    let stands_in = sale && recorded.is_some_and(|e| e.request.contains(STAND_IN));
    let back = order.as_ref().is_some_and(|row| row.connection == job.to);
    Ok(WouldSend {
        job: job.id,
        order: job.order,
        number: order
            .as_ref()
            .map_or_else(|| job.key.clone(), |row| row.number.clone()),
        retailer: order.map(|row| row.retailer_name).unwrap_or_default(),
        flow: flow::of_job(job).0,
        what: words::work(job.work).to_owned(),
        key: job.key.clone(),
        to: desk.title(job.to),
        at: job.changed_at,
        undecided: !rule::says(rx, job)?,
        now: if stands_in {
            format!("No sale; the retailer's contact is made first, and {STAND_IN} stands for it")
        } else {
            now(job, back).to_owned()
        },
        fields: recorded.map_or_else(Vec::new, |e| fields::of(&exchanges, e)),
        request: recorded.map(|e| WouldRequest {
            method: e.method.clone(),
            url: e.url.clone(),
            body: e.request.clone(),
        }),
    })
}

/// Stock that would be told.
fn stock(desk: &Desk, rx: &dyn Read) -> Result<(Vec<WouldTell>, u64), StoreError> {
    let (mut out, mut waiting) = (Vec::new(), 0);
    if !rule::is_on(rx, Entity::InventoryLevel, None)? {
        return Ok((out, waiting));
    }
    for route in crate::stock::all_routes(desk) {
        let pair = (route.from, route.to);
        let most = 1_000_000;
        waiting += rx.count_levels(pair, waybill_store::LevelList::Waiting, most)? as u64;
        for row in rx.dirty_levels(route.from, route.to, ITEMS)? {
            for count in row.counts() {
                let told = row.sent.iter().flatten();
                let mut told = told.filter(|c| c.warehouse == count.warehouse);
                out.push(WouldTell {
                    item: row.item.clone(),
                    now: told.next().map(|c| c.units.normal().to_string()),
                    would: count.units.normal().to_string(),
                    warehouse: count.warehouse,
                });
            }
        }
    }
    out.truncate(ITEMS);
    Ok((out, waiting))
}

fn view(
    core: &Core,
    rx: &Rx,
    before: Option<JobId>,
    limit: usize,
) -> Result<PracticeView, StoreError> {
    let desk = core.desk();
    let flows = led(&desk);
    let own: Vec<Entity> = flows
        .iter()
        .copied()
        .filter(|f| *f != Entity::InventoryLevel)
        .collect();
    let said = practised(rx, &desk)?;
    let all = rx.jobs_in("practised", usize::MAX)?;
    let undecided = undecided(rx, &all)?.len() as u64;
    let older = all
        .iter()
        .rev()
        .filter(|job| before.is_none_or(|b| job.id < b));
    let page: Vec<&JobRow> = older.take(limit + 1).collect();
    let shown = page.iter().take(limit);
    let rows = shown.clone().map(|job| would_send(&desk, rx, job));
    let (stock, stock_waiting) = stock(&desk, rx)?;
    let names = retailers::names(&desk, rx)?;
    let retailers = rule::retailers(rx)?.into_iter().map(|code| {
        Ok(RetailerSwitch {
            flows: switches(rx, &own, Some(&code))?,
            name: names.get(&code).unwrap_or(&code).clone(),
            code,
        })
    });
    Ok(PracticeView {
        sentence: said.sentence(),
        any: said.any(),
        all: said.whole(),
        flows: switches(rx, &flows, None)?,
        retailers: retailers.collect::<Result<_, StoreError>>()?,
        known: names.into_iter().collect(),
        practised: all.len() as u64,
        undecided,
        rows: rows.collect::<Result<_, _>>()?,
        next: page
            .get(limit.saturating_sub(1))
            .filter(|_| page.len() > limit)
            .map(|job| job.id),
        stock,
        stock_waiting,
    })
}

/// Those of the practised jobs that a person decides about, since their flow is live.
fn undecided<'j>(rows: &dyn Read, jobs: &'j [JobRow]) -> Result<Vec<&'j JobRow>, StoreError> {
    let mut undecided = Vec::new();
    for job in jobs {
        if !rule::says(rows, job)? {
            undecided.push(job);
        }
    }
    Ok(undecided)
}

/// "3 steps of 2 orders were only practised, and their flow is live now."
fn left_over(steps: usize, orders: usize, flows: usize, more: bool) -> String {
    let more_than = if more { "More than " } else { "" };
    // Where not all were counted, nobody knows of how many orders they are.
    let of = match orders {
        n if more || n == 0 => String::new(),
        1 => " of 1 order".to_owned(),
        n => format!(" of {n} orders"),
    };
    let (step, was, whose) = if steps == 1 {
        ("step", "was", "its")
    } else {
        ("steps", "were", "their")
    };
    let are_live = if flows == 1 {
        "flow is live"
    } else {
        "flows are live"
    };
    format!("{more_than}{steps} {step}{of} {was} only practised, and {whose} {are_live} now.")
}

/// What was practised and waits for a person, since its flow is live.
pub(crate) fn alarms(rx: &Rx) -> Result<Vec<AlarmView>, StoreError> {
    let some = rx.jobs_in("practised", LOOK_AT)?;
    let steps = undecided(rx, &some)?;
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let orders: BTreeSet<_> = steps.iter().filter_map(|job| job.order).collect();
    let flows: BTreeSet<_> = steps.iter().map(|job| flow::of_job(job).0).collect();
    let more = some.len() == LOOK_AT;
    Ok(vec![AlarmView {
        text: left_over(steps.len(), orders.len(), flows.len(), more),
        as_of: None,
        hint: "Apply or discard that on the page Practice, or with `waybill practice`: until then nothing of it is sent."
            .to_owned(),
    }])
}

impl Handle {
    /// What is practice, and what would be sent: newest first, older than that one.
    pub async fn practice(
        &self,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<PracticeView, CommandError> {
        self.read(move |core, rx| view(core, rx, before, limit))
            .await
    }

    /// What one practised step would send; `None`: it is not practised.
    pub async fn would_send(&self, job: JobId) -> Result<Option<WouldSend>, CommandError> {
        self.read(move |core, rx| {
            let desk = core.desk();
            let job = rx.job(job)?.filter(|job| job.state == JobState::Practised);
            job.map(|job| would_send(&desk, rx, &job)).transpose()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::{Practised, left_over};

    #[test]
    fn what_is_live_is_said_and_nothing_more() {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let mut said = Practised {
            all: true,
            ..Practised::default()
        };
        assert!(said.sentence().ends_with("nothing is sent."));
        said.live = words(&["Harbor & Pine: orders"]);
        assert_eq!(
            said.sentence(),
            "Live for Harbor & Pine: orders. Everything else stays in practice."
        );
        assert_eq!(
            said.words().unwrap(),
            ["everything else", "Harbor & Pine: orders live"]
        );
        let said = Practised {
            flows: words(&["orders", "invoices"]),
            live: words(&["Harbor & Pine: orders"]),
            ..Practised::default()
        };
        assert_eq!(
            said.sentence(),
            "Practice for orders; invoices, but live for Harbor & Pine: orders; the rest is live."
        );
        assert!(Practised::default().words().is_none());
    }

    #[test]
    fn what_is_left_over_is_said_in_the_right_number() {
        for (steps, orders, flows, more, said) in [
            (
                1,
                1,
                1,
                false,
                "1 step of 1 order was only practised, and its flow is live now.",
            ),
            (
                2,
                1,
                1,
                false,
                "2 steps of 1 order were only practised, and their flow is live now.",
            ),
            (
                5,
                3,
                2,
                false,
                "5 steps of 3 orders were only practised, and their flows are live now.",
            ),
            (
                2,
                0,
                1,
                false,
                "2 steps were only practised, and their flow is live now.",
            ),
            (
                480,
                99,
                2,
                true,
                "More than 480 steps were only practised, and their flows are live now.",
            ),
        ] {
            assert_eq!(left_over(steps, orders, flows, more), said);
        }
    }
}
