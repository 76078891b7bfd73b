//! Owns what happens to one request before and after its handler: account, sign-in endpoints, throttle, tokens, headers.
//! It must not know any resource.

use serde_json::{Value, json};

use super::account::{Brightpearl, INSTANCE_ID};
use super::auth::{Auth, STAFF_TOKEN};
use super::call::{Call, stable};
use super::envelope::{Reply, render};
use super::throttle::Quota;
use crate::vendor::{Outbound, Req, Resp, Vendor};

/// What the gateway says beyond the cap.
pub(super) const TOO_MANY: &str =
    "You have sent too many requests. Please wait before sending another request";

impl Vendor for Brightpearl {
    fn entered(&self, api: &str) -> Value {
        let account = &self.settings.account;
        json!({
            "Account code": account,
            "API address": format!("{api}/public-api/{account}"),
            "App reference": self.settings.app_ref,
            "Token": STAFF_TOKEN,
            "Private addresses": "ticked",
        })
    }

    fn handle(&mut self, now_ms: i64, req: &Req) -> Resp {
        if let Some(resp) = self.auth.handle(now_ms, req) {
            return resp;
        }
        let pool = Auth::pool(req);
        let cap = self.settings.requests_per_minute;
        let quota = self
            .throttle
            .take(now_ms, &pool, cap, self.settings.throttle);
        if quota.refused {
            return self.answer(&Reply::gateway(503, TOO_MANY), "api-proxy", quota, true);
        }
        let inside = format!("/public-api/{}/", self.settings.account);
        let Some(path) = req.path.strip_prefix(&inside) else {
            let text = "Not authenticated. You must provide a valid authentication token.";
            return self.answer(&Reply::gateway(401, text), "api-proxy", quota, false);
        };
        if let Err(text) = self.auth.check(now_ms, req) {
            return self.answer(&Reply::gateway(401, &text), "api-proxy", quota, false);
        }
        let mut call = Call::new(&req.method, path, req.query.clone(), req.body.clone());
        call.if_match = req.header("if-match").map(str::to_owned);
        let (kind, reply) = self.dispatch(now_ms, &call);
        self.answer(&reply, kind, quota, true)
    }

    fn control(&mut self, now_ms: i64, req: &Req) -> Resp {
        self.run_control(now_ms, req)
    }

    fn tick(&mut self, now_ms: i64) {
        let burnt = self.burn.due(now_ms);
        if burnt > 0 {
            let cap = self.settings.requests_per_minute;
            self.throttle
                .burn(now_ms, &["account".to_owned()], burnt, Some(cap));
        }
        if !self.pending_invoices.is_empty() {
            self.finish_invoices(now_ms);
        }
    }

    fn endpoint(&self, req: &Req) -> String {
        let segments = req.segments();
        match segments.as_slice() {
            ["public-api", _, rest @ ..] => format!("{} {}", req.method, stable(rest)),
            [place @ ("authorize" | "token"), _] => format!("{} /{place}", req.method),
            [.., "oauth", "token"] => format!("{} /token", req.method),
            other => format!("{} {}", req.method, stable(other)),
        }
    }

    fn truth(&self) -> Value {
        self.truth_view()
    }

    fn state(&self) -> Value {
        self.state_view()
    }

    fn outbound(&mut self, now_ms: i64) -> Vec<Outbound> {
        let account = self.settings.account.clone();
        self.hooks.due(now_ms, &account)
    }

    fn outbound_done(&mut self, now_ms: i64, id: u64, status: Option<u16>) {
        self.hooks.done(now_ms, id, status);
    }
}

impl Brightpearl {
    fn answer(&mut self, reply: &Reply, kind: &str, quota: Quota, known: bool) -> Resp {
        let mut resp = Resp {
            status: reply.status,
            headers: vec![(
                "Content-Type".to_owned(),
                "application/json;charset=UTF-8".to_owned(),
            )],
            body: render(&reply.body).into_bytes(),
        };
        let ruid = self.dice.uuid();
        let mut head = |name: &str, value: &str| {
            resp.headers.push((name.to_owned(), value.to_owned()));
        };
        head(
            "Brightpearl-Requests-Remaining",
            &quota.remaining.to_string(),
        );
        head(
            "Brightpearl-Next-Throttle-Period",
            &quota.next_ms.to_string(),
        );
        if known {
            head(
                "Brightpearl-Installed-Integration-Instance-Id",
                &INSTANCE_ID.to_string(),
            );
        }
        head("Ruid", &ruid);
        head("Message-Type", kind);
        head("Cache-Control", "no-cache, must-revalidate");
        head("Expires", "Mon, 20 Dec 1998 01:00:00 GMT");
        head("Pragma", "no-cache");
        resp
    }
}
