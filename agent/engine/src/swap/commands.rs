//! What people ask of connectors: accept, go back, choose, try again. Each is one commit and is audited.

use super::show;
use super::undo::{self, Back};
use super::view::ConnectorsView;
use crate::apply::misfit;
use crate::core::Core;
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use waybill_model::contract::{Descriptor, Problem, Setting};
use waybill_store::{ConnectorRow, Read, Scope, WaitingRow};

/// Fewest digits of a hash that name a build.
const SHORTEST: usize = 8;

/// A setting entered for a build that asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Name of the connection.
    pub connection: String,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

fn refused(code: &str, message: impl Into<String>, hint: &str) -> CommandError {
    CommandError::Refused(Problem::new(code, message, hint))
}

/// What connectors say of themselves, together with what a waiting build would say: its settings and secrets may be
/// entered before it is accepted.
pub(crate) fn with_waiting(core: &Core) -> Vec<Descriptor> {
    let mut known = core.connectors.descriptors();
    let rows = core.store.read(Read::connectors).unwrap_or_default();
    for waiting in rows.iter().filter_map(|row| row.waiting.as_ref()) {
        let Some(build) = core.swaps.loaded(&waiting.hash) else {
            continue;
        };
        let new = build.descriptor();
        let Some(old) = known.iter_mut().find(|d| d.id == new.id) else {
            continue;
        };
        for setting in &new.settings {
            if old.settings.iter().all(|s| s.key != setting.key) {
                old.settings.push(Setting {
                    required: false,
                    ..setting.clone()
                });
            }
        }
        for credential in &new.credentials {
            match old
                .credentials
                .iter_mut()
                .find(|c| c.slot == credential.slot)
            {
                None => old.credentials.push(credential.clone()),
                Some(slot) => {
                    let known = slot.secrets.clone();
                    let more = credential.secrets.iter().filter(|s| !known.contains(s));
                    slot.secrets.extend(more.cloned());
                }
            }
        }
    }
    known
}

impl Handle {
    /// Every connector: what runs, what waits, what was refused and why.
    pub async fn connectors(&self) -> Result<ConnectorsView, CommandError> {
        self.read(show::connectors).await
    }

    /// Something changed in the connectors folder, or may have.
    pub fn look_at_folder(&self) {
        self.core.swaps.want();
        self.core.wake(Event::Changed);
    }

    async fn connector_row(&self, id: &str) -> Result<ConnectorRow, CommandError> {
        let wanted = id.to_owned();
        self.read(move |_, rx| rx.connector(&wanted))
            .await?
            .ok_or_else(|| CommandError::NotFound(format!("connector `{id}`")))
    }

    /// Grants what a waiting build asks for, and enters the settings it needs. It is tested and swapped in after that.
    /// `hash` says which build was looked at: another one is not accepted unseen.
    pub async fn accept_connector(
        &self,
        id: &str,
        hash: Option<&str>,
        given: Vec<Given>,
        who: &str,
    ) -> Result<(), CommandError> {
        let row = self.connector_row(id).await?;
        let Some(waiting) = row.waiting else {
            return Err(refused(
                "nothing-waits",
                format!("No build of `{id}` waits for you."),
                "Load the page again.",
            ));
        };
        if hash.is_some_and(|hash| !names(hash, &waiting.hash)) {
            return Err(refused(
                "another-build",
                "Another build waits by now.",
                "Look at what it asks for, then accept it.",
            ));
        }
        let build = self.core.swaps.loaded(&waiting.hash);
        let descriptor = build.as_ref().map(|build| build.descriptor());
        let entered = self.entered(&waiting, &given, descriptor)?;
        let (id, who, now) = (id.to_owned(), who.to_owned(), self.now());
        let file = waiting.file.clone();
        let done = self
            .core
            .store
            .write(move |tx| {
                let Some(mut row) = tx.connector(&id)? else {
                    return Ok(false);
                };
                let Some(mut now_waiting) = row.waiting.take().filter(|w| w.hash == waiting.hash)
                else {
                    return Ok(false);
                };
                for (scope, key, value) in &entered {
                    tx.set_setting(scope, key, Some(value), &who, now)?;
                }
                row.grant = row.grant.joined(&now_waiting.grant);
                let detail = format!(
                    "{} {}: {}",
                    row.title,
                    now_waiting.version,
                    super::consider::sentences(&now_waiting)
                );
                now_waiting.accepted = Some(who.clone());
                row.waiting = Some(now_waiting);
                tx.put_connector(&row)?;
                tx.audit(&who, "Accepted a new build", &detail, now)?;
                Ok(true)
            })
            .await?;
        if !done {
            return Err(refused(
                "changed-meanwhile",
                "The connector was changed meanwhile.",
                "Load the page again.",
            ));
        }
        self.core.swaps.clear(&file);
        self.look_at_folder();
        Ok(())
    }

