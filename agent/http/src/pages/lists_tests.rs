//! The pages of shipments, invoices and cancellations: what each says of a row, and how lists are narrowed.

use super::*;
use crate::html::with_symbols;
use crate::pages::sample;
use waybill_engine::view::Tone;
use waybill_model::decimal::Decimal;
use waybill_model::document::Stage;
use waybill_model::ids::JobId;
use waybill_model::order_state::OrderStage;

fn common(standing: State, state: &str, tone: Tone) -> Common {
    Common {
        order: Some(sample::order(7, "HP-4471820", OrderStage::Created)),
        job: JobId(32),
        standing,
        state: state.to_owned(),
        tone,
        hint: None,
        until: None,
        made_at: sample::NOW - sample::HOUR,
        changed_at: sample::NOW - 60_000,
    }
}

fn list<T>(rows: Vec<T>) -> FlowList<T> {
    let retailer = |id, code: &str, name: &str| RetailerName {
        id: RetailerId(id),
        code: code.to_owned(),
        name: name.to_owned(),
        source: "Dropnet".to_owned(),
    };
    let count = |state, rows| StateCount {
        state,
        rows,
        or_more: rows >= 1_000,
    };
    FlowList {
        rows,
        next: Some(JobId(30)),
        counts: vec![
            count(State::You, 1),
            count(State::Waits, 0),
            count(State::Confirmed, 1_000),
        ],
        retailers: vec![retailer(1, "r1", "Fern & Wick"), retailer(2, "r2", "r2")],
        route: Some(("Ledgerworks".to_owned(), "Dropnet".to_owned())),
    }
}

fn html(page: &ListPage) -> String {
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    html
}

fn assert_says(html: &str, all: &[&str]) {
    for words in all {
        assert!(html.contains(words), "{words}\n{html}");
    }
}

fn note() -> ShipmentLine {
    ShipmentLine {
        common: Common {
            until: Some(sample::NOW + sample::HOUR),
            ..common(
                State::Waits,
                "no tracking number on goods-out note 1042",
                Tone::Hold,
            )
        },
        note: "1042".to_owned(),
        tracking: vec!["1Z<9>".to_owned(), "1Z8".to_owned()],
        carrier: Some("Parcel & Co".to_owned()),
        stage: Some(Stage::Packed),
        shipped_at: None,
        units: Decimal::whole(3),
    }
}

#[test]
fn a_note_says_why_it_waits_and_until_when() {
    let list = list(vec![note()]);
    let query = ListQuery {
        retailer: Some(RetailerId(1)),
        ..ListQuery::default()
    };
    let base = sample::base("/shipments", "Shipments");
    let page = compose(base, shipments(&list), &list, &query, |row| {
        shipment(row, &sample::times())
    });
    assert_says(
        &html(&page),
        &[
            "that Ledgerworks showed us, and whether Dropnet was told",
            "<a class=\"no\" href=\"/orders/7\">1042</a><small>Note is packed</small>",
            "<a class=\"no\" href=\"/orders/7\">HP-4471820</a>",
            "<span>No tracking number on goods-out note 1042.</span></span><small>Looked at again today 15:06 at the latest</small>",
            "1Z&#60;9&#62;, 1Z8</span><small>Parcel &#38; Co</small>",
            "<td role=\"cell\" data-th=\"Units told\" class=\"n one\">3</td>",
            "All of Fern &#38; Wick (r1), newest first",
            "<option value=\"1\" selected>Fern &#38; Wick (r1)</option>",
            "<option value=\"2\">r2</option>",
            "href=\"/shipments?state=you&#38;retailer=1\">Waiting for you 1</a>",
            "Confirmed 1,000+",
            "href=\"/shipments?retailer=1&#38;before=30\"",
            "<a href=\"/shipments\" aria-current=\"page\">Shipments</a>",
        ],
    );
    assert!(!html(&page).contains("Waits by itself"), "an empty tab");
}

#[test]
fn an_invoice_says_what_it_is_over_and_which_policy_holds() {
    let refused = "Waits for you: Dropnet refused the invoice: no such order";
    let row = |over: Option<(Decimal, String)>| InvoiceLine {
        common: Common {
            hint: Some("Ask the retailer.".to_owned()),
            ..common(State::You, refused, Tone::You)
        },
        number: "SI-2044-1042".to_owned(),
        of: Some("SI-2044".to_owned()),
        issued_at: over.as_ref().map(|_| sample::NOW - sample::HOUR),
        over,
        policy: "One per shipment".to_owned(),
    };
    let amount = (Decimal::new(9_600, 2), "USD".to_owned());
    let list = list(vec![row(Some(amount)), row(None)]);
    let query = ListQuery {
        state: Some(State::You),
        ..ListQuery::default()
    };
    let base = sample::base("/invoices", "Invoices");
    let page = compose(base, invoices(&list), &list, &query, |row| {
        invoice(row, &sample::times())
    });
    assert_says(
        &html(&page),
        &[
            "SI-2044-1042</a><small>Part of SI-2044</small>",
            "Dropnet refused the invoice: no such order.</span></span><small>Ask the retailer.</small>",
            "class=\"n one\">$96.00</td>",
            "class=\"n one\">kept no longer</td>",
            "data-th=\"Retailer wants\">One per shipment</td>",
            "stays as it is when the policy is changed",
            "<input type=\"hidden\" name=\"state\" value=\"you\">",
            "aria-current=\"page\">Waiting for you 1</a>",
        ],
    );
}

#[test]
fn a_cancellation_says_who_wanted_it_which_lines_and_what_was_decided() {
    let row = CancelLine {
        common: common(
            State::Confirmed,
            "Taken off the sale in Ledgerworks",
            Tone::Ok,
        ),
        wanted: Wanted::AskedByRetailer,
        by: "Fern & Wick asks to cancel".to_owned(),
        told: "Ledgerworks".to_owned(),
        lines: vec![
            ("1".to_owned(), "Mug <blue>".to_owned(), Decimal::whole(2)),
            ("3".to_owned(), String::new(), Decimal::whole(1)),
        ],
        reason: Some("CXBU".to_owned()),
        decision: "Accepted.".to_owned(),
    };
    let whole = CancelLine {
        lines: Vec::new(),
        ..row.clone()
    };
    let list = list(vec![row, whole]);
    let base = sample::base("/cancellations", "Cancellations");
    let page = compose(base, cancellations(), &list, &ListQuery::default(), |row| {
        cancellation(row, &sample::times())
    });
    assert_says(
        &html(&page),
        &[
            "asks to cancel<small>Reason: CXBU</small>",
            "2 of line 1, Mug &#60;blue&#62;<small>1 of line 3</small>",
            ">The whole order</td>",
            "data-th=\"Decision\">Accepted.</td>",
            "Taken off the sale in Ledgerworks.",
        ],
    );
}

#[test]
fn an_empty_list_says_what_that_means() {
    let mut list: FlowList<ShipmentLine> = list(Vec::new());
    list.next = None;
    let page = |query: &ListQuery| {
        let base = sample::base("/shipments", "Shipments");
        html(&compose(base, shipments(&list), &list, query, |row| {
            shipment(row, &sample::times())
        }))
    };
    let new = page(&ListQuery::default());
    assert_says(&new, &["No goods-out note has come yet."]);
    assert!(!new.contains("Older ones"));
    let search = ListQuery {
        find: "<x>".to_owned(),
        ..ListQuery::default()
    };
    assert_says(
        &page(&search),
        &[
            "Found for &#34;&#60;x&#62;&#34;",
            "Nothing here has this PO, note or tracking number.",
            "value=\"&#60;x&#62;\"",
        ],
    );
}
