//! The store against a plain model: whatever happens in whatever order, crashes included, lists and counters are
//! what the model's rows say, and every index follows from its rows.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod sample;

use proptest::prelude::*;
use sample::{
    SOURCE, TARGET, assert_sound, exchange, new_job, on_disk, order_document, order_row, problem,
    with_connections,
};
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::contract::Gap;
use waybill_model::document::Entity;
use waybill_model::ids::{BatchId, Generation, JobId, Millis, OrderId};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::sim_disk::SimDisk;
use waybill_store::{Read, Store, StoreError, Writer};

#[derive(Debug, Clone)]
enum Action {
    /// A revision of an order arrives, with a deadline of its job.
    Accept(u8, u8, Option<u8>),
    /// Another job on the lane of an order.
    Follow(u8, u8),
    Claim(usize),
    Finish(usize),
    Park(usize, u8),
    Wait(usize, u8),
    Ask(usize, u8),
    Block(usize, u8),
    Wake(u8),
    Release(u8),
    Retry(usize),
    Ignore(usize),
    FailedWrite(u8),
    Crash,
    Reopen,
}

fn action() -> impl Strategy<Value = Action> {
    use Action as A;
    prop_oneof![
        4 => (0..6_u8, 0..3_u8, proptest::option::of(0..50_u8)).prop_map(|(k, r, u)| A::Accept(k, r, u)),
        2 => (0..6_u8, 0..4_u8).prop_map(|(k, n)| A::Follow(k, n)),
        4 => (1..4_usize).prop_map(A::Claim),
        2 => (0..4_usize).prop_map(A::Finish),
        2 => (0..4_usize, 0..6_u8).prop_map(|(b, w)| A::Park(b, w)),
        1 => (0..4_usize, 0..30_u8).prop_map(|(b, d)| A::Wait(b, d)),
        1 => (0..4_usize, 0..30_u8).prop_map(|(b, d)| A::Ask(b, d)),
        1 => (0..4_usize, 0..3_u8).prop_map(|(b, g)| A::Block(b, g)),
        2 => (0..40_u8).prop_map(A::Wake),
        2 => (0..5_u8).prop_map(A::Release),
        1 => (0..4_usize).prop_map(A::Retry),
        1 => (0..4_usize).prop_map(A::Ignore),
        1 => (0..6_u8).prop_map(A::FailedWrite),
        1 => Just(A::Crash),
        1 => Just(A::Reopen),
    ]
}

#[derive(Debug, Clone)]
struct Job {
    lane: String,
    state: JobState,
    urgent_by: Option<Millis>,
}

#[derive(Debug, Default)]
struct Model {
    orders: BTreeMap<String, OrderId>,
    seen: BTreeSet<(String, String)>,
    jobs: BTreeMap<JobId, Job>,
    open: BTreeMap<String, JobId>,
    batches: BTreeMap<BatchId, Vec<JobId>>,
}

impl Model {
    fn held(&self, lane: &str) -> bool {
        self.jobs
            .values()
            .any(|j| j.lane == lane && j.state.holds_lane())
    }
    fn ready(&self) -> Vec<JobId> {
        let mut heads: BTreeMap<&str, JobId> = BTreeMap::new();
        for (id, job) in &self.jobs {
            if job.state == JobState::Ready && !self.held(&job.lane) {
                heads.entry(&job.lane).or_insert(*id);
            }
        }
        let mut ids: Vec<JobId> = heads.into_values().collect();
        ids.sort_by_key(|id| (self.jobs[id].urgent_by.unwrap_or(Millis::MAX), *id));
        ids
    }
    fn due(&self, now: Millis) -> Vec<JobId> {
        let mut out: Vec<(Millis, JobId)> = self
            .jobs
            .iter()
            .filter_map(|(id, job)| match job.state {
                JobState::Waiting { due } | JobState::Pending { due, .. } => Some((due, *id)),
                _ => None,
            })
            .filter(|(due, _)| *due <= now)
            .collect();
        out.sort_unstable();
        out.into_iter().map(|(_, id)| id).collect()
    }
    fn set(&mut self, id: JobId, state: JobState) {
        if state.is_done() {
            self.open.retain(|_, open| *open != id);
        }
        self.jobs.get_mut(&id).unwrap().state = state;
    }
}

