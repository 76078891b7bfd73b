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
use waybill_model::document::Entity;
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
    name: String,
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

/// Going live, before it is done: what will write from then on, and what was chosen.
struct Question {
    head: String,
    writes: String,
    /// What becomes of what was practised, and of everything else.
    rest: Vec<String>,
    flow: String,
    retailer: String,
    then: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "practice.html")]
struct PracticePage {
    base: Base,
    question: Option<Question>,
    known: Vec<(String, String)>,
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
    render(StatusCode::OK, &compose(base, &view, None, &times))
}

/// Asks once more before anything goes live.
async fn ask(asked: &Asked<'_>, switch: &Switch, then: &Then) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/practice", "Practice").await?;
    let view = asked.site.handle.practice(None, STEPS).await?;
    let mut question = question(&view, switch, then, &base.sides_named());
    let given = |name: &str| asked.form.get(name).unwrap_or_default().to_owned();
    (question.flow, question.retailer) = (given("flow"), given("retailer"));
    (question.then, question.reason) = (given("then"), given("reason"));
    render(
        StatusCode::OK,
        &compose(base, &view, Some(question), &times),
    )
}

/// Who goes live, in words; nothing for everybody.
fn whose(view: &PracticeView, switch: &Switch) -> String {
    let Some(code) = &switch.retailer else {
        return String::new();
    };
    let name = view.known.iter().find(|(known, _)| known == code);
    match name.filter(|(code, name)| code != name) {
        Some((_, name)) => format!(" for {name} ({code})"),
        None => format!(" for {code}"),
    }
}

/// What stays as it is.
fn rest(view: &PracticeView, switch: &Switch) -> Option<&'static str> {
    let narrow = switch.flow.is_some() || switch.retailer.is_some();
    match (narrow, view.all) {
        (true, true) => Some("Everything else stays in practice."),
        (true, false) => Some("Everything else stays as it is."),
        (false, _) if !view.retailers.is_empty() => {
            Some("Retailers of their own stay as they are.")
        }
        _ => None,
    }
}

fn question(view: &PracticeView, switch: &Switch, then: &Then, sides: &[String]) -> Question {
    let chosen = view.flows.iter().filter(|flow| match switch.flow {
        Some(one) => flow.flow == one,
        None => switch.retailer.is_none() || flow.flow != Entity::InventoryLevel,
    });
    let titles: Vec<String> = chosen.map(|flow| flow.title.to_lowercase()).collect();
    let flows = count(titles.len() as u64, "flow", "flows");
    let whose = whose(view, switch);
    let practised = match then {
        _ if view.practised == 0 => None,
        Then::Keep => Some("What was practised so far stays below until you decide.".to_owned()),
        Then::Apply => {
            Some("What was practised so far of it is sent, as it stands then.".to_owned())
        }
        Then::Discard(why) => Some(format!(
            "What was practised so far of it is discarded: {why}."
        )),
    };
    let rest = rest(view, switch).map(str::to_owned);
    Question {
        head: format!("Go live{whose}?"),
        writes: format!(
            "{flows} will write to {} from now on{whose}: {}.",
            sides.join(" and "),
            titles.join(", ")
        ),
        rest: practised.into_iter().chain(rest).collect(),
        flow: String::new(),
        retailer: String::new(),
        then: String::new(),
        reason: String::new(),
    }
}

fn compose(
    base: Base,
    view: &PracticeView,
    question: Option<Question>,
    times: &Times,
) -> PracticePage {
    let word = match (view.any, view.all) {
        (false, _) => Mark::of(Tone::Ok, "Live"),
        (_, true) => Mark::of(Tone::Hold, "Practice"),
        _ => Mark::of(Tone::Hold, "Partly practice"),
    };
    PracticePage {
        base,
        question,
        known: view.known.clone(),
        sentence: view.sentence.clone(),
        mark: word,
        any: view.any,
        flows: view.flows.iter().map(|f| switch(f, times)).collect(),
        retailers: view
            .retailers
            .iter()
            .map(|retailer| Retailer {
                name: if retailer.name == retailer.code {
                    retailer.code.clone()
                } else {
                    format!("{} ({})", retailer.name, retailer.code)
                },
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
        _ => return turn(asked).await,
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

/// Switches practice on; goes live once that was asked and answered.
async fn turn(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let practice = asked.form.get("to") == Some("practice");
    let reason = asked.form.get("reason").unwrap_or_default();
    let then = then(asked.form.filled("then"), reason)?;
    let switch = Switch {
        flow: flow(asked.form.filled("flow"))?,
        retailer: asked.form.filled("retailer").map(str::to_owned),
        practice,
    };
    if let Err(error) = handle.may_switch(&switch, &then).await {
        return Ok(asked.say("/practice", not_done(error)));
    }
    if !practice && asked.form.get("sure").is_none() {
        return ask(asked, &switch, &then).await;
    }
    let view = handle.practice(None, 1).await?;
    let rest = rest(&view, &switch)
        .filter(|_| !practice)
        .unwrap_or_default();
    let notice = match handle.switch_practice(switch, then.clone(), who).await {
        Ok(steps) => Notice {
            text: format!("{} {rest}", turned(practice, &then, steps))
                .trim()
                .to_owned(),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say("/practice", notice))
}

#[cfg(test)]
#[path = "practice_tests.rs"]
mod tests;
