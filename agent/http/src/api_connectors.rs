//! The part of the JSON API about connectors: what runs, what waits, accept, go back, choose, look again.

use crate::answer::{self, Answer, Failure};
use crate::api::read;
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use waybill_engine::swap::Given;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Accept {
    hash: Option<String>,
    #[serde(default)]
    settings: Vec<Setting>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    connection: String,
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choose {
    hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retry {
    file: String,
}

/// Answers a route about connectors.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let said = |sentence: String| answer::json(StatusCode::OK, &json!({"sentence": sentence}));
    Ok(match asked.entry.route {
        Route::ApiAcceptConnector => {
            let accept: Accept = if asked.body.is_empty() {
                Accept::default()
            } else {
                read(asked)?
            };
            let given = accept.settings.into_iter().map(|setting| Given {
                connection: setting.connection,
                key: setting.key,
                value: setting.value,
            });
            let (id, hash) = (asked.param("id"), accept.hash.as_deref());
            handle
                .accept_connector(id, hash, given.collect(), who)
                .await?;
            said("Accepted. It is tested now, and swapped in if all is well.".to_owned())
        }
        Route::ApiRollBackConnector => {
            let version = handle.roll_back_connector(asked.param("id"), who).await?;
            said(format!("Version {version} is at work."))
        }
        Route::ApiChooseConnector => {
            let choose: Choose = read(asked)?;
            let id = asked.param("id");
            said(handle.choose_connector(id, &choose.hash, who).await?)
        }
        Route::ApiRetryConnector => {
            let retry: Retry = read(asked)?;
            handle.retry_connector(&retry.file, who).await?;
            said("It is looked at again.".to_owned())
        }
        _ => answer::json(StatusCode::OK, &handle.connectors().await?),
    })
}
