//! Contacts and postal addresses.

use serde_json::{Value, json};

use super::{Bench, code};
use crate::vendor::Vendor;

fn address(bench: &mut Bench) -> i64 {
    let body = json!({
        "addressLine1": "1 Way", "addressLine3": "Austin", "addressLine4": "TX", "postalCode": "78701",
        "countryIsoCode": "USA",
    });
    let (status, body) = bench.call("POST", "/contact-service/postal-address", &body);
    assert_eq!(status, 200);
    body["response"].as_i64().unwrap()
}

fn retailer(place: i64) -> Value {
    json!({
        "firstName": "Retailer", "lastName": "Dropship",
        "postAddressIds": { "DEF": place, "BIL": place, "DEL": place },
        "communication": {
            "emails": { "PRI": { "email": "ap@retailer.test" } }, "telephones": { "PRI": "+1 512" },
        },
        "assignment": { "current": { "accountReference": "DSCO-1234" } },
        "financialDetails": { "priceListId": 3, "currencyId": 1 },
        "organisation": { "name": "Retailer Inc" },
    })
}

#[test]
fn a_contact_is_made_read_and_changed() {
    let mut bench = Bench::new();
    let place = address(&mut bench);
    let (status, body) = bench.call("POST", "/contact-service/contact", &retailer(place));
    assert_eq!((status, &body), (200, &json!({ "response": 202 })));
    let (_, body) =
        bench.get("/contact-service/contact/202?includeOptional=customFields,postalAddresses");
    let contact = &body["response"][0];
    assert_eq!(contact["contactId"], 202);
    assert_eq!(
        contact["assignment"]["current"]["accountReference"],
        "DSCO-1234"
    );
    assert_eq!(contact["financialDetails"]["priceListId"], 3);
    assert_eq!(
        contact["postalAddresses"][place.to_string()]["countryIsoCode3"],
        "USA"
    );
    assert_eq!(contact["isPrimaryContact"], true);
    assert_eq!(body["pagination"]["resultsReturned"], 1);
    let asked = contact["updatedOn"].clone();
    bench.now += 60_000;
    let (_, later) = bench.get("/contact-service/contact/202");
    assert_ne!(
        later["response"][0]["updatedOn"], asked,
        "a contact never edited shows the moment of the GET"
    );
    let ops = json!([{ "op": "replace", "path": "/firstName", "value": "Buyer" }]);
    let (status, body) = bench.call("PATCH", "/contact-service/contact/202", &ops);
    assert_eq!(
        (status, &body["response"]["firstName"]),
        (200, &json!("Buyer"))
    );
    let ops = json!([{ "op": "replace", "path": "/createdOn", "value": "x" }]);
    let (status, body) = bench.call("PATCH", "/contact-service/contact/202", &ops);
    assert_eq!((status, code(&body)), (500, "CMNC-044"));
    let truth = bench.sim.truth();
    assert_eq!(
        truth["contacts"].as_array().unwrap().last().unwrap(),
        &json!({ "id": 202, "accountReference": "DSCO-1234", "name": "Buyer Dropship", "company": "Retailer Inc" })
    );
}

#[test]
fn a_contact_needs_names_of_32_and_an_address_of_its_own() {
    let mut bench = Bench::new();
    let place = address(&mut bench);
    let post =
        |bench: &mut Bench, body: &Value| bench.call("POST", "/contact-service/contact", body);
    let mut long = retailer(place);
    long["lastName"] = json!("x".repeat(33));
    assert_eq!(code(&post(&mut bench, &long).1), "CONC-002");
    let mut empty = retailer(place);
    empty["firstName"] = json!(" ");
    assert_eq!(code(&post(&mut bench, &empty).1), "CONC-001");
    let mut lost = retailer(999);
    lost["lastName"] = Value::Null;
    let (status, body) = post(&mut bench, &lost);
    assert_eq!((status, body["errors"].as_array().unwrap().len()), (400, 4));
    assert_eq!(post(&mut bench, &retailer(place)).0, 200);
    assert_eq!(
        code(&post(&mut bench, &retailer(place)).1),
        "CONC-008",
        "the address is taken"
    );
    assert_eq!(
        bench
            .call("POST", "/contact-service/postal-address", &json!({}))
            .0,
        400
    );
    let resp = bench.send("POST", "/contact-service/contact", None);
    assert_eq!(code(&resp.value()), "CMNC-010");
}

#[test]
fn an_unknown_contact_is_404() {
    let mut bench = Bench::new();
    let (status, body) = bench.get("/contact-service/contact/1");
    assert_eq!(status, 404);
    assert_eq!(
        body,
        json!({ "errors": [{ "code": "CMNC-404", "message": "No Contact Found" }] })
    );
    let (status, body) = bench.get("/contact-service/contact/1-300");
    assert_eq!(
        (status, body["response"].as_array().unwrap().len()),
        (200, 3)
    );
    let (_, page) = bench.get("/contact-service/contact/1-300?pageSize=2&sort=contactId.DESC");
    assert_eq!(page["response"][0]["contactId"], 201);
    assert_eq!(page["pagination"]["morePagesAvailable"], true);
}

#[test]
fn contact_search_trails_the_write() {
    let mut bench = Bench::new();
    bench.control("settings", &json!({ "searchLagMs": 3_000 }));
    let place = address(&mut bench);
    bench.call("POST", "/contact-service/contact", &retailer(place));
    let exact = "/contact-service/contact-search?exactCompanyName=Retailer%20Inc";
    assert!(bench.search(exact).is_empty());
    bench.now += 3_000;
    let rows = bench.search(exact);
    assert_eq!((rows.len(), &rows[0]["contactId"]), (1, &json!(202)));
    assert!(rows[0]["updatedOn"].is_null());
    assert!(
        bench
            .search("/contact-service/contact-search?exactCompanyName=Retailer")
            .is_empty()
    );
    assert_eq!(
        bench
            .search("/contact-service/contact-search?companyName=retail")
            .len(),
        1
    );
    assert_eq!(
        bench
            .search("/contact-service/contact-search?primaryEmail=counter")
            .len(),
        2
    );
    let staff = bench.search("/contact-service/contact-search?isStaff=true&columns=contactId");
    assert_eq!(staff, [json!({ "contactId": 4 })]);
}
