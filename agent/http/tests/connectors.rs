//! Connectors on the page and in the API, over a real engine and real sockets: what waits is shown, accepted and written
//! down; what cannot be done is said.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{Agent, START, Served};
use waybill_http::Limit;
use waybill_model::grant::Grant;
use waybill_model::ids::Generation;
use waybill_store::{BuildRow, ConnectorRow, Options, Place, SealKey, Store, WaitingRow};

fn build(version: &str, digit: &str) -> BuildRow {
    BuildRow {
        hash: digit.repeat(64),
        version: version.to_owned(),
        generation: Generation(1),
        file: "ledger.wasm".to_owned(),
        since: START,
        who: "Waybill".to_owned(),
    }
}

fn row() -> ConnectorRow {
    ConnectorRow {
        id: "ledger".to_owned(),
        title: "Ledgerworks".to_owned(),
        grant: Grant::default(),
        current: build("1.4.0", "a"),
        previous: vec![build("1.3.2", "b")],
        trial: None,
        waiting: Some(WaitingRow {
            hash: "c".repeat(64),
            version: "2.0.0".to_owned(),
            file: "ledger.wasm".to_owned(),
            asks: vec!["It also wants to reach https://new.example.".to_owned()],
            settings: Vec::new(),
            grant: Grant {
                fixed: BTreeMap::from([("domain".to_owned(), "new.example".to_owned())]),
                ..Grant::default()
            },
            at: START,
            accepted: None,
        }),
        bad: Vec::new(),
    }
}

#[expect(clippy::unwrap_used, reason = "a test's set-up")]
async fn served() -> (Served, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("waybill.redb"));
    let store = Store::open(Options::new(place, SealKey::from_bytes([7; 32]))).unwrap();
    store.write_blocking(|tx| tx.put_connector(&row())).unwrap();
    store.close().unwrap();
    let served = Served::with(Agent::open_in(folder, true), Limit::default()).await;
    let (cookie, token) = served.log_in().await;
    (served, cookie, token)
}

#[tokio::test]
async fn a_waiting_build_is_shown_and_accepted_once_it_was_looked_at() {
    let (served, cookie, token) = served().await;
    let with = [
        ("cookie", cookie.as_str()),
        ("x-form-token", token.as_str()),
    ];
    let page = served.get("/connectors", &with).await.body;
    for words in [
        "Ledgerworks",
        "It also wants to reach https://new.example.",
        "Roll back to 1.3.2",
        "could not be loaded",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let post = async |place: &str, body: Value| {
        let heard = served.ask("POST", place, &with, &body.to_string()).await;
        let answer: Value = serde_json::from_str(&heard.body).unwrap();
        (heard.status, answer)
    };
    let accept = "/api/v1/connectors/ledger/accept";
    let (status, answer) = post(accept, json!({"hash": "dddddddd"})).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(answer["error"]["code"], "another-build");
    let setting = json!([{"connection": "erp", "key": "x", "value": "1"}]);
    let (status, answer) = post(accept, json!({"settings": setting})).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (409, &json!("setting-unknown"))
    );
    let (status, answer) = post(accept, json!({"hash": "cccccccccccc"})).await;
    assert_eq!(status, 200, "{answer}");
    let all = served.get("/api/v1/connectors", &with).await.body;
    let all: Value = serde_json::from_str(&all).unwrap();
    let ledger = &all["connectors"][0];
    assert_eq!(ledger["waiting"]["accepted"], "admin", "{ledger:#}");
    let history = served.get("/history", &with).await.body;
    assert!(history.contains("Accepted a new build"), "{history}");
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let (served, cookie, token) = served().await;
    let with = [("cookie", cookie.as_str())];
    let body = format!("token={token}");
    for (place, words) in [
        ("/connectors/nobody/rollback", "no connector"),
        (
            "/connectors/ledger/rollback",
            "No copies of builds are kept",
        ),
        ("/connectors/ledger/choose", "No kept build and no file"),
        ("/connectors-retry", "no refused file"),
    ] {
        let heard = served.form(place, &with, &body).await;
        assert_eq!(heard.header("location"), Some("/connectors"), "{place}");
        let page = served.get("/connectors", &with).await.body;
        assert!(page.contains(words), "{words}\n{page}");
    }
}
