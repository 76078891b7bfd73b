//! Shipments, invoices, cancellations: one line each, newest first; by state and retailer, or found by a number. The
//! three pages are one table with other columns.

use super::layout::{Base, sentence};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::api_lists;
use crate::html::{Mark, Times, grouped, money, quantity};
use crate::routes::Route;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::lists::{
    CancelLine, Common, FlowList, InvoiceLine, ListQuery, RetailerName, ShipmentLine, State,
    StateCount, Wanted,
};
use waybill_model::ids::RetailerId;

/// Rows on a page.
const ROWS: usize = 50;

pub(crate) struct Tab {
    pub(crate) href: String,
    pub(crate) text: String,
    pub(crate) current: bool,
}

/// One cell of a row.
#[derive(Default)]
struct Cell {
    head: &'static str,
    mark: Option<Mark>,
    link: Option<String>,
    text: String,
    /// It is a document's number.
    number: bool,
    /// It is an amount.
    amount: bool,
    small: Vec<String>,
}

impl Cell {
    fn of(head: &'static str, text: impl Into<String>) -> Self {
        Self {
            head,
            text: text.into(),
            ..Self::default()
        }
    }

    fn small(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.small.push(text);
        }
        self
    }
}

struct Row {
    /// The page of its order.
    href: Option<String>,
    number: String,
    note: Option<String>,
    test: bool,
    cells: Vec<Cell>,
}

struct Choice {
    id: u32,
    text: String,
    chosen: bool,
}

/// What one of the three pages says around its rows.
struct Words {
    here: &'static str,
    title: &'static str,
    lead: String,
    holds: Option<&'static str>,
    first: &'static str,
    heads: &'static [(&'static str, bool)],
    find: &'static str,
    none: &'static str,
    /// What ended without being told.
    over: &'static str,
}

#[derive(Template)]
#[template(path = "lists.html")]
struct ListPage {
    base: Base,
    words: Words,
    tabs: Vec<Tab>,
    retailers: Vec<Choice>,
    state: Option<&'static str>,
    find: String,
    head: String,
    empty: String,
    rows: Vec<Row>,
    next: Option<String>,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let query = api_lists::query(asked, ROWS)?;
    let handle = &asked.site.handle;
    let page = match asked.entry.route {
        Route::Shipments => {
            let (base, times) = base(asked, "/shipments", "Shipments").await?;
            let list = handle.shipments(query.clone()).await?;
            compose(base, shipments(&list), &list, &query, |row| {
                shipment(row, &times)
            })
        }
        Route::Invoices => {
            let (base, times) = base(asked, "/invoices", "Invoices").await?;
            let list = handle.invoices(query.clone()).await?;
            compose(base, invoices(&list), &list, &query, |row| {
                invoice(row, &times)
            })
        }
        _ => {
            let (base, times) = base(asked, "/cancellations", "Cancellations").await?;
            let list = handle.cancellations(query.clone()).await?;
            compose(base, cancellations(), &list, &query, |row| {
                cancellation(row, &times)
            })
        }
    };
    render(StatusCode::OK, &page)
}

fn between<T>(list: &FlowList<T>) -> (String, String) {
    let words = || ("the ERP".to_owned(), "the network".to_owned());
    list.route.clone().unwrap_or_else(words)
}

fn shipments(list: &FlowList<ShipmentLine>) -> Words {
    let (from, to) = between(list);
    Words {
        here: "/shipments",
        title: "Shipments",
        lead: format!(
            "Every goods-out note of a sale that {from} showed us, and whether {to} was told."
        ),
        holds: None,
        first: "Goods-out note",
        heads: &[
            ("PO", false),
            ("State", false),
            ("Tracking", false),
            ("Units told", true),
            ("Seen", false),
        ],
        find: "PO, note or tracking number",
        none: "No goods-out note has come yet. It will be here within moments after it is made.",
        over: "Not reported",
    }
}

fn invoices(list: &FlowList<InvoiceLine>) -> Words {
    let (from, to) = between(list);
    Words {
        here: "/invoices",
        title: "Invoices",
        lead: format!("Every invoice that {from} made for a sale, and whether {to} has it."),
        holds: Some(
            "The policy is what holds for the retailer now. It decides about invoices that are still to be sent; one \
             that was sent, or ended as not sent, stays as it is when the policy is changed.",
        ),
        first: "Invoice",
        heads: &[
            ("PO", false),
            ("State", false),
            ("Amount", true),
            ("Retailer wants", false),
            ("Dated", false),
        ],
        find: "PO or invoice number",
        none: "No invoice has come yet. It will be here within moments after it is made.",
        over: "Not sent",
    }
}

