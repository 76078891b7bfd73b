//! Composed views for the tests of the pages: two connections, three orders, two causes. No engine behind them.

use super::layout::Base;
use crate::html::Times;
use jiff::tz::TimeZone;
use waybill_engine::view::{
    BudgetView, CardKind, CardView, CellView, ConnectionView, DayView, DeadlineKind, DeadlineView,
    FeedView, FrameView, HooksView, InvoiceView, JobView, LineView, MoneyRow, NoteView,
    OrderDetail, OrderList, OrderView, ShipmentView, StageCounts, SuggestionView, TodayView, Tone,
};
use waybill_model::contract::{Exchange, Gap};
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Address, Body, DeadlineSource, Document, Entity, Identifier, Method, Order, OrderLine,
    OrderPhase,
};
use waybill_model::ids::{ConnectionId, JobId, Millis, OrderId};
use waybill_model::job::Priority;
use waybill_model::order_state::OrderStage;

/// Fri 20 Nov 2026, 14:06:00 UTC.
pub(crate) const NOW: Millis = 1_795_183_560_000;
pub(crate) const HOUR: Millis = 3_600_000;
pub(crate) const TOKEN: &str = "form-token-of-this-session";

pub(crate) fn times() -> Times {
    Times::new(TimeZone::UTC, NOW)
}

pub(crate) fn frame() -> FrameView {
    let connection = |id, name: &str, title: &str, tone, sentence: &str| ConnectionView {
        id: ConnectionId(id),
        name: name.to_owned(),
        title: title.to_owned(),
        connector: Some((name.to_owned(), "1.4.0".to_owned())),
        generation: Some(2),
        sentence: sentence.to_owned(),
        tone,
        last_ok: Some(NOW - 8_000),
        hold_until: None,
        calls: (61, Some(200)),
        budgets: vec![BudgetView {
            host: "api.erp.example".to_owned(),
            group: String::new(),
            per_minute: Some(200),
            per_second: None,
            used: 61,
            by: vec![(Priority::NearDeadline, 9), (Priority::Order, 52)],
            kept: vec![(Priority::Order, 20), (Priority::Catalogue, 100)],
            remaining: Some(126),
            resets_at: Some(NOW + 34_000),
        }],
        feeds: vec![FeedView {
            entity: Entity::Order,
            last_ok: Some(NOW - 8_000),
            caught_up_at: None,
        }],
        hooks: (id == 2).then(hooks),
    };
    FrameView {
        store: "Northfold <Goods>".to_owned(),
        version: "1.0.3".to_owned(),
        now: NOW,
        begun: true,
        practice: false,
        practising: Vec::new(),
        paused: vec!["Network".to_owned()],
        causes: 2,
        waiting: 5,
        connections: vec![
            connection(1, "network", "Network", Tone::Hold, "Paused by you"),
            connection(2, "erp", "Ledgerworks", Tone::Ok, "OK"),
        ],
        alarms: Vec::new(),
    }
}

fn hooks() -> HooksView {
    HooksView {
        callback: Some("https://hooks.northfold.example/hooks/erp/".to_owned()),
        sentence: "Registered".to_owned(),
        tone: Tone::Ok,
        standing: vec!["goods-out-note.modified <at the account>".to_owned()],
        ensured_at: Some(NOW - 8_000),
        last_delivery: Some(NOW - 4_000),
        waiting: 3,
        hints: 1_000,
        refused: (2, Some("It names no note.".to_owned())),
    }
}

pub(crate) fn base(here: &'static str, title: &str) -> Base {
    let mut base = Base::new(&frame(), &times(), here, title);
    TOKEN.clone_into(&mut base.token);
    base
}

