//! `waybill stock`: lists of numbers, why one is what it is, the switch, sending again. Owns the wording of tables.

use crate::cli::{ListStock, Stock, StockRoute, WhyStock};
use crate::commands::{Agent, coded, decimal, list, text, time};
use crate::out::Failure;
use serde_json::{Value, json};

/// Runs one of its commands.
pub(crate) async fn run(agent: &Agent, command: &Stock) -> Result<(), Failure> {
    match command {
        Stock::List(args) => all(agent, args).await,
        Stock::Why(args) => why(agent, args).await,
        Stock::On => switch(agent, true, "Stock is sent.").await,
        Stock::Off => {
            switch(
                agent,
                false,
                "No stock is sent until it is switched on again.",
            )
            .await
        }
        Stock::Send(args) => {
            let body = json!({"item": args.item, "route": args.route.route});
            let done = match &args.item {
                Some(item) => format!("The numbers of {item} are sent again."),
                None => "All numbers are sent again.".to_owned(),
            };
            agent.post("/api/v1/stock-send", &body, &done).await
        }
    }
}

async fn switch(agent: &Agent, on: bool, done: &str) -> Result<(), Failure> {
    let body = json!({ "on": on });
    agent.post("/api/v1/stock-switch", &body, done).await
}

/// The part of an address that names the route.
fn routed(route: &StockRoute, joint: char) -> String {
    let named = route.route.as_deref();
    named.map_or_else(String::new, |route| {
        format!("{joint}route={}", coded(route))
    })
}

async fn all(agent: &Agent, args: &ListStock) -> Result<(), Failure> {
    let mut place = format!("/api/v1/stock?limit={}&show={}", args.limit, args.show);
    for (name, value) in [("q", &args.begins), ("after", &args.after)] {
        if let Some(value) = value {
            place = format!("{place}&{name}={}", coded(value));
        }
    }
    place.push_str(&routed(&args.route, '&'));
    let answer = agent.get(&place).await?;
    agent.out.value(&answer);
    if answer["route"].is_null() {
        agent
            .out
            .line("No stock goes anywhere: there is no route for it.");
        return Ok(());
    }
    agent.out.line(text(&answer["sentence"][1]));
    let rows: Vec<Vec<String>> = list(&answer["rows"]).iter().map(row).collect();
    if rows.is_empty() {
        agent.out.line("No item.");
        return Ok(());
    }
    agent.out.table(
        &[
            "ITEM",
            "TITLE",
            "WAREHOUSE",
            "ON HAND",
            "TAKEN",
            "NUMBER",
            "THERE",
            "SINCE",
            "STATE",
        ],
        &rows,
    );
    if let Some(next) = answer["next"].as_str() {
        agent
            .out
            .line(format!("More follow: add `--after {next}`."));
    }
    Ok(())
}

fn row(of: &Value) -> Vec<String> {
    vec![
        text(&of["item"]),
        text(&of["title"]),
        text(&of["warehouse"]),
        text(&of["on_hand"]),
        text(&of["taken"]),
        decimal(&of["wanted"]),
        decimal(&of["sent"]),
        time(&of["sent_at"]),
        text(&of["sentence"]),
    ]
}

async fn why(agent: &Agent, args: &WhyStock) -> Result<(), Failure> {
    let place = format!(
        "/api/v1/stock/{}{}",
        coded(&args.item),
        routed(&args.route, '?')
    );
    let answer = agent.get(&place).await?;
    agent.out.value(&answer);
    agent.out.line(format!(
        "{} {}, {} in {}",
        text(&answer["item"]),
        text(&answer["title"]),
        text(&answer["key"]),
        text(&answer["route"]["source"])
    ));
    for place in list(&answer["places"]) {
        let row = &place["row"];
        agent.out.line(format!(
            "Why is the number for {} {}? {}",
            text(&row["warehouse"]),
            decimal(&row["wanted"]),
            text(&row["sentence"])
        ));
        let steps: Vec<Vec<String>> = list(&place["steps"])
            .iter()
            .map(|step| {
                let mut cells = vec![text(&step["units"])];
                cells.extend([text(&step["text"]), text(&step["note"]), time(&step["at"])]);
                cells
            })
            .collect();
        agent.out.table(&["UNITS", "WHAT", "FROM", "SINCE"], &steps);
    }
    let orders: Vec<Vec<String>> = list(&answer["orders"])
        .iter()
        .map(|order| {
            vec![
                text(&order["id"]),
                text(&order["number"]),
                decimal(&order["units"]),
                text(&order["warehouse"]),
            ]
        })
        .collect();
    if !orders.is_empty() {
        agent
            .out
            .line("Orders whose units nobody has set aside yet:");
        agent
            .out
            .table(&["ID", "PO", "UNITS", "WAREHOUSE"], &orders);
    }
    Ok(())
}
