//! Fills the database of a stopped agent with orders that went all the way, through the store's own operations: for
//! each three revisions of its document, three jobs in three calls with journal and transcript, its links and notes.
//! Must not know tables.

use crate::sample::{self, Sample, Step};
use crate::starts::now;
use anyhow::{Context as _, ensure};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use waybill_model::contract::{Exchange, Moment};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Entity, OrderPhase};
use waybill_model::ids::{ConnectionId, DocumentId, Generation, JobId, Millis, OrderId};
use waybill_model::job::{Ending, JobState, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{
    BegunRow, NewJob, NoteKind, NoteRow, Options, OrderRow, Place, Read as _, Retention, SealKey,
    Store, StoreError, Tx,
};

/// Orders of one commit.
const PER_COMMIT: u64 = 100;
/// Orders that share an acknowledgement.
const PER_CALL: usize = 5;
/// Where MiB are asked for, orders are placed so far apart, up to now: no retention has a reason to touch them.
const APART: Millis = 20_000;
/// Where orders are asked for, they are spread over this time up to now, and retention does its work.
const THREE_YEARS: Millis = 3 * 365 * 86_400_000;
/// Orders between two runs of retention: with a million of three years, half a day.
const BETWEEN_PRUNES: u64 = 500;
/// Commits that are looked at to say what one costs.
const SMALL_COMMITS: u32 = 100;

/// What to fill, and how far.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The agent's data folder; nobody else has the database open.
    pub(crate) data: PathBuf,
    /// How far.
    pub(crate) until: Until,
}

/// How far to fill.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// The file takes so many MiB of disk.
    Mib(u64),
    /// So many orders are stored.
    Orders(u64),
}

/// What was stored.
#[derive(Debug, Clone)]
pub(crate) struct Filled {
    pub(crate) orders: u64,
    pub(crate) took: Duration,
    /// Length of the file; it may be sparse.
    pub(crate) length: u64,
    /// What it takes on disk.
    pub(crate) disk: u64,
    grown: u64,
    /// Bytes the store wrote for all of them, in large commits, and for what retention removed.
    pub(crate) written: u64,
    /// Documents and transcripts that retention removed.
    pub(crate) pruned: (u64, u64),
    /// As the agent commits.
    pub(crate) commit: Commit,
    /// Without what makes opening after a kill quick.
    pub(crate) plain_commit: Commit,
}

/// What one commit of one small row costs on the full database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Commit {
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

impl Filled {
    pub(crate) const fn bytes_per_order(&self) -> u64 {
        self.grown / if self.orders == 0 { 1 } else { self.orders }
    }

    pub(crate) const fn written_per_order(&self) -> u64 {
        self.written / if self.orders == 0 { 1 } else { self.orders }
    }

    pub(crate) fn orders_per_second(&self) -> u64 {
        self.orders * 1000
            / u64::try_from(self.took.as_millis())
                .unwrap_or(u64::MAX)
                .max(1)
    }
}

/// The two sides orders travel between.
#[derive(Debug, Clone, Copy)]
struct Sides {
    from: ConnectionId,
    to: ConnectionId,
}

/// Fills the database.
pub(crate) fn fill(wanted: &Wanted) -> anyhow::Result<Filled> {
    let file = wanted.data.join("waybill.redb");
    let store = Store::open(options(wanted, &file)?)?;
    let sides = sides(&store)?;
    let before = on_disk(&file)?;
    let started = now();
    let (orders, pruned) = until_full(wanted, &file, &store, sides)?;
    let took = started.elapsed();
    let written = store.stats().bytes;
    let commit = small_commits(&store, sides)?;
    store.close()?;
    let store = Store::open(Options {
        quick_repair_below: 0,
        quick_repairs: 0,
        settle_after: None,
        ..options(wanted, &file)?
    })?;
    let plain_commit = small_commits(&store, sides)?;
    store.close()?;
    let disk = on_disk(&file)?;
    Ok(Filled {
        orders,
        took,
        length: std::fs::metadata(&file)?.len(),
        disk,
        grown: disk.saturating_sub(before),
        written,
        pruned,
        commit,
        plain_commit,
    })
}

fn options(wanted: &Wanted, file: &Path) -> anyhow::Result<Options> {
    Ok(Options {
        spool_dir: Some(wanted.data.join("bodies")),
        cache_bytes: 256 * 1024 * 1024,
        ..Options::new(Place::File(file.to_owned()), key(&wanted.data)?)
    })
}

