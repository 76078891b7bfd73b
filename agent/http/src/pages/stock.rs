//! Stock: what the receiving system is told of each item and warehouse, whether it has it, and why a number is what it is.

use super::layout::{Base, not_done};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::api_stock;
use crate::html::{Mark, Times, encoded, grouped};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::stock::view::{Counted, Shown, StockItemView, StockList, StockRow, StockWhy};
use waybill_engine::view::Tone;

/// Items on a page.
const ROWS: usize = 50;

struct Tab {
    href: String,
    text: String,
    current: bool,
}

struct Row {
    item: String,
    title: String,
    warehouse: String,
    on_hand: String,
    taken: String,
    wanted: String,
    mark: Mark,
    when: Option<String>,
    hint: Option<String>,
    why: String,
}

struct Step {
    text: String,
    note: String,
    units: String,
}

struct Why {
    head: String,
    row: Row,
    steps: Vec<Step>,
}

struct Order {
    href: String,
    number: String,
    units: String,
    note: String,
}

struct Item {
    id: String,
    title: String,
    places: Vec<Why>,
    orders: Vec<Order>,
}

#[derive(Template)]
#[template(path = "stock.html")]
struct StockPage {
    base: Base,
    verdict: String,
    stamp: Mark,
    tabs: Vec<Tab>,
    routes: Vec<Tab>,
    route: Option<String>,
    target: String,
    search: String,
    show: &'static str,
    head: String,
    empty: String,
    item: Option<Item>,
    rows: Vec<Row>,
    next: Option<String>,
    on: bool,
    full_set: String,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/stock", "Stock").await?;
    let query = api_stock::query(asked, ROWS)?;
    let handle = &asked.site.handle;
    let item = match asked.query.filled("item") {
        Some(item) => {
            let found = handle.stock_item(query.route, item).await?;
            Some(found.ok_or_else(|| Failure::not_found("Stock of this item"))?)
        }
        None => None,
    };
    let (shown, begins) = (query.shown, query.begins.clone());
    let list = handle.stock(query).await?;
    let page = compose(base, &list, item.as_ref(), (shown, &begins), &times);
    render(StatusCode::OK, &page)
}

/// On, off, an item again, all again.
pub(crate) async fn command(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let item = asked.form.filled("item");
    let mut place = "/stock".to_owned();
    if let Some(item) = item {
        place = format!("/stock?item={}", encoded(item));
    }
    let (done, words) = match (asked.form.filled("do"), item) {
        (Some("on"), _) => (
            handle.switch_stock(true, who).await,
            "Stock is on. What changed meanwhile is sent now.",
        ),
        (Some("off"), _) => (
            handle.switch_stock(false, who).await,
            "Stock is off. The numbers that were sent stay as they are.",
        ),
        (Some("again"), item) => {
            let route = api_stock::chosen(asked, asked.form.filled("route")).await?;
            match item {
                Some(item) => (
                    handle.send_stock_again(route, item, who).await,
                    "It is sent again with the next numbers.",
                ),
                None => (
                    handle.send_all_stock_again(route, who).await,
                    "All numbers are sent again, beside what changes.",
                ),
            }
        }
        _ => return Err(Failure::bad("the form does not say what to do")),
    };
    let notice = match done {
        Ok(()) => Notice {
            text: words.to_owned(),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say(&place, notice))
}

fn number(counted: Counted) -> String {
    let number = grouped(&counted.items.to_string());
    if counted.or_more {
        format!("{number}+")
    } else {
        number
    }
}

fn signed(units: i64) -> String {
    let digits = grouped(&units.unsigned_abs().to_string());
    if units < 0 {
        format!("\u{2212}{digits}")
    } else {
        digits
    }
}

fn row(row: &StockRow, route: &str, times: &Times) -> Row {
    Row {
        item: row.item.clone(),
        title: row.title.clone(),
        warehouse: row.warehouse.clone(),
        on_hand: signed(row.on_hand),
        taken: signed(-row.taken),
        wanted: grouped(&row.wanted.to_string()),
        mark: Mark::of(row.tone, row.sentence.clone()),
        when: row.sent_at.map(|at| times.when(at)),
        hint: row
            .problem
            .as_ref()
            .and_then(|problem| problem.hint.clone()),
        why: format!("/stock?item={}{route}", encoded(&row.item)),
    }
}

fn why(view: &StockWhy, route: &str, times: &Times) -> Why {
    let steps = view.steps.iter().map(|step| Step {
        text: step.text.clone(),
        note: match step.at {
            Some(at) => format!("{}, changed {}", step.note, times.when(at)),
            None => step.note.clone(),
        },
        units: signed(step.units),
    });
    Why {
        head: format!("Why is this number {}?", view.row.wanted),
        steps: steps.collect(),
        row: row(&view.row, route, times),
    }
}

fn item(view: &StockItemView, route: &str, times: &Times) -> Item {
    let places = view.places.iter();
    let orders = view.orders.iter().map(|order| Order {
        href: format!("/orders/{}", order.id),
        number: order.number.clone(),
        units: match order.units.to_string().as_str() {
            "1" => "1 unit".to_owned(),
            units => format!("{units} units"),
        },
        note: match (&order.warehouse, order.leaving) {
            (_, true) => format!(
                "set aside or gone; counts until {} was asked again",
                view.route.source
            ),
            (Some(warehouse), _) => format!("for {warehouse}"),
            (None, _) => "for no warehouse: off where most is left".to_owned(),
        },
    });
    Item {
        id: view.item.clone(),
        title: view.title.clone(),
        places: places.map(|place| why(place, route, times)).collect(),
        orders: orders.collect(),
    }
}

fn full_set(list: &StockList, times: &Times) -> String {
    match list.full_set {
        Some((at, true)) => format!("All numbers were sent {}.", times.when(at)),
        Some((at, false)) => format!("All numbers are being sent since {}.", times.when(at)),
        None => "Not all numbers were sent yet.".to_owned(),
    }
}

const fn stamp(tone: Tone) -> &'static str {
    match tone {
        Tone::Ok => "In step",
        Tone::You => "Refused",
        Tone::Hold => "On hold",
        Tone::Soon => "On its way",
        Tone::Quiet => "Nothing yet",
    }
}

