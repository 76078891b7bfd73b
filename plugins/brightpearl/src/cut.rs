//! Owns taking units off the rows of a sale. A change by so many is not safe to repeat, so each row is held against what it
//! must have been: as it stands at the first attempt, and what was sold less what was cut before at any later one.

use crate::memory;
use crate::push_cancel::{Case, cannot, shipped};
use crate::sink::{adopted, made};
use crate::wire::standing::{StandingRow, share};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use waybill_sdk::commerce::{Decimal, LineQuantity};
use waybill_sdk::decimal::ZERO;
use waybill_sdk::types::{Failure, Outcome, Verdict};

/// Where the units of a sale are kept as they were sold, by external reference.
pub const UNITS: &str = "units/";
/// Where the units are kept that we cut, by sale.
pub const CUTS: &str = "cuts/";

/// Units by line, as text.
pub type Units = BTreeMap<String, String>;

/// What is done with one row.
struct Cut<'a> {
    row: &'a StandingRow,
    to: Decimal,
}

/// Takes these units off.
pub fn lines(case: &Case<'_>, lines: &[LineQuantity]) -> Verdict {
    let mut cuts = Vec::new();
    let kept = memory::one::<Units>(case.api.host, &format!("{CUTS}{}", case.sale.id));
    let mut all = kept.map(|kept| kept.value).unwrap_or_default();
    for line in lines {
        cuts.extend(planned(case, line, &all)?);
        let before = of(&all, &line.line);
        let sum = before.plus(line.quantity).unwrap_or(before);
        all.insert(line.line.clone(), sum.normal().to_string());
    }
    let open = notes_in_the_way(case, &cuts)?;
    if let Some(outcome) = case.delete(&open)? {
        return Ok(outcome);
    }
    let any = !cuts.is_empty();
    for cut in cuts {
        if let Some(outcome) = send(case, &cut)? {
            return Ok(outcome);
        }
    }
    let host = case.api.host;
    let key = format!("{CUTS}{}", case.sale.id);
    memory::put(host, &key, host.now_ms(), &all);
    if any {
        made(case.sale.id)
    } else {
        adopted(case.sale.id)
    }
}

/// Whether these units are off already.
pub fn is_done(case: &Case<'_>, lines: &[LineQuantity]) -> bool {
    let kept = memory::one::<Units>(case.api.host, &format!("{CUTS}{}", case.sale.id));
    let all = kept.map(|kept| kept.value).unwrap_or_default();
    let mut each = lines.iter().map(|line| planned(case, line, &all));
    each.all(|plan| matches!(plan, Ok(None)))
}

fn of(units: &Units, line: &str) -> Decimal {
    let text = units.get(line);
    text.and_then(|text| Decimal::parse(text)).unwrap_or(ZERO)
}

/// What becomes of a line's row; none where it is cut already.
fn planned<'a>(
    case: &'a Case<'_>,
    line: &LineQuantity,
    cut_before: &Units,
) -> Result<Option<Cut<'a>>, Failure> {
    let mut rows = case.sale.rows.iter();
    let row = rows.find(|row| row.line.as_deref() == Some(&line.line));
    let stands = row.map_or(ZERO, |row| row.quantity);
    let by_hand = || {
        cannot(
            "cancel-rows",
            format!(
                "{} of line {} is to be taken off sale {}, whose row now says {}.",
                line.quantity,
                line.line,
                case.sale.id,
                stands.normal()
            ),
            "Change the row in Brightpearl yourself, then leave this card with a reason.",
        )
    };
    let was = if case.member.attempt <= 1 {
        stands
    } else {
        let reference = case.sale.external_ref.as_deref().unwrap_or_default();
        let sold = memory::one::<Units>(case.api.host, &format!("{UNITS}{reference}"));
        let sold = sold.ok_or_else(by_hand)?.value;
        let was = of(&sold, &line.line).minus(of(cut_before, &line.line));
        was.ok_or_else(by_hand)?
    };
    let to = was
        .minus(line.quantity)
        .filter(|to| to.compare(ZERO) != Ordering::Less);
    let to = to.ok_or_else(by_hand)?;
    if stands.compare(to) == Ordering::Equal {
        return Ok(None);
    }
    match row {
        Some(row) if stands.compare(was) == Ordering::Equal && !row.bundle => {
            Ok(Some(Cut { row, to }))
        }
        _ => Err(by_hand()),
    }
}

/// Open notes that hold units which are to be cut.
fn notes_in_the_way(case: &Case<'_>, cuts: &[Cut<'_>]) -> Result<Vec<i64>, Failure> {
    let mut open = Vec::new();
    for cut in cuts {
        let mut held = ZERO;
        let mut gone = ZERO;
        let mut holders = Vec::new();
        for (id, note) in case.notes {
            let Some(packed) = note.rows.get(&cut.row.id) else {
                continue;
            };
            held = held.plus(packed.quantity).unwrap_or(held);
            if note.steps[3] {
                gone = gone.plus(packed.quantity).unwrap_or(gone);
                if gone.compare(cut.to) == Ordering::Greater {
                    return Err(shipped(case.sale.id, *id));
                }
            } else {
                holders.push(*id);
            }
        }
        if held.compare(cut.to) == Ordering::Greater {
            open.extend(holders);
        }
    }
    open.sort_unstable();
    open.dedup();
    Ok(open)
}

fn send(case: &Case<'_>, cut: &Cut<'_>) -> Result<Option<Outcome>, Failure> {
    let row = cut.row;
    let path = format!("/order-service/order/{}/row/{}", case.sale.id, row.id);
    let step = format!("cut-row-{}", row.id);
    if cut.to.is_zero() {
        return case.send("DELETE", &path, &Value::Null, &step);
    }
    let amount = |whole| {
        share(whole, cut.to, row.quantity)
            .unwrap_or(whole)
            .to_string()
    };
    let replace =
        |path: &str, value: String| json!({"op": "replace", "path": path, "value": value});
    // The tax last: Brightpearl works it out anew when the net changes.
    let body = json!([
        replace("/quantity/magnitude", cut.to.normal().to_string()),
        replace("/rowValue/rowNet/value", amount(row.net)),
        replace("/rowValue/rowTax/value", amount(row.tax)),
    ]);
    case.send("PATCH", &path, &body, &step)
}
