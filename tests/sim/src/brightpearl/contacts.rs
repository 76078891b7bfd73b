//! Owns contacts and postal addresses: creating, reading, changing, searching. It must not know orders beyond the day
//! of the last one.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::account::Brightpearl;
use super::address::Address;
use super::call::Call;
use super::clock::Zone;
use super::custom::{self, OF_CONTACTS, Values};
use super::envelope::{Answer, Refusal, Reply, number};
use super::products::{SEEDED_ON, get_uris};
use super::search::{Cell, Column, Kind, Table};
use super::{account::STAFF_ID, idset::IdSet};

/// First id of seeded customers.
const FIRST: i64 = 200;

/// Contacts of one page.
const PAGE: usize = 200;

/// A contact.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) id: i64,
    pub(super) salutation: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) addresses: BTreeMap<String, i64>,
    pub(super) emails: BTreeMap<String, String>,
    pub(super) telephones: BTreeMap<String, String>,
    pub(super) is_supplier: bool,
    pub(super) is_staff: bool,
    pub(super) newsletter: bool,
    pub(super) price_list_id: i64,
    pub(super) currency_id: i64,
    pub(super) nominal_code: String,
    pub(super) credit_limit: i64,
    pub(super) credit_term_days: i64,
    pub(super) discount: String,
    pub(super) account_reference: String,
    pub(super) staff_owner: i64,
    pub(super) organisation_id: i64,
    pub(super) company: String,
    pub(super) tags: String,
    pub(super) created_on: i64,
    pub(super) updated_on: Option<i64>,
    pub(super) last_ordered_on: Option<i64>,
    pub(super) visible_from: i64,
    pub(super) custom: Values,
}

impl Contact {
    pub(super) fn blank(id: i64, first: &str, last: &str, company: &str) -> Self {
        Self {
            id,
            salutation: String::new(),
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            addresses: BTreeMap::new(),
            emails: BTreeMap::new(),
            telephones: BTreeMap::new(),
            is_supplier: false,
            is_staff: false,
            newsletter: false,
            price_list_id: 2,
            currency_id: 1,
            nominal_code: "0".to_owned(),
            credit_limit: 0,
            credit_term_days: 0,
            discount: "0.00".to_owned(),
            account_reference: String::new(),
            staff_owner: 0,
            organisation_id: id,
            company: company.to_owned(),
            tags: String::new(),
            created_on: SEEDED_ON,
            updated_on: None,
            last_ordered_on: None,
            visible_from: 0,
            custom: Values::new(),
        }
    }

    /// The name in one piece.
    pub(super) fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
            .trim()
            .to_owned()
    }

    pub(super) fn view(&self, now: i64, zone: Zone) -> Value {
        let emails: Map<String, Value> = self
            .emails
            .iter()
            .map(|(k, v)| (k.clone(), json!({ "email": v })))
            .collect();
        let mut current = json!({});
        if self.staff_owner != 0 {
            current["staffOwnerContactId"] = json!(self.staff_owner);
        }
        if !self.account_reference.is_empty() {
            current["accountReference"] = json!(self.account_reference);
        }
        let mut organisation = json!({ "organisationId": self.organisation_id });
        if !self.company.is_empty() {
            organisation["name"] = json!(self.company);
        }
        json!({
            "contactId": self.id, "isPrimaryContact": self.organisation_id == self.id,
            "salutation": self.salutation, "firstName": self.first_name, "lastName": self.last_name,
            "postAddressIds": self.addresses,
            "communication": {
                "emails": emails, "telephones": self.telephones, "messagingVoips": {}, "websites": {},
            },
            "contactStatus": { "current": { "contactStatusId": 0 } },
            "relationshipToAccount": { "isSupplier": self.is_supplier, "isStaff": self.is_staff },
            "marketingDetails": { "isReceiveEmailNewsletter": self.newsletter },
            "financialDetails": {
                "priceListId": self.price_list_id, "nominalCode": self.nominal_code,
                "creditLimit": self.credit_limit, "creditTermDays": self.credit_term_days,
                "currencyId": self.currency_id, "discountPercentage": number(&self.discount),
                "creditTermTypeId": 1,
            },
            "assignment": { "current": current }, "organisation": organisation,
            "tradeStatus": "UNKNOWN", "createdByid": 0, "createdOn": zone.text(self.created_on),
            // A contact that was never edited shows the moment of the question.
            "updatedOn": zone.text(self.updated_on.unwrap_or(now)),
            "contactTags": self.tags, "aliases": {}, "companyId": 0,
        })
    }
}

