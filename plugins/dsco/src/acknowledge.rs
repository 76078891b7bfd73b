//! Telling DSCO: "we have this order" (accepted), and later "this is our number for it" (delivered). One call for a
//! batch; how it is sent and followed is in `queue.rs`.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::Settled;
use crate::queue::{self, Call, Member};
use crate::settings::Flow;
use crate::told::{Told, What};
use serde_json::{Value, json};
use waybill_sdk::commerce::Entity;
use waybill_sdk::problem::done;
use waybill_sdk::types::{Moment, Receipt, Verdict};

/// Tells DSCO about a batch. One verdict per member, in its order.
pub(crate) fn settle(api: &Api<'_>, moment: Moment, batch: &[Settled]) -> Vec<Verdict> {
    let call = Call {
        step: match moment {
            Moment::Accepted => "acknowledge",
            Moment::Delivered => "acknowledge-number",
        },
        path: "/order/acknowledge",
    };
    // What DSCO need not be told is done: other kinds of record, and an order whose routes led to no order.
    let mut verdicts: Vec<Verdict> = batch
        .iter()
        .map(|settled| done(Receipt::of(settled.key.clone())))
        .collect();
    // DSCO counts an order as acknowledged once it has exported it. Our number for it only the API takes.
    let by_export = api.config.by_files(Flow::Orders) && moment == Moment::Accepted;
    if by_export || !api.config.api {
        let untold = |settled: &Settled| done(Receipt::of(format!("file:#{}", settled.key)));
        return batch.iter().map(untold).collect();
    }
    let members: Vec<Member> = (0..)
        .zip(batch)
        .filter_map(|(index, settled)| member(index, moment, settled))
        .collect();
    queue::send_all(api, call, &members, &mut verdicts);
    verdicts
}

fn member(index: u32, moment: Moment, settled: &Settled) -> Option<Member> {
    if settled.entity != Entity::Order {
        return None;
    }
    let number = match moment {
        Moment::Accepted => None,
        Moment::Delivered => {
            let mut links = settled.links.iter();
            Some(links.find(|link| link.entity == Entity::Order)?.key.clone())
        }
    };
    let mut body = json!({"id": settled.key, "type": "DSCO_ORDER_ID"});
    if let Some(number) = &number {
        body["supplierOrderNumber"] = Value::from(number.as_str());
    }
    Some(Member {
        index,
        told: Told {
            order: settled.key.clone(),
            what: What::Acknowledged { number },
        },
        body,
        test: false,
    })
}
