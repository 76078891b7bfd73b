//! The part of the JSON API about retailers and settings. Also reads what the pages of the same are asked for.

use crate::answer::{self, Answer, Failure};
use crate::api::read;
use crate::html::count;
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use waybill_engine::CommandError;
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

/// Goes back to a version.
pub(crate) async fn restore(asked: &Asked<'_>, version: u64) -> Result<u64, CommandError> {
    let handle = &asked.site.handle;
    handle.restore_settings(version, &asked.who).await
}

/// What going back came to.
pub(crate) fn restored(changed: u64) -> String {
    match changed {
        0 => "Nothing differs from that version.".to_owned(),
        n => format!(
            "{} back as they were then.",
            count(n, "setting is", "settings are")
        ),
    }
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
        Route::ApiSettingsFile => answer::toml("waybill.toml", handle.export_settings().await?),
        Route::ApiSettingsSince => {
            let version = asked.number("version")?;
            let rows = handle.settings_since(version).await?;
            answer::json(StatusCode::OK, &json!({"version": version, "rows": rows}))
        }
        Route::ApiRestoreSettings => {
            let changed = restore(asked, asked.number("version")?).await?;
            let body = json!({"changed": changed, "sentence": restored(changed)});
            answer::json(StatusCode::OK, &body)
        }
        _ => answer::json(StatusCode::OK, &handle.settings().await?),
    })
}
