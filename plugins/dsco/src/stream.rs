//! Reading a stream: it is created first, then what existed before is searched, then events are read from its position.
//! An event is never skipped: the position moves only with the documents the agent commits. In practice mode no stream is
//! made: what changed is searched at each poll instead, from a little before the last search on.

use crate::api::{Api, encode, once, refused};
use crate::backfill;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::cancellation;
use crate::cursor::{self, Closing, StreamCursor, Window};
use crate::feed::{Feed, MAX_BYTES};
use crate::wire::Many;
use crate::wire::order::Order;
use crate::wire::stream::{Events, Stream};
use waybill_sdk::call::{self, Fault};
use waybill_sdk::date;
use waybill_sdk::effect::effect;
use waybill_sdk::types::Failure;

/// How long after its creation a stream surely holds every new event, and a search everything before.
const CLOSING_MS: i64 = 40_000;
/// How much two neighbouring searches overlap: search dates lag.
const OVERLAP_MS: i64 = 10_000;

/// A page with fewer events was not full, where the stream does not tell how many that is.
const SMALLEST_PAGE: usize = 10;
/// A page that took longer may have been ended by its time, whatever is in it.
const SLOW_MS: i64 = 15_000;

/// How long to wait for a stream that was just created and is not there yet.
const YOUNG_SECS: u32 = 5;

/// The next page of a stream's feed.
pub(crate) fn pull(api: &Api<'_>, feed: Feed, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let Some(cursor) = cursor::read::<StreamCursor>(cursor) else {
        return start(api, feed);
    };
    match &cursor.window {
        Some(window) => search(api, feed, &cursor, window),
        None => events(api, feed, cursor),
    }
}

/// The next page of changes of orders that come another way: from now on, without a search for what existed before.
pub(crate) fn follow(api: &Api<'_>, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let page = pull(api, Feed::Orders, cursor)?;
    let Some(mut next) = cursor::read::<StreamCursor>(Some(&page.cursor)) else {
        return Ok(page);
    };
    if next.window.is_none() && next.closing.is_none() {
        return Ok(page);
    }
    next.window = None;
    next.closing = None;
    Ok(Page {
        cursor: cursor::write(&next),
        // A stream that was just made is seen a few seconds later.
        more: false,
        ..page
    })
}

/// Finds or creates the stream and plans the search for what existed before.
fn start(api: &Api<'_>, feed: Feed) -> Result<Page, Failure> {
    match ensure(api, feed)? {
        Some(stream) => Ok(begin(api, feed, stream)),
        None => Ok(page(
            Vec::new(),
            &searching(api, api.vendor_now_ms() - api.config.backfill_ms, false),
            true,
        )),
    }
}

/// Plans the search for what existed before our stream.
fn begin(api: &Api<'_>, feed: Feed, stream: Stream) -> Page {
    let now = api.vendor_now_ms();
    let partition = stream.partitions.first();
    // A stream that does not tell its position: from a minute ago, which is before its creation or only repeats.
    let position = partition
        .and_then(|partition| partition.position.clone())
        .unwrap_or_else(|| date::format(now - 60_000));
    let until = backfill::latest(api);
    let full = stream.max_events.and_then(|most| most.object_count);
    let planned = StreamCursor {
        full: full.and_then(|count| usize::try_from(count).ok()),
        stream: stream.id.unwrap_or_else(|| known_id(api, feed)),
        partition: partition
            .and_then(|partition| partition.partition_id)
            .unwrap_or(0),
        marked: position.clone(),
        position,
        moved: 0,
        window: Some(Window {
            updated: false,
            since: now - api.config.backfill_ms,
            until,
            scroll: None,
        }),
        closing: Some(Closing {
            since: until - OVERLAP_MS,
            due: api.host.now_ms() + CLOSING_MS + api.config.search_lag_ms,
        }),
    };
    page(Vec::new(), &planned, true)
}

/// A place without a stream: a search, and where the next one begins.
fn searching(api: &Api<'_>, since: i64, updated: bool) -> StreamCursor {
    let until = backfill::latest(api);
    StreamCursor {
        stream: String::new(),
        partition: 0,
        position: String::new(),
        marked: String::new(),
        moved: 0,
        full: None,
        window: Some(Window {
            updated,
            since,
            until,
            scroll: None,
        }),
        closing: Some(Closing {
            since: until - OVERLAP_MS,
            due: i64::MAX,
        }),
    }
}

