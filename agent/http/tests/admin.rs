//! The browser's listener over real sockets: who may ask, logging in, what forms need, limits, stopping.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use support::{Agent, Heard, Served};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use waybill_http::Limit;

#[tokio::test]
async fn probes_answer_without_a_login_and_everything_else_asks_for_one() {
    let served = Served::start().await;
    assert_eq!(served.get("/live", &[]).await.body, "live\n");
    let ready = served.get("/ready", &[]).await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    for page in [
        "/today",
        "/orders",
        "/orders/1",
        "/attention",
        "/connections",
        "/history",
        "/password",
    ] {
        let heard = served.get(page, &[]).await;
        assert_eq!(heard.status, 303, "{page}");
        assert!(
            heard
                .header("location")
                .unwrap()
                .starts_with("/login?next=%2F"),
            "{page}"
        );
        assert!(!heard.body.contains("HP-4471820"));
    }
    for place in [
        "/api/v1/frame",
        "/api/v1/orders",
        "/api/v1/openapi.json",
        "/api/v1/session",
    ] {
        let heard = served.get(place, &[("cookie", "waybill-1=guess")]).await;
        assert_eq!(heard.status, 401, "{place}");
        assert!(heard.body.contains("\"code\":\"login\""), "{}", heard.body);
    }
    let heard = served.ask("POST", "/api/v1/apply", &[], "{}").await;
    assert_eq!(
        heard.status, 404,
        "the local socket's own route is not there for the network"
    );
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let served = Served::start().await;
    for place in [
        "/live",
        "/login",
        "/waybill.css",
        "/nowhere",
        "/today",
        "/api/v1/frame",
    ] {
        let heard = served.get(place, &[]).await;
        let policy = heard.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"),
            "{place}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'; base-uri 'none'"),
            "{place}"
        );
        assert_eq!(
            heard.header("x-content-type-options"),
            Some("nosniff"),
            "{place}"
        );
        assert_eq!(
            heard.header("referrer-policy"),
            Some("no-referrer"),
            "{place}"
        );
        if place != "/waybill.css" {
            assert_eq!(heard.header("cache-control"), Some("no-store"), "{place}");
        }
    }
    let style = served.get("/waybill.css", &[]).await;
    assert_eq!(
        style.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    let tag = style.header("etag").unwrap().to_owned();
    let again = served.get("/waybill.css", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
}

#[tokio::test]
async fn a_foreign_host_name_is_turned_away_before_anything_else() {
    let served = Served::start().await;
    let port = served.address.port();
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "localhost:1".to_owned(),
    ] {
        for place in ["/login", "/live", "/api/v1/frame"] {
            assert_eq!(
                served.get(place, &[("host", &host)]).await.status,
                421,
                "{host} {place}"
            );
        }
    }
    for host in [
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        format!("127.0.0.1:{port}"),
    ] {
        assert_eq!(
            served.get("/login", &[("host", &host)]).await.status,
            200,
            "{host}"
        );
    }
    let none = served.raw(b"GET /live HTTP/1.0\r\n\r\n").await;
    assert_eq!(none.status, 421);
}

#[tokio::test]
async fn the_first_password_is_in_a_private_file() {
    let served = Served::start().await;
    let file = served.agent.first_password_file();
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let code = served.first_password();
    let page = served.get("/login", &[]).await;
    assert!(page.body.contains("one-time first password"));
    assert!(page.body.contains(&file.display().to_string()));
    assert!(!page.body.contains(&code));
}

/// Logs in with the first password and gives the code, the cookie and the form token of that half session.
async fn half_way(served: &Served) -> (String, String, String) {
    let code = served.first_password();
    let heard = served
        .form("/login", &[], &format!("password={}", code.to_lowercase()))
        .await;
    assert_eq!(heard.header("location"), Some("/password"));
    let half = heard.cookie();
    let page = served.get("/password", &[("cookie", &half)]).await;
    (code, half, page.token())
}

#[tokio::test]
async fn with_the_first_password_only_a_password_can_be_chosen() {
    let served = Served::start().await;
    let file = served.agent.first_password_file();
    let code = served.first_password();
    // With it, nothing but choosing a password is open.
    let heard = served
        .form("/login", &[], &format!("password={}", code.to_lowercase()))
        .await;
    assert_eq!(heard.header("location"), Some("/password"));
    let flags = heard.header("set-cookie").unwrap();
    assert!(
        flags.starts_with(&format!("waybill-{}=", served.address.port())),
        "{flags}"
    );
    assert!(
        flags.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{flags}"
    );
    let half = heard.cookie();
    assert_eq!(half.split_once('=').unwrap().1.len(), 43, "32 random bytes");
    assert_eq!(
        served
            .get("/today", &[("cookie", &half)])
            .await
            .header("location"),
        Some("/password")
    );
    assert_eq!(
        served
            .get("/api/v1/frame", &[("cookie", &half)])
            .await
            .status,
        403
    );
    let token = served.get("/password", &[("cookie", &half)]).await.token();
    for (new, again, why) in [
        ("short", "short", "at least 10 characters"),
        ("four words of mine", "four words of yours", "not the same"),
        ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "one character"),
    ] {
        let heard = served
            .form(
                "/password",
                &[("cookie", &half)],
                &format!("token={token}&password={new}&again={again}"),
            )
            .await;
        assert_eq!(heard.status, 400);
        assert!(heard.body.contains(why), "{why}");
    }
    assert!(file.exists());
}

