//! Owns what a supplier may invoice: `POST /invoice` and its batch, with the retailers' policies. Must not know how
//! invoices are kept.

use serde_json::{Value, json};

use super::answers::{self, Message, Verdict};
use super::cancel::find_line;
use super::invoices::{BilledLine, Invoice};
use super::sandbox::Sandbox;
use super::settings::{InvoicePolicy, RetailerRules};
use super::writes::{Deed, objects};
use crate::vendor::{Req, Resp};

impl Sandbox {
    /// `POST /invoice`: at once.
    pub(crate) fn post_invoice_one(&mut self, now: i64, req: &Req) -> Resp {
        let object = match req.json() {
            Ok(object) if object.is_object() => object,
            _ => return self.refused(now, &[Message::error("The body must be one object")]),
        };
        let (request_id, verdict) = self.perform_now(now, Deed::Invoice, &object);
        match verdict {
            Ok(_) => Resp::json(201, &json!({"success": true})),
            Err(errors) => answers::invalid(&errors, &request_id, now, self.settings.messy),
        }
    }

    /// `POST /invoice/batch/small`.
    pub(crate) fn post_invoice_batch(&mut self, now: i64, req: &Req) -> Resp {
        match objects(req) {
            Ok(all) if all.is_empty() => {
                self.refused(now, &[Message::error("The array holds no invoice")])
            }
            Ok(all) => self.queue(now, Deed::Invoice, all),
            Err(why) => self.refused(now, &[Message::error(why)]),
        }
    }

    /// Takes one invoice.
    pub(crate) fn invoice(&mut self, now: i64, object: &Value) -> Verdict {
        let (at, mut warnings) = self.shipped_order(object)?;
        let rules = self.settings.rules(self.book.get(at).retailer.account_id);
        let mut errors = missing(object, &rules);
        let number = object["invoiceId"].as_str().unwrap_or_default();
        if self.invoices.knows(number) {
            errors.push(format!("invoiceId {number} is a duplicate"));
        }
        let mut lines = Vec::new();
        for item in object["lineItems"].as_array().into_iter().flatten() {
            match self.billed(at, item, &mut errors) {
                Some((line, warning)) => {
                    warnings.extend(warning);
                    lines.push(line);
                }
                None if errors.is_empty() => errors.push("lineItems is not valid".to_owned()),
                None => {}
            }
        }
        let tracking = trackings(object);
        if errors.is_empty() {
            self.check_open(at, &lines, &mut errors);
            self.check_policy(at, &lines, &tracking, rules.invoices, &mut errors);
            match wrong_total(object, &lines) {
                Some(words) if rules.refuse_wrong_totals => errors.push(words),
                Some(words) => warnings.push(Message::warn(words)),
                None => {}
            }
        }
        if !errors.is_empty() {
            return Err(errors.into_iter().map(Message::error).collect());
        }
        self.invoices.add(Invoice {
            number: number.to_owned(),
            order: at,
            lines,
            total_cents: cents(&object["totalAmount"]).unwrap_or_default(),
            tracking,
            body: object.clone(),
            created: now,
            visible: now + self.settings.d3_ms,
        });
        Ok(warnings)
    }

    /// One line of an invoice.
    fn billed(
        &self,
        at: usize,
        item: &Value,
        errors: &mut Vec<String>,
    ) -> Option<(BilledLine, Option<Message>)> {
        let quantity = item["quantity"].as_i64().unwrap_or(0);
        if quantity < 1 {
            errors.push("quantity must be at least 1".to_owned());
        }
        // Nothing below adds up to more than fits.
        if quantity > MOST {
            errors.push("quantity is too large".to_owned());
        }
        let price = cents(&item["unitPrice"]);
        if item["unitPrice"].is_null() {
            errors.push("unitPrice is required".to_owned());
        } else if price.is_none_or(|cents| !(0..=MOST).contains(&cents)) {
            errors.push("unitPrice must be a number of at most 2 decimals".to_owned());
        }
        match find_line(self.book.get(at), item) {
            Ok((line, warning)) => Some((
                BilledLine {
                    line,
                    quantity,
                    price_cents: price.unwrap_or_default(),
                },
                warning,
            )),
            Err(error) => {
                errors.push(error.description);
                None
            }
        }
    }

    /// Only what was shipped and is not invoiced yet may be.
    fn check_open(&self, at: usize, lines: &[BilledLine], errors: &mut Vec<String>) {
        for (index, line) in self.book.get(at).lines.iter().enumerate() {
            let wanted: i64 = lines
                .iter()
                .filter(|l| l.line == index)
                .map(|l| l.quantity)
                .sum();
            let open = line.shipped - self.invoices.units(at, index);
            if wanted > open {
                errors.push(format!(
                    "Line {} has {open} units available to invoice, not {wanted}",
                    line.number
                ));
            }
        }
    }

