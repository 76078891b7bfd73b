//! The way from the generated exports to the connector's functions, with the real host. Decides nothing.

use crate::bindings::exports::waybill::connector::{base, sink, source};
use crate::connector;
use waybill_sdk::WasmHost;
use waybill_sdk::commerce::{Document, Entity};
use waybill_sdk::types::{
    ChoicePage, Context, Descriptor, Failure, Moment, Problem, Settings, Verdict,
};

/// What `bindings.rs` exports.
pub(crate) struct Example;

impl base::Guest for Example {
    fn describe() -> Descriptor {
        connector::descriptor()
    }
    fn validate(ctx: Context) -> Vec<Problem> {
        connector::validate(&ctx)
    }
    fn probe(ctx: Context) -> Result<Settings, Failure> {
        connector::probe(&WasmHost, &ctx)
    }
    fn choices(_: Context, _: String, _: Option<String>) -> Result<ChoicePage, Failure> {
        Ok(ChoicePage {
            items: Vec::new(),
            next: None,
        })
    }
}

impl source::Guest for Example {
    fn pull(ctx: Context, _: Entity, cursor: Option<Vec<u8>>) -> Result<source::Page, Failure> {
        connector::pull(&WasmHost, &ctx, cursor.as_deref())
    }
    fn fetch(ctx: Context, _: Entity, keys: Vec<String>) -> Result<Vec<Document>, Failure> {
        connector::fetch(&WasmHost, &ctx, &keys)
    }
    fn settle(_: Context, _: Moment, batch: Vec<source::Settled>) -> Result<Vec<Verdict>, Failure> {
        // No feed asks to be told anything.
        Ok(connector::nothing_to_tell(batch.len()))
    }
}

impl sink::Guest for Example {
    fn push(ctx: Context, batch: Vec<sink::Delivery>) -> Result<Vec<Verdict>, Failure> {
        Ok(connector::push(&WasmHost, &ctx, &batch))
    }
}
