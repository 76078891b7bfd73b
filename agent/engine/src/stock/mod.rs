//! Stock: a level, never an event. What the ERP holds (`read.rs`), what open orders take of it (`taken.rs`), what the
//! network should think there is (`derive.rs`), and telling it (`send.rs`). Read them in that order.
//!
//! | step | on disk after its commit | a crash right after it costs |
//! | --- | --- | --- |
//! | units read | what the ERP holds of these items, the place of the sweep, the levels that follow | nothing |
//! | order changed | a mark, in the order's own commit | nothing: it is counted before the next level is sent |
//! | levels claimed | the batch; there is one on a route | it is sent again, with the newest numbers |
//! | effect begun, answered | as for jobs | as above: a level that is sent twice is the same level |
//! | answered | what was taken, or the handles to ask with | nothing |
//! | judged | what was taken or refused; the batch and its journal are gone | nothing |
//!
//! A network lowers its own number when it hands out an order, so levels leave right after its orders were read, when
//! every order it knows of is counted here. While its orders cannot be read, only lower numbers leave.

mod derive;
mod read;
mod send;
mod taken;

pub(crate) use read::{sweep, take};
pub(crate) use send::{Turn, confirm, push, turn};
