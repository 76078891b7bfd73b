//! Owns the list of all sales of a time, whoever made them: the number each was made of, and its customer. For whoever
//! compares; nothing else of a sale is read. Must not know which of them are ours.

use crate::api::Api;
use crate::wire::envelope::unescape;
use crate::wire::ids::{encode, stamp};
use crate::wire::search::{Row, Search};
use waybill_sdk::commerce::{Address, Body, Document, Order, OrderPhase};
use waybill_sdk::log::Level;
use waybill_sdk::types::Failure;

/// Rows of one search page.
const PAGE: usize = 500;

/// One page of the sales that were made in that time, from that row on; and the first row of the next page.
pub fn list(
    api: &Api<'_>,
    from: i64,
    to: Option<i64>,
    first: u64,
) -> Result<(Vec<Document>, Option<u64>), Failure> {
    let stamp = |at: i64| stamp(at).unwrap_or_default();
    let period = format!("{}/{}", stamp(from), to.map_or_else(String::new, stamp));
    let path = format!(
        "/order-service/order-search?orderTypeId=1&createdOn={}&columns=orderId,contactId,createdOn,customerRef&sort=orderId.ASC&pageSize={PAGE}&firstResult={first}",
        encode(&period)
    );
    let Some(reply) = api.get_found(&path)? else {
        return Ok((Vec::new(), None));
    };
    let Some(page) = Search::read(reply.value) else {
        let words = "A page of sales is not readable.";
        api.host.log(Level::Warn, words, &[]);
        return Err(Failure::Retry(None));
    };
    let documents = page.rows().filter_map(document).collect();
    Ok((documents, page.next(first, PAGE)))
}

fn document(row: Row<'_>) -> Option<Document> {
    let id = row.whole("orderId")?.to_string();
    let created = row.instant("createdOn");
    Some(Document {
        revision: id.clone(),
        occurred_at: created.unwrap_or_default(),
        body: Body::Order(Order {
            number: unescape(&row.text("customerRef").unwrap_or_default()),
            retailer: String::new(),
            retailer_name: String::new(),
            kind: "sale".to_owned(),
            test: false,
            phase: OrderPhase::Accepted,
            currency: None,
            placed_at: created,
            acknowledge_by: None,
            ship_by: None,
            invoice_by: None,
            cancel_after: None,
            customer: row.whole("contactId").map(|id| id.to_string()),
            warehouse: None,
            shipping_method: None,
            bill_to: None,
            // A search shows no address.
            ship_to: Address::blank(),
            lines: Vec::new(),
            charges: Vec::new(),
            total: None,
            supplier_number: Some(id.clone()),
            extras: Vec::new(),
        }),
        key: id,
    })
}
