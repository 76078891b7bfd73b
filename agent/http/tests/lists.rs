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
