//! What the outcome of a call means. Transient trouble becomes a retry, refused credentials pause the connection, and
//! what only the caller can judge (an answer in doubt, a refusal) is handed to it. Knows no vendor's words.

use crate::effects::{Denial, IoError};
use crate::host::Host;
use crate::http::{Request, Response};
use crate::types::{Failure, Outcome, Problem, Verdict};
use serde::de::DeserializeOwned;

/// How one vendor behaves.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Its name, for messages.
    pub vendor: &'static str,
    /// Statuses that prove that the call was turned away before anything happened: 429, for some vendors also 503.
    pub throttles: &'static [u16],
}

/// A call without a usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Practice mode: the request was recorded, not sent. Answer `recorded` for its members.
    Practice,
    /// This effect was sent so many milliseconds ago and its outcome is unknown: look it up.
    InDoubt(u64),
    /// The vendor answered 3xx or 4xx (but 401, 408 and throttles): nothing happened, and it said why.
    Refused(Response),
    /// There is nothing to decide.
    Failed(Failure),
}

impl Fault {
    /// As the failure of a whole call, given what a refusal means.
    pub fn failure(self, refused: impl FnOnce(&Response) -> Failure) -> Failure {
        match self {
            Self::Refused(response) => refused(&response),
            Self::Failed(failure) => failure,
            // Neither is seen by a read; an effect outside a batch (a poll, set-up) is tried again.
            Self::Practice | Self::InDoubt(_) => Failure::Retry(None),
        }
    }

    /// As the verdict of every member, given what a refusal means. In doubt: asked again later.
    pub fn verdict(self, refused: impl FnOnce(&Response) -> Failure) -> Verdict {
        match self {
            Self::Practice => Ok(Outcome::Recorded),
            other => Err(other.failure(refused)),
        }
    }
}

/// Sends a request and reads the outcome. `Ok` is an answer below 300.
pub fn send(host: &dyn Host, dialect: Dialect, request: &Request) -> Result<Response, Fault> {
    let vendor = dialect.vendor;
    let response = host.send(request).map_err(|error| match error {
        IoError::InDoubt(ms) => Fault::InDoubt(ms),
        IoError::Denied(Denial::Practice) => Fault::Practice,
        // A refused connection and a lost one alike: where the request was an effect, the host knows which it was and
        // answers the next attempt with in-doubt.
        IoError::TimedOut | IoError::Refused(_) => Fault::Failed(Failure::Retry(None)),
        IoError::TooLarge(bytes) => Fault::Failed(Failure::rejected(
            "answer-too-large",
            format!("{vendor} answered with more than {bytes} bytes."),
            "Lower the page size in this connection's settings, then retry.",
        )),
        IoError::Denied(denial) => Fault::Failed(denied(&denial, &request.url)),
    })?;
    let status = response.status;
    let refusal = dialect.throttles.contains(&status);
    if refusal && let Some(effect) = &request.effect {
        host.retract(&effect.step, &effect.members);
    }
    match status {
        200..=299 => Ok(response),
        401 => Err(Fault::Failed(Failure::Unauthorized(Problem::new(
            "unauthorized",
            format!("{vendor} did not accept the credentials."),
            "Enter them again for this connection, then press Test.",
        )))),
        408 | 500.. => Err(retry(&response)),
        _ if refusal => Err(retry(&response)),
        _ => Err(Fault::Refused(response)),
    }
}

fn retry(response: &Response) -> Fault {
    Fault::Failed(Failure::Retry(response.retry_after_secs()))
}

fn denied(denial: &Denial, url: &str) -> Failure {
    match denial {
        Denial::NotGranted(what) => Failure::rejected(
            "not-granted",
            format!("This connector may not reach {what}."),
            "Grant it on the Connectors page, or correct the address in this connection's settings.",
        ),
        Denial::EffectRequired => Failure::rejected(
            "effect-required",
            format!("The connector called {url} without naming an effect."),
            "This is a fault of the connector: report it to its author.",
        ),
        Denial::ReadOnlyCall | Denial::Practice => Failure::rejected(
            "read-only-call",
            format!("The connector tried to write to {url} during a read-only call."),
            "This is a fault of the connector: report it to its author.",
        ),
    }
}

