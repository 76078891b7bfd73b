//! Matching of everything but items: retailers and their contacts, shipping methods, warehouses, both ways.

use super::layout::Base;
use super::matching::{Tab, bad, tables};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Mark, Times, coded, count, grouped, id};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::crosswalks::{CrosswalkView, DirectionView, ValueView};
use waybill_engine::view::{SuggestionView, Tone};
use waybill_model::contract::Gap;
use waybill_model::crosswalk::{CUSTOMERS, SHIPPING_METHODS};
use waybill_model::ids::ConnectionId;

struct Row {
    id: String,
    name: String,
    value: String,
    retailer: String,
    /// Name of the only retailer it holds for.
    only: Option<String>,
    code: Option<(String, String)>,
    /// What is taken without an own code.
    follows: Option<String>,
    for_all: bool,
    why: Mark,
    /// That it was announced, or is required; empty where it is neither.
    listed: &'static str,
    waiting: String,
    suggestions: Vec<SuggestionView>,
    create: bool,
}

struct Way {
    id: String,
    from: String,
    to: String,
    head: String,
    /// What a row is.
    of: &'static str,
    /// What is asked for.
    asks: String,
    target: String,
    empty: &'static str,
    rows: Vec<Row>,
    more: bool,
    choices: Vec<(String, String)>,
    known: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "crosswalk.html")]
struct CrosswalkPage {
    base: Base,
    table: String,
    title: &'static str,
    lead: &'static str,
    stamp: Mark,
    tables: Vec<Tab>,
    directions: Vec<Way>,
    /// Values can be announced before a document comes with them.
    announces: bool,
    codes: &'static str,
}

/// Title, what a row is, what is asked for, lead, what is said of an empty table.
type Words = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

fn words(table: &str) -> Words {
    match table {
        CUSTOMERS => (
            "customers",
            "Retailer",
            "Name or number of the contact",
            "Each retailer is one customer of yours: an existing contact, or one that is created with its first sale.",
            "No retailer is known yet. Each will be here with its first order, or as soon as its network tells of it.",
        ),
        SHIPPING_METHODS => (
            "shipping methods",
            "Shipping method",
            "Code or name of the shipping method",
            "What orders ask for is translated one way, what the warehouse used is translated back.",
            "No shipping method has come from there yet.",
        ),
        _ => (
            "warehouses",
            "Warehouse",
            "Code or name of the warehouse",
            "Which warehouse of one side is which of the other.",
            "No warehouse has come from there yet.",
        ),
    }
}

fn path(table: &str) -> String {
    format!("/matching/{table}")
}

/// The page of one table.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let view = asked.site.handle.crosswalk(asked.param("table")).await?;
    let (base, times) = base(asked, "/matching/items", "Matching").await?;
    render(StatusCode::OK, &compose(base, &view, &times))
}

/// The two connections a form is about: the order's way or back, nothing else.
fn way(asked: &Asked<'_>) -> Result<(ConnectionId, ConnectionId), Failure> {
    let number = |name: &str| {
        let given = asked.form.get(name).and_then(|text| text.parse().ok());
        given.map(ConnectionId)
    };
    let (from, to) = asked.site.handle.order_route()?;
    match (number("from"), number("to")) {
        (Some(a), Some(b)) if (a, b) == (from, to) || (b, a) == (from, to) => Ok((a, b)),
        _ => Err(
            Failure::bad("the form is of connections that are not routed any more")
                .hint("Load the page again."),
        ),
    }
}

/// Says what a value stands for, or takes that back.
pub(crate) async fn fill(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let table = asked.param("table");
    let undo = asked.form.get("scope");
    let (handle, (from, to)) = (&asked.site.handle, way(asked)?);
    let value = asked.form.filled("value").unwrap_or_default().to_owned();
    let retailer = asked.form.filled("retailer").map(str::to_owned);
    let gap = Gap {
        table: table.to_owned(),
        retailer: retailer.filter(|_| undo != Some("all")),
        value: value.clone(),
    };
    let done = if undo.is_some() {
        let emptied = handle.empty_cell(from, to, gap, &asked.who).await;
        emptied
            .map(|()| format!("The match for {value} is taken back. What was sent with it stays."))
    } else {
        let code = asked.form.filled("take").or(asked.form.filled("code"));
        let Some(code) = code.map(str::to_owned) else {
            let notice = Notice {
                bad: true,
                text: format!("The field for {value} is still empty."),
                hint: Some("Fill it in, then save.".to_owned()),
                ..Notice::default()
            };
            return Ok(asked.say(&path(table), notice));
        };
        let filled = handle.fill_cell(from, to, gap, false, code, &asked.who);
        filled.await.map(|steps| matched(&value, steps))
    };
    let notice = match done {
        Ok(text) => Notice {
            text,
            ..Notice::default()
        },
        Err(error) => bad(error.into()),
    };
    Ok(asked.say(&path(table), notice))
}

fn matched(value: &str, steps: u64) -> String {
    match steps {
        0 => format!("{value} is matched by you now."),
        n => format!(
            "{value} is matched by you now. {} on.",
            count(n, "document goes", "documents go")
        ),
    }
}

