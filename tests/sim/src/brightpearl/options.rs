//! Owns what a test may choose about the sandbox. It must not know any state.

use crate::catalogue;

/// How a second order with the same external reference and instance id is refused. The real answer is not documented,
/// so a client must survive both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateRef {
    /// HTTP 400.
    Status400,
    /// HTTP 409.
    Status409,
}

/// What the sandbox account looks like and how it behaves. Most of it can be changed later under `/_sim/settings`.
#[derive(Debug, Clone)]
pub struct Options {
    /// Account code in the path.
    pub account: String,
    /// Seed of tokens, request ids and stock.
    pub seed: u64,
    /// How many catalogue products exist.
    pub products: usize,
    /// Requests per minute and pool.
    pub requests_per_minute: u32,
    /// Whether more requests than that are refused.
    pub throttle: bool,
    /// How long a new record stays invisible to searches.
    pub search_lag_ms: i64,
    /// How a doubled reference pair is refused.
    pub duplicate_ref: DuplicateRef,
    /// Whether a doubled reference pair is refused at all.
    pub enforce_unique_pair: bool,
    /// The account's zone, minutes east of UTC.
    pub zone_offset_minutes: i32,
    /// App reference of the private app and of the instance app.
    pub app_ref: String,
    /// Life of an access token in seconds.
    pub token_life_s: i64,
    /// How long an invoice stays `pending` after a close.
    pub invoice_delay_ms: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            account: "simaccount".to_owned(),
            seed: 1,
            products: catalogue::PRODUCTS,
            requests_per_minute: 200,
            throttle: true,
            search_lag_ms: 0,
            duplicate_ref: DuplicateRef::Status400,
            enforce_unique_pair: true,
            zone_offset_minutes: -360,
            app_ref: "simaccount_waybill".to_owned(),
            token_life_s: 604_800,
            invoice_delay_ms: 2_000,
        }
    }
}
