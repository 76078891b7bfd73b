//! Practice: what is live and what only records, what would be sent field by field, and what a person does with it.

use super::layout::{Base, not_done};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::api_practice::{before, flow, then, turned};
use crate::html::{Mark, Times, count};
use crate::routes::Route;
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::practice::view::{FlowSwitch, PracticeView, WouldField, WouldSend, WouldTell};
use waybill_engine::practice::{Switch, Then};
use waybill_engine::view::Tone;
use waybill_model::ids::JobId;

/// Steps on one page.
const STEPS: usize = 20;

/// A flow in the table of switches.
struct Flow {
    title: String,
    word: String,
    mark: Mark,
    by: String,
}

/// A retailer with a word of its own.
struct Retailer {
    code: String,
    says: String,
}

/// One step that was practised.
struct Step {
    id: String,
    job: u64,
    /// "Sale for PO-1".
    head: String,
    /// Where its order is.
    href: Option<String>,
    retailer: String,
    to: String,
    when: String,
    now: String,
    undecided: bool,
    fields: Vec<WouldField>,
    /// Method and address.
    request: Option<String>,
    body: String,
}

#[derive(Template)]
#[template(path = "practice.html")]
struct PracticePage {
    base: Base,
    sentence: String,
    mark: Mark,
    any: bool,
    flows: Vec<Flow>,
    retailers: Vec<Retailer>,
    practised: u64,
    undecided: Option<String>,
    steps: Vec<Step>,
    next: Option<String>,
    stock: Vec<WouldTell>,
    stock_waiting: Option<String>,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/practice", "Practice").await?;
    let view = asked.site.handle.practice(before(asked)?, STEPS).await?;
    render(StatusCode::OK, &compose(base, &view, &times))
}

fn compose(base: Base, view: &PracticeView, times: &Times) -> PracticePage {
    let word = match (view.any, view.all) {
        (false, _) => Mark::of(Tone::Ok, "Live"),
        (_, true) => Mark::of(Tone::Hold, "Practice"),
        _ => Mark::of(Tone::Hold, "Partly practice"),
    };
    PracticePage {
        base,
        sentence: view.sentence.clone(),
        mark: word,
        any: view.any,
        flows: view.flows.iter().map(|f| switch(f, times)).collect(),
        retailers: view
            .retailers
            .iter()
            .map(|retailer| Retailer {
                code: retailer.code.clone(),
                says: says(&retailer.flows),
            })
            .collect(),
        practised: view.practised,
        undecided: (view.undecided > 0).then(|| {
            let steps = count(view.undecided, "of these steps has", "of these steps have");
            format!("{steps} a flow that is live by now: send them for real, or discard them.")
        }),
        steps: view.rows.iter().map(|row| step(row, times)).collect(),
        next: view.next.map(|id| format!("/practice?before={id}")),
        stock: view.stock.clone(),
        stock_waiting: (view.stock_waiting > 0).then(|| count(view.stock_waiting, "item", "items")),
    }
}

fn switch(flow: &FlowSwitch, times: &Times) -> Flow {
    let mark = if flow.practice {
        Mark::of(Tone::Hold, "Practice")
    } else {
        Mark::of(Tone::Ok, "Live")
    };
    let by = match (&flow.who, flow.at) {
        (Some(who), Some(at)) => format!("{who}, {}", times.when(at)),
        _ => "as from the start".to_owned(),
    };
    Flow {
        title: flow.title.clone(),
        word: flow.flow.word().to_owned(),
        mark,
        by,
    }
}

/// "Practice: orders, shipments; live: invoices".
fn says(flows: &[FlowSwitch]) -> String {
    let of = |practice: bool| {
        let some = flows.iter().filter(|f| f.practice == practice);
        let titles: Vec<String> = some.map(|f| f.title.to_lowercase()).collect();
        titles.join(", ")
    };
    match (of(true), of(false)) {
        (practised, live) if live.is_empty() => format!("Practice: {practised}"),
        (practised, live) if practised.is_empty() => format!("Live: {live}"),
        (practised, live) => format!("Practice: {practised}; live: {live}"),
    }
}

fn step(row: &WouldSend, times: &Times) -> Step {
    let key =
        if row.key == row.number || row.what.starts_with("Sale") || row.what == "Acknowledgement" {
            String::new()
        } else {
            format!(" {}", row.key)
        };
    Step {
        id: format!("p-{}", row.job),
        job: row.job.0,
        head: format!("{}{key} for {}", row.what, row.number),
        href: row.order.map(|id| format!("/orders/{id}")),
        retailer: row.retailer.clone(),
        to: row.to.clone(),
        when: times.when(row.at),
        now: row.now.clone(),
        undecided: row.undecided,
        fields: row.fields.clone(),
        request: row
            .request
            .as_ref()
            .map(|r| format!("{} {}", r.method, r.url)),
        body: row
            .request
            .as_ref()
            .map(|r| r.body.clone())
            .unwrap_or_default(),
    }
}

fn jobs(asked: &Asked<'_>) -> Result<Option<Vec<JobId>>, Failure> {
    if asked.form.filled("all").is_some() {
        return Ok(None);
    }
    let ids = asked.form.all("job").map(|id| id.parse().map(JobId));
    let ids: Result<Vec<JobId>, _> = ids.collect();
    Ok(Some(
        ids.map_err(|_| Failure::bad("a step has no such number"))?,
    ))
}

/// Switches, applies, discards.
pub(crate) async fn command(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let reason = asked.form.get("reason").unwrap_or_default();
    let done = match asked.entry.route {
        Route::ApplyPractised => {
            let steps = handle.apply_practised(jobs(asked)?, who).await;
            steps.map(|n| format!("{} for real now.", count(n, "step goes", "steps go")))
        }
        Route::DiscardPractised => {
            let steps = handle.discard_practised(jobs(asked)?, reason, who).await;
            steps.map(|n| format!("{} discarded.", count(n, "step was", "steps were")))
        }
        _ => {
            let practice = asked.form.get("to") == Some("practice");
            let then = if practice {
                Then::Keep
            } else {
                then(asked.form.filled("then"), reason)?
            };
            let switch = Switch {
                flow: flow(asked.form.filled("flow"))?,
                retailer: asked.form.filled("retailer").map(str::to_owned),
                practice,
            };
            let steps = handle.switch_practice(switch, then.clone(), who).await;
            steps.map(|n| turned(practice, &then, n))
        }
    };
    let notice = match done {
        Ok(text) => Notice {
            text,
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say("/practice", notice))
}

#[cfg(test)]
#[path = "practice_tests.rs"]
mod tests;
