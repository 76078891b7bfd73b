//! Values of settings that stand for a record of the vendor's, held against the lists that it offers: when they are saved, at
//! the start, after each change and once a day. One that is not there any more, or is hidden, is a card that names setting,
//! value and next step; it goes by itself. Reads only. A list that does not come says nothing about anybody.

use crate::apply::{At, ConnectionPlan, Mistake, Pair, Plan};
use crate::attend;
use crate::connecting::Offer;
use crate::connecting::look::{list, usable};
use crate::connecting::save::unborn;
use crate::core::{Core, Desk, Slot, is_callable};
use crate::handle::{CommandError, Handle};
use crate::rehearsal::to_keep;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use waybill_host::connector::CallError;
use waybill_model::contract::{Descriptor, Failure, Field, Problem, Setting};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Work;
use waybill_model::settings::Values;
use waybill_store::{ConnectionRow, Lists, Read, Rx, SettingRow, StoreError, Tx};

/// Code: the vendor does not offer what a setting says.
pub(crate) const CODE: &str = "setting-not-offered";
/// How keys of such cards begin: the setting follows, and the retailer where it is one's own.
const CARD: &str = "card/setting/";
/// Such a card is of no feed: its kind may be any, and is always this.
const OF_NO_FEED: Entity = Entity::Order;
/// They are looked at again that much later.
const EVERY_MS: Millis = 86_400_000;
/// A list that did not come is asked for again that much later.
const AGAIN_MS: Millis = 600_000;
/// Values that a mistake names.
const NAMED: usize = 8;

/// A value that was chosen from a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) key: String,
    pub(crate) retailer: Option<String>,
    pub(crate) value: String,
}

impl Chosen {
    fn card(&self) -> String {
        let Self { key, retailer, .. } = self;
        let retailer = retailer.as_ref().map(|code| format!("/{code}"));
        format!("{CARD}{key}{}", retailer.unwrap_or_default())
    }

    /// "`channel`", "`channel` of retailer R1".
    fn named(&self) -> String {
        match &self.retailer {
            None => format!("`{}`", self.key),
            Some(code) => format!("`{}` of retailer {code}", self.key),
        }
    }
}

/// A value that may not be used.
#[derive(Debug, Clone)]
pub(crate) struct Wrong {
    pub(crate) chosen: Chosen,
    /// Its words, where it is there and hidden.
    hidden: Option<String>,
    /// What may be chosen instead: value and words.
    offers: Vec<(String, String)>,
}

impl Wrong {
    fn why(&self, title: &str) -> String {
        match &self.hidden {
            None => format!("{title} does not have it"),
            Some(label) if *label == self.chosen.value => {
                format!("{title} has hidden it: nothing new can be made with it")
            }
            Some(label) => {
                format!("{title} has hidden it ({label}): nothing new can be made with it")
            }
        }
    }

    /// What is stored and cannot be used.
    pub(crate) fn problem(&self, title: &str) -> Problem {
        let (named, value) = (self.chosen.named(), &self.chosen.value);
        let message = format!("The setting {named} is `{value}`, and {}.", self.why(title));
        let where_to = match &self.chosen.retailer {
            None => format!("Choose another value on the page Connections, {title}, Set up."),
            Some(_) => {
                "Name another value for this retailer in a file, and `waybill apply` it.".to_owned()
            }
        };
        let offers = self.offers();
        Problem::new(CODE, message, format!("{where_to} {offers}"))
    }

    fn mistake(&self, at: &At<String>, title: &str) -> Mistake {
        let (named, value) = (self.chosen.named(), &self.chosen.value);
        let message = format!("{named} cannot be `{value}`: {}", self.why(title));
        Mistake::new(at.place, message).hint(self.offers())
    }

    fn offers(&self) -> String {
        let say = |(value, label): &(String, String)| {
            if label == value {
                label.clone()
            } else {
                format!("{value} ({label})")
            }
        };
        let named: Vec<String> = self.offers.iter().take(NAMED).map(say).collect();
        match self.offers.len() {
            0 => "Its list is empty: leave the setting empty.".to_owned(),
            n if n > NAMED => format!("It offers {n}: {} ...", named.join(", ")),
            _ => format!("It offers: {}.", named.join(", ")),
        }
    }
}

