//! One request from head to answer: guard, route, who asks, body, form token, then the page or the API. Both listeners
//! end here; they differ only in the [`Peer`]. Knows no HTML and no JSON of a route.

use crate::answer::{self, Answer, Failure};
use crate::body::{self, Fields, Limits};
use crate::consent::Consents;
use crate::guard::{self, Hosts};
use crate::html::Times;
use crate::machine::Machine;
use crate::password::PasswordError;
use crate::people::People;
use crate::roles;
use crate::router::{Found, Params, Routes};
use crate::routes::{Access, Entry, Route};
use crate::session::{Key, Notice, Rights, Tries, Visitor};
use crate::upload::{self, Upload};
use crate::users::UserError;
use crate::{api, local, metrics, pages};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use jiff::tz::TimeZone;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use waybill_engine::Handle;
use waybill_model::ids::Millis;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Somebody over TCP.
    Network(IpAddr),
    /// A process of this machine that may ask, by its user id.
    Local(u32),
    /// A process of this machine that may not.
    Stranger(u32),
}

/// A file that was checked and waits to be applied.
pub(crate) struct Staged {
    /// Whose.
    pub(crate) key: Key,
    /// Of which table.
    pub(crate) table: String,
    /// Made of its content: what is applied is what was shown.
    pub(crate) id: String,
    /// Its content.
    pub(crate) text: Arc<str>,
}

/// What only the browser's listener needs.
pub(crate) struct Browsers {
    /// Names we answer to.
    pub(crate) hosts: Hosts,
    /// Who tried too often.
    pub(crate) tries: Mutex<Tries>,
    /// The file that was previewed last, until it is applied or another one is.
    pub(crate) staged: Mutex<Option<Staged>>,
    /// Approvals under way.
    pub(crate) consents: Mutex<Consents>,
    /// Name of the cookie: with the port, since cookies of one host are shared by all its ports.
    pub(crate) cookie: String,
}

/// Everything a request needs.
pub(crate) struct Site {
    /// The engine.
    pub(crate) handle: Handle,
    /// Users.
    pub(crate) people: Arc<People>,
    /// The table.
    pub(crate) routes: Routes,
    /// This machine's zone.
    pub(crate) zone: TimeZone,
    /// Limits of a body.
    pub(crate) limits: Limits,
    /// Folder of the database, whose disk is measured.
    pub(crate) data_dir: PathBuf,
    /// When it began to listen.
    pub(crate) started_at: Millis,
    /// The browser's part; `None` on the local socket.
    pub(crate) browsers: Option<Browsers>,
}

/// A request that may be answered.
pub(crate) struct Asked<'a> {
    /// The site.
    pub(crate) site: &'a Site,
    /// Its line of the table.
    pub(crate) entry: &'static Entry,
    /// Parameters of the path.
    pub(crate) params: Params,
    /// Fields of the query.
    pub(crate) query: Fields,
    /// The session; `None` on the local socket and for everybody's routes.
    pub(crate) visitor: Option<Visitor>,
    /// Who, for the audit.
    pub(crate) who: String,
    /// From where.
    pub(crate) peer: Peer,
    /// The name by which it was asked; empty on the local socket.
    pub(crate) host: String,
    /// The form, or nothing.
    pub(crate) form: Fields,
    /// The file sent with the form.
    pub(crate) file: Option<Upload>,
    /// The body as it came.
    pub(crate) body: bytes::Bytes,
    /// `If-None-Match`.
    pub(crate) known: Option<HeaderValue>,
}

impl Asked<'_> {
    /// A parameter of the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A parameter of the path that is a number.
    pub(crate) fn number(&self, name: &str) -> Result<u64, Failure> {
        self.param(name)
            .parse()
            .map_err(|_| Failure::not_found("What you asked for"))
    }

    /// Times as this site shows them, seen from now.
    pub(crate) fn times(&self) -> Times {
        Times::new(self.site.zone(), self.site.handle.now())
    }

    /// The browser's part.
    pub(crate) fn browsers(&self) -> Result<&Browsers, Failure> {
        self.site
            .browsers
            .as_ref()
            .ok_or_else(|| Failure::not_found("This page"))
    }

    /// Leaves a sentence for the next page and goes there.
    pub(crate) fn say(&self, place: &str, notice: Notice) -> Answer {
        if let Some(visitor) = &self.visitor {
            locked(&self.site.people.sessions).leave_notice(visitor.key, notice);
        }
        answer::see_other(place)
    }
}

