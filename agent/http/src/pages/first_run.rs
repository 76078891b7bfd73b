//! The first run: which steps there are, which are done, and the pages of those that have no page of their own. All of it
//! follows from what is stored: a set-up that was left is gone on with where it stands. Over once a flow has begun.

use super::beginning::{self, Begun};
use super::connecting::place;
use super::first_defaults::Chosen;
use super::layout::{Base, not_done};
use super::{base, render};
use crate::answer::{self, Answer, Failure};
use crate::html::{Mark, count, encoded};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::connecting::{Beginning, ConnectorChoice, Which};
use waybill_engine::crosswalks::CrosswalkView;
use waybill_engine::matching::{ItemsQuery, ItemsView};
use waybill_engine::view::Tone;
use waybill_model::crosswalk::{SHIPPING_METHODS, Standing, WAREHOUSES};
use waybill_model::document::Entity;
use waybill_model::practice::PRACTICE;

/// One step, as the row of steps shows it.
pub(super) struct Step {
    pub(super) number: usize,
    pub(super) word: String,
    pub(super) href: String,
    pub(super) done: bool,
    pub(super) current: bool,
}

/// Where each step is.
pub(super) const DEFAULTS: &str = "/first-run/defaults";
pub(super) const MATCHING: &str = "/first-run/matching";
pub(super) const REHEARSAL: &str = "/first-run/rehearsal";
pub(super) const GO_LIVE: &str = "/first-run/go-live";

struct Reading {
    title: String,
    begun: Begun,
}

/// How far a table of codes is.
struct Codes {
    mark: Mark,
    href: String,
    words: &'static str,
}

#[derive(Template)]
#[template(path = "first_matching.html")]
struct MatchingPage {
    base: Base,
    steps: Vec<Step>,
    readings: Vec<Reading>,
    percent: Option<String>,
    codes: Vec<Codes>,
}

#[derive(Template)]
#[template(path = "first_live.html")]
struct LivePage {
    base: Base,
    steps: Vec<Step>,
    flows: Vec<(String, bool)>,
    stock: bool,
    ready: bool,
    lacking: Vec<String>,
}

/// Everything the steps follow from.
struct Progress {
    choices: Vec<ConnectorChoice>,
    beginnings: Vec<Beginning>,
    chosen: Chosen,
    rehearsed: bool,
    /// It cannot be rehearsed here, which keeps nobody from going on.
    unable: bool,
    /// A person went on from matching, or nothing of it is open.
    matched: bool,
    begun: bool,
}

/// Where it is kept that a person went on from matching.
const MATCHING_SEEN: &str = "first-run/matching-seen";

/// How many items orders name, and how many of them are matched.
fn matched(items: &ItemsView) -> (u64, u64) {
    let all = items.counts.iter().map(|(_, n)| n).sum();
    let done = items
        .counts
        .iter()
        .filter(|(standing, _)| matches!(standing, Standing::ByHand | Standing::Automatic));
    (all, done.map(|(_, n)| n).sum())
}

impl Progress {
    async fn of(asked: &Asked<'_>) -> Result<Self, Failure> {
        let handle = &asked.site.handle;
        let beginnings = handle.beginnings().await?;
        let mut chosen = Chosen::default();
        for of in beginnings.iter().filter(|b| b.takes_orders) {
            if let Ok(form) = handle.form(&of.name).await {
                chosen.add(&form.fields);
            }
        }
        let begun = handle.possible_flows().iter().any(|flow| flow.begun);
        let (items, done) = matched(&handle.items(ItemsQuery::default()).await?);
        let seen = handle.meta(MATCHING_SEEN).await?.is_some();
        Ok(Self {
            choices: handle.connector_choices().await?,
            beginnings,
            chosen,
            // Going live is a change, too.
            rehearsed: handle.is_rehearsed(!begun).await?,
            unable: handle.unable_to_rehearse().await?.is_some(),
            matched: seen || items > 0 && items == done,
            begun,
        })
    }

    /// The step of one side: its connection, or what it can be made of.
    fn side(&self, is: impl Fn(bool, bool) -> bool, otherwise: &str) -> (String, String, bool) {
        let mut there = self.beginnings.iter();
        if let Some(b) = there.find(|b| is(b.takes_orders, b.gives_orders)) {
            return (b.title.clone(), place(&b.name), b.reached);
        }
        let of = |c: &&ConnectorChoice| is(c.takes_orders, c.gives_orders);
        let fitting: Vec<&ConnectorChoice> = self.choices.iter().filter(of).collect();
        match fitting[..] {
            [only] => {
                let id = encoded(&only.id);
                let href = format!("/new-connection?connector={id}");
                (only.title.clone(), href, false)
            }
            _ => (otherwise.to_owned(), "/new-connection".to_owned(), false),
        }
    }

