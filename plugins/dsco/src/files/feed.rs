//! Orders from files: what lies in the folder of exports and was not read, and what the server put into its archive
//! before it was. A file is read whole by the agent and handed on in pages; which content of which name was taken is kept
//! in the private space, in the commit that takes its last orders. One that cannot be read is a card, and the others go on.
//! Knows no column.

use super::depot::{Depot, File, Reading, TOO_LARGE, split};
use super::orders::Orders;
use super::table::{Mistake, Place};
use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::cursor;
use crate::order::{self, Names, name_key};
use crate::wire::order::Order;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::card::{self, CARD};
use waybill_sdk::commerce::Document;
use waybill_sdk::effect::effect;
use waybill_sdk::log::Level;
use waybill_sdk::types::{Failure, Problem};

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
/// Files that went away in the middle and are said at once.
const MOST_LOST: usize = 20;
/// Files that are tried in one call where the server refuses one of them.
const TRIED: usize = 3;
/// Where taken files are kept.
const KEPT: &str = "file/";
/// Where files are kept that cannot be read: as cards, so that a person who takes one away has the file read again.
const REFUSED: &str = "card/file/";
/// Where files are kept that went away.
const LOST: &str = "card/lost/";

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
    /// Files that went away while they were read, and when that is said no more.
    #[serde(default)]
    gone: BTreeMap<String, i64>,
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
    cursor.say_no_more(api, now);
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
        cursor.lose(api, &open, now);
    }
    if compare {
        cursor.compared = now;
        cursor.refused = forget(api, &exported, &archived);
    }
    let ready = sort(api, depot, &mut cursor, &exported, &archived, now);
    let mut refused = None;
    for file in ready {
        match page(api, depot, cursor.clone(), &file, None) {
            // Where the server still lists its files, it is this one that it does not hand out.
            Err(failure) if exports(depot, depot.transfer.folder_out).is_ok() => {
                refused.get_or_insert(failure);
            }
            read => return read,
        }
    }
    match refused {
        Some(failure) => Err(failure),
        None => Ok(Page {
            documents: Vec::new(),
            cursor: cursor::write(&cursor),
            more: false,
        }),
    }
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
    /// The file went away in the middle, and nobody knows what was in the rest of it.
    fn lose(&mut self, api: &Api<'_>, open: &Open, now: i64) {
        let name = &open.name;
        api.host.log(
            Level::Error,
            "A file of orders went away while it was read.",
            &[("file", name)],
        );
        let problem = Problem::new(
            "file-lost",
            format!(
                "A file of orders, `{name}`, was replaced or taken away after {} of its orders were read.",
                open.read
            ),
            "Compare its orders with those here, and have what is missing exported again in the DSCO portal.",
        );
        if self.gone.len() < MOST_LOST {
            card::show(api.host, &format!("{LOST}{name}"), &problem);
            self.gone.insert(name.clone(), now + LOST_MS);
        }
    }

    /// Takes back what was said for long enough.
    fn say_no_more(&mut self, api: &Api<'_>, now: i64) {
        self.gone.retain(|name, until| {
            let still = *until > now;
            if !still {
                api.host.kv_delete(&format!("{LOST}{name}"));
            }
            still
        });
    }

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

/// Tells what is to be read from what was, and from what may still be written: the files that are ready, oldest first.
fn sort(
    api: &Api<'_>,
    depot: Depot<'_>,
    cursor: &mut FileCursor,
    exported: &[File],
    archived: &[File],
    now: i64,
) -> Vec<File> {
    let newer = archived.iter().filter(|file| {
        // One that we saw in the other folder is ours, however old it is.
        file.modified > cursor.old || cursor.watched.contains_key(&file.name)
    });
    let mut all: Vec<(&File, bool)> = newer.map(|file| (file, true)).collect();
    all.extend(exported.iter().map(|file| (file, false)));
    // Beyond what can be asked are the newest, and those wait.
    all.sort_by(|(a, _), (b, _)| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
    let mut ready = Vec::new();
    let mut waiting: BTreeSet<&String> = BTreeSet::new();
    for part in all.chunks(ASKED) {
        for ((file, is_archived), known) in part.iter().zip(known(api, part)) {
            if known {
                continue;
            }
            if !is_archived && waiting.len() >= WATCHED {
                continue;
            }
            waiting.insert(&file.name);
            let rests = *is_archived || now - cursor.watch(file, now) >= depot.transfer.settle_ms;
            if rests && ready.len() < TRIED {
                ready.push((*file).clone());
            }
        }
    }
    cursor.watched.retain(|name, _| waiting.contains(name));
    ready
}

/// Which of these contents were taken or refused.
fn known(api: &Api<'_>, files: &[(&File, bool)]) -> Vec<bool> {
    let keys = |of: &str| -> Vec<String> { files.iter().map(|(file, _)| key(of, file)).collect() };
    let taken = api.host.kv_get(&keys(KEPT));
    let taken = taken.into_iter().map(|kept| {
        let kept = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
        matches!(kept, Some(Kept::Taken))
    });
    let refused = api.host.kv_get(&keys(REFUSED));
    taken
        .zip(refused)
        .map(|(taken, refused)| taken || refused.is_some())
        .collect()
}

/// Under which key a content is kept: the same name may come again with another.
fn key(of: &str, file: &File) -> String {
    format!("{of}{}/{}-{}", file.name, file.size, file.modified)
}

/// Forgets contents that are in neither folder any more, and takes their cards back; whether any card is left.
fn forget(api: &Api<'_>, exported: &[File], archived: &[File]) -> bool {
    let files = || exported.iter().chain(archived);
    let mut left = false;
    for of in [KEPT, REFUSED] {
        let there: BTreeSet<String> = files().map(|file| key(of, file)).collect();
        let mut after: Option<String> = None;
        loop {
            let some = api.host.kv_scan(of, after.as_deref(), 1_000);
            let Some((last, _)) = some.last() else {
                break;
            };
            after = Some(last.clone());
            for (key, _) in some {
                if there.contains(&key) {
                    left |= key.starts_with(CARD);
                } else {
                    api.host.kv_delete(&key);
                }
            }
        }
    }
    left
}

/// The file becomes a card: nothing of it was taken, and it is not read again before a person says so.
fn refuse(api: &Api<'_>, file: &File, why: &str) {
    api.host.log(
        Level::Error,
        "A file of orders cannot be read; nothing of it was taken.",
        &[("file", &file.name), ("why", why)],
    );
    let problem = Problem::new(
        "file-refused",
        format!(
            "Nothing of this file of orders was taken: `{}`: {why}.",
            file.name
        ),
        "Correct the export in the DSCO portal and have it written again under another name; then delete the file on the server, or enter its name under Files to leave alone. Retry reads it again, once the settings of files are right.",
    );
    card::show(api.host, &key(REFUSED, file), &problem);
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
    let read = match depot.read(&file.path, &effect(&step, [])) {
        Ok(spool) => read(api, depot, &mut cursor, file, open, &*spool)
            .map_err(|mistake| mistake.to_string()),
        Err(Failure::Rejected(problem)) if problem.code == TOO_LARGE => Err(format!(
            "it has {} bytes, more than are read at once",
            file.size
        )),
        Err(failure) => return Err(failure),
    };
    let documents = read.unwrap_or_else(|why| {
        refuse(api, file, &why);
        cursor.refused = true;
        Vec::new()
    });
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
            let taken = serde_json::to_vec(&Kept::Taken).unwrap_or_default();
            api.host.kv_set(&key(KEPT, file), &taken);
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