fn cancellations() -> Words {
    Words {
        here: "/cancellations",
        title: "Cancellations",
        lead: "Every cancel, both ways: by a retailer, and by you in the sale.".to_owned(),
        holds: None,
        first: "PO",
        heads: &[
            ("Wanted by", false),
            ("Lines", false),
            ("Decision", false),
            ("State", false),
            ("Since", false),
        ],
        find: "PO or sale number",
        none: "Nothing was cancelled yet.",
        over: "Refused, or not needed",
    }
}

fn common_state(common: &Common, times: &Times) -> Cell {
    let again = match common.standing {
        State::Waits => "Looked at again",
        State::Unconfirmed => "Asked about again",
        _ => "Tried again",
    };
    let until = common.until.map_or_else(String::new, |at| {
        format!("{again} {} at the latest", times.when(at))
    });
    Cell {
        mark: Some(Mark::of(common.tone, sentence(&common.state))),
        ..Cell::of("State", "")
    }
    .small(until)
    .small(common.hint.clone().unwrap_or_default())
}

/// Retailer's name, or its code.
fn retailer(common: &Common) -> String {
    let order = common.order.as_ref();
    order.map_or_else(String::new, super::orders::retailer)
}

fn href(common: &Common) -> Option<String> {
    let order = common.order.as_ref();
    order.map(|order| format!("/orders/{}", order.id))
}

fn is_test(common: &Common) -> bool {
    common.order.as_ref().is_some_and(|order| order.test)
}

fn po(common: &Common) -> Cell {
    Cell {
        link: href(common),
        number: true,
        ..Cell::of(
            "PO",
            common
                .order
                .as_ref()
                .map_or_else(|| "not known".to_owned(), |order| order.number.clone()),
        )
    }
    .small(retailer(common))
}

fn when(head: &'static str, common: &Common, times: &Times) -> Cell {
    let (made, changed) = (times.when(common.made_at), times.when(common.changed_at));
    let cell = Cell::of(head, made.clone());
    if changed == made {
        return cell;
    }
    cell.small(format!("Last change {changed}"))
}

fn shipment(row: &ShipmentLine, times: &Times) -> Row {
    let tracking = if row.tracking.is_empty() {
        Cell::of("Tracking", "none")
    } else {
        Cell {
            number: true,
            ..Cell::of("Tracking", row.tracking.join(", "))
        }
    };
    let stage = row.stage.filter(|_| row.shipped_at.is_none());
    let shipped = row
        .shipped_at
        .map(|at| format!("Shipped {}", times.when(at)));
    Row {
        href: href(&row.common),
        number: row.note.clone(),
        note: shipped.or_else(|| stage.map(|stage| format!("Note is {stage}"))),
        test: is_test(&row.common),
        cells: vec![
            po(&row.common),
            common_state(&row.common, times),
            tracking.small(row.carrier.clone().unwrap_or_default()),
            Cell {
                amount: true,
                ..Cell::of(
                    "Units told",
                    match row.common.standing {
                        _ if !row.units.is_zero() => quantity(row.units),
                        State::Over => "none".to_owned(),
                        _ => "none yet".to_owned(),
                    },
                )
            },
            when("Seen", &row.common, times),
        ],
    }
}

fn invoice(row: &InvoiceLine, times: &Times) -> Row {
    let over = row.over.as_ref().map_or_else(
        || "kept no longer".to_owned(),
        |(amount, currency)| money(*amount, Some(currency)),
    );
    let dated = row.issued_at.map_or_else(String::new, |at| times.day(at));
    Row {
        href: href(&row.common),
        number: row.number.clone(),
        note: row.of.as_ref().map(|of| format!("Part of {of}")),
        test: is_test(&row.common),
        cells: vec![
            po(&row.common),
            common_state(&row.common, times),
            Cell {
                amount: true,
                ..Cell::of("Amount", over)
            },
            Cell::of("Retailer wants", row.policy.clone()),
            Cell::of("Dated", dated)
                .small(format!("Last change {}", times.when(row.common.changed_at))),
        ],
    }
}

