//! Owns the two shapes in which orders are read: sales order (list of rows, strings) and order (map of rows, nested
//! values). It must not change anything.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::account::Brightpearl;
use super::call::Call;
use super::clock::Zone;
use super::custom::{self, OF_ORDERS};
use super::envelope::{Answer, Reply, fixed};
use super::orders::{Order, Row};
use super::products::{MAX_IDS, get_uris, ids_of};
use super::reference::{CURRENCIES, STATUS_INVOICED, tax_code};

impl Brightpearl {
    /// `GET sales-order/{set}` and `GET sales-credit/{set}`: 207 when only some were found, never 404.
    pub(super) fn sales_get(&self, set: &str, call: &Call, type_code: &str) -> Answer {
        let ids = ids_of(set, MAX_IDS)?;
        let items: Vec<Value> = ids
            .iter()
            .filter_map(|id| self.orders.get(*id))
            .filter(|order| order.type_code == type_code)
            .rev()
            .map(|order| {
                let mut view = sales_view(order, self.zone());
                add_custom(&mut view, order, call);
                view
            })
            .collect();
        Ok(Reply::found(&items, ids.len()))
    }

    /// `GET order/{set}`: unknown ids are skipped, an empty list is still 200.
    pub(super) fn order_get(&self, set: &str, call: &Call) -> Answer {
        let ids = ids_of(set, MAX_IDS)?;
        let items: Vec<Value> = ids
            .iter()
            .filter_map(|id| self.orders.get(*id))
            .rev()
            .map(|order| {
                let mut view = self.order_view(order);
                add_custom(&mut view, order, call);
                view
            })
            .collect();
        Ok(Reply::ok(items))
    }

    /// `OPTIONS order[/{set}]` and the like; `type_code` narrows it.
    pub(super) fn order_options(
        &self,
        resource: &str,
        set: Option<&str>,
        type_code: Option<&str>,
    ) -> Answer {
        let fits = |order: &&Order| type_code.is_none_or(|code| order.type_code == code);
        get_uris(
            resource,
            set,
            self.orders.all.values().filter(fits).map(|order| &order.id),
        )
    }

    /// The order shape.
    pub(super) fn order_view(&self, order: &Order) -> Value {
        let zone = self.zone();
        let (net, tax) = order.totals();
        let base = |value: Decimal| fixed(value / order.rate, 2);
        let status = self
            .lists
            .status(order.status_id)
            .map(|s| s.name.as_str())
            .unwrap_or_default();
        let mut delivery = json!({ "shippingMethodId": order.shipping_method });
        if let Some(at) = order.delivery_date {
            delivery["deliveryDate"] = json!(zone.text(at));
        }
        let mut invoice = json!({ "invoiceReference": order.invoice.reference });
        if let Some(at) = order.invoice.tax_date.or(order.tax_date) {
            invoice["taxDate"] = json!(zone.text(at));
        }
        if let Some(at) = order.invoice.due_date {
            invoice["dueDate"] = json!(zone.text(at));
        }
        let invoiced = order.status_id == STATUS_INVOICED || order.closed_on.is_some();
        let rows: Map<String, Value> = order
            .rows
            .iter()
            .map(|row| (row.id.to_string(), nested_row(order, row)))
            .collect();
        let mut view = json!({
            "id": order.id, "parentOrderId": order.parent_id, "orderTypeCode": order.type_code,
            "reference": order.reference, "version": order.version,
            "state": { "tax": if invoiced { "INVOICED" } else { "NOT_INVOICED" } },
            "orderStatus": { "orderStatusId": order.status_id, "name": status },
            "tax": { "errors": [] }, "orderPaymentStatus": order.payment_status(),
            "stockStatusCode": order.stock_code, "allocationStatusCode": order.allocation_code,
            "shippingStatusCode": order.shipping_code, "placedOn": zone.text(order.placed_on),
            "createdOn": zone.text(order.created_on), "createdById": order.created_by,
            "priceListId": order.price_list_id, "priceModeCode": order.price_mode, "delivery": delivery,
            "invoices": [invoice],
            "currency": {
                "accountingCurrencyCode": CURRENCIES[0].1, "orderCurrencyCode": order.currency,
                "exchangeRate": fixed(order.rate, 6), "fixedExchangeRate": order.fixed_rate,
            },
            "totalValue": {
                "net": fixed(net, 2), "taxAmount": fixed(tax, 2), "total": fixed(net + tax, 2),
                "baseNet": base(net), "baseTaxAmount": base(tax), "baseTotal": base(net + tax),
            },
            "assignment": { "current": {
                "staffOwnerContactId": order.staff_owner, "projectId": order.project_id,
                "channelId": order.channel_id, "leadSourceId": order.lead_source_id, "teamId": order.team_id,
            }},
            "parties": {
                "customer": order.customer_address.party(Some(order.customer_id)),
                "delivery": order.delivery_address.party(None),
                "billing": order.billing_address.party(Some(order.billing_contact)),
            },
            "orderRows": rows, "warehouseId": order.warehouse_id, "acknowledged": 0,
            "costPriceListId": 1, "historicalOrder": false, "orderWeighting": 100,
        });
        if !order.from_ui {
            view["isDropship"] = json!(false);
        }
        optional_dates(&mut view, order, zone);
        if order.closed_on.is_some()
            && let Some(at) = order.invoice.tax_date
        {
            view["originalInvoiceDate"] = json!(zone.text(at));
        }
        view
    }
}

