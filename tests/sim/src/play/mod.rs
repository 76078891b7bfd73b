//! The demonstration: both sandboxes, a real agent, orders through their life, a person who fills in what is missing,
//! and the comparison with the ground truth. Talks to the agent as a person would: files, command line, page address.
//! Read `story.rs` first.

pub mod agent;
pub mod books;
pub mod house;
pub mod person;
pub mod provisioning;
pub mod rehearsal;
pub mod story;
pub mod verdict;
pub mod worker;
