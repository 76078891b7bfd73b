//! Owns what a retailer does to its orders: release and cancel. Must not know HTTP.

use super::change::Change;
use super::order::{Lifecycle, Status};
use super::sandbox::Sandbox;

impl Sandbox {
    /// Post-processing is finished: a received order becomes available.
    pub(crate) fn release(&mut self, now: i64, at: usize) {
        let order = self.book.get_mut(at);
        if order.lifecycle != Lifecycle::Received {
            return;
        }
        order.lifecycle = Lifecycle::Created;
        let reason = if order.announced {
            "update_status_lifecycle"
        } else {
            "create"
        };
        order.announced = true;
        self.changed(now, at, Change::of(&[reason]));
    }

    /// Cancels at once while nobody acknowledged, else asks the supplier. `force` cancels acknowledged units without
    /// asking, as some retailers do.
    ///
    /// # Errors
    /// A sentence when the order can no longer be cancelled.
    pub(crate) fn retailer_cancel(
        &mut self,
        now: i64,
        at: usize,
        code: &str,
        lines: Option<&[i64]>,
        force: bool,
    ) -> Result<&'static str, String> {
        let order = self.book.get(at);
        let named = |number: i64| lines.is_none_or(|lines| lines.contains(&number));
        let places: Vec<usize> = (0..order.lines.len())
            .filter(|&index| named(order.lines[index].number) && order.lines[index].open() > 0)
            .collect();
        if order.lifecycle == Lifecycle::Completed || places.is_empty() {
            return Err(format!("order {} has nothing left to cancel", order.id));
        }
        if order.status == Status::Created || force {
            self.cancel_lines(now, at, &places, code, 0);
            return Ok("cancelled");
        }
        if order.status == Status::Shipped {
            return Err(format!("order {} is shipped", order.id));
        }
        let order = self.book.get_mut(at);
        order.cancel_requested = Some(code.to_owned());
        if lines.is_some() {
            for &place in &places {
                order.lines[place].cancel_requested = Some(code.to_owned());
            }
        }
        let change = Change {
            reasons: vec!["update_order_info"],
            cancel_request: true,
            ..Change::default()
        };
        self.changed(now, at, change);
        Ok("requested")
    }

    /// A scheduled cancel of everything, only while the order is not acknowledged.
    pub(crate) fn retailer_cancel_whole(&mut self, now: i64, at: usize, code: &str, extra_ms: i64) {
        let order = self.book.get(at);
        if order.status == Status::Created {
            let places: Vec<usize> = (0..order.lines.len()).collect();
            self.cancel_lines(now, at, &places, code, extra_ms);
        }
    }

    fn cancel_lines(&mut self, now: i64, at: usize, places: &[usize], code: &str, extra_ms: i64) {
        let order = self.book.get_mut(at);
        let mut change = Change::of(&["update_status_lifecycle"]);
        change.extra_ms = extra_ms;
        for &place in places {
            let quantity = order.lines[place].open();
            order.cancel(
                place,
                quantity,
                code,
                Some("cancelled by the retailer"),
                now,
            );
            change.items.push(("cancelled", place, quantity));
        }
        order.settle(now, false);
        self.changed(now, at, change);
    }
}
