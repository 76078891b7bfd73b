//! Orders as lists and searches see them, with stages, deadlines, words, day counts and the timeline.
//! Knows no rule of what stage follows which; the engine decides, this file keeps the indexes in step.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Parts, Span, corrupt};
use crate::error::StoreError;
use crate::rows::{DayCount, DeadlineKind, NoteRow, OrderQuery, OrderRow};
use crate::schema::Tab;
use std::collections::BTreeSet;
use waybill_model::document::{Deadline, Entity, OrderPhase};
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_model::order_state::OrderStage;

const DAY_MS: Millis = 86_400_000;

/// A word as it is searched: without space around it, in lower case, cut at 64 characters.
pub(crate) fn searchable(word: &str) -> String {
    word.trim()
        .chars()
        .take(64)
        .collect::<String>()
        .to_lowercase()
}

/// Source 0 is the order's row, every other number a document.
pub(crate) fn word_entry(word: &str, order: OrderId, source: u64) -> Entry {
    Entry::mark(
        Tab::OrderWords,
        Key::new().text(word).u64(order.0).u64(source),
    )
}

fn key_of(connection: ConnectionId, key: &str) -> Key {
    Key::new().u32(connection.0).text(key)
}

pub(crate) fn stage_counter(stage: OrderStage) -> String {
    format!("orders:{}", stage.word())
}

const fn kind_byte(kind: DeadlineKind) -> u8 {
    match kind {
        DeadlineKind::Acknowledge => 0,
        DeadlineKind::Ship => 1,
        DeadlineKind::Invoice => 2,
    }
}

/// Deadlines that still ask for something.
fn open_deadlines(row: &OrderRow) -> Vec<(Millis, DeadlineKind)> {
    use OrderStage::{Cancelled, Invoiced, Refused, Shipped};
    if matches!(row.stage, Cancelled | Refused) {
        return Vec::new();
    }
    let mut out = Vec::new();
    let mut push = |deadline: &Option<Deadline>, kind, open: bool| {
        if let (Some(deadline), true) = (deadline, open) {
            out.push((deadline.at, kind));
        }
    };
    let shipped = row.shipped_at.is_some() || matches!(row.stage, Shipped | Invoiced);
    push(
        &row.acknowledge_by,
        DeadlineKind::Acknowledge,
        row.acknowledged_at.is_none(),
    );
    push(&row.ship_by, DeadlineKind::Ship, !shipped);
    push(
        &row.invoice_by,
        DeadlineKind::Invoice,
        row.stage != Invoiced,
    );
    out
}

/// All index entries of an order.
pub(crate) fn entries(row: &OrderRow) -> Vec<Entry> {
    let id = row.id;
    let mut out = vec![
        Entry::number(Tab::OrderKeys, key_of(row.connection, &row.key), id.0),
        Entry::mark(
            Tab::OrderStages,
            Key::new().text(row.stage.word()).u64(id.0),
        ),
    ];
    let words: BTreeSet<String> = [Some(&row.number), row.sale_number.as_ref()]
        .into_iter()
        .flatten()
        .map(|w| searchable(w))
        .filter(|w| !w.is_empty())
        .collect();
    out.extend(words.iter().map(|w| word_entry(w, id, 0)));
    out.extend(open_deadlines(row).into_iter().map(|(at, kind)| {
        Entry::mark(
            Tab::Deadlines,
            Key::new().i64(at).byte(kind_byte(kind)).u64(id.0),
        )
    }));
    out
}

pub(crate) fn order(a: &dyn Access, id: OrderId) -> Result<Option<OrderRow>, StoreError> {
    a.row(Tab::Orders, &Key::new().u64(id.0).0)
}

pub(crate) fn id_by_key(
    a: &dyn Access,
    connection: ConnectionId,
    key: &str,
) -> Result<Option<OrderId>, StoreError> {
    Ok(a.number(Tab::OrderKeys, &key_of(connection, key).0)?
        .map(OrderId))
}

