//! When a comparison begins, and its pages one by one. Must not know who is shown what came of it.

use super::card::{self, About};
use super::confirmed::{self, Next};
use super::judge::{self, Found, Sale};
use super::steps::{made_at, steps};
use super::{Comparison, Finding, KEPT, Line, Purpose, REPORTS, RUN, Step, keep, reports, running};
use crate::core::{Core, Desk, Slot};
use crate::event::Event;
use crate::flow::{self, Standing};
use crate::supervise::{self, HIGH_WATER};
use crate::{calls, intake, pull};
use std::collections::BTreeSet;
use std::sync::Arc;
use waybill_host::connector::{Call, CallError, Connector};
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Failure, KvWrite, Page, Scope};
use waybill_model::crash;
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{Millis, OrderId};
use waybill_model::job::Priority;
use waybill_model::settings::{self, COMPARE_DAYS, COMPARE_HOUR};
use waybill_store::{Read, Rx, StoreError, Tx};

const DAY_MS: Millis = 24 * 3_600_000;
/// Where calls are not allowed now, it is looked again so soon.
const LATER_MS: Millis = 60_000;
/// A step that cannot be read is left out after so many attempts.
const MOST_FAILURES: u32 = 10;

fn number(desk: &Desk, key: &str) -> Option<i64> {
    let defaults = settings::timing_settings();
    settings::value(&desk.agent, key, &defaults)?
        .trim()
        .parse()
        .ok()
}

/// The last time the hour of the comparison struck.
fn struck(desk: &Desk, now: Millis) -> Option<Millis> {
    let hour = i8::try_from(number(desk, COMPARE_HOUR)?).ok()?;
    if number(desk, COMPARE_DAYS)? <= 0 || !(0..24).contains(&hour) {
        return None;
    }
    let at = jiff::Timestamp::from_millisecond(now).ok()?;
    let at = at.to_zoned(desk.zone.clone());
    let strikes = |date: jiff::civil::Date| {
        let at = date.at(hour, 0, 0, 0).to_zoned(desk.zone.clone()).ok()?;
        Some(at.timestamp().as_millisecond())
    };
    let today = strikes(at.date())?;
    if today <= now {
        return Some(today);
    }
    strikes(at.date().yesterday().ok()?)
}

/// When the next page is read, or the next comparison begins.
pub(crate) fn due(rows: &dyn Read, desk: &Desk, now: Millis) -> Result<Option<Millis>, StoreError> {
    if let Some(run) = running(rows)? {
        return Ok(Some(run.next_due));
    }
    if steps(desk).is_empty() {
        return Ok(None);
    }
    let Some(struck) = struck(desk, now) else {
        return Ok(None);
    };
    // The first one is that of the first night.
    let made = steps(desk).iter().map(|step| made_at(desk, step)).min();
    let last = reports(rows)?
        .first()
        .map_or(made.unwrap_or(now), |report| report.began);
    Ok(Some(if last < struck {
        struck
    } else {
        struck + DAY_MS
    }))
}

/// A comparison that begins now.
pub(super) fn begin(
    tx: &mut Tx<'_>,
    desk: &Desk,
    who: &str,
    now: Millis,
) -> Result<Option<u64>, StoreError> {
    let steps = steps(desk);
    if steps.is_empty() || running(tx)?.is_some() {
        return Ok(None);
    }
    let days = number(desk, COMPARE_DAYS)
        .filter(|days| *days > 0)
        .unwrap_or(1);
    let id = reports(tx)?.first().map_or(0, |report| report.id) + 1;
    let run = Comparison {
        id,
        who: who.to_owned(),
        began: now,
        from: now - days * DAY_MS,
        steps,
        next_due: now,
        ..Comparison::default()
    };
    keep(tx, RUN, &Some(run))?;
    Ok(Some(id))
}

/// Begins one, or reads its next page.
pub(crate) async fn run(core: Arc<Core>) -> Result<(), StoreError> {
    let (desk, now) = (core.desk(), core.now());
    if let Some(run) = core.store.read(|rx| running(rx))? {
        page(&core, &desk, run).await?;
    } else {
        let begun = core
            .store
            .write(move |tx| begin(tx, &desk, "waybill", now))
            .await?;
        core.observe(|| format!("comparison {begun:?}"));
    }
    core.wake(Event::Changed);
    Ok(())
}

