//! The part of the JSON API about what follows the sales: shipments, invoices, cancellations. Also reads what the pages
//! of the same lists are asked for.

use crate::answer::{self, Answer, Failure};
use crate::api::rows;
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use std::str::FromStr;
use waybill_engine::lists::{ListQuery, State};
use waybill_model::ids::{JobId, RetailerId};

fn number<T: FromStr>(asked: &Asked<'_>, name: &str) -> Result<Option<T>, Failure> {
    let text = asked.query.filled(name);
    let number = text.map(str::parse).transpose();
    number.map_err(|_| Failure::bad(format!("`{name}` is no number")))
}

/// What a query asks for.
pub(crate) fn query(asked: &Asked<'_>, limit: usize) -> Result<ListQuery, Failure> {
    let state = match asked.query.filled("state") {
        Some(word) => Some(State::from_word(word).ok_or_else(|| {
            let words: Vec<_> = State::ALL.iter().map(|state| state.word()).collect();
            Failure::bad(format!("`{word}` is no state of this list"))
                .hint(format!("One of: {}.", words.join(", ")))
        })?),
        None => None,
    };
    Ok(ListQuery {
        state,
        retailer: number(asked, "retailer")?.map(RetailerId),
        find: asked
            .query
            .filled("q")
            .unwrap_or_default()
            .trim()
            .to_owned(),
        before: number(asked, "before")?.map(JobId),
        limit,
    })
}

/// Answers a route about such a list.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let handle = &asked.site.handle;
    let query = query(asked, rows(asked)?)?;
    Ok(match asked.entry.route {
        Route::ApiShipments => answer::json(StatusCode::OK, &handle.shipments(query).await?),
        Route::ApiInvoices => answer::json(StatusCode::OK, &handle.invoices(query).await?),
        _ => answer::json(StatusCode::OK, &handle.cancellations(query).await?),
    })
}
