//! Renders the connectors page from composed views.

use super::compose;
use crate::html::with_symbols;
use crate::pages::sample;
use askama::Template;
use waybill_engine::swap::BuildLimits;
use waybill_engine::swap::view::{
    AskedView, BadView, BuildView, ConnectorState, ConnectorView, ConnectorsView, FileView,
    LimitsView, RefusedView, TrialView, UseView, WaitingView,
};
use waybill_engine::view::Tone;
use waybill_model::ids::{ConnectionId, Generation};

fn build(version: &str, digit: &str) -> BuildView {
    BuildView {
        version: version.to_owned(),
        hash: digit.repeat(64),
        generation: Generation(3),
        file: "erp.wasm".to_owned(),
        since: sample::frame().now - 60_000,
        who: "Waybill".to_owned(),
    }
}

fn connector() -> ConnectorView {
    let now = sample::frame().now;
    ConnectorView {
        id: "erp".to_owned(),
        title: "ERP <connector>".to_owned(),
        state: ConnectorState::Running,
        sentence: "Version 1.4.0 is at work.".to_owned(),
        tone: Tone::Ok,
        running: Some(build("1.4.0", "a")),
        signed_by: Some("Release key".to_owned()),
        file: FileView {
            name: Some("erp.wasm".to_owned()),
            sentence: "The file in the folder is the build at work.".to_owned(),
        },
        passport: vec!["Reaches https://erp.example, at most 200 calls a minute".to_owned()],
        trial: None,
        waiting: None,
        refused: None,
        previous: vec![build("1.3.2", "b")],
        bad: vec![BadView {
            version: "1.3.3".to_owned(),
            hash: "c".repeat(64),
            file: "erp.wasm".to_owned(),
            reason: "3 bad batches on trial".to_owned(),
            at: now - 86_400_000,
            by_itself: true,
            undone_ms: Some(120),
        }],
        limits: LimitsView {
            call_ms: 60_000,
            build: BuildLimits {
                memory: 64 << 20,
                request_body: 8 << 20,
                answer_body: 16 << 20,
                requests: 5_000,
            },
        },
        connections: vec![UseView {
            name: "erp".to_owned(),
            title: "ERP".to_owned(),
            budgets: sample::frame().connections[0].budgets.clone(),
            longest_ms: Some(4_130),
        }],
        swap_ms: Some(8),
    }
}

fn html(connectors: Vec<ConnectorView>, strangers: Vec<RefusedView>) -> String {
    let view = ConnectorsView {
        connectors,
        strangers,
        folder: None,
        now: sample::frame().now,
    };
    let base = sample::base("/connectors", "Connectors");
    let page = compose(base, view, &sample::times());
    let html = with_symbols(&page.render().unwrap());
    sample::sound(&html);
    html
}

fn holds(html: &str, wanted: &[&str]) {
    for words in wanted {
        assert!(html.contains(words), "{words}\n{html}");
    }
}

#[test]
fn a_connector_shows_its_passport_its_limits_and_the_way_back() {
    let html = html(vec![connector()], Vec::new());
    holds(
        &html,
        &[
            "ERP &#60;connector&#62;",
            "All at work",
            "Reaches https://erp.example, at most 200 calls a minute",
            "<span>Release key</span>",
            "at most 64 MiB",
            "at most 60.0 s",
            "4.1 s",
            "61 of 200",
            "Roll back to 1.3.2",
            "formaction=\"/connectors/erp/rollback\"",
            "aria-label=\"Go back to it: 1.3.2, bbbbbbbbbbbb\"",
            "3 bad batches on trial.",
            "aria-current=\"page\">Connectors",
        ],
    );
}

#[test]
fn what_waits_is_shown_in_words_with_its_settings_and_one_button() {
    let mut waits = connector();
    waits.state = ConnectorState::Waiting;
    waits.tone = Tone::You;
    waits.waiting = Some(WaitingView {
        hash: "d".repeat(64),
        version: "2.0.0".to_owned(),
        file: "erp.wasm".to_owned(),
        asks: vec!["It also wants to reach https://<new>.example.".to_owned()],
        settings: vec![AskedView {
            connection: "erp".to_owned(),
            connection_id: ConnectionId(2),
            key: "must".to_owned(),
            label: "Must".to_owned(),
            help: "Enter it.".to_owned(),
        }],
        at: sample::frame().now,
        accepted: None,
    });
    let page = html(vec![waits.clone()], Vec::new());
    holds(
        &page,
        &[
            "Needs you",
            "Asks for more",
            "It also wants to reach https://&#60;new&#62;.example.",
            "name=\"set/erp/must\"",
            "Grant this and start the trial",
            "action=\"/connectors/erp/accept\"",
        ],
    );
    if let Some(waiting) = &mut waits.waiting {
        waiting.accepted = Some("ann".to_owned());
    }
    let page = html(vec![waits], Vec::new());
    holds(&page, &["Accepted by ann; it is being tested."]);
    assert!(!page.contains("Grant this"));
}

#[test]
fn a_trial_and_refusals_say_what_comes_next() {
    let now = sample::frame().now;
    let mut tried = connector();
    tried.state = ConnectorState::Trial;
    tried.tone = Tone::Soon;
    tried.trial = Some(TrialView {
        since: now - 60_000,
        until: now + 540_000,
        good: 12,
        of: 20,
        bad: vec!["Writing `order`: The connector stopped".to_owned()],
        most_bad: 3,
        back_to: Some("1.3.2".to_owned()),
    });
    let stranger = RefusedView {
        file: "x.wasm".to_owned(),
        hash: None,
        version: None,
        reason: "the file is no WebAssembly, not a component".to_owned(),
        hint: Some("copy the file again".to_owned()),
        at: now,
        again_at: Some(now + 60_000),
    };
    let page = html(vec![tried], vec![stranger]);
    holds(
        &page,
        &[
            "12 of 20 batches",
            "max=\"20\" value=\"12\"",
            "Writing `order`: The connector stopped",
            "x.wasm: The file is no WebAssembly, not a component.",
            "Copy the file again.",
            "tried again at",
            "action=\"/connectors-retry\"",
        ],
    );
}

#[test]
fn no_connector_says_how_to_begin() {
    let page = html(Vec::new(), Vec::new());
    holds(&page, &["None installed", "connectors folder"]);
}
