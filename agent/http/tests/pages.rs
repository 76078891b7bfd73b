//! The pages over a real engine: an order that waits is shown, filled in, retried and left, as a merchant would.

mod support;

use support::{GAP, Served, gap};

#[tokio::test]
async fn every_page_of_the_menu_shows_the_order_or_its_cause() {
    let served = Served::start().await;
    let (cookie, _) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    for (page, words) in [
        ("/today", "One order waits for you"),
        ("/orders", "HP-4471820"),
        ("/orders?state=waiting", "Waiting for you"),
        ("/orders?q=HP-4471820", "Found for &#34;HP-4471820&#34;"),
        ("/orders?q=none", "No order has this PO"),
        ("/orders/1", "Received from Harbor &#38; Pine."),
        ("/attention", "Save and release 1 order"),
        ("/connections", "Ledgerworks"),
        ("/history", "History"),
        ("/password", "Change your password"),
    ] {
        let heard = served.get(page, &with).await;
        assert_eq!(heard.status, 200, "{page}: {}", heard.body);
        assert!(
            heard.body.contains(words),
            "{page}: {words}\n{}",
            heard.body
        );
        assert_eq!(
            heard.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let small = heard.body.to_lowercase();
        assert!(
            !small.contains(concat!("bright", "pearl")) && !small.contains(concat!("ds", "co")),
            "{page}"
        );
    }
    assert!(
        served
            .get("/orders/1", &with)
            .await
            .body
            .contains("R. &#60;Alvarez&#62;")
    );
    for missing in ["/orders/99", "/orders/x", "/nowhere"] {
        let heard = served.get(missing, &with).await;
        assert_eq!(heard.status, 404, "{missing}");
        assert!(heard.body.contains("Not here"), "{missing}");
    }
}

#[tokio::test]
async fn filling_in_the_cell_releases_the_order() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    let card = served.agent.handle.cards().await.unwrap().remove(0);
    assert!(card.title.contains(GAP));
    let place = action(&served.get("/attention", &with).await.body);
    let heard = served
        .form(&place, &with, &format!("token={token}&code=+&scope=one"))
        .await;
    assert_eq!(heard.header("location"), Some("/attention"));
    let page = served.get("/attention", &with).await;
    assert!(page.body.contains("is still empty."), "{}", page.body);
    assert!(
        !served
            .get("/attention", &with)
            .await
            .body
            .contains("is still empty."),
        "said once"
    );

    served
        .form(
            &place,
            &with,
            &format!("token={token}&code=UPS+Ground&scope=one"),
        )
        .await;
    let page = served.get("/attention", &with).await;
    assert!(
        page.body.contains("Saved. 1 order goes on."),
        "{}",
        page.body
    );
    assert!(page.body.contains("Nothing waits for you."));
    assert!(served.agent.handle.cards().await.unwrap().is_empty());
    let heard = served
        .form(
            &place,
            &with,
            &format!("token={token}&code=UPS+Ground&scope=one"),
        )
        .await;
    assert_eq!(heard.status, 303);
    assert!(
        served
            .get("/attention", &with)
            .await
            .body
            .contains("This cause is solved already.")
    );
    let history = served.agent.handle.history(20).await.unwrap();
    assert!(
        history
            .iter()
            .any(|row| row.who == "admin" && row.detail.contains(&gap().value)),
        "{history:?}"
    );
}

/// Where the first card's form goes.
#[expect(clippy::unwrap_used, reason = "a test's helper")]
fn action(page: &str) -> String {
    let (_, rest) = page
        .split_once("class=\"parts\" method=\"post\" action=\"")
        .unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_cause_can_be_retried_and_left_with_a_reason() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    let place = action(&served.get("/attention", &with).await.body);
    served
        .form(
            &format!("{place}/ignore"),
            &with,
            &format!("token={token}&reason="),
        )
        .await;
    let page = served.get("/attention", &with).await;
    assert!(page.body.contains("A reason is needed"), "{}", page.body);
    served
        .form(
            &format!("{place}/ignore"),
            &with,
            &format!("token={token}&reason=by+phone"),
        )
        .await;
    let page = served.get("/attention", &with).await;
    assert!(
        page.body
            .contains("Left, with your reason, which is kept in History."),
        "{}",
        page.body
    );
    let (open, _) = page.body.split_once("</main>").unwrap();
    assert!(
        !open.contains("Save and release"),
        "it no longer asks for anything"
    );
    let history = served.get("/history", &with).await;
    assert!(history.body.contains("by phone"), "{}", history.body);
    let order = served.get("/orders/1", &with).await;
    assert!(
        order.body.contains("/orders/1/jobs/1/retry"),
        "it can be tried from there"
    );
    served
        .form(&format!("{place}/retry"), &with, &format!("token={token}"))
        .await;
    let page = served.get("/attention", &with).await;
    assert!(
        page.body.contains("Tried again. 1 order goes on."),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn a_step_is_tried_again_from_the_orders_own_page() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    let page = served.get("/orders/1", &with).await;
    assert!(
        page.body.contains("action=\"/orders/1/jobs/1/retry\""),
        "{}",
        page.body
    );
    let heard = served
        .form("/orders/1/jobs/1/retry", &with, &format!("token={token}"))
        .await;
    assert_eq!(heard.header("location"), Some("/orders/1"));
    let page = served.get("/orders/1", &with).await;
    assert!(page.body.contains("It is tried again now."));
    assert!(
        !page.body.contains("/jobs/1/retry\""),
        "it no longer waits for a person"
    );
}

#[tokio::test]
async fn a_connection_is_tested_from_its_page() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    served
        .form("/connections/erp/probe", &with, &format!("token={token}"))
        .await;
    let page = served.get("/connections", &with).await;
    assert!(page.body.contains("The test of erp succeeded."));
    assert!(page.body.contains("northfold &#60;1&#62;"));
    served
        .form("/connections/nobody/poll", &with, &format!("token={token}"))
        .await;
    assert!(
        served
            .get("/connections", &with)
            .await
            .body
            .contains("There is no connection `nobody`.")
    );
}

#[tokio::test]
async fn the_api_gives_the_same_to_a_logged_in_program() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    let session = served.get("/api/v1/session", &with).await;
    assert!(session.body.contains(&token));
    let orders = served
        .get("/api/v1/orders?state=waiting&limit=5", &with)
        .await;
    assert!(
        orders.body.contains("\"number\":\"HP-4471820\""),
        "{}",
        orders.body
    );
    let wrong = served.get("/api/v1/orders?state=lost", &with).await;
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.body.contains("part-shipped"),
        "the hint names the states"
    );
    assert_eq!(served.get("/api/v1/orders/99", &with).await.status, 404);
    let refused = served
        .ask("POST", "/api/v1/connections/erp/pause", &with, "")
        .await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("form-token"));
    let with = [
        ("cookie", cookie.as_str()),
        ("x-form-token", token.as_str()),
    ];
    let paused = served
        .ask("POST", "/api/v1/connections/erp/pause", &with, "")
        .await;
    assert_eq!(paused.body, "{\"done\":true}");
}
