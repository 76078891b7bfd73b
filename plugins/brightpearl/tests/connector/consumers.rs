//! A contact of the consumer per order: what it is made of, how it is found again, and that there is one, wherever a call
//! is cut or the agent stops.

use crate::customers::{ADDRESS, CONTACT, customer, one};
use crate::net::{FATES, Fate, Net, key};
use crate::script::{NOW, answer, get, id, post};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use waybill_brightpearl::bindings::exports::waybill::connector::sink::Delivery;
use waybill_sdk::commerce::Address;
use waybill_sdk::effects::IoError;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Outcome};

const SEARCH: &str = "/contact-service/contact-search?";

fn consumer(code: &str, change: impl FnOnce(&mut Address)) -> Delivery {
    customer(code, |address| {
        address.email = Some("jo@mail.test".to_owned());
        change(address);
    })
}

fn by_name(first: &str, last: &str) -> String {
    get(&format!(
        "{SEARCH}firstName={first}&lastName={last}&columns=contactId,firstName,lastName&sort=contactId.DESC&pageSize=500&firstResult=1"
    ))
}

/// All that were made since a quarter of an hour before it was asked for.
fn since() -> String {
    let from = "2025-11-03T13%3A50%3A10.000Z%2F";
    get(&format!(
        "{SEARCH}createdOn={from}&columns=contactId,createdOn&sort=contactId.DESC&pageSize=500&firstResult=1"
    ))
}

fn rows(columns: [&str; 2], rows: &[Value]) -> Answer {
    let names: Vec<Value> = ["contactId"]
        .iter()
        .chain(&columns)
        .filter(|n| !n.is_empty())
        .map(|n| json!({"name": n}))
        .collect();
    let meta =
        json!({"morePagesAvailable": false, "resultsAvailable": rows.len(), "columns": names});
    Answer::json(
        200,
        &json!({"response": {"results": rows, "metaData": meta}}),
    )
}

fn named(found: &[Value]) -> Answer {
    rows(["firstName", "lastName"], found)
}

fn made(found: &[Value]) -> Answer {
    rows(["createdOn", ""], found)
}

fn with_reference(contacts: &[(i64, &str)]) -> Answer {
    let one = |(id, reference): &(i64, &str)| json!({"contactId": id, "assignment": {"current": {"accountReference": reference}}});
    let all: Vec<Value> = contacts.iter().map(one).collect();
    Answer::json(200, &json!({"response": all}))
}

#[test]
fn a_consumer_is_a_person_with_the_name_address_phone_and_mail_of_the_ship_to() {
    let host = TestHost::at(NOW)
        .expect(&by_name("Jo", "Doe"), answer("contact-search-none"))
        .expect_body(
            &post(ADDRESS),
            json!({"addressLine1": "1 Way", "addressLine2": "Unit 2", "addressLine3": "Austin", "addressLine4": "TX",
                "postalCode": "78701", "countryIsoCode": "USA"}),
            id(123),
        )
        .expect_body(
            &post(CONTACT),
            json!({"firstName": "Jo", "lastName": "Doe",
                "postAddressIds": {"DEF": 123, "BIL": 123, "DEL": 123},
                "communication": {"emails": {"PRI": {"email": "jo@mail.test"}}, "telephones": {"PRI": "+1 512 555 0100"}},
                "relationshipToAccount": {"isSupplier": false, "isStaff": false},
                "assignment": {"current": {"accountReference": "WAYBILL-acme/1001"}}}),
            id(2052),
        );
    let verdict = one(&host, consumer("acme/1001", |_| {}), 1);
    let Ok(Outcome::Done(receipt)) = verdict else {
        panic!("no receipt: {verdict:?}");
    };
    assert_eq!((receipt.key.as_str(), receipt.duplicate), ("2052", false));
}

#[test]
fn a_consumer_at_a_firm_is_a_person_of_that_firm_and_a_single_name_has_the_order_for_its_last() {
    let firm = "exactCompanyName=Fern%20Ltd&columns=contactId,companyName&sort=contactId.DESC&pageSize=500&firstResult=1";
    let host = TestHost::at(NOW)
        .expect(
            &get(&format!("{SEARCH}{firm}")),
            answer("contact-search-none"),
        )
        .expect(&post(ADDRESS), id(123))
        .expect(&post(CONTACT), id(2052));
    let member = consumer("acme/1", |a| a.company = Some("Fern Ltd".to_owned()));
    assert!(one(&host, member, 1).is_ok());
    let contact: Value = serde_json::from_slice(&host.sent()[2].body).unwrap();
    assert_eq!(
        (&contact["firstName"], &contact["lastName"]),
        (&json!("Jo"), &json!("Doe"))
    );
    assert_eq!(contact["organisation"]["name"], "Fern Ltd");
    let host = TestHost::at(NOW)
        .expect(&by_name("Cher", "acme%2F1"), answer("contact-search-none"))
        .expect(&post(ADDRESS), id(123))
        .expect(&post(CONTACT), id(2052));
    let member = consumer("acme/1", |a| "Cher".clone_into(&mut a.name));
    assert!(one(&host, member, 1).is_ok());
}

