//! Owns how a goods-out note becomes a shipment: pure, one note and what its sale holds in, one document out.
//!
//! A row of the note is the order's line that the sale's row carries as external reference; a part of a kit is a part of
//! the line its kit stands for. Rows that are no line of the order (charges, what a person added) are named in the
//! extras. So are rows where two lines could be meant: nobody guesses, the rest of the note is reported, and the line
//! stays open where people see it. Must not know how notes are found or read.

use crate::wire::note::Note;
use crate::wire::sold::{Sold, SoldRow};
use waybill_sdk::commerce::{
    Body, Decimal, Document, Extra, Method, PackedLine, Parcel, Part, Shipment, Stage,
};

/// Rows that are no line of the order.
pub const NOT_OF_THE_ORDER: &str = "not-of-the-order";

/// Rows that may be more than one line of the order.
pub const AMBIGUOUS: &str = "ambiguous-row";

/// Digits behind the point of a part's quantity per unit.
const DIGITS: u32 = 6;

/// Longest piece of tracking numbers in a revision.
const TEXT: usize = 200;

/// The shipment of a note.
pub fn document(id: i64, note: &Note, sale: &Sold, now_ms: i64) -> Document {
    let (lines, mut extras) = lines(note, sale);
    let tracking = tracking_numbers(&note.reference);
    let method = note.method.or(sale.method);
    let stage = stage(note.steps);
    let boxes = note.boxes.as_deref().filter(|boxes| *boxes != "0");
    let named = |name: &str, value: Option<String>| Some(extra(name, value?));
    extras.extend(named("boxes", boxes.map(str::to_owned)));
    extras.extend(named("weight", note.weight.clone()));
    extras.extend(named("sequence", note.sequence.map(|n| n.to_string())));
    let units: i64 = lines.iter().map(|l| l.quantity.units).sum();
    let shipment = Shipment {
        order_key: note.order.to_string(),
        stage,
        shipped_at: note.shipped_on,
        warehouse: note.warehouse.map(|id| id.to_string()),
        shipping_method: method.map(by_id),
        parcels: parcels(&tracking, &lines),
        extras,
    };
    Document {
        key: id.to_string(),
        revision: format!(
            "{} {} {} {units} {}",
            note.version.unwrap_or_default(),
            stage_word(stage),
            method.unwrap_or_default(),
            tracking.join(",").chars().take(TEXT).collect::<String>()
        ),
        occurred_at: note.shipped_on.or(note.created_on).unwrap_or(now_ms),
        body: Body::Shipment(shipment),
    }
}

/// What a sale ships as a whole, without a goods-out note: every line as it stands. It was changed last at that time.
pub fn whole(id: i64, sale: &Sold, tracking: &str, at: i64) -> Document {
    let mut lines: Vec<PackedLine> = Vec::new();
    let mut extras = Vec::new();
    for (row, sold) in sale.rows.iter().filter(|(_, sold)| !sold.child) {
        let Some(quantity) = sold.quantity().filter(|units| units.is_positive()) else {
            continue;
        };
        match name_of(sold) {
            Ok(line) => add(&mut lines, line, quantity, None),
            Err(why) => extras.push(extra(why, format!("{quantity} on row {row}"))),
        }
    }
    let tracking = tracking_numbers(tracking);
    let units: i64 = lines.iter().map(|line| line.quantity.units).sum();
    Document {
        key: format!("{}{id}", crate::whole::KEY),
        revision: format!(
            "{at} {units} {}",
            tracking.join(",").chars().take(TEXT).collect::<String>()
        ),
        occurred_at: at,
        body: Body::Shipment(Shipment {
            order_key: id.to_string(),
            stage: Stage::Shipped,
            shipped_at: Some(at),
            warehouse: sale.warehouse.map(|id| id.to_string()),
            shipping_method: sale.method.map(by_id),
            parcels: parcels(&tracking, &lines),
            extras,
        }),
    }
}

