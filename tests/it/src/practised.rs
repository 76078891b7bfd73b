//! What a connector answers in practice mode, its first effect denied: the host's record of it, and nothing done.

use crate::erp::answer;
use waybill_host::connector::Answer;
use waybill_model::contract::{Exchange, Outcome, Verdict};

/// One record for all members.
pub(crate) fn practised<'k>(keys: impl Iterator<Item = &'k str>) -> Answer<Vec<Verdict>> {
    let keys: Vec<&str> = keys.collect();
    let recorded = keys.iter().map(|_| Ok(Outcome::Recorded)).collect();
    let mut told = answer(Ok(recorded));
    told.exchanges.push(Exchange {
        at: 0,
        took_ms: 0,
        method: "POST".to_owned(),
        url: "https://side.example/records".to_owned(),
        status: 0,
        step: Some("create".to_owned()),
        replayed: false,
        request: format!("{{\"key\":\"{}\"}}", keys.join(" ")),
        answer: "denied: practice mode: recorded, not sent".to_owned(),
    });
    told
}