/// Whether calls are allowed, a flow that needs the listing runs, and there is room for what it brings.
fn may_read(
    core: &Core,
    desk: &Desk,
    rx: &Rx,
    step: &Step,
    now: Millis,
) -> Result<bool, StoreError> {
    let (id, entity, routes) = (step.connection, step.entity, rx.routes()?);
    let runs = |from| flow::reads_over(desk, &routes, from, entity, now) == Some(Standing::Runs);
    let runs = match step.purpose {
        Purpose::Feed => runs(id),
        Purpose::Sales | Purpose::Confirmed => {
            let mut to = routes.iter().filter(|r| r.entity == entity && r.to == id);
            to.any(|route| runs(route.from))
        }
    };
    let full = supervise::backlog(&rx.counters()?) > HIGH_WATER;
    Ok(runs && !full && core.may_call(rx, id, now)?)
}

async fn page(core: &Arc<Core>, desk: &Arc<Desk>, run: Comparison) -> Result<(), StoreError> {
    let began = core.now();
    let Some(step) = run.steps.first().cloned() else {
        return over(core, run).await;
    };
    let slot = desk.slots.get(&step.connection);
    let Some((slot, connector)) = slot.and_then(|slot| Some((slot, slot.connector()?))) else {
        let text = "It could not be compared: its connector is not at work.".to_owned();
        return left_out(core, run, Finding::NotCompared, text).await;
    };
    if !steps(desk).contains(&step) {
        let text = "No flow needs it any more.".to_owned();
        return left_out(core, run, Finding::NotListed, text).await;
    }
    let id = step.connection;
    if !core
        .store
        .read(|rx| may_read(core, desk, rx, &step, began))?
    {
        let later = Comparison {
            next_due: began + LATER_MS,
            ..run
        };
        let later = Some(later);
        return core.store.write(move |tx| keep(tx, RUN, &later)).await;
    }
    let answer = match step.purpose {
        Purpose::Confirmed => ask(core, desk, slot, connector, &run, &step).await?,
        Purpose::Feed | Purpose::Sales => {
            let window = Scope::Between(run.from.max(made_at(desk, &step)), run.began);
            let answer = connector
                .read(
                    call(core, slot, &run, 0)?,
                    step.entity,
                    window,
                    run.cursor.clone(),
                )
                .await;
            (answer.value.map(Answered::Listed), answer.writes)
        }
    };
    crash::point("compare.answered");
    let now = core.now();
    match answer {
        (Ok(answered), writes) => {
            let desk = desk.clone();
            crash::point("compare.before-commit");
            let taken = core
                .store
                .write(move |tx| {
                    calls::mark_ok(tx, id, now)?;
                    turn(tx, &desk, &run, &step, &answered, &writes, now)
                })
                .await?;
            crash::point("compare.committed");
            core.observe(|| format!("compared {id} taken={taken}"));
            Ok(())
        }
        (Err(error), _) => failed(core, run, &step, error, now).await,
    }
}

/// What a call brought.
enum Answered {
    /// A page of a listing.
    Listed(Page),
    /// What the network shows of what it confirmed.
    Shown(Next, Vec<Document>),
}

/// One call of a step; several may be needed for its keys.
fn call(core: &Core, slot: &Slot, run: &Comparison, part: usize) -> Result<Call, StoreError> {
    let mark = pull::mark(run.cursor.as_deref().unwrap_or_default());
    let left = run.steps.len();
    let scope = EffectScope::Poll(format!("compare/{}/{left}/{mark}/{part}", run.id));
    let mode = core.reading(slot.row.id, Entity::Order)?;
    Ok(core.call(slot, scope, Priority::Catalogue, mode, run.failures + 1))
}

type Asked = (Result<Answered, CallError>, Vec<KvWrite>);

