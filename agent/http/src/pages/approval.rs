//! An approval at a vendor: the way there, the way back, and the code by hand when the way back does not lead here.
//!
//! The vendor's site sends the browser back, so that request has no cookie of ours (`SameSite=Strict`). Its answer is put
//! down for whoever set out with that `state`, and a page of ours asks again: that request has the cookie, and takes it.

use super::connecting::back_to;
use super::layout::not_done;
use super::render;
use crate::answer::{self, Answer, Failure};
use crate::consent::{Back, Taken};
use crate::html::encoded;
use crate::session::Notice;
use crate::site::{Asked, locked};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use secrecy::SecretString;
use waybill_engine::connecting::Form;

#[derive(Template)]
#[template(path = "came_back.html")]
struct CameBackPage {
    finish: String,
    known: bool,
}

/// Where a vendor sends the browser: as it was set, else this page's own address.
pub(crate) fn redirect(asked: &Asked<'_>, form: &Form) -> String {
    match &form.redirect {
        Some(set) => set.clone(),
        None => format!("http://{}/connect/{}", asked.host, encoded(&form.name)),
    }
}

/// To the vendor. A link and not a form, since a form's way may not lead to another site.
pub(crate) async fn leave(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, name) = (&asked.site.handle, asked.param("name"));
    let browsers = asked.browsers()?;
    let form = handle.form(name).await?;
    let redirect = redirect(asked, &form);
    let state = URL_SAFE_NO_PAD.encode(asked.site.people.passwords.random::<32>()?);
    let address = match handle.consent(name, &redirect, &state).await {
        Ok(address) => address,
        Err(error) => return Ok(back_to(asked, name, not_done(error))),
    };
    let now = handle.now();
    locked(&browsers.consents).set_out(&state, name, &asked.who, &redirect, now);
    Ok(answer::see_other(&address))
}

/// Back from the vendor, by its site's hand.
#[expect(clippy::unused_async, reason = "called like every other page")]
pub(crate) async fn back(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let name = asked.param("name");
    let state = asked.query.get("state").unwrap_or_default();
    let answer = match (asked.query.filled("code"), asked.query.filled("error")) {
        (Some(code), None) => Some(Back::Code(code.to_owned().into())),
        (_, Some(_)) => Some(Back::No),
        (None, None) => None,
    };
    let browsers = asked.browsers()?;
    let now = asked.site.handle.now();
    let known =
        answer.is_some_and(|back| locked(&browsers.consents).came_back(state, name, back, now));
    if !known {
        tracing::warn!(connection = %name, "An answer to an approval came that nobody here waits for.");
    }
    let page = CameBackPage {
        finish: format!("/connect/{}/finish", encoded(name)),
        known,
    };
    let status = if known {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    render(status, &page)
}

/// Takes what the vendor sent back, for the user who set out.
pub(crate) async fn finish(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let name = asked.param("name");
    let browsers = asked.browsers()?;
    let now = asked.site.handle.now();
    let taken = locked(&browsers.consents).arrive(name, &asked.who, now);
    let notice = match taken {
        None => Notice {
            bad: true,
            text: "There is no approval to finish.".to_owned(),
            hint: Some("Press Connect, and approve as the same user within 15 minutes.".to_owned()),
            ..Notice::default()
        },
        Some(Taken { back: Back::No, .. }) => Notice {
            bad: true,
            text: "It was not approved there. Nothing was changed.".to_owned(),
            hint: Some("Press Connect to try again.".to_owned()),
            ..Notice::default()
        },
        Some(Taken {
            back: Back::Code(code),
            redirect,
        }) => take(asked, name, code, &redirect).await,
    };
    Ok(back_to(asked, name, notice))
}

/// The code, or the whole address that the browser could not reach.
struct Pasted {
    code: String,
    state: Option<String>,
}

fn pasted(text: &str) -> Pasted {
    let text = text.trim();
    if let Some((_, query)) = text.split_once('?') {
        let fields = crate::body::Fields::parse(query.as_bytes());
        if let Some(code) = fields.filled("code") {
            return Pasted {
                code: code.to_owned(),
                state: fields.filled("state").map(str::to_owned),
            };
        }
    }
    Pasted {
        code: text.to_owned(),
        state: None,
    }
}

/// Takes a code that was brought by hand.
pub(crate) async fn by_hand(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, name) = (&asked.site.handle, asked.param("name"));
    let pasted = pasted(asked.form.get("code").unwrap_or_default());
    let bad = |text: &str, hint: &str| Notice {
        bad: true,
        text: text.to_owned(),
        hint: Some(hint.to_owned()),
        ..Notice::default()
    };
    if pasted.code.is_empty() {
        let notice = bad(
            "The code is missing.",
            "Paste the code, or the whole address that could not be reached.",
        );
        return Ok(back_to(asked, name, notice));
    }
    let browsers = asked.browsers()?;
    let state = pasted.state.as_deref();
    let set_out = locked(&browsers.consents).by_hand(name, &asked.who, state, handle.now());
    let redirect = match set_out {
        Some(redirect) => redirect,
        None if state.is_some() => {
            let notice = bad(
                "This address does not belong to the approval you began here.",
                "Press Connect, approve again, and paste the new address.",
            );
            return Ok(back_to(asked, name, notice));
        }
        // After a restart, say: the code stands alone, and the form's token says who brings it.
        None => redirect(asked, &handle.form(name).await?),
    };
    let notice = take(asked, name, pasted.code.into(), &redirect).await;
    Ok(back_to(asked, name, notice))
}

async fn take(asked: &Asked<'_>, name: &str, code: SecretString, redirect: &str) -> Notice {
    let handle = &asked.site.handle;
    if let Err(error) = handle.approved(name, code, redirect, &asked.who).await {
        return not_done(error);
    }
    match handle.probe(name).await {
        Ok(pairs) => Notice {
            text: "Connected. What it holds is read now; this page shows how far it is.".to_owned(),
            pairs,
            ..Notice::default()
        },
        Err(error) => {
            let notice = not_done(error);
            Notice {
                text: format!(
                    "It is approved, but the test did not succeed. {}",
                    notice.text
                ),
                ..notice
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_may_be_pasted_alone_or_with_its_address() {
        let alone = pasted(" ab+c/1== \n");
        assert_eq!((alone.code.as_str(), alone.state), ("ab+c/1==", None));
        let whole = pasted("http://localhost:7878/connect/erp?code=ab%2Bc%2F1%3D%3D&state=s1");
        assert_eq!(whole.code, "ab+c/1==");
        assert_eq!(whole.state.as_deref(), Some("s1"));
        assert_eq!(pasted("what?ever").code, "what?ever");
    }
}
