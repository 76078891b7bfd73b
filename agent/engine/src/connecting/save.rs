//! Saving what was filled in: it becomes a provisioning file of one connection, so that there is one way to check, commit and
//! note it. The connector itself is asked before anything is written. Every mistake is told with the field it is in.

use super::form::{descriptor, in_use, is_required_at_once, stored};
use crate::apply::{self, Address, address_of, quoted};
use crate::calls;
use crate::connectors::Binding;
use crate::core::Slot;
use crate::handle::{CommandError, Handle};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use waybill_host::connector::Mode;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Descriptor, Field, Problem, secret_label};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_model::settings::{Values, connection_settings};
use waybill_store::{ConnectionRow, Read};

/// A secret that was typed in.
#[derive(Debug, Clone)]
pub struct DraftSecret {
    /// Its credential.
    pub slot: String,
    /// Its name there.
    pub name: String,
    /// Its value; an empty one changes nothing.
    pub value: SecretString,
}

/// What was filled in.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Name of the connection.
    pub name: String,
    /// Its connector's id; of a connection that is there it cannot change.
    pub connector: String,
    /// A title of its own.
    pub title: Option<String>,
    /// Whether addresses of this machine and of private networks may be reached; `None`: as before.
    pub private: Option<bool>,
    /// Settings by key. One that is not named stays, an empty one holds its default.
    pub settings: BTreeMap<String, String>,
    /// Secrets.
    pub secrets: Vec<DraftSecret>,
}

/// What is wrong, and in which field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldMistake {
    /// Key of the setting, `name`, or `slot.name` of a secret; `None`: of the whole.
    pub field: Option<String>,
    /// One sentence.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub enum Saved {
    /// It is stored; what changed.
    Done(apply::Difference),
    /// Nothing was changed; all that is wrong.
    Mistakes(Vec<FieldMistake>),
}

/// A provisioning file, and the field that each of its lines is about.
struct File {
    text: String,
    fields: Vec<Option<String>>,
    inputs: BTreeMap<String, String>,
    /// Addresses that need the merchant's word, in the words of the form: what the file calls that word nobody sees there.
    private: Vec<FieldMistake>,
}

impl File {
    fn line(&mut self, field: Option<&str>, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.fields.push(field.map(str::to_owned));
    }

    fn of(draft: &Draft, row: Option<&ConnectionRow>, settings: &BTreeMap<String, String>) -> Self {
        let mut file = Self {
            text: String::new(),
            fields: Vec::new(),
            inputs: BTreeMap::new(),
            private: Vec::new(),
        };
        file.line(None, "version = 1");
        file.line(None, "[[connection]]");
        file.line(Some("name"), &format!("name = {}", quoted(&draft.name)));
        let connector = format!("connector = {}", quoted(&draft.connector));
        file.line(Some("connector"), &connector);
        if let Some(title) = &draft.title {
            file.line(Some("title"), &format!("title = {}", quoted(title)));
        }
        if draft
            .private
            .unwrap_or(row.is_some_and(|row| row.allow_private))
        {
            file.line(Some("private"), "private-addresses = true");
        }
        if let Some(row) = row.filter(|row| !row.grants.is_empty()) {
            let grants: Vec<String> = row.grants.iter().map(|grant| quoted(grant)).collect();
            file.line(None, &format!("grants = [{}]", grants.join(", ")));
        }
        file.line(None, "[connection.settings]");
        for (key, value) in settings {
            file.line(Some(key), &format!("{} = {}", quoted(key), quoted(value)));
        }
        let entered = |s: &&DraftSecret| !s.value.expose_secret().is_empty();
        for secret in draft.secrets.iter().filter(entered) {
            let field = format!("{}.{}", secret.slot, secret.name);
            let (slot, name) = (quoted(&secret.slot), quoted(&secret.name));
            file.line(
                Some(&field),
                &format!("[connection.credentials.{slot}.{name}]"),
            );
            file.line(Some(&field), &format!("file = {}", quoted(&field)));
            let value = secret.value.expose_secret().to_owned();
            file.inputs.insert(format!("file:{field}"), value);
        }
        file
    }

