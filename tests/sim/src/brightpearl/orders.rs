//! Owns orders as records: their rows, totals, the status codes that follow from them, and the indexes. It must not know
//! requests.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;

use super::address::Address;
use super::custom::Values;
use super::reference::{PAYMENT_STATUSES, SHIPPING_STATUSES, STOCK_STATUSES, code_id};

/// First order id.
pub(super) const FIRST_ORDER: i64 = 100_001;

/// A row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) product_id: i64,
    pub(super) name: String,
    pub(super) sku: Option<String>,
    pub(super) quantity: Decimal,
    pub(super) tax_code: String,
    pub(super) net: Decimal,
    pub(super) tax: Decimal,
    pub(super) nominal: String,
    pub(super) external_ref: String,
    pub(super) sequence: i64,
    pub(super) bundle_parent: bool,
    pub(super) bundle_child: bool,
    pub(super) child_of: Option<i64>,
    pub(super) tracked: bool,
    pub(super) shipped: Decimal,
}

/// Stock kept for an order, in one warehouse.
#[derive(Debug, Clone)]
pub(super) struct Reservation {
    pub(super) warehouse: i64,
    /// Product and quantity by row.
    pub(super) rows: BTreeMap<i64, (i64, i64)>,
}

/// What the order's invoice looks like: `""`, `pending`, or a reference.
#[derive(Debug, Clone, Default)]
pub(super) struct Invoice {
    pub(super) reference: String,
    pub(super) tax_date: Option<i64>,
    pub(super) due_date: Option<i64>,
    /// When a pending one becomes real.
    pub(super) ready_at: Option<i64>,
}

/// A note on an order.
#[derive(Debug, Clone)]
pub(super) struct OrderNote {
    pub(super) id: i64,
    pub(super) text: String,
    pub(super) is_public: bool,
    pub(super) added_on: i64,
}

/// An order of any type.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) id: i64,
    pub(super) type_code: &'static str,
    pub(super) customer_id: i64,
    pub(super) customer_address: Address,
    pub(super) billing_contact: i64,
    pub(super) billing_address: Address,
    pub(super) delivery_address: Address,
    pub(super) reference: String,
    pub(super) external_ref: String,
    pub(super) instance_id: Option<i64>,
    pub(super) placed_on: i64,
    pub(super) tax_date: Option<i64>,
    pub(super) parent_id: i64,
    pub(super) status_id: i64,
    pub(super) warehouse_id: i64,
    pub(super) channel_id: i64,
    pub(super) staff_owner: i64,
    pub(super) project_id: i64,
    pub(super) lead_source_id: i64,
    pub(super) team_id: i64,
    pub(super) price_list_id: i64,
    pub(super) price_mode: String,
    pub(super) currency: String,
    pub(super) fixed_rate: bool,
    pub(super) rate: Decimal,
    pub(super) delivery_date: Option<i64>,
    pub(super) shipping_method: i64,
    pub(super) rows: Vec<Row>,
    pub(super) created_by: i64,
    pub(super) created_on: i64,
    pub(super) updated_on: Option<i64>,
    pub(super) closed_on: Option<i64>,
    pub(super) visible_from: i64,
    pub(super) version: i64,
    pub(super) invoice: Invoice,
    pub(super) paid: Decimal,
    pub(super) cancelled: bool,
    pub(super) from_ui: bool,
    pub(super) notes: Vec<OrderNote>,
    pub(super) custom: Values,
    pub(super) reservation: Option<Reservation>,
    /// Units per row that lie on goods-out notes which have not left.
    pub(super) on_notes: BTreeMap<i64, i64>,
    pub(super) stock_code: &'static str,
    pub(super) allocation_code: &'static str,
    pub(super) shipping_code: &'static str,
}

impl Order {
    /// Net and tax of all rows, two places.
    pub(super) fn totals(&self) -> (Decimal, Decimal) {
        let sum = |part: fn(&Row) -> Decimal| self.rows.iter().map(part).sum::<Decimal>();
        let cents = |value: Decimal| {
            use rust_decimal::RoundingStrategy::MidpointAwayFromZero;
            value.round_dp_with_strategy(2, MidpointAwayFromZero)
        };
        (cents(sum(|row| row.net)), cents(sum(|row| row.tax)))
    }

