//! Searching orders by date, page by page. Knows neither streams nor documents.

use crate::api::{Api, encode, refused};
use crate::cursor::Window;
use crate::wire::order::{Order, Page};
use waybill_sdk::call::{self, Fault};
use waybill_sdk::date;
use waybill_sdk::types::Failure;

/// Orders found, and where to go on.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) orders: Vec<Order>,
    pub(crate) next: Option<Window>,
}

/// One page of a search. No statuses: all of them.
pub(crate) fn page(api: &Api<'_>, window: &Window, statuses: &[&str]) -> Result<Found, Failure> {
    let response = match api.get(&path(api, window, statuses)) {
        Ok(response) => response,
        // DSCO forgets a search after five minutes: from its start again. Orders read twice are noticed by the agent.
        Err(Fault::Refused(response)) if response.status == 404 && window.scroll.is_some() => {
            let again = Window {
                scroll: None,
                ..window.clone()
            };
            return Ok(Found {
                orders: Vec::new(),
                next: Some(again),
            });
        }
        // Our clock is ahead, and the search would end in what is the vendor's future.
        Err(Fault::Refused(response))
            if response.status == 400 && window.scroll.is_none() && window.until > latest(api) =>
        {
            let again = Window {
                until: latest(api),
                ..window.clone()
            };
            return Ok(Found {
                orders: Vec::new(),
                next: (again.since < again.until).then_some(again),
            });
        }
        Err(fault) => return Err(fault.failure(refused)),
    };
    let page: Page = call::json(&response)?;
    let next = page
        .scroll_id
        .filter(|_| !page.orders.is_empty())
        .map(|scroll| Window {
            scroll: Some(scroll),
            ..window.clone()
        });
    Ok(Found {
        orders: page.orders,
        next,
    })
}

/// The latest end of a search, as far as the vendor's clock is known.
pub(crate) fn latest(api: &Api<'_>) -> i64 {
    api.vendor_now_ms() - api.config.search_lag_ms
}

fn path(api: &Api<'_>, window: &Window, statuses: &[&str]) -> String {
    if let Some(scroll) = &window.scroll {
        return format!("/order/page?scrollId={}", encode(scroll));
    }
    let since = if window.updated {
        "ordersUpdatedSince"
    } else {
        "ordersCreatedSince"
    };
    let mut path = format!(
        "/order/page?{since}={}&until={}&ordersPerPage={}",
        encode(&date::format(window.since)),
        encode(&date::format(window.until)),
        api.config.page_size
    );
    for status in statuses {
        path.push_str("&status=");
        path.push_str(status);
    }
    // Left out unless it is wanted: one account was seen to refuse it.
    if api.config.test_orders {
        path.push_str("&includeTestOrders=true");
    }
    path
}
