//! Owns which of our sales changed since a time: one page of their search, each with how it shows there. Must not know
//! what is read of them.

use crate::api::Api;
use crate::notes;
use crate::wire::ids::{encode, stamp};
use crate::wire::search::Search;
use std::collections::BTreeMap;
use waybill_sdk::log::Level;
use waybill_sdk::types::Failure;

/// Rows of one search page.
const PAGE: usize = 500;

/// One page.
pub struct Found {
    /// Our sales by id, each with its mark: another one where it changed.
    pub marks: BTreeMap<i64, String>,
    /// First row of the next page.
    pub next: Option<u64>,
    /// The vendor's clock, or ours where it told none.
    pub now_ms: i64,
}

/// The status of a sale that shows like this.
pub fn status(mark: &str) -> Option<i64> {
    mark.split(' ').next()?.parse().ok()
}

/// Whether as much is set aside, and as much has left, as there.
pub fn stands_alike(mark: &str, other: &str) -> bool {
    let stands = |mark: &str| mark.split(' ').skip(1).take(2).map(str::to_owned).collect();
    let (one, other): (Vec<String>, Vec<String>) = (stands(mark), stands(other));
    one == other
}

/// Sales of ours that changed since then, from that row on.
pub fn search(api: &Api<'_>, since_ms: i64, first: u64) -> Result<Found, Failure> {
    let from = stamp(since_ms).unwrap_or_default();
    let path = format!(
        "/order-service/order-search?orderTypeId=1&updatedOn={}&columns=orderId,orderStatusId,orderStockStatusId,orderShippingStatusId,updatedOn&sort=orderId.ASC&pageSize={PAGE}&firstResult={first}",
        encode(&format!("{from}/"))
    );
    let Some(reply) = api.get_found(&path)? else {
        return Ok(Found {
            marks: BTreeMap::new(),
            next: None,
            now_ms: api.host.now_ms(),
        });
    };
    let now_ms = reply.date_ms.unwrap_or_else(|| api.host.now_ms());
    let Some(page) = Search::read(reply.value) else {
        let words = "A page of changed sales is not readable.";
        api.host.log(Level::Warn, words, &[]);
        return Err(Failure::Retry(None));
    };
    let mut marks = BTreeMap::new();
    for row in page.rows() {
        if let Some(id) = row.whole("orderId") {
            let whole = |column: &str| row.whole(column).unwrap_or_default();
            let status = whole("orderStatusId");
            let (stock, shipping) = (whole("orderStockStatusId"), whole("orderShippingStatusId"));
            let at = row.instant("updatedOn").unwrap_or_default();
            marks.insert(id, format!("{status} {stock} {shipping} {at}"));
        }
    }
    let ours = notes::ours(api.host, marks.keys().copied());
    marks.retain(|id, _| ours.contains(id));
    Ok(Found {
        marks,
        next: page.next(first, PAGE),
        now_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::{stands_alike, status};

    #[test]
    fn a_sale_stands_by_what_is_set_aside_and_has_left() {
        assert_eq!(status("22 3 4 1000"), Some(22));
        assert!(stands_alike("22 3 4 1000", "4 3 4 2000"));
        for other in ["22 2 4 1000", "22 3 1 1000", "22 1000", ""] {
            assert!(!stands_alike("22 3 4 1000", other), "{other}");
        }
    }
}
