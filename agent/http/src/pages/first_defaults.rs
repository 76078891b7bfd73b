//! The step Defaults of the first run: what new sales get, chosen from the vendors' own lists. One button saves all of it and
//! goes on; what nothing can be sent without keeps the step open.

use super::first_run::{DEFAULTS, MATCHING, Step, steps};
use super::layout::{Base, not_done, sentence};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::id;
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use std::collections::BTreeMap;
use waybill_engine::connecting::{Draft, Form, FormField, Kind, Saved};

struct Choice {
    value: String,
    words: String,
    chosen: bool,
}

struct Field {
    id: String,
    name: String,
    label: String,
    help: String,
    value: String,
    choices: Vec<Choice>,
    needed: bool,
}

struct Side {
    name: String,
    title: String,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "first_defaults.html")]
struct DefaultsPage {
    base: Base,
    steps: Vec<Step>,
    sides: Vec<Side>,
    next: &'static str,
}

/// What a sale or a message cannot be made without, or would be made of blindly: values of the vendor's own lists.
fn is_default(field: &FormField) -> bool {
    field.group != "connection" && field.kind == Kind::Lookup
}

fn is_filled(field: &FormField) -> bool {
    field.value.as_ref().is_some_and(|value| !value.is_empty())
}

/// Labels of what nothing can be sent without and is still empty.
fn lacking(fields: &[FormField]) -> Vec<String> {
    let needed = fields.iter().filter(|field| field.needed);
    let empty = needed.filter(|field| !is_filled(field));
    empty.map(|field| field.label.clone()).collect()
}

/// What the step has come to.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// Something was chosen.
    any: bool,
    /// Labels of what is needed and still empty.
    pub(super) lacking: Vec<String>,
}

impl Chosen {
    /// Takes the fields of one more connection.
    pub(super) fn add(&mut self, fields: &[FormField]) {
        let mut values = fields.iter().filter(|field| field.kind == Kind::Lookup);
        self.any |= values.any(is_filled);
        self.lacking.extend(lacking(fields));
    }

    pub(super) fn is_done(&self) -> bool {
        self.any && self.lacking.is_empty()
    }
}

fn field(of: &str, field: &FormField, offered: Vec<(String, String)>) -> Field {
    let value = field.value.clone().unwrap_or_default();
    let known = offered.iter().any(|(offer, _)| *offer == value);
    let mut choices = Vec::new();
    if !offered.is_empty() {
        let nothing = if field.needed {
            "Choose one"
        } else {
            "Left empty"
        };
        let nothing = (String::new(), nothing.to_owned());
        let other = (!value.is_empty() && !known).then(|| (value.clone(), value.clone()));
        let all = std::iter::once(nothing).chain(other).chain(offered);
        choices.extend(all.map(|(offer, words)| Choice {
            chosen: offer == value,
            value: offer,
            words,
        }));
    }
    Field {
        id: format!("s-{}-{}", id(of), id(&field.key)),
        name: name(of, &field.key),
        label: field.label.clone(),
        help: field.help.clone(),
        needed: field.needed,
        value,
        choices,
    }
}

/// What a field is called in the form: connection and setting.
fn name(of: &str, key: &str) -> String {
    format!("s.{of}.{key}")
}

async fn side(asked: &Asked<'_>, form: Form) -> Side {
    let handle = &asked.site.handle;
    let mut fields: Vec<&FormField> = form.fields.iter().filter(|f| is_default(f)).collect();
    fields.sort_by_key(|field| !field.needed);
    let keys: Vec<String> = fields.iter().map(|f| f.key.clone()).collect();
    let offered = handle.offered_for(&form.name, &keys).await;
    let fields = fields.into_iter().zip(offered);
    Side {
        fields: fields
            .map(|(f, offers)| field(&form.name, f, offers))
            .collect(),
        name: form.name,
        title: form.title,
    }
}

/// Forms of the connections that have answered and have something to choose.
async fn forms(asked: &Asked<'_>) -> Result<Vec<Form>, Failure> {
    let handle = &asked.site.handle;
    let mut forms = Vec::new();
    for of in handle.beginnings().await?.iter().filter(|b| b.reached) {
        let form = handle.form(&of.name).await?;
        if form.fields.iter().any(is_default) {
            forms.push(form);
        }
    }
    Ok(forms)
}

