//! The wire by itself: TLS with an own authority, addresses, and which errors prove that nothing was sent.

use crate::support::site::{Reply, Site, text};
use std::sync::Arc;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use waybill_host::ports::{Wire, WireError, WireRequest, WireResponse};
use waybill_host::wire::NetWire;

fn request(url: String) -> WireRequest {
    WireRequest {
        method: "GET".to_owned(),
        url,
        headers: vec![("x-a".to_owned(), "1".to_owned())],
        body: Vec::new(),
        allow_private: true,
        max_answer: 1_000,
        timeout_ms: 5_000,
    }
}

async fn get(wire: &NetWire, url: &str) -> Result<WireResponse, WireError> {
    wire.send(request(url.to_owned())).await
}

/// A server's configuration and the PEM of its authority.
fn tls() -> (Arc<ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    (Arc::new(config), made.cert.pem())
}

#[tokio::test]
async fn an_own_authority_is_trusted_and_a_stranger_is_not() {
    let (config, pem) = tls();
    let site = Site::start_tls(|_| text(200, "hello"), config).await;
    let url = format!("https://localhost:{}/", site.port);
    let stranger = NetWire::new(b"").unwrap();
    match get(&stranger, &url).await {
        Err(WireError::NotSent(why)) => assert!(why.contains("certificate"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(site.asked().is_empty());
    let own = NetWire::new(pem.as_bytes()).unwrap();
    let answer = get(&own, &url).await.unwrap();
    assert_eq!((answer.status, answer.body), (200, b"hello".to_vec()));
    assert_eq!(site.asked()[0].header("x-a"), Some("1"));
    assert!(NetWire::new(b"no certificate").is_err());
}

#[tokio::test]
async fn a_rehearsals_wire_reaches_this_machine_and_nothing_else() {
    let site = Site::start(|_| text(200, "hello")).await;
    let wire = NetWire::new(b"").unwrap().on_this_machine();
    let own = format!("http://127.0.0.1:{}/", site.port);
    assert_eq!(get(&wire, &own).await.unwrap().status, 200);
    for other in ["http://192.168.7.7/", "http://10.0.0.1/", "http://1.1.1.1/"] {
        match get(&wire, other).await {
            Err(WireError::AddressRefused { .. }) => {}
            answer => panic!("{other}: {answer:?}"),
        }
    }
    let secured = get(&wire, "https://127.0.0.1/").await;
    assert!(matches!(secured, Err(WireError::NotSent(_))), "{secured:?}");
}

#[tokio::test]
async fn names_and_numbers_of_this_machine_are_refused_unless_granted() {
    let wire = NetWire::new(b"").unwrap();
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "0x7f.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
    ] {
        let refused = wire
            .send(WireRequest {
                allow_private: false,
                ..request(format!("https://{host}:9/"))
            })
            .await;
        assert!(
            matches!(refused, Err(WireError::AddressRefused { .. })),
            "{host}: {refused:?}"
        );
    }
    for url in [
        "http://8.8.8.8/",
        "http://169.254.169.254/",
        "https://0.0.0.0/",
    ] {
        let refused = get(&wire, url).await;
        assert!(
            matches!(refused, Err(WireError::AddressRefused { .. })),
            "{url}: {refused:?}"
        );
    }
    let plain = wire
        .send(WireRequest {
            allow_private: false,
            ..request("http://127.0.0.1:9/".to_owned())
        })
        .await;
    assert!(matches!(plain, Err(WireError::NotSent(_))), "{plain:?}");
}

#[tokio::test]
async fn errors_say_whether_something_was_sent() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/hang-up" => Reply::HangUp,
        "/silence" => Reply::Silence,
        "/large" => Reply::Answer(200, Vec::new(), vec![0; 1_001]),
        "/moved" => Reply::Answer(301, vec![("location", "/".to_owned())], Vec::new()),
        _ => text(200, "hello"),
    })
    .await;
    let wire = NetWire::new(b"").unwrap();
    let base = site.base();
    assert!(matches!(
        get(&wire, &format!("{base}/hang-up")).await,
        Err(WireError::Lost(_))
    ));
    assert!(matches!(
        get(&wire, &format!("{base}/large")).await,
        Err(WireError::TooLarge(1_000))
    ));
    assert_eq!(
        get(&wire, &format!("{base}/moved")).await.unwrap().status,
        301
    );
    assert!(matches!(
        get(&wire, "http://127.0.0.1:1/").await,
        Err(WireError::NotSent(_))
    ));
    assert!(matches!(
        get(&wire, "https://no-such-name.invalid/").await,
        Err(WireError::NotSent(_))
    ));
    let late = wire
        .send(WireRequest {
            timeout_ms: 100,
            ..request(format!("{base}/silence"))
        })
        .await;
    assert!(matches!(late, Err(WireError::TimedOut)), "{late:?}");
    let head = WireRequest {
        method: "HEAD".to_owned(),
        ..request(format!("{base}/large"))
    };
    assert_eq!(wire.send(head).await.unwrap().status, 200);
}
