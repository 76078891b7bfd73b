//! The page Practice: what it says of each step, and that nothing of a record leaves its place on the page.

use super::*;
use crate::html::with_symbols;
use crate::pages::sample;
use waybill_engine::practice::view::{RetailerSwitch, WouldRequest};
use waybill_model::document::Entity;
use waybill_model::ids::OrderId;

fn flow(flow: Entity, title: &str, practice: bool) -> FlowSwitch {
    FlowSwitch {
        flow,
        title: title.to_owned(),
        practice,
        who: Some("ann".to_owned()),
        at: Some(sample::NOW - sample::HOUR),
    }
}

fn sale() -> WouldSend {
    WouldSend {
        job: JobId(7),
        order: Some(OrderId(3)),
        number: "PO-1".to_owned(),
        retailer: "Harbor & Pine".to_owned(),
        flow: Entity::Order,
        what: "Sale".to_owned(),
        key: "9001".to_owned(),
        to: "ERP".to_owned(),
        at: sample::NOW - sample::HOUR,
        undecided: true,
        now: "No sale".to_owned(),
        fields: vec![WouldField {
            name: "Reference".to_owned(),
            now: None,
            would: "PO-1 <b>".to_owned(),
        }],
        request: Some(WouldRequest {
            method: "POST".to_owned(),
            url: "https://erp.example/sales".to_owned(),
            body: "{\"ref\":\"PO-1 <b>\"}".to_owned(),
        }),
    }
}

fn view() -> PracticeView {
    PracticeView {
        sentence: "Practice for orders; the rest is live.".to_owned(),
        any: true,
        all: false,
        flows: vec![
            flow(Entity::Order, "Orders", true),
            flow(Entity::Shipment, "Shipments", false),
        ],
        retailers: vec![RetailerSwitch {
            code: "1001".to_owned(),
            name: "Harbor & Pine".to_owned(),
            flows: vec![flow(Entity::Order, "Orders", false)],
        }],
        known: vec![("1001".to_owned(), "Harbor & Pine".to_owned())],
        practised: 21,
        undecided: 1,
        rows: vec![sale()],
        next: Some(JobId(7)),
        stock: vec![WouldTell {
            item: "SKU-1".to_owned(),
            warehouse: "EAST".to_owned(),
            now: Some("4".to_owned()),
            would: "7".to_owned(),
        }],
        stock_waiting: 3,
    }
}

fn shown(view: &PracticeView) -> String {
    asked(view, None)
}

fn asked(view: &PracticeView, question: Option<Question>) -> String {
    let page = compose(
        sample::base("/practice", "Practice"),
        view,
        question,
        &sample::times(),
    );
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    html
}

#[test]
fn a_step_says_what_is_there_and_what_would_be() {
    let html = shown(&view());
    for words in [
        "Practice for orders; the rest is live.",
        "<a href=\"/orders/3\">Sale for PO-1</a>",
        "There now: No sale. Its flow is live.",
        "PO-1 &#60;b&#62;",
        "POST https://erp.example/sales",
        "1 of these steps has a flow that is live by now",
        "Send all 21 for real",
        "href=\"/practice?before=7\"",
        "Live: orders",
        "<option value=\"1001\">Harbor &#38; Pine (1001)</option>",
        "3 items would be told anew",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
    assert!(!html.contains("PO-1 <b>"), "it is text, not markup");
}

#[test]
fn a_live_agent_has_nothing_to_send_here() {
    let live = PracticeView {
        sentence: "Live: what is ready is sent.".to_owned(),
        any: false,
        rows: Vec::new(),
        retailers: Vec::new(),
        stock: Vec::new(),
        practised: 0,
        undecided: 0,
        next: None,
        stock_waiting: 0,
        ..view()
    };
    let html = shown(&live);
    assert!(
        html.contains("Nothing.") && !html.contains("for real"),
        "{html}"
    );
}

#[test]
fn a_record_that_is_kept_no_longer_says_so() {
    let mut view = view();
    view.rows[0].request = None;
    view.rows[0].fields.clear();
    assert!(shown(&view).contains("kept no longer"));
}

#[test]
fn going_live_says_what_will_write_before_it_is_done() {
    let all = PracticeView {
        all: true,
        flows: vec![
            flow(Entity::Order, "Orders", true),
            flow(Entity::Shipment, "Shipments", true),
            flow(Entity::InventoryLevel, "Stock", true),
        ],
        retailers: Vec::new(),
        ..view()
    };
    let sides = ["ERP".to_owned(), "Network".to_owned()];
    let of = |retailer: Option<&str>| Switch {
        flow: None,
        retailer: retailer.map(str::to_owned),
        practice: false,
    };
    let why = Then::Discard("entered by hand".to_owned());
    let one = question(&all, &of(Some("1001")), &why, &sides);
    assert_eq!(
        one.writes,
        "2 flows will write to ERP and Network from now on for Harbor & Pine (1001): orders, shipments."
    );
    let html = asked(&all, Some(one));
    for words in [
        "Go live for Harbor &#38; Pine (1001)?",
        "Everything else stays in practice.",
        "is discarded: entered by hand.",
        "name=\"sure\"",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
    let everybody = question(&all, &of(None), &Then::Keep, &sides);
    assert!(
        everybody
            .writes
            .starts_with("3 flows will write to ERP and Network from now on: ")
    );
    assert_eq!(everybody.rest.len(), 1, "nothing else is left");
    assert!(!shown(&all).contains("name=\"sure\""));
}
