//! The page of alerts: whether they arrive, who gets what and when, a test. Must not decide what is told.

use super::layout::{Base, not_done};
use super::settings::{Setting, fields};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Mark, Times, count};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use secrecy::SecretString;
use waybill_engine::CommandError;
use waybill_engine::alert::{AlertsView, WayView};
use waybill_engine::view::Tone;

struct Way {
    name: &'static str,
    mark: Mark,
}

struct Secret {
    name: String,
    label: &'static str,
    help: &'static str,
    state: String,
}

struct Told {
    when: String,
    subject: String,
    lines: Vec<String>,
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    base: Base,
    verdict: String,
    stamp: Mark,
    ways: Vec<Way>,
    settings: Vec<Setting>,
    secrets: Vec<Secret>,
    recent: Vec<Told>,
}

fn way(view: &WayView, times: &Times) -> Way {
    let name = match view.name.as_str() {
        "mail" => "Mail",
        "webhook" => "Webhook",
        _ => "Ping",
    };
    let mark = match (view.on, &view.error, view.last_ok) {
        (false, ..) => Mark::of(Tone::Quiet, "Not set"),
        (true, Some(why), _) if view.dropped > 0 => {
            let lost = count(view.dropped, "message", "messages");
            Mark::of(Tone::You, format!("{why} {lost} never arrived."))
        }
        (true, Some(why), _) => Mark::of(Tone::You, why.clone()),
        (true, None, Some(at)) => Mark::of(Tone::Ok, format!("Last arrived {}", times.when(at))),
        (true, None, None) => Mark::of(Tone::Soon, "Nothing sent yet: test it"),
    };
    Way { name, mark }
}

fn secret(name: &str, since: Option<i64>, times: &Times) -> Secret {
    let (label, help) = match name {
        "smtp-password" => ("Password at the mail server", "Empty removes it."),
        "webhook-url" => (
            "Address of the webhook",
            "As Slack or Teams shows it, whole. Empty removes it.",
        ),
        _ => (
            "Address of the ping",
            "Asked while the agent works, by a GET. Whoever watches it tells you when that ends. Empty removes it.",
        ),
    };
    Secret {
        name: name.to_owned(),
        label,
        help,
        state: since.map_or_else(
            || "not set".to_owned(),
            |at| format!("set {}; it is shown nowhere", times.when(at)),
        ),
    }
}

fn verdict(view: &AlertsView, times: &Times) -> (String, Mark) {
    let told = |way: &&WayView| way.on && way.name != "ping";
    let failing = view.ways.iter().any(|way| way.on && way.error.is_some());
    if !view.ways.iter().any(|way| told(&way)) {
        let text = "Nobody is told anything. Say who gets mail, or set a webhook, and test it.";
        return (text.to_owned(), Mark::of(Tone::You, "Not set"));
    }
    if failing {
        let text = "Alerts do not all arrive. What does not is sent again for a day.";
        return (text.to_owned(), Mark::of(Tone::You, "Not arriving"));
    }
    match view.quiet_until {
        Some(until) => (
            format!(
                "Quiet until {}: only deadlines that end before are told.",
                times.when(until)
            ),
            Mark::of(Tone::Hold, "Quiet hours"),
        ),
        None => (
            "What needs you is told.".to_owned(),
            Mark::of(Tone::Ok, "On"),
        ),
    }
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/alerts", "Alerts").await?;
    let view = asked.site.handle.alerts().await?;
    let settings = asked.site.handle.settings().await?;
    let (verdict, stamp) = verdict(&view, &times);
    let page = AlertsPage {
        base,
        verdict,
        stamp,
        ways: view.ways.iter().map(|of| way(of, &times)).collect(),
        settings: fields(&settings, "Alerts", &times),
        secrets: view
            .secrets
            .iter()
            .map(|(name, since)| secret(name, *since, &times))
            .collect(),
        recent: view
            .recent
            .into_iter()
            .map(|message| Told {
                when: times.when(message.at),
                subject: message.subject,
                lines: message.lines,
            })
            .collect(),
    };
    render(StatusCode::OK, &page)
}

async fn carry_out(asked: &Asked<'_>) -> Result<Notice, CommandError> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let said = |text: &str| Notice {
        text: text.to_owned(),
        ..Notice::default()
    };
    match asked.param("verb") {
        "test" => {
            let ways = handle.test_alerts(who).await?;
            let bad = ways.values().any(Result::is_err);
            let pairs = ways.into_iter().map(|(name, became)| {
                (
                    name,
                    became.err().unwrap_or_else(|| "Delivered.".to_owned()),
                )
            });
            Ok(Notice {
                bad,
                text: if bad {
                    "The test did not arrive everywhere.".to_owned()
                } else {
                    "The test was delivered. Look whether it arrived.".to_owned()
                },
                pairs: pairs.collect(),
                ..Notice::default()
            })
        }
        "secret" => {
            let name = asked.form.get("name").unwrap_or_default();
            let value = SecretString::from(asked.form.get("value").unwrap_or_default());
            handle.set_alert_secret(name, value, who).await?;
            Ok(said("Saved, sealed. Test it now."))
        }
        _ => {
            let held = fields(&handle.settings().await?, "Alerts", &asked.times());
            // What stays as it is, is not set: a default stays one.
            let pairs: Vec<(String, String)> = held
                .into_iter()
                .filter_map(|held| {
                    let given = asked.form.get(&held.key)?.trim();
                    let changed = given != held.shown();
                    changed.then(|| (held.key, given.to_owned()))
                })
                .collect();
            let changed = !pairs.is_empty() && handle.set_settings(&pairs, who).await?;
            Ok(said(if changed {
                "Saved. Test it now."
            } else {
                "Nothing was changed: all of it held already."
            }))
        }
    }
}

/// Saves, tests.
pub(crate) async fn command(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let notice = carry_out(asked).await.unwrap_or_else(not_done);
    Ok(asked.say("/alerts", notice))
}
