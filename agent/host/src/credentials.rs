//! Adds a slot's secrets to a request, on the host's side of the border: by slot and by host, never to anybody else.
//! It fetches no tokens itself (`oauth.rs`) and sends nothing.

use crate::consent::without_approval;
use crate::effects::{Denial, IoError, told};
use crate::oauth::Asking;
use crate::ports::{PortError, WireError, WireResponse};
use crate::reach::{self, ReachError};
use crate::setup::Bound;
use crate::sftp::{Login, SftpError, Way};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use url::Url;
use waybill_model::contract::{Credential, Exchange, OAuth, PASSPHRASE, Problem, Scheme};

/// Why a credential could not be used. Nothing was sent to the vendor's API.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    #[error("{0}")]
    Denied(Denial),
    #[error("the secret `{name}` of `{slot}` is not set")]
    Missing { slot: String, name: String },
    #[error("nobody has approved `{0}`, or the approval is over")]
    NotApproved(String),
    #[error("{}", .asked.refused(*.status))]
    Refused { asked: Box<SignIn>, status: u16 },
    #[error("the sign-in of `{0}` was answered without a token")]
    NoToken(String),
    #[error("the sign-in failed: {0}")]
    Wire(WireError),
    #[error("{0}")]
    Template(#[from] ReachError),
    #[error("a secret of `{0}` has characters that no header may hold")]
    Unprintable(String),
    #[error("{0}")]
    Files(#[from] SftpError),
    #[error("{0}")]
    Port(#[from] PortError),
}

/// What a sign-in is made of, in the words of the connection's page.
#[derive(Debug)]
pub(crate) struct SignIn {
    /// Who was asked.
    pub(crate) vendor: String,
    /// What was entered for it: "Client id or Client secret".
    pub(crate) fields: String,
    /// The field that says where it is asked; none where the connector knows that itself.
    pub(crate) address: Option<String>,
}

impl SignIn {
    fn refused(&self, status: u16) -> String {
        let Self { vendor, fields, .. } = self;
        match status {
            400 | 401 => format!("{vendor} refused {fields} ({status})"),
            403 | 404 => format!(
                "no API was found at this address, or it is not for these credentials ({status})"
            ),
            _ => format!("{vendor} answered the sign-in with status {status}"),
        }
    }

    fn next(&self, status: u16) -> String {
        let Self {
            fields, address, ..
        } = self;
        match (status, address) {
            (403 | 404, Some(address)) => format!(
                "Check {address} on the page of the connection, then {fields}; the address with its whole path is what counts."
            ),
            _ => format!("Enter {fields} again on the page of the connection."),
        }
    }
}

impl CredentialError {
    /// What the guest is told.
    pub(crate) fn told(&self) -> IoError {
        match self {
            Self::Denied(denial) => denial.clone().into(),
            Self::Files(error) => crate::caps::sftp::told(error, false),
            // The effect, if any, has not begun: a lost sign-in is no doubt.
            Self::Wire(error) => match told(error, false) {
                IoError::Refused(_) => IoError::Refused(self.to_string()),
                other => other,
            },
            _ => IoError::Refused(self.to_string()),
        }
    }

    /// The problem that only new credentials end, if this is one.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let (code, hint) = match self {
            Self::Files(error) => return crate::caps::sftp::problem(error),
            Self::Missing { .. } => (
                "credential-missing",
                "Enter it on the page of the connection.".to_owned(),
            ),
            Self::Refused {
                asked,
                status: status @ (400 | 401 | 403 | 404),
            } => ("credential-refused", asked.next(*status)),
            Self::NotApproved(_) => (
                "not-approved",
                "Press Connect on the page of the connection and approve.".to_owned(),
            ),
            _ => return None,
        };
        let mut message = self.to_string();
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        message.push('.');
        Some(Problem::new(code, message, hint))
    }
}

/// What a credential adds to a request.
pub(crate) struct Prepared {
    pub(crate) headers: Vec<(String, String)>,
    /// Never to appear in a transcript.
    pub(crate) secrets: Vec<SecretString>,
    /// The token in use, where it can be renewed.
    pub(crate) token: Option<SecretString>,
}

