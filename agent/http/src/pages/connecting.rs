//! One connection to set up or change: its settings, its credentials and how to get them, its approval, its test, and what is
//! read first. What is asked for comes from the connector's own words.

use super::approval;
use super::beginning::{self, Begun};
use super::first_run::{self, Step};
use super::layout::{Base, not_done, sentence};
use super::{base, render};
use crate::answer::{self, Answer, Failure};
use crate::html::{Mark, Times, encoded, id};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use std::collections::BTreeMap;
use waybill_engine::connecting::{
    ConnectorChoice, CredentialField, Draft, DraftSecret, FieldMistake, Form, FormField, Kind,
    Saved, Way,
};
use waybill_model::contract::secret_label;

struct Choice {
    value: String,
    words: String,
    chosen: bool,
}

/// One field of the form.
struct Input {
    /// For ids on the page.
    id: String,
    /// Its name in the form.
    name: String,
    label: String,
    help: String,
    value: String,
    placeholder: String,
    choices: Vec<Choice>,
    required: bool,
    mistake: Option<String>,
}

struct Secret {
    id: String,
    name: String,
    label: String,
    set: Option<String>,
    mistake: Option<String>,
}

struct Credential {
    id: String,
    label: String,
    help: String,
    steps: Vec<String>,
    approved: bool,
    chosen: bool,
    /// Open, where it is the one in use.
    secrets: Vec<Secret>,
}

struct Group {
    title: String,
    inputs: Vec<Input>,
}

/// What an approval has come to.
struct Approval {
    href: String,
    mark: Mark,
    code: String,
    redirect: String,
}

/// The form of a connection, wherever it is shown.
pub(super) struct Filled {
    action: String,
    new: bool,
    connector: String,
    title: String,
    name: Input,
    private: bool,
    /// The address that the word about private ones stands at; folded away with the rest where none asks for it.
    private_beside: Option<String>,
    first: Vec<Input>,
    more: Vec<Group>,
    open: bool,
    credentials: Vec<Credential>,
    mistakes: Vec<(String, String)>,
    approval: Option<Approval>,
}

/// What was sent before, to be shown again beside its mistakes.
#[derive(Default)]
pub(super) struct Sent {
    values: BTreeMap<String, String>,
    private: Option<bool>,
    mistakes: Vec<FieldMistake>,
}

#[derive(Template)]
#[template(path = "connection.html")]
struct ConnectionPage {
    base: Base,
    steps: Vec<Step>,
    form: Filled,
    begun: Option<Begun>,
    mark: Option<Mark>,
    probe: String,
    /// Where it is removed; nowhere once it has answered.
    remove: Option<String>,
}

#[derive(Template)]
#[template(path = "new_connection.html")]
struct ChoicesPage {
    base: Base,
    choices: Vec<Offer>,
}

struct Offer {
    href: String,
    title: String,
    what: &'static str,
    version: String,
    connections: String,
}

const fn what(choice: &ConnectorChoice) -> &'static str {
    match (choice.gives_orders, choice.takes_orders) {
        (true, _) => "Orders come from there.",
        (_, true) => "Orders become sales there.",
        _ => "It exchanges documents.",
    }
}

/// Which connector?
pub(crate) async fn choose(asked: &Asked<'_>) -> Result<Answer, Failure> {
    if let Some(connector) = asked.query.filled("connector") {
        let form = asked.site.handle.new_form(connector).await?;
        return show_form(asked, StatusCode::OK, &form, Sent::default()).await;
    }
    let (base, _) = base(asked, "/connections/new", "New connection").await?;
    let choices = asked.site.handle.connector_choices().await?;
    let page = ChoicesPage {
        base,
        choices: choices
            .iter()
            .map(|choice| Offer {
                href: format!("/new-connection?connector={}", encoded(&choice.id)),
                what: what(choice),
                title: choice.title.clone(),
                version: choice.version.clone(),
                connections: choice.connections.join(", "),
            })
            .collect(),
    };
    render(StatusCode::OK, &page)
}

/// One connection.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let form = asked.site.handle.form(asked.param("name")).await?;
    show_form(asked, StatusCode::OK, &form, Sent::default()).await
}

