//! A connection is set up on the page: all mistakes at once, secrets that never come out, and an approval at the vendor with
//! everything that can go wrong on the way back.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows test functions, not what they share"
)]

mod support;

use serde_json::json;
use support::{Agent, Served};
use waybill_http::Limit;

const SECRET: &str = "a-key-nobody-may-see";

/// What a browser sends when another site sent it here: no cookie of ours.
const FROM_ELSEWHERE: [(&str, &str); 1] = [("sec-fetch-site", "cross-site")];

async fn filled_in(served: &Served, auth: &str) -> (String, String) {
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    let form = format!(
        "token={token}&connector=desk&name=desk&s.account=shop&s.auth={auth}&c.token.key={SECRET}"
    );
    let heard = served.form("/new-connection", &with, &form).await;
    assert_eq!(
        heard.header("location"),
        Some("/connections/desk"),
        "{}",
        heard.body
    );
    (cookie, token)
}

#[tokio::test]
async fn all_mistakes_are_told_in_their_fields_and_nothing_is_saved() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    let page = served.get("/new-connection", &with).await;
    assert!(page.body.contains("Connect Deskbook"), "{}", page.body);
    let page = served.get("/new-connection?connector=desk", &with).await;
    assert!(page.body.contains("id=\"s-account\""), "{}", page.body);
    assert!(
        page.body.contains("/connect/desk for approval."),
        "{}",
        page.body
    );
    let form = format!(
        "token={token}&connector=desk&name=desk&s.account=&s.api=nonsense&c.token.key={SECRET}"
    );
    let heard = served.form("/new-connection", &with, &form).await;
    assert_eq!(heard.status, 422);
    assert!(
        heard.body.contains("The account is missing."),
        "{}",
        heard.body
    );
    let form = form
        .replace("s.account=", "s.account=shop")
        .replace("name=desk", "name=De sk");
    let heard = served.form("/new-connection", &with, &form).await;
    assert_eq!(heard.status, 422);
    assert!(heard.body.contains("href=\"#name\""), "{}", heard.body);
    let form = form.replace("name=De sk", "name=desk");
    let heard = served.form("/new-connection", &with, &form).await;
    assert_eq!(heard.status, 422);
    assert!(heard.body.contains("href=\"#s-api\""), "{}", heard.body);
    assert!(!heard.body.contains(SECRET));
    // A private address needs the merchant's word.
    let form = form.replace("nonsense", "http%3A%2F%2F127.0.0.1%3A9");
    let heard = served.form("/new-connection", &with, &form).await;
    assert_eq!(heard.status, 422);
    let (before, after) = heard.body.split_once("More settings").unwrap();
    assert!(
        before.contains("name=\"private\"") && !after.contains("name=\"private\""),
        "what allows it stands at the address: {}",
        heard.body
    );
    assert!(
        heard
            .body
            .contains("If that is meant, tick Private addresses.")
            && !heard.body.contains("private-addresses"),
        "{}",
        heard.body
    );
    assert_eq!(served.get("/connections/desk", &with).await.status, 404);
    let form = format!("{form}&private=yes");
    let heard = served.form("/new-connection", &with, &form).await;
    assert_eq!(
        heard.header("location"),
        Some("/connections/desk"),
        "{}",
        heard.body
    );
    let again = served.form("/new-connection", &with, &form).await;
    assert!(
        again.body.contains("There is a connection `desk` already."),
        "{}",
        again.body
    );
}

#[tokio::test]
async fn an_empty_form_names_its_secrets_and_makes_no_connection() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    let form =
        format!("token={token}&connector=desk&name=desk&s.account=shop&s.auth=token&c.token.key=");
    let heard = served.form("/new-connection", &with, &form).await;
    assert_eq!(heard.status, 422, "{}", heard.body);
    assert!(
        heard.body.contains("href=\"#c-token-key\">Key is missing."),
        "{}",
        heard.body
    );
    assert_eq!(served.get("/connections/desk", &with).await.status, 404);
    // An approval needs none of its own.
    let form = form.replace("s.auth=token", "s.auth=approval");
    let heard = served.form("/new-connection", &with, &form).await;
    assert_eq!(heard.status, 303, "{}", heard.body);
    // A second one of the same kind is told apart.
    let form = form.replace("name=desk", "name=desk-2");
    let heard = served.form("/new-connection", &with, &form).await;
    assert_eq!(heard.status, 303, "{}", heard.body);
    let page = served.get("/connections", &with).await;
    assert!(page.body.contains("Deskbook (desk-2)"), "{}", page.body);
    // Nothing came of it, so it can be removed; what has answered cannot.
    let page = served.get("/connections/desk-2", &with).await;
    assert!(
        page.body.contains("Remove this connection"),
        "{}",
        page.body
    );
    let only = format!("token={token}");
    served
        .form("/connections/desk-2/remove", &with, &only)
        .await;
    let page = served.get("/connections", &with).await;
    assert!(page.body.contains("desk-2 is removed"), "{}", page.body);
    assert!(!page.body.contains("Deskbook (desk-2)"), "{}", page.body);
    assert_eq!(served.get("/connections/desk-2", &with).await.status, 404);
    served.form("/connections/desk/probe", &with, &only).await;
    let page = served.get("/connections/desk", &with).await;
    assert!(
        !page.body.contains("Remove this connection"),
        "{}",
        page.body
    );
    served.form("/connections/desk/remove", &with, &only).await;
    let page = served.get("/connections/desk", &with).await;
    assert!(page.body.contains("Desk was in use"), "{}", page.body);
}