fn cancellation(row: &CancelLine, times: &Times) -> Row {
    let mut lines = row.lines.iter().map(|(line, title, units)| {
        let units = quantity(*units);
        if title.is_empty() {
            format!("{units} of line {line}")
        } else {
            format!("{units} of line {line}, {title}")
        }
    });
    let first = lines.next();
    let mut named = Cell::of(
        "Lines",
        first.unwrap_or_else(|| "The whole order".to_owned()),
    );
    named.small = lines.collect();
    let order = row.common.order.as_ref();
    let reason = row.reason.as_ref();
    let because = if row.wanted == Wanted::ByMerchant {
        "Status of the sale"
    } else {
        "Reason"
    };
    Row {
        href: href(&row.common),
        number: order.map_or_else(|| "not known".to_owned(), |order| order.number.clone()),
        note: Some(retailer(&row.common)),
        test: is_test(&row.common),
        cells: vec![
            Cell::of("Wanted by", row.by.clone())
                .small(reason.map_or_else(String::new, |why| format!("{because}: {why}"))),
            named,
            Cell::of("Decision", row.decision.clone()),
            common_state(&row.common, times),
            when("Since", &row.common, times),
        ],
    }
}

fn label(words: &Words, state: State) -> &'static str {
    match state {
        State::You => "Waiting for you",
        State::Waits => "Waits by itself",
        State::UnderWay => "On its way",
        State::Unconfirmed => "Sent, not confirmed",
        State::Confirmed => "Confirmed",
        State::Over => words.over,
    }
}

/// The address of a list with these filters.
fn place(here: &str, state: Option<State>, retailer: Option<RetailerId>) -> String {
    let mut parts = Vec::new();
    if let Some(state) = state {
        parts.push(format!("state={}", state.word()));
    }
    if let Some(retailer) = retailer {
        parts.push(format!("retailer={retailer}"));
    }
    if parts.is_empty() {
        return here.to_owned();
    }
    format!("{here}?{}", parts.join("&"))
}

fn counted(words: &Words, count: StateCount) -> String {
    let more = if count.or_more { "+" } else { "" };
    format!(
        "{} {}{more}",
        label(words, count.state),
        grouped(&count.rows.to_string())
    )
}

fn tabs(words: &Words, counts: &[StateCount], query: &ListQuery) -> Vec<Tab> {
    let here = words.here;
    let searching = !query.find.is_empty();
    let mut tabs = vec![Tab {
        href: place(here, None, query.retailer),
        text: "All".to_owned(),
        current: query.state.is_none() && !searching,
    }];
    let shown = counts
        .iter()
        .filter(|count| count.rows > 0 || query.state == Some(count.state));
    tabs.extend(shown.map(|count| Tab {
        href: place(here, Some(count.state), query.retailer),
        text: counted(words, *count),
        current: query.state == Some(count.state) && !searching,
    }));
    tabs
}

pub(crate) fn named(row: &RetailerName) -> String {
    if row.name == row.code {
        row.code.clone()
    } else {
        format!("{} ({})", row.name, row.code)
    }
}

fn compose<T>(
    base: Base,
    words: Words,
    list: &FlowList<T>,
    query: &ListQuery,
    row: impl Fn(&T) -> Row,
) -> ListPage {
    let retailers: Vec<Choice> = list
        .retailers
        .iter()
        .map(|of| Choice {
            id: of.id.0,
            text: named(of),
            chosen: query.retailer == Some(of.id),
        })
        .collect();
    let of = retailers.iter().find(|choice| choice.chosen);
    let of = of.map_or_else(String::new, |choice| format!(" of {}", choice.text));
    let head = match (query.find.as_str(), query.state) {
        ("", Some(state)) => format!("{}{of}, newest first", label(&words, state)),
        ("", None) => format!("All{of}, newest first"),
        (find, _) => format!("Found for \"{find}\""),
    };
    let empty = if !query.find.is_empty() {
        format!(
            "Nothing here has this {}. A tracking number is compared from its first character on.",
            words.find
        )
    } else if query.state.is_some() || query.retailer.is_some() {
        "Nothing is in this list.".to_owned()
    } else {
        words.none.to_owned()
    };
    let next = list.next.map(|before| {
        let place = place(words.here, query.state, query.retailer);
        let sign = if place.contains('?') { '&' } else { '?' };
        format!("{place}{sign}before={before}")
    });
    ListPage {
        tabs: tabs(&words, &list.counts, query),
        retailers,
        state: query.state.map(State::word),
        find: query.find.clone(),
        head,
        empty,
        rows: list.rows.iter().map(row).collect(),
        next,
        words,
        base,
    }
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
