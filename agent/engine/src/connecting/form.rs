//! What a connection asks to be filled in, from its connector's own words: settings, credentials, and what is stored of them.
//! Secrets are told by name and age only.

use crate::core::Core;
use crate::handle::{CommandError, Handle};
use serde::Serialize;
use std::collections::BTreeMap;
use waybill_model::contract::{Credential, Descriptor, Field, Scheme, Setting};
use waybill_model::document::Entity;
use waybill_model::ids::Millis;
use waybill_model::settings::{REDIRECT_URL, connection_settings};
use waybill_store::{ConnectionRow, Read, Rx, StoreError};

/// Name of the secret in which the host keeps an approval.
pub(super) const APPROVAL: &str = "approval";

/// A connector that a connection can be made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorChoice {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: String,
    /// Orders are read from it.
    pub gives_orders: bool,
    /// Orders become sales in it.
    pub takes_orders: bool,
    /// Names of its connections.
    pub connections: Vec<String>,
}

/// How a setting is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub enum Kind {
    Text,
    Url,
    Integer,
    Decimal,
    Toggle,
    OneOf,
    Lookup,
}

/// One setting to fill in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormField {
    /// As in a provisioning file.
    pub key: String,
    /// Label.
    pub label: String,
    /// What it does.
    pub help: String,
    /// Settings of one kind stand together.
    pub group: String,
    /// Nothing works without it.
    pub required: bool,
    /// Nothing is sent without it: it is chosen from the vendor's own list, once that can be read.
    pub needed: bool,
    /// How it is entered.
    pub kind: Kind,
    /// What may be chosen: value and words.
    pub choices: Vec<(String, String)>,
    /// What holds while nothing is entered.
    pub default: Option<String>,
    /// What was entered.
    pub value: Option<String>,
}

/// A secret to enter; its value is never told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretField {
    /// Its name in the credential.
    pub name: String,
    /// When it was entered.
    pub set_at: Option<Millis>,
}

/// How a credential is got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Its secrets are typed in.
    Typed,
    /// The merchant approves at the vendor.
    Approved,
}

/// One credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialField {
    /// Its slot.
    pub slot: String,
    /// Label.
    pub label: String,
    /// What it is.
    pub help: String,
    /// How to get it; `{redirect}` stands for the address to come back to.
    pub steps: Vec<String>,
    /// How it is got.
    pub way: Way,
    /// The one that is in use.
    pub chosen: bool,
    /// Its secrets.
    pub secrets: Vec<SecretField>,
    /// When it was approved, or renewed last.
    pub approved_at: Option<Millis>,
}

/// What a connection asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Form {
    /// Its name; a suggestion while it is new.
    pub name: String,
    /// Whether it is still to be made.
    pub new: bool,
    /// Its connector's id.
    pub connector: String,
    /// Its title.
    pub title: String,
    /// Addresses of this machine and of private networks may be reached.
    pub private: bool,
    /// Settings.
    pub fields: Vec<FormField>,
    /// Credentials.
    pub credentials: Vec<CredentialField>,
    /// The setting that says which credential is in use, and its value for each slot.
    pub chooser: Option<String>,
    /// Where a vendor sends the browser back to, where that was set.
    pub redirect: Option<String>,
}

/// Whether a connection cannot be made without it. What is chosen from the vendor's own list can only be chosen later.
pub(crate) const fn is_required_at_once(setting: &Setting) -> bool {
    setting.required && !matches!(setting.field, Field::Lookup)
}

/// The setting whose choices are slots: it says which credential is in use.
pub(super) fn chooser(descriptor: &Descriptor) -> Option<&Setting> {
    let is_slot = |value: &str| descriptor.credentials.iter().any(|c| c.slot == value);
    descriptor.settings.iter().find(|setting| {
        matches!(&setting.field, Field::OneOf(choices)
            if !choices.is_empty() && choices.iter().all(|c| is_slot(&c.value)))
    })
}

/// The credential in use under these values.
pub(super) fn in_use<'d>(
    descriptor: &'d Descriptor,
    values: &BTreeMap<String, String>,
) -> Option<&'d Credential> {
    let Some(setting) = chooser(descriptor) else {
        return descriptor.credentials.first();
    };
    let entered = values.get(&setting.key).filter(|value| !value.is_empty());
    let slot = entered.or(setting.default.as_ref())?;
    descriptor.credentials.iter().find(|c| c.slot == *slot)
}

fn field(setting: &Setting, values: &BTreeMap<String, String>) -> FormField {
    let (kind, choices) = match &setting.field {
        Field::Text => (Kind::Text, Vec::new()),
        Field::Url => (Kind::Url, Vec::new()),
        Field::Integer => (Kind::Integer, Vec::new()),
        Field::Decimal => (Kind::Decimal, Vec::new()),
        Field::Toggle => (Kind::Toggle, Vec::new()),
        Field::Lookup => (Kind::Lookup, Vec::new()),
        Field::OneOf(choices) => {
            let offered = choices.iter().filter(|choice| !choice.disabled);
            let pairs = offered.map(|choice| (choice.value.clone(), choice.label.clone()));
            (Kind::OneOf, pairs.collect())
        }
    };
    FormField {
        key: setting.key.clone(),
        label: setting.label.clone(),
        help: setting.help.clone(),
        group: setting.group.clone(),
        required: is_required_at_once(setting),
        needed: setting.required && setting.default.is_none() && !is_required_at_once(setting),
        kind,
        choices,
        default: setting.default.clone(),
        value: values.get(&setting.key).cloned(),
    }
}

