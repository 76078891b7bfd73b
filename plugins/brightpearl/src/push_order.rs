//! Owns making one sale exactly once: send, adopt what is there, look up what was lost. Must not know how an order
//! becomes a sale (`sale.rs`), how a search is read (`lookup.rs`) or who else is sent with it (`push_orders.rs`).

use crate::api::{self, Api, Sent};
use crate::doubt::Doubt;
use crate::lookup::{self, Found};
use crate::sale;
use crate::sink::{Member, adopted, made, unclear};
use crate::sold;
use crate::wire::envelope::{self, Complaint, Meaning};
use crate::wire::ids;
use crate::wire::message::{self, Results};
use crate::wire::sale::Sale;
use waybill_sdk::commerce::{Entity, Order, OrderPhase};
use waybill_sdk::effect::effect;
use waybill_sdk::effects::Effect;
use waybill_sdk::log::Level;
use waybill_sdk::types::{Failure, Outcome, Problem, Verdict};

/// Where a sale is made.
pub const PATH: &str = "/order-service/sales-order";

/// Name of the effect, the same in every version, and for a sale on its own as for one of several.
pub const STEP: &str = "create-sale";

/// How often a sale that Brightpearl calls a double, but does not show, is looked up before a person must.
const PATIENCE: u32 = 5;

/// Looks at one order: a sale ready to be sent, or the verdict where none is to be made.
pub fn prepare<'a>(
    api: &'a Api<'a>,
    member: &'a Member<'a>,
    order: &'a Order,
) -> Result<Case<'a>, Verdict> {
    let key = &member.document.key;
    let external_ref = sale::external_ref(key);
    let over = order.phase == OrderPhase::Cancelled || !sale::is_wanted(order);
    if over {
        return Err(ended_before(api, member, order, &external_ref));
    }
    // A link may be of ours: only the sale itself tells.
    let linked = member
        .links
        .iter()
        .any(|l| l.entity == Entity::Order && l.key != *key);
    if linked && let Found::Record(id) = lookup::sale(api, &external_ref).map_err(Err)? {
        return Err(adopted(id));
    }
    api.learn_instance().map_err(Err)?;
    let built = sale::build(key, order, member.settings, api.instance());
    let built = built.map_err(|problem| Err(Failure::Rejected(problem)))?;
    if !built.shortened.is_empty() {
        let fields = [
            ("key", key.as_str()),
            ("fields", &built.shortened.join(",")),
        ];
        let words = "Fields of an order were shortened to fit Brightpearl.";
        api.host.log(Level::Warn, words, &fields);
    }
    let guarded = built.sale.installed_integration_instance_id.is_some();
    Ok(Case {
        api,
        member,
        doubt: Doubt::of(api, &external_ref, member.settings, guarded),
        external_ref,
        sale: built.sale,
    })
}

/// An order that is over makes no sale. But an attempt to make it may have been carried out and its answer lost; then
/// its sale must be known, or it would be shipped.
fn ended_before(api: &Api<'_>, member: &Member<'_>, order: &Order, external_ref: &str) -> Verdict {
    let guarded = api.instance().is_some();
    let doubt = Doubt::of(api, external_ref, member.settings, guarded);
    let withdrawn = Err(Failure::Withdrawn(Problem::new(
        "order-cancelled",
        format!(
            "Order {} was cancelled before its sale was made.",
            order.number
        ),
        "Nothing is left to do.",
    )));
    let linked = !member.links.is_empty();
    if member.attempt <= 1 && !linked && !doubt.is_noted() {
        return withdrawn;
    }
    let verdict = match lookup::sale(api, external_ref)? {
        Found::Record(id) => adopted(id),
        Found::Unclear => return Err(unclear("This sale", external_ref)),
        Found::Absent => {
            if member.attempt > 1 && !doubt.is_noted() {
                doubt.note(0);
            }
            if doubt.is_noted()
                && let Some(secs) = doubt.wait_secs(u64::MAX)
            {
                return Err(Failure::Retry(Some(secs)));
            }
            withdrawn
        }
    };
    doubt.settle();
    verdict
}

