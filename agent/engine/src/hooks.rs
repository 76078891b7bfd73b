//! Webhook requests: taken raw and committed before they are answered, read in batches without network, turned into
//! hints. Owns the addresses with their secrets, as digests. Knows no HTTP; what stands at the vendor is `ensure.rs`'s
//! business, what becomes of hints `hints.rs`'s.

use crate::calls;
use crate::core::{Core, Desk, OneBuild, Slot};
use crate::disk::Room;
use crate::event::Event;
use crate::handle::Handle;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use subtle::ConstantTimeEq;
use waybill_host::connector::{CallError, Mode, Received};
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Delivered, Failure, KvWrite, Pairs, Problem, Role};
use waybill_model::crash;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, DeliveryId, Millis};
use waybill_model::job::Priority;
use waybill_store::{DeliveryRow, HooksRow, Read, StoreError, Tx};

/// Requests of one connection that may wait to be read; more are refused until some were.
pub const MOST_WAITING: u64 = 10_000;
/// Requests read in one call.
const BATCH: usize = 200;
/// A hint waits that long for others about the same document.
const CONFLATE_MS: Millis = 2_000;
/// What comes that soon after a reading is read together: their hints wait longer anyway.
const REST_MS: Millis = 250;
/// Requests of one connection taken at once, after a while without any.
const BURST: Millis = 12_000;
/// How many more may come each second.
const PER_SECOND: Millis = 200;
/// No reading is put off for longer; a vendor's own waiting time holds its connection anyway.
const LONGEST_MS: Millis = 300_000;
/// When to come again while too many wait or come, in seconds.
const AGAIN_SECS: u32 = 30;

/// Stands for no connection; none has this number.
const NOBODY: ConnectionId = ConnectionId(0);

/// Where the secret of a connection's address is sealed.
pub(crate) const SLOT: &str = "agent-hooks";
/// Its name there.
pub(crate) const NAME: &str = "address";

/// Why a webhook request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HookRefusal {
    /// No such address, or not its secret; nobody learns which.
    #[error("there is no such address")]
    Unknown,
    /// It could not be committed now: too many wait, too many come, or the database refuses.
    #[error("no webhook request can be taken now")]
    NotReady {
        /// When to come again, in seconds.
        retry_after_secs: u32,
    },
}

const NOT_READY: HookRefusal = HookRefusal::NotReady {
    retry_after_secs: AGAIN_SECS,
};

/// An address somebody may call.
struct Door {
    connection: ConnectionId,
    digest: [u8; 32],
}

/// Room for requests of one connection.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    room: Millis,
    at: Millis,
}

impl Bucket {
    /// Takes one if there is room; every millisecond makes room for a part of one.
    fn take(&mut self, now: Millis) -> bool {
        let passed = now
            .saturating_sub(self.at)
            .clamp(0, BURST * 1000 / PER_SECOND);
        self.room = (self.room + passed * PER_SECOND).min(BURST * 1000);
        self.at = now;
        let free = self.room >= 1000;
        if free {
            self.room -= 1000;
        }
        free
    }
}

/// What is only known while the agent runs; everything else is in the store.
#[derive(Default)]
pub(crate) struct Hooks {
    doors: RwLock<BTreeMap<String, Door>>,
    buckets: Mutex<BTreeMap<ConnectionId, Bucket>>,
    /// Connections with requests that nobody was told of yet.
    told: Mutex<BTreeSet<ConnectionId>>,
    /// Put in order at the next look, whenever that was done before.
    pub(crate) ensure_now: Mutex<BTreeSet<ConnectionId>>,
    /// Reading requests, or documents of one kind, is put off until then after so many failures.
    put_off: Mutex<BTreeMap<Reading, (Millis, u32)>>,
    /// Requests by the status they were answered with since the start; those to no address of ours under 0.
    answered: Mutex<BTreeMap<(ConnectionId, u16), u64>>,
    /// Words that an examination sent to our own address, and whether they arrived.
    words: Mutex<BTreeMap<String, bool>>,
}

