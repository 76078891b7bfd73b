//! One signed-in connection to a server: the address is checked before it is dialled, the key before a secret is sent.
//! It stores nothing: who calls it keeps the key that was seen first.

use super::error::SftpError;
use super::fetched::Account;
use super::key;
use super::target::{Pinned, Target, normal};
use crate::address::{Place, place};
use russh::client::{self, AuthResult, DisconnectReason, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{MethodKind, MethodSet, SshId};
use russh_sftp::client::error::Error as Protocol;
use russh_sftp::client::{Config as SftpConfig, RawSftpSession};
use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

const CONNECT: Duration = Duration::from_secs(10);
const HANDSHAKE: Duration = Duration::from_secs(20);
const KEEPALIVE: Duration = Duration::from_secs(20);
/// One request of the protocol, not one file.
const REQUEST_SECS: u64 = 30;
/// How long a connection that seems to have ended is given to say how.
const ENDING: Duration = Duration::from_millis(500);
/// Rounds of questions a server may put before it lets somebody in.
const ROUNDS: usize = 4;

/// How somebody signs in.
pub(crate) enum Way {
    Password(SecretString),
    Key {
        private: SecretString,
        passphrase: Option<SecretString>,
    },
}

/// Who signs in, and how.
pub(crate) struct Login {
    pub(crate) user: SecretString,
    pub(crate) way: Way,
}

/// A connection whose key was checked, before anybody signed in.
pub(crate) struct Greeted {
    ssh: Handle<Checker>,
    target: Target,
    /// How it ended, once it has.
    end: watch::Receiver<Option<End>>,
    /// The fingerprint of the key it showed.
    pub(crate) shown: String,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The server said so, or left no way to sign in.
    Said,
    /// Nobody said anything.
    Broke,
}

/// A signed-in connection.
pub(crate) struct Session {
    ssh: Handle<Checker>,
    pub(crate) sftp: RawSftpSession,
    /// How it ended, once it has.
    end: watch::Receiver<Option<End>>,
    /// Whose files these are.
    pub(crate) account: Account,
    /// It offers the extension by which one rename replaces a file.
    posix_rename: bool,
}

/// Admits the right key, and the same one for the life of the connection.
struct Checker {
    pinned: Pinned,
    shown: Arc<Mutex<Option<String>>>,
    end: watch::Sender<Option<End>>,
}

impl client::Handler for Checker {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        // No certificates are offered, so none comes.
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Ok(false);
        };
        let fingerprint = normal(&key.fingerprint(HashAlg::Sha256).to_string());
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let same = shown.as_ref().is_none_or(|first| *first == fingerprint);
        let right = same && self.pinned.admits(&fingerprint);
        shown.get_or_insert(fingerprint);
        Ok(right)
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        let (end, result) = match reason {
            DisconnectReason::ReceivedDisconnect(_) => (End::Said, Ok(())),
            DisconnectReason::Error(e @ russh::Error::NoAuthMethod) => (End::Said, Err(e)),
            DisconnectReason::Error(e) => (End::Broke, Err(e)),
        };
        self.end.send_replace(Some(end));
        result
    }
}

impl Session {
    /// Connects and checks the key. Nothing that identifies the merchant is sent.
    pub(crate) async fn greet(
        target: &Target,
        allow_private: bool,
        pinned: &Pinned,
    ) -> Result<Greeted, SftpError> {
        let not_reached = |why: String| SftpError::NotReached {
            place: target.place(),
            why,
        };
        let late = |_| not_reached("no answer in time".to_owned());
        let addresses = timeout(CONNECT, resolve(target, allow_private))
            .await
            .map_err(late)??;
        let stream = timeout(CONNECT, TcpStream::connect(addresses.as_slice()))
            .await
            .map_err(late)?
            .map_err(|e| not_reached(e.to_string()))?;
        let shown = Arc::new(Mutex::new(None));
        let (ended, end) = watch::channel(None);
        let checker = Checker {
            pinned: pinned.clone(),
            shown: Arc::clone(&shown),
            end: ended,
        };
        let connected = timeout(HANDSHAKE, client::connect_stream(config(), stream, checker)).await;
        let seen = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (connected, seen) {
            (Ok(Ok(ssh)), Some(shown)) => Ok(Greeted {
                ssh,
                target: target.clone(),
                end,
                shown,
            }),
            (Ok(Err(russh::Error::UnknownKey)), Some(shown)) => Err(pinned.changed(target, &shown)),
            (Ok(Ok(_)), None) => Err(not_reached("it showed no host key".to_owned())),
            (Ok(Err(error)), _) => Err(not_reached(error.to_string())),
            (Err(elapsed), _) => Err(late(elapsed)),
        }
    }

    /// The answer to a request, or that the connection ended: the protocol's own client would wait for the answer until
    /// the request's time is over. What came before the end is still taken.
    pub(crate) async fn answer<T>(
        &self,
        request: impl Future<Output = Result<T, Protocol>>,
    ) -> Result<T, Protocol> {
        let mut end = self.end.clone();
        let mut request = pin!(request);
        tokio::select! {
            biased;
            answer = &mut request => return answer,
            _ = end.wait_for(Option::is_some) => {}
        }
        let ended = |_| Protocol::IO("the connection ended".to_owned());
        timeout(ENDING, request).await.map_err(ended)?
    }

    /// Whether it still stands.
    pub(crate) fn is_open(&self) -> bool {
        !self.ssh.is_closed()
    }

