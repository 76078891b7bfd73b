//! What a network confirmed and cannot list by date: it is asked for by its keys, each once after it was confirmed, and again
//! while its card is open. Invoices alone so far.

use super::card::{self, About};
use super::judge::{self, GRACE_MS};
use super::{Comparison, Finding, Step, steps};
use crate::core::Desk;
use crate::invoice::count;
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{ConnectionId, JobId, Millis, OrderId};
use waybill_model::job::{Ending, JobState};
use waybill_store::{FlowQuery, JobRow, Lists as _, Read, Rx, Standing, StoreError, Tx};

/// Keys of one call.
const MOST: usize = 50;
/// An invoice is confirmed within that time after it came; later ones are not looked for.
const LATE_MS: Millis = 30 * 24 * 3_600_000;

/// An invoice to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    order: OrderId,
    pub(super) key: String,
}

/// The next ones, and where to go on.
#[derive(Debug, Default)]
pub(super) struct Next {
    pub(super) asked: Vec<Asked>,
    pub(super) cursor: Option<Vec<u8>>,
}

fn mark_key(connection: ConnectionId) -> String {
    format!("comparison/confirmed/{connection}")
}

/// What was confirmed until then is looked at now.
const fn until(run: &Comparison) -> Millis {
    run.began - GRACE_MS
}

/// The next invoices that were confirmed since they were asked for last; those with an open card come with the first ones.
pub(super) fn next(
    rx: &Rx,
    desk: &Desk,
    run: &Comparison,
    step: &Step,
) -> Result<Next, StoreError> {
    let looked: Option<Millis> = super::stored(rx, &mark_key(step.connection))?;
    let since = run
        .from
        .max(steps::made_at(desk, step))
        .max(looked.unwrap_or(0));
    let place = run
        .cursor
        .as_deref()
        .and_then(|c| std::str::from_utf8(c).ok());
    let before: Option<u64> = place.and_then(|text| text.parse().ok());
    let page = rx.flow(&FlowQuery {
        entity: Entity::Invoice,
        standing: &[Standing::Told],
        retailer: None,
        before: before.map(JobId),
        limit: MOST,
    })?;
    let mut next = Next::default();
    if before.is_none() {
        let parked = rx.jobs_in("parked", usize::MAX)?.into_iter();
        let own = parked.filter(|job| {
            card::is_card(job) && job.entity == Entity::Invoice && job.from == step.connection
        });
        next.asked.extend(own.filter_map(|job| {
            let order = job.order?;
            Some(Asked {
                order,
                key: job.key,
            })
        }));
    }
    let goes_on = page
        .rows
        .last()
        .is_some_and(|job| job.created_at >= since - LATE_MS);
    next.cursor = page
        .next
        .filter(|_| goes_on)
        .map(|id| id.0.to_string().into_bytes());
    let told = page.rows.into_iter().filter(|job| {
        is_written(job)
            && job.to == step.connection
            && (since..until(run)).contains(&job.changed_at)
    });
    for job in told {
        let Some(order) = job.order else { continue };
        let one = Asked {
            order,
            key: job.key,
        };
        if !next.asked.contains(&one) {
            next.asked.push(one);
        }
    }
    Ok(next)
}

const fn is_written(job: &JobRow) -> bool {
    matches!(job.state, JobState::Done(Ending::Written(_)))
}

/// What the network shows of them is judged.
pub(super) fn take(
    tx: &mut Tx<'_>,
    desk: &Desk,
    run: &mut Comparison,
    step: &Step,
    asked: &[Asked],
    shown: &[Document],
    now: Millis,
) -> Result<(), StoreError> {
    for one in asked {
        let Some(row) = tx.order(one.order)? else {
            continue;
        };
        let jobs = tx.jobs_of_order(one.order)?;
        let told = |job: &&JobRow| count::is_invoice(job) && is_written(job) && job.key == one.key;
        let Some(job) = jobs.iter().rfind(told) else {
            continue;
        };
        run.seen += 1;
        let about = About {
            row: &row,
            entity: Entity::Invoice,
            key: &one.key,
            document: job.document,
        };
        let differences = judge::invoice(tx, desk, &jobs, job, shown)?;
        card::keep(tx, desk, &about, &differences, now)?;
        if differences.is_empty() {
            run.equal += 1;
        } else {
            let text = differences.join(" ");
            run.differs += 1;
            run.found(step, Finding::Differs, (&one.key, Some(row.id)), &text);
        }
    }
    Ok(())
}

/// All of them were asked for.
pub(super) fn done(tx: &mut Tx<'_>, run: &Comparison, step: &Step) -> Result<(), StoreError> {
    super::keep(tx, &mark_key(step.connection), &Some(until(run)))
}