async fn show_form(
    asked: &Asked<'_>,
    status: StatusCode,
    form: &Form,
    sent: Sent,
) -> Result<Answer, Failure> {
    let title = if form.new {
        "New connection"
    } else {
        &form.title
    };
    let (base, times) = base(asked, "/connections/one", title).await?;
    let begun = beginning::of(asked, &form.name)
        .await?
        .filter(|_| !form.new);
    let frame = asked.site.handle.frame().await?;
    let mut views = frame.connections.iter();
    let view = views.find(|view| view.name == form.name && !form.new);
    let unreached = view.is_some_and(|view| view.last_ok.is_none());
    let mark = view.map(|view| super::layout::side(view, &times).mark);
    let here = if form.new {
        format!("/new-connection?connector={}", encoded(&form.connector))
    } else {
        place(&form.name)
    };
    let page = ConnectionPage {
        steps: first_run::steps(asked, &here).await?,
        probe: format!("{}/probe", place(&form.name)),
        remove: unreached.then(|| format!("{}/remove", place(&form.name))),
        form: filled(asked, form, &sent, &times),
        begun,
        mark,
        base,
    };
    render(status, &page)
}

/// Saves what was filled in, and says what a test reached.
pub(crate) async fn save(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (form, saved) = saved(asked).await?;
    match saved {
        Ok(notice) => Ok(asked.say(&place(&form.name), notice)),
        Err(sent) => show_form(asked, StatusCode::UNPROCESSABLE_ENTITY, &form, sent).await,
    }
}

/// Removes one that never answered.
pub(crate) async fn remove(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let name = asked.param("name");
    let removed = asked.site.handle.remove_connection(name, &asked.who);
    let (to, notice) = match removed.await {
        Ok(()) => (
            "/connections".to_owned(),
            Notice {
                text: format!("{name} is removed, with its settings and secrets."),
                ..Notice::default()
            },
        ),
        Err(error) => (place(name), not_done(error)),
    };
    Ok(asked.say(&to, notice))
}

/// What was typed in: settings, and secrets.
pub(super) fn entered(
    asked: &Asked<'_>,
    form: &Form,
) -> (BTreeMap<String, String>, Vec<DraftSecret>) {
    let field = |name: &str, key: &str| asked.form.get(&format!("{name}.{key}"));
    let values = form.fields.iter().filter_map(|known| {
        let value = field("s", &known.key)?;
        Some((known.key.clone(), value.trim().to_owned()))
    });
    let mut secrets = Vec::new();
    for credential in &form.credentials {
        for secret in &credential.secrets {
            let named = format!("{}.{}", credential.slot, secret.name);
            // Pasted tokens bring the line's end with them.
            let value = field("c", &named).unwrap_or_default().trim();
            secrets.push(DraftSecret {
                slot: credential.slot.clone(),
                name: secret.name.clone(),
                value: value.to_owned().into(),
            });
        }
    }
    (values.collect(), secrets)
}

/// Saves; the form that it was, and a notice or what is to be corrected.
pub(super) async fn saved(asked: &Asked<'_>) -> Result<(Form, Result<Notice, Sent>), Failure> {
    let handle = &asked.site.handle;
    let mut form = if let Some(name) = asked.params.get("name") {
        handle.form(name).await?
    } else {
        let connector = asked.form.filled("connector").unwrap_or_default();
        handle.new_form(connector).await?
    };
    let (values, secrets) = entered(asked, &form);
    if form.new
        && let Some(name) = asked.form.filled("name")
    {
        name.clone_into(&mut form.name);
    }
    let private = asked.form.get("private").is_some();
    let wrong = |mistakes: Vec<FieldMistake>| Sent {
        values: values.clone(),
        private: Some(private),
        mistakes,
    };
    if form.new && handle.form(&form.name).await.is_ok() {
        let taken = FieldMistake {
            field: Some("name".to_owned()),
            message: format!("there is a connection `{}` already", form.name),
            hint: Some("Choose another name.".to_owned()),
        };
        return Ok((form, Err(wrong(vec![taken]))));
    }
    let draft = Draft {
        name: form.name.clone(),
        connector: form.connector.clone(),
        title: None,
        private: Some(private),
        settings: values.clone(),
        secrets,
    };
    match handle.save_connection(draft, &asked.who).await? {
        Saved::Mistakes(mistakes) => Ok((form, Err(wrong(mistakes)))),
        Saved::Done(_) => {
            let notice = tested(asked, &form.name).await?;
            Ok((form, Ok(notice)))
        }
    }
}

