//! Every read operation, for `Tx` (which sees its own writes) and `Rx` alike. Each is a range read of what it answers;
//! none walks a whole table that grows.

use crate::access::Access;
use crate::backfills::{BackfillLine, BackfillRow};
use crate::connectors::ConnectorRow;
use crate::error::StoreError;
use crate::hints::HintRow;
use crate::hooks::{DeliveryRow, HooksRow};
use crate::items::CatalogueItem;
use crate::named::{NamedCountRow, NamedItemRow, NamedQuery};
use crate::rows::{
    AuditRow, BatchRow, CardKinds, CardRow, CellRow, ConnectionRow, Counters, DayCount,
    DeadlineKind, DocumentRow, EffectRow, FeedRow, JobRow, NoteRow, OrderQuery, OrderRow, RouteRow,
    Scope, SettingChange, SettingRow,
};
use crate::schema::Tab;
use crate::stock_rows::{LevelBatchRow, LevelList, LevelMember, LevelRow, OnHandRow, TakenRow};
use crate::{
    audit, backfills, batches, cards, connections, connectors, crosswalk, documents, feeds, hints,
    hooks, items, jobs, journal, kv, levels, links, named, orders, places, settings, vault,
};
use secrecy::SecretString;
use waybill_model::contract::{Exchange, Gap, Link};
use waybill_model::crosswalk::Match;
use waybill_model::document::Entity;
use waybill_model::ids::{BatchId, ConnectionId, DocumentId, EffectId, JobId, Millis, OrderId};
use waybill_model::job::Work;
use waybill_model::order_state::OrderStage;
use waybill_model::settings::Values;

type Answer<T> = Result<T, StoreError>;