fn add_custom(view: &mut Value, order: &Order, call: &Call) {
    let nulls = call.includes("nullCustomFields");
    if nulls || call.includes("customFields") {
        view["customFields"] = custom::view(OF_ORDERS, &order.custom, nulls);
    }
}

fn optional_dates(view: &mut Value, order: &Order, zone: Zone) {
    let dates = [
        ("updatedOn", order.updated_on),
        ("closedOn", order.closed_on),
    ];
    for (key, at) in dates {
        if let Some(at) = at {
            view[key] = json!(zone.text(at));
        }
    }
}

/// A row in the order shape.
pub(super) fn nested_row(order: &Order, row: &Row) -> Value {
    let money = |text: String| json!({ "currencyCode": order.currency, "value": text });
    let (class, rate) = tax_code(&row.tax_code).unwrap_or_default();
    let tax_places = row.tax.normalize().scale().clamp(2, 4);
    let mut view = json!({
        "orderRowSequence": row.sequence.to_string(), "productId": row.product_id, "productName": row.name,
        "quantity": { "magnitude": fixed(row.quantity, 4) }, "itemCost": money("0.0000".to_owned()),
        "productPrice": money(unit_price(row)), "discountPercentage": "0.00",
        "rowValue": {
            "taxRate": fixed(rate, 4), "taxCode": row.tax_code, "taxCalculator": "brightpearl",
            "rowNet": money(fixed(row.net, 4)), "rowTax": money(fixed(row.tax, tax_places)),
            "taxClassId": class,
        },
        "nominalCode": row.nominal,
        "composition": {
            "bundleParent": row.bundle_parent, "bundleChild": row.bundle_child,
            "parentOrderRowId": row.child_of.unwrap_or(0),
        },
        "clonedFromId": 0,
    });
    if let Some(sku) = &row.sku {
        view["productSku"] = json!(sku);
    }
    view
}

fn unit_price(row: &Row) -> String {
    let each = row.net.checked_div(row.quantity).unwrap_or_default();
    fixed(each, 4)
}

/// The sales order shape.
fn sales_view(order: &Order, zone: Zone) -> Value {
    let (net, tax) = order.totals();
    let base = |value: Decimal| fixed(value / order.rate, 2);
    let mut delivery = json!({
        "shippingMethodId": order.shipping_method, "address": order.delivery_address.view(),
    });
    if let Some(at) = order.delivery_date {
        delivery["date"] = json!(zone.text(at));
    }
    let mut invoice = json!({ "invoiceReference": order.invoice.reference });
    if let Some(at) = order.invoice.tax_date.or(order.tax_date) {
        invoice["taxDate"] = json!(zone.text(at));
    }
    let rows: Vec<Value> = order.rows.iter().map(sales_row).collect();
    let mut view = json!({
        "id": order.id,
        "customer": { "id": order.customer_id, "address": order.customer_address.view() },
        "billing": { "contactId": order.billing_contact, "address": order.billing_address.view() },
        "ref": order.reference, "placedOn": zone.text(order.placed_on), "parentId": order.parent_id,
        "statusId": order.status_id, "warehouseId": order.warehouse_id, "channelId": order.channel_id,
        "staffOwnerId": order.staff_owner, "projectId": order.project_id,
        "leadSourceId": order.lead_source_id, "teamId": order.team_id, "priceListId": order.price_list_id,
        "priceModeCode": order.price_mode,
        "currency": {
            "code": order.currency, "fixedExchangeRate": order.fixed_rate,
            "exchangeRate": fixed(order.rate, 6),
        },
        "delivery": delivery, "rows": rows,
        "total": {
            "net": fixed(net, 2), "tax": fixed(tax, 2), "gross": fixed(net + tax, 2), "baseNet": base(net),
            "baseTax": base(tax), "baseGross": base(net + tax),
        },
        "orderPaymentStatus": order.payment_status(), "stockStatusCode": order.stock_code,
        "allocationStatusCode": order.allocation_code, "shippingStatusCode": order.shipping_code,
        "isCanceled": order.cancelled, "invoice": invoice, "createdBy": order.created_by,
        "createdOn": zone.text(order.created_on), "orderWeighting": 100, "costPriceListId": 1,
        "customerId": order.customer_id,
    });
    if !order.external_ref.is_empty() {
        view["externalRef"] = json!(order.external_ref);
    }
    if let Some(id) = order.instance_id {
        view["installedIntegrationInstanceId"] = json!(id);
    }
    if let Some(at) = order.tax_date {
        view["taxDate"] = json!(zone.text(at));
    }
    optional_dates(&mut view, order, zone);
    view
}

fn sales_row(row: &Row) -> Value {
    let (class, _) = tax_code(&row.tax_code).unwrap_or_default();
    let mut view = json!({
        "id": row.id, "productId": row.product_id, "name": row.name, "quantity": fixed(row.quantity, 4),
        "taxCode": row.tax_code, "tax": fixed(row.tax, 4), "net": fixed(row.net, 4),
        "nominalCode": row.nominal, "productPrice": unit_price(row), "discountPercentage": "0.00",
        "sequence": row.sequence, "bundleParent": row.bundle_parent, "bundleChild": row.bundle_child,
        "parentRowId": row.child_of, "taxClassId": class, "taxCalculator": "brightpearl",
        "clonedFromId": 0,
    });
    if !row.external_ref.is_empty() {
        view["externalRef"] = json!(row.external_ref);
    }
    if let Some(sku) = &row.sku {
        view["sku"] = json!(sku);
    }
    view
}