    fn mistake(&self, mistake: apply::Mistake) -> FieldMistake {
        let line = mistake.line.checked_sub(1);
        let field = line.and_then(|at| self.fields.get(at).cloned()).flatten();
        let mut private = self.private.iter();
        if let Some(own) = private.find(|own| own.field == field) {
            return own.clone();
        }
        FieldMistake {
            field,
            message: mistake.message,
            hint: mistake.hint,
        }
    }
}

/// What the file names: what differs from what holds, and what must always be named. An emptied choice holds its default.
fn named(
    draft: &Draft,
    descriptor: &Descriptor,
    stored: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let own = connection_settings();
    let known = descriptor.settings.iter().chain(&own);
    let default = |key: &str| {
        let setting = known.clone().find(|setting| setting.key == key)?;
        setting.default.clone()
    };
    let mut settings = BTreeMap::new();
    for (key, value) in &draft.settings {
        let value = value.trim();
        let value = match (value, default(key)) {
            ("", Some(default)) if stored.contains_key(key) => default,
            ("", _) if !stored.contains_key(key) => continue,
            (value, Some(default)) if value == default && !stored.contains_key(key) => continue,
            (value, _) => value.to_owned(),
        };
        settings.insert(key.clone(), value);
    }
    let required = descriptor.settings.iter();
    for setting in required.filter(|s| is_required_at_once(s)) {
        if let Some(value) = stored.get(&setting.key) {
            settings
                .entry(setting.key.clone())
                .or_insert_with(|| value.clone());
        }
    }
    settings
}

/// Required settings that nobody filled in, each in its own field.
fn missing(descriptor: &Descriptor, settings: &BTreeMap<String, String>) -> Vec<FieldMistake> {
    let required = descriptor
        .settings
        .iter()
        .filter(|s| is_required_at_once(s) && s.default.is_none());
    let empty = required.filter(|s| settings.get(&s.key).is_none_or(String::is_empty));
    empty
        .map(|setting| FieldMistake {
            field: Some(setting.key.clone()),
            message: format!("{} is missing", setting.label),
            hint: Some(setting.help.clone()),
        })
        .collect()
}

/// Addresses of this machine or of private networks, which a connection does not reach without the merchant's word.
fn private(
    descriptor: &Descriptor,
    settings: &BTreeMap<String, String>,
) -> impl Iterator<Item = FieldMistake> {
    let urls = descriptor.settings.iter().filter(|s| s.field == Field::Url);
    urls.filter_map(|setting| {
        let Address::Private(host) = address_of(settings.get(&setting.key)?) else {
            return None;
        };
        Some(FieldMistake {
            field: Some(setting.key.clone()),
            message: format!("{host} is this machine or in a private network"),
            hint: Some("If that is meant, tick Private addresses.".to_owned()),
        })
    })
}

/// Secrets of the credential in use that are neither typed in nor stored, each in its own field. A connection that goes by
/// another of its credentials alone, as to a file server, may leave all of that one empty.
fn lacking(
    descriptor: &Descriptor,
    draft: &Draft,
    values: &BTreeMap<String, String>,
    held: &[(String, String, Millis)],
) -> Vec<FieldMistake> {
    let Some(credential) = in_use(descriptor, values) else {
        return Vec::new();
    };
    let typed = draft
        .secrets
        .iter()
        .filter(|s| !s.value.expose_secret().is_empty());
    let typed = typed.map(|s| (s.slot.as_str(), s.name.as_str()));
    let stored = held
        .iter()
        .map(|(slot, name, _)| (slot.as_str(), name.as_str()));
    let there: BTreeSet<(&str, &str)> = typed.chain(stored).collect();
    let slot = credential.slot.as_str();
    if !there.is_empty() && there.iter().all(|(other, _)| *other != slot) {
        return Vec::new();
    }
    let needed = credential
        .secrets
        .iter()
        .filter(|name| credential.needs(name));
    needed
        .filter(|name| !there.contains(&(slot, name.as_str())))
        .map(|name| FieldMistake {
            field: Some(format!("{}.{name}", credential.slot)),
            message: format!("{} is missing", secret_label(name)),
            hint: Some(format!("It belongs to {}.", credential.label)),
        })
        .collect()
}

