//! Owns the shapes of Brightpearl's JSON. Must not know canonical documents or how a call is made.

pub mod billed;
pub mod contact;
pub mod envelope;
pub mod hook;
pub mod ids;
pub mod lists;
pub mod message;
pub mod note;
pub mod pairs;
pub mod product;
pub mod sale;
pub mod search;
pub mod sold;
pub mod standing;
