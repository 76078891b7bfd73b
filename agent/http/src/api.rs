//! The JSON API: reads give the views as they are, writes take JSON. Who may ask was decided in `site.rs`.

use crate::answer::{self, Answer, Failure};
use crate::api_alerts;
use crate::api_backfill;
use crate::api_connect;
use crate::api_connectors;
use crate::api_flows;
use crate::api_lists;
use crate::api_matching;
use crate::api_practice;
use crate::api_setup;
use crate::api_stock;
use crate::api_users;
use crate::openapi;
use crate::routes::Route;
use crate::site::{Asked, Peer};
use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use waybill_engine::apply;
use waybill_engine::doctor::Wishes;
use waybill_model::contract::Gap;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, JobId, OrderId};
use waybill_model::order_state::OrderStage;

/// Rows of an answer when none were asked for, and at most.
const ROWS: usize = 50;
const MOST_ROWS: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cards {
    cards: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Poll {
    entity: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Disconnect {
    #[serde(default)]
    forget_secrets: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    from: ConnectionId,
    to: ConnectionId,
    table: String,
    retailer: Option<String>,
    value: String,
    code: String,
    #[serde(default)]
    for_all: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    toml: String,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Doctor {
    #[serde(default = "yes")]
    vendors: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Support {
    #[serde(default)]
    texts: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}

impl Default for Doctor {
    fn default() -> Self {
        Self { vendors: true }
    }
}

/// Answers a route under `/api/`.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let handle = &asked.site.handle;
    let who = asked.who.as_str();
    let done = || answer::json(StatusCode::OK, &json!({"done": true}));
    let released = |jobs: u64| answer::json(StatusCode::OK, &json!({"released": jobs}));
    Ok(match asked.entry.route {
        Route::ApiOpenapi => answer::json(StatusCode::OK, &openapi::document()),
        Route::ApiSession => session(asked),
        Route::ApiFrame => answer::json(StatusCode::OK, &handle.frame().await?),
        Route::ApiToday => answer::json(StatusCode::OK, &handle.today().await?),
        Route::ApiOrders => orders(asked).await?,
        Route::ApiOrder => {
            let order = handle.order(OrderId(asked.number("id")?)).await?;
            answer::json(
                StatusCode::OK,
                &order.ok_or_else(|| Failure::not_found("This order"))?,
            )
        }
        Route::ApiRetryJob => {
            handle.retry_job(JobId(asked.number("id")?), who).await?;
            done()
        }
        route if api_alerts::ROUTES.contains(&route) => api_alerts::answer(asked).await?,
        route if api_users::ROUTES.contains(&route) => api_users::answer(asked).await?,
        Route::ApiCards => answer::json(StatusCode::OK, &json!({"cards": handle.cards().await?})),
        Route::ApiRetryCard => released(handle.retry_card(asked.param("id"), who).await?),
        Route::ApiRetryCards => {
            let body: Cards = read(asked)?;
            released(handle.retry_cards(&body.cards, who).await?)
        }
        Route::ApiIgnoreCard => {
            let body: Reason = read(asked)?;
            handle
                .ignore_card(asked.param("id"), &body.reason, who)
                .await?;
            done()
        }
        Route::ApiFillCell => released(fill(asked).await?),
        Route::ApiEmptyCell => {
            api_matching::empty(asked).await?;
            done()
        }
        Route::ApiItems => api_matching::items(asked).await?,
        Route::ApiCrosswalk => api_matching::crosswalk(asked).await?,
        Route::ApiCreateCustomer => released(api_matching::create_customer(asked).await?),
        Route::ApiMappings => api_matching::export(asked).await?,
        Route::ApiImport => api_matching::import(asked).await?,
        Route::ApiReplay => api_matching::replay(asked).await?,
        Route::ApiPoll => {
            handle.poll_now(asked.param("name"), entity(asked)?).await?;
            done()
        }
        Route::ApiProbe => answer::json(
            StatusCode::OK,
            &json!({"reached": handle.probe(asked.param("name")).await?}),
        ),
        Route::ApiPause | Route::ApiResume => {
            handle
                .pause(
                    asked.param("name"),
                    asked.entry.route == Route::ApiPause,
                    who,
                )
                .await?;
            done()
        }
        Route::ApiDisconnect => disconnect(asked).await?,
        Route::ApiHistory => answer::json(
            StatusCode::OK,
            &json!({"rows": handle.history(rows(asked)?).await?}),
        ),
        Route::ApiDoctor => doctor(asked).await?,
        Route::ApiSupport => support(asked).await?,
        Route::ApiBackup => answer::pieces(handle.backup(who)),
        Route::ApiApply => apply_file(asked).await?,
        _ => further(asked).await?,
    })
}

/// What has a file of its own.
async fn further(asked: &Asked<'_>) -> Result<Answer, Failure> {
    match asked.entry.route {
        Route::ApiConnectors
        | Route::ApiAcceptConnector
        | Route::ApiRollBackConnector
        | Route::ApiChooseConnector
        | Route::ApiRetryConnector => api_connectors::answer(asked).await,
        Route::ApiBackfills
        | Route::ApiBackfill
        | Route::ApiLookForOrders
        | Route::ApiTakeBackfill
        | Route::ApiStopBackfill => api_backfill::answer(asked).await,
        Route::ApiShipments | Route::ApiInvoices | Route::ApiCancellations => {
            api_lists::answer(asked).await
        }
        Route::ApiRetailers
        | Route::ApiRetailer
        | Route::ApiSettings
        | Route::ApiSetSetting
        | Route::ApiSettingsFile
        | Route::ApiSettingsSince
        | Route::ApiRestoreSettings => api_setup::answer(asked).await,
        Route::ApiComparisons => {
            let comparisons = asked.site.handle.comparisons().await?;
            Ok(answer::json(StatusCode::OK, &comparisons))
        }
        Route::ApiCompare => {
            let id = asked.site.handle.compare_now(&asked.who).await?;
            let sentence = "Both sides are compared now.";
            let body = json!({"id": id, "sentence": sentence});
            Ok(answer::json(StatusCode::OK, &body))
        }
        Route::ApiFlows | Route::ApiPauseFlow | Route::ApiResumeFlow | Route::ApiRunFlow => {
            api_flows::answer(asked).await
        }
        Route::ApiPractice
        | Route::ApiTurnPractice
        | Route::ApiApplyPractised
        | Route::ApiDiscardPractised => api_practice::answer(asked).await,
        Route::ApiStock | Route::ApiStockItem | Route::ApiSwitchStock | Route::ApiSendStock => {
            api_stock::answer(asked).await
        }
        _ => api_connect::answer(asked).await,
    }
}

async fn doctor(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let wishes = if asked.body.is_empty() {
        Doctor::default()
    } else {
        read(asked)?
    };
    let wishes = Wishes {
        vendors: wishes.vendors,
        running: true,
    };
    let findings = asked.site.handle.examine(wishes).await;
    Ok(answer::json(StatusCode::OK, &json!({"findings": findings})))
}

async fn support(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let body: Support = read(asked)?;
    let parts = asked.site.handle.support(body.texts).await?;
    Ok(answer::json(StatusCode::OK, &parts))
}

async fn disconnect(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let body: Disconnect = if asked.body.is_empty() {
        Disconnect::default()
    } else {
        read(asked)?
    };
    let (name, who) = (asked.param("name"), asked.who.as_str());
    let handle = &asked.site.handle;
    let view = handle.disconnect(name, body.forget_secrets, who).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

fn session(asked: &Asked<'_>) -> Answer {
    let token = asked
        .visitor
        .as_ref()
        .map(|visitor| visitor.form_token.as_str());
    answer::json(
        StatusCode::OK,
        &json!({"user": asked.who, "form_token": token}),
    )
}

async fn orders(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let stage = match asked.query.filled("state") {
        Some(word) => Some(OrderStage::from_word(word).ok_or_else(|| {
            let words: Vec<_> = OrderStage::ALL.iter().map(|s| s.word()).collect();
            Failure::bad(format!("`{word}` is no state of an order"))
                .hint(format!("One of: {}.", words.join(", ")))
        })?),
        None => None,
    };
    let before = match asked.query.filled("before") {
        Some(number) => Some(OrderId(
            number
                .parse()
                .map_err(|_| Failure::bad("`before` is no number"))?,
        )),
        None => None,
    };
    let search = asked.query.filled("q").map(str::to_owned);
    let list = asked
        .site
        .handle
        .orders(stage, search, before, rows(asked)?)
        .await?;
    Ok(answer::json(StatusCode::OK, &list))
}

pub(crate) fn rows(asked: &Asked<'_>) -> Result<usize, Failure> {
    match asked.query.filled("limit") {
        Some(number) => {
            let rows: usize = number
                .parse()
                .map_err(|_| Failure::bad("`limit` is no number"))?;
            Ok(rows.clamp(1, MOST_ROWS))
        }
        None => Ok(ROWS),
    }
}

pub(crate) fn read<T: DeserializeOwned>(asked: &Asked<'_>) -> Result<T, Failure> {
    serde_json::from_slice(&asked.body).map_err(|error| {
        // The place, not the text: a body may hold secrets.
        let place = format!("line {}, column {}", error.line(), error.column());
        let what = match error.classify() {
            serde_json::error::Category::Data => {
                format!("a field is missing, unknown or of another kind ({place})")
            }
            _ => format!("the body is no JSON ({place})"),
        };
        Failure::bad(what).hint("See /api/v1/openapi.json for what this address takes.")
    })
}

fn entity(asked: &Asked<'_>) -> Result<Option<Entity>, Failure> {
    if asked.body.is_empty() {
        return Ok(None);
    }
    let poll: Poll = read(asked)?;
    poll.entity
        .map(|word| {
            Entity::from_word(&word)
                .ok_or_else(|| Failure::bad(format!("`{word}` is no kind of document")))
        })
        .transpose()
}

async fn fill(asked: &Asked<'_>) -> Result<u64, Failure> {
    let cell: Cell = read(asked)?;
    let gap = Gap {
        table: cell.table,
        retailer: cell.retailer,
        value: cell.value,
    };
    Ok(asked
        .site
        .handle
        .fill_cell(cell.from, cell.to, gap, cell.for_all, cell.code, &asked.who)
        .await?)
}

fn mistakes(mistakes: &[apply::Mistake]) -> Answer {
    let many = if mistakes.len() == 1 {
        "1 mistake".to_owned()
    } else {
        format!("{} mistakes", mistakes.len())
    };
    let body: Value = json!({
        "error": {
            "code": "mistakes",
            "message": format!("the file has {many}; nothing was changed"),
            "hint": "Correct the lines named and apply the file again.",
        },
        "mistakes": mistakes,
    });
    answer::json(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

async fn apply_file(asked: &Asked<'_>) -> Result<Answer, Failure> {
    if !matches!(asked.peer, Peer::Local(_)) {
        return Err(Failure::not_found("This address"));
    }
    let handle = &asked.site.handle;
    let file: Apply = read(asked)?;
    let plan = match apply::parse(&file.toml, &file.secrets) {
        Ok(plan) => plan,
        Err(found) => return Ok(mistakes(&found)),
    };
    let mut found = handle.check(&plan);
    if found.is_empty() {
        found = handle.check_live(&plan).await?;
    }
    if !found.is_empty() {
        return Ok(mistakes(&found));
    }
    let difference = if file.dry_run {
        handle.difference(&plan).await?
    } else {
        handle.apply(plan, &asked.who).await?
    };
    Ok(answer::json(
        StatusCode::OK,
        &json!({"applied": !file.dry_run, "difference": difference}),
    ))
}
