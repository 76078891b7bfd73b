//! The part of the JSON API about stock: lists, why a number is what it is, the switch, sending again.

use crate::answer::{self, Answer, Failure};
use crate::api::{read, rows};
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use waybill_engine::stock::view::{Shown, StockQuery};
use waybill_model::ids::ConnectionId;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    on: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Send {
    item: Option<String>,
    route: Option<String>,
}

/// A route as addresses name it.
pub(crate) fn route(text: &str) -> Result<(ConnectionId, ConnectionId), Failure> {
    let id = |text: &str| text.parse().ok().map(ConnectionId);
    let pair = text.split_once('-');
    let pair = pair.and_then(|(from, to)| Some((id(from)?, id(to)?)));
    pair.ok_or_else(|| Failure::bad(format!("`{text}` is no route")).hint("For example `1-2`."))
}

/// What a query asks for.
pub(crate) fn query(asked: &Asked<'_>, limit: usize) -> Result<StockQuery, Failure> {
    let text = |name: &str| asked.query.filled(name);
    Ok(StockQuery {
        route: text("route").map(route).transpose()?,
        shown: match text("show") {
            Some(word) => Shown::from_word(word).ok_or_else(|| {
                Failure::bad(format!("`{word}` is no list of stock"))
                    .hint("One of: all, waiting, refused.")
            })?,
            None => Shown::All,
        },
        begins: text("q").unwrap_or_default().to_owned(),
        after: text("after").map(str::to_owned),
        limit,
    })
}

/// The route that was named, or the first one.
pub(crate) async fn chosen(
    asked: &Asked<'_>,
    named: Option<&str>,
) -> Result<(ConnectionId, ConnectionId), Failure> {
    if let Some(named) = named {
        return route(named);
    }
    let list = asked.site.handle.stock(StockQuery::default()).await?;
    let route = list.route.map(|route| (route.from, route.to));
    route.ok_or_else(|| Failure::not_found("A route of stock"))
}

/// Answers a route about stock.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let done = || answer::json(StatusCode::OK, &json!({"done": true}));
    Ok(match asked.entry.route {
        Route::ApiStockItem => {
            let named = asked.query.filled("route").map(route).transpose()?;
            let item = handle.stock_item(named, asked.param("id")).await?;
            let item = item.ok_or_else(|| Failure::not_found("Stock of this item"))?;
            answer::json(StatusCode::OK, &item)
        }
        Route::ApiSwitchStock => {
            let switch: Switch = read(asked)?;
            handle.switch_stock(switch.on, who).await?;
            done()
        }
        Route::ApiSendStock => {
            let send: Send = if asked.body.is_empty() {
                Send::default()
            } else {
                read(asked)?
            };
            let route = chosen(asked, send.route.as_deref()).await?;
            match send.item {
                Some(item) => handle.send_stock_again(route, &item, who).await?,
                None => handle.send_all_stock_again(route, who).await?,
            }
            done()
        }
        _ => {
            let query = query(asked, rows(asked)?)?;
            answer::json(StatusCode::OK, &handle.stock(query).await?)
        }
    })
}
