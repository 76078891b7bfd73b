//! What was told, and the messages that are on their way: one value of the store, changed in one commit. Pure but for
//! reading and writing that value.

use super::facts::Fact;
use super::message::Message;
use super::wishes::Wishes;
use crate::view::AlarmView;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use waybill_model::ids::Millis;
use waybill_store::{Read, StoreError, Tx};

const PLACE: &str = "alerts";
const MINUTE_MS: Millis = 60_000;
/// Between two messages that could wait.
const REST_MS: Millis = 5 * MINUTE_MS;
/// What is over for so long may be told again when it comes back.
const FORGET_MS: Millis = 60 * MINUTE_MS;
/// Whoever answers again for so long is said to.
const OVER_MS: Millis = 5 * MINUTE_MS;
/// A message that does not arrive for so long is dropped.
const DROP_MS: Millis = 24 * 60 * MINUTE_MS;
/// The longest wait before it is sent again.
const LONGEST_MS: Millis = 60 * MINUTE_MS;
/// Messages on their way at most; the oldest is dropped.
const MOST: usize = 100;
/// Messages kept to be shown.
const SHOWN: usize = 20;

/// A way that messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    Mail,
    Webhook,
}

impl By {
    pub(crate) const ALL: [Self; 2] = [Self::Mail, Self::Webhook];

    /// Whether the merchant wants this way.
    pub(crate) const fn is_wanted(self, wishes: &Wishes) -> bool {
        match self {
            Self::Mail => wishes.mail.is_some(),
            Self::Webhook => wishes.hook.is_some(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    at: Millis,
    over: Option<String>,
    /// Since when it is over.
    gone: Option<Millis>,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) id: u64,
    pub(crate) by: By,
    pub(crate) message: Message,
    attempts: u32,
    pub(crate) due: Millis,
}

/// How a way does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Doing {
    pub(crate) last_ok: Option<Millis>,
    pub(crate) error: Option<String>,
    /// Messages that never arrived, since the last one that did.
    pub(crate) dropped: u64,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    next: u64,
    told: BTreeMap<String, Told>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) ways: BTreeMap<By, Doing>,
    pub(crate) ping: Doing,
    pub(crate) recent: Vec<Message>,
    last: Millis,
    digest: String,
}

/// What every page says while messages do not arrive.
pub(crate) const UNDELIVERED: &str = "Alerts cannot be delivered.";

impl State {
    pub(crate) fn read(rows: &dyn Read) -> Result<Self, StoreError> {
        let bytes = rows.meta(PLACE)?;
        let read = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(read.unwrap_or_default())
    }

    pub(crate) fn write(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        tx.put_meta(PLACE, &bytes)
    }

    /// Takes what is true now; what is to be told becomes messages.
    pub(crate) fn take(&mut self, facts: &[Fact], wishes: &Wishes, now: Millis) {
        let ended = self.mark_ended(facts, now);
        let quiet = wishes.quiet_until(now);
        let new: Vec<&Fact> = facts
            .iter()
            .filter(|f| !self.told.contains_key(&f.key))
            .collect();
        let urgent = |fact: &&Fact| {
            let ends = quiet.unwrap_or(now + REST_MS);
            fact.by.is_some_and(|by| by < ends)
        };
        let rests = quiet.is_some() || now - self.last < REST_MS && now >= self.last;
        let tell: Vec<&Fact> = if rests {
            new.into_iter().filter(urgent).collect()
        } else {
            new
        };
        let over = if rests { Vec::new() } else { ended };
        if tell.is_empty() && over.is_empty() {
            return;
        }
        for fact in &tell {
            let told = Told {
                at: now,
                over: fact.over.clone(),
                gone: None,
            };
            self.told.insert(fact.key.clone(), told);
        }
        let mut said = Vec::new();
        for key in over {
            said.extend(self.told.remove(&key).and_then(|told| told.over));
        }
        if tell.is_empty() && said.is_empty() {
            return;
        }
        self.last = now;
        self.queue(Message::of(&tell, &said, wishes, now), wishes, now);
    }

    /// Marks what is not true any more; keys of what is over for long enough to be said or forgotten.
    fn mark_ended(&mut self, facts: &[Fact], now: Millis) -> Vec<String> {
        let mut ended = Vec::new();
        for (key, told) in &mut self.told {
            if facts.iter().any(|fact| fact.key == *key) {
                told.gone = None;
                continue;
            }
            let gone = *told.gone.get_or_insert(now);
            let enough = if told.over.is_some() {
                OVER_MS
            } else {
                FORGET_MS
            };
            if now - gone >= enough {
                ended.push(key.clone());
            }
        }
        ended
    }

    /// Puts a message on every way that is wanted.
    pub(crate) fn queue(&mut self, message: Message, wishes: &Wishes, now: Millis) {
        for by in By::ALL.into_iter().filter(|by| by.is_wanted(wishes)) {
            self.next += 1;
            self.waiting.push(Waiting {
                id: self.next,
                by,
                message: message.clone(),
                attempts: 0,
                due: now,
            });
        }
        self.recent.insert(0, message);
        self.recent.truncate(SHOWN);
        while self.waiting.len() > MOST {
            let dropped = self.waiting.remove(0);
            self.ways.entry(dropped.by).or_default().dropped += 1;
        }
    }

    /// Whether the digest of that day is to be made; it counts as made from then on.
    pub(crate) fn begins_digest(&mut self, day: &str) -> bool {
        let new = self.digest != day;
        day.clone_into(&mut self.digest);
        new
    }

    /// Takes what became of a message.
    pub(crate) fn settle(&mut self, id: u64, became: Result<(), String>, now: Millis) {
        let Some(at) = self.waiting.iter().position(|w| w.id == id) else {
            return;
        };
        let way = self.ways.entry(self.waiting[at].by).or_default();
        match became {
            Ok(()) => {
                *way = Doing {
                    last_ok: Some(now),
                    ..Doing::default()
                };
                self.waiting.remove(at);
            }
            Err(why) => {
                way.error = Some(why);
                let message = &mut self.waiting[at];
                message.attempts += 1;
                let wait = MINUTE_MS << message.attempts.saturating_sub(1).min(6);
                message.due = now + wait.min(LONGEST_MS);
                if now - message.message.at >= DROP_MS {
                    way.dropped += 1;
                    self.waiting.remove(at);
                }
            }
        }
    }

    /// Forgets messages on ways that nobody wants any more.
    pub(crate) fn keep_wanted(&mut self, wishes: &Wishes) {
        self.waiting.retain(|waiting| waiting.by.is_wanted(wishes));
        self.ways.retain(|by, _| by.is_wanted(wishes));
    }
}

/// What every page says while messages do not arrive.
pub(crate) fn alarm(rows: &dyn Read) -> Result<Option<AlarmView>, StoreError> {
    let state = State::read(rows)?;
    let stuck = state.waiting.iter().any(|waiting| waiting.attempts >= 3);
    let dropped = state.ways.values().any(|way| way.dropped > 0);
    let why = state.ways.into_values().find_map(|way| way.error);
    Ok((stuck || dropped).then(|| AlarmView {
        text: UNDELIVERED.to_owned(),
        as_of: None,
        hint: format!(
            "{} Look at the page Alerts and test them.",
            why.unwrap_or_default()
        )
        .trim()
        .to_owned(),
    }))
}
