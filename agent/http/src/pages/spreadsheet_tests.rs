//! Renders the preview of a file from composed views.

use super::preview;
use crate::html::with_symbols;
use crate::pages::sample;
use askama::Template;
use waybill_engine::mappings::{MappingsView, RowChange, RowEffect, RowMistake};

#[test]
fn a_preview_names_rows_and_offers_to_save_only_what_is_sound() {
    let mut view = MappingsView {
        table: "items".to_owned(),
        rows: 4,
        new: 1,
        changed: 1,
        same: 2,
        changes: vec![
            RowChange {
                row: 2,
                retailer: None,
                value: "A".to_owned(),
                effect: RowEffect::New,
                old: None,
                new: Some("77".to_owned()),
                label: Some("Lantern".to_owned()),
            },
            RowChange {
                row: 3,
                retailer: Some("HP".to_owned()),
                value: "B".to_owned(),
                effect: RowEffect::Changed,
                old: Some("5".to_owned()),
                new: Some("6".to_owned()),
                label: None,
            },
            RowChange {
                row: 4,
                retailer: None,
                value: "C".to_owned(),
                effect: RowEffect::Required,
                old: None,
                new: None,
                label: None,
            },
        ],
        announced: 1,
        released: 3,
        ..MappingsView::default()
    };
    let base = || sample::base("/matching/items", "Preview");
    let html = preview(base(), "my.csv", &view, Some("abc".to_owned()));
    let html = with_symbols(&html.render().unwrap());
    sample::sound(&html);
    for words in [
        "4 rows: 1 new match, 1 changed, 1 announced, 2 as it is",
        "Announced, and required",
        "77 (Lantern)",
        "Changed, was 5",
        "all retailers",
        "Save all rows",
        "3 documents go on.",
        "name=\"file\" value=\"abc\"",
    ] {
        assert!(html.contains(words), "{words}");
    }
    view.wrong = 1;
    view.mistakes.push(RowMistake {
        row: 5,
        column: "code".to_owned(),
        message: "There is no product `X`".to_owned(),
        hint: Some("Did you mean \"Y\" (1)?".to_owned()),
    });
    let html = preview(base(), "my.csv", &view, None).render().unwrap();
    assert!(html.contains("There is no product `X`."));
    assert!(!html.contains("Save all rows"));
}