/// Asks for the next documents that were confirmed, by their keys.
async fn ask(
    core: &Core,
    desk: &Desk,
    slot: &Slot,
    connector: &Arc<dyn Connector>,
    run: &Comparison,
    step: &Step,
) -> Result<Asked, StoreError> {
    let next = core.store.read(|rx| confirmed::next(rx, desk, run, step))?;
    let keys: Vec<String> = next.asked.iter().map(|asked| asked.key.clone()).collect();
    let (mut shown, mut writes, mut cursor) = (Vec::new(), Vec::new(), None);
    let mut more = !keys.is_empty();
    for part in 0..keys.len() {
        let scope = Scope::Keys(keys.clone());
        let answer = connector
            .read(call(core, slot, run, part)?, step.entity, scope, cursor)
            .await;
        writes.extend(answer.writes);
        match answer.value {
            Ok(page) => {
                shown.extend(page.documents);
                more = page.more;
                if !more {
                    break;
                }
                cursor = Some(page.cursor);
            }
            Err(error) => return Ok((Err(error), writes)),
        }
    }
    if more {
        // What was not handed out would count as not there.
        let error = CallError::Contract("more pages than keys".to_owned());
        return Ok((Err(error), writes));
    }
    Ok((Ok(Answered::Shown(next, shown)), writes))
}

/// Turns a page over: what is on it is taken or judged, and the comparison stands behind it. How many were taken.
fn turn(
    tx: &mut Tx<'_>,
    desk: &Desk,
    read: &Comparison,
    step: &Step,
    answered: &Answered,
    writes: &[KvWrite],
    now: Millis,
) -> Result<u64, StoreError> {
    let stands = |run: &Comparison| {
        run.id == read.id && run.steps.len() == read.steps.len() && run.cursor == read.cursor
    };
    let Some(mut run) = running(tx)?.filter(stands) else {
        return Ok(0);
    };
    tx.kv_apply(step.connection, writes)?;
    let before = run.taken;
    run.cursor = match answered {
        Answered::Listed(page) => {
            if step.purpose == Purpose::Sales {
                sales(tx, desk, &mut run, step, page)?;
            } else {
                documents(tx, desk, &mut run, step, page, now)?;
            }
            page.more.then(|| page.cursor.clone())
        }
        Answered::Shown(next, shown) => {
            confirmed::take(tx, desk, &mut run, step, &next.asked, shown, now)?;
            next.cursor.clone()
        }
    };
    if run.cursor.is_none() {
        if step.purpose == Purpose::Confirmed {
            confirmed::done(tx, &run, step)?;
        }
        run.steps.remove(0);
    }
    run.failures = 0;
    run.problem = None;
    run.next_due = now;
    let taken = run.taken - before;
    keep(tx, RUN, &Some(run))?;
    Ok(taken)
}

/// Takes what is missing or newer; what the network shows otherwise than it confirmed becomes a card.
fn documents(
    tx: &mut Tx<'_>,
    desk: &Desk,
    run: &mut Comparison,
    step: &Step,
    page: &Page,
    now: Millis,
) -> Result<(), StoreError> {
    let mut take: Vec<Document> = Vec::new();
    let mut words = Vec::new();
    let mut same: BTreeSet<&str> = BTreeSet::new();
    for document in &page.documents {
        run.seen += 1;
        match judge::found(tx, step.connection, document)? {
            Found::Over => run.over += 1,
            Found::Same => drop(same.insert(&document.key)),
            found => {
                take.push(document.clone());
                words.push(if found == Found::Missing {
                    "It was missing here and is taken."
                } else {
                    "A change of it was missing here and is taken."
                });
            }
        }
    }
    intake::documents(tx, desk, step.connection, &take, now)?;
    for (document, words) in take.iter().zip(words) {
        // A note or an invoice of nobody we know leaves nothing behind, and is no repair.
        if let Some(order) = order_of(tx, step, document)? {
            run.taken += 1;
            run.found(step, Finding::Repaired, (&document.key, Some(order)), words);
        }
    }
    for document in &page.documents {
        let differs = differs(tx, desk, run, step, document, now)?;
        if !differs && same.contains(document.key.as_str()) {
            run.equal += 1;
        }
    }
    Ok(())
}

fn order_of(tx: &Tx<'_>, step: &Step, document: &Document) -> Result<Option<OrderId>, StoreError> {
    match step.entity {
        Entity::Order => {
            let row = tx.order_by_key(step.connection, &document.key)?;
            Ok(row.map(|row| row.id))
        }
        entity => tx.order_of_latest(step.connection, entity, &document.key),
    }
}

