//! Owns the two order searches: their columns, the names they refer to and the narrowing by reference before the scan. It
//! must not change orders.

use serde_json::{Map, Value, json};

use super::account::Brightpearl;
use super::call::Call;
use super::clock::midnight_utc;
use super::envelope::{Answer, Reply};
use super::idset::IdSet;
use super::orders::Order;
use super::reference::{ORDER_TYPES, PAYMENT_STATUSES, SHIPPING_STATUSES, STOCK_STATUSES, code_id};
use super::search::{Cell, Column, Kind, Table, names_of};

/// Ids that are looked up one by one instead of scanning everything.
const FEW: i64 = 1_000;

static ORDERS: Table<Order> = Table {
    columns: &[
        Column::new("orderId", Kind::IdSet, |o| Cell::Int(o.id)),
        Column::named("orderTypeId", Kind::IdSet, "orderTypeNames", |o| {
            Cell::Int(code_id(&ORDER_TYPES, o.type_code))
        }),
        Column::new("contactId", Kind::Integer, |o| Cell::Int(o.customer_id)),
        Column::named("orderStatusId", Kind::Integer, "orderStatusNames", |o| {
            Cell::Int(o.status_id)
        }),
        Column::named(
            "orderStockStatusId",
            Kind::Integer,
            "orderStockStatusNames",
            |o| Cell::Int(o.stock_status_id()),
        ),
        Column::new("createdOn", Kind::Period, |o| Cell::Time(o.created_on)),
        Column::new("createdById", Kind::Integer, |o| Cell::Int(o.created_by)),
        Column::new("customerRef", Kind::Text, |o| Cell::filled(&o.reference)),
        Column::named(
            "orderPaymentStatusId",
            Kind::Integer,
            "orderPaymentStatusNames",
            |o| Cell::Int(o.payment_status_id()),
        ),
        Column::new("updatedOn", Kind::Period, |o| Cell::time(o.updated_on)),
        Column::new("parentOrderId", Kind::IdSet, |o| Cell::Int(o.parent_id)),
        Column::named(
            "orderShippingStatusId",
            Kind::Integer,
            "orderShippingStatusNames",
            |o| Cell::Int(o.shipping_status_id()),
        ),
        Column::new("externalRef", Kind::Text, |o| Cell::filled(&o.external_ref)),
        Column::new("installedIntegrationInstanceId", Kind::Integer, instance),
        Column::new("warehouseId", Kind::IdSet, |o| Cell::Int(o.warehouse_id)),
        Column::new("staffOwnerContactId", Kind::Integer, |o| {
            Cell::Int(o.staff_owner)
        }),
        Column::new("taxDate", Kind::Period, tax_date),
        Column::new("departmentId", Kind::Integer, |o| Cell::Int(o.channel_id)),
        Column::new("deliveryDate", Kind::Period, |o| {
            Cell::time(o.delivery_date)
        }),
    ],
    filters: &[
        Column::new("placedOn", Kind::Period, |o| Cell::Time(o.placed_on)),
        Column::new("shippingMethodId", Kind::Integer, |o| {
            Cell::Int(o.shipping_method)
        }),
        Column::new("projectId", Kind::Integer, |o| Cell::Int(o.project_id)),
        Column::new("leadSourceId", Kind::Integer, |o| {
            Cell::Int(o.lead_source_id)
        }),
        Column::new("externalRefSearchString", Kind::SearchText, |o| {
            Cell::filled(&o.external_ref)
        }),
    ],
};

static SALES: Table<Order> = Table {
    columns: &[
        Column::new("salesOrderId", Kind::IdSet, |o| Cell::Int(o.id)),
        Column::new("customerId", Kind::Integer, |o| Cell::Int(o.customer_id)),
        Column::named("orderStatusId", Kind::Integer, "orderStatusNames", |o| {
            Cell::Int(o.status_id)
        }),
        Column::new("orderStockStatus", Kind::Text, |o| {
            Cell::Text(o.stock_code.to_owned())
        }),
        Column::new("createdOn", Kind::Period, |o| Cell::Time(o.created_on)),
        Column::new("createdById", Kind::Integer, |o| Cell::Int(o.created_by)),
        Column::new("customerRef", Kind::Text, |o| Cell::filled(&o.reference)),
        Column::new("orderPaymentStatus", Kind::Text, |o| {
            Cell::Text(o.payment_status().to_owned())
        }),
        Column::new("updatedOn", Kind::Period, |o| Cell::time(o.updated_on)),
        Column::new("orderShippingStatus", Kind::Text, |o| {
            Cell::Text(o.shipping_code.to_owned())
        }),
        Column::new("externalRef", Kind::Text, |o| Cell::filled(&o.external_ref)),
        Column::new("installedIntegrationInstanceId", Kind::Integer, instance),
        Column::new("warehouseId", Kind::IdSet, |o| Cell::Int(o.warehouse_id)),
        Column::new("staffOwnerId", Kind::Integer, |o| Cell::Int(o.staff_owner)),
        Column::new("taxDate", Kind::Period, tax_date),
        Column::new("channelId", Kind::Integer, |o| Cell::Int(o.channel_id)),
        Column::new("deliveryDate", Kind::Period, |o| {
            Cell::time(o.delivery_date)
        }),
    ],
    filters: &[
        Column::new("productIds", Kind::IdSet, |o| {
            Cell::Ints(o.rows.iter().map(|row| row.product_id).collect())
        }),
        Column::new("isHistoricalOrder", Kind::Bool, |_| Cell::Bool(false)),
        Column::new("customerRefs", Kind::TextSet, |o| {
            Cell::filled(&o.reference)
        }),
    ],
};

