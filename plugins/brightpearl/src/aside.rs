//! Owns which units of a sale are set aside and which have left, where the sale itself only says that some are: from its
//! reservation and its goods-out notes. Must not know what follows from it.

use crate::api::Api;
use crate::notes;
use crate::wire::ids;
use crate::wire::sold::Sold;
use serde_json::Value;
use std::collections::BTreeMap;
use waybill_sdk::commerce::Decimal;
use waybill_sdk::decimal::ZERO;
use waybill_sdk::types::Failure;

/// Units of a line, or of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Set aside, and not gone yet.
    pub aside: Decimal,
    /// Gone.
    pub left: Decimal,
}

impl Default for Units {
    fn default() -> Self {
        Self {
            aside: ZERO,
            left: ZERO,
        }
    }
}

type ByRow = BTreeMap<i64, Units>;

/// The units of these sales by line: one call for the notes of all, and one each for what is reserved.
pub fn read(
    api: &Api<'_>,
    sales: &BTreeMap<i64, Sold>,
) -> Result<BTreeMap<i64, BTreeMap<String, Units>>, Failure> {
    let ids: Vec<i64> = sales.keys().copied().collect();
    let mut rows: BTreeMap<i64, ByRow> = BTreeMap::new();
    for (_, note) in notes::of_sales(api, &ids)? {
        let of = rows.entry(note.order).or_default();
        for (row, packed) in &note.rows {
            let units = of.entry(*row).or_default();
            let into = if note.steps[3] {
                &mut units.left
            } else {
                &mut units.aside
            };
            *into = into.plus(packed.quantity).unwrap_or(*into);
        }
    }
    let mut all = BTreeMap::new();
    for (id, sale) in sales {
        let mut by_row = rows.remove(id).unwrap_or_default();
        let path = format!("/warehouse-service/order/{id}/reservation");
        if let Some(reply) = api.get_found(&path)? {
            reserved(&reply.value, &mut by_row);
        }
        all.insert(*id, by_line(sale, &by_row));
    }
    Ok(all)
}

/// What a reservation holds is on no note.
fn reserved(answer: &Value, by_row: &mut ByRow) {
    let one = std::slice::from_ref(answer);
    let entries = answer.as_array().map_or(one, Vec::as_slice);
    let rows = entries.iter().filter_map(|e| e["orderRows"].as_object());
    for (row, held) in rows.flatten() {
        let held = held.get("quantity").and_then(ids::decimal);
        if let Some((row, held)) = row.trim().parse().ok().zip(held) {
            let units = by_row.entry(row).or_default();
            units.aside = units.aside.plus(held).unwrap_or(units.aside);
        }
    }
}

/// A kit is set aside as often as its scarcest part.
fn by_line(sale: &Sold, by_row: &ByRow) -> BTreeMap<String, Units> {
    let of = |row: i64| by_row.get(&row).copied().unwrap_or_default();
    let mut lines = BTreeMap::new();
    for (id, row) in &sale.rows {
        let Some(line) = row.line.as_ref().filter(|_| !row.child) else {
            continue;
        };
        let parts = sale.parts_of(*id);
        let units = if parts.is_empty() {
            of(*id)
        } else {
            let kits = |units: &dyn Fn(Units) -> Option<Decimal>| {
                let whole = row.quantity()?.to_whole()?;
                let each = parts.iter().map(|(part, _, needed)| {
                    let needed = needed.to_whole().filter(|needed| *needed > 0)?;
                    Some(units(of(*part))?.to_whole()?.checked_mul(whole)? / needed)
                });
                each.collect::<Option<Vec<i64>>>()?.into_iter().min()
            };
            // What cannot be counted counts as not set aside.
            let all = kits(&|u| u.aside.plus(u.left)).unwrap_or(0);
            let left = kits(&|u| Some(u.left)).unwrap_or(0);
            Units {
                aside: Decimal::whole(all.saturating_sub(left)),
                left: Decimal::whole(left),
            }
        };
        lines.insert(line.clone(), units);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sold;
    use serde_json::json;

    #[test]
    fn a_kit_is_set_aside_as_often_as_its_scarcest_part() {
        let sale = json!([{"id": 7, "rows": [
            {"id": 1, "productId": 1100, "quantity": "4.0000", "externalRef": "K", "bundleParent": true},
            {"id": 2, "productId": 1007, "quantity": 8, "bundleChild": true, "parentRowId": 1},
            {"id": 3, "productId": 1008, "quantity": 4, "bundleChild": true, "parentRowId": 1},
            {"id": 4, "productId": 1009, "quantity": 5, "externalRef": "L"}, {"id": 5, "productId": 1010, "quantity": 1}]}]);
        let sale = sold::sales(&sale).pop().unwrap().2;
        let mut rows = ByRow::new();
        rows.insert(
            2,
            Units {
                aside: ZERO,
                left: Decimal::whole(2),
            },
        );
        rows.insert(
            3,
            Units {
                aside: ZERO,
                left: Decimal::whole(1),
            },
        );
        let held = json!([{"orderId": 7, "warehouseId": 2, "orderRows": {"2": {"productId": 1007, "quantity": 5},
            "3": {"productId": 1008, "quantity": "3"}, "4": {"productId": 1009, "quantity": 2}, "x": {}}}]);
        reserved(&held, &mut rows);
        let lines = by_line(&sale, &rows);
        let of = |line: &str| (lines[line].aside.units, lines[line].left.units);
        assert_eq!(of("K"), (2, 1));
        assert_eq!(of("L"), (2, 0));
        assert_eq!(lines.len(), 2);
    }
}
