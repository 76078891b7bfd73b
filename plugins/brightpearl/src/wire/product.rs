//! Owns a row of product-search and the custom fields of products. Must not know what an item is.

use super::ids;
use super::search::Row;
use serde_json::Value;
use std::collections::BTreeMap;

/// The columns asked for.
pub const COLUMNS: &str = "productId,productName,SKU,barcode,EAN,UPC,ISBN,MPN,stockTracked,createdOn,updatedOn,productStatus";

/// Ids below this are no products: 1000 stands for free text.
const FIRST_PRODUCT: i64 = 1001;

/// The columns that name a product, each with the word for that kind of id.
const NAMES: [(&str, &str); 6] = [
    ("SKU", "sku"),
    ("EAN", "ean"),
    ("UPC", "upc"),
    ("ISBN", "isbn"),
    ("MPN", "mpn"),
    ("barcode", "barcode"),
];

/// One product as the catalogue lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: i64,
    /// What people call it; may be empty.
    pub name: String,
    /// Kind and value of each id that is filled. Not unique.
    pub names: Vec<(&'static str, String)>,
    /// Whether stock is counted; bundles and services have none. `None` where it is not told.
    pub stock_tracked: Option<bool>,
    /// For example `LIVE`.
    pub status: Option<String>,
    /// UTC milliseconds.
    pub created: Option<i64>,
    /// UTC milliseconds; unset until the first change.
    pub updated: Option<i64>,
}

impl Product {
    /// Reads a row; `None` where it is no product of the catalogue.
    pub fn read(row: Row<'_>) -> Option<Self> {
        let id = row.whole("productId").filter(|id| *id >= FIRST_PRODUCT)?;
        let names = NAMES
            .iter()
            .filter_map(|(column, kind)| Some((*kind, row.text(column)?)))
            .collect();
        Some(Self {
            id,
            name: row.text("productName").unwrap_or_default(),
            names,
            stock_tracked: row.flag("stockTracked"),
            status: row.text("productStatus"),
            created: row.instant("createdOn"),
            updated: row.instant("updatedOn"),
        })
    }
    /// The newest of both times, in UTC milliseconds.
    pub fn changed(&self) -> Option<i64> {
        self.updated.max(self.created)
    }
}

/// How deep a bundle may hold bundles.
const DEPTH: usize = 16;

/// What the bundles of an answer are made of, by product id: products that are no bundles themselves, and how many of each
/// one bundle needs.
pub fn bundles(response: &Value) -> BTreeMap<i64, BTreeMap<i64, i64>> {
    super::lists::items(response)
        .filter_map(|product| {
            let id = product.get("id").and_then(ids::whole)?;
            let mut parts = BTreeMap::new();
            unpack(product.get("composition"), 1, DEPTH, &mut parts);
            Some((id, parts)).filter(|(_, parts)| !parts.is_empty())
        })
        .collect()
}

fn unpack(composition: Option<&Value>, times: i64, depth: usize, parts: &mut BTreeMap<i64, i64>) {
    let list = composition.and_then(|c| c.get("bundleComponents"));
    for part in list.and_then(Value::as_array).into_iter().flatten() {
        let id = part.get("productId").and_then(ids::whole);
        let units = part.get("productQuantity").and_then(ids::decimal);
        let units = units.and_then(|units| units.normal().to_whole());
        let Some((id, units)) = id.zip(units).filter(|(_, units)| *units > 0) else {
            continue;
        };
        let units = units.saturating_mul(times);
        let inner = part.get("composition");
        let holds = |c: &Value| {
            c.get("bundleComponents")
                .and_then(Value::as_array)
                .is_some()
        };
        if depth > 0 && inner.is_some_and(holds) {
            unpack(inner, units, depth - 1, parts);
        } else {
            let known = parts.entry(id).or_insert(0);
            *known = known.saturating_add(units);
        }
    }
}

/// The value of one custom field by product id; products without it are left out.
pub fn custom_values(response: &Value, field: &str) -> BTreeMap<i64, String> {
    let Value::Object(map) = response else {
        return BTreeMap::new();
    };
    map.iter()
        .filter_map(|(id, fields)| {
            let value = fields.get(field)?;
            // A choice is an object with its own id; people see its value.
            let value = ids::text(value.get("value").unwrap_or(value))?;
            Some((id.parse().ok()?, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bundles_are_unpacked_to_what_has_stock() {
        let inner = json!({"bundle": true, "bundleComponents": [
            {"productId": 1007, "productQuantity": 3, "composition": {"bundle": false}}]});
        let answer = json!([
            {"id": 1100, "composition": {"bundle": true, "bundleComponents": [
                {"productId": "1007", "productQuantity": "2.0000", "composition": {"bundle": false}},
                {"productId": 1050, "productQuantity": 2, "composition": inner}, null,
                {"productId": 1008, "productQuantity": 0}, {"productQuantity": 1}]}},
            {"id": 1007, "composition": {"bundle": false}}, {"id": 1009},
        ]);
        let all = bundles(&answer);
        assert_eq!(all.len(), 1);
        assert_eq!(all[&1100], BTreeMap::from([(1007, 2 + 2 * 3)]));
    }

    #[test]
    fn custom_fields_of_every_type_become_text() {
        let map = json!({
            "1007": {"PCF_ID": "A-1", "PCF_X": true},
            "1008": {"PCF_ID": {"id": 64, "value": "West"}},
            "1009": {"PCF_ID": 12},
            "1010": {"PCF_ID": " "},
            "1011": {},
        });
        let values = custom_values(&map, "PCF_ID");
        assert_eq!(
            values.into_iter().collect::<Vec<_>>(),
            [
                (1007, "A-1".to_owned()),
                (1008, "West".to_owned()),
                (1009, "12".to_owned())
            ]
        );
        assert!(custom_values(&json!([]), "PCF_ID").is_empty());
    }
}
