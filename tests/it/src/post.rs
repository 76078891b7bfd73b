//! The ERP's webhooks: requests that are lost, doubled and late, to the addresses it was given. They only make it faster.

use crate::erp::Erp;
use crate::line::Luck;
use crate::world::{Chance, Outside, World, lock};
use waybill_engine::{Handle, HookRefusal};
use waybill_host::connector::{Call, CallError};
use waybill_host::ports::{Begun, Finish};
use waybill_model::contract::{Delivered, Failure, Hint, Problem};
use waybill_model::document::Entity;
use waybill_model::ids::Millis;

/// Where the ERP calls us, without path.
pub const URL: &str = "https://hooks.example.com";
/// A request is that long on its way at most.
const LATE_MS: u64 = 20_000;
/// A request that was not taken comes again after that long.
const AGAIN_MS: Millis = 4_000;

/// Requests, and where they go.
#[derive(Debug, Default)]
pub struct Post {
    /// The newest time that anybody heard of.
    pub now: Millis,
    /// Addresses; the same one twice is called twice.
    pub registered: Vec<String>,
    on_the_way: Vec<(Millis, Vec<u8>)>,
    /// Requests that the agent took.
    pub taken: u64,
}

impl Outside {
    /// Something about this document changed.
    pub fn tell(&mut self, entity: &str, key: &str, chance: &mut Chance) {
        if self.post.registered.is_empty() {
            return;
        }
        // A third is lost, a sixth comes twice.
        let copies = [0, 0, 1, 1, 1, 2][usize::try_from(chance.below(6)).unwrap_or(0)];
        for _ in 0..copies {
            let wait = Millis::try_from(chance.below(LATE_MS)).unwrap_or(0);
            let body = format!("{entity} {key}").into_bytes();
            self.post.on_the_way.push((self.post.now + wait, body));
        }
    }

    /// Whether a request is on its way.
    pub fn is_posting(&self) -> bool {
        !self.post.on_the_way.is_empty()
    }
}

/// Brings what is due. An agent that is not there takes nothing.
pub async fn deliver(world: &World, handle: &Handle, now: Millis) {
    let (due, addresses) = {
        let mut world = lock(world);
        world.post.now = now;
        let (due, later) = std::mem::take(&mut world.post.on_the_way)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        world.post.on_the_way = later;
        let due: Vec<(Millis, Vec<u8>)> = due;
        (due, world.post.registered.clone())
    };
    for (_, body) in due {
        for address in &addresses {
            let path = address.strip_prefix(URL).unwrap_or_default();
            let mut parts = path.trim_start_matches("/hooks/").split('/');
            let (name, secret) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let taken = handle.take_delivery(name, secret.as_bytes(), Vec::new(), body.clone());
            match taken.await {
                Ok(()) => lock(world).post.taken += 1,
                Err(HookRefusal::NotReady { .. }) => {
                    lock(world)
                        .post
                        .on_the_way
                        .push((now + AGAIN_MS, body.clone()));
                }
                Err(HookRefusal::Unknown) => {}
            }
        }
    }
}

/// What a request says to read again.
pub(crate) fn understood(delivered: &Delivered) -> Result<Vec<Hint>, Problem> {
    let not = || Problem::new("not-understood", "It makes no sense.", "Look.");
    let text = std::str::from_utf8(&delivered.body).map_err(|_| not())?;
    let (entity, key) = text.split_once(' ').ok_or_else(not)?;
    let entity = Entity::from_word(entity).ok_or_else(not)?;
    Ok(vec![Hint {
        entity,
        key: key.to_owned(),
    }])
}

impl Erp {
    /// Registers an address, unless it is there.
    pub(crate) async fn register(&self, call: &Call, address: String) -> Result<(), CallError> {
        let failed = CallError::Failure;
        self.line.ask(call, 40).await.map_err(failed)?;
        if lock(&self.world).post.registered.contains(&address) {
            return Ok(());
        }
        let host = |error: waybill_host::ports::PortError| CallError::Host(error.0);
        let (connection, scope) = (call.connection, &call.scope);
        let begun = self
            .journal
            .begin(connection, scope, "register", &[], Some(Millis::MAX));
        let Begun::Fresh(effect) = begun.await.map_err(host)? else {
            return Err(failed(Failure::Retry(None)));
        };
        let luck = self.line.send(call, 40).await;
        if matches!(luck, Luck::Good | Luck::CutAfter) {
            lock(&self.world).post.registered.push(address);
        }
        let finish = match luck {
            Luck::Good => Finish::Answered(Vec::new()),
            Luck::Refused(_) => Finish::NothingHappened,
            Luck::CutBefore | Luck::CutAfter => return Err(failed(luck.failure())),
        };
        self.journal.finish(effect, finish).await.map_err(host)?;
        if luck == Luck::Good {
            Ok(())
        } else {
            Err(failed(luck.failure()))
        }
    }
}