/// What came of a look at the lists.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    pub(crate) wrong: Vec<Wrong>,
    /// Settings whose list did not come, and whether asking again soon is worth it.
    unread: BTreeMap<String, bool>,
    /// What each whole list offers: value and words.
    lists: BTreeMap<String, Vec<Offer>>,
}

/// Holds values against the lists that a vendor offers now.
pub(crate) async fn look(core: &Core, slot: &Slot, chosen: Vec<Chosen>) -> Looked {
    let keys: BTreeSet<&str> = chosen.iter().map(|one| one.key.as_str()).collect();
    let asked = keys.iter().map(|key| list(core, slot, key));
    let lists: BTreeMap<String, _> = keys
        .iter()
        .map(|key| (*key).to_owned())
        .zip(join_all(asked).await)
        .collect();
    let mut looked = Looked::default();
    for one in chosen {
        let (known, whole) = match lists.get(&one.key) {
            Some(Ok((choices, whole))) => (choices.as_slice(), *whole),
            Some(Err(error)) => {
                looked.unread.insert(one.key, may_pass(error.as_ref()));
                continue;
            }
            None => continue,
        };
        let found = known.iter().find(|choice| choice.value == one.value);
        match found {
            Some(choice) if !choice.disabled => {}
            None if !whole => {
                looked.unread.insert(one.key, false);
            }
            found => looked.wrong.push(Wrong {
                hidden: found.map(|choice| choice.label.clone()),
                offers: usable(known),
                chosen: one,
            }),
        }
    }
    let whole = lists.into_iter().filter_map(|(key, list)| match list {
        Ok((choices, true)) => Some((key, usable(&choices))),
        _ => None,
    });
    looked.lists = whole.collect();
    looked
}

/// Whether a list may come the next time.
const fn may_pass(error: Option<&CallError>) -> bool {
    matches!(
        error,
        None | Some(
            CallError::Failure(Failure::Retry(_) | Failure::Unauthorized(_))
                | CallError::TimedOut
                | CallError::Host(_)
        )
    )
}

fn is_listed(descriptor: &Descriptor, key: &str) -> bool {
    let listed = |s: &Setting| s.key == key && matches!(s.field, Field::Lookup);
    descriptor.settings.iter().any(listed)
}

/// What is stored of a connection's settings that are chosen from lists.
fn stored(rows: Vec<SettingRow>, descriptor: &Descriptor) -> Vec<Chosen> {
    let rows = rows
        .into_iter()
        .filter(|row| is_listed(descriptor, &row.key));
    let chosen = rows.map(|row| Chosen {
        value: row.value.trim().to_owned(),
        key: row.key,
        retailer: row.scope.retailer,
    });
    chosen.filter(|one| !one.value.is_empty()).collect()
}

/// The stored values of a connection.
pub(crate) fn chosen(rx: &dyn Read, slot: &Slot) -> Result<Vec<Chosen>, StoreError> {
    let Some(descriptor) = slot.descriptor() else {
        return Ok(Vec::new());
    };
    Ok(stored(rx.connection_values(slot.row.id)?, descriptor))
}

/// What is known of a connection's values since the start.
#[derive(Debug)]
struct Standing {
    /// The bindings under which they were looked at last.
    desk: Weak<Desk>,
    chosen: Vec<Chosen>,
    next: Millis,
}

/// Of each connection.
#[derive(Debug, Default)]
pub(crate) struct Standings(Mutex<BTreeMap<ConnectionId, Standing>>);

