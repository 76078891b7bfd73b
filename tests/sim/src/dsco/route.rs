//! Owns what exists under `/api/v3`: method and path to a route, and each route's stable name. Must not know state.

use crate::vendor::{Req, decode_segment};

/// Where files of large batches go: not a path of the API, the vendor hands out whole addresses.
pub(crate) const UPLOADS: &str = "/upload/";

/// One endpoint with its path parameters, positions decoded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Token,
    Hello,
    Order,
    OrderPage,
    OrderLog,
    Acknowledge,
    CancelOne,
    CancelBatch,
    ShipOne,
    ShipBatch,
    StreamList,
    StreamCreate,
    StreamUpdate(String),
    StreamDelete(String),
    StreamOperate(String),
    StreamRead {
        id: String,
        partition: String,
        position: String,
    },
    StreamRange {
        id: String,
        partition: String,
        start: String,
        end: String,
    },
    StreamCheckpoint {
        id: String,
        partition: String,
        position: String,
    },
    StreamSingle {
        id: String,
        partition: String,
        position: String,
    },
    Invoices,
    InvoiceLog,
    InvoiceOne,
    InvoiceBatch,
    Inventory,
    InventoryLog,
    InventoryOne,
    InventoryBatch,
    InventoryLarge,
    /// The address that a large batch is sent to.
    Upload(String),
    Warehouses,
    Partners,
    /// A stream path with a double-encoded part.
    DoubleEncoded,
    Unknown,
}

impl Route {
    /// Finds the route of a request.
    pub(crate) fn of(req: &Req) -> Self {
        if let ("PUT", Some(id)) = (req.method.as_str(), req.path.strip_prefix(UPLOADS)) {
            return Self::Upload(decode_segment(id));
        }
        let Some(path) = req.path.strip_prefix("/api/v3/") else {
            return Self::Unknown;
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts: Vec<&str> = path.split('/').collect();
        match (req.method.as_str(), parts.as_slice()) {
            ("POST", ["oauth2", "token"]) => Self::Token,
            ("GET", ["hello"]) => Self::Hello,
            ("GET", ["order"]) => Self::Order,
            ("GET", ["order", "page"]) => Self::OrderPage,
            ("GET", ["order", "log"]) => Self::OrderLog,
            ("POST", ["order", "acknowledge"]) => Self::Acknowledge,
            ("POST", ["order", "item", "cancel"]) => Self::CancelOne,
            ("POST", ["order", "item", "cancel", "batch", "small"]) => Self::CancelBatch,
            ("POST", ["order", "singleShipment"]) => Self::ShipOne,
            ("POST", ["order", "shipment", "batch", "small"]) => Self::ShipBatch,
            ("GET", ["invoice"]) => Self::Invoices,
            ("GET", ["invoice", "log"]) => Self::InvoiceLog,
            ("POST", ["invoice"]) => Self::InvoiceOne,
            ("POST", ["invoice", "batch", "small"]) => Self::InvoiceBatch,
            ("GET", ["inventory"]) => Self::Inventory,
            ("GET", ["inventory", "log"]) => Self::InventoryLog,
            ("POST", ["inventory", "singleItem"]) => Self::InventoryOne,
            ("POST", ["inventory", "batch", "small"]) => Self::InventoryBatch,
            ("POST", ["inventory", "batch", "large"]) => Self::InventoryLarge,
            ("GET", ["warehouse", "page"]) => Self::Warehouses,
            ("GET", ["tradingpartner"]) => Self::Partners,
            (method, ["stream", rest @ ..]) => stream(method, rest),
            _ => Self::Unknown,
        }
    }

    /// The stable name for counters, limits and faults.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Token => "POST /oauth2/token",
            Self::Hello => "GET /hello",
            Self::Order => "GET /order",
            Self::OrderPage => "GET /order/page",
            Self::OrderLog => "GET /order/log",
            Self::Acknowledge => "POST /order/acknowledge",
            Self::CancelOne => "POST /order/item/cancel",
            Self::CancelBatch => "POST /order/item/cancel/batch/small",
            Self::ShipOne => "POST /order/singleShipment",
            Self::ShipBatch => "POST /order/shipment/batch/small",
            Self::StreamList => "GET /stream",
            Self::StreamCreate => "POST /stream",
            Self::StreamUpdate(_) => "PUT /stream/{id}",
            Self::StreamDelete(_) => "DELETE /stream/{id}",
            Self::StreamOperate(_) => "POST /stream/{id}",
            Self::StreamRead { .. } => "GET /stream/{id}/{partition}/{position}",
            Self::StreamRange { .. } => "GET /stream/{id}/{partition}/{start}/{end}",
            Self::StreamCheckpoint { .. } => "PUT /stream/{id}/{partition}/{position}",
            Self::StreamSingle { .. } => "GET /stream/single/{id}/{partition}/{position}",
            Self::Invoices => "GET /invoice",
            Self::InvoiceLog => "GET /invoice/log",
            Self::InvoiceOne => "POST /invoice",
            Self::InvoiceBatch => "POST /invoice/batch/small",
            Self::Inventory => "GET /inventory",
            Self::InventoryLog => "GET /inventory/log",
            Self::InventoryOne => "POST /inventory/singleItem",
            Self::InventoryBatch => "POST /inventory/batch/small",
            Self::InventoryLarge => "POST /inventory/batch/large",
            Self::Upload(_) => "PUT dataUrl",
            Self::Warehouses => "GET /warehouse/page",
            Self::Partners => "GET /tradingpartner",
            Self::DoubleEncoded => "stream path encoded twice",
            Self::Unknown => "unknown",
        }
    }
}

