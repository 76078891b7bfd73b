//! Tests of the server over real sockets, with the DSCO sandbox behind it.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client;
use crate::dsco::Sandbox;
use crate::serve::{ServeOptions, Server, TlsOptions};

const QUICK: &str = r#"{"d1_ms":0,"d2_ms":0,"d3_ms":0,"d3_max_ms":0,"log_lag_ms":0}"#;

async fn start() -> Server {
    let settings = serde_json::from_str(QUICK).unwrap();
    let vendor = Sandbox::with_settings(1, &settings).unwrap();
    Server::start(vendor, ServeOptions::default())
        .await
        .unwrap()
}

async fn api(
    server: &Server,
    method: &str,
    path: &str,
    body: &Value,
) -> anyhow::Result<(u16, Value)> {
    let headers = [
        (
            "authorization".to_owned(),
            "bearer sandbox-static-token".to_owned(),
        ),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let bytes = if body.is_null() {
        Vec::new()
    } else {
        body.to_string().into_bytes()
    };
    let address = format!("{}/api/v3{path}", server.api);
    let reply = client::call(method, &address, &headers, bytes).await?;
    Ok((reply.status, reply.value()))
}

async fn control(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    client::json(method, &format!("{}/_sim/{path}", server.control), body)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_order_goes_the_whole_way_over_sockets() {
    let server = start().await;
    let stream = json!({"id": "s", "objectType": "order", "query": {"queryType": "order"}});
    assert_eq!(
        api(&server, "POST", "/stream", &stream).await.unwrap().0,
        201
    );
    let order = control(&server, "POST", "orders", &json!({"po": "PO-1"})).await;
    let id = order["dscoOrderId"].as_str().unwrap().to_owned();
    let path = "/stream/s/0/1970-01-01T00%3A00%3A00Z";
    let (_, page) = api(&server, "GET", path, &Value::Null).await.unwrap();
    assert_eq!(page["events"][0]["payload"]["dscoOrderId"], json!(id));
    let position = page["events"][0]["id"]
        .as_str()
        .unwrap()
        .replace('/', "%2F");
    let put = api(
        &server,
        "PUT",
        &format!("/stream/s/0/{position}"),
        &Value::Null,
    )
    .await
    .unwrap();
    assert_eq!(put.0, 200);
    let ack = json!([{"id": id, "type": "DSCO_ORDER_ID", "supplierOrderNumber": "100001"}]);
    let (status, answer) = api(&server, "POST", "/order/acknowledge", &ack)
        .await
        .unwrap();
    assert_eq!(status, 202);
    let path = format!(
        "/order/log?requestId={}",
        answer["requestId"].as_str().unwrap()
    );
    let (_, log) = api(&server, "GET", &path, &Value::Null).await.unwrap();
    assert_eq!(log["logs"][0]["status"], "success");
    let truth = control(&server, "GET", "truth", &Value::Null).await;
    assert_eq!(truth["orders"][0]["supplierOrderNumber"], "100001");
    let counters = control(&server, "GET", "counters", &Value::Null).await;
    assert_eq!(counters["total"], 5);
    assert_eq!(
        counters["endpoints"]["POST /order/acknowledge"]["status"]["202"],
        1
    );
    control(&server, "POST", "counters/reset", &Value::Null).await;
    assert_eq!(
        control(&server, "GET", "counters", &Value::Null).await["total"],
        0
    );
}

#[tokio::test]
async fn a_cut_before_does_nothing_and_a_cut_after_does_it() {
    let server = start().await;
    let order = control(&server, "POST", "orders", &json!({})).await;
    let id = order["dscoOrderId"].as_str().unwrap().to_owned();
    let ack = json!([{"id": id, "type": "DSCO_ORDER_ID"}]);
    let state = || async {
        let order = control(&server, "GET", &format!("orders/{id}"), &Value::Null).await;
        order["status"].as_str().unwrap().to_owned()
    };
    let rule = |kind: &str| json!({"endpoint": "POST /order/*", "kind": kind, "count": 1});
    control(&server, "POST", "faults", &rule("cut-before")).await;
    assert!(
        api(&server, "POST", "/order/acknowledge", &ack)
            .await
            .is_err()
    );
    assert_eq!(state().await, "created");
    control(&server, "POST", "faults", &rule("cut-after")).await;
    assert!(
        api(&server, "POST", "/order/acknowledge", &ack)
            .await
            .is_err()
    );
    assert_eq!(state().await, "shipment_pending");
    assert_eq!(
        api(&server, "POST", "/order/acknowledge", &ack)
            .await
            .unwrap()
            .0,
        202
    );
    let counters = control(&server, "GET", "counters", &Value::Null).await;
    let of = &counters["endpoints"]["POST /order/acknowledge"];
    assert_eq!(
        (&of["calls"], &of["cut"], &of["faults"]),
        (&json!(3), &json!(2), &json!(2))
    );
}

#[tokio::test]
async fn answers_can_be_replaced_delayed_and_broken_off() {
    let server = start().await;
    let hello = || api(&server, "GET", "/hello", &Value::Null);
    let add = |rule: Value| async move { rule };
    let rule =
        add(json!({"kind": "status", "status": 503, "body": "{\"message\":\"busy\"}", "count": 1}))
            .await;
    control(&server, "POST", "faults", &rule).await;
    assert_eq!(hello().await.unwrap(), (503, json!({"message": "busy"})));
    control(
        &server,
        "POST",
        "faults",
        &json!({"kind": "html", "count": 1}),
    )
    .await;
    assert_eq!(hello().await.unwrap(), (502, Value::Null));
    control(
        &server,
        "POST",
        "faults",
        &json!({"kind": "truncate", "count": 1}),
    )
    .await;
    assert!(hello().await.is_err());
    control(
        &server,
        "POST",
        "faults",
        &json!({"kind": "delay", "ms": 120}),
    )
    .await;
    let before = control(&server, "GET", "clock", &Value::Null).await["now_ms"]
        .as_i64()
        .unwrap();
    assert_eq!(hello().await.unwrap().0, 200);
    let after = control(&server, "GET", "clock", &Value::Null).await["now_ms"]
        .as_i64()
        .unwrap();
    assert!(after - before >= 120, "{}", after - before);
    control(&server, "DELETE", "faults", &Value::Null).await;
    assert_eq!(
        control(&server, "GET", "faults", &Value::Null).await["faults"],
        json!([])
    );
}

#[tokio::test]
async fn the_clock_can_be_advanced() {
    let server = start().await;
    control(&server, "POST", "settings", &json!({"d1_ms": 3_600_000})).await;
    let order = control(&server, "POST", "orders", &json!({})).await;
    let path = format!("orders/{}", order["dscoOrderId"].as_str().unwrap());
    assert_eq!(
        control(&server, "GET", &path, &Value::Null).await["lifecycle"],
        "received"
    );
    control(&server, "POST", "clock", &json!({"advance_ms": 3_600_001})).await;
    assert_eq!(
        control(&server, "GET", &path, &Value::Null).await["lifecycle"],
        "created"
    );
}

#[tokio::test]
async fn the_control_side_is_not_on_the_api_port() {
    let server = start().await;
    let reply = client::call(
        "GET",
        &format!("{}/_sim/truth", server.api),
        &[],
        Vec::new(),
    )
    .await;
    assert_eq!(reply.unwrap().status, 403);
    let address = format!("{}/api/v3/hello", server.control);
    let reply = client::call("GET", &address, &[], Vec::new()).await;
    assert_eq!(reply.unwrap().status, 404);
    let requests = control(&server, "GET", "requests", &Value::Null).await;
    assert_eq!(requests["requests"][0]["request"], "GET /_sim/truth");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = start().await;
    let address = server.api.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = "GET /api/v3/hello HTTP/1.1\r\nHost: x\r\n\
        Authorization: bearer sandbox-static-token\r\n\r\n";
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        while !text.ends_with("{\"hello\":\"World!\"}") {
            let mut buffer = [0; 1024];
            let n = stream.read(&mut buffer).await.unwrap();
            assert!(n > 0, "closed after {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        assert!(text.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn tls_is_trusted_by_the_written_authority() {
    let folder = tempfile::tempdir().unwrap();
    let ca_pem = folder.path().join("ca.pem");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let tls = Some(TlsOptions {
        ca_pem: ca_pem.clone(),
        names,
    });
    let options = ServeOptions {
        tls,
        ..ServeOptions::default()
    };
    let server = Server::start(Sandbox::new(1), options).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::CertificateDer::pem_file_iter(&ca_pem).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let address = server.api.strip_prefix("https://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut stream = connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    let request = "GET /api/v3/hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    // The server may close without a TLS goodbye; what came before counts.
    stream.read_to_end(&mut text).await.ok();
    assert!(String::from_utf8_lossy(&text).starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn webhooks_are_sent_and_their_fate_is_told() {
    use crate::vendor::{Outbound, Req, Resp, Vendor};

    struct Caller {
        target: Option<String>,
        fate: Value,
    }
    impl Vendor for Caller {
        fn handle(&mut self, _: i64, _: &Req) -> Resp {
            Resp::empty(204)
        }
        fn control(&mut self, _: i64, req: &Req) -> Resp {
            self.target = req.json().unwrap()["url"].as_str().map(str::to_owned);
            Resp::json(200, &json!({}))
        }
        fn tick(&mut self, _: i64) {}
        fn endpoint(&self, req: &Req) -> String {
            req.path.clone()
        }
        fn truth(&self) -> Value {
            json!({"fate": self.fate})
        }
        fn outbound(&mut self, _: i64) -> Vec<Outbound> {
            let call = |url| Outbound {
                id: 1,
                method: "POST".to_owned(),
                url,
                headers: vec![("x-hook".to_owned(), "1".to_owned())],
                body: b"{}".to_vec(),
            };
            self.target.take().map(call).into_iter().collect()
        }
        fn outbound_done(&mut self, _: i64, _: u64, status: Option<u16>) {
            self.fate = json!(status.unwrap_or(0));
        }
    }
    let receiver = start().await;
    let caller = Server::start(
        Caller {
            target: None,
            fate: Value::Null,
        },
        ServeOptions::default(),
    )
    .await
    .unwrap();
    control(
        &caller,
        "POST",
        "aim",
        &json!({"url": format!("{}/nowhere", receiver.api)}),
    )
    .await;
    loop {
        let truth = control(&caller, "GET", "truth", &Value::Null).await;
        if !truth["fate"].is_null() {
            assert_eq!(truth["fate"], 403);
            break;
        }
    }
}

#[tokio::test]
async fn the_first_line_says_what_to_enter_and_it_holds() {
    let network = start().await;
    let told: Value = serde_json::from_str(&network.ready_line()).unwrap();
    let enter = |name: &str| told["enter"][name].as_str().unwrap().to_owned();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        enter("Client id"),
        enter("Client secret")
    );
    let headers = [(
        "content-type".to_owned(),
        "application/x-www-form-urlencoded".to_owned(),
    )];
    let address = format!("{}/oauth2/token", enter("API address"));
    let reply = client::call("POST", &address, &headers, form.into_bytes())
        .await
        .unwrap();
    assert_eq!(reply.status, 200);

    let erp = crate::brightpearl::Brightpearl::new(crate::brightpearl::Options::default());
    let erp = Server::start(erp, ServeOptions::default()).await.unwrap();
    let told: Value = serde_json::from_str(&erp.ready_line()).unwrap();
    let enter = |name: &str| told["enter"][name].as_str().unwrap().to_owned();
    let headers = [
        ("brightpearl-app-ref".to_owned(), enter("App reference")),
        ("brightpearl-staff-token".to_owned(), enter("Token")),
    ];
    let address = format!("{}/order-service/order-status", enter("API address"));
    let reply = client::call("GET", &address, &headers, Vec::new())
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
}
