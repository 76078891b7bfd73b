//! Secrets that this test knows, planted in every place that takes one; then everything the agent says or writes is searched
//! for them: its log, every page and every answer of the API that can be reached, the support bundle, the database, a
//! backup and what is said of it.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod shop;

use flate2::read::GzDecoder;
use rustix::process::Signal;
use serde_json::{Value, json};
use shop::{Shop, json as told, stderr, town, wait};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;
use waybill_sim::play::provisioning::{self, HURRY, SECRETS, Scene};
use waybill_sim::ports::free_port;

const PASSWORD: &str = "correct-horse-battery";
/// Typed as secrets of alerts.
const ALERTS: [(&str, &str); 3] = [
    ("smtp-password", "planted-mail-password"),
    (
        "webhook-url",
        "https://hooks.example.com/planted/webhook/path",
    ),
    ("ping-url", "https://ping.example.com/planted-ping-path"),
];

/// Where something was said, and what.
type Said = BTreeMap<String, Vec<u8>>;

struct Page {
    port: u16,
    cookie: String,
}

impl Page {
    /// Status, head and body of an answer.
    fn ask(&self, method: &str, place: &str, form: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        let head = format!(
            "{method} {place} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\ncookie: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            self.port,
            self.cookie,
            form.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, answer[end + 4..].to_vec())
    }

    fn keep_cookie(&mut self, head: &str) {
        let mut lines = head.lines();
        let set = lines.find_map(|line| line.strip_prefix("set-cookie: "));
        let set = set.unwrap().split(';').next().unwrap();
        set.clone_into(&mut self.cookie);
    }

    /// The first login, with the code from its file.
    fn log_in(&mut self, code: &str) {
        let (_, head, _) = self.ask("POST", "/login", &format!("user=admin&password={code}"));
        self.keep_cookie(&head);
        let (_, _, page) = self.ask("GET", "/password", "");
        let page = String::from_utf8(page).unwrap();
        let (_, token) = page.split_once("name=\"token\" value=\"").unwrap();
        let token = token.split('"').next().unwrap();
        let form = format!("token={token}&password={PASSWORD}&again={PASSWORD}");
        let (status, head, _) = self.ask("POST", "/password", &form);
        assert_eq!(status, 303, "{head}");
        self.keep_cookie(&head);
    }

    /// Every page that links lead to, from the first one on.
    fn crawl(&self, said: &mut Said) {
        let mut left = vec!["/today".to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(place) = left.pop() {
            if !seen.insert(place.clone()) || seen.len() > 200 {
                continue;
            }
            let (_, _, body) = self.ask("GET", &place, "");
            let text = String::from_utf8_lossy(&body).into_owned();
            let links = text.split("href=\"").skip(1);
            let links = links.filter_map(|rest| rest.split('"').next());
            let own = links.filter(|link| link.starts_with('/') && !link.starts_with("//"));
            left.extend(own.map(|link| link.split('#').next().unwrap().replace("&amp;", "&")));
            said.insert(format!("page {place}"), body);
        }
        assert!(seen.len() > 20, "{seen:?}");
    }

    /// Every address of the API that needs no parameter.
    fn api(&self, said: &mut Said) {
        let (_, _, body) = self.ask("GET", "/api/v1/openapi.json", "");
        let described: Value = serde_json::from_slice(&body).unwrap();
        let paths = described["paths"].as_object().unwrap();
        let plain = paths
            .iter()
            .filter(|(path, of)| of["get"].is_object() && !path.contains('{'));
        for (path, _) in plain {
            let (status, _, body) = self.ask("GET", path, "");
            assert_ne!(status, 500, "{path}");
            said.insert(format!("API {path}"), body);
        }
    }
}

fn plant(shop: &Shop, name: &str, value: &str) {
    let mut command = shop.command(&["alerts", "secret", name]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(value.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// Until the order has a sale at the ERP, so that both vendors were called with their credentials.
fn waits_for_a_sale(shop: &Shop, po: &str) {
    wait("the sale", || {
        let found = shop.run(&["order", po, "--json"]);
        let made = found.status.success() && told(&found)["order"]["sale"].is_string();
        made.then_some(())
    });
}

fn unpacked(shop: &Shop, said: &mut Said) {
    let path = shop.path("support.tar.gz");
    let made = shop.run(&["support-bundle", path.to_str().unwrap()]);
    assert!(made.status.success(), "{}", stderr(&made));
    let file = std::fs::File::open(path).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        said.insert(format!("bundle {name}"), bytes);
    }
}

#[test]
fn no_secret_is_said_or_written_anywhere() {
    let shop = Shop::new();
    let port = free_port();
    shop.listen(&format!("127.0.0.1:{port}"), "");
    town().hurry();
    let scene = Scene {
        every_method: true,
        ..Scene::of(&HURRY)
    };
    shop.applied(&provisioning::plan(&town().house, &scene), &SECRETS);
    let order = json!({"po": "PO-SECRETS-1", "lines": [{"sku": "TEE-BLK-M", "quantity": 1, "cost_cents": 950}]});
    let made = town().control("POST", "orders", &order);
    assert!(made["error"].is_null(), "{made:#}");
    let agent = shop.start();
    let code = std::fs::read_to_string(shop.data().join("first-password")).unwrap();
    let mut page = Page {
        port,
        cookie: String::new(),
    };
    page.log_in(code.trim());
    for (name, value) in ALERTS {
        plant(&shop, name, value);
    }
    let added = told(&shop.run(&["users", "add", "vera", "--json"]));
    waits_for_a_sale(&shop, "PO-SECRETS-1");

    let mut planted: Vec<String> = SECRETS.iter().map(|(_, s)| (*s).to_owned()).collect();
    planted.extend(ALERTS.iter().map(|(_, s)| (*s).to_owned()));
    planted.extend([PASSWORD.to_owned(), code.trim().to_owned()]);
    planted.push(added["code"].as_str().unwrap().to_owned());
    let key = std::fs::read_to_string(shop.data().join("seal.key")).unwrap();
    planted.push(key.trim().to_owned());

    let mut said = Said::new();
    page.crawl(&mut said);
    page.api(&mut said);
    unpacked(&shop, &mut said);
    let backup = shop.path("backup");
    let listed = shop.run(&["backup", backup.to_str().unwrap()]);
    assert!(listed.status.success(), "{}", stderr(&listed));
    let checked = shop.run(&["backup", "verify", backup.to_str().unwrap()]);
    said.insert("backup".to_owned(), std::fs::read(&backup).unwrap());
    said.insert(
        "what is said of it".to_owned(),
        [listed.stdout, checked.stdout].concat(),
    );
    let log = [agent.seen.join("\n"), agent.end(Signal::TERM)].concat();
    assert!(log.contains("INFO"), "{log}");
    said.insert("log".to_owned(), log.into_bytes());
    said.insert(
        "database".to_owned(),
        std::fs::read(shop.database()).unwrap(),
    );

    for (place, bytes) in &said {
        for secret in &planted {
            let secret = secret.as_bytes();
            let found = bytes.windows(secret.len()).any(|part| part == secret);
            assert!(
                !found,
                "`{}` is in {place}",
                String::from_utf8_lossy(secret)
            );
        }
    }
    assert!(said.len() > 60, "{:?}", said.keys());
}
