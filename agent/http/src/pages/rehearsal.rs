//! The step Rehearsal: one invented order with the merchant's settings and matches, step by step as it happens, the sale as
//! it would stand, and how it ended. Decides nothing about it.

use super::first_run::{DEFAULTS, GO_LIVE, REHEARSAL, Step as WizardStep, lacking, steps};
use super::layout::{Base, not_done};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Mark, Times};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::rehearsal::{Cell, End, RehearsalView, Report, Retailer, STEPS, Sale};
use waybill_engine::view::Tone;

/// One step.
struct Step {
    text: String,
    at: Option<String>,
    mark: Mark,
}

/// How it ended.
struct Ended {
    mark: Mark,
    end: End,
    /// The field to fill in, where one is empty.
    cell: Option<Cell>,
}

/// One rehearsal.
struct Played {
    /// Names it, in UTC milliseconds.
    began: i64,
    when: String,
    steps: Vec<Step>,
    asides: Vec<String>,
    sale: Option<Sale>,
    ended: Option<Ended>,
    /// Something has changed since.
    outdated: bool,
}

#[derive(Template)]
#[template(path = "first_rehearsal.html")]
struct RehearsalPage {
    base: Base,
    steps: Vec<WizardStep>,
    running: bool,
    /// Why there can be none, and what to do.
    unable: Option<(String, Option<String>)>,
    retailers: Vec<Retailer>,
    played: Option<Played>,
    /// What no sale can be made without, still to be chosen.
    lacking: Vec<String>,
    defaults: &'static str,
    next: &'static str,
}

fn taken(report: &Report, running: bool, times: &Times) -> Vec<Step> {
    let mut waits = running;
    let all = STEPS.iter().map(|(word, words)| {
        if let Some(seen) = report.steps.iter().find(|seen| seen.step == *word) {
            return Step {
                text: seen.text.clone(),
                at: Some(times.clock_seconds(seen.at)),
                mark: Mark::of(Tone::Ok, "Done"),
            };
        }
        // The first one that was not seen is the one under way.
        let under_way = std::mem::take(&mut waits);
        Step {
            text: (*words).to_owned(),
            at: None,
            mark: if under_way {
                Mark::of(Tone::Soon, "Under way")
            } else {
                Mark::of(Tone::Quiet, "Not yet")
            },
        }
    });
    all.collect()
}

fn played(report: &Report, view: &RehearsalView, times: &Times) -> Played {
    let who = match &report.retailer {
        Some(retailer) => format!("ordered by {retailer}"),
        None => "ordered by an invented retailer".to_owned(),
    };
    let ended = report.end.clone().map(|mut end| Ended {
        mark: if end.good {
            Mark::of(Tone::Ok, "All the way")
        } else {
            Mark::of(Tone::You, "Not all the way")
        },
        cell: end.card.as_mut().and_then(|card| card.cell.take()),
        end,
    });
    let cut = view.cut_short.then(|| Ended {
        mark: Mark::of(Tone::You, "Cut short"),
        end: End {
            good: false,
            sentence: "Waybill was stopped while it ran. Nothing of it is left.".to_owned(),
            next: Some("Rehearse again.".to_owned()),
            card: None,
        },
        cell: None,
    });
    Played {
        began: report.began,
        when: format!("{}, {who}", times.when(report.began)),
        steps: taken(report, view.running, times),
        asides: report.asides.clone(),
        sale: report.sale.clone(),
        ended: ended.or(cut),
        outdated: view.outdated && !view.running,
    }
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let view = asked.site.handle.rehearsal().await?;
    let (base, times) = base(asked, REHEARSAL, "Set-up, rehearsal").await?;
    let page = RehearsalPage {
        base,
        steps: steps(asked, REHEARSAL).await?,
        running: view.running,
        played: view
            .report
            .as_ref()
            .map(|report| played(report, &view, &times)),
        unable: view.unable.map(|why| (why.message, why.hint)),
        retailers: view.retailers,
        lacking: lacking(asked).await?,
        defaults: DEFAULTS,
        next: GO_LIVE,
    };
    render(StatusCode::OK, &page)
}

/// Begins one.
pub(crate) async fn begin(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let retailer = asked.form.filled("retailer");
    let begun = asked.site.handle.rehearse(retailer, &asked.who).await;
    let notice = match begun {
        Ok(()) => Notice {
            text: "The rehearsal has begun.".to_owned(),
            hint: Some("It takes about a minute, and this page shows each step.".to_owned()),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say(REHEARSAL, notice))
}

/// Fills in the cell that the last one found empty.
pub(crate) async fn fill(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let Some(code) = asked.form.filled("code") else {
        let notice = Notice {
            bad: true,
            text: "The field is still empty.".to_owned(),
            hint: Some("Fill it in, then save.".to_owned()),
            ..Notice::default()
        };
        return Ok(asked.say(REHEARSAL, notice));
    };
    let began = asked.form.get("began").and_then(|at| at.parse().ok());
    let began =
        began.ok_or_else(|| Failure::bad("the form does not say which rehearsal it is of"))?;
    let handle = &asked.site.handle;
    let filled = handle.fill_rehearsed(began, code, &asked.who).await;
    let notice = match filled {
        Ok(()) => Notice {
            text: "Saved for all retailers; it counts for real orders, too.".to_owned(),
            hint: Some("Now rehearse again.".to_owned()),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say(REHEARSAL, notice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use waybill_engine::rehearsal::Step as Seen;

    fn report(end: Option<End>) -> Report {
        Report {
            began: 1_000,
            ended: end.is_some().then_some(9_000),
            who: "anna".to_owned(),
            retailer: Some("Harbour Home".to_owned()),
            steps: vec![Seen {
                step: "placed".to_owned(),
                text: "Order R-1 is placed".to_owned(),
                at: 2_000,
            }],
            asides: Vec::new(),
            sale: None,
            end,
            mark: String::new(),
        }
    }

    fn view(running: bool, report: &Report) -> RehearsalView {
        RehearsalView {
            running,
            unable: None,
            retailers: Vec::new(),
            cut_short: !running && report.ended.is_none(),
            outdated: false,
            report: Some(report.clone()),
        }
    }

    #[test]
    fn one_step_is_under_way_while_it_runs_and_none_afterwards() {
        let times = Times::new(TimeZone::UTC, 10_000);
        let words = |running| {
            let report = report(None);
            let played = played(&report, &view(running, &report), &times);
            let ended = played.ended.map(|ended| ended.mark.text);
            let marks: Vec<String> = played.steps.into_iter().map(|s| s.mark.text).collect();
            (marks, ended)
        };
        let (marks, ended) = words(true);
        assert_eq!(marks[..3], ["Done", "Under way", "Not yet"]);
        assert_eq!((marks.len(), ended), (STEPS.len(), None));
        let (marks, ended) = words(false);
        assert_eq!(marks[..2], ["Done", "Not yet"]);
        assert_eq!(ended.as_deref(), Some("Cut short"));
    }
}
