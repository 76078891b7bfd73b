//! Owns what an invariant check compares: orders, contacts, products and notes as they are, plain decimals and all. It
//! must not know the API's shapes.

use serde_json::{Value, json};

use super::account::Brightpearl;
use super::address::Address;
use super::clock::Zone;
use super::envelope::fixed;
use super::orders::{Order, Row};

impl Brightpearl {
    /// Everything in the order of creation.
    pub(super) fn truth_view(&self) -> Value {
        let contacts: Vec<Value> = self
            .contacts
            .all
            .values()
            .map(|c| {
                json!({
                    "id": c.id, "accountReference": c.account_reference, "name": c.full_name(),
                    "company": c.company,
                })
            })
            .collect();
        let products: Vec<Value> = self
            .products
            .all
            .values()
            .map(|p| {
                json!({
                    "id": p.id, "sku": p.sku, "ean": p.ean, "upc": p.upc, "mpn": p.mpn, "isbn": p.isbn,
                    "barcode": p.barcode, "name": p.name, "tracked": p.tracked, "bundle": p.bundle,
                })
            })
            .collect();
        json!({
            "orders": self.orders.all.values().map(order).collect::<Vec<_>>(),
            "stock": self.stock.held(),
            "contacts": contacts, "products": products, "goodsOutNotes": self.notes.truth(),
            "deletedNotes": self.notes.deleted_truth(), "webhooks": self.hooks.report(),
        })
    }

    /// Orders made after one, for a warehouse that looks often.
    pub(super) fn sales_after(&self, after: i64) -> Value {
        let newer = self.orders.all.range(after.saturating_add(1)..);
        json!({ "orders": newer.map(|(_, o)| order(o)).collect::<Vec<_>>() })
    }

    /// Sales of other systems' orders that stand and are not invoiced, for an accountant who looks often.
    pub(super) fn uninvoiced(&self) -> Value {
        let open = |o: &&Order| {
            let none = o.invoice.reference.is_empty() && !o.external_ref.is_empty();
            o.type_code == "SO" && !o.cancelled && none
        };
        let all = self.orders.all.values().filter(open);
        let short = |o: &Order| json!({"id": o.id, "externalRef": o.external_ref, "shippingStatus": o.shipping_code});
        json!({ "orders": all.map(short).collect::<Vec<_>>() })
    }

    /// The truth with the settings, for people.
    pub(super) fn state_view(&self) -> Value {
        let mut view = self.truth_view();
        view["settings"] = self.settings_view();
        view
    }
}

fn order(order: &Order) -> Value {
    let (net, tax) = order.totals();
    let zone = Zone::new(0);
    json!({
        "id": order.id, "type": order.type_code, "ref": order.reference, "externalRef": order.external_ref,
        "instanceId": order.instance_id, "customerId": order.customer_id, "statusId": order.status_id,
        "channelId": order.channel_id, "warehouseId": order.warehouse_id,
        "priceListId": order.price_list_id, "currency": order.currency,
        "leadSourceId": order.lead_source_id, "staffOwnerId": order.staff_owner,
        "placedOn": zone.text(order.placed_on), "createdOn": zone.text(order.created_on),
        "total": { "net": fixed(net, 2), "tax": fixed(tax, 2), "gross": fixed(net + tax, 2) },
        "rows": order.rows.iter().map(row).collect::<Vec<_>>(),
        "cancelled": order.cancelled, "invoice": order.invoice.reference,
        "stockStatus": order.stock_code, "shippingStatus": order.shipping_code,
        "notes": order.notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(),
        "customFields": order.custom,
        "delivery": {
            "date": order.delivery_date.map(|at| zone.text(at)),
            "shippingMethodId": order.shipping_method, "address": address(&order.delivery_address),
        },
    })
}

fn row(row: &Row) -> Value {
    json!({
        "id": row.id, "productId": row.product_id, "sku": row.sku, "name": row.name,
        "quantity": row.quantity.normalize().to_string(), "net": fixed(row.net, 4), "tax": fixed(row.tax, 4),
        "taxCode": row.tax_code, "nominalCode": row.nominal, "externalRef": row.external_ref,
        "bundleParent": row.bundle_parent, "bundleChild": row.bundle_child, "parentRowId": row.child_of,
        "shipped": row.shipped.normalize().to_string(), "tracked": row.tracked,
    })
}

fn address(address: &Address) -> Value {
    address.view()
}
