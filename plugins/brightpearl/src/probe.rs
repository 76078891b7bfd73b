//! Owns the proof that the connection works: what was reached, as whom, what is left, and that every id the merchant
//! chose exists and may be used. Reads only. Must not know orders.

use crate::api::{Api, Reply};
use crate::choices::list_of;
use crate::describe;
use crate::settings::Settings;
use crate::wire::lists::{Entry, List};
use waybill_sdk::types::{Context, Failure, Problem};
use waybill_sdk::{Host, date};

/// Read-only proof; what was found, in words.
pub fn probe(host: &dyn Host, ctx: &Context) -> Result<Vec<(String, String)>, Failure> {
    let settings = Settings::of(&ctx.settings);
    if let Some(first) = settings.validate().into_iter().next() {
        return Err(Failure::Rejected(first));
    }
    let api = Api::new(host, settings)?;
    let statuses = api.get(List::OrderStatus.path())?;
    let clock = statuses.date_ms.map(|at| date::clock(at, host.now_ms()));
    let mut told = Told {
        lists: vec![(
            List::OrderStatus,
            List::OrderStatus.entries(&statuses.value),
        )],
        remaining: statuses.remaining,
        problems: Vec::new(),
        facts: Vec::new(),
    };
    told.fact("account", settings.account());
    told.fact("address", settings.base_url());
    told.fact("signed in with", settings.slot());
    if let Some(id) = api.instance() {
        told.fact("app instance", id.to_string());
    }
    let keys = describe::descriptor().settings.into_iter().map(|s| s.key);
    for key in keys {
        if let (Some(list), Some(value)) = (list_of(&key), settings.get(&key)) {
            told.check(&api, &key, list, value)?;
        }
    }
    if let Some(left) = told.remaining {
        told.fact("calls left this minute", left.to_string());
    }
    if let Some(difference) = clock {
        told.fact("clock", difference);
    }
    told.verdict()
}

struct Told {
    lists: Vec<(List, Vec<Entry>)>,
    remaining: Option<u64>,
    problems: Vec<Problem>,
    facts: Vec<(String, String)>,
}

impl Told {
    fn fact(&mut self, name: &str, value: String) {
        self.facts.push((name.to_owned(), value));
    }

    /// Each list is read once, and only where a setting is chosen from it.
    fn entries(&mut self, api: &Api<'_>, list: List) -> Result<&[Entry], Failure> {
        let known = self.lists.iter().position(|(known, _)| *known == list);
        let at = if let Some(at) = known {
            at
        } else {
            let reply = api.get_found(list.path())?;
            if let Some(Reply { remaining, .. }) = &reply {
                self.remaining = remaining.or(self.remaining);
            }
            let entries = reply.map(|r| list.entries(&r.value)).unwrap_or_default();
            self.lists.push((list, entries));
            self.lists.len() - 1
        };
        Ok(&self.lists[at].1)
    }

    fn check(&mut self, api: &Api<'_>, key: &str, list: List, value: &str) -> Result<(), Failure> {
        let found = self
            .entries(api, list)?
            .iter()
            .find(|e| e.value == value)
            .cloned();
        let (message, hint) = match found {
            Some(entry) if !entry.disabled => {
                self.fact(key, entry.label);
                return Ok(());
            }
            Some(entry) => (
                format!(
                    "The setting `{key}` is {}, which cannot be used for new sales.",
                    entry.label
                ),
                "Choose another value of the list.",
            ),
            None => (
                format!("The setting `{key}` is `{value}`, which this account does not have."),
                "Choose a value of the list; statuses must be those of sales orders.",
            ),
        };
        self.problems.push(Problem::new(key, message, hint));
        Ok(())
    }

    /// The facts, or all problems in one, under the key of the first.
    fn verdict(self) -> Result<Vec<(String, String)>, Failure> {
        let mut problems = self.problems.into_iter();
        let Some(mut first) = problems.next() else {
            return Ok(self.facts);
        };
        for other in problems {
            first.message.push(' ');
            first.message.push_str(&other.message);
        }
        Err(Failure::Rejected(first))
    }
}
