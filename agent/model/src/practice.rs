//! Practice mode as settings: which flows only record what they would send, for everybody and per retailer. Decides which
//! value holds, and nothing else.

use crate::contract::{Choice, Field, Setting};
use crate::document::Entity;
use crate::settings::FLOWS;

/// Key of the setting: whether everything is practice.
pub const PRACTICE: &str = "practice.mode";
/// Prefix of the settings that say it of one flow: `practice.shipment`.
pub const PRACTICE_OF: &str = "practice.";

/// Key of the setting of one flow.
pub fn key_of(flow: Entity) -> String {
    format!("{PRACTICE_OF}{flow}")
}

/// What a value says; `None`: nothing of its own.
pub fn said(value: Option<&str>) -> Option<bool> {
    match value?.trim() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// One scope's two values: of the flow, and of all flows.
pub type Said = (Option<bool>, Option<bool>);

/// Whether a flow is in practice: the retailer's word counts before everybody's, the flow's before that of all flows.
pub fn holds(retailer: Said, everybody: Said) -> bool {
    let said = [retailer.0, retailer.1, everybody.0, everybody.1];
    said.into_iter().flatten().next().unwrap_or(false)
}

fn setting(key: String, label: String, help: &str, choices: &[(&str, &str)]) -> Setting {
    let choice = |(value, label): &(&str, &str)| Choice {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        disabled: false,
    };
    Setting {
        key,
        label,
        help: help.to_owned(),
        group: "practice".to_owned(),
        required: false,
        per_retailer: true,
        default: choices.first().map(|(value, _)| (*value).to_owned()),
        field: Field::OneOf(choices.iter().map(choice).collect()),
        was: Vec::new(),
    }
}

/// The settings, agent-wide and per retailer. Stock is nobody's own: a network holds one number for all retailers.
pub fn practice_settings() -> Vec<Setting> {
    let all = setting(
        PRACTICE.to_owned(),
        "Practice".to_owned(),
        "On: everything is read and worked out, and nothing is sent. What would be sent is on the page Practice.",
        &[("off", "Off: live"), ("on", "On: nothing is sent")],
    );
    let flows = FLOWS.into_iter().map(|flow| Setting {
        per_retailer: flow != Entity::InventoryLevel,
        ..setting(
            key_of(flow),
            format!("Practice of {flow}"),
            "Of this flow alone. As for all: what the setting Practice says.",
            &[
                ("as-all", "As for all"),
                ("on", "On: nothing is sent"),
                ("off", "Off: live"),
            ],
        )
    });
    std::iter::once(all).chain(flows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_word_counts() {
        let (on, off, none) = (Some(true), Some(false), None);
        assert!(!holds((none, none), (none, none)), "live is the default");
        assert!(holds((none, none), (none, on)));
        assert!(!holds((none, none), (off, on)), "one flow is live");
        assert!(holds((none, none), (on, off)), "one flow is practice");
        assert!(!holds((none, off), (on, on)), "one retailer is live");
        assert!(holds((on, off), (none, none)), "one flow of a retailer");
        assert_eq!(said(Some("as-all")), None);
        assert_eq!((said(Some(" on ")), said(Some("off"))), (on, off));
    }

    #[test]
    fn every_flow_has_its_setting() {
        let all = practice_settings();
        assert_eq!(all.len(), FLOWS.len() + 1);
        let stock = all.iter().find(|s| s.key == "practice.inventory-level");
        assert!(!stock.unwrap().per_retailer);
    }
}
