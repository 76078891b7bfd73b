//! Reading feeds to their end, every page twice: once as if the agent had stopped before it was committed.

use crate::check::{Check, Outcome as Found, Report};
use crate::kit::Kit;
use crate::stand::{Stand, misbehaved};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use waybill_host::connector::CallError;
use waybill_host::generation::Generation;
use waybill_model::contract::{Failure, Page};
use waybill_model::document::Entity;

/// Pages after which a feed of a sandbox must have ended.
const PAGES: usize = 200;
/// Tries of one page; each after the time the connector asks for.
const TRIES: usize = 20;
/// Looks at a feed that is at rest.
const LOOKS: usize = 4;

type Keys = BTreeMap<String, String>;

fn keys(page: &Page) -> Keys {
    let pair = |d: &waybill_model::document::Document| (d.key.clone(), d.revision.clone());
    page.documents.iter().map(pair).collect()
}

/// How a feed broke its promise.
enum Broken {
    Cursor(String),
    Paging(String),
    /// It gave no page.
    Silent(String),
}

/// One page; `keep`: its writes are committed.
async fn page(
    stand: &Stand,
    entity: Entity,
    cursor: Option<&[u8]>,
    keep: bool,
) -> anyhow::Result<Result<Page, Broken>> {
    let mut last = String::new();
    for _ in 0..TRIES {
        let call = stand.poll(entity, cursor);
        let answer = stand
            .connector
            .pull(call, entity, cursor.map(<[u8]>::to_vec))
            .await;
        let value = if keep {
            stand.keep(answer).await?
        } else {
            stand.forget(answer)
        };
        match value {
            Ok(page) => return Ok(Ok(page)),
            Err(CallError::Failure(Failure::Retry(secs))) => {
                "it wants to be asked again".clone_into(&mut last);
                stand
                    .clock
                    .pass(i64::from(secs.unwrap_or(31)) * 1_000)
                    .await?;
            }
            Err(error) => {
                let why = misbehaved::<()>(&Err(error.clone()));
                return Ok(Err(Broken::Silent(
                    why.unwrap_or_else(|| format!("{error:?}")),
                )));
            }
        }
    }
    Ok(Err(Broken::Silent(last)))
}

/// Reads one feed; how many documents and pages it gave.
async fn read(stand: &Stand, entity: Entity) -> anyhow::Result<Result<(usize, usize), Broken>> {
    let mut cursor: Option<Vec<u8>> = None;
    let mut handed_out = BTreeSet::new();
    let mut seen = Keys::new();
    let mut pages = 0;
    loop {
        pages += 1;
        let first = match page(stand, entity, cursor.as_deref(), false).await? {
            Ok(page) => keys(&page),
            Err(broken) => return Ok(Err(broken)),
        };
        let again = match page(stand, entity, cursor.as_deref(), true).await? {
            Ok(page) => page,
            Err(broken) => return Ok(Err(broken)),
        };
        let second = keys(&again);
        if let Some(lost) = first.keys().find(|key| !second.contains_key(*key)) {
            return Ok(Err(Broken::Cursor(format!(
                "page {pages} was read, not committed and read again with the same cursor: `{lost}` was gone"
            ))));
        }
        seen.extend(second);
        cursor = Some(again.cursor.clone());
        if !again.more {
            break;
        }
        if !handed_out.insert(again.cursor) {
            return Ok(Err(Broken::Cursor(format!(
                "page {pages} leads to a cursor that was handed out before"
            ))));
        }
        if pages >= PAGES {
            return Ok(Err(Broken::Paging(format!(
                "{pages} pages with {} documents, and still `more`",
                seen.len()
            ))));
        }
    }
    Ok(match at_rest(stand, entity, cursor, &seen).await? {
        Some(broken) => Err(broken),
        None => Ok((seen.len(), pages)),
    })
}

/// Once a look gave nothing, later ones must not begin anew.
async fn at_rest(
    stand: &Stand,
    entity: Entity,
    mut cursor: Option<Vec<u8>>,
    seen: &Keys,
) -> anyhow::Result<Option<Broken>> {
    let mut idle = false;
    for _ in 0..LOOKS {
        stand.clock.pass(1_000).await?;
        let page = match page(stand, entity, cursor.as_deref(), true).await? {
            Ok(page) => page,
            Err(broken) => return Ok(Some(broken)),
        };
        let known = keys(&page)
            .into_iter()
            .find(|(k, r)| seen.get(k) == Some(r));
        if idle && let Some((key, _)) = known {
            return Ok(Some(Broken::Cursor(format!(
                "after a look that gave nothing, the feed began anew: `{key}` came again"
            ))));
        }
        idle = idle || page.documents.is_empty();
        cursor = Some(page.cursor);
    }
    Ok(None)
}

/// All feeds.
pub(crate) async fn look(
    report: &mut Report,
    kit: &Kit,
    generation: &Arc<Generation>,
) -> anyhow::Result<()> {
    let stand = Stand::new(kit, generation).await?;
    kit.fill(&stand).await?;
    let mut told = Vec::new();
    let mut silent = Vec::new();
    for feed in &generation.descriptor().pulls {
        match read(&stand, feed.entity).await? {
            Ok((documents, pages)) => told.push(format!("{} {documents} in {pages}", feed.entity)),
            Err(Broken::Cursor(why)) => {
                report.put(
                    Check::CursorsMoveOn,
                    Found::Failed(format!("{}: {why}", feed.entity)),
                );
            }
            Err(Broken::Paging(why)) => {
                report.put(
                    Check::PagingEnds,
                    Found::Failed(format!("{}: {why}", feed.entity)),
                );
            }
            Err(Broken::Silent(why)) => silent.push(format!("{}: {why}", feed.entity)),
        }
    }
    crate::pushes::judge(report, &stand.take_seen().exchanges);
    for check in [Check::CursorsMoveOn, Check::PagingEnds] {
        let found = if let Some(why) = silent.first() {
            if kit.is_generic() {
                Found::Skipped(format!("a feed gave no page, give --settings ({why})"))
            } else {
                Found::Failed(format!("a feed gave no page: {why}"))
            }
        } else if told.is_empty() {
            Found::Passed("it gives no feeds".to_owned())
        } else {
            Found::Passed(format!("documents by pages: {}", told.join(", ")))
        };
        report.put(check, found);
    }
    Ok(())
}
