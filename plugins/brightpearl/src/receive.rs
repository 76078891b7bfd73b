//! Owns what a webhook's delivery says to read again. It carries ids only, and says nothing that is trusted: whatever it
//! names is read from the account. Must not know how webhooks are registered (`ensure.rs`).

use crate::bindings::exports::waybill::connector::webhook::{Delivered, Hint};
use crate::settings::Settings;
use crate::wire::hook;
use crate::wire::ids::expand;
use waybill_sdk::commerce::Entity;
use waybill_sdk::types::{Context, Problem};

/// Most ids of one delivery.
const MOST: usize = 10_000;

/// Ends the name of the event that says that stock moved; no product changes with it.
const STOCK_MOVED: &str = ".on-hand-modified";

/// Ends the name of the event that says that an order has another status: an invoiced one has.
const STATUS: &str = ".order-status";

/// One result per delivery, in the same order.
pub fn receive(ctx: &Context, batch: &[Delivered]) -> Vec<Result<Vec<Hint>, Problem>> {
    let account = Settings::of(&ctx.settings).account();
    let one = |delivered: &Delivered| hints(&account, &delivered.body);
    batch.iter().map(one).collect()
}

fn hints(account: &str, body: &[u8]) -> Result<Vec<Hint>, Problem> {
    let event = hook::event(body).ok_or_else(|| {
        Problem::new(
            "webhook-shape",
            "A webhook's delivery is not of the shape this connection registered.",
            "If somebody else uses this address, give them another one; polling brings the documents meanwhile.",
        )
    })?;
    if !event.account.eq_ignore_ascii_case(account) {
        return Err(Problem::new(
            "webhook-account",
            format!(
                "A webhook's delivery is about the account `{}`, but this connection is for `{account}`.",
                shown(&event.account)
            ),
            "Remove the webhook in that account.",
        ));
    }
    let entity = match event.resource.as_str() {
        "goods-out-note" => Entity::Shipment,
        "product" if event.full.ends_with(STOCK_MOVED) => Entity::InventoryLevel,
        "product" => Entity::Item,
        "order" if event.full.ends_with(STATUS) => Entity::Invoice,
        // Understood; nothing is read for them.
        "order" | "sales-order" | "drop-ship-note" | "goods-in-note" | "quarantine-release" => {
            return Ok(Vec::new());
        }
        other => {
            return Err(Problem::new(
                "webhook-event",
                format!(
                    "A webhook's delivery is about `{}`, which this connector does not know.",
                    shown(other)
                ),
                "Update the connector.",
            ));
        }
    };
    let ids = expand(&event.ids, MOST).ok_or_else(|| {
        Problem::new(
            "webhook-ids",
            format!(
                "A webhook's delivery names `{}`, which is no set of at most {MOST} ids.",
                shown(&event.ids)
            ),
            "Nothing is lost: polling brings the documents.",
        )
    })?;
    let hint = |id: i64| Hint {
        entity,
        key: id.to_string(),
    };
    Ok(ids.into_iter().map(hint).collect())
}

/// The beginning of a text from outside.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
