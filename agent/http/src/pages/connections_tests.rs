//! Renders the connections page, and the frame around every page, from composed views.

use super::{Entity, FlowView, Tone, compose};
use crate::html::with_symbols;
use crate::pages::sample;
use crate::session::Notice;
use askama::Template;

#[test]
fn each_side_shows_what_it_answers_and_what_can_be_done() {
    let frame = sample::frame();
    let mut base = sample::base("/connections", "Connections");
    base.notice = Some(Notice {
        bad: false,
        text: "The test of erp succeeded.".to_owned(),
        hint: None,
        next: Some(("/first-run".to_owned(), "Go on".to_owned())),
        pairs: vec![("Account".to_owned(), "northfold <1>".to_owned())],
    });
    let page = compose(base, &frame, &flows(), &sample::times());
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    for words in [
        "Northfold &#60;Goods&#62;",
        "href=\"/first-run\">Go on</a>",
        "5 orders, 2 causes",
        "<dt>Paused</dt>",
        "<span>Live</span>",
        "OK, 8 s ago",
        "Paused by you; last answer today 14:05",
        "61 of 200 in the last minute",
        "width=\"30%\"",
        "61 of 200 calls in the last minute; 63 percent are free, the rest is used by other programs",
        "9 for what is most urgent, 52 for orders and shipments",
        "20 from orders and shipments, 100 from the catalogue",
        "126 left, counted anew in less than a minute",
        "not yet: more is there",
        "The test of erp succeeded.",
        "northfold &#60;1&#62;",
        "formaction=\"/connections/erp/pause\"",
        "formaction=\"/connections/network/resume\"",
        "aria-current=\"page\">Connections",
        "<span class=\"no\">https://hooks.northfold.example/hooks/erp/</span>",
        "Registered; looked at 8 s ago",
        "goods-out-note.modified &#60;at the account&#62;",
        "3 requests wait to be read; 1,000 or more documents are to be read again",
        "2: It names no note.",
        "polling works without them",
        "Shipments from ERP to &#60;Net&#62;",
        "Paused by ann: stocktaking, today 14:05",
        "Outside its hours; goes on tomorrow 06:00",
        "mon-fri 06:00-20:00",
        "12 wait",
        "formaction=\"/flows/shipment/erp/network/resume\"",
        "action=\"/flows/order/network/erp/run\"",
        "formaction=\"/flows/order/network/erp/pause\"",
        "Needs attention <b>2<span class=\"sr\"> causes</span></b>",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("formaction=\"/connections/network/pause\""));
    assert!(!html.contains("formaction=\"/flows/shipment/erp/network/pause\""));
}

fn flows() -> Vec<FlowView> {
    let now = sample::frame().now;
    let runs = FlowView {
        entity: Entity::Order,
        from: "network".to_owned(),
        to: "erp".to_owned(),
        title: "Orders from Net to ERP".to_owned(),
        state: "closed",
        sentence: "Outside its hours".to_owned(),
        tone: Tone::Hold,
        hours: Some("mon-fri 06:00-20:00".to_owned()),
        opens: Some(now - now % 86_400_000 + 30 * 3_600_000),
        who: None,
        why: None,
        since: None,
        held: 12,
    };
    let paused = FlowView {
        entity: Entity::Shipment,
        from: "erp".to_owned(),
        to: "network".to_owned(),
        title: "Shipments from ERP to <Net>".to_owned(),
        state: "paused",
        sentence: "Paused by ann: stocktaking".to_owned(),
        since: Some(now - 60_000),
        opens: None,
        hours: None,
        held: 0,
        ..runs.clone()
    };
    vec![runs, paused]
}

#[test]
fn an_empty_agent_says_how_to_begin() {
    let mut frame = sample::frame();
    frame.connections.clear();
    frame.begun = false;
    frame.causes = 0;
    frame.paused.clear();
    let times = sample::times();
    let page = compose(
        super::Base::new(&frame, &times, "/connections", "Connections"),
        &frame,
        &[],
        &times,
    );
    let html = page.render().unwrap();
    assert!(html.contains("/new-connection"));
    assert!(html.contains("Not set up"));
    assert!(html.contains("<span>Nothing yet</span>"));
    assert!(!html.contains("<dt>Paused</dt>"));
}
