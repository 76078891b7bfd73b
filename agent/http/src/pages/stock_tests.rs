//! The page of stock: what it says of each number, and how it explains one.

use super::*;
use crate::html::with_symbols;
use crate::pages::sample;
use waybill_engine::stock::view::{StockOrder, StockRoute, StockStep};
use waybill_model::contract::Problem;
use waybill_model::decimal::Decimal;
use waybill_model::ids::{ConnectionId, OrderId};

const fn counted(items: usize) -> Counted {
    Counted {
        items,
        or_more: items >= 1_000,
    }
}

fn number_of(item: &str, tone: Tone, sentence: &str, problem: Option<Problem>) -> StockRow {
    StockRow {
        item: item.to_owned(),
        title: "Brass <storm> lantern".to_owned(),
        warehouse: "NF-EAST".to_owned(),
        on_hand: 12,
        taken: 2,
        wanted: Decimal::whole(7),
        sent: Some(Decimal::whole(7)),
        sent_at: Some(sample::NOW - 60_000),
        sentence: sentence.to_owned(),
        tone,
        problem,
    }
}

fn route() -> StockRoute {
    StockRoute {
        from: ConnectionId(2),
        to: ConnectionId(1),
        source: "Ledgerworks".to_owned(),
        target: "Dropnet".to_owned(),
    }
}

fn list() -> StockList {
    let refused = Problem::new("warehouse", "No warehouse NF-EAST.", "Look it up.");
    StockList {
        routes: vec![route()],
        route: Some(route()),
        on: true,
        sentence: (
            Tone::You,
            "Dropnet refused the numbers of 1 item.".to_owned(),
        ),
        all: counted(1_000),
        waiting: counted(0),
        refused: counted(1),
        full_set: Some((sample::NOW - sample::HOUR, true)),
        rows: vec![
            number_of("NF-LAN-BRS", Tone::Ok, "Confirmed", None),
            number_of("A&B/1", Tone::You, "No warehouse NF-EAST.", Some(refused)),
        ],
        next: Some("A&B/1".to_owned()),
    }
}

fn shown(list: &StockList, item: Option<&StockItemView>, what: (Shown, &str)) -> String {
    let base = sample::base("/stock", "Stock");
    let page = compose(base, list, item, what, &sample::times());
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    html
}

#[test]
fn a_list_says_of_each_number_whether_it_is_there() {
    let html = shown(&list(), None, (Shown::All, ""));
    for words in [
        "Dropnet refused the numbers of 1 item.",
        "All 1,000+",
        "Refused 1",
        "<span class=\"no\">NF-LAN-BRS</span>",
        "Brass &#60;storm&#62; lantern",
        "Confirmed",
        "No warehouse NF-EAST.",
        "Look it up.",
        "Try again",
        "href=\"/stock?item=A%26B%2F1\"",
        "href=\"/stock?show=all&#38;after=A%26B%2F1\"",
        "Why 7?",
        "Switch stock off",
        "All numbers were sent",
    ] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn a_number_is_explained_step_by_step() {
    let step = |text: &str, units: i64| StockStep {
        text: text.to_owned(),
        note: "from there".to_owned(),
        at: (units > 0).then_some(sample::NOW - 60_000),
        units,
    };
    let item = StockItemView {
        route: route(),
        item: "NF-LAN-BRS".to_owned(),
        title: "Lantern".to_owned(),
        key: "1001".to_owned(),
        places: vec![StockWhy {
            row: number_of("NF-LAN-BRS", Tone::Ok, "Confirmed", None),
            steps: vec![step("Free in Main warehouse", 12), step("Held back", -3)],
        }],
        orders: vec![StockOrder {
            id: OrderId(7),
            number: "HP-1".to_owned(),
            units: Decimal::whole(2),
            warehouse: None,
            leaving: false,
        }],
    };
    let html = shown(&list(), Some(&item), (Shown::All, ""));
    for words in [
        "Why is this number 7?",
        "Free in Main warehouse <small>from there, changed",
        "<td class=\"n\">\u{2212}3</td>",
        "href=\"/orders/7\">HP-1</a> 2 units",
        "Send these numbers again",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("Send all again"));
}

#[test]
fn an_empty_list_says_why() {
    let mut list = list();
    list.rows.clear();
    list.next = None;
    assert!(shown(&list, None, (Shown::All, "x")).contains("No item&#39;s id begins so"));
    list.route = None;
    list.routes.clear();
    assert!(!shown(&list, None, (Shown::All, "")).contains("Switch stock"));
}