fn stream(method: &str, raw: &[&str]) -> Route {
    if raw.iter().any(|part| part.contains("%25")) {
        return Route::DoubleEncoded;
    }
    let parts: Vec<String> = raw.iter().map(|part| decode_segment(part)).collect();
    match (method, parts.as_slice()) {
        ("GET", []) => Route::StreamList,
        ("POST", []) => Route::StreamCreate,
        ("PUT", [id]) => Route::StreamUpdate(id.clone()),
        ("DELETE", [id]) => Route::StreamDelete(id.clone()),
        ("POST", [id]) => Route::StreamOperate(id.clone()),
        ("GET", [single, id, partition, position]) if single == "single" => Route::StreamSingle {
            id: id.clone(),
            partition: partition.clone(),
            position: position.clone(),
        },
        ("GET", [id, partition, position]) => Route::StreamRead {
            id: id.clone(),
            partition: partition.clone(),
            position: position.clone(),
        },
        ("GET", [id, partition, start, end]) => Route::StreamRange {
            id: id.clone(),
            partition: partition.clone(),
            start: start.clone(),
            end: end.clone(),
        },
        ("PUT", [id, partition, position]) => Route::StreamCheckpoint {
            id: id.clone(),
            partition: partition.clone(),
            position: position.clone(),
        },
        _ => Route::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::Route;
    use crate::vendor::Req;

    fn route(method: &str, target: &str) -> Route {
        Route::of(&Req::new(method, target))
    }

    #[test]
    fn both_spellings_of_order_exist() {
        assert_eq!(route("GET", "/api/v3/order?orderKey=x"), Route::Order);
        assert_eq!(route("GET", "/api/v3/order/"), Route::Order);
        assert_eq!(route("GET", "/api/v3/order/changelog"), Route::Unknown);
        assert_eq!(route("GET", "/order"), Route::Unknown);
        assert_eq!(route("DELETE", "/api/v3/order"), Route::Unknown);
    }

    #[test]
    fn positions_are_decoded_exactly_once() {
        let read = route(
            "GET",
            "/api/v3/stream/s1/0/z%2F2025%2F11%2F21%2F07%2F30%2F1-0000000",
        );
        let Route::StreamRead { position, .. } = read else {
            panic!("{read:?}")
        };
        assert_eq!(position, "z/2025/11/21/07/30/1-0000000");
        assert_eq!(
            route("GET", "/api/v3/stream/s1/0/z%252F2025"),
            Route::DoubleEncoded
        );
        assert_eq!(
            route("GET", "/api/v3/stream/s1/0/z/2025/11/21/07/30/1-0000000"),
            Route::Unknown
        );
    }
}