fn sides(store: &Store) -> anyhow::Result<Sides> {
    let sides = store.read(|rx| {
        let row = |name| rx.connection_by_name(name);
        Ok(row("network")?.zip(row("erp")?).map(|(from, to)| Sides {
            from: from.id,
            to: to.id,
        }))
    })?;
    sides.context("the database has no connections `network` and `erp`")
}

/// Stores orders until the file takes what is wanted; how many, and what retention removed meanwhile.
fn until_full(
    wanted: &Wanted,
    file: &Path,
    store: &Store,
    sides: Sides,
) -> anyhow::Result<(u64, (u64, u64))> {
    // How many orders there will be is not always known before the end: the last ones would lie in the future, so the
    // first one lies far enough back for the most there can be.
    let (most, apart) = match wanted.until {
        Until::Mib(mib) => (mib * 1024 * 1024 / 4096, APART),
        Until::Orders(orders) => (orders, THREE_YEARS / Millis::try_from(orders)?.max(1)),
    };
    let first = wall_clock()? - Millis::try_from(most)? * apart;
    let mut orders = 0;
    let mut pruned = (0, 0);
    loop {
        match wanted.until {
            Until::Mib(mib) if on_disk(file)? >= mib * 1024 * 1024 => break,
            Until::Orders(_) if orders >= most => break,
            _ => ensure!(orders < most, "the file does not grow"),
        }
        let samples: Vec<Sample> = (orders..(orders + PER_COMMIT).min(most))
            .map(|n| sample::order(n, first + Millis::try_from(n).unwrap_or(0) * apart))
            .collect();
        let stored = samples.len() as u64;
        store.write_blocking(move |tx| {
            samples
                .chunks(PER_CALL)
                .try_for_each(|chunk| store_orders(tx, sides, chunk))
        })?;
        orders += stored;
        let retained = matches!(wanted.until, Until::Orders(_));
        if retained && (orders % BETWEEN_PRUNES == 0 || orders >= most) {
            let now = first + Millis::try_from(orders)? * apart;
            pruned = prune(store, now, pruned)?;
        }
    }
    Ok((orders, pruned))
}

/// What the agent's retention removes at that time, as it is set from the start: documents and transcripts. The agent
/// does so all along, and what it frees is used again: only so is the file as long as a merchant's.
fn prune(store: &Store, now: Millis, so_far: (u64, u64)) -> anyhow::Result<(u64, u64)> {
    let retention = Retention::default();
    let mut removed = so_far;
    loop {
        let pruned = store.write_blocking(move |tx| tx.prune(now, &retention))?;
        removed = (removed.0 + pruned.documents, removed.1 + pruned.transcripts);
        if !pruned.more {
            return Ok(removed);
        }
    }
}

fn small_commits(store: &Store, sides: Sides) -> anyhow::Result<Commit> {
    let before = store.stats().bytes;
    let started = now();
    for _ in 0..SMALL_COMMITS {
        store.write_blocking(move |tx| {
            let Some(mut row) = tx.connection(sides.to)? else {
                return Ok(());
            };
            row.last_ok = Some(row.last_ok.unwrap_or(0) + 1);
            tx.put_connection(&row).map(drop)
        })?;
    }
    Ok(Commit {
        bytes: (store.stats().bytes - before) / u64::from(SMALL_COMMITS),
        took: started.elapsed() / SMALL_COMMITS,
    })
}

fn on_disk(file: &Path) -> anyhow::Result<u64> {
    Ok(std::fs::metadata(file)?.blocks() * 512)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the orders of a measurement end at the real now"
)]
fn wall_clock() -> anyhow::Result<Millis> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(Millis::try_from(since.as_millis())?)
}