impl Standings {
    fn with<T>(&self, what: impl FnOnce(&mut BTreeMap<ConnectionId, Standing>) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where it is kept that a person wants the values of a connection looked at again.
fn wish(connection: ConnectionId) -> String {
    format!("values-again/{connection}")
}

/// A card of a value was tried again.
pub(crate) fn again(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    key: &str,
) -> Result<(), StoreError> {
    if key.starts_with(CARD) {
        tx.put_meta(&wish(connection), b"1")?;
    }
    Ok(())
}

/// Keys of the cards that are open.
fn cards(rx: &impl Lists, connection: ConnectionId) -> Result<Vec<String>, StoreError> {
    let open = rx.open_jobs(Work::Attend, connection, connection, OF_NO_FEED)?;
    let keys = open.into_iter().map(|job| job.key);
    Ok(keys.filter(|key| key.starts_with(CARD)).collect())
}

/// When the values of a connection are looked at next; `None`: there are none.
pub(crate) fn due(
    core: &Core,
    slot: &Slot,
    rx: &Rx,
    now: Millis,
) -> Result<Option<Millis>, StoreError> {
    let id = slot.row.id;
    if rx.meta(&wish(id))?.is_some() {
        return Ok(Some(now));
    }
    let desk = Arc::downgrade(&core.desk());
    let known = core.standings.with(|all| {
        let known = all.get(&id).filter(|known| known.desk.ptr_eq(&desk));
        known.map(|known| known.next)
    });
    if let Some(next) = known {
        return Ok((next < Millis::MAX).then_some(next));
    }
    let chosen = chosen(rx, slot)?;
    let idle = chosen.is_empty() && cards(rx, id)?.is_empty();
    let next = core.standings.with(|all| {
        let next = match all.get(&id) {
            _ if idle => Millis::MAX,
            Some(known) if known.chosen == chosen => known.next,
            _ => now,
        };
        let standing = Standing { desk, chosen, next };
        all.insert(id, standing);
        next
    });
    Ok((next < Millis::MAX).then_some(next))
}

/// Looks at the values of a connection; cards come and go by it.
pub(crate) async fn run(core: Arc<Core>, connection: ConnectionId) -> Result<(), StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&connection) else {
        return Ok(());
    };
    let chosen = core.store.read(|rx| chosen(rx, slot))?;
    let looked = look(&core, slot, chosen.clone()).await;
    let now = core.now();
    let soon = looked.unread.values().any(|soon| *soon);
    let next = now + if soon { AGAIN_MS } else { EVERY_MS };
    core.standings.with(|all| {
        let desk = Arc::downgrade(&desk);
        all.insert(connection, Standing { desk, chosen, next });
    });
    let lists = looked.lists.into_iter();
    let kept = core.store.read(|rx| {
        let new = lists.map(|(key, offers)| to_keep(rx, slot, &key, (offers, true)));
        new.collect::<Result<Vec<_>, _>>()
    })?;
    let unread: BTreeSet<String> = looked.unread.into_keys().collect();
    let wrong: BTreeMap<String, Problem> = looked
        .wrong
        .iter()
        .map(|wrong| (wrong.chosen.card(), wrong.problem(&slot.row.title)))
        .collect();
    core.observe(|| format!("values {connection} wrong={}", wrong.len()));
    let keep = move |tx: &mut Tx<'_>| {
        tx.remove_meta(&wish(connection))?;
        for (place, bytes) in kept.iter().flatten() {
            tx.put_meta(place, bytes)?;
        }
        let feed = (connection, OF_NO_FEED);
        for key in cards(tx, connection)? {
            let setting = key.strip_prefix(CARD).unwrap_or_default();
            let setting = setting.split('/').next().unwrap_or_default();
            if !wrong.contains_key(&key) && !unread.contains(setting) {
                attend::close(tx, feed, &key, now)?;
            }
        }
        for (key, problem) in &wrong {
            attend::show(tx, feed, key, problem.clone(), now)?;
        }
        Ok(())
    };
    core.store.write(keep).await
}

/// Values of a plan for one connection that differ from what is stored, with their place.
fn differing<'p>(
    plan: &'p ConnectionPlan,
    descriptor: &Descriptor,
    stored: &[SettingRow],
) -> Vec<(Chosen, &'p At<String>)> {
    let scopes = plan.retailers.iter();
    let scopes = scopes.map(|own| (Some(&own.code.value), &own.settings));
    let scopes = std::iter::once((None, &plan.settings)).chain(scopes);
    let pairs = scopes.flat_map(|(retailer, pairs)| pairs.iter().map(move |p| (retailer, p)));
    let differs = pairs.filter(|(retailer, pair)| {
        let same = |row: &SettingRow| {
            row.scope.retailer.as_ref() == *retailer
                && row.key == pair.key.value
                && row.value == pair.value.value
        };
        is_listed(descriptor, &pair.key.value)
            && !pair.value.value.trim().is_empty()
            && !stored.iter().any(same)
    });
    let chosen = differs.map(|(retailer, pair)| {
        let one = Chosen {
            key: pair.key.value.clone(),
            retailer: retailer.cloned(),
            value: pair.value.value.trim().to_owned(),
        };
        (one, &pair.value)
    });
    chosen.collect()
}