fn credential(
    credential: &Credential,
    chosen: bool,
    stored: &[(String, String, Millis)],
) -> CredentialField {
    let set_at = |name: &str| {
        let mut of = stored
            .iter()
            .filter(|(slot, _, _)| *slot == credential.slot);
        of.find(|(_, known, _)| known == name).map(|(_, _, at)| *at)
    };
    let secrets = credential.secrets.iter().map(|name| SecretField {
        set_at: set_at(name),
        name: name.clone(),
    });
    CredentialField {
        slot: credential.slot.clone(),
        label: credential.label.clone(),
        help: credential.help.clone(),
        steps: credential.steps.clone(),
        way: match credential.scheme {
            Scheme::OAuth2Code(_) => Way::Approved,
            _ => Way::Typed,
        },
        chosen,
        secrets: secrets.collect(),
        approved_at: set_at(APPROVAL),
    }
}

/// What is stored of a connection's own settings, for all retailers.
pub(super) fn stored(rx: &Rx, row: &ConnectionRow) -> Result<BTreeMap<String, String>, StoreError> {
    let rows = rx.connection_values(row.id)?.into_iter();
    let all = rows.filter(|setting| setting.scope.retailer.is_none());
    Ok(all.map(|setting| (setting.key, setting.value)).collect())
}

pub(super) fn descriptor(core: &Core, id: &str) -> Option<Descriptor> {
    let mut all = core.connectors.descriptors().into_iter();
    all.find(|descriptor| descriptor.id == id)
}

fn form(descriptor: &Descriptor, rx: &Rx, row: Option<&ConnectionRow>) -> Result<Form, StoreError> {
    let (values, secrets) = match row {
        Some(row) => (stored(rx, row)?, rx.secret_names(row.id)?),
        None => (BTreeMap::new(), Vec::new()),
    };
    let used = in_use(descriptor, &values);
    let own = connection_settings();
    let settings = descriptor.settings.iter().chain(&own);
    let credentials = descriptor.credentials.iter();
    Ok(Form {
        name: match row {
            Some(row) => row.name.clone(),
            None => free_name(rx, &descriptor.id)?,
        },
        new: row.is_none(),
        connector: descriptor.id.clone(),
        title: row.map_or(&descriptor.title, |row| &row.title).clone(),
        private: row.is_some_and(|row| row.allow_private),
        fields: settings.map(|setting| field(setting, &values)).collect(),
        credentials: credentials
            .map(|c| credential(c, used.is_some_and(|used| used.slot == c.slot), &secrets))
            .collect(),
        chooser: chooser(descriptor).map(|setting| setting.key.clone()),
        redirect: values
            .get(REDIRECT_URL)
            .filter(|url| !url.is_empty())
            .cloned(),
    })
}

/// The connector's id as a name, or with a number behind it where that is taken.
fn free_name(rx: &Rx, id: &str) -> Result<String, StoreError> {
    let plain: String = id
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(28)
        .collect();
    let taken: Vec<String> = rx.connections()?.into_iter().map(|row| row.name).collect();
    let mut names = (2_u32..).map(|n| format!("{plain}-{n}"));
    let free = std::iter::once(plain.clone()).chain(names.by_ref());
    Ok(free
        .into_iter()
        .find(|name| !taken.contains(name))
        .unwrap_or(plain))
}

impl Handle {
    /// Connectors that a connection can be made of, those that take orders first.
    pub async fn connector_choices(&self) -> Result<Vec<ConnectorChoice>, CommandError> {
        self.read(|core, rx| {
            let rows = rx.connections()?;
            let mut all: Vec<ConnectorChoice> = core
                .connectors
                .descriptors()
                .into_iter()
                .map(|descriptor| ConnectorChoice {
                    gives_orders: descriptor.feed(Entity::Order).is_some(),
                    takes_orders: descriptor.intake(Entity::Order).is_some(),
                    connections: rows
                        .iter()
                        .filter(|row| row.connector == descriptor.id)
                        .map(|row| row.name.clone())
                        .collect(),
                    id: descriptor.id,
                    title: descriptor.title,
                    version: descriptor.version,
                })
                .collect();
            all.sort_by_key(|choice| (!choice.takes_orders, !choice.gives_orders));
            Ok(all)
        })
        .await
    }

    /// What a new connection of that connector asks for.
    ///
    /// # Errors
    /// When no such connector is installed.
    pub async fn new_form(&self, connector: &str) -> Result<Form, CommandError> {
        let missing = || CommandError::NotFound(format!("connector `{connector}`"));
        let descriptor = descriptor(&self.core, connector).ok_or_else(missing)?;
        self.read(move |_, rx| form(&descriptor, rx, None)).await
    }

    /// What a connection asks for, and what was entered.
    ///
    /// # Errors
    /// When there is no such connection, or its connector is not installed.
    pub async fn form(&self, connection: &str) -> Result<Form, CommandError> {
        let row = self.connection(connection).await?;
        let missing = || CommandError::NotFound(format!("connector `{}`", row.connector));
        let descriptor = descriptor(&self.core, &row.connector).ok_or_else(missing)?;
        self.read(move |_, rx| form(&descriptor, rx, Some(&row)))
            .await
    }
}
