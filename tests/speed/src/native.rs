//! The connector's own code, compiled for this machine, with a host that lets nothing out: as in practice mode, the first
//! call that would change something is recorded instead of sent.

use crate::order::{connector, settings};
use anyhow::{Context as _, bail};
use std::hint::black_box;
use waybill_brightpearl::bindings::exports::waybill::connector::sink::Delivery;
use waybill_sdk::commerce::Entity;
use waybill_sdk::effects::{Denial, IoError};
use waybill_sdk::http::{Request, Response};
use waybill_sdk::links::Link;
use waybill_sdk::log::Level;
use waybill_sdk::types::{Context, Outcome};
use waybill_sdk::{Core, Host};

struct Practice;

impl Core for Practice {
    fn now_ms(&self) -> i64 {
        1_762_178_710_000
    }
    fn remaining_ms(&self) -> u32 {
        60_000
    }
    fn kv_get(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        vec![None; keys.len()]
    }
    fn kv_scan(&self, _: &str, _: Option<&str>, _: u32) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
    fn kv_set(&self, _: &str, _: &[u8]) {}
    fn kv_delete(&self, _: &str) {}
    fn links(&self, _: Entity, keys: &[String]) -> Vec<Vec<Link>> {
        vec![Vec::new(); keys.len()]
    }
    fn log(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

impl Host for Practice {
    fn send(&self, request: &Request) -> Result<Response, IoError> {
        black_box(request);
        Err(IoError::Denied(Denial::Practice))
    }
    fn retract(&self, _: &str, _: &[u32]) {}
    fn quota(&self, _: u32, _: u32) {}
}

/// An order, ready to be pushed again and again.
pub(crate) struct Native {
    context: Context,
    batch: Vec<Delivery>,
}

impl Native {
    pub(crate) fn new() -> Self {
        let context = Context {
            settings: settings(),
            attempt: 1,
        };
        Self {
            context,
            batch: connector::batch(),
        }
    }

    /// One call.
    pub(crate) fn call(&self) -> anyhow::Result<()> {
        let answer =
            waybill_brightpearl::sink::push(&Practice, &self.context, black_box(&self.batch));
        match black_box(answer).as_deref() {
            Ok([Ok(Outcome::Recorded)]) => Ok(()),
            other => bail!("the native mapping answers {other:?}"),
        }
    }

    /// The mapping alone, so many times.
    pub(crate) fn map(&self, times: u32) -> anyhow::Result<()> {
        for _ in 0..times {
            for delivery in &self.batch {
                let mapped = waybill_mapping::map(
                    &self.context.settings,
                    &delivery.settings,
                    black_box(&delivery.document),
                );
                mapped.context("the order does not become a sale")?;
            }
        }
        Ok(())
    }
}
