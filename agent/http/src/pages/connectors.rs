//! Connectors: what each may do, what waits and for what, what was refused or taken back; accept, go back, choose.

use super::budget::Budget;
use super::layout::{Base, not_done, sentence};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Mark, Times, icon};
use crate::routes::Route;
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use waybill_engine::swap::Given;
use waybill_engine::swap::view::{
    BuildView, ConnectorState, ConnectorView, ConnectorsView, LimitsView, RefusedView, TrialView,
    WaitingView,
};
use waybill_engine::view::Tone;

/// Start of the names of a form's fields for settings: `set/CONNECTION/KEY`.
const SET: &str = "set/";
/// Digits of a hash that people are shown.
const DIGITS: usize = 12;

struct Trial {
    good: u32,
    of: u32,
    words: String,
    bad: Vec<String>,
}

struct Setting {
    id: String,
    name: String,
    connection: String,
    label: String,
    help: String,
}

struct Waiting {
    version: String,
    hash: String,
    short: String,
    file: String,
    since: String,
    asks: Vec<String>,
    settings: Vec<Setting>,
    accepted: Option<String>,
}

struct Refused {
    file: String,
    what: String,
    reason: String,
    hint: Option<String>,
    when: String,
}

/// One line of the table of builds.
struct Line {
    version: String,
    short: String,
    hash: String,
    mark: Mark,
    detail: String,
    choose: Option<&'static str>,
}

struct Use {
    title: String,
    longest: String,
    budgets: Vec<Budget>,
}