const fn empty(begins: &str, shown: Shown) -> &'static str {
    match shown {
        _ if !begins.is_empty() => "No item's id begins so. Large and small letters are different.",
        Shown::All => "No item is told yet. It needs stock, a matching id and a matched warehouse.",
        Shown::Waiting => "Nothing waits.",
        Shown::Refused => "Nothing is refused.",
    }
}

fn compose(
    base: Base,
    list: &StockList,
    chosen: Option<&StockItemView>,
    (shown, begins): (Shown, &str),
    times: &Times,
) -> StockPage {
    let pair = list.route.as_ref().map(|r| format!("{}-{}", r.from, r.to));
    let several = list.routes.len() > 1;
    let of_route = pair.as_ref().filter(|_| several);
    let of_route = of_route.map_or_else(String::new, |pair| format!("&route={pair}"));
    let tab = |of: Shown, word: &str, items: Counted| Tab {
        href: format!("/stock?show={}{of_route}", of.word()),
        text: format!("{word} {}", number(items)),
        current: shown == of && chosen.is_none(),
    };
    let routes = list.routes.iter().filter(|_| several).map(|r| {
        let name = format!("{}-{}", r.from, r.to);
        Tab {
            href: format!("/stock?route={name}"),
            text: format!("{} to {}", r.source, r.target),
            current: pair.as_ref() == Some(&name),
        }
    });
    let target = list.route.as_ref().map(|r| r.target.clone());
    let (tone, verdict) = list.sentence.clone();
    let mut head = match shown {
        Shown::All => "All numbers",
        Shown::Waiting => "Numbers on their way",
        Shown::Refused => "Refused numbers",
    }
    .to_owned();
    let mut find = String::new();
    if !begins.is_empty() {
        head = format!("{head}, ids that begin with \"{begins}\"");
        find = format!("&q={}", encoded(begins));
    }
    StockPage {
        stamp: Mark::of(tone, stamp(tone)),
        verdict,
        tabs: vec![
            tab(Shown::All, "All", list.all),
            tab(Shown::Waiting, "On their way", list.waiting),
            tab(Shown::Refused, "Refused", list.refused),
        ],
        routes: routes.collect(),
        search: begins.to_owned(),
        show: shown.word(),
        head,
        empty: empty(begins, shown).to_owned(),
        item: chosen.map(|view| item(view, &of_route, times)),
        rows: list.rows.iter().map(|r| row(r, &of_route, times)).collect(),
        next: list.next.as_ref().map(|after| {
            let show = shown.word();
            format!(
                "/stock?show={show}&after={}{find}{of_route}",
                encoded(after)
            )
        }),
        on: list.on,
        full_set: full_set(list, times),
        route: pair,
        target: target.unwrap_or_default(),
        base,
    }
}

#[cfg(test)]
#[path = "stock_tests.rs"]
mod tests;
