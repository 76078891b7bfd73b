//! `/metrics` as a monitor meets it: the documented names are the exposed ones, Prometheus' own checkers take figures and
//! alerts, a real Prometheus scrapes a real agent; and nobody else gets them.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod shop;

use rustix::process::Signal;
use serde_json::Value;
use shop::Shop;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use waybill_sim::play::provisioning::SECRETS;
use waybill_sim::ports::free_port;

const CONTACT: &str = "waybill_connection_last_contact_timestamp_seconds{";

/// Set by the check that installs Prometheus first: then it must be there.
const NEEDED: &str = "WAYBILL_NEEDS_PROMETHEUS";

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/prometheus/waybill.rules.yml")
}

/// One GET request; status, and what follows the head.
fn get(port: u16, path: &str, headers: &str) -> std::io::Result<(u16, String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let request = format!("GET {path} HTTP/1.0\r\n{headers}\r\n");
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    Ok((status.unwrap_or(0), head.to_owned(), body.to_owned()))
}

fn figures(port: u16) -> String {
    let host = format!("host: 127.0.0.1:{port}\r\n");
    let (status, head, body) = get(port, "/metrics", &host).unwrap();
    assert_eq!(status, 200, "{head}");
    let kind = "content-type: text/plain; version=0.0.4";
    assert!(head.to_lowercase().contains(kind), "{head}");
    body
}

/// Names of the families in an answer.
fn exposed(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    types
        .filter_map(|rest| rest.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// Names in the first column of the table.
fn documented() -> BTreeSet<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/docs/metrics.md");
    let text = std::fs::read_to_string(docs).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect()
}

/// An agent with webhooks on, and its ports.
fn started() -> (Shop, shop::Agent, u16) {
    let shop = Shop::new();
    let (page, hooks) = (free_port(), free_port());
    let more = format!("[hooks]\nlisten = \"127.0.0.1:{hooks}\"\n");
    shop.listen(&format!("127.0.0.1:{page}"), &more);
    let url = format!("http://127.0.0.1:{hooks}");
    shop.set("erp", "hooks.public-url", &url);
    let agent = shop.start();
    // A stranger at the hooks listener is counted and learns nothing.
    let (status, ..) = get(hooks, "/hooks/erp/wrong", "host: a\r\n").unwrap();
    assert_eq!(status, 404);
    (shop, agent, page)
}

/// The figures once every documented name is among them: the first calls and the registration take their time.
fn whole(port: u16) -> String {
    let wanted = documented();
    let mut missing = Vec::new();
    for _ in 0..600 {
        let text = figures(port);
        let found = exposed(&text);
        missing = wanted.difference(&found).cloned().collect();
        // Both sides have answered well once.
        let silent = |line: &str| line.starts_with(CONTACT) && line.ends_with(" 0");
        if missing.is_empty() && !text.lines().any(silent) {
            return text;
        }
        wait();
    }
    panic!("documented, and not exposed: {missing:?}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at another process; the state is what is waited for"
)]
fn wait() {
    std::thread::sleep(Duration::from_millis(100));
}

/// A program of Prometheus; says loudly where it is missing.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "whether it must be there is said by whoever installed it; a skip is said loudly"
)]
fn found(program: &str) -> Option<Command> {
    let mut asked = Command::new(program);
    asked
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if asked.status().is_ok_and(|status| status.success()) {
        return Some(Command::new(program));
    }
    assert!(
        std::env::var(NEEDED).is_err(),
        "`{program}` is missing: apt-get install prometheus"
    );
    eprintln!("SKIPPED: `{program}` is missing: apt-get install prometheus");
    None
}

/// Runs a checker with that input; what it said.
fn checked(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said)
}

