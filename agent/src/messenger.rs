//! Carries alerts away: mail by SMTP, webhooks and pings by HTTP. Each address is looked up here and checked before
//! anything is sent to it, as connectors' addresses are. Must not know what an alert says.

use crate::wire::chain;
use async_trait::async_trait;
use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use waybill_engine::alert::{Mail, Messenger, NotDelivered};
use waybill_host::address::{Place, place};
use waybill_host::ports::{Wire, WireError, WireRequest};

/// The whole time a delivery may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer read of a webhook or a ping.
const ANSWER: u64 = 64 * 1024;

/// Over this machine's network.
pub(crate) struct NetMessenger {
    wire: Arc<dyn Wire>,
    /// Certificate authorities beside the system's, PEM.
    roots: Vec<u8>,
}

impl NetMessenger {
    /// Over that wire.
    pub(crate) fn new(wire: Arc<dyn Wire>, roots: Vec<u8>) -> Self {
        Self { wire, roots }
    }
}

fn failed(what: &str, error: &dyn Error) -> NotDelivered {
    NotDelivered(format!("{what}: {}.", chain(error)))
}

/// What stands there may not be told anything.
fn private_place(what: &str) -> NotDelivered {
    NotDelivered(format!(
        "{what} is on this machine or in a private network: allow that under \"Alerts to private addresses\"."
    ))
}

/// The first address of that name that may be reached.
async fn reachable(server: &str, private: bool) -> Result<(String, SocketAddr), NotDelivered> {
    let (name, _) = server.rsplit_once(':').unwrap_or((server, ""));
    let name = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let found = tokio::net::lookup_host(server).await;
    let mut found = found.map_err(|e| failed("The mail server's name is not known here", &e))?;
    let may = |ip: IpAddr| match place(ip) {
        Place::Public => true,
        Place::Private => private,
        Place::Never => false,
    };
    let address = found.find(|address| may(address.ip()));
    let address = address.ok_or_else(|| private_place("The mail server"))?;
    Ok((name, address))
}

impl NetMessenger {
    fn tls(&self, mail: &Mail, name: &str, at: IpAddr) -> Result<Tls, NotDelivered> {
        if mail.tls == "none" {
            // Neither a text nor a password goes out to the internet for anybody to read.
            return if place(at) == Place::Private {
                Ok(Tls::None)
            } else {
                Err(NotDelivered(
                    "Without TLS mail goes to private addresses only.".to_owned(),
                ))
            };
        }
        let mut parameters = TlsParameters::builder(name.to_owned());
        if !self.roots.is_empty() {
            let root = Certificate::from_pem(&self.roots);
            let root = root.map_err(|e| failed("The extra certificates cannot be read", &e))?;
            parameters = parameters.add_root_certificate(root);
        }
        let parameters = parameters.build_rustls();
        let parameters = parameters.map_err(|e| failed("TLS cannot be used", &e))?;
        Ok(match mail.tls.as_str() {
            "starttls" => Tls::Required(parameters),
            _ => Tls::Wrapper(parameters),
        })
    }
}

fn mailbox(address: &str) -> Result<Mailbox, NotDelivered> {
    let parsed: Result<Mailbox, AddressError> = address.parse();
    parsed.map_err(|e| failed(&format!("`{address}` is no mail address"), &e))
}

fn letter(mail: &Mail) -> Result<Message, NotDelivered> {
    let mut letter = Message::builder().from(mailbox(&mail.from)?);
    for to in &mail.to {
        letter = letter.to(mailbox(to)?);
    }
    // No line break of a name gets into a header.
    let subject: String = mail.subject.chars().filter(|c| !c.is_control()).collect();
    let letter = letter.subject(subject).body(mail.text.clone());
    letter.map_err(|e| failed("The mail cannot be written", &e))
}

#[async_trait]
impl Messenger for NetMessenger {
    async fn mail(&self, mail: &Mail) -> Result<(), NotDelivered> {
        let letter = letter(mail)?;
        let (name, address) = reachable(&mail.server, mail.private).await?;
        let builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
                .port(address.port())
                .timeout(Some(PATIENCE))
                .tls(self.tls(mail, &name, address.ip())?);
        let builder = match &mail.login {
            Some((user, password)) => builder.credentials(Credentials::new(
                user.clone(),
                password.expose_secret().to_owned(),
            )),
            None => builder,
        };
        let sent = builder.build().send(letter).await;
        sent.map(|_| ()).map_err(|e| {
            failed(
                &format!("The mail server {} did not take it", mail.server),
                &e,
            )
        })
    }

    async fn call(
        &self,
        url: &SecretString,
        body: Option<Vec<u8>>,
        private: bool,
    ) -> Result<(), NotDelivered> {
        // Of the address, only its host may be said: the rest is what makes it a secret.
        let parsed = Url::parse(url.expose_secret());
        let parsed = parsed.map_err(|_| NotDelivered("The address is none.".to_owned()))?;
        let host = parsed.host_str().unwrap_or_default().to_owned();
        let request = WireRequest {
            method: if body.is_some() { "POST" } else { "GET" }.to_owned(),
            url: url.expose_secret().to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.unwrap_or_default(),
            allow_private: private,
            max_answer: ANSWER,
            timeout_ms: u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX),
        };
        match self.wire.send(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(NotDelivered(format!("{host} answered {}.", answer.status))),
            Err(WireError::AddressRefused { .. }) => Err(private_place(&host)),
            Err(error) => Err(NotDelivered(
                format!("{host}: {error}.").replace(url.expose_secret(), "its address"),
            )),
        }
    }
}
