//! What a person changes about stock shows at once: the items concerned are read again, and their levels follow. Knows not
//! how levels are derived.

use crate::access::Tx;
use crate::connections;
use crate::error::StoreError;
use crate::feeds;
use crate::levels;
use crate::rows::{FeedRow, RouteRow};
use waybill_model::crosswalk::{ITEMS, WAREHOUSES};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::levels::{BUFFER, CAP, PERCENT};

impl Tx<'_> {
    /// A cell was filled, changed or emptied; `codes` are what it held and holds.
    pub(crate) fn stock_cell_changed(
        &mut self,
        (from, to): (ConnectionId, ConnectionId),
        table: &str,
        value: &str,
        codes: &[String],
        now: Millis,
    ) -> Result<(), StoreError> {
        let back = |r: &RouteRow| (r.from, r.to) == (to, from);
        let same = |r: &RouteRow| (r.from, r.to) == (from, to);
        match table {
            // The way orders go: what the receiver calls an item -> its key.
            ITEMS => {
                for route in self.stock_routes(back)? {
                    for item in codes {
                        self.hint(route.from, Entity::InventoryLevel, item, now)?;
                    }
                }
                Ok(())
            }
            WAREHOUSES => self.read_stock_again(|r| same(r) || back(r), now),
            PERCENT | BUFFER | CAP => {
                let name = value.split_once('@').map_or(value, |(name, _)| name);
                for route in self.stock_routes(same)? {
                    // An id may hold an @ itself.
                    let mut sources = Vec::new();
                    for name in [value, name] {
                        let level = levels::level(self, route.from, route.to, name)?;
                        sources.extend(level.map(|level| level.source));
                    }
                    if sources.is_empty() {
                        self.read_stock_again(|r| *r == route, now)?;
                    }
                    for item in sources {
                        self.hint(route.from, Entity::InventoryLevel, &item, now)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The next round over the items of these routes begins now.
    pub(crate) fn read_stock_again(
        &mut self,
        which: impl Fn(&RouteRow) -> bool,
        now: Millis,
    ) -> Result<(), StoreError> {
        for route in self.stock_routes(which)? {
            if let Some(feed) = feeds::feed(self, route.from, Entity::InventoryLevel)? {
                self.put_feed(&FeedRow {
                    next_due: feed.next_due.min(now),
                    ..feed
                })?;
            }
        }
        Ok(())
    }

    fn stock_routes(&self, which: impl Fn(&RouteRow) -> bool) -> Result<Vec<RouteRow>, StoreError> {
        let mut routes = connections::routes(self)?;
        routes.retain(|r| r.entity == Entity::InventoryLevel && which(r));
        Ok(routes)
    }
}
