//! Access tokens of OAuth 2: fetched once for all who wait, renewed before they expire or when the vendor refuses them.
//! Those of a client's own secret are kept in memory only; those of an approval are `consent.rs`'s business. The guest
//! never sees one; transcripts show the request without its secrets.

use crate::credentials::{CredentialError, SignIn, scrub};
use crate::effects::Denial;
use crate::ports::WireRequest;
use crate::reach;
use crate::setup::Bound;
use crate::state::kept;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;
use waybill_model::contract::{Credential, Exchange, OAuth, Pairs, secret_label};
use waybill_model::ids::{ConnectionId, Millis};

/// Renewed this long before it expires.
const MARGIN: Millis = 60_000;
/// Life of a token whose answer names none.
const UNNAMED_LIFE: Millis = 600_000;
const MAX_ANSWER: u64 = 1 << 20;

type Key = (ConnectionId, String);
type Cell = Arc<tokio::sync::Mutex<Option<Token>>>;

/// Tokens in memory. The cell of a slot is locked while its token is fetched, so that one request serves all.
#[derive(Default)]
pub(crate) struct Tokens {
    cells: Mutex<BTreeMap<Key, Cell>>,
    exposed: Mutex<BTreeMap<Key, Pairs>>,
}

/// An access token and what came with it.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    pub(crate) fields: Pairs,
    /// What gets the next one, where the vendor gave one.
    pub(crate) refresh: Option<SecretString>,
    pub(crate) renew_at: Millis,
    pub(crate) expires_at: Millis,
    /// Of what got it: other settings or secrets need another token.
    pub(crate) fingerprint: [u8; 32],
}

impl Token {
    pub(crate) fn is(&self, other: Option<&SecretString>) -> bool {
        other.is_some_and(|other| other.expose_secret() == self.value.expose_secret())
    }
}

/// A credential at work in one call.
pub(crate) struct Asking<'a> {
    pub(crate) bound: &'a Bound,
    pub(crate) credential: &'a Credential,
    pub(crate) oauth: &'a OAuth,
    pub(crate) secrets: &'a BTreeMap<String, SecretString>,
    pub(crate) hosts: &'a [String],
    pub(crate) timeout_ms: u64,
}

/// One field of the form that a token is asked with.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) secret: bool,
}

impl Field {
    /// One that anybody may read.
    pub(crate) fn plain(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            secret: false,
        }
    }

    /// One that nobody may.
    pub(crate) fn sealed(name: &str, value: &SecretString) -> Self {
        Self {
            name: name.to_owned(),
            value: value.expose_secret().to_owned(),
            secret: true,
        }
    }
}

impl Tokens {
    /// Fields of the slot's token that the guest may read, as `token.FIELD`; none before the first fetch.
    pub(crate) fn exposed(&self, connection: ConnectionId, slot: &str) -> Pairs {
        let exposed = self.exposed.lock().unwrap_or_else(PoisonError::into_inner);
        exposed
            .get(&(connection, slot.to_owned()))
            .cloned()
            .unwrap_or_default()
    }

    /// A token that is good and is not `refused`.
    pub(crate) async fn get(
        &self,
        asking: &Asking<'_>,
        refused: Option<&SecretString>,
        exchanges: &mut Vec<Exchange>,
    ) -> Result<Token, CredentialError> {
        let url = asking.token_url()?;
        let grant = Field::plain("grant_type", "client_credentials");
        let fields = asking.form(vec![grant])?;
        let fingerprint = fingerprint(&url, &fields);
        let cell = self.cell(asking);
        let mut held = cell.lock().await;
        if let Some(token) = &*held
            && token.fingerprint == fingerprint
            && token.renew_at > asking.bound.now()
            && !token.is(refused)
        {
            return Ok(token.clone());
        }
        *held = None;
        let mut token = asking.fetch(&url, &fields, exchanges).await?;
        token.fingerprint = fingerprint;
        *held = Some(token.clone());
        self.expose(asking, &token.fields);
        Ok(token)
    }

    /// Whether it is known what the guest may read of the slot's token.
    pub(crate) fn knows(&self, connection: ConnectionId, slot: &str) -> bool {
        let exposed = self.exposed.lock().unwrap_or_else(PoisonError::into_inner);
        exposed.contains_key(&(connection, slot.to_owned()))
    }

