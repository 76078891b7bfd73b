//! Connections: each side, what it answers, how far reading has come; test, read now, pause. And the flows between them.

use super::budget::Budget;
use super::flows::{self, Flow};
use super::layout::{Base, not_done, side};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Mark, Times, icon};
use crate::routes::Route;
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use waybill_engine::view::{ConnectionView, FeedView, FlowView, FrameView, HooksView, Tone};
use waybill_model::document::Entity;

struct Feed {
    what: &'static str,
    last: String,
    caught_up: String,
}

/// Webhooks of a side.
struct Hooks {
    mark: Mark,
    callback: Option<String>,
    standing: Vec<String>,
    last: String,
    waiting: String,
    refused: Option<String>,
}

struct Side {
    id: String,
    name: String,
    title: String,
    mark: Mark,
    tag: Mark,
    connector: String,
    calls: String,
    budgets: Vec<Budget>,
    hold: Option<String>,
    feeds: Vec<Feed>,
    hooks: Option<Hooks>,
    paused: bool,
    action: String,
}

#[derive(Template)]
#[template(path = "connections.html")]
struct ConnectionsPage {
    base: Base,
    stamp: Mark,
    sides: Vec<Side>,
    flows: Vec<Flow>,
    as_of: String,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/connections", "Connections").await?;
    let frame = asked.site.handle.frame().await?;
    let flows = asked.site.handle.flows().await?;
    render(StatusCode::OK, &compose(base, &frame, &flows, &times))
}

/// Test, read now, pause, go on.
pub(crate) async fn command(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, name) = (&asked.site.handle, asked.param("name"));
    let good = |text: &str| Notice {
        text: text.to_owned(),
        ..Notice::default()
    };
    let done = match asked.entry.route {
        Route::Poll => handle
            .poll_now(name, None)
            .await
            .map(|()| good("It is read now. What is new appears within moments.")),
        Route::Probe => handle.probe(name).await.map(|pairs| Notice {
            text: format!("The test of {name} succeeded."),
            pairs,
            ..Notice::default()
        }),
        Route::Pause => handle
            .pause(name, true, &asked.who)
            .await
            .map(|()| good("Paused. Nothing is lost: what waits goes on when you resume.")),
        _ => handle
            .pause(name, false, &asked.who)
            .await
            .map(|()| good("It goes on.")),
    };
    let notice = match done {
        Ok(notice) => notice,
        Err(error) => not_done(error),
    };
    Ok(asked.say("/connections", notice))
}

const fn entity_words(entity: Entity) -> &'static str {
    match entity {
        Entity::Order => "Orders",
        Entity::Cancellation => "Cancellations",
        Entity::OrderState => "States of sales",
        Entity::Shipment => "Shipments",
        Entity::Invoice => "Invoices",
        Entity::InventoryLevel => "Stock",
        Entity::Item => "Items",
        Entity::Customer => "Customers",
        Entity::Retailer => "Retailers",
        Entity::Warehouse => "Warehouses",
        Entity::ShippingMethod => "Shipping methods",
    }
}

fn feed(feed: &FeedView, times: &Times) -> Feed {
    let words = |at: Option<i64>, otherwise: &str| {
        at.map_or_else(
            || otherwise.to_owned(),
            |at| format!("{}, {}", times.when(at), times.ago(at)),
        )
    };
    Feed {
        what: entity_words(feed.entity),
        last: words(feed.last_ok, "not yet"),
        caught_up: words(feed.caught_up_at, "not yet: more is there"),
    }
}

fn compose_hooks(hooks: &HooksView, times: &Times) -> Hooks {
    let when = |at: i64| format!("{}, {}", times.when(at), times.ago(at));
    let looked = hooks
        .ensured_at
        .map(|at| format!("; looked at {}", times.ago(at)))
        .unwrap_or_default();
    let documents = match hooks.hints {
        0 => "no document is to be read again".to_owned(),
        1 => "1 document is to be read again".to_owned(),
        1_000.. => "1,000 or more documents are to be read again".to_owned(),
        n => format!("{n} documents are to be read again"),
    };
    let requests = match hooks.waiting {
        1 => "1 request waits".to_owned(),
        n => format!("{n} requests wait"),
    };
    Hooks {
        mark: Mark::of(hooks.tone, format!("{}{looked}", hooks.sentence)),
        callback: hooks.callback.clone(),
        standing: hooks.standing.clone(),
        last: hooks
            .last_delivery
            .map_or_else(|| "none yet".to_owned(), when),
        waiting: format!("{requests} to be read; {documents}"),
        refused: match &hooks.refused {
            (0, _) => None,
            (n, why) => Some(format!("{n}: {}", why.as_deref().unwrap_or_default())),
        },
    }
}

fn compose_side(at: usize, connection: &ConnectionView, times: &Times) -> Side {
    let tag = match connection.tone {
        Tone::Ok => Mark::of(Tone::Ok, "At work"),
        Tone::Hold => Mark::of(Tone::Hold, "Paused"),
        Tone::You => Mark::of(Tone::You, "Needs you"),
        Tone::Soon => Mark::of(Tone::Soon, "Waits"),
        Tone::Quiet => Mark::of(Tone::Quiet, "Not used"),
    };
    let (used, limit) = connection.calls;
    Side {
        id: format!("s{}", at + 1),
        name: connection.name.clone(),
        title: connection.title.clone(),
        mark: side(connection, times).mark,
        paused: connection.tone == Tone::Hold,
        tag,
        connector: connection.connector.as_ref().map_or_else(
            || "none is loaded".to_owned(),
            |(id, version)| format!("{id} {version}"),
        ),
        calls: limit.map_or_else(
            || format!("{used} in the last minute, no limit"),
            |limit| format!("{used} of {limit} in the last minute"),
        ),
        budgets: connection
            .budgets
            .iter()
            .map(|b| Budget::of(b, times))
            .collect(),
        hold: connection.hold_until.map(|until| times.when(until)),
        feeds: connection.feeds.iter().map(|f| feed(f, times)).collect(),
        hooks: connection.hooks.as_ref().map(|h| compose_hooks(h, times)),
        action: format!(
            "/connections/{}",
            utf8_percent_encode(&connection.name, NON_ALPHANUMERIC)
        ),
    }
}

fn compose(base: Base, frame: &FrameView, flows: &[FlowView], times: &Times) -> ConnectionsPage {
    let worst = |tone: Tone| frame.connections.iter().any(|c| c.tone == tone);
    let stamp = if frame.connections.is_empty() {
        Mark::of(Tone::Hold, "Not set up")
    } else if worst(Tone::You) {
        Mark::of(Tone::You, "Needs you")
    } else if worst(Tone::Hold) {
        Mark::of(Tone::Hold, "Paused")
    } else if worst(Tone::Soon) {
        Mark::of(Tone::Soon, "Waits")
    } else {
        Mark {
            tone: "ok",
            icon: icon("ok"),
            text: if frame.connections.len() == 2 {
                "Both at work".to_owned()
            } else {
                "All at work".to_owned()
            },
        }
    };
    ConnectionsPage {
        stamp,
        sides: frame
            .connections
            .iter()
            .enumerate()
            .map(|(at, c)| compose_side(at, c, times))
            .collect(),
        flows: flows.iter().map(|f| flows::compose(f, times)).collect(),
        as_of: times.clock_seconds(frame.now),
        base,
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