/// The slot, where it may be sent to this host.
pub(crate) fn granted<'a>(
    bound: &'a Bound,
    slot: &str,
    url: &Url,
) -> Result<&'a Credential, CredentialError> {
    let Some(credential) = bound.credential(slot) else {
        return Err(CredentialError::Denied(Denial::NotGranted(format!(
            "the connector declares no credential `{slot}`"
        ))));
    };
    let filled = bound.filled();
    let hosts = filled.hosts.get(slot);
    if hosts.is_some_and(|hosts| reach::is_one_of(hosts, url)) {
        return Ok(credential);
    }
    Err(CredentialError::Denied(Denial::NotGranted(format!(
        "the credential `{slot}` may not be sent to `{}`",
        url.host_str().unwrap_or_default()
    ))))
}

/// The headers of a slot for this URL. `refused` is a token the vendor has just refused.
pub(crate) async fn prepare(
    bound: &Bound,
    slot: &str,
    url: &Url,
    refused: Option<&SecretString>,
    timeout_ms: u64,
    exchanges: &mut Vec<Exchange>,
) -> Result<Prepared, CredentialError> {
    let credential = granted(bound, slot, url)?;
    match &credential.scheme {
        Scheme::Headers(templates) => {
            let secrets = entered(bound, credential).await?;
            let headers = filled(bound, slot, templates, &secrets)?;
            Ok(Prepared {
                headers,
                secrets: secrets.into_values().collect(),
                token: None,
            })
        }
        Scheme::OAuth2Client(oauth) | Scheme::OAuth2Code(oauth) => {
            let mut secrets = entered(bound, credential).await?;
            without_approval(&mut secrets);
            let filled_in = bound.filled();
            let asking = Asking {
                bound,
                credential,
                oauth,
                secrets: &secrets,
                hosts: filled_in.hosts.get(slot).map_or(&[], Vec::as_slice),
                timeout_ms,
            };
            let tokens = &bound.ports.tokens;
            let token = if matches!(credential.scheme, Scheme::OAuth2Code(_)) {
                tokens.approved(&asking, refused, exchanges).await?
            } else {
                tokens.get(&asking, refused, exchanges).await?
            };
            let mut known = secrets;
            known.insert("access_token".to_owned(), token.value.clone());
            for (name, value) in &token.fields {
                known.insert(format!("token.{name}"), value.clone().into());
            }
            let headers = filled(bound, slot, &with_bearer(oauth), &known)?;
            known.retain(|name, _| !name.starts_with("token."));
            Ok(Prepared {
                headers,
                secrets: known.into_values().collect(),
                token: Some(token.value),
            })
        }
        Scheme::SftpPassword | Scheme::SshKey => {
            Err(CredentialError::Denied(Denial::NotGranted(format!(
                "the credential `{slot}` signs in to a file server and goes into no web request"
            ))))
        }
    }
}

/// The sign-in to a file server: `user` with `password`, or with `key` and, where it has one, `passphrase`.
pub(crate) async fn login(
    bound: &Bound,
    credential: &Credential,
) -> Result<Login, CredentialError> {
    let mut secrets = entered(bound, credential).await?;
    let mut take = |name: &str| {
        secrets
            .remove(name)
            .ok_or_else(|| CredentialError::Missing {
                slot: credential.slot.clone(),
                name: name.to_owned(),
            })
    };
    let user = take("user")?;
    let way = if matches!(credential.scheme, Scheme::SshKey) {
        Way::Key {
            private: take("key")?,
            passphrase: take(PASSPHRASE).ok(),
        }
    } else {
        Way::Password(take("password")?)
    };
    Ok(Login { user, way })
}

/// The headers the descriptor asks for; the bearer token itself needs no mention.
fn with_bearer(oauth: &OAuth) -> Vec<(String, String)> {
    let mut headers = oauth.headers.clone();
    if headers
        .iter()
        .all(|(name, _)| !name.eq_ignore_ascii_case("authorization"))
    {
        headers.push((
            "authorization".to_owned(),
            "Bearer {access_token}".to_owned(),
        ));
    }
    headers
}

/// All secrets of the slot; each one the descriptor names must be there.
async fn entered(
    bound: &Bound,
    credential: &Credential,
) -> Result<BTreeMap<String, SecretString>, CredentialError> {
    let secrets = bound
        .ports
        .vault
        .secrets(bound.setup.id, &credential.slot)
        .await?;
    for name in credential
        .secrets
        .iter()
        .filter(|name| credential.needs(name))
    {
        if secrets
            .get(name)
            .is_none_or(|s| s.expose_secret().is_empty())
        {
            return Err(CredentialError::Missing {
                slot: credential.slot.clone(),
                name: name.clone(),
            });
        }
    }
    Ok(secrets)
}

