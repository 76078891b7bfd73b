//! Owns what an order of the network is and how its states move. Must not know HTTP, visibility or JSON shapes.

use crate::catalogue::{Retailer, Service};

/// `dscoStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Created,
    ShipmentPending,
    Shipped,
    Cancelled,
}

impl Status {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::ShipmentPending => "shipment_pending",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn known(text: &str) -> bool {
        matches!(
            text,
            "created" | "shipment_pending" | "shipped" | "cancelled"
        )
    }
}

/// `dscoLifecycle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    Received,
    Created,
    Acknowledged,
    Completed,
}

impl Lifecycle {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Created => "created",
            Self::Acknowledged => "acknowledged",
            Self::Completed => "completed",
        }
    }

    pub(crate) fn known(text: &str) -> bool {
        matches!(text, "received" | "created" | "acknowledged" | "completed")
    }
}

/// One audit entry of a line.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    pub(crate) action: &'static str,
    pub(crate) quantity: i64,
    pub(crate) reason: Option<String>,
    pub(crate) at: i64,
}

/// One order line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) number: i64,
    pub(crate) item_id: String,
    pub(crate) sku: String,
    pub(crate) partner_sku: String,
    pub(crate) upc: Option<String>,
    pub(crate) ean: Option<String>,
    pub(crate) gtin: Option<String>,
    pub(crate) isbn: Option<String>,
    pub(crate) mpn: Option<String>,
    pub(crate) title: String,
    pub(crate) quantity: i64,
    pub(crate) cost_cents: i64,
    pub(crate) shipped: i64,
    pub(crate) cancelled: i64,
    /// Part of `cancelled` that happened before the acknowledgement.
    pub(crate) cancelled_early: i64,
    pub(crate) cancel_code: Option<String>,
    pub(crate) cancel_reason: Option<String>,
    pub(crate) cancel_requested: Option<String>,
    pub(crate) activity: Vec<Activity>,
}

impl Line {
    /// Units neither shipped nor cancelled.
    pub(crate) fn open(&self) -> i64 {
        (self.quantity - self.cancelled - self.shipped).max(0)
    }

    /// Cost times quantity.
    pub(crate) fn extended_cents(&self) -> i64 {
        self.cost_cents * self.quantity
    }
}

/// Units of one line in a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackedLine {
    pub(crate) line: usize,
    pub(crate) quantity: i64,
    pub(crate) span: bool,
}

/// One parcel the network knows.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) id: u64,
    pub(crate) tracking: String,
    pub(crate) items: Vec<PackedLine>,
    pub(crate) carrier: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) ship_date: Option<String>,
    pub(crate) warehouse: Option<String>,
    pub(crate) cost_cents: i64,
    /// Parcels of one group share the units that are spread over them.
    pub(crate) group: u64,
}

/// Where the order goes.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    pub(crate) line1: String,
    pub(crate) line2: Option<&'static str>,
    pub(crate) city: &'static str,
    pub(crate) region: &'static str,
    pub(crate) postal: &'static str,
}

/// What the checker shall expect of an order.
#[derive(Debug, Clone)]
pub(crate) struct Purpose {
    pub(crate) case: String,
    pub(crate) expect: String,
}

/// One order.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) po: String,
    pub(crate) retailer: Retailer,
    pub(crate) consumer_number: String,
    pub(crate) supplier_number: Option<String>,
    pub(crate) status: Status,
    pub(crate) lifecycle: Lifecycle,
    /// `orderType`.
    pub(crate) kind: String,
    pub(crate) test: bool,
    /// Streams know the order already.
    pub(crate) announced: bool,
    pub(crate) cancel_requested: Option<String>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) acknowledged: Option<i64>,
    pub(crate) ack_count: u32,
    pub(crate) lines: Vec<Line>,
    pub(crate) packages: Vec<Package>,
    /// Why shipments of it were refused, oldest first.
    pub(crate) refused: Vec<String>,
    /// `shipByDate`; without it three days after it was made.
    pub(crate) ship_by: Option<i64>,
    pub(crate) total_cents: i64,
    pub(crate) service: Service,
    pub(crate) warehouse: &'static str,
    pub(crate) address: Address,
    pub(crate) purpose: Purpose,
}

impl Order {
    /// Units of the whole order neither shipped nor cancelled.
    pub(crate) fn open(&self) -> i64 {
        self.lines.iter().map(Line::open).sum()
    }

    /// Whether nothing of it was shipped and all was cancelled.
    pub(crate) fn all_cancelled(&self) -> bool {
        self.status == Status::Cancelled
    }

    /// Whether every unit was cancelled before anybody acknowledged.
    pub(crate) fn cancelled_early(&self) -> bool {
        self.lines.iter().all(|l| l.cancelled_early == l.quantity)
    }

    /// Moves to acknowledged; says what changed.
    ///
    /// # Errors
    /// A sentence when the order is not available, cancelled or completed.
    pub(crate) fn acknowledge(
        &mut self,
        at: i64,
        number: Option<&str>,
    ) -> Result<Vec<&'static str>, String> {
        match (self.lifecycle, self.status) {
            (Lifecycle::Received, _) => return Err("Order is not available yet".to_owned()),
            (_, Status::Cancelled) => return Err("Order is cancelled".to_owned()),
            (Lifecycle::Completed, _) => return Err("Order is completed".to_owned()),
            _ => {}
        }
        let mut reasons = Vec::new();
        if self.lifecycle == Lifecycle::Created {
            self.lifecycle = Lifecycle::Acknowledged;
            self.status = Status::ShipmentPending;
            self.acknowledged = Some(at);
            reasons.push("update_status_lifecycle");
        }
        self.ack_count += 1;
        if let Some(number) = number
            && self.supplier_number.as_deref() != Some(number)
        {
            self.supplier_number = Some(number.to_owned());
            reasons.push("update_supplier_order_number");
        }
        Ok(reasons)
    }

    /// Cancels units of one line. The caller has checked that they are open.
    pub(crate) fn cancel(
        &mut self,
        line: usize,
        quantity: i64,
        code: &str,
        reason: Option<&str>,
        at: i64,
    ) {
        let early = self.acknowledged.is_none();
        let Some(line) = self.lines.get_mut(line) else {
            return;
        };
        let quantity = quantity.min(line.open());
        line.cancelled += quantity;
        if early {
            line.cancelled_early += quantity;
        }
        line.cancel_code = Some(code.to_owned());
        line.cancel_reason = reason.map(str::to_owned);
        line.activity.push(Activity {
            action: "cancel",
            quantity,
            reason: reason.map(str::to_owned),
            at,
        });
    }

    /// Recomputes both states from the quantities. `by_supplier`: a supplier's act implies acknowledgement.
    pub(crate) fn settle(&mut self, at: i64, by_supplier: bool) {
        let shipped: i64 = self.lines.iter().map(|l| l.shipped).sum();
        let open = self.open();
        if open == 0 {
            self.lifecycle = Lifecycle::Completed;
            self.status = if shipped > 0 {
                Status::Shipped
            } else {
                Status::Cancelled
            };
        } else if shipped > 0 {
            self.lifecycle = Lifecycle::Acknowledged;
            self.status = Status::Shipped;
        } else if by_supplier || self.lifecycle == Lifecycle::Acknowledged {
            self.lifecycle = Lifecycle::Acknowledged;
            self.status = Status::ShipmentPending;
        }
        if by_supplier && self.acknowledged.is_none() {
            self.acknowledged = Some(at);
        }
    }
}
