//! The first run in a real browser against both sandboxes: from an empty data folder through the set-up to an order that was
//! shipped; the approval with everything that can go wrong. At 360 pixels, and neither a secret nor a token that the approval
//! gave is on any page, in the log, the support bundle, a backup or the database.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod browser;
mod shop;

use browser::Browser;
use browser::axe::Axe;
use flate2::read::GzDecoder;
use rustix::process::Signal;
use serde_json::{Value, json};
use shop::{Agent, Shop, Town, stderr, town};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use waybill_sim::ports::free_port;

const PASSWORD: &str = "four words of mine";

struct Story<'t> {
    browser: Browser,
    page: String,
    town: &'t Town,
}

impl Story<'_> {
    fn go(&mut self, place: &str) {
        let address = format!("{}{place}", self.page);
        self.browser.open(&address);
        self.narrow();
    }

    /// Nothing is wider than the window, once all of it is there.
    fn narrow(&mut self) {
        let wide = "(() => { const wide = [...document.querySelectorAll('body *')] \
             .filter(e => e.getBoundingClientRect().right > 360 && !e.closest('.scroll, .sr, pre')); \
             return document.documentElement.scrollWidth <= 360 ? '' : wide.map(e => e.outerHTML.slice(0, 200)).join('\\n'); })()";
        let mut found = self.browser.value(wide);
        for _ in 0..30 {
            if found == Ok(json!("")) {
                return;
            }
            self.browser
                .wait("new Promise(done => setTimeout(() => done(true), 100))");
            found = self.browser.value(wide);
        }
        panic!("{found:?} on\n{}", self.browser.text());
    }

    fn first_login(&mut self, code: &str) {
        self.go("/login");
        self.browser.fill(&[("#pw", code)]);
        self.browser.press("button.go");
        self.browser.words("Choose your password");
        self.browser.fill(&[("#pw", PASSWORD), ("#pw2", PASSWORD)]);
        self.browser.press("button.go");
        self.browser.words("Your password is saved");
        self.narrow();
    }

    /// The ERP's connection is filled in, at first with a mistake.
    fn fill_in_erp(&mut self) {
        self.browser.press("#begin");
        self.browser.wait("document.querySelector('#s-app-ref')");
        self.narrow();
        self.browser.press("#set-up button.go");
        self.browser.words("to correct");
        let api = format!("{}/public-api/simaccount", self.town.house.erp.api);
        let oauth = self.town.house.erp.api.clone();
        self.browser.fill(&[
            ("#name", "erp"),
            ("#s-account", "simaccount"),
            ("#s-base-url", &api),
            ("#s-auth", "oauth"),
            ("#s-app-ref", "simaccount_waybill"),
            ("#s-dev-ref", "simdev"),
            ("#s-oauth-url", &oauth),
            ("#s-currency", "USD"),
            ("#private", "on"),
        ]);
        self.browser.press("#set-up button.go");
        self.browser.words("Now connect: you approve at");
        self.narrow();
    }

    fn leave_for_the_vendor(&mut self) {
        self.browser.press("#connect");
        self.browser
            .words("Let simaccount_waybill work with this account?");
    }

    /// Denied, wrong, late, and then approved.
    fn approve(&mut self) {
        self.leave_for_the_vendor();
        self.browser.press("#deny");
        self.browser.words("It was not approved there");
        self.narrow();
        self.go("/connect/erp?code=made-up&state=made-up");
        self.browser.words("Nobody here waits for this answer");
        self.go("/connections/erp");
        self.town.erp("POST", "settings", &json!({"codeLifeMs": 0}));
        self.leave_for_the_vendor();
        self.browser.press("#approve");
        self.browser.words("has either expired or does not exist");
        self.town
            .erp("POST", "settings", &json!({"codeLifeMs": 600_000}));
        self.leave_for_the_vendor();
        self.browser.press("#approve");
        self.browser.words("Connected.");
        self.narrow();
    }

    fn fill_in_network(&mut self) {
        self.browser.press("#next");
        self.browser.wait("document.querySelector('#s-api-url')");
        self.narrow();
        let api = format!("{}/api/v3", self.town.house.network.api);
        self.browser.fill(&[
            ("#name", "network"),
            ("#s-api-url", &api),
            ("#c-client-client-id", "sandbox-client"),
            ("#c-client-client-secret", "sandbox-secret"),
            ("#private", "on"),
        ]);
        self.browser.press("#set-up button.go");
        self.browser.words("Saved, and the test succeeded");
        self.narrow();
    }

    fn defaults(&mut self) {
        self.browser.press("#go-on");
        self.browser
            .wait("document.querySelector('#s-erp-order-status')");
        self.narrow();
        // Values of the vendor's own lists: one that is not in them could not be chosen.
        self.browser.fill(&[
            ("select#s-erp-order-status", "22"),
            ("select#s-erp-cancel-status", "5"),
            ("select#s-erp-channel", "3"),
            ("select#s-erp-warehouse", "2"),
            ("select#s-erp-price-list", "3"),
            ("select#s-erp-nominal-code", "4000"),
            ("select#s-erp-shipping-method", "11"),
        ]);
        // What is needed stands first, and the step stays open without it.
        self.browser.press("#defaults button.go");
        self.browser.words("Still empty: Tax code");
        self.browser.fill(&[("select#s-erp-tax-code", "Z")]);
        self.browser.press("#defaults button.go");
        self.browser.words("The defaults are saved");
        self.browser.words("5. Matching");
    }

    /// Rehearses; the page shows the end by itself.
    fn rehearsed(&mut self) {
        self.browser.press("#rehearse button.go");
        self.browser.words("The rehearsal has begun");
        let ended = "fetch('/api/v1/rehearsal').then(a => a.json()).then(r => !r.running)";
        let mut looks = 0..300;
        while self.browser.value(ended) != Ok(json!(true)) {
            assert!(looks.next().is_some(), "{}", self.browser.text());
            self.browser
                .wait("new Promise(done => setTimeout(() => done(true), 1000))");
        }
        self.browser.words("The last rehearsal");
        // It came without a reload: no word of the beginning stays, and each icon is there.
        let whole = "!document.querySelector('#notice, #begun') && \
             [...document.querySelectorAll('use')].every(u => document.querySelector(u.getAttribute('href')))";
        self.browser.wait(whole);
        self.narrow();
    }

    /// An invented order stops where a real one would; what is missing is filled in, and it goes all the way.
    fn rehearse(&mut self) {
        self.go("/first-run/matching");
        self.browser.words("not matched yet");
        // What was read can be matched before any order is routed.
        self.go("/matching/shipping-methods");
        self.browser
            .wait("document.querySelector('datalist option[value=\"UPS|Ground|UPCG\"]')");
        self.narrow();
        self.go("/first-run/matching");
        self.browser.press("#next");
        self.browser.words("One invented order");
        self.narrow();
        self.rehearsed();
        let card = self
            .browser
            .value("document.querySelector('#card')?.innerText ?? ''")
            .unwrap();
        let named = card.as_str().is_some_and(|card| card.contains("11"));
        assert!(named, "{}", self.browser.text());
        self.browser.fill(&[("#code", "Generic Ground")]);
        self.browser.press("#fill button.go");
        self.browser.words("Write it as UPS|Ground|UPCG");
        self.browser.fill(&[("#code", "UPS|Ground|UPCG")]);
        self.browser.press("#fill button.go");
        self.browser.words("Now rehearse again");
        self.browser.words("Saved as UPS|Ground|UPCG");
        self.rehearsed();
        self.browser.words("The order went all the way");
        self.browser.words("Shipment reported and accepted");
        self.browser.words("Main warehouse");
        self.narrow();
        self.browser.press("#next");
        self.browser.words("7. Go live");
        let sales = self.town.erp("GET", "sales", &Value::Null);
        assert_eq!(sales["orders"], json!([]), "a rehearsal made a real sale");
    }

    /// The first data is read.
    fn read_everything(&mut self) {
        self.go("/first-run/matching");
        let read = "fetch('/first-run/matching').then(a => a.text()).then(t => t.includes('Everything was read') && !t.includes('Being read'))";
        self.browser.wait(read);
        self.go("/history");
        self.browser.words("Read everything for the first time");
    }

    /// The flows begin.
    fn begin_in_practice(&mut self) {
        self.go("/first-run/go-live");
        self.narrow();
        self.browser.press("button[value=practice]");
        self.browser.words("Nothing is sent");
        self.narrow();
    }

    /// What would be sent is shown and no sale is made; then it is sent for real.
    fn go_live(&mut self, shop: &Shop, number: &str) {
        // Its own time to look would come within a minute; the search it asks in practice shows what is new a little later.
        let mut looks = 0..60;
        while !shop::stdout(&shop.run(&["practice", "list", "--json"])).contains(number) {
            assert!(looks.next().is_some(), "{}", self.browser.text());
            let polled = shop.run(&["poll", "network"]);
            assert!(polled.status.success(), "{}", shop::stderr(&polled));
            self.browser
                .wait("new Promise(done => setTimeout(() => done(true), 2000))");
        }
        let sales = self.town.erp("GET", "sales", &Value::Null);
        let mut sales = sales["orders"].as_array().unwrap().iter();
        assert!(!sales.any(|sale| sale["ref"] == number), "{sales:?}");
        self.go("/practice");
        self.narrow();
        self.browser.fill(&[("select[name=then]", "apply")]);
        self.browser.press("button[value=live]");
        self.browser.words("will write to");
        self.narrow();
        self.browser.press("#question button.go");
        self.browser
            .wait("fetch('/api/v1/frame').then(a => a.json()).then(f => f.practice === false)");
        self.narrow();
    }

    /// Every page that links lead to, two of each kind, with nothing serious in the checker's eyes.
    fn pages_are_for_everybody(&mut self) {
        let Some(axe) = Axe::find() else { return };
        let (mut open, mut seen) = (vec!["/today".to_owned()], BTreeSet::new());
        let (mut kinds, mut wrong) = (BTreeMap::<String, u32>::new(), Vec::new());
        while let Some(place) = open.pop() {
            let kind = kind(&place);
            let known = kinds.entry(kind).or_default();
            if !seen.insert(place.clone()) || *known == 2 {
                continue;
            }
            *known += 1;
            self.go(&place);
            // A way to the vendor.
            if self.browser.value("location.origin") != Ok(json!(self.page)) {
                continue;
            }
            for finding in axe.serious(&mut self.browser) {
                wrong.push(format!("{place}: {finding}"));
            }
            let links = self.browser.value(
                "[...document.querySelectorAll('a[href]')].filter(a => a.origin === location.origin && !a.hasAttribute('download')) \
                 .map(a => a.pathname + a.search)",
            );
            let links = links.unwrap();
            let links = links.as_array().unwrap().iter();
            open.extend(
                links
                    .filter_map(Value::as_str)
                    .filter(|link| {
                        !link.starts_with("/api/")
                            && !link.contains('.')
                            && !link.ends_with("/file")
                    })
                    .map(str::to_owned),
            );
        }
        assert!(seen.len() > 25, "only these were linked: {seen:?}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Fills in what cards ask for until the order is that far.
    fn until(&mut self, number: &str, state: &str) {
        for _ in 0..40 {
            let look = format!(
                "(async () => {{ for (;;) {{ \
                 const rows = await (await fetch('/api/v1/orders?q={number}')).json(); \
                 if (rows.rows.some(o => o.stage === '{state}')) return 'there'; \
                 const cards = await (await fetch('/api/v1/cards')).json(); \
                 const open = cards.cards.filter(c => !c.ignored); \
                 if (open.length) return JSON.stringify(open[0]); \
                 await new Promise(r => setTimeout(r, 200)); }} }})()"
            );
            let found = self.browser.value(&look).unwrap();
            if found == "there" {
                return;
            }
            let card: Value = serde_json::from_str(found.as_str().unwrap()).unwrap();
            self.fill_card(&card);
        }
        panic!("{number} never was {state}\n{}", self.browser.text());
    }

    fn fill_card(&mut self, card: &Value) {
        let gap = &card["cell"]["gap"];
        let code = match (gap["table"].as_str(), gap["value"].as_str()) {
            (Some("shipping-methods"), Some(value)) if value.parse::<u32>().is_ok() => {
                "UPS|Ground|UPCG"
            }
            (Some("shipping-methods"), _) => "11",
            (Some("warehouses"), Some(value)) if value.parse::<u32>().is_ok() => "WH1",
            (Some("warehouses"), _) => "2",
            _ => panic!("an unexpected card: {card:#}"),
        };
        self.go("/attention");
        let id = card["id"].as_str().unwrap();
        let field = format!("article[id=\"{id}\"] [name=code]");
        self.browser.fill(&[(&field, code)]);
        self.browser
            .press(&format!("article[id=\"{id}\"] button.go"));
        self.browser
            .wait(&format!("!document.querySelector('article[id=\"{id}\"]')"));
    }
}

/// The page without what is a name or a number in its address.
fn kind(place: &str) -> String {
    let path = place.split('?').next().unwrap_or_default();
    let parts = path.split('/').map(|part| {
        let is_name = part.contains(|c: char| c.is_ascii_digit());
        if is_name { "*" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The secret that was typed, and what the vendor gave for approvals.
fn secrets(town: &Town) -> Vec<String> {
    let given = town.erp("GET", "tokens", &Value::Null);
    let given = given.as_array().unwrap().iter();
    let mut all: Vec<String> = given.map(|t| t.as_str().unwrap().to_owned()).collect();
    assert!(all.len() > 2, "nothing was approved: {all:?}");
    all.push("sandbox-secret".to_owned());
    all
}

fn lacks(bytes: &[u8], secrets: &[String], place: &str) {
    for secret in secrets {
        let found = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "`{secret}` is in {place}");
    }
}

/// What the agent leaves behind, and what it said.
fn leaves_no_secret(shop: &Shop, agent: Agent, secrets: &[String]) {
    for args in [["support-bundle", "support.tar.gz"], ["backup", "backup"]] {
        let path = shop.path(args[1]);
        let made = shop.run(&[args[0], path.to_str().unwrap()]);
        assert!(made.status.success(), "{}", stderr(&made));
        let mut bytes = std::fs::read(&path).unwrap();
        if args[0] == "support-bundle" {
            let packed = std::mem::take(&mut bytes);
            GzDecoder::new(&*packed).read_to_end(&mut bytes).unwrap();
        }
        lacks(&bytes, secrets, args[0]);
    }
    let log = [agent.seen.join("\n"), agent.end(Signal::TERM)].concat();
    assert!(log.contains("INFO"), "{log}");
    lacks(log.as_bytes(), secrets, "the log");
    lacks(
        &std::fs::read(shop.database()).unwrap(),
        secrets,
        "the database",
    );
}

#[test]
fn a_merchant_gets_from_nothing_to_a_shipped_order() {
    let Some(program) = browser::program() else {
        eprintln!(
            "SKIPPED: no Chromium on this machine: the first run was not looked at in a browser"
        );
        return;
    };
    let town = town();
    town.hurry();
    let shop = Shop::nothing();
    let port = free_port();
    shop.listen(&format!("127.0.0.1:{port}"), "");
    let agent = shop.start();
    let code = std::fs::read_to_string(shop.data().join("first-password")).unwrap();
    let mut story = Story {
        browser: Browser::start(&program, (360, 800)),
        page: format!("http://127.0.0.1:{port}"),
        town,
    };
    story.first_login(code.trim());
    story.fill_in_erp();
    story.approve();
    story.fill_in_network();
    story.defaults();
    story.read_everything();
    story.rehearse();
    story.begin_in_practice();
    let wish = json!({"po": "PO-FIRST-1", "lines": [{"sku": "TEE-BLK-M", "quantity": 2, "cost_cents": 950}]});
    let made = town.control("POST", "orders", &wish);
    assert!(made["error"].is_null(), "{made:#}");
    story.go_live(&shop, "PO-FIRST-1");
    story.until("PO-FIRST-1", "created");
    let sales = town.erp("GET", "sales", &Value::Null);
    let mut all = sales["orders"].as_array().unwrap().iter();
    let sale = all.find(|sale| sale["ref"] == "PO-FIRST-1").unwrap();
    let id = sale["id"].as_i64().unwrap();
    let note = json!({"stage": "shipped", "reference": "1Z999AA10000000002"});
    town.erp("POST", &format!("order/{id}/note"), &note);
    story.until("PO-FIRST-1", "shipped");
    story.pages_are_for_everybody();
    let secrets = secrets(town);
    for place in [
        "/connections/erp",
        "/connections/network",
        "/connections",
        "/settings",
        "/history",
        "/today",
    ] {
        story.go(place);
        let html = story
            .browser
            .value("document.documentElement.outerHTML")
            .unwrap();
        lacks(html.as_str().unwrap().as_bytes(), &secrets, place);
    }
    leaves_no_secret(&shop, agent, &secrets);
}