#[tokio::test]
async fn what_the_last_test_said_is_all_that_is_said() {
    let served = Served::start().await;
    let (cookie, token) = filled_in(&served, "token").await;
    let with = [("cookie", cookie.as_str())];
    let account = |name: &str| format!("token={token}&s.account={name}&s.auth=token&c.token.key=");
    served
        .form("/connections/desk", &with, &account("refused"))
        .await;
    let page = served.get("/connections/desk", &with).await;
    for words in [
        "the test did not succeed. Deskbook refused Key (401).",
        "Enter Key again.",
        "Login refused: Deskbook refused Key (401).",
    ] {
        assert!(page.body.contains(words), "{words}\n{}", page.body);
    }
    served
        .form("/connections/desk", &with, &account("shop"))
        .await;
    let page = served.get("/connections/desk", &with).await;
    assert!(
        page.body.contains("Saved, and the test succeeded."),
        "{}",
        page.body
    );
    for words in [
        "Login refused",
        "Asked us to wait",
        "It did not work the last time",
    ] {
        assert!(!page.body.contains(words), "{words}\n{}", page.body);
    }
    assert!(page.body.contains("Being read"), "{}", page.body);
}

#[tokio::test]
async fn what_was_entered_is_shown_again_and_a_secret_never() {
    let served = Served::start().await;
    let (cookie, token) = filled_in(&served, "token").await;
    let with = [("cookie", cookie.as_str())];
    let page = served.get("/connections/desk", &with).await;
    assert!(
        page.body.contains("Saved, and the test succeeded."),
        "{}",
        page.body
    );
    assert!(page.body.contains("value=\"shop\""), "{}", page.body);
    assert!(
        page.body.contains("Leave it empty to keep it."),
        "{}",
        page.body
    );
    // Changed without typing the secret again: it stays.
    let form = format!("token={token}&s.account=other&s.auth=token&c.token.key=");
    let heard = served.form("/connections/desk", &with, &form).await;
    assert_eq!(
        heard.header("location"),
        Some("/connections/desk"),
        "{}",
        heard.body
    );
    let api = served.get("/api/v1/connections/desk", &with).await;
    assert_eq!(api.status, 200, "{}", api.body);
    let form: serde_json::Value = serde_json::from_str(&api.body).unwrap();
    assert_eq!(form["fields"][0]["value"], "other");
    assert_eq!(form["credentials"][0]["secrets"][0]["name"], "key");
    assert!(
        form["credentials"][0]["secrets"][0]["set_at"].is_i64(),
        "{form}"
    );
    for place in [
        "/connections/desk",
        "/connections",
        "/settings",
        "/history",
        "/api/v1/settings",
    ] {
        let heard = served.get(place, &with).await;
        assert!(!heard.body.contains(SECRET), "{place}");
    }
}

#[tokio::test]
async fn the_api_saves_on_the_same_way() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [
        ("cookie", cookie.as_str()),
        ("x-form-token", &token),
        ("content-type", "application/json"),
    ];
    let body =
        json!({"name": "desk", "connector": "desk", "credentials": {"token": {"key": SECRET}}});
    let heard = served
        .ask("POST", "/api/v1/connections", &with, &body.to_string())
        .await;
    assert_eq!(heard.status, 422);
    assert!(
        heard.body.contains("\"field\":\"account\""),
        "{}",
        heard.body
    );
    let body = json!({
        "name": "desk", "connector": "desk", "settings": {"account": "shop"},
        "credentials": {"token": {"key": SECRET}}, "test": true,
    });
    let heard = served
        .ask("POST", "/api/v1/connections", &with, &body.to_string())
        .await;
    assert_eq!(heard.status, 200, "{}", heard.body);
    assert!(
        heard.body.contains("northfold") && !heard.body.contains(SECRET),
        "{}",
        heard.body
    );
    let flows = served.get("/api/v1/connections", &with).await;
    assert!(
        flows.body.contains("Orders from Deskbook to Ledgerworks"),
        "{}",
        flows.body
    );
}

