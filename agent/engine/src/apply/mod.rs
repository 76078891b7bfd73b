//! Scripted provisioning: one TOML file that declares connections, credentials, settings, routes and crosswalks.
//!
//! ```text
//! references(file) -> the caller reads environment and files -> parse(file, inputs) -> Plan
//! Plan::check(descriptors) -> every mistake, with line and column
//! difference(plan, store) -> what would change      run(store, plan) -> all of it in one commit, or nothing
//! ```
//! Nothing is removed: what the file does not name stays as it is. Only the grants of a connection are always exactly
//! as the file says, so that one is never kept by silence, and so is a list of announced codes that the file has. Applying a
//! file twice changes nothing.

mod address;
mod announced;
mod cells;
mod check;
mod commit;
mod difference;
mod mistake;
mod parse;
mod plan;
pub mod reader;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod tests;

pub use address::{Address, address_of};
pub(crate) use check::misfit;
pub use commit::{commit, run};
pub use difference::{Change, ChangeKind, Difference, STORE_NAME, difference, existing};
pub use mistake::{At, Mistake, Place, suggest};
pub use parse::{Reference, parse, references};
pub use plan::{
    AnnouncedCode, AnnouncedPlan, Cell, ConnectionPlan, CrosswalkPlan, Pair, Plan, RetailerPlan,
    RoutePlan, SecretPlan,
};

/// A text as a provisioning file holds it: JSON's texts are TOML's too.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