/// In practice mode: what changed since the last search. Once it is live the stream is made, and everything searched
/// again, of which the agent drops what it knows.
fn changes(api: &Api<'_>, feed: Feed, cursor: &StreamCursor) -> Result<Page, Failure> {
    if let Some(stream) = ensure(api, feed)? {
        return Ok(begin(api, feed, stream));
    }
    let before = cursor.closing.as_ref().map(|closing| closing.since);
    let since = before.unwrap_or_else(|| api.vendor_now_ms() - api.config.backfill_ms);
    let cursor = searching(api, since, true);
    match &cursor.window {
        Some(window) => search(api, feed, &cursor, window),
        None => Ok(page(Vec::new(), &cursor, false)),
    }
}

fn page(
    documents: Vec<waybill_sdk::commerce::Document>,
    cursor: &StreamCursor,
    more: bool,
) -> Page {
    Page {
        documents,
        cursor: cursor::write(cursor),
        more,
    }
}

/// Our stream: looked up by its id, created where it is not there. `None`: in practice mode nothing is created.
fn ensure(api: &Api<'_>, feed: Feed) -> Result<Option<Stream>, Failure> {
    if let Some(stream) = look_up(api, feed)? {
        return Ok(Some(stream));
    }
    let create = |absent: bool| {
        let step = effect("create-stream", []).resend_if(absent);
        api.write("POST", "/stream", Some(&feed.definition(api)), step)
    };
    let created = match create(false) {
        // Sent before, and a moment ago it was not there. A look-up trails the write, so an old doubt is settled by
        // it and a young one is not.
        Err(Fault::InDoubt(age)) => {
            let age = i64::try_from(age).unwrap_or(i64::MAX);
            if age < api.config.settle_ms {
                return Err(Failure::Retry(Some(rest_secs(api.config.settle_ms - age))));
            }
            create(true)
        }
        other => other,
    };
    match created {
        Ok(response) => {
            let stream: Stream = call::json(&response).unwrap_or_default();
            // A vendor that gives ids of its own: ours would never be found again.
            if let Some(id) = &stream.id {
                api.host.kv_set(&id_key(api, feed), id.as_bytes());
            }
            Ok(Some(stream))
        }
        Err(Fault::Practice) => Ok(None),
        // Another call may have made it: the refusal then is about an id that is taken.
        Err(Fault::Refused(response)) => match look_up(api, feed)? {
            Some(stream) => Ok(Some(stream)),
            None => Err(refused(&response)),
        },
        Err(fault) => Err(fault.failure(refused)),
    }
}

fn look_up(api: &Api<'_>, feed: Feed) -> Result<Option<Stream>, Failure> {
    let id = known_id(api, feed);
    let found: Many<Stream> = match api.get(&format!("/stream?id={}", encode(&id))) {
        Ok(response) => call::json(&response)?,
        Err(Fault::Refused(response)) if matches!(response.status, 400 | 404) => return Ok(None),
        Err(fault) => return Err(fault.failure(refused)),
    };
    let mut streams = found.0.into_iter();
    Ok(streams.find(|stream| stream.id.as_ref() == Some(&id)))
}

/// Where the id is kept that the vendor gave to the stream we asked for.
fn id_key(api: &Api<'_>, feed: Feed) -> String {
    format!("stream-id/{}", feed.stream_id(api))
}

/// The id the vendor gave, else the one we ask for.
fn known_id(api: &Api<'_>, feed: Feed) -> String {
    let given = api.host.kv_get(&[id_key(api, feed)]).pop().flatten();
    given
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| feed.stream_id(api))
}

/// Seconds to wait, at least one.
pub(crate) fn rest_secs(ms: i64) -> u32 {
    u32::try_from(ms.max(1)).map_or(u32::MAX, |ms| ms.div_ceil(1000))
}