#[tokio::test]
async fn defaults_are_saved_by_going_on_and_what_is_needed_is_named() {
    let served = Served::start().await;
    // A connection can be made before its lists can be read.
    let (cookie, token) = filled_in(&served, "token").await;
    let with = [("cookie", cookie.as_str())];
    let page = served.get("/first-run/defaults", &with).await.body;
    assert!(page.contains("The tax (needed)"), "{page}");
    assert!(page.contains("Save and go on to Matching"), "{page}");
    let save = async |value: &str| {
        let form = format!("token={token}&s.desk.tax={value}");
        let heard = served.form("/first-run/defaults", &with, &form).await;
        let there = heard.header("location").unwrap().to_owned();
        (served.get(&there, &with).await.body, there)
    };
    let (page, there) = save("").await;
    assert_eq!(there, "/first-run/defaults");
    assert!(page.contains("Still empty: The tax."), "{page}");
    let rehearsal = served.get("/first-run/rehearsal", &with).await.body;
    assert!(rehearsal.contains("Still empty: The tax."), "{rehearsal}");
    assert!(rehearsal.contains("href=\"/first-run/defaults\""));
    let (page, there) = save("Z").await;
    assert_eq!(there, "/first-run/matching");
    assert!(page.contains("The defaults are saved."), "{page}");
    let page = served.get("/first-run/defaults", &with).await.body;
    assert!(page.contains("value=\"Z\""), "{page}");
    let rehearsal = served.get("/first-run/rehearsal", &with).await.body;
    assert!(!rehearsal.contains("Still empty"), "{rehearsal}");
}

#[tokio::test]
async fn the_set_up_goes_on_from_the_banner_and_says_what_it_waits_for() {
    let empty = || async {
        let agent = Agent::open_in(tempfile::tempdir().unwrap(), false);
        Served::with(agent, Limit::default()).await
    };
    let served = empty().await;
    let (cookie, _) = filled_in(&served, "token").await;
    let with = [("cookie", cookie.as_str())];
    let page = served.get("/connections/desk", &with).await.body;
    let button = "id=\"go-on\" href=\"/first-run\">Go on with the set-up</a>";
    assert!(page.contains(button), "{page}");
    // One that was not approved yet has not answered: pressing the button says so.
    let served = empty().await;
    let (cookie, _) = filled_in(&served, "approval").await;
    let with = [("cookie", cookie.as_str())];
    served.get("/connections/desk", &with).await;
    let heard = served.get("/first-run", &with).await;
    assert_eq!(heard.header("location"), Some("/connections/desk"));
    let page = served.get("/connections/desk", &with).await.body;
    let said = "Deskbook has not let us in yet: the set-up goes on once it has.";
    assert!(page.contains(said), "{page}");
}

#[tokio::test]
async fn the_set_up_leads_to_the_codes_that_can_be_matched() {
    let served = Served::start().await;
    let (cookie, _) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    let page = served.get("/first-run/matching", &with).await.body;
    for words in [
        "href=\"/matching/shipping-methods\">Match shipping methods",
        "1 not matched yet",
        "href=\"/matching/warehouses\">Match warehouses",
        "Nothing was read yet",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
}

#[tokio::test]
async fn going_on_from_matching_is_kept_and_said_once() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    for _ in 0..2 {
        let form = format!("token={token}");
        let heard = served.form("/first-run/matching", &with, &form).await;
        assert_eq!(heard.header("location"), Some("/first-run/rehearsal"));
    }
    let with = [("cookie", cookie.as_str()), ("x-form-token", &token)];
    let place = "/api/v1/first-run/matching";
    let heard = served.ask("POST", place, &with, "").await;
    assert_eq!((heard.status, &*heard.body), (200, "{\"done\":true}"));
    let history = served.get("/api/v1/history", &with).await;
    let said = history.body.matches("Went on from matching").count();
    assert_eq!(said, 1, "{}", history.body);
}

/// Sets out, and gives the state that the vendor is handed.
async fn set_out(served: &Served, cookie: &str) -> String {
    let heard = served
        .get("/connections/desk/connect", &[("cookie", cookie)])
        .await;
    assert_eq!(heard.status, 303, "{}", heard.body);
    let there = heard.header("location").unwrap().to_owned();
    assert!(
        there.starts_with("https://desk.test/authorize?redirect_uri=http://"),
        "{there}"
    );
    there.rsplit_once("state=").unwrap().1.to_owned()
}

async fn said(served: &Served, cookie: &str, place: &str) -> String {
    let with = [("cookie", cookie)];
    let heard = served.get(place, &with).await;
    assert_eq!(
        heard.header("location"),
        Some("/connections/desk"),
        "{}",
        heard.body
    );
    served.get("/connections/desk", &with).await.body
}

