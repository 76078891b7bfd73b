//! How a shipping method is written that is told to where orders come from: `carrier|method|code`. Checks what a person
//! types, and suggests by the words that the connector knows. Where that side hands over records of its methods, they are
//! chosen from those instead (`catalogue.rs`).

use crate::catalogue::{Resolved, nearest};
use crate::connecting::Offer;
use crate::connecting::look::{list, usable};
use crate::core::Desk;
use crate::handle::Handle;
use crate::matching::order_route;
use crate::view::SuggestionView;
use waybill_model::contract::Problem;
use waybill_model::crosswalk::SHIPPING_METHODS;
use waybill_model::ids::ConnectionId;

/// One as it is to be written.
pub(crate) const EXAMPLE: &str = "UPS|Ground|UPCG";

/// Whether a text can be one: a code, which has no spaces, or three parts, the last of which is the code.
fn is_written(text: &str) -> bool {
    let spaced = |part: &str| part.trim().contains(char::is_whitespace);
    match text.split('|').collect::<Vec<_>>()[..] {
        [code] | [_, _, code] => !spaced(code),
        [_, _] => true,
        _ => false,
    }
}

/// Refuses what cannot be a method of the side that orders come from. What was found in a list is one.
pub(crate) fn written(
    found: Resolved,
    table: &str,
    back: bool,
    title: &str,
) -> Result<Resolved, Problem> {
    if table != SHIPPING_METHODS || !back || found.label.is_some() || is_written(&found.key) {
        return Ok(found);
    }
    Err(Problem::new(
        "not-a-method",
        format!("\"{}\" is no shipping method of {title}.", found.key),
        format!(
            "Write it as {EXAMPLE}: carrier, method and code. A part that you do not know may be empty, and the code alone will do."
        ),
    ))
}

/// Whether that is the way from where orders become sales to where they come from.
pub(crate) fn is_back(desk: &Desk, from: ConnectionId, to: ConnectionId) -> bool {
    order_route(desk) == Some((to, from))
}

/// What a method of that name probably is.
pub(crate) fn suggested(known: &[Offer], name: &str) -> Vec<SuggestionView> {
    let near = nearest(known, name).into_iter();
    near.map(|(key, label)| SuggestionView {
        key,
        label,
        why: "Names alike".to_owned(),
    })
    .collect()
}

impl Handle {
    /// Methods that the connector of that side knows by their code and words; empty where it names none.
    pub(crate) async fn known_methods(&self, to: ConnectionId) -> Vec<Offer> {
        let Some(slot) = self.core.slot(to) else {
            return Vec::new();
        };
        let mut tables = slot.descriptor().into_iter().flat_map(|d| &d.tables);
        let table = tables.find(|table| table.name == SHIPPING_METHODS);
        let Some(lookup) = table.and_then(|table| table.lookup.as_ref()) else {
            return Vec::new();
        };
        let answer = list(&self.core, &slot, lookup).await;
        answer.map_or_else(|_| Vec::new(), |(known, _)| usable(&known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str, back: bool) -> Result<Resolved, Problem> {
        let found = Resolved {
            key: text.to_owned(),
            label: None,
        };
        written(found, SHIPPING_METHODS, back, "Network")
    }

    #[test]
    fn what_cannot_be_a_method_is_refused_with_an_example() {
        for text in [
            EXAMPLE,
            "UPCG",
            "UPS|Ground|",
            "|2nd Day Air|U2DA",
            "UPS|Ground",
        ] {
            assert!(taken(text, true).is_ok(), "{text}");
        }
        for text in [
            "Generic Ground",
            "Generic Ground (GCG)",
            "UPS|Ground|UPCG|4",
            "UPS|Ground|UPS G",
        ] {
            let refused = taken(text, true).unwrap_err();
            assert!(refused.message.contains(text), "{}", refused.message);
            assert!(
                refused
                    .hint
                    .unwrap()
                    .contains("Write it as UPS|Ground|UPCG")
            );
        }
        assert!(
            taken("Generic Ground", false).is_ok(),
            "a method of the ERP"
        );
    }

    #[test]
    fn a_method_is_suggested_by_its_words() {
        let known = [
            ("UPS|Ground|UPCG", "UPS Ground (UPCG)"),
            ("USPS|Priority Mail|USPM", "USPS Priority Mail (USPM)"),
        ]
        .map(|(key, words)| (key.to_owned(), words.to_owned()));
        let best = suggested(&known, "UPS Ground");
        assert_eq!(best[0].key, EXAMPLE);
        assert!(suggested(&known, "Courier").is_empty());
    }
}
