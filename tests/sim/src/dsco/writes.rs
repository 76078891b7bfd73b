//! Owns the way of a write: accepted with a request id, queued, performed per object, its verdicts in the change log.
//! Must not know what the single writes check.

use std::sync::Arc;

use serde_json::Value;

use super::answers::{self, Message, Verdict};
use super::log::{Entry, Journal, Method};
use super::sandbox::{Sandbox, Task};
use crate::vendor::{Req, Resp};

/// What an object of a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Acknowledge,
    Cancel,
    Ship,
    Invoice,
    /// Sets the stock of an item; one that is not known is made, or left out.
    Stock {
        skip_unknown: bool,
        detail: &'static str,
    },
}

impl Deed {
    fn detail(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledgeOrder",
            Self::Cancel => "cancelOrderItemSmallBatch",
            Self::Ship => "createShipmentSmallBatch",
            Self::Invoice => "createInvoiceSmallBatch",
            Self::Stock { detail, .. } => detail,
        }
    }

    fn journal(self) -> Journal {
        match self {
            Self::Acknowledge | Self::Cancel | Self::Ship => Journal::Orders,
            Self::Stock { .. } => Journal::Inventory,
            Self::Invoice => Journal::Invoices,
        }
    }
}

/// A queued write.
#[derive(Debug)]
pub(crate) struct Write {
    request_id: Arc<str>,
    method: Method,
    deed: Deed,
    objects: Vec<Value>,
}

/// The body as an array of objects, or the answer that refuses it.
pub(crate) fn objects(req: &Req) -> Result<Vec<Value>, String> {
    match req.json() {
        Ok(Value::Array(all)) if all.iter().all(Value::is_object) => Ok(all),
        Ok(_) => Err("The body must be an array of objects".to_owned()),
        Err(error) => Err(format!("The body is not valid JSON: {error}")),
    }
}

impl Sandbox {
    /// A 400 with one message.
    pub(crate) fn refused(&mut self, now: i64, messages: &[Message]) -> Resp {
        let request_id = self.dice.uuid();
        answers::invalid(messages, &request_id, now, self.settings.messy)
    }

    /// Accepts a batch: 202, the effect comes after d2.
    pub(crate) fn queue(&mut self, now: i64, deed: Deed, objects: Vec<Value>) -> Resp {
        let request_id = self.dice.uuid();
        let answer = answers::update(202, "pending", &request_id, now);
        self.queue_as(now, (request_id.into(), Method::Api), deed, objects);
        answer
    }

    /// The same under a request id that was given out before.
    pub(crate) fn queue_as(
        &mut self,
        now: i64,
        (request_id, method): (Arc<str>, Method),
        deed: Deed,
        objects: Vec<Value>,
    ) {
        let log = self.logs.of_mut(deed.journal());
        log.open(&request_id);
        if self.settings.pending_first {
            for object in &objects {
                log.add(Entry {
                    at: now,
                    visible: now,
                    request_id: request_id.clone(),
                    method,
                    detail: deed.detail(),
                    status: "pending",
                    payload: object.to_string().into(),
                    results: Vec::new(),
                });
            }
        }
        let write = Write {
            request_id,
            method,
            deed,
            objects,
        };
        self.schedule(now + self.settings.d2_ms, Task::Write(Box::new(write)));
    }

    /// Carries a queued write out.
    pub(crate) fn perform(&mut self, now: i64, write: Write) {
        let lag = self.settings.log_lag_ms;
        let early = write.objects.len() / 2;
        for (index, object) in write.objects.into_iter().enumerate() {
            if self.leaves_out(write.deed, &object) {
                continue;
            }
            let verdict = self.apply(now, write.deed, &object);
            let visible = if index < early {
                now + lag / 2
            } else {
                now + lag
            };
            let by = (&write.request_id, write.method);
            self.record((now, visible), by, write.deed, &object, verdict);
        }
        let log = self.logs.of_mut(write.deed.journal());
        log.complete(&write.request_id, now + lag);
    }

    /// Performs one object at once and logs it; returns the request id too.
    pub(crate) fn perform_now(
        &mut self,
        now: i64,
        deed: Deed,
        object: &Value,
    ) -> (String, Verdict) {
        let request_id = self.dice.uuid();
        self.logs.of_mut(deed.journal()).open(&request_id);
        let verdict = self.apply(now, deed, object);
        let visible = now + self.settings.log_lag_ms;
        let shared: Arc<str> = request_id.as_str().into();
        let by = (&shared, Method::Api);
        self.record((now, visible), by, deed, object, verdict.clone());
        let log = self.logs.of_mut(deed.journal());
        log.complete(&request_id, visible);
        (request_id, verdict)
    }

    fn record(
        &mut self,
        (now, visible): (i64, i64),
        (request_id, method): (&Arc<str>, Method),
        deed: Deed,
        payload: &Value,
        verdict: Verdict,
    ) {
        let (status, results) = match verdict {
            Ok(warnings) => ("success", warnings),
            Err(errors) => ("failure", errors),
        };
        self.logs.of_mut(deed.journal()).add(Entry {
            at: now,
            visible,
            request_id: request_id.clone(),
            method,
            detail: deed.detail(),
            status,
            payload: payload.to_string().into(),
            results,
        });
    }

    fn apply(&mut self, now: i64, deed: Deed, object: &Value) -> Verdict {
        match deed {
            Deed::Acknowledge => self.acknowledge(now, object),
            Deed::Cancel => self.supplier_cancel(now, object),
            Deed::Ship => self.ship(now, object),
            Deed::Invoice => self.invoice(now, object),
            Deed::Stock { .. } => self.set_stock(now, object),
        }
    }

    /// The order an object names by `id` and `type`. A PO number that several orders share takes the first, with a
    /// warning.
    pub(crate) fn named(&self, object: &Value) -> Result<(usize, Vec<Message>), Vec<Message>> {
        let fail = |text: String| Err(vec![Message::error(text)]);
        let Some(id) = text_or_number(&object["id"]) else {
            return fail("id is required".to_owned());
        };
        let kind = match object["type"].as_str() {
            Some("DSCO_ORDER_ID") => "dscoOrderId",
            Some("PO_NUMBER") => "poNumber",
            Some("SUPPLIER_ORDER_NUMBER") => "supplierOrderNumber",
            _ => {
                return fail(
                    "type must be DSCO_ORDER_ID, PO_NUMBER or SUPPLIER_ORDER_NUMBER".to_owned(),
                );
            }
        };
        self.first(kind, &id)
    }

    /// The first order with this key.
    pub(crate) fn first(
        &self,
        kind: &str,
        value: &str,
    ) -> Result<(usize, Vec<Message>), Vec<Message>> {
        let found = self.book.find(kind, value).unwrap_or_default();
        match found.as_slice() {
            [] => Err(vec![Message::error(format!("Order {value} was not found"))]),
            [one] => Ok((*one, Vec::new())),
            [one, ..] => {
                let text = format!("{} orders have {kind} {value}, took the first", found.len());
                Ok((*one, vec![Message::warn(text)]))
            }
        }
    }
}

/// Text, or a whole number as text.
pub(crate) fn text_or_number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}
