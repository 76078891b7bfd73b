//! Owns the way of a write: accepted with a request id, queued, performed per object, its verdicts in the change log.
//! Must not know what the single writes check.

use serde_json::Value;

use super::answers::{self, Message, Verdict};
use super::log::Entry;
use super::sandbox::{Sandbox, Task};
use crate::vendor::{Req, Resp};

/// What an object of a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Acknowledge,
    Cancel,
    Ship,
}

impl Deed {
    fn detail(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledgeOrder",
            Self::Cancel => "cancelOrderItemSmallBatch",
            Self::Ship => "createShipmentSmallBatch",
        }
    }
}

/// A queued write.
#[derive(Debug)]
pub(crate) struct Write {
    request_id: String,
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
        self.log.open(&request_id);
        if self.settings.pending_first {
            for object in &objects {
                self.log.add(Entry {
                    at: now,
                    visible: now,
                    request_id: request_id.clone(),
                    detail: deed.detail(),
                    status: "pending",
                    payload: object.clone(),
                    results: Vec::new(),
                });
            }
        }
        let answer = answers::update(202, "pending", &request_id, now);
        let write = Write {
            request_id,
            deed,
            objects,
        };
        self.schedule(now + self.settings.d2_ms, Task::Write(Box::new(write)));
        answer
    }

    /// Carries a queued write out.
    pub(crate) fn perform(&mut self, now: i64, write: Write) {
        let lag = self.settings.log_lag_ms;
        let early = write.objects.len() / 2;
        for (index, object) in write.objects.into_iter().enumerate() {
            let verdict = self.apply(now, write.deed, &object);
            let visible = if index < early {
                now + lag / 2
            } else {
                now + lag
            };
            self.record(now, visible, &write.request_id, write.deed, object, verdict);
        }
        self.log.complete(&write.request_id, now + lag);
    }

    /// Performs one object at once and logs it; returns the request id too.
    pub(crate) fn perform_now(&mut self, now: i64, deed: Deed, object: Value) -> (String, Verdict) {
        let request_id = self.dice.uuid();
        self.log.open(&request_id);
        let verdict = self.apply(now, deed, &object);
        let visible = now + self.settings.log_lag_ms;
        self.record(now, visible, &request_id, deed, object, verdict.clone());
        self.log.complete(&request_id, visible);
        (request_id, verdict)
    }

    fn record(
        &mut self,
        now: i64,
        visible: i64,
        request_id: &str,
        deed: Deed,
        payload: Value,
        verdict: Verdict,
    ) {
        let (status, results) = match verdict {
            Ok(warnings) => ("success", warnings),
            Err(errors) => ("failure", errors),
        };
        self.log.add(Entry {
            at: now,
            visible,
            request_id: request_id.to_owned(),
            detail: deed.detail(),
            status,
            payload,
            results,
        });
    }

    fn apply(&mut self, now: i64, deed: Deed, object: &Value) -> Verdict {
        match deed {
            Deed::Acknowledge => self.acknowledge(now, object),
            Deed::Cancel => self.supplier_cancel(now, object),
            Deed::Ship => self.ship(now, object),
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
