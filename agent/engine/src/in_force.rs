//! Settings as they hold: each with its words, its default, who changed it and when, and what single retailers have of
//! their own. Secrets are told by name and age only. A single one is set here too, on the same checked way as a provisioning file.

use crate::apply::{self, quoted};
use crate::core::{Core, Desk, Slot};
use crate::handle::{CommandError, Handle};
use serde::Serialize;
use std::collections::BTreeMap;
use waybill_model::contract::{Field, Problem, Setting};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::settings;
use waybill_store::{Lists, Read, Rx, Scope, SettingRow, StoreError};

/// Changes that are shown.
const CHANGES: usize = 20;

/// A value somebody set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetValue {
    /// As it is stored.
    pub value: String,
    /// The same in words.
    pub words: String,
    /// Who set it.
    pub who: String,
    /// When.
    pub at: Millis,
}

/// A retailer's own value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnValue {
    /// Its code.
    pub retailer: String,
    /// Its name, or its code where no name is known.
    pub name: String,
    /// The value.
    #[serde(flatten)]
    pub set: SetValue,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingView {
    /// As in a provisioning file.
    pub key: String,
    /// Label.
    pub label: String,
    /// What it does.
    pub help: String,
    /// What holds, in words; `None`: nothing is set and there is no default.
    pub holds: Option<String>,
    /// The default in words.
    pub default: Option<String>,
    /// What was set; `None`: the default holds.
    pub set: Option<SetValue>,
    /// What may be chosen: value and words. Empty: free text.
    pub choices: Vec<(String, String)>,
    /// Whether retailers may differ.
    pub per_retailer: bool,
    /// Retailers that do, by code.
    pub own: Vec<OwnValue>,
}

/// Settings of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingGroup {
    /// Head.
    pub title: String,
    /// In the order of their descriptions.
    pub settings: Vec<SettingView>,
}

/// Settings of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionSettings {
    /// Its name in provisioning files.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Why its connector's settings cannot be described, where no connector is loaded.
    pub missing: Option<String>,
    /// Its settings.
    pub groups: Vec<SettingGroup>,
    /// Secrets that are stored: slot, name, since when. Never their values.
    pub secrets: Vec<(String, String, Millis)>,
}

/// A change of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingChanged {
    /// The version of the settings that it made.
    pub version: u64,
    /// When.
    pub at: Millis,
    /// Who.
    pub who: String,
    /// The setting's key.
    pub key: String,
    /// For which connection.
    pub connection: Option<String>,
    /// For which retailer.
    pub retailer: Option<String>,
    /// From what; `None`: the default held.
    pub old: Option<String>,
    /// To what; `None`: the default holds.
    pub new: Option<String>,
}

/// Every setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingsView {
    /// The agent's own, for all connections.
    pub agent: Vec<SettingGroup>,
    /// Each connection's.
    pub connections: Vec<ConnectionSettings>,
    /// The newest changes.
    pub changes: Vec<SettingChanged>,
}

/// One setting as it holds for a retailer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldSetting {
    /// As in a provisioning file.
    pub key: String,
    /// Label.
    pub label: String,
    /// What holds, in words.
    pub holds: Option<String>,
    /// The retailer's own value, where it has one.
    pub own: Option<SetValue>,
    /// What holds for everybody else, in words.
    pub others: Option<String>,
}

/// The agent's own settings, without those of single connections.
pub(crate) fn agent() -> Vec<Setting> {
    let mut all = settings::agent_settings();
    all.extend(settings::stock_settings());
    all.extend(waybill_model::alerts::alert_settings());
    all.extend(waybill_model::practice::practice_settings());
    let timings = settings::timing_settings().into_iter();
    all.extend(timings.filter(|setting| !is_of_a_connection(setting)));
    all
}

/// A timing that only single connections have.
fn is_of_a_connection(setting: &Setting) -> bool {
    setting.key.starts_with(settings::POLL) || setting.key == settings::CONFIRM
}

/// A value in the words of its field.
fn words(field: Option<&Field>, value: &str) -> String {
    match field {
        Some(Field::OneOf(choices)) => {
            let chosen = choices.iter().find(|choice| choice.value == value);
            chosen.map_or_else(|| value.to_owned(), |choice| choice.label.clone())
        }
        Some(Field::Toggle) if value == "true" => "On".to_owned(),
        Some(Field::Toggle) if value == "false" => "Off".to_owned(),
        _ if value.is_empty() => "empty".to_owned(),
        _ => value.to_owned(),
    }
}

fn set(field: Option<&Field>, row: &SettingRow) -> SetValue {
    SetValue {
        words: words(field, &row.value),
        value: row.value.clone(),
        who: row.who.clone(),
        at: row.at,
    }
}

