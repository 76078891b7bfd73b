//! Who did what, newest first. Only ever appended to; retention cuts the old end.

use crate::access::{Access, Tx};
use crate::codec::{Key, Span};
use crate::error::StoreError;
use crate::rows::AuditRow;
use crate::schema::Tab;
use waybill_model::ids::Millis;

pub(crate) fn audit(a: &dyn Access, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
    a.rows(Tab::Audit, &Span::all().newest_first(), limit)
}

impl Tx<'_> {
    /// Writes down who did what. Never pass a secret.
    pub fn audit(
        &mut self,
        who: &str,
        what: &str,
        detail: &str,
        now: Millis,
    ) -> Result<(), StoreError> {
        self.at(now);
        let row = AuditRow {
            seq: self.next("audit")?,
            at: now,
            who: who.to_owned(),
            what: what.to_owned(),
            detail: detail.to_owned(),
        };
        self.put_row(Tab::Audit, &Key::new().u64(row.seq).0, &row)
    }
}