fn filled(
    bound: &Bound,
    slot: &str,
    templates: &[(String, String)],
    secrets: &BTreeMap<String, SecretString>,
) -> Result<Vec<(String, String)>, CredentialError> {
    let known = bound.filled();
    let mut headers = Vec::new();
    for (name, template) in templates {
        let value = reach::fill(template, |name| {
            let secret = secrets.get(name).map(|s| s.expose_secret().to_owned());
            secret.or_else(|| known.values.get(name).cloned())
        })?;
        if value.chars().any(char::is_control) {
            return Err(CredentialError::Unprintable(slot.to_owned()));
        }
        headers.push((name.clone(), value));
    }
    Ok(headers)
}

/// Shorter ones could be part of an answer by chance, and would tear holes into it.
const SURELY_SECRET: usize = 12;

/// Takes secrets out of what a guest gets to see: some vendors repeat what they were sent, in an error for example.
pub(crate) fn hide(answer: &mut WireResponse, secrets: &[SecretString]) {
    let long = secrets
        .iter()
        .map(ExposeSecret::expose_secret)
        .filter(|secret| secret.len() >= SURELY_SECRET);
    for secret in long {
        for (_, value) in answer
            .headers
            .iter_mut()
            .filter(|(_, v)| v.contains(secret))
        {
            *value = value.replace(secret, "***");
        }
        match std::str::from_utf8(&answer.body) {
            Ok(text) if text.contains(secret) => {
                answer.body = text.replace(secret, "***").into_bytes();
            }
            Ok(_) => {}
            // Bytes that are no text are looked through one by one: they are rare.
            Err(_) => blank(&mut answer.body, secret.as_bytes()),
        }
    }
}

fn blank(body: &mut [u8], secret: &[u8]) {
    let mut at = 0;
    while let Some(found) = body[at..].windows(secret.len()).position(|w| w == secret) {
        let end = at + found + secret.len();
        body[at + found..end].fill(b'*');
        at = end;
    }
}

/// Takes secrets out of a text that people will read. Very short ones would tear holes into everything.
pub(crate) fn scrub<'a>(text: &str, secrets: impl IntoIterator<Item = &'a SecretString>) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        let secret = secret.expose_secret();
        if secret.len() >= 4 && text.contains(secret) {
            text = text.replace(secret, "***");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_sign_in_names_the_fields() {
        let refused = |status| CredentialError::Refused {
            asked: Box::new(SignIn {
                vendor: "Network".to_owned(),
                fields: "Client id or Client secret".to_owned(),
                address: Some("API address".to_owned()),
            }),
            status,
        };
        let wrong = refused(401).problem().unwrap();
        assert_eq!(
            wrong.message,
            "Network refused Client id or Client secret (401)."
        );
        assert_eq!(
            wrong.hint.unwrap(),
            "Enter Client id or Client secret again on the page of the connection."
        );
        let elsewhere = refused(403).problem().unwrap();
        assert!(
            elsewhere
                .message
                .starts_with("No API was found at this address")
        );
        assert!(elsewhere.hint.unwrap().starts_with("Check API address"));
        assert!(refused(404).problem().is_some());
        assert!(refused(502).problem().is_none(), "it may be back at once");
        assert_eq!(
            refused(502).to_string(),
            "Network answered the sign-in with status 502"
        );
    }

    #[test]
    fn what_a_vendor_repeats_is_hidden_and_everything_else_stays() {
        let secrets = [
            "correct-horse-battery".to_owned().into(),
            "1234".to_owned().into(),
        ];
        let answer = |body: &[u8]| WireResponse {
            status: 401,
            headers: vec![(
                "x-echo".to_owned(),
                "Bearer correct-horse-battery".to_owned(),
            )],
            body: body.to_vec(),
        };
        let mut told = answer(b"{\"id\":1234,\"bad\":\"correct-horse-battery\"}");
        hide(&mut told, &secrets);
        assert_eq!(told.body, b"{\"id\":1234,\"bad\":\"***\"}");
        assert_eq!(told.headers[0].1, "Bearer ***");
        let mut bytes = answer(b"\xffcorrect-horse-battery\xffcorrect-horse-batter");
        hide(&mut bytes, &secrets);
        let stars = [b"\xff".as_slice(), &[b'*'; 21], b"\xffcorrect-horse-batter"].concat();
        assert_eq!(bytes.body, stars);
    }
}
