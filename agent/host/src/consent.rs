//! Tokens of an approval (OAuth 2 by authorisation code): where a merchant approves, the code taken for tokens, tokens sealed
//! before they are used, and renewed. A crash costs what ARCHITECTURE.md says ("Approvals"). It knows no browser and no
//! session: whether a code may be taken at all is the page's business.

use crate::credentials::CredentialError;
use crate::oauth::{Asking, Field, Token, Tokens};
use crate::ports::PortError;
use crate::reach;
use crate::setup::Bound;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use waybill_model::contract::{Credential, Exchange, OAuth, Pairs, Problem, Scheme};
use waybill_model::ids::Millis;

/// Name of the secret that holds what an approval gave. No template can name it: it is taken out before.
const GRANTED: &str = "approval";
/// Longest wait for the vendor's answer to a code.
const PATIENCE_MS: u64 = 30_000;

/// What is sealed: all of it in one place, so that no token is ever beside the fields of another.
#[derive(Serialize, Deserialize)]
struct Granted {
    access: String,
    refresh: Option<String>,
    renew_at: Millis,
    expires_at: Millis,
    fields: Pairs,
}

fn fingerprint(sealed: &SecretString) -> [u8; 32] {
    Sha256::digest(sealed.expose_secret()).into()
}

fn read(sealed: &SecretString) -> Option<Token> {
    let granted: Granted = serde_json::from_str(sealed.expose_secret()).ok()?;
    Some(Token {
        value: granted.access.into(),
        refresh: granted.refresh.map(Into::into),
        fields: granted.fields,
        renew_at: granted.renew_at,
        expires_at: granted.expires_at,
        fingerprint: fingerprint(sealed),
    })
}

/// The approval as it is sealed now: somebody may have approved anew.
async fn sealed(bound: &Bound, slot: &str) -> Result<Option<Token>, PortError> {
    let secrets = bound.ports.vault.secrets(bound.setup.id, slot).await?;
    Ok(secrets.get(GRANTED).and_then(read))
}

/// Seals a token, and only then lets it be used.
async fn keep(asking: &Asking<'_>, mut token: Token) -> Result<Token, CredentialError> {
    let bound = asking.bound;
    let granted = Granted {
        access: token.value.expose_secret().to_owned(),
        refresh: token.refresh.as_ref().map(|t| t.expose_secret().to_owned()),
        renew_at: token.renew_at,
        expires_at: token.expires_at,
        fields: token.fields.clone(),
    };
    let text = serde_json::to_string(&granted).map_err(|e| PortError(e.to_string()))?;
    let text = SecretString::from(text);
    let slot = &asking.credential.slot;
    let kept = bound.ports.vault.keep(bound.setup.id, slot, GRANTED, &text);
    kept.await?;
    token.fingerprint = fingerprint(&text);
    bound.ports.tokens.expose(asking, &token.fields);
    Ok(token)
}

/// A new token in the place of the old one: fields that the answer leaves out stay, and so does what renews it.
fn after(old: &Token, mut new: Token) -> Token {
    for (name, value) in &old.fields {
        if new.fields.iter().all(|(known, _)| known != name) {
            new.fields.push((name.clone(), value.clone()));
        }
    }
    if new.refresh.is_none() {
        new.refresh.clone_from(&old.refresh);
    }
    if new.is(Some(&old.value)) {
        // Some vendors hand out the running token again: it is as good as before, and asking earlier brings no other.
        new.renew_at = new.expires_at;
    }
    new
}

impl Tokens {
    /// A token of an approval that is good and is not `refused`.
    pub(crate) async fn approved(
        &self,
        asking: &Asking<'_>,
        refused: Option<&SecretString>,
        exchanges: &mut Vec<Exchange>,
    ) -> Result<Token, CredentialError> {
        let slot = &asking.credential.slot;
        let cell = self.cell(asking);
        let mut held = cell.lock().await;
        *held = sealed(asking.bound, slot).await?;
        let Some(token) = held.clone() else {
            return Err(CredentialError::NotApproved(slot.clone()));
        };
        let now = asking.bound.now();
        if token.renew_at > now && !token.is(refused) {
            return Ok(token);
        }
        let Some(refresh) = &token.refresh else {
            return Err(CredentialError::NotApproved(slot.clone()));
        };
        let grant = vec![
            Field::plain("grant_type", "refresh_token"),
            Field::sealed("refresh_token", refresh),
        ];
        let url = asking.token_url()?;
        let renewed = asking.fetch(&url, &asking.form(grant)?, exchanges).await;
        match renewed {
            Ok(new) => {
                let token = keep(asking, after(&token, new)).await?;
                *held = Some(token.clone());
                Ok(token)
            }
            // Early renewal is a kindness: while the old one lives, an outage of the sign-in stops nothing.
            Err(CredentialError::Wire(_) | CredentialError::Refused { status: 500.., .. })
                if token.expires_at > now && !token.is(refused) =>
            {
                Ok(token)
            }
            Err(CredentialError::Refused {
                status: 400..=403, ..
            }) => Err(CredentialError::NotApproved(slot.clone())),
            Err(error) => Err(error),
        }
    }
}

