//! Owns the positional rows of Brightpearl's searches: they are read by column name, since columns are added over time.
//! Must not know which search was asked.

use super::ids;
use serde_json::Value;

/// The value under `response` of any search.
#[derive(Debug, Clone)]
pub struct Search {
    results: Vec<Vec<Value>>,
    more: bool,
    /// Absent where nothing was found.
    last: Option<u64>,
    /// How many there are in all, by the vendor's count.
    available: Option<u64>,
    columns: Vec<String>,
}

/// One row with its names.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    columns: &'a [String],
    cells: &'a [Value],
}

impl<'a> Row<'a> {
    /// The cell of that column; `None` where the column is missing or null. Names are compared without case.
    pub fn cell(&self, name: &str) -> Option<&'a Value> {
        let at = self
            .columns
            .iter()
            .position(|c| c.eq_ignore_ascii_case(name))?;
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
        self.cell(name).and_then(ids::flag)
    }
}

impl Search {
    /// Reads the value under `response`; `None` where it is no search answer, or rows came without their names.
    pub fn read(mut response: Value) -> Option<Self> {
        let results = match response.get_mut("results")?.take() {
            Value::Array(rows) => rows
                .into_iter()
                .map(|row| match row {
                    Value::Array(cells) => Some(cells),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()?,
            Value::Null => Vec::new(),
            _ => return None,
        };
        let meta = response.get("metaData").unwrap_or(&Value::Null);
        let columns: Vec<String> = meta
            .get("columns")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            // A column without a name keeps its place.
            .map(|column| column.get("name").and_then(ids::text).unwrap_or_default())
            .collect();
        if columns.is_empty() && !results.is_empty() {
            return None;
        }
        let count = |name: &str| {
            let told = meta.get(name).and_then(ids::whole);
            told.and_then(|n| u64::try_from(n).ok())
        };
        Some(Self {
            more: meta.get("morePagesAvailable").and_then(ids::flag) == Some(true),
            last: count("lastResult"),
            available: count("resultsAvailable"),
            columns,
            results,
        })
    }
    /// The rows, by name.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.results.iter().map(|cells| Row {
            columns: &self.columns,
            cells,
        })
    }
    /// Whether the answer has that column.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|c| c.eq_ignore_ascii_case(name))
    }
    /// `firstResult` of the next page; `None` at the end. A full page counts as "more" even where the answer says
    /// otherwise, since one of the searches is known to count no further than a page; a count beyond that is believed.
    pub fn next(&self, first: u64, page_size: usize) -> Option<u64> {
        let (got, size) = (self.results.len() as u64, page_size as u64);
        let last = self.last.unwrap_or(first + got.max(1) - 1);
        let counted = self.available.is_some_and(|all| all > size && last >= all);
        let more = self.more || (got >= size && !counted);
        if got == 0 || !more {
            return None;
        }
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
    fn a_count_beyond_a_page_is_believed() {
        let counted = |available: u64| {
            let meta = json!({"morePagesAvailable": false, "resultsAvailable": available, "lastResult": 4,
                "columns": [{"name": "productId"}]});
            Search::read(json!({"results": [[1], [2]], "metaData": meta}))
                .unwrap()
                .next(3, 2)
        };
        assert_eq!(counted(4), None);
        assert_eq!(counted(2), Some(5), "no further than a page: not believed");
        assert_eq!(counted(9), Some(5));
    }

    #[test]
    fn nothing_found_has_no_last_result() {
        let none = Search::read(
            json!({"results": [], "metaData": {"morePagesAvailable": false, "resultsAvailable": 0,
            "resultsReturned": 0, "columns": [{"name": "orderId"}], "sorting": []}}),
        );
        assert_eq!(none.unwrap().rows().count(), 0);
    }

    #[test]
    fn an_answer_is_read_in_every_dress_but_never_without_names() {
        let bare = Search::read(json!({"results": null})).unwrap();
        assert_eq!(bare.rows().count(), 0);
        assert_eq!(bare.next(1, 500), None);
        let meta = json!({"morePagesAvailable": "true", "lastResult": "2", "firstResult": null,
            "columns": [{"name": "productId", "sortable": true}, {"extra": 1}]});
        let odd = Search::read(json!({"results": [["7", 1], ["8", 1]], "metaData": meta})).unwrap();
        assert_eq!(odd.rows().next().unwrap().whole("productId"), Some(7));
        assert_eq!(odd.next(1, 500), Some(3));
        assert!(Search::read(json!({"results": [[7]], "metaData": {}})).is_none());
        assert!(Search::read(json!({"results": [7], "metaData": {}})).is_none());
        assert!(Search::read(json!("no such search")).is_none());
    }
}