    pub(super) fn payment_status(&self) -> &'static str {
        let (net, tax) = self.totals();
        if (net + tax).is_zero() {
            "NOT_APPLICABLE"
        } else if self.paid.is_zero() {
            "UNPAID"
        } else if self.paid < net + tax {
            "PARTIALLY_PAID"
        } else {
            "PAID"
        }
    }

    pub(super) fn payment_status_id(&self) -> i64 {
        code_id(&PAYMENT_STATUSES, self.payment_status())
    }

    pub(super) fn stock_status_id(&self) -> i64 {
        code_id(&STOCK_STATUSES, self.stock_code)
    }

    pub(super) fn shipping_status_id(&self) -> i64 {
        code_id(&SHIPPING_STATUSES, self.shipping_code)
    }

    pub(super) fn row(&self, id: i64) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Tells the three stock codes anew from rows, reservation and notes.
    pub(super) fn refresh_codes(&mut self) {
        let tracked: Vec<&Row> = self.rows.iter().filter(|row| row.tracked).collect();
        let codes = match self.type_code {
            "SO" => ["SON", "SOP", "SOA"],
            "PO" => ["PON", "POP", "POA"],
            "SC" => ["SCN", "SCP", "SCA"],
            _ => ["PCN", "PCP", "PCA"],
        };
        if tracked.is_empty() {
            (self.stock_code, self.allocation_code, self.shipping_code) = ("NON", "ANR", "NST");
            return;
        }
        let ordered: Decimal = tracked.iter().map(|row| row.quantity).sum();
        let shipped: Decimal = tracked.iter().map(|row| row.shipped).sum();
        let reserved = self
            .reservation
            .iter()
            .flat_map(|r| r.rows.values())
            .map(|(_, n)| *n);
        let held: i64 = reserved.chain(self.on_notes.values().copied()).sum();
        let allocated = shipped + Decimal::from(held);
        let level = |part: Decimal| match part {
            part if part.is_zero() => 0,
            part if part < ordered => 1,
            _ => 2,
        };
        self.stock_code = codes[level(shipped)];
        self.allocation_code = ["ANA", "APA", "AAA"][level(allocated)];
        self.shipping_code = ["SNS", "SPS", "ASS"][level(shipped)];
    }

    /// A change: the version rises and the day of change is set.
    pub(super) fn touch(&mut self, now: i64) {
        self.version += 1;
        self.updated_on = Some(now);
    }
}

/// All orders with their indexes.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) all: BTreeMap<i64, Order>,
    by_external: HashMap<String, Vec<i64>>,
    by_reference: HashMap<String, Vec<i64>>,
    next: i64,
    next_row: i64,
    next_note: i64,
    pub(super) next_invoice: i64,
}

impl Orders {
    pub(super) fn new() -> Self {
        Self {
            all: BTreeMap::new(),
            by_external: HashMap::new(),
            by_reference: HashMap::new(),
            next: FIRST_ORDER,
            next_row: 300_001,
            next_note: 4_001,
            next_invoice: 1_001,
        }
    }

    pub(super) fn get(&self, id: i64) -> Option<&Order> {
        self.all.get(&id)
    }

    pub(super) fn row_id(&mut self) -> i64 {
        self.next_row += 1;
        self.next_row - 1
    }

    pub(super) fn note_id(&mut self) -> i64 {
        self.next_note += 1;
        self.next_note - 1
    }

    /// Gives the order its id and keeps it.
    pub(super) fn insert(&mut self, mut order: Order) -> i64 {
        let id = self.next;
        self.next += 1;
        order.id = id;
        if !order.external_ref.is_empty() {
            self.by_external
                .entry(order.external_ref.clone())
                .or_default()
                .push(id);
        }
        self.by_reference
            .entry(order.reference.clone())
            .or_default()
            .push(id);
        self.all.insert(id, order);
        id
    }

    /// Changes the reference and its index.
    pub(super) fn rename(&mut self, id: i64, reference: &str) {
        let Some(order) = self.all.get_mut(&id) else {
            return;
        };
        let old = std::mem::replace(&mut order.reference, reference.to_owned());
        if let Some(ids) = self.by_reference.get_mut(&old) {
            ids.retain(|other| *other != id);
        }
        let ids = self.by_reference.entry(reference.to_owned()).or_default();
        ids.push(id);
        ids.sort_unstable();
    }

    /// Rising ids of the orders with this external reference.
    pub(super) fn with_external(&self, reference: &str) -> &[i64] {
        self.by_external.get(reference).map_or(&[], Vec::as_slice)
    }

    /// Rising ids of the orders with this customer reference.
    pub(super) fn with_reference(&self, reference: &str) -> &[i64] {
        self.by_reference.get(reference).map_or(&[], Vec::as_slice)
    }

    /// The order of a type that holds this reference pair.
    pub(super) fn pair(&self, type_code: &str, reference: &str, instance: i64) -> Option<i64> {
        self.with_external(reference).iter().copied().find(|id| {
            self.get(*id)
                .is_some_and(|o| o.type_code == type_code && o.instance_id == Some(instance))
        })
    }
}
