//! Lists of codes that may come, which a `[[announced]]` declares: each is the whole list of its table and retailer, so that a
//! code which is not in it is taken off. What a file has no list of stays as it is.

use super::mistake::Mistake;
use super::parse::File;
use super::plan::{AnnouncedCode, AnnouncedPlan};
use super::reader::{Reader, Section};
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::crosswalk;
use waybill_store::AnnouncedRow;

/// Codes that are named where some are taken off.
const NAMED: usize = 5;

pub(super) fn read(file: &mut File<'_>, section: &Section<'_>) -> Option<AnnouncedPlan> {
    let keys = ["from", "to", "table", "retailer", "required", "optional"];
    file.reader.only(section, &keys);
    let from = file.reader.need_text(section, "from");
    let to = file.reader.need_text(section, "to");
    let table = file.reader.need_text(section, "table");
    let retailer = if Reader::has(section, "retailer") {
        file.reader.need_text(section, "retailer")
    } else {
        None
    };
    if !Reader::has(section, "required") && !Reader::has(section, "optional") {
        file.reader.note(
            Mistake::new(
                section.place,
                "a list of codes needs `required`, `optional`, or both",
            )
            .hint("Write `required = { \"code\" = \"what people call it\" }`; `optional = {}` empties the list."),
        );
    }
    let name = table.as_ref().map_or("", |table| table.value.as_str());
    let mut codes: Vec<AnnouncedCode> = Vec::new();
    for (key, required) in [("required", true), ("optional", false)] {
        for pair in file.reader.pairs(section, key) {
            let value = crosswalk::spelled(name, pair.key.value.trim());
            let place = pair.key.place;
            if value.is_empty() {
                let mistake = Mistake::new(place, "a code of a list must not be empty");
                file.reader.note(mistake);
            } else if let Some(first) = codes.iter().find(|code| code.value == value) {
                let line = first.place.line;
                let message = format!("`{value}` stands in this list already, on line {line}");
                file.reader.note(Mistake::new(place, message));
            } else {
                let label = pair.value.value.trim();
                codes.push(AnnouncedCode {
                    value,
                    label: (!label.is_empty()).then(|| label.to_owned()),
                    required,
                    place,
                });
            }
        }
    }
    Some(AnnouncedPlan {
        place: section.place,
        from: from?,
        to: to?,
        table: table?,
        retailer,
        codes,
    })
}

/// Notes lists that are declared twice: each would take off what the other has.
pub(super) fn once(reader: &mut Reader<'_>, lists: &[AnnouncedPlan]) {
    let mut seen = BTreeMap::new();
    for list in lists {
        let retailer = list.retailer.as_ref().map(|retailer| &retailer.value);
        let key = (
            &list.from.value,
            &list.to.value,
            &list.table.value,
            retailer,
        );
        if let Some(first) = seen.insert(key, list.place.line) {
            let message = format!("this list is declared twice, first on line {first}");
            reader.note(Mistake::new(list.place, message).hint("Put all of its codes into one."));
        }
    }
}

/// What a list changes.
pub(super) struct Changed<'p> {
    /// Codes that are new, or of which something else is said.
    pub(super) said: Vec<&'p AnnouncedCode>,
    /// Codes that are taken off.
    pub(super) off: Vec<String>,
    /// The list before, in words; `None`: there was none.
    pub(super) old: Option<String>,
    /// The list afterwards, and what that changes.
    pub(super) new: String,
}

fn words(codes: usize, required: usize) -> String {
    let many = if codes == 1 { "code" } else { "codes" };
    format!("{codes} {many}, {required} required")
}

/// Compares a list with what holds; `None`: nothing changes.
pub(super) fn compare<'p>(list: &'p AnnouncedPlan, held: &[AnnouncedRow]) -> Option<Changed<'p>> {
    let old: BTreeMap<&str, &AnnouncedRow> =
        held.iter().map(|row| (row.value.as_str(), row)).collect();
    let (mut added, mut said) = (0, Vec::new());
    for code in &list.codes {
        match old.get(code.value.as_str()) {
            Some(row) if row.required == code.required && row.label == code.label => {}
            known => {
                added += usize::from(known.is_none());
                said.push(code);
            }
        }
    }
    let kept: BTreeSet<&str> = list.codes.iter().map(|code| code.value.as_str()).collect();
    let off = held.iter().filter(|row| !kept.contains(&*row.value));
    let off: Vec<String> = off.map(|row| row.value.clone()).collect();
    if said.is_empty() && off.is_empty() {
        return None;
    }
    let required = list.codes.iter().filter(|code| code.required).count();
    let mut parts = vec![format!("{added} added")];
    parts.push(match off.len() {
        0 => "none removed".to_owned(),
        n if n <= NAMED => format!("{n} removed ({})", off.join(", ")),
        n => format!(
            "{n} removed ({} and {} more)",
            off[..NAMED].join(", "),
            n - NAMED
        ),
    });
    if said.len() > added {
        parts.push(format!("{} changed", said.len() - added));
    }
    let before = held.iter().filter(|row| row.required).count();
    Some(Changed {
        new: format!(
            "{}: {}",
            words(list.codes.len(), required),
            parts.join(", ")
        ),
        old: (!held.is_empty()).then(|| words(held.len(), before)),
        said,
        off,
    })
}
