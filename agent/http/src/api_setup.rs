//! The part of the JSON API about retailers and settings. Also reads what the pages of the same are asked for.

use crate::answer::{self, Answer, Failure};
use crate::api::read;
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use waybill_engine::retailers::{RetailerDetail, Since};
use waybill_model::ids::{ConnectionId, OrderId};

/// Days of a week before today.
const WEEK: i64 = 6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    key: String,
    value: String,
    retailer: Option<String>,
}

/// From when on orders are counted, where the merchant is.
pub(crate) fn since(asked: &Asked<'_>) -> Since {
    let times = asked.times();
    Since {
        today: times.midnight(0),
        week: times.midnight(WEEK),
    }
}

/// The retailer in the address: `CONNECTION-CODE`.
pub(crate) async fn retailer(asked: &Asked<'_>) -> Result<RetailerDetail, Failure> {
    let missing = || Failure::not_found("This retailer");
    let (connection, code) = asked.param("id").split_once('-').ok_or_else(missing)?;
    let connection = connection
        .parse()
        .map(ConnectionId)
        .map_err(|_| missing())?;
    let before = asked.query.filled("before").map(str::parse).transpose();
    let before = before.map_err(|_| Failure::bad("`before` is no number"))?;
    let handle = &asked.site.handle;
    let found = handle.retailer(connection, code, before.map(OrderId), since(asked));
    found.await?.ok_or_else(missing)
}

/// Answers a route about retailers or settings.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let handle = &asked.site.handle;
    Ok(match asked.entry.route {
        Route::ApiRetailers => {
            let rows = handle.retailers(since(asked)).await?;
            answer::json(StatusCode::OK, &json!({"rows": rows}))
        }
        Route::ApiRetailer => answer::json(StatusCode::OK, &retailer(asked).await?),
        Route::ApiSetSetting => {
            let Setting {
                key,
                value,
                retailer,
            } = read(asked)?;
            let set = handle.set_setting(&key, &value, retailer.as_deref(), &asked.who);
            answer::json(StatusCode::OK, &json!({"changed": set.await?}))
        }
        _ => answer::json(StatusCode::OK, &handle.settings().await?),
    })
}