/// Requests of a connection, or its documents of one kind.
type Reading = (ConnectionId, Option<Entity>);

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hooks {
    /// Opens the addresses that have a secret, and no other.
    pub(crate) fn open(&self, addresses: Vec<(ConnectionId, String, Option<SecretString>)>) {
        held(&self.ensure_now).extend(addresses.iter().map(|(id, ..)| *id));
        let doors = addresses
            .into_iter()
            .filter_map(|(connection, name, secret)| {
                let digest = digest(secret?.expose_secret().as_bytes());
                Some((name, Door { connection, digest }))
            });
        *self.doors.write().unwrap_or_else(PoisonError::into_inner) = doors.collect();
    }

    /// Opens or closes one address.
    pub(crate) fn set(&self, connection: ConnectionId, name: &str, secret: Option<&SecretString>) {
        let mut doors = self.doors.write().unwrap_or_else(PoisonError::into_inner);
        doors.retain(|_, door| door.connection != connection);
        if let Some(secret) = secret {
            let digest = digest(secret.expose_secret().as_bytes());
            doors.insert(name.to_owned(), Door { connection, digest });
        }
    }

    /// The connection behind an address. An unknown name is compared as well, with what nobody can have.
    fn knock(&self, name: &str, secret: &[u8]) -> Option<ConnectionId> {
        let given = digest(secret);
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        let door = doors.get(name);
        let expected = door.map_or([0; 32], |door| door.digest);
        let same = bool::from(given.ct_eq(&expected));
        door.filter(|_| same).map(|door| door.connection)
    }

    fn admit(&self, connection: ConnectionId, now: Millis) -> bool {
        let fresh = Bucket {
            room: BURST * 1000,
            at: now,
        };
        let mut buckets = held(&self.buckets);
        buckets.entry(connection).or_insert(fresh).take(now)
    }

    /// When a reading that failed may be tried again.
    pub(crate) fn again_at(
        &self,
        connection: ConnectionId,
        entity: Option<Entity>,
        now: Millis,
    ) -> Millis {
        let put_off = held(&self.put_off).get(&(connection, entity)).copied();
        // A time that lies further ahead was set before the clock was set back.
        put_off.map_or(now, |(at, _)| at.clamp(now, now + LONGEST_MS))
    }

    /// A reading failed through no fault of what was read.
    pub(crate) fn put_off(
        &self,
        core: &Core,
        connection: ConnectionId,
        entity: Option<Entity>,
        wait_ms: Option<Millis>,
    ) {
        let mut all = held(&self.put_off);
        let (at, failures) = all.entry((connection, entity)).or_default();
        *failures += 1;
        let wait =
            wait_ms.unwrap_or_else(|| core.backoff().wait_ms(*failures, core.rng.next_u64()));
        *at = core.now() + wait;
    }

    /// The next reading waits that long, so that what is to be read meanwhile is read together.
    pub(crate) fn rest(&self, connection: ConnectionId, entity: Option<Entity>, until: Millis) {
        held(&self.put_off).insert((connection, entity), (until, 0));
    }

    /// Requests of a connection by the status they were answered with.
    pub(crate) fn answered(&self, connection: ConnectionId) -> Vec<(u16, u64)> {
        let answered = held(&self.answered);
        let mine = answered.iter().filter(|((id, _), _)| *id == connection);
        mine.map(|((_, status), n)| (*status, *n)).collect()
    }

    /// Requests to no address of ours.
    pub(crate) fn strangers(&self) -> u64 {
        held(&self.answered)
            .iter()
            .filter(|((id, _), _)| *id == NOBODY)
            .map(|(_, n)| n)
            .sum()
    }

    /// An examination sends this word to our own address.
    pub(crate) fn expect(&self, word: &str) {
        held(&self.words).insert(word.to_owned(), false);
    }

    /// Whether it arrived; it is expected no longer.
    pub(crate) fn was_heard(&self, word: &str) -> bool {
        held(&self.words).remove(word).unwrap_or(false)
    }

    /// A reading went well.
    pub(crate) fn went_well(&self, connection: ConnectionId, entity: Option<Entity>) {
        held(&self.put_off).remove(&(connection, entity));
    }
}

fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Headers that carry no secret, names in lower case.
fn harmless(headers: Pairs) -> Pairs {
    const SECRET: [&str; 7] = [
        "auth", "cookie", "token", "secret", "key", "password", "session",
    ];
    headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| !SECRET.iter().any(|part| name.contains(part)))
        .collect()
}

impl Handle {
    /// Whether there is such an address, in constant time. So that nothing is read from strangers; `take_delivery` looks
    /// again.
    pub fn knows_hook(&self, connection: &str, secret: &[u8]) -> bool {
        self.core.hooks.knock(connection, secret).is_some()
    }

    /// Counts an answer of the hooks listener. `known`: the connection whose address was called.
    pub fn answered_hook(&self, known: Option<&str>, status: u16) {
        let hooks = &self.core.hooks;
        let connection = known.and_then(|name| {
            let doors = hooks.doors.read().unwrap_or_else(PoisonError::into_inner);
            doors.get(name).map(|door| door.connection)
        });
        let key = (connection.unwrap_or(NOBODY), status);
        *held(&hooks.answered).entry(key).or_default() += 1;
    }

    /// Somebody said this at the hooks listener, where a secret belongs. Only an examination that is under way wants to
    /// know; whoever asks learns nothing.
    pub fn hear(&self, word: &str) {
        if let Some(heard) = held(&self.core.hooks.words).get_mut(word) {
            *heard = true;
        }
    }

    /// Takes a webhook request: committed before this answers `Ok`. `connection` and `secret` are the parts of the
    /// address that was called; secrets are compared in constant time.
    ///
    /// # Errors
    /// [`HookRefusal`]; nothing was kept.
    pub async fn take_delivery(
        &self,
        connection: &str,
        secret: &[u8],
        headers: Pairs,
        body: Vec<u8>,
    ) -> Result<(), HookRefusal> {
        let core = &self.core;
        let id = core
            .hooks
            .knock(connection, secret)
            .ok_or(HookRefusal::Unknown)?;
        let now = core.now();
        if !core.hooks.admit(id, now) {
            tracing::debug!(%connection, "Webhook requests come too fast.");
            return Err(NOT_READY);
        }
        let delivered = Delivered {
            headers: harmless(headers),
            body,
        };
        if core.room() == Room::Stop {
            return Err(NOT_READY);
        }
        crash::point("hook.before-commit");
        let taken = core.store.write(move |tx| {
            if tx.delivery_backlog(id)? >= MOST_WAITING {
                return Ok(false);
            }
            tx.put_delivery(id, &delivered, now).map(|_| true)
        });
        match taken.await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(%connection, waiting = MOST_WAITING, "Too many webhook requests wait to be read.");
                return Err(NOT_READY);
            }
            Err(StoreError::NotFound { .. }) => return Err(HookRefusal::Unknown),
            Err(error) => {
                tracing::warn!(%connection, %error, "A webhook request could not be kept.");
                return Err(NOT_READY);
            }
        }
        crash::point("hook.committed");
        if held(&core.hooks.told).insert(id) {
            core.wake(Event::Delivered(id));
        }
        Ok(())
    }
}

/// Whether a connection's requests can be read now, or when; `None`: there are none.
pub(crate) fn due(
    core: &Core,
    slot: &Slot,
    rx: &dyn Read,
    now: Millis,
) -> Result<Option<Millis>, StoreError> {
    let reads = slot
        .connector()
        .is_some_and(|c| c.roles().contains(&Role::Webhook));
    if !reads || rx.delivery_backlog(slot.row.id)? == 0 {
        return Ok(None);
    }
    Ok(Some(core.hooks.again_at(slot.row.id, None, now)))
}

