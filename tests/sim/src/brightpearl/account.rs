//! Owns the whole state of the sandbox account and how it is seeded. It must not know HTTP; read `gateway.rs` next.

use super::auth::Auth;
use super::clock::Zone;
use super::contacts::Contacts;
use super::multimessage::MultiFaults;
use super::notes::Notes;
use super::options::Options;
use super::orders::Orders;
use super::payments::Payments;
use super::products::Products;
use super::reference::Lists;
use super::stock::Stock;
use super::throttle::{Burn, Throttle};
use super::webhooks::Hooks;
use crate::dice::Dice;

/// Contact id of the staff member.
pub(super) const STAFF_ID: i64 = 4;

/// Id of the installed app instance.
pub(super) const INSTANCE_ID: i64 = 34;

/// A Brightpearl account as a state machine.
///
/// Private app: app reference `simaccount_waybill`, staff token `sim-staff-token` or account token
/// `sim-account-token`. Instance app: bearer token `sim-bearer-token`, refresh token `sim-refresh-token`, the same app
/// reference, any developer reference.
#[derive(Debug)]
pub struct Brightpearl {
    pub(super) settings: Options,
    /// Whether one unknown product id spoils a whole availability request.
    pub(super) settings_strict_availability: bool,
    pub(super) dice: Dice,
    pub(super) auth: Auth,
    pub(super) throttle: Throttle,
    pub(super) burn: Burn,
    pub(super) multi: MultiFaults,
    pub(super) lists: Lists,
    pub(super) products: Products,
    pub(super) contacts: Contacts,
    pub(super) orders: Orders,
    pub(super) stock: Stock,
    pub(super) notes: Notes,
    pub(super) payments: Payments,
    pub(super) hooks: Hooks,
    pub(super) pending_invoices: Vec<i64>,
}

impl Brightpearl {
    /// Makes a seeded account.
    pub fn new(options: Options) -> Self {
        let products = Products::seeded(options.products);
        let stock = Stock::seeded(&products, options.seed);
        Self {
            settings_strict_availability: false,
            dice: Dice::new(options.seed),
            auth: Auth::new(
                &options.account,
                &options.app_ref,
                options.token_life_s,
                options.seed,
            ),
            throttle: Throttle::default(),
            burn: Burn::default(),
            multi: MultiFaults::default(),
            lists: Lists::seeded(),
            products,
            contacts: Contacts::seeded(),
            orders: Orders::new(),
            stock,
            notes: Notes::new(),
            payments: Payments::new(),
            hooks: Hooks::new(options.seed),
            pending_invoices: Vec::new(),
            settings: options,
        }
    }

    /// The account's zone.
    pub(super) fn zone(&self) -> Zone {
        Zone::new(self.settings.zone_offset_minutes)
    }
}
