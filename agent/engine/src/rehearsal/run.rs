//! One rehearsal at a time: asked for, played, ended. Beside the engine's own loop, and asleep while nobody asks.

use super::{Brief, End, Report, Said, Step, Theatre};
use crate::handle::Handle;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use waybill_model::contract::Problem;
use waybill_model::ids::Millis;

/// A rehearsal that has not ended by then is ended.
const LIMIT_MS: u64 = 180_000;
/// More sentences than that say nothing new.
const MOST: usize = 40;

#[derive(Default)]
struct State {
    running: bool,
    asked: Option<Brief>,
    report: Option<Report>,
}

/// The one that runs, and what was seen of it.
#[derive(Default)]
pub(crate) struct Rehearsals {
    state: Mutex<State>,
    wake: Notify,
}

impl Rehearsals {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one runs, and the report of it or of the last one since the start.
    pub(super) fn now(&self) -> (bool, Option<Report>) {
        let state = self.state();
        (state.running, state.report.clone())
    }

    /// Asks for one; `false`: one runs.
    pub(super) fn ask(&self, brief: Brief, report: Report) -> bool {
        let mut state = self.state();
        if state.running {
            return false;
        }
        *state = State {
            running: true,
            asked: Some(brief),
            report: Some(report),
        };
        self.wake.notify_one();
        true
    }

    async fn next(&self) -> Brief {
        loop {
            if let Some(brief) = self.state().asked.take() {
                return brief;
            }
            self.wake.notified().await;
        }
    }

    fn take(&self, said: Said, now: Millis) {
        let mut state = self.state();
        let Some(report) = &mut state.report else {
            return;
        };
        match said {
            Said::Step { step, text } if report.steps.len() < MOST => {
                report.steps.push(Step {
                    step,
                    text,
                    at: now,
                });
            }
            Said::Aside(text) if report.asides.len() < MOST => report.asides.push(text),
            Said::Sale(sale) => report.sale = Some(sale),
            Said::End(end) => report.end = Some(*end),
            Said::Step { .. } | Said::Aside(_) => {}
        }
    }

    /// The report, complete; from now on another may run.
    fn end(&self, outcome: Result<(), Problem>, now: Millis) -> Option<Report> {
        let mut state = self.state();
        state.running = false;
        let report = state.report.as_mut()?;
        report.ended = Some(now);
        let told = outcome.err().unwrap_or_else(|| {
            Problem::new(
                "no-end",
                "The rehearsal ended without a word.",
                "Rehearse once more.",
            )
        });
        report.end.get_or_insert(End {
            good: false,
            sentence: told.message,
            next: told.hint,
            card: None,
        });
        Some(report.clone())
    }
}

fn too_long() -> Problem {
    Problem::new(
        "too-long",
        "The rehearsal was ended: it took longer than three minutes.",
        "Rehearse once more when this machine has less to do.",
    )
}

impl Handle {
    /// Plays what is asked for, until it is stopped. Does nothing where there is no stage.
    pub async fn run_rehearsals(self, stop: CancellationToken) {
        let Some(Theatre(stage)) = self.core.options.theatre.clone() else {
            return stop.cancelled().await;
        };
        loop {
            let brief = tokio::select! {
                () = stop.cancelled() => return,
                brief = self.core.rehearsals.next() => brief,
            };
            let say = |said| self.core.rehearsals.take(said, self.now());
            // Whatever ends this ends the performance with all its processes: it is dropped.
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                () = self.core.clock.sleep_ms(LIMIT_MS) => Err(too_long()),
                outcome = stage.perform(&brief, &say) => outcome,
            };
            if let Some(report) = self.core.rehearsals.end(outcome, self.now())
                && let Err(error) = self.keep_report(&report, "The rehearsal ended").await
            {
                tracing::warn!(%error, "The report of a rehearsal could not be kept.");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Card, Cell, Side, empty_cell};
    use super::*;
    use crate::handle::CommandError;
    use std::collections::{BTreeMap, BTreeSet};

    fn brief() -> Brief {
        let side = |name: &str| Side {
            name: name.to_owned(),
            title: name.to_owned(),
            connector: name.to_owned(),
            lists: BTreeMap::new(),
            cut: BTreeSet::new(),
            warehouses: Vec::new(),
            methods: Vec::new(),
        };
        Brief {
            settings: String::new(),
            from: side("network"),
            to: side("erp"),
            retailer: None,
            item: None,
            looked_at: 0,
            builds: Vec::new(),
        }
    }

    fn report() -> Report {
        Report {
            began: 1,
            ended: None,
            who: "anna".to_owned(),
            retailer: None,
            steps: Vec::new(),
            asides: Vec::new(),
            sale: None,
            end: None,
            mark: String::new(),
        }
    }

    #[test]
    fn a_field_is_filled_for_the_rehearsal_that_was_shown() {
        let cell = Cell {
            label: "Code".to_owned(),
            from: "network".to_owned(),
            to: "erp".to_owned(),
            table: "shipping-methods".to_owned(),
            retailer: None,
            value: "gcg".to_owned(),
            choices: Vec::new(),
        };
        let card = Card {
            title: "No method".to_owned(),
            text: "No method.".to_owned(),
            hint: None,
            cell: Some(cell.clone()),
        };
        let end = End {
            good: false,
            sentence: "It stopped.".to_owned(),
            next: None,
            card: Some(card),
        };
        let ended = Report {
            end: Some(end),
            ..report()
        };
        let found = empty_cell(Some(ended.clone()), ended.began).unwrap();
        assert_eq!(found.value, cell.value);
        let other = empty_cell(Some(ended.clone()), ended.began - 1);
        assert!(matches!(other, Err(CommandError::Refused(_))));
        let none = empty_cell(Some(report()), report().began);
        assert!(matches!(none, Err(CommandError::NotFound(_))));
    }

    #[tokio::test]
    async fn one_runs_at_a_time_and_a_chatty_or_silent_one_is_borne() {
        let all = Rehearsals::default();
        assert!(all.ask(brief(), report()));
        assert!(!all.ask(brief(), report()), "two at once");
        assert_eq!(all.next().await.from.name, "network");
        for at in 0..100 {
            let step = Said::Step {
                step: "placed".to_owned(),
                text: "Placed".to_owned(),
            };
            all.take(step, at);
        }
        let ended = all.end(Ok(()), 9).unwrap();
        assert_eq!((ended.steps.len(), ended.ended), (MOST, Some(9)));
        let end = ended.end.unwrap();
        assert!(
            !end.good && end.sentence.contains("without a word"),
            "{end:?}"
        );
        assert!(all.ask(brief(), report()), "another one may run");
        let end = all.end(Err(too_long()), 10).unwrap().end.unwrap();
        assert!(end.sentence.contains("three minutes"), "{end:?}");
    }
}