fn by_id(method: i64) -> Method {
    Method {
        carrier: None,
        name: None,
        code: Some(method.to_string()),
    }
}

/// The highest step that was done.
const fn stage(steps: [bool; 4]) -> Stage {
    match steps {
        [_, _, _, true] => Stage::Shipped,
        [_, _, true, _] => Stage::Packed,
        [_, true, _, _] => Stage::Picked,
        [true, _, _, _] => Stage::Printed,
        _ => Stage::Created,
    }
}

const fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Created => "created",
        Stage::Printed => "printed",
        Stage::Picked => "picked",
        Stage::Packed => "packed",
        Stage::Shipped => "shipped",
    }
}

/// Tracking numbers as people type them, several in one field; each once, in their order.
pub fn tracking_numbers(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in text.split(|c: char| c == ',' || c == ';' || c.is_whitespace()) {
        if !word.is_empty() && !all.iter().any(|known| known == word) {
            all.push(word.to_owned());
        }
    }
    all
}

/// One parcel per tracking number. Nobody knows which unit lies in which of several: each repeats all lines.
fn parcels(tracking: &[String], lines: &[PackedLine]) -> Vec<Parcel> {
    let parcel = |tracking: Option<String>, span: bool| Parcel {
        tracking,
        lines: lines.to_vec(),
        span,
        extras: Vec::new(),
    };
    if tracking.is_empty() {
        return vec![parcel(None, false)];
    }
    let span = tracking.len() > 1;
    tracking
        .iter()
        .map(|number| parcel(Some(number.clone()), span))
        .collect()
}

fn extra(name: &str, value: String) -> Extra {
    Extra {
        name: name.to_owned(),
        value,
    }
}

/// The lines of a note, and what was left out of them.
fn lines(note: &Note, sale: &Sold) -> (Vec<PackedLine>, Vec<Extra>) {
    let mut lines: Vec<PackedLine> = Vec::new();
    let mut left_out = Vec::new();
    for (id, packed) in &note.rows {
        if !packed.quantity.is_positive() || is_told_by_parts(*id, note, sale) {
            continue;
        }
        let product = sale.rows.get(id).and_then(|row| row.product);
        let product = product.or(packed.product).unwrap_or_default();
        match line_of(*id, sale) {
            Ok((line, part)) => add(&mut lines, line, packed.quantity, part),
            Err(why) => left_out.push(extra(
                why,
                format!("{} of product {product}, row {id}", packed.quantity),
            )),
        }
    }
    (lines, left_out)
}

/// A kit whose parts are on the same note is told by them.
fn is_told_by_parts(id: i64, note: &Note, sale: &Sold) -> bool {
    sale.parts_of(id)
        .iter()
        .any(|(part, _, _)| note.rows.contains_key(part))
}

/// The order's line that a row stands for, and of which part of it; or the name of the extra it goes to.
fn line_of(id: i64, sale: &Sold) -> Result<(&str, Option<Part>), &'static str> {
    let row = sale.rows.get(&id).ok_or(NOT_OF_THE_ORDER)?;
    if !row.child {
        return Ok((name_of(row)?, None));
    }
    let (whole_id, whole) = sale.whole_of(id).ok_or(AMBIGUOUS)?;
    let line = name_of(whole)?;
    let item = row.product.ok_or(NOT_OF_THE_ORDER)?;
    let parts = sale.parts_of(whole_id);
    let of_item = parts
        .iter()
        .filter(|(_, product, _)| *product == item)
        .try_fold(waybill_sdk::decimal::ZERO, |sum, (_, _, q)| sum.plus(*q));
    let per_unit = of_item
        .zip(whole.quantity())
        .and_then(|(parts, wholes)| ratio(parts, wholes))
        .ok_or(AMBIGUOUS)?;
    let mut items: Vec<i64> = parts.iter().map(|(_, product, _)| *product).collect();
    items.sort_unstable();
    items.dedup();
    let part = Part {
        item: item.to_string(),
        per_unit,
        parts: u32::try_from(items.len()).unwrap_or(u32::MAX),
    };
    Ok((line, Some(part)))
}

