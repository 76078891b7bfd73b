//! Cancellations, both ways between an order's source and its sale. The retailer's: `retailer.rs` makes the job, `look.rs`
//! looks at it, `verdict.rs` says what follows. The merchant's, and the answer to a request: `merchant.rs`, and the same
//! two. Units are counted in `count.rs`. What was done before a restore: `restored.rs`, and `look.rs` for what is told. Without a route for cancellations, people carry them over (`order.rs`).

pub(crate) mod count;
pub(crate) mod look;
pub(crate) mod merchant;
pub(crate) mod restored;
pub(crate) mod retailer;
pub(crate) mod verdict;