pub(crate) fn by_key(
    a: &dyn Access,
    connection: ConnectionId,
    key: &str,
) -> Result<Option<OrderRow>, StoreError> {
    match id_by_key(a, connection, key)? {
        Some(id) => order(a, id),
        None => Ok(None),
    }
}

/// The order that links of that record lead to.
pub(crate) fn linked(
    a: &dyn Access,
    connection: ConnectionId,
    key: &str,
) -> Result<Option<OrderRow>, StoreError> {
    for (other, entity, key) in crate::links::ends(a, connection, Entity::Order, key)? {
        if entity == Entity::Order
            && let Some(row) = by_key(a, other, &key)?
        {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

pub(crate) fn list(a: &dyn Access, query: &OrderQuery) -> Result<Vec<OrderRow>, StoreError> {
    let (tab, prefix) = match query.stage {
        Some(stage) => (Tab::OrderStages, Key::new().text(stage.word())),
        None => (Tab::Orders, Key::new()),
    };
    let mut span = Span::prefix(prefix.clone()).newest_first();
    if let Some(before) = query.before {
        span = span.before(prefix.u64(before.0));
    }
    if query.stage.is_none() {
        return a.rows(tab, &span, query.limit);
    }
    let ids = a.tails(tab, &span, query.limit)?;
    a.named(Tab::Orders, &ids)
}

/// The one of that stage that came first.
pub(crate) fn oldest(a: &dyn Access, stage: OrderStage) -> Result<Option<OrderRow>, StoreError> {
    let span = Span::prefix(Key::new().text(stage.word()));
    let ids = a.tails(Tab::OrderStages, &span, 1)?;
    Ok(a.named(Tab::Orders, &ids)?.pop())
}

pub(crate) fn search(
    a: &dyn Access,
    text: &str,
    limit: usize,
) -> Result<Vec<OrderRow>, StoreError> {
    let word = searchable(text);
    if word.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let mut ids: Vec<u64> = Vec::new();
    let exact = Span::prefix(Key::new().text(&word)).newest_first();
    let longer = Span::prefix(Key::new().text_prefix(&word));
    for span in [exact, longer] {
        if ids.len() >= limit {
            break;
        }
        a.scan(Tab::OrderWords, &span, &mut |key, _| {
            let mut parts = Parts::of(Tab::OrderWords.name(), key);
            parts.text()?;
            let id = parts.u64()?;
            if !ids.contains(&id) {
                ids.push(id);
            }
            Ok(ids.len() < limit)
        })?;
    }
    a.named(Tab::Orders, &ids)
}

pub(crate) fn deadlines(
    a: &dyn Access,
    from: Millis,
    limit: usize,
) -> Result<Vec<(Millis, DeadlineKind, OrderId)>, StoreError> {
    let span = Span::all().from(Key::new().i64(from));
    let keys = a.keys(Tab::Deadlines, &span, limit)?;
    keys.iter()
        .map(|key| {
            let mut parts = Parts::of(Tab::Deadlines.name(), key);
            let at = parts.i64()?;
            let kind = match parts.byte()? {
                0 => DeadlineKind::Acknowledge,
                1 => DeadlineKind::Ship,
                2 => DeadlineKind::Invoice,
                _ => return Err(corrupt(Tab::Deadlines.name(), key, "unknown kind")),
            };
            Ok((at, kind, OrderId(parts.u64()?)))
        })
        .collect()
}

pub(crate) fn timeline(
    a: &dyn Access,
    order: OrderId,
    limit: usize,
) -> Result<Vec<NoteRow>, StoreError> {
    let span = Span::prefix(Key::new().u64(order.0)).newest_first();
    a.rows(Tab::Timeline, &span, limit)
}

pub(crate) fn day_counts(a: &dyn Access, days: usize) -> Result<Vec<DayCount>, StoreError> {
    a.rows(Tab::Days, &Span::all().newest_first(), days)
}

impl Tx<'_> {
    /// Stores an order; id 0 makes a new one. Its key must be free at its connection.
    pub fn put_order(&mut self, row: &OrderRow) -> Result<OrderId, StoreError> {
        let mut row = row.clone();
        let old = if row.id.0 == 0 {
            row.id = OrderId(self.next("order")?);
            None
        } else {
            let old = order(self, row.id)?;
            Some(old.ok_or_else(|| StoreError::not_found(format!("order {}", row.id)))?)
        };
        if id_by_key(self, row.connection, &row.key)?.is_some_and(|id| id != row.id) {
            return Err(StoreError::Conflict(format!(
                "`{}` is the key of another order",
                row.key
            )));
        }
        self.put_row(Tab::Orders, &Key::new().u64(row.id.0).0, &row)?;
        self.reindex(
            &old.as_ref().map(entries).unwrap_or_default(),
            &entries(&row),
        )?;
        self.list_order(old.as_ref(), &row)?;
        self.attach(row.document, row.id)?;
        self.mark_for_stock(row.id)?;
        self.count_stage(old.as_ref(), &row)?;
        Ok(row.id)
    }

    fn count_stage(&mut self, old: Option<&OrderRow>, new: &OrderRow) -> Result<(), StoreError> {
        let before = old.map(|o| o.stage);
        if before != Some(new.stage) {
            if let Some(stage) = before {
                self.count(&stage_counter(stage), -1)?;
            }
            self.count(&stage_counter(new.stage), 1)?;
        }
        if old.is_none() {
            self.count_day(new.received_at, |day| day.received += 1)?;
        }
        // An order may leave a stage and come back to it; what a day counts happens once.
        let enters = |stage| new.stage == stage && before != Some(stage);
        let cancelled = |row: &OrderRow| {
            row.phase == OrderPhase::Cancelled || row.stage == OrderStage::Cancelled
        };
        let happened = DayCount {
            created: u64::from(new.sale_key.is_some() && old.is_none_or(|o| o.sale_key.is_none())),
            shipped: u64::from(match new.shipped_at {
                Some(_) => old.is_none_or(|o| o.shipped_at.is_none()),
                None => enters(OrderStage::Shipped),
            }),
            invoiced: u64::from(enters(OrderStage::Invoiced)),
            cancelled: u64::from(cancelled(new) && !old.is_some_and(cancelled)),
            ..DayCount::default()
        };
        // Stages are entered at the time this closure was last told; a closure told none counts by the row.
        let known = [new.delivered_at, new.acknowledged_at];
        let told = self.latest.or_else(|| known.into_iter().flatten().max());
        let now = told.unwrap_or(new.received_at);
        self.count_day(now, |day| {
            day.created += happened.created;
            day.shipped += happened.shipped;
            day.invoiced += happened.invoiced;
            day.cancelled += happened.cancelled;
        })
    }

    fn count_day(
        &mut self,
        at: Millis,
        change: impl FnOnce(&mut DayCount),
    ) -> Result<(), StoreError> {
        let day = u32::try_from(at.div_euclid(DAY_MS)).unwrap_or(0);
        let key = Key::new().u32(day).0;
        let old = self.dynamic().row::<DayCount>(Tab::Days, &key)?;
        let mut row = old.unwrap_or(DayCount {
            day,
            ..DayCount::default()
        });
        change(&mut row);
        if Some(row) != old
            && (old.is_some()
                || row.received + row.created + row.shipped + row.invoiced + row.cancelled > 0)
        {
            self.put_row(Tab::Days, &key, &row)?;
        }
        Ok(())
    }

    /// Adds an entry to an order's timeline.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a note is made for this call"
    )]
    pub fn note(&mut self, order: OrderId, note: NoteRow) -> Result<(), StoreError> {
        self.at(note.at);
        let sequence = self.next("note")?;
        let key = Key::new().u64(order.0).u64(sequence).0;
        self.put_row(Tab::Timeline, &key, &note)
    }
}
