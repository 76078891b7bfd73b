//! Owns the rate limits of the network: fixed windows per endpoint. Must not know answers.

use std::collections::HashMap;

use super::route::Route;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60_000;

/// Windows (milliseconds, calls) of a route; none where no number is documented.
fn windows(route: &Route) -> &'static [(i64, u32)] {
    match route {
        Route::Order | Route::OrderPage => &[(SECOND, 10), (MINUTE, 500)],
        Route::Acknowledge | Route::Invoices | Route::InvoiceOne => &[(SECOND, 15), (MINUTE, 1000)],
        Route::Inventory | Route::ShipOne => &[(SECOND, 15), (MINUTE, 300)],
        Route::InventoryOne => &[(SECOND, 5), (MINUTE, 300)],
        Route::StreamSingle { .. } => &[(MINUTE, 15)],
        Route::Warehouses => &[(SECOND, 5), (MINUTE, 100)],
        _ => &[],
    }
}

/// Calls counted in the running windows. `GET /order` and its page share one budget, as documented in one line.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    counts: HashMap<(&'static str, i64), (i64, u32)>,
}

impl Limits {
    /// Counts a call; false when it is over a limit.
    pub(crate) fn allow(&mut self, now: i64, route: &Route) -> bool {
        let name = if *route == Route::OrderPage {
            Route::Order.name()
        } else {
            route.name()
        };
        let mut fits = true;
        for &(length, most) in windows(route) {
            let window = now.div_euclid(length);
            let count = self.counts.entry((name, length)).or_insert((window, 0));
            if count.0 != window {
                *count = (window, 0);
            }
            fits &= count.1 < most;
        }
        if fits {
            for &(length, _) in windows(route) {
                if let Some(count) = self.counts.get_mut(&(name, length)) {
                    count.1 += 1;
                }
            }
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use crate::dsco::route::Route;

    #[test]
    fn ten_reads_fit_a_second_and_five_hundred_a_minute() {
        let mut limits = Limits::default();
        let allowed = (0..20)
            .filter(|_| limits.allow(1_000_000, &Route::Order))
            .count();
        assert_eq!(allowed, 10);
        assert!(!limits.allow(1_000_500, &Route::OrderPage));
        assert!(limits.allow(1_001_000, &Route::OrderPage));
        let start = 60_000_000;
        let mut all = 0;
        for second in 0..60 {
            all += (0..10)
                .filter(|_| limits.allow(start + second * 1000, &Route::Order))
                .count();
        }
        assert_eq!(all, 500);
        assert!((0..1000).all(|_| limits.allow(1, &Route::Hello)));
    }
}
