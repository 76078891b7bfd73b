//! What stands around every page: the frame, the menu of the pages that exist, notices; and the page of a failure.

use crate::answer::{self, Answer, Failure};
use crate::html::{Icon, Mark, Times, count, icon, with_symbols};
use crate::roles::Role;
use crate::session::{Notice, Rights, Visitor};
use askama::Template;
use waybill_engine::CommandError;
use waybill_engine::view::{ConnectionView, FrameView, Tone};

/// One line of the menu.
pub(crate) struct Link {
    /// Its address.
    pub(crate) href: &'static str,
    /// Its word.
    pub(crate) word: &'static str,
    /// It is this page (`page`) or the list this page belongs to (`true`).
    pub(crate) current: Option<&'static str>,
    /// How many causes wait.
    pub(crate) count: u64,
}

/// A group of the menu.
pub(crate) struct Group {
    /// For the label's id.
    pub(crate) id: &'static str,
    /// Its head.
    pub(crate) head: &'static str,
    /// Its lines.
    pub(crate) links: Vec<Link>,
}

/// One box of the frame.
pub(crate) struct Side {
    /// The connection's title.
    pub(crate) title: String,
    /// Its sentence.
    pub(crate) mark: Mark,
}

/// The layout's part of a page.
pub(crate) struct Base {
    /// The merchant's name; empty while there is none.
    pub(crate) store: String,
    /// The agent's version.
    pub(crate) version: String,
    /// The page's title.
    pub(crate) title: String,
    /// The menu.
    pub(crate) menu: Vec<Group>,
    /// Who waits.
    pub(crate) needs: Mark,
    /// What is paused.
    pub(crate) paused: Option<String>,
    /// Live or practice.
    pub(crate) sending: Mark,
    /// Each side.
    pub(crate) sides: Vec<Side>,
    /// What must be known: the sentence, and what to do.
    pub(crate) alarms: Vec<(String, String)>,
    /// What was searched.
    pub(crate) find: String,
    /// The form token.
    pub(crate) token: String,
    /// Said once.
    pub(crate) notice: Option<Notice>,
    /// Name of the zone.
    pub(crate) zone: String,
    /// Who looks.
    pub(crate) user: String,
    /// Who looks may look only: the page says so instead of offering what would be refused.
    pub(crate) looks_only: bool,
}

/// What an agent is called whose merchant gave no name.
const PRODUCT: &str = "Waybill";

/// An address and its word.
type Entry = (&'static str, &'static str);

/// Id and head of each group, and its lines. Only pages that exist.
const MENU: &[(&str, &str, &[Entry])] = &[
    (
        "n-every",
        "Every day",
        &[
            ("/today", "Today"),
            ("/attention", "Needs attention"),
            ("/orders", "Orders"),
            ("/shipments", "Shipments"),
            ("/stock", "Stock"),
            ("/invoices", "Invoices"),
            ("/cancellations", "Cancellations"),
        ],
    ),
    (
        "n-set",
        "Set up",
        &[
            ("/matching/items", "Matching"),
            ("/retailers", "Retailers"),
            ("/settings", "Settings"),
            ("/alerts", "Alerts"),
        ],
    ),
    (
        "n-look",
        "Look after",
        &[
            ("/replay", "Try again"),
            ("/practice", "Practice"),
            ("/comparison", "Comparison"),
            ("/backfill", "Orders from before"),
            ("/connections", "Connections"),
            ("/connectors", "Connectors"),
            ("/history", "History"),
            ("/users", "Users"),
            ("/password", "Password"),
        ],
    ),
];

/// A connection's sentence, with the time of its last answer where that says something.
pub(crate) fn side(connection: &ConnectionView, times: &Times) -> Side {
    let text = match (connection.tone, connection.last_ok) {
        (Tone::Ok, Some(at)) => format!("{}, {}", connection.sentence, times.ago(at)),
        (_, Some(at)) => format!("{}; last answer {}", connection.sentence, times.when(at)),
        (Tone::Ok, None) => format!("{}, no answer yet", connection.sentence),
        (_, None) => connection.sentence.clone(),
    };
    Side {
        title: connection.title.clone(),
        mark: Mark::of(connection.tone, text),
    }
}

