//! The pages of retailers: what is said of each, and which settings are its own.

use super::*;
use crate::html::with_symbols;
use crate::pages::sample;
use waybill_engine::in_force::SetValue;
use waybill_engine::view::{DeadlineKind, DeadlineView};
use waybill_model::document::DeadlineSource;
use waybill_model::ids::{ConnectionId, OrderId, RetailerId};
use waybill_model::order_state::OrderStage;

fn counted(items: usize) -> Counted {
    Counted {
        items,
        or_more: items >= 1_000,
    }
}

fn view() -> RetailerView {
    RetailerView {
        id: Some(RetailerId(3)),
        connection: ConnectionId(1),
        source: "Dropnet".to_owned(),
        code: "r 1".to_owned(),
        name: "Fern & Wick".to_owned(),
        today: counted(4),
        week: counted(1_000),
        waiting: counted(2),
        deadlines: counted(7),
        late: 1,
        customer: Some(("204".to_owned(), "Fern Ltd".to_owned())),
        customer_created: true,
        customer_per_order: false,
        own_settings: 1,
    }
}

fn html(page: &impl Template) -> String {
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    html
}

fn assert_says(html: &str, all: &[&str]) {
    for words in all {
        assert!(html.contains(words), "{words}\n{html}");
    }
}

#[test]
fn the_list_says_what_came_what_is_due_and_who_the_customer_is() {
    let new = RetailerView {
        id: None,
        code: "r2".to_owned(),
        name: "r2".to_owned(),
        customer: None,
        late: 0,
        own_settings: 0,
        ..view()
    };
    let unmatched = RetailerView {
        customer_created: false,
        ..new.clone()
    };
    let consumers = RetailerView {
        customer_per_order: true,
        ..view()
    };
    let page = RetailersPage {
        base: sample::base("/retailers", "Retailers"),
        rows: [view(), new, unmatched, consumers]
            .iter()
            .map(row)
            .collect(),
    };
    assert_says(
        &html(&page),
        &[
            "<a href=\"/retailers/1-r%201\">Fern &#38; Wick</a><small>Dropnet <span class=\"no\">r 1</span>",
            "data-th=\"Orders today\" class=\"n\">4</td>",
            "class=\"n\">1,000+</td>",
            "<span>7, 1 late</span>",
            "Fern Ltd, contact 204",
            "Created with its first sale",
            "Not matched yet",
            "Its consumer, for each order",
            "data-th=\"Own settings\">none</td>",
        ],
    );
}

#[test]
fn one_retailer_shows_what_is_its_own() {
    let order = sample::order(7, "HP-4471820", OrderStage::Waiting);
    let held = |key: &str, own: Option<SetValue>| HeldSetting {
        key: key.to_owned(),
        label: format!("Label of {key}"),
        holds: own.as_ref().map(|own| own.words.clone()),
        own,
        others: Some("One per order".to_owned()),
    };
    let own = SetValue {
        value: "shipment".to_owned(),
        words: "One per <shipment>".to_owned(),
        who: "ann".to_owned(),
        at: sample::NOW - sample::HOUR,
    };
    let detail = RetailerDetail {
        retailer: view(),
        deadlines: vec![DeadlineView {
            kind: DeadlineKind::Ship,
            at: sample::NOW - sample::HOUR,
            set_by: DeadlineSource::Network,
            order: order.clone(),
        }],
        waiting: vec![order.clone()],
        orders: vec![order],
        next: Some(OrderId(6)),
        settings: vec![held("invoices.policy", Some(own)), held("x.y", None)],
        at_connections: vec![(
            "Ledgerworks".to_owned(),
            "channel".to_owned(),
            "<3>".to_owned(),
        )],
    };
    let base = sample::base("/retailers/", "Fern & Wick");
    let page = html(&compose(base, &detail, &sample::times()));
    assert_says(
        &page,
        &[
            "<h1>Fern &#38; Wick</h1>",
            "href=\"/shipments?retailer=3\"",
            "late by 1 h",
            "<b>One per &#60;shipment&#62;</b>",
            "Its own; for the others: One per order<small>Set by ann, today 13:06</small>",
            ">As for all retailers</td>",
            "<b>&#60;3&#62;</b>",
            "href=\"/retailers/1-r%201?before=6\"",
            "<a href=\"/retailers\" aria-current=\"true\">Retailers</a>",
        ],
    );
}
