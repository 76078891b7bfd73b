//! Owns the currency search. It must not know orders.

use serde_json::json;

use super::account::Brightpearl;
use super::call::Call;
use super::envelope::{Answer, Reply};
use super::reference::CURRENCIES;
use super::search::{Cell, Column, Kind, Table};

type Currency = (i64, &'static str, &'static str);

static TABLE: Table<Currency> = Table {
    columns: &[
        Column::new("id", Kind::IdSet, |c| Cell::Int(c.0)),
        Column::new("code", Kind::Text, |c| Cell::Text(c.1.to_owned())),
        Column::new("symbol", Kind::Text, |c| Cell::Text(c.2.to_owned())),
        Column::shown("exchangeRate", Kind::Text, |_| {
            Cell::Text("1.000000".to_owned())
        }),
        Column::new("isDefault", Kind::Bool, |c| Cell::Bool(c.0 == 1)),
    ],
    filters: &[],
};

impl Brightpearl {
    /// `GET currency-search`.
    pub(super) fn currency_search(&self, call: &Call) -> Answer {
        let found = TABLE.search(CURRENCIES.iter(), &call.query, self.zone())?;
        let body = json!({ "response": found.response, "reference": {} });
        Ok(Reply { status: 200, body })
    }
}
