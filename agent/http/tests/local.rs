//! The local socket: the kernel's word on who asks, the command line's client, applying a file.

mod support;

use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Agent;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waybill_http::{AdminOptions, ClientError, LocalClient, People, ServeError, serve_local};

struct Local {
    agent: Agent,
    path: PathBuf,
    stop: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Local {
    #[expect(clippy::unwrap_used, reason = "a test's set-up")]
    async fn start() -> Self {
        let agent = Agent::open();
        let options = AdminOptions::new(agent.first_password_file());
        let people = People::open(agent.handle.clone(), &options).await.unwrap();
        let path = agent.folder.path().join("admin.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve_local(
            listener,
            agent.handle.clone(),
            people,
            std::env::temp_dir(),
            stop.clone(),
        ));
        Self {
            agent,
            path,
            stop,
            task,
        }
    }
}

#[tokio::test]
async fn the_command_line_reads_and_commands() {
    let local = Local::start().await;
    let client = LocalClient::connect(&local.path).await.unwrap();
    let frame = client.get_json("/api/v1/frame").await.unwrap();
    assert_eq!(frame["store"], "Northfold Goods");
    assert_eq!(client.get_json("/ready").await.unwrap(), "ready");
    let order = client.get_json("/api/v1/orders/1").await.unwrap();
    assert_eq!(order["order"]["number"], "HP-4471820");
    let cards = client.get_json("/api/v1/cards").await.unwrap();
    let gap = &cards["cards"][0]["cell"];
    let cell = json!({
        "from": gap["from"], "to": gap["to"], "table": gap["gap"]["table"], "retailer": gap["gap"]["retailer"],
        "value": gap["gap"]["value"], "code": "UPS Ground",
    });
    let released = client.post_json("/api/v1/cells", &cell).await.unwrap();
    assert_eq!(released, json!({"released": 1}));
    client
        .post_json("/api/v1/connections/erp/pause", &())
        .await
        .unwrap();
    client
        .post_json(
            "/api/v1/connections/network/poll",
            &json!({"entity": "order"}),
        )
        .await
        .unwrap();
    let reached = client
        .post_json("/api/v1/connections/erp/probe", &())
        .await
        .unwrap();
    assert_eq!(reached["reached"][0][0], "Account");
    let who = match rustix::process::geteuid().as_raw() {
        0 => "the command line (root)".to_owned(),
        uid => format!("the command line (user {uid})"),
    };
    let history = client.get_json("/api/v1/history?limit=5").await.unwrap();
    assert_eq!(history["rows"][0]["who"], who.as_str(), "{history}");
    local.stop.cancel();
    local.task.await.unwrap().unwrap();
    let error = client.get_json("/api/v1/frame").await.unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
}

#[tokio::test]
async fn refusals_reach_the_command_line_with_code_and_hint() {
    let local = Local::start().await;
    let client = LocalClient::connect(&local.path).await.unwrap();
    for (place, body, status, code) in [
        (
            "/api/v1/connections/nobody/pause",
            json!(null),
            404,
            "not-found",
        ),
        ("/api/v1/cards/nothing/retry", json!(null), 404, "not-found"),
        ("/api/v1/cells", json!({"from": 1}), 400, "bad-request"),
        (
            "/api/v1/connections/erp/poll",
            json!({"entity": "letters"}),
            400,
            "bad-request",
        ),
        (
            "/api/v1/connections/erp/poll",
            json!({"entity": "order", "typo": 1}),
            400,
            "bad-request",
        ),
        ("/login", json!({}), 404, "not-found"),
    ] {
        let error = client.post_json(place, &body).await.unwrap_err();
        match &error {
            ClientError::Refused {
                status: s, code: c, ..
            } => assert_eq!((*s, c.as_str()), (status, code), "{place}"),
            other => panic!("{place}: {other}"),
        }
    }
    assert!(
        client.get_json("/today").await.is_err(),
        "pages are for browsers"
    );
    assert!(client.get_json("/api/v1/session").await.is_err());
    let large = json!({"toml": "x".repeat(9 * 1024 * 1024)});
    let error = client.post_json("/api/v1/apply", &large).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Refused { status: 413, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_is_compared_then_applied_and_its_mistakes_have_places() {
    let local = Local::start().await;
    let client = LocalClient::connect(&local.path).await.unwrap();
    let error = client
        .post_json("/api/v1/apply", &json!({"toml": "a = 1\nb = \n"}))
        .await
        .unwrap_err();
    match &error {
        ClientError::Refused {
            status: 422,
            code,
            answer,
            ..
        } => {
            assert_eq!(code, "mistakes");
            assert_eq!(answer["mistakes"][0]["line"], 2, "{answer}");
        }
        other => panic!("{other}"),
    }
    let file = "version = 1\n[agent]\nstore-name = \"Northfold & Sons\"\n";
    let plan = |dry_run: bool| json!({"toml": file, "secrets": {}, "dry_run": dry_run});
    let dry = client.post_json("/api/v1/apply", &plan(true)).await;
    let Ok(dry) = dry else {
        panic!("{:?}", dry.unwrap_err())
    };
    assert_eq!(dry["applied"], false);
    assert_eq!(
        local.agent.handle.frame().await.unwrap().store,
        "Northfold Goods"
    );
    let done = client
        .post_json("/api/v1/apply", &plan(false))
        .await
        .unwrap();
    assert_eq!(done["difference"], dry["difference"]);
    assert_eq!(
        local.agent.handle.frame().await.unwrap().store,
        "Northfold & Sons"
    );
    let again = client
        .post_json("/api/v1/apply", &plan(true))
        .await
        .unwrap();
    assert_eq!(again["difference"]["changes"], json!([]));
}

/// Names the socket for the child process below.
const SOCKET: &str = "WAYBILL_TEST_SOCKET";

/// Runs as another user, started by the next test; alone it has nothing to ask.
#[tokio::test]
async fn asked_as_another_user() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the parent test hands over the socket"
    )]
    let Ok(path) = std::env::var(SOCKET) else {
        return;
    };
    let client = LocalClient::connect(Path::new(&path)).await.unwrap();
    let error = client.get_json("/api/v1/frame").await.unwrap_err();
    assert!(
        error.to_string().contains("may not command this agent"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("sudo"));
}

#[tokio::test]
async fn another_user_is_turned_away_by_the_kernels_word() {
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        // Only root can become somebody else; the rule itself is tested in `local.rs` of the crate.
        return;
    }
    let local = Local::start().await;
    // The folder's own rights would stop the other user before we are asked.
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(local.agent.folder.path(), open.clone()).unwrap();
    std::fs::set_permissions(&local.path, open).unwrap();
    let program = local.agent.folder.path().join("other-user");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let path = local.path.clone();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .args(["--exact", "asked_as_another_user", "--nocapture"])
            .env(SOCKET, path)
            .current_dir("/")
            .uid(65534)
            .gid(65534)
            .output()
    });
    let output = output.await.unwrap().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}
