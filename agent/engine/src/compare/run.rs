//! When a comparison begins, and its pages one by one. Must not know who is shown what came of it.

use super::judge::{self, Found};
use super::{Comparison, KEPT, Line, REPORTS, RUN, Step, keep, reports, running};
use crate::core::{Core, Desk};
use crate::event::Event;
use crate::flow::{self, Standing};
use crate::supervise::{self, HIGH_WATER};
use crate::{calls, intake, pull};
use std::sync::Arc;
use waybill_host::connector::{CallError, Mode};
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Failure, KvWrite, Page, Role, Scope};
use waybill_model::crash;
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_model::settings::{self, COMPARE_DAYS, COMPARE_HOUR};
use waybill_store::{Read, StoreError, Tx};

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

/// When the connection of a step was made. What is older was seen to by somebody else: a person asks for it.
fn made_at(desk: &Desk, step: &Step) -> Millis {
    let slot = desk.slots.get(&step.connection);
    slot.map_or(0, |slot| slot.row.created_at)
}

/// Everything that flows and can be listed where it comes from.
fn steps(desk: &Desk) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for entity in [Entity::Order, Entity::Shipment, Entity::Invoice] {
        for route in desk.routes.iter().filter(|row| row.entity == entity) {
            let step = Step {
                connection: route.from,
                entity,
            };
            let slot = desk.slots.get(&route.from);
            let connector = slot.and_then(|slot| slot.connector());
            let lists = connector.is_some_and(|c| c.roles().contains(&Role::Listing));
            if lists && !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    steps
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

async fn page(core: &Arc<Core>, desk: &Arc<Desk>, run: Comparison) -> Result<(), StoreError> {
    let began = core.now();
    let Some(step) = run.steps.first().cloned() else {
        return over(core, run).await;
    };
    let slot = desk.slots.get(&step.connection);
    let Some((slot, connector)) = slot.and_then(|slot| Some((slot, slot.connector()?))) else {
        return left_out(core, run, "Its connector is not at work.".to_owned()).await;
    };
    let id = step.connection;
    let (may_call, runs, full) = core.store.read(|rx| {
        let full = supervise::backlog(&rx.counters()?) > HIGH_WATER;
        let reads = flow::reads_over(desk, &rx.routes()?, id, step.entity, began);
        let runs = reads == Some(Standing::Runs);
        Ok((core.may_call(rx, id, began)?, runs, full))
    })?;
    if !may_call || !runs || full {
        return core
            .store
            .write(move |tx| {
                let next_due = began + LATER_MS;
                keep(
                    tx,
                    RUN,
                    &Some(Comparison {
                        next_due,
                        ..run.clone()
                    }),
                )
            })
            .await;
    }
    let mark = pull::cursor_mark(run.cursor.as_deref());
    let scope = EffectScope::Poll(format!("compare/{}/{}/{mark}", run.id, step.entity));
    let call = core.call(
        slot,
        scope,
        Priority::Catalogue,
        Mode::Live,
        run.failures + 1,
    );
    let window = Scope::Between(run.from.max(made_at(desk, &step)), run.began);
    let answer = connector
        .read(call, step.entity, window, run.cursor.clone())
        .await;
    crash::point("compare.answered");
    let now = core.now();
    match answer.value {
        Ok(page) => {
            let (writes, desk) = (answer.writes, desk.clone());
            crash::point("compare.before-commit");
            let taken = core
                .store
                .write(move |tx| {
                    calls::mark_ok(tx, id, now)?;
                    turn(tx, &desk, &run, &step, &page, &writes, now)
                })
                .await?;
            crash::point("compare.committed");
            core.observe(|| format!("compared {id} taken={taken}"));
            Ok(())
        }
        Err(error) => failed(core, run, id, error, now).await,
    }
}

/// Turns a page over: what is on it is taken or judged, and the comparison stands behind it. How many were taken.
fn turn(
    tx: &mut Tx<'_>,
    desk: &Desk,
    read: &Comparison,
    step: &Step,
    page: &Page,
    writes: &[KvWrite],
    now: Millis,
) -> Result<u64, StoreError> {
    let stands = |run: &Comparison| run.id == read.id && run.cursor == read.cursor;
    let Some(mut run) = running(tx)?.filter(stands) else {
        return Ok(0);
    };
    tx.kv_apply(step.connection, writes)?;
    let mut take: Vec<Document> = Vec::new();
    let mut words = Vec::new();
    for document in &page.documents {
        run.seen += 1;
        match judge::found(tx, step.connection, document)? {
            Found::Over => run.over += 1,
            Found::Same => {}
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
        repaired(tx, &mut run, step, document, words)?;
    }
    for document in &page.documents {
        differs(tx, &mut run, step, document, now)?;
    }
    run.taken += take.len() as u64;
    run.cursor = Some(page.cursor.clone());
    run.failures = 0;
    run.problem = None;
    run.next_due = now;
    if !page.more {
        run.steps.remove(0);
        run.cursor = None;
    }
    keep(tx, RUN, &Some(run))?;
    Ok(take.len() as u64)
}

/// A note or an invoice of nobody we know leaves nothing behind, and is no repair.
fn repaired(
    tx: &Tx<'_>,
    run: &mut Comparison,
    step: &Step,
    document: &Document,
    words: &str,
) -> Result<(), StoreError> {
    let order = match step.entity {
        Entity::Order => {
            let row = tx.order_by_key(step.connection, &document.key)?;
            row.map(|row| row.id)
        }
        entity => tx.order_of_latest(step.connection, entity, &document.key)?,
    };
    if let Some(id) = order {
        run.note(Line {
            connection: step.connection,
            entity: step.entity,
            key: document.key.clone(),
            order: Some(id.0),
            repaired: true,
            text: words.to_owned(),
        });
    }
    Ok(())
}

fn differs(
    tx: &mut Tx<'_>,
    run: &mut Comparison,
    step: &Step,
    document: &Document,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(listed) = document.order() else {
        return Ok(());
    };
    let Some(row) = tx.order_by_key(step.connection, &document.key)? else {
        return Ok(());
    };
    for text in judge::differences(tx, &row, listed, now)? {
        judge::say(tx, &row, &text, now)?;
        run.differs += 1;
        run.note(Line {
            connection: step.connection,
            entity: step.entity,
            key: document.key.clone(),
            order: Some(row.id.0),
            repaired: false,
            text,
        });
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

/// The step that cannot be read is said and left out; the others go on.
async fn left_out(core: &Arc<Core>, run: Comparison, why: String) -> Result<(), StoreError> {
    let now = core.now();
    core.store
        .write(move |tx| {
            let mut run = run.clone();
            let step = run.steps.remove(0);
            run.lines.push(Line {
                connection: step.connection,
                entity: step.entity,
                key: String::new(),
                order: None,
                repaired: false,
                text: format!("It could not be compared: {why}"),
            });
            run.differs += 1;
            run.cursor = None;
            run.failures = 0;
            run.next_due = now;
            keep(tx, RUN, &Some(run))
        })
        .await
}

async fn failed(
    core: &Arc<Core>,
    run: Comparison,
    id: ConnectionId,
    error: CallError,
    now: Millis,
) -> Result<(), StoreError> {
    let attempt = run.failures + 1;
    tracing::warn!(attempt, error = ?error, "A page of the comparison could not be read.");
    let said = calls::sentence(&error);
    let refused = matches!(error, CallError::Failure(Failure::Rejected(_)));
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
        return left_out(core, run, said).await;
    }
    Ok(())
}