    /// Whether one rename can put a file in another's place.
    pub(crate) fn replaces_by_rename(&self) -> bool {
        self.posix_rename
    }
}

impl Greeted {
    /// Signs in and opens the file service.
    pub(crate) async fn sign_in(mut self, login: &Login) -> Result<Session, SftpError> {
        let place = self.target.place();
        let user = login.user.expose_secret().to_owned();
        let result = timeout(
            HANDSHAKE,
            prove(&mut self.ssh, self.end.clone(), &user, &login.way),
        )
        .await
        .map_err(|_| SftpError::TimedOut)??;
        if !result {
            return Err(SftpError::LoginRefused(place));
        }
        let not_reached = |e: String| SftpError::NotReached {
            place: place.clone(),
            why: format!("no file service: {e}"),
        };
        let open = async {
            let channel = self
                .ssh
                .channel_open_session()
                .await
                .map_err(|e| e.to_string())?;
            channel
                .request_subsystem(true, "sftp")
                .await
                .map_err(|e| e.to_string())?;
            let sftp = RawSftpSession::new_with_config(
                channel.into_stream(),
                SftpConfig {
                    request_timeout_secs: REQUEST_SECS,
                    ..SftpConfig::default()
                },
            );
            let version = sftp.init().await.map_err(|e| e.to_string())?;
            Ok::<_, String>((sftp, version))
        };
        let (sftp, version) = timeout(HANDSHAKE, open)
            .await
            .map_err(|_| SftpError::TimedOut)?
            .map_err(not_reached)?;
        Ok(Session {
            ssh: self.ssh,
            sftp,
            end: self.end,
            account: Account::of(&place, &self.shown, &user),
            posix_rename: version.extensions.contains_key("posix-rename@openssh.com"),
        })
    }
}

/// The addresses of the server, when every one of them may be reached.
async fn resolve(target: &Target, allow_private: bool) -> Result<Vec<SocketAddr>, SftpError> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|e| SftpError::NotReached {
            place: target.place(),
            why: e.to_string(),
        })?
        .collect();
    let admitted = |a: &&SocketAddr| match place(a.ip()) {
        Place::Public => true,
        Place::Private => allow_private,
        Place::Never => false,
    };
    match found.iter().find(|a| !admitted(a)) {
        Some(refused) => Err(SftpError::AddressRefused {
            host: target.host.clone(),
            address: refused.ip().to_string(),
        }),
        None => Ok(found),
    }
}

fn config() -> Arc<client::Config> {
    Arc::new(client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-waybill_",
            env!("CARGO_PKG_VERSION")
        ))),
        keepalive_interval: Some(KEEPALIVE),
        nodelay: true,
        ..client::Config::default()
    })
}

/// Whether the server lets them in.
async fn prove(
    ssh: &mut Handle<Checker>,
    end: watch::Receiver<Option<End>>,
    user: &str,
    way: &Way,
) -> Result<bool, SftpError> {
    let lost = |e: russh::Error| SftpError::Lost(e.to_string());
    match way {
        Way::Password(password) => {
            let password = password.expose_secret();
            let result = ssh
                .authenticate_password(user, password)
                .await
                .map_err(lost)?;
            match result {
                AuthResult::Success => Ok(true),
                // Some servers take a password only as the answer to a question.
                AuthResult::Failure {
                    remaining_methods, ..
                } if remaining_methods.contains(&MethodKind::KeyboardInteractive)
                    && !remaining_methods.contains(&MethodKind::Password) =>
                {
                    answer(ssh, user, password).await.map_err(lost)
                }
                AuthResult::Failure {
                    remaining_methods, ..
                } => refusal(end, &remaining_methods).await,
            }
        }
        Way::Key {
            private,
            passphrase,
        } => {
            let key = key::read(private, passphrase.as_ref())?;
            let hash = ssh.best_supported_rsa_hash().await.map_err(lost)?;
            // A server that names none may still know the newer ones; only very old ones do not.
            let hash = hash.unwrap_or(Some(HashAlg::Sha256));
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            match ssh.authenticate_publickey(user, key).await.map_err(lost)? {
                AuthResult::Success => Ok(true),
                AuthResult::Failure {
                    remaining_methods, ..
                } => refusal(end, &remaining_methods).await,
            }
        }
    }
}

/// A line that ends in the middle of the sign-in is told as a refusal that leaves no other way in, which is no reason to ask
/// the merchant for a password. How it ended is known in a moment.
async fn refusal(
    mut end: watch::Receiver<Option<End>>,
    left: &MethodSet,
) -> Result<bool, SftpError> {
    if !left.is_empty() {
        return Ok(false);
    }
    match timeout(ENDING, end.wait_for(Option::is_some)).await {
        Ok(Ok(end)) if *end == Some(End::Broke) => Err(SftpError::Lost(
            "it ended in the middle of the sign-in".to_owned(),
        )),
        _ => Ok(false),
    }
}

async fn answer(
    ssh: &mut Handle<Checker>,
    user: &str,
    password: &str,
) -> Result<bool, russh::Error> {
    let mut asked = ssh
        .authenticate_keyboard_interactive_start(user, None)
        .await?;
    for _ in 0..ROUNDS {
        match asked {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                // What is shown while it is typed is no password.
                let answers = prompts
                    .iter()
                    .map(|prompt| {
                        if prompt.echo {
                            String::new()
                        } else {
                            password.to_owned()
                        }
                    })
                    .collect();
                asked = ssh
                    .authenticate_keyboard_interactive_respond(answers)
                    .await?;
            }
        }
    }
    Ok(false)
}
