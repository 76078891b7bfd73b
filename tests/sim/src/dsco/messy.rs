//! Owns the mess real accounts show: nulls against missing fields, numbers for ids, odd letter case, fields nobody has
//! heard of. Seeded per object. Must not change what an order means.

use serde_json::{Map, Value, json};

use crate::dice::Dice;

/// Messes an order up.
pub(crate) fn order(value: &mut Value, dice: &mut Dice) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    drop_nulls(fields, dice);
    for id in ["dscoOrderId", "dscoRetailerId", "dscoSupplierId"] {
        if dice.chance(0.4) {
            to_number(fields, id);
        }
    }
    if dice.chance(0.5) {
        fields.insert("orderType".to_owned(), json!("Dropship"));
    }
    match dice.below(3) {
        0 => drop(fields.insert("billTo".to_owned(), Value::Null)),
        1 => drop(fields.remove("billTo")),
        _ => {}
    }
    if dice.chance(0.5) {
        fields.insert("taxes".to_owned(), Value::Null);
    }
    if let Some(shipping) = fields.get_mut("shipping").and_then(Value::as_object_mut) {
        name(shipping, dice);
    }
    if let Some(lines) = fields.get_mut("lineItems").and_then(Value::as_array_mut) {
        for line in lines.iter_mut().filter_map(Value::as_object_mut) {
            drop_nulls(line, dice);
            if dice.chance(0.4) {
                to_number(line, "dscoItemId");
            }
            if dice.chance(0.3) {
                line.remove("remainingQuantity");
                line.remove("shippedQuantity");
            }
            line.insert("zzFutureLineField".to_owned(), json!([1, {"a": null}]));
        }
    }
    fields.insert(
        "zzFutureField".to_owned(),
        json!({"nested": {"flag": true}}),
    );
}

/// Either the full name or first and last name.
fn name(shipping: &mut Map<String, Value>, dice: &mut Dice) {
    let empty: &[&str] = match dice.below(3) {
        0 => &["name"],
        1 => &["firstName", "lastName"],
        _ => return,
    };
    for field in empty {
        shipping.insert((*field).to_owned(), Value::Null);
    }
}

fn drop_nulls(fields: &mut Map<String, Value>, dice: &mut Dice) {
    fields.retain(|_, value| !value.is_null() || dice.chance(0.5));
}

fn to_number(fields: &mut Map<String, Value>, name: &str) {
    if let Some(field) = fields.get_mut(name)
        && let Some(number) = field.as_str().and_then(|t| t.parse::<u64>().ok())
    {
        *field = json!(number);
    }
}