/// Has a retailer's customer created.
pub(crate) async fn create(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let retailer = asked.form.filled("value").unwrap_or_default();
    let handle = &asked.site.handle;
    let notice = match handle.create_customer(retailer, &asked.who).await {
        Ok(0) => Notice {
            text: format!("The customer of {retailer} is created with its next order."),
            ..Notice::default()
        },
        Ok(steps) => Notice {
            text: format!(
                "The customer of {retailer} is being created. {} on.",
                count(steps, "order goes", "orders go")
            ),
            ..Notice::default()
        },
        Err(error) => bad(error.into()),
    };
    Ok(asked.say(&path(CUSTOMERS), notice))
}

fn why(row: &ValueView, times: &Times) -> Mark {
    match &row.code {
        Some(code) => Mark::of(
            Tone::Ok,
            format!("Matched by {}, {}", code.who, times.when(code.at)),
        ),
        None if row.waiting == 0 && row.follows.is_some() => {
            Mark::of(Tone::Ok, "Follows from the other way")
        }
        None if row.created => Mark::of(Tone::Ok, "Created with its first sale"),
        None if row.waiting > 0 => Mark::of(Tone::You, "Not matched"),
        None if row.required => Mark::of(Tone::You, "Not matched, and required"),
        None => Mark::of(Tone::Soon, "Not matched, and nothing waits for it"),
    }
}

/// A suggestion by name and code, as the list says it.
fn said(suggestion: &SuggestionView) -> SuggestionView {
    SuggestionView {
        label: coded(&suggestion.key, &suggestion.label),
        ..suggestion.clone()
    }
}

fn line(at: usize, way: &str, row: &ValueView, creates: bool, times: &Times) -> Row {
    let customer = row.retailer.as_ref() == Some(&row.value);
    Row {
        id: format!("{way}-{}", at + 1),
        name: row.name.clone().unwrap_or_else(|| row.value.clone()),
        value: row.value.clone(),
        retailer: row.retailer.clone().unwrap_or_default(),
        only: row
            .retailer
            .as_ref()
            .filter(|_| !customer)
            .map(|code| row.retailer_name.clone().unwrap_or_else(|| code.clone())),
        follows: row.follows.clone(),
        code: row.code.as_ref().map(|code| {
            let name = code.name.clone().unwrap_or_else(|| code.code.clone());
            (code.code.clone(), name)
        }),
        for_all: row.code.as_ref().is_some_and(|code| code.for_all),
        why: why(row, times),
        listed: match (row.announced, row.required) {
            (_, true) => "required",
            (true, _) => "announced",
            _ => "",
        },
        waiting: match row.waiting {
            0 => String::new(),
            1 => "1 document waits".to_owned(),
            n => format!("{} wait", count(n, "document", "documents")),
        },
        suggestions: row.suggestions.iter().map(said).collect(),
        create: creates && row.code.is_none() && !(row.created && row.waiting == 0),
    }
}

fn direction(at: usize, view: &CrosswalkView, one: &DirectionView, times: &Times) -> Way {
    let (_, of, asks, _, empty) = words(&view.table);
    let name = id(&format!("way-{}", at + 1));
    let rows = one.rows.iter().enumerate();
    let choices = one.choices.iter();
    Way {
        from: one.from.to_string(),
        to: one.to.to_string(),
        head: format!("From {} to {}", one.source, one.target),
        of,
        asks: one.example.as_ref().map_or_else(
            || asks.to_owned(),
            |example| format!("carrier|method|code, such as {example}"),
        ),
        known: one.known.clone(),
        target: one.target.clone(),
        empty,
        rows: rows
            .map(|(n, row)| line(n, &name, row, view.creates, times))
            .collect(),
        more: one.more,
        choices: choices
            .map(|(key, name)| (key.clone(), coded(key, name)))
            .collect(),
        id: name,
    }
}

fn compose(base: Base, view: &CrosswalkView, times: &Times) -> CrosswalkPage {
    let (title, _, _, lead, _) = words(&view.table);
    let rows = || view.directions.iter().flat_map(|way| &way.rows);
    let waits = |row: &&ValueView| {
        row.waiting > 0 || (row.required && row.code.is_none() && row.follows.is_none())
    };
    let waiting = rows().filter(waits).count();
    let open = rows()
        .filter(|row| row.code.is_none() && row.follows.is_none() && !row.created)
        .count();
    let stamp = match (waiting, open) {
        _ if rows().next().is_none() => Mark::of(Tone::Quiet, "Nothing yet"),
        (0, 0) => Mark::of(Tone::Ok, "All matched"),
        (0, n) => Mark::of(Tone::Soon, format!("{} open", grouped(&n.to_string()))),
        (n, _) => Mark::of(Tone::You, format!("{} to look at", grouped(&n.to_string()))),
    };
    let ways = view.directions.iter().enumerate();
    CrosswalkPage {
        base,
        table: view.table.clone(),
        title,
        lead,
        stamp,
        announces: view.table != CUSTOMERS,
        codes: "",
        tables: tables(&view.table),
        directions: ways
            .map(|(at, one)| direction(at, view, one, times))
            .collect(),
    }
}

#[cfg(test)]
#[path = "crosswalk_tests.rs"]
mod tests;
