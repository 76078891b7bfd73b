//! The loop of alerts: looks, commits, sends, pings. Beside the engine's own loop: a mail server that hangs holds nothing up.

use super::message::Message;
use super::state::{By, Doing, State, Waiting};
use super::wishes::Wishes;
use super::{NotDelivered, Way, facts};
use crate::core::Core;
use crate::handle::{CommandError, Handle};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;
use waybill_model::alerts;
use waybill_model::contract::Problem;
use waybill_model::ids::Millis;
use waybill_store::{Rx, StoreError};

/// Between two looks.
const LOOK_MS: u64 = 60_000;
/// After the start: connections had time to answer.
const FIRST_LOOK_MS: u64 = 10_000;
/// Messages sent in one look.
const AT_ONCE: usize = 10;

/// What a look found.
struct Found {
    wishes: Wishes,
    before: State,
    after: State,
}

fn look(core: &Core, rx: &Rx) -> Result<Found, StoreError> {
    let now = core.now();
    let wishes = Wishes::read(core, rx)?;
    let before = State::read(rx)?;
    let mut after = before.clone();
    after.keep_wanted(&wishes);
    if wishes.is_any() {
        let facts = facts::all(core, rx, &wishes, now)?;
        after.take(&facts, &wishes, now);
        if let Some(day) = wishes.digest_day(now)
            && after.begins_digest(&day)
        {
            let today = crate::today::today(core, rx)?;
            after.queue(Message::digest(&today, &wishes, now), &wishes, now);
        }
    }
    Ok(Found {
        wishes,
        before,
        after,
    })
}

async fn deliver(
    way: &Way,
    wishes: &Wishes,
    by: By,
    message: &Message,
) -> Result<(), NotDelivered> {
    let nowhere = |what: &str| NotDelivered(format!("{what} is not set yet."));
    match by {
        By::Mail => {
            let mail = message
                .mail(wishes)
                .ok_or_else(|| nowhere("Who gets mail"))?;
            if mail.server.is_empty() {
                return Err(nowhere("The mail server"));
            }
            if mail.from.is_empty() {
                return Err(nowhere("The address that mail is from"));
            }
            if wishes.mail.as_ref().is_some_and(|m| m.user.is_some()) && mail.login.is_none() {
                return Err(nowhere("The password at the mail server"));
            }
            way.0.mail(&mail).await
        }
        By::Webhook => {
            let hook = wishes.hook.as_ref().ok_or_else(|| nowhere("The webhook"))?;
            let url = hook
                .url
                .as_ref()
                .ok_or_else(|| nowhere("The webhook's address"))?;
            let body = message.json(&hook.form);
            way.0.call(url, Some(body), wishes.private).await
        }
    }
}

impl Handle {
    fn way(&self) -> Option<Way> {
        self.core.options.messenger.clone()
    }

