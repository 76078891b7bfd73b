//! Owns the JSON shape of an order as readers get it, deprecated twins included. Must not know when it is shown.

use serde_json::{Map, Value, json};

use super::dates::iso;
use super::order::{Line, Order, Package};
use crate::catalogue::{SUPPLIER, WAREHOUSES};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Cents as a JSON number with at most two decimals.
pub(crate) fn money(cents: i64) -> Value {
    serde_json::from_str(&decimal(cents)).unwrap_or(Value::Null)
}

/// Cents as text with two decimals.
pub(crate) fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// The full object.
pub(crate) fn order(order: &Order) -> Value {
    let mut all = merged([
        identity(order),
        deadlines(order),
        shipping(order),
        extras(order),
    ]);
    let lines: Vec<Value> = order.lines.iter().map(|l| line(order, l)).collect();
    let packages: Vec<Value> = order.packages.iter().map(|p| package(order, p)).collect();
    all.insert("lineItems".to_owned(), Value::Array(lines));
    all.insert("packages".to_owned(), Value::Array(packages));
    Value::Object(all)
}

fn merged<const N: usize>(parts: [Value; N]) -> Map<String, Value> {
    let mut all = Map::new();
    for part in parts {
        if let Value::Object(fields) = part {
            all.extend(fields);
        }
    }
    all
}

fn identity(order: &Order) -> Value {
    json!({
        "poNumber": order.po,
        "dscoOrderId": order.id.to_string(),
        "supplierOrderNumber": order.supplier_number,
        "consumerOrderNumber": order.consumer_number,
        "secondaryConsumerOrderNumber": null,
        "dscoStatus": order.status.text(),
        "dscoLifecycle": order.lifecycle.text(),
        "orderType": order.kind,
        "testFlag": order.test,
        "cancelRequested": order.cancel_requested.is_some(),
        "cancelRequestedCode": order.cancel_requested,
        "dscoRetailerId": order.retailer.account_id,
        "dscoSupplierId": SUPPLIER.0,
        "dscoSupplierName": SUPPLIER.1,
        "dscoTradingPartnerId": order.retailer.partner_id,
        "dscoTradingPartnerName": SUPPLIER.1,
        "dscoTradingPartnerParentId": null,
        "dscoCreateDate": iso(order.created),
        "dscoLastUpdate": iso(order.updated),
        "retailerCreateDate": iso(order.created - 5 * 60_000),
        "consumerOrderDate": iso(order.created - 20 * 60_000),
        "currencyCode": order.retailer.currency,
        "extendedExpectedCostTotal": money(order.total_cents),
        "orderTotalAmount": null,
        "numberOfLineItems": order.lines.len(),
    })
}

fn deadlines(order: &Order) -> Value {
    let at = |after: i64| iso(order.created + after);
    json!({
        "acknowledgeByDate": at(12 * HOUR),
        "shipByDate": iso(order.ship_by.unwrap_or(order.created + 3 * DAY)),
        "invoiceByDate": null,
        "cancelAfterDate": at(10 * DAY),
        "dscoAcknowledgeLateDate": at(DAY),
        "dscoShipLateDate": iso(order.ship_by.unwrap_or(order.created + 3 * DAY)),
        "dscoCancelLateDate": null,
        "dscoInvoiceLateDate": null,
        "expectedDeliveryDate": at(7 * DAY),
        "requiredDeliveryDate": null,
    })
}

fn shipping(order: &Order) -> Value {
    let to = &order.address;
    let mut address = vec![to.line1.as_str()];
    address.extend(to.line2);
    let warehouse = WAREHOUSES.iter().find(|w| w.code == order.warehouse);
    let warehouse_id = warehouse.map(|w| w.network_id);
    json!({
        "shipping": {
            "name": format!("{} {}", to.first, to.last),
            "firstName": to.first, "lastName": to.last,
            "address": address, "address1": to.line1, "address2": to.line2,
            "city": to.city, "region": to.region, "state": to.region, "postal": to.postal,
            "country": "US", "phone": "5550100", "email": null, "company": null,
            "attention": null, "storeNumber": null, "addressType": "Residential",
            "carrier": order.service.carrier, "method": order.service.method,
        },
        "billTo": {},
        "shipCarrier": order.service.carrier,
        "shipMethod": order.service.method,
        "shippingServiceLevelCode": order.service.code,
        "requestedShipCarrier": order.service.carrier,
        "requestedShipMethod": order.service.method,
        "requestedShippingServiceLevelCode": order.service.code,
        "requestedShippingServiceLevelCodeUnmapped": order.service.code,
        "dscoShipCarrier": order.service.carrier,
        "dscoShipMethod": order.service.method,
        "dscoShippingServiceLevelCode": order.service.code,
        "requestedWarehouseCode": order.warehouse,
        "requestedWarehouseRetailerCode": null,
        "requestedWarehouseDscoId": warehouse_id,
        "dscoWarehouseCode": order.warehouse,
        "dscoWarehouseRetailerCode": null,
        "dscoWarehouseDscoId": warehouse_id,
        "shipWarehouseCode": order.warehouse,
        "shipWarehouseRetailerCode": null,
        "shipWarehouseDscoId": warehouse_id,
        "shippingAccountNumber": null,
        "signatureRequiredFlag": false,
        "shipInstructions": null,
        "crossDockFlag": null,
        "deliveryMethod": null,
    })
}

