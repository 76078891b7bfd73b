//! Owns tokens: the client-credentials grant and the check of each call. Must not know what is called.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::sandbox::Sandbox;
use crate::vendor::{Req, Resp};

impl Sandbox {
    /// `POST /oauth2/token`.
    pub(crate) fn token(&mut self, now: i64, req: &Req) -> Resp {
        let refuse = |why: &str| {
            Resp::json(
                400,
                &json!({"error": "invalid_request", "error_description": why}),
            )
        };
        let form = req
            .header("content-type")
            .is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
        if !form {
            return refuse("content type must be application/x-www-form-urlencoded");
        }
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(&req.body)
            .into_owned()
            .collect();
        let field = |name: &str| {
            fields
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
        };
        if field("grant_type") != Some("client_credentials") {
            return refuse("grant_type must be client_credentials");
        }
        let (Some(id), Some(secret)) = (field("client_id"), field("client_secret")) else {
            return refuse("client_id and client_secret are required");
        };
        if id != self.settings.client_id || secret != self.settings.client_secret {
            return Resp::json(401, &json!({"error": "invalid_client"}));
        }
        let token = format!("sim/{}", self.dice.uuid());
        self.tokens.retain(|_, until| *until > now);
        self.tokens
            .insert(token.clone(), now + self.settings.token_life_s * 1000);
        let shown = if self.settings.encoded_token {
            utf8_percent_encode(&token, NON_ALPHANUMERIC).to_string()
        } else {
            token
        };
        Resp::json(
            200,
            &json!({"access_token": shown, "token_type": "Bearer",
                "expires_in": self.settings.token_life_s}),
        )
    }

    /// Whether the request carries a valid token.
    pub(crate) fn authorised(&self, now: i64, req: &Req) -> bool {
        let Some((scheme, token)) = req.header("authorization").and_then(|h| h.split_once(' '))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer")
            && (self.settings.static_token.as_deref() == Some(token)
                || self.tokens.get(token).is_some_and(|until| *until > now))
    }
}
