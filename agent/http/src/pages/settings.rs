//! Settings: what holds, its default, who changed it and when, what retailers have of their own. The agent's own are
//! changed here one at a time, on the same checked way as a provisioning file.

use super::layout::{Base, not_done};
use super::{base, render};
use crate::answer::{self, Answer, Failure};
use crate::html::{self, Times};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::in_force::{SetValue, SettingChanged, SettingGroup, SettingView, SettingsView};

/// A value that a setting may have.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) words: String,
    pub(super) chosen: bool,
}

struct Own {
    name: String,
    value: String,
    by: String,
}

/// A setting.
pub(super) struct Setting {
    /// For ids on the page.
    pub(super) id: String,
    pub(super) key: String,
    pub(super) label: String,
    pub(super) help: String,
    holds: String,
    default: String,
    by: Option<String>,
    pub(super) value: String,
    pub(super) choices: Vec<Choice>,
    per_retailer: bool,
    own: Vec<Own>,
}

struct Group {
    id: String,
    title: String,
    settings: Vec<Setting>,
}

struct Connection {
    id: String,
    href: String,
    name: String,
    title: String,
    missing: Option<String>,
    groups: Vec<Group>,
    secrets: Vec<(String, String)>,
}

struct Change {
    /// The version before it.
    before: u64,
    when: String,
    who: String,
    what: String,
    scope: String,
    old: String,
    new: String,
}

struct Retailer {
    code: String,
    text: String,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    base: Base,
    groups: Vec<Group>,
    connections: Vec<Connection>,
    retailers: Vec<Retailer>,
    changes: Vec<Change>,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/settings", "Settings").await?;
    let handle = &asked.site.handle;
    let view = handle.settings().await?;
    let retailers = handle.retailers(crate::api_setup::since(asked)).await?;
    let retailers = retailers.into_iter().map(|row| Retailer {
        text: if row.name == row.code {
            row.code.clone()
        } else {
            format!("{} ({})", row.name, row.code)
        },
        code: row.code,
    });
    let page = compose(base, &view, retailers.collect(), &times);
    render(StatusCode::OK, &page)
}

/// Everything that is set, as one file.
pub(crate) async fn download(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let file = asked.site.handle.export_settings().await?;
    Ok(answer::toml("waybill.toml", file))
}

/// Goes back to a version.
pub(crate) async fn restore(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let version = asked.form.get("version").unwrap_or_default().parse();
    let version = version.map_err(|_| Failure::bad("the version is no number"))?;
    let notice = match crate::api_setup::restore(asked, version).await {
        Ok(changed) => Notice {
            text: crate::api_setup::restored(changed),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say("/settings", notice))
}

/// Sets one.
pub(crate) async fn set(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let key = asked.form.get("key").unwrap_or_default();
    let value = asked.form.get("value").unwrap_or_default().trim();
    let retailer = asked.form.filled("retailer");
    let handle = &asked.site.handle;
    let set = handle.set_setting(key, value, retailer, &asked.who).await;
    let notice = match set {
        Ok(true) => Notice {
            text: "It is set, and holds from now on.".to_owned(),
            ..Notice::default()
        },
        Ok(false) => Notice {
            text: "It was set to that already.".to_owned(),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say("/settings", notice))
}

fn by(set: &SetValue, times: &Times) -> String {
    format!("Set by {}, {}", set.who, times.when(set.at))
}

fn setting(of: &str, view: &SettingView, times: &Times) -> Setting {
    let value = view.set.as_ref().map(|set| set.value.clone());
    let chosen = view
        .choices
        .iter()
        .any(|(_, words)| Some(words) == view.holds.as_ref());
    let choices = view.choices.iter().map(|(value, words)| Choice {
        chosen: chosen && Some(words) == view.holds.as_ref(),
        value: value.clone(),
        words: words.clone(),
    });
    let own = view.own.iter().map(|own| Own {
        name: own.name.clone(),
        value: own.set.words.clone(),
        by: by(&own.set, times),
    });
    Setting {
        id: html::id(&[of, &view.key].join("-")),
        key: view.key.clone(),
        label: view.label.clone(),
        help: view.help.clone(),
        holds: view
            .holds
            .clone()
            .unwrap_or_else(|| "nothing set".to_owned()),
        default: match &view.default {
            Some(default) if view.set.is_none() => format!("The default: {default}"),
            Some(default) => format!("Default: {default}"),
            None => "No default".to_owned(),
        },
        by: view.set.as_ref().map(|set| by(set, times)),
        value: value.or_else(|| view.default.clone()).unwrap_or_default(),
        choices: choices.collect(),
        per_retailer: view.per_retailer,
        own: own.collect(),
    }
}

fn group(of: &str, view: &SettingGroup, times: &Times) -> Group {
    Group {
        id: html::id(&["g", of, &view.title].join("-")),
        title: view.title.clone(),
        settings: view
            .settings
            .iter()
            .map(|view| setting(of, view, times))
            .collect(),
    }
}

impl Setting {
    /// What a form sends where nobody touches it.
    pub(super) fn shown(&self) -> &str {
        let chosen = self.choices.iter().find(|choice| choice.chosen);
        chosen.map_or(&self.value, |choice| &choice.value)
    }
}

/// The agent's own settings of that title.
pub(super) fn fields(view: &SettingsView, title: &str, times: &Times) -> Vec<Setting> {
    let groups = view.agent.iter().filter(|group| group.title == title);
    let settings = groups.flat_map(|group| &group.settings);
    settings.map(|view| setting("all", view, times)).collect()
}

fn change(change: &SettingChanged, times: &Times) -> Change {
    let value = |value: &Option<String>| match value.as_deref() {
        None => "the default".to_owned(),
        Some("") => "empty".to_owned(),
        Some(value) => value.to_owned(),
    };
    let retailer = change.retailer.as_ref();
    let scopes = [
        change.connection.clone(),
        retailer.map(|code| format!("retailer {code}")),
    ];
    let scopes: Vec<String> = scopes.into_iter().flatten().collect();
    Change {
        before: change.version.saturating_sub(1),
        when: times.when(change.at),
        who: change.who.clone(),
        what: change.key.clone(),
        scope: if scopes.is_empty() {
            "everybody".to_owned()
        } else {
            scopes.join(", ")
        },
        old: value(&change.old),
        new: value(&change.new),
    }
}

fn compose(
    base: Base,
    view: &SettingsView,
    retailers: Vec<Retailer>,
    times: &Times,
) -> SettingsPage {
    let connections = view.connections.iter().map(|connection| Connection {
        id: html::id(&["c", &connection.name].join("-")),
        href: super::connecting::place(&connection.name),
        name: connection.name.clone(),
        title: connection.title.clone(),
        missing: connection.missing.clone(),
        groups: connection
            .groups
            .iter()
            .map(|view| group(&connection.name, view, times))
            .collect(),
        secrets: connection
            .secrets
            .iter()
            .map(|(slot, name, at)| (format!("{slot}, {name}"), times.when(*at)))
            .collect(),
    });
    SettingsPage {
        groups: view
            .agent
            .iter()
            .map(|view| group("all", view, times))
            .collect(),
        connections: connections.collect(),
        retailers,
        changes: view.changes.iter().map(|c| change(c, times)).collect(),
        base,
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
