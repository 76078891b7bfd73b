//! Owns sending several sales in one call, and what follows when its answer is lost: all are looked up together, those
//! that are there adopted, the others sent again. Each member has its own verdict. Must not know what one sale's answer
//! means (`push_order.rs`).

use crate::api::{Api, Sent};
use crate::doubt::Doubt;
use crate::lookup::{self, Found};
use crate::memory;
use crate::push_order::{Case, PATH, STEP};
use crate::wire::message::{Envelope, MOST, Results};
use waybill_sdk::effect::effect;
use waybill_sdk::effects::Effect;
use waybill_sdk::log::Level;
use waybill_sdk::types::{Failure, Outcome, Verdict};

const ENVELOPE: &str = "/multi-message";

/// Set while the account is known not to take several in one call.
const SINGLE: &str = "single-calls";

/// How long that is believed.
const SINGLE_MS: i64 = 24 * 3_600_000;

/// Several are not begun with less time than this: their call would be cut off, and all of them end in doubt.
const ENOUGH_MS: u32 = 20_000;

/// A member's place, and what it came to.
pub type Placed = (u32, Verdict);

/// Sends these sales, several in one call where that may be.
pub fn push(api: &Api<'_>, cases: Vec<Case<'_>>) -> Vec<Placed> {
    let mut verdicts = Vec::with_capacity(cases.len());
    // What is in doubt waits for its look-up; what is new must not wait with it. Labels are told apart within a call.
    let mut groups: [Vec<Case<'_>>; 2] = [Vec::new(), Vec::new()];
    let mut rest = Vec::new();
    let noted = Doubt::are_noted(api, cases.iter().map(|case| &case.doubt));
    for (case, noted) in cases.into_iter().zip(noted) {
        let group = &mut groups[usize::from(noted)];
        let labelled = |other: &Case<'_>| other.external_ref == case.external_ref;
        if group.len() < MOST && !group.iter().any(labelled) {
            group.push(case);
        } else {
            rest.push(case);
        }
    }
    for group in groups {
        let time = api.host.remaining_ms() >= ENOUGH_MS;
        let many = group.len() > 1 && time && group[0].may_be_with_others();
        if many {
            verdicts.extend(together(api, group));
        } else {
            rest.extend(group);
        }
    }
    rest.sort_by_key(|case| case.member.index);
    verdicts.extend(rest.iter().map(one));
    verdicts
}

/// In a call of its own.
fn one(case: &Case<'_>) -> Placed {
    let verdict = match crate::sink::stopped(case.api, case.member.index == 0) {
        Some(failure) => Err(failure),
        None => case.alone(),
    };
    (case.member.index, verdict)
}

impl Case<'_> {
    fn may_be_with_others(&self) -> bool {
        if !self.member.connection.multi_message() {
            return false;
        }
        let single = memory::one::<bool>(self.api.host, SINGLE);
        single.is_none_or(|kept| self.api.host.now_ms() - kept.at >= SINGLE_MS)
    }
}

fn together(api: &Api<'_>, cases: Vec<Case<'_>>) -> Vec<Placed> {
    if let Some(failure) = api.closed() {
        return all(&cases, &Err(failure));
    }
    let effect = effect_of(&cases);
    send(api, cases, &effect, false)
}

fn effect_of(cases: &[Case<'_>]) -> Effect {
    let members = cases.iter().map(|case| case.member.index);
    effect(STEP, members.collect::<Vec<_>>())
}

fn all(cases: &[Case<'_>], verdict: &Verdict) -> Vec<Placed> {
    let place = |case: &Case<'_>| (case.member.index, verdict.clone());
    cases.iter().map(place).collect()
}

/// `absent`: a look-up of this call showed none of them.
fn send(api: &Api<'_>, cases: Vec<Case<'_>>, effect: &Effect, absent: bool) -> Vec<Placed> {
    let bodies = cases.iter().map(|c| (c.external_ref.as_str(), &c.sale));
    let envelope = Envelope::posts(PATH, bodies);
    let sent = match api.create_if_offered(ENVELOPE, &envelope, effect) {
        Ok(sent) => sent,
        Err(failure) => return all(&cases, &Err(failure)),
    };
    match sent {
        None => {
            memory::put(api.host, SINGLE, api.host.now_ms(), &true);
            let words = "The account does not take several writes in one call; each is sent alone for a day.";
            api.host.log(Level::Warn, words, &[]);
            cases.iter().map(one).collect()
        }
        // The envelope was refused and nothing of it was run: alone, each is told why.
        Some(Sent::Refused(..)) => cases.iter().map(one).collect(),
        Some(Sent::Practice) => all(&cases, &Ok(Outcome::Recorded)),
        Some(Sent::Doubt(age_ms)) => lost(api, cases, age_ms, effect, absent),
        Some(Sent::Lost(failure)) => {
            for case in &cases {
                case.doubt.note(0);
            }
            all(&cases, &Err(failure))
        }
        Some(Sent::Unread(value)) => {
            let results = Results::of(&value);
            let verdict = |case: &Case<'_>| match results {
                Some(results) => case.of_several(results.of_label(&case.external_ref)),
                None => case.answered_in_doubt(),
            };
            let settle = |case: &Case<'_>| (case.member.index, case.settled(verdict(case)));
            cases.iter().map(settle).collect()
        }
        // A number is no answer to several.
        Some(Sent::Created(_)) => cases
            .iter()
            .map(|case| (case.member.index, case.answered_in_doubt()))
            .collect(),
    }
}

/// Sent, and the answer was lost: what is there is adopted, what is not is sent again once that is proven.
fn lost(
    api: &Api<'_>,
    cases: Vec<Case<'_>>,
    age_ms: u64,
    sent: &Effect,
    absent: bool,
) -> Vec<Placed> {
    let found = if absent {
        vec![Found::Absent; cases.len()]
    } else {
        let names = |case: &Case<'_>| {
            let reference = case.sale.reference.clone().into_owned();
            (case.external_ref.clone(), reference)
        };
        let wanted: Vec<(String, String)> = cases.iter().map(names).collect();
        match lookup::sales(api, &wanted) {
            Ok(found) => found,
            Err(failure) => return all(&cases, &Err(failure)),
        }
    };
    let count = cases.len();
    let mut verdicts = Vec::with_capacity(count);
    let mut again = Vec::new();
    for (case, found) in cases.into_iter().zip(found) {
        match case.looked_up(found, age_ms) {
            Some(verdict) => verdicts.push((case.member.index, case.settled(verdict))),
            None => again.push(case),
        }
    }
    if sent.verified_absent && age_ms == 0 {
        // These were sent for the second time just now, and lost again: they start their own wait.
        for case in &again {
            case.doubt.note(0);
        }
        verdicts.extend(all(&again, &Err(Failure::Retry(None))));
    } else if sent.verified_absent {
        // Nothing left: for some of them an answer is kept that does not say. Alone, each finds its own.
        verdicts.extend(again.iter().map(one));
    } else if again.len() < 2 {
        verdicts.extend(again.iter().map(one));
    } else {
        let effect = effect_of(&again);
        // The age is that of the oldest of them all. Some of these may have been sent again later, just before a stop:
        // asked for on their own, the journal tells their age, and nothing leaves while that is open.
        let effect = effect.resend_if(again.len() == count);
        verdicts.extend(send(api, again, &effect, true));
    }
    verdicts
}