/// Whether the network shows an order otherwise than it confirmed it.
fn differs(
    tx: &mut Tx<'_>,
    desk: &Desk,
    run: &mut Comparison,
    step: &Step,
    document: &Document,
    now: Millis,
) -> Result<bool, StoreError> {
    let Some(listed) = document.order() else {
        return Ok(false);
    };
    let Some(row) = tx.order_by_key(step.connection, &document.key)? else {
        return Ok(false);
    };
    let (differences, sure) = judge::differences(tx, &row, listed, now)?;
    if !sure && !differences.is_empty() {
        return Ok(false);
    }
    card::keep(tx, desk, &About::order(&row), &differences, now)?;
    if differences.is_empty() {
        return Ok(false);
    }
    run.differs += 1;
    let text = differences.join(" ");
    run.found(step, Finding::Differs, (&document.key, Some(row.id)), &text);
    Ok(true)
}

/// Sales that belong to no order here are said. Nothing is done with them.
fn sales(
    tx: &Tx<'_>,
    desk: &Desk,
    run: &mut Comparison,
    step: &Step,
    page: &Page,
) -> Result<(), StoreError> {
    for document in &page.documents {
        let Some(listed) = document.order() else {
            continue;
        };
        match judge::sale(tx, desk, step.connection, document, listed)? {
            Sale::Foreign => {}
            Sale::Ours => {
                run.seen += 1;
                run.equal += 1;
            }
            Sale::Unknown(order, text) => {
                run.seen += 1;
                run.unknown += 1;
                run.found(step, Finding::Unknown, (&document.key, order), &text);
            }
        }
    }
    Ok(())
}

/// All steps are done: the report is kept.
async fn over(core: &Arc<Core>, run: Comparison) -> Result<(), StoreError> {
    let now = core.now();
    core.store
        .write(move |tx| {
            let mut all = reports(tx)?;
            all.insert(
                0,
                Comparison {
                    ended: Some(now),
                    ..run.clone()
                },
            );
            all.truncate(KEPT);
            keep(tx, REPORTS, &all)?;
            keep(tx, RUN, &None::<Comparison>)
        })
        .await
}

/// The listing that cannot be read is said and left out; the others go on.
async fn left_out(
    core: &Arc<Core>,
    run: Comparison,
    finding: Finding,
    text: String,
) -> Result<(), StoreError> {
    let now = core.now();
    core.store
        .write(move |tx| {
            let mut run = run.clone();
            let step = run.steps.remove(0);
            if finding == Finding::NotCompared {
                run.not_compared += 1;
            }
            run.lines.push(Line {
                finding,
                connection: step.connection,
                entity: step.entity,
                key: String::new(),
                order: None,
                text: text.clone(),
            });
            run.cursor = None;
            run.failures = 0;
            run.problem = None;
            run.next_due = now;
            keep(tx, RUN, &Some(run))
        })
        .await
}

async fn failed(
    core: &Arc<Core>,
    run: Comparison,
    step: &Step,
    error: CallError,
    now: Millis,
) -> Result<(), StoreError> {
    let id = step.connection;
    let refused = matches!(error, CallError::Failure(Failure::Rejected(_)));
    let said = calls::sentence(&error);
    if refused && step.purpose != Purpose::Feed {
        // What comes as a feed is listed too; of the rest, a connector says that it cannot.
        return left_out(core, run, Finding::NotListed, said).await;
    }
    let attempt = run.failures + 1;
    tracing::warn!(attempt, error = ?error, "A page of the comparison could not be read.");
    let wait = calls::wait_ms(core, &error, attempt);
    let next = Comparison {
        failures: attempt,
        next_due: now + wait.max(1),
        problem: Some(said.clone()),
        ..run.clone()
    };
    core.store
        .write(move |tx| {
            calls::mark_error(tx, id, &error, now)?;
            keep(tx, RUN, &Some(next.clone()))
        })
        .await?;
    if refused || attempt >= MOST_FAILURES {
        let text = format!("It could not be compared: {said}");
        return left_out(core, run, Finding::NotCompared, text).await;
    }
    Ok(())
}