#[tokio::test]
async fn an_approval_comes_back_without_a_cookie_and_is_finished_with_one() {
    let served = Served::start().await;
    let (cookie, _) = filled_in(&served, "approval").await;
    let page = served
        .get("/connections/desk", &[("cookie", &cookie)])
        .await;
    assert!(
        page.body.contains("Now connect: you approve at Deskbook"),
        "{}",
        page.body
    );
    let state = set_out(&served, &cookie).await;
    let back = format!("/connect/desk?code=good%2Bcode&state={state}");
    let heard = served.get(&back, &FROM_ELSEWHERE).await;
    assert_eq!(heard.status, 200);
    assert!(
        heard.body.contains("0; url=/connect/desk/finish"),
        "{}",
        heard.body
    );
    assert!(!heard.body.contains("good"), "the code is not shown");
    // Nobody else takes it.
    let stranger = served.get("/connect/desk/finish", &[]).await;
    assert!(
        stranger
            .header("location")
            .unwrap()
            .starts_with("/login?next=")
    );
    let page = said(&served, &cookie, "/connect/desk/finish").await;
    assert!(page.contains("Connected."), "{page}");
    let history = served.get("/history", &[("cookie", &cookie)]).await;
    assert!(history.body.contains("Approved"), "{}", history.body);
    // The state is spent.
    assert_eq!(served.get(&back, &FROM_ELSEWHERE).await.status, 400);
    let page = said(&served, &cookie, "/connect/desk/finish").await;
    assert!(page.contains("There is no approval to finish."), "{page}");
}

#[tokio::test]
async fn a_denied_a_wrong_and_a_late_answer_change_nothing() {
    let served = Served::start().await;
    let (cookie, _) = filled_in(&served, "approval").await;
    let state = set_out(&served, &cookie).await;
    let denied = format!("/connect/desk?error=access_denied&state={state}");
    assert_eq!(served.get(&denied, &FROM_ELSEWHERE).await.status, 200);
    let page = said(&served, &cookie, "/connect/desk/finish").await;
    assert!(page.contains("It was not approved there."), "{page}");

    let state = set_out(&served, &cookie).await;
    for wrong in ["", "&state=", "&state=wrong", "&state=wrong&error=x"] {
        let heard = served
            .get(
                &format!("/connect/desk?code=good%2Bcode{wrong}"),
                &FROM_ELSEWHERE,
            )
            .await;
        assert_eq!(heard.status, 400, "{wrong}");
        assert!(heard.body.contains("Nobody here waits"), "{}", heard.body);
    }
    let late = format!("/connect/desk?code=too+old&state={state}");
    assert_eq!(served.get(&late, &FROM_ELSEWHERE).await.status, 200);
    let page = said(&served, &cookie, "/connect/desk/finish").await;
    assert!(page.contains("it has expired"), "{page}");
    assert!(page.contains("Press Connect again."), "{page}");

    let state = set_out(&served, &cookie).await;
    served.agent.clock.turn(15 * 60_000);
    let late = format!("/connect/desk?code=good%2Bcode&state={state}");
    assert_eq!(served.get(&late, &FROM_ELSEWHERE).await.status, 400);
}

#[tokio::test]
async fn a_code_that_cannot_come_back_is_pasted() {
    let served = Served::start().await;
    let (cookie, token) = filled_in(&served, "approval").await;
    let with = [("cookie", cookie.as_str())];
    let state = set_out(&served, &cookie).await;
    let paste = |text: &str| format!("token={token}&code={text}");
    let code = served
        .form("/connections/desk/code", &with, &paste(""))
        .await;
    assert_eq!(code.status, 303);
    let page = served.get("/connections/desk", &with).await;
    assert!(page.body.contains("The code is missing."), "{}", page.body);
    let foreign = "http%3A%2F%2Flocalhost%2Fconnect%2Fdesk%3Fcode%3Dgood%252Bcode%26state%3D";
    served
        .form(
            "/connections/desk/code",
            &with,
            &paste(&format!("{foreign}wrong")),
        )
        .await;
    let page = served.get("/connections/desk", &with).await;
    assert!(
        page.body.contains("does not belong to the approval"),
        "{}",
        page.body
    );
    served
        .form(
            "/connections/desk/code",
            &with,
            &paste(&format!("{foreign}{state}")),
        )
        .await;
    let page = served.get("/connections/desk", &with).await;
    assert!(page.body.contains("Connected."), "{}", page.body);
    // Another page's form brings nothing.
    let heard = served
        .form(
            "/connections/desk/code",
            &with,
            "token=wrong&code=good%2Bcode",
        )
        .await;
    assert_eq!(heard.status, 403);
}
