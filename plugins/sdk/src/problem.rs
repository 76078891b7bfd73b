//! Short ways to say what happened. Texts are for a merchant: one sentence, then what to do.

use crate::links::Link;
use crate::types::{Failure, Outcome, Problem, Receipt, Ticket, Verdict};

impl Problem {
    /// A problem with a hint. `code` is stable and in kebab-case.
    pub fn new(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
    /// A problem that suggests nothing.
    pub fn bare(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            hint: None,
        }
    }
}

impl Failure {
    /// A person must look.
    pub fn rejected(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Rejected(Problem::new(code, message, hint))
    }
}

impl Receipt {
    /// Written under that key.
    pub fn of(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            number: None,
            duplicate: false,
            links: Vec::new(),
        }
    }
    /// With the number people use.
    #[must_use]
    pub fn numbered(mut self, number: Option<String>) -> Self {
        self.number = number;
        self
    }
    /// It was there already.
    #[must_use]
    pub fn already_there(mut self) -> Self {
        self.duplicate = true;
        self
    }
    /// With links made on the way.
    #[must_use]
    pub fn linked(mut self, links: Vec<Link>) -> Self {
        self.links = links;
        self
    }
}

/// The verdict of a written member.
pub fn done(receipt: Receipt) -> Verdict {
    Ok(Outcome::Done(receipt))
}

/// The verdict of a queued member.
pub fn pending(handle: impl Into<String>, check_in_secs: u32) -> Verdict {
    Ok(Outcome::Pending(Ticket {
        handle: handle.into(),
        check_in_secs,
    }))
}

/// The same verdict for every member.
pub fn for_all(count: usize, verdict: &Verdict) -> Vec<Verdict> {
    vec![verdict.clone(); count]
}
