//! Rows of a table in one transaction: `Tx` reads and writes, `Rx` reads. Tables are opened once per transaction.
//! Knows bytes and spans only; the files of the nouns give them meaning.

use crate::codec::{Span, decode, encode, value_u64};
use crate::error::StoreError;
use crate::schema::Tab;
use crate::vault::SealKey;
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::ops::Bound;
use std::path::PathBuf;
use waybill_model::document::Body;
use waybill_model::ids::Millis;

/// Bodies that a transaction keeps.
const KEPT_BODIES: usize = 4;

/// Is shown a value.
pub(crate) type Look<'v> = &'v mut dyn FnMut(&[u8]) -> Result<(), StoreError>;
/// Is shown key and value; `false` ends the scan.
pub type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> Result<bool, StoreError>;

/// What transactions share: the sealing key and where large bodies go.
#[derive(Debug)]
pub struct Env {
    pub(crate) key: SealKey,
    pub(crate) spool: Option<PathBuf>,
}

/// Reads bytes. Implemented by [`Tx`] and [`Rx`] alone; callers use [`crate::Read`].
pub trait Access {
    /// This, without its type.
    fn dynamic(&self) -> &dyn Access;
    /// What transactions share.
    fn env(&self) -> &Env;
    /// Shows the value of a key, where there is one.
    fn show(&self, tab: Tab, key: &[u8], look: Look<'_>) -> Result<(), StoreError>;
    /// A body that this transaction wrote or read a moment ago.
    fn kept(&self, _body: u64) -> Option<Body> {
        None
    }
    /// Keeps a body for the rest of the transaction, while there is room.
    fn keep(&self, _id: u64, _body: &Body) {}
    /// Visits a stretch of keys until the visitor answers `false`.
    fn scan(&self, tab: Tab, span: &Span, visit: Visit<'_>) -> Result<(), StoreError>;
}

impl dyn Access + '_ {
    /// What is read from the value of a key.
    fn seen<T>(
        &self,
        tab: Tab,
        key: &[u8],
        read: impl Fn(&[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut found = None;
        self.show(tab, key, &mut |bytes| {
            found = Some(read(bytes)?);
            Ok(())
        })?;
        Ok(found)
    }
    /// The value of a key.
    pub(crate) fn bytes(&self, tab: Tab, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.seen(tab, key, |bytes| Ok(bytes.to_vec()))
    }
    pub(crate) fn row<T: DeserializeOwned>(
        &self,
        tab: Tab,
        key: &[u8],
    ) -> Result<Option<T>, StoreError> {
        self.seen(tab, key, |bytes| decode(tab.name(), key, bytes))
    }
    pub(crate) fn number(&self, tab: Tab, key: &[u8]) -> Result<Option<u64>, StoreError> {
        self.seen(tab, key, |bytes| value_u64(tab.name(), key, bytes))
    }
    pub(crate) fn has(&self, tab: Tab, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.seen(tab, key, |_| Ok(()))?.is_some())
    }
    /// At most `limit` rows of a stretch.
    pub(crate) fn rows<T: DeserializeOwned>(
        &self,
        tab: Tab,
        span: &Span,
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        let mut out = Vec::new();
        if limit > 0 {
            self.scan(tab, span, &mut |key, value| {
                out.push(decode(tab.name(), key, value)?);
                Ok(out.len() < limit)
            })?;
        }
        Ok(out)
    }
    /// At most `limit` keys of a stretch.
    pub(crate) fn keys(
        &self,
        tab: Tab,
        span: &Span,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut out = Vec::new();
        if limit > 0 {
            self.scan(tab, span, &mut |key, _| {
                out.push(key.to_vec());
                Ok(out.len() < limit)
            })?;
        }
        Ok(out)
    }
    /// The numbers at the end of at most `limit` keys of a stretch.
    pub(crate) fn tails(
        &self,
        tab: Tab,
        span: &Span,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        self.keys(tab, span, limit)?
            .iter()
            .map(|key| crate::codec::tail_u64(tab.name(), key))
            .collect()
    }
    /// The rows that these numbers name; an index that names none is an error.
    pub(crate) fn named<T: DeserializeOwned>(
        &self,
        tab: Tab,
        ids: &[u64],
    ) -> Result<Vec<T>, StoreError> {
        ids.iter()
            .map(|id| {
                let key = id.to_be_bytes();
                self.row(tab, &key)?.ok_or_else(|| {
                    crate::codec::corrupt(
                        tab.name(),
                        &key,
                        "an index names a row that is not there",
                    )
                })
            })
            .collect()
    }
}

fn bounds(span: &Span) -> (Bound<&[u8]>, Bound<&[u8]>) {
    let hi = span.hi.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    (Bound::Included(span.lo.as_slice()), hi)
}

fn empty(span: &Span) -> bool {
    span.hi.as_ref().is_some_and(|hi| *hi <= span.lo)
}

fn walk(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    span: &Span,
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    if empty(span) {
        return Ok(());
    }
    let mut range = table.range::<&[u8]>(bounds(span))?;
    while let Some(entry) = if span.newest_first {
        range.next_back()
    } else {
        range.next()
    } {
        let (key, value) = entry?;
        if !visit(key.value(), value.value())? {
            break;
        }
    }
    Ok(())
}

type WriteTable<'t> = Table<'t, &'static [u8], &'static [u8]>;
type ReadTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A write transaction. All that one closure does with it is one commit.
pub struct Tx<'t> {
    txn: &'t WriteTransaction,
    env: &'t Env,
    tables: Vec<OnceCell<WriteTable<'t>>>,
    /// The latest time any operation of this closure was told: the day its orders are counted on.
    pub(crate) latest: Option<Millis>,
    /// Files of bodies that the commit makes unneeded.
    pub(crate) unneeded: Vec<PathBuf>,
    /// Bodies that were just written or read, newest last: one closure asks for the same few again and again.
    bodies: RefCell<VecDeque<(u64, Body)>>,
}

impl<'t> Tx<'t> {
    pub(crate) fn new(txn: &'t WriteTransaction, env: &'t Env) -> Self {
        Self {
            txn,
            env,
            tables: (0..Tab::ALL.len()).map(|_| OnceCell::new()).collect(),
            latest: None,
            unneeded: Vec::new(),
            bodies: RefCell::default(),
        }
    }