/// One page of the search that goes before the stream.
fn search(
    api: &Api<'_>,
    feed: Feed,
    cursor: &StreamCursor,
    window: &Window,
) -> Result<Page, Failure> {
    // Where there is no stream, only the search tells that an order was cancelled or is complete.
    let statuses = match feed {
        Feed::Orders if cursor.stream.is_empty() && window.updated => &[],
        feed => feed.statuses(),
    };
    let found = backfill::page(api, window, statuses)?;
    let next = StreamCursor {
        window: found.next,
        ..cursor.clone()
    };
    let mut documents = feed.found(api, &found.orders);
    // The feed of requests may have read its own before their orders were known here.
    if feed == Feed::Orders {
        documents.extend(cancellation::with_orders(api, &found.orders));
    }
    // Without a stream nothing follows the search.
    let more = next.window.is_some() || !next.stream.is_empty();
    Ok(page(documents, &next, more))
}

/// One page of events.
fn events(api: &Api<'_>, feed: Feed, cursor: StreamCursor) -> Result<Page, Failure> {
    if cursor.stream.is_empty() {
        return changes(api, feed, &cursor);
    }
    let cursor = bookmark(api, cursor);
    let path = format!(
        "/stream/{}/{}/{}",
        encode(&cursor.stream),
        cursor.partition,
        once(&cursor.position)
    );
    let asked = api.host.now_ms();
    let response = match api.get(&path) {
        Ok(response) => response,
        Err(Fault::Refused(response)) if matches!(response.status, 400 | 404 | 410) => {
            let young = |closing: &Closing| api.host.now_ms() < closing.due;
            if cursor.closing.as_ref().is_some_and(young) {
                if response.status != 404 {
                    return Err(refused(&response));
                }
                // Just created: it is seen a few seconds later.
                return Err(Failure::Retry(Some(YOUNG_SECS)));
            }
            // How long events are kept is not documented: a place may be too old to be read from.
            api.warn(
                "The stream or our place in it is gone; it is looked up anew and the orders are searched.",
                &[("stream", &cursor.stream)],
            );
            return start(api, feed);
        }
        Err(fault) => return Err(fault.failure(refused)),
    };
    let read: Events = call::json(&response)?;
    let full = read.events.len() >= cursor.full.unwrap_or(SMALLEST_PAGE).max(1)
        || response.body.len() >= MAX_BYTES / 4 * 3
        || api.host.now_ms() - asked >= SLOW_MS;
    if read.events.is_empty() {
        return Ok(caught_up(api, cursor));
    }
    // Without an id there is no place to go on from: read again, until it is passed.
    let last = read.events.iter().rev().find_map(|event| event.id.clone());
    let full = full && last.is_some();
    let orders: Vec<Order> = read
        .events
        .into_iter()
        .filter_map(|event| {
            if event.payload.is_none() {
                api.warn(
                    "An event without an order was passed over.",
                    &[
                        ("event", event.id.as_deref().unwrap_or("-")),
                        ("reasons", &event.event_reasons.join(",")),
                    ],
                );
            }
            event.payload
        })
        .collect();
    let next = StreamCursor {
        moved: cursor.moved + i64::from(last.is_some()),
        position: last.unwrap_or_else(|| cursor.position.clone()),
        ..cursor
    };
    Ok(page(feed.documents(api, &orders), &next, full))
}

/// Nothing new: time for the closing search, once it is due.
fn caught_up(api: &Api<'_>, mut cursor: StreamCursor) -> Page {
    let now = api.host.now_ms();
    let due = cursor.closing.take_if(|closing| now >= closing.due);
    if let Some(closing) = &due {
        cursor.window = Some(Window {
            updated: true,
            since: closing.since,
            until: backfill::latest(api),
            scroll: None,
        });
    }
    page(Vec::new(), &cursor, due.is_some())
}

/// Stores our place at the vendor now and then. The cursor handed in is committed, so the vendor's bookmark never goes
/// past what we hold. It only serves a lost data folder: failing to store it is no failure.
fn bookmark(api: &Api<'_>, cursor: StreamCursor) -> StreamCursor {
    if cursor.moved < api.config.checkpoint_polls || cursor.position == cursor.marked {
        return cursor;
    }
    let path = format!(
        "/stream/{}/{}/{}",
        encode(&cursor.stream),
        cursor.partition,
        once(&cursor.position)
    );
    let stored = api.write("PUT", &path, None::<&()>, effect("checkpoint", []));
    if !matches!(stored, Ok(_) | Err(Fault::Practice)) {
        api.warn(
            "The place in the stream could not be stored at DSCO.",
            &[("stream", &cursor.stream)],
        );
    }
    StreamCursor {
        marked: cursor.position.clone(),
        moved: 0,
        ..cursor
    }
}
