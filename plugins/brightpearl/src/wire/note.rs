//! Owns how a goods-out note and a row of its search are written. Read with patience: numbers come as texts, fields are
//! missing or null, rows have one place or many. Must not know canonical documents.

use super::envelope::unescape;
use super::ids;
use super::search::Row;
use serde_json::Value;
use std::collections::BTreeMap;
use waybill_sdk::commerce::Decimal;
use waybill_sdk::decimal::ZERO;

/// The steps of a note in their order, as its status names them.
pub const STEPS: [&str; 4] = ["printed", "picked", "packed", "shipped"];

/// The columns that are asked for.
pub const COLUMNS: &str = "goodsOutNoteId,orderId,printed,picked,packed,shipped,shippedOn,shippingMethodId,warehouseId,createdOn";

/// What a note holds of one row of its sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The product, where it is told.
    pub product: Option<i64>,
    /// Units over all places.
    pub quantity: Decimal,
}

/// A goods-out note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The sale it belongs to.
    pub order: i64,
    /// The warehouse it leaves from.
    pub warehouse: Option<i64>,
    /// Which of [`STEPS`] were done.
    pub steps: [bool; 4],
    /// When it was shipped, in UTC milliseconds.
    pub shipped_on: Option<i64>,
    /// When it was made.
    pub created_on: Option<i64>,
    /// The newest time that it names.
    pub last_on: Option<i64>,
    /// Tracking numbers as somebody typed them.
    pub reference: String,
    /// The note's own shipping method.
    pub method: Option<i64>,
    /// Number of boxes.
    pub boxes: Option<String>,
    /// Weight, in the account's unit.
    pub weight: Option<String>,
    /// Which note of its order it is.
    pub sequence: Option<i64>,
    /// Counts the note's events.
    pub version: Option<i64>,
    /// By row of the sale.
    pub rows: BTreeMap<i64, Packed>,
}