    fn table(&self, tab: Tab) -> Result<&WriteTable<'t>, StoreError> {
        let cell = &self.tables[tab.index()];
        if cell.get().is_none() {
            let table = self.txn.open_table(tab.definition())?;
            // Nobody else can have filled it in between: a `Tx` is not shared.
            drop(cell.set(table));
        }
        cell.get().ok_or(StoreError::Closed)
    }

    fn table_mut(&mut self, tab: Tab) -> Result<&mut WriteTable<'t>, StoreError> {
        self.table(tab)?;
        self.tables[tab.index()].get_mut().ok_or(StoreError::Closed)
    }

    pub(crate) fn put_bytes(
        &mut self,
        tab: Tab,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.table_mut(tab)?.insert(key, value)?;
        Ok(())
    }

    pub(crate) fn put_row<T: Serialize>(
        &mut self,
        tab: Tab,
        key: &[u8],
        row: &T,
    ) -> Result<(), StoreError> {
        let bytes = encode(tab.name(), row)?;
        self.put_bytes(tab, key, &bytes)
    }

    pub(crate) fn put_number(
        &mut self,
        tab: Tab,
        key: &[u8],
        number: u64,
    ) -> Result<(), StoreError> {
        self.put_bytes(tab, key, &number.to_be_bytes())
    }

    pub(crate) fn del(&mut self, tab: Tab, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.table_mut(tab)?.remove(key)?.is_some())
    }

    /// Removes a table of an older schema version, if the file has it.
    pub(crate) fn drop_table(&self, name: &str) -> Result<(), StoreError> {
        let table: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(name);
        self.txn.delete_table(table)?;
        Ok(())
    }

    /// Replaces index entries: what is in both lists is left alone.
    pub(crate) fn reindex(&mut self, old: &[Entry], new: &[Entry]) -> Result<(), StoreError> {
        for entry in old
            .iter()
            .filter(|e| !new.iter().any(|n| n.tab == e.tab && n.key == e.key))
        {
            self.del(entry.tab, &entry.key)?;
        }
        for entry in new.iter().filter(|e| !old.contains(e)) {
            self.put_bytes(entry.tab, &entry.key, &entry.value)?;
        }
        Ok(())
    }

    /// The next number of a sequence, from 1.
    pub(crate) fn next(&mut self, sequence: &str) -> Result<u64, StoreError> {
        let next = self
            .dynamic()
            .number(Tab::Counters, sequence.as_bytes())?
            .unwrap_or(0)
            + 1;
        self.put_number(Tab::Counters, sequence.as_bytes(), next)?;
        Ok(next)
    }

    /// Changes a counter; one that reaches 0 is removed.
    pub(crate) fn count(&mut self, counter: &str, by: i64) -> Result<(), StoreError> {
        if by == 0 {
            return Ok(());
        }
        let old = self
            .dynamic()
            .number(Tab::Counters, counter.as_bytes())?
            .unwrap_or(0);
        match old.checked_add_signed(by) {
            Some(0) => self.del(Tab::Counters, counter.as_bytes()).map(drop),
            Some(new) => self.put_number(Tab::Counters, counter.as_bytes(), new),
            None => Err(crate::codec::corrupt(
                Tab::Counters.name(),
                counter.as_bytes(),
                "it would fall below 0",
            )),
        }
    }

    pub(crate) fn at(&mut self, now: Millis) {
        self.latest = Some(self.latest.map_or(now, |seen| seen.max(now)));
    }
}

