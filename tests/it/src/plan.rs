//! What a seed is to do, and what it came to.

use waybill_model::ids::Millis;

/// A bug planted on purpose, in what the simulation puts around the engine. It must be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// A connector sends again without looking for what it sent before.
    NeverLooks,
    /// The place in a feed is stored before what it covers.
    CursorFirst,
    /// A sale is made without an entry in the journal.
    Unjournalled,
    /// Shipments are not held against what is open.
    ForgetsOpen,
    /// The database does not know that it is a backup.
    Unmarked,
    /// Orders come without the day on which they must have left.
    HidesDeadlines,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::NeverLooks,
        Self::CursorFirst,
        Self::Unjournalled,
        Self::ForgetsOpen,
        Self::Unmarked,
        Self::HidesDeadlines,
    ];

    /// Its name on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NeverLooks => "never-looks",
            Self::CursorFirst => "cursor-first",
            Self::Unjournalled => "unjournalled",
            Self::ForgetsOpen => "forgets-open",
            Self::Unmarked => "unmarked",
            Self::HidesDeadlines => "hides-deadlines",
        }
    }
}

/// What a seed is to do.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Seed of everything.
    pub seed: u64,
    /// Orders placed.
    pub orders: u64,
    /// Who places them.
    pub retailers: u64,
    /// So many of them have a contact of the consumer per order.
    pub consumers: u64,
    /// Items of the ERP.
    pub items: usize,
    /// Faults per thousand calls.
    pub faults: u64,
    /// Crashes.
    pub crashes: u64,
    /// Each of them comes within so long after a start, if the disk does not bring it before.
    pub lives_ms: u64,
    /// Outages, each of either side.
    pub outages: u64,
    /// They begin within so long.
    pub outages_within_ms: u64,
    /// How long each of them lasts.
    pub outage_ms: Millis,
    /// Calls a minute that another app makes at the ERP, which answers 200.
    pub burnt: u32,
    /// Orders are placed over so long.
    pub span_ms: Millis,
    /// How often anything happens outside.
    pub tick_ms: u64,
    /// How many of a thousand sales the warehouse turns to, each tick.
    pub pace: u64,
    /// Documents of one page of a feed.
    pub page: usize,
    /// Shipments that the network takes in one call.
    pub ships: u32,
    /// Polls and waits are so many times as long as in a short day.
    pub patience: u32,
    /// The last crash loses the disk: the day goes on with a backup, the image of the first crash.
    pub goes_back: bool,
    /// A bug planted on purpose.
    pub plant: Option<Plant>,
}

impl Plan {
    /// A short day with everything in it.
    pub const SHORT: Self = Self {
        seed: 0,
        orders: 30,
        retailers: 6,
        consumers: 0,
        items: 20,
        faults: 60,
        crashes: 4,
        lives_ms: 10_000,
        outages: 1,
        // Work goes on for a while after the last order.
        outages_within_ms: 20_000,
        outage_ms: 60_000,
        burnt: 150,
        span_ms: 10_000,
        tick_ms: 500,
        pace: 150,
        page: 7,
        ships: 3,
        patience: 1,
        goes_back: false,
        plant: None,
    };

    /// A whole day of a large merchant.
    pub const LARGE: Self = Self {
        orders: 2_000,
        retailers: 20,
        items: 50_000,
        faults: 20,
        crashes: 3,
        lives_ms: 6 * 3_600_000,
        outages: 2,
        outages_within_ms: 18 * 3_600_000,
        outage_ms: 2 * 3_600_000,
        span_ms: 18 * 3_600_000,
        tick_ms: 5_000,
        pace: 3,
        page: 100,
        ships: 20,
        patience: 4,
        ..Self::SHORT
    };

    /// The day ends long before that: one that lasts longer never ends, which is a finding.
    pub const fn longest_ms(&self) -> Millis {
        self.span_ms + self.outage_ms + 8 * 3_600_000
    }
}

/// What a seed came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// SHA-256 over every event with its time.
    pub hash: String,
    /// What is wrong, in words.
    pub wrong: Vec<String>,
    /// Sales made.
    pub sales: usize,
    /// Parcels the network took.
    pub parcels: usize,
    /// Invoices it took.
    pub invoices: usize,
    /// Sales and orders that were cancelled.
    pub cancels: usize,
    /// Levels it took.
    pub levels: u64,
    /// Webhook requests that reached the agent.
    pub hooks: u64,
    /// Calls that the ERP turned away because too many came in its minute.
    pub throttled: u64,
    /// Calls that met an outage.
    pub away: u64,
    /// Calls with shipments that could not take all that were ready.
    pub scarce: usize,
    /// Crashes that took place.
    pub crashes: u64,
    /// Simulated time.
    pub lasted_ms: Millis,
}
