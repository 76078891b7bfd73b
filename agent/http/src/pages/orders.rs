//! Orders: one line each, newest first; by state, or found by a number.

use super::layout::Base;
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Mark, Times, count, deadline_words, encoded, grouped, money, quantity};
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::view::{OrderList, OrderView, StageCounts};
use waybill_model::ids::OrderId;
use waybill_model::order_state::OrderStage;

/// Orders on a page.
const ROWS: usize = 50;

/// One order in a list, in words.
pub(crate) struct Row {
    /// Its page.
    pub(crate) href: String,
    /// PO number.
    pub(crate) number: String,
    /// Retailer's name, or its code where no name is known.
    pub(crate) retailer: String,
    /// Test order.
    pub(crate) test: bool,
    /// State.
    pub(crate) state: Mark,
    /// Why it waits.
    pub(crate) problem: Option<String>,
    /// What the next deadline asks for, how long is left, when, and whether that is past.
    pub(crate) deadline: Option<(&'static str, String, String, bool)>,
    /// Said where there is no deadline.
    pub(crate) no_deadline: &'static str,
    /// Lines and units.
    pub(crate) lines: String,
    /// Total.
    pub(crate) total: String,
    /// Sale number.
    pub(crate) sale: Option<String>,
    /// When it came.
    pub(crate) received: String,
}

impl Row {
    /// The row of an order.
    pub(crate) fn of(order: &OrderView, times: &Times) -> Self {
        let over = matches!(
            order.stage,
            OrderStage::Shipped
                | OrderStage::Invoiced
                | OrderStage::Cancelled
                | OrderStage::Refused
        );
        Self {
            href: format!("/orders/{}", order.id),
            number: order.number.clone(),
            retailer: retailer(order),
            test: order.test,
            state: Mark::of_stage(order.stage, order.tone, &order.stage_label),
            problem: order.problem.clone(),
            deadline: order.deadline.map(|(kind, at, _)| {
                (
                    deadline_words(kind),
                    times.left(at),
                    times.when(at),
                    times.past(at),
                )
            }),
            no_deadline: if over { "done" } else { "no date given" },
            lines: format!(
                "{}, {}",
                count(order.lines.into(), "line", "lines"),
                units(order)
            ),
            total: order.total.as_ref().map_or_else(
                || "not given".to_owned(),
                |(amount, currency)| money(*amount, Some(currency)),
            ),
            sale: order.sale.clone(),
            received: times.when(order.received_at),
        }
    }
}

fn units(order: &OrderView) -> String {
    let units = quantity(order.units);
    if units == "1" {
        "1 unit".to_owned()
    } else {
        format!("{units} units")
    }
}

/// The retailer's name, or its code where no name is known.
pub(crate) fn retailer(order: &OrderView) -> String {
    if order.retailer_name.is_empty() {
        order.retailer.clone()
    } else {
        order.retailer_name.clone()
    }
}

struct Tab {
    href: String,
    text: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "orders.html")]
struct OrdersPage {
    base: Base,
    lead: String,
    tabs: Vec<Tab>,
    head: String,
    empty: String,
    rows: Vec<Row>,
    next: Option<String>,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/orders", "Orders").await?;
    let stage = asked.query.filled("state").and_then(OrderStage::from_word);
    let search = asked.query.filled("q").map(str::to_owned);
    let before = asked
        .query
        .filled("before")
        .and_then(|n| n.parse().ok())
        .map(OrderId);
    let list = asked
        .site
        .handle
        .orders(stage, search.clone(), before, ROWS)
        .await?;
    render(
        StatusCode::OK,
        &compose(base, &list, stage, search.as_deref(), &times),
    )
}

fn tabs(stages: &StageCounts, stage: Option<OrderStage>, searching: bool, erp: &str) -> Vec<Tab> {
    let all: u64 = stages.0.iter().map(|(_, n)| n).sum();
    let mut tabs = vec![Tab {
        href: "/orders".to_owned(),
        text: format!("All {}", grouped(&all.to_string())),
        current: stage.is_none() && !searching,
    }];
    for known in OrderStage::ALL {
        let number = stages
            .0
            .iter()
            .find(|(s, _)| s == known)
            .map_or(0, |(_, n)| *n);
        if number > 0 || stage == Some(*known) {
            tabs.push(Tab {
                href: format!("/orders?state={known}"),
                text: format!("{} {}", known.label(erp), grouped(&number.to_string())),
                current: stage == Some(*known) && !searching,
            });
        }
    }
    tabs
}

fn compose(
    mut base: Base,
    list: &OrderList,
    stage: Option<OrderStage>,
    search: Option<&str>,
    times: &Times,
) -> OrdersPage {
    let first = list.rows.first();
    let erp = first.map_or("the ERP", |row| row.target.as_str());
    search.unwrap_or_default().clone_into(&mut base.find);
    let next = list.next.map(|id| {
        let of = stage.map_or_else(String::new, |s| format!("&state={s}"));
        let find = search.map_or_else(String::new, |q| format!("&q={}", encoded(q)));
        format!("/orders?before={id}{of}{find}")
    });
    let head = match (search, stage) {
        (Some(q), _) => format!("Found for \"{q}\""),
        (None, Some(stage)) => format!("{}, newest first", stage.label(erp)),
        (None, None) => "All orders, newest first".to_owned(),
    };
    let empty = match search {
        Some(_) => {
            "No order has this PO, tracking, SKU or sale number. Numbers are compared from their first character on."
        }
        None if stage.is_some() => "No order is in this state.",
        None => {
            "No order has come in yet. It will be here within moments after its source hands it out."
        }
    };
    OrdersPage {
        lead: first.map_or_else(
            || "Every order, one line each. None is ever removed.".to_owned(),
            |row| {
                format!(
                    "Every order from {}, one line each. None is ever removed.",
                    row.source
                )
            },
        ),
        tabs: tabs(&list.stages, stage, search.is_some(), erp),
        head,
        empty: empty.to_owned(),
        rows: list
            .rows
            .iter()
            .map(|order| Row::of(order, times))
            .collect(),
        next,
        base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::with_symbols;
    use crate::pages::sample;

    #[test]
    fn orders_show_state_and_next_deadline() {
        let page = compose(
            sample::base("/orders", "Orders"),
            &sample::list(),
            None,
            None,
            &sample::times(),
        );
        let html = with_symbols(&page.render().unwrap());
        sample::sound(&html);
        for words in [
            "All 1,209",
            "href=\"/orders?state=waiting\"",
            "Created in Ledgerworks 1,204",
            "<a class=\"no\" href=\"/orders/7\">HP-4471820</a>",
            "Waiting for you</span><small>Shipping method not matched: GSIG</small>",
            "<span class=\"left\">2 h 54 min</span><small>Ship by today 17:00</small>",
            "no date given",
            "2 lines, 9 units",
            "$1,148.00",
            "href=\"/orders?before=7\"",
        ] {
            assert!(html.contains(words), "{words}");
        }
    }

    #[test]
    fn a_search_keeps_its_words_and_says_when_nothing_is_found() {
        let mut list = sample::list();
        list.rows.clear();
        list.next = None;
        let html = compose(
            sample::base("/orders", "Orders"),
            &list,
            None,
            Some("\"x\" & y"),
            &sample::times(),
        )
        .render()
        .unwrap();
        assert!(html.contains("value=\"&#34;x&#34; &#38; y\""));
        assert!(html.contains("No order has this PO"));
        assert!(!html.contains("Older orders"));
    }
}