struct Connector {
    id: String,
    title: String,
    version: String,
    tag: Mark,
    sentence: String,
    file: String,
    signed: Mark,
    passport: Vec<String>,
    limits: Vec<(&'static str, String)>,
    trial: Option<Trial>,
    waiting: Option<Waiting>,
    refused: Option<Refused>,
    versions: Vec<Line>,
    back_to: Option<String>,
    uses: Vec<Use>,
    action: String,
}

#[derive(Template)]
#[template(path = "connectors.html")]
struct ConnectorsPage {
    base: Base,
    stamp: Mark,
    folder: Option<String>,
    connectors: Vec<Connector>,
    strangers: Vec<Refused>,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/connectors", "Connectors").await?;
    let view = asked.site.handle.connectors().await?;
    render(StatusCode::OK, &compose(base, view, &times))
}

/// Accept, go back, choose, look again.
pub(crate) async fn command(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who, id) = (&asked.site.handle, asked.who.as_str(), asked.param("id"));
    let field = |name: &str| asked.form.get(name).unwrap_or_default().to_owned();
    let done = match asked.entry.route {
        Route::AcceptConnector => {
            let given = given(asked);
            handle
                .accept_connector(id, Some(&field("hash")), given, who)
                .await
                .map(|()| "Accepted. It is tested now, and swapped in if all is well.".to_owned())
        }
        Route::RollBackConnector => handle
            .roll_back_connector(id, who)
            .await
            .map(|version| format!("Version {version} is at work again.")),
        Route::ChooseConnector => handle.choose_connector(id, &field("hash"), who).await,
        _ => handle
            .retry_connector(&field("file"), who)
            .await
            .map(|()| "It is looked at again.".to_owned()),
    };
    let notice = match done {
        Ok(text) => Notice {
            text,
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say("/connectors", notice))
}

/// The settings of a form.
fn given(asked: &Asked<'_>) -> Vec<Given> {
    let setting = |(name, value): (&str, &str)| {
        let (connection, key) = name.strip_prefix(SET)?.split_once('/')?;
        Some(Given {
            connection: connection.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        })
    };
    asked.form.iter().filter_map(setting).collect()
}

fn compose(base: Base, view: ConnectorsView, times: &Times) -> ConnectorsPage {
    let is = |tone: Tone| view.connectors.iter().any(|c| c.tone == tone);
    let stamp = if view.connectors.is_empty() {
        Mark::of(Tone::Hold, "None installed")
    } else if is(Tone::You) || !view.strangers.is_empty() || view.folder.is_some() {
        Mark::of(Tone::You, "Needs you")
    } else if is(Tone::Soon) {
        Mark::of(Tone::Soon, "On trial")
    } else {
        Mark {
            tone: "ok",
            icon: icon("ok"),
            text: "All at work".to_owned(),
        }
    };
    ConnectorsPage {
        base,
        stamp,
        folder: view.folder.as_deref().map(sentence),
        connectors: view
            .connectors
            .into_iter()
            .map(|c| connector(c, times))
            .collect(),
        strangers: view
            .strangers
            .into_iter()
            .map(|r| refused(r, times))
            .collect(),
    }
}

fn connector(view: ConnectorView, times: &Times) -> Connector {
    let tag = match view.state {
        ConnectorState::Running => "At work",
        ConnectorState::Trial => "On trial",
        ConnectorState::Waiting => "Asks for more",
        ConnectorState::Refused => "New build refused",
        ConnectorState::RolledBack => "Went back",
        ConnectorState::Missing => "Not loaded",
    };
    Connector {
        versions: versions(&view, times),
        back_to: view.previous.first().map(|b| b.version.clone()),
        tag: Mark::of(view.tone, tag),
        version: view
            .running
            .as_ref()
            .map(|b| b.version.clone())
            .unwrap_or_default(),
        signed: match &view.signed_by {
            Some(who) => Mark::of(Tone::Ok, who.clone()),
            None => Mark::of(Tone::Quiet, "nobody"),
        },
        file: match &view.file.name {
            Some(name) => format!("{name}: {}", view.file.sentence),
            None => view.file.sentence.clone(),
        },
        limits: limits(&view.limits),
        trial: view.trial.map(|t| trial(t, times)),
        waiting: view.waiting.map(|w| waiting(w, times)),
        refused: view.refused.map(|r| refused(r, times)),
        uses: view
            .connections
            .into_iter()
            .map(|of| Use {
                title: of.title,
                longest: of
                    .longest_ms
                    .map_or_else(|| "none yet".to_owned(), duration),
                budgets: of.budgets.iter().map(|b| Budget::of(b, times)).collect(),
            })
            .collect(),
        action: format!(
            "/connectors/{}",
            utf8_percent_encode(&view.id, NON_ALPHANUMERIC)
        ),
        id: view.id,
        title: view.title,
        sentence: view.sentence,
        passport: view.passport,
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(DIGITS).collect()
}

fn duration(ms: u64) -> String {
    if ms < 1_000 {
        format!("{ms} ms")
    } else {
        format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
    }
}

fn limits(limits: &LimitsView) -> Vec<(&'static str, String)> {
    let mib = |bytes: u64| format!("at most {} MiB", bytes >> 20);
    vec![
        ("Memory of a call", mib(limits.build.memory)),
        (
            "Time of a call",
            format!("at most {}", duration(limits.call_ms)),
        ),
        (
            "Requests of a call",
            format!("at most {}", limits.build.requests),
        ),
        ("Body of a request", mib(limits.build.request_body)),
        ("Body of an answer", mib(limits.build.answer_body)),
        ("Your files and network", "none".to_owned()),
    ]
}

fn trial(view: TrialView, times: &Times) -> Trial {
    Trial {
        words: format!(
            "On trial since {}: {} of {} batches done without a problem; it ends at {} at the latest. {} bad ones undo it.",
            times.when(view.since),
            view.good,
            view.of,
            times.when(view.until),
            view.most_bad
        ),
        good: view.good,
        of: view.of,
        bad: view.bad,
    }
}

fn waiting(view: WaitingView, times: &Times) -> Waiting {
    let settings = view.settings.into_iter().enumerate();
    Waiting {
        short: short(&view.hash),
        settings: settings
            .map(|(at, asked)| Setting {
                id: format!("{}-{at}", short(&view.hash)),
                name: format!("{SET}{}/{}", asked.connection, asked.key),
                connection: asked.connection,
                label: asked.label,
                help: asked.help,
            })
            .collect(),
        version: view.version,
        hash: view.hash,
        file: view.file,
        since: times.when(view.at),
        asks: view.asks,
        accepted: view.accepted,
    }
}

fn refused(view: RefusedView, times: &Times) -> Refused {
    let again = view
        .again_at
        .map(|at| format!("; tried again at {}", times.when(at)))
        .unwrap_or_default();
    Refused {
        what: view.version.map_or_else(
            || view.file.clone(),
            |v| format!("{} (version {v})", view.file),
        ),
        file: view.file,
        reason: sentence(&view.reason),
        hint: view.hint.as_deref().map(sentence),
        when: format!("{}{again}", times.when(view.at)),
    }
}

fn versions(view: &ConnectorView, times: &Times) -> Vec<Line> {
    let line = |build: &BuildView, mark: Mark, choose| Line {
        version: build.version.clone(),
        short: short(&build.hash),
        hash: build.hash.clone(),
        mark,
        detail: format!("since {}, by {}", times.when(build.since), build.who),
        choose,
    };
    let running = view.running.iter().map(|build| {
        let mark = match view.state {
            ConnectorState::Trial => Mark::of(Tone::Soon, "In use, on trial"),
            _ => Mark::of(Tone::Ok, "In use"),
        };
        line(build, mark, None)
    });
    let previous = view.previous.iter().map(|build| {
        let mark = Mark::of(Tone::Quiet, "Ready to go back to");
        line(build, mark, Some("Go back to it"))
    });
    let bad = view.bad.iter().map(|bad| Line {
        version: bad.version.clone(),
        short: short(&bad.hash),
        hash: bad.hash.clone(),
        mark: Mark::of(
            if bad.by_itself { Tone::You } else { Tone::Hold },
            "Taken back",
        ),
        detail: format!("{}: {}", times.when(bad.at), sentence(&bad.reason)),
        choose: Some("Try it again"),
    });
    running.chain(previous).chain(bad).collect()
}

#[cfg(test)]
#[path = "connectors_tests.rs"]
mod tests;
