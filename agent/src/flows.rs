//! `waybill flows`: whether each flow runs, pause, resume, run now. `waybill compare`: what comparisons found. Owns the wording of tables.

use crate::cli::{Compare, Flows, OneFlow};
use crate::commands::{Agent, coded, list, text, time};
use crate::out::Failure;
use serde_json::{Value, json};

/// Runs one of its commands.
pub(crate) async fn run(agent: &Agent, command: &Flows) -> Result<(), Failure> {
    match command {
        Flows::List => all(agent).await,
        Flows::Pause(args) => said(agent, &args.flow, "pause", &json!({"why": args.why})).await,
        Flows::Resume(flow) => said(agent, flow, "resume", &Value::Null).await,
        Flows::Run(flow) => said(agent, flow, "run", &Value::Null).await,
    }
}

async fn said(agent: &Agent, flow: &OneFlow, verb: &str, body: &Value) -> Result<(), Failure> {
    let (entity, from, to) = (flow.entity, coded(&flow.from), coded(&flow.to));
    let place = format!("/api/v1/flows/{entity}/{from}/{to}/{verb}");
    let answer = agent.ask(&place, body).await?;
    agent.out.line(text(&answer["sentence"]));
    agent.out.value(&answer);
    Ok(())
}

async fn all(agent: &Agent) -> Result<(), Failure> {
    let answer = agent.get("/api/v1/flows").await?;
    agent.out.value(&answer);
    let rows: Vec<Vec<String>> = list(&answer["rows"])
        .iter()
        .map(|flow| {
            let told = ["entity", "from", "to", "sentence", "hours", "held"];
            let mut row: Vec<String> = told.iter().map(|name| text(&flow[name])).collect();
            row.push(time(&flow["opens"]));
            row.push(time(&flow["since"]));
            row
        })
        .collect();
    agent.out.table(
        &[
            "KIND", "FROM", "TO", "NOW", "HOURS", "WAITING", "GOES ON", "SINCE",
        ],
        &rows,
    );
    Ok(())
}

/// `waybill compare`.
pub(crate) async fn compare(agent: &Agent, args: &Compare) -> Result<(), Failure> {
    let place = "/api/v1/comparisons";
    if args.now {
        let answer = agent.ask(place, &Value::Null).await?;
        agent.out.line(format!(
            "{} `waybill compare` says what was found.",
            text(&answer["sentence"])
        ));
        agent.out.value(&answer);
        return Ok(());
    }
    let answer = agent.get(place).await?;
    agent.out.value(&answer);
    let running = std::iter::once(&answer["running"]).filter(|of| of.is_object());
    let all = running.chain(list(&answer["rows"]));
    let told = ["id", "who", "seen", "equal", "taken", "differs", "unknown"];
    let rows: Vec<Vec<String>> = all
        .clone()
        .map(|of| {
            let mut row = vec![time(&of["began"]), time(&of["ended"])];
            row.extend(told.iter().map(|name| text(&of[name])));
            row
        })
        .collect();
    agent.out.table(
        &[
            "BEGAN", "ENDED", "NUMBER", "BY", "LISTED", "ALIKE", "TAKEN", "DIFFER", "UNKNOWN",
        ],
        &rows,
    );
    let found: Vec<Vec<String>> = all
        .take(1)
        .flat_map(|of| list(&of["lines"]))
        .map(|line| {
            let told = [
                "finding", "source", "entity", "key", "number", "card", "text",
            ];
            told.iter().map(|name| text(&line[name])).collect()
        })
        .collect();
    agent.out.table(
        &["WHAT", "LISTED AT", "KIND", "KEY", "PO", "CARD", "FOUND"],
        &found,
    );
    Ok(())
}
