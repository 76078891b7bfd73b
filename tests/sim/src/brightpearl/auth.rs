//! Owns tokens: the private app's two, the instance app's access and refresh tokens, and the two sign-in endpoints with
//! their own error shapes. It must not know throttling or any resource.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded;

use crate::dice::Dice;
use crate::vendor::{Req, Resp};

/// Token of a member of staff of the private app.
pub(super) const STAFF_TOKEN: &str = "sim-staff-token";

/// How long an authorisation code lives.
const CODE_LIFE_MS: i64 = 600_000;

#[derive(Debug)]
struct Token {
    access: String,
    refresh: String,
    client_id: String,
    /// `None`: alive until a test expires it.
    expires_at: Option<i64>,
}

#[derive(Debug)]
struct Code {
    client_id: String,
    redirect_uri: String,
    expires_at: i64,
}

/// Credentials of the account.
#[derive(Debug)]
pub(super) struct Auth {
    account: String,
    app_ref: String,
    life_s: i64,
    dice: Dice,
    tokens: Vec<Token>,
    codes: BTreeMap<String, Code>,
    /// How long an authorisation code lives.
    pub(super) code_life_ms: i64,
    /// Whether each late refresh spends the refresh token it was asked with.
    pub(super) rotate: bool,
    /// When set, what token answers name as the host of the API.
    pub(super) api_domain: Option<String>,
}

impl Auth {
    pub(super) fn new(account: &str, app_ref: &str, life_s: i64, seed: u64) -> Self {
        let bearer = Token {
            access: "sim-bearer-token".to_owned(),
            refresh: "sim-refresh-token".to_owned(),
            client_id: app_ref.to_owned(),
            expires_at: None,
        };
        Self {
            account: account.to_owned(),
            app_ref: app_ref.to_owned(),
            life_s,
            dice: Dice::new(seed ^ 0xA11C_E5ED),
            tokens: vec![bearer],
            codes: BTreeMap::new(),
            code_life_ms: CODE_LIFE_MS,
            rotate: false,
            api_domain: None,
        }
    }

    /// Which pool of requests pays for a request, whoever sent it.
    pub(super) fn pool(req: &Req) -> String {
        match req.header("authorization") {
            Some(_) => format!(
                "developer:{}",
                req.header("brightpearl-dev-ref").unwrap_or("")
            ),
            None => "account".to_owned(),
        }
    }

    /// Says why a request is not let in, in the gateway's words.
    pub(super) fn check(&self, now: i64, req: &Req) -> Result<(), String> {
        let nobody = "Not authenticated. You must provide a valid authentication token.";
        let app = req.header("brightpearl-app-ref").unwrap_or("");
        let bearer = req
            .header("authorization")
            .map(|v| v.strip_prefix("Bearer ").unwrap_or(""));
        if let Some(bearer) = bearer {
            if app.is_empty() || req.header("brightpearl-dev-ref").unwrap_or("").is_empty() {
                return Err(nobody.to_owned());
            }
            let known = self
                .tokens
                .iter()
                .find(|t| t.access == bearer && t.client_id == app);
            let token = known.ok_or_else(|| format!("Invalid instance token: {bearer}"))?;
            if token.expires_at.is_some_and(|at| now >= at) {
                return Err("Authorization token expired".to_owned());
            }
            return Ok(());
        }
        let staff = req.header("brightpearl-staff-token") == Some(STAFF_TOKEN);
        let account = req.header("brightpearl-account-token") == Some("sim-account-token");
        if (staff || account) && app == self.app_ref {
            return Ok(());
        }
        Err(nobody.to_owned())
    }

    /// All tokens given so far, of both kinds.
    pub(super) fn given(&self) -> Vec<&str> {
        let both = self.tokens.iter().flat_map(|t| [&t.access, &t.refresh]);
        both.map(String::as_str).collect()
    }

    /// Ends every access token at once; refresh tokens live on.
    pub(super) fn expire_all(&mut self, now: i64) {
        for token in &mut self.tokens {
            token.expires_at = Some(now);
        }
    }

    /// Changes the life of tokens given from now on.
    pub(super) fn set_life(&mut self, life_s: i64) {
        self.life_s = life_s;
    }

    /// Answers a sign-in request; `None` when the path is none of ours.
    pub(super) fn handle(&mut self, now: i64, req: &Req) -> Option<Resp> {
        let account = self.account.clone();
        let segments = req.segments();
        match (req.method.as_str(), segments.as_slice()) {
            ("GET", ["authorize", code]) if *code == account => Some(self.authorize(now, req)),
            ("POST", ["token", code] | [code, "oauth", "token"]) if *code == account => {
                Some(self.token(now, req))
            }
            ("POST", ["oauth", "token"]) if form(req, "account_code") == account => {
                Some(self.token(now, req))
            }
            (_, ["authorize" | "token", _] | [_, "oauth", "token"] | ["oauth", "token"]) => {
                Some(failure("invalid_client", None))
            }
            _ => None,
        }
    }

