//! The connector's own code, compiled for this machine, with a host that lets nothing out: as in practice mode, the first
//! call that would change something is recorded instead of sent.

use crate::order::{connector, settings};
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

/// A batch, ready to be pushed again and again.
pub(crate) struct Native {
    context: Context,
    batch: Vec<Delivery>,
}

impl Native {
    pub(crate) fn new(count: usize, usable: bool) -> Self {
        let context = Context {
            settings: settings(usable),
            attempt: 1,
        };
        Self {
            context,
            batch: connector::batch(count),
        }
    }

    /// One call; how many members were recorded, `None` where the batch was refused as a whole.
    pub(crate) fn call(&self) -> Option<usize> {
        let verdicts =
            waybill_brightpearl::sink::push(&Practice, &self.context, black_box(&self.batch));
        let recorded = |all: &Vec<_>| {
            all.iter()
                .filter(|v| matches!(v, Ok(Outcome::Recorded)))
                .count()
        };
        black_box(verdicts).ok().as_ref().map(recorded)
    }
}
