//! What people are shown of comparisons, and how one begins now. Must not read a page.

use super::{Comparison, run};
use crate::core::{Core, Desk};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::view::AlarmView;
use serde::Serialize;
use waybill_model::contract::Problem;
use waybill_model::document::Entity;
use waybill_model::ids::Millis;
use waybill_store::{Rx, StoreError};

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
    /// Whether it was put right.
    pub repaired: bool,
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
    /// Documents listed.
    pub seen: u64,
    /// Of them taken, since they were missing here.
    pub taken: u64,
    /// Orders that are over and were never here.
    pub over: u64,
    /// What is left for a person.
    pub differs: u64,
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

fn view(desk: &Desk, of: Comparison) -> ComparisonView {
    let lines = of.lines.into_iter().map(|line| DifferenceView {
        source: desk.title(line.connection),
        entity: line.entity,
        key: line.key,
        order: line.order,
        repaired: line.repaired,
        text: line.text,
    });
    ComparisonView {
        lines: lines.collect(),
        id: of.id,
        who: of.who,
        began: of.began,
        from: of.from,
        ended: of.ended,
        seen: of.seen,
        taken: of.taken,
        over: of.over,
        differs: of.differs,
        problem: of.problem,
    }
}

/// Said on every page while the newest comparison left something for a person.
pub(crate) fn alarm(rx: &Rx) -> Result<Option<AlarmView>, StoreError> {
    let newest = super::reports(rx)?.into_iter().next();
    Ok(newest.filter(|report| report.differs > 0).map(|report| {
        let what = match report.differs {
            1 => "1 difference".to_owned(),
            n => format!("{n} differences"),
        };
        AlarmView {
            text: format!("The last comparison of both sides found {what} that it could not put right."),
            as_of: report.ended,
            hint: "Look at `waybill compare`: each line names its order. Put it right in the network's portal or in the ERP, then compare again."
                .to_owned(),
        }
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
            Ok(ComparisonsView {
                running: running.map(|of| view(&desk, of)),
                rows: rows.map(|of| view(&desk, of)).collect(),
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