pub(crate) fn order(id: u64, number: &str, stage: OrderStage) -> OrderView {
    let waiting = stage == OrderStage::Waiting;
    OrderView {
        id: OrderId(id),
        number: number.to_owned(),
        key: format!("key-{id}"),
        source: "Network".to_owned(),
        target: "Ledgerworks".to_owned(),
        retailer: "HP".to_owned(),
        retailer_name: "Harbor & Pine".to_owned(),
        stage,
        stage_label: stage.label("Ledgerworks"),
        tone: if waiting { Tone::You } else { Tone::Ok },
        test: false,
        lines: 2,
        units: Decimal::whole(9),
        total: Some((Decimal::new(114_800, 2), "USD".to_owned())),
        received_at: NOW - 2 * HOUR,
        sale: (!waiting).then(|| "204518".to_owned()),
        acknowledged_at: None,
        delivered_at: None,
        deadline: waiting.then_some((
            DeadlineKind::Ship,
            NOW + 10_440_000,
            DeadlineSource::Network,
        )),
        problem: waiting.then(|| "Shipping method not matched: GSIG".to_owned()),
    }
}

pub(crate) fn gap_card() -> CardView {
    CardView {
        id: "gap/shipping methods:GSIG".to_owned(),
        title: "Shipping method not matched: GSIG".to_owned(),
        text: "Network asks for GSIG; no shipping method of Ledgerworks is matched to it."
            .to_owned(),
        hint: Some("Fill in the field; the orders go on by themselves.".to_owned()),
        cell: Some(CellView {
            from: ConnectionId(1),
            to: ConnectionId(2),
            gap: Gap {
                table: "shipping-methods".to_owned(),
                retailer: Some("HP".to_owned()),
                value: "GSIG".to_owned(),
            },
            label: "Ledgerworks shipping method for GSIG".to_owned(),
            choices: vec![
                ("7".to_owned(), "Ground \"Signature\"".to_owned()),
                ("8".to_owned(), "Ground".to_owned()),
            ],
            suggestions: vec![SuggestionView {
                key: "8".to_owned(),
                label: "Ground".to_owned(),
                why: "Used for Fernwick".to_owned(),
            }],
        }),
        waiting: 4,
        kind: CardKind::Unmatched,
        deadline: Some(NOW + 10_440_000),
        nearest: Some((
            DeadlineKind::Ship,
            NOW + 10_440_000,
            DeadlineSource::Network,
        )),
        orders: vec![order(7, "HP-4471820", OrderStage::Waiting)],
        first_at: NOW - HOUR,
        ignored: None,
    }
}

pub(crate) fn problem_card() -> CardView {
    CardView {
        id: "problem:total-differs".to_owned(),
        title: "The order states total 12.00 USD, its lines come to 10.00: a difference of 2.00."
            .to_owned(),
        text: String::new(),
        hint: Some("Ask the retailer which one is right.".to_owned()),
        cell: None,
        waiting: 1,
        kind: CardKind::Money,
        deadline: None,
        nearest: None,
        orders: vec![order(8, "<b>8</b>", OrderStage::Waiting)],
        first_at: NOW - HOUR,
        ignored: None,
    }
}

pub(crate) fn note(at: Millis, text: &str, words: Option<&str>) -> NoteView {
    NoteView {
        at,
        tone: Tone::Ok,
        icon: "ok".to_owned(),
        text: text.to_owned(),
        words: words.map(str::to_owned),
    }
}

pub(crate) fn today() -> TodayView {
    let waiting = order(7, "HP-4471820", OrderStage::Waiting);
    TodayView {
        verdict: "5 orders wait for you, from 2 causes. Everything else is in step.".to_owned(),
        stamp: (Tone::You, "Needs you".to_owned()),
        stages: StageCounts(vec![(OrderStage::Waiting, 5), (OrderStage::Created, 1204)]),
        days: (0..14)
            .map(|at| DayView {
                day: NOW - NOW % 86_400_000 - (13 - at) * 86_400_000,
                received: 30 + u64::try_from(at).unwrap(),
                created: 29,
                shipped: 0,
                cancelled: 1,
            })
            .collect(),
        deadlines: vec![DeadlineView {
            kind: DeadlineKind::Ship,
            at: NOW + 10_440_000,
            set_by: DeadlineSource::Network,
            order: waiting.clone(),
        }],
        cards: vec![gap_card(), problem_card()],
        recent: vec![(
            waiting,
            note(NOW - 60_000, "received from Harbor & Pine.", None),
        )],
    }
}