/// All contacts and addresses.
#[derive(Debug)]
pub(super) struct Contacts {
    pub(super) all: BTreeMap<i64, Contact>,
    pub(super) addresses: BTreeMap<i64, (Address, Option<i64>)>,
    next: i64,
    next_address: i64,
}

impl Contacts {
    /// The staff member and two customers that share an e-mail.
    pub(super) fn seeded() -> Self {
        let mut contacts = Self {
            all: BTreeMap::new(),
            addresses: BTreeMap::new(),
            next: FIRST,
            next_address: 101,
        };
        let mut staff = Contact::blank(STAFF_ID, "Sam", "Staff", "");
        staff.is_staff = true;
        contacts.all.insert(STAFF_ID, staff);
        for (first, last, company) in [
            ("Walk-in", "Customer", "Counter Sales"),
            ("Walk-in", "Visitor", "Garden Fair"),
        ] {
            let address = Address {
                lines: ["1 Way".into(), String::new(), "Austin".into(), "TX".into()],
                postal_code: "78701".into(),
                country: "US".into(),
                ..Address::default()
            };
            let id = contacts.next_id();
            let place = contacts.add_address(address, Some(id));
            let mut contact = Contact::blank(id, first, last, company);
            contact.addresses = ["DEF", "BIL", "DEL"]
                .map(|key| (key.to_owned(), place))
                .into();
            contact
                .emails
                .insert("PRI".to_owned(), "counter@shop.test".to_owned());
            contacts.all.insert(id, contact);
        }
        contacts
    }

    pub(super) fn get(&self, id: i64) -> Option<&Contact> {
        self.all.get(&id)
    }

    pub(super) fn next_id(&mut self) -> i64 {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn add_address(&mut self, address: Address, owner: Option<i64>) -> i64 {
        let id = self.next_address;
        self.next_address += 1;
        self.addresses.insert(id, (address, owner));
        id
    }

    /// The address of a contact for a purpose, with its names and reach filled in.
    pub(super) fn address_of(&self, id: i64, purpose: &str) -> Address {
        let Some(contact) = self.get(id) else {
            return Address::default();
        };
        let place = contact
            .addresses
            .get(purpose)
            .or_else(|| contact.addresses.get("DEF"));
        let stored = place
            .and_then(|p| self.addresses.get(p))
            .map(|(a, _)| a.clone());
        let mut address = stored.unwrap_or_default();
        address.full_name = contact.full_name();
        address.company.clone_from(&contact.company);
        address.telephone = contact.telephones.get("PRI").cloned().unwrap_or_default();
        address.email = contact.emails.get("PRI").cloned().unwrap_or_default();
        address
    }
}

fn part(of: &BTreeMap<String, String>, key: &str) -> Cell {
    of.get(key)
        .map_or(Cell::Null, |text| Cell::Text(text.clone()))
}

static TABLE: Table<Contact> = Table {
    columns: &[
        Column::new("contactId", Kind::IdSet, |c| Cell::Int(c.id)),
        Column::new("primaryEmail", Kind::SearchText, |c| part(&c.emails, "PRI")),
        Column::new("secondaryEmail", Kind::SearchText, |c| {
            part(&c.emails, "SEC")
        }),
        Column::new("tertiaryEmail", Kind::SearchText, |c| {
            part(&c.emails, "TER")
        }),
        Column::new("firstName", Kind::SearchText, |c| {
            Cell::Text(c.first_name.clone())
        }),
        Column::new("lastName", Kind::SearchText, |c| {
            Cell::Text(c.last_name.clone())
        }),
        Column::new("isSupplier", Kind::Bool, |c| Cell::Bool(c.is_supplier)),
        Column::new("companyName", Kind::SearchText, |c| {
            Cell::filled(&c.company)
        }),
        Column::new("isStaff", Kind::Bool, |c| Cell::Bool(c.is_staff)),
        Column::new("isCustomer", Kind::Bool, |c| {
            Cell::Bool(!c.is_supplier && !c.is_staff)
        }),
        Column::new("createdOn", Kind::Period, |c| Cell::Time(c.created_on)),
        Column::new("updatedOn", Kind::Period, |c| Cell::time(c.updated_on)),
        Column::new("lastContactedOn", Kind::Period, |_| Cell::Null),
        Column::new("lastOrderedOn", Kind::Period, |c| {
            Cell::time(c.last_ordered_on)
        }),
        Column::new("nominalCode", Kind::Integer, |c| {
            c.nominal_code.parse().map_or(Cell::Null, Cell::Int)
        }),
        Column::new("isPrimary", Kind::Bool, |c| {
            Cell::Bool(c.organisation_id == c.id)
        }),
        Column::new("pri", Kind::Text, |c| part(&c.telephones, "PRI")),
        Column::new("sec", Kind::Text, |c| part(&c.telephones, "SEC")),
        Column::new("mob", Kind::Text, |c| part(&c.telephones, "MOB")),
        Column::new("exactCompanyName", Kind::Text, |c| Cell::filled(&c.company)),
        Column::new("title", Kind::Text, |c| Cell::filled(&c.salutation)),
    ],
    filters: &[],
};

impl Brightpearl {
    /// `POST postal-address`.
    pub(super) fn address_post(&mut self, call: &Call) -> Answer {
        let body = call.object()?;
        let address = Address::parse(&body).map_err(|text| Refusal::bad("CONC-021", text))?;
        if address.lines[0].trim().is_empty() {
            return Err(Refusal::bad(
                "CONC-020",
                "You have not supplied addressLine1",
            ));
        }
        Ok(Reply::ok(self.contacts.add_address(address, None)))
    }