/// What a test of a saved connection says.
async fn tested(asked: &Asked<'_>, name: &str) -> Result<Notice, Failure> {
    let handle = &asked.site.handle;
    let form = handle.form(name).await?;
    let mut credentials = form.credentials.iter();
    let unapproved =
        credentials.any(|c| c.chosen && c.way == Way::Approved && c.approved_at.is_none());
    if unapproved {
        return Ok(Notice {
            text: format!(
                "Saved. Now connect: you approve at {} and come back here.",
                form.title
            ),
            ..Notice::default()
        });
    }
    Ok(match handle.probe(name).await {
        Ok(pairs) => Notice {
            text: "Saved, and the test succeeded.".to_owned(),
            next: (!handle.frame().await?.begun)
                .then(|| ("/first-run".to_owned(), "Go on with the set-up".to_owned())),
            pairs,
            ..Notice::default()
        },
        Err(error) => {
            let notice = not_done(error);
            Notice {
                text: format!("It is saved, but the test did not succeed. {}", notice.text),
                ..notice
            }
        }
    })
}

fn input(field: &FormField, sent: &Sent) -> Input {
    let held = field.value.clone().unwrap_or_default();
    let value = sent.values.get(&field.key).cloned().unwrap_or(held);
    let shown = if value.is_empty() {
        field.default.clone().unwrap_or_default()
    } else {
        value.clone()
    };
    let choice = |of: &str, words: &str| Choice {
        chosen: of == shown,
        value: of.to_owned(),
        words: words.to_owned(),
    };
    let mut choices: Vec<Choice> = match field.kind {
        Kind::Toggle => vec![choice("true", "On"), choice("false", "Off")],
        _ => field
            .choices
            .iter()
            .map(|(of, words)| choice(of, words))
            .collect(),
    };
    if !choices.is_empty() && field.default.is_none() {
        choices.insert(0, choice("", "Left empty"));
    }
    Input {
        id: format!("s-{}", id(&field.key)),
        name: format!("s.{}", field.key),
        label: field.label.clone(),
        help: field.help.clone(),
        placeholder: field.default.clone().unwrap_or_default(),
        required: field.required,
        mistake: mistake(sent, &field.key),
        choices,
        value,
    }
}

fn mistake(sent: &Sent, field: &str) -> Option<String> {
    let mut mistakes = sent.mistakes.iter();
    let found = mistakes.find(|m| m.field.as_deref() == Some(field))?;
    Some(words(found))
}

fn words(mistake: &FieldMistake) -> String {
    let hint = mistake.hint.as_deref().map(sentence).unwrap_or_default();
    format!("{} {hint}", sentence(&mistake.message))
        .trim()
        .to_owned()
}

/// What nobody can do without stands first; the rest is folded away.
fn comes_first(form: &Form, field: &FormField) -> bool {
    let plain = matches!(field.kind, Kind::Text | Kind::Url) && field.default.is_none();
    field.required
        || form.chooser.as_deref() == Some(&field.key)
        || field.group == "connection" && plain
}

fn credential(of: &CredentialField, redirect: &str, sent: &Sent, times: &Times) -> Credential {
    let secrets = of.secrets.iter().map(|secret| {
        let named = format!("{}.{}", of.slot, secret.name);
        Secret {
            id: format!("c-{}", id(&named)),
            label: secret_label(&secret.name),
            set: secret.set_at.map(|at| times.when(at)),
            mistake: mistake(sent, &named),
            name: format!("c.{named}"),
        }
    });
    Credential {
        id: format!("k-{}", id(&of.slot)),
        label: of.label.clone(),
        help: of.help.clone(),
        steps: of
            .steps
            .iter()
            .map(|step| step.replace("{redirect}", redirect))
            .collect(),
        approved: of.way == Way::Approved,
        chosen: of.chosen,
        secrets: secrets.collect(),
    }
}

