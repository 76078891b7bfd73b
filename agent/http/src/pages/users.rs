//! The page of users: who may do what, one-time codes, for admins. Must not decide who may.

use super::layout::Base;
use super::{base, layout, render};
use crate::answer::{Answer, Failure};
use crate::html::{Mark, Times};
use crate::password::PasswordError;
use crate::roles::Role;
use crate::session::Notice;
use crate::site::Asked;
use crate::users::{Given, UserView};
use askama::Template;
use hyper::StatusCode;
use waybill_engine::view::Tone;

/// One user.
struct Row {
    name: String,
    role: Role,
    mark: Mark,
    own: bool,
}

/// A role as an option.
struct Choice {
    word: &'static str,
    about: &'static str,
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    base: Base,
    rows: Vec<Row>,
    roles: Vec<Choice>,
}

fn row(user: UserView, who: &str, times: &Times) -> Row {
    let mark = match (user.password_since, user.code_until) {
        (Some(at), _) => Mark::of(Tone::Ok, format!("Password set {}", times.when(at))),
        (None, Some(until)) if times.past(until) => Mark::of(
            Tone::You,
            "The code was not used in time; reset to give a new one",
        ),
        (None, Some(until)) => Mark::of(
            Tone::Soon,
            format!("Has a code, good until {}", times.when(until)),
        ),
        (None, None) => Mark::of(Tone::You, "No password; reset to give a code"),
    };
    Row {
        own: user.name == who,
        name: user.name,
        role: user.role,
        mark,
    }
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/users", "Users").await?;
    let users = asked.site.people.passwords.list().await?;
    let rows = users.into_iter().map(|user| row(user, &asked.who, &times));
    let page = UsersPage {
        base,
        rows: rows.collect(),
        roles: Role::ALL
            .iter()
            .map(|role| Choice {
                word: role.word(),
                about: role.about(),
            })
            .collect(),
    };
    render(StatusCode::OK, &page)
}

fn given(given: &Given, times: &Times) -> Notice {
    Notice {
        text: format!(
            "Give `{}` this one-time code. It is shown once, here.",
            given.name
        ),
        hint: Some(
            "It is good for one login, in place of a password; a password is chosen right then."
                .to_owned(),
        ),
        pairs: vec![
            ("Code".to_owned(), given.code.clone()),
            ("Good until".to_owned(), times.when(given.until)),
        ],
        ..Notice::default()
    }
}

fn said(text: String) -> Notice {
    Notice {
        text,
        ..Notice::default()
    }
}

async fn carry_out(asked: &Asked<'_>) -> Result<Notice, PasswordError> {
    let (people, who) = (&asked.site.people, asked.who.as_str());
    let name = asked.form.get("name").unwrap_or_default();
    let role = asked.form.get("role").and_then(Role::from_word);
    let times = asked.times();
    let notice = match (asked.param("verb"), role) {
        ("add", Some(role)) => given(&people.passwords.add(name, role, who).await?, &times),
        ("reset", _) => given(&people.reset(name, who).await?, &times),
        ("role", Some(role)) => {
            people.set_role(name, role, who).await?;
            said(format!("`{name}` is {} now.", role.word()))
        }
        ("remove", _) => {
            people.remove(name, who).await?;
            said(format!("`{name}` is removed."))
        }
        _ => {
            return Ok(Notice {
                bad: true,
                text: "Choose one of the roles.".to_owned(),
                ..Notice::default()
            });
        }
    };
    Ok(notice)
}

/// Adds, resets, gives a role, removes.
pub(crate) async fn command(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let notice = match carry_out(asked).await {
        Ok(notice) => notice,
        Err(error) => layout::failed(Failure::from(error)),
    };
    Ok(asked.say("/users", notice))
}
