//! Owns making one contact exactly once, of a retailer or of the consumer of one order: an address, then the contact that
//! uses it. Our contacts are found again by their account reference. Must not know what is bought.

use crate::address;
use crate::api::{self, Api, Sent};
use crate::doubt::Doubt;
use crate::lookup::{self, Found};
use crate::sink::{Member, adopted, made, unclear};
use crate::wire::contact::{
    AddressIds, Assignment, Communication, Contact, Current, Email, Emails, Organisation,
    Relationship, Telephones,
};
use crate::wire::sale::Address;
use waybill_sdk::commerce::{Address as Canonical, Customer, Entity};
use waybill_sdk::effect::effect;
use waybill_sdk::effects::Effect;
use waybill_sdk::log::Level;
use waybill_sdk::types::{Failure, Outcome, Problem, Verdict};

/// Names of the effects, the same in every version.
const ADDRESS: &str = "address";
const CONTACT: &str = "contact";

/// Longest name of a person.
const NAME: usize = 32;

/// How often a contact that was made, but is not shown, is looked up before a person must.
const PATIENCE: u32 = 5;

/// How long before it was asked for a contact may have been made, by a clock that differs from ours.
const CLOCKS_MS: i64 = 15 * 60_000;

/// One retailer, or one consumer.
pub fn push(api: &Api<'_>, member: &Member<'_>, customer: &Customer) -> Verdict {
    let code = customer.code.trim();
    if code.is_empty() {
        return Err(Failure::Rejected(Problem::new(
            "no-code",
            "The retailer has no code to be found by.",
            "Match this retailer to a contact by hand.",
        )));
    }
    let prefix = member.settings.get("customer-prefix").unwrap_or_default();
    let reference = format!("{prefix}{code}");
    let firm = firm(customer);
    let person = person(customer, firm);
    let case = Case {
        api,
        member,
        firm,
        person,
        doubt: Doubt::of(api, &reference, member.settings, false),
        reference,
    };
    let known: Vec<i64> = member
        .links
        .iter()
        .filter(|l| l.entity == Entity::Customer && l.key != member.document.key)
        .filter_map(|l| l.key.parse().ok())
        .collect();
    // Before the first contact is made, too: a machine that was set up anew must not make a second one.
    if let Found::Record(id) = case.find_named(&known)? {
        case.doubt.settle();
        return adopted(id);
    }
    let mut countryless = None;
    let fitted = address::fitted(&customer.address)
        .or_else(|problem| {
            // Only the country can be wrong; a contact may have none, and a sale brings its own address.
            let fields = [("key", code), ("problem", problem.message.as_str())];
            let words = "A contact is made without its country.";
            api.host.log(Level::Warn, words, &fields);
            address::fitted(countryless.insert(Canonical {
                country: None,
                ..customer.address.clone()
            }))
        })
        .map_err(Failure::Rejected)?;
    let Some(address) = case.make_address(&fitted.address)? else {
        return Ok(Outcome::Recorded);
    };
    let contact = case.contact(&fitted.address, address);
    let verdict = case.send(&contact, effect(CONTACT, [member.index]));
    if verdict.is_ok() {
        case.doubt.settle();
    }
    verdict
}

/// What the firm is called; `None`: it is a person's own contact.
fn firm(customer: &Customer) -> Option<&str> {
    let company = customer.address.company.as_deref().unwrap_or_default();
    let unnamed = customer.address.name.trim().is_empty();
    let code = if unnamed { customer.code.as_str() } else { "" };
    [company, code]
        .into_iter()
        .map(str::trim)
        .find(|text| !text.is_empty())
}

/// First and last name: of whoever is named beside the firm, else the firm and its code. Both must be filled.
fn person<'a>(customer: &'a Customer, firm: Option<&'a str>) -> (&'a str, &'a str) {
    let attention = customer.address.attention.as_deref().unwrap_or_default();
    let name = customer.address.name.trim();
    let beside = Some(name).filter(|name| firm != Some(*name));
    let named = match firm {
        // Who a consumer's parcel is for is in its address.
        None => name,
        Some(_) => [attention.trim(), beside.unwrap_or_default()]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default(),
    };
    let (first, last) = match named.split_once(char::is_whitespace) {
        Some((first, last)) => (first, last),
        None if named.is_empty() => (firm.unwrap_or_default(), customer.code.as_str()),
        None => (named, customer.code.as_str()),
    };
    (address::fit(first, NAME), address::fit(last, NAME))
}