    /// The settings a waiting build asks for, all of them and each fit.
    fn entered(
        &self,
        waiting: &WaitingRow,
        given: &[Given],
        descriptor: Option<&Descriptor>,
    ) -> Result<Vec<(Scope, String, String)>, CommandError> {
        let rows = self.core.store.read(Read::connections)?;
        let mut entered = Vec::new();
        for asked in &waiting.settings {
            let name = rows.iter().find(|row| row.id == asked.connection);
            let name = name.map(|row| row.name.as_str()).unwrap_or_default();
            let found = given
                .iter()
                .find(|g| g.connection == name && g.key == asked.key);
            let Some(value) = found.map(|g| g.value.trim()).filter(|v| !v.is_empty()) else {
                return Err(refused(
                    "setting-missing",
                    format!(
                        "`{}` of `{name}` must be entered: {}",
                        asked.key, asked.label
                    ),
                    "Enter it together with accepting the build.",
                ));
            };
            let settings = descriptor
                .map(|d| d.settings.as_slice())
                .unwrap_or_default();
            let field = settings
                .iter()
                .find(|s| s.key == asked.key)
                .map(|s| &s.field);
            if let Some((why, hint)) = field.and_then(|field| misfit(field, value)) {
                let hint = hint.unwrap_or_else(|| "Enter another value.".to_owned());
                let message = format!("`{}` of `{name}` does not fit: {why}", asked.key);
                return Err(refused("setting-misfit", message, &hint));
            }
            let scope = Scope {
                connection: Some(asked.connection),
                retailer: None,
            };
            entered.push((scope, asked.key.clone(), value.to_owned()));
        }
        if let Some(other) = given.iter().find(|g| {
            let is_asked = |(_, key, _): &(Scope, String, String)| *key == g.key;
            !entered.iter().any(is_asked)
        }) {
            return Err(refused(
                "setting-unknown",
                format!("The build does not ask for `{}`.", other.key),
                "Leave it out, or set it with `waybill apply`.",
            ));
        }
        Ok(entered)
    }

    /// Goes back to the build before. The version at work from now on. The build that is left is not loaded again unless
    /// somebody chooses it.
    pub async fn roll_back_connector(&self, id: &str, who: &str) -> Result<String, CommandError> {
        self.connector_row(id).await?;
        self.go_back(id, None, who).await
    }

    async fn go_back(
        &self,
        id: &str,
        to: Option<String>,
        who: &str,
    ) -> Result<String, CommandError> {
        let back = Back {
            id: id.to_owned(),
            to,
            from: None,
            who: who.to_owned(),
            reason: format!("{who} went back to the build before"),
            found_out: None,
        };
        let done = undo::take_back(&self.core, back).await?;
        done.map(|build| build.version)
            .map_err(CommandError::Refused)
    }

    /// Chooses a build by its hash (or the first eight digits of it, or more): an earlier one at once, one that was taken
    /// back or refused after it is tested like a new one. A sentence: what happens.
    pub async fn choose_connector(
        &self,
        id: &str,
        hash: &str,
        who: &str,
    ) -> Result<String, CommandError> {
        let row = self.connector_row(id).await?;
        if names(hash, &row.current.hash) {
            return Err(refused(
                "at-work",
                "This build is at work already.",
                "Nothing is left to do.",
            ));
        }
        if let Some(build) = row.previous.iter().find(|build| names(hash, &build.hash)) {
            let version = self.go_back(id, Some(build.hash.clone()), who).await?;
            return Ok(format!("Version {version} is at work."));
        }
        let (files, _) = self.core.swaps.files();
        let file = files
            .iter()
            .find(|seen| seen.hash.as_ref().is_ok_and(|found| names(hash, found)));
        let Some(file) = file else {
            return Err(refused(
                "no-such-build",
                format!("No kept build and no file in the folder has the hash `{hash}`."),
                "Put the file into the connectors folder again; `waybill connectors list --json` shows hashes.",
            ));
        };
        let chosen = file.hash.clone().unwrap_or_default();
        let (id, who, now, shown) = (id.to_owned(), who.to_owned(), self.now(), file.file.clone());
        self.core
            .store
            .write(move |tx| {
                let Some(mut row) = tx.connector(&id)? else {
                    return Ok(());
                };
                row.bad.retain(|bad| bad.hash != chosen);
                tx.put_connector(&row)?;
                tx.audit(&who, "Chose a build of a connector", &shown, now)
            })
            .await?;
        self.core.swaps.clear(&file.file);
        self.look_at_folder();
        Ok(format!("`{}` is tested now, like a new build.", file.file))
    }

    /// Looks again at a file that was refused, whatever it was refused for.
    pub async fn retry_connector(&self, file: &str, who: &str) -> Result<(), CommandError> {
        if !self.core.swaps.clear(file) {
            return Err(CommandError::NotFound(format!("refused file `{file}`")));
        }
        self.audit(who, "Looked again at a refused build", file)
            .await?;
        self.look_at_folder();
        Ok(())
    }
}

/// Whether these digits name that hash.
fn names(digits: &str, hash: &str) -> bool {
    let digits = digits.trim().to_ascii_lowercase();
    digits.len() >= SHORTEST && hash.starts_with(&digits)
}
