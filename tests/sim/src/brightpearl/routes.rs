//! Owns which call goes to which handler, and the internal name that the answer carries. It must not know transport.

use super::account::Brightpearl;
use super::call::Call;
use super::envelope::{Answer, Refusal, Reply};

/// Kind of message and what the handler said; `None` when no route fits.
type Routed = Option<(&'static str, Answer)>;

impl Brightpearl {
    /// Runs one call and names it.
    pub(super) fn dispatch(&mut self, now: i64, call: &Call) -> (&'static str, Reply) {
        let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        let routed = match segments.split_first() {
            Some((&"order-service", rest)) => self.order_service(now, call, rest),
            Some((&"contact-service", rest)) => self.contact_service(now, call, rest),
            Some((&"product-service", rest)) => self.product_service(now, call, rest),
            Some((&"warehouse-service", rest)) => self.warehouse_service(now, call, rest),
            Some((&"accounting-service", rest)) => self.accounting_service(now, call, rest),
            Some((&"integration-service", rest)) => self.integration_service(now, call, rest),
            Some((&"multi-message", [])) if call.method == "POST" => {
                Some(("multi-message", self.multi_message(now, call)))
            }
            _ => None,
        };
        let (kind, answer) = routed.unwrap_or_else(|| {
            let path = call.segments.join("/");
            let text = format!("No resource answers {} /{path}", call.method);
            ("unknown", Err(Refusal::missing(text)))
        });
        (kind, answer.unwrap_or_else(Reply::from))
    }

    fn list(&self, name: &'static str, kind: &'static str, rest: &[&str]) -> Routed {
        match rest {
            [] => Some((kind, self.lists.list(name, None))),
            [set] => Some((kind, self.lists.list(name, Some(set)))),
            _ => None,
        }
    }

    fn order_service(&mut self, now: i64, call: &Call, path: &[&str]) -> Routed {
        Some(match (call.method.as_str(), path) {
            ("GET", ["order-status", rest @ ..]) => {
                return self.list("order-status", "get-order-status", rest);
            }
            ("GET", ["order-type", rest @ ..]) => {
                return self.list("order-type", "get-order-type", rest);
            }
            ("GET", ["order-stock-status", rest @ ..]) => {
                return self.list("order-stock-status", "get-order-stock-status", rest);
            }
            ("GET", ["order-shipping-status", rest @ ..]) => {
                return self.list("order-shipping-status", "get-order-shipping-status", rest);
            }
            ("POST", ["sales-order"]) => ("post-sales-order", self.sales_post(now, call, "SO")),
            ("POST", ["sales-credit"]) => ("post-sales-credit", self.sales_post(now, call, "SC")),
            ("GET", ["sales-order", set]) => ("get-sales-order", self.sales_get(set, call, "SO")),
            ("GET", ["sales-credit", set]) => ("get-sales-credit", self.sales_get(set, call, "SC")),
            ("OPTIONS", ["sales-order"]) => (
                "options-sales-order",
                self.order_options("sales-order", None, Some("SO")),
            ),
            ("OPTIONS", ["sales-order", set]) => (
                "options-sales-order",
                self.order_options("sales-order", Some(set), Some("SO")),
            ),
            ("GET", ["sales-order-search"]) => ("bulk-data-search", self.sales_search(now, call)),
            ("GET", ["sales-order-search", "meta-data"]) => {
                ("bulk-data-search", Ok(Self::sales_search_meta()))
            }
            ("GET", ["order-search"]) => ("bulk-data-search", self.order_search(now, call)),
            ("GET", ["order-search", "meta-data"]) => {
                ("bulk-data-search", Ok(Self::order_search_meta()))
            }
            ("GET", ["sale", "custom-field-meta-data", ..]) => {
                let fields = super::custom::meta_data(super::custom::OF_ORDERS);
                ("get-custom-field-meta-data", Ok(Reply::ok(fields)))
            }
            ("POST", ["sales-order" | "sales-credit", id, "close"]) => {
                ("post-close", self.close(now, id, call))
            }
            (_, ["order", rest @ ..]) => return self.order_resource(now, call, rest),
            _ => return None,
        })
    }

    fn order_resource(&mut self, now: i64, call: &Call, path: &[&str]) -> Routed {
        Some(match (call.method.as_str(), path) {
            ("GET", [set]) => ("get-order", self.order_get(set, call)),
            ("OPTIONS", []) => ("options-order", self.order_options("order", None, None)),
            ("OPTIONS", [set]) => (
                "options-order",
                self.order_options("order", Some(set), None),
            ),
            ("PATCH", [id]) => ("patch-order", self.order_patch(now, id, call)),
            ("PUT", [id, "status"]) => ("put-order-status", self.status_put(now, id, call)),
            ("PATCH", [id, "row", row]) => ("patch-order-row", self.row_patch(now, id, row, call)),
            ("DELETE", [id, "row", row]) => ("delete-order-row", self.row_delete(now, id, row)),
            ("POST", [id, "note"]) => ("post-order-note", self.note_post(now, id, call)),
            ("GET", [id, "note"]) => ("get-order-note", self.note_get(id)),
            ("GET" | "PATCH", [id, "custom-field"]) => {
                ("order-custom-field", self.order_custom_field(now, id, call))
            }
            _ => return None,
        })
    }

    fn contact_service(&mut self, now: i64, call: &Call, path: &[&str]) -> Routed {
        Some(match (call.method.as_str(), path) {
            ("GET", ["lead-source", rest @ ..]) => {
                return self.list("lead-source", "get-lead-source", rest);
            }
            ("POST", ["postal-address"]) => ("post-postal-address", self.address_post(call)),
            ("GET", ["postal-address", set]) => ("get-postal-address", self.address_get(set)),
            ("POST", ["contact"]) => ("post-contact", self.contact_post(now, call)),
            ("GET", ["contact", "custom-field-meta-data", ..]) => {
                let fields = super::custom::meta_data(super::custom::OF_CONTACTS);
                ("get-custom-field-meta-data", Ok(Reply::ok(fields)))
            }
            ("GET", ["contact", set]) => ("get-contact", self.contact_get(now, set, call)),
            ("OPTIONS", ["contact"]) => ("options-contact", self.contact_options(None)),
            ("OPTIONS", ["contact", set]) => ("options-contact", self.contact_options(Some(set))),
            ("PATCH", ["contact", id]) => ("patch-contact", self.contact_patch(now, id, call)),
            ("PUT", ["contact", id, "postal-address"]) => (
                "put-contact-postal-address",
                self.contact_addresses(now, id, call),
            ),
            ("GET", ["contact-search"]) => ("bulk-data-search", self.contact_search(now, call)),
            ("GET", ["contact-search", "meta-data"]) => {
                ("bulk-data-search", Ok(Self::contact_search_meta()))
            }
            _ => return None,
        })
    }

    fn product_service(&mut self, now: i64, call: &Call, path: &[&str]) -> Routed {
        Some(match (call.method.as_str(), path) {
            ("GET", ["channel", rest @ ..]) => return self.list("channel", "get-channel", rest),
            ("GET", ["price-list", rest @ ..]) => {
                return self.list("price-list", "get-price-list", rest);
            }
            ("GET", ["brand", rest @ ..]) => return self.list("brand", "get-brand", rest),
            ("GET", ["product", "custom-field-meta-data", ..]) => {
                let fields = super::custom::meta_data(&self.products.fields);
                ("get-custom-field-meta-data", Ok(Reply::ok(fields)))
            }
            ("GET", ["product", set]) => ("product-get", self.product_get(set, call)),
            ("OPTIONS", ["product"]) => ("product-options", self.product_options(None)),
            ("OPTIONS", ["product", set]) => ("product-options", self.product_options(Some(set))),
            ("GET" | "PATCH", ["product", id, "custom-field"]) => (
                "product-custom-field",
                self.product_custom_field(now, id, call),
            ),
            ("GET", ["product-search"]) => ("bulk-data-search", self.product_search(now, call)),
            ("GET", ["product-search", "meta-data"]) => {
                ("bulk-data-search", Ok(Self::product_search_meta()))
            }
            ("GET", ["product-custom-field", set]) => {
                ("get-product-custom-field", self.product_custom_fields(set))
            }
            ("GET", ["product-price", set]) => ("get-product-price", self.product_price(set)),
            _ => return None,
        })
    }

    fn warehouse_service(&mut self, now: i64, call: &Call, path: &[&str]) -> Routed {
        Some(match (call.method.as_str(), path) {
            ("GET", ["warehouse", rest @ ..]) => {
                return self.list("warehouse", "get-warehouse", rest);
            }
            ("GET", ["shipping-method", rest @ ..]) => {
                return self.list("shipping-method", "get-shipping-method", rest);
            }
            ("GET", ["product-availability", set]) => {
                ("get-product-availability", self.availability(set))
            }
            ("GET", ["bundle-availability", id]) => {
                ("get-bundle-availability", self.bundle_availability(id))
            }
            ("POST", ["order", id, "reservation", "warehouse", warehouse]) => {
                let warehouse = warehouse.parse().unwrap_or(0);
                ("post-reservation", self.reserve(now, id, warehouse, call))
            }
            ("PUT", ["order", id, "reservation"]) => {
                let number = id.parse().unwrap_or(0);
                let kept = self.orders.get(number).and_then(|o| o.reservation.as_ref());
                let answer = match kept.map(|r| r.warehouse) {
                    Some(warehouse) => self.reserve(now, id, warehouse, call),
                    None => Err(Refusal::missing(format!(
                        "No reservation exists for order {id}"
                    ))),
                };
                ("put-reservation", answer)
            }
            ("GET", ["order", id, "reservation"]) => ("get-reservation", self.reservation_get(id)),
            ("DELETE", ["order", id, "reservation"]) => {
                ("delete-reservation", self.reservation_delete(now, id))
            }
            ("POST", ["order", id, "goods-note", "goods-out"]) => {
                ("post-goods-out-note", self.goods_out_post(now, id, call))
            }
            ("GET", ["order", orders, "goods-note", "goods-out"]) => {
                ("get-goods-out-note", self.goods_out_get(orders, "*"))
            }
            ("GET", ["order", orders, "goods-note", "goods-out", notes]) => {
                ("get-goods-out-note", self.goods_out_get(orders, notes))
            }
            ("DELETE", ["order", order, "goods-note", "goods-out", id]) => (
                "delete-goods-out-note",
                self.goods_out_delete(now, order, id),
            ),
            ("PUT", ["goods-note", "goods-out", id]) => {
                ("put-goods-out-note", self.goods_out_put(now, id, call))
            }
            ("POST", ["goods-note", "goods-out", id, "event"]) => (
                "post-goods-out-note-event",
                self.goods_out_event(now, id, call),
            ),
            ("GET", ["goods-note", "goods-out-search"]) => {
                ("bulk-data-search", self.goods_out_search(now, call))
            }
            ("GET", ["goods-note", "goods-out-search", "meta-data"]) => {
                ("bulk-data-search", Ok(Self::goods_out_search_meta()))
            }
            _ => return None,
        })
    }

    fn accounting_service(&mut self, now: i64, call: &Call, path: &[&str]) -> Routed {
        Some(match (call.method.as_str(), path) {
            ("GET", ["tax-code", rest @ ..]) => return self.list("tax-code", "get-tax-code", rest),
            ("GET", ["nominal-code", rest @ ..]) => {
                return self.list("nominal-code", "get-nominal-code", rest);
            }
            ("GET", ["payment-method", rest @ ..]) => {
                return self.list("payment-method", "get-payment-method", rest);
            }
            ("GET", ["currency-search"]) => ("bulk-data-search", self.currency_search(call)),
            ("POST", ["customer-payment"]) => {
                ("post-customer-payment", self.payment_post(now, call))
            }
            ("GET", ["customer-payment", id]) => ("get-customer-payment", self.payment_get(id)),
            ("DELETE", ["customer-payment", id]) => {
                ("delete-customer-payment", self.payment_delete(now, id))
            }
            _ => return None,
        })
    }

    fn integration_service(&mut self, now: i64, call: &Call, path: &[&str]) -> Routed {
        Some(match (call.method.as_str(), path) {
            ("POST", ["webhook"]) => ("post-webhook", self.webhook_post(call)),
            ("GET", ["webhook"]) => ("webhook-get", self.webhook_get(None)),
            ("GET", ["webhook", set]) => ("webhook-get", self.webhook_get(Some(set))),
            ("POST", ["webhook", id, "simulate"]) => {
                ("simulate-webhook", self.webhook_simulate(now, id, call))
            }
            ("DELETE", ["webhook", id]) => ("delete-webhook", self.webhook_delete(id)),
            _ => return None,
        })
    }
}
