//! Alerts as the page and the API show them.

use super::message::Message;
use super::state::{By, Doing, State};
use super::wishes::{NOBODY, Wishes};
use crate::core::Core;
use crate::handle::{CommandError, Handle};
use serde::Serialize;
use waybill_model::alerts;
use waybill_model::ids::Millis;
use waybill_store::{Read, Rx, StoreError};

/// How one way does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WayView {
    /// `mail`, `webhook` or `ping`.
    pub name: String,
    /// Whether it is set.
    pub on: bool,
    /// When something arrived last.
    pub last_ok: Option<Millis>,
    /// Why the last did not arrive.
    pub error: Option<String>,
    /// Messages on their way.
    pub waiting: u64,
    /// Messages that never arrived, since the last one that did.
    pub dropped: u64,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertsView {
    /// Each way.
    pub ways: Vec<WayView>,
    /// Secrets that are set, and since when. Never their values.
    pub secrets: Vec<(String, Option<Millis>)>,
    /// What was told last, newest first.
    pub recent: Vec<Message>,
    /// When the quiet hours end, within them.
    pub quiet_until: Option<Millis>,
}

fn way(name: &str, on: bool, doing: Option<&Doing>, waiting: usize) -> WayView {
    let doing = doing.cloned().unwrap_or_default();
    WayView {
        name: name.to_owned(),
        on,
        last_ok: doing.last_ok,
        error: doing.error,
        waiting: waiting as u64,
        dropped: doing.dropped,
    }
}

fn view(core: &Core, rx: &Rx) -> Result<AlertsView, StoreError> {
    let wishes = Wishes::read(core, rx)?;
    let state = State::read(rx)?;
    let of = |by: By, name: &str| {
        let waiting = state.waiting.iter().filter(|w| w.by == by).count();
        way(name, by.is_wanted(&wishes), state.ways.get(&by), waiting)
    };
    let set = rx.secret_names(NOBODY)?;
    let since = |name: &str| {
        let mut set = set.iter();
        let found = set.find(|(slot, of, _)| slot == alerts::SLOT && of == name);
        found.map(|(_, _, at)| *at)
    };
    Ok(AlertsView {
        ways: vec![
            of(By::Mail, "mail"),
            of(By::Webhook, "webhook"),
            way("ping", wishes.ping.is_some(), Some(&state.ping), 0),
        ],
        secrets: alerts::SECRETS
            .iter()
            .map(|name| ((*name).to_owned(), since(name)))
            .collect(),
        recent: state.recent,
        quiet_until: wishes.quiet_until(core.now()),
    })
}

impl Handle {
    /// How alerts do.
    pub async fn alerts(&self) -> Result<AlertsView, CommandError> {
        self.read(view).await
    }
}
