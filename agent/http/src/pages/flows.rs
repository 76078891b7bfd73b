//! Flows on the page Connections: each kind of document over each route, whether it runs, and what a person does with it.

use super::layout::not_done;
use crate::answer::{Answer, Failure};
use crate::api_flows::which;
use crate::html::{Mark, Times, count, encoded};
use crate::routes::Route;
use crate::session::Notice;
use crate::site::Asked;
use waybill_engine::view::FlowView;

/// One flow, as the page shows it.
pub(crate) struct Flow {
    /// "Shipments from ERP to Network".
    pub(crate) title: String,
    /// Its standing.
    pub(crate) mark: Mark,
    /// Its hours.
    pub(crate) hours: String,
    /// What waits for it; empty for nothing.
    pub(crate) held: String,
    /// Whether a person stopped it.
    pub(crate) paused: bool,
    /// Where its buttons lead.
    pub(crate) action: String,
}

/// What the page shows of a flow.
pub(crate) fn compose(flow: &FlowView, times: &Times) -> Flow {
    let mut text = flow.sentence.clone();
    if let Some(since) = flow.since {
        text = format!("{text}, {}", times.when(since));
    }
    if let Some(opens) = flow.opens {
        text = format!("{text}; goes on {}", times.when(opens));
    }
    Flow {
        title: flow.title.clone(),
        mark: Mark::of(flow.tone, text),
        hours: flow.hours.clone().unwrap_or_else(|| "always".to_owned()),
        held: match flow.held {
            0 => String::new(),
            n => count(n, "waits", "wait"),
        },
        paused: flow.state == "paused",
        action: format!(
            "/flows/{}/{}/{}",
            flow.entity,
            encoded(&flow.from),
            encoded(&flow.to)
        ),
    }
}

/// Pause, go on, run now.
pub(crate) async fn command(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, which) = (&asked.site.handle, which(asked)?);
    let (done, text) = match asked.entry.route {
        Route::PauseFlow => {
            let why = asked.form.get("why").unwrap_or_default();
            (
                handle.pause_flow(&which, why, &asked.who).await,
                "Paused. Nothing is lost: what waits goes on when you resume.",
            )
        }
        Route::ResumeFlow => (handle.resume_flow(&which, &asked.who).await, "It goes on."),
        _ => (
            handle.run_flow(&which, &asked.who).await,
            "It runs now. What is new appears within moments.",
        ),
    };
    let notice = match done {
        Ok(()) => Notice {
            text: text.to_owned(),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say("/connections", notice))
}
