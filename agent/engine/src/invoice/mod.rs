//! An invoice's way: from the ERP's own to the order's source, cut as its retailer wants it.
//!
//! The ERP's invoice is one job, named by its number: the root. `plan.rs` says what of it may leave now; where a
//! retailer wants one invoice per shipment, or whole lines, it is cut into parts, each a job of its own whose number and
//! units are fixed in the commit that makes it. Nothing is sent before its shipment is confirmed, none above what is
//! shipped and not invoiced, and a number is never given to another order.
//!
//! | step | on disk after its commit | a crash right after it costs |
//! | --- | --- | --- |
//! | invoice taken | document, its number, root job | nothing |
//! | parts cut, batch claimed | parts with number and units; units of what leaves | the batch runs again; its journal decides |
//! | sent | the journal | in doubt, the connector looks for the number before it sends again |
//! | verdict | job done, link, order row | nothing |
//!
//! Read `intake.rs`, then `plan.rs`, `look.rs`, `verdict.rs`; `policy.rs` when a person changes how a retailer takes them. Units are counted from jobs alone (`count.rs`), amounts in
//! `model::billing`.

mod case;
pub(crate) mod count;
pub(crate) mod cut;
pub(crate) mod intake;
pub(crate) mod look;
mod plan;
pub(crate) mod policy;
pub(crate) mod show;
pub(crate) mod verdict;
