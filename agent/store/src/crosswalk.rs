//! Filled cells of the crosswalks, and the jobs that wait for empty ones. Knows no wildcard when reading a cell:
//! `model` asks for the wildcard itself. A retailer's own cell wins over the one for all.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Parts, Span, tail_u64};
use crate::error::StoreError;
use crate::jobs;
use crate::rows::CellRow;
use crate::schema::Tab;
use std::collections::BTreeSet;
use waybill_model::contract::Gap;
use waybill_model::crosswalk::{ANY, ITEMS};
use waybill_model::ids::{ConnectionId, JobId, Millis};
use waybill_model::job::{JobState, Reason};

pub(crate) fn pair(from: ConnectionId, to: ConnectionId) -> Key {
    Key::new().u32(from.0).u32(to.0)
}

/// Of a cell, and of what is kept beside cells under the same key.
pub(crate) fn cell_key(
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
    retailer: Option<&str>,
    value: &str,
) -> Key {
    pair(from, to)
        .text(table)
        .text_or_none(retailer)
        .text(value)
}

/// A cell found by its code.
pub(crate) fn code_entry(from: ConnectionId, to: ConnectionId, row: &CellRow) -> Entry {
    let key = pair(from, to).text(&row.table).text(&row.code);
    let key = key.text_or_none(row.retailer.as_deref()).text(&row.value);
    Entry::mark(Tab::CellCodes, key)
}

/// Values of the cells with that code.
pub(crate) fn values_of(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
    code: &str,
) -> Result<Vec<String>, StoreError> {
    let span = Span::prefix(pair(from, to).text(table).text(code));
    let keys = a.keys(Tab::CellCodes, &span, usize::MAX)?;
    keys.iter()
        .map(|key| {
            let mut parts = Parts::of(Tab::CellCodes.name(), key);
            parts.u32()?;
            parts.u32()?;
            parts.text()?;
            parts.text()?;
            if parts.byte()? == 1 {
                parts.text()?;
            }
            parts.text()
        })
        .collect()
}

/// Lists the codes of all cells: files of older versions have the cells alone.
pub(crate) fn index_codes(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let mut all = Vec::new();
    tx.dynamic()
        .scan(Tab::Cells, &Span::all(), &mut |key, value| {
            let row: CellRow = crate::codec::decode(Tab::Cells.name(), key, value)?;
            let mut parts = Parts::of(Tab::Cells.name(), key);
            let (from, to) = (ConnectionId(parts.u32()?), ConnectionId(parts.u32()?));
            all.push(code_entry(from, to, &row));
            Ok(true)
        })?;
    tx.reindex(&[], &all)
}

/// Where a job that waits for a cell is listed. Value before retailer: a cell for all fills every retailer's.
pub(crate) fn gap_key(from: ConnectionId, to: ConnectionId, gap: &Gap, job: JobId) -> Key {
    pair(from, to)
        .text(&gap.table)
        .text(&gap.value)
        .text_or_none(gap.retailer.as_deref())
        .u64(job.0)
}

pub(crate) fn cell(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
    retailer: &str,
    value: &str,
) -> Result<Option<String>, StoreError> {
    for retailer in [Some(retailer), None] {
        let key = cell_key(from, to, table, retailer, value);
        if let Some(row) = a.row::<CellRow>(Tab::Cells, &key.0)? {
            return Ok(Some(row.code));
        }
    }
    Ok(None)
}

/// Exactly that cell.
pub(crate) fn cell_row(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
    retailer: Option<&str>,
    value: &str,
) -> Result<Option<CellRow>, StoreError> {
    a.row(Tab::Cells, &cell_key(from, to, table, retailer, value).0)
}

pub(crate) fn cells(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
    after: Option<(Option<&str>, &str)>,
    limit: usize,
) -> Result<Vec<CellRow>, StoreError> {
    let mut span = Span::prefix(pair(from, to).text(table));
    if let Some((retailer, value)) = after {
        span = span.after(cell_key(from, to, table, retailer, value));
    }
    a.rows(Tab::Cells, &span, limit)
}