fn over(values: &mut Values, pairs: &[Pair]) {
    for pair in pairs {
        values.insert(pair.key.value.clone(), pair.value.value.clone());
    }
}

impl Handle {
    /// What the connectors say of a plan's settings, and the vendors' lists of the values in it that are new. What cannot be
    /// asked now is looked at after the next start.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn check_live(&self, plan: &Plan) -> Result<Vec<Mistake>, CommandError> {
        let mut mistakes = Vec::new();
        for connection in &plan.connections {
            mistakes.extend(self.check_connection(connection).await?);
        }
        mistakes.sort();
        mistakes.dedup();
        Ok(mistakes)
    }

    async fn check_connection(&self, plan: &ConnectionPlan) -> Result<Vec<Mistake>, CommandError> {
        let (name, codes) = (plan.name.value.clone(), plan.retailers.iter());
        let codes: Vec<String> = codes.map(|own| own.code.value.clone()).collect();
        let (row, rows, mut values, own) = self
            .read(move |_, rx| {
                let row = rx.connection_by_name(&name)?;
                let id = row.as_ref().map(|row| row.id);
                let rows = id.map(|id| rx.connection_values(id)).transpose()?;
                let own = codes
                    .iter()
                    .map(|code| rx.effective(id, Some(code.as_str())))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok((row, rows.unwrap_or_default(), rx.effective(id, None)?, own))
            })
            .await?;
        let is_new = row.is_none();
        let mut row =
            row.unwrap_or_else(|| unborn(&plan.name.value, &plan.connector.value, self.now()));
        row.allow_private = plan.allow_private;
        row.grants = plan
            .grants
            .iter()
            .map(|grant| grant.value.clone())
            .collect();
        over(&mut values, &plan.settings);
        let mut mistakes = self.refused(&row, values.clone(), &plan.settings).await;
        for (mut own, retailer) in own.into_iter().zip(&plan.retailers) {
            over(&mut own, &plan.settings);
            over(&mut own, &retailer.settings);
            mistakes.extend(self.refused(&row, own, &retailer.settings).await);
        }
        let slot = self.thought_of(row, values);
        let Some(descriptor) = slot.descriptor() else {
            return Ok(mistakes);
        };
        // A new one cannot sign in yet, and one that is paused is not called.
        if is_new || !mistakes.is_empty() || !is_callable(&slot.row, self.now()) {
            return Ok(mistakes);
        }
        let (chosen, places): (Vec<Chosen>, Vec<_>) =
            differing(plan, descriptor, &rows).into_iter().unzip();
        let looked = look(&self.core, &slot, chosen.clone()).await;
        for wrong in &looked.wrong {
            let at = chosen.iter().position(|one| *one == wrong.chosen);
            if let Some(place) = at.and_then(|at| places.get(at)) {
                mistakes.push(wrong.mistake(place, &slot.row.title));
            }
        }
        Ok(mistakes)
    }

    /// What the connector itself says of settings that are in a file, each at its place.
    async fn refused(&self, row: &ConnectionRow, values: Values, given: &[Pair]) -> Vec<Mistake> {
        if given.is_empty() {
            return Vec::new();
        }
        let problems = self.validate(&self.thought_of(row.clone(), values)).await;
        let at = |problem: Problem| {
            let pair = given.iter().find(|pair| pair.key.value == problem.code)?;
            let message = problem.message.trim_end_matches('.').to_owned();
            let mistake = Mistake::new(pair.value.place, message);
            Some(match problem.hint {
                Some(hint) => mistake.hint(hint),
                None => mistake,
            })
        };
        problems.into_iter().filter_map(at).collect()
    }
}
