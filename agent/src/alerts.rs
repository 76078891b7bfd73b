//! `waybill alerts`: whether they arrive, a test, their secrets. Owns the wording of its answers.

use crate::cli::Alerts;
use crate::commands::{Agent, list, text, time};
use crate::out::Failure;
use anyhow::Context as _;
use serde_json::{Value, json};

const PLACE: &str = "/api/v1/alerts";

/// Runs one of its commands.
pub(crate) async fn run(agent: &Agent, command: &Alerts) -> Result<(), Failure> {
    match command {
        Alerts::Show => show(agent).await,
        Alerts::Test => test(agent).await,
        Alerts::Secret(secret) => {
            // Not as an argument: those can be read by every user of the machine.
            let value = std::io::read_to_string(std::io::stdin());
            let value = value.context("standard input cannot be read")?;
            let body = json!({"name": secret.name, "value": value.trim()});
            let answer = agent.ask(&format!("{PLACE}/secret"), &body).await?;
            agent
                .out
                .line("Saved, sealed. `waybill alerts test` tries it.");
            agent.out.value(&answer);
            Ok(())
        }
    }
}

async fn show(agent: &Agent) -> Result<(), Failure> {
    let answer = agent.get(PLACE).await?;
    agent.out.value(&answer);
    let rows: Vec<Vec<String>> = list(&answer["ways"])
        .iter()
        .map(|way| {
            let on = if way["on"] == true { "on" } else { "not set" };
            let mut row = vec![text(&way["name"]), on.to_owned(), time(&way["last_ok"])];
            row.extend(["waiting", "dropped", "error"].map(|name| text(&way[name])));
            row
        })
        .collect();
    let heads = ["WAY", "STATE", "LAST ARRIVED", "WAITING", "LOST", "WHY"];
    agent.out.table(&heads, &rows);
    let told: Vec<Vec<String>> = list(&answer["recent"])
        .iter()
        .map(|message| vec![time(&message["at"]), text(&message["subject"])])
        .collect();
    agent.out.table(&["TOLD", "WHAT"], &told);
    Ok(())
}

async fn test(agent: &Agent) -> Result<(), Failure> {
    let answer = agent.ask(&format!("{PLACE}/test"), &Value::Null).await?;
    agent.out.value(&answer);
    let ways = list(&answer["ways"]);
    for way in ways {
        let became = way["error"].as_str();
        let became = became.unwrap_or("delivered; look whether it arrived.");
        agent.out.line(format!("{}: {became}", text(&way["name"])));
    }
    if ways.iter().any(|way| way["arrived"] != true) {
        // What is missing was just said, by way.
        return Err(Failure::Told);
    }
    Ok(())
}
