//! The exports: every one does the deed of its settings and wraps the text in its own shape.

use crate::act::{act, never_return};
use crate::bindings::exports::waybill::connector::{base, listing, sink, source, tickets};
use crate::describe;
use waybill_sdk::Settings;
use waybill_sdk::commerce::{Body, Document, Entity, Warehouse};
use waybill_sdk::types::{
    Choice, ChoicePage, Context, Descriptor, Failure, Moment, Outcome, Problem, Receipt, Verdict,
};

/// The connector.
#[derive(Debug)]
pub struct Hostile;

fn deed(ctx: &Context) -> Result<String, Failure> {
    act(&Settings::new(&ctx.settings))
}

/// One verdict per member, or as many as the setting `verdicts` says.
fn verdicts(ctx: &Context, members: usize) -> Result<Vec<Verdict>, Failure> {
    let settings = Settings::new(&ctx.settings);
    let text = act(&settings)?;
    let count = settings
        .get("verdicts")
        .and_then(|v| v.parse().ok())
        .unwrap_or(members);
    let verdict = match settings.get("each-retries") {
        Some(secs) => Err(Failure::Retry(secs.parse().ok())),
        None => Ok(Outcome::Done(Receipt::of(text))),
    };
    Ok(vec![verdict; count])
}

fn page(ctx: &Context) -> Result<source::Page, Failure> {
    let settings = Settings::new(&ctx.settings);
    let text = act(&settings)?;
    let count = |key: &str, default: i64| {
        usize::try_from(settings.integer(key, default)).unwrap_or_default()
    };
    Ok(source::Page {
        documents: vec![document(&text); count("documents", 1)],
        cursor: vec![7; count("cursor-bytes", 3)],
        more: false,
    })
}

fn document(text: &str) -> Document {
    Document {
        key: text.to_owned(),
        revision: "1".to_owned(),
        occurred_at: 0,
        body: Body::Warehouse(Warehouse {
            code: "W".to_owned(),
            name: text.to_owned(),
            active: true,
            extras: Vec::new(),
        }),
    }
}

impl base::Guest for Hostile {
    fn describe() -> Descriptor {
        describe::descriptor()
    }
    fn validate(ctx: Context) -> Vec<Problem> {
        if describe::flavour().starts_with("swap:") {
            return Vec::new();
        }
        match deed(&ctx) {
            Ok(text) => vec![Problem::bare("said", text)],
            Err(_) => Vec::new(),
        }
    }
    fn probe(ctx: Context) -> Result<Vec<(String, String)>, Failure> {
        Ok(vec![("said".to_owned(), deed(&ctx)?)])
    }
    fn choices(ctx: Context, key: String, cursor: Option<String>) -> Result<ChoicePage, Failure> {
        let choice = Choice {
            value: key,
            label: deed(&ctx)?,
            disabled: false,
        };
        Ok(ChoicePage {
            items: vec![choice],
            next: cursor,
        })
    }
}

impl source::Guest for Hostile {
    fn pull(ctx: Context, _: Entity, _: Option<Vec<u8>>) -> Result<source::Page, Failure> {
        match describe::flavour() {
            "swap:trap" => panic!("told to"),
            "swap:loop" => never_return(),
            _ => page(&ctx),
        }
    }
    fn fetch(ctx: Context, _: Entity, keys: Vec<String>) -> Result<Vec<Document>, Failure> {
        deed(&ctx)?;
        Ok(keys.iter().map(|key| document(key)).collect())
    }
    fn settle(
        ctx: Context,
        _: Moment,
        batch: Vec<source::Settled>,
    ) -> Result<Vec<Verdict>, Failure> {
        verdicts(&ctx, batch.len())
    }
}

impl listing::Guest for Hostile {
    fn read(
        ctx: Context,
        _: Entity,
        _: listing::Scope,
        _: Option<Vec<u8>>,
    ) -> Result<source::Page, Failure> {
        page(&ctx)
    }
}

impl sink::Guest for Hostile {
    fn push(ctx: Context, batch: Vec<sink::Delivery>) -> Result<Vec<Verdict>, Failure> {
        verdicts(&ctx, batch.len())
    }
}

impl tickets::Guest for Hostile {
    fn confirm(ctx: Context, handles: Vec<String>) -> Result<Vec<Verdict>, Failure> {
        verdicts(&ctx, handles.len())
    }
}
