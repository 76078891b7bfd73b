//! Owns `POST /order/acknowledge`. Must not know the queue or the log.

use serde_json::Value;

use super::answers::{Message, Verdict};
use super::change::Change;
use super::sandbox::Sandbox;
use super::writes::{Deed, objects};
use crate::vendor::{Req, Resp};

impl Sandbox {
    /// Accepts a batch of acknowledgements.
    pub(crate) fn post_acknowledge(&mut self, now: i64, req: &Req) -> Resp {
        match objects(req) {
            Ok(all) if all.is_empty() => {
                self.refused(now, &[Message::error("The array holds no order")])
            }
            Ok(all) => self.queue(now, Deed::Acknowledge, all),
            Err(why) => self.refused(now, &[Message::error(why)]),
        }
    }

    /// Acknowledges one order. Again on an acknowledged one it may change the number and is a success.
    pub(crate) fn acknowledge(&mut self, now: i64, object: &Value) -> Verdict {
        let (at, warnings) = self.named(object)?;
        let number = match &object["supplierOrderNumber"] {
            Value::Null => None,
            Value::String(text) if !text.is_empty() && text.len() <= 50 => Some(text.as_str()),
            _ => {
                return Err(vec![Message::error(
                    "supplierOrderNumber must be text of 1 to 50 characters",
                )]);
            }
        };
        self.acknowledge_at(now, at, number)
            .map_err(|why| vec![Message::error(why)])?;
        Ok(warnings)
    }

    /// Acknowledges the order at `at`; export jobs of the account do the same without a number.
    pub(crate) fn acknowledge_at(
        &mut self,
        now: i64,
        at: usize,
        number: Option<&str>,
    ) -> Result<(), String> {
        let order = self.book.get_mut(at);
        let old = order.supplier_number.clone();
        let reasons = order.acknowledge(now, number)?;
        if let Some(number) = number
            && old.as_deref() != Some(number)
        {
            self.book.renumber(at, old.as_deref(), number);
        }
        if !reasons.is_empty() {
            self.changed(now, at, Change::of(&reasons));
        }
        Ok(())
    }
}
