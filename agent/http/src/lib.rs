//! Floor 3: who may ask, and how it looks. The page, the JSON API, the local socket of the command line, and the
//! listener for webhooks. Knows the
//! engine's handle and its views; no store, no connector, no vendor. Read `site.rs` first: every request passes there.

mod answer;
mod api;
mod api_alerts;
mod api_backfill;
mod api_connect;
mod api_connectors;
mod api_flows;
mod api_lists;
mod api_matching;
mod api_practice;
mod api_setup;
mod api_stock;
mod api_users;
mod barcode;
mod body;
pub mod client;
mod consent;
mod first;
mod guard;
mod hooks;
mod html;
pub mod local;
mod machine;
mod metrics;
mod openapi;
mod openapi_connect;
mod pages;
mod password;
mod people;
mod roles;
mod router;
mod routes;
mod routes_api;
mod routes_connect;
mod routes_matching;
pub mod server;
mod session;
mod site;
mod upload;
mod users;

pub use client::{ClientError, LocalClient};
pub use hooks::{serve_hooks, usual_limit};
pub use local::serve_local;
pub use password::{PasswordError, Random};
pub use people::People;
pub use server::{AdminOptions, Limit, ServeError, serve_admin};
pub use users::UserError;
