//! Owns `GET /order`: one order by key. Must not know pages or streams.

use super::answers;
use super::sandbox::Sandbox;
use crate::vendor::{Req, Resp};

impl Sandbox {
    /// Answers with the order, or with an array when `returnMultiple=true`.
    pub(crate) fn get_order(&self, req: &Req) -> Resp {
        let (Some(key), Some(value)) = (req.param("orderKey"), req.param("value")) else {
            return answers::plain(400, "orderKey and value are required");
        };
        if !matches!(key, "dscoOrderId" | "poNumber" | "supplierOrderNumber") {
            return answers::plain(400, "orderKey is not valid");
        }
        let account = req.param("dscoAccountId");
        let found: Vec<&str> = self
            .book
            .find(key, value)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|at| self.book.shown(at))
            .filter(|shown| account.is_none_or(|account| account == shown.account))
            .map(|shown| &*shown.json)
            .collect();
        let Some(first) = found.first() else {
            return answers::plain(404, "Order not found");
        };
        let body = if req.param("returnMultiple") == Some("true") {
            format!("[{}]", found.join(","))
        } else {
            (*first).to_owned()
        };
        raw(body)
    }
}

/// A 200 with JSON that is text already.
pub(crate) fn raw(body: String) -> Resp {
    let mut answer = Resp::empty(200).with_header("content-type", "application/json");
    answer.body = body.into_bytes();
    answer
}