/// The notes of an answer by their ids; what is none, and moves between warehouses, are left out.
pub fn notes(response: &Value) -> Vec<(i64, Note)> {
    match response {
        Value::Object(map) => map
            .iter()
            .filter_map(|(id, note)| Some((id.trim().parse().ok()?, read(note)?)))
            .collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(|note| {
                let id = ["goodsOutNoteId", "id"]
                    .iter()
                    .find_map(|name| note.get(name).and_then(ids::whole))?;
                Some((id, read(note)?))
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn positive(value: Option<&Value>) -> Option<i64> {
    value.and_then(ids::whole).filter(|id| *id > 0)
}

fn read(note: &Value) -> Option<Note> {
    let order = positive(note.get("orderId"))?;
    if note.get("transfer").and_then(ids::flag) == Some(true) {
        return None;
    }
    let nothing = Value::Null;
    let status = note.get("status").unwrap_or(&nothing);
    let shipping = note.get("shipping").unwrap_or(&nothing);
    let when = |name: &str| status.get(format!("{name}On")).and_then(ids::instant);
    let steps = STEPS.map(|step| {
        let told = status.get(step).and_then(ids::flag);
        told.unwrap_or_else(|| when(step).is_some())
    });
    let created_on = note.get("createdOn").and_then(ids::instant);
    let events = note.get("events").and_then(Value::as_array);
    let occurred = events
        .into_iter()
        .flatten()
        .filter_map(|e| e.get("occured").and_then(ids::instant));
    let last_on = STEPS
        .iter()
        .filter_map(|step| when(step))
        .chain(created_on)
        .chain(occurred)
        .max();
    let text = |from: &Value, name: &str| from.get(name).and_then(ids::text);
    Some(Note {
        order,
        warehouse: positive(note.get("warehouseId")),
        shipped_on: when("shipped").filter(|_| steps[3]),
        steps,
        created_on,
        last_on,
        reference: unescape(&text(shipping, "reference").unwrap_or_default()),
        method: positive(shipping.get("shippingMethodId")),
        boxes: text(shipping, "boxes"),
        weight: text(shipping, "weight"),
        sequence: note.get("sequence").and_then(ids::whole),
        version: note.get("lastEventVersion").and_then(ids::whole),
        rows: rows(note.get("orderRows")),
    })
}

/// A row has a list of places; one place on its own counts as such a list.
fn rows(value: Option<&Value>) -> BTreeMap<i64, Packed> {
    let places = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        other => vec![other.clone()],
    };
    let packed = |value: &Value| {
        let places = places(value);
        let quantity = places
            .iter()
            .filter_map(|place| place.get("quantity").and_then(ids::decimal))
            .try_fold(ZERO, Decimal::plus)?;
        let product = places.iter().find_map(|p| positive(p.get("productId")));
        Some(Packed { product, quantity })
    };
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(id, value)| Some((id.trim().parse().ok()?, packed(value)?)))
        .collect()
}

/// A note as its search shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The note.
    pub id: i64,
    /// Its sale.
    pub order: i64,
    /// All that the search shows of it: another text is another state of the note.
    pub state: String,
}

/// Reads a row of the search; moves between warehouses have no sale and are left out.
pub fn listed(row: Row<'_>) -> Option<Listed> {
    let id = row.whole("goodsOutNoteId").filter(|id| *id > 0)?;
    let order = row.whole("orderId").filter(|id| *id > 0)?;
    let steps = STEPS.map(|step| row.flag(step) == Some(true));
    let method = row.whole("shippingMethodId");
    Some(Listed {
        id,
        order,
        state: state_of(steps, row.instant("shippedOn"), method),
    })
}

/// The state of a note that was read, as its search would show it.
pub fn state(note: &Note) -> String {
    state_of(note.steps, note.shipped_on, note.method)
}

fn state_of(steps: [bool; 4], shipped_on: Option<i64>, method: Option<i64>) -> String {
    let steps: String = steps
        .map(|done| if done { '1' } else { '0' })
        .iter()
        .collect();
    let (shipped_on, method) = (shipped_on.unwrap_or_default(), method.unwrap_or_default());
    format!("{steps} {shipped_on} {method}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_note_is_read_in_every_dress() {
        let answer = json!({
            "700123": {"orderId": "100245", "warehouseId": 2, "transfer": "false",
                "status": {"shipped": "true", "packed": true, "picked": null, "pickedOn": "2025-11-03T08:00:00.000-06:00",
                    "shippedOn": "2025-11-03T08:05:10.000-06:00"},
                "shipping": {"reference": " 1Z&amp;9 ", "shippingMethodId": "12", "weight": 2.5},
                "orderRows": {"398120": [{"productId": 1007, "quantity": 2}, {"productId": 1007, "quantity": "1.0000"}],
                    "398121": {"productId": 1008, "quantity": 1}, "x": [], "398122": [null]},
                "lastEventVersion": "88001", "later": {"added": []}},
            "700124": {"orderId": 0, "transfer": true, "transferRows": {}},
            "700125": {"orderId": 7, "transfer": true},
            "700126": null, "many": {"orderId": 7},
        });
        let all = notes(&answer);
        assert_eq!(all.len(), 1);
        let (id, note) = &all[0];
        assert_eq!(
            (*id, note.order, note.warehouse),
            (700_123, 100_245, Some(2))
        );
        assert_eq!(note.steps, [false, true, true, true]);
        assert_eq!(note.shipped_on, Some(1_762_178_710_000));
        assert_eq!((note.reference.as_str(), note.method), ("1Z&9", Some(12)));
        assert_eq!(note.rows[&398_120].quantity, Decimal::whole(3));
        assert_eq!(note.rows[&398_121].product, Some(1008));
        assert_eq!(note.rows[&398_122].quantity, ZERO);
        assert_eq!(note.version, Some(88_001));
    }

    #[test]
    fn notes_in_a_list_have_their_id_inside() {
        let all = notes(&json!([{"id": 5, "orderId": 7}, {"orderId": 8}, 3]));
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].0, 5);
        assert!(notes(&json!("none")).is_empty());
    }
}
