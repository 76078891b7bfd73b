//! Stock: what a system holds of each item, what open orders take of it, what the other system should think there is,
//! and what it has taken. Never a queue: a newer quantity takes the place of the older one.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Parts, Span};
use crate::error::StoreError;
use crate::items::{CatalogueItem, ItemRow};
use crate::schema::Tab;
use crate::stock_rows::{
    Fewer, LevelBatchRow, LevelList, LevelMember, LevelRow, OnHandRow, TakenRow,
};
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::decimal::Decimal;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis, OrderId};

/// Members of a batch that are stored together.
const MEMBERS: usize = 250;

fn pair(from: ConnectionId, to: ConnectionId) -> Key {
    Key::new().u32(from.0).u32(to.0)
}

fn key(row: &LevelRow) -> Key {
    pair(row.from, row.to).text(&row.item)
}

fn of_item(connection: ConnectionId, item: &str) -> Key {
    Key::new().u32(connection.0).text(item)
}

pub(crate) fn entries(row: &LevelRow) -> Vec<Entry> {
    let mut all = vec![Entry::mark(
        Tab::LevelSources,
        pair(row.from, row.to).text(&row.source).text(&row.item),
    )];
    if row.is_dirty() {
        all.push(Entry::mark(Tab::DirtyLevels, key(row)));
    }
    if row.problem.is_some() {
        all.push(Entry::mark(Tab::RefusedLevels, key(row)));
    }
    all
}

pub(crate) fn level(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    item: &str,
) -> Result<Option<LevelRow>, StoreError> {
    a.row(Tab::Levels, &pair(from, to).text(item).0)
}

const fn tab(list: LevelList) -> Tab {
    match list {
        LevelList::All => Tab::Levels,
        LevelList::Waiting => Tab::DirtyLevels,
        LevelList::Refused => Tab::RefusedLevels,
    }
}

/// Levels of a route whose item begins so, behind that item.
pub(crate) fn listed(
    a: &dyn Access,
    route: (ConnectionId, ConnectionId),
    list: LevelList,
    (begins, after): (&str, Option<&str>),
    limit: usize,
) -> Result<Vec<LevelRow>, StoreError> {
    let of_route = || pair(route.0, route.1);
    let mut span = Span::prefix(of_route().text_prefix(begins));
    if let Some(item) = after.filter(|item| *item >= begins) {
        span = span.after(of_route().text(item));
    }
    if list == LevelList::All {
        return a.rows(Tab::Levels, &span, limit);
    }
    let keys = a.keys(tab(list), &span, limit)?;
    let rows = keys.iter().map(|key| a.row(Tab::Levels, key));
    rows.filter_map(Result::transpose).collect()
}

/// How many there are, counted up to that many.
pub(crate) fn count(
    a: &dyn Access,
    route: (ConnectionId, ConnectionId),
    list: LevelList,
    most: usize,
) -> Result<usize, StoreError> {
    let mut found = 0;
    let span = Span::prefix(pair(route.0, route.1));
    a.scan(tab(list), &span, &mut |_, _| {
        found += 1;
        Ok(found < most)
    })?;
    Ok(found)
}

/// Names under which the receiving system was told of an item so far.
pub(crate) fn told_as(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    source: &str,
) -> Result<Vec<String>, StoreError> {
    let span = Span::prefix(pair(from, to).text(source));
    let keys = a.keys(Tab::LevelSources, &span, usize::MAX)?;
    keys.iter()
        .map(|key| {
            let mut parts = Parts::of(Tab::LevelSources.name(), key);
            parts.u32()?;
            parts.u32()?;
            parts.text()?;
            parts.text()
        })
        .collect()
}

pub(crate) fn on_hand(
    a: &dyn Access,
    connection: ConnectionId,
    item: &str,
) -> Result<Option<OnHandRow>, StoreError> {
    a.row(Tab::OnHand, &of_item(connection, item).0)
}

pub(crate) fn taken(
    a: &dyn Access,
    connection: ConnectionId,
    item: &str,
) -> Result<Vec<TakenRow>, StoreError> {
    let span = Span::prefix(of_item(connection, item));
    a.rows(Tab::Taken, &span, usize::MAX)
}

/// Items of which an order takes units.
pub(crate) fn taken_by(
    a: &dyn Access,
    connection: ConnectionId,
    order: OrderId,
) -> Result<Vec<String>, StoreError> {
    let span = Span::prefix(Key::new().u32(connection.0).u64(order.0));
    let keys = a.keys(Tab::TakenBy, &span, usize::MAX)?;
    keys.iter()
        .map(|key| {
            let mut parts = Parts::of(Tab::TakenBy.name(), key);
            parts.u32()?;
            parts.u64()?;
            parts.text()
        })
        .collect()
}