/// Jobs that wait for exactly that cell.
pub(crate) fn gap_jobs(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    gap: &Gap,
) -> Result<Vec<JobId>, StoreError> {
    let key = pair(from, to)
        .text(&gap.table)
        .text(&gap.value)
        .text_or_none(gap.retailer.as_deref());
    let ids = a.tails(Tab::Gaps, &Span::prefix(key), usize::MAX)?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// The empty cells of a table that jobs wait for, with how many each, by value; the first `limit` jobs are looked at.
pub(crate) fn gaps(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
    limit: usize,
) -> Result<Vec<(Gap, u64)>, StoreError> {
    let span = Span::prefix(pair(from, to).text(table));
    let mut out: Vec<(Gap, u64)> = Vec::new();
    for key in a.keys(Tab::Gaps, &span, limit)? {
        let mut parts = Parts::of(Tab::Gaps.name(), &key);
        parts.u32()?;
        parts.u32()?;
        let gap = gap_of(&mut parts)?;
        match out.last_mut() {
            Some((last, jobs)) if *last == gap => *jobs += 1,
            _ => out.push((gap, 1)),
        }
    }
    Ok(out)
}

/// The gap in a key of the list, behind the pair of connections.
fn gap_of(parts: &mut Parts<'_>) -> Result<Gap, StoreError> {
    let (table, value) = (parts.text()?, parts.text()?);
    let retailer = (parts.byte()? == 1).then(|| parts.text()).transpose()?;
    Ok(Gap {
        table,
        retailer,
        value,
    })
}

/// Whether a cell fills a gap: one for all fills every retailer's, a wildcard every value.
fn fills(cell: &Gap, gap: &Gap) -> bool {
    cell.table == gap.table
        && (cell.value == ANY || cell.value == gap.value)
        && (cell.retailer.is_none() || cell.retailer == gap.retailer)
}

/// Jobs that wait for any gap a cell fills.
fn waiting_for(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    cell: &Gap,
) -> Result<BTreeSet<u64>, StoreError> {
    let mut prefix = pair(from, to).text(&cell.table);
    if cell.value != ANY {
        prefix = prefix.text(&cell.value);
    }
    let mut out = BTreeSet::new();
    a.scan(Tab::Gaps, &Span::prefix(prefix), &mut |key, _| {
        let mut parts = Parts::of(Tab::Gaps.name(), key);
        parts.u32()?;
        parts.u32()?;
        if fills(cell, &gap_of(&mut parts)?) {
            out.insert(tail_u64(Tab::Gaps.name(), key)?);
        }
        Ok(true)
    })?;
    Ok(out)
}

impl Tx<'_> {
    /// Fills a cell, or empties it with `None`. Releases nothing: see `release_gap`.
    #[expect(
        clippy::too_many_arguments,
        reason = "a cell, its content and who did it"
    )]
    pub fn set_cell(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
        retailer: Option<&str>,
        value: &str,
        code: Option<&str>,
        label: Option<&str>,
        who: &str,
        now: Millis,
    ) -> Result<(), StoreError> {
        self.at(now);
        let key = cell_key(from, to, table, retailer, value);
        let old = self.dynamic().row::<CellRow>(Tab::Cells, &key.0)?;
        let codes = old.as_ref().map(|row| row.code.clone()).into_iter();
        let codes: Vec<String> = codes.chain(code.map(str::to_owned)).collect();
        self.stock_cell_changed((from, to), table, value, &codes, now)?;
        let old = old.map(|row| code_entry(from, to, &row));
        let Some(code) = code else {
            self.del(Tab::Cells, &key.0)?;
            self.reindex(old.as_slice(), &[])?;
            return self.keep_named(from, to, table, retailer, value);
        };
        let row = CellRow {
            table: table.to_owned(),
            retailer: retailer.map(str::to_owned),
            value: value.to_owned(),
            code: code.to_owned(),
            label: label.map(str::to_owned),
            who: who.to_owned(),
            at: now,
        };
        self.put_row(Tab::Cells, &key.0, &row)?;
        self.reindex(old.as_slice(), &[code_entry(from, to, &row)])?;
        self.keep_named(from, to, table, retailer, value)
    }

    fn keep_named(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
        retailer: Option<&str>,
        value: &str,
    ) -> Result<(), StoreError> {
        if table != ITEMS {
            return Ok(());
        }
        self.named_cell_changed(from, to, retailer, value)
    }

    /// Says that a cell is filled: takes it off the list of every job that waits for it, and makes those ready that
    /// wait for nothing else. Answers the jobs made ready. A cell for all retailers fills each retailer's; the
    /// wildcard fills every value.
    pub fn release_gap(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
        cell: &Gap,
        now: Millis,
    ) -> Result<Vec<JobId>, StoreError> {
        let mut released = Vec::new();
        for id in waiting_for(self, from, to, cell)? {
            let id = JobId(id);
            let row = jobs::expect(self, id)?;
            let next = match row.state {
                JobState::Parked(Reason::Gaps(gaps)) => {
                    let left: Vec<Gap> = gaps.into_iter().filter(|g| !fills(cell, g)).collect();
                    if left.is_empty() {
                        JobState::Ready
                    } else {
                        JobState::Parked(Reason::Gaps(left))
                    }
                }
                JobState::Blocked(_) => JobState::Ready,
                _ => continue,
            };
            if next == JobState::Ready {
                released.push(id);
            }
            self.set_state(id, next, now)?;
        }
        Ok(released)
    }
}
