//! Log in, log out, set or change the password.

use super::render;
use crate::answer::{self, Answer, Failure};
use crate::html::span;
use crate::password::{ADMIN, Checked, PasswordError, weakness};
use crate::session::{Notice, Rights};
use crate::site::{Asked, Peer, locked};
use askama::Template;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    problem: Option<String>,
    first_file: Option<String>,
    next: String,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    problem: Option<String>,
    first: bool,
    user: String,
    token: String,
}

/// Where to go after the login: a page of ours, never another site.
fn next_place(wanted: Option<&str>) -> &str {
    wanted
        .filter(|place| place.starts_with('/') && !place.starts_with("//"))
        .filter(|place| place.bytes().all(|b| b.is_ascii_graphic() && b != b'\\'))
        .filter(|place| !place.starts_with("/login") && !place.starts_with("/logout"))
        .unwrap_or("/today")
}

async fn login_page(
    asked: &Asked<'_>,
    status: StatusCode,
    next: &str,
    problem: Option<String>,
) -> Result<Answer, Failure> {
    let page = LoginPage {
        problem,
        first_file: asked.site.people.passwords.first_password_file().await,
        next: next.to_owned(),
    };
    render(status, &page)
}

/// The login page; somebody who is logged in goes on.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let next = next_place(asked.query.get("next"));
    match &asked.visitor {
        Some(visitor) if visitor.rights != Rights::SetPassword => Ok(answer::see_other(next)),
        Some(_) => Ok(answer::see_other("/password")),
        None => login_page(asked, StatusCode::OK, next, None).await,
    }
}

/// Checks a login.
pub(crate) async fn log_in(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let browsers = asked.browsers()?;
    let Peer::Network(address) = asked.peer else {
        return Err(Failure::not_found("This page"));
    };
    let next = next_place(asked.form.get("next"));
    let now = asked.site.handle.now();
    let begun = locked(&browsers.tries).begin(address, now);
    if let Err(wait) = begun {
        tracing::warn!(%address, wait_ms = wait, "A login was turned away after too many wrong passwords.");
        let problem = format!(
            "Too many wrong passwords from this address. Try again in {}.",
            span(wait + 999)
        );
        let mut page =
            login_page(asked, StatusCode::TOO_MANY_REQUESTS, next, Some(problem)).await?;
        page.headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(wait / 1000 + 1));
        return Ok(page);
    }
    let user = asked.form.filled("user").unwrap_or(ADMIN);
    let password = asked.form.get("password").unwrap_or_default();
    let people = &asked.site.people;
    let (user, rights, place) = match people.passwords.check(user, password).await? {
        Checked::User(user, role) => (user, Rights::Role(role), next),
        Checked::Code(user) => (user, Rights::SetPassword, "/password"),
        Checked::Wrong => {
            tracing::warn!(%address, "A login had the wrong password.");
            let problem = "This user and password do not belong together.".to_owned();
            return login_page(asked, StatusCode::UNAUTHORIZED, next, Some(problem)).await;
        }
    };
    locked(&browsers.tries).clear(address);
    if let Some(visitor) = &asked.visitor {
        locked(&people.sessions).close(visitor.key);
    }
    let (cookie, _) = asked.site.log_in(&user, rights)?;
    if rights != Rights::SetPassword {
        asked
            .site
            .handle
            .audit(&user, "Logged in", &address.to_string())
            .await?;
    }
    let mut answer = answer::see_other(place);
    answer.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(answer)
}

/// Ends the session.
pub(crate) fn log_out(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let browsers = asked.browsers()?;
    if let Some(visitor) = &asked.visitor {
        locked(&asked.site.people.sessions).close(visitor.key);
    }
    let mut answer = answer::see_other("/login");
    if let Some(cookie) = browsers.log_out() {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(answer)
}

fn password_page(
    asked: &Asked<'_>,
    status: StatusCode,
    problem: Option<String>,
) -> Result<Answer, Failure> {
    let visitor = asked
        .visitor
        .as_ref()
        .ok_or_else(|| Failure::not_found("This page"))?;
    let page = PasswordPage {
        problem,
        first: visitor.rights == Rights::SetPassword,
        user: visitor.user.clone(),
        token: visitor.form_token.clone(),
    };
    render(status, &page)
}

/// The page to set or change the password.
#[expect(clippy::unused_async, reason = "called like every other page")]
pub(crate) async fn show_password(asked: &Asked<'_>) -> Result<Answer, Failure> {
    password_page(asked, StatusCode::OK, None)
}

/// Sets the first password of the admin's own, or changes it. Every other session ends.
pub(crate) async fn set_password(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let browsers = asked.browsers()?;
    let visitor = asked
        .visitor
        .as_ref()
        .ok_or_else(|| Failure::not_found("This page"))?;
    let password = asked.form.get("password").unwrap_or_default();
    let again = asked.form.get("again").unwrap_or_default();
    let refused = |status, problem: &str| password_page(asked, status, Some(problem.to_owned()));
    if password != again {
        return refused(
            StatusCode::BAD_REQUEST,
            "The two passwords are not the same.",
        );
    }
    if let Some(weak) = weakness(password) {
        return refused(StatusCode::BAD_REQUEST, weak);
    }
    let people = &asked.site.people;
    let rights = if visitor.rights == Rights::SetPassword {
        match people.passwords.set_own(&visitor.user, password).await {
            Err(PasswordError::AlreadySet) => {
                locked(&people.sessions).close(visitor.key);
                return Err(PasswordError::AlreadySet.into());
            }
            role => Rights::Role(role?),
        }
    } else {
        let Peer::Network(address) = asked.peer else {
            return Err(Failure::not_found("This page"));
        };
        let old = asked.form.get("old").unwrap_or_default();
        // A stolen session must not become a way to try passwords.
        let begun = locked(&browsers.tries).begin(address, asked.site.handle.now());
        if let Err(wait) = begun {
            let problem = format!(
                "Too many wrong passwords from this address. Try again in {}.",
                span(wait + 999)
            );
            return refused(StatusCode::TOO_MANY_REQUESTS, &problem);
        }
        if !matches!(
            people.passwords.check(&visitor.user, old).await?,
            Checked::User(..)
        ) {
            return refused(
                StatusCode::FORBIDDEN,
                "The password until now is not right.",
            );
        }
        locked(&browsers.tries).clear(address);
        people.passwords.change(&visitor.user, password).await?;
        visitor.rights
    };
    people.log_out(&visitor.user);
    let (cookie, key) = asked.site.log_in(&visitor.user, rights)?;
    let notice = Notice {
        text: "Your password is saved. Every other browser that was logged in with your name is logged out.".to_owned(),
        ..Notice::default()
    };
    locked(&people.sessions).leave_notice(key, notice);
    let mut answer = answer::see_other("/today");
    answer.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::next_place;

    #[test]
    fn a_login_never_leads_to_another_site() {
        for bad in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\r\nb",
            "evil",
            "/login?next=/",
            "/logout",
            "",
        ] {
            assert_eq!(next_place(Some(bad)), "/today", "{bad:?}");
        }
        assert_eq!(next_place(None), "/today");
        assert_eq!(next_place(Some("/orders/7?q=a%20b")), "/orders/7?q=a%20b");
    }
}