impl Bound {
    /// Reads what the guest may know of approvals that were sealed before this start.
    pub(crate) async fn recall(&self) -> Result<(), PortError> {
        for credential in &self.descriptor.credentials {
            let Scheme::OAuth2Code(oauth) = &credential.scheme else {
                continue;
            };
            if self.ports.tokens.knows(self.setup.id, &credential.slot) {
                continue;
            }
            let token = sealed(self, &credential.slot).await?;
            let nothing = BTreeMap::new();
            let asking = asking(self, (credential, oauth), &nothing, &[]);
            let fields = token.map(|token| token.fields).unwrap_or_default();
            self.ports.tokens.expose(&asking, &fields);
        }
        Ok(())
    }
}

const fn asking<'a>(
    bound: &'a Bound,
    (credential, oauth): (&'a Credential, &'a OAuth),
    secrets: &'a BTreeMap<String, SecretString>,
    hosts: &'a [String],
) -> Asking<'a> {
    Asking {
        bound,
        credential,
        oauth,
        secrets,
        hosts,
        timeout_ms: PATIENCE_MS,
    }
}

fn by_code<'a>(bound: &'a Bound, slot: &str) -> Result<(&'a Credential, &'a OAuth), Problem> {
    match bound.credential(slot) {
        Some(
            credential @ Credential {
                scheme: Scheme::OAuth2Code(oauth),
                ..
            },
        ) => Ok((credential, oauth)),
        _ => Err(Problem::new(
            "no-consent",
            format!("The credential `{slot}` is not one that is approved in the browser."),
            "Enter its secrets on the page of the connection.",
        )),
    }
}

/// The settings of the connection do not make an address.
fn unfinished(error: &CredentialError) -> Problem {
    Problem::new(
        "settings-missing",
        format!("The address to approve at cannot be made: {error}."),
        "Fill in the settings of the connection, save, and connect again.",
    )
}

/// The address where the merchant approves.
pub(crate) fn address(
    bound: &Bound,
    slot: &str,
    redirect: &str,
    state: &str,
) -> Result<String, Problem> {
    let found = by_code(bound, slot)?;
    let nothing = BTreeMap::new();
    let asking = asking(bound, found, &nothing, &[]);
    let made = || -> Result<url::Url, CredentialError> {
        let mut url = reach::parse(&asking.fill(&found.1.authorize_url)?)?;
        let client = asking.fill(&found.1.client_id)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &client)
            .append_pair("redirect_uri", redirect)
            .append_pair("state", state);
        Ok(url)
    };
    let url = made().map_err(|error| unfinished(&error))?;
    if reach::transport_allowed(&url, &bound.setup) {
        return Ok(url.to_string());
    }
    Err(Problem::new(
        "not-private",
        format!(
            "Nobody approves at `{}` without TLS.",
            url.host_str().unwrap_or_default()
        ),
        "Use an address that begins with https.",
    ))
}

/// Takes a code for tokens, and seals them. The code is spent as soon as the vendor has it.
pub(crate) async fn take(
    bound: &Bound,
    slot: &str,
    code: &SecretString,
    redirect: &str,
) -> Result<(), Problem> {
    let found = by_code(bound, slot)?;
    let filled = bound.filled();
    let hosts = filled.hosts.get(slot).map_or(&[][..], Vec::as_slice);
    let secrets = bound.ports.vault.secrets(bound.setup.id, slot).await;
    let mut secrets = secrets.map_err(|error| refused(&error.to_string()))?;
    secrets.remove(GRANTED);
    let asking = asking(bound, found, &secrets, hosts);
    let grant = vec![
        Field::plain("grant_type", "authorization_code"),
        Field::sealed("code", code),
        Field::plain("redirect_uri", redirect),
    ];
    let url = asking.token_url().map_err(|error| unfinished(&error))?;
    let form = asking.form(grant).map_err(|error| unfinished(&error))?;
    let cell = bound.ports.tokens.cell(&asking);
    // Nobody renews the tokens before while they are replaced.
    let mut held = cell.lock().await;
    let mut exchanges = Vec::new();
    let fetched = asking.fetch(&url, &form, &mut exchanges).await;
    let token = fetched.map_err(|error| {
        let words = exchanges.last().map(|e| words(&e.answer));
        refused(&words.flatten().unwrap_or_else(|| error.to_string()))
    })?;
    let kept = keep(&asking, token).await;
    *held = Some(kept.map_err(|error| refused(&error.to_string()))?);
    Ok(())
}

/// What an OAuth answer says of a refusal.
fn words(answer: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    let text = |name: &str| answer.get(name)?.as_str().map(str::to_owned);
    text("error_description").or_else(|| text("error"))
}

fn refused(words: &str) -> Problem {
    Problem::new(
        "code-refused",
        format!("The code was not taken: {}.", words.trim_end_matches('.')),
        "A code works once and for some minutes only: press Connect and approve again.",
    )
}

/// Takes out what no template may name.
pub(crate) fn without_approval(secrets: &mut BTreeMap<String, SecretString>) {
    secrets.remove(GRANTED);
}