/// What became of some requests.
enum Understood {
    /// They are hints now, or refused.
    Yes,
    /// The connector stopped over one of several: which one is to be found out.
    Stopped,
    /// Not now.
    Later,
}

/// Reads the requests of a connection until none is left. They need no network: also those of a connection that is
/// paused or held are read, and their hints wait.
pub(crate) async fn receive(core: Arc<Core>, connection: ConnectionId) -> Result<(), StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&connection) else {
        return Ok(());
    };
    let mut build = OneBuild::default();
    if !build.is(slot) {
        return Ok(());
    }
    while !core.stopping.load(Ordering::Relaxed) {
        if !core.slot(connection).is_some_and(|slot| build.is(&slot)) {
            // The next look reads the rest with the build that took over.
            break;
        }
        // Before each look: what is committed after it is told anew.
        held(&core.hooks.told).remove(&connection);
        let rows = core.store.read(|rx| rx.deliveries(connection, BATCH))?;
        if rows.is_empty() {
            let until = core.now() + REST_MS;
            core.hooks.rest(connection, None, until);
            break;
        }
        let mut parts = vec![rows];
        while let Some(mut part) = parts.pop() {
            match understand(&core, &desk, slot, &part).await? {
                Understood::Yes => {}
                Understood::Stopped => {
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([rest, part]);
                }
                Understood::Later => return Ok(()),
            }
        }
    }
    Ok(())
}

async fn understand(
    core: &Arc<Core>,
    desk: &Arc<Desk>,
    slot: &Slot,
    rows: &[DeliveryRow],
) -> Result<Understood, StoreError> {
    let connection = slot.row.id;
    let Some(connector) = slot.connector() else {
        return Ok(Understood::Later);
    };
    let call = core.call(
        slot,
        EffectScope::Setup("webhook".to_owned()),
        Priority::Order,
        Mode::ReadOnly,
        1,
    );
    let batch = rows.iter().map(|row| row.delivered.clone()).collect();
    let answer = connector.receive(call, batch).await;
    let results = match answer.value {
        Ok(results) if results.len() == rows.len() => results,
        Err(error @ (CallError::Host(_) | CallError::Failure(Failure::Retry(_)))) => {
            tracing::warn!(requests = rows.len(), error = ?error, "Webhook requests could not be read now.");
            core.hooks.put_off(core, connection, None, None);
            return Ok(Understood::Later);
        }
        _ if rows.len() > 1 => return Ok(Understood::Stopped),
        Ok(results) => {
            let why = format!("answered {} results for one request", results.len());
            vec![Err(stopped(&CallError::Contract(why)))]
        }
        Err(error) => vec![Err(stopped(&error))],
    };
    keep(core, desk, connection, rows, results, answer.writes).await?;
    core.hooks.went_well(connection, None);
    Ok(Understood::Yes)
}

fn stopped(error: &CallError) -> Problem {
    Problem::new(
        "webhook-not-read",
        calls::sentence(error),
        "Update the connector; polling brings the document meanwhile.",
    )
}

