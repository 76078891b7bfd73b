//! One message, and its forms: a mail's text, the JSON of Slack, of Microsoft Teams, and our own. Pure.

use super::facts::Fact;
use super::wishes::Wishes;
use crate::view::{DayView, TodayView};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waybill_model::ids::Millis;

/// Lines of a message at most.
const LINES: usize = 30;

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// When it was made.
    pub at: Millis,
    /// One line.
    pub subject: String,
    /// What happened, and what to do.
    pub lines: Vec<String>,
}

/// A mail, ready to leave.
pub struct Mail {
    /// To whom.
    pub to: Vec<String>,
    /// From whom.
    pub from: String,
    /// `HOST:PORT`.
    pub server: String,
    /// `tls`, `starttls` or `none`.
    pub tls: String,
    /// Login, where there is one.
    pub login: Option<(String, SecretString)>,
    /// Whether the server may be on this machine or in a private network.
    pub private: bool,
    /// One line.
    pub subject: String,
    /// Its text.
    pub text: String,
}

impl Message {
    /// What is new, and what is over.
    pub(super) fn of(new: &[&Fact], over: &[String], wishes: &Wishes, now: Millis) -> Self {
        let about = match (new, over) {
            ([], [one]) => one.trim_end_matches('.').to_owned(),
            ([one], []) => one
                .text
                .split(". ")
                .next()
                .unwrap_or_default()
                .trim_end_matches('.')
                .to_owned(),
            ([], all) => format!("{} things are over", all.len()),
            (all, _) => format!("{} things need to be known", all.len()),
        };
        let mut lines = Vec::new();
        for fact in new.iter().take(LINES) {
            let hint = fact.hint.as_deref().unwrap_or_default();
            lines.push(format!("{} {hint}", fact.text).trim().to_owned());
        }
        if new.len() > LINES {
            lines.push(format!(
                "And {} more; all are on the page.",
                new.len() - LINES
            ));
        }
        lines.extend(over.iter().cloned());
        Self {
            at: now,
            subject: format!("{}: {about}", wishes.store),
            lines,
        }
    }

    /// The figures of a day.
    pub(super) fn digest(today: &TodayView, wishes: &Wishes, now: Millis) -> Self {
        let mut lines = vec![today.verdict.clone()];
        let day = |name: &str, of: &DayView| {
            format!(
                "{name}: {} orders came in, {} sales were made, {} orders shipped, {} were cancelled.",
                of.received, of.created, of.shipped, of.cancelled
            )
        };
        let mut days = today.days.iter().rev();
        lines.extend(days.next().map(|of| day("Today so far", of)));
        lines.extend(days.next().map(|of| day("The day before", of)));
        for due in &today.deadlines {
            let what = match due.kind {
                crate::view::DeadlineKind::Acknowledge => "acknowledge",
                crate::view::DeadlineKind::Ship => "ship",
                crate::view::DeadlineKind::Invoice => "invoice",
            };
            let (number, when) = (&due.order.number, wishes.when(due.at));
            lines.push(format!("Next: {what} PO {number} by {when}."));
        }
        let cards = today
            .cards
            .iter()
            .map(|card| format!("Needs you: {}.", card.title));
        lines.extend(cards.take(10));
        Self {
            at: now,
            subject: format!("{}: the day in Waybill", wishes.store),
            lines,
        }
    }

    /// Asks whoever reads it whether it arrived.
    pub(super) fn test(wishes: &Wishes, who: &str, now: Millis) -> Self {
        Self {
            at: now,
            subject: format!("{}: a test of Waybill's alerts", wishes.store),
            lines: vec![format!(
                "{who} has asked for this test on {}. When you read it, alerts arrive.",
                wishes.when(now)
            )],
        }
    }

    pub(super) fn mail(&self, wishes: &Wishes) -> Option<Mail> {
        let wish = wishes.mail.as_ref()?;
        let login = wish.user.clone().zip(wish.password.clone());
        Some(Mail {
            to: wish.to.clone(),
            from: wish.from.clone(),
            server: wish.server.clone(),
            tls: wish.tls.clone(),
            login,
            private: wishes.private,
            subject: self.subject.clone(),
            text: format!("- {}\n", self.lines.join("\n- ")),
        })
    }

    /// The body of a webhook of that form.
    pub(super) fn json(&self, form: &str) -> Vec<u8> {
        let body = match form {
            "slack" => {
                json!({"text": format!("*{}*\n{}", escaped(&self.subject), self.bullets(escaped))})
            }
            "teams" => self.card(),
            _ => json!({"subject": self.subject, "lines": self.lines, "at": self.at}),
        };
        body.to_string().into_bytes()
    }

    fn bullets(&self, safe: impl Fn(&str) -> String) -> String {
        let lines: Vec<String> = self
            .lines
            .iter()
            .map(|line| format!("• {}", safe(line)))
            .collect();
        lines.join("\n")
    }

    /// An adaptive card, which workflows of Teams take.
    fn card(&self) -> Value {
        let text = |text: &str, weight: &str| json!({"type": "TextBlock", "text": text, "wrap": true, "weight": weight});
        let mut body = vec![text(&self.subject, "Bolder")];
        body.extend(self.lines.iter().map(|line| text(line, "Default")));
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": body,
                },
            }],
        })
    }
}

/// Slack reads these three as its own signs.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