    fn authorize(&mut self, now: i64, req: &Req) -> Resp {
        let client_id = req.param("client_id").unwrap_or("");
        if client_id != self.app_ref {
            return failure("invalid_client", None);
        }
        if req.param("response_type") != Some("code") {
            return failure("unsupported_response_type", None);
        }
        let redirect_uri = req.param("redirect_uri").unwrap_or("");
        let Ok(mut target) = Url::parse(redirect_uri) else {
            return failure(
                "invalid_request",
                Some("Redirect uri is missing or not absolute"),
            );
        };
        // A browser shows a page; whoever asks without one has approved.
        let browser = req
            .header("accept")
            .is_some_and(|a| a.contains("text/html"));
        match req.param("decision") {
            None if browser => return consent(req),
            Some("deny") => {
                let mut pairs = target.query_pairs_mut();
                pairs.append_pair("error", "access_denied");
                if let Some(state) = req.param("state") {
                    pairs.append_pair("state", state);
                }
                drop(pairs);
                return Resp::empty(302).with_header("location", target.as_str());
            }
            _ => {}
        }
        let code = self.secret();
        target.query_pairs_mut().append_pair("code", &code);
        if let Some(state) = req.param("state") {
            target.query_pairs_mut().append_pair("state", state);
        }
        let kept = Code {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            expires_at: now + self.code_life_ms,
        };
        self.codes.insert(code, kept);
        Resp::empty(302).with_header("location", target.as_str())
    }

    fn token(&mut self, now: i64, req: &Req) -> Resp {
        let client_id = form(req, "client_id");
        if client_id != self.app_ref {
            return failure("invalid_client", None);
        }
        match form(req, "grant_type").as_str() {
            "authorization_code" => self.exchange(now, req, &client_id),
            "refresh_token" => self.refresh(now, req, &client_id),
            _ => failure("unsupported_grant_type", None),
        }
    }

    fn exchange(&mut self, now: i64, req: &Req, client_id: &str) -> Resp {
        let text = form(req, "code");
        let gone = "The auth token has either expired or does not exist";
        let live = |c: &&Code| now < c.expires_at && c.client_id == client_id;
        let Some(code) = self.codes.get(&text).filter(live) else {
            return failure("invalid_grant", Some(gone));
        };
        if code.redirect_uri != form(req, "redirect_uri") {
            let text = "Redirect uri does not match that used to request auth token";
            return failure("invalid_grant", Some(text));
        }
        self.codes.remove(&text);
        let token = Token {
            access: self.secret(),
            refresh: self.secret(),
            client_id: client_id.to_owned(),
            expires_at: Some(now + self.life_s * 1000),
        };
        let mut body = self.granted(req, &token, self.life_s);
        body["installation_instance_id"] = json!(super::account::INSTANCE_ID.to_string());
        self.tokens.push(token);
        Resp::json(200, &body)
    }

    /// An early refresh hands back the running token with the rest of its life; a late one makes a new access token.
    fn refresh(&mut self, now: i64, req: &Req, client_id: &str) -> Resp {
        let text = form(req, "refresh_token");
        let fresh = self.secret();
        let life_ms = self.life_s * 1000;
        let found = self
            .tokens
            .iter_mut()
            .find(|t| t.refresh == text && t.client_id == client_id);
        let Some(token) = found else {
            let text = "The auth token has either expired or does not exist";
            return failure("invalid_grant", Some(text));
        };
        if token.expires_at.is_some_and(|at| now >= at) {
            if self.rotate {
                token.refresh = format!("{fresh}next");
            }
            token.access = fresh;
            token.expires_at = Some(now + life_ms);
        }
        let left = (token.expires_at.unwrap_or(now + life_ms) - now) / 1000;
        let token = Token {
            access: token.access.clone(),
            refresh: token.refresh.clone(),
            client_id: String::new(),
            expires_at: None,
        };
        Resp::json(200, &self.granted(req, &token, left))
    }

    fn granted(&self, req: &Req, token: &Token, left_s: i64) -> Value {
        let host = req.header("host").unwrap_or("euw1.brightpearlconnect.com");
        json!({
            "access_token": token.access,
            "refresh_token": token.refresh,
            "api_domain": self.api_domain.as_deref().unwrap_or(host),
            "token_type": "Bearer",
            "expires_in": left_s,
        })
    }

    /// A secret with the characters that break clients which do not encode form values.
    fn secret(&mut self) -> String {
        let (a, b) = (self.dice.next_u64(), self.dice.next_u64());
        format!("{a:016x}+/{b:016x}==")
    }
}

/// The page on which a merchant approves an app, as bare as can be.
fn consent(req: &Req) -> Resp {
    let text = |name: &str| {
        let text = req.param(name).unwrap_or("");
        text.replace('&', "&amp;").replace('<', "&lt;")
    };
    let link = |decision: &str, words: &str| {
        let query = ["response_type", "client_id", "redirect_uri", "state"];
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for name in query {
            if let Some(value) = req.param(name) {
                pairs.append_pair(name, value);
            }
        }
        pairs.append_pair("decision", decision);
        let query = pairs.finish().replace('&', "&amp;");
        format!("<p><a id=\"{decision}\" href=\"?{query}\">{words}</a></p>")
    };
    let body = format!(
        "<!doctype html><title>Sandbox</title><h1>Let {} work with this account?</h1>{}{}",
        text("client_id"),
        link("approve", "Approve"),
        link("deny", "Do not approve")
    );
    Resp::html(200, &body)
}

fn form(req: &Req, name: &str) -> String {
    form_urlencoded::parse(&req.body)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn failure(error: &str, description: Option<&str>) -> Resp {
    let body = match description {
        Some(text) => json!({ "error": error, "error_description": text }),
        None => json!({ "error": error }),
    };
    Resp::json(400, &body)
}
