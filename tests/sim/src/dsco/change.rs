//! Owns how a change becomes visible: every change renders the order once, and after the visibility lag readers and
//! streams get that rendering. Must not know who changed what.

use std::sync::Arc;

use serde_json::{Value, json};

use super::book::Snapshot;
use super::events::What;
use super::messy;
use super::render;
use super::sandbox::{Sandbox, Task};

/// A change of one order, with what streams shall tell about it.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Event reasons; no order event when empty.
    pub(crate) reasons: Vec<&'static str>,
    /// Only streams that ask for cancel requests get it.
    pub(crate) cancel_request: bool,
    /// Item changes: status, line index and quantity.
    pub(crate) items: Vec<(&'static str, usize, i64)>,
    /// Extra visibility lag.
    pub(crate) extra_ms: i64,
}

impl Change {
    /// A plain order change.
    pub(crate) fn of(reasons: &[&'static str]) -> Self {
        Self {
            reasons: reasons.to_vec(),
            ..Self::default()
        }
    }
}

impl Sandbox {
    /// Notes that the order at `at` changed at time `now`.
    pub(crate) fn changed(&mut self, now: i64, at: usize, change: Change) {
        if !change.cancel_request || self.settings.cancel_request_updates {
            self.book.get_mut(at).updated = now;
        }
        let snapshot = Arc::new(self.render(at));
        let mut events = Vec::new();
        if !change.reasons.is_empty() {
            events.push(What::Order {
                reasons: change.reasons,
                cancel_request: change.cancel_request,
            });
        }
        for (status, line, quantity) in change.items {
            events.push(self.item_change(at, &snapshot, status, line, quantity));
        }
        let (low, high) = (
            self.settings.d3_ms,
            self.settings.d3_max_ms.max(self.settings.d3_ms),
        );
        let lag = self.dice.between(low, high);
        let due = self.book.reserve(at, now + lag + change.extra_ms);
        self.schedule(
            due,
            Task::Show {
                at,
                snapshot,
                events,
            },
        );
    }

    /// Carries a due [`Task::Show`] out.
    pub(crate) fn show(
        &mut self,
        now: i64,
        at: usize,
        snapshot: &Arc<Snapshot>,
        events: Vec<What>,
    ) {
        self.book.show(at, snapshot.clone());
        for what in events {
            self.events.push(now, snapshot.clone(), what);
        }
    }

    fn render(&mut self, at: usize) -> Snapshot {
        let order = self.book.get(at);
        let mut value = render::order(order);
        if self.settings.messy {
            messy::order(&mut value, &mut self.dice);
        }
        Snapshot {
            json: Arc::from(value.to_string()),
            id: order.id,
            status: order.status,
            lifecycle: order.lifecycle,
            order_type: order.kind.clone(),
            account: order.retailer.account_id,
            partner: order.retailer.partner_id,
            test: order.test,
            created: order.created,
            updated: order.updated,
        }
    }

    fn item_change(
        &mut self,
        at: usize,
        snapshot: &Snapshot,
        status: &'static str,
        line: usize,
        quantity: i64,
    ) -> What {
        let uuid = self.dice.uuid();
        let order: Value = serde_json::from_str(&snapshot.json).unwrap_or(Value::Null);
        let line = self.book.get(at).lines.get(line);
        let json = json!({
            "eventUuid": uuid,
            "status": status,
            "order": order,
            "lineItems": [{
                "lineNumber": line.map(|l| l.number),
                "sku": line.map(|l| l.sku.as_str()),
                "dscoItemId": line.map(|l| l.item_id.as_str()),
                "quantity": quantity,
            }],
            "cancelCode": line.and_then(|l| l.cancel_code.as_deref()),
        });
        What::Item {
            status,
            json: Arc::from(json.to_string()),
        }
    }
}
