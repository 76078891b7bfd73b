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