impl Handle {
    /// Checks what was filled in and saves it in one commit; a connection that is not there is made.
    ///
    /// # Errors
    /// When there is no such connector.
    pub async fn save_connection(
        &self,
        mut draft: Draft,
        who: &str,
    ) -> Result<Saved, CommandError> {
        let id = draft.connector.clone();
        let unknown = || CommandError::NotFound(format!("connector `{id}`"));
        let descriptor = descriptor(&self.core, &id).ok_or_else(unknown)?;
        let name = draft.name.clone();
        let (row, stored, effective, held) = self
            .read(move |_, rx| {
                let row = rx.connection_by_name(&name)?;
                let stored = match &row {
                    Some(row) => stored(rx, row)?,
                    None => BTreeMap::new(),
                };
                let effective = rx.effective(row.as_ref().map(|row| row.id), None)?;
                let held = match &row {
                    Some(row) => rx.secret_names(row.id)?,
                    None => Vec::new(),
                };
                Ok((row, stored, effective, held))
            })
            .await?;
        let settings = named(&draft, &descriptor, &stored);
        let mut empty = missing(&descriptor, &settings);
        let mut chosen = stored;
        chosen.extend(settings.clone());
        empty.extend(lacking(&descriptor, &draft, &chosen, &held));
        if !empty.is_empty() {
            return Ok(Saved::Mistakes(empty));
        }
        if row.is_none() && draft.title.is_none() {
            draft.title = self.second_title(&descriptor.title, &draft.name);
        }
        let mut file = File::of(&draft, row.as_ref(), &settings);
        let granted = row.as_ref().is_some_and(|row| row.allow_private);
        if !draft.private.unwrap_or(granted) {
            file.private = private(&descriptor, &settings).collect();
        }
        let plan = match apply::parse(&file.text, &file.inputs) {
            Ok(plan) => plan,
            Err(found) => return Ok(file.mistakes(found)),
        };
        let found = self.check(&plan);
        if !found.is_empty() {
            return Ok(file.mistakes(found));
        }
        let mut values = effective;
        values.extend(settings);
        let wrong = self.validated(&draft, row, values).await;
        if !wrong.is_empty() {
            return Ok(Saved::Mistakes(wrong));
        }
        let found = self.check_live(&plan).await?;
        if !found.is_empty() {
            return Ok(file.mistakes(found));
        }
        let difference = self.apply(plan, who).await?;
        // Whoever saves tests next.
        self.core.reload()?;
        Ok(Saved::Done(difference))
    }

    /// The title of a connection whose connector's title stands for another one already: they are told apart.
    fn second_title(&self, title: &str, name: &str) -> Option<String> {
        let desk = self.core.desk();
        let mut others = desk.slots.values();
        let taken = others.any(|slot| slot.row.title == title);
        taken.then(|| format!("{title} ({name})"))
    }

    /// What the connector itself says of the settings, before they are stored.
    async fn validated(
        &self,
        draft: &Draft,
        row: Option<ConnectionRow>,
        values: BTreeMap<String, String>,
    ) -> Vec<FieldMistake> {
        let mut row = row.unwrap_or_else(|| unborn(&draft.name, &draft.connector, self.now()));
        row.allow_private = draft.private.unwrap_or(row.allow_private);
        let problems = self.validate(&self.thought_of(row, values)).await;
        problems.into_iter().map(FieldMistake::from).collect()
    }

