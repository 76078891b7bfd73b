//! One contact per retailer, made once.

use crate::script::{
    NOW, answer, context, document, errors, get, id, order, pairs, post, throttled,
};
use serde_json::json;
use waybill_brightpearl::bindings::exports::waybill::connector::sink::Delivery;
use waybill_brightpearl::sink::push;
use waybill_sdk::commerce::{Address, Body, Customer, Entity};
use waybill_sdk::effects::{Denial, IoError};
use waybill_sdk::links::Link;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Outcome, Receipt, Verdict};

pub(crate) const ADDRESS: &str = "/contact-service/postal-address";
pub(crate) const CONTACT: &str = "/contact-service/contact";
const SEARCH: &str = "/contact-service/contact-search?exactCompanyName=Retailer%20Inc&columns=contactId,companyName&sort=contactId.DESC&pageSize=500&firstResult=1";

/// A customer of that code, made of what orders ship to with changes.
pub(crate) fn customer(code: &str, change: impl FnOnce(&mut Address)) -> Delivery {
    let mut address = order().ship_to;
    change(&mut address);
    let customer = Customer {
        code: code.to_owned(),
        address,
        extras: Vec::new(),
    };
    Delivery {
        document: document(code, Body::Customer(customer)),
        origin: None,
        links: Vec::new(),
        settings: pairs(&[]),
    }
}

fn retailer() -> Delivery {
    customer("acme", |address| {
        address.name = "Retailer Inc".to_owned();
        address.company = Some("Retailer Inc".to_owned());
        address.email = Some("ap@retailer.test".to_owned());
    })
}

/// The verdict of one, where all that was expected came.
pub(crate) fn one(host: &TestHost, member: Delivery, attempt: u32) -> Verdict {
    let verdicts = push(host, &context(attempt), &[member]).unwrap();
    host.finish();
    verdicts.into_iter().next().unwrap()
}

fn receipt(verdict: Verdict) -> Receipt {
    match verdict {
        Ok(Outcome::Done(receipt)) => receipt,
        other => panic!("no receipt: {other:?}"),
    }
}

fn nobody() -> TestHost {
    TestHost::at(NOW).expect(&get(SEARCH), answer("contact-search-none"))
}

#[test]
fn an_address_and_a_contact_are_made() {
    let host = nobody()
        .expect_body(
            &post(ADDRESS),
            json!({"addressLine1": "1 Way", "addressLine2": "Unit 2", "addressLine3": "Austin", "addressLine4": "TX",
                "postalCode": "78701", "countryIsoCode": "USA"}),
            id(123),
        )
        .expect_body(
            &post(CONTACT),
            json!({"firstName": "Retailer Inc", "lastName": "acme",
                "postAddressIds": {"DEF": 123, "BIL": 123, "DEL": 123},
                "communication": {"emails": {"PRI": {"email": "ap@retailer.test"}}, "telephones": {"PRI": "+1 512 555 0100"}},
                "relationshipToAccount": {"isSupplier": false, "isStaff": false},
                "assignment": {"current": {"accountReference": "WAYBILL-acme"}},
                "organisation": {"name": "Retailer Inc"}}),
            id(2052),
        );
    let receipt = receipt(one(&host, retailer(), 1));
    assert_eq!((receipt.key.as_str(), receipt.duplicate), ("2052", false));
    let steps: Vec<String> = host
        .sent()
        .into_iter()
        .filter_map(|r| r.effect.map(|e| e.step))
        .collect();
    assert_eq!(steps, ["address", "contact"]);
}

#[test]
fn a_contact_that_is_there_is_adopted() {
    let host = TestHost::at(NOW)
        .expect(&get(SEARCH), answer("contact-search"))
        .expect(
            &get("/contact-service/contact/2050-2051"),
            answer("contact"),
        );
    let receipt = receipt(one(&host, retailer(), 1));
    assert_eq!((receipt.key.as_str(), receipt.duplicate), ("2051", true));
}

