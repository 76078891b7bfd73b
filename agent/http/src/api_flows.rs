//! The part of the JSON API about flows: whether each runs, pause, resume, run now. Must not decide what follows from it.

use crate::answer::{self, Answer, Failure};
use crate::api::read;
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use waybill_engine::flow::Which;
use waybill_model::document::Entity;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    why: Option<String>,
}

/// The flow in the address.
pub(crate) fn which(asked: &Asked<'_>) -> Result<Which, Failure> {
    let entity = Entity::from_word(asked.param("entity"));
    Ok(Which {
        entity: entity.ok_or_else(|| Failure::not_found("This flow"))?,
        from: asked.param("from").to_owned(),
        to: asked.param("to").to_owned(),
    })
}

/// Answers a route about flows.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let said = |sentence: &str| answer::json(StatusCode::OK, &json!({"sentence": sentence}));
    Ok(match asked.entry.route {
        Route::ApiPauseFlow => {
            let pause: Pause = if asked.body.is_empty() {
                Pause::default()
            } else {
                read(asked)?
            };
            let why = pause.why.unwrap_or_default();
            handle.pause_flow(&which(asked)?, &why, who).await?;
            said("Paused. Nothing is lost: what waits goes on when you resume.")
        }
        Route::ApiResumeFlow => {
            handle.resume_flow(&which(asked)?, who).await?;
            said("It goes on.")
        }
        Route::ApiRunFlow => {
            handle.run_flow(&which(asked)?, who).await?;
            said("It runs now.")
        }
        _ => answer::json(StatusCode::OK, &json!({"rows": handle.flows().await?})),
    })
}
