//! Retailers as orders name them, each with a small number, so that lists by retailer cost few bytes an order. Must not
//! know their settings or their customers.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Parts, Span, decode};
use crate::error::StoreError;
use crate::rows::OrderRow;
use crate::schema::Tab;
use serde::{Deserialize, Serialize};
use waybill_model::ids::{ConnectionId, Millis, OrderId, RetailerId};

/// A retailer that sent an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetailerRow {
    /// Its number here.
    pub id: RetailerId,
    /// The connection its orders come from.
    pub connection: ConnectionId,
    /// Its code there.
    pub code: String,
    /// Its name, as orders said it last.
    pub name: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    id: RetailerId,
    name: String,
}

fn place(connection: ConnectionId, code: &str) -> Key {
    Key::new().u32(connection.0).text(code)
}

fn stored(
    a: &dyn Access,
    connection: ConnectionId,
    code: &str,
) -> Result<Option<Stored>, StoreError> {
    a.row(Tab::Retailers, &place(connection, code).0)
}

/// The number of a retailer.
pub(crate) fn id(
    a: &dyn Access,
    connection: ConnectionId,
    code: &str,
) -> Result<Option<RetailerId>, StoreError> {
    Ok(stored(a, connection, code)?.map(|row| row.id))
}

/// All of them, by connection and code.
pub(crate) fn all(a: &dyn Access) -> Result<Vec<RetailerRow>, StoreError> {
    let mut out = Vec::new();
    a.scan(Tab::Retailers, &Span::all(), &mut |key, value| {
        let mut parts = Parts::of(Tab::Retailers.name(), key);
        let connection = ConnectionId(parts.u32()?);
        let code = parts.text()?;
        let Stored { id, name } = decode(Tab::Retailers.name(), key, value)?;
        out.push(RetailerRow {
            id,
            connection,
            code,
            name,
        });
        Ok(true)
    })?;
    Ok(out)
}

/// The entry of an order in its retailer's list; `None` where its retailer has no number.
pub(crate) fn entry(a: &dyn Access, row: &OrderRow) -> Result<Option<Entry>, StoreError> {
    let id = id(a, row.connection, &row.retailer)?;
    Ok(id.map(|id| Entry::mark(Tab::OrderRetailers, Key::new().u32(id.0).u64(row.id.0))))
}

/// Orders of a retailer, newest first.
pub(crate) fn orders(
    a: &dyn Access,
    retailer: RetailerId,
    before: Option<OrderId>,
    limit: usize,
) -> Result<Vec<OrderRow>, StoreError> {
    let prefix = Key::new().u32(retailer.0);
    let mut span = Span::prefix(prefix.clone()).newest_first();
    if let Some(before) = before {
        span = span.before(prefix.u64(before.0));
    }
    let ids = a.tails(Tab::OrderRetailers, &span, limit)?;
    a.named(Tab::Orders, &ids)
}

/// How many orders of a retailer came with that one or later, counted up to `most`.
pub(crate) fn orders_from(
    a: &dyn Access,
    retailer: RetailerId,
    first: OrderId,
    most: usize,
) -> Result<usize, StoreError> {
    let prefix = Key::new().u32(retailer.0);
    let span = Span::prefix(prefix.clone()).from(prefix.u64(first.0));
    Ok(a.keys(Tab::OrderRetailers, &span, most)?.len())
}

/// The first order that came at that time or later: orders are numbered as they come.
pub(crate) fn first_order_since(a: &dyn Access, since: Millis) -> Result<OrderId, StoreError> {
    let newest = a.tails(Tab::Orders, &Span::all().newest_first(), 1)?;
    let (mut low, mut high) = (1, newest.first().map_or(1, |last| last + 1));
    while low < high {
        let middle = low + (high - low) / 2;
        // A number may be unused; the next order that is there speaks for it.
        let next = Span::all().from(Key::new().u64(middle));
        let row = a.rows::<OrderRow>(Tab::Orders, &next, 1)?.pop();
        match row {
            Some(row) if row.received_at < since => low = row.id.0 + 1,
            _ => high = middle,
        }
    }
    Ok(OrderId(low))
}

/// Rows that are read at once while a file is brought up.
const STRIDE: usize = 1_000;

/// Gives the retailers of all orders their numbers.
pub(crate) fn index_orders(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let mut span = Span::all();
    loop {
        let rows = tx.dynamic().rows::<OrderRow>(Tab::Orders, &span, STRIDE)?;
        let Some(last) = rows.last().map(|row| row.id) else {
            return Ok(());
        };
        for row in rows {
            tx.list_order(None, &row)?;
        }
        span = Span::all().after(Key::new().u64(last.0));
    }
}

impl Tx<'_> {
    /// Puts an order into its retailer's list; a retailer that is new gets its number.
    pub(crate) fn list_order(
        &mut self,
        old: Option<&OrderRow>,
        new: &OrderRow,
    ) -> Result<(), StoreError> {
        let said = |row: &OrderRow| {
            (
                row.connection,
                row.retailer.clone(),
                row.retailer_name.clone(),
            )
        };
        if old.is_some_and(|old| said(old) == said(new)) {
            return Ok(());
        }
        let known = stored(self, new.connection, &new.retailer)?;
        let named = known
            .as_ref()
            .is_some_and(|row| row.name == new.retailer_name || new.retailer_name.is_empty());
        if !named {
            let id = match known {
                Some(row) => row.id,
                None => RetailerId(u32::try_from(self.next("retailer")?).unwrap_or(u32::MAX)),
            };
            let key = place(new.connection, &new.retailer).0;
            let name = new.retailer_name.clone();
            self.put_row(Tab::Retailers, &key, &Stored { id, name })?;
        }
        let before = match old {
            Some(old) => entry(self, old)?,
            None => None,
        };
        let after = entry(self, new)?;
        let list = |entry: Option<Entry>| entry.into_iter().collect::<Vec<_>>();
        self.reindex(&list(before), &list(after))
    }
}
