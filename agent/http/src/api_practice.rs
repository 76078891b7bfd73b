//! The part of the JSON API about practice: what would be sent, the switch, apply and discard. Also reads what the page's
//! forms ask. Must not decide what follows from it.

use crate::answer::{self, Answer, Failure};
use crate::api::{read, rows};
use crate::html::count;
use crate::openapi::{object, text};
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use waybill_engine::practice::{Switch, Then};
use waybill_model::document::Entity;
use waybill_model::ids::JobId;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    practice: bool,
    flow: Option<String>,
    retailer: Option<String>,
    then: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    jobs: Option<Vec<JobId>>,
    #[serde(default)]
    all: bool,
    reason: Option<String>,
}

/// A kind of document that flows, by its word; none for all of them.
pub(crate) fn flow(word: Option<&str>) -> Result<Option<Entity>, Failure> {
    let known = |word: &str| {
        Entity::from_word(word).ok_or_else(|| {
            Failure::bad(format!("`{word}` is no flow"))
                .hint("One of: order, shipment, inventory-level, invoice, cancellation.")
        })
    };
    word.map(known).transpose()
}

/// What becomes of what was practised, by its word.
pub(crate) fn then(word: Option<&str>, reason: &str) -> Result<Then, Failure> {
    match word {
        None | Some("keep") => Ok(Then::Keep),
        Some("apply") => Ok(Then::Apply),
        Some("discard") => Ok(Then::Discard(reason.to_owned())),
        Some(other) => Err(Failure::bad(format!("`{other}` is nothing to do with it"))
            .hint("One of: keep, apply, discard.")),
    }
}

/// What was done, in words.
pub(crate) fn turned(practice: bool, then: &Then, steps: u64) -> String {
    let steps = count(steps, "practised step", "practised steps");
    match then {
        _ if practice => "Practice is on: nothing is sent from now on.".to_owned(),
        Then::Keep => {
            "Live. What was practised stays on the page Practice until you decide.".to_owned()
        }
        Then::Apply => format!("Live. {steps} go for real now."),
        Then::Discard(_) => format!("Live. {steps} were discarded."),
    }
}

fn chosen(asked: &Asked<'_>) -> Result<(Option<Vec<JobId>>, String), Failure> {
    let chosen: Chosen = read(asked)?;
    let reason = chosen.reason.unwrap_or_default();
    match (chosen.jobs, chosen.all) {
        (Some(jobs), false) if !jobs.is_empty() => Ok((Some(jobs), reason)),
        (None, true) => Ok((None, reason)),
        _ => Err(Failure::bad("either `jobs` or `all` says which steps")
            .hint("Name jobs as in `rows` of /api/v1/practice, or say `all`.")),
    }
}

/// Where the next page goes on.
pub(crate) fn before(asked: &Asked<'_>) -> Result<Option<JobId>, Failure> {
    let before = asked.query.filled("before").map(str::parse).transpose();
    let before = before.map_err(|_| Failure::bad("`before` is no number"))?;
    Ok(before.map(JobId))
}

/// The body a write about practice takes.
pub(crate) fn body(route: Route) -> Value {
    let reason = text("Why it is discarded; kept in the history.");
    if route == Route::ApiTurnPractice {
        return object(
            &["practice"],
            &[
                (
                    "practice",
                    json!({"type": "boolean", "description": "Only record what would be sent; false goes live."}),
                ),
                (
                    "flow",
                    text(
                        "Order, shipment, inventory-level, invoice or cancellation; all when left out.",
                    ),
                ),
                (
                    "retailer",
                    text("Code of a retailer; everybody when left out."),
                ),
                (
                    "then",
                    text("What becomes of what was practised: keep, apply or discard."),
                ),
                ("reason", reason),
            ],
        );
    }
    let jobs = json!({"type": "array", "items": {"type": "integer"}, "description": "`job` of some rows."});
    let all = json!({"type": "boolean", "description": "Everything that was practised.", "default": false});
    let mut fields = vec![("jobs", jobs), ("all", all)];
    let mut required: &[&str] = &[];
    if route == Route::ApiDiscardPractised {
        fields.push(("reason", reason));
        required = &["reason"];
    }
    object(required, &fields)
}

/// Answers a route about practice.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let said = |steps: u64, sentence: String| {
        answer::json(
            StatusCode::OK,
            &json!({"steps": steps, "sentence": sentence}),
        )
    };
    Ok(match asked.entry.route {
        Route::ApiTurnPractice => {
            let turn: Turn = read(asked)?;
            let then = then(turn.then.as_deref(), &turn.reason.unwrap_or_default())?;
            let switch = Switch {
                flow: flow(turn.flow.as_deref())?,
                retailer: turn.retailer,
                practice: turn.practice,
            };
            let steps = handle.switch_practice(switch, then.clone(), who).await?;
            said(steps, turned(turn.practice, &then, steps))
        }
        Route::ApiApplyPractised => {
            let (jobs, _) = chosen(asked)?;
            let steps = handle.apply_practised(jobs, who).await?;
            let words = count(steps, "step goes", "steps go");
            said(steps, format!("{words} for real now."))
        }
        Route::ApiDiscardPractised => {
            let (jobs, reason) = chosen(asked)?;
            let steps = handle.discard_practised(jobs, &reason, who).await?;
            let words = count(steps, "step was", "steps were");
            said(steps, format!("{words} discarded."))
        }
        _ => {
            let view = handle.practice(before(asked)?, rows(asked)?).await?;
            answer::json(StatusCode::OK, &view)
        }
    })
}