#[test]
fn one_of_that_name_is_adopted_only_if_it_is_this_orders() {
    let found = || {
        let found = [
            json!([2050, "Jo", "Doe"]),
            json!([2051, "Jo Ann", "Doe-Smith"]),
        ];
        TestHost::at(NOW).expect(&by_name("Jo", "Doe"), named(&found))
    };
    let read = get("/contact-service/contact/2050-2051");
    let ours = [(2050, "WAYBILL-acme/1000"), (2051, "WAYBILL-acme/1001")];
    let host = found().expect(&read, with_reference(&ours));
    let verdict = one(&host, consumer("acme/1001", |_| {}), 1);
    let Ok(Outcome::Done(receipt)) = verdict else {
        panic!("no receipt: {verdict:?}");
    };
    assert_eq!((receipt.key.as_str(), receipt.duplicate), ("2051", true));
    let host = found()
        .expect(&read, with_reference(&ours))
        .expect(&post(ADDRESS), id(123))
        .expect(&post(CONTACT), id(2052));
    assert!(one(&host, consumer("acme/1002", |_| {}), 1).is_ok());
}

#[test]
fn a_lost_answer_is_looked_up_by_the_time_whatever_the_search_makes_of_the_name() {
    let lost = |age: u64| {
        TestHost::at(NOW)
            .expect(&by_name("Jo", "Doe"), answer("contact-search-none"))
            .expect(&post(ADDRESS), id(123))
            .expect(&post(CONTACT), Answer::Error(IoError::InDoubt(age)))
    };
    let member = || consumer("acme/1001", |_| {});
    let row = |id: i64| json!([id, "2025-11-03T14:05:00.000Z"]);
    let host = lost(900)
        .expect(&since(), made(&[row(2061), row(2060)]))
        .expect(
            &get("/contact-service/contact/2060-2061"),
            with_reference(&[(2060, "WAYBILL-acme/1001"), (2061, "WAYBILL-acme/1002")]),
        );
    let verdict = one(&host, member(), 2);
    let Ok(Outcome::Done(receipt)) = verdict else {
        panic!("no receipt: {verdict:?}");
    };
    assert_eq!((receipt.key.as_str(), receipt.duplicate), ("2060", true));
    // A search may trail: it is asked again before anything is sent a second time.
    let host = lost(900).expect(&since(), made(&[]));
    assert_eq!(one(&host, member(), 2), Err(Failure::Retry(Some(120))));
    let host = lost(121_000)
        .expect(&since(), made(&[]))
        .expect(&post(CONTACT), id(2062));
    assert!(one(&host, member(), 2).is_ok());
    // Rows from before: the filter was not understood, and nothing is proven.
    let host = lost(121_000).expect(&since(), made(&[json!([200, "2014-01-01T00:00:00.000Z"])]));
    let verdict = one(&host, member(), 2);
    let Err(Failure::InDoubt(problem)) = verdict else {
        panic!("nobody is asked: {verdict:?}");
    };
    assert!(problem.hint.unwrap().contains("WAYBILL-acme/1001"));
}

/// Of each order there is one contact, and the verdict names it.
fn assert_each_once(net: &Net, codes: &[String], keys: &[String], told: &str) {
    let truth = net.truth();
    let contacts = truth["contacts"].as_array().unwrap();
    let own = |code: &String| -> Vec<String> {
        let reference = format!("WAYBILL-{code}");
        let ours = contacts
            .iter()
            .filter(|c| c["accountReference"] == *reference);
        ours.map(|c| c["id"].to_string()).collect()
    };
    for (code, key) in codes.iter().zip(keys) {
        assert_eq!(own(code), std::slice::from_ref(key), "{code}, {told}");
    }
    let apart: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(apart.len(), codes.len(), "{told}");
}

/// Orders of people with the same name, as there are.
fn people(count: usize) -> (Vec<String>, Vec<Delivery>) {
    let codes: Vec<String> = (0..count).map(|n| format!("acme/o-{n}")).collect();
    let all = codes.iter().map(|code| consumer(code, |_| {}));
    let all = all.map(|member| Delivery {
        document: waybill_sdk::commerce::Document {
            // As the sandbox's clock.
            occurred_at: 1_762_178_710_000,
            ..member.document
        },
        ..member
    });
    let all = all.collect();
    (codes, all)
}

fn trailing() -> Value {
    json!({"searchLagMs": 20_000})
}

#[test]
fn wherever_a_call_is_cut_each_order_has_one_contact() {
    for fate in FATES {
        for skip in 0..6 {
            let net = Net::new(&trailing());
            *net.fates.borrow_mut() = std::iter::repeat_n(Fate::Answered, skip)
                .chain([fate, fate])
                .collect();
            let (codes, all) = people(6);
            let keys: Vec<String> = net.push_all(&all).iter().map(key).collect();
            assert_each_once(&net, &codes, &keys, &format!("{fate:?} after {skip}"));
        }
    }
}

#[test]
fn wherever_the_agent_stops_each_order_has_one_contact() {
    for fate in [Fate::Answered, Fate::CutBefore, Fate::CutAfter] {
        for stops in 1..4 {
            let net = Net::new(&trailing());
            net.fates.borrow_mut().extend([fate, fate]);
            net.stops.set(stops);
            let (codes, all) = people(6);
            let keys: Vec<String> = net.push_all(&all).iter().map(key).collect();
            assert_each_once(&net, &codes, &keys, &format!("{fate:?}, {stops} stops"));
        }
    }
}
