//! Recomputes every index, counter and reference from the rows and says where the file differs. Reads everything, so
//! it is for tests and support. It knows the rules only through the same functions that write.

use crate::access::{Access, Entry};
use crate::codec::{Key, Parts, Span, decode, hex, tail_u64};
use crate::documents::{self, Head};
use crate::error::StoreError;
use crate::hints::HintRow;
use crate::items::{self, ItemRow};
use crate::named::{self, NamedCountRow, NamedItemRow};
use crate::rows::{CardRow, CellRow, EffectRow, JobRow, OrderRow};
use crate::schema::Tab;
use crate::stock_rows::LevelRow;
use crate::{bodies, cards, hints, hooks, jobs, journal, levels, orders, retailers};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::ids::{ConnectionId, DocumentId};

/// Index tables that follow from rows entirely.
const DERIVED: &[Tab] = &[
    Tab::OrderKeys,
    Tab::OrderStages,
    Tab::OrderWords,
    Tab::OrderDocuments,
    Tab::Deadlines,
    Tab::Seen,
    Tab::Latest,
    Tab::JobOrders,
    Tab::JobPlaces,
    Tab::JobRetailers,
    Tab::OrderRetailers,
    Tab::JobOpen,
    Tab::JobDocuments,
    Tab::Lanes,
    Tab::ReadyJobs,
    Tab::Due,
    Tab::Gaps,
    Tab::CardJobs,
    Tab::CardRanks,
    Tab::EffectKeys,
    Tab::ItemValues,
    Tab::ItemWords,
    Tab::NamedStates,
    Tab::NamedWords,
    Tab::DirtyLevels,
    Tab::RefusedLevels,
    Tab::LevelSources,
    Tab::KitParts,
    Tab::CellCodes,
    Tab::SpoolFiles,
    Tab::HintsDue,
];

#[derive(Default)]
struct Expected {
    entries: BTreeMap<(Tab, Vec<u8>), Vec<u8>>,
    counters: BTreeMap<String, u64>,
    bodies: BTreeSet<u64>,
    wrong: Vec<String>,
}

impl Expected {
    fn add(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            let place = format!("{} at {}", entry.tab.name(), hex(&entry.key));
            if self
                .entries
                .insert((entry.tab, entry.key), entry.value)
                .is_some()
            {
                self.wrong.push(format!("two rows claim {place}"));
            }
        }
    }
    fn count(&mut self, counter: String) {
        *self.counters.entry(counter).or_default() += 1;
    }
    fn body(&mut self, owner: &str, body: Option<u64>) {
        if let Some(id) = body
            && !self.bodies.insert(id)
        {
            self.wrong.push(format!("{owner} shares body {id}"));
        }
    }
}

fn rows<T: DeserializeOwned>(a: &dyn Access, tab: Tab) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
    let mut out = Vec::new();
    a.scan(tab, &Span::all(), &mut |key, value| {
        out.push((key.to_vec(), decode(tab.name(), key, value)?));
        Ok(true)
    })?;
    Ok(out)
}

pub(crate) fn verify(a: &dyn Access) -> Result<Vec<String>, StoreError> {
    let mut expected = Expected::default();
    orders_and_documents(a, &mut expected)?;
    jobs_and_cards(a, &mut expected)?;
    for (key, row) in rows::<EffectRow>(a, Tab::Effects)? {
        let keys = journal::lookup_keys(&row.scope, &row.jobs, &row.step);
        expected.add(
            keys.into_iter()
                .map(|k| Entry::number(Tab::EffectKeys, Key(k), row.id.0)),
        );
        expected.body(
            &format!("effect {}", hex(&key)),
            row.finished.and_then(|f| f.body),
        );
    }
    for (key, row) in rows::<ItemRow>(a, Tab::Items)? {
        let mut parts = Parts::of(Tab::Items.name(), &key);
        let connection = ConnectionId(parts.u32()?);
        expected.add(items::entries(connection, &parts.text()?, &row));
    }
    named_items(a, &mut expected)?;
    for (key, row) in rows::<CellRow>(a, Tab::Cells)? {
        let mut parts = Parts::of(Tab::Cells.name(), &key);
        let (from, to) = (ConnectionId(parts.u32()?), ConnectionId(parts.u32()?));
        expected.add([crate::crosswalk::code_entry(from, to, &row)]);
    }
    for (_, row) in rows::<LevelRow>(a, Tab::Levels)? {
        expected.add(levels::entries(&row));
    }
    a.scan(Tab::Transcripts, &Span::all(), &mut |key, value| {
        let id = crate::codec::value_u64(Tab::Transcripts.name(), key, value)?;
        expected.body(&format!("transcript {}", hex(key)), Some(id));
        Ok(true)
    })?;
    hints_and_deliveries(a, &mut expected)?;
    spool(a, &mut expected)?;
    compare(a, expected)
}