/// A sale ready to be sent.
pub struct Case<'a> {
    /// The way to the account.
    pub api: &'a Api<'a>,
    /// The member it is made for.
    pub member: &'a Member<'a>,
    /// By which it is found again; also its label among several.
    pub external_ref: String,
    /// The body.
    pub sale: Sale<'a>,
    /// What is known of earlier attempts.
    pub doubt: Doubt<'a>,
}

impl Case<'_> {
    /// Sends this sale in a call of its own.
    pub fn alone(&self) -> Verdict {
        self.settled(self.send(effect(STEP, [self.member.index])))
    }

    /// The verdict, after keeping what a made sale leaves to be kept.
    pub fn settled(&self, verdict: Verdict) -> Verdict {
        if verdict.is_ok() {
            self.doubt.settle();
            sold::note_sent(self.api, &self.external_ref, &self.sale);
        }
        verdict
    }

    fn send(&self, effect: Effect) -> Verdict {
        // The instance may have been told by the call before this one.
        let sale = Sale {
            installed_integration_instance_id: self.api.instance(),
            ..self.sale.clone()
        };
        match self.api.create(PATH, &sale, &effect)? {
            Sent::Created(id) => made(id),
            Sent::Practice => Ok(Outcome::Recorded),
            Sent::Doubt(age_ms) => self.lost(age_ms, effect),
            Sent::Lost(failure) => {
                self.doubt.note(0);
                Err(failure)
            }
            // The kept answer may be that of several sent together.
            Sent::Unread(value) => match Results::of(&value) {
                Some(results) => self.of_several(results.of_label(&self.external_ref)),
                None => self.unread(),
            },
            Sent::Refused(status, list) => self.refused(status, &list),
        }
    }

    /// What one of several sales sent together came to. The step was answered and is kept for all of them: where the
    /// answer proves that nothing was done for this one, it is taken back, so that its next attempt is a first one.
    pub fn of_several(&self, result: message::Result) -> Verdict {
        let taken_back = || self.api.host.retract(STEP, &[self.member.index]);
        match result {
            message::Result::NotRun => {
                taken_back();
                Err(Failure::Retry(None))
            }
            message::Result::Unknown => self.answered_in_doubt(),
            message::Result::Run(meaning) => match meaning {
                Meaning::Value(value) => match ids::whole(&value).filter(|id| *id > 0) {
                    Some(id) => made(id),
                    None => self.made_unsaid(),
                },
                Meaning::Unreadable => self.made_unsaid(),
                Meaning::Refused(status, list) => {
                    taken_back();
                    self.refused(status, &list)
                }
                Meaning::Missing(list) => {
                    taken_back();
                    self.refused(404, &list)
                }
                Meaning::Fault(list) => {
                    taken_back();
                    self.refused(500, &list)
                }
                Meaning::Throttled(secs) => {
                    taken_back();
                    Err(Failure::Retry(Some(secs)))
                }
                Meaning::Unauthorized(words) => {
                    taken_back();
                    Err(self.api.unauthorized(&words))
                }
                Meaning::Broken(_) => self.answered_in_doubt(),
            },
        }
    }

    /// It was made, but is not said with what id: apart from the others until it is found.
    fn made_unsaid(&self) -> Verdict {
        if !self.doubt.is_noted() {
            self.doubt.note(0);
        }
        self.unread()
    }

    /// The call was answered, but whether this sale was made is not said. The kept answer will say it as little: once
    /// the search has had its time and shows none, it is taken back and the sale sent on its own.
    pub fn answered_in_doubt(&self) -> Verdict {
        if !self.doubt.is_noted() {
            self.doubt.note(0);
            return Err(Failure::Retry(self.doubt.wait_secs(0)));
        }
        match self.find()? {
            Found::Record(id) => adopted(id),
            Found::Unclear => Err(unclear("This sale", &self.external_ref)),
            Found::Absent => {
                if let Some(secs) = self.doubt.wait_secs(u64::MAX) {
                    return Err(Failure::Retry(Some(secs)));
                }
                self.api.host.retract(STEP, &[self.member.index]);
                self.send(effect(STEP, [self.member.index]))
            }
        }
    }

    /// Looked up after a lost answer: adopt it, wait, or, once it is proven not to be there, nothing yet: send it again.
    pub fn looked_up(&self, found: Found, age_ms: u64) -> Option<Verdict> {
        match found {
            Found::Record(id) => Some(adopted(id)),
            Found::Unclear => Some(Err(unclear("This sale", &self.external_ref))),
            Found::Absent => {
                let secs = self.doubt.wait_secs(age_ms)?;
                if !self.doubt.is_noted() {
                    self.doubt.note(age_ms);
                }
                Some(Err(Failure::Retry(Some(secs))))
            }
        }
    }

    fn find(&self) -> Result<Found, Failure> {
        lookup::sale(self.api, &self.external_ref)
    }

    /// Sent, and the answer was lost.
    fn lost(&self, age_ms: u64, effect: Effect) -> Verdict {
        if let Some(verdict) = self.looked_up(self.find()?, age_ms) {
            return verdict;
        }
        if effect.verified_absent {
            // A send that was itself the second one and got lost again starts its own wait.
            self.doubt.note(0);
            return Err(Failure::Retry(None));
        }
        self.send(effect.resend())
    }

    /// Done, but the answer does not say with what id. It is there, so a search that does not show it yet only trails.
    fn unread(&self) -> Verdict {
        match self.find()? {
            Found::Record(id) => adopted(id),
            Found::Absent if self.member.attempt <= PATIENCE => {
                Err(Failure::Retry(self.doubt.wait_secs(0)))
            }
            Found::Absent | Found::Unclear => Err(unclear("This sale", &self.external_ref)),
        }
    }

    fn refused(&self, status: u16, list: &[Complaint]) -> Verdict {
        let problem = api::refusal(status, list);
        match suspicion(status, list) {
            Suspicion::None => Err(Failure::Rejected(problem)),
            Suspicion::Double | Suspicion::Reference => match self.find()? {
                Found::Record(id) => adopted(id),
                Found::Absent | Found::Unclear
                    if suspicion(status, list) == Suspicion::Double
                        && self.member.attempt <= PATIENCE =>
                {
                    Err(Failure::Retry(self.doubt.wait_secs(0)))
                }
                Found::Absent | Found::Unclear => Err(Failure::Rejected(problem)),
            },
        }
    }
}

