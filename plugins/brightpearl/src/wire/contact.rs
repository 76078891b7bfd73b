//! Owns the bodies of postal-address and contact POSTs and the few fields read back from a contact.
//! Must not know what a retailer is.

use super::ids;
use serde::Serialize;
use serde_json::Value;

/// A postal address to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostalAddress {
    /// The only one that must be filled.
    #[serde(rename = "addressLine1")]
    pub line1: String,
    /// Street, further lines.
    #[serde(rename = "addressLine2", skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// City.
    #[serde(rename = "addressLine3", skip_serializing_if = "Option::is_none")]
    pub line3: Option<String>,
    /// State or county.
    #[serde(rename = "addressLine4", skip_serializing_if = "Option::is_none")]
    pub line4: Option<String>,
    /// Postcode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_iso_code: Option<String>,
}

/// A contact to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// At most 32 characters.
    pub first_name: String,
    /// At most 32 characters.
    pub last_name: String,
    /// One address for default, billing and delivery.
    pub post_address_ids: AddressIds,
    /// How to reach them.
    #[serde(skip_serializing_if = "Communication::is_empty")]
    pub communication: Communication,
    /// What they are to the account.
    pub relationship_to_account: Relationship,
    /// Whose reference it is.
    pub assignment: Assignment,
    /// The firm; a consumer has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Organisation>,
}

/// One address in its three uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct AddressIds {
    /// Default.
    pub def: i64,
    /// Billing.
    pub bil: i64,
    /// Delivery.
    pub del: i64,
}

impl AddressIds {
    /// The same address for all.
    pub const fn all(id: i64) -> Self {
        Self {
            def: id,
            bil: id,
            del: id,
        }
    }
}

/// E-mail and phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Communication {
    /// E-mails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emails: Option<Emails>,
    /// Phones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephones: Option<Telephones>,
}

impl Communication {
    /// Whether there is nothing to say.
    pub const fn is_empty(&self) -> bool {
        self.emails.is_none() && self.telephones.is_none()
    }
}

/// The primary e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Emails {
    /// Primary.
    #[serde(rename = "PRI")]
    pub pri: Email,
}

/// An e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Email {
    /// The address.
    pub email: String,
}

/// The primary phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Telephones {
    /// Primary.
    #[serde(rename = "PRI")]
    pub pri: String,
}

/// A customer is neither supplier nor staff.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Relationship {
    /// Sells to the account.
    pub is_supplier: bool,
    /// Works there.
    pub is_staff: bool,
}

/// The current assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assignment {
    /// The only one there is.
    pub current: Current,
}

/// Whose reference it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Current {
    /// Free text; this is how our contacts are found again.
    pub account_reference: String,
}

/// The firm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Organisation {
    /// Its name.
    pub name: String,
}

/// A contact as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: i64,
    /// Its account reference, if it has one.
    pub account_reference: Option<String>,
}

/// Reads one contact of a contact GET; `None` where it has no id.
pub fn known(contact: &Value) -> Option<Known> {
    Some(Known {
        id: contact.get("contactId").and_then(ids::whole)?,
        account_reference: contact
            .pointer("/assignment/current/accountReference")
            .and_then(ids::text),
    })
}