/// Defaults, chosen from the vendors' own lists.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let mut sides = Vec::new();
    for form in forms(asked).await? {
        sides.push(side(asked, form).await);
    }
    let (base, _) = base(asked, DEFAULTS, "Set-up, defaults").await?;
    let page = DefaultsPage {
        steps: steps(asked, DEFAULTS).await?,
        base,
        sides,
        next: MATCHING,
    };
    render(StatusCode::OK, &page)
}

/// Saves those of one connection, where one of them is another now; what was wrong with it.
async fn keep(
    asked: &Asked<'_>,
    form: &Form,
    settings: BTreeMap<String, String>,
) -> Result<(), Notice> {
    let held = |key: &str| {
        let mut fields = form.fields.iter();
        let found = fields.find(|field| field.key == key);
        found.and_then(|field| field.value.clone())
    };
    let changed = |(key, value): (&String, &String)| *value != held(key).unwrap_or_default();
    if !settings.iter().any(changed) {
        return Ok(());
    }
    let draft = Draft {
        name: form.name.clone(),
        connector: form.connector.clone(),
        title: None,
        private: None,
        settings,
        secrets: Vec::new(),
    };
    let saved = asked.site.handle.save_connection(draft, &asked.who).await;
    match saved {
        Ok(Saved::Done(_)) => Ok(()),
        Ok(Saved::Mistakes(mistakes)) => Err(Notice {
            bad: true,
            text: mistakes.first().map_or_else(
                || format!("Nothing of {} was saved.", form.title),
                |m| {
                    format!(
                        "Nothing of {} was saved. {}",
                        form.title,
                        sentence(&m.message)
                    )
                },
            ),
            hint: mistakes.into_iter().next().and_then(|m| m.hint),
            ..Notice::default()
        }),
        Err(error) => Err(not_done(error)),
    }
}

/// Saves all of them and goes on, unless something that is needed is still empty.
pub(crate) async fn save(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let mut empty = Vec::new();
    for mut form in forms(asked).await? {
        let fields = form.fields.iter().filter(|field| is_default(field));
        let entered = fields.filter_map(|field| {
            let value = asked.form.get(&name(&form.name, &field.key))?;
            Some((field.key.clone(), value.trim().to_owned()))
        });
        let entered: BTreeMap<String, String> = entered.collect();
        if let Err(notice) = keep(asked, &form, entered.clone()).await {
            return Ok(asked.say(DEFAULTS, notice));
        }
        for field in &mut form.fields {
            if let Some(value) = entered.get(&field.key) {
                field.value = Some(value.clone());
            }
        }
        empty.extend(lacking(&form.fields));
    }
    if empty.is_empty() {
        let notice = Notice {
            text: "The defaults are saved.".to_owned(),
            ..Notice::default()
        };
        return Ok(asked.say(MATCHING, notice));
    }
    let notice = Notice {
        bad: true,
        text: format!(
            "What you chose is saved. Still empty: {}.",
            empty.join(", ")
        ),
        hint: Some("Choose it, too: nothing can be sent without it.".to_owned()),
        ..Notice::default()
    };
    Ok(asked.say(DEFAULTS, notice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(key: &str, needed: bool, value: Option<&str>) -> FormField {
        FormField {
            key: key.to_owned(),
            label: format!("The {key}"),
            help: String::new(),
            group: "orders".to_owned(),
            required: false,
            needed,
            kind: Kind::Lookup,
            choices: Vec::new(),
            default: None,
            value: value.map(str::to_owned),
        }
    }

    fn chosen(fields: &[FormField]) -> Chosen {
        let mut chosen = Chosen::default();
        chosen.add(fields);
        chosen
    }

    #[test]
    fn the_step_is_open_while_something_needed_is_empty() {
        let channel = field("channel", false, Some("3"));
        for value in [None, Some("")] {
            let chosen = chosen(&[channel.clone(), field("tax", true, value)]);
            assert_eq!(chosen.lacking, ["The tax"]);
            assert!(!chosen.is_done());
        }
        assert!(chosen(&[field("channel", false, None), field("tax", true, Some("Z"))]).is_done());
        assert!(!chosen(&[field("channel", false, None)]).is_done());
    }
}
