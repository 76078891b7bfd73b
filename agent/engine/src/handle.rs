//! The engine's one door: reads for the page, commands of a person. Each command is one commit and is audited.

use crate::apply;
use crate::catalogue;
use crate::core::Core;
use crate::disk::Room;
use crate::event::Event;
use crate::methods;
use crate::release::{self, Filled};
use crate::status;
use crate::swap;
use crate::view::{CardView, FrameView, HistoryView, OrderDetail, OrderList, TodayView};
use jiff::tz::TimeZone;
use std::sync::Arc;
use waybill_host::connector::Mode;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Gap, Pairs, Problem};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, JobId, Millis, OrderId};
use waybill_model::job::Priority;
use waybill_model::order_state::OrderStage;
use waybill_model::settings::TIME_ZONE;
use waybill_store::{ConnectionRow, Read, Rx, StoreError, Tx};

/// Why a command or a read was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// It makes no sense now.
    #[error("{}", .0.message)]
    Refused(Problem),
    /// The database could not answer.
    #[error("the database could not answer: {0}")]
    Store(#[from] StoreError),
}

impl CommandError {
    /// What to do next, where a person can act.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => problem.hint.as_deref(),
            Self::NotFound(_) => None,
            Self::Store(_) => {
                Some("Look into the log; restart the agent if it does not recover by itself.")
            }
        }
    }
}

/// A clone per user; all share the engine.
#[derive(Clone)]
pub struct Handle {
    pub(crate) core: Arc<Core>,
}