#[test]
fn documented_names_are_the_exposed_ones_and_pass_the_checker() {
    let (_shop, agent, page) = started();
    let text = whole(page);
    let (wanted, found_names) = (documented(), exposed(&text));
    let extra: Vec<_> = found_names.difference(&wanted).collect();
    assert!(extra.is_empty(), "exposed, and not documented: {extra:?}");
    for line in [
        "waybill_orders{stage=\"waiting\"} 0",
        "waybill_connection_paused{connection=\"erp\"} 0",
        "waybill_webhooks_total{connection=\"\",status=\"404\"} ",
        "waybill_connector_calls_total{connection=\"network\",outcome=\"ok\"}",
        "waybill_vendor_requests_total{connection=\"erp\",answer=\"2xx\"}",
        "waybill_next_deadline_seconds inf",
        ",state=\"running\"} 1",
        "waybill_store_commit_seconds_bucket{le=\"+Inf\"}",
    ] {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
    let at = text.lines().find(|l| l.starts_with(CONTACT)).unwrap();
    let at = at.rsplit(' ').next().unwrap();
    assert!(at.parse::<f64>().unwrap() > 1.7e9, "{at}");
    // Nothing secret: neither the secrets, nor the word at the end of a webhook's address.
    for (_, secret) in SECRETS {
        assert!(!text.contains(secret));
    }
    if let Some(mut promtool) = found("promtool") {
        let (good, said) = checked(promtool.args(["check", "metrics"]), &text);
        assert!(good && said.trim().is_empty(), "{said}");
    }
    agent.end(Signal::TERM);
}

#[test]
fn figures_are_for_this_machine_alone() {
    let (shop, agent, page) = started();
    let own = format!("host: 127.0.0.1:{page}\r\n");
    assert_eq!(get(page, "/metrics", &own).unwrap().0, 200);
    for passed_on in [
        "x-forwarded-for: 192.0.2.7",
        "forwarded: for=192.0.2.7",
        "via: 1.1 proxy",
        "x-real-ip: 192.0.2.7",
    ] {
        let (status, ..) = get(page, "/metrics", &format!("{own}{passed_on}\r\n")).unwrap();
        assert_eq!(status, 403, "{passed_on}");
    }
    let foreign = get(page, "/metrics", "host: shop.example\r\n").unwrap();
    assert_eq!(foreign.0, 421);
    // The command line's way: no page, but figures.
    let socket = shop.path("s");
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\nhost: local\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("waybill_build_info{"), "{text}");
    agent.end(Signal::TERM);
}

/// Names of ours in the expressions of the alerts.
fn named_in_rules() -> BTreeSet<String> {
    let text = std::fs::read_to_string(rules()).unwrap();
    let expressions = text.lines().filter_map(|l| l.trim().strip_prefix("expr: "));
    expressions
        .flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
        .filter(|word| word.starts_with("waybill_") || word.starts_with("process_"))
        .map(|word| word.trim_end_matches("_bucket").to_owned())
        .collect()
}

#[test]
fn alerts_name_figures_that_exist_and_pass_the_checker() {
    let (named, known) = (named_in_rules(), documented());
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(named.len() > 8 && unknown.is_empty(), "{unknown:?}");
    if let Some(mut promtool) = found("promtool") {
        let (good, said) = checked(promtool.args(["check", "rules"]).arg(rules()), "");
        assert!(good && said.contains("SUCCESS: 15 rules found"), "{said}");
    }
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn asked(port: u16, path: &str) -> Option<Value> {
    let (status, _, body) = get(port, path, "host: 127.0.0.1\r\n").ok()?;
    (status == 200).then(|| serde_json::from_str(&body).ok())?
}

#[test]
fn a_real_prometheus_scrapes_the_agent_and_loads_the_alerts() {
    let Some(mut prometheus) = found("prometheus") else {
        return;
    };
    let (shop, agent, page) = started();
    let port = free_port();
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{:?}]\nscrape_configs:\n  - job_name: waybill\n    static_configs: [{{targets: [\"127.0.0.1:{page}\"]}}]\n",
        rules().canonicalize().unwrap().display().to_string()
    );
    std::fs::write(shop.path("prometheus.yml"), config).unwrap();
    let child = prometheus
        .arg(format!(
            "--config.file={}",
            shop.path("prometheus.yml").display()
        ))
        .arg(format!(
            "--storage.tsdb.path={}",
            shop.path("tsdb").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _prometheus = Ended(child.unwrap());
    let mut last = None;
    let up = (0..900).any(|_| {
        let answer = asked(port, "/api/v1/query?query=up%7Bjob%3D%22waybill%22%7D");
        let is_up = answer
            .as_ref()
            .is_some_and(|a| a["data"]["result"][0]["value"][1] == "1");
        last = answer;
        if !is_up {
            wait();
        }
        is_up
    });
    assert!(up, "{last:#?}");
    let targets = asked(port, "/api/v1/targets").unwrap();
    let target = &targets["data"]["activeTargets"][0];
    assert_eq!(target["health"], "up", "{target:#}");
    assert_eq!(target["lastError"], "", "{target:#}");
    // Every alert was evaluated, and none of them failed to be.
    let mut rules = Vec::new();
    for _ in 0..300 {
        let answer = asked(port, "/api/v1/rules").unwrap();
        rules = answer["data"]["groups"][0]["rules"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if !rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown") {
            break;
        }
        wait();
    }
    assert_eq!(rules.len(), 15);
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule:#}");
    }
    agent.end(Signal::TERM);
}
