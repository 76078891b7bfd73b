//! Users over real sockets: roles, one-time codes, and that there is always an admin.

mod support;

use serde_json::{Value, json};
use support::{Heard, Served};

#[expect(clippy::unwrap_used, reason = "a test's set-up")]
/// Logs in with a code and chooses a password; the session's cookie and form token.
async fn first_login(served: &Served, name: &str, code: &str) -> (String, String) {
    let body = format!("user={name}&password={code}");
    let heard = served.form("/login", &[], &body).await;
    assert_eq!(
        heard.header("location"),
        Some("/password"),
        "{}",
        heard.body
    );
    let cookie = heard.cookie();
    let page = served.get("/password", &[("cookie", &cookie)]).await;
    assert!(page.body.contains(&format!("Password of the user {name}")));
    let elsewhere = served.get("/today", &[("cookie", &cookie)]).await;
    assert_eq!(
        elsewhere.header("location"),
        Some("/password"),
        "a code opens nothing else"
    );
    let body = format!(
        "token={}&password=quite+another+one&again=quite+another+one",
        page.token()
    );
    let heard = served
        .form("/password", &[("cookie", &cookie)], &body)
        .await;
    assert_eq!(heard.header("location"), Some("/today"), "{}", heard.body);
    let cookie = heard.cookie();
    let session = served.get("/api/v1/session", &[("cookie", &cookie)]).await;
    let session: Value = serde_json::from_str(&session.body).unwrap();
    (cookie, session["form_token"].as_str().unwrap().to_owned())
}

async fn write(served: &Served, who: &(String, String), place: &str, body: &Value) -> Heard {
    let headers = [
        ("cookie", who.0.as_str()),
        ("x-form-token", who.1.as_str()),
        ("content-type", "application/json"),
    ];
    served.ask("POST", place, &headers, &body.to_string()).await
}

#[expect(clippy::unwrap_used, reason = "a test's set-up")]
async fn add(served: &Served, admin: &(String, String), name: &str, role: &str) -> String {
    let body = json!({"name": name, "role": role});
    let heard = write(served, admin, "/api/v1/users", &body).await;
    assert_eq!(heard.status, 200, "{}", heard.body);
    let given: Value = serde_json::from_str(&heard.body).unwrap();
    given["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_role_may_what_it_says_and_no_more() {
    let served = Served::start().await;
    let admin = served.log_in().await;
    let code = add(&served, &admin, "vera", "viewer").await;
    let viewer = first_login(&served, "vera", &code).await;
    let code = add(&served, &admin, "Otto", "operator").await;
    let operator = first_login(&served, "otto", &code).await;

    let pause = "/api/v1/connections/erp/pause";
    let set = json!({"key": "stock.percent", "value": "90"});
    for (who, may) in [
        (&viewer, [false, false]),
        (&operator, [true, false]),
        (&admin, [true, true]),
    ] {
        let page = served.get("/today", &[("cookie", &who.0)]).await;
        assert_eq!(page.status, 200, "everybody looks");
        let paused = write(&served, who, pause, &json!({})).await;
        let changed = write(&served, who, "/api/v1/settings", &set).await;
        let users = served.get("/users", &[("cookie", &who.0)]).await;
        for (heard, may) in [(paused, may[0]), (changed, may[1]), (users, may[1])] {
            assert_eq!(heard.status, if may { 200 } else { 403 }, "{}", heard.body);
            assert!(may || heard.body.contains("role"), "{}", heard.body);
        }
    }
    let page = served.get("/attention", &[("cookie", &viewer.0)]).await;
    assert!(page.body.contains("class=\"looks\""));
    assert!(!page.body.contains("href=\"/users\""));
}

#[tokio::test]
async fn a_code_is_good_once_and_a_reset_voids_the_password() {
    let served = Served::start().await;
    let admin = served.log_in().await;
    let code = add(&served, &admin, "otto", "operator").await;
    let operator = first_login(&served, "otto", &code).await;
    let again = served
        .form("/login", &[], &format!("user=otto&password={code}"))
        .await;
    assert_eq!(again.status, 401, "it is spent");

    let heard = write(&served, &admin, "/api/v1/users/otto/reset", &json!({})).await;
    let given: Value = serde_json::from_str(&heard.body).unwrap();
    let page = served.get("/today", &[("cookie", &operator.0)]).await;
    assert_eq!(page.status, 303, "whoever is logged in as him is out");
    let old = served
        .form("/login", &[], "user=otto&password=quite+another+one")
        .await;
    assert_eq!(old.status, 401);
    let code = given["code"].as_str().unwrap();
    first_login(&served, "otto", code).await;

    let history = served.get("/api/v1/history", &[("cookie", &admin.0)]).await;
    for words in [
        "`otto` was added: operator.",
        "The password of `otto` was reset.",
    ] {
        assert!(history.body.contains(words), "{words}: {}", history.body);
    }
    assert!(!history.body.contains(code), "no code is kept");
}

#[tokio::test]
async fn there_is_always_an_admin_with_a_password() {
    let served = Served::start().await;
    let admin = served.log_in().await;
    add(&served, &admin, "anna", "admin").await;
    for (place, body) in [
        ("/api/v1/users/admin/remove", json!({})),
        ("/api/v1/users/admin/role", json!({"role": "viewer"})),
    ] {
        let heard = write(&served, &admin, place, &body).await;
        assert_eq!(heard.status, 409, "{}", heard.body);
        assert!(heard.body.contains("only admin"), "{}", heard.body);
    }
    let twice = json!({"name": "anna", "role": "viewer"});
    assert_eq!(
        write(&served, &admin, "/api/v1/users", &twice).await.status,
        409
    );
    let odd = json!({"name": "uid 0", "role": "admin"});
    assert_eq!(
        write(&served, &admin, "/api/v1/users", &odd).await.status,
        400
    );
    let nobody = write(&served, &admin, "/api/v1/users/tom/remove", &json!({})).await;
    assert_eq!(nobody.status, 404);
    let gone = write(&served, &admin, "/api/v1/users/anna/remove", &json!({})).await;
    assert_eq!(gone.status, 200);
}

#[tokio::test]
async fn whoever_gives_up_a_role_has_lost_it_at_once() {
    let served = Served::start().await;
    let admin = served.log_in().await;
    let code = add(&served, &admin, "anna", "admin").await;
    let anna = first_login(&served, "anna", &code).await;
    let viewer = json!({"role": "viewer"});
    let heard = write(&served, &anna, "/api/v1/users/anna/role", &viewer).await;
    assert_eq!(heard.status, 200, "{}", heard.body);
    let users = served.get("/api/v1/users", &[("cookie", &anna.0)]).await;
    assert_eq!(users.status, 401, "{}", users.body);
}

#[tokio::test]
async fn the_page_adds_and_shows_the_code_once() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let body = format!("token={token}&name=vera&role=viewer");
    let heard = served
        .form("/users/add", &[("cookie", &cookie)], &body)
        .await;
    assert_eq!(heard.header("location"), Some("/users"));
    let page = served.get("/users", &[("cookie", &cookie)]).await;
    assert!(page.body.contains("one-time code"), "{}", page.body);
    let (_, rest) = page.body.split_once("<dt>Code</dt><dd>").unwrap();
    let code = rest.split('<').next().unwrap();
    let page = served.get("/users", &[("cookie", &cookie)]).await;
    assert!(!page.body.contains(code), "once");
    first_login(&served, "vera", code).await;
}
