//! Flows: one kind of document over one route, and whether it runs now. A person pauses a flow and lets it go on; hours of
//! the week limit it by themselves.
//!
//! ```text
//! Runs -- a person --> Paused -- a person --> Runs
//! Runs -- the clock -> Closed -- the clock, or a person for a quarter of an hour --> Runs
//! ```
//!
//! A flow that does not run takes nothing new and sends nothing new. Nothing of it is read: no page, no hinted document, no
//! back-fill. A job of it that nothing was sent of yet is set to `held` by the claim that would have sent it: that leaves
//! its lane free for other flows of the same order, and still counts what it is about to tell. What the journal knows a
//! step of goes on to its verdict, and so do open batches and tickets. Who goes on is ready again in the commit of the
//! loop that hears of it, or at the next start.
//!
//! Whether a flow is paused is asked of the store in the transaction that claims: once a pause is committed, no new batch
//! of the flow is. Hours are asked of the desk.

mod commands;
mod hours;
pub(crate) mod show;
mod standing;

pub use commands::Which;
pub(crate) use commands::release;
pub(crate) use hours::{day_and_minute, zone};
pub(crate) use standing::{Standing, held, of_job, reads, reads_over, runs_from, standing};
