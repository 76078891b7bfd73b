//! The table of routes: no collisions, every name once, nothing that writes is open.

use super::*;
use crate::router::{Found, Routes};
use hyper::Method;
use std::collections::HashSet;

#[test]
fn the_table_has_no_collision_and_each_name_one_line() {
    let routes = Routes::new().unwrap();
    let mut seen = HashSet::new();
    for entry in all() {
        assert!(seen.insert(entry.route), "{:?} twice", entry.route);
        let path = entry
            .path
            .replace("{id}", "7")
            .replace("{job}", "8")
            .replace("{name}", "erp")
            .replace("{table}", "warehouses");
        let method = Method::from_bytes(entry.method.as_bytes()).unwrap();
        match routes.find(&method, &path) {
            Found::Entry(found, _) => assert_eq!(found.route, entry.route, "{path}"),
            _ => panic!("{path} is not found"),
        }
    }
}

#[test]
fn parameters_are_decoded_and_other_methods_named() {
    let routes = Routes::new().unwrap();
    let Found::Entry(entry, params) = routes.find(&Method::POST, "/attention/gap%2Fa%20b/retry")
    else {
        panic!("not found");
    };
    assert_eq!(
        (entry.route, params["id"].as_str()),
        (Route::RetryCard, "gap/a b")
    );
    assert!(
        matches!(routes.find(&Method::DELETE, "/login"), Found::OtherMethod(m) if m == "GET, POST")
    );
    assert!(matches!(
        routes.find(&Method::HEAD, "/live"),
        Found::Entry(..)
    ));
    assert!(matches!(
        routes.find(&Method::GET, "/nowhere"),
        Found::Nothing
    ));
    assert!(matches!(
        routes.find(&Method::GET, "/orders/7/x"),
        Found::Nothing
    ));
}

#[test]
fn what_changes_something_is_never_for_everybody() {
    for entry in all() {
        let open = entry.access == Access::Everybody;
        assert!(
            !open || entry.method == "GET" || entry.route == Route::Login,
            "{}",
            entry.path
        );
    }
}