#[tokio::test]
async fn choosing_a_password_spends_the_first_one() {
    let served = Served::start().await;
    let file = served.agent.first_password_file();
    let (code, half, token) = half_way(&served).await;
    // Choosing one spends the code, removes the file and ends the half session.
    let body = format!("token={token}&password=four+words+of+mine&again=four+words+of+mine");
    let heard = served.form("/password", &[("cookie", &half)], &body).await;
    assert_eq!(
        (heard.status, heard.header("location")),
        (303, Some("/today"))
    );
    let cookie = heard.cookie();
    assert_ne!(cookie, half, "a new session for new rights");
    assert!(!file.exists());
    assert_eq!(
        served.get("/password", &[("cookie", &half)]).await.status,
        303
    );
    let page = served.get("/today", &[("cookie", &cookie)]).await;
    assert!(page.body.contains("Your password is saved."));
    assert!(page.body.contains("Northfold Goods"));
    assert_eq!(
        served
            .form("/login", &[], &format!("password={code}"))
            .await
            .status,
        401
    );
    let heard = served
        .form(
            "/login",
            &[],
            "user=admin&password=four+words+of+mine&next=%2Forders%2F1",
        )
        .await;
    assert_eq!(
        (heard.status, heard.header("location")),
        (303, Some("/orders/1"))
    );
    assert!(
        !served
            .get("/login", &[])
            .await
            .body
            .contains("first password")
    );
}

#[tokio::test]
async fn a_restart_keeps_the_password_and_ends_sessions() {
    let served = Served::start().await;
    let (cookie, _) = served.log_in().await;
    served.stop.cancel();
    served.task.await.unwrap().unwrap();
    let Agent {
        folder,
        handle,
        engine,
        ..
    } = served.agent;
    drop((handle, engine));
    fs::write(folder.path().join("first-password"), "left over").unwrap();
    let served = Served::with(Agent::open_in(folder, false), Limit::default()).await;
    assert!(
        !served.agent.first_password_file().exists(),
        "no code while there is a user"
    );
    assert_eq!(
        served.get("/today", &[("cookie", &cookie)]).await.status,
        303
    );
    assert_eq!(
        served
            .form("/login", &[], "password=four+words+of+mine")
            .await
            .status,
        303
    );
}

#[tokio::test]
async fn a_session_ends_by_idleness_and_by_logging_out() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    served.agent.clock.turn(12 * 3_600_000 - 1);
    assert_eq!(served.get("/today", &with).await.status, 200);
    served.agent.clock.turn(12 * 3_600_000);
    assert_eq!(served.get("/today", &with).await.status, 303);

    let heard = served
        .form("/login", &[], "password=four+words+of+mine")
        .await;
    let cookie = heard.cookie();
    let with = [("cookie", cookie.as_str())];
    assert_eq!(
        served
            .form("/logout", &with, &format!("token={token}"))
            .await
            .status,
        403,
        "another session's token"
    );
    let token = served.get("/attention", &with).await.token();
    let heard = served
        .form("/logout", &with, &format!("token={token}"))
        .await;
    assert!(heard.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(served.get("/today", &with).await.status, 303);
}

#[tokio::test]
async fn after_five_bad_tries_the_address_waits_longer_and_longer() {
    let served = Served::start().await;
    for _ in 0..5 {
        let heard = served.form("/login", &[], "password=guess").await;
        assert_eq!(heard.status, 401);
        assert!(heard.body.contains("do not belong together"));
    }
    let code = served.first_password();
    let right = format!("password={code}");
    let heard = served.form("/login", &[], &right).await;
    assert_eq!(
        (heard.status, heard.header("retry-after")),
        (429, Some("31")),
        "even the right one waits"
    );
    assert!(heard.body.contains("Try again in 30 s."));
    served.agent.clock.turn(30_000);
    assert_eq!(
        served.form("/login", &[], "password=guess").await.status,
        401
    );
    assert!(
        served
            .form("/login", &[], &right)
            .await
            .body
            .contains("Try again in 1 min.")
    );
    served.agent.clock.turn(60_000);
    assert_eq!(served.form("/login", &[], &right).await.status, 303);
    assert_eq!(
        served.form("/login", &[], "password=guess").await.status,
        401,
        "the count starts afresh"
    );
}