    fn read(&self) -> bool {
        !self.beginnings.is_empty() && self.beginnings.iter().all(Beginning::is_complete)
    }

    fn steps(&self, here: &str) -> Vec<Step> {
        let (sales, sales_at, sales_done) =
            self.side(|takes, _| takes, "Where orders become sales");
        let (orders, orders_at, orders_done) =
            self.side(|takes, gives| gives && !takes, "Where orders come from");
        let connected = sales_done && orders_done;
        let all = [
            ("Password".to_owned(), "/password".to_owned(), true),
            (sales, sales_at, sales_done),
            (orders, orders_at, orders_done),
            (
                "Defaults".to_owned(),
                DEFAULTS.to_owned(),
                connected && self.chosen.is_done(),
            ),
            (
                "Matching".to_owned(),
                MATCHING.to_owned(),
                connected && self.read() && self.matched,
            ),
            ("Rehearsal".to_owned(), REHEARSAL.to_owned(), self.rehearsed),
            ("Go live".to_owned(), GO_LIVE.to_owned(), self.begun),
        ];
        let steps = all.into_iter().enumerate();
        steps
            .map(|(at, (word, href, done))| Step {
                number: at + 1,
                current: here == href,
                word,
                href,
                done,
            })
            .collect()
    }
}

/// The row of steps for a page of the set-up; empty once it is over.
pub(super) async fn steps(asked: &Asked<'_>, here: &str) -> Result<Vec<Step>, Failure> {
    let standing = Progress::of(asked).await?;
    if standing.begun {
        return Ok(Vec::new());
    }
    Ok(standing.steps(here))
}

/// Labels of what is still to be chosen under Defaults, since nothing can be sent without it.
pub(super) async fn lacking(asked: &Asked<'_>) -> Result<Vec<String>, Failure> {
    Ok(Progress::of(asked).await?.chosen.lacking)
}

fn not_reached(title: &str) -> Notice {
    Notice {
        bad: true,
        text: format!("{title} has not let us in yet: the set-up goes on once it has."),
        hint: Some("Put right what is wrong below, then press Test.".to_owned()),
        ..Notice::default()
    }
}

/// Where a set-up goes on.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let standing = Progress::of(asked).await?;
    if standing.begun {
        return Ok(answer::see_other("/today"));
    }
    let steps = standing.steps("");
    let mut undone = steps.iter().filter(|step| !step.done);
    let next = undone.find(|step| !(standing.unable && step.href == REHEARSAL));
    let next = next.map_or("/today", |step| step.href.as_str());
    // A step that is there and does not work must not look as if nothing had been pressed.
    let waits = |of: &&Beginning| !of.reached && place(&of.name) == next;
    if let Some(of) = standing.beginnings.iter().find(waits) {
        return Ok(asked.say(next, not_reached(&of.title)));
    }
    Ok(answer::see_other(next))
}

/// What is open of a table, both ways.
fn codes(words: &'static str, view: &CrosswalkView) -> Codes {
    let rows = || view.directions.iter().flat_map(|way| &way.rows);
    let open = rows().filter(|row| row.code.is_none() && row.follows.is_none());
    let mark = match open.count() {
        _ if rows().next().is_none() => Mark::of(Tone::Quiet, "Nothing was read yet"),
        0 => Mark::of(Tone::Ok, "All matched"),
        open => Mark::of(Tone::Soon, format!("{open} not matched yet")),
    };
    Codes {
        mark,
        href: format!("/matching/{}", view.table),
        words,
    }
}

/// What was read, and how much of what orders name is matched.
pub(crate) async fn matching(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let handle = &asked.site.handle;
    let beginnings = handle.beginnings().await?;
    let readings = beginnings.iter().filter(|b| !b.reads.is_empty());
    let items = handle.items(ItemsQuery::default()).await?;
    let (all, matched) = matched(&items);
    let methods = handle.crosswalk(SHIPPING_METHODS).await?;
    let warehouses = handle.crosswalk(WAREHOUSES).await?;
    let (base, _) = base(asked, MATCHING, "Set-up, matching").await?;
    let page = MatchingPage {
        codes: vec![
            codes("shipping methods", &methods),
            codes("warehouses", &warehouses),
        ],
        steps: steps(asked, MATCHING).await?,
        base,
        readings: readings
            .map(|b| Reading {
                title: b.title.clone(),
                begun: beginning::compose(b),
            })
            .collect(),
        percent: (all > 0).then(|| {
            let percent = matched * 100 / all;
            let items = count(all, "item", "items");
            format!("{percent} % matched: {matched} of {items} that orders name.")
        }),
    };
    render(StatusCode::OK, &page)
}

