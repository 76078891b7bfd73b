//! The store as the tables of `model::shipping`, both ways between a note's system and its order's source.

use std::cell::RefCell;
use std::collections::BTreeMap;
use waybill_model::ids::ConnectionId;
use waybill_model::shipping::Counterparts;
use waybill_store::{Read, StoreError, Tx};

/// Reads of one translation. A store error is kept and handed out at the end: the trait has no place for it.
pub(super) struct BothWays<'a, 'b> {
    pub(super) tx: &'a Tx<'b>,
    pub(super) from: ConnectionId,
    pub(super) to: ConnectionId,
    pub(super) error: RefCell<Option<StoreError>>,
}

impl BothWays<'_, '_> {
    fn keep<T: Default>(&self, result: Result<T, StoreError>) -> T {
        result.unwrap_or_else(|error| {
            self.error.borrow_mut().get_or_insert(error);
            T::default()
        })
    }
}

impl Counterparts for BothWays<'_, '_> {
    fn cell(&self, table: &str, retailer: &str, value: &str) -> Option<String> {
        self.keep(self.tx.cell(self.from, self.to, table, retailer, value))
    }
    fn order_cell(&self, table: &str, retailer: &str, value: &str) -> Option<String> {
        self.keep(self.tx.cell(self.to, self.from, table, retailer, value))
    }
    fn values_of(&self, table: &str, retailer: &str, code: &str) -> Vec<String> {
        let cells = self.tx.cells(self.to, self.from, table, None, usize::MAX);
        let mut effective: BTreeMap<String, String> = BTreeMap::new();
        // Cells for all come first; the retailer's own take their place.
        for cell in self.keep(cells) {
            if cell.retailer.as_deref().is_none_or(|r| r == retailer) {
                effective.insert(cell.value, cell.code);
            }
        }
        let means = effective
            .into_iter()
            .filter(|(_, c)| c.trim().eq_ignore_ascii_case(code.trim()));
        means.map(|(value, _)| value).collect()
    }
}