/// Whether a refusal may mean that the sale is there already. Brightpearl documents the rule (one sale per reference
/// and instance), not the words or the status it refuses with: one that names nothing known may be that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspicion {
    None,
    /// It speaks of the reference, or of nothing that is known.
    Reference,
    /// It says that there is one.
    Double,
}

fn suspicion(status: u16, list: &[Complaint]) -> Suspicion {
    let words = envelope::say(list).to_ascii_lowercase();
    let has = |all: &[&str]| all.iter().any(|w| words.contains(w));
    // Common codes are about the form of a request, whatever it asks for.
    let about_form = !list.is_empty() && list.iter().all(|c| c.code.starts_with("CMNC"));
    if status == 409 || has(&["duplicate", "already", "unique"]) {
        Suspicion::Double
    } else if has(&["externalref", "external ref", "exists"])
        || (!about_form && api::subject(&words).is_none())
    {
        Suspicion::Reference
    } else {
        Suspicion::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_is_recognised_by_status_or_words() {
        let say = |words: &str| {
            vec![Complaint {
                code: "ORDC-099".to_owned(),
                message: words.to_owned(),
            }]
        };
        assert_eq!(suspicion(409, &[]), Suspicion::Double);
        let words = "An order with externalRef wb-1 already exists";
        assert_eq!(suspicion(400, &say(words)), Suspicion::Double);
        assert_eq!(
            suspicion(400, &say("Bad externalRef")),
            Suspicion::Reference
        );
        assert_eq!(suspicion(400, &say("Unknown tax code")), Suspicion::None);
        let unknown = say("This request was processed before");
        assert_eq!(suspicion(400, &unknown), Suspicion::Reference);
    }
}