/// Keeps that a person has seen what is matched.
pub(crate) async fn see_matching(asked: &Asked<'_>) -> Result<(), Failure> {
    let handle = &asked.site.handle;
    if handle.meta(MATCHING_SEEN).await?.is_none() {
        let done = (&*asked.who, "Went on from matching", "in the set-up");
        let kept = handle.put_meta_audited(MATCHING_SEEN, b"1".to_vec(), done);
        kept.await?;
    }
    Ok(())
}

/// Goes on to the rehearsal.
pub(crate) async fn matching_seen(asked: &Asked<'_>) -> Result<Answer, Failure> {
    see_matching(asked).await?;
    Ok(answer::see_other(REHEARSAL))
}

/// What begins, and what is not ready for it.
pub(crate) async fn go_live(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let handle = &asked.site.handle;
    let flows = handle.possible_flows();
    let progress = Progress::of(asked).await?;
    let steps = progress.steps(GO_LIVE);
    let undone = steps
        .iter()
        .filter(|step| !step.done && step.href != GO_LIVE)
        .filter(|step| !(progress.unable && step.href == REHEARSAL));
    let lacking = undone.map(|step| {
        let reads = step.href == MATCHING && progress.matched && !progress.read();
        let why = if reads {
            ", where not everything is read yet"
        } else {
            ""
        };
        format!("{}. {}{why}", step.number, step.word)
    });
    let (base, _) = base(asked, GO_LIVE, "Set-up, go live").await?;
    let page = LivePage {
        base,
        stock: flows
            .iter()
            .any(|flow| flow.entity == Entity::InventoryLevel),
        ready: !flows.is_empty(),
        lacking: lacking.collect(),
        flows: flows
            .into_iter()
            .map(|flow| (flow.title, flow.begun))
            .collect(),
        steps,
    };
    render(StatusCode::OK, &page)
}

/// Lets the flows begin.
pub(crate) async fn begin(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let which = match asked.form.get("which") {
        Some("stock") => Which::Stock,
        Some("all" | "practice") => Which::All,
        _ => return Err(Failure::bad("nothing was chosen").hint("Choose what is to begin.")),
    };
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let practice = asked.form.get("which") == Some("practice");
    // Before anything begins: a kill in between leaves nothing that sends.
    if practice && let Err(error) = handle.set_setting(PRACTICE, "on", None, who).await {
        return Ok(asked.say(GO_LIVE, not_done(error)));
    }
    let begun = handle.begin_flows(which, who).await;
    Ok(match begun {
        Ok(flows) => {
            let flows = u64::try_from(flows).unwrap_or(u64::MAX);
            let notice = Notice {
                text: format!("{} begun.", count(flows, "flow has", "flows have")),
                hint: Some(if practice {
                    "Nothing is sent. What would be sent is on the page Practice, and there you go live. New orders are looked for by themselves; Read now on the page Connections looks at once."
                        .to_owned()
                } else {
                    "What needs you appears under Needs attention.".to_owned()
                }),
                ..Notice::default()
            };
            asked.say("/today", notice)
        }
        Err(error) => asked.say(GO_LIVE, not_done(error)),
    })
}

#[cfg(test)]
mod tests {
    use super::{Beginning, Chosen, MATCHING, Progress};
    use waybill_engine::connecting::FirstRead;
    use waybill_model::document::Entity;

    fn side(takes_orders: bool, done_at: Option<i64>) -> Beginning {
        Beginning {
            name: "side".to_owned(),
            title: "Side".to_owned(),
            connector: "side".to_owned(),
            gives_orders: !takes_orders,
            takes_orders,
            reached: true,
            paused: false,
            reads: vec![FirstRead {
                entity: Entity::Item,
                taken: 3,
                done_at,
                failures: 0,
            }],
        }
    }

    fn is_matching_done(matched: bool, read_at: Option<i64>) -> bool {
        let progress = Progress {
            choices: Vec::new(),
            beginnings: vec![side(true, read_at), side(false, Some(1))],
            chosen: Chosen::default(),
            rehearsed: false,
            unable: false,
            matched,
            begun: false,
        };
        let steps = progress.steps("");
        steps.iter().any(|step| step.href == MATCHING && step.done)
    }

    #[test]
    fn matching_is_done_once_it_was_read_and_somebody_went_on_from_it() {
        assert!(!is_matching_done(false, Some(1)), "nobody looked at it");
        assert!(!is_matching_done(true, None), "it is still read");
        assert!(is_matching_done(true, Some(1)));
    }
}
