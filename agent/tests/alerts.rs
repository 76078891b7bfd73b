//! Alerts of the real program: mail to a server that speaks SMTP over TLS, a webhook and a ping over HTTP, all on sockets of
//! this test; that nothing goes where it may not, and that no secret is said.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod shop;

use serde_json::Value;
use shop::{Agent, Shop, json, stderr};
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const PASSWORD: &str = "hush-hush-4711";
const PATH: &str = "/services/T1/B2/very-secret-part";

const GREETING: &[u8] = b"220 test ESMTP\r\n";

/// One session of SMTP: as much as it takes to get a mail, and the login before it.
async fn mail_session<S: AsyncRead + AsyncWrite + Unpin>(stream: S, heard: Sender<String>) {
    let mut stream = BufReader::new(stream);
    let (mut mail, mut in_data) = (String::new(), false);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        mail.push_str(&line);
        let answer = match line.trim_end() {
            "." if in_data => {
                in_data = false;
                "250 taken"
            }
            _ if in_data => "",
            command if command.starts_with("EHLO") => "250-test\r\n250 AUTH PLAIN LOGIN",
            command if command.starts_with("AUTH") => "235 welcome",
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        if !answer.is_empty() {
            let answer = format!("{answer}\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        if line.trim_end() == "QUIT" {
            break;
        }
        line.clear();
    }
    drop(heard.send(mail));
}

/// A session's beginning in the clear: nothing is taken before TLS.
async fn until_tls(stream: &mut TcpStream) {
    let mut stream = BufReader::new(stream);
    stream.write_all(GREETING).await.unwrap();
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let answer = match line.trim_end() {
            "STARTTLS" => return stream.write_all(b"220 go on\r\n").await.unwrap(),
            command if command.starts_with("EHLO") => "250-test\r\n250 STARTTLS\r\n",
            _ => "530 STARTTLS first\r\n",
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// A mail server over TLS, from the start or after STARTTLS, and what it is sent; its authority's certificate goes to that
/// file.
fn mail_server(runtime: &Runtime, ca: &Path, starttls: bool) -> (u16, Receiver<String>) {
    let acceptor = waybill_sim::tls::acceptor(ca, &["localhost".to_owned()]).unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, heard) = channel();
    runtime.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if starttls {
                until_tls(&mut stream).await;
            }
            if let Ok(mut stream) = acceptor.accept(stream).await {
                if !starttls {
                    stream.write_all(GREETING).await.unwrap();
                }
                mail_session(stream, tell.clone()).await;
            }
        }
    });
    (port, heard)
}

/// A web server that answers 200 to everything, and what it is sent.
fn web_server(runtime: &Runtime) -> (u16, Receiver<String>) {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, heard) = channel();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let (mut text, mut line, mut length) = (String::new(), String::new(), 0);
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                let lower = line.to_ascii_lowercase();
                if let Some(bytes) = lower.strip_prefix("content-length:") {
                    length = bytes.trim().parse().unwrap();
                }
                text.push_str(&line);
                line.clear();
            }
            let mut body = vec![0; length];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut body)
                .await
                .unwrap();
            text.push_str(&String::from_utf8(body).unwrap());
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            drop(tell.send(text));
        }
    });
    (port, heard)
}

