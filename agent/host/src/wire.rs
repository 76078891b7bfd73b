//! The network port over real sockets: HTTP without redirects, proxies or retries, to addresses that were checked
//! before the connection is made. It knows no connectors, no journal and no credentials.

use crate::address::{Place, place};
use crate::ports::{Wire, WireError, WireRequest, WireResponse};
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Method, Response};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::{Host, Url};

/// New system certificates are seen by new clients only.
const CLIENT_LIFE: Duration = Duration::from_hours(24);
const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(20);

/// The extra certificates are no certificates.
#[derive(Debug, thiserror::Error)]
#[error("the extra certificate authorities cannot be read: {0}")]
pub struct CertificateError(String);

/// Which addresses a client connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// The internet only.
    Public,
    /// Also this machine and private networks.
    Granted,
    /// These only: plain text does not go out to the internet.
    PlainText,
    /// This machine and nothing else, in plain text.
    OwnMachine,
}

impl Policy {
    fn admits(self, ip: IpAddr) -> bool {
        if self == Self::OwnMachine {
            return ip.is_loopback();
        }
        match place(ip) {
            Place::Public => self != Self::PlainText,
            Place::Private => self != Self::Public,
            Place::Never => false,
        }
    }

    fn of(request: &WireRequest, url: &Url) -> Result<Self, WireError> {
        match (url.scheme(), request.allow_private) {
            ("https", false) => Ok(Self::Public),
            ("https", true) => Ok(Self::Granted),
            ("http", true) => Ok(Self::PlainText),
            (scheme, _) => Err(WireError::NotSent(format!(
                "`{scheme}` is not allowed here"
            ))),
        }
    }
}

/// Sends requests over the machine's network.
pub struct NetWire {
    roots: Vec<Certificate>,
    own_machine: bool,
    public: Slot,
    granted: Slot,
    plain: Slot,
}

type Slot = Mutex<Option<(Client, Instant)>>;

impl NetWire {
    /// A wire that trusts the system's certificate authorities, and those of `extra_roots` (PEM, may be empty).
    ///
    /// # Errors
    /// When `extra_roots` is no PEM bundle.
    pub fn new(extra_roots: &[u8]) -> Result<Self, CertificateError> {
        let roots = if extra_roots.is_empty() {
            Vec::new()
        } else {
            Certificate::from_pem_bundle(extra_roots).map_err(|e| CertificateError(chain(&e)))?
        };
        if !extra_roots.is_empty() && roots.is_empty() {
            return Err(CertificateError("no certificate in the file".to_owned()));
        }
        Ok(Self {
            roots,
            own_machine: false,
            public: Slot::default(),
            granted: Slot::default(),
            plain: Slot::default(),
        })
    }

    /// The same, but it reaches this machine and nothing else, whatever was granted to whom.
    #[must_use]
    pub fn on_this_machine(mut self) -> Self {
        self.own_machine = true;
        self
    }

    /// Which addresses a request may go to.
    fn policy(&self, request: &WireRequest, url: &Url) -> Result<Policy, WireError> {
        if !self.own_machine {
            return Policy::of(request, url);
        }
        match (url.scheme(), request.allow_private) {
            ("http", true) => Ok(Policy::OwnMachine),
            (scheme, _) => Err(WireError::NotSent(format!(
                "`{scheme}` is not spoken here: a rehearsal reaches this machine only"
            ))),
        }
    }

    async fn client(&self, policy: Policy) -> Result<Client, WireError> {
        let slot = match policy {
            Policy::Public => &self.public,
            Policy::Granted => &self.granted,
            Policy::PlainText | Policy::OwnMachine => &self.plain,
        };
        let mut slot = slot.lock().await;
        if let Some((client, built)) = &*slot
            && built.elapsed() < CLIENT_LIFE
        {
            return Ok(client.clone());
        }
        let roots = self.roots.clone();
        // Loading the system's certificates reads files.
        let client = tokio::task::spawn_blocking(move || build(policy, roots))
            .await
            .map_err(|e| WireError::NotSent(e.to_string()))??;
        *slot = Some((client.clone(), Instant::now()));
        Ok(client)
    }
}

