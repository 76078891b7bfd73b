//! The step Rehearsal: one invented order with the merchant's settings and matches, step by step as it happens, the sale as
//! it would stand, and how it ended. Decides nothing about it.

use super::first_run::{DEFAULTS, GO_LIVE, REHEARSAL, Step as WizardStep, lacking, steps};
use super::layout::{Base, not_done};
use super::{base, render};
use crate::answer::{self, Answer, Failure};
use crate::html::{Mark, Times};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::rehearsal::{
    Asked as Field, Cell, End, RehearsalView, Report, Retailer, STEPS, Sale,
};
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
    /// What is known of it.
    field: Field,
    /// What stands in it on the page: what was saved, else what probably belongs there.
    value: String,
}

/// One rehearsal.
struct Played {
    /// Names it, in UTC milliseconds.
    began: i64,
    when: String,
    /// Code of the retailer who ordered; empty: an invented one, or one that is gone.
    retailer: String,
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
    let field = view.asked.clone().unwrap_or_default();
    let first = field.suggestions.first().map(|first| first.key.clone());
    let value = field.kept.clone().or(first).unwrap_or_default();
    let ended = report.end.clone().map(|mut end| Ended {
        field,
        value,
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
        field: Field::default(),
        value: String::new(),
    });
    let named = |retailer: &&Retailer| Some(&retailer.name) == report.retailer.as_ref();
    let retailer = view.retailers.iter().find(named);
    Played {
        retailer: retailer.map(|of| of.code.clone()).unwrap_or_default(),
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
    Ok(match begun {
        // The page itself says so while it runs: a notice would stay beside the end.
        Ok(()) => answer::see_other(REHEARSAL),
        Err(error) => asked.say(REHEARSAL, not_done(error)),
    })
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
    use crate::html::with_symbols;
    use crate::pages::sample;
    use jiff::tz::TimeZone;
    use waybill_engine::rehearsal::Card;
    use waybill_engine::rehearsal::Step as Seen;
    use waybill_engine::view::SuggestionView;

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
            asked: None,
            report: Some(report.clone()),
        }
    }

    fn html(view: &RehearsalView) -> String {
        let page = RehearsalPage {
            base: sample::base(REHEARSAL, "Set-up, rehearsal"),
            steps: Vec::new(),
            running: view.running,
            unable: None,
            retailers: view.retailers.clone(),
            played: view
                .report
                .as_ref()
                .map(|report| played(report, view, &sample::times())),
            lacking: Vec::new(),
            defaults: DEFAULTS,
            next: GO_LIVE,
        };
        let html = with_symbols(&page.render().unwrap());
        sample::sound(&html);
        html
    }

    fn stopped() -> End {
        End {
            good: false,
            sentence: "It stopped.".to_owned(),
            next: None,
            card: Some(Card {
                title: "Shipping method not matched: 12".to_owned(),
                text: "A shipment left by 12.".to_owned(),
                hint: None,
                cell: Some(Cell {
                    from: "erp".to_owned(),
                    to: "network".to_owned(),
                    table: "shipping-methods".to_owned(),
                    retailer: None,
                    value: "12".to_owned(),
                    label: "Network shipping method for 12".to_owned(),
                    choices: Vec::new(),
                }),
            }),
        }
    }

    #[test]
    fn a_missing_code_comes_with_an_example_and_stays_once_it_is_saved() {
        let ground = ("UPS|Ground|UPCG".to_owned(), "UPS Ground (UPCG)".to_owned());
        let asked = Field {
            name: Some("UPS Ground".to_owned()),
            kept: None,
            suggestions: vec![SuggestionView {
                key: ground.0.clone(),
                label: ground.1.clone(),
                why: "Names alike".to_owned(),
            }],
            known: vec![ground],
            example: Some("UPS|Ground|UPCG".to_owned()),
        };
        let mut view = RehearsalView {
            asked: Some(asked.clone()),
            ..view(false, &report(Some(stopped())))
        };
        let page = html(&view);
        for words in [
            "Network shipping method for 12, UPS Ground",
            "such as UPS|Ground|UPCG",
            "value=\"UPS|Ground|UPCG\" autocomplete",
            "Suggested: UPS Ground (UPCG). Names alike: please check it.",
            "<option value=\"UPS|Ground|UPCG\">",
        ] {
            assert!(page.contains(words), "{words}\n{page}");
        }
        view.asked = Some(Field {
            kept: Some("FECG".to_owned()),
            ..asked
        });
        let page = html(&view);
        assert!(page.contains("value=\"FECG\" autocomplete"), "{page}");
        assert!(page.contains("Saved as <span class=\"no\">FECG"), "{page}");
        assert!(!page.contains("Suggested:"), "{page}");
    }

    #[test]
    fn what_runs_says_so_itself_and_what_has_ended_is_rehearsed_again_by_a_button() {
        let begun = "The rehearsal has begun.";
        assert!(html(&view(true, &report(None))).contains(begun));
        let mut ended = view(false, &report(Some(stopped())));
        ended.retailers = vec![Retailer {
            code: "R7".to_owned(),
            name: "Harbour Home".to_owned(),
        }];
        let page = html(&ended);
        assert!(!page.contains(begun), "{page}");
        let (_, again) = page.split_once("id=\"again\"").unwrap();
        assert!(
            again.contains("name=\"retailer\" value=\"R7\"><button>"),
            "{again}"
        );
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