fn secret(shop: &Shop, name: &str, value: &str) -> Output {
    let mut command = shop.command(&["alerts", "secret", name]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(value.as_bytes()).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}

fn settings(mail: u16, private: bool, tls: &str) -> String {
    format!(
        "version = 1\n[settings]\n\"alerts.mail-to\" = \"desk@example.com, it@example.com\"\n\
         \"alerts.mail-from\" = \"waybill@example.com\"\n\"alerts.smtp\" = \"localhost:{mail}\"\n\
         \"alerts.smtp-user\" = \"waybill\"\n\"alerts.smtp-tls\" = \"{tls}\"\n\"alerts.webhook\" = \"slack\"\n\"alerts.private\" = \"{private}\"\n"
    )
}

fn ways(output: &Output) -> Vec<(String, Option<String>)> {
    let answer: Value = json(output);
    let ways = answer["ways"].as_array().unwrap().iter();
    ways.map(|way| {
        let error = way["error"].as_str().map(str::to_owned);
        (way["name"].as_str().unwrap().to_owned(), error)
    })
    .collect()
}

/// A shop without connectors, whose connections therefore need a person.
fn started(ca: &Path, mail: u16, private: bool, tls: &str) -> (Shop, Agent) {
    let shop = Shop::bare();
    let none = shop.path("none");
    let roots = format!("trusted-roots = {:?}\n", ca.display().to_string());
    shop.configure(&none, "127.0.0.1:0", &roots, &shop.path("compiled"));
    shop.applied(&settings(mail, private, tls), &[]);
    let agent = shop.start();
    (shop, agent)
}

fn until(heard: &Receiver<String>, words: &str) -> String {
    loop {
        let text = heard.recv_timeout(Duration::from_mins(2)).unwrap();
        if text.contains(words) {
            return text;
        }
    }
}

#[test]
fn what_needs_a_person_goes_out_by_mail_and_webhook_and_the_ping_follows() {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let (mail, mails) = mail_server(&runtime, &ca, false);
    let (web, posts) = web_server(&runtime);
    let (shop, agent) = started(&ca, mail, true, "tls");
    for (name, value) in [
        ("smtp-password", PASSWORD.to_owned()),
        ("webhook-url", format!("http://127.0.0.1:{web}{PATH}")),
        ("ping-url", format!("http://127.0.0.1:{web}/ping{PATH}")),
    ] {
        let set = secret(&shop, name, &value);
        assert!(set.status.success(), "{}", stderr(&set));
    }
    let tested = shop.run(&["alerts", "test", "--json"]);
    let arrived = ["mail", "ping", "webhook"].map(|name| (name.to_owned(), None));
    assert_eq!(ways(&tested), arrived);
    let text = until(&mails, "a test of Waybill's alerts");
    // The user and the password as `AUTH PLAIN` sends them.
    assert!(
        text.contains("AUTH PLAIN AHdheWJpbGwAaHVzaC1odXNoLTQ3MTE="),
        "{text}"
    );
    assert!(text.contains("RCPT TO:<it@example.com>"), "{text}");
    until(&posts, "a test of Waybill's alerts");

    let post = until(&posts, "need");
    assert!(post.starts_with(&format!("POST {PATH} ")), "{post}");
    assert!(post.contains("\"text\":\"*"), "{post}");
    until(&mails, "To: desk@example.com, it@example.com");
    let shown = shop.run(&["alerts", "show", "--json"]);
    let log = agent.end(rustix::process::Signal::TERM);
    let said = format!("{}{log}{}", json(&shown), json(&tested));
    for planted in [PASSWORD, "very-secret-part"] {
        assert!(!said.contains(planted), "{said}");
    }
}

#[test]
fn mail_goes_by_starttls_where_that_is_set() {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let (mail, mails) = mail_server(&runtime, &ca, true);
    let (shop, _agent) = started(&ca, mail, true, "starttls");
    let set = secret(&shop, "smtp-password", PASSWORD);
    assert!(set.status.success(), "{}", stderr(&set));
    let tested = shop.run(&["alerts", "test", "--json"]);
    // Where the webhook leads is not set.
    let by_mail = ways(&tested).into_iter().find(|(name, _)| name == "mail");
    assert_eq!(by_mail, Some(("mail".to_owned(), None)));
    let text = until(&mails, "a test of Waybill's alerts");
    assert!(text.contains("AUTH PLAIN"), "{text}");
}

#[test]
fn nothing_goes_to_an_address_that_was_not_allowed() {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let (mail, mails) = mail_server(&runtime, &ca, false);
    let (web, posts) = web_server(&runtime);
    let (shop, _agent) = started(&ca, mail, false, "tls");
    secret(&shop, "smtp-password", PASSWORD);
    secret(
        &shop,
        "webhook-url",
        &format!("https://127.0.0.1:{web}{PATH}"),
    );
    let tested = shop.run(&["alerts", "test", "--json"]);
    assert_eq!(tested.status.code(), Some(1));
    for (name, error) in ways(&tested) {
        let error = error.unwrap();
        assert!(error.contains("private"), "{name}: {error}");
    }
    assert!(mails.try_recv().is_err() && posts.try_recv().is_err());
    let bad = secret(&shop, "webhook-url", "hooks.example.com");
    assert!(stderr(&bad).contains("https://"), "{}", stderr(&bad));
}
