//! Owns the positional rows of Brightpearl's searches: they are read by column name, since columns are added over time.
//! Must not know which search was asked.

use super::ids;
use serde::Deserialize;
use serde_json::Value;

/// The value under `response` of any search.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    #[serde(default)]
    results: Vec<Vec<Value>>,
    meta_data: MetaData,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetaData {
    #[serde(default)]
    more_pages_available: bool,
    /// Absent where nothing was found.
    #[serde(default)]
    last_result: Option<u64>,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, Deserialize)]
struct Column {
    name: String,
}

/// One row with its names.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    columns: &'a [Column],
    cells: &'a [Value],
}

impl<'a> Row<'a> {
    /// The cell of that column; `None` where the column is missing or null. Names are compared without case.
    pub fn cell(&self, name: &str) -> Option<&'a Value> {
        let at = self
            .columns
            .iter()
            .position(|c| c.name.eq_ignore_ascii_case(name))?;
        self.cells.get(at).filter(|v| !v.is_null())
    }
    /// The cell as a whole number.
    pub fn whole(&self, name: &str) -> Option<i64> {
        self.cell(name).and_then(ids::whole)
    }
    /// The cell as a text; blank counts as none.
    pub fn text(&self, name: &str) -> Option<String> {
        self.cell(name).and_then(ids::text)
    }
    /// The cell as a time in UTC milliseconds.
    pub fn instant(&self, name: &str) -> Option<i64> {
        self.cell(name).and_then(ids::instant)
    }
    /// The cell as a flag.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.cell(name)? {
            Value::Bool(b) => Some(*b),
            Value::String(s) => s.parse().ok(),
            _ => None,
        }
    }
}

impl Search {
    /// Reads the value under `response`; `None` where it is no search answer.
    pub fn read(response: Value) -> Option<Self> {
        serde_json::from_value(response).ok()
    }
    /// The rows, by name.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.results.iter().map(|cells| Row {
            columns: &self.meta_data.columns,
            cells,
        })
    }
    /// Whether the answer has that column.
    pub fn has(&self, name: &str) -> bool {
        self.meta_data
            .columns
            .iter()
            .any(|c| c.name.eq_ignore_ascii_case(name))
    }
    /// `firstResult` of the next page; `None` at the end. A full page counts as "more" even where the answer says
    /// otherwise, since one of the searches is known to miscount.
    pub fn next(&self, first: u64, page_size: usize) -> Option<u64> {
        let got = u64::try_from(self.results.len()).ok()?;
        let more = self.meta_data.more_pages_available || self.results.len() >= page_size;
        if got == 0 || !more {
            return None;
        }
        let last = self.meta_data.last_result.unwrap_or(first + got - 1);
        // A page that does not get on would be asked for ever.
        Some((last + 1).max(first + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(more: bool, rows: &[Value]) -> Search {
        Search::read(json!({
            "results": rows,
            "metaData": {"morePagesAvailable": more, "resultsAvailable": 9, "firstResult": 1, "lastResult": rows.len(),
                "columns": [{"name": "productId"}, {"name": "SKU"}, {"name": "stockTracked"}]}
        }))
        .unwrap()
    }

    #[test]
    fn rows_are_read_by_name_whatever_their_order() {
        let page = page(
            false,
            &[
                json!([1007, " MUG ", true, "added later"]),
                json!([1008, null]),
            ],
        );
        let rows: Vec<Row<'_>> = page.rows().collect();
        assert_eq!(rows[0].whole("productId"), Some(1007));
        assert_eq!(rows[0].text("sku").as_deref(), Some("MUG"));
        assert_eq!(rows[0].flag("stockTracked"), Some(true));
        assert_eq!(rows[1].text("SKU"), None);
        assert_eq!(rows[1].flag("stockTracked"), None);
        assert!(!page.has("EAN"));
    }

    #[test]
    fn pages_end_and_never_stand_still() {
        let row = json!([1007, "A", true]);
        assert_eq!(
            page(true, &[row.clone(), row.clone()]).next(1, 500),
            Some(3)
        );
        assert_eq!(page(false, std::slice::from_ref(&row)).next(1, 500), None);
        assert_eq!(page(false, std::slice::from_ref(&row)).next(1, 1), Some(2));
        assert_eq!(page(true, &[]).next(501, 500), None);
        assert_eq!(page(true, &[row]).next(7, 500), Some(8));
    }

    #[test]
    fn nothing_found_has_no_last_result() {
        let none = Search::read(
            json!({"results": [], "metaData": {"morePagesAvailable": false, "resultsAvailable": 0,
            "resultsReturned": 0, "columns": [{"name": "orderId"}], "sorting": []}}),
        );
        assert_eq!(none.unwrap().rows().count(), 0);
    }
}
