//! Renders the matching page from composed views.

use super::{Asking, compose};
use crate::body::Fields;
use crate::html::with_symbols;
use crate::pages::sample::{self, NOW};
use askama::Template;
use waybill_engine::matching::{ItemsView, NamedItemView, ProductView};
use waybill_engine::view::SuggestionView;
use waybill_model::crosswalk::Standing;
use waybill_model::ids::ConnectionId;

fn item(value: &str, standing: Standing) -> NamedItemView {
    NamedItemView {
        retailer: "HP".to_owned(),
        retailer_name: "Harbor & Pine".to_owned(),
        value: value.to_owned(),
        title: "Stoneware <bowl>".to_owned(),
        standing,
        product: None,
        by: None,
        for_all: false,
        suggestions: Vec::new(),
        waiting: 0,
    }
}

fn suggestion() -> SuggestionView {
    SuggestionView {
        key: "1001".to_owned(),
        label: "Bowl, stoneware, S (NF-BWL-S)".to_owned(),
        why: "Same upc, 012345678905".to_owned(),
    }
}

fn view() -> ItemsView {
    let matched = NamedItemView {
        product: Some(ProductView {
            key: "77".to_owned(),
            title: "Lantern".to_owned(),
        }),
        by: Some(("dana".to_owned(), NOW)),
        ..item("NF-LAN", Standing::ByHand)
    };
    let suggested = NamedItemView {
        suggestions: vec![suggestion()],
        waiting: 2,
        ..item("LH-4410", Standing::Suggested)
    };
    let ambiguous = NamedItemView {
        suggestions: vec![suggestion()],
        ..item("506041", Standing::Ambiguous)
    };
    ItemsView {
        route: Some((ConnectionId(1), ConnectionId(2))),
        source: "Network".to_owned(),
        target: "Ledgerworks".to_owned(),
        compared: ("sku".to_owned(), "ean".to_owned()),
        counts: vec![
            (Standing::ByHand, 12),
            (Standing::Automatic, 1900),
            (Standing::Suggested, 18),
            (Standing::Ambiguous, 3),
            (Standing::Unmatched, 10),
        ],
        retailers: vec![("HP".to_owned(), "Harbor & Pine".to_owned())],
        rows: vec![
            suggested,
            ambiguous,
            item("HP-99", Standing::Unmatched),
            matched,
        ],
        next: Some(("HP".to_owned(), "NF LAN".to_owned())),
    }
}

#[test]
fn each_item_shows_how_it_is_matched_and_asks_for_an_answer() {
    let asking = Asking::of(&Fields::parse(b"show=suggested&retailer=HP"));
    let page = compose(
        sample::base("/matching/items", "Matching"),
        &view(),
        &asking,
        &sample::times(),
    );
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    for words in [
        "98.4%",
        "31 to look at",
        "All 1,943",
        "aria-current=\"page\">Suggested 18",
        "Matched by itself 1,900",
        "Stoneware &#60;bowl&#62;",
        "Bowl, stoneware, S (NF-BWL-S) <small>Same upc, 012345678905</small>",
        "name=\"take\" value=\"key:1001\"",
        "<option value=\"key:1001\">",
        "2 orders wait",
        "Matched by dana, today 14:06",
        "formaction=\"/matching/items/undo\"",
        "name=\"list\" value=\"show=suggested&#38;retailer=HP\"",
        "href=\"/matching/items?show=suggested&#38;retailer=HP&#38;of=HP&#38;after=NF%20LAN\"",
        "<option value=\"HP\" selected>",
        "enctype=\"multipart/form-data\"",
    ] {
        assert!(html.contains(words), "{words}");
    }
}
