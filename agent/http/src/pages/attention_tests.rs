//! Renders the attention page from composed views.

use super::{Show, compose};
use crate::html::with_symbols;
use crate::pages::sample::{self, NOW};
use askama::Template;
use waybill_engine::view::CardView;

fn page(cards: &[CardView], waiting: u64, left: bool) -> String {
    let page = compose(
        sample::base("/attention", "Needs attention"),
        cards,
        waiting,
        if left { Show::Left } else { Show::Open },
        &sample::times(),
        NOW,
    );
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    html
}

#[test]
fn a_card_asks_for_one_cell_and_says_what_it_frees() {
    let html = page(&[sample::gap_card(), sample::problem_card()], 5, false);
    for words in [
        "5 orders wait",
        "4 orders wait, first ship-by in 2 h 54 min",
        "Save and release 4 orders",
        "Ship by today 17:00",
        "Harbor &#38; Pine only",
        "All retailers that send GSIG",
        "<option value=\"7\">Ground &#34;Signature&#34;, code 7</option>",
        "3 more",
        "Nearest deadline today 17:00. The retailer&#39;s rules, worked out by Network. Since today 13:06.",
        "<option value=\"8\">Ground, code 8 (suggested)</option>",
        "<span>Ground, code 8 <small>Used for Fernwick. Please check it.</small></span>",
        "name=\"take\" value=\"8\" formnovalidate",
        "Not matched 1",
        "Money 1",
        "Try all 2 again",
        "name=\"card\" value=\"problem:total-differs\" form=\"many\"",
        "1 order waits, no date given",
        "Try 1 order again",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(html.contains("action=\"/attention/gap%2Fshipping%20methods%3AGSIG\""));
    assert!(html.contains(
        "formaction=\"/attention/gap%2Fshipping%20methods%3AGSIG/ignore\" formnovalidate"
    ));
    assert!(
        html.contains("&#60;b&#62;8&#60;/b&#62;"),
        "numbers are escaped"
    );
    assert!(!html.contains("<b>8</b>"));
}

#[test]
fn a_cell_without_choices_is_typed_in() {
    let mut card = sample::gap_card();
    card.cell.as_mut().unwrap().choices.clear();
    card.cell.as_mut().unwrap().gap.retailer = None;
    let html = page(&[card], 1, false);
    assert!(html.contains("<input class=\"no\" id=\"c1-f\" name=\"code\""));
    assert!(!html.contains("name=\"scope\""));
    assert!(html.contains("It is used for all retailers that send"));
}

#[test]
fn what_was_left_has_a_list_of_its_own() {
    let mut card = sample::problem_card();
    card.ignored = Some("Closed by phone".to_owned());
    let cards = [card, sample::gap_card()];
    let open = page(&cards, 4, false);
    assert!(!open.contains("Closed by phone"));
    assert!(open.contains("Left with a reason 1"));
    let left = page(&cards, 4, true);
    assert!(left.contains("Left, with this reason:</span></span> Closed by phone"));
    assert!(!left.contains("Save and release"));
}

#[test]
fn nothing_waiting_is_said() {
    let html = page(&[], 0, false);
    assert!(html.contains("Nothing waits for you."));
    assert!(html.contains("Nothing waits</p>"));
    assert!(!html.contains("Left with a reason"), "no tab for nothing");
}

#[test]
fn a_tab_shows_its_kind_alone() {
    let cards = [sample::gap_card(), sample::problem_card()];
    let page = compose(
        sample::base("/attention", "Needs attention"),
        &cards,
        5,
        Show::of(Some("money")),
        &sample::times(),
        NOW,
    );
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    assert!(html.contains("aria-current=\"page\">Money 1"));
    assert!(
        !html.contains("GSIG</h2>"),
        "the other kind is on its own tab"
    );
    assert_eq!(Show::of(Some("nonsense")), Show::Open);
}

#[test]
fn what_was_not_read_keeps_no_order_waiting() {
    let mut card = sample::problem_card();
    card.kind = waybill_engine::view::CardKind::Reading;
    card.orders.clear();
    let html = page(&[card], 0, false);
    for words in [
        "Waits for you; everything else goes on",
        "Reads it again, with the settings as they are now.",
        "Try it again",
        "Leave it",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("1 order"), "{html}");
}
