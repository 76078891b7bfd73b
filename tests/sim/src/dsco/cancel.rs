//! Owns the supplier's cancel calls and how an item of a write finds its line. Must not know the retailer's cancels.

use serde_json::Value;

use super::answers::{self, Message, Verdict, refuse};
use super::change::Change;
use super::order::{Lifecycle, Line, Order};
use super::sandbox::Sandbox;
use super::settings::{FillKill, RetailerRules};
use super::writes::{Deed, objects, text_or_number};
use crate::vendor::{Req, Resp};

/// Every cancel code a supplier may use.
const CODES: [&str; 30] = [
    "CXSS",
    "CXSD",
    "CXSN",
    "CXSB",
    "CXSI",
    "CXST",
    "CXSC",
    "CXSO",
    "CXSBS",
    "CXSCNSUSPS",
    "CXSCNSC",
    "CXSCNSPO",
    "CXSCDNSA",
    "CXSCR",
    "CXSDAI",
    "CXSDEI",
    "CXSDO",
    "CXSIIC",
    "CXUOM",
    "CXSISM",
    "CXCI",
    "CXSIR",
    "CXSMONM",
    "CXSOEE",
    "CXSIM",
    "CXSPOC",
    "CXSDF",
    "CXSCAR",
    "CXSUC",
    "CXSCNSO",
];

struct Wish {
    line: usize,
    quantity: i64,
    code: String,
    reason: Option<String>,
}

impl Sandbox {
    /// `POST /order/item/cancel`: one order, at once (200) or queued (202).
    pub(crate) fn post_cancel_one(&mut self, now: i64, req: &Req) -> Resp {
        let object = match req.json() {
            Ok(object) if object.is_object() => object,
            _ => return self.refused(now, &[Message::error("The body must be one object")]),
        };
        if !self.settings.sync_cancel {
            return self.queue(now, Deed::Cancel, vec![object]);
        }
        let (request_id, verdict) = self.perform_now(now, Deed::Cancel, &object);
        match verdict {
            Ok(_) => answers::update(200, "success", &request_id, now),
            Err(errors) => answers::invalid(&errors, &request_id, now, self.settings.messy),
        }
    }

    /// `POST /order/item/cancel/batch/small`.
    pub(crate) fn post_cancel_batch(&mut self, now: i64, req: &Req) -> Resp {
        match objects(req) {
            Ok(all) => self.queue(now, Deed::Cancel, all),
            Err(why) => self.refused(now, &[Message::error(why)]),
        }
    }

