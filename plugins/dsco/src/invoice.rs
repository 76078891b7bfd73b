//! Sending invoices: up to a thousand in one call. An invoice counts once whatever happens, so one that was tried before
//! is looked for by its number first. All amounts are whole cents, and the parts add up to the total, or the invoice
//! waits. The call is in `queue.rs`, what DSCO holds in `invoice_look.rs`.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::files::sheet::INVOICES;
use crate::files::upload;
use crate::invoice_look::{self, cents};
use crate::lookup::Shown;
use crate::order;
use crate::parcel;
use crate::queue::{self, Call, Member, put};
use crate::settings::{Billing, Flow};
use crate::told::{Bill, Told, What};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use waybill_sdk::commerce::{Body, Charge, Decimal, Invoice, Order, OrderLine};
use waybill_sdk::date;
use waybill_sdk::types::{Failure, Verdict};

const CALL: Call = Call {
    step: "invoice",
    path: "/invoice/batch/small",
};

/// Sends a batch. One verdict per member, in its order.
pub(crate) fn push(api: &Api<'_>, attempt: u32, batch: &[Delivery]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = vec![Err(Failure::Retry(None)); batch.len()];
    let mut members = Vec::new();
    for (index, delivery) in (0..).zip(batch) {
        match member(api, index, delivery) {
            Ok(member) => members.push(member),
            Err(failure) => put(&mut verdicts, index, Err(failure)),
        }
    }
    if api.config.by_files(Flow::Invoices) {
        let file = api.config.transfer.invoices_file;
        members = upload::send_fit(api, INVOICES, file, attempt, batch, members, &mut verdicts);
    }
    if attempt > 1 {
        let all: Vec<&Member> = members.iter().collect();
        match invoice_look::all(api, &all) {
            Ok(found) => {
                members.retain(|member| !found.contains_key(&member.index));
                for (index, shown) in found {
                    if let Shown::Verdict(verdict) = shown {
                        put(&mut verdicts, index, verdict);
                    }
                }
            }
            Err(failure) => {
                for member in members.drain(..) {
                    put(&mut verdicts, member.index, Err(failure.clone()));
                }
            }
        }
    }
    queue::send_all(api, CALL, &members, &mut verdicts);
    verdicts
}

fn member(api: &Api<'_>, index: u32, delivery: &Delivery) -> Result<Member, Failure> {
    let Body::Invoice(invoice) = &delivery.document.body else {
        return Err(Failure::rejected(
            "unsupported",
            "DSCO's connector does not take documents of this kind.",
            "Update the connector.",
        ));
    };
    let origin = delivery.origin.as_ref();
    let Some((key, Body::Order(order))) = origin.map(|o| (o.key.as_str(), &o.body)) else {
        return Err(Failure::rejected(
            "no-order",
            "This invoice came without its order.",
            "This is a fault of the agent: send a support bundle.",
        ));
    };
    let rules = Billing::read(api.config, &delivery.settings);
    let (told, body) = build(invoice, key, order, &rules)?;
    Ok(Member {
        index,
        told,
        body,
        test: order.test,
    })
}

/// The lines of an invoice, with what they come to.
#[derive(Default)]
struct Lines {
    items: Vec<Value>,
    cents: i64,
    units: i64,
}

fn lines(
    invoice: &Invoice,
    order: &Order,
    parcels: &[(String, Vec<String>)],
    rules: &Billing,
) -> Result<Lines, Failure> {
    let mut all = Lines::default();
    for line in invoice.lines.iter().filter(|l| !l.quantity.is_zero()) {
        let own = own_line(line, order)?;
        let units = line.quantity.to_whole().filter(|units| *units > 0);
        let units = units.ok_or_else(|| {
            let (quantity, title) = (line.quantity, &line.title);
            let text =
                format!("The invoice has {quantity} of `{title}`; DSCO takes whole units only.");
            wrong("not-whole", text)
        })?;
        let price = line.unit_price.and_then(cents).filter(|cents| *cents >= 0);
        let price = price.ok_or_else(|| {
            let (title, number) = (&line.title, &invoice.number);
            let text = format!(
                "The price of `{title}` on invoice {number} is missing, or is no whole number of cents."
            );
            wrong("price-not-cents", text)
        })?;
        let amount = price.checked_mul(units).ok_or_else(too_large)?;
        all.cents = all.cents.checked_add(amount).ok_or_else(too_large)?;
        all.units = all.units.saturating_add(units);
        let mut item = parcel::item(own, units, false);
        item["unitPrice"] = money(price);
        if rules.subtotals {
            item["extendedAmount"] = money(amount);
        }
        if rules.ship
            && parcels.len() > 1
            && let Some(tracking) = of_line(parcels, &own.line)
        {
            item["trackingNumber"] = json!(tracking);
        }
        all.items.push(item);
    }
    if all.items.is_empty() {
        let text = format!("Nothing of this order is on invoice {}.", invoice.number);
        return Err(wrong("empty-invoice", text));
    }
    Ok(all)
}