fn orders_and_documents(a: &dyn Access, expected: &mut Expected) -> Result<(), StoreError> {
    for (_, row) in rows::<OrderRow>(a, Tab::Orders)? {
        expected.add(orders::entries(&row));
        expected.add(retailers::entry(a, &row)?);
        expected.count(orders::stage_counter(row.stage));
    }
    let mut latest = BTreeMap::new();
    for (key, head) in rows::<Head>(a, Tab::Documents)? {
        let id = DocumentId(tail_u64(Tab::Documents.name(), &key)?);
        expected.add(documents::entries(id, &head));
        expected.body(&format!("document {id}"), head.body);
        latest.insert(
            documents::latest_key(head.connection, head.entity, &head.key),
            id.0,
        );
    }
    let entries = latest
        .into_iter()
        .map(|(key, id)| Entry::number(Tab::Latest, key, id));
    expected.add(entries);
    Ok(())
}

fn named_items(a: &dyn Access, expected: &mut Expected) -> Result<(), StoreError> {
    let named = rows::<NamedItemRow>(a, Tab::NamedItems)?;
    for (_, row) in &named {
        expected.add(named::entries(row));
    }
    let mut right = named::recount(named.into_iter().map(|(_, row)| row));
    for (key, row) in rows::<NamedCountRow>(a, Tab::NamedCounts)? {
        if row.items != right.remove(&key).unwrap_or_default() {
            expected.wrong.push(format!(
                "the items of retailer `{}` are miscounted",
                row.retailer
            ));
        }
    }
    if !right.is_empty() {
        expected
            .wrong
            .push(format!("{} retailers' items are not counted", right.len()));
    }
    Ok(())
}

fn jobs_and_cards(a: &dyn Access, expected: &mut Expected) -> Result<(), StoreError> {
    // First ready job and holder of each lane, from the rows alone.
    let mut lanes: BTreeMap<(ConnectionId, String), (Option<Key>, bool)> = BTreeMap::new();
    let mut causes: BTreeMap<String, u64> = BTreeMap::new();
    for (_, row) in rows::<JobRow>(a, Tab::Jobs)? {
        expected.add(jobs::entries(&row));
        expected.count(jobs::state_counter(row.state.word()));
        let lane = lanes.entry((row.to, row.lane.clone())).or_default();
        lane.1 |= row.state.holds_lane();
        if row.state == waybill_model::job::JobState::Ready && lane.0.is_none() {
            let key = Key::new()
                .u32(row.to.0)
                .time_or_last(row.urgent_by)
                .u64(row.id.0);
            lane.0 = Some(key);
        }
        for cause in cards::causes(&row) {
            *causes.entry(cards::card_id(&cause)).or_default() += 1;
        }
    }
    let heads = lanes
        .into_values()
        .filter(|(_, held)| !held)
        .filter_map(|(head, _)| head);
    expected.add(heads.map(|key| Entry::mark(Tab::ReadyJobs, key)));
    for (_, card) in rows::<CardRow>(a, Tab::Cards)? {
        let jobs = causes.remove(&card.id).unwrap_or(0);
        let (listed, urgent_by) = cards::recount(a, &card.id)?;
        if (card.jobs, card.jobs, card.urgent_by) != (jobs, listed, urgent_by) {
            expected.wrong.push(format!(
                "card `{}` says {} jobs, there are {jobs}",
                card.id, card.jobs
            ));
        }
        if card.id != cards::card_id(&card.cause) {
            expected
                .wrong
                .push(format!("card `{}` has the cause of another", card.id));
        }
        if let Some(entry) = cards::rank_entry(&card) {
            expected.add([entry]);
            expected.count(cards::COUNTER.to_owned());
        }
    }
    let missing = causes
        .into_keys()
        .map(|id| format!("card `{id}` is missing"));
    expected.wrong.extend(missing);
    Ok(())
}

