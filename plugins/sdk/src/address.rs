//! Addresses. Knows no country's form.

use crate::commerce::Address;

impl Address {
    /// An address of which nothing is known.
    pub const fn blank() -> Self {
        Self {
            name: String::new(),
            company: None,
            attention: None,
            street: Vec::new(),
            city: String::new(),
            region: None,
            postcode: String::new(),
            country: None,
            phone: None,
            email: None,
        }
    }
}