fn extras(order: &Order) -> Value {
    json!({
        "channel": order.retailer.name,
        "internalControlNumber": null, "releaseNumber": null, "businessRuleCode": null,
        "issuerDivision": null, "salesAgent": null, "salesRevenueCenter": null,
        "primaryBatchNumber": null, "secondaryBatchNumber": null,
        "customerMembershipId": null, "retailerAccountsPayableId": null,
        "authorizationForExpenseNumber": null, "departmentId": null, "departmentName": null,
        "expediteFlag": false,
        "giftFlag": false, "giftMessage": null, "giftToName": null, "giftFromName": null,
        "giftWrapFlag": null, "giftWrapMessage": null, "receiptId": null, "giftReceiptId": null,
        "message": null, "marketingMessage": null, "packingInstructions": null,
        "packingSlipMessage": "Thank you for your order.", "packingSlipTemplate": null,
        "returnsMessage": null,
        "shippingSurcharge": null, "amountOfSalesTaxCollected": null,
        "taxableAmountOfSale": null, "customerBalanceDue": null,
        "consumerOrderCurrencyCode": null, "taxes": [], "coupons": [], "payments": [],
    })
}

fn line(order: &Order, line: &Line) -> Value {
    let cancelled_whole = line.cancelled >= line.quantity;
    let status = if cancelled_whole {
        Some("cancelled")
    } else if line.shipped > 0 {
        Some("accepted")
    } else {
        None
    };
    let lifecycle = if line.open() == 0 {
        "completed"
    } else {
        order.lifecycle.text()
    };
    let activity: Vec<Value> = line
        .activity
        .iter()
        .map(|a| {
            json!({"action": a.action, "quantity": a.quantity, "reason": a.reason,
                "activityDate": iso(a.at), "formerStatus": null})
        })
        .collect();
    let item = json!({
        "lineNumber": line.number,
        "dscoItemId": line.item_id,
        "sku": line.sku,
        "partnerSku": line.partner_sku,
        "upc": line.upc, "ean": line.ean, "mpn": line.mpn, "isbn": line.isbn, "gtin": line.gtin,
        "quantity": line.quantity,
        "expectedCost": money(line.cost_cents),
        "extendedExpectedCostTotal": money(line.extended_cents()),
        "consumerPrice": money(line.cost_cents * 2),
        "retailPrice": null, "msrp": null, "map": null,
        "title": line.title, "color": null, "size": null, "productGroup": null,
        "unitOfMeasure": "EA",
        "warehouseCode": order.warehouse, "warehouseRetailerCode": null, "warehouseDscoId": null,
    });
    let state = json!({
        "status": status, "statusReason": null,
        "acceptedQuantity": line.shipped, "acceptedReason": null,
        "cancelledQuantity": line.cancelled, "cancelledReason": line.cancel_reason,
        "cancelCode": line.cancel_code,
        "rejectedQuantity": 0, "rejectedReason": null,
        "shippedQuantity": line.shipped, "remainingQuantity": line.open(),
        "dscoLifecycle": lifecycle,
        "cancelRequested": line.cancel_requested.is_some(),
        "cancelRequestedCode": line.cancel_requested,
        "estimatedShipDate": null, "requestedShipDate": null,
        "acknowledgeByDate": null, "shipByDate": null,
        "retailerItemIds": [], "retailerLineId": line.number.to_string(),
        "handlingAmount": null, "shippingSurcharge": null, "taxes": [],
        "personalization": null, "giftFlag": null, "message": null,
        "activity": activity,
    });
    Value::Object(merged([item, state]))
}

/// A parcel as readers get it.
pub(crate) fn package(order: &Order, package: &Package) -> Value {
    let items: Vec<Value> = package
        .items
        .iter()
        .filter_map(|item| order.lines.get(item.line).map(|line| (item, line)))
        .map(|(item, line)| {
            json!({
                "quantity": item.quantity, "lineNumber": line.number,
                "originalLineNumber": line.number, "originalOrderQuantity": line.quantity,
                "dscoItemId": line.item_id, "sku": line.sku, "partnerSku": line.partner_sku,
                "upc": line.upc, "ean": line.ean, "packageSpanFlag": item.span,
            })
        })
        .collect();
    json!({
        "dscoPackageId": package.id,
        "trackingNumber": package.tracking,
        "items": items,
        "numberOfLineItems": package.items.len(),
        "shipDate": package.ship_date,
        "shipCarrier": package.carrier,
        "shipMethod": package.method,
        "shippingServiceLevelCode": package.code,
        "shipCost": money(package.cost_cents),
        "warehouseCode": package.warehouse,
        "currencyCode": order.retailer.currency,
        "returnedFlag": null,
    })
}

#[cfg(test)]
mod tests {
    use super::{decimal, money};

    #[test]
    fn money_has_no_float_dust() {
        assert_eq!(money(950).to_string(), "9.5");
        assert_eq!(money(1999).to_string(), "19.99");
        assert_eq!(money(0).to_string(), "0.0");
        assert_eq!(decimal(-5), "-0.05");
    }
}
