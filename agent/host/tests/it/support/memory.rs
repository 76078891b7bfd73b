//! The ports in memory, with the meaning the engine gives them over its store.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use waybill_host::ports::{
    Begun, Clock, EffectScope, Finish, HostKeys, Journal, Kv, Links, PortError, Rng, Vault,
};
use waybill_model::contract::Link;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, EffectId, JobId, Millis};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Open { id: u64, since: Millis },
    Finished(Vec<u8>),
}

/// Steps by (job or scope, step), as the store keeps them.
#[derive(Default)]
pub(crate) struct MemoryJournal {
    pub(crate) steps: Mutex<BTreeMap<(String, String), Step>>,
    next: AtomicU64,
    /// Makes every `finish` fail.
    pub(crate) broken: Mutex<bool>,
}

pub(crate) const BEGUN_AT: Millis = 1_000;

/// The key of a job's step.
fn of_job(job: u64, step: &str) -> (String, String) {
    (format!("job {}", JobId(job)), step.to_owned())
}

fn keys(scope: &EffectScope, members: &[u32], step: &str) -> Vec<(String, String)> {
    let names = match scope {
        EffectScope::Poll(name) | EffectScope::Setup(name) | EffectScope::Levels(name) => {
            vec![name.clone()]
        }
        EffectScope::Jobs(jobs) => members
            .iter()
            .map(|m| format!("job {}", jobs[*m as usize]))
            .collect(),
    };
    names.into_iter().map(|n| (n, step.to_owned())).collect()
}

impl MemoryJournal {
    /// What is known of a step of a job.
    pub(crate) fn of_job(&self, job: u64, step: &str) -> Option<Step> {
        self.steps.lock().unwrap().get(&of_job(job, step)).cloned()
    }