/// The JSON of an answer. An error page of a gateway or a cut-off body is transient.
pub fn json<T: DeserializeOwned>(response: &Response) -> Result<T, Failure> {
    serde_json::from_slice(&response.body).map_err(|_| Failure::Retry(None))
}

/// [`send`], then [`json`], for reads; `refused` says what a refusal means.
pub fn read<T: DeserializeOwned>(
    host: &dyn Host,
    dialect: Dialect,
    request: &Request,
    refused: impl FnOnce(&Response) -> Failure,
) -> Result<T, Failure> {
    let response = send(host, dialect, request).map_err(|fault| fault.failure(refused))?;
    json(&response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::effect;
    use crate::replay::{Answer, TestHost};

    const VENDOR: Dialect = Dialect {
        vendor: "Acme",
        throttles: &[429, 503],
    };

    fn post() -> Request {
        Request::new("POST", "https://acme.test/orders").effect(effect("create", [0, 2]))
    }

    fn outcome(answer: Answer) -> (Result<Response, Fault>, TestHost) {
        let host = TestHost::at(0).expect("POST https://acme.test/orders", answer);
        let result = send(&host, VENDOR, &post());
        host.finish();
        (result, host)
    }

    #[test]
    fn a_throttle_proves_that_nothing_happened() {
        for status in [429, 503] {
            let (result, host) =
                outcome(Answer::text(status, "slow down").header("Retry-After", "7"));
            assert_eq!(result, Err(Fault::Failed(Failure::Retry(Some(7)))));
            assert_eq!(host.retracted(), [("create".to_owned(), vec![0, 2])]);
        }
    }

    #[test]
    fn other_server_errors_leave_the_effect_open() {
        for status in [408, 500, 502, 504] {
            let (result, host) = outcome(Answer::text(status, ""));
            assert_eq!(result, Err(Fault::Failed(Failure::Retry(None))));
            assert!(host.retracted().is_empty());
        }
    }

    #[test]
    fn refusals_doubts_and_practice_go_to_the_caller() {
        let (result, _) = outcome(Answer::text(400, "no"));
        assert!(matches!(result, Err(Fault::Refused(response)) if response.status == 400));
        let (result, _) = outcome(Answer::Error(IoError::InDoubt(5)));
        assert_eq!(result, Err(Fault::InDoubt(5)));
        let (result, _) = outcome(Answer::Error(IoError::Denied(Denial::Practice)));
        assert_eq!(result, Err(Fault::Practice));
        let (result, _) = outcome(Answer::text(401, ""));
        assert!(matches!(
            result,
            Err(Fault::Failed(Failure::Unauthorized(_)))
        ));
        let (result, _) = outcome(Answer::Error(IoError::TimedOut));
        assert_eq!(result, Err(Fault::Failed(Failure::Retry(None))));
    }

    #[test]
    fn an_error_page_and_a_cut_body_are_transient() {
        for body in ["<html>Bad gateway</html>", "{\"orders\": [{\"id\""] {
            let host = TestHost::at(0).expect("GET https://acme.test/x", Answer::text(200, body));
            let read: Result<serde_json::Value, _> =
                read(&host, VENDOR, &Request::get("https://acme.test/x"), |_| {
                    Failure::Retry(Some(1))
                });
            assert_eq!(read, Err(Failure::Retry(None)));
        }
    }

    #[test]
    fn a_write_without_an_effect_is_a_fault_of_the_connector() {
        let host = TestHost::at(0);
        let request = Request::new("PUT", "https://acme.test/x");
        let Err(Fault::Failed(Failure::Rejected(problem))) = send(&host, VENDOR, &request) else {
            panic!("a write without an effect went through");
        };
        assert_eq!(problem.code, "effect-required");
    }
}