pub(crate) fn list() -> OrderList {
    OrderList {
        rows: vec![
            order(7, "HP-4471820", OrderStage::Waiting),
            order(9, "HP-4471907", OrderStage::Created),
        ],
        next: Some(OrderId(7)),
        stages: StageCounts(vec![(OrderStage::Waiting, 5), (OrderStage::Created, 1204)]),
    }
}

fn line(number: u32, quantity: i64, shipped: i64) -> OrderLine {
    OrderLine {
        line: number.to_string(),
        number: Some(number),
        identifiers: vec![Identifier {
            kind: "sku".to_owned(),
            value: "NF-LAN-BRS".to_owned(),
        }],
        title: "Brass storm lantern".to_owned(),
        quantity: Decimal::whole(quantity),
        cancelled: Decimal::ZERO,
        shipped: Decimal::whole(shipped),
        unit_price: Some(Decimal::new(4800, 2)),
        tax: None,
        ship_by: None,
        warehouse: None,
        extras: Vec::new(),
    }
}

fn body(view: &OrderView) -> Order {
    Order {
        number: view.number.clone(),
        retailer: view.retailer.clone(),
        retailer_name: view.retailer_name.clone(),
        kind: "dropship".to_owned(),
        test: false,
        phase: OrderPhase::Accepted,
        currency: Some("USD".to_owned()),
        placed_at: None,
        acknowledge_by: None,
        ship_by: None,
        invoice_by: None,
        cancel_after: None,
        customer: Some("W778812".to_owned()),
        warehouse: None,
        shipping_method: Some(Method {
            carrier: Some("UPS".to_owned()),
            name: Some("Ground".to_owned()),
            code: Some("GSIG".to_owned()),
        }),
        bill_to: None,
        ship_to: Address {
            name: "R. Alvarez".to_owned(),
            company: None,
            attention: None,
            street: vec!["14 Mill Lane".to_owned()],
            city: "Portland".to_owned(),
            region: Some("ME".to_owned()),
            postcode: "04101".to_owned(),
            country: Some("US".to_owned()),
            phone: None,
            email: None,
        },
        lines: vec![line(1, 2, 2), line(2, 3, 1)],
        charges: Vec::new(),
        total: None,
        supplier_number: None,
        extras: Vec::new(),
    }
}

fn counted() -> Vec<LineView> {
    vec![LineView {
        line: "2".to_owned(),
        number: Some(2),
        sku: Some("NF-LAN-BRS".to_owned()),
        title: "Brass storm lantern".to_owned(),
        ordered: Decimal::whole(3),
        shipped: Decimal::whole(2),
        cancelled: Decimal::ZERO,
        open: Decimal::whole(1),
        invoiced: Decimal::whole(2),
    }]
}

fn shipments() -> Vec<ShipmentView> {
    vec![ShipmentView {
        note: "1042".to_owned(),
        job: JobId(32),
        tracking: vec!["1Z999AA10123456784".to_owned()],
        carrier: None,
        stage: None,
        shipped_at: Some(NOW - HOUR),
        units: vec![("2".to_owned(), Decimal::whole(2))],
        state: "Waits for you: refused <there>".to_owned(),
        tone: Tone::You,
        changed_at: NOW - 60_000,
        can_retry: true,
    }]
}

fn invoices() -> Vec<InvoiceView> {
    vec![InvoiceView {
        number: "SI-2044-1042".to_owned(),
        of: Some("SI-2044".to_owned()),
        job: JobId(33),
        over: Decimal::new(9_600, 2),
        currency: "USD".to_owned(),
        issued_at: NOW - HOUR,
        units: vec![("2".to_owned(), Decimal::whole(2))],
        state: "Waits for you: dearer <than agreed>".to_owned(),
        tone: Tone::You,
        changed_at: NOW - 60_000,
        can_retry: true,
    }]
}

