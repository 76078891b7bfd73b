//! The routes of matching: items, and the other crosswalks; pages and API. Must not answer any.

use crate::routes::{Access, Entry, Route, get, post};

/// The table.
pub(crate) const MATCHING: &[Entry] = &[
    get(
        "/matching/items",
        Route::Items,
        Access::User,
        "What orders call an item, and which product it is.",
    ),
    post(
        "/matching/items",
        Route::MatchItem,
        Access::User,
        "Match an item by hand.",
    ),
    post(
        "/matching/items/undo",
        Route::UnmatchItem,
        Access::User,
        "Take a match by hand back.",
    ),
    get(
        "/matching/{table}",
        Route::Crosswalk,
        Access::User,
        "Customers, shipping methods, warehouses: which is which.",
    ),
    post(
        "/matching/{table}",
        Route::MatchCode,
        Access::User,
        "Say what a value stands for.",
    ),
    post(
        "/matching/{table}/undo",
        Route::UnmatchCode,
        Access::User,
        "Take a match back.",
    ),
    post(
        "/matching/customers/create",
        Route::CreateCustomer,
        Access::User,
        "Have a retailer's customer created.",
    ),
    get(
        "/matching/{table}/file",
        Route::MatchesFile,
        Access::User,
        "All matches of a table as a file.",
    ),
    post(
        "/matching/{table}/check",
        Route::CheckMatches,
        Access::User,
        "What a file of matches would change.",
    ),
    post(
        "/matching/{table}/apply",
        Route::ApplyMatches,
        Access::User,
        "Save the file that was checked.",
    ),
    get(
        "/api/v1/matching/{table}",
        Route::ApiCrosswalk,
        Access::User,
        "A crosswalk (customers, shipping-methods, warehouses) with all its values, filled or not, both ways.",
    ),
    post(
        "/api/v1/matching/customers/create",
        Route::ApiCreateCustomer,
        Access::User,
        "Has the customer of a retailer created with its next sale, and lets what waits for it go on.",
    ),
];