impl Base {
    /// The layout around a page at `here`.
    pub(crate) fn new(frame: &FrameView, times: &Times, here: &'static str, title: &str) -> Self {
        let menu = MENU
            .iter()
            .map(|(id, head, links)| Group {
                id,
                head,
                links: links
                    .iter()
                    .map(|(href, word)| Link {
                        href,
                        word,
                        current: (*href == here).then_some("page").or_else(|| {
                            here.strip_prefix(*href)?.starts_with('/').then_some("true")
                        }),
                        count: if *href == "/attention" {
                            frame.causes
                        } else {
                            0
                        },
                    })
                    .collect(),
            })
            .collect();
        let needs = if frame.causes == 0 {
            Mark::of(Tone::Ok, "Nothing")
        } else {
            let causes = count(frame.causes, "cause", "causes");
            Mark::of(
                Tone::You,
                format!("{}, {causes}", count(frame.waiting, "order", "orders")),
            )
        };
        let sending = if frame.practice {
            let of = match frame.practising.as_slice() {
                [] => "Practice: nothing is sent".to_owned(),
                [one] => format!("Practice for {one}"),
                // One line on every page; the page Practice says what is live.
                _ => "Partly practice".to_owned(),
            };
            Mark::of(Tone::Hold, of)
        } else if !frame.begun {
            Mark::of(Tone::Hold, "Nothing yet")
        } else {
            Mark::of(Tone::Ok, "Live")
        };
        Self {
            store: if frame.store == PRODUCT {
                String::new()
            } else {
                frame.store.clone()
            },
            version: frame.version.clone(),
            title: title.to_owned(),
            menu,
            needs,
            paused: (!frame.paused.is_empty()).then(|| frame.paused.join(", ")),
            sending,
            sides: frame
                .connections
                .iter()
                .map(|connection| side(connection, times))
                .collect(),
            alarms: frame
                .alarms
                .iter()
                .map(|alarm| {
                    let as_of = alarm.as_of.map(|at| times.when(at));
                    let as_of = as_of.map_or_else(String::new, |at| format!(" It shows {at}."));
                    (format!("{}{as_of}", alarm.text), alarm.hint.clone())
                })
                .collect(),
            find: String::new(),
            token: String::new(),
            notice: None,
            zone: times.zone_name(),
            user: String::new(),
            looks_only: false,
        }
    }

    /// The page as that visitor sees it: what only admins may open is in their menu alone.
    pub(crate) fn be_seen_by(&mut self, visitor: &Visitor) {
        self.token.clone_from(&visitor.form_token);
        self.user.clone_from(&visitor.user);
        self.looks_only = visitor.rights == Rights::Role(Role::Viewer);
        if visitor.rights != Rights::Role(Role::Admin) {
            for group in &mut self.menu {
                group.links.retain(|link| link.href != "/users");
            }
        }
    }

    /// Titles of the sides, each once.
    pub(crate) fn sides_named(&self) -> Vec<String> {
        let mut titles: Vec<String> = self.sides.iter().map(|side| side.title.clone()).collect();
        titles.dedup();
        titles
    }

    /// An icon, for the templates.
    #[allow(
        clippy::unused_self,
        reason = "templates reach it through the value they have"
    )]
    pub(crate) fn icon(&self, name: &str) -> Icon {
        icon(name)
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    title: &'a str,
    message: String,
    hint: Option<&'a str>,
    icon: Icon,
}

/// What the next page says of a form that could not be carried out.
pub(crate) fn not_done(error: CommandError) -> Notice {
    failed(Failure::from(error))
}

/// The same of any failure.
pub(crate) fn failed(failure: Failure) -> Notice {
    Notice {
        bad: true,
        text: sentence(&failure.message),
        hint: failure.hint,
        ..Notice::default()
    }
}

/// A sentence as a person writes it: a capital in front, a full stop behind.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut out: String = letters
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    out.push_str(letters.as_str());
    if !out.is_empty() && !out.ends_with(['.', '!', '?']) {
        out.push('.');
    }
    out
}

/// The page of something that did not work: words, a hint, the way back.
pub(crate) fn failure(failure: &Failure) -> Answer {
    let title = match failure.status.as_u16() {
        404 => "Not here",
        403 | 421 => "Not allowed",
        500.. => "It did not work",
        _ => "Not done",
    };
    let page = FailurePage {
        title,
        message: sentence(&failure.message),
        hint: failure.hint.as_deref(),
        icon: icon("you"),
    };
    match page.render() {
        Ok(html) => answer::page(failure.status, with_symbols(&html)),
        Err(_) => answer::text(failure.status, failure.message.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_texts_become_sentences() {
        assert_eq!(sentence("log in first"), "Log in first.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), "");
    }
}
