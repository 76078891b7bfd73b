//! What a person asks of stock: see it, switch it on or off, send numbers again. Each is one commit and is audited.

use super::view::{StockItemView, StockList, StockQuery};
use super::{full, show};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use waybill_model::ids::ConnectionId;
use waybill_model::settings::STOCK_MODE;
use waybill_store::{Read, Scope, StoreError, Tx};

type Pair = (ConnectionId, ConnectionId);

impl Handle {
    /// A page of what is told of stock.
    pub async fn stock(&self, query: StockQuery) -> Result<StockList, CommandError> {
        self.read(move |core, rx| show::list(core, rx, &query))
            .await
    }

    /// Why the numbers of an item are what they are.
    pub async fn stock_item(
        &self,
        route: Option<Pair>,
        item: &str,
    ) -> Result<Option<StockItemView>, CommandError> {
        let item = item.to_owned();
        self.read(move |core, rx| show::item(core, rx, route, &item))
            .await
    }

    /// Switches stock on or off. Off: nothing is sent, and what the network holds stays as it is.
    pub async fn switch_stock(&self, on: bool, who: &str) -> Result<(), CommandError> {
        let what = if on {
            "Stock switched on"
        } else {
            "Stock switched off"
        };
        self.stock_command(what, String::new(), who, move |tx, who, now| {
            let word = if on { "on" } else { "off" };
            tx.set_setting(&Scope::default(), STOCK_MODE, Some(word), who, now)
        })
        .await?;
        self.core.reload()?;
        self.core.wake(Event::Changed);
        Ok(())
    }

    /// Sends the numbers of an item again, also where they were refused.
    pub async fn send_stock_again(
        &self,
        (from, to): Pair,
        item: &str,
        who: &str,
    ) -> Result<(), CommandError> {
        let name = item.to_owned();
        let known = self.read(move |_, rx| rx.level(from, to, &name)).await?;
        let Some(known) = known else {
            return Err(CommandError::NotFound(format!("stock of `{item}`")));
        };
        let detail = item.to_owned();
        self.stock_command("Stock sent again", detail, who, move |tx, _, _| {
            let Some(mut row) = tx.level(from, to, &known.item)? else {
                return Ok(());
            };
            row.problem = None;
            row.sent = None;
            tx.put_level(&row)
        })
        .await
    }

    /// Sends all numbers of a route again, as the daily full set does.
    pub async fn send_all_stock_again(
        &self,
        (from, to): Pair,
        who: &str,
    ) -> Result<(), CommandError> {
        let title = self.core.desk().title(to);
        self.stock_command("All stock sent again", title, who, move |tx, _, _| {
            full::begin(tx, from, to)
        })
        .await
    }

    async fn stock_command(
        &self,
        what: &'static str,
        detail: String,
        who: &str,
        act: impl Fn(&mut Tx<'_>, &str, i64) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Result<(), CommandError> {
        let (who, now) = (who.to_owned(), self.now());
        self.core
            .store
            .write(move |tx| {
                act(tx, &who, now)?;
                tx.audit(&who, what, &detail, now)
            })
            .await?;
        self.core.wake(Event::Changed);
        Ok(())
    }
}
