//! What people are shown of comparisons, and how one begins now. Must not read a page.

use super::{Comparison, Finding, Line, card, run};
use crate::core::{Core, Desk};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::view::AlarmView;
use serde::Serialize;
use waybill_model::contract::Problem;
use waybill_model::document::Entity;
use waybill_model::ids::{Millis, OrderId};
use waybill_store::{JobRow, Read, Rx, StoreError};

/// A line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferenceView {
    /// Title of the connection it was listed at.
    pub source: String,
    /// Kind of document.
    pub entity: Entity,
    /// Its key there.
    pub key: String,
    /// Number of the order here, where it is known.
    pub order: Option<u64>,
    /// Its PO number.
    pub number: Option<String>,
    /// What it is about.
    pub finding: Finding,
    /// The card that waits for a person, while it does.
    pub card: Option<String>,
    /// One sentence.
    pub text: String,
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparisonView {
    /// Its number.
    pub id: u64,
    /// Who began it; `waybill` for the nightly one.
    pub who: String,
    /// When.
    pub began: Millis,
    /// It is about documents from then on.
    pub from: Millis,
    /// When it ended; `None` while it runs.
    pub ended: Option<Millis>,
    /// Documents listed that concern us.
    pub seen: u64,
    /// Of them those that both sides have alike.
    pub equal: u64,
    /// Of them taken, since they were missing here.
    pub taken: u64,
    /// Orders that are over and were never here.
    pub over: u64,
    /// Documents that both sides show differently.
    pub differs: u64,
    /// Sales that belong to no order here.
    pub unknown: u64,
    /// Listings that could not be read.
    pub not_compared: u64,
    /// Listings that are still to be read.
    pub left: usize,
    /// Why it waits.
    pub problem: Option<String>,
    /// What was found, the first ones.
    pub lines: Vec<DifferenceView>,
}

/// All that are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparisonsView {
    /// The one that runs.
    pub running: Option<ComparisonView>,
    /// Those that ended, newest first.
    pub rows: Vec<ComparisonView>,
    /// When the next one begins.
    pub next: Option<Millis>,
}

fn view(desk: &Desk, rx: &Rx, of: Comparison) -> Result<ComparisonView, StoreError> {
    let lines = of.lines.into_iter().map(|line| line_view(desk, rx, line));
    Ok(ComparisonView {
        lines: lines.collect::<Result<_, _>>()?,
        id: of.id,
        who: of.who,
        began: of.began,
        from: of.from,
        ended: of.ended,
        seen: of.seen,
        equal: of.equal,
        taken: of.taken,
        over: of.over,
        differs: of.differs,
        unknown: of.unknown,
        not_compared: of.not_compared,
        left: of.steps.len(),
        problem: of.problem,
    })
}

fn line_view(desk: &Desk, rx: &Rx, line: Line) -> Result<DifferenceView, StoreError> {
    let mut card = None;
    let mut number = None;
    if let Some(id) = line.order.map(OrderId) {
        number = rx.order(id)?.map(|row| row.number);
        if line.finding == Finding::Differs {
            let jobs = rx.jobs_of_order(id)?;
            let own = |job: &&JobRow| {
                card::is_card(job)
                    && job.entity == line.entity
                    && job.key == line.key
                    && !job.state.is_done()
            };
            if let Some(job) = jobs.iter().find(own) {
                card = rx.cards_of(job)?.pop().map(|card| card.id);
            }
        }
    }
    Ok(DifferenceView {
        source: desk.title(line.connection),
        entity: line.entity,
        key: line.key,
        order: line.order,
        number,
        finding: line.finding,
        card,
        text: line.text,
    })
}

/// Said on every page while the newest comparison could not read a listing.
pub(crate) fn alarm(rx: &Rx) -> Result<Option<AlarmView>, StoreError> {
    let newest = super::reports(rx)?.into_iter().next();
    Ok(newest
        .filter(|report| report.not_compared > 0)
        .map(|report| AlarmView {
            text: "The last comparison of both sides could not be done in full.".to_owned(),
            as_of: report.ended,
            hint: "The page Comparison, or `waybill compare`, says what could not be read and why. Compare again once that is mended."
                .to_owned(),
        }))
}

impl Handle {
    /// Comparisons, newest first.
    pub async fn comparisons(&self) -> Result<ComparisonsView, CommandError> {
        self.read(|core: &Core, rx| {
            let desk = core.desk();
            let running = super::running(rx)?;
            let next = run::due(rx, &desk, core.now())?.filter(|_| running.is_none());
            let rows = super::reports(rx)?.into_iter();
            let mut view = |of| view(&desk, rx, of);
            Ok(ComparisonsView {
                running: running.map(&mut view).transpose()?,
                rows: rows.map(view).collect::<Result<_, _>>()?,
                next,
            })
        })
        .await
    }

    /// Begins a comparison now. Its number.
    ///
    /// # Errors
    /// One runs already, or nothing can be listed.
    pub async fn compare_now(&self, who: &str) -> Result<u64, CommandError> {
        let (desk, who, now) = (self.core.desk(), who.to_owned(), self.now());
        let begun = self
            .core
            .store
            .write(move |tx| {
                let begun = run::begin(tx, &desk, &who, now)?;
                if let Some(id) = begun {
                    tx.audit(
                        &who,
                        "Compared both sides",
                        &format!("Comparison {id}"),
                        now,
                    )?;
                }
                Ok(begun)
            })
            .await?;
        self.core.wake(Event::Changed);
        begun.ok_or_else(|| {
            CommandError::Refused(Problem::new(
                "comparison-running",
                "A comparison runs already, or no connection can list its documents.",
                "Wait for it, or look at the connections.",
            ))
        })
    }
}
