//! Owns the DSCO sandbox's own control calls: orders as a retailer makes and cancels them, settings, the generator, token
//! expiry, stream replays. Faults, counters, clock and dumps are the server's.

use serde::Deserialize;
use serde_json::{Value, json};

use super::create::NewOrder;
use super::generate::Wish;
use super::sandbox::Sandbox;
use crate::vendor::{Req, Resp};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Cancel {
    code: Option<String>,
    lines: Option<Vec<i64>>,
    force: bool,
}

pub(super) fn bad(why: &str) -> Resp {
    Resp::json(400, &json!({"error": why}))
}

/// The body, or the default when there is none.
pub(super) fn body<T: for<'a> Deserialize<'a> + Default>(req: &Req) -> Result<T, Resp> {
    if req.body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&req.body).map_err(|e| bad(&format!("bad body: {e}")))
}

impl Sandbox {
    /// Answers one control call.
    pub(crate) fn steer(&mut self, now: i64, req: &Req) -> Resp {
        let segments = req.segments();
        let done = match (req.method.as_str(), segments.as_slice()) {
            ("POST", ["_sim", "orders"]) => self.control_create(now, req),
            ("GET", ["_sim", "orders", id]) => self.place(id).map(|at| self.one_truth(at)),
            ("GET", ["_sim", "counts"]) => Ok(self.counts()),
            ("POST", ["_sim", "orders", id, deed]) => self.control_order(now, id, deed, req),
            ("POST", ["_sim", "generate"]) => self.control_generate(now, req),
            ("GET", ["_sim", "inventory"]) => Ok(self.inventory.truth(req.param("sku"))),
            ("GET", ["_sim", "inventory", "counts"]) => Ok(self.inventory.counts()),
            ("POST", ["_sim", "inventory"]) => self.control_inventory(now, req),
            ("POST", ["_sim", "inventory", "bulk"]) => self.control_bulk(now, req),
            ("GET", ["_sim", "settings"]) => Ok(json!(self.settings)),
            ("POST", ["_sim", "settings"]) => self.control_settings(req),
            ("POST", ["_sim", "expire-tokens"]) => {
                let count = self.tokens.len();
                self.tokens.clear();
                Ok(json!({"expired": count}))
            }
            ("POST", ["_sim", "replay"]) => self.control_replay(req),
            _ => return Resp::json(404, &json!({"error": "no such control call"})),
        };
        match done {
            Ok(value) => Resp::json(200, &value),
            Err(answer) => answer,
        }
    }

    fn place(&self, id: &str) -> Result<usize, Resp> {
        let found = id.parse().ok().and_then(|id| self.book.by_id(id));
        found.ok_or_else(|| Resp::json(404, &json!({"error": format!("no order `{id}`")})))
    }

    fn control_create(&mut self, now: i64, req: &Req) -> Result<Value, Resp> {
        let wish: NewOrder = body(req)?;
        let at = self.create(now, wish).map_err(|why| bad(&why))?;
        Ok(self.one_truth(at))
    }

    fn control_order(&mut self, now: i64, id: &str, deed: &str, req: &Req) -> Result<Value, Resp> {
        let at = self.place(id)?;
        let mut result = json!({});
        match deed {
            "release" => self.release(now, at),
            "acknowledge" => self
                .acknowledge_at(now, at, None)
                .map_err(|why| bad(&why))?,
            "cancel" => {
                let cancel: Cancel = body(req)?;
                let code = cancel.code.as_deref().unwrap_or("CXRR");
                let lines = cancel.lines.as_deref();
                let outcome = self
                    .retailer_cancel(now, at, code, lines, cancel.force)
                    .map_err(|why| bad(&why))?;
                result = json!({"outcome": outcome});
            }
            _ => return Err(Resp::json(404, &json!({"error": "no such deed"}))),
        }
        result["order"] = self.one_truth(at);
        Ok(result)
    }

    fn control_generate(&mut self, now: i64, req: &Req) -> Result<Value, Resp> {
        let wish: Wish = body(req)?;
        let made = self.generate(now, &wish).map_err(|why| bad(&why))?;
        let created: Vec<Value> = made
            .into_iter()
            .map(|at| {
                let order = self.book.get(at);
                json!({"dscoOrderId": order.id.to_string(), "poNumber": order.po,
                    "case": order.purpose.case, "expect": order.purpose.expect})
            })
            .collect();
        Ok(json!({"created": created}))
    }

    fn control_settings(&mut self, req: &Req) -> Result<Value, Resp> {
        let change: Value = body(req)?;
        self.settings = self.settings.merged(&change).map_err(|why| bad(&why))?;
        Ok(json!(self.settings))
    }

    /// The next read of every stream delivers so many events before its position again.
    fn control_replay(&mut self, req: &Req) -> Result<Value, Resp> {
        let wish: Value = body(req)?;
        let Some(count) = wish["events"]
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
        else {
            return Err(bad("`events` must be a number"));
        };
        for stream in self.streams.values_mut() {
            stream.replay = count;
        }
        Ok(json!({"streams": self.streams.len()}))
    }
}