/// The key the agent made beside its database.
fn key(data: &Path) -> anyhow::Result<SealKey> {
    let path = data.join("seal.key");
    let shown = path.display();
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{shown}`"))?;
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.trim().as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits)?;
        *byte = u8::from_str_radix(digits, 16).with_context(|| format!("`{shown}` is no key"))?;
    }
    Ok(SealKey::from_bytes(bytes))
}

/// An order with what belongs to it in the store.
struct Kept {
    sample: Sample,
    order: OrderId,
    document: DocumentId,
}

/// Orders that were acknowledged together, from their arrival to the end.
fn store_orders(tx: &mut Tx<'_>, sides: Sides, samples: &[Sample]) -> Result<(), StoreError> {
    let mut all = Vec::new();
    for sample in samples {
        all.extend(arrive(tx, sides, sample)?);
    }
    let accept = Work::Settle(Moment::Accepted);
    let jobs = create(tx, sides, &all, accept)?;
    let at = all.first().map_or(0, |kept| kept.sample.placed_at) + 1_000;
    let call = sample::acknowledgement(samples, false, at);
    run(tx, sides.from, accept, &jobs, &call, at)?;
    come_again(tx, sides, &mut all, Step::Acknowledged, at + 1_000)?;
    let push = Work::Push(Entity::Order);
    for kept in &all {
        let jobs = create(tx, sides, std::slice::from_ref(kept), push)?;
        let call = kept.sample.sale_call(at + 2_000);
        run(tx, sides.to, push, &jobs, &call, at + 2_000)?;
        let (key, sale) = (&kept.sample.key, &kept.sample.sale);
        tx.link(
            sides.from,
            Entity::Order,
            key,
            sides.to,
            Entity::Order,
            sale,
        )?;
        let gross = kept
            .sample
            .order()
            .total
            .as_ref()
            .map_or(Decimal::ZERO, |t| t.gross);
        let text = format!(
            "Created in erp as sale {sale}. Total {gross} USD, equal to the order to the cent."
        );
        note(tx, kept.order, at + 2_000, NoteKind::Info, "doc", &text)?;
    }
    let deliver = Work::Settle(Moment::Delivered);
    let jobs = create(tx, sides, &all, deliver)?;
    let call = sample::acknowledgement(samples, true, at + 3_000);
    run(tx, sides.from, deliver, &jobs, &call, at + 3_000)?;
    come_again(tx, sides, &mut all, Step::Numbered, at + 4_000)?;
    all.iter().try_for_each(|kept| end(tx, kept, at + 4_000))
}

fn arrive(tx: &mut Tx<'_>, sides: Sides, sample: &Sample) -> Result<Option<Kept>, StoreError> {
    let at = sample.placed_at;
    let Some(accepted) = tx.accept(sides.from, &sample.document(Step::New), at)? else {
        return Ok(None);
    };
    let order = sample.order();
    let units = order.lines.iter().fold(Decimal::ZERO, |sum, line| {
        sum.checked_add(line.quantity).unwrap_or(sum)
    });
    let lines = u32::try_from(order.lines.len()).unwrap_or(u32::MAX);
    let row = OrderRow {
        id: OrderId(0),
        connection: sides.from,
        key: sample.key.clone(),
        number: order.number.clone(),
        retailer: order.retailer.clone(),
        retailer_name: order.retailer_name.clone(),
        stage: OrderStage::Received,
        phase: OrderPhase::Open,
        test: false,
        currency: order.currency.clone(),
        total: order.total.as_ref().map(|total| total.gross),
        units,
        lines,
        placed_at: order.placed_at,
        received_at: at,
        acknowledge_by: order.acknowledge_by.clone(),
        ship_by: order.ship_by.clone(),
        invoice_by: None,
        acknowledged_at: None,
        delivered_at: None,
        document: accepted.document,
        sale_key: None,
        sale_number: None,
        wanted: String::new(),
        wanted_sold: String::new(),
        shipped_at: None,
        problem: None,
    };
    let id = tx.put_order(&row)?;
    let text = format!(
        "Received from {} through network. {lines} lines, {units} units.",
        order.retailer_name
    );
    note(tx, id, at, NoteKind::Info, "in", &text)?;
    Ok(Some(Kept {
        sample: sample.clone(),
        order: id,
        document: accepted.document,
    }))
}

/// One ready job of that work for each order.
fn create(
    tx: &mut Tx<'_>,
    sides: Sides,
    all: &[Kept],
    work: Work,
) -> Result<Vec<JobId>, StoreError> {
    let to = match work {
        Work::Push(_) => sides.to,
        Work::Settle(_) | Work::Compare | Work::Attend => sides.from,
    };
    all.iter()
        .map(|kept| {
            let job = NewJob {
                work,
                from: sides.from,
                to,
                entity: Entity::Order,
                key: kept.sample.key.clone(),
                order: Some(kept.order),
                lane: kept.sample.key.clone(),
                document: kept.document,
                state: JobState::Ready,
                urgent_by: kept.sample.order().ship_by.as_ref().map(|by| by.at),
            };
            tx.create_job(job, kept.sample.placed_at)
        })
        .collect()
}

/// A call that went well: batch, journal, transcript, and its jobs done.
fn run(
    tx: &mut Tx<'_>,
    to: ConnectionId,
    work: Work,
    jobs: &[JobId],
    call: &Exchange,
    at: Millis,
) -> Result<(), StoreError> {
    let batch = tx.create_batch(to, work, Entity::Order, jobs, Generation(1), at)?;
    let (scope, step) = (
        format!("batch:{batch}"),
        call.step.as_deref().unwrap_or_default(),
    );
    if let BegunRow::Fresh(effect) = tx.begin_effect(to, &scope, jobs, step, None, at)? {
        tx.finish_effect(effect, Some(call.answer.as_bytes()), at + 300)?;
    }
    tx.close_batch(batch, std::slice::from_ref(call))?;
    for job in jobs {
        let ending = Ending::Written(format!("{batch}"));
        tx.set_state(*job, JobState::Done(ending), at + 300)?;
    }
    Ok(())
}

/// The network sends the orders again, one step further.
fn come_again(
    tx: &mut Tx<'_>,
    sides: Sides,
    all: &mut [Kept],
    step: Step,
    at: Millis,
) -> Result<(), StoreError> {
    for kept in all {
        if let Some(accepted) = tx.accept(sides.from, &kept.sample.document(step), at)? {
            kept.document = accepted.document;
        }
        let (what, number) = match step {
            Step::Numbered => (
                "Sale number",
                format!(" and keeps sale number {}", kept.sample.sale),
            ),
            _ => ("Acknowledgement", String::new()),
        };
        let sent = format!("{what} sent to network, not confirmed yet.");
        note(tx, kept.order, at - 900, NoteKind::Soon, "soon", &sent)?;
        let confirmed = format!("network confirmed{number}.");
        note(tx, kept.order, at, NoteKind::Ok, "ok", &confirmed)?;
    }
    Ok(())
}

/// Nothing is left to do for an order.
fn end(tx: &mut Tx<'_>, kept: &Kept, at: Millis) -> Result<(), StoreError> {
    let Some(mut row) = tx.order(kept.order)? else {
        return Ok(());
    };
    row.stage = OrderStage::Invoiced;
    row.phase = OrderPhase::Accepted;
    row.document = kept.document;
    row.acknowledged_at = Some(at);
    row.delivered_at = Some(at);
    row.sale_key = Some(kept.sample.sale.clone());
    row.sale_number = Some(kept.sample.sale.clone());
    tx.put_order(&row).map(drop)
}

fn note(
    tx: &mut Tx<'_>,
    order: OrderId,
    at: Millis,
    kind: NoteKind,
    icon: &str,
    text: &str,
) -> Result<(), StoreError> {
    let note = NoteRow {
        at,
        kind,
        icon: icon.to_owned(),
        text: text.to_owned(),
        words: None,
    };
    tx.note(order, note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_store::sim_disk::SimDisk;
    use waybill_store::{ConnectionRow, OrderQuery, Writer};

    #[test]
    fn what_is_stored_is_whole() {
        let disk = SimDisk::new(1);
        let options = Options {
            writer: Writer::Inline,
            ..Options::new(Place::Backend(disk.backend()), SealKey::from_bytes([7; 32]))
        };
        let store = Store::open(options).unwrap();
        let connection = |name: &str| ConnectionRow {
            id: ConnectionId(0),
            name: name.to_owned(),
            connector: name.to_owned(),
            title: name.to_owned(),
            paused: false,
            allow_private: false,
            grants: Vec::new(),
            created_at: 0,
            hold_until: None,
            unauthorized: None,
            last_ok: None,
            last_error: None,
            clock_skew_ms: None,
        };
        store
            .write_blocking(move |tx| {
                let sides = Sides {
                    from: tx.put_connection(&connection("network"))?,
                    to: tx.put_connection(&connection("erp"))?,
                };
                let samples: Vec<Sample> = (0..7).map(|n| sample::order(n, 5_000)).collect();
                samples
                    .chunks(PER_CALL)
                    .try_for_each(|chunk| store_orders(tx, sides, chunk))
            })
            .unwrap();
        assert_eq!(store.verify().unwrap(), Vec::<String>::new());
        let (orders, open, first) = store
            .read(|rx| {
                let query = OrderQuery {
                    limit: 100,
                    ..OrderQuery::default()
                };
                let orders = rx.orders(query)?;
                let first = rx.documents_of_order(orders[0].id, 10)?.len();
                Ok((orders, rx.open_batches()?.len(), first))
            })
            .unwrap();
        assert_eq!(orders.len(), 7);
        assert!(
            orders
                .iter()
                .all(|order| order.stage == OrderStage::Invoiced)
        );
        assert_eq!(open, 0);
        assert_eq!(first, 3, "three revisions");
    }
}
