//! Renders the page of a crosswalk from composed views.

use super::compose;
use crate::html::with_symbols;
use crate::pages::sample::{self, NOW};
use askama::Template;
use waybill_engine::crosswalks::{CodeView, CrosswalkView, DirectionView, ValueView};
use waybill_engine::view::SuggestionView;
use waybill_model::ids::ConnectionId;

fn retailer(code: &str, name: &str) -> ValueView {
    ValueView {
        retailer: Some(code.to_owned()),
        retailer_name: Some(name.to_owned()),
        value: code.to_owned(),
        name: Some(name.to_owned()),
        code: None,
        follows: None,
        announced: false,
        required: false,
        created: false,
        suggestions: Vec::new(),
        waiting: 0,
    }
}

fn view() -> CrosswalkView {
    let waits = ValueView {
        suggestions: vec![SuggestionView {
            key: "2051".to_owned(),
            label: "Harbor and Pine <Ltd>".to_owned(),
            why: "Names alike".to_owned(),
        }],
        waiting: 2,
        ..retailer("HP", "Harbor & Pine")
    };
    let matched = ValueView {
        code: Some(CodeView {
            code: "2052".to_owned(),
            name: Some("Fernwick".to_owned()),
            for_all: false,
            who: "dana".to_owned(),
            at: NOW,
        }),
        ..retailer("FW", "Fernwick")
    };
    let created = ValueView {
        created: true,
        ..retailer("NEW", "Newcomer")
    };
    CrosswalkView {
        table: "customers".to_owned(),
        creates: true,
        directions: vec![DirectionView {
            from: ConnectionId(1),
            to: ConnectionId(2),
            source: "Network".to_owned(),
            target: "Ledgerworks".to_owned(),
            rows: vec![waits, matched, created],
            more: false,
            choices: Vec::new(),
            known: Vec::new(),
            example: None,
        }],
    }
}

fn html(view: &CrosswalkView) -> String {
    let base = sample::base("/matching/items", "Matching");
    let page = compose(base, view, &sample::times());
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    html
}

#[test]
fn each_retailer_shows_its_contact_and_asks_for_one_where_there_is_none() {
    let html = html(&view());
    for words in [
        "1 to look at",
        "Harbor &#38; Pine",
        "Harbor and Pine &#60;Ltd&#62;",
        "2 documents wait",
        "Have it created",
        "Matched by dana",
        "Created with its first sale",
        "Take back",
        "action=\"/matching/customers\"",
    ] {
        assert!(html.contains(words), "{words} is missing in {html}");
    }
    // The one that waits is the only one for which it can be asked.
    assert_eq!(html.matches("Have it created").count(), 1);
}

#[test]
fn a_value_that_one_retailer_alone_uses_says_so_and_a_short_list_is_offered() {
    let mut view = view();
    view.table = "shipping-methods".to_owned();
    view.creates = false;
    view.directions[0].rows = vec![ValueView {
        value: "ups|ground".to_owned(),
        name: None,
        ..retailer("HP", "Harbor & Pine")
    }];
    view.directions[0].choices = vec![("7".to_owned(), "UPS Ground".to_owned())];
    let html = html(&view);
    for words in [
        "Harbor &#38; Pine only",
        "<option value=\"7\">UPS Ground, code 7</option>",
        "1 open",
    ] {
        assert!(html.contains(words), "{words} is missing in {html}");
    }
    assert!(!html.contains("Have it created"));
}

#[test]
fn what_follows_from_the_other_way_is_not_open() {
    let mut view = view();
    view.table = "warehouses".to_owned();
    view.creates = false;
    view.directions[0].rows = vec![ValueView {
        retailer: None,
        follows: Some("WH01".to_owned()),
        ..retailer("2", "Main warehouse")
    }];
    let html = html(&view);
    for words in ["Follows from the other way", "WH01", "All matched"] {
        assert!(html.contains(words), "{words} is missing in {html}");
    }
}