    /// Tells people what must be heard of until it is stopped. Does nothing where the agent has no messenger.
    pub async fn run_alerts(self, stop: CancellationToken) {
        let Some(way) = self.way() else {
            return stop.cancelled().await;
        };
        let (mut pinged, mut wait) = (None, FIRST_LOOK_MS);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.core.clock.sleep_ms(wait) => wait = LOOK_MS,
            }
            if let Err(error) = self.tell(&way, &mut pinged).await {
                tracing::warn!(%error, "Alerts could not be looked at.");
            }
        }
    }

    async fn tell(&self, way: &Way, pinged: &mut Option<Millis>) -> Result<(), CommandError> {
        let found = self.read(look).await?;
        if found.before != found.after {
            let after = found.after.clone();
            self.core.store.write(move |tx| after.write(tx)).await?;
        }
        let now = self.now();
        let due: Vec<Waiting> = found
            .after
            .waiting
            .into_iter()
            .filter(|waiting| waiting.due <= now)
            .take(AT_ONCE)
            .collect();
        for waiting in due {
            let became = deliver(way, &found.wishes, waiting.by, &waiting.message).await;
            if let Err(NotDelivered(why)) = &became {
                tracing::warn!(by = ?waiting.by, error = %why, "An alert was not delivered.");
            }
            self.settle(waiting.id, became).await?;
        }
        self.ping(way, &found.wishes, pinged).await
    }

    /// Only this loop changes what lies in the store under its name, so what was read is still so.
    async fn settle(&self, id: u64, became: Result<(), NotDelivered>) -> Result<(), CommandError> {
        let now = self.now();
        let became = became.map_err(|NotDelivered(why)| why);
        let settle = move |tx: &mut waybill_store::Tx<'_>| {
            let mut state = State::read(tx)?;
            state.settle(id, became.clone(), now);
            state.write(tx)
        };
        Ok(self.core.store.write(settle).await?)
    }

    async fn ping(
        &self,
        way: &Way,
        wishes: &Wishes,
        pinged: &mut Option<Millis>,
    ) -> Result<(), CommandError> {
        let now = self.now();
        let Some(url) = &wishes.ping else {
            return Ok(());
        };
        // A clock that was set back asks at once.
        let rested = pinged.is_none_or(|at| now < at || now - at >= wishes.ping_every);
        // Whoever watches is to notice that nothing is read any more.
        if !rested || self.ready().is_err() {
            return Ok(());
        }
        *pinged = Some(now);
        let became = way.0.call(url, None, wishes.private).await;
        let failed = became.err().map(|NotDelivered(why)| why);
        let note = move |tx: &mut waybill_store::Tx<'_>| {
            let mut state = State::read(tx)?;
            let last_ok = if failed.is_none() {
                Some(now)
            } else {
                state.ping.last_ok
            };
            state.ping = Doing {
                last_ok,
                error: failed.clone(),
                dropped: 0,
            };
            state.write(tx)
        };
        Ok(self.core.store.write(note).await?)
    }

    /// Sends a test over every way that is set, now; what became of each, in words.
    ///
    /// # Errors
    /// When no way is set, or the agent has no messenger.
    pub async fn test_alerts(
        &self,
        who: &str,
    ) -> Result<BTreeMap<String, Result<(), String>>, CommandError> {
        let refused = |message: &str, hint: &str| {
            CommandError::Refused(Problem::new("alerts", message, hint))
        };
        let Some(way) = self.way() else {
            return Err(refused(
                "This agent sends no alerts.",
                "Ask the running service.",
            ));
        };
        let wishes = self.read(Wishes::read).await?;
        if !wishes.is_any() && wishes.ping.is_none() {
            return Err(refused(
                "Nobody is told anything yet.",
                "Set who gets mail, or a webhook, first.",
            ));
        }
        let message = Message::test(&wishes, who, self.now());
        let mut all = BTreeMap::new();
        for by in By::ALL.into_iter().filter(|by| by.is_wanted(&wishes)) {
            let became = deliver(&way, &wishes, by, &message).await;
            let name = match by {
                By::Mail => "mail",
                By::Webhook => "webhook",
            };
            all.insert(name.to_owned(), became.map_err(|NotDelivered(why)| why));
        }
        if let Some(url) = &wishes.ping {
            let became = way.0.call(url, None, wishes.private).await;
            all.insert("ping".to_owned(), became.map_err(|NotDelivered(why)| why));
        }
        self.audit(who, "Alerts", "Alerts were tested.").await?;
        Ok(all)
    }

    /// Keeps a secret of alerts sealed; an empty one removes it.
    ///
    /// # Errors
    /// When there is no secret of that name, or an address is none.
    pub async fn set_alert_secret(
        &self,
        name: &str,
        value: SecretString,
        who: &str,
    ) -> Result<(), CommandError> {
        let refused = |message: String, hint: &str| {
            CommandError::Refused(Problem::new("alerts", message, hint))
        };
        if !alerts::SECRETS.contains(&name) {
            let names = alerts::SECRETS.join(", ");
            return Err(refused(
                format!("There is no secret `{name}` of alerts."),
                &format!("One of: {names}."),
            ));
        }
        let text = value.expose_secret().trim();
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        if name != alerts::SMTP_PASSWORD && !text.is_empty() && !is_url {
            return Err(refused(
                "The address must begin with https://.".to_owned(),
                "Copy it whole from where the webhook or the ping was made.",
            ));
        }
        let (name, who, now) = (name.to_owned(), who.to_owned(), self.now());
        let empty = text.is_empty();
        let kept = SecretString::from(text);
        let keep = move |tx: &mut waybill_store::Tx<'_>| {
            let nobody = super::wishes::NOBODY;
            if empty {
                tx.remove_secret(nobody, alerts::SLOT, &name)?;
            } else {
                tx.set_secret(nobody, alerts::SLOT, &name, &kept, now)?;
            }
            let what = if empty { "removed" } else { "set" };
            tx.audit(
                &who,
                "Alerts",
                &format!("The secret `{name}` was {what}."),
                now,
            )
        };
        Ok(self.core.store.write(keep).await?)
    }
}
