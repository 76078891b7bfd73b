//! The page of settings: what holds, who set it, what may be chosen, and that no secret is shown.

use super::*;
use crate::html::with_symbols;
use crate::pages::sample;
use waybill_engine::in_force::{ConnectionSettings, OwnValue};

fn set(value: &str, words: &str) -> SetValue {
    SetValue {
        value: value.to_owned(),
        words: words.to_owned(),
        who: "ann".to_owned(),
        at: sample::NOW - sample::HOUR,
    }
}

fn policy() -> SettingView {
    let choice = |value: &str, words: &str| (value.to_owned(), words.to_owned());
    SettingView {
        key: "invoices.policy".to_owned(),
        label: "Invoices".to_owned(),
        help: "How the retailer <wants> them.".to_owned(),
        holds: Some("Whole lines".to_owned()),
        default: Some("One per order".to_owned()),
        set: Some(set("lines", "Whole lines")),
        choices: vec![
            choice("order", "One per order"),
            choice("lines", "Whole lines"),
        ],
        per_retailer: true,
        own: vec![OwnValue {
            retailer: "r1".to_owned(),
            name: "Fern & Wick".to_owned(),
            set: set("none", "None"),
        }],
    }
}

fn cap() -> SettingView {
    SettingView {
        key: "stock.cap".to_owned(),
        label: "Most units told".to_owned(),
        help: String::new(),
        holds: None,
        default: None,
        set: None,
        choices: Vec::new(),
        per_retailer: false,
        own: Vec::new(),
    }
}

#[test]
fn each_setting_says_what_holds_its_default_and_who_set_it() {
    let group = |title: &str, settings| SettingGroup {
        title: title.to_owned(),
        settings,
    };
    let view = SettingsView {
        agent: vec![
            group("Invoices", vec![policy()]),
            group("Stock", vec![cap()]),
        ],
        connections: vec![ConnectionSettings {
            name: "erp".to_owned(),
            title: "Ledgerworks".to_owned(),
            missing: Some("no connector is loaded.".to_owned()),
            groups: vec![group("Account", vec![cap()])],
            secrets: vec![("api".to_owned(), "token".to_owned(), sample::NOW)],
        }],
        changes: vec![SettingChanged {
            version: 7,
            at: sample::NOW,
            who: "ann".to_owned(),
            key: "invoices.policy".to_owned(),
            connection: None,
            retailer: Some("r1".to_owned()),
            old: None,
            new: Some("none".to_owned()),
        }],
    };
    let retailers = vec![Retailer {
        code: "r1".to_owned(),
        text: "Fern & Wick (r1)".to_owned(),
    }];
    let base = sample::base("/settings", "Settings");
    let page = compose(base, &view, retailers, &sample::times());
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    for words in [
        "<b>Whole lines</b><small>Default: One per order</small><small>Set by ann, today 13:06</small>",
        "How the retailer &#60;wants&#62; them.",
        "<option value=\"lines\" selected>Whole lines</option>",
        "<option value=\"order\">One per order</option>",
        "<option value=\"r1\">Fern &#38; Wick (r1)</option>",
        "<span>Fern &#38; Wick: <b>None</b></span>",
        "<b>nothing set</b><small>No default</small>",
        "cannot differ",
        "api, token</span> set today 14:06",
        "no connector is loaded.",
        "data-th=\"From\">the default</td>",
        "data-th=\"For\">retailer r1</td>",
        "waybill apply",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
    // One that may not differ is not offered for single retailers, and a connection's is not changed here.
    assert_eq!(html.matches("name=\"retailer\"").count(), 1);
    assert_eq!(html.matches("name=\"value\"").count(), 2);
}
