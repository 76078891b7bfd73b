//! Live lists: the values that a vendor offers for settings, asked for when a person looks.

use crate::core::{Core, Slot};
use crate::handle::{CommandError, Handle};
use crate::rehearsal::keep_offers;
use std::time::Duration;
use waybill_host::connector::{CallError, Mode};
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Choice, Problem};
use waybill_model::job::Priority;

/// Pages of a list that are asked for.
const PAGES: usize = 5;
/// A page of settings does not wait longer for one list.
const PATIENCE: Duration = Duration::from_secs(15);

/// Value and words.
pub type Offer = (String, String);

impl Handle {
    /// The same for several settings at once. One that cannot be asked for is empty: it may be typed in.
    pub async fn offered_for(&self, connection: &str, keys: &[String]) -> Vec<Vec<Offer>> {
        let asked = keys.iter().map(|key| self.offered(connection, key));
        let answers = futures_util::future::join_all(asked).await.into_iter();
        answers.map(Result::unwrap_or_default).collect()
    }

    /// Values that the vendor offers for a setting now: value and words. Reads only.
    ///
    /// # Errors
    /// When the connection cannot be asked: why.
    pub async fn offered(&self, connection: &str, key: &str) -> Result<Vec<Offer>, CommandError> {
        let row = self.connection(connection).await?;
        let missing = || CommandError::NotFound(format!("connection `{connection}`"));
        let slot = self.core.slot(row.id).ok_or_else(missing)?;
        let refused = |why: String| {
            CommandError::Refused(Problem::new(
                "no-list",
                why,
                "Test the connection, or enter the value by hand.",
            ))
        };
        let missing = slot.connector.as_ref().err().cloned();
        if let Some(why) = missing {
            return Err(refused(why));
        }
        let (choices, whole) = list(&self.core, &slot, key).await.map_err(|error| {
            refused(error.map_or_else(
                || "the list did not come in time".to_owned(),
                |error| crate::calls::sentence(&error),
            ))
        })?;
        let offered = usable(&choices);
        let kept = keep_offers(&self.core, &slot, key, (offered.clone(), whole)).await;
        if let Err(error) = kept {
            tracing::warn!(connection, key, %error, "A list could not be kept for rehearsals.");
        }
        Ok(offered)
    }
}

/// Value and words of those that are not hidden.
pub(crate) fn usable(choices: &[Choice]) -> Vec<Offer> {
    let usable = choices.iter().filter(|choice| !choice.disabled);
    usable
        .map(|choice| (choice.value.clone(), choice.label.clone()))
        .collect()
}

/// A vendor's list, hidden entries too, and whether that is all of it. No error: it did not come in time.
pub(crate) async fn list(
    core: &Core,
    slot: &Slot,
    key: &str,
) -> Result<(Vec<Choice>, bool), Option<CallError>> {
    let missing = || Some(CallError::Contract("no connector is loaded".to_owned()));
    let connector = slot.connector().ok_or_else(missing)?;
    let (mut choices, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES {
        let scope = EffectScope::Setup("choices".to_owned());
        let call = core.call(slot, scope, Priority::NearDeadline, Mode::ReadOnly, 1);
        let asked = connector.choices(call, key.to_owned(), cursor.take());
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let page = answer.map_err(|_| None)?.value.map_err(Some)?;
        choices.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok((choices, true));
        }
    }
    Ok((choices, false))
}
