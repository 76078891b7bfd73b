//! Orders from files: what lies in the folder of exports and was not read, and what the server put into its archive
//! before it was. A file is read whole by the agent and handed on in pages; which content of which name was taken is kept
//! in the private space, in the commit that takes its last orders. Knows no column.

use super::depot::{Depot, File, Reading, split};
use super::orders::Orders;
use super::table::{Mistake, Place};
use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::cursor;
use crate::order::{self, Names, name_key};
use crate::wire::order::Order;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::Document;
use waybill_sdk::effect::effect;
use waybill_sdk::log::Level;
use waybill_sdk::types::Failure;

/// Orders of one page: each is some kilobytes in the agent.
const ORDERS: u64 = 1_000;
/// How often the archive is compared with what was read.
const COMPARE_MS: i64 = 600_000;
/// New files that are watched at once; others wait for their turn.
const WATCHED: usize = 150;
/// Contents that one call asks the private space about at most, as the agent allows.
const ASKED: usize = 5_000;
/// Longest name of a file.
const NAME: usize = 200;
/// How long a file that went away in the middle is said.
const LOST_MS: i64 = 86_400_000;
/// Where taken files are kept.
const KEPT: &str = "file/";

/// Where reading stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct FileCursor {
    /// The newest file of the archive when this connection was first used: it and older ones were somebody else's.
    old: i64,
    /// When the archive was last compared.
    compared: i64,
    /// Files that may still be written.
    watched: BTreeMap<String, Watched>,
    /// The file that is being read.
    reading: Option<Open>,
    /// Whether a file was refused: it is said as long as it lies in either folder.
    refused: bool,
    /// A file that went away while it was read, and when that is said no more.
    lost: Option<(String, i64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Watched {
    size: u64,
    modified: i64,
    since: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    name: String,
    size: u64,
    modified: i64,
    /// Where its next order begins; none where orders lie among each other.
    place: Option<Place>,
    /// Orders read of it.
    read: u64,
}

impl Open {
    fn is(&self, file: &File) -> bool {
        self.has_size(file) && self.modified == file.modified
    }

    fn has_size(&self, file: &File) -> bool {
        self.name == file.name && self.size == file.size
    }
}

/// What is kept of a content.
#[derive(Debug, Serialize, Deserialize)]
enum Kept {
    Taken,
    /// Refused, and why.
    Refused(String),
}

/// The next page of orders.
pub(crate) fn pull(api: &Api<'_>, depot: Depot<'_>, known: Option<&[u8]>) -> Result<Page, Failure> {
    let now = api.host.now_ms();
    let exported = exports(depot, depot.transfer.folder_out)?;
    let known: Option<FileCursor> = cursor::read(known);
    let Some(known) = known else {
        return first(depot, &exported, now);
    };
    let mut cursor = known.clone();
    cursor.lost.take_if(|(_, until)| *until <= now);
    let gone = |name: &String| exported.iter().all(|file| file.name != *name);
    let compare = now - cursor.compared >= COMPARE_MS
        || cursor.refused
        || cursor.watched.keys().any(gone)
        || cursor.reading.as_ref().is_some_and(|open| gone(&open.name));
    let archived = if compare {
        exports(depot, &depot.transfer.archive())?
    } else {
        Vec::new()
    };
    if let Some(open) = cursor.reading.take() {
        let unmoved = exported.iter().find(|file| open.is(file));
        // Moving it may have given it another time.
        let moved = || archived.iter().find(|file| open.has_size(file));
        if let Some(file) = unmoved.or_else(moved) {
            return page(api, depot, cursor, file, Some(open));
        }
        // Looked for in both folders, or in one where it is with another content.
        let words = format!(
            "`{}` was replaced or taken away after {} of its orders were read",
            open.name, open.read
        );
        api.host.log(
            Level::Error,
            "A file of orders went away while it was read.",
            &[("file", &open.name)],
        );
        cursor.lost = Some((words, now + LOST_MS));
    }
    if compare {
        cursor.compared = now;
        forget(api, &exported, &archived);
    }
    let found = sort(api, depot, &mut cursor, &exported, &archived, now);
    if let Some(file) = found.ready {
        return page(api, depot, cursor, &file, None);
    }
    let quiet =
        cursor.watched == known.watched && cursor.lost == known.lost && known.reading.is_none();
    match (found.refused.split_first(), &cursor.lost) {
        (Some((first, more)), _) if quiet => Err(refused(first, more.len())),
        (None, Some((words, _))) if quiet => Err(lost(words)),
        _ => Ok(Page {
            documents: Vec::new(),
            cursor: cursor::write(&cursor),
            more: false,
        }),
    }
}

fn lost(words: &str) -> Failure {
    Failure::rejected(
        "file-lost",
        format!("A file of orders, {words}."),
        "Compare its orders with those here, and have what is missing exported again in the DSCO portal.",
    )
}

/// What is there when the connection is first used. Nothing is read before that is committed: afterwards a file that the
/// server moves to its archive is known to be ours.
fn first(depot: Depot<'_>, exported: &[File], now: i64) -> Result<Page, Failure> {
    let archived = exports(depot, &depot.transfer.archive())?;
    let newest = archived.iter().map(|file| file.modified).max().unwrap_or(0);
    let old = match depot.transfer.archive_ms {
        0 => newest,
        back => newest.min(now - back),
    };
    let mut cursor = FileCursor {
        old,
        ..FileCursor::default()
    };
    for file in exported.iter().take(WATCHED) {
        cursor.watch(file, now);
    }
    Ok(Page {
        documents: Vec::new(),
        cursor: cursor::write(&cursor),
        more: false,
    })
}

impl FileCursor {
    /// Since when the file is as it is.
    fn watch(&mut self, file: &File, now: i64) -> i64 {
        let as_before = |w: &&Watched| w.size == file.size && w.modified == file.modified;
        let since = self
            .watched
            .get(&file.name)
            .filter(as_before)
            .map_or(now, |w| w.since);
        let watched = Watched {
            size: file.size,
            modified: file.modified,
            since,
        };
        self.watched.insert(file.name.clone(), watched);
        since
    }
}

/// The exports of orders in a folder: files of the right name, oldest first.
fn exports(depot: Depot<'_>, dir: &str) -> Result<Vec<File>, Failure> {
    let transfer = depot.transfer;
    let (folder, prefix) = split(dir, transfer.orders_file);
    let mut files = depot.files(&folder)?;
    files.retain(|file| {
        file.name.len() <= NAME
            && file.name.starts_with(prefix)
            && file.name.ends_with(&transfer.ending())
            && !transfer.ignored.contains(&file.name.as_str())
    });
    files.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
    Ok(files)
}

struct Found {
    ready: Option<File>,
    /// Files that were refused and are still there, with the reason.
    refused: Vec<String>,
}

/// Tells what is to be read from what was, and from what may still be written.
fn sort(
    api: &Api<'_>,
    depot: Depot<'_>,
    cursor: &mut FileCursor,
    exported: &[File],
    archived: &[File],
    now: i64,
) -> Found {
    let newer = archived.iter().filter(|file| {
        // One that we saw in the other folder is ours, however old it is.
        file.modified > cursor.old || cursor.watched.contains_key(&file.name)
    });
    let mut all: Vec<(&File, bool)> = newer.map(|file| (file, true)).collect();
    all.extend(exported.iter().map(|file| (file, false)));
    // Beyond what can be asked are the newest, and those wait.
    all.sort_by(|(a, _), (b, _)| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
    let mut found = Found {
        ready: None,
        refused: Vec::new(),
    };
    let mut waiting: BTreeSet<&String> = BTreeSet::new();
    for part in all.chunks(ASKED) {
        let keys: Vec<String> = part.iter().map(|(file, _)| key(file)).collect();
        for ((file, is_archived), kept) in part.iter().zip(api.host.kv_get(&keys)) {
            match kept.and_then(|kept| serde_json::from_slice(&kept).ok()) {
                Some(Kept::Refused(why)) => found.refused.push(format!("`{}`: {why}", file.name)),
                None if *is_archived => {
                    waiting.insert(&file.name);
                    found.ready.get_or_insert_with(|| (*file).clone());
                }
                None if waiting.len() < WATCHED => {
                    let since = cursor.watch(file, now);
                    waiting.insert(&file.name);
                    if now - since >= depot.transfer.settle_ms {
                        found.ready.get_or_insert_with(|| (*file).clone());
                    }
                }
                Some(Kept::Taken) | None => {}
            }
        }
    }
    cursor.watched.retain(|name, _| waiting.contains(name));
    found
}

/// Under which key a content is kept: the same name may come again with another.
fn key(file: &File) -> String {
    format!("{KEPT}{}/{}-{}", file.name, file.size, file.modified)
}

fn keep(api: &Api<'_>, file: &File, kept: &Kept) {
    api.host
        .kv_set(&key(file), &serde_json::to_vec(kept).unwrap_or_default());
}

/// Forgets contents that are in neither folder any more.
fn forget(api: &Api<'_>, exported: &[File], archived: &[File]) {
    let there: BTreeSet<String> = exported.iter().chain(archived).map(key).collect();
    let mut after: Option<String> = None;
    loop {
        let some = api.host.kv_scan(KEPT, after.as_deref(), 1_000);
        let Some((last, _)) = some.last() else {
            return;
        };
        after = Some(last.clone());
        for (key, _) in some.iter().filter(|(key, _)| !there.contains(key)) {
            api.host.kv_delete(key);
        }
    }
}

fn refused(first: &str, more: usize) -> Failure {
    let others = match more {
        0 => String::new(),
        1 => " One other file waits, too.".to_owned(),
        more => format!(" {more} other files wait, too."),
    };
    Failure::rejected(
        "file-refused",
        format!("Nothing of this file of orders was taken: {first}.{others}"),
        "Correct the export in the DSCO portal and have it written again under another name; then delete the file on the server, or enter its name under Files to leave alone.",
    )
}

/// One page of a file.
fn page(
    api: &Api<'_>,
    depot: Depot<'_>,
    mut cursor: FileCursor,
    file: &File,
    open: Option<Open>,
) -> Result<Page, Failure> {
    let step: String = format!("get {}", file.name).chars().take(150).collect();
    let spool = depot.read(&file.path, &effect(&step, []))?;
    let documents = match read(api, depot, &mut cursor, file, open, &*spool) {
        Ok(documents) => documents,
        Err(mistake) => {
            let why = mistake.to_string();
            api.host.log(
                Level::Error,
                "A file of orders cannot be read; nothing of it was taken.",
                &[("file", &file.name), ("why", &why)],
            );
            keep(api, file, &Kept::Refused(why));
            cursor.refused = true;
            Vec::new()
        }
    };
    if cursor.reading.is_none() {
        cursor.watched.remove(&file.name);
    }
    Ok(Page {
        documents,
        cursor: cursor::write(&cursor),
        more: true,
    })
}

fn read(
    api: &Api<'_>,
    depot: Depot<'_>,
    cursor: &mut FileCursor,
    file: &File,
    open: Option<Open>,
    spool: &dyn waybill_sdk::Spool,
) -> Result<Vec<Document>, Mistake> {
    let delimiter = depot.transfer.delimiter();
    let from = |at| Reading::new(spool, at);
    let before = open.as_ref().map_or(0, |open| open.read);
    let place = open.and_then(|open| open.place);
    let mut orders = match place {
        Some(place) => Orders::resume(delimiter, place, from)?,
        None => Orders::open(delimiter, from)?,
    };
    if place.is_none() {
        orders.skip(before);
        let count = orders.len().to_string();
        let fields = [("file", file.name.as_str()), ("orders", &count)];
        api.host.log(
            Level::Info,
            "A file of orders is whole and is read.",
            &fields,
        );
    }
    let mut found = Vec::new();
    while (found.len() as u64) < ORDERS {
        let Some(order) = orders.next()? else {
            keep(api, file, &Kept::Taken);
            return Ok(documents(api, file, found));
        };
        found.push(order);
    }
    cursor.reading = Some(Open {
        name: file.name.clone(),
        size: file.size,
        modified: file.modified,
        place: orders.place(),
        read: before + found.len() as u64,
    });
    Ok(documents(api, file, found))
}

/// Field of an order that says how many lines it has.
const TOLD_LINES: &str = "numberOfLineItems";

fn documents(api: &Api<'_>, file: &File, mut orders: Vec<Order>) -> Vec<Document> {
    for order in &mut orders {
        // Without a date of its own an order is as old as its export.
        if order::changed_at(order).is_none() {
            order.dsco_last_update = Some(file.modified);
        }
        // Names of retailers come with the orders, where nobody asks the API for them.
        let name = order
            .others
            .iter()
            .find(|(name, _)| name == "dscoRetailerName");
        if let (Some(id), Some((_, name))) = (&order.dsco_retailer_id, name)
            && !api.config.api
        {
            api.host.kv_set(&name_key(id), name.as_bytes());
        }
    }
    let names = Names::of(api.host, &orders);
    let ready = orders.iter().filter(|order| !order::is_pending(order));
    ready
        .filter_map(|order| {
            let mut document = order::document(api, order, &names)?;
            // A file that was cut off between two rows of an order cannot be told from a whole one by anything else.
            if order.others.iter().all(|(name, _)| name != TOLD_LINES) {
                document.revision =
                    format!("{} lines {}", document.revision, order.line_items.len());
            }
            Some(document)
        })
        .collect()
}
