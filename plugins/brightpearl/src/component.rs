//! Owns the way from the generated exports to this crate's functions, with the real host. Must not decide anything.

use crate::bindings::exports::waybill::connector::{base, listing, sink, source, webhook};
use crate::settings::Settings;
use waybill_sdk::WasmHost;
use waybill_sdk::commerce::{Document, Entity};
use waybill_sdk::types::{
    ChoicePage, Context, Descriptor, Failure, Moment, Outcome, Problem, Receipt, Verdict,
};

/// What `bindings.rs` exports.
pub(crate) struct Brightpearl;

impl base::Guest for Brightpearl {
    fn describe() -> Descriptor {
        crate::describe::descriptor()
    }
    fn validate(ctx: Context) -> Vec<Problem> {
        Settings::of(&ctx.settings).validate()
    }
    fn probe(ctx: Context) -> Result<Vec<(String, String)>, Failure> {
        crate::probe::probe(&WasmHost, &ctx)
    }
    fn choices(ctx: Context, key: String, cursor: Option<String>) -> Result<ChoicePage, Failure> {
        crate::choices::choices(&WasmHost, &ctx, &key, cursor.as_deref())
    }
}

impl source::Guest for Brightpearl {
    fn pull(
        ctx: Context,
        entity: Entity,
        cursor: Option<Vec<u8>>,
    ) -> Result<source::Page, Failure> {
        crate::source::pull(&WasmHost, &ctx, entity, cursor.as_deref())
    }
    fn fetch(ctx: Context, entity: Entity, keys: Vec<String>) -> Result<Vec<Document>, Failure> {
        crate::source::fetch(&WasmHost, &ctx, entity, &keys)
    }
    fn settle(_: Context, _: Moment, batch: Vec<source::Settled>) -> Result<Vec<Verdict>, Failure> {
        // No feed asks to be told anything: there is nothing to tell.
        let told = |s: source::Settled| Ok(Outcome::Done(Receipt::of(s.key)));
        Ok(batch.into_iter().map(told).collect())
    }
}

impl sink::Guest for Brightpearl {
    fn push(ctx: Context, batch: Vec<sink::Delivery>) -> Result<Vec<Verdict>, Failure> {
        crate::sink::push(&WasmHost, &ctx, &batch)
    }
}

impl listing::Guest for Brightpearl {
    fn read(
        ctx: Context,
        entity: Entity,
        scope: listing::Scope,
        cursor: Option<Vec<u8>>,
    ) -> Result<source::Page, Failure> {
        crate::listing::read(&WasmHost, &ctx, entity, &scope, cursor.as_deref())
    }
}

impl webhook::Guest for Brightpearl {
    fn receive(
        ctx: Context,
        batch: Vec<webhook::Delivered>,
    ) -> Result<Vec<Result<Vec<webhook::Hint>, Problem>>, Failure> {
        Ok(crate::receive::receive(&ctx, &batch))
    }
    fn ensure(ctx: Context, callback: String) -> Result<Vec<String>, Failure> {
        crate::ensure::ensure(&WasmHost, &ctx, &callback)
    }
    fn remove(ctx: Context, callback: String) -> Result<(), Failure> {
        crate::ensure::remove(&WasmHost, &ctx, &callback)
    }
}