    /// A step of a job was begun then, and nothing is known of its end.
    pub(crate) fn leave_open(&self, job: u64, step: &str, since: Millis) {
        let open = Step::Open {
            id: 1_000 + job,
            since,
        };
        self.steps.lock().unwrap().insert(of_job(job, step), open);
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn begin(
        &self,
        _: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
        absent: Option<Millis>,
    ) -> Result<Begun, PortError> {
        let mut steps = self.steps.lock().unwrap();
        let keys = keys(scope, members, step);
        for key in &keys {
            match steps.get(key) {
                Some(Step::Finished(answer)) => return Ok(Begun::Replay(answer.clone())),
                Some(Step::Open { since, .. }) if absent.is_none_or(|until| *since > until) => {
                    return Ok(Begun::InDoubt { since: *since });
                }
                _ => {}
            }
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        for key in keys {
            steps.insert(
                key,
                Step::Open {
                    id,
                    since: BEGUN_AT,
                },
            );
        }
        Ok(Begun::Fresh(EffectId(id)))
    }

    async fn finish(&self, effect: EffectId, finish: Finish) -> Result<(), PortError> {
        if *self.broken.lock().unwrap() {
            return Err(PortError("the disk is full".to_owned()));
        }
        let mut steps = self.steps.lock().unwrap();
        let own = |step: &Step| matches!(step, Step::Open { id, .. } if *id == effect.0);
        match finish {
            Finish::NothingHappened => steps.retain(|_, step| !own(step)),
            Finish::Answered(bytes) => {
                for step in steps.values_mut().filter(|s| own(s)) {
                    *step = Step::Finished(bytes.clone());
                }
            }
        }
        Ok(())
    }

    async fn retract(
        &self,
        _: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
    ) -> Result<(), PortError> {
        let mut steps = self.steps.lock().unwrap();
        for key in keys(scope, members, step) {
            if matches!(steps.get(&key), Some(Step::Open { .. })) {
                steps.remove(&key);
            }
        }
        Ok(())
    }
}

/// Committed rows.
#[derive(Default)]
pub(crate) struct MemoryKv(pub(crate) Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl Kv for MemoryKv {
    async fn get_many(
        &self,
        _: ConnectionId,
        keys: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, PortError> {
        let rows = self.0.lock().unwrap();
        Ok(keys.iter().map(|k| rows.get(k).cloned()).collect())
    }

    async fn scan(
        &self,
        _: ConnectionId,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Vec<u8>)>, PortError> {
        let rows = self.0.lock().unwrap();
        let from = after.map_or(Bound::Unbounded, |a| Bound::Excluded(a.to_owned()));
        Ok(rows
            .range((from, Bound::Unbounded))
            .filter(|(key, _)| key.starts_with(prefix))
            .take(limit as usize)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }
}

/// Key `1` is ours.
pub(crate) struct MemoryLinks;

#[async_trait]
impl Links for MemoryLinks {
    async fn of(
        &self,
        _: ConnectionId,
        entity: Entity,
        keys: &[String],
    ) -> Result<Vec<Vec<Link>>, PortError> {
        let link = || Link {
            system: "shop".to_owned(),
            entity,
            key: "S-1".to_owned(),
        };
        Ok(keys
            .iter()
            .map(|k| if k == "1" { vec![link()] } else { Vec::new() })
            .collect())
    }
}

/// Secrets by slot and name.
#[derive(Default)]
pub(crate) struct MemoryVault(
    pub(crate) Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    AtomicBool,
);

impl MemoryVault {
    /// From now on nothing can be kept, or again.
    pub(crate) fn full(&self, full: bool) {
        self.1.store(full, Ordering::SeqCst);
    }

    pub(crate) fn enter(&self, slot: &str, name: &str, secret: &str) {
        let mut slots = self.0.lock().unwrap();
        let slot = slots.entry(slot.to_owned()).or_default();
        slot.insert(name.to_owned(), secret.to_owned());
    }
}

#[async_trait]
impl Vault for MemoryVault {
    async fn secrets(
        &self,
        _: ConnectionId,
        slot: &str,
    ) -> Result<BTreeMap<String, SecretString>, PortError> {
        let slots = self.0.lock().unwrap();
        let secrets = slots.get(slot).cloned().unwrap_or_default();
        Ok(secrets
            .into_iter()
            .map(|(name, secret)| (name, secret.into()))
            .collect())
    }

    async fn keep(
        &self,
        _: ConnectionId,
        slot: &str,
        name: &str,
        secret: &SecretString,
    ) -> Result<(), PortError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(PortError("the disk is full".to_owned()));
        }
        self.enter(slot, name, secret.expose_secret());
        Ok(())
    }
}

/// Fingerprints by server.
#[derive(Default)]
pub(crate) struct MemoryHostKeys(pub(crate) Mutex<BTreeMap<String, String>>);

#[async_trait]
impl HostKeys for MemoryHostKeys {
    async fn known(&self, _: ConnectionId, place: &str) -> Result<Option<String>, PortError> {
        Ok(self.0.lock().unwrap().get(place).cloned())
    }

    async fn keep(
        &self,
        _: ConnectionId,
        place: &str,
        fingerprint: &str,
    ) -> Result<String, PortError> {
        let mut all = self.0.lock().unwrap();
        let kept = all.entry(place.to_owned());
        Ok(kept.or_insert_with(|| fingerprint.to_owned()).clone())
    }
}

/// Stands still unless moved; a sleep moves it.
pub(crate) struct StillClock(pub(crate) AtomicI64);

impl StillClock {
    pub(crate) fn at(now: Millis) -> Self {
        Self(AtomicI64::new(now))
    }
    pub(crate) fn advance(&self, ms: Millis) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for StillClock {
    fn now_ms(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }
    async fn sleep_ms(&self, ms: u64) {
        self.advance(Millis::try_from(ms).unwrap());
        tokio::task::yield_now().await;
    }
}

pub(crate) struct Fours;

impl Rng for Fours {
    fn next_u64(&self) -> u64 {
        4
    }
}
