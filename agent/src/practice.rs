//! `waybill practice`: what is live, what would be sent, the switch, apply and discard. Owns the wording of its tables.

use crate::cli::{ListPractised, Practice, PracticeOf, Practised};
use crate::commands::{Agent, list, text, time};
use crate::out::Failure;
use serde_json::{Value, json};

const PLACE: &str = "/api/v1/practice";

/// Runs one of its commands.
pub(crate) async fn run(agent: &Agent, command: &Practice) -> Result<(), Failure> {
    match command {
        Practice::List(args) => show(agent, args).await,
        Practice::On(of) => said(agent, PLACE, &turn(of, true, None, None)).await,
        Practice::Live(args) => {
            let then = match (&args.discard, args.apply) {
                (Some(_), _) => "discard",
                (None, true) => "apply",
                (None, false) => "keep",
            };
            let body = turn(&args.of, false, Some(then), args.discard.as_deref());
            said(agent, PLACE, &body).await
        }
        Practice::Apply(which) => said(agent, "/api/v1/practice/apply", &chosen(which)).await,
        Practice::Discard(args) => {
            let mut body = chosen(&args.which);
            body["reason"] = json!(args.reason);
            said(agent, "/api/v1/practice/discard", &body).await
        }
    }
}

fn turn(of: &PracticeOf, practice: bool, then: Option<&str>, reason: Option<&str>) -> Value {
    json!({
        "practice": practice, "flow": of.flow, "retailer": of.retailer, "then": then, "reason": reason,
    })
}

fn chosen(which: &Practised) -> Value {
    if which.all {
        json!({"all": true})
    } else {
        json!({"jobs": which.steps})
    }
}

async fn said(agent: &Agent, place: &str, body: &Value) -> Result<(), Failure> {
    let answer = agent.ask(place, body).await?;
    agent.out.line(text(&answer["sentence"]));
    agent.out.value(&answer);
    Ok(())
}

async fn show(agent: &Agent, args: &ListPractised) -> Result<(), Failure> {
    let answer = agent.get(&format!("{PLACE}?limit={}", args.limit)).await?;
    agent.out.value(&answer);
    agent.out.line(text(&answer["sentence"]));
    let rows: Vec<Vec<String>> = list(&answer["rows"])
        .iter()
        .map(|row| {
            let told = ["job", "number", "retailer", "what", "to", "now"];
            let mut out: Vec<String> = told.iter().map(|name| text(&row[name])).collect();
            out.push(time(&row["at"]));
            out
        })
        .collect();
    agent.out.table(
        &[
            "STEP",
            "PO",
            "RETAILER",
            "WOULD SEND",
            "TO",
            "THERE NOW",
            "AT",
        ],
        &rows,
    );
    if args.fields {
        fields(agent, &answer);
    }
    let stock: Vec<Vec<String>> = list(&answer["stock"])
        .iter()
        .map(|row| {
            let told = ["item", "warehouse", "now", "would"];
            told.iter().map(|name| text(&row[name])).collect()
        })
        .collect();
    agent
        .out
        .table(&["ITEM", "WAREHOUSE", "TOLD LAST", "WOULD BE"], &stock);
    Ok(())
}

/// Field by field.
fn fields(agent: &Agent, answer: &Value) {
    let of = |row: &Value| -> Vec<Vec<String>> {
        let step = text(&row["job"]);
        let fields = list(&row["fields"]).iter();
        fields
            .map(|field| {
                let told = ["name", "now", "would"];
                let rest = told.iter().map(|name| text(&field[name]));
                std::iter::once(step.clone()).chain(rest).collect()
            })
            .collect()
    };
    let rows: Vec<Vec<String>> = list(&answer["rows"]).iter().flat_map(of).collect();
    agent
        .out
        .table(&["STEP", "FIELD", "THERE NOW", "WOULD BE"], &rows);
}
