//! The mapping of an order to a sale, as a connector that calls nothing: `cargo speed` runs it inside the sandbox and
//! outside, so that what the code itself costs is told apart from what calls cost. It maps each member as many times as
//! the attempt says.

mod bindings;
mod guest;

use std::hint::black_box;
use waybill_brightpearl::sale;
use waybill_brightpearl::settings::Settings;
use waybill_sdk::commerce::{Body, Document};
use waybill_sdk::http::Request;

pub use guest::Mapping;

/// How long the body of the sale is that this order becomes; none where it becomes none.
pub fn map(
    connection: &[(String, String)],
    retailer: &[(String, String)],
    document: &Document,
) -> Option<usize> {
    let Body::Order(order) = &document.body else {
        return None;
    };
    let settings = Settings::of(connection);
    let built = sale::build(
        &document.key,
        black_box(order),
        settings.with(retailer),
        None,
    )
    .ok()?;
    let request = Request::new("POST", "").json(&built.sale);
    Some(black_box(request).body.len())
}

#[cfg(target_arch = "wasm32")]
bindings::export!(Mapping with_types_in bindings);