    /// `GET postal-address/{set}`.
    pub(super) fn address_get(&self, set: &str) -> Answer {
        let ids = super::products::ids_of(set, 200)?;
        let items: Vec<Value> = ids
            .iter()
            .filter_map(|id| self.contacts.addresses.get(id).map(|(a, _)| a.postal(*id)))
            .collect();
        if items.is_empty() {
            return Err(Refusal::missing("No Postal Address Found"));
        }
        Ok(Reply::ok(items))
    }

    /// `GET contact/{set}`.
    pub(super) fn contact_get(&self, now: i64, set: &str, call: &Call) -> Answer {
        let wanted = IdSet::parse(set)
            .ok_or_else(|| Refusal::bad("CMNC-011", format!("Invalid ID set: {set}")))?;
        let mut found: Vec<&Contact> = self
            .contacts
            .all
            .values()
            .filter(|c| wanted.contains(c.id))
            .collect();
        if found.is_empty() {
            return Err(Refusal::missing("No Contact Found"));
        }
        let down = call
            .param("sort")
            .is_some_and(|s| s.to_ascii_uppercase().ends_with("DESC"));
        if down {
            found.reverse();
        }
        let read = |name: &str, usual| {
            call.param(name)
                .and_then(|t| t.parse().ok())
                .unwrap_or(usual)
        };
        let first: usize = read("firstResult", 1).max(1);
        let size: usize = read("pageSize", PAGE).clamp(1, PAGE);
        let total = found.len();
        let page: Vec<Value> = found
            .into_iter()
            .skip(first - 1)
            .take(size)
            .map(|contact| self.contact_view(now, contact, call))
            .collect();
        let last = first - 1 + page.len();
        let body = json!({
            "pagination": {
                "morePagesAvailable": last < total, "resultsReturned": page.len(), "firstResult": first,
                "lastResult": last,
            },
            "sorting": [{ "field": "contactId", "direction": if down { "DESC" } else { "ASC" } }],
            "response": page,
        });
        Ok(Reply { status: 200, body })
    }

    fn contact_view(&self, now: i64, contact: &Contact, call: &Call) -> Value {
        let mut view = contact.view(now, self.zone());
        if call.includes("customFields") {
            view["customFields"] = custom::view(OF_CONTACTS, &contact.custom, false);
        }
        if call.includes("postalAddresses") {
            let places: Map<String, Value> = contact
                .addresses
                .values()
                .filter_map(|p| self.contacts.addresses.get(p).map(|(a, _)| (p, a)))
                .map(|(id, address)| (id.to_string(), address.postal(*id)))
                .collect();
            view["postalAddresses"] = places.into();
        }
        view
    }

    /// `OPTIONS contact[/{set}]`.
    pub(super) fn contact_options(&self, set: Option<&str>) -> Answer {
        get_uris("contact", set, self.contacts.all.keys())
    }

    /// `GET contact-search`.
    pub(super) fn contact_search(&self, now: i64, call: &Call) -> Answer {
        let lag = self.settings.search_lag_ms;
        let seen = self
            .contacts
            .all
            .values()
            .filter(|c| now - c.visible_from >= lag);
        let found = TABLE.search(seen, &call.query, self.zone())?;
        let body = json!({ "response": found.response, "reference": {} });
        Ok(Reply { status: 200, body })
    }

    /// `GET contact-search/meta-data`.
    pub(super) fn contact_search_meta() -> Reply {
        Reply::ok(TABLE.meta_data())
    }
}
