//! Owns the making and changing of contacts: every part is checked before anything is written. It must not know how they
//! are searched.

use serde_json::{Map, Value};

use super::account::Brightpearl;
use super::call::{Call, Op, operations};
use super::contacts::Contact;
use super::envelope::{Answer, Refusal, Reply, decimal, fixed, integer};
use super::reference::CURRENCIES;

/// Longest first name, last name and salutation.
const NAME: usize = 32;

impl Brightpearl {
    /// `POST contact`.
    pub(super) fn contact_post(&mut self, now: i64, call: &Call) -> Answer {
        let body = call.object()?;
        let mut contact = Contact::blank(0, "", "", "");
        self.fill_contact(&mut contact, &body)?;
        let id = self.contacts.next_id();
        contact.id = id;
        contact.created_on = now;
        contact.visible_from = now;
        if contact.organisation_id == 0 {
            contact.organisation_id = id;
        }
        for place in contact.addresses.values() {
            if let Some((_, owner)) = self.contacts.addresses.get_mut(place) {
                *owner = Some(id);
            }
        }
        self.contacts.all.insert(id, contact);
        Ok(Reply::ok(id))
    }

    /// Checks everything first and names every fault at once.
    fn fill_contact(&self, contact: &mut Contact, body: &Value) -> Result<(), Refusal> {
        let mut errors: Vec<(&'static str, String)> = Vec::new();
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        contact.salutation = text(&body["salutation"]);
        contact.first_name = text(&body["firstName"]);
        contact.last_name = text(&body["lastName"]);
        let names = [
            ("salutation", &contact.salutation, false),
            ("firstName", &contact.first_name, true),
            ("lastName", &contact.last_name, true),
        ];
        for (key, name, required) in names {
            if required && name.trim().is_empty() {
                errors.push(("CONC-001", format!("You have not supplied {key}")));
            } else if name.chars().count() > NAME {
                let text = format!("{key} is too long, the limit is {NAME} characters: {name}");
                errors.push(("CONC-002", text));
            }
        }
        self.fill_addresses(contact, &body["postAddressIds"], &mut errors);
        for (key, entry) in body["communication"]["emails"]
            .as_object()
            .into_iter()
            .flatten()
        {
            contact.emails.insert(key.clone(), text(&entry["email"]));
        }
        for (key, entry) in body["communication"]["telephones"]
            .as_object()
            .into_iter()
            .flatten()
        {
            contact.telephones.insert(key.clone(), text(entry));
        }
        contact.is_supplier = body["relationshipToAccount"]["isSupplier"] == true;
        contact.is_staff = body["relationshipToAccount"]["isStaff"] == true;
        contact.newsletter = body["marketingDetails"]["isReceiveEmailNewsletter"] == true;
        self.fill_finance(contact, &body["financialDetails"], &mut errors);
        let current = &body["assignment"]["current"];
        contact.account_reference = text(&current["accountReference"]);
        contact.staff_owner = integer(&current["staffOwnerContactId"]).unwrap_or(0);
        contact.company = text(&body["organisation"]["name"]);
        if let Some(id) = integer(&body["organisation"]["organisationId"]) {
            match self.contacts.get(id) {
                Some(first) => {
                    contact.organisation_id = id;
                    contact.company.clone_from(&first.company);
                }
                None => errors.push(("CONC-005", format!("Invalid organisation id: {id}"))),
            }
        }
        contact.tags = text(&body["contactTags"]);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Refusal {
                status: 400,
                errors,
            })
        }
    }

    fn fill_addresses(
        &self,
        contact: &mut Contact,
        from: &Value,
        errors: &mut Vec<(&'static str, String)>,
    ) {
        for (key, value) in from.as_object().into_iter().flatten() {
            let place = integer(value).unwrap_or(0);
            match self.contacts.addresses.get(&place) {
                None => errors.push(("CONC-007", format!("Invalid postal address id: {value}"))),
                Some((_, Some(owner))) if *owner != contact.id => {
                    let text = format!("Postal address {place} belongs to another contact");
                    errors.push(("CONC-008", text));
                }
                Some(_) => {
                    contact.addresses.insert(key.clone(), place);
                }
            }
        }
        if !contact.addresses.contains_key("DEF") && errors.is_empty() {
            let text = "You have not supplied a default postal address".to_owned();
            errors.push(("CONC-006", text));
        }
    }

    fn fill_finance(
        &self,
        contact: &mut Contact,
        from: &Value,
        errors: &mut Vec<(&'static str, String)>,
    ) {
        if let Some(id) = integer(&from["priceListId"]) {
            if !self.lists.has("price-list", id) {
                errors.push(("CONC-010", format!("Invalid price list id: {id}")));
            }
            contact.price_list_id = id;
        }
        if let Some(id) = integer(&from["currencyId"]) {
            if !CURRENCIES.iter().any(|(number, ..)| *number == id) {
                errors.push(("CONC-011", format!("Invalid currency id: {id}")));
            }
            contact.currency_id = id;
        }
        if let Some(code) = from["nominalCode"].as_str() {
            if code != "0" && !self.lists.has_code("nominal-code", code) {
                errors.push(("CONC-012", format!("Invalid nominal code: {code}")));
            }
            code.clone_into(&mut contact.nominal_code);
        }
        contact.credit_limit = integer(&from["creditLimit"]).unwrap_or(contact.credit_limit);
        contact.credit_term_days =
            integer(&from["creditTermDays"]).unwrap_or(contact.credit_term_days);
        if let Some(discount) = decimal(&from["discountPercentage"]) {
            contact.discount = fixed(discount, 2);
        }
    }

    /// `PATCH contact/{id}`.
    pub(super) fn contact_patch(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let id: i64 = id.parse().unwrap_or(0);
        let ops = operations(call)?;
        let stored = self
            .contacts
            .get(id)
            .ok_or_else(|| Refusal::missing("No Contact Found"))?;
        let mut contact = stored.clone();
        for op in &ops {
            self.patch_contact(&mut contact, op)?;
        }
        contact.updated_on = Some(now);
        let view = contact.view(now, self.zone());
        self.contacts.all.insert(id, contact);
        Ok(Reply::ok(view))
    }

    fn patch_contact(&self, contact: &mut Contact, op: &Op) -> Result<(), Refusal> {
        let text = match op.verb.as_str() {
            "add" | "replace" => match &op.value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
            "remove" => String::new(),
            _ => return Err(Refusal::patch(&op.verb, &op.path)),
        };
        let short = |text: &str| {
            if text.chars().count() <= NAME {
                return Ok(text.to_owned());
            }
            Err(Refusal::bad(
                "CONC-002",
                format!("Name is too long: {text}"),
            ))
        };
        let parts: Vec<&str> = op.path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["firstName"] => contact.first_name = short(&text)?,
            ["lastName"] => contact.last_name = short(&text)?,
            ["salutation"] => contact.salutation = short(&text)?,
            ["contactTags"] => contact.tags = text,
            ["organisation", "name"] => contact.company = text,
            ["assignment", "current", "accountReference"] => contact.account_reference = text,
            ["communication", "emails", key, "email"] => {
                contact.emails.insert((*key).to_owned(), text);
            }
            ["communication", "telephones", key] => {
                contact.telephones.insert((*key).to_owned(), text);
            }
            ["financialDetails", "priceListId"] => {
                let id = text.parse().unwrap_or(0);
                if !self.lists.has("price-list", id) {
                    return Err(Refusal::bad(
                        "CONC-010",
                        format!("Invalid price list id: {text}"),
                    ));
                }
                contact.price_list_id = id;
            }
            _ => return Err(Refusal::patch(&op.verb, &op.path)),
        }
        Ok(())
    }

    /// `PUT contact/{id}/postal-address`.
    pub(super) fn contact_addresses(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let id: i64 = id.parse().unwrap_or(0);
        let stored = self
            .contacts
            .get(id)
            .ok_or_else(|| Refusal::missing("No Contact Found"))?;
        let mut contact = stored.clone();
        let body = call.json()?;
        let wanted: Map<String, Value> = body
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| Some((e["type"].as_str()?.to_owned(), e["postalAddressId"].clone())))
            .collect();
        let mut errors = Vec::new();
        self.fill_addresses(&mut contact, &wanted.into(), &mut errors);
        if !errors.is_empty() {
            return Err(Refusal {
                status: 400,
                errors,
            });
        }
        contact.updated_on = Some(now);
        for place in contact.addresses.values() {
            if let Some((_, owner)) = self.contacts.addresses.get_mut(place) {
                *owner = Some(id);
            }
        }
        self.contacts.all.insert(id, contact);
        Ok(Reply::done())
    }
}