    /// Cancels units of one order: all named lines, or none when one is refused.
    pub(crate) fn supplier_cancel(&mut self, now: i64, object: &Value) -> Verdict {
        let (at, mut warnings) = self.named(object)?;
        let order = self.book.get(at);
        workable(order)?;
        let rules = self.settings.rules(order.retailer.account_id);
        let Some(items) = object["lineItems"]
            .as_array()
            .filter(|items| !items.is_empty())
        else {
            return refuse("lineItems is required");
        };
        let mut wishes: Vec<Wish> = Vec::new();
        let mut errors = Vec::new();
        for item in items {
            match wish(order, item, &wishes, &rules) {
                Ok((wish, warning)) => {
                    wishes.push(wish);
                    warnings.extend(warning);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            errors.extend(policy(order, &wishes, rules.fill_kill));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let order = self.book.get_mut(at);
        let mut change = Change::of(&["update_status_lifecycle"]);
        for wish in wishes {
            order.cancel(
                wish.line,
                wish.quantity,
                &wish.code,
                wish.reason.as_deref(),
                now,
            );
            change.items.push(("cancelled", wish.line, wish.quantity));
        }
        order.settle(now, true);
        self.changed(now, at, change);
        Ok(warnings)
    }
}

/// Refuses orders that take no more writes.
pub(crate) fn workable(order: &Order) -> Result<(), Vec<Message>> {
    let why = match order.lifecycle {
        Lifecycle::Received => "Order is not available yet",
        Lifecycle::Completed if order.all_cancelled() => "Order is cancelled",
        Lifecycle::Completed => "Order is completed",
        _ => return Ok(()),
    };
    Err(vec![Message::error(why)])
}

fn wish(
    order: &Order,
    item: &Value,
    before: &[Wish],
    rules: &RetailerRules,
) -> Result<(Wish, Option<Message>), Message> {
    let (line, warning) = find_line(order, item)?;
    let number = order.lines[line].number;
    let quantity = item["cancelledQuantity"].as_i64().unwrap_or(0);
    if quantity < 1 {
        return Err(Message::error(format!(
            "cancelledQuantity of line {number} must be at least 1"
        )));
    }
    let taken: i64 = before
        .iter()
        .filter(|w| w.line == line)
        .map(|w| w.quantity)
        .sum();
    let open = order.lines[line].open() - taken;
    if quantity > open {
        return Err(Message::error(format!(
            "cancelledQuantity {quantity} of line {number} is above the open quantity {open}"
        )));
    }
    let Some(code) = item["cancelCode"].as_str().filter(|c| !c.is_empty()) else {
        return Err(Message::error(format!(
            "cancelCode of line {number} is required"
        )));
    };
    let allowed = match &rules.cancel_codes {
        Some(codes) => codes.iter().any(|c| c == code),
        None => CODES.contains(&code),
    };
    if !allowed {
        return Err(Message::error(format!(
            "cancelCode {code} is not allowed by the retailer"
        )));
    }
    let reason = item["cancelledReason"].as_str().map(str::to_owned);
    Ok((
        Wish {
            line,
            quantity,
            code: code.to_owned(),
            reason,
        },
        warning,
    ))
}

fn policy(order: &Order, wishes: &[Wish], rule: FillKill) -> Option<Message> {
    let cancelled = |line: usize| -> i64 {
        wishes
            .iter()
            .filter(|w| w.line == line)
            .map(|w| w.quantity)
            .sum()
    };
    let whole = |index: usize, line: &Line| cancelled(index) == line.quantity;
    let mut lines = order.lines.iter().enumerate();
    let violated = match rule {
        FillKill::None => false,
        FillKill::Order => !lines.all(|(index, line)| whole(index, line)),
        FillKill::Line => lines.any(|(index, line)| cancelled(index) > 0 && !whole(index, line)),
    };
    violated.then(|| Message::error("The retailer's fill or kill policy forbids partial cancels"))
}

/// The line an item means: ids in their documented precedence, then `lineNumber`.
pub(crate) fn find_line(order: &Order, item: &Value) -> Result<(usize, Option<Message>), Message> {
    type Field = fn(&Line) -> Option<&str>;
    let keys: [(&str, Field); 5] = [
        ("dscoItemId", |l| Some(&l.item_id)),
        ("sku", |l| Some(&l.sku)),
        ("partnerSku", |l| Some(&l.partner_sku)),
        ("upc", |l| l.upc.as_deref()),
        ("ean", |l| l.ean.as_deref()),
    ];
    let given = keys
        .iter()
        .find_map(|(name, field)| text_or_number(&item[*name]).map(|value| (name, value, field)));
    let Some((name, value, field)) = given else {
        return Err(Message::error(
            "One of these fields is required: dscoItemId, sku, partnerSku, upc, ean",
        ));
    };
    let fits: Vec<usize> = (0..order.lines.len())
        .filter(|&index| field(&order.lines[index]) == Some(value.as_str()))
        .collect();
    let Some(&first) = fits.first() else {
        return Err(Message::error(format!(
            "Item with {name} {value} is not on the order"
        )));
    };
    if let Some(number) = item["lineNumber"].as_i64() {
        return match fits
            .iter()
            .find(|&&index| order.lines[index].number == number)
        {
            Some(&index) => Ok((index, None)),
            None => Err(Message::error(format!(
                "lineNumber {number} does not fit the item with {name} {value}"
            ))),
        };
    }
    let warning = (fits.len() > 1)
        .then(|| Message::warn(format!("Several lines have {name} {value}, took the first")));
    Ok((first, warning))
}
