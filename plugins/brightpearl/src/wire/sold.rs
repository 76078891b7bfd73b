//! Owns how a sale is read back: its rows by id, with the key each row has at the order's source, and how it ships. Also
//! the form in which it is kept. Must not know goods-out notes or canonical documents.

use super::ids;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use waybill_sdk::commerce::Decimal;

/// Products below this id stand for free text.
const CATALOGUE: i64 = 1001;

/// How deep a bundle may hold bundles.
const DEPTH: usize = 16;

/// One row of a sale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SoldRow {
    /// Its product, where it has one of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<i64>,
    /// How many.
    quantity: String,
    /// Key of the line at the order's source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The row whose bundle it is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<i64>,
    /// Part of a bundle, whether or not it says of which.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub child: bool,
    /// Says of itself that it is a bundle.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bundle: bool,
    /// Its product has no stock: it is on no goods-out note.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untracked: bool,
    /// More than one line of the order could be meant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub doubtful: bool,
}

impl SoldRow {
    /// How many; `None` where it is no number.
    pub fn quantity(&self) -> Option<Decimal> {
        Decimal::parse(&self.quantity)
    }
}

/// A sale as far as its notes need it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sold {
    /// The sale's own shipping method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<i64>,
    /// The warehouse it is to leave from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<i64>,
    /// Its rows by id.
    pub rows: BTreeMap<i64, SoldRow>,
}

/// A line as it was sent: its key at the source, and the product it became.
pub type SentLine = (String, i64);

/// The sales of an answer: id, external reference, content.
pub fn sales(response: &Value) -> Vec<(i64, Option<String>, Sold)> {
    super::lists::items(response)
        .filter_map(|sale| {
            let id = sale.get("id").and_then(ids::whole)?;
            let reference = sale.get("externalRef").and_then(ids::text);
            Some((id, reference, read(sale)))
        })
        .collect()
}

fn positive(value: Option<&Value>) -> Option<i64> {
    value.and_then(ids::whole).filter(|id| *id > 0)
}

fn read(sale: &Value) -> Sold {
    let rows = match sale.get("rows") {
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|row| Some((row_id(row)?, row)))
            .collect(),
        Some(Value::Object(map)) => map
            .iter()
            .filter_map(|(id, row)| Some((id.trim().parse().ok()?, row)))
            .collect(),
        _ => Vec::new(),
    };
    let delivery = sale.get("delivery").unwrap_or(&Value::Null);
    Sold {
        method: positive(delivery.get("shippingMethodId")),
        warehouse: positive(sale.get("warehouseId")),
        rows: rows
            .into_iter()
            .map(|(id, row)| (id, sold_row(row)))
            .collect(),
    }
}

fn row_id(row: &Value) -> Option<i64> {
    positive(row.get("id"))
}

fn sold_row(row: &Value) -> SoldRow {
    let parent = positive(row.get("parentRowId")).or_else(|| positive(row.get("parentOrderRowId")));
    SoldRow {
        product: positive(row.get("productId")).filter(|id| *id >= CATALOGUE),
        quantity: row.get("quantity").and_then(ids::text).unwrap_or_default(),
        line: row.get("externalRef").and_then(ids::text),
        parent,
        child: row.get("bundleChild").and_then(ids::flag) == Some(true) || parent.is_some(),
        bundle: row.get("bundleParent").and_then(ids::flag) == Some(true),
        untracked: false,
        doubtful: false,
    }
}

impl Sold {
    /// Gives rows without a key the line that was sent for their product, where only one can be meant. Where two can,
    /// the row is marked: nobody guesses.
    pub fn name_rows(&mut self, sent: &[SentLine]) {
        let named: Vec<String> = self.rows.values().filter_map(|r| r.line.clone()).collect();
        let open: Vec<&SentLine> = sent.iter().filter(|(l, _)| !named.contains(l)).collect();
        let nameless = |row: &SoldRow| !row.child && row.line.is_none();
        let products: Vec<i64> = self
            .rows
            .values()
            .filter(|row| nameless(row))
            .filter_map(|row| row.product)
            .collect();
        for row in self.rows.values_mut() {
            let Some(product) = row.product.filter(|_| nameless(row)) else {
                continue;
            };
            let mut lines = open.iter().filter(|(_, p)| *p == product);
            let same = products.iter().filter(|p| **p == product).count();
            match (lines.next(), lines.next()) {
                (Some((line, _)), None) if same == 1 => row.line = Some(line.clone()),
                (Some(_), _) => row.doubtful = true,
                (None, _) => {}
            }
        }
    }

    /// The row that was ordered and of whose bundle this row is a part, however deep; `None` where it does not say, or
    /// is no part of one.
    pub fn whole_of(&self, id: i64) -> Option<(i64, &SoldRow)> {
        let mut at = id;
        for _ in 0..DEPTH {
            let row = self.rows.get(&at)?;
            match self.parent_of(row) {
                Some(parent) => at = parent,
                None if row.child || at == id => return None,
                None => return Some((at, row)),
            }
        }
        None
    }

    /// The parent a row names; a part that names none belongs to the only bundle there is.
    fn parent_of(&self, row: &SoldRow) -> Option<i64> {
        if !row.child {
            return None;
        }
        row.parent
            .filter(|id| self.rows.contains_key(id))
            .or_else(|| {
                let mut wholes = self.rows.iter().filter(|(_, r)| r.bundle && !r.child);
                match (wholes.next(), wholes.next()) {
                    (Some((id, _)), None) => Some(*id),
                    _ => None,
                }
            })
    }