/// The guard of a table that no panic can leave half changed: each change is one step.
pub(crate) fn locked<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Browsers {
    /// The header that hands a cookie over; an empty one takes it back.
    fn cookie(&self, value: &str) -> Option<HeaderValue> {
        let ends = if value.is_empty() { "; Max-Age=0" } else { "" };
        let name = &self.cookie;
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{ends}");
        HeaderValue::from_str(&text).ok()
    }

    /// The header that takes the cookie back.
    pub(crate) fn log_out(&self) -> Option<HeaderValue> {
        self.cookie("")
    }
}

/// Whether a failure is told as JSON.
fn wants_json(peer: Peer, path: &str) -> bool {
    !matches!(peer, Peer::Network(_)) || path.starts_with("/api/")
}

impl Site {
    /// The merchant's zone, else this machine's.
    pub(crate) fn zone(&self) -> TimeZone {
        self.handle.zone().unwrap_or_else(|| self.zone.clone())
    }

    /// Opens a session and gives the header that hands its cookie over.
    pub(crate) fn log_in(
        &self,
        user: &str,
        rights: Rights,
    ) -> Result<(HeaderValue, Key), PasswordError> {
        let people = &self.people;
        let cookie = URL_SAFE_NO_PAD.encode(people.passwords.random::<32>()?);
        let form = URL_SAFE_NO_PAD.encode(people.passwords.random::<32>()?);
        let header = self.browsers.as_ref().and_then(|b| b.cookie(&cookie));
        let header = header.ok_or_else(|| PasswordError::Hash("no cookie".to_owned()))?;
        locked(&people.sessions).open(&cookie, form, user, rights, self.handle.now());
        Ok((header, Key::of(&cookie)))
    }

    /// Who holds the cookie of this request.
    fn visitor(&self, headers: &HeaderMap) -> Option<Visitor> {
        let browsers = self.browsers.as_ref()?;
        let cookie = guard::cookie(headers, &browsers.cookie)?;
        locked(&self.people.sessions).visitor(cookie, self.handle.now())
    }

    /// Answers a request. Every answer carries the guarding headers.
    pub(crate) async fn answer(&self, peer: Peer, request: Request<Incoming>) -> Answer {
        let json = wants_json(peer, request.uri().path());
        let answer = match self.route(peer, request).await {
            Ok(answer) => answer,
            Err(failure) => {
                if failure.status.is_server_error() {
                    tracing::warn!(code = %failure.code, error = %failure.message, "A request could not be answered.");
                }
                if json {
                    failure.to_json()
                } else {
                    pages::failure(&failure)
                }
            }
        };
        answer::guarded(answer)
    }

    async fn route(&self, peer: Peer, request: Request<Incoming>) -> Result<Answer, Failure> {
        let (head, incoming) = request.into_parts();
        if let Peer::Stranger(uid) = peer {
            let text = format!("user id {uid} may not command this agent");
            return Err(Failure::new(StatusCode::FORBIDDEN, "not-allowed", text)
                .hint("Run the command as root (sudo), or as the agent's own user."));
        }
        let host = match &self.browsers {
            Some(browsers) => browsers.hosts.check(&head.uri, &head.headers)?,
            None => "",
        };
        let (entry, params) = match self.routes.find(&head.method, head.uri.path()) {
            Found::Entry(entry, params) => (entry, params),
            Found::OtherMethod(allowed) => return Ok(other_method(&allowed)),
            Found::Nothing => return Err(Failure::not_found("This page")),
        };
        let writes = !guard::is_read(&head.method);
        if writes && self.browsers.is_some() {
            guard::same_site(host, &head.headers)?;
        }
        let visitor = self.visitor(&head.headers);
        if let Some(answer) = refuse(peer, entry, visitor.as_ref(), &head.uri)? {
            return Ok(answer);
        }
        if entry.access == Access::Scraper && visitor.is_none() {
            guard::own_machine(peer, host, &head.headers)?;
        }
        let body = if writes {
            let bytes = self.limits.bytes.max(entry.route.largest());
            body::read(
                incoming,
                Limits {
                    bytes,
                    ..self.limits
                },
            )
            .await?
        } else {
            bytes::Bytes::new()
        };
        let (form, file) = sent(&head.headers, &body);
        if let (true, Some(visitor), true) = (writes, &visitor, entry.access != Access::Everybody) {
            let given = head
                .headers
                .get("x-form-token")
                .and_then(|v| v.to_str().ok())
                .or_else(|| form.get("token"));
            guard::form_token(given, &visitor.form_token)?;
        }
        let who = match (peer, &visitor) {
            (Peer::Local(uid), _) => local::who(uid),
            (_, Some(visitor)) => visitor.user.clone(),
            _ => String::new(),
        };
        let asked = Asked {
            site: self,
            entry,
            params,
            query: Fields::parse(head.uri.query().unwrap_or_default().as_bytes()),
            visitor,
            who,
            peer,
            host: host.to_owned(),
            form,
            file,
            body,
            known: head.headers.get(header::IF_NONE_MATCH).cloned(),
        };
        if entry.route == Route::Metrics {
            let machine = Machine::now(&self.data_dir, self.started_at);
            metrics::answer(&self.handle.figures().await?, &machine)
        } else if entry.path.starts_with("/api/") {
            api::answer(&asked).await
        } else {
            pages::answer(&asked).await
        }
    }
}