impl Handle {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Reads off the async threads: a page of orders may touch the disk.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Core, &Rx) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, CommandError> {
        let core = self.core.clone();
        // Where time is simulated, no other thread may decide what comes first.
        if core.store.is_inline() {
            return Ok(core.store.read(|rx| read(&core, rx))?);
        }
        let joined =
            tokio::task::spawn_blocking(move || core.store.read(|rx| read(&core, rx))).await;
        match joined {
            Ok(result) => Ok(result?),
            Err(_) => Err(CommandError::Refused(Problem::new(
                "reader-ended",
                "The read ended abnormally.",
                "Try again.",
            ))),
        }
    }

    /// Now, on the agent's clock.
    pub fn now(&self) -> Millis {
        self.core.now()
    }

    /// Whether the agent can work.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn ready(&self) -> Result<(), String> {
        self.core
            .store
            .read(|rx| rx.meta("ready"))
            .map_err(|error| error.to_string())?;
        if let Some(alarm) = self
            .core
            .disk_alarm()
            .filter(|_| self.core.room() == Room::Stop)
        {
            return Err(alarm.text);
        }
        let desk = self.core.desk();
        match desk.slots.values().find_map(|s| {
            s.connector
                .as_ref()
                .err()
                .map(|why| (s.row.name.clone(), why.clone()))
        }) {
            Some((name, why)) => Err(format!("connection `{name}`: {why}")),
            None => Ok(()),
        }
    }

    /// The time zone that the merchant has set.
    pub fn zone(&self) -> Option<TimeZone> {
        let desk = self.core.desk();
        let is_set = desk
            .agent
            .get(TIME_ZONE)
            .is_some_and(|z| !z.trim().is_empty());
        is_set.then(|| desk.zone.clone())
    }

    /// The frame of every page.
    pub async fn frame(&self) -> Result<FrameView, CommandError> {
        self.read(status::frame).await
    }

    /// The Today page.
    pub async fn today(&self) -> Result<TodayView, CommandError> {
        self.read(crate::today::today).await
    }

    /// Orders, newest first: of one state, or those a search finds.
    pub async fn orders(
        &self,
        stage: Option<OrderStage>,
        search: Option<String>,
        before: Option<OrderId>,
        limit: usize,
    ) -> Result<OrderList, CommandError> {
        self.read(move |core, rx| status::orders(core, rx, stage, search.as_deref(), before, limit))
            .await
    }

    /// One order, whole.
    pub async fn order(&self, id: OrderId) -> Result<Option<OrderDetail>, CommandError> {
        self.read(move |core, rx| status::order(core, rx, id)).await
    }

    /// What waits, most urgent first; what was left alone comes last.
    pub async fn cards(&self) -> Result<Vec<CardView>, CommandError> {
        self.read(|core, rx| status::cards(core, rx, 200, true))
            .await
    }

    /// Who did what, newest first.
    pub async fn history(&self, limit: usize) -> Result<Vec<HistoryView>, CommandError> {
        self.read(move |_, rx| status::history(rx, limit)).await
    }

    /// Fills a cell and releases what it blocked. How many jobs. The code is checked against what the receiving system
    /// handed over; a name or another identifier that means one record only is taken for its key.
    pub async fn fill_cell(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        gap: Gap,
        for_all: bool,
        code: String,
        who: &str,
    ) -> Result<u64, CommandError> {
        let code = code.trim().to_owned();
        if code.is_empty() {
            return Err(CommandError::Refused(Problem::new(
                "empty-cell",
                "The field is empty.",
                "Fill it in, or leave the card with a reason.",
            )));
        }
        let cell = gap.clone();
        let found = self
            .read(move |core, rx| {
                let retailer = cell.retailer.as_deref();
                let desk = core.desk();
                let back = methods::is_back(&desk, from, to);
                let found = catalogue::resolve(rx, to, &cell.table, retailer, &code)?;
                let title = desk.title(to);
                Ok(found.and_then(|found| methods::written(found, &cell.table, back, &title)))
            })
            .await?
            .map_err(CommandError::Refused)?;
        let filled = Filled {
            from,
            to,
            gap,
            for_all,
            code: found.key,
            label: found.label,
            who: who.to_owned(),
        };
        let released = release::fill(&self.core.store, filled, self.now()).await?;
        self.core.wake(Event::Changed);
        Ok(released)
    }

    /// Tries everything behind a card again.
    pub async fn retry_card(&self, id: &str, who: &str) -> Result<u64, CommandError> {
        let (card, who, now) = (id.to_owned(), who.to_owned(), self.now());
        let retried = self
            .core
            .store
            .write(move |tx| {
                let Some((_, jobs)) = tx.card(&card)? else {
                    return Ok(None);
                };
                let ids: Vec<JobId> = jobs.iter().map(|j| j.id).collect();
                release::retry_card(tx, &ids, &who, now).map(Some)
            })
            .await?
            .ok_or_else(|| CommandError::NotFound(format!("card `{id}`; it may be solved by now")))?
            .map_err(CommandError::Refused)?;
        self.core.wake(Event::Changed);
        Ok(retried)
    }

    /// Tries everything behind several cards again, in one commit. How many jobs; a card that is solved counts none.
    ///
    /// # Errors
    /// When nothing of it may be tried again: why.
    pub async fn retry_cards(&self, ids: &[String], who: &str) -> Result<u64, CommandError> {
        let (ids, who, now) = (ids.to_vec(), who.to_owned(), self.now());
        let (retried, refused) = self
            .core
            .store
            .write(move |tx| {
                let (mut retried, mut refused) = (0, None);
                for id in &ids {
                    let Some((_, jobs)) = tx.card(id)? else {
                        continue;
                    };
                    let jobs: Vec<JobId> = jobs.iter().map(|j| j.id).collect();
                    match release::retry_card(tx, &jobs, &who, now)? {
                        Ok(jobs) => retried += jobs,
                        Err(why) => refused = Some(why),
                    }
                }
                Ok((retried, refused))
            })
            .await?;
        if let Some(why) = refused.filter(|_| retried == 0) {
            return Err(CommandError::Refused(why));
        }
        self.core.wake(Event::Changed);
        Ok(retried)
    }

    /// Leaves a card alone, with a reason kept in History.
    pub async fn ignore_card(&self, id: &str, reason: &str, who: &str) -> Result<(), CommandError> {
        if reason.trim().is_empty() {
            return Err(CommandError::Refused(Problem::new(
                "no-reason",
                "A reason is needed to leave a card.",
                "Write why; it is kept in History.",
            )));
        }
        let (card, reason, who, now) = (
            id.to_owned(),
            reason.trim().to_owned(),
            who.to_owned(),
            self.now(),
        );
        let found = self
            .core
            .store
            .write(move |tx| release::ignore_card(tx, &card, &reason, &who, now))
            .await?;
        if !found {
            return Err(CommandError::NotFound(format!(
                "card `{id}`; it may be solved by now"
            )));
        }
        self.core.wake(Event::Changed);
        Ok(())
    }

    /// Tries one parked job again.
    pub async fn retry_job(&self, id: JobId, who: &str) -> Result<(), CommandError> {
        let (who, now) = (who.to_owned(), self.now());
        let retried = self
            .core
            .store
            .write(move |tx| match tx.job(id)? {
                Some(job) => release::retry(tx, &job, &who, now).map(Some),
                None => Ok(None),
            })
            .await?
            .ok_or_else(|| CommandError::NotFound(format!("job `{id}`")))?;
        if let release::Retried::No(why) = retried {
            return Err(CommandError::Refused(why));
        }
        self.core.wake(Event::Changed);
        Ok(())
    }

    pub(crate) async fn connection(&self, name: &str) -> Result<ConnectionRow, CommandError> {
        let wanted = name.to_owned();
        self.read(move |_, rx| rx.connection_by_name(&wanted))
            .await?
            .ok_or_else(|| CommandError::NotFound(format!("connection `{name}`")))
    }

    /// Polls now: one feed, or all of the connection.
    pub async fn poll_now(
        &self,
        connection: &str,
        entity: Option<Entity>,
    ) -> Result<(), CommandError> {
        let row = self.connection(connection).await?;
        self.core.wake(Event::Poll(row.id, entity));
        Ok(())
    }

    /// Proves, reading only, that the connection works: who, where, quota, clock.
    pub async fn probe(&self, connection: &str) -> Result<Pairs, CommandError> {
        let row = self.connection(connection).await?;
        let desk = self.core.desk();
        let slot = desk
            .slots
            .get(&row.id)
            .ok_or_else(|| CommandError::NotFound(format!("connection `{connection}`")))?;
        let connector = slot.connector.as_ref().map_err(|why| {
            CommandError::Refused(Problem::new(
                "no-connector",
                why.clone(),
                "Install the connector.",
            ))
        })?;
        let call = self.core.call(
            slot,
            EffectScope::Setup("probe".to_owned()),
            Priority::NearDeadline,
            Mode::ReadOnly,
            1,
        );
        let answer = connector.probe(call).await;
        let now = self.now();
        let id = row.id;
        let told = match answer.value {
            Ok(pairs) => {
                // It is an answer like any other, and may be the first one.
                let answered = move |tx: &mut Tx<'_>| crate::calls::mark_tested(tx, id, now);
                self.core.store.write(answered).await?;
                Ok(pairs)
            }
            Err(error) => {
                let refused = crate::calls::refused_test(&error);
                // Beside the connection stands what was answered last, not what was before.
                let failed = move |tx: &mut Tx<'_>| crate::calls::mark_error(tx, id, &error, now);
                self.core.store.write(failed).await?;
                Err(refused)
            }
        };
        self.core.wake(Event::Changed);
        told.map_err(CommandError::Refused)
    }

    /// Pauses a connection, or lets it go on.
    pub async fn pause(
        &self,
        connection: &str,
        paused: bool,
        who: &str,
    ) -> Result<(), CommandError> {
        let row = self.connection(connection).await?;
        let (who, now) = (who.to_owned(), self.now());
        self.core
            .store
            .write(move |tx| {
                let mut row = tx.connection(row.id)?.unwrap_or_else(|| row.clone());
                row.paused = paused;
                tx.put_connection(&row)?;
                tx.audit(
                    &who,
                    if paused { "Paused" } else { "Resumed" },
                    &row.name,
                    now,
                )
            })
            .await?;
        self.core.wake(Event::Changed);
        Ok(())
    }

    /// What a plan would change.
    pub async fn difference(&self, plan: &apply::Plan) -> Result<apply::Difference, CommandError> {
        let plan = plan.clone();
        self.read(move |_, rx| apply::difference(&plan, rx)).await
    }

    /// Mistakes of a plan against the connectors that are loaded.
    pub fn check(&self, plan: &apply::Plan) -> Vec<apply::Mistake> {
        let existing = self.core.store.read(apply::existing).unwrap_or_default();
        plan.check_beside(&swap::with_waiting(&self.core), &existing)
    }

    /// Applies a plan, all or nothing, and binds the connections again.
    pub async fn apply(
        &self,
        plan: apply::Plan,
        who: &str,
    ) -> Result<apply::Difference, CommandError> {
        let mut plan = plan;
        plan.fill_titles(&self.core.connectors.descriptors());
        let difference = apply::run(&self.core.store, plan, who, self.now()).await?;
        // A build may have waited for just these settings.
        self.core.swaps.want();
        self.core.wake(Event::Reload);
        Ok(difference)
    }

    /// A value of the agent's own small area.
    pub async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, CommandError> {
        let key = key.to_owned();
        self.read(move |_, rx| rx.meta(&key)).await
    }

    /// Stores a value of the agent's own small area.
    pub async fn put_meta(&self, key: &str, value: Vec<u8>) -> Result<(), CommandError> {
        let key = key.to_owned();
        self.core
            .store
            .write(move |tx| tx.put_meta(&key, &value))
            .await?;
        Ok(())
    }

    /// The same, and who did what to it, in one commit.
    pub async fn put_meta_audited(
        &self,
        key: &str,
        value: Vec<u8>,
        (who, what, detail): (&str, &str, &str),
    ) -> Result<(), CommandError> {
        let (key, now) = (key.to_owned(), self.now());
        let (who, what, detail) = (who.to_owned(), what.to_owned(), detail.to_owned());
        let put = move |tx: &mut Tx<'_>| {
            tx.put_meta(&key, &value)?;
            tx.audit(&who, &what, &detail, now)
        };
        self.core.store.write(put).await?;
        Ok(())
    }

    /// Writes down who did what.
    pub async fn audit(&self, who: &str, what: &str, detail: &str) -> Result<(), CommandError> {
        let (who, what, detail, now) = (
            who.to_owned(),
            what.to_owned(),
            detail.to_owned(),
            self.now(),
        );
        self.core
            .store
            .write(move |tx| tx.audit(&who, &what, &detail, now))
            .await?;
        Ok(())
    }
}