    /// The parts of a bundle that are packed: those that have stock and are no bundles themselves. Product and quantity of each row.
    pub fn parts_of(&self, whole: i64) -> Vec<(i64, i64, Decimal)> {
        self.rows
            .iter()
            .filter(|(id, row)| row.child && !row.untracked && !self.has_parts(**id))
            .filter(|(id, _)| self.whole_of(**id).is_some_and(|(of, _)| of == whole))
            .filter_map(|(id, row)| Some((*id, row.product?, row.quantity()?)))
            .collect()
    }

    fn has_parts(&self, id: i64) -> bool {
        self.rows
            .values()
            .any(|row| self.parent_of(row) == Some(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sale(rows: &Value) -> Sold {
        let answer = json!([{"id": "100245", "externalRef": "wb-1", "rows": rows,
            "delivery": {"shippingMethodId": 12}}]);
        sales(&answer).pop().unwrap().2
    }

    fn sent(list: &[(&str, i64)]) -> Vec<SentLine> {
        list.iter().map(|(l, p)| ((*l).to_owned(), *p)).collect()
    }

    #[test]
    fn rows_are_read_whatever_their_dress() {
        let sale = sale(&json!([
            {"id": 1, "productId": "1007", "quantity": "2.0000", "externalRef": "L1", "bundleChild": false, "parentRowId": null},
            {"id": 2, "productId": 1000, "quantity": 1, "externalRef": ""},
            {"productId": 1009}, null,
        ]));
        assert_eq!(sale.method, Some(12));
        assert_eq!(sale.rows.len(), 2);
        assert_eq!(sale.rows[&1].line.as_deref(), Some("L1"));
        assert_eq!(sale.rows[&1].quantity(), Some(Decimal::whole(2)));
        assert_eq!((sale.rows[&2].product, &sale.rows[&2].line), (None, &None));
        let bytes = serde_json::to_vec(&sale).unwrap();
        assert_eq!(serde_json::from_slice::<Sold>(&bytes).unwrap(), sale);
    }

    #[test]
    fn a_nameless_row_is_named_where_one_line_can_be_meant() {
        let mut one = sale(&json!([{"id": 1, "productId": 1007}, {"id": 2, "productId": 1008}]));
        one.name_rows(&sent(&[("L1", 1007), ("L2", 1008)]));
        assert_eq!(one.rows[&1].line.as_deref(), Some("L1"));
        let mut two_rows =
            sale(&json!([{"id": 1, "productId": 1007}, {"id": 2, "productId": 1007}]));
        two_rows.name_rows(&sent(&[("L1", 1007)]));
        assert!(two_rows.rows[&1].doubtful && two_rows.rows[&1].line.is_none());
        let mut two_lines = sale(&json!([{"id": 1, "productId": 1007}]));
        two_lines.name_rows(&sent(&[("L1", 1007), ("L2", 1007)]));
        assert!(two_lines.rows[&1].doubtful);
        let mut taken = sale(
            &json!([{"id": 1, "productId": 1007, "externalRef": "L1"}, {"id": 2, "productId": 1007}]),
        );
        taken.name_rows(&sent(&[("L1", 1007)]));
        assert!(
            !taken.rows[&2].doubtful && taken.rows[&2].line.is_none(),
            "added by a person"
        );
    }

    #[test]
    fn parts_find_their_whole_through_bundles_of_bundles() {
        let sale = sale(&json!([
            {"id": 1, "productId": 1100, "quantity": 2, "externalRef": "L1", "bundleParent": true},
            {"id": 2, "productId": 1007, "quantity": 4, "bundleChild": true, "parentRowId": 1},
            {"id": 3, "productId": 1101, "quantity": 2, "bundleChild": true, "bundleParent": true, "parentRowId": 1},
            {"id": 4, "productId": 1008, "quantity": 6, "bundleChild": true, "parentRowId": 3},
            {"id": 5, "productId": 1009, "quantity": 1, "externalRef": "L2"},
        ]));
        assert_eq!(sale.whole_of(4).map(|(id, _)| id), Some(1));
        assert_eq!(sale.whole_of(5), None);
        let parts: Vec<i64> = sale
            .parts_of(1)
            .iter()
            .map(|(_, product, _)| *product)
            .collect();
        assert_eq!(parts, [1007, 1008]);
    }

    #[test]
    fn a_part_without_its_parent_belongs_to_the_only_bundle_or_to_none() {
        let one = sale(
            &json!([{"id": 1, "productId": 1100, "quantity": 1, "externalRef": "L1", "bundleParent": true},
            {"id": 2, "productId": 1007, "quantity": 1, "bundleChild": true}, {"id": 3, "productId": 1008, "quantity": 1}]),
        );
        assert_eq!(one.whole_of(2).map(|(id, _)| id), Some(1));
        let two = sale(
            &json!([{"id": 1, "productId": 1100, "bundleParent": true}, {"id": 3, "productId": 1101, "bundleParent": true},
            {"id": 2, "productId": 1007, "bundleChild": true, "parentRowId": 99}]),
        );
        assert_eq!(two.whole_of(2), None);
        let circle = sale(
            &json!([{"id": 1, "productId": 1100, "parentRowId": 2}, {"id": 2, "productId": 1101, "parentRowId": 1}]),
        );
        assert_eq!(circle.whole_of(1), None);
    }
}
