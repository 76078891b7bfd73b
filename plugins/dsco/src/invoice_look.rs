//! What DSCO holds of invoices, and what its refusals of them mean. Sends nothing that changes anything.

use crate::api::{Api, encode};
use crate::lookup::{Found, LOOK_MS, Shown};
use crate::queue::{ENOUGH_MS, Member};
use crate::told::{Bill, Told, What};
use crate::wire::invoice::{Invoice, Invoices};
use waybill_sdk::commerce::{self, Body, Decimal, Document, Totals};
use waybill_sdk::decimal::ZERO;
use waybill_sdk::problem::done;
use waybill_sdk::types::{Failure, Problem, Verdict};

/// Invoices looked for in one call: there is no search for many.
const LOOKS: usize = 300;

/// An amount in cents, where it is a whole number of them.
pub(crate) fn cents(amount: Decimal) -> Option<i64> {
    let step = |digits: u8| 10_i64.checked_pow(u32::from(digits));
    match amount.scale.checked_sub(2) {
        Some(more) => {
            let part = step(more)?;
            (amount.units % part == 0).then_some(amount.units / part)
        }
        None => amount.units.checked_mul(step(2 - amount.scale)?),
    }
}

/// The invoices of these numbers as DSCO has them, for whoever compares, and how many numbers there was time for. Their
/// lines are left out: nobody needs them.
pub(crate) fn listed(api: &Api<'_>, numbers: &[String]) -> Result<(Vec<Document>, usize), Failure> {
    let mut all = Vec::new();
    for (looked, number) in numbers.iter().enumerate() {
        if looked > 0 && api.host.remaining_ms() < ENOUGH_MS {
            return Ok((all, looked));
        }
        let found = of_number(api, number)?;
        all.extend(found.into_iter().next().map(|one| document(number, one)));
    }
    Ok((all, numbers.len()))
}

fn document(number: &str, one: Invoice) -> Document {
    let at = one.invoice_date.unwrap_or_default();
    let gross = one.total_amount.unwrap_or(ZERO);
    Document {
        key: number.to_owned(),
        revision: number.to_owned(),
        occurred_at: at,
        body: Body::Invoice(commerce::Invoice {
            number: number.to_owned(),
            order_key: one.dsco_order_id.or(one.po_number).unwrap_or_default(),
            issued_at: at,
            currency: one.currency_code.unwrap_or_default(),
            lines: Vec::new(),
            charges: Vec::new(),
            total: Totals {
                net: gross,
                tax: ZERO,
                gross,
            },
            extras: Vec::new(),
        }),
    }
}

fn of_number(api: &Api<'_>, number: &str) -> Result<Vec<Invoice>, Failure> {
    let path = format!("/invoice?key=invoiceId&value={}", encode(number));
    let found: Option<Invoices> = api.find(&path)?;
    let mut found = found.unwrap_or_default().invoices;
    found.retain(|one| one.invoice_id.as_deref() == Some(number));
    Ok(found)
}

/// What DSCO has under that number proves; none where it has nothing.
pub(crate) fn shown(api: &Api<'_>, told: &Told, bill: &Bill) -> Result<Option<Verdict>, Failure> {
    let found = of_number(api, &bill.number)?;
    if found.is_empty() {
        return Ok(None);
    }
    let same = found.iter().any(|one| is_same(one, told, bill));
    Ok(Some(if same {
        done(told.receipt().already_there())
    } else {
        Err(Failure::rejected(
            "number-taken",
            format!(
                "DSCO already has an invoice {}, of another order or with other contents.",
                bill.number
            ),
            "Compare the two in the DSCO portal. A number can be used once; if the invoice there is right, press Done.",
        ))
    }))
}

fn is_same(one: &Invoice, told: &Told, bill: &Bill) -> bool {
    let order = match &one.dsco_order_id {
        Some(order) => *order == told.order,
        None => bill.po.is_some() && one.po_number == bill.po,
    };
    let units = one
        .line_items
        .iter()
        .filter_map(|line| line.quantity?.to_whole());
    let units = units.fold(0_i64, i64::saturating_add);
    order && one.total_amount.and_then(cents) == Some(bill.cents) && units == bill.units
}

/// What DSCO has of these members. One that is missing is not there; those that could not be looked for are tried again.
pub(crate) fn all(api: &Api<'_>, members: &[&Member]) -> Result<Found, Failure> {
    let mut found = Found::new();
    let mut looked = 0;
    for member in members {
        let What::Invoiced(bill) = &member.told.what else {
            continue;
        };
        let verdict = if looked >= LOOKS || (looked > 0 && api.host.remaining_ms() < LOOK_MS) {
            Some(Err(Failure::Retry(Some(0))))
        } else {
            looked += 1;
            shown(api, &member.told, bill)?
        };
        if let Some(verdict) = verdict {
            found.insert(member.index, Shown::Verdict(verdict));
        }
    }
    Ok(found)
}

/// The verdict of a refusal; none where the invoice has to be looked for and `looks` are used up.
pub(crate) fn refused(
    api: &Api<'_>,
    told: &Told,
    bill: &Bill,
    words: &str,
    looks: &mut usize,
) -> Option<Verdict> {
    let lower = words.to_ascii_lowercase();
    let any = |all: &[&str]| all.iter().any(|word| lower.contains(word));
    let open = any(&["available to invoice", "not shipped", "already invoiced"]);
    // It may be ours: its answer was lost, and it was sent again.
    if open || any(&["duplicate", "already", "exists"]) {
        *looks = looks.checked_sub(1)?;
        match shown(api, told, bill) {
            Ok(Some(verdict)) => return Some(verdict),
            Ok(None) => {}
            Err(failure) => return Some(Err(failure)),
        }
    }
    let (code, what, hint) = if any(&["polic", "one invoice per", "takes no invoice"]) {
        (
            "invoice-policy",
            "this retailer wants its invoices cut in another way",
            "Set the invoicing policy of this retailer as the DSCO portal shows it, then retry.",
        )
    } else if open {
        (
            "nothing-to-invoice",
            "more units are on it than are shipped and not invoiced there",
            "Compare the order's shipped and invoiced units in the DSCO portal with the invoice, then retry.",
        )
    } else if any(&["duplicate"]) {
        (
            "number-taken",
            "it has an invoice of that number already",
            "Look for it in the DSCO portal; press Done if it is the same.",
        )
    } else if any(&["total", "subtotal", "amount", "unitprice", "unit price"]) {
        (
            "amount-refused",
            "it does not take an amount",
            "Compare the amounts with the order's expected cost in the DSCO portal, correct the invoice and retry.",
        )
    } else if any(&["required", "does not take the field"]) {
        (
            "field-refused",
            "this retailer wants other fields on its invoices",
            "Switch the invoice fields of this retailer on or off in Settings, then retry.",
        )
    } else {
        (
            "invoice-refused",
            "it gives a reason of its own",
            "Correct what DSCO says, then retry.",
        )
    };
    let said = if words.is_empty() {
        "no reason was given"
    } else {
        words
    };
    Some(Err(Failure::Rejected(Problem::new(
        code,
        format!(
            "DSCO refused invoice {}: {what}. Its words: {said}",
            bill.number
        ),
        hint,
    ))))
}