/// What is told, and the object to send.
fn build(
    invoice: &Invoice,
    key: &str,
    order: &Order,
    rules: &Billing,
) -> Result<(Told, Value), Failure> {
    let parcels = trackings(invoice, order);
    let lines = lines(invoice, order, &parcels, rules)?;
    let mut body = Map::new();
    let extras = extras(&mut body, invoice)?;
    let total = lines.cents.checked_add(extras).ok_or_else(too_large)?;
    if cents(invoice.total.gross) != Some(total) {
        let (number, gross) = (&invoice.number, invoice.total.gross);
        let sum = Decimal {
            units: total,
            scale: 2,
        };
        let text = format!(
            "Invoice {number} is over {gross}, but its lines, charges and tax come to {sum}."
        );
        return Err(wrong("total-differs", text));
    }
    let po = Some(order.number.as_str()).filter(|number| *number != key);
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    put("invoiceId", json!(invoice.number));
    put("dscoOrderId", json!(key));
    if let Some(po) = po {
        put("poNumber", json!(po));
    }
    put("invoiceDate", json!(date::format(invoice.issued_at)));
    put("currencyCode", json!(invoice.currency));
    put("totalAmount", money(total));
    if rules.subtotals {
        put("lineItemsSubtotal", money(lines.cents));
        put("subtotalExcludingLineItems", money(extras));
        put("numberOfLineItems", json!(lines.items.len()));
    }
    if let Some(days) = rules.net_days {
        put("terms", json!({ "netDays": days }));
    }
    if let Some((tracking, _)) = parcels.last().filter(|_| rules.ship) {
        put("ship", json!({ "trackingNumber": tracking }));
    }
    put("lineItems", Value::Array(lines.items));
    let bill = Bill {
        number: invoice.number.clone(),
        cents: total,
        units: lines.units,
        po: po.map(str::to_owned),
    };
    let told = Told {
        order: key.to_owned(),
        what: What::Invoiced(bill),
    };
    Ok((told, Value::Object(body)))
}

fn own_line<'a>(line: &OrderLine, order: &'a Order) -> Result<&'a OrderLine, Failure> {
    let mut lines = order.lines.iter();
    lines.find(|own| own.line == line.line).ok_or_else(|| {
        wrong(
            "line-unknown",
            format!(
                "The invoice names line {}, which order {} does not have.",
                line.line, order.number
            ),
        )
    })
}

/// What is not of the lines, in cents; put into the body where it is not nought.
fn extras(body: &mut Map<String, Value>, invoice: &Invoice) -> Result<i64, Failure> {
    let in_cents = |amount: Decimal, what: &str| {
        cents(amount).ok_or_else(|| {
            wrong(
                "amount-not-cents",
                format!(
                    "The {what} of invoice {} is no whole number of cents.",
                    invoice.number
                ),
            )
        })
    };
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut all = in_cents(invoice.total.tax, "tax")?;
    sums.insert("salesTaxAmount", all);
    for charge in &invoice.charges {
        let amount = in_cents(charge.amount.net, &charge.title)?;
        all = all.checked_add(amount).ok_or_else(too_large)?;
        match charge.kind.as_str() {
            "shipping" => add(&mut sums, "freightAmount", amount)?,
            "handling" => add(&mut sums, "handlingAmount", amount)?,
            "tax" => add(&mut sums, "salesTaxAmount", amount)?,
            _ if amount < 0 => lists
                .entry("credits")
                .or_default()
                .push(named(charge, -amount)),
            _ => lists
                .entry("charges")
                .or_default()
                .push(named(charge, amount)),
        }
    }
    for (name, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
        body.insert(name.to_owned(), money(sum));
    }
    for (name, list) in lists {
        body.insert(name.to_owned(), Value::Array(list));
    }
    Ok(all)
}

fn add<'a>(sums: &mut BTreeMap<&'a str, i64>, name: &'a str, amount: i64) -> Result<(), Failure> {
    let sum = sums.entry(name).or_default();
    *sum = sum.checked_add(amount).ok_or_else(too_large)?;
    Ok(())
}

fn named(charge: &Charge, cents: i64) -> Value {
    json!({"title": charge.title, "amount": money(cents)})
}

/// The parcels an invoice is of, with their lines: those that the agent names, else all that hold a line of it.
fn trackings(invoice: &Invoice, order: &Order) -> Vec<(String, Vec<String>)> {
    let mut named = invoice.extras.iter().filter(|e| e.name == "tracking");
    let wanted: Option<Vec<&str>> = named
        .next()
        .map(|extra| extra.value.split(',').map(str::trim).collect());
    let invoiced = |key: &String| {
        invoice
            .lines
            .iter()
            .any(|l| l.line == *key && !l.quantity.is_zero())
    };
    let mut all: Vec<(String, Vec<String>)> = order::parcels(order)
        .into_iter()
        .map(|parcel| {
            let lines: Vec<String> = parcel.lines.into_iter().map(|(key, _)| key).collect();
            (parcel.tracking, lines)
        })
        .filter(|(tracking, lines)| match &wanted {
            Some(wanted) => wanted.contains(&tracking.as_str()),
            None => lines.iter().any(invoiced),
        })
        .collect();
    // DSCO has confirmed them; the order we know may be older than that.
    for tracking in wanted.into_iter().flatten() {
        if !tracking.is_empty() && !all.iter().any(|(known, _)| known == tracking) {
            all.push((tracking.to_owned(), Vec::new()));
        }
    }
    all
}

/// The last parcel with that line.
fn of_line<'a>(parcels: &'a [(String, Vec<String>)], line: &str) -> Option<&'a str> {
    let mut with = parcels.iter().rev();
    let found = with.find(|(_, lines)| lines.iter().any(|key| key == line))?;
    Some(&found.0)
}

/// Cents as a JSON number.
fn money(cents: i64) -> Value {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    // Digits with a point are a number.
    serde_json::from_str(&format!("{sign}{}.{:02}", cents / 100, cents % 100)).unwrap_or_default()
}

fn wrong(code: &str, message: String) -> Failure {
    Failure::rejected(
        code,
        message,
        "Correct the invoice, or enter it in the DSCO portal and press Done.",
    )
}

fn too_large() -> Failure {
    wrong(
        "too-large",
        "The invoice's amounts are too large.".to_owned(),
    )
}