fn instance(order: &Order) -> Cell {
    order.instance_id.map_or(Cell::Null, Cell::Int)
}

/// Filled even where the order shows none.
fn tax_date(order: &Order) -> Cell {
    Cell::Time(
        order
            .tax_date
            .unwrap_or_else(|| midnight_utc(order.created_on)),
    )
}

impl Brightpearl {
    /// `GET order-search`.
    pub(super) fn order_search(&self, now: i64, call: &Call) -> Answer {
        let records = self.candidates(now, call, "orderId");
        let found = ORDERS.search(records.into_iter(), &call.query, self.zone())?;
        let reference = if found.records.is_empty() {
            json!({})
        } else {
            let types: Map<String, Value> = ORDER_TYPES
                .iter()
                .map(|(id, _, text)| (id.to_string(), json!(text)))
                .collect();
            let table = |table: &'static [(i64, &'static str, &'static str)]| {
                move |id: i64| {
                    let row = table.iter().find(|(number, ..)| *number == id);
                    row.map(|(_, _, text)| (*text).to_owned())
                }
            };
            json!({
                "orderTypeNames": types,
                "orderStatusNames": self.status_names(&found.records),
                "orderPaymentStatusNames":
                    names_of(&found.records, Order::payment_status_id, table(&PAYMENT_STATUSES)),
                "orderStockStatusNames":
                    names_of(&found.records, Order::stock_status_id, table(&STOCK_STATUSES)),
                "orderShippingStatusNames":
                    names_of(&found.records, Order::shipping_status_id, table(&SHIPPING_STATUSES)),
            })
        };
        let body = json!({ "response": found.response, "reference": reference });
        Ok(Reply { status: 200, body })
    }

    /// `GET sales-order-search`.
    pub(super) fn sales_search(&self, now: i64, call: &Call) -> Answer {
        let records = self.candidates(now, call, "salesOrderId");
        let sales = records.into_iter().filter(|order| order.type_code == "SO");
        let found = SALES.search(sales, &call.query, self.zone())?;
        let reference = if found.records.is_empty() {
            json!({})
        } else {
            json!({ "orderStatusNames": self.status_names(&found.records) })
        };
        let body = json!({ "response": found.response, "reference": reference });
        Ok(Reply { status: 200, body })
    }

    /// `GET order-search/meta-data`.
    pub(super) fn order_search_meta() -> Reply {
        Reply::ok(ORDERS.meta_data())
    }

    /// `GET sales-order-search/meta-data`.
    pub(super) fn sales_search_meta() -> Reply {
        Reply::ok(SALES.meta_data())
    }

    fn status_names(&self, records: &[&Order]) -> Value {
        names_of(
            records,
            |o| o.status_id,
            |id| self.lists.status(id).map(|s| s.name.clone()),
        )
    }

    /// The orders a search has to look at, rising: by index where a filter allows it, without those that searches do not
    /// see yet.
    fn candidates(&self, now: i64, call: &Call, id_name: &str) -> Vec<&Order> {
        let lag = self.settings.search_lag_ms;
        let seen = |order: &&Order| now - order.visible_from >= lag;
        let few = call
            .param(id_name)
            .and_then(IdSet::parse)
            .filter(|set| set.size() <= FEW);
        let mut ids: Vec<i64> = if let Some(text) = call.param("externalRef") {
            self.orders.with_external(text).to_vec()
        } else if let Some(text) = call.param("customerRef") {
            self.orders.with_reference(text).to_vec()
        } else if let Some(texts) = call.param("customerRefs") {
            texts
                .split(',')
                .flat_map(|t| self.orders.with_reference(t.trim()))
                .copied()
                .collect()
        } else if let Some(set) = few {
            set.ids().into_iter().collect()
        } else {
            return self.orders.all.values().filter(seen).collect();
        };
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter()
            .filter_map(|id| self.orders.get(id))
            .filter(seen)
            .collect()
    }
}
