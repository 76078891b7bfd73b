//! Read operations of the pages' lists, for `Tx` and `Rx` alike: what follows the sales, retailers, settings. As in `read.rs`,
//! none walks a whole table that grows.

use crate::access::Access;
use crate::error::StoreError;
use crate::places::{FlowPage, FlowQuery};
use crate::retailers::RetailerRow;
use crate::rows::{AnnouncedRow, JobRow, OrderRow, SettingRow};
use crate::{announced, crosswalk, jobs, places, retailers, settings};
use waybill_model::contract::Gap;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis, OrderId, RetailerId};
use waybill_model::job::Work;

type Answer<T> = Result<T, StoreError>;

/// What lists ask of a transaction.
pub trait Lists: Access {
    /// Shipments, invoices or cancellations, newest first.
    fn flow(&self, query: &FlowQuery<'_>) -> Answer<FlowPage> {
        places::list(self.dynamic(), query)
    }
    /// How many of them there are, counted up to `most`.
    fn flow_count(&self, query: &FlowQuery<'_>, most: usize) -> Answer<usize> {
        places::count(self.dynamic(), query, most)
    }
    /// Jobs of the same work, route and kind that are not done, by their keys.
    fn open_jobs(
        &self,
        work: Work,
        from: ConnectionId,
        to: ConnectionId,
        entity: Entity,
    ) -> Answer<Vec<JobRow>> {
        jobs::open(self.dynamic(), work, from, to, entity)
    }
    /// Every value of a setting that is of no connection: agent-wide, then by retailer.
    fn agent_rows(&self) -> Answer<Vec<SettingRow>> {
        settings::agent_rows(self.dynamic())
    }
    /// Announced values of a table by retailer (those for all first) and value.
    fn announced(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
    ) -> Answer<Vec<AnnouncedRow>> {
        announced::announced(self.dynamic(), from, to, table)
    }
    /// Exactly that announced value.
    fn announced_row(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
        retailer: Option<&str>,
        value: &str,
    ) -> Answer<Option<AnnouncedRow>> {
        announced::announced_row(self.dynamic(), from, to, table, retailer, value)
    }
    /// The empty cells of a table that the first `limit` waiting jobs wait for, with how many each, by value.
    fn gaps(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
        limit: usize,
    ) -> Answer<Vec<(Gap, u64)>> {
        crosswalk::gaps(self.dynamic(), from, to, table, limit)
    }
    /// Retailers that sent an order, by connection and code.
    fn retailers(&self) -> Answer<Vec<RetailerRow>> {
        retailers::all(self.dynamic())
    }
    /// Orders of a retailer, newest first.
    fn orders_of(
        &self,
        retailer: RetailerId,
        before: Option<OrderId>,
        limit: usize,
    ) -> Answer<Vec<OrderRow>> {
        retailers::orders(self.dynamic(), retailer, before, limit)
    }
    /// How many orders of a retailer came since then, counted up to `most`.
    fn orders_since(&self, retailer: RetailerId, since: OrderId, most: usize) -> Answer<usize> {
        retailers::orders_from(self.dynamic(), retailer, since, most)
    }
    /// The first order that came at that time or later, or the number it will have.
    fn first_order_since(&self, since: Millis) -> Answer<OrderId> {
        retailers::first_order_since(self.dynamic(), since)
    }
}

impl<T: Access + ?Sized> Lists for T {}