struct Case<'a> {
    api: &'a Api<'a>,
    member: &'a Member<'a>,
    firm: Option<&'a str>,
    person: (&'a str, &'a str),
    reference: String,
    doubt: Doubt<'a>,
}

impl Case<'_> {
    /// By its name, before anything is sent.
    fn find_named(&self, known: &[i64]) -> Result<Found, Failure> {
        match self.firm {
            Some(name) => lookup::firm(self.api, name, &self.reference, known),
            None => lookup::person(self.api, self.person, &self.reference),
        }
    }

    /// After it was sent. A firm's name is searched as it is written; a person's is not, so that of a person all contacts
    /// count that were made since it was asked for.
    fn find(&self) -> Result<Found, Failure> {
        if let Some(name) = self.firm {
            return lookup::firm(self.api, name, &self.reference, &[]);
        }
        let asked = self.member.document.occurred_at;
        lookup::made_since(self.api, asked - CLOCKS_MS, &self.reference)
    }

    /// The id of the address; `None` in practice mode.
    fn make_address(&self, address: &Address<'_>) -> Result<Option<i64>, Failure> {
        let body = address::postal(address, self.firm.unwrap_or(self.person.1));
        let path = "/contact-service/postal-address";
        let mut step = effect(ADDRESS, [self.member.index]);
        let mut sent = self.api.create(path, &body, &step)?;
        if matches!(sent, Sent::Doubt(_)) {
            // An address belongs to nobody until a contact names it, so the lost one, if there is one, does no harm;
            // and addresses cannot be searched.
            step = step.resend();
            sent = self.api.create(path, &body, &step)?;
        }
        match sent {
            Sent::Created(id) => Ok(Some(id)),
            Sent::Practice => Ok(None),
            Sent::Doubt(_) => Err(Failure::Retry(None)),
            Sent::Lost(failure) => Err(failure),
            Sent::Refused(status, list) => Err(Failure::Rejected(api::refusal(status, &list))),
            // It belongs to nobody: another is made.
            Sent::Unread(_) if self.member.attempt <= PATIENCE => {
                self.api.host.retract(ADDRESS, &[self.member.index]);
                Err(Failure::Retry(None))
            }
            Sent::Unread(_) => Err(Failure::Rejected(Problem::new(
                "unreadable-answer",
                "Brightpearl made an address but did not say its number.",
                "Make the contact in Brightpearl and fill it in by hand.",
            ))),
        }
    }

    fn contact(&self, address: &Address<'_>, id: i64) -> Contact {
        Contact {
            first_name: self.person.0.to_owned(),
            last_name: self.person.1.to_owned(),
            post_address_ids: AddressIds::all(id),
            communication: Communication {
                emails: address.email.map(|email| Emails {
                    pri: Email {
                        email: email.to_owned(),
                    },
                }),
                telephones: address.telephone.map(|pri| Telephones {
                    pri: pri.to_owned(),
                }),
            },
            relationship_to_account: Relationship::default(),
            assignment: Assignment {
                current: Current {
                    account_reference: self.reference.clone(),
                },
            },
            organisation: self.firm.map(|name| Organisation {
                name: name.to_owned(),
            }),
        }
    }

    fn send(&self, contact: &Contact, effect: Effect) -> Verdict {
        let path = "/contact-service/contact";
        match self.api.create(path, contact, &effect)? {
            Sent::Created(id) => made(id),
            Sent::Practice => Ok(Outcome::Recorded),
            Sent::Refused(status, list) => Err(Failure::Rejected(api::refusal(status, &list))),
            Sent::Unread(_) => match self.find()? {
                Found::Record(id) => adopted(id),
                Found::Absent if self.member.attempt <= PATIENCE => {
                    Err(Failure::Retry(self.doubt.wait_secs(0)))
                }
                Found::Absent | Found::Unclear => Err(unclear("This contact", &self.reference)),
            },
            Sent::Lost(failure) => {
                self.doubt.note(0);
                Err(failure)
            }
            Sent::Doubt(age_ms) => match self.find()? {
                Found::Record(id) => adopted(id),
                Found::Unclear => Err(unclear("This contact", &self.reference)),
                Found::Absent => match self.doubt.wait_secs(age_ms) {
                    Some(secs) => Err(Failure::Retry(Some(secs))),
                    None if effect.verified_absent => {
                        self.doubt.note(0);
                        Err(Failure::Retry(None))
                    }
                    None => self.send(contact, effect.resend()),
                },
            },
        }
    }
}
