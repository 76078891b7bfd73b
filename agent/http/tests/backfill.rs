//! Orders from before, on the page and in the API, over a real engine: what is asked for, refused, shown.

mod support;

use serde_json::{Value, json};
use support::{Agent, START, Served};
use waybill_http::Limit;
use waybill_model::contract::Scope;
use waybill_model::ids::ConnectionId;
use waybill_store::{
    BackfillCounts, BackfillLine, BackfillPhase, BackfillRow, Becomes, Options, Place, SealKey,
    Store, StoreError, Tx,
};

async fn served() -> (Served, String, String) {
    let served = Served::with(Agent::open(), Limit::default()).await;
    let (cookie, token) = served.log_in().await;
    (served, cookie, token)
}

#[tokio::test]
async fn the_page_shows_what_was_looked_for_and_refuses_what_makes_no_sense() {
    let (served, cookie, token) = served().await;
    let page = served.get("/backfill", &[("cookie", &cookie)]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Orders from before"), "{}", page.body);
    let form = format!("token={token}&do=look&connection=nowhere&list=PO-1");
    served
        .form("/backfill", &[("cookie", &cookie)], &form)
        .await;
    let page = served.get("/backfill", &[("cookie", &cookie)]).await;
    assert!(page.body.contains("no connection named"), "{}", page.body);
    let form = format!("token={token}&do=look&connection=network&from=nonsense&to=2026-11-02");
    let refused = served
        .form("/backfill", &[("cookie", &cookie)], &form)
        .await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("2026-11-20"), "{}", refused.body);
    let missing = served.get("/backfill?id=7", &[("cookie", &cookie)]).await;
    assert_eq!(missing.status, 404);
}

/// A look that found one order that is missing and one that is over.
fn looked(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    let id = tx.put_backfill(&BackfillRow {
        id: 0,
        connection: ConnectionId(1),
        scope: Scope::Keys(vec![
            "PO-1".to_owned(),
            "PO-2".to_owned(),
            "PO-3".to_owned(),
        ]),
        phase: BackfillPhase::Looked,
        cursor: None,
        counts: BackfillCounts {
            missing: 1,
            over: 1,
            ..BackfillCounts::default()
        },
        not_found: vec!["PO-3".to_owned()],
        who: "ann".to_owned(),
        asked_at: START,
        changed_at: START,
        failures: 0,
        next_due: START,
        problem: None,
    })?;
    let line = |number: &str, becomes| BackfillLine {
        key: format!("9{number}"),
        number: number.to_owned(),
        retailer: "Hollow & Pine".to_owned(),
        placed_at: Some(START),
        becomes,
    };
    tx.put_backfill_line(id, 0, &line("PO-1", Becomes::Taken))?;
    tx.put_backfill_line(id, 1, &line("PO-2", Becomes::Over))?;
    Ok(id)
}

#[tokio::test]
async fn what_was_found_is_shown_and_taken_or_left() {
    let folder = Agent::open().folder;
    let place = Place::File(folder.path().join("waybill.redb"));
    let store = Store::open(Options::new(place, SealKey::from_bytes([7; 32]))).unwrap();
    let id = store.write_blocking(looked).unwrap();
    drop(store);
    let served = Served::with(Agent::open_in(folder, false), Limit::default()).await;
    let (cookie, token) = served.log_in().await;
    let with = [
        ("cookie", cookie.as_str()),
        ("x-form-token", token.as_str()),
    ];
    let place = format!("/backfill?id={id}");
    let page = served.get(&place, &with).await.body;
    for words in [
        "PO-1",
        "PO-2",
        "Hollow &#38; Pine",
        "Take 1 order",
        "Not found: ",
        "PO-3",
        "Over",
    ] {
        assert!(page.contains(words), "{words} is missing: {page}");
    }
    let answer = served.get(&format!("/api/v1/backfills/{id}"), &with).await;
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer["backfill"]["phase"], "looked");
    assert_eq!(answer["orders"][1]["becomes"], "over");
    let form = format!("token={token}&do=take&id={id}");
    served
        .form("/backfill", &[("cookie", &cookie)], &form)
        .await;
    let page = served.get(&place, &with).await.body;
    assert!(page.contains("Taking what is missing"), "{page}");
    let stop = format!("/api/v1/backfills/{id}/stop");
    assert_eq!(served.ask("POST", &stop, &with, "").await.status, 200);
    let again = served.ask("POST", &stop, &with, "").await;
    assert_eq!(again.status, 409, "{}", again.body);
    let both = json!({"connection": "network", "from": 1, "list": "PO-1"}).to_string();
    let unclear = served.ask("POST", "/api/v1/backfills", &with, &both).await;
    assert_eq!(unclear.status, 400);
    assert!(
        unclear.body.contains("`from` and `to`, or `list`"),
        "{}",
        unclear.body
    );
}