fn name_of(row: &SoldRow) -> Result<&str, &'static str> {
    row.line.as_deref().ok_or(if row.doubtful {
        AMBIGUOUS
    } else {
        NOT_OF_THE_ORDER
    })
}

/// Several rows of one line, or of one part of it, are one.
fn add(lines: &mut Vec<PackedLine>, line: &str, quantity: Decimal, part: Option<Part>) {
    let known = lines
        .iter_mut()
        .find(|known| known.line == line && known.part == part);
    match known.and_then(|known| Some((known.quantity.plus(quantity)?, known))) {
        Some((sum, known)) => known.quantity = sum,
        None => lines.push(PackedLine {
            line: line.to_owned(),
            quantity,
            part,
        }),
    }
}

/// `part / whole` where that can be written exactly and is above nought.
fn ratio(part: Decimal, whole: Decimal) -> Option<Decimal> {
    let up = |d: Decimal, scale: u8| i128::from(d.units) * 10_i128.pow(u32::from(scale));
    let (part, whole) = (up(part, whole.scale), up(whole, part.scale));
    if part <= 0 || whole <= 0 {
        return None;
    }
    (0..=DIGITS).find_map(|digits| {
        let part = part.checked_mul(10_i128.pow(digits))?;
        let units = (part % whole == 0).then_some(part / whole)?;
        Some(Decimal {
            units: i64::try_from(units).ok()?,
            scale: u8::try_from(digits).ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{note, sold};
    use serde_json::{Value, json};

    fn sale(rows: &Value) -> Sold {
        sold::sales(&json!([{"id": 1, "rows": rows, "delivery": {"shippingMethodId": 9}}]))
            .pop()
            .unwrap()
            .2
    }

    fn note(rows: &Value, shipping: &Value) -> Note {
        let answer = json!({"5": {"orderId": 1, "status": {"shipped": true}, "shipping": shipping,
            "orderRows": rows, "lastEventVersion": 3, "warehouseId": 2}});
        note::notes(&answer).pop().unwrap().1
    }

    fn shipment(rows: &Value, shipping: &Value, sale: &Sold) -> (Shipment, String) {
        let document = document(5, &note(rows, shipping), sale, 7);
        match document.body {
            Body::Shipment(shipment) => (shipment, document.revision),
            other => panic!("no shipment: {other:?}"),
        }
    }

    type Told = (String, String, Option<(String, String, u32)>);

    fn told(lines: &[PackedLine]) -> Vec<Told> {
        lines
            .iter()
            .map(|l| {
                let part = l.part.as_ref();
                let part = part.map(|p| (p.item.clone(), p.per_unit.to_string(), p.parts));
                (l.line.clone(), l.quantity.to_string(), part)
            })
            .collect()
    }

    #[test]
    fn several_numbers_are_parcels_that_share_their_lines() {
        let sale =
            sale(&json!([{"id": 10, "productId": 1007, "quantity": 2, "externalRef": "L1"}]));
        let rows =
            json!({"10": [{"productId": 1007, "quantity": 1}, {"productId": 1007, "quantity": 1}]});
        let shipping = json!({"reference": "1Z1, 1Z2;1Z1\n1Z3", "shippingMethodId": 0});
        let (all, revision) = shipment(&rows, &shipping, &sale);
        let numbers: Vec<_> = all.parcels.iter().map(|p| p.tracking.as_deref()).collect();
        assert_eq!(numbers, [Some("1Z1"), Some("1Z2"), Some("1Z3")]);
        assert!(all.parcels.iter().all(|p| p.span && p.lines.len() == 1));
        assert_eq!(all.parcels[0].lines[0].quantity, Decimal::whole(2));
        assert_eq!(all.shipping_method.unwrap().code.as_deref(), Some("9"));
        assert_eq!(revision, "3 shipped 9 2 1Z1,1Z2,1Z3");
        let (none, other) = shipment(&rows, &json!({"reference": " "}), &sale);
        assert_eq!((none.parcels.len(), none.parcels[0].span), (1, false));
        assert_eq!(none.parcels[0].tracking, None);
        assert_ne!(revision, other);
    }

    #[test]
    fn parts_of_a_kit_are_parts_of_its_line() {
        let sale = sale(&json!([
            {"id": 10, "productId": 1100, "quantity": "3.0000", "externalRef": "L1", "bundleParent": true},
            {"id": 11, "productId": 1007, "quantity": "6.0000", "bundleChild": true, "parentRowId": 10},
            {"id": 12, "productId": 1008, "quantity": "3.0000", "bundleChild": true, "parentRowId": 10},
            {"id": 13, "productId": 1007, "quantity": "3.0000", "bundleChild": true, "parentRowId": 10},
        ]));
        let rows =
            json!({"11": [{"quantity": 2}], "13": [{"quantity": 1}], "12": [{"quantity": 1}]});
        let (all, _) = shipment(&rows, &json!({}), &sale);
        assert_eq!(
            told(&all.parcels[0].lines),
            [
                (
                    "L1".into(),
                    "3".into(),
                    Some(("1007".into(), "3".into(), 2))
                ),
                (
                    "L1".into(),
                    "1".into(),
                    Some(("1008".into(), "1".into(), 2))
                ),
            ]
        );
        let whole = json!({"10": [{"quantity": 1}]});
        let (whole, _) = shipment(&whole, &json!({}), &sale);
        assert_eq!(
            told(&whole.parcels[0].lines),
            [("L1".into(), "1".into(), None)]
        );
        let both = json!({"10": [{"quantity": 1}], "12": [{"quantity": 1}]});
        let (both, _) = shipment(&both, &json!({}), &sale);
        assert_eq!(
            both.parcels[0].lines.len(),
            1,
            "the kit is told by its parts"
        );
    }

    #[test]
    fn what_is_not_of_the_order_or_not_clear_is_named() {
        let mut sale = sale(&json!([
            {"id": 10, "productId": 1007, "quantity": 1, "externalRef": "L1"},
            {"id": 11, "productId": 1008, "quantity": 1},
            {"id": 12, "productId": 1009, "quantity": 2}, {"id": 13, "productId": 1009, "quantity": 2},
            {"id": 14, "productId": 1100, "quantity": 3, "externalRef": "L3", "bundleParent": true},
            {"id": 15, "productId": 1010, "quantity": 4, "bundleChild": true, "parentRowId": 14},
        ]));
        sale.name_rows(&[("L2".to_owned(), 1009)]);
        let rows = json!({"10": [{"quantity": 1}], "11": [{"quantity": 1}], "12": [{"quantity": 2}],
            "15": [{"quantity": 4}], "99": [{"productId": 1011, "quantity": 1}], "98": [{"quantity": 0}]});
        let (all, _) = shipment(&rows, &json!({}), &sale);
        assert_eq!(
            told(&all.parcels[0].lines),
            [("L1".into(), "1".into(), None)]
        );
        let extras: Vec<_> = all
            .extras
            .iter()
            .map(|e| (e.name.as_str(), e.value.as_str()))
            .collect();
        assert_eq!(
            extras,
            [
                (NOT_OF_THE_ORDER, "1 of product 1008, row 11"),
                (AMBIGUOUS, "2 of product 1009, row 12"),
                (AMBIGUOUS, "4 of product 1010, row 15"),
                (NOT_OF_THE_ORDER, "1 of product 1011, row 99"),
            ]
        );
    }

    #[test]
    fn the_highest_step_is_the_stage() {
        let at = |steps| stage_word(stage(steps));
        assert_eq!(at([false; 4]), "created");
        assert_eq!(at([true, false, true, false]), "packed");
        assert_eq!(at([true, true, false, false]), "picked");
        assert_eq!(at([false, false, false, true]), "shipped");
    }
}