fn other_method(allowed: &str) -> Answer {
    let words = format!("this address takes {allowed} only");
    let mut answer = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method", words).to_json();
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    answer
}

/// The fields and the file of a form; nothing of any other body.
fn sent(headers: &HeaderMap, body: &[u8]) -> (Fields, Option<Upload>) {
    if is_form(headers) {
        return (Fields::parse(body), None);
    }
    match upload::boundary(headers) {
        Some(boundary) => {
            let parts = upload::parse(body, &boundary);
            (Fields::of(parts.fields), parts.file)
        }
        None => (Fields::default(), None),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| {
            kind.split(';')
                .next()
                .is_some_and(|k| k.trim() == "application/x-www-form-urlencoded")
        })
}

/// Where the rights end: an answer instead of the page, or a failure for the API.
fn refuse(
    peer: Peer,
    entry: &Entry,
    visitor: Option<&Visitor>,
    uri: &hyper::Uri,
) -> Result<Option<Answer>, Failure> {
    let api = entry.path.starts_with("/api/");
    if let Peer::Local(_) = peer {
        let probe = matches!(entry.route, Route::Live | Route::Ready | Route::Metrics);
        let served = probe || (api && entry.access != Access::Browser);
        return if served {
            Ok(None)
        } else {
            Err(Failure::not_found("This page"))
        };
    }
    match (entry.access, visitor.map(|v| v.rights)) {
        (Access::Everybody | Access::Scraper, _)
        | (Access::Visitor, Some(_))
        | (Access::Browser, Some(Rights::Role(_))) => Ok(None),
        (Access::User, Some(Rights::Role(role))) => match roles::least(entry) {
            least if role >= least => Ok(None),
            least => Err(Failure::new(
                StatusCode::FORBIDDEN,
                "role",
                format!(
                    "this needs the role {}; yours is {}",
                    least.word(),
                    role.word()
                ),
            )
            .hint("Ask an admin, who sees under Users who may do what.")),
        },
        // As if it were not there: it moves secrets, and those stay off the network.
        (Access::Local, _) => Err(Failure::not_found("This page")),
        (_, Some(Rights::SetPassword)) if api => Err(Failure::new(
            StatusCode::FORBIDDEN,
            "password-first",
            "set the password first",
        )
        .hint("Open the page and choose a password.")),
        (_, Some(Rights::SetPassword)) => Ok(Some(answer::see_other("/password"))),
        (_, None) if api => Err(
            Failure::new(StatusCode::UNAUTHORIZED, "login", "log in first")
                .hint("Log in on the page, or use the command line on this machine."),
        ),
        (_, None) if entry.method == "GET" => {
            let place = uri.path_and_query().map_or("/", |p| p.as_str());
            let next =
                percent_encoding::utf8_percent_encode(place, percent_encoding::NON_ALPHANUMERIC);
            Ok(Some(answer::see_other(&format!("/login?next={next}"))))
        }
        (_, None) => Ok(Some(answer::see_other("/login"))),
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Command(error) => error.into(),
            PasswordError::AlreadySet => {
                Self::new(StatusCode::CONFLICT, "already-set", error.to_string())
                    .hint("Log in with that password.")
            }
            PasswordError::Weak(_) => Self::bad(error.to_string()),
            PasswordError::User(error) => {
                let status = match error {
                    UserError::Nobody(_) => StatusCode::NOT_FOUND,
                    UserError::Name => StatusCode::BAD_REQUEST,
                    _ => StatusCode::CONFLICT,
                };
                Self::new(status, "users", error.to_string()).hint(error.hint())
            }
            other => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "password",
                other.to_string(),
            )
            .hint("Look into the log."),
        }
    }
}