pub(crate) fn detail() -> OrderDetail {
    let view = order(7, "HP-4471820", OrderStage::Waiting);
    OrderDetail {
        document: Document {
            key: view.key.clone(),
            revision: "1".to_owned(),
            occurred_at: NOW,
            body: Body::Order(body(&view)),
        },
        lines: counted(),
        shipments: shipments(),
        invoices: invoices(),
        deadlines: vec![
            (
                DeadlineKind::Ship,
                NOW + 10_440_000,
                DeadlineSource::Network,
            ),
            (DeadlineKind::Invoice, NOW - HOUR, DeadlineSource::Order),
        ],
        timeline: vec![
            note(
                NOW - 60_000,
                "Refused by Ledgerworks.",
                Some("422 <unmapped>"),
            ),
            note(NOW - 30 * HOUR, "Received from Harbor & Pine.", None),
        ],
        jobs: vec![JobView {
            id: JobId(31),
            what: "Sale".to_owned(),
            state: "Waits for you: Shipping method not matched: GSIG".to_owned(),
            tone: Tone::You,
            changed_at: NOW - 60_000,
            attempt: 2,
            can_retry: true,
        }],
        money: vec![
            MoneyRow {
                label: "Lines as ordered".to_owned(),
                order: Some(Decimal::new(24_000, 2)),
                sale: Some(Decimal::new(23_900, 2)),
                sum: false,
            },
            MoneyRow {
                label: "Total now".to_owned(),
                order: Some(Decimal::new(24_000, 2)),
                sale: None,
                sum: true,
            },
        ],
        money_sentence: (Tone::You, "The sale is 1.00 short".to_owned()),
        exchanges: vec![Exchange {
            at: NOW - 60_000,
            took_ms: 120,
            method: "POST".to_owned(),
            url: "https://erp.example/orders".to_owned(),
            status: 422,
            step: Some("create-order".to_owned()),
            replayed: false,
            request: "{\"a\":1}".to_owned(),
            answer: "<script>alert(1)</script>".to_owned(),
        }],
        order: view,
    }
}

/// Claims every page must meet: nothing inline, no foreign request, one `h1`, labels, no style attribute.
pub(crate) fn sound(html: &str) {
    assert_eq!(html.matches("<h1").count(), 1, "one h1");
    assert!(html.contains("<a class=\"skip\" href=\"#main\">"));
    assert!(html.contains("<main id=\"main\""));
    assert!(html.contains("lang=\"en\""));
    for bad in [
        " style=",
        "<style",
        "onclick",
        "onload",
        "javascript:",
        "http://",
        "<script>",
    ] {
        assert!(!html.contains(bad), "{bad}");
    }
    for (at, _) in html.match_indices("<form method=\"post\"") {
        let form = html[at..].split("</form>").next().unwrap();
        assert!(
            form.contains("name=\"token\""),
            "a form without its token: {form}"
        );
    }
    for (at, _) in html.match_indices("<use href=\"#") {
        let id = html[at + 12..].split('"').next().unwrap();
        assert!(
            html.contains(&format!("id=\"{id}\"")),
            "the drawing of {id} is missing"
        );
    }
    let mut ids: Vec<&str> = html
        .match_indices(" id=\"")
        .map(|(at, _)| html[at + 5..].split('"').next().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id stands twice");
    for (at, _) in html.match_indices(" for=\"") {
        let id = html[at + 6..].split('"').next().unwrap();
        assert!(
            html.contains(&format!(" id=\"{id}\"")),
            "label for nothing: {id}"
        );
    }
    for word in [concat!("bright", "pearl"), concat!("ds", "co")] {
        assert!(!html.to_lowercase().contains(word), "a vendor's word");
    }
}