/// Hints instead of requests, in one commit.
async fn keep(
    core: &Arc<Core>,
    desk: &Arc<Desk>,
    connection: ConnectionId,
    rows: &[DeliveryRow],
    results: Received,
    writes: Vec<KvWrite>,
) -> Result<(), StoreError> {
    let now = core.now();
    let mut keys = BTreeSet::new();
    let mut refused = Vec::new();
    for result in results {
        match result {
            Ok(hints) => keys.extend(hints),
            Err(problem) => refused.push(problem),
        }
    }
    let given = desk.slots.get(&connection).and_then(|s| s.descriptor());
    keys.retain(|hint| given.is_some_and(|d| d.feed(hint.entity).is_some()));
    let ids: Vec<DeliveryId> = rows.iter().map(|row| row.id).collect();
    let newest = rows.iter().map(|row| row.at).max();
    let (hints, read) = (keys.len(), rows.len());
    for problem in &refused {
        tracing::warn!(code = %problem.code, message = %problem.message, "A webhook request was not understood.");
    }
    crash::point("hints.before-commit");
    core.store
        .write(move |tx| {
            for hint in &keys {
                tx.hint(connection, hint.entity, &hint.key, now + CONFLATE_MS)?;
            }
            tx.remove_deliveries(connection, &ids)?;
            tx.kv_apply(connection, &writes)?;
            note(tx, connection, newest, &refused, now)
        })
        .await?;
    crash::point("hints.committed");
    core.observe(|| format!("hints {connection} requests={read} hints={hints}"));
    core.wake(Event::Changed);
    Ok(())
}

/// What the page shows of them; what was not understood is in History as well.
fn note(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    newest: Option<Millis>,
    refused: &[Problem],
    now: Millis,
) -> Result<(), StoreError> {
    let known = tx.hooks(connection)?;
    let mut row = known.unwrap_or_else(|| HooksRow::new(connection));
    row.last_delivery = row.last_delivery.max(newest);
    if let Some(problem) = refused.last() {
        row.refused += refused.len() as u64;
        row.last_refusal = Some(problem.message.clone());
        let name = tx.connection(connection)?.map(|row| row.name);
        let detail = format!(
            "{}: {} not understood ({}): {}",
            name.unwrap_or_default(),
            refused.len(),
            problem.code,
            problem.message
        );
        tx.audit("waybill", "Webhook requests left out", &detail, now)?;
    }
    tx.put_hooks(&row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_opens_with_its_own_secret_only() {
        let hooks = Hooks::default();
        let secret = |text: &str| Some(SecretString::from(text));
        hooks.open(vec![
            (ConnectionId(1), "erp".to_owned(), secret("aaa")),
            (ConnectionId(2), "shop".to_owned(), secret("bbb")),
            (ConnectionId(3), "none".to_owned(), None),
        ]);
        assert_eq!(hooks.knock("erp", b"aaa"), Some(ConnectionId(1)));
        for (name, given) in [
            ("erp", "bbb"),
            ("erp", ""),
            ("erp", "aa"),
            ("erp", "aaaa"),
            ("none", ""),
            ("nobody", "aaa"),
        ] {
            assert_eq!(hooks.knock(name, given.as_bytes()), None, "{name} {given}");
        }
        hooks.set(ConnectionId(1), "erp", None);
        assert_eq!(hooks.knock("erp", b"aaa"), None);
        assert_eq!(hooks.knock("shop", b"bbb"), Some(ConnectionId(2)));
    }

    #[test]
    fn a_flood_is_bounded_and_room_comes_back() {
        let hooks = Hooks::default();
        let admitted = |now| {
            (0..20_000)
                .filter(|_| hooks.admit(ConnectionId(1), now))
                .count()
        };
        assert_eq!(admitted(1_000_000), 12_000);
        assert_eq!(admitted(1_001_000), 200);
        assert_eq!(admitted(1_000_500), 0, "a clock set back gives no room");
        assert_eq!(admitted(9_000_000), 12_000);
        assert!(hooks.admit(ConnectionId(2), 9_000_000));
    }

    #[test]
    fn headers_that_may_hold_a_secret_are_dropped() {
        let given = [
            ("Content-Type", "application/json"),
            ("Authorization", "Bearer x"),
            ("Cookie", "a=b"),
            ("X-Api-Key", "x"),
            ("X-Access-Token", "x"),
            ("User-Agent", "vendor"),
        ];
        let given = given.map(|(n, v)| (n.to_owned(), v.to_owned()));
        let kept: Vec<String> = harmless(given.into()).into_iter().map(|(n, _)| n).collect();
        assert_eq!(kept, ["content-type", "user-agent"]);
    }
}