fn hints_and_deliveries(a: &dyn Access, expected: &mut Expected) -> Result<(), StoreError> {
    for (key, row) in rows::<HintRow>(a, Tab::Hints)? {
        if hints::place(row.connection, row.entity, &row.key).0 != key {
            expected
                .wrong
                .push(format!("hint at {} is of another document", hex(&key)));
        }
        expected.add(hints::entries(&row));
    }
    for (connection, key, head) in hooks::all(a)? {
        expected.count(hooks::counter(connection));
        expected.body(&format!("delivery {}", hex(&key)), Some(head.body));
    }
    Ok(())
}

fn spool(a: &dyn Access, expected: &mut Expected) -> Result<(), StoreError> {
    let mut users: BTreeMap<String, u64> = BTreeMap::new();
    let stored = bodies::all(a)?;
    for id in &stored {
        if let Some(name) = bodies::spooled(a, *id)? {
            *users.entry(name).or_default() += 1;
        }
        if let Err(error) = bodies::body(a, *id) {
            expected.wrong.push(error.to_string());
        }
    }
    let lost = expected
        .bodies
        .difference(&stored)
        .map(|id| format!("body {id} is missing"));
    let lost: Vec<String> = lost.collect();
    let left = stored
        .difference(&expected.bodies)
        .map(|id| format!("body {id} belongs to nobody"));
    expected.wrong.extend(left);
    expected.wrong.extend(lost);
    let entries = users
        .into_iter()
        .map(|(name, n)| Entry::number(Tab::SpoolFiles, Key(name.into_bytes()), n));
    expected.add(entries);
    Ok(())
}

fn compare(a: &dyn Access, mut expected: Expected) -> Result<Vec<String>, StoreError> {
    let mut wrong = std::mem::take(&mut expected.wrong);
    for tab in DERIVED {
        a.scan(*tab, &Span::all(), &mut |key, value| {
            match expected.entries.remove(&(*tab, key.to_vec())) {
                Some(right) if right == value => {}
                Some(_) => wrong.push(format!("{} at {} has another value", tab.name(), hex(key))),
                None => wrong.push(format!("{} has {} without a row", tab.name(), hex(key))),
            }
            Ok(true)
        })?;
    }
    let missing = expected.entries.into_keys();
    wrong.extend(missing.map(|(tab, key)| format!("{} misses {}", tab.name(), hex(&key))));
    a.scan(Tab::Counters, &Span::all(), &mut |key, value| {
        let name = String::from_utf8_lossy(key).into_owned();
        let counted = name.starts_with("orders:")
            || name.starts_with("jobs:")
            || name.starts_with(hooks::COUNTER)
            || name == cards::COUNTER;
        if counted {
            let right = expected.counters.remove(&name).unwrap_or(0);
            let says = crate::codec::value_u64(Tab::Counters.name(), key, value)?;
            if says != right {
                wrong.push(format!("counter `{name}` says {says}, there are {right}"));
            }
        }
        Ok(true)
    })?;
    let missing = expected.counters.into_iter();
    wrong.extend(missing.map(|(name, n)| format!("counter `{name}` is missing, there are {n}")));
    Ok(wrong)
}
