//! The exports: hands each call to its function, over the real host. Must not decide anything.

use crate::bindings::exports::waybill::connector::{base, levels, listing, sink, source, tickets};
use crate::files::{self, Depot};
use crate::settings::{Config, Flow};
use crate::{
    acknowledge, api::Api, cancel, confirm, describe, invoice, listing as lists, ship,
    source as feeds, stock,
};
use waybill_sdk::WasmHost;
use waybill_sdk::commerce::{Body, Document, Entity};
use waybill_sdk::types::{
    ChoicePage, Context, Descriptor, Failure, Moment, Problem, Settings, Verdict,
};

/// The connector.
#[derive(Debug)]
pub struct Dsco;

impl base::Guest for Dsco {
    fn describe() -> Descriptor {
        describe::descriptor()
    }
    fn validate(ctx: Context) -> Vec<Problem> {
        Config::read(&ctx.settings).problems()
    }
    fn probe(ctx: Context) -> Result<Settings, Failure> {
        let config = Config::read(&ctx.settings);
        let mut facts = Settings::new();
        if config.api {
            facts.extend(feeds::probe(
                &Api::new(&WasmHost, &config).with_files(&WasmHost),
            )?);
        }
        if config.any_files() {
            facts.extend(files::probe(Depot::new(&WasmHost, &config))?);
        }
        Ok(facts)
    }
    fn choices(ctx: Context, key: String, _: Option<String>) -> Result<ChoicePage, Failure> {
        let config = Config::read(&ctx.settings);
        crate::partners::choices(&Api::new(&WasmHost, &config).with_files(&WasmHost), &key)
    }
}

impl source::Guest for Dsco {
    fn pull(
        ctx: Context,
        entity: Entity,
        cursor: Option<Vec<u8>>,
    ) -> Result<source::Page, Failure> {
        let config = Config::read(&ctx.settings);
        let api = Api::new(&WasmHost, &config).with_files(&WasmHost);
        if entity == Entity::Order && config.by_files(Flow::Orders) {
            return files::pull(&api, Depot::new(&WasmHost, &config), cursor.as_deref());
        }
        feeds::pull(&api, entity, cursor.as_deref())
    }
    fn fetch(ctx: Context, entity: Entity, keys: Vec<String>) -> Result<Vec<Document>, Failure> {
        let config = Config::read(&ctx.settings);
        feeds::fetch(
            &Api::new(&WasmHost, &config).with_files(&WasmHost),
            entity,
            &keys,
        )
    }
    fn settle(
        ctx: Context,
        moment: Moment,
        batch: Vec<source::Settled>,
    ) -> Result<Vec<Verdict>, Failure> {
        let config = Config::read(&ctx.settings);
        let api = Api::new(&WasmHost, &config).with_files(&WasmHost);
        Ok(acknowledge::settle(&api, moment, &batch))
    }
}

impl listing::Guest for Dsco {
    fn read(
        ctx: Context,
        entity: Entity,
        scope: listing::Scope,
        cursor: Option<Vec<u8>>,
    ) -> Result<source::Page, Failure> {
        let config = Config::read(&ctx.settings);
        lists::read(
            &Api::new(&WasmHost, &config).with_files(&WasmHost),
            entity,
            &scope,
            cursor.as_deref(),
        )
    }
}

impl sink::Guest for Dsco {
    fn push(ctx: Context, batch: Vec<sink::Delivery>) -> Result<Vec<Verdict>, Failure> {
        let config = Config::read(&ctx.settings);
        let api = Api::new(&WasmHost, &config).with_files(&WasmHost);
        // A batch is of one kind.
        Ok(match batch.first().map(|member| &member.document.body) {
            Some(Body::Cancellation(_)) => cancel::push(&api, ctx.attempt, &batch),
            Some(Body::Invoice(_)) => invoice::push(&api, ctx.attempt, &batch),
            Some(Body::InventoryLevel(_)) => stock::push_documents(&api, &batch),
            _ => ship::push(&api, ctx.attempt, &batch),
        })
    }
}

impl levels::Guest for Dsco {
    fn push(ctx: Context, batch: Vec<levels::Level>) -> Result<Vec<Verdict>, Failure> {
        let config = Config::read(&ctx.settings);
        Ok(stock::push(
            &Api::new(&WasmHost, &config).with_files(&WasmHost),
            &batch,
        ))
    }
}

impl tickets::Guest for Dsco {
    fn confirm(ctx: Context, handles: Vec<String>) -> Result<Vec<Verdict>, Failure> {
        let config = Config::read(&ctx.settings);
        confirm::confirm(
            &Api::new(&WasmHost, &config).with_files(&WasmHost),
            &handles,
        )
    }
}
