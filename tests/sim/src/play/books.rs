//! Owns what the accountant does in the play: sales are invoiced once they have shipped, some of them before. Talks to the
//! ERP sandbox's control side only; must not know the agent or the network.

use super::house::House;
use super::worker::{Kind, order_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All of it has shipped.
const SHIPPED: &str = "ASS";

/// The accountant.
#[derive(Debug, Default)]
pub struct Books {
    /// Whether anything is invoiced at all.
    pub on: bool,
}

impl Books {
    /// One turn: invoices what is due. How many.
    pub async fn work(
        &self,
        house: &House,
        kinds: &BTreeMap<String, Kind>,
    ) -> anyhow::Result<usize> {
        if !self.on {
            return Ok(0);
        }
        let open = house.erp.control("GET", "uninvoiced", &Value::Null).await?;
        let mut done = 0;
        for sale in open["orders"].as_array().into_iter().flatten() {
            let id = sale["id"].as_i64().unwrap_or(0);
            let kind = kinds.get(&order_of(sale));
            let early = id % 4 == 0 && kind.is_some_and(|kind| kind.is_plain());
            if sale["shippingStatus"] != SHIPPED && !early {
                continue;
            }
            // The booking of some takes its time.
            let body = json!({"pending": id % 3 == 0});
            let path = format!("order/{id}/invoice");
            house.erp.control("POST", &path, &body).await?;
            done += 1;
        }
        Ok(done)
    }

    /// Whether every sale that has shipped has its invoice.
    pub fn done_with(&self, erp: &Value) -> bool {
        let mut sales = erp["orders"].as_array().into_iter().flatten();
        !self.on
            || sales.all(|sale| {
                let shipped = sale["shippingStatus"] == SHIPPED && sale["cancelled"] != true;
                let number = sale["invoice"].as_str().unwrap_or_default();
                order_of(sale).is_empty() || !shipped || !["", "pending"].contains(&number)
            })
    }
}