fn gap(n: u8) -> Gap {
    Gap {
        table: "items".to_owned(),
        retailer: (n != 2).then(|| format!("r{}", n / 3)),
        value: format!("sku-{}", n % 3),
    }
}

fn reason(which: u8) -> Reason {
    match which {
        0 => Reason::Gaps(vec![gap(0), gap(1), gap(0)]),
        1 => Reason::Gaps(vec![gap(1), gap(3)]),
        2 => Reason::Gaps(vec![gap(2)]),
        3 => Reason::InDoubt(problem("lost")),
        _ => Reason::Problem(problem("refused")),
    }
}

struct World {
    disk: SimDisk,
    store: Option<Store>,
    model: Model,
    now: Millis,
    seed: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let store = on_disk(&disk, Writer::Inline);
        with_connections(&store);
        Self {
            disk,
            store: Some(store),
            model: Model::default(),
            now: 1_000,
            seed,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Ends a batch and moves its members.
    fn end(
        &mut self,
        n: usize,
        state: impl Fn(usize, JobId) -> JobState + Send + Sync + Clone + 'static,
    ) {
        let Some((batch, members)) = self
            .model
            .batches
            .iter()
            .nth(n)
            .map(|(b, m)| (*b, m.clone()))
        else {
            return;
        };
        let (now, f, list) = (self.now, state.clone(), members.clone());
        self.store()
            .write_blocking(move |tx| {
                for (n, id) in list.iter().enumerate() {
                    tx.set_attempt(*id, 1, Some("said no"))?;
                    tx.set_state(*id, f(n, *id), now)?;
                }
                tx.close_batch(batch, &[exchange("ok")])
            })
            .unwrap();
        self.model.batches.remove(&batch);
        for (n, id) in members.into_iter().enumerate() {
            self.model.set(id, state(n, id));
        }
    }

    fn set(&mut self, id: JobId, state: JobState) -> bool {
        let (now, next) = (self.now, state.clone());
        let done = self
            .store()
            .write_blocking(move |tx| tx.set_state(id, next.clone(), now));
        match done {
            Ok(()) => {
                self.model.set(id, state);
                true
            }
            Err(StoreError::Conflict(_)) => false,
            Err(other) => panic!("{other}"),
        }
    }

    fn accept(&mut self, k: u8, r: u8, urgent: Option<u8>) {
        let (key, revision, now) = (format!("k{k}"), r.to_string(), self.now);
        let known = self.model.orders.get(&key).copied();
        let (order_key, rev) = (key.clone(), revision.clone());
        let urgent_by = urgent.map(|u| 1_000 + Millis::from(u));
        let made = self
            .store()
            .write_blocking(move |tx| {
                let document = order_document(&order_key, &rev, &["AB-1", &rev]);
                let Some(accepted) = tx.accept(SOURCE, &document, now)? else {
                    return Ok(None);
                };
                let row = match known {
                    None => order_row(&order_key, accepted.document, now),
                    Some(id) => {
                        let mut row = tx.order(id)?.unwrap();
                        row.document = accepted.document;
                        row.sale_number = Some(format!("SO-{rev}"));
                        row.acknowledged_at = Some(now);
                        row
                    }
                };
                let order = tx.put_order(&row)?;
                let mut job = new_job(&order_key, Some(order), accepted.document);
                job.urgent_by = urgent_by;
                let job = tx.create_job(job, now)?;
                tx.set_job_document(job, accepted.document)?;
                Ok(Some((order, job)))
            })
            .unwrap();
        let is_new = self.model.seen.insert((key.clone(), revision));
        assert_eq!(made.is_some(), is_new);
        if let Some((order, job)) = made {
            self.model.orders.insert(key.clone(), order);
            self.created(&key, &key, job, urgent_by);
        }
    }

    fn created(&mut self, open: &str, lane: &str, id: JobId, urgent_by: Option<Millis>) {
        if let Some(known) = self.model.open.get(open) {
            assert_eq!(*known, id, "the open job is answered again");
            return;
        }
        self.model.open.insert(open.to_owned(), id);
        let job = Job {
            lane: lane.to_owned(),
            state: JobState::Ready,
            urgent_by,
        };
        assert!(self.model.jobs.insert(id, job).is_none());
    }

    fn follow(&mut self, k: u8, n: u8) {
        let (lane, key, now) = (format!("k{k}"), format!("s{n}-{k}"), self.now);
        let Some(order) = self.model.orders.get(&lane).copied() else {
            return;
        };
        let (job_lane, job_key) = (lane.clone(), key.clone());
        let id = self
            .store()
            .write_blocking(move |tx| {
                let document = tx.order(order)?.unwrap().document;
                let mut job = new_job(&job_key, Some(order), document);
                job.work = Work::Push(Entity::Shipment);
                job.entity = Entity::Shipment;
                job.lane.clone_from(&job_lane);
                tx.create_job(job, now)
            })
            .unwrap();
        self.created(&format!("shipment {key}"), &lane, id, None);
    }

    fn claim(&mut self, most: usize) {
        let now = self.now;
        let claimed = self
            .store()
            .write_blocking(move |tx| {
                let ids: Vec<JobId> = tx.ready(TARGET, most)?.iter().map(|j| j.id).collect();
                if ids.is_empty() {
                    return Ok(None);
                }
                let batch = tx.create_batch(
                    TARGET,
                    Work::Push(Entity::Order),
                    Entity::Order,
                    &ids,
                    Generation(1),
                    now,
                )?;
                Ok(Some((batch, ids)))
            })
            .unwrap();
        if let Some((batch, ids)) = claimed {
            let right: Vec<JobId> = self.model.ready().into_iter().take(most).collect();
            assert_eq!(ids, right);
            for id in &ids {
                self.model.set(*id, JobState::Running(batch));
            }
            self.model.batches.insert(batch, ids);
        }
    }

    fn release(&mut self, n: u8) {
        let (cell, now) = (gap(n), self.now);
        let filled = cell.clone();
        let released = self
            .store()
            .write_blocking(move |tx| {
                tx.set_cell(
                    SOURCE,
                    TARGET,
                    &cell.table,
                    cell.retailer.as_deref(),
                    &cell.value,
                    Some("77"),
                    None,
                    "ann",
                    now,
                )?;
                tx.release_gap(SOURCE, TARGET, &cell, now)
            })
            .unwrap();
        let fills = |g: &Gap| {
            g.value == filled.value && (filled.retailer.is_none() || g.retailer == filled.retailer)
        };
        let mut right = Vec::new();
        for (id, job) in &mut self.model.jobs {
            let next = match &job.state {
                JobState::Blocked(g) if fills(g) => JobState::Ready,
                JobState::Parked(Reason::Gaps(gaps)) if gaps.iter().any(fills) => {
                    let left: Vec<Gap> = gaps.iter().filter(|g| !fills(g)).cloned().collect();
                    if left.is_empty() {
                        JobState::Ready
                    } else {
                        JobState::Parked(Reason::Gaps(left))
                    }
                }
                _ => continue,
            };
            if next == JobState::Ready {
                right.push(*id);
            }
            job.state = next;
        }
        assert_eq!(released, right);
    }

    fn ignore(&mut self, n: usize) {
        let cards = self.store().read(|rx| rx.cards(10)).unwrap();
        let Some(card) = cards.get(n).cloned() else {
            return;
        };
        let id = card.id.clone();
        self.store()
            .write_blocking(move |tx| tx.ignore_card(&id, "known"))
            .unwrap();
        let after = self.store().read(|rx| rx.cards(10)).unwrap();
        assert!(after.iter().all(|c| c.id != card.id));
    }

    /// A start of the agent: what ran is ready again, its batch is over.
    fn restart(&mut self, image: Vec<u8>) {
        self.store = None;
        self.seed += 1;
        self.disk = SimDisk::with_image(self.seed, image);
        self.store = Some(on_disk(&self.disk, Writer::Inline));
        let open = self.store().read(Read::open_batches).unwrap();
        let known: Vec<BatchId> = self.model.batches.keys().copied().collect();
        assert_eq!(open.iter().map(|b| b.id).collect::<Vec<_>>(), known);
        for _ in open {
            self.end(0, |_, _| JobState::Ready);
        }
    }

    fn act(&mut self, action: &Action) {
        self.now += 1;
        let now = self.now;
        match action.clone() {
            Action::Accept(k, r, u) => self.accept(k, r, u),
            Action::Follow(k, n) => self.follow(k, n),
            Action::Claim(most) => self.claim(most),
            Action::Finish(n) => {
                self.end(n, |_, id| JobState::Done(Ending::Written(id.to_string())));
            }
            Action::Park(n, why) => self.end(n, move |_, _| JobState::Parked(reason(why))),
            Action::Wait(n, d) => self.end(n, move |_, _| JobState::Waiting {
                due: now + Millis::from(d),
            }),
            Action::Ask(n, d) => self.end(n, move |_, _| JobState::Pending {
                handle: "t".to_owned(),
                due: now + Millis::from(d),
                asked: 1,
            }),
            Action::Block(n, g) => self.end(n, move |_, _| JobState::Blocked(gap(g))),
            Action::Wake(d) => {
                self.now += Millis::from(d);
                for id in self.model.due(self.now) {
                    assert!(self.set(id, JobState::Ready));
                }
            }
            Action::Release(n) => self.release(n),
            Action::Retry(n) => {
                let parked: Vec<JobId> = self
                    .model
                    .jobs
                    .iter()
                    .filter(|(_, j)| matches!(j.state, JobState::Parked(_)))
                    .map(|(id, _)| *id)
                    .collect();
                if let Some(id) = parked.get(n) {
                    assert!(self.set(*id, JobState::Ready));
                }
            }
            Action::Ignore(n) => self.ignore(n),
            Action::FailedWrite(k) => {
                let failed = self.store().write_blocking(move |tx| {
                    tx.accept(
                        SOURCE,
                        &order_document(&format!("k{k}"), "never", &["x"]),
                        now,
                    )?;
                    for job in tx.ready(TARGET, 9)? {
                        tx.set_state(job.id, JobState::Parked(reason(0)), now)?;
                    }
                    Err::<(), _>(StoreError::Conflict("no".to_owned()))
                });
                assert!(matches!(failed, Err(StoreError::Conflict(_))));
            }
            Action::Crash => {
                let image = self.disk.crash();
                self.restart(image);
            }
            Action::Reopen => {
                self.store = None;
                let image = self.disk.bytes();
                self.restart(image);
            }
        }
    }

    fn check(&self) {
        assert_sound(self.store());
        let model = &self.model;
        self.store()
            .read(|rx| {
                let ids = |rows: Vec<waybill_store::JobRow>| {
                    rows.into_iter().map(|j| j.id).collect::<Vec<_>>()
                };
                assert_eq!(ids(rx.ready(TARGET, 100)?), model.ready());
                assert_eq!(ids(rx.due(self.now, 100)?), model.due(self.now));
                assert_eq!(
                    rx.next_due()?.is_some(),
                    !model.due(Millis::MAX - 1).is_empty()
                );
                let counters = rx.counters()?;
                assert_eq!(
                    counters.orders.values().sum::<u64>(),
                    model.orders.len() as u64
                );
                assert_eq!(counters.jobs.values().sum::<u64>(), model.jobs.len() as u64);
                for (id, job) in &model.jobs {
                    let row = rx.job(*id)?.unwrap();
                    assert_eq!(row.state, job.state);
                    assert_eq!(row.lane, job.lane);
                }
                for order in model.orders.values() {
                    let jobs = rx.jobs_of_order(*order)?;
                    assert!(!jobs.is_empty());
                }
                for card in rx.cards(100)? {
                    let (_, jobs) = rx.card(&card.id)?.unwrap();
                    assert_eq!(jobs.len() as u64, card.jobs);
                    assert_eq!(
                        jobs.iter().filter_map(|j| j.urgent_by).min(),
                        card.urgent_by
                    );
                }
                Ok(())
            })
            .unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lists_and_counters_follow_from_the_rows(seed in any::<u32>(), actions in prop::collection::vec(action(), 1..45)) {
        let mut world = World::new(u64::from(seed));
        for action in actions {
            world.act(&action);
            world.check();
        }
    }
}
