//! The part of the JSON API about setting connections up. A secret goes in and never comes out.

use crate::answer::{self, Answer, Failure};
use crate::api::read;
use crate::pages::{redirect, see_matching};
use crate::routes::Route;
use crate::site::Asked;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use waybill_engine::connecting::{Draft, DraftSecret, Saved, Which};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Save {
    name: String,
    connector: String,
    title: Option<String>,
    private_addresses: Option<bool>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// By slot and name.
    #[serde(default)]
    credentials: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    test: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Consent {
    redirect: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
    redirect: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    which: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Rehearse {
    retailer: Option<String>,
}

async fn rehearse(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let wish: Rehearse = if asked.body.is_empty() {
        Rehearse::default()
    } else {
        read(asked)?
    };
    let begun = asked
        .site
        .handle
        .rehearse(wish.retailer.as_deref(), &asked.who);
    begun.await?;
    let sentence = "The rehearsal has begun.";
    Ok(answer::json(StatusCode::OK, &json!({"sentence": sentence})))
}

async fn save(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let sent: Save = read(asked)?;
    let handle = &asked.site.handle;
    let mut secrets = Vec::new();
    for (slot, names) in sent.credentials {
        secrets.extend(names.into_iter().map(|(name, value)| DraftSecret {
            slot: slot.clone(),
            name,
            value: value.into(),
        }));
    }
    let draft = Draft {
        name: sent.name.clone(),
        connector: sent.connector,
        title: sent.title,
        private: sent.private_addresses,
        settings: sent.settings,
        secrets,
    };
    let difference = match handle.save_connection(draft, &asked.who).await? {
        Saved::Done(difference) => difference,
        Saved::Mistakes(mistakes) => {
            let body = json!({
                "error": {
                    "code": "mistakes",
                    "message": "some fields are wrong; nothing was changed",
                    "hint": "Correct the fields named and send it again.",
                },
                "mistakes": mistakes,
            });
            return Ok(answer::json(StatusCode::UNPROCESSABLE_ENTITY, &body));
        }
    };
    let mut body = json!({"difference": difference});
    if sent.test {
        body["test"] = match handle.probe(&sent.name).await {
            Ok(reached) => json!({"reached": reached}),
            Err(error) => json!({"failed": error.to_string(), "hint": error.hint()}),
        };
    }
    Ok(answer::json(StatusCode::OK, &body))
}

/// Where a vendor sends the browser: as said, as it was set, else where this was asked.
async fn place(asked: &Asked<'_>, said: Option<String>) -> Result<String, Failure> {
    let form = asked.site.handle.form(asked.param("name")).await?;
    match said {
        Some(said) => Ok(said),
        None if form.redirect.is_none() && asked.host.is_empty() => {
            Err(Failure::bad("`redirect` is missing").hint(
                "Give the address that is registered with the app at the vendor, or set `connect.redirect-url`.",
            ))
        }
        None => Ok(redirect(asked, &form)),
    }
}

async fn consent(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let sent: Consent = if asked.body.is_empty() {
        Consent::default()
    } else {
        read(asked)?
    };
    let mut state = [0; 24];
    getrandom::fill(&mut state).map_err(|error| {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "chance", error.to_string())
    })?;
    let state = URL_SAFE_NO_PAD.encode(state);
    let redirect = place(asked, sent.redirect).await?;
    let handle = &asked.site.handle;
    let address = handle
        .consent(asked.param("name"), &redirect, &state)
        .await?;
    let body = json!({"address": address, "redirect": redirect, "state": state});
    Ok(answer::json(StatusCode::OK, &body))
}

async fn code(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let sent: Code = read(asked)?;
    let redirect = place(asked, sent.redirect).await?;
    let (handle, name) = (&asked.site.handle, asked.param("name"));
    let code = SecretString::from(sent.code);
    handle.approved(name, code, &redirect, &asked.who).await?;
    Ok(answer::json(StatusCode::OK, &json!({"done": true})))
}

async fn begin(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let sent: Begin = read(asked)?;
    let which = match sent.which.as_str() {
        "all" => Which::All,
        "stock" => Which::Stock,
        other => {
            return Err(Failure::bad(format!("`{other}` is none of the choices"))
                .hint("One of: all, stock."));
        }
    };
    let begun = asked.site.handle.begin_flows(which, &asked.who).await?;
    Ok(answer::json(StatusCode::OK, &json!({"begun": begun})))
}

/// Answers a route about setting up.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let handle = &asked.site.handle;
    Ok(match asked.entry.route {
        Route::ApiConnectorChoices => {
            let rows = handle.connector_choices().await?;
            answer::json(StatusCode::OK, &json!({"rows": rows}))
        }
        Route::ApiNewForm => {
            let form = handle.new_form(asked.param("connector")).await?;
            answer::json(StatusCode::OK, &form)
        }
        Route::ApiConnection => {
            answer::json(StatusCode::OK, &handle.form(asked.param("name")).await?)
        }
        Route::ApiConnections => {
            let body = json!({
                "connections": handle.beginnings().await?,
                "flows": handle.possible_flows(),
            });
            answer::json(StatusCode::OK, &body)
        }
        Route::ApiOffered => {
            let offered = handle.offered(asked.param("name"), asked.param("key"));
            answer::json(StatusCode::OK, &json!({"choices": offered.await?}))
        }
        Route::ApiSaveConnection => save(asked).await?,
        Route::ApiRemoveConnection => {
            let name = asked.param("name");
            handle.remove_connection(name, &asked.who).await?;
            answer::json(StatusCode::OK, &json!({"done": true}))
        }
        Route::ApiConsent => consent(asked).await?,
        Route::ApiTakeCode => code(asked).await?,
        Route::ApiMatchingSeen => {
            see_matching(asked).await?;
            answer::json(StatusCode::OK, &json!({"done": true}))
        }
        Route::ApiBeginFlows => begin(asked).await?,
        Route::ApiRehearsal => answer::json(StatusCode::OK, &asked.site.handle.rehearsal().await?),
        Route::ApiRehearse => rehearse(asked).await?,
        _ => return Err(Failure::not_found("This address")),
    })
}
