//! Reading a stream: it is created first, then what existed before is searched, then events are read from its position.
//! An event is never skipped: the position moves only with the documents the agent commits.

use crate::api::{Api, encode, once, refused};
use crate::backfill;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::cursor::{self, Closing, StreamCursor, Window};
use crate::feed::{Feed, MAX_BYTES};
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

/// Finds or creates the stream and plans the search for what existed before.
fn start(api: &Api<'_>, feed: Feed) -> Result<Page, Failure> {
    let now = api.host.now_ms();
    let stream = ensure(api, feed)?;
    let partition = stream.partitions.first();
    // A stream that does not tell its position: from a minute ago, which is before its creation or only repeats.
    let position = partition
        .and_then(|partition| partition.position.clone())
        .unwrap_or_else(|| date::format(now - 60_000));
    let until = now - api.config.search_lag_ms;
    let planned = StreamCursor {
        stream: feed.stream_id(api),
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
            due: now + CLOSING_MS + api.config.search_lag_ms,
        }),
    };
    Ok(page(Vec::new(), &planned, true))
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

/// Our stream: looked up by its id, created where it is not there.
fn ensure(api: &Api<'_>, feed: Feed) -> Result<Stream, Failure> {
    if let Some(stream) = look_up(api, feed)? {
        return Ok(stream);
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
        Ok(response) => Ok(call::json(&response).unwrap_or_default()),
        // Another call may have made it: the refusal then is about an id that is taken.
        Err(Fault::Refused(response)) => look_up(api, feed)?.ok_or_else(|| refused(&response)),
        Err(fault) => Err(fault.failure(refused)),
    }
}

fn look_up(api: &Api<'_>, feed: Feed) -> Result<Option<Stream>, Failure> {
    let id = feed.stream_id(api);
    let found: Option<Vec<Stream>> = api.find(&format!("/stream?id={}", encode(&id)))?;
    Ok(found
        .unwrap_or_default()
        .into_iter()
        .find(|stream| stream.id.as_ref() == Some(&id)))
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
    let found = backfill::page(api, window, feed.statuses())?;
    let next = StreamCursor {
        window: found.next,
        ..cursor.clone()
    };
    Ok(page(feed.found(api, &found.orders), &next, true))
}

/// One page of events.
fn events(api: &Api<'_>, feed: Feed, cursor: StreamCursor) -> Result<Page, Failure> {
    let cursor = bookmark(api, cursor);
    let path = format!(
        "/stream/{}/{}/{}",
        encode(&cursor.stream),
        cursor.partition,
        once(&cursor.position)
    );
    let response = match api.get(&path) {
        Ok(response) => response,
        Err(Fault::Refused(response)) if response.status == 404 => {
            let young = |closing: &Closing| api.host.now_ms() < closing.due;
            if cursor.closing.as_ref().is_some_and(young) {
                // Just created: it is seen a few seconds later.
                return Err(Failure::Retry(Some(YOUNG_SECS)));
            }
            api.warn(
                "The stream is gone; it is made anew and the orders are searched.",
                &[("stream", &cursor.stream)],
            );
            return start(api, feed);
        }
        Err(fault) => return Err(fault.failure(refused)),
    };
    let read: Events = call::json(&response)?;
    let full =
        read.events.len() >= api.config.page_size || response.body.len() >= MAX_BYTES / 4 * 3;
    let last = read.events.iter().rev().find_map(|event| event.id.clone());
    if last.is_none() {
        return Ok(caught_up(api, cursor));
    }
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
        position: last.unwrap_or_default(),
        moved: cursor.moved + 1,
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
            until: now - api.config.search_lag_ms,
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
    if api
        .write("PUT", &path, None::<&()>, effect("checkpoint", []))
        .is_err()
    {
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