impl Access for Tx<'_> {
    fn dynamic(&self) -> &dyn Access {
        self
    }
    fn env(&self) -> &Env {
        self.env
    }
    fn show(&self, tab: Tab, key: &[u8], look: Look<'_>) -> Result<(), StoreError> {
        match self.table(tab)?.get(key)? {
            Some(value) => look(value.value()),
            None => Ok(()),
        }
    }
    fn scan(&self, tab: Tab, span: &Span, visit: Visit<'_>) -> Result<(), StoreError> {
        walk(self.table(tab)?, span, visit)
    }
    fn kept(&self, body: u64) -> Option<Body> {
        let kept = self.bodies.borrow();
        kept.iter()
            .find(|(id, _)| *id == body)
            .map(|(_, body)| body.clone())
    }
    fn keep(&self, id: u64, body: &Body) {
        let mut kept = self.bodies.borrow_mut();
        if kept.len() == KEPT_BODIES {
            kept.pop_front();
        }
        kept.push_back((id, body.clone()));
    }
}

/// A read transaction: what was committed when it began. Never hold one over the network.
pub struct Rx {
    txn: ReadTransaction,
    env: std::sync::Arc<Env>,
    tables: Vec<OnceCell<ReadTable>>,
}

impl Rx {
    pub(crate) fn new(txn: ReadTransaction, env: std::sync::Arc<Env>) -> Self {
        Self {
            txn,
            env,
            tables: (0..Tab::ALL.len()).map(|_| OnceCell::new()).collect(),
        }
    }

    fn table(&self, tab: Tab) -> Result<&ReadTable, StoreError> {
        let cell = &self.tables[tab.index()];
        if cell.get().is_none() {
            let table = self.txn.open_table(tab.definition())?;
            // Nobody else can have filled it in between: an `Rx` is not shared.
            drop(cell.set(table));
        }
        cell.get().ok_or(StoreError::Closed)
    }
}

impl Access for Rx {
    fn dynamic(&self) -> &dyn Access {
        self
    }
    fn env(&self) -> &Env {
        &self.env
    }
    fn show(&self, tab: Tab, key: &[u8], look: Look<'_>) -> Result<(), StoreError> {
        match self.table(tab)?.get(key)? {
            Some(value) => look(value.value()),
            None => Ok(()),
        }
    }
    fn scan(&self, tab: Tab, span: &Span, visit: Visit<'_>) -> Result<(), StoreError> {
        walk(self.table(tab)?, span, visit)
    }
}

/// One entry of an index, as it follows from a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) tab: Tab,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl Entry {
    pub(crate) fn mark(tab: Tab, key: crate::codec::Key) -> Self {
        Self {
            tab,
            key: key.0,
            value: Vec::new(),
        }
    }
    pub(crate) fn number(tab: Tab, key: crate::codec::Key, number: u64) -> Self {
        Self {
            tab,
            key: key.0,
            value: number.to_be_bytes().to_vec(),
        }
    }
}
