//! The exports: the example's own answers, or the broken ones of the flavour.

use crate::bindings::exports::waybill::connector::{base, sink, source};
use crate::connector;
use crate::flavour::is;
use std::sync::atomic::{AtomicU32, Ordering};
use waybill_sdk::bindings::waybill::host::{clock, http};
use waybill_sdk::commerce::{Body, Document, Entity};
use waybill_sdk::effect::effect;
use waybill_sdk::effects::IoError;
use waybill_sdk::http::{Request, Response};
use waybill_sdk::links::Link;
use waybill_sdk::log::Level;
use waybill_sdk::types::{
    ChoicePage, Context, Credential, Descriptor, Failure, Moment, Oauth, Problem, Scheme, Setting,
    Settings, Verdict,
};
use waybill_sdk::{Core, Host, WasmHost};

static ASKED: AtomicU32 = AtomicU32::new(0);

/// The connector.
#[derive(Debug)]
pub struct Broken;

impl base::Guest for Broken {
    fn describe() -> Descriptor {
        let mut descriptor = connector::descriptor();
        if is("describe:counts") {
            descriptor.title = format!("Example shop {}", ASKED.fetch_add(1, Ordering::Relaxed));
        }
        if is("describe:clock") {
            descriptor.title = format!("Example shop {}", clock::now_ms());
        }
        if is("exports:differ") {
            descriptor.pushes.clear();
        }
        if is("describe:unknown") {
            "{adress}".clone_into(&mut descriptor.reach[0].url);
        }
        if is("secret:setting") {
            let password = Setting {
                key: "shop-password".to_owned(),
                label: "Password".to_owned(),
                required: false,
                ..descriptor.settings[0].clone()
            };
            descriptor.settings.push(password);
        }
        if is("secret:exposed") {
            descriptor.credentials.push(exposing());
        }
        descriptor
    }
    fn validate(ctx: Context) -> Vec<Problem> {
        let mut problems = connector::validate(&ctx);
        if is("validate:names") {
            for problem in &mut problems {
                "address-is-wrong".clone_into(&mut problem.code);
            }
        }
        problems
    }
    fn probe(ctx: Context) -> Result<Settings, Failure> {
        if is("probe:writes") {
            drop(WasmHost.send(&post(&ctx, "/hello").effect(effect("hello", []))));
        }
        if is("answer:unwrap") {
            let answer = WasmHost.send(&post(&ctx, "/hello").with_method("GET"));
            let body = answer.map(|a| a.body).unwrap_or_default();
            let hello: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let name = hello["name"].as_str().map(str::to_owned);
            return Ok(vec![("shop".to_owned(), trusted(name))]);
        }
        connector::probe(&WasmHost, &ctx)
    }
    fn choices(_: Context, _: String, _: Option<String>) -> Result<ChoicePage, Failure> {
        Ok(ChoicePage {
            items: Vec::new(),
            next: None,
        })
    }
}

/// As an author writes it who has never seen this vendor's bad days.
fn trusted(name: Option<String>) -> String {
    match name {
        Some(name) => name,
        None => panic!("the vendor always gives a name"),
    }
}

trait WithMethod {
    fn with_method(self, method: &str) -> Self;
}

impl WithMethod for Request {
    fn with_method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }
}

fn post(ctx: &Context, path: &str) -> Request {
    let address = waybill_sdk::Settings::new(&ctx.settings).text("address", "");
    Request::new("POST", format!("{address}{path}")).credential("key")
}

fn exposing() -> Credential {
    Credential {
        slot: "spare".to_owned(),
        label: "Token".to_owned(),
        help: String::new(),
        scheme: Scheme::Oauth2Client(Oauth {
            authorize_url: String::new(),
            token_url: "{address}/token".to_owned(),
            client_id: "me".to_owned(),
            form: Vec::new(),
            headers: Vec::new(),
            expose: vec!["access_token".to_owned()],
        }),
        secrets: Vec::new(),
        hosts: vec!["{address}".to_owned()],
        steps: Vec::new(),
    }
}

impl source::Guest for Broken {
    fn pull(ctx: Context, _: Entity, cursor: Option<Vec<u8>>) -> Result<source::Page, Failure> {
        let mut page = connector::pull(&WasmHost, &ctx, cursor.as_deref())?;
        if is("pull:goes-back") {
            page.cursor = cursor.clone().unwrap_or_else(|| b"0".to_vec());
        }
        if is("pull:restarts") && page.documents.is_empty() {
            page.cursor = b"0".to_vec();
        }
        if is("pull:endless") {
            let text = String::from_utf8_lossy(&page.cursor).into_owned();
            let last: u64 = text.parse().unwrap_or(0);
            page.more = true;
            page.cursor = (last + 1).to_string().into_bytes();
        }
        Ok(page)
    }
    fn fetch(ctx: Context, _: Entity, keys: Vec<String>) -> Result<Vec<Document>, Failure> {
        connector::fetch(&WasmHost, &ctx, &keys)
    }
    fn settle(_: Context, _: Moment, batch: Vec<source::Settled>) -> Result<Vec<Verdict>, Failure> {
        Ok(connector::nothing_to_tell(batch.len()))
    }
}

/// The host, seen through a connector that does it wrong.
struct Wrong;

impl Core for Wrong {
    fn now_ms(&self) -> i64 {
        WasmHost.now_ms()
    }
    fn remaining_ms(&self) -> u32 {
        WasmHost.remaining_ms()
    }
    fn kv_get(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        WasmHost.kv_get(keys)
    }
    fn kv_scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        WasmHost.kv_scan(prefix, after, limit)
    }
    fn kv_set(&self, key: &str, value: &[u8]) {
        WasmHost.kv_set(key, value);
    }
    fn kv_delete(&self, key: &str) {
        WasmHost.kv_delete(key);
    }
    fn links(&self, entity: Entity, keys: &[String]) -> Vec<Vec<Link>> {
        WasmHost.links(entity, keys)
    }
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        WasmHost.log(level, message, fields);
    }
}

impl Host for Wrong {
    fn send(&self, request: &Request) -> Result<Response, IoError> {
        let mut request = request.clone();
        if is("push:no-effect") {
            request.effect = None;
        }
        if let Some(effect) = &mut request.effect {
            if is("push:new-step") {
                effect.step = format!("{} at {}", effect.step, clock::now_ms());
            }
            // Sends again without having looked.
            effect.verified_absent |= is("push:no-look");
        }
        http::send(&request)
    }
    fn retract(&self, step: &str, members: &[u32]) {
        WasmHost.retract(step, members);
    }
    fn quota(&self, remaining: u32, resets_in_ms: u32) {
        WasmHost.quota(remaining, resets_in_ms);
    }
}

impl sink::Guest for Broken {
    fn push(ctx: Context, batch: Vec<sink::Delivery>) -> Result<Vec<Verdict>, Failure> {
        if is("push:elsewhere") {
            drop(http::send(&Request::get("https://elsewhere.test/collect")));
        }
        if is("document:slice")
            && let Some(Body::Order(order)) = batch.first().map(|d| &d.document.body)
        {
            let start = &order.number[..3];
            WasmHost.log(Level::Debug, start, &[]);
        }
        let mut verdicts = connector::push(&Wrong, &ctx, &batch);
        if is("push:few") {
            verdicts.truncate(1);
        }
        Ok(verdicts)
    }
}