fn title(group: &str) -> String {
    let title = match group {
        "cancel" => "Cancellations",
        "timing" => "Timings, and what is kept",
        "" => "Others",
        "api" => "API",
        other => {
            let mut letters = other.chars();
            let first = letters.next().map(char::to_uppercase);
            let mut title: String = first.into_iter().flatten().collect();
            title.push_str(letters.as_str());
            return title;
        }
    };
    title.to_owned()
}

/// What is stored, by retailer and key.
struct Stored<'a> {
    rows: Vec<SettingRow>,
    names: &'a BTreeMap<String, String>,
}

impl Stored<'_> {
    fn for_all(&self, key: &str) -> Option<&SettingRow> {
        let mut rows = self.rows.iter();
        rows.find(|row| row.scope.retailer.is_none() && row.key == key)
    }

    fn view(&self, setting: &Setting) -> SettingView {
        let field = Some(&setting.field);
        let row = self.for_all(&setting.key);
        let default = setting.default.as_deref().map(|value| words(field, value));
        let own = self.rows.iter().filter(|row| row.key == setting.key);
        let own = own.filter_map(|row| {
            let retailer = row.scope.retailer.clone()?;
            let name = self.names.get(&retailer).unwrap_or(&retailer).clone();
            Some(OwnValue {
                retailer,
                name,
                set: set(field, row),
            })
        });
        SettingView {
            key: setting.key.clone(),
            label: setting.label.clone(),
            help: setting.help.clone(),
            holds: row
                .map(|row| words(field, &row.value))
                .or_else(|| default.clone()),
            default,
            set: row.map(|row| set(field, row)),
            choices: match &setting.field {
                Field::OneOf(choices) => choices
                    .iter()
                    .filter(|choice| !choice.disabled)
                    .map(|choice| (choice.value.clone(), choice.label.clone()))
                    .collect(),
                Field::Toggle => ["true", "false"]
                    .map(|value| (value.to_owned(), words(field, value)))
                    .to_vec(),
                _ => Vec::new(),
            },
            per_retailer: setting.per_retailer,
            own: own.collect(),
        }
    }

    /// Settings by group, in the order in which groups are named first.
    fn groups(&self, all: &[Setting]) -> Vec<SettingGroup> {
        let mut groups: Vec<SettingGroup> = Vec::new();
        for setting in all {
            let (title, view) = (title(&setting.group), self.view(setting));
            match groups.iter_mut().find(|group| group.title == title) {
                Some(group) => group.settings.push(view),
                None => groups.push(SettingGroup {
                    title,
                    settings: vec![view],
                }),
            }
        }
        groups
    }
}

/// Names of retailers by code: those of orders, and those that have settings of their own.
fn names(rx: &Rx, own: &[SettingRow]) -> Result<BTreeMap<String, String>, StoreError> {
    let codes = own.iter().filter_map(|row| row.scope.retailer.clone());
    let mut names: BTreeMap<_, _> = codes.map(|code| (code.clone(), code)).collect();
    let rows = rx.retailers()?.into_iter();
    names.extend(
        rows.filter(|row| !row.name.is_empty())
            .map(|row| (row.code, row.name)),
    );
    Ok(names)
}

fn connection(
    rx: &Rx,
    slot: &Slot,
    names: &BTreeMap<String, String>,
) -> Result<ConnectionSettings, StoreError> {
    let stored = Stored {
        rows: rx.connection_values(slot.row.id)?,
        names,
    };
    let mut all: Vec<Setting> = slot
        .descriptor()
        .map(|descriptor| descriptor.settings.clone())
        .unwrap_or_default();
    let own = settings::connection_settings()
        .into_iter()
        .map(|setting| Setting {
            group: "connection".to_owned(),
            ..setting
        });
    all.extend(own);
    // The agent's settings and timings are shown where this connection has its own.
    let mut others = agent();
    let timings = settings::timing_settings().into_iter();
    others.extend(timings.filter(is_of_a_connection));
    others.retain(|s| stored.for_all(&s.key).is_some() && !all.iter().any(|a| a.key == s.key));
    all.extend(others);
    let groups = stored.groups(&all);
    Ok(ConnectionSettings {
        name: slot.row.name.clone(),
        title: slot.row.title.clone(),
        missing: slot.connector.as_ref().err().cloned(),
        groups,
        secrets: rx.secret_names(slot.row.id)?,
    })
}

fn changes(desk: &Desk, rx: &Rx) -> Result<Vec<SettingChanged>, StoreError> {
    let name = |id: ConnectionId| {
        let slot = desk.slots.get(&id);
        slot.map_or_else(|| id.to_string(), |slot| slot.row.name.clone())
    };
    let changes = rx.setting_history(CHANGES)?.into_iter();
    Ok(changes
        .map(|change| SettingChanged {
            version: change.seq,
            at: change.at,
            who: change.who,
            key: change.key,
            connection: change.scope.connection.map(name),
            retailer: change.scope.retailer,
            old: change.old,
            new: change.new,
        })
        .collect())
}

