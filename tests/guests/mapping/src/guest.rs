//! The exports: those of the connector whose mapping it is, since its world comes with its code. Only pushing does
//! anything.

use crate::bindings::exports::waybill::connector::{base, listing, sink, source, webhook};
use waybill_sdk::commerce::{Document, Entity};
use waybill_sdk::types::{
    ChoicePage, Context, Descriptor, Failure, Moment, Outcome, Problem, Verdict,
};

/// The connector.
#[derive(Debug)]
pub struct Mapping;

const NOTHING: Failure = Failure::Retry(None);

impl base::Guest for Mapping {
    fn describe() -> Descriptor {
        waybill_brightpearl::describe::descriptor()
    }
    fn validate(_: Context) -> Vec<Problem> {
        Vec::new()
    }
    fn probe(_: Context) -> Result<Vec<(String, String)>, Failure> {
        Err(NOTHING)
    }
    fn choices(_: Context, _: String, _: Option<String>) -> Result<ChoicePage, Failure> {
        Err(NOTHING)
    }
}

impl source::Guest for Mapping {
    fn pull(_: Context, _: Entity, _: Option<Vec<u8>>) -> Result<source::Page, Failure> {
        Err(NOTHING)
    }
    fn fetch(_: Context, _: Entity, _: Vec<String>) -> Result<Vec<Document>, Failure> {
        Err(NOTHING)
    }
    fn settle(_: Context, _: Moment, _: Vec<source::Settled>) -> Result<Vec<Verdict>, Failure> {
        Err(NOTHING)
    }
}

impl sink::Guest for Mapping {
    fn push(ctx: Context, batch: Vec<sink::Delivery>) -> Result<Vec<Verdict>, Failure> {
        let verdict = |delivery: &sink::Delivery| {
            let mut mapped = None;
            for _ in 0..ctx.attempt {
                mapped = crate::map(&ctx.settings, &delivery.settings, &delivery.document);
            }
            mapped.map(|_| Outcome::Recorded).ok_or(NOTHING)
        };
        Ok(batch.iter().map(verdict).collect())
    }
}

impl listing::Guest for Mapping {
    fn read(
        _: Context,
        _: Entity,
        _: listing::Scope,
        _: Option<Vec<u8>>,
    ) -> Result<source::Page, Failure> {
        Err(NOTHING)
    }
}

impl webhook::Guest for Mapping {
    fn receive(
        _: Context,
        _: Vec<webhook::Delivered>,
    ) -> Result<Vec<Result<Vec<webhook::Hint>, Problem>>, Failure> {
        Err(NOTHING)
    }
    fn ensure(_: Context, _: String) -> Result<Vec<String>, Failure> {
        Err(NOTHING)
    }
    fn remove(_: Context, _: String) -> Result<(), Failure> {
        Err(NOTHING)
    }
}