/// The form with what was entered before, or was sent and has mistakes.
pub(super) fn filled(asked: &Asked<'_>, form: &Form, sent: &Sent, times: &Times) -> Filled {
    let redirect = approval::redirect(asked, form);
    let mut more: Vec<Group> = Vec::new();
    let (first, rest): (Vec<_>, Vec<_>) = form
        .fields
        .iter()
        .partition(|field| comes_first(form, field));
    for field in rest {
        let title = sentence(&field.group).trim_end_matches('.').to_owned();
        let one = input(field, sent);
        match more.iter_mut().find(|group| group.title == title) {
            Some(group) => group.inputs.push(one),
            None => more.push(Group {
                title,
                inputs: vec![one],
            }),
        }
    }
    let inputs = |groups: &[Group]| {
        groups
            .iter()
            .any(|g| g.inputs.iter().any(|i| i.mistake.is_some()))
    };
    let mut credentials: Vec<Credential> = form
        .credentials
        .iter()
        .map(|of| credential(of, &redirect, sent, times))
        .collect();
    credentials.sort_by_key(|credential| !credential.chosen);
    let field_of = |mistake: &FieldMistake| match mistake.field.as_deref() {
        Some("name") => "name".to_owned(),
        Some(field) if form.fields.iter().any(|f| f.key == field) => format!("s-{}", id(field)),
        Some(field) => format!("c-{}", id(field)),
        None => "errors".to_owned(),
    };
    let mistakes = sent
        .mistakes
        .iter()
        .map(|m| (field_of(m), words(m)))
        .collect();
    Filled {
        action: if form.new {
            "/new-connection".to_owned()
        } else {
            place(&form.name)
        },
        name: Input {
            id: "name".to_owned(),
            name: "name".to_owned(),
            label: "Name".to_owned(),
            help: "What Waybill calls this connection: small letters, digits and hyphens. It cannot be changed later.".to_owned(),
            value: form.name.clone(),
            placeholder: String::new(),
            choices: Vec::new(),
            required: true,
            mistake: mistake(sent, "name"),
        },
        new: form.new,
        connector: form.connector.clone(),
        title: form.title.clone(),
        private: sent.private.unwrap_or(form.private),
        private_beside: private_beside(&first, form, sent),
        first: first.into_iter().map(|field| input(field, sent)).collect(),
        open: inputs(&more),
        more,
        credentials,
        mistakes,
        approval: approved(form, redirect, times),
    }
}

/// The address that was refused since it may be a private one, or that is one by the merchant's word.
fn private_beside(first: &[&FormField], form: &Form, sent: &Sent) -> Option<String> {
    let allowed = sent.private.unwrap_or(form.private);
    let mut urls = first.iter().filter(|field| field.kind == Kind::Url);
    let beside = urls.find(|field| {
        let entered = sent.values.get(&field.key).or(field.value.as_ref());
        let refused = sent.private.is_some() && mistake(sent, &field.key).is_some();
        refused || allowed && entered.is_some_and(|value| !value.is_empty())
    });
    beside.map(|field| format!("s-{}", id(&field.key)))
}

fn approved(form: &Form, redirect: String, times: &Times) -> Option<Approval> {
    use waybill_engine::view::Tone;
    let mut credentials = form.credentials.iter();
    let of = credentials.find(|c| c.chosen && c.way == Way::Approved && !form.new)?;
    let mark = match of.approved_at {
        Some(at) => Mark::of(
            Tone::Ok,
            format!("Approved; the sign-in was renewed last {}", times.when(at)),
        ),
        None => Mark::of(Tone::You, "Not approved yet"),
    };
    let place = place(&form.name);
    Some(Approval {
        href: format!("{place}/connect"),
        code: format!("{place}/code"),
        mark,
        redirect,
    })
}

/// Where to go after something was done with a connection.
pub(super) fn place(name: &str) -> String {
    format!("/connections/{}", encoded(name))
}

/// The answer to a form that was sent to an address of a connection.
pub(super) fn back_to(asked: &Asked<'_>, name: &str, notice: Notice) -> Answer {
    if asked.visitor.is_none() {
        return answer::see_other("/login");
    }
    asked.say(&place(name), notice)
}
