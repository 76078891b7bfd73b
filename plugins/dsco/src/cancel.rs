//! Telling DSCO that units are cancelled: the answer to a retailer's request, or the merchant's own cancel. How the call is
//! sent and followed is in `queue.rs`. A cancel is by so many units, so one that may be there is never sent again unseen.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::files::sheet::CANCELS;
use crate::files::upload;
use crate::parcel;
use crate::queue::{self, Call, Member, put};
use crate::settings::{Flow, key};
use crate::told::{Told, What};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use waybill_sdk::Settings;
use waybill_sdk::commerce::{Body, CancelPhase, Order};
use waybill_sdk::types::{Choice, Failure, Gap, Verdict};

const CALL: Call = Call {
    step: "cancel",
    path: "/order/item/cancel/batch/small",
};

/// Reason codes a supplier may use, as far as they are documented.
const CODES: [(&str, &str); 8] = [
    ("CXSS", "Out of stock (can freeze the item)"),
    ("CXSN", "Not enough stock (can freeze the item)"),
    ("CXSD", "Discontinued (can freeze the item)"),
    ("CXSB", "Bad address"),
    ("CXSI", "Invalid ship instructions"),
    ("CXST", "Cannot ship on time"),
    ("CXSC", "At the retailer's request"),
    ("CXSO", "Other"),
];

/// The codes to choose from.
pub(crate) fn choices() -> Vec<Choice> {
    let all = CODES.iter();
    all.map(|(value, label)| Choice {
        value: (*value).to_owned(),
        label: format!("{value}: {label}"),
        disabled: false,
    })
    .collect()
}

/// Tells a batch. One verdict per member, in its order.
pub(crate) fn push(api: &Api<'_>, attempt: u32, batch: &[Delivery]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = vec![Err(Failure::Retry(None)); batch.len()];
    let mut members = Vec::new();
    for (index, delivery) in (0..).zip(batch) {
        match member(api, index, delivery) {
            Ok(member) => members.push(member),
            Err(failure) => put(&mut verdicts, index, Err(failure)),
        }
    }
    if api.config.by_files(Flow::Cancels) {
        let file = api.config.transfer.cancels_file;
        members = upload::send_fit(api, CANCELS, file, attempt, batch, members, &mut verdicts);
    }
    queue::send_all(api, CALL, &members, &mut verdicts);
    verdicts
}

fn member(api: &Api<'_>, index: u32, delivery: &Delivery) -> Result<Member, Failure> {
    let (Body::Cancellation(cancel), Some(Body::Order(order))) = (
        &delivery.document.body,
        delivery.origin.as_ref().map(|origin| &origin.body),
    ) else {
        return Err(Failure::rejected(
            "no-order",
            "This cancel came without its order.",
            "This is a fault of the agent: send a support bundle.",
        ));
    };
    let own = Settings::new(&delivery.settings);
    let code = match (&cancel.reason, cancel.phase) {
        (Some(code), CancelPhase::Ordered) => code.trim(),
        (_, CancelPhase::Ordered) => {
            return Err(Failure::Unmapped(vec![Gap {
                table: "cancel-codes".to_owned(),
                retailer: Some(order.retailer.clone()),
                value: "none".to_owned(),
            }]));
        }
        _ => api
            .config
            .own(own, key::REQUEST_CODE.0)
            .unwrap_or(key::REQUEST_CODE.1),
    };
    let mut lines = BTreeMap::new();
    let mut items = Vec::new();
    for line in &cancel.lines {
        let units = line.quantity.to_whole().filter(|units| *units > 0);
        let units = units.ok_or_else(|| {
            Failure::rejected(
                "not-whole",
                format!(
                    "{} of line {} is to be cancelled; DSCO takes whole units only.",
                    line.quantity, line.line
                ),
                "Cancel it in the DSCO portal, then leave this card with a reason.",
            )
        })?;
        items.push(item(order, &line.line, units, code)?);
        lines.insert(line.line.clone(), units);
    }
    Ok(Member {
        index,
        told: Told {
            order: cancel.order_key.clone(),
            what: What::Cancelled { lines },
        },
        body: json!({"id": cancel.order_key, "type": "DSCO_ORDER_ID", "lineItems": items}),
        test: order.test,
    })
}

fn item(order: &Order, key: &str, units: i64, code: &str) -> Result<Value, Failure> {
    let line = order.lines.iter().find(|line| line.line == key);
    let line = line.ok_or_else(|| {
        Failure::rejected(
            "line-unknown",
            format!(
                "Line {key} is to be cancelled, which order {} does not have.",
                order.number
            ),
            "Compare the lines of the sale with the order; cancel it in the DSCO portal.",
        )
    })?;
    let mut fields = parcel::ids(line);
    fields.insert("cancelledQuantity".to_owned(), json!(units));
    fields.insert("cancelCode".to_owned(), json!(code));
    Ok(Value::Object(fields))
}