#[tokio::test]
async fn writes_need_our_own_page_and_its_token() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let origin = format!("http://{}", served.address);
    let place = "/connections/erp/pause";
    let body = format!("token={token}");
    let paused = async || served.agent.handle.frame().await.unwrap().paused;

    for (headers, body) in [
        (vec![("cookie", cookie.as_str())], "token=guess"),
        (vec![("cookie", cookie.as_str())], ""),
        (
            vec![
                ("cookie", cookie.as_str()),
                ("origin", "http://evil.example"),
            ],
            body.as_str(),
        ),
        (
            vec![("cookie", cookie.as_str()), ("origin", "null")],
            body.as_str(),
        ),
        (
            vec![
                ("cookie", cookie.as_str()),
                ("sec-fetch-site", "cross-site"),
            ],
            body.as_str(),
        ),
    ] {
        let heard = served.form(place, &headers, body).await;
        assert_eq!(heard.status, 403, "{headers:?}");
        assert!(paused().await.is_empty());
    }
    let heard = served.form(place, &[], &body).await;
    assert_eq!(
        (heard.status, heard.header("location")),
        (303, Some("/login")),
        "a token without its session"
    );
    assert!(paused().await.is_empty());

    let ours = [
        ("cookie", cookie.as_str()),
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    let heard = served.form(place, &ours, &body).await;
    assert_eq!(
        (heard.status, heard.header("location")),
        (303, Some("/connections"))
    );
    assert_eq!(paused().await, ["Ledgerworks"]);
    // As browsers send it under `no-referrer`.
    let null = [
        ("cookie", cookie.as_str()),
        ("origin", "null"),
        ("sec-fetch-site", "same-origin"),
    ];
    assert_eq!(
        served
            .form("/connections/erp/resume", &null, &body)
            .await
            .status,
        303
    );
    assert!(paused().await.is_empty());
    assert_eq!(
        served
            .get("/connections/erp/pause", &[("cookie", &cookie)])
            .await
            .status,
        405
    );
    let history = served.agent.handle.history(10).await.unwrap();
    assert!(
        history
            .iter()
            .any(|row| row.who == "admin" && row.what == "Paused"),
        "{history:?}"
    );
}

#[tokio::test]
async fn the_password_can_be_changed_by_who_knows_it() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let change = |old: &str| {
        format!("token={token}&old={old}&password=other+words+now&again=other+words+now")
    };
    let with = [("cookie", cookie.as_str())];
    let heard = served.form("/password", &with, &change("guess")).await;
    assert_eq!(heard.status, 403);
    let heard = served
        .form("/password", &with, &change("four+words+of+mine"))
        .await;
    assert_eq!(heard.header("location"), Some("/today"));
    assert_eq!(
        served.get("/today", &with).await.status,
        303,
        "every other session ended"
    );
    assert_eq!(
        served
            .form("/login", &[], "password=four+words+of+mine")
            .await
            .status,
        401
    );
    assert_eq!(
        served
            .form("/login", &[], "password=other+words+now")
            .await
            .status,
        303
    );
}

#[tokio::test]
async fn bodies_are_bounded_in_size_and_in_time() {
    let limit = Limit {
        body: 1000,
        frame: Duration::from_millis(200),
        ..Limit::default()
    };
    let served = Served::with(Agent::open(), limit).await;
    let heard = served.form("/login", &[], &"x".repeat(100_000)).await;
    assert_eq!(heard.status, 413, "and the answer arrives");
    let host = served.address;
    let chunked = format!(
        "POST /login HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n",
        "x".repeat(2000)
    );
    assert_eq!(served.raw(chunked.as_bytes()).await.status, 413);
    let endless =
        format!("POST /login HTTP/1.1\r\nhost: {host}\r\ncontent-length: 99999999999\r\n\r\n");
    assert_eq!(
        served.raw(endless.as_bytes()).await.status,
        413,
        "without reading it"
    );
    let half = format!("POST /login HTTP/1.1\r\nhost: {host}\r\ncontent-length: 10\r\n\r\nabc");
    assert_eq!(served.raw(half.as_bytes()).await.status, 408);
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_let_go_and_does_not_hold_a_place() {
    let limit = Limit {
        connections: 1,
        head: Duration::from_millis(200),
        ..Limit::default()
    };
    let served = Served::with(Agent::open(), limit).await;
    let mut slow = TcpStream::connect(served.address).await.unwrap();
    slow.write_all(b"GET /live HTTP/1.1\r\nhost: lo")
        .await
        .unwrap();
    // The only place is taken; this one is answered once the slow one was let go.
    assert_eq!(served.get("/live", &[]).await.status, 200);
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(matches!(Heard::parse(&rest).status, 0 | 408));
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_ends() {
    let served = Served::start().await;
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(format!("GET /live HTTP/1.1\r\nhost: {}\r\n\r\n", served.address).as_bytes())
        .await
        .unwrap();
    let mut start = [0; 12];
    idle.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    served.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), served.task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_an_error_with_a_hint() {
    let agent = Agent::open();
    let options =
        waybill_http::AdminOptions::new(agent.folder.path().join("no/such/folder/first-password"));
    let opened = waybill_http::People::open(agent.handle.clone(), &options).await;
    let error = opened.map(|_| ()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("first password could not be written"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("data directory"));
}
