//! Shipments, invoices and cancellations, on the page and in the API, over a real engine.

mod support;

use serde_json::Value;
use support::{Agent, Served};
use waybill_http::Limit;

#[tokio::test]
async fn the_lists_are_pages_and_answers_of_the_api() {
    let served = Served::with(Agent::open(), Limit::default()).await;
    let (cookie, _) = served.log_in().await;
    for (name, words) in [
        ("shipments", "No goods-out note has come yet."),
        ("invoices", "No invoice has come yet."),
        ("cancellations", "Nothing was cancelled yet."),
    ] {
        let page = served
            .get(&format!("/{name}"), &[("cookie", &cookie)])
            .await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains(words), "{}", page.body);
        let narrowed = format!("/{name}?state=you&retailer=1&q=+&before=");
        let page = served.get(&narrowed, &[("cookie", &cookie)]).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(
            page.body.contains("Waiting for you of Harbor"),
            "{}",
            page.body
        );
        let path = format!("/api/v1/{name}?state=waits&limit=3");
        let answer = served.get(&path, &[("cookie", &cookie)]).await;
        let list: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(list["rows"].as_array().map(Vec::len), Some(0));
        assert_eq!(list["retailers"][0]["name"], "Harbor & Pine");
        let wrong = format!("/api/v1/{name}?state=nonsense");
        let wrong = served.get(&wrong, &[("cookie", &cookie)]).await;
        assert_eq!(wrong.status, 400);
        assert!(wrong.body.contains("under-way"), "{}", wrong.body);
        let stranger = served.get(&format!("/api/v1/{name}"), &[]).await;
        assert_eq!(stranger.status, 401);
    }
}

#[tokio::test]
async fn retailers_and_their_settings_are_shown() {
    let served = Served::with(Agent::open(), Limit::default()).await;
    let (cookie, token) = served.log_in().await;
    let cookie = [("cookie", cookie.as_str())];
    let page = served.get("/retailers", &cookie).await;
    assert!(page.body.contains("/retailers/1-HP"), "{}", page.body);
    let page = served.get("/retailers/1-HP", &cookie).await;
    assert_eq!(page.status, 200, "{}", page.body);
    for words in ["HP-4471820", "Ship by", "As for all retailers"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    for nobody in ["/retailers/1-XX", "/retailers/HP", "/retailers/9-HP"] {
        assert_eq!(served.get(nobody, &cookie).await.status, 404, "{nobody}");
    }
    let answer = served.get("/api/v1/retailers", &cookie).await;
    let list: Value = serde_json::from_str(&answer.body).expect("JSON");
    let row = &list["rows"][0];
    assert_eq!(row["today"]["items"], 1, "{row}");
    assert_eq!(row["waiting"]["items"], 1, "{row}");
    assert_eq!(row["deadlines"]["items"], 1, "{row}");
    // A value of its own, set on the page; one that makes no sense is refused.
    let set = format!("token={token}&key=invoices.policy&value=shipment&retailer=HP");
    served.form("/settings", &cookie, &set).await;
    let page = served.get("/settings", &cookie).await;
    assert!(page.body.contains("holds from now on"), "{}", page.body);
    assert!(
        page.body.contains("<b>One per shipment</b>"),
        "{}",
        page.body
    );
    let page = served.get("/retailers/1-HP", &cookie).await;
    assert!(
        page.body.contains("Its own; for the others"),
        "{}",
        page.body
    );
    let wrong = format!("token={token}&key=invoices.policy&value=nonsense");
    served.form("/settings", &cookie, &wrong).await;
    let page = served.get("/settings", &cookie).await;
    assert!(page.body.contains("cannot be `nonsense`"), "{}", page.body);
    let unknown = format!("token={token}&key=invoices.colour&value=red");
    served.form("/settings", &cookie, &unknown).await;
    let page = served.get("/settings", &cookie).await;
    assert!(page.body.contains("has no setting `invoices.colour`"));
    let answer = served.get("/api/v1/settings", &cookie).await;
    let view: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(view["changes"].as_array().map(Vec::len), Some(1));
    assert_eq!(view["changes"][0]["new"], "shipment");
    // A timing that is meant for single connections is shown once it holds for all.
    assert!(!answer.body.contains("poll-secs.item"), "it is not set");
    let set = format!("token={token}&key=poll-secs.item&value=77");
    served.form("/settings", &cookie, &set).await;
    let page = served.get("/settings", &cookie).await;
    assert!(page.body.contains("poll-secs.item"), "{}", page.body);
    // Without the token of the form nothing is set.
    let forged = served
        .form("/settings", &cookie, "key=stock.mode&value=off")
        .await;
    assert_eq!(forged.status, 403);
    // A value is text, whatever stands in it: it cannot become another line of the file.
    let sly = format!(
        "token={token}&key=orders.default-country&value=US%22%0A%22stock.mode%22+%3D+%22off"
    );
    served.form("/settings", &cookie, &sly).await;
    let answer = served.get("/api/v1/settings", &cookie).await;
    assert!(
        !answer.body.contains("\"value\":\"off\""),
        "{}",
        answer.body
    );
}