fn build(policy: Policy, roots: Vec<Certificate>) -> Result<Client, WireError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Whoever installed one in the meantime installed the same: there is only one in this build.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("waybill/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::new(CheckedNames { policy }));
    let builder = match policy {
        // No TLS in plain text: works where the system has no certificates.
        Policy::PlainText | Policy::OwnMachine => builder.tls_certs_only([]),
        Policy::Public | Policy::Granted => builder.tls_certs_merge(roots),
    };
    builder.build().map_err(|e| {
        WireError::NotSent(format!(
            "no HTTP client: {} (is the package with the system's certificates installed?)",
            chain(&e)
        ))
    })
}

/// Resolves a name once and hands out the addresses only when every one of them is allowed; the connection is made to
/// exactly these.
struct CheckedNames {
    policy: Policy,
}

#[derive(Debug, thiserror::Error)]
#[error("`{host}` resolves to {address}, an address that was not granted")]
struct NotGranted {
    host: String,
    address: IpAddr,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            match found.iter().find(|a| !policy.admits(a.ip())) {
                Some(refused) => Err(NotGranted {
                    host,
                    address: refused.ip(),
                }
                .into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

/// The client resolves no literal addresses, so they are checked here.
fn check_literal(url: &Url, policy: Policy) -> Result<(), WireError> {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err(WireError::NotSent("the URL names no host".to_owned())),
    };
    if policy.admits(ip) {
        return Ok(());
    }
    Err(WireError::AddressRefused {
        host: url.host_str().unwrap_or_default().to_owned(),
        address: ip.to_string(),
    })
}

#[async_trait]
impl Wire for NetWire {
    async fn send(&self, request: WireRequest) -> Result<WireResponse, WireError> {
        let not_sent = |why: String| WireError::NotSent(why);
        let url = Url::parse(&request.url).map_err(|e| not_sent(e.to_string()))?;
        let policy = self.policy(&request, &url)?;
        check_literal(&url, policy)?;
        let method =
            Method::from_bytes(request.method.as_bytes()).map_err(|e| not_sent(e.to_string()))?;
        let is_head = method == Method::HEAD;
        let headers = headers(&request.headers)?;
        let client = self.client(policy).await?;
        let response = client
            .request(method, url)
            .headers(headers)
            .body(request.body)
            .timeout(Duration::from_millis(request.timeout_ms))
            .send()
            .await
            .map_err(|e| classify(&e))?;
        receive(response, request.max_answer, is_head).await
    }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, WireError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let unfit = || WireError::NotSent(format!("the header `{name}` cannot be sent"));
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| unfit())?;
        value.set_sensitive(true);
        headers.append(parsed, value);
    }
    Ok(headers)
}

async fn receive(
    mut response: Response,
    max: u64,
    is_head: bool,
) -> Result<WireResponse, WireError> {
    let too_large = || WireError::TooLarge(max);
    if !is_head && response.content_length().is_some_and(|len| len > max) {
        return Err(too_large());
    }
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| classify(&e))? {
        let len = u64::try_from(body.len() + chunk.len()).unwrap_or(u64::MAX);
        if len > max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(WireResponse {
        status,
        headers,
        body,
    })
}

/// What an error proves. Only what happened before the connection stood proves that nothing was sent.
fn classify(error: &reqwest::Error) -> WireError {
    if let Some(refused) = find::<NotGranted>(error) {
        return WireError::AddressRefused {
            host: refused.host.clone(),
            address: refused.address.to_string(),
        };
    }
    if error.is_builder() || error.is_connect() || error.is_dns() {
        return WireError::NotSent(chain(error));
    }
    if error.is_timeout() {
        return WireError::TimedOut;
    }
    WireError::Lost(chain(error))
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The causes below the outermost sentence, which repeats the URL.
fn chain(error: &dyn Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup();
    if causes.is_empty() {
        error.to_string()
    } else {
        causes.join(": ")
    }
}
