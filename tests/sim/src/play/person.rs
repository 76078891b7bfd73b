//! Owns what the merchant's person does in the play: fills the cells that cards ask for, corrects a wrong one and retries.
//! Uses the agent's command line and provisioning, as a person would. Must not know how the agent works.

use super::agent::Place;
use super::house::House;
use super::provisioning::{self, Scene, WRONG_CODE};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the person has done so far: how often, by what was done.
#[derive(Debug, Default)]
pub struct Person {
    /// The wrong cell is put right.
    pub corrected: bool,
    done: BTreeMap<&'static str, usize>,
}

const ITEMS: &str = "unknown items matched";
const METHODS: &str = "shipping methods given their code at the network";
const CORRECTED: &str = "refused shipments sent again after the wrong code was put right";

impl Person {
    /// Looks at the cards and acts; how many acts.
    pub async fn look(
        &mut self,
        house: &House,
        place: &Place,
        scene: &Scene<'_>,
    ) -> anyhow::Result<usize> {
        let cards = place.ask(&["cards"]).await?;
        let cards = cards.as_array().or_else(|| cards["cards"].as_array());
        let mut acts = 0;
        for card in cards.into_iter().flatten() {
            let id = card["id"].as_str().unwrap_or_default();
            let Some((what, cell)) = answer(card) else {
                acts += usize::from(self.correct(house, place, scene, card).await?);
                continue;
            };
            place.ask(&["fill", id, &cell, "--for-all"]).await?;
            *self.done.entry(what).or_default() += 1;
            acts += 1;
        }
        Ok(acts)
    }

    /// A shipment was refused for its code: the cell is put right, then it is tried again.
    async fn correct(
        &mut self,
        house: &House,
        place: &Place,
        scene: &Scene<'_>,
        card: &Value,
    ) -> anyhow::Result<bool> {
        if !card.to_string().contains(WRONG_CODE) {
            return Ok(false);
        }
        if !self.corrected {
            let right = Scene {
                mistaken: false,
                ..*scene
            };
            place.provision_as(house, &right).await?;
            self.corrected = true;
        }
        let id = card["id"].as_str().unwrap_or_default();
        place.ask(&["retry", id]).await?;
        *self.done.entry(CORRECTED).or_default() += 1;
        Ok(true)
    }

    /// One line for everything done.
    pub fn lines(&self) -> Vec<String> {
        self.done
            .iter()
            .map(|(what, count)| format!("A person: {count} {what}."))
            .collect()
    }
}

/// What is done about a card and what goes into its cell, where it asks for one that the play knows.
fn answer(card: &Value) -> Option<(&'static str, String)> {
    let gap = &card["cell"]["gap"];
    match gap["table"].as_str()? {
        "items" => Some((ITEMS, "1001".to_owned())),
        "shipping-methods" => {
            let method = gap["value"].as_str()?.parse().ok()?;
            Some((METHODS, provisioning::cell_of(method, None)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cards_are_answered_by_their_cell() {
        let card = |table: &str, value: &str| json!({"id": "x", "cell": {"gap": {"table": table, "value": value}}});
        assert_eq!(
            answer(&card("items", "NEW")),
            Some((ITEMS, "1001".to_owned()))
        );
        assert_eq!(
            answer(&card("shipping-methods", "16")),
            Some((METHODS, "USPS|Ground Advantage|USGA".to_owned()))
        );
        // The generic method travels with a carrier in truth.
        assert_eq!(
            answer(&card("shipping-methods", "11")),
            Some((METHODS, "UPS|Ground|UPCG".to_owned()))
        );
        assert_eq!(answer(&card("customers", "1")), None);
        assert_eq!(answer(&json!({"id": "x", "cell": null})), None);
    }
}
