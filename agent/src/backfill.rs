//! `waybill backfill`: orders from before, looked for and taken by the running agent. Owns the wording of tables.

use crate::cli::{Backfill, LookForOrders};
use crate::commands::{Agent, list, text, time};
use crate::mappings;
use crate::out::Failure;
use serde_json::{Value, json};

/// Runs one of its commands.
pub(crate) async fn run(agent: &Agent, command: &Backfill) -> Result<(), Failure> {
    match command {
        Backfill::Look(args) => look(agent, args).await,
        Backfill::Take(args) => said(agent, args.number, "take").await,
        Backfill::Stop(args) => said(agent, args.number, "stop").await,
        Backfill::Show(args) => show(agent, args.number).await,
        Backfill::List => all(agent).await,
    }
}

async fn look(agent: &Agent, args: &LookForOrders) -> Result<(), Failure> {
    let mut body = json!({"connection": args.connection});
    if let Some(file) = &args.list {
        body["list"] = json!(mappings::file(file)?);
    } else {
        body["from"] = json!(args.from);
        body["to"] = json!(args.to);
    }
    let answer = agent.ask("/api/v1/backfills", &body).await?;
    let (id, sentence) = (text(&answer["id"]), text(&answer["sentence"]));
    agent.out.line(format!(
        "{sentence}\nBack-fill {id}: `waybill backfill show {id}` says what was found."
    ));
    agent.out.value(&answer);
    Ok(())
}

async fn said(agent: &Agent, number: u64, verb: &str) -> Result<(), Failure> {
    let place = format!("/api/v1/backfills/{number}/{verb}");
    let answer = agent.ask(&place, &Value::Null).await?;
    agent.out.line(text(&answer["sentence"]));
    agent.out.value(&answer);
    Ok(())
}

async fn show(agent: &Agent, number: u64) -> Result<(), Failure> {
    let answer = agent.get(&format!("/api/v1/backfills/{number}")).await?;
    agent.out.value(&answer);
    agent.out.table(HEAD, &[row(&answer["backfill"])]);
    if let Value::String(problem) = &answer["backfill"]["problem"] {
        agent.out.line(problem);
    }
    let found: Vec<Vec<String>> = list(&answer["orders"])
        .iter()
        .map(|order| {
            let told = ["number", "key", "retailer", "becomes"];
            let mut row: Vec<String> = told.iter().map(|name| text(&order[name])).collect();
            row.push(time(&order["placed_at"]));
            row
        })
        .collect();
    agent
        .out
        .table(&["PO", "KEY", "RETAILER", "HERE", "PLACED"], &found);
    let missing = list(&answer["backfill"]["not_found"]);
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(text).collect();
        agent.out.line(format!("Not found: {}", names.join(", ")));
    }
    Ok(())
}

async fn all(agent: &Agent) -> Result<(), Failure> {
    let answer = agent.get("/api/v1/backfills").await?;
    agent.out.value(&answer);
    let rows: Vec<Vec<String>> = list(&answer["rows"]).iter().map(row).collect();
    agent.out.table(HEAD, &rows);
    Ok(())
}

const HEAD: &[&str] = &[
    "NUMBER",
    "CONNECTION",
    "STATE",
    "MISSING",
    "HERE",
    "OVER",
    "TAKEN",
    "ASKED",
    "BY",
];

fn row(backfill: &Value) -> Vec<String> {
    let told = [
        "id",
        "connection",
        "phase",
        "missing",
        "known",
        "over",
        "taken",
    ];
    let mut row: Vec<String> = told.iter().map(|name| text(&backfill[name])).collect();
    row.push(time(&backfill["asked_at"]));
    row.push(text(&backfill["who"]));
    row
}
