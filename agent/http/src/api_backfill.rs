//! The part of the JSON API about orders from before: look, take, stop. Must not decide what is taken.

use crate::answer::{self, Answer, Failure};
use crate::api::read;
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use waybill_engine::backfill::Asked as Orders;
use waybill_model::ids::Millis;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    connection: String,
    from: Option<Millis>,
    to: Option<Millis>,
    list: Option<String>,
}

/// The number in the address.
fn number(asked: &Asked<'_>) -> Result<u64, Failure> {
    let id = asked.param("id").parse().ok();
    id.ok_or_else(|| Failure::not_found("This back-fill"))
}

/// Answers a route about back-fills.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let said = |sentence: &str| answer::json(StatusCode::OK, &json!({"sentence": sentence}));
    Ok(match asked.entry.route {
        Route::ApiLookForOrders => {
            let look: Look = read(asked)?;
            let orders = match (look.from, look.to, look.list) {
                (Some(from), Some(to), None) => Orders::Between(from, to),
                (None, None, Some(list)) => Orders::List(list),
                _ => {
                    return Err(Failure::bad("it is not clear which orders are meant")
                        .hint("Give `from` and `to`, or `list`."));
                }
            };
            let id = handle
                .look_for_orders(&look.connection, &orders, who)
                .await?;
            let sentence = "It is looked what there is; nothing is taken yet.";
            answer::json(StatusCode::OK, &json!({"id": id, "sentence": sentence}))
        }
        Route::ApiTakeBackfill => {
            handle.take_backfill(number(asked)?, who).await?;
            said("What is missing is taken now.")
        }
        Route::ApiStopBackfill => {
            handle.stop_backfill(number(asked)?, who).await?;
            said("It is stopped. What was taken stays.")
        }
        Route::ApiBackfill => {
            let found = handle.backfill(number(asked)?).await?;
            let (backfill, orders) = found.ok_or_else(|| Failure::not_found("This back-fill"))?;
            answer::json(
                StatusCode::OK,
                &json!({"backfill": backfill, "orders": orders}),
            )
        }
        _ => answer::json(StatusCode::OK, &json!({"rows": handle.backfills().await?})),
    })
}
