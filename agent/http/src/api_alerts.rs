//! The part of the JSON API about alerts: how they do, a test, their secrets. Must not decide what is told.

use crate::answer::{self, Answer, Failure};
use crate::api::read;
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

/// What is answered here.
pub(crate) const ROUTES: [Route; 3] = [
    Route::ApiAlerts,
    Route::ApiTestAlerts,
    Route::ApiAlertSecret,
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    name: String,
    value: String,
}

/// Answers a route about alerts.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    Ok(match asked.entry.route {
        Route::ApiTestAlerts => {
            let ways = handle.test_alerts(who).await?.into_iter().map(|(name, became)| {
                json!({"name": name, "arrived": became.is_ok(), "error": became.err()})
            });
            answer::json(
                StatusCode::OK,
                &json!({"ways": ways.collect::<Vec<Value>>()}),
            )
        }
        Route::ApiAlertSecret => {
            let Secret { name, value } = read(asked)?;
            let value = SecretString::from(value);
            handle.set_alert_secret(&name, value, who).await?;
            answer::json(StatusCode::OK, &json!({"done": true}))
        }
        _ => answer::json(StatusCode::OK, &handle.alerts().await?),
    })
}
