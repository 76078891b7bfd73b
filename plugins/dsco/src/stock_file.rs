//! Telling stock by files. A level is absolute, so a file whose answer was lost is sent again under a new name; names are
//! in the order of their time, in which DSCO takes them. Knows no verdict.

use crate::api::Api;
use crate::files::upload::stamp;
use crate::files::{NotPut, split, table};
use crate::stock::Item;
use crate::stock_log::Handle;
use waybill_sdk::effect::effect;
use waybill_sdk::problem::for_all;
use waybill_sdk::types::{Failure, Verdict};

/// Puts a file of these items. One verdict per item.
pub(crate) fn send(api: &Api<'_>, number: usize, items: &[Item<'_>]) -> Vec<Verdict> {
    let depot = match api.depot() {
        Ok(depot) => depot,
        Err(failure) => return for_all(items.len(), &Err(failure)),
    };
    let transfer = depot.transfer;
    let (dir, prefix) = split(transfer.folder_in, transfer.stock_file);
    let now = api.host.now_ms();
    let millis = now.rem_euclid(1000);
    let seconds = stamp(now - millis);
    let name = format!("{prefix}{seconds}{millis:03}_{number}{}", transfer.ending());
    let members = items.iter().flat_map(|item| item.members.iter().copied());
    let step = effect(&format!("inventory-file-{number}"), members).resend();
    let bytes = sheet(items, transfer.delimiter());
    match depot.put(&format!("{dir}/{name}"), &bytes, &step) {
        Ok(()) => {
            let ticket = |item: &Item<'_>| {
                Handle::new(None, item.sku, item.codes(), now)
                    .by_file(&name, item.quantity_available)
                    .ticket(api.config.ack_wait_secs)
            };
            items.iter().map(ticket).collect()
        }
        Err(NotPut::InDoubt(_)) => for_all(items.len(), &Err(Failure::Retry(None))),
        Err(other) => for_all(items.len(), &other.verdict()),
    }
}

fn sheet(items: &[Item<'_>], delimiter: u8) -> Vec<u8> {
    let most = items
        .iter()
        .map(|item| item.warehouses.len())
        .max()
        .unwrap_or(0);
    let mut columns = vec![
        "sku".to_owned(),
        "quantity_available".to_owned(),
        "status".to_owned(),
        "estimated_availability_date".to_owned(),
    ];
    for number in 1..=most {
        columns.push(format!("warehouse_code_{number}"));
        columns.push(format!("warehouse_quantity_{number}"));
    }
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let rows: Vec<Vec<Option<String>>> = items
        .iter()
        .map(|item| {
            let mut dates = item
                .warehouses
                .iter()
                .filter_map(|w| w.estimated_availability_date.as_deref());
            let mut row = vec![
                Some(item.sku.to_owned()),
                Some(item.quantity_available.to_string()),
                Some(item.status.to_owned()),
                dates.next().map(|date| date.replace('Z', "+00:00")),
            ];
            for warehouse in &item.warehouses {
                row.push(Some(warehouse.code.to_owned()));
                row.push(Some(warehouse.quantity.to_string()));
            }
            row
        })
        .collect();
    table(&columns, &rows, delimiter)
}