    /// A connection as it would be under these settings; defaults fill what they leave out.
    pub(crate) fn thought_of(&self, row: ConnectionRow, mut values: Values) -> Slot {
        let descriptors = self.core.connectors.descriptors();
        let own = descriptors.into_iter().find(|d| d.id == row.connector);
        for setting in own.into_iter().flat_map(|descriptor| descriptor.settings) {
            if let Some(default) = setting.default {
                values.entry(setting.key).or_insert(default);
            }
        }
        let connector = self
            .core
            .connectors
            .bind(&row.connector, Binding::of(&row, &values));
        Slot {
            row,
            settings: values,
            connector,
        }
    }

    /// What a connector says of its settings. One that cannot be asked says nothing, which is shown on its page; settings may
    /// be just what mends it.
    pub(crate) async fn validate(&self, slot: &Slot) -> Vec<Problem> {
        let Some(connector) = slot.connector() else {
            return Vec::new();
        };
        let scope = EffectScope::Setup("validate".to_owned());
        let priority = Priority::NearDeadline;
        let call = self.core.call(slot, scope, priority, Mode::ReadOnly, 1);
        connector.validate(call).await.value.unwrap_or_else(|error| {
            let why = calls::sentence(&error);
            tracing::warn!(connection = %slot.row.name, reason = %why, "Settings could not be validated.");
            Vec::new()
        })
    }
}

impl File {
    fn mistakes(&self, found: Vec<apply::Mistake>) -> Saved {
        let found = found.into_iter().map(|mistake| self.mistake(mistake));
        Saved::Mistakes(found.collect())
    }
}

impl From<Problem> for FieldMistake {
    /// The code of what a connector says of its settings is the setting's key.
    fn from(problem: Problem) -> Self {
        Self {
            field: Some(problem.code),
            message: problem.message,
            hint: problem.hint,
        }
    }
}

/// A connection that is only thought of: nothing of it is stored, and it calls nobody.
pub(crate) fn unborn(name: &str, connector: &str, now: Millis) -> ConnectionRow {
    ConnectionRow {
        id: ConnectionId(0),
        name: name.to_owned(),
        connector: connector.to_owned(),
        title: String::new(),
        paused: false,
        allow_private: false,
        grants: Vec::new(),
        created_at: now,
        hold_until: None,
        unauthorized: None,
        last_ok: None,
        last_error: None,
        clock_skew_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_typed_becomes_the_same_file_and_mistakes_find_their_field() {
        let odd = "a \"quote\", a \\ and\ttab, \u{e9} = [x]";
        let secret = |name: &str| DraftSecret {
            slot: "token one".to_owned(),
            name: name.to_owned(),
            value: odd.to_owned().into(),
        };
        let draft = Draft {
            name: "Not A Name".to_owned(),
            connector: "desk".to_owned(),
            title: Some(odd.to_owned()),
            private: Some(true),
            settings: BTreeMap::new(),
            secrets: vec![secret("key"), secret("other.key")],
        };
        let settings = BTreeMap::from([("some.key".to_owned(), odd.to_owned())]);
        let file = File::of(&draft, None, &settings);
        let found = apply::parse(&file.text, &file.inputs).unwrap_err();
        let fields: Vec<_> = found.into_iter().map(|m| file.mistake(m).field).collect();
        assert_eq!(fields, [Some("name".to_owned())]);
        let draft = Draft {
            name: "desk".to_owned(),
            ..draft
        };
        let file = File::of(&draft, None, &settings);
        let plan = apply::parse(&file.text, &file.inputs).unwrap();
        let connection = &plan.connections[0];
        assert_eq!(connection.title.as_deref(), Some(odd));
        assert_eq!(connection.settings[0].key.value, "some.key");
        assert_eq!(connection.settings[0].value.value, odd);
        assert!(connection.allow_private);
        let names: Vec<_> = connection.secrets.iter().map(|s| &*s.name.value).collect();
        assert_eq!(names, ["key", "other.key"]);
        assert!(
            connection
                .secrets
                .iter()
                .all(|s| s.value.expose_secret() == odd)
        );
        // A person's own words about a secret's place are no secret; its value is not in the file.
        assert_eq!(file.text.matches("quote").count(), 2);
    }
}