/// Active items of a catalogue after that key, in its order.
pub(crate) fn stock_items(
    a: &dyn Access,
    connection: ConnectionId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<CatalogueItem>, StoreError> {
    let all = Span::prefix(Key::new().u32(connection.0));
    let span = match after {
        Some(key) => all.after(of_item(connection, key)),
        None => all,
    };
    let mut found = Vec::new();
    a.scan(Tab::Items, &span, &mut |key, value| {
        let row: ItemRow = crate::codec::decode(Tab::Items.name(), key, value)?;
        if row.active {
            let mut parts = Parts::of(Tab::Items.name(), key);
            parts.u32()?;
            found.push(row.of(parts.text()?));
        }
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// Kits that need this item.
pub(crate) fn kits_of(
    a: &dyn Access,
    connection: ConnectionId,
    item: &str,
) -> Result<Vec<String>, StoreError> {
    let span = Span::prefix(of_item(connection, item));
    let keys = a.keys(Tab::KitParts, &span, usize::MAX)?;
    keys.iter()
        .map(|key| {
            let mut parts = Parts::of(Tab::KitParts.name(), key);
            parts.u32()?;
            parts.text()?;
            parts.text()
        })
        .collect()
}

/// Whether an order changed since its units were counted.
pub(crate) fn orders_marked(a: &dyn Access) -> Result<bool, StoreError> {
    Ok(!a.keys(Tab::StockOrders, &Span::all(), 1)?.is_empty())
}

pub(crate) fn batch(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
) -> Result<Option<LevelBatchRow>, StoreError> {
    a.row(Tab::LevelBatches, &pair(from, to).0)
}

/// Members of the open batch of a route that are not judged yet.
pub(crate) fn members(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
) -> Result<Vec<LevelMember>, StoreError> {
    let parts: Vec<Vec<LevelMember>> =
        a.rows(Tab::LevelBatches, &member_parts(from, to), usize::MAX)?;
    Ok(parts.into_iter().flatten().collect())
}

/// The rows with a batch's members: all that begin as its own key does, but that one.
fn member_parts(from: ConnectionId, to: ConnectionId) -> Span {
    Span::prefix(pair(from, to)).after(pair(from, to))
}

/// Items of which an order takes another number than before.
#[derive(Debug, Default)]
pub struct Counted {
    /// More, or they are counted for another warehouse.
    pub changed: BTreeSet<String>,
    /// Fewer: worth asking what is held of them now.
    pub fewer: BTreeSet<String>,
}

fn taken_now(
    order: OrderId,
    warehouse: Option<String>,
    old: Option<&TakenRow>,
    units: Decimal,
    now: Millis,
) -> TakenRow {
    let row = |units, fewer| TakenRow {
        order,
        warehouse,
        units,
        fewer,
    };
    match old {
        Some(old) if units.checked_sub(old.units).is_some_and(|d| d.units < 0) => {
            let known = old.fewer.clone().filter(|fewer| fewer.units == units);
            let fewer = known.unwrap_or(Fewer { units, since: now });
            row(old.units, Some(fewer))
        }
        _ => row(units, None),
    }
}

impl Tx<'_> {
    /// Stores a level.
    pub fn put_level(&mut self, row: &LevelRow) -> Result<(), StoreError> {
        let old = level(self, row.from, row.to, &row.item)?;
        self.replace_level(old.as_ref(), row)
    }

    /// Stores a level in the place of one that this transaction has read.
    pub fn replace_level(
        &mut self,
        old: Option<&LevelRow>,
        row: &LevelRow,
    ) -> Result<(), StoreError> {
        if old == Some(row) {
            return Ok(());
        }
        self.put_row(Tab::Levels, &key(row).0, row)?;
        self.reindex(&old.map(entries).unwrap_or_default(), &entries(row))
    }

    /// Forgets a level that the receiving system was never told.
    pub fn remove_level(&mut self, row: &LevelRow) -> Result<(), StoreError> {
        self.del(Tab::Levels, &key(row).0)?;
        self.reindex(&entries(row), &[])
    }

    /// Stores what a system holds of an item; whether that is news.
    pub fn put_on_hand(
        &mut self,
        connection: ConnectionId,
        item: &str,
        row: &OnHandRow,
    ) -> Result<bool, StoreError> {
        let old = on_hand(self, connection, item)?;
        let news = old.as_ref().is_none_or(|old| old.counts != row.counts);
        // The time alone is not worth a page write.
        if news {
            self.put_row(Tab::OnHand, &of_item(connection, item).0, row)?;
        }
        Ok(news)
    }

    /// Stores what an order takes of each item in a connection, by warehouse. What became fewer counts until
    /// [`Tx::settle_taken`].
    pub fn put_taken(
        &mut self,
        connection: ConnectionId,
        order: OrderId,
        new: &[(String, Option<String>, Decimal)],
        now: Millis,
    ) -> Result<Counted, StoreError> {
        let mut counted = Counted::default();
        let before = taken_by(self, connection, order)?;
        let mut items: BTreeSet<&str> = before.iter().map(String::as_str).collect();
        items.extend(new.iter().map(|(item, ..)| item.as_str()));
        for item in items {
            let span = Span::prefix(of_item(connection, item).u64(order.0));
            let old: Vec<TakenRow> = self.dynamic().rows(Tab::Taken, &span, usize::MAX)?;
            let mut places: BTreeMap<Option<String>, (Option<&TakenRow>, Decimal)> =
                BTreeMap::new();
            for row in &old {
                places.insert(row.warehouse.clone(), (Some(row), Decimal::ZERO));
            }
            for (_, place, units) in new.iter().filter(|(of, ..)| of == item) {
                places.entry(place.clone()).or_insert((None, *units)).1 = *units;
            }
            let rows: Vec<TakenRow> = places
                .into_iter()
                .map(|(warehouse, (old, units))| taken_now(order, warehouse, old, units, now))
                .collect();
            if rows == old {
                continue;
            }
            let sum = |rows: &[TakenRow]| -> Vec<_> {
                let units = rows.iter().map(|row| (row.warehouse.clone(), row.units));
                units.collect()
            };
            if sum(&rows) != sum(&old) {
                counted.changed.insert(item.to_owned());
            }
            if rows
                .iter()
                .any(|row| row.fewer.as_ref().is_some_and(|f| f.since == now))
            {
                counted.fewer.insert(item.to_owned());
            }
            self.write_taken(connection, order, item, old.len(), &rows)?;
        }
        Ok(counted)
    }

    /// What a system holds of an item was said by a call that began then: units that were fewer before it count no more.
    /// Whether any were.
    pub fn settle_taken(
        &mut self,
        connection: ConnectionId,
        item: &str,
        began: Millis,
    ) -> Result<bool, StoreError> {
        let mut orders: BTreeMap<OrderId, Vec<TakenRow>> = BTreeMap::new();
        for row in taken(self, connection, item)? {
            orders.entry(row.order).or_default().push(row);
        }
        let mut any = false;
        for (order, mut rows) in orders {
            let (before, mut news) = (rows.len(), false);
            for row in &mut rows {
                if let Some(fewer) = row.fewer.take_if(|fewer| fewer.since <= began) {
                    row.units = fewer.units;
                    news = true;
                }
            }
            if news {
                rows.retain(|row| !row.units.is_zero() || row.fewer.is_some());
                self.write_taken(connection, order, item, before, &rows)?;
                any = true;
            }
        }
        Ok(any)
    }

    fn write_taken(
        &mut self,
        connection: ConnectionId,
        order: OrderId,
        item: &str,
        before: usize,
        rows: &[TakenRow],
    ) -> Result<(), StoreError> {
        let place = |number: u32| of_item(connection, item).u64(order.0).u32(number);
        for (number, _) in (0..).zip(0..before).skip(rows.len()) {
            self.del(Tab::Taken, &place(number).0)?;
        }
        for (number, row) in (0..).zip(rows) {
            self.put_row(Tab::Taken, &place(number).0, row)?;
        }
        let by = Key::new().u32(connection.0).u64(order.0).text(item);
        if rows.is_empty() {
            self.del(Tab::TakenBy, &by.0).map(drop)
        } else {
            self.put_bytes(Tab::TakenBy, &by.0, &[])
        }
    }

    /// Says that an order changed: its units are counted again before the next level is sent. Nothing where no stock is
    /// sent anywhere.
    pub fn mark_for_stock(&mut self, order: OrderId) -> Result<(), StoreError> {
        let routes = Span::prefix(Key::new().text(Entity::InventoryLevel.word()));
        if self.dynamic().keys(Tab::Routes, &routes, 1)?.is_empty() {
            return Ok(());
        }
        self.put_bytes(Tab::StockOrders, &Key::new().u64(order.0).0, &[])
    }

    /// Takes orders whose units are to be counted again.
    pub fn take_stock_orders(&mut self, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        let marked = self
            .dynamic()
            .tails(Tab::StockOrders, &Span::all(), limit)?;
        for order in &marked {
            self.del(Tab::StockOrders, &Key::new().u64(*order).0)?;
        }
        Ok(marked.into_iter().map(OrderId).collect())
    }

    /// A number for the next batch of levels.
    pub fn next_level_batch(&mut self) -> Result<u64, StoreError> {
        self.next("level-batches")
    }

    /// Stores the one open batch of a route.
    pub fn put_level_batch(&mut self, row: &LevelBatchRow) -> Result<(), StoreError> {
        self.put_row(Tab::LevelBatches, &pair(row.from, row.to).0, row)
    }

    /// Stores those members of the open batch of a route whose verdict is awaited, in the place of all before.
    pub fn put_level_members(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
        members: &[LevelMember],
    ) -> Result<(), StoreError> {
        self.drop_level_members(from, to)?;
        for (number, part) in (0..).zip(members.chunks(MEMBERS)) {
            self.put_row(Tab::LevelBatches, &pair(from, to).u32(number).0, &part)?;
        }
        Ok(())
    }

    fn drop_level_members(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
    ) -> Result<(), StoreError> {
        let span = member_parts(from, to);
        for part in self.dynamic().keys(Tab::LevelBatches, &span, usize::MAX)? {
            self.del(Tab::LevelBatches, &part)?;
        }
        Ok(())
    }

    /// The batch of a route is judged.
    pub fn close_level_batch(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
    ) -> Result<(), StoreError> {
        self.drop_level_members(from, to)?;
        self.del(Tab::LevelBatches, &pair(from, to).0).map(drop)
    }
}
