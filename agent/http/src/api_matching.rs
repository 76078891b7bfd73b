//! The JSON API of matching and replay: items that orders name, crosswalks as files, trying again. Who may ask was
//! decided in `site.rs`.

use crate::answer::{self, Answer, Failure};
use crate::api::{read, rows};
use crate::site::Asked;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use waybill_engine::mappings::MappingsView;
use waybill_engine::matching::ItemsQuery;
use waybill_engine::replay::ReplayScope;
use waybill_model::contract::Gap;
use waybill_model::crosswalk::Standing;
use waybill_model::ids::{ConnectionId, Millis, OrderId};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyCell {
    from: ConnectionId,
    to: ConnectionId,
    table: String,
    retailer: Option<String>,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCustomer {
    retailer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    csv: String,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    order: Option<OrderId>,
    since: Option<Millis>,
    card: Option<String>,
    #[serde(default)]
    all_parked: bool,
    #[serde(default)]
    dry_run: bool,
}

/// Takes a match by hand back.
pub(crate) async fn empty(asked: &Asked<'_>) -> Result<(), Failure> {
    let cell: EmptyCell = read(asked)?;
    let gap = Gap {
        table: cell.table,
        retailer: cell.retailer,
        value: cell.value,
    };
    let handle = &asked.site.handle;
    Ok(handle
        .empty_cell(cell.from, cell.to, gap, &asked.who)
        .await?)
}

/// A crosswalk with all its values.
pub(crate) async fn crosswalk(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let view = asked.site.handle.crosswalk(asked.param("table")).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Has a retailer's customer created. How many steps go on.
pub(crate) async fn create_customer(asked: &Asked<'_>) -> Result<u64, Failure> {
    let body: NewCustomer = read(asked)?;
    let handle = &asked.site.handle;
    Ok(handle.create_customer(&body.retailer, &asked.who).await?)
}

/// A page of items.
pub(crate) async fn items(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let standing = match asked.query.filled("standing") {
        Some(word) => Some(Standing::from_word(word).ok_or_else(|| {
            let words: Vec<_> = Standing::ALL.iter().map(|s| s.word()).collect();
            Failure::bad(format!("`{word}` is no standing of an item"))
                .hint(format!("One of: {}.", words.join(", ")))
        })?),
        None => None,
    };
    let after = asked
        .query
        .get("after_retailer")
        .zip(asked.query.get("after_value"));
    let query = ItemsQuery {
        standing,
        retailer: asked.query.filled("retailer").map(str::to_owned),
        search: asked.query.filled("q").map(str::to_owned),
        after: after.map(|(r, v)| (r.to_owned(), v.to_owned())),
        limit: rows(asked)?,
    };
    let view = asked.site.handle.items(query).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// A crosswalk as a file.
pub(crate) async fn export(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let table = asked.param("table");
    let csv = asked.site.handle.export_mappings(table).await?;
    // The table is known by now, so its name is harmless.
    Ok(answer::csv(&format!("{table}.csv"), csv))
}

/// A file for a crosswalk.
pub(crate) async fn import(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let file: Import = read(asked)?;
    let view = asked
        .site
        .handle
        .import_mappings(
            asked.param("table"),
            Arc::from(file.csv),
            file.dry_run,
            &asked.who,
        )
        .await?;
    if view.wrong > 0 && !file.dry_run {
        return Ok(refused(&view));
    }
    Ok(answer::json(StatusCode::OK, &view))
}

fn refused(view: &MappingsView) -> Answer {
    let rows = if view.wrong == 1 { "row" } else { "rows" };
    let body = json!({
        "error": {
            "code": "rows-wrong",
            "message": format!("the file has {} {rows} to correct; nothing was changed", view.wrong),
            "hint": "Correct the rows named and send the file again.",
        },
        "mistakes": view.mistakes,
    });
    answer::json(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

/// Tries again.
pub(crate) async fn replay(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let body: Replay = read(asked)?;
    let scope = match (body.order, body.since, body.card, body.all_parked) {
        (Some(id), None, None, false) => ReplayScope::Order(id),
        (None, Some(at), None, false) => ReplayScope::Since(at),
        (None, None, Some(id), false) => ReplayScope::Card(id),
        (None, None, None, true) => ReplayScope::AllParked,
        _ => {
            return Err(Failure::bad("say one of what to try again")
                .hint("One of `order`, `since`, `card` and `all_parked`."));
        }
    };
    let handle = &asked.site.handle;
    let view = handle.replay(scope, body.dry_run, &asked.who).await?;
    Ok(answer::json(StatusCode::OK, &view))
}
