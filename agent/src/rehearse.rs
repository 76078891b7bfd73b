//! `waybill rehearse`: begins a rehearsal at the running agent, tells what is seen, and how it ended. Owns the wording.

use crate::cli::Rehearse;
use crate::commands::{Agent, list, text, time};
use crate::out::Failure;
use serde_json::{Value, json};
use std::time::Duration;

const PLACE: &str = "/api/v1/rehearsal";
/// Between two looks.
const LOOK: Duration = Duration::from_millis(300);

/// Runs it. Fails where the order did not go all the way.
pub(crate) async fn run(agent: &Agent, args: &Rehearse) -> Result<(), Failure> {
    if !args.last {
        agent
            .ask(PLACE, &json!({"retailer": args.retailer}))
            .await?;
    }
    let mut told = 0;
    let view = loop {
        let view = agent.get(PLACE).await?;
        told += tell(agent, &view, told);
        if args.last || view["running"] != true {
            break view;
        }
        tokio::time::sleep(LOOK).await;
    };
    agent.out.value(&view);
    let report = &view["report"];
    if report.is_null() {
        agent.out.line("Nothing was rehearsed yet.");
        return Ok(());
    }
    show(agent, report);
    if view["cut_short"] == true {
        agent
            .out
            .line("It was cut short: the agent stopped. Rehearse again.");
    }
    if view["outdated"] == true && view["running"] != true {
        agent
            .out
            .line("Settings or matches have changed since: rehearse again.");
    }
    if report["end"]["good"] == true {
        Ok(())
    } else {
        Err(Failure::Told)
    }
}

/// Steps that were not told yet; how many.
fn tell(agent: &Agent, view: &Value, told: usize) -> usize {
    let steps = list(&view["report"]["steps"]);
    let new = steps.get(told..).unwrap_or_default();
    for step in new {
        agent
            .out
            .line(format!("{}  {}", time(&step["at"]), text(&step["text"])));
    }
    new.len()
}

fn show(agent: &Agent, report: &Value) {
    for aside in list(&report["asides"]) {
        agent.out.line(format!("Note: {}", text(aside)));
    }
    let sale = &report["sale"];
    if !sale.is_null() {
        agent.out.line("The sale:");
    }
    for field in list(&sale["fields"]) {
        agent
            .out
            .line(format!("  {}: {}", text(&field[0]), text(&field[1])));
    }
    for line in list(&sale["lines"]) {
        agent.out.line(format!(
            "  {} x {} ({}): net {}, tax {}",
            text(&line["quantity"]),
            text(&line["item"]),
            text(&line["sku"]),
            text(&line["net"]),
            text(&line["tax"]),
        ));
    }
    let end = &report["end"];
    let card = &end["card"];
    let sentences = [
        &end["sentence"],
        &card["title"],
        &card["text"],
        &card["hint"],
        &end["next"],
    ];
    for sentence in sentences.into_iter().filter(|sentence| !sentence.is_null()) {
        agent.out.line(text(sentence));
    }
}