fn view(core: &Core, rx: &Rx) -> Result<SettingsView, StoreError> {
    let desk = core.desk();
    let rows = rx.agent_rows()?;
    let names = names(rx, &rows)?;
    let stored = Stored {
        rows,
        names: &names,
    };
    let mut own = agent();
    // Timings of single connections are shown here only where they were set for all of them.
    let mut timings = settings::timing_settings();
    timings.retain(|s| stored.for_all(&s.key).is_some());
    timings.retain(|s| !own.iter().any(|known| known.key == s.key));
    own.extend(timings);
    let connections = desk.slots.values();
    Ok(SettingsView {
        agent: stored.groups(&own),
        connections: connections
            .map(|slot| connection(rx, slot, &names))
            .collect::<Result<_, _>>()?,
        changes: changes(&desk, rx)?,
    })
}

/// The agent's settings as they hold for one retailer.
pub(crate) fn held(
    rx: &Rx,
    network: ConnectionId,
    retailer: &str,
) -> Result<Vec<HeldSetting>, StoreError> {
    let (all, own) = (
        set_at(rx, network, None)?,
        set_at(rx, network, Some(retailer))?,
    );
    let settings = settings::agent_settings().into_iter();
    Ok(settings
        .filter(|setting| setting.per_retailer)
        .map(|setting| {
            let field = Some(&setting.field);
            let find = |rows: &[SettingRow]| {
                let row = rows.iter().find(|row| row.key == setting.key);
                row.map(|row| set(field, row))
            };
            let default = setting.default.as_deref().map(|value| words(field, value));
            let others = find(&all).map(|set| set.words).or(default);
            let own = find(&own);
            HeldSetting {
                holds: own
                    .as_ref()
                    .map(|own| own.words.clone())
                    .or_else(|| others.clone()),
                key: setting.key.clone(),
                label: setting.label.clone(),
                own,
                others,
            }
        })
        .collect())
}

/// Values for a retailer of a network, or for all of them: those of this connection alone first, since they go before
/// those that name no connection.
pub(crate) fn set_at(
    rx: &Rx,
    network: ConnectionId,
    retailer: Option<&str>,
) -> Result<Vec<SettingRow>, StoreError> {
    let mut rows = Vec::new();
    for connection in [Some(network), None] {
        rows.extend(rx.settings(&Scope {
            connection,
            retailer: retailer.map(str::to_owned),
        })?);
    }
    Ok(rows)
}

/// A provisioning file of one setting.
fn file(key: &str, value: &str, retailer: Option<&str>) -> String {
    let pair = format!("{} = {}", quoted(key), quoted(value));
    match retailer {
        None => format!("version = 1\n[settings]\n{pair}\n"),
        Some(code) => format!(
            "version = 1\n[[retailer]]\ncode = {}\nsettings = {{ {pair} }}\n",
            quoted(code)
        ),
    }
}

fn refused(mistake: Option<apply::Mistake>) -> CommandError {
    let mut problem = Problem {
        code: "setting".to_owned(),
        message: "This cannot be set.".to_owned(),
        hint: None,
    };
    if let Some(mistake) = mistake {
        problem.message = mistake.message;
        problem.hint = mistake.hint;
    }
    CommandError::Refused(problem)
}

impl Handle {
    /// Every setting that is in force.
    pub async fn settings(&self) -> Result<SettingsView, CommandError> {
        self.read(view).await
    }

    /// Sets one of the agent's own settings, for all or for one retailer: checked, committed and noted as a file of that
    /// one line is. Whether anything changed.
    ///
    /// # Errors
    /// When there is no such setting, or it cannot have that value: why.
    pub async fn set_setting(
        &self,
        key: &str,
        value: &str,
        retailer: Option<&str>,
        who: &str,
    ) -> Result<bool, CommandError> {
        self.apply_text(&file(key, value, retailer), who).await
    }

    /// Sets several of them for all, in one commit or not at all. Whether anything changed.
    ///
    /// # Errors
    /// As for one: the first mistake.
    pub async fn set_settings(
        &self,
        pairs: &[(String, String)],
        who: &str,
    ) -> Result<bool, CommandError> {
        let lines: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{} = {}\n", quoted(key), quoted(value)))
            .collect();
        let file = format!("version = 1\n[settings]\n{}", lines.concat());
        self.apply_text(&file, who).await
    }

    async fn apply_text(&self, file: &str, who: &str) -> Result<bool, CommandError> {
        let plan = apply::parse(file, &BTreeMap::new())
            .map_err(|found| refused(found.into_iter().next()))?;
        if let Some(mistake) = self.check(&plan).into_iter().next() {
            return Err(refused(Some(mistake)));
        }
        let difference = self.apply(plan, who).await?;
        Ok(!difference.changes.is_empty())
    }
}
