//! The canonical documents. They mirror `wit/commerce` field by field; the WIT file says what each field means.
//! They carry serde derives but choose no format: the stored form is `store`'s, and pinned there by fixtures.

use crate::decimal::Decimal;
use crate::ids::Millis;
use serde::{Deserialize, Serialize};

macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name { $(#[allow(missing_docs, reason = "named as in wit/commerce, which documents it")] pub $field: $ty),* }
    };
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($case:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $(#[allow(missing_docs, reason = "the word says it")] #[serde(rename = $word)] $case),* }

        impl $name {
            /// Every case, in order.
            pub const ALL: &'static [Self] = &[$(Self::$case),*];
            /// The word used in settings, stored rows and logs.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$case => $word),* }
            }
            /// The case of that word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$case),)* _ => None }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use words;

words!(
    /// The kinds of document.
    Entity {
        Order = "order", Cancellation = "cancellation", OrderState = "order-state", Shipment = "shipment",
        Invoice = "invoice", InventoryLevel = "inventory-level", Item = "item", Customer = "customer",
        Retailer = "retailer", Warehouse = "warehouse", ShippingMethod = "shipping-method",
    }
);
words!(
    /// What the source says may be done with an order.
    OrderPhase { Pending = "pending", Open = "open", Accepted = "accepted", Completed = "completed", Cancelled = "cancelled" }
);
words!(
    /// Who set a deadline.
    DeadlineSource { Order = "order", Line = "line", Network = "network" }
);
words!(
    /// Where a cancellation stands.
    CancelPhase { Requested = "requested", Ordered = "ordered", Accepted = "accepted", Refused = "refused" }
);
words!(
    /// How far a goods-out note is.
    Stage { Created = "created", Printed = "printed", Picked = "picked", Packed = "packed", Shipped = "shipped" }
);

record!(/// Net, tax and gross of one amount.
    Totals { net: Decimal, tax: Decimal, gross: Decimal });
record!(/// A vendor's field the model has no place for.
    Extra { name: String, value: String });
record!(/// One id of an item.
    Identifier { kind: String, value: String });
record!(/// A postal address.
Address {
    name: String, company: Option<String>, attention: Option<String>, street: Vec<String>, city: String,
    region: Option<String>, postcode: String, country: Option<String>, phone: Option<String>, email: Option<String>,
});
record!(/// A shipping method in the words of one system.
    Method { carrier: Option<String>, name: Option<String>, code: Option<String> });
record!(/// Shipping, handling, discount or surcharge.
    Charge { kind: String, title: String, amount: Totals });
record!(/// A date and who set it.
    Deadline { at: Millis, set_by: DeadlineSource });
record!(/// One line of an order.
OrderLine {
    line: String, number: Option<u32>, identifiers: Vec<Identifier>, title: String,
    quantity: Decimal, cancelled: Decimal, shipped: Decimal,
    unit_price: Option<Decimal>, tax: Option<Decimal>, ship_by: Option<Millis>, warehouse: Option<String>,
    extras: Vec<Extra>,
});
record!(/// A purchase order.
Order {
    number: String, retailer: String, retailer_name: String, kind: String, test: bool, phase: OrderPhase,
    currency: Option<String>, placed_at: Option<Millis>,
    acknowledge_by: Option<Deadline>, ship_by: Option<Deadline>, invoice_by: Option<Deadline>,
    cancel_after: Option<Millis>, customer: Option<String>, warehouse: Option<String>,
    shipping_method: Option<Method>, bill_to: Option<Address>, ship_to: Address,
    lines: Vec<OrderLine>, charges: Vec<Charge>, total: Option<Totals>, supplier_number: Option<String>,
    extras: Vec<Extra>,
});
record!(/// A quantity of one line.
    LineQuantity { line: String, quantity: Decimal });
record!(/// A cancellation of an order or of lines.
    Cancellation { order_key: String, phase: CancelPhase, reason: Option<String>, lines: Vec<LineQuantity> });
record!(/// Quantities of one line on the executing side.
    LineState { line: String, allocated: Decimal, shipped: Decimal, cancelled: Decimal, invoiced: Decimal });
record!(/// How the executing side sees the order now.
    OrderState { order_key: String, status: String, cancelled: bool, invoices: Vec<String>, lines: Vec<LineState> });
record!(/// A component of a kit, counted by the agent into whole kits.
    Part { item: String, per_unit: Decimal, parts: u32 });
record!(/// A quantity of one line of the order, or of one component of it.
    PackedLine { line: String, quantity: Decimal, part: Option<Part> });
record!(/// One parcel.
    Parcel { tracking: Option<String>, lines: Vec<PackedLine>, span: bool, extras: Vec<Extra> });
record!(/// A shipment of one order.
Shipment {
    order_key: String, stage: Stage, shipped_at: Option<Millis>, warehouse: Option<String>,
    shipping_method: Option<Method>, parcels: Vec<Parcel>, extras: Vec<Extra>,
});
record!(/// An invoice of one order.
Invoice {
    number: String, order_key: String, issued_at: Millis, currency: String, lines: Vec<OrderLine>,
    charges: Vec<Charge>, total: Totals, extras: Vec<Extra>,
});
record!(/// A stock level.
    InventoryLevel { item: String, warehouse: String, available: Decimal, expected_at: Option<Millis> });
record!(/// A part of a kit.
    Component { item: String, quantity: Decimal });
record!(/// An item of a catalogue.
Item {
    identifiers: Vec<Identifier>, title: String, tracked: bool, active: bool, components: Vec<Component>,
    extras: Vec<Extra>,
});
record!(/// A customer (contact).
    Customer { code: String, address: Address, extras: Vec<Extra> });
record!(/// A retailer.
    Retailer { code: String, name: String, active: bool, extras: Vec<Extra> });
record!(/// A warehouse.
    Warehouse { code: String, name: String, active: bool, extras: Vec<Extra> });
record!(/// A shipping method as a record of its system.
    ShippingMethod { method: Method, extras: Vec<Extra> });

/// What a document holds.
#[expect(
    clippy::large_enum_variant,
    reason = "most documents are orders; a box would only hide that"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each case is named as its record")]
pub enum Body {
    Order(Order),
    Cancellation(Cancellation),
    OrderState(OrderState),
    Shipment(Shipment),
    Invoice(Invoice),
    InventoryLevel(InventoryLevel),
    Item(Item),
    Customer(Customer),
    Retailer(Retailer),
    Warehouse(Warehouse),
    ShippingMethod(ShippingMethod),
}

impl Body {
    /// The kind of this document.
    pub const fn entity(&self) -> Entity {
        match self {
            Self::Order(_) => Entity::Order,
            Self::Cancellation(_) => Entity::Cancellation,
            Self::OrderState(_) => Entity::OrderState,
            Self::Shipment(_) => Entity::Shipment,
            Self::Invoice(_) => Entity::Invoice,
            Self::InventoryLevel(_) => Entity::InventoryLevel,
            Self::Item(_) => Entity::Item,
            Self::Customer(_) => Entity::Customer,
            Self::Retailer(_) => Entity::Retailer,
            Self::Warehouse(_) => Entity::Warehouse,
            Self::ShippingMethod(_) => Entity::ShippingMethod,
        }
    }
}

/// A canonical record with key and revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Id in the system it came from.
    pub key: String,
    /// The vendor's own version or last-update time.
    pub revision: String,
    /// When it happened there.
    pub occurred_at: Millis,
    /// The record.
    pub body: Body,
}

impl Document {
    /// The order in it, if it is one.
    pub const fn order(&self) -> Option<&Order> {
        if let Body::Order(order) = &self.body {
            Some(order)
        } else {
            None
        }
    }
}

impl OrderLine {
    /// Ordered and not cancelled.
    pub fn wanted(&self) -> Decimal {
        self.quantity
            .checked_sub(self.cancelled)
            .unwrap_or_default()
    }
    /// The value of the identifier of that kind; blank counts as none.
    pub fn identifier(&self, kind: &str) -> Option<&str> {
        self.identifiers
            .iter()
            .find(|i| i.kind == kind)
            .map(|i| i.value.as_str())
            .filter(|v| !v.trim().is_empty())
    }
}