#[test]
fn a_linked_contact_is_adopted_only_if_it_is_ours() {
    let linked = |key: &str| {
        let mut member = retailer();
        member.links.push(Link {
            system: "network".to_owned(),
            entity: Entity::Customer,
            key: key.to_owned(),
        });
        member
    };
    let only = |n: usize| {
        let mut body = crate::script::fixture("contact");
        let contact = body["response"][n].clone();
        body["response"] = json!([contact]);
        Answer::json(200, &body)
    };
    let host = TestHost::at(NOW).expect(&get("/contact-service/contact/2051"), only(1));
    assert_eq!(receipt(one(&host, linked("2051"), 1)).key, "2051");
    let host = TestHost::at(NOW)
        .expect(&get("/contact-service/contact/2050"), only(0))
        .expect(&get(SEARCH), answer("contact-search-none"))
        .expect(&post(ADDRESS), id(123))
        .expect(&post(CONTACT), id(2052));
    assert_eq!(receipt(one(&host, linked("2050"), 1)).key, "2052");
}

#[test]
fn a_lost_contact_is_looked_up_waited_for_and_sent_again() {
    let lost = |age: u64| {
        nobody()
            .expect(&post(ADDRESS), id(123))
            .expect(&post(CONTACT), Answer::Error(IoError::InDoubt(age)))
    };
    let host = lost(900)
        .expect(&get(SEARCH), answer("contact-search"))
        .expect(
            &get("/contact-service/contact/2050-2051"),
            answer("contact"),
        );
    assert_eq!(receipt(one(&host, retailer(), 2)).key, "2051");
    let host = lost(900).expect(&get(SEARCH), answer("contact-search-none"));
    assert_eq!(one(&host, retailer(), 2), Err(Failure::Retry(Some(120))));
    let host = lost(121_000)
        .expect(&get(SEARCH), answer("contact-search-none"))
        .expect(&post(CONTACT), id(2053));
    assert_eq!(receipt(one(&host, retailer(), 2)).key, "2053");
    assert!(
        host.sent()
            .last()
            .unwrap()
            .effect
            .as_ref()
            .unwrap()
            .verified_absent
    );
}

#[test]
fn a_lost_address_is_made_again() {
    let host = nobody()
        .expect(&post(ADDRESS), Answer::Error(IoError::InDoubt(5)))
        .expect(&post(ADDRESS), id(124))
        .expect(&post(CONTACT), id(2052));
    assert_eq!(receipt(one(&host, retailer(), 2)).key, "2052");
    assert!(host.sent()[2].effect.as_ref().unwrap().verified_absent);
}

#[test]
fn refusals_and_throttles_are_told() {
    let host = nobody().expect(
        &post(ADDRESS),
        errors(400, "CONC-001", "addressLine1 is required"),
    );
    let Err(Failure::Rejected(problem)) = one(&host, retailer(), 1) else {
        panic!("a refused address is no contact");
    };
    assert_eq!(problem.code, "conc-001");
    let host = nobody()
        .expect(&post(ADDRESS), id(123))
        .expect(&post(CONTACT), throttled("1500"));
    assert_eq!(one(&host, retailer(), 1), Err(Failure::Retry(Some(2))));
    assert_eq!(host.retracted(), [("contact".to_owned(), vec![0])]);
}

#[test]
fn practice_stops_at_the_address() {
    let practice = Answer::Error(IoError::Denied(Denial::Practice));
    let host = nobody().expect(&post(ADDRESS), practice);
    assert_eq!(one(&host, retailer(), 1), Ok(Outcome::Recorded));
}

#[test]
fn long_names_fit_and_a_wrong_country_is_left_out() {
    let mut member = retailer();
    let long = "The Very Long Name Of A Retailer And Its Daughters Inc";
    let Body::Customer(customer) = &mut member.document.body else {
        panic!("a customer");
    };
    long.clone_into(&mut customer.address.name);
    customer.address.company = Some(long.to_owned());
    customer.address.street.clear();
    customer.address.country = Some("Utopia".to_owned());
    let search = SEARCH.replace("Retailer%20Inc", &long.replace(' ', "%20"));
    let host = TestHost::at(NOW)
        .expect(&get(&search), answer("contact-search-none"))
        .expect(&post(ADDRESS), id(123))
        .expect(&post(CONTACT), id(2052));
    assert!(one(&host, member, 1).is_ok());
    let sent = host.sent();
    let address: serde_json::Value = serde_json::from_slice(&sent[1].body).unwrap();
    assert_eq!(address["addressLine1"], long);
    assert_eq!(address.get("countryIsoCode"), None);
    let contact: serde_json::Value = serde_json::from_slice(&sent[2].body).unwrap();
    assert_eq!(contact["firstName"], "The Very Long Name Of A Retailer");
    assert_eq!(contact["organisation"]["name"], long);
}
