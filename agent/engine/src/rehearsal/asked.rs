//! The field that the last rehearsal found empty, as it is now: what stands in it meanwhile, else what probably belongs there.

use super::{Cell, Report};
use crate::handle::{CommandError, Handle};
use crate::view::SuggestionView;
use crate::{catalogue, methods};
use serde::Serialize;
use waybill_model::contract::Gap;
use waybill_model::crosswalk::SHIPPING_METHODS;
use waybill_store::Read as _;

/// What is known of that field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// What the value is called where it comes from.
    pub name: Option<String>,
    /// The code that was saved for all retailers since.
    pub kept: Option<String>,
    /// What probably belongs there, best first.
    pub suggestions: Vec<SuggestionView>,
    /// Codes that are known there, with their words; others may be typed in.
    pub known: Vec<(String, String)>,
    /// How a code is written, where that is not plain.
    pub example: Option<String>,
}

impl Handle {
    pub(super) async fn asked(
        &self,
        report: Option<&Report>,
    ) -> Result<Option<Asked>, CommandError> {
        let cell = report.and_then(|report| report.end.as_ref()?.card.as_ref()?.cell.clone());
        let Some(cell) = cell else { return Ok(None) };
        // One that is gone is asked for nothing.
        let from = self.connection(&cell.from).await;
        let (Ok(from), Ok(to)) = (from, self.connection(&cell.to).await) else {
            return Ok(None);
        };
        let written = cell.table == SHIPPING_METHODS && cell.choices.is_empty();
        let (from, to, table) = (from.id, to.id, cell.table.clone());
        let Cell {
            retailer, value, ..
        } = cell;
        let (mut asked, back) = self
            .read(move |core, rx| {
                let kept = rx.cell_row(from, to, &table, None, &value)?;
                let name = catalogue::name_of(rx, from, &table, &value)?;
                let back = methods::is_back(&core.desk(), from, to);
                let gap = Gap {
                    table,
                    retailer,
                    value,
                };
                let asked = Asked {
                    name,
                    kept: kept.map(|row| row.code),
                    suggestions: catalogue::suggestions(rx, from, to, &gap)?,
                    ..Asked::default()
                };
                Ok((asked, back))
            })
            .await?;
        if written && back {
            asked.example = Some(methods::EXAMPLE.to_owned());
            asked.known = self.known_methods(to).await;
            if let (Some(name), true) = (&asked.name, asked.suggestions.is_empty()) {
                asked.suggestions = methods::suggested(&asked.known, name);
            }
        }
        Ok(Some(asked))
    }
}
