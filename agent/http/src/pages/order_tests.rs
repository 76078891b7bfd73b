//! Renders the order page from composed views.

use super::compose;
use crate::html::with_symbols;
use crate::pages::sample::{self, TOKEN};
use askama::Template;
use waybill_engine::view::OrderDetail;

fn page(detail: &OrderDetail) -> String {
    let page = compose(
        sample::base("/orders/one", "HP-4471820"),
        detail,
        &sample::times(),
        "14:06:00".to_owned(),
    );
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    html
}

#[test]
fn an_order_tells_its_story() {
    let html = page(&sample::detail());
    for words in [
        "Purchase order from Harbor &#38; Pine",
        "aria-label=\"Barcode of PO HP-4471820\"",
        "<b>2 h 54 min left</b>, today 17:00",
        "The retailer&#39;s rules, worked out by Network",
        "late by 1 h",
        "UPS, Ground, GSIG",
        "R. Alvarez, 14 Mill Lane, Portland ME 04101, US",
        "Network has not confirmed yet",
        "Ledgerworks sale",
        "Brass storm lantern",
        "<b>1</b>",
        "<span class=\"no\">1042</span>",
        "1Z999AA10123456784",
        "2 of line 2",
        "<span class=\"no\">SI-2044-1042</span> <small>part of SI-2044</small>",
        "$96.00",
        "dearer &#60;than agreed&#62;",
        "Waits for you: refused &#60;there&#62;",
        "href=\"/replay?order=7\"",
        "$144.00",
        "The sale is 1.00 short",
        "<td class=\"n\">1.00</td>",
        "Friday 20 November",
        "Thursday 19 November",
        "422 &#60;unmapped&#62;",
        "Show 1 messages",
        "step create-order",
        "2 times",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(html.contains("action=\"/orders/7/jobs/31/retry\""));
    assert!(html.contains("action=\"/orders/7/jobs/32/retry\""));
    assert!(html.contains("action=\"/orders/7/jobs/33/retry\""));
    assert!(html.contains(&format!("name=\"token\" value=\"{TOKEN}\"")));
    assert!(
        !html.contains("<script>alert"),
        "a system's words never become markup"
    );
    assert!(
        html.contains("aria-current=\"true\">Orders"),
        "the list is marked in the menu"
    );
}

#[test]
fn what_is_not_known_is_not_invented() {
    let mut detail = sample::detail();
    detail.deadlines.clear();
    detail.money.clear();
    detail.jobs.clear();
    detail.timeline.clear();
    detail.exchanges.clear();
    detail.order.number = "\u{17d}-1".to_owned();
    let html = page(&detail);
    for words in [
        "No date given",
        "the order gives no prices",
        "Nothing is sent for this order.",
        "Nothing yet.",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("class=\"barcode\""));
    assert!(!html.contains("Evidence"));
}