    /// Keeps what the guest may read of a token's fields.
    pub(crate) fn expose(&self, asking: &Asking<'_>, fields: &Pairs) {
        let exposed = fields
            .iter()
            .filter(|(name, _)| asking.oauth.expose.contains(name))
            .map(|(name, value)| (format!("token.{name}"), value.clone()))
            .collect();
        self.exposed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(asking.key(), exposed);
    }

    /// Where the slot's token is.
    pub(crate) fn cell(&self, asking: &Asking<'_>) -> Cell {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(asking.key()).or_default())
    }
}

fn fingerprint(url: &Url, fields: &[Field]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(url.as_str());
    hash.update([0]);
    hash.update(encode(fields, |f| &f.value));
    hash.finalize().into()
}

/// Form-encodes once: values are taken as the merchant entered them.
fn encode<'a>(fields: &'a [Field], value: impl Fn(&'a Field) -> &'a str) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for field in fields {
        form.append_pair(&field.name, value(field));
    }
    form.finish()
}

impl Asking<'_> {
    fn key(&self) -> Key {
        (self.bound.setup.id, self.credential.slot.clone())
    }

    pub(crate) fn fill(&self, template: &str) -> Result<String, CredentialError> {
        let known = self.bound.filled();
        let filled = reach::fill(template, |name| {
            let secret = self.secrets.get(name).map(|s| s.expose_secret().to_owned());
            secret.or_else(|| known.values.get(name).cloned())
        })?;
        Ok(filled)
    }

    fn names_a_secret(&self, template: &str) -> bool {
        self.secrets
            .keys()
            .any(|name| template.contains(&format!("{{{name}}}")))
    }

    /// Where the token comes from: a host of this slot, over a good transport.
    pub(crate) fn token_url(&self) -> Result<Url, CredentialError> {
        let url = reach::parse(&self.fill(&self.oauth.token_url)?)?;
        let slot = &self.credential.slot;
        if !reach::is_one_of(self.hosts, &url) {
            return Err(CredentialError::Denied(Denial::NotGranted(format!(
                "the secrets of `{slot}` may not be sent to `{}`",
                url.host_str().unwrap_or_default()
            ))));
        }
        if !reach::transport_allowed(&url, &self.bound.setup) {
            return Err(CredentialError::Denied(Denial::NotGranted(format!(
                "the secrets of `{slot}` are not sent without TLS"
            ))));
        }
        Ok(url)
    }

    /// The descriptor's own pairs, then what the grant needs and they lack.
    pub(crate) fn form(&self, grant: Vec<Field>) -> Result<Vec<Field>, CredentialError> {
        let mut fields = Vec::new();
        for (name, template) in &self.oauth.form {
            fields.push(Field {
                name: name.clone(),
                value: self.fill(template)?,
                secret: self.names_a_secret(template),
            });
        }
        for field in grant {
            if fields.iter().all(|f: &Field| f.name != field.name) {
                fields.push(field);
            }
        }
        let mut add = |name: &str, value: Option<(String, bool)>| {
            if fields.iter().all(|f: &Field| f.name != name)
                && let Some((value, secret)) = value
            {
                fields.push(Field {
                    name: name.to_owned(),
                    value,
                    secret,
                });
            }
        };
        let client = &self.oauth.client_id;
        if client.is_empty() {
            add("client_id", self.secret("client_id").map(|v| (v, true)));
        } else {
            add(
                "client_id",
                Some((self.fill(client)?, self.names_a_secret(client))),
            );
        }
        add(
            "client_secret",
            self.secret("client_secret").map(|v| (v, true)),
        );
        Ok(fields)
    }

    /// What is asked with and where, in the words of the connection's page.
    fn sign_in(&self) -> SignIn {
        let descriptor = &self.bound.descriptor;
        let named = |template: &str| -> Vec<String> {
            let holds = |key: &str| template.contains(&format!("{{{key}}}"));
            let settings = descriptor.settings.iter().filter(|s| holds(&s.key));
            settings.map(|setting| setting.label.clone()).collect()
        };
        let secrets = self.credential.secrets.iter();
        let mut fields = named(&self.oauth.client_id);
        fields.extend(secrets.map(|name| secret_label(name)));
        SignIn {
            vendor: descriptor.title.clone(),
            fields: if fields.is_empty() {
                "the credentials".to_owned()
            } else {
                fields.join(" or ")
            },
            address: named(&self.oauth.token_url).into_iter().next(),
        }
    }

    /// A secret under its name, written with `_` or `-`.
    fn secret(&self, name: &str) -> Option<String> {
        self.secrets
            .get(name)
            .or_else(|| self.secrets.get(&name.replace('_', "-")))
            .map(|s| s.expose_secret().to_owned())
    }

    /// Asks for a token; its fingerprint is the caller's to set.
    pub(crate) async fn fetch(
        &self,
        url: &Url,
        fields: &[Field],
        exchanges: &mut Vec<Exchange>,
    ) -> Result<Token, CredentialError> {
        let at = self.bound.now();
        exchanges.push(Exchange {
            at,
            took_ms: 0,
            method: "POST".to_owned(),
            url: url.to_string(),
            status: 0,
            step: None,
            replayed: false,
            request: encode(fields, |f| if f.secret { "***" } else { &f.value }),
            answer: "no answer yet".to_owned(),
        });
        let place = exchanges.len() - 1;
        let outcome = self.bound.ports.wire.send(self.request(url, fields)).await;
        let connection = self.bound.setup.id;
        self.bound.budgets.tally.request(connection, &outcome);
        let exchange = &mut exchanges[place];
        exchange.took_ms = u32::try_from(self.bound.now() - at).unwrap_or(u32::MAX);
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => {
                exchange.answer = error.to_string();
                return Err(CredentialError::Wire(error));
            }
        };
        exchange.status = answer.status;
        if !(200..300).contains(&answer.status) {
            let sent = fields.iter().filter(|f| f.secret);
            let sent: Vec<SecretString> = sent.map(|f| f.value.clone().into()).collect();
            let secrets = self.secrets.values().chain(&sent);
            exchange.answer = scrub(&kept(&answer.body), secrets);
            return Err(CredentialError::Refused {
                asked: Box::new(self.sign_in()),
                status: answer.status,
            });
        }
        "a token, not kept".clone_into(&mut exchange.answer);
        self.token(&answer.body).ok_or_else(|| {
            "no `access_token` in the answer".clone_into(&mut exchange.answer);
            CredentialError::NoToken(self.credential.slot.clone())
        })
    }

    fn request(&self, url: &Url, fields: &[Field]) -> WireRequest {
        let host = url.host_str().unwrap_or_default();
        WireRequest {
            method: "POST".to_owned(),
            url: url.to_string(),
            headers: vec![
                (
                    "content-type".to_owned(),
                    "application/x-www-form-urlencoded".to_owned(),
                ),
                ("accept".to_owned(), "application/json".to_owned()),
            ],
            body: encode(fields, |f| &f.value).into_bytes(),
            allow_private: self
                .bound
                .setup
                .private_allowed(host, url.port_or_known_default()),
            max_answer: MAX_ANSWER,
            timeout_ms: self.timeout_ms,
        }
    }

    fn token(&self, body: &[u8]) -> Option<Token> {
        let Value::Object(answer) = serde_json::from_slice(body).ok()? else {
            return None;
        };
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        // `%` cannot occur in a token, so somebody has percent-encoded it.
        let plain = |token: String| {
            if token.contains('%') {
                percent_decode_str(&token).decode_utf8_lossy().into_owned()
            } else {
                token
            }
        };
        let access = plain(text(answer.get("access_token")?)?);
        let refresh = answer.get("refresh_token").and_then(text).map(plain);
        let life = answer
            .get("expires_in")
            .and_then(text)
            .and_then(|t| t.parse::<u32>().ok())
            .map_or(UNNAMED_LIFE, |secs| Millis::from(secs) * 1_000);
        let now = self.bound.now();
        Some(Token {
            value: access.into(),
            refresh: refresh.filter(|token| !token.is_empty()).map(Into::into),
            fields: answer
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "access_token" | "refresh_token"))
                .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
                .collect(),
            renew_at: now + life - MARGIN.min(life / 2),
            expires_at: now + life,
            fingerprint: [0; 32],
        })
    }
}
