//! The page of comparisons: what it says of a report, and where its lines lead.

use super::*;
use crate::html::with_symbols;
use crate::pages::sample;

fn line(finding: Finding, entity: Entity, key: &str, order: Option<u64>) -> DifferenceView {
    DifferenceView {
        source: "Dropnet".to_owned(),
        entity,
        key: key.to_owned(),
        order,
        number: order.map(|id| format!("HP-{id}")),
        finding,
        card: None,
        text: "It was so & is <so>.".to_owned(),
    }
}

fn report(id: u64, lines: Vec<DifferenceView>) -> ComparisonView {
    ComparisonView {
        id,
        who: "waybill".to_owned(),
        began: sample::NOW - sample::HOUR,
        from: sample::NOW - 72 * sample::HOUR,
        ended: Some(sample::NOW - sample::HOUR + 60_000),
        seen: 1_208,
        equal: 1_204,
        taken: 1,
        over: 2,
        differs: 1,
        unknown: 1,
        not_compared: 0,
        left: 0,
        problem: None,
        lines,
    }
}

fn shown(all: &ComparisonsView, chosen: Option<u64>) -> String {
    let base = sample::base("/comparison", "Comparison");
    let page = compose(base, all, chosen, &sample::times());
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    html
}

#[test]
fn a_report_says_what_was_put_right_and_what_waits_for_whom() {
    let waits = DifferenceView {
        card: Some("problem-77".to_owned()),
        ..line(Finding::Differs, Entity::Invoice, "SI-7", Some(7))
    };
    let all = ComparisonsView {
        running: None,
        rows: vec![
            report(
                2,
                vec![
                    line(Finding::Repaired, Entity::Shipment, "1042", Some(8)),
                    waits,
                    line(Finding::Unknown, Entity::Order, "9002", None),
                ],
            ),
            report(1, Vec::new()),
        ],
        next: Some(sample::NOW + sample::HOUR),
    };
    let html = shown(&all, None);
    for words in [
        "The next one begins ",
        "1,208 documents since ",
        "1,204 are alike on both sides.",
        "1 was missing here and put right.",
        "1 differs and cannot be put right by itself.",
        "2 orders were shipped or cancelled before",
        "1 sale belongs to no order here.",
        "1 difference waits for you",
        "href=\"/orders/8\">Goods-out note 1042</a>",
        "href=\"/orders/7\">Invoice SI-7</a>",
        "href=\"/attention?show=comparison#problem-77\"",
        "<span class=\"no\">Sale 9002</span>",
        "It was so &#38; is &#60;so&#62;.",
        "href=\"/comparison?id=1\"",
        "Every night",
        "<button>Compare now</button>",
    ] {
        assert!(html.contains(words), "{words}");
    }
    // The older one, when it is asked for.
    let html = shown(&all, Some(1));
    assert!(!html.contains("Goods-out note 1042"));
}

#[test]
fn what_could_not_be_read_comes_first_and_one_under_way_cannot_be_begun_again() {
    let all = ComparisonsView {
        running: Some(ComparisonView {
            ended: None,
            left: 2,
            who: "ann".to_owned(),
            problem: Some("the network did not answer".to_owned()),
            ..report(3, Vec::new())
        }),
        rows: vec![ComparisonView {
            not_compared: 1,
            ..report(
                2,
                vec![
                    line(Finding::NotListed, Entity::Order, "", None),
                    line(Finding::NotCompared, Entity::Shipment, "", None),
                ],
            )
        }],
        next: None,
    };
    let html = shown(&all, None);
    for words in [
        "Under way, 2 listings to go",
        "It waits: The network did not answer.",
        "Show how far it is",
        "Not done in full: 1 listing could not be read",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("Compare now"));
    let html = shown(&all, Some(2));
    let place = |words: &str| html.find(words).unwrap_or_else(|| panic!("{words}"));
    assert!(place("Could not be compared") < place("Cannot be listed"));
    assert!(html.contains("<span class=\"no\">Goods-out notes</span>"));
    assert!(html.contains("<span class=\"no\">Orders</span>"));
}

#[test]
fn without_a_report_it_says_when_the_first_one_begins() {
    let all = ComparisonsView {
        running: None,
        rows: Vec::new(),
        next: None,
    };
    let html = shown(&all, None);
    assert!(html.contains("Nothing was compared yet."));
    assert!(html.contains("None is planned"));
}