    fn check_policy(
        &self,
        at: usize,
        lines: &[BilledLine],
        tracking: &[String],
        policy: InvoicePolicy,
        errors: &mut Vec<String>,
    ) {
        let order = self.book.get(at);
        match policy {
            InvoicePolicy::Any => {}
            InvoicePolicy::None => {
                errors.push("The retailer's invoicing policy allows no invoices".to_owned());
            }
            InvoicePolicy::Order => {
                if self.invoices.of(at).next().is_some() {
                    errors.push(
                        "The retailer's invoicing policy allows one invoice per order".to_owned(),
                    );
                }
            }
            InvoicePolicy::Shipment => {
                let parcels: Vec<_> = order
                    .packages
                    .iter()
                    .filter(|p| tracking.contains(&p.tracking))
                    .collect();
                let units = |line: usize| -> i64 {
                    let items = parcels.iter().flat_map(|p| &p.items);
                    items.filter(|i| i.line == line).map(|i| i.quantity).sum()
                };
                let billed = |line: usize| -> i64 {
                    let lines = lines.iter().filter(|l| l.line == line);
                    lines.map(|l| l.quantity).sum()
                };
                let same = (0..order.lines.len()).all(|line| units(line) == billed(line));
                if parcels.is_empty() || !same {
                    errors.push(
                        "The retailer's invoicing policy wants one invoice per shipment, with its trackingNumber"
                            .to_owned(),
                    );
                }
            }
            InvoicePolicy::WholeLines => {
                for line in lines {
                    let whole = &order.lines[line.line];
                    if line.quantity != whole.quantity - whole.cancelled {
                        errors.push(format!(
                            "The retailer's invoicing policy wants line {} as a whole",
                            whole.number
                        ));
                    }
                }
            }
        }
    }
}

/// What the platform and the retailer want and do not find, or find and do not want.
fn missing(object: &Value, rules: &RetailerRules) -> Vec<String> {
    let mut errors = Vec::new();
    if object["invoiceId"].as_str().is_none_or(str::is_empty) {
        errors.push("invoiceId is required".to_owned());
    }
    if object["totalAmount"].is_null() {
        errors.push("totalAmount is required".to_owned());
    } else if cents(&object["totalAmount"]).is_none() {
        errors.push("totalAmount must be a number of at most 2 decimals".to_owned());
    }
    let lines = object["lineItems"].as_array();
    if lines.is_none_or(Vec::is_empty) {
        errors.push("lineItems is required".to_owned());
    }
    if !object["trackingNumber"].is_null() {
        errors.push("trackingNumber is not a field of an invoice".to_owned());
    }
    for name in &rules.require_invoice {
        let lacks = match name.as_str() {
            "lineNumber" | "sku" => lines.into_iter().flatten().any(|l| l[name].is_null()),
            "ship.trackingNumber" => object["ship"]["trackingNumber"].is_null(),
            _ => object[name].is_null(),
        };
        if lacks {
            errors.push(format!("{name} is required"));
        }
    }
    let given = object.as_object().into_iter().flatten();
    if let Some(allowed) = &rules.invoice_fields {
        for (name, _) in given.filter(|(name, _)| !allowed.contains(name)) {
            errors.push(format!("The retailer does not take the field {name}"));
        }
    }
    errors
}

fn trackings(object: &Value) -> Vec<String> {
    let lines = object["lineItems"].as_array().into_iter().flatten();
    let mut all: Vec<String> = std::iter::once(&object["ship"]["trackingNumber"])
        .chain(lines.map(|line| &line["trackingNumber"]))
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// What does not add up.
fn wrong_total(object: &Value, lines: &[BilledLine]) -> Option<String> {
    let amount = |value: &Value| {
        cents(value)
            .unwrap_or_default()
            .clamp(-MOST * 1000, MOST * 1000)
    };
    let sum = |name: &str| -> i64 {
        let all = object[name].as_array().into_iter().flatten();
        all.map(|one| amount(&one["amount"])).sum()
    };
    let subtotal: i64 = lines.iter().map(|l| l.price_cents * l.quantity).sum();
    let tax = if object["salesTaxAmount"].is_null() {
        sum("taxes")
    } else {
        amount(&object["salesTaxAmount"])
    };
    let extras =
        amount(&object["freightAmount"]) + amount(&object["handlingAmount"]) + tax + sum("charges")
            - sum("credits");
    let items = object["lineItems"].as_array().into_iter().flatten();
    let extended = items.zip(lines).all(|(item, line)| {
        item["extendedAmount"].is_null()
            || amount(&item["extendedAmount"]) == line.price_cents * line.quantity
    });
    let given = |name: &str, right: i64| object[name].is_null() || amount(&object[name]) == right;
    let right = amount(&object["totalAmount"]) == subtotal + extras
        && given("lineItemsSubtotal", subtotal)
        && given("subtotalExcludingLineItems", extras)
        && extended;
    (!right).then(|| "totalAmount is not the sum of the lines and the rest".to_owned())
}

/// Most units and most cents of anything.
const MOST: i64 = 1_000_000_000;

/// A JSON number of money as cents, read from its text so that no float rounds it.
fn cents(value: &Value) -> Option<i64> {
    let text = value.as_number()?.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    if part.len() > 2 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{whole}{part:0<2}");
    digits.parse().ok()
}