/// What can be asked of a transaction.
pub trait Read: Access {
    /// All connections, in the order they were made.
    fn connections(&self) -> Answer<Vec<ConnectionRow>> {
        connections::connections(self.dynamic())
    }
    /// A connection.
    fn connection(&self, id: ConnectionId) -> Answer<Option<ConnectionRow>> {
        connections::connection(self.dynamic(), id)
    }
    /// A connection by its name.
    fn connection_by_name(&self, name: &str) -> Answer<Option<ConnectionRow>> {
        connections::by_name(self.dynamic(), name)
    }
    /// All routes.
    fn routes(&self) -> Answer<Vec<RouteRow>> {
        connections::routes(self.dynamic())
    }
    /// A route.
    fn route(
        &self,
        entity: Entity,
        from: ConnectionId,
        to: ConnectionId,
    ) -> Answer<Option<RouteRow>> {
        connections::route(self.dynamic(), entity, from, to)
    }
    /// Where pulling of an entity stands.
    fn feed(&self, connection: ConnectionId, entity: Entity) -> Answer<Option<FeedRow>> {
        feeds::feed(self.dynamic(), connection, entity)
    }
    /// Where all pulling stands.
    fn feeds(&self) -> Answer<Vec<FeedRow>> {
        feeds::feeds(self.dynamic())
    }
    /// An order.
    fn order(&self, id: OrderId) -> Answer<Option<OrderRow>> {
        orders::order(self.dynamic(), id)
    }
    /// An order by its key at its connection.
    fn order_by_key(&self, connection: ConnectionId, key: &str) -> Answer<Option<OrderRow>> {
        orders::by_key(self.dynamic(), connection, key)
    }
    /// The order that a record of another connection was made of, by its links.
    fn order_linked(&self, connection: ConnectionId, key: &str) -> Answer<Option<OrderRow>> {
        orders::linked(self.dynamic(), connection, key)
    }
    /// Orders, newest first.
    fn orders(&self, query: OrderQuery) -> Answer<Vec<OrderRow>> {
        orders::list(self.dynamic(), &query)
    }
    /// The order of that stage that came first.
    fn oldest_order(&self, stage: OrderStage) -> Answer<Option<OrderRow>> {
        orders::oldest(self.dynamic(), stage)
    }
    /// Orders by number, sale number, tracking number or item code: exact ones first, then longer words.
    fn search(&self, text: &str, limit: usize) -> Answer<Vec<OrderRow>> {
        orders::search(self.dynamic(), text, limit)
    }
    /// Open deadlines from that time on, nearest first.
    fn deadlines(
        &self,
        from: Millis,
        limit: usize,
    ) -> Answer<Vec<(Millis, DeadlineKind, OrderId)>> {
        orders::deadlines(self.dynamic(), from, limit)
    }
    /// What happened to an order, newest first.
    fn timeline(&self, order: OrderId, limit: usize) -> Answer<Vec<NoteRow>> {
        orders::timeline(self.dynamic(), order, limit)
    }
    /// A document; `None` also when retention dropped its body.
    fn document(&self, id: DocumentId) -> Answer<Option<DocumentRow>> {
        documents::document(self.dynamic(), id)
    }
    /// The latest revision of a key.
    fn latest_document(
        &self,
        connection: ConnectionId,
        entity: Entity,
        key: &str,
    ) -> Answer<Option<DocumentRow>> {
        documents::latest(self.dynamic(), connection, entity, key)
    }
    /// The order that the latest revision of a key belongs to, once known.
    fn order_of_latest(
        &self,
        connection: ConnectionId,
        entity: Entity,
        key: &str,
    ) -> Answer<Option<OrderId>> {
        documents::order_of_latest(self.dynamic(), connection, entity, key)
    }
    /// Latest revisions of one entity, by key.
    fn latest_documents(
        &self,
        connection: ConnectionId,
        entity: Entity,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<DocumentRow>> {
        documents::latest_of(self.dynamic(), connection, entity, after, limit)
    }
    /// Documents of an order, newest first.
    fn documents_of_order(&self, order: OrderId, limit: usize) -> Answer<Vec<DocumentRow>> {
        documents::of_order(self.dynamic(), order, limit)
    }
    /// A job.
    fn job(&self, id: JobId) -> Answer<Option<JobRow>> {
        jobs::job(self.dynamic(), id)
    }
    /// The job of that work, route and key that is not done.
    fn open_job(
        &self,
        work: Work,
        from: ConnectionId,
        to: ConnectionId,
        entity: Entity,
        key: &str,
    ) -> Answer<Option<JobRow>> {
        let a = self.dynamic();
        match jobs::open_id(a, work, from, to, entity, key)? {
            Some(id) => jobs::job(a, id),
            None => Ok(None),
        }
    }
    /// Jobs of an order, in the order they were made.
    fn jobs_of_order(&self, order: OrderId) -> Answer<Vec<JobRow>> {
        jobs::of_order(self.dynamic(), order)
    }
    /// Jobs whose state has that word, oldest first.
    fn jobs_in(&self, state_word: &str, limit: usize) -> Answer<Vec<JobRow>> {
        places::in_state(self.dynamic(), state_word, limit)
    }
    /// Jobs that may be claimed for a connection, most urgent first: at most one per lane, none of a held lane.
    fn ready(&self, to: ConnectionId, limit: usize) -> Answer<Vec<JobRow>> {
        jobs::ready(self.dynamic(), to, limit)
    }
    /// The same jobs, by their ids and nearest deadlines alone.
    fn ready_ids(&self, to: ConnectionId, limit: usize) -> Answer<Vec<(JobId, Option<Millis>)>> {
        jobs::ready_ids(self.dynamic(), to, limit)
    }
    /// Of the same jobs, those of one kind of work.
    fn ready_of(&self, to: ConnectionId, work: Work, limit: usize) -> Answer<Vec<JobRow>> {
        jobs::ready_of(self.dynamic(), to, work, limit)
    }
    /// Waiting, resting, held and pending jobs whose time has come.
    fn due(&self, now: Millis, limit: usize) -> Answer<Vec<JobRow>> {
        jobs::due(self.dynamic(), now, limit)
    }
    /// When the next waiting or pending job is due.
    fn next_due(&self) -> Answer<Option<Millis>> {
        jobs::next_due(self.dynamic(), None)
    }
    /// When the next waiting or pending job is due after that time, whatever is overdue.
    fn next_due_after(&self, after: Millis) -> Answer<Option<Millis>> {
        jobs::next_due(self.dynamic(), Some(after))
    }
    /// Batches whose call has not ended.
    fn open_batches(&self) -> Answer<Vec<BatchRow>> {
        batches::open(self.dynamic())
    }
    /// A batch.
    fn batch(&self, id: BatchId) -> Answer<Option<BatchRow>> {
        batches::batch(self.dynamic(), id)
    }
    /// The code of a cell: the retailer's own, else the one for all. No wildcard.
    fn cell(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
        retailer: &str,
        value: &str,
    ) -> Answer<Option<String>> {
        crosswalk::cell(self.dynamic(), from, to, table, retailer, value)
    }
    /// Cells of a table by retailer (those for all first) and value, after that retailer and value.
    fn cells(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
        after: Option<(Option<&str>, &str)>,
        limit: usize,
    ) -> Answer<Vec<CellRow>> {
        crosswalk::cells(self.dynamic(), from, to, table, after, limit)
    }
    /// The active items of a connection whose identifier of that kind has that value.
    fn items(&self, connection: ConnectionId, kind: &str, value: &str) -> Answer<Match> {
        items::find(self.dynamic(), connection, kind, value)
    }
    /// The title of an item.
    fn item_title(&self, connection: ConnectionId, key: &str) -> Answer<Option<String>> {
        items::title(self.dynamic(), connection, key)
    }
    /// An item of a catalogue.
    fn item(&self, connection: ConnectionId, key: &str) -> Answer<Option<CatalogueItem>> {
        items::item(self.dynamic(), connection, key)
    }
    /// Whether anything of that connection's catalogue is known.
    fn has_items(&self, connection: ConnectionId) -> Answer<bool> {
        items::any(self.dynamic(), connection)
    }
    /// Active items with a title like that one, best first.
    fn items_alike(
        &self,
        connection: ConnectionId,
        title: &str,
        limit: usize,
    ) -> Answer<Vec<CatalogueItem>> {
        items::alike(self.dynamic(), connection, title, limit)
    }
    /// An item as orders of a retailer name it.
    fn named_item(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        retailer: &str,
        value: &str,
    ) -> Answer<Option<NamedItemRow>> {
        named::item(self.dynamic(), from, to, retailer, value)
    }
    /// Items that orders name, by retailer and value.
    fn named_items(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        query: &NamedQuery<'_>,
    ) -> Answer<Vec<NamedItemRow>> {
        named::list(self.dynamic(), from, to, query)
    }
    /// Items that orders name by the start of an identifier, then by words of their titles.
    fn search_named(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        text: &str,
        limit: usize,
    ) -> Answer<Vec<NamedItemRow>> {
        named::search(self.dynamic(), from, to, text, limit)
    }
    /// How the items of each retailer are matched, in figures.
    fn named_counts(&self, from: ConnectionId, to: ConnectionId) -> Answer<Vec<NamedCountRow>> {
        named::counts(self.dynamic(), from, to)
    }
    /// Exactly that cell, without the one for all.
    fn cell_row(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
        retailer: Option<&str>,
        value: &str,
    ) -> Answer<Option<CellRow>> {
        crosswalk::cell_row(self.dynamic(), from, to, table, retailer, value)
    }
    /// The cards a parked job stands behind.
    fn cards_of(&self, job: &JobRow) -> Answer<Vec<CardRow>> {
        let causes = cards::causes(job);
        let rows = causes
            .iter()
            .map(|cause| cards::row(self.dynamic(), &cards::card_id(cause)));
        rows.filter_map(Result::transpose).collect()
    }
    /// The records of one connection that this record is linked to.
    fn links_between(
        &self,
        connection: ConnectionId,
        entity: Entity,
        key: &str,
        to: ConnectionId,
    ) -> Answer<Vec<Link>> {
        links::links_between(self.dynamic(), connection, entity, key, to)
    }
    /// Records of other connections that belong to this one.
    fn links_of(&self, connection: ConnectionId, entity: Entity, key: &str) -> Answer<Vec<Link>> {
        links::links_of(self.dynamic(), connection, entity, key)
    }
    /// Settings of exactly that scope.
    fn settings(&self, scope: &Scope) -> Answer<Vec<SettingRow>> {
        settings::settings(self.dynamic(), scope)
    }
    /// The value of a key in exactly that scope.
    fn setting(&self, scope: &Scope, key: &str) -> Answer<Option<SettingRow>> {
        settings::setting(self.dynamic(), scope, key)
    }
    /// Every value of a connection: for everybody, then by retailer.
    fn connection_values(&self, connection: ConnectionId) -> Answer<Vec<SettingRow>> {
        settings::connection_values(self.dynamic(), connection)
    }
    /// Every value of a key, in whatever scope.
    fn values_of(&self, key: &str) -> Answer<Vec<SettingRow>> {
        settings::values_of(self.dynamic(), key)
    }
    /// Settings as they hold: agent, then connection, then retailer, then retailer of the connection.
    fn effective(
        &self,
        connection: Option<ConnectionId>,
        retailer: Option<&str>,
    ) -> Answer<Values> {
        settings::effective(self.dynamic(), connection, retailer)
    }
    /// Changes of settings, newest first.
    fn setting_history(&self, limit: usize) -> Answer<Vec<SettingChange>> {
        settings::history(self.dynamic(), limit)
    }
    /// Cards that are not ignored, most urgent first.
    fn cards(&self, limit: usize) -> Answer<Vec<CardRow>> {
        cards::cards(self.dynamic(), limit)
    }
    /// How many of the first `limit` cards ask for a cell, were refused, are in doubt.
    fn card_kinds(&self, limit: usize) -> Answer<CardKinds> {
        cards::kinds(self.dynamic(), limit)
    }
    /// Cards that were left alone with a reason.
    fn left_cards(&self, limit: usize) -> Answer<Vec<CardRow>> {
        cards::left(self.dynamic(), limit)
    }
    /// A card with its first 500 jobs.
    fn card(&self, id: &str) -> Answer<Option<(CardRow, Vec<JobRow>)>> {
        cards::card(self.dynamic(), id)
    }
    /// Jobs that wait for exactly that cell.
    fn gap_jobs(&self, from: ConnectionId, to: ConnectionId, gap: &Gap) -> Answer<Vec<JobId>> {
        crosswalk::gap_jobs(self.dynamic(), from, to, gap)
    }
    /// A secret, opened.
    fn secret(
        &self,
        connection: ConnectionId,
        slot: &str,
        name: &str,
    ) -> Answer<Option<SecretString>> {
        vault::secret(self.dynamic(), connection, slot, name)
    }
    /// Slot, name and time of every secret of a connection.
    fn secret_names(&self, connection: ConnectionId) -> Answer<Vec<(String, String, Millis)>> {
        vault::secret_names(self.dynamic(), connection)
    }
    /// Who did what, newest first.
    fn audit(&self, limit: usize) -> Answer<Vec<AuditRow>> {
        audit::audit(self.dynamic(), limit)
    }
    /// Whether anything was begun outside for a job and is neither refused nor forgotten.
    fn has_effects(&self, job: JobId) -> Answer<bool> {
        journal::has_effects(self.dynamic(), job)
    }
    /// A journalled effect.
    fn effect(&self, id: EffectId) -> Answer<Option<EffectRow>> {
        journal::effect(self.dynamic(), id)
    }
    /// The recorded calls of a batch; empty when retention dropped them.
    fn transcript(&self, batch: BatchId) -> Answer<Vec<Exchange>> {
        batches::transcript(self.dynamic(), batch)
    }
    /// The recorded calls of all batches an order was in, oldest first.
    fn transcripts_of_order(&self, order: OrderId) -> Answer<Vec<(BatchId, Vec<Exchange>)>> {
        batches::transcripts_of(self.dynamic(), order)
    }
    /// A value of a connector's private space.
    fn kv_get(&self, connection: ConnectionId, key: &str) -> Answer<Option<Vec<u8>>> {
        kv::get(self.dynamic(), connection, key)
    }
    /// Keys with that prefix after that key, in order.
    fn kv_scan(
        &self,
        connection: ConnectionId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<(String, Vec<u8>)>> {
        kv::scan(self.dynamic(), connection, prefix, after, limit)
    }
    /// Whether this database was restored, and from when it is.
    fn restored(&self) -> Answer<Option<crate::restore::Restored>> {
        crate::restore::restored_mark(self.dynamic())
    }
    /// A small fact of the agent.
    fn meta(&self, key: &str) -> Answer<Option<Vec<u8>>> {
        kv::meta(self.dynamic(), key)
    }
    /// A level.
    fn level(&self, from: ConnectionId, to: ConnectionId, item: &str) -> Answer<Option<LevelRow>> {
        levels::level(self.dynamic(), from, to, item)
    }
    /// Levels of a route after that item, in their order.
    fn levels(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<LevelRow>> {
        let place = ("", after);
        levels::listed(self.dynamic(), (from, to), LevelList::All, place, limit)
    }
    /// Levels that the receiving system does not have yet.
    fn dirty_levels(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        limit: usize,
    ) -> Answer<Vec<LevelRow>> {
        let route = (from, to);
        levels::listed(self.dynamic(), route, LevelList::Waiting, ("", None), limit)
    }
    /// Levels of a route whose item begins so, behind that item.
    fn listed_levels(
        &self,
        route: (ConnectionId, ConnectionId),
        list: LevelList,
        place: (&str, Option<&str>),
        limit: usize,
    ) -> Answer<Vec<LevelRow>> {
        levels::listed(self.dynamic(), route, list, place, limit)
    }
    /// How many levels of a route there are, counted up to that many.
    fn count_levels(
        &self,
        route: (ConnectionId, ConnectionId),
        list: LevelList,
        most: usize,
    ) -> Answer<usize> {
        levels::count(self.dynamic(), route, list, most)
    }
    /// Names under which the receiving system was told of an item so far.
    fn told_as(&self, from: ConnectionId, to: ConnectionId, source: &str) -> Answer<Vec<String>> {
        levels::told_as(self.dynamic(), from, to, source)
    }
    /// What a system said last that it holds of an item.
    fn on_hand(&self, connection: ConnectionId, item: &str) -> Answer<Option<OnHandRow>> {
        levels::on_hand(self.dynamic(), connection, item)
    }
    /// What open orders take of an item.
    fn taken(&self, connection: ConnectionId, item: &str) -> Answer<Vec<TakenRow>> {
        levels::taken(self.dynamic(), connection, item)
    }
    /// Active items of a catalogue after that key, in its order.
    fn stock_items(
        &self,
        connection: ConnectionId,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<CatalogueItem>> {
        levels::stock_items(self.dynamic(), connection, after, limit)
    }
    /// Whether an order changed since its units were counted.
    fn stock_orders_marked(&self) -> Answer<bool> {
        levels::orders_marked(self.dynamic())
    }
    /// Values that a person gave that code to, for all retailers or for one.
    fn cells_with(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
        code: &str,
    ) -> Answer<Vec<String>> {
        crosswalk::values_of(self.dynamic(), from, to, table, code)
    }
    /// Kits that need this item.
    fn kits_of(&self, connection: ConnectionId, item: &str) -> Answer<Vec<String>> {
        levels::kits_of(self.dynamic(), connection, item)
    }
    /// Levels of a route that were sent and are not judged yet.
    fn level_batch(&self, from: ConnectionId, to: ConnectionId) -> Answer<Option<LevelBatchRow>> {
        levels::batch(self.dynamic(), from, to)
    }
    /// Members of that batch whose verdict is awaited.
    fn level_members(&self, from: ConnectionId, to: ConnectionId) -> Answer<Vec<LevelMember>> {
        levels::members(self.dynamic(), from, to)
    }
    /// A hint.
    fn hint(&self, connection: ConnectionId, entity: Entity, key: &str) -> Answer<Option<HintRow>> {
        hints::hint(self.dynamic(), connection, entity, key)
    }
    /// Hints of a connection whose time has come, oldest first.
    fn due_hints(
        &self,
        connection: ConnectionId,
        now: Millis,
        limit: usize,
    ) -> Answer<Vec<HintRow>> {
        hints::due(self.dynamic(), connection, now, limit)
    }
    /// When the next hint of any connection is due after `now`, whatever is overdue.
    fn next_hint_due(&self, now: Millis) -> Answer<Option<Millis>> {
        hints::next_due(self.dynamic(), now)
    }
    /// How many hints a connection has, counted up to `limit`.
    fn hints_waiting(&self, connection: ConnectionId, limit: usize) -> Answer<usize> {
        hints::waiting(self.dynamic(), connection, limit)
    }
    /// Webhook requests of a connection that are not read yet, in the order of arrival: at most so many, and no more
    /// than bodies of 1 MiB together, but for the first.
    fn deliveries(&self, connection: ConnectionId, limit: usize) -> Answer<Vec<DeliveryRow>> {
        hooks::deliveries(self.dynamic(), connection, limit)
    }
    /// How many webhook requests of a connection are not read yet.
    fn delivery_backlog(&self, connection: ConnectionId) -> Answer<u64> {
        hooks::backlog(self.dynamic(), connection)
    }
    /// When the newest webhook request that is not read yet came.
    fn newest_delivery(&self, connection: ConnectionId) -> Answer<Option<Millis>> {
        hooks::newest(self.dynamic(), connection)
    }
    /// What is known of the webhooks of a connection.
    fn hooks(&self, connection: ConnectionId) -> Answer<Option<HooksRow>> {
        hooks::hooks(self.dynamic(), connection)
    }
    /// Every connector that was accepted, by id.
    fn connectors(&self) -> Answer<Vec<ConnectorRow>> {
        connectors::connectors(self.dynamic())
    }
    /// Every back-fill that is kept, newest first.
    fn backfills(&self) -> Answer<Vec<BackfillRow>> {
        backfills::backfills(self.dynamic())
    }
    /// The back-fill of a connection that goes on by itself.
    fn running_backfill(&self, connection: ConnectionId) -> Answer<Option<BackfillRow>> {
        backfills::running(self.dynamic(), connection)
    }
    /// The first orders a back-fill found.
    fn backfill_lines(&self, id: u64) -> Answer<Vec<BackfillLine>> {
        backfills::lines(self.dynamic(), id)
    }
    /// A back-fill.
    fn backfill(&self, id: u64) -> Answer<Option<BackfillRow>> {
        backfills::backfill(self.dynamic(), id)
    }
    /// A connector.
    fn connector(&self, id: &str) -> Answer<Option<ConnectorRow>> {
        connectors::connector(self.dynamic(), id)
    }
    /// Orders by stage, jobs by state, cards.
    fn counters(&self) -> Answer<Counters> {
        let a = self.dynamic();
        let number = |key: &str| Answer::Ok(a.number(Tab::Counters, key.as_bytes())?.unwrap_or(0));
        let mut out = Counters {
            cards: number(cards::COUNTER)?,
            ..Counters::default()
        };
        for stage in OrderStage::ALL {
            match number(&orders::stage_counter(*stage))? {
                0 => {}
                n => drop(out.orders.insert(*stage, n)),
            }
        }
        for word in crate::places::JOB_WORDS {
            match number(&jobs::state_counter(word))? {
                0 => {}
                n => drop(out.jobs.insert((*word).to_owned(), n)),
            }
        }
        Ok(out)
    }
    /// What happened on the newest days that have anything, newest first.
    fn day_counts(&self, days: usize) -> Answer<Vec<DayCount>> {
        orders::day_counts(self.dynamic(), days)
    }
}

impl<T: Access> Read for T {}
