//! Cards that a connector asks for: what it found while it read a feed and cannot settle itself. One for each key of its
//! private space that begins with `card/`, whose value is the problem: a job that is never sent, which comes and goes in the
//! commit of the page. A connection has so many places for cards; one more card counts what has none, and a place that
//! becomes free is taken by the next. A key that begins with `card/lost/` is about what is gone: no connector finds that
//! again, so it takes a place first, and nobody forgets it who did not see it. Must not know what any of them is about.

use crate::offered;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use waybill_model::contract::{KvWrite, Problem};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, DocumentId, JobId, Millis};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::{Cause, JobRow, NewJob, Read, StoreError, Tx};

/// How keys of cards begin.
const CARD: &str = "card/";
/// How those begin that no connector finds again.
const LOST: &str = "card/lost/";
/// The card that counts the others: no connector's, whose keys begin otherwise.
const MORE: &str = "more";
/// Cards of a connection that are shown at a time; those that were left alone take no place.
const PLACES: usize = 50;
/// Cards of a connection that are kept. What comes above that is forgotten, what is found again before what is lost.
const KEPT: usize = 500;
/// Bytes of a card that are kept, and letters of each of its texts.
const LONGEST: usize = 4_096;
const LETTERS: usize = 1_000;

/// A connection and the kind of document that was read.
type FeedId = (ConnectionId, Entity);

/// Whether this job is only such a card.
pub(crate) fn is_card(job: &JobRow) -> bool {
    job.work == Work::Attend
}

/// Opens, renews and closes cards as a page of that feed says.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    feed: FeedId,
    writes: &[KvWrite],
    now: Millis,
) -> Result<(), StoreError> {
    let cards = || writes.iter().filter(|write| write.key.starts_with(CARD));
    if cards().next().is_none() {
        return Ok(());
    }
    let mut board = Board::of(tx, feed.0)?;
    for write in cards() {
        let job = board.job(tx, feed, &write.key)?;
        match (&write.value, job) {
            (Some(value), job) => {
                shorten(tx, feed.0, &write.key, value)?;
                if let Some(job) = job {
                    renew(tx, &job, problem(value), now)?;
                }
            }
            (None, Some(job)) => {
                board.cards.remove(&write.key);
                end(tx, &job, "it is gone", now)?;
            }
            (None, None) => {}
        }
    }
    board.arrange(tx, feed, now)
}

/// A place may have become free, since somebody left this card alone.
pub(crate) fn left_alone(tx: &mut Tx<'_>, job: &JobRow, now: Millis) -> Result<(), StoreError> {
    Board::of(tx, job.from)?.arrange(tx, (job.from, job.entity), now)
}

fn problem(value: &[u8]) -> Problem {
    let cut = |text: String| match text.char_indices().nth(LETTERS) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    };
    match serde_json::from_slice::<Problem>(value) {
        Ok(problem) => Problem {
            code: cut(problem.code),
            message: cut(problem.message),
            hint: problem.hint.map(cut),
        },
        Err(_) => Problem::new(
            "unreadable-card",
            "The connector has something to say about what it read, and it cannot be understood.",
            "Update the connector.",
        ),
    }
}

/// Of a card that is too long no more is kept than is shown.
fn shorten(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    key: &str,
    value: &[u8],
) -> Result<(), StoreError> {
    if value.len() <= LONGEST {
        return Ok(());
    }
    let short = serde_json::to_vec(&problem(value)).unwrap_or_default();
    let write = KvWrite {
        key: key.to_owned(),
        value: Some(short),
    };
    tx.kv_apply(connection, &[write])
}

/// A card that says the same already stays as it is: somebody may have left it alone.
pub(crate) fn show(
    tx: &mut Tx<'_>,
    feed: FeedId,
    key: &str,
    problem: Problem,
    now: Millis,
) -> Result<(), StoreError> {
    match open(tx, feed, key)? {
        Some(job) => renew(tx, &job, problem, now),
        None => create(tx, feed, key, problem, now).map(drop),
    }
}

fn open(
    tx: &Tx<'_>,
    (connection, entity): FeedId,
    key: &str,
) -> Result<Option<JobRow>, StoreError> {
    tx.open_job(Work::Attend, connection, connection, entity, key)
}

fn renew(tx: &mut Tx<'_>, job: &JobRow, problem: Problem, now: Millis) -> Result<(), StoreError> {
    let state = JobState::Parked(Reason::Problem(problem));
    if job.state == state {
        return Ok(());
    }
    tx.set_state(job.id, state, now)
}

fn create(
    tx: &mut Tx<'_>,
    (connection, entity): FeedId,
    key: &str,
    problem: Problem,
    now: Millis,
) -> Result<JobId, StoreError> {
    let card = NewJob {
        work: Work::Attend,
        from: connection,
        to: connection,
        entity,
        key: key.to_owned(),
        order: None,
        lane: key.to_owned(),
        // Nothing was read, so there is none.
        document: DocumentId(0),
        state: JobState::Parked(Reason::Problem(problem)),
        urgent_by: None,
    };
    tx.create_job(card, now)
}

/// Closes a card, where it is open.
pub(crate) fn close(
    tx: &mut Tx<'_>,
    feed: FeedId,
    key: &str,
    now: Millis,
) -> Result<(), StoreError> {
    match open(tx, feed, key)? {
        Some(job) => end(tx, &job, "it is gone", now),
        None => Ok(()),
    }
}

fn end(tx: &mut Tx<'_>, job: &JobRow, why: &str, now: Millis) -> Result<(), StoreError> {
    let ending = Ending::Ignored(why.to_owned());
    tx.set_state(job.id, JobState::Done(ending), now)
}

fn forget(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    keys: impl IntoIterator<Item = String>,
) -> Result<(), StoreError> {
    let gone: Vec<KvWrite> = keys
        .into_iter()
        .map(|key| KvWrite { key, value: None })
        .collect();
    tx.kv_apply(connection, &gone)
}

/// Which jobs show the cards of a connection. A small fact of the agent, since a job is found by its key only together
/// with the kind of document, and a card may have been shown for another feed than the one that takes it back.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Board {
    cards: BTreeMap<String, JobId>,
    more: Option<JobId>,
}

impl Board {
    fn key(connection: ConnectionId) -> String {
        format!("attend/{connection}")
    }

    /// As it was kept, without what ended meanwhile.
    fn of(tx: &Tx<'_>, connection: ConnectionId) -> Result<Self, StoreError> {
        let kept = tx.meta(&Self::key(connection))?;
        let kept: Self = kept
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let mut board = Self::default();
        for (key, id) in kept.cards {
            if parked(tx, id)?.is_some() {
                board.cards.insert(key, id);
            }
        }
        if let Some(id) = kept.more {
            board.more = parked(tx, id)?.map(|job| job.id);
        }
        Ok(board)
    }

    fn put(&self, tx: &mut Tx<'_>, connection: ConnectionId) -> Result<(), StoreError> {
        let key = Self::key(connection);
        if self.cards.is_empty() && self.more.is_none() {
            return tx.remove_meta(&key).map(drop);
        }
        tx.put_meta(&key, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// The job that shows a card.
    fn job(&mut self, tx: &Tx<'_>, feed: FeedId, key: &str) -> Result<Option<JobRow>, StoreError> {
        if let Some(id) = self.cards.get(key) {
            return tx.job(*id);
        }
        let found = open(tx, feed, key)?;
        if let Some(job) = &found {
            self.cards.insert(key.to_owned(), job.id);
        }
        Ok(found)
    }

    /// Cards that somebody left alone, which is asked only where places are short.
    fn left(&self, tx: &Tx<'_>) -> Result<usize, StoreError> {
        if self.cards.len() < PLACES {
            return Ok(0);
        }
        let all = tx.left_cards(usize::MAX)?;
        let mut left = 0;
        for id in self.cards.values() {
            let Some(JobState::Parked(Reason::Problem(own))) = tx.job(*id)?.map(|job| job.state)
            else {
                continue;
            };
            left += usize::from(all.iter().any(|card| {
                matches!(&card.cause, Cause::Problem { problem, order: None, .. }
                    if (&problem.code, &problem.message) == (&own.code, &own.message))
            }));
        }
        Ok(left)
    }

    /// Gives free places to cards that have none, counts the rest, and forgets what is too much.
    fn arrange(mut self, tx: &mut Tx<'_>, feed: FeedId, now: Millis) -> Result<(), StoreError> {
        let taken = self.cards.len().saturating_sub(self.left(tx)?);
        let mut free = PLACES.saturating_sub(taken);
        let mut hidden = Vec::new();
        let mut all = tx.kv_scan(feed.0, CARD, None, usize::MAX)?;
        all.sort_by_key(|(key, _)| !key.starts_with(LOST));
        for (key, value) in all {
            if self.cards.contains_key(&key) {
                continue;
            }
            if free == 0 {
                hidden.push(key);
                continue;
            }
            free -= 1;
            let job = create(tx, feed, &key, problem(&value), now)?;
            self.cards.insert(key, job);
        }
        let room = KEPT.saturating_sub(self.cards.len());
        let (count, all) = (hidden.len(), hidden.len() < room);
        if count > room {
            forget(tx, feed.0, hidden.split_off(room))?;
        }
        self.count(tx, feed, count, all, now)?;
        self.put(tx, feed.0)
    }

    /// One card counts what has no place. `all`: none was ever forgotten.
    fn count(
        &mut self,
        tx: &mut Tx<'_>,
        feed: FeedId,
        count: usize,
        all: bool,
        now: Millis,
    ) -> Result<(), StoreError> {
        let known = match self.more {
            Some(id) => tx.job(id)?,
            None => None,
        };
        if count == 0 {
            self.more = None;
            return known.map_or(Ok(()), |job| end(tx, &job, "all are shown", now));
        }
        let least = if all { "And" } else { "And at least" };
        let problem = Problem::new(
            "more-cards",
            format!(
                "{least} {count} more of this kind: of one connection {PLACES} are shown at a time."
            ),
            "Settle those that are shown, or leave them with a reason: the next ones take their places. Try again looks anew at all that are not shown.",
        );
        match known {
            Some(job) => renew(tx, &job, problem, now)?,
            None => self.more = Some(create(tx, feed, MORE, problem, now)?),
        }
        Ok(())
    }
}

fn parked(tx: &Tx<'_>, id: JobId) -> Result<Option<JobRow>, StoreError> {
    let job = tx.job(id)?;
    Ok(job.filter(|job| is_card(job) && matches!(job.state, JobState::Parked(_))))
}

/// A person wants it looked at again: the connector finds no card of its own any more, and the feed is due. With the card
/// that counts the others, those that are not shown, of whatever feed, but for what is lost.
pub(crate) fn again(
    tx: &mut Tx<'_>,
    job: &JobRow,
    who: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let mut board = Board::of(tx, job.from)?;
    let counts = job.key == MORE;
    if counts {
        let mut all = tx.kv_scan(job.from, CARD, None, usize::MAX)?;
        all.retain(|(key, _)| !board.cards.contains_key(key) && !key.starts_with(LOST));
        forget(tx, job.from, all.into_iter().map(|(key, _)| key))?;
        board.more = None;
    } else {
        forget(tx, job.from, [job.key.clone()])?;
        board.cards.remove(&job.key);
    }
    if let JobState::Parked(reason) = &job.state {
        tx.audit(who, "Retried", &crate::words::reason(reason), now)?;
    }
    end(tx, job, &format!("{who} wanted it read again"), now)?;
    offered::again(tx, job.from, &job.key)?;
    for mut feed in tx.feeds()? {
        if feed.connection == job.from && (counts || feed.entity == job.entity) {
            feed.next_due = now;
            tx.put_feed(&feed)?;
        }
    }
    board.arrange(tx, (job.from, job.entity), now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{self, Retried};
    use waybill_store::{Options, Place, SealKey, Store};

    const FEED: (ConnectionId, Entity) = (ConnectionId(1), Entity::Order);

    fn write(key: &str, words: Option<&str>) -> KvWrite {
        let value = words.map(|words| {
            let problem = Problem::new("file-refused", words, "Correct it.");
            serde_json::to_vec(&problem).unwrap()
        });
        KvWrite {
            key: key.to_owned(),
            value,
        }
    }

    struct Desk {
        store: Store,
        _dir: tempfile::TempDir,
    }

    impl Desk {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let file = Place::File(dir.path().join("w.redb"));
            let key = SealKey::from_bytes([3; 32]);
            Self {
                store: Store::open(Options::new(file, key)).unwrap(),
                _dir: dir,
            }
        }

        /// A page came with these writes.
        async fn page(&self, writes: Vec<KvWrite>) {
            let taken = self.store.write(move |tx| {
                tx.kv_apply(FEED.0, &writes)?;
                keep(tx, FEED, &writes, 5)
            });
            taken.await.unwrap();
        }

        fn words(&self) -> Vec<String> {
            let cards = self.store.read(|rx| rx.cards(1_000)).unwrap();
            let words = cards.into_iter().map(|card| match card.cause {
                Cause::Problem { problem, .. } => problem.message,
                other => panic!("{other:?}"),
            });
            let mut words: Vec<String> = words.collect();
            words.sort();
            words
        }
    }

    #[tokio::test]
    async fn a_card_is_there_as_long_as_its_key() {
        let desk = Desk::new();
        desk.page(vec![
            write("card/file/a", Some("row 2")),
            write("card/file/b", Some("row 3")),
            write("file/c", Some("no card")),
        ])
        .await;
        assert_eq!(desk.words(), ["row 2", "row 3"]);
        desk.page(vec![write("card/file/a", Some("row 4"))]).await;
        desk.page(vec![write("card/file/b", Some("row 3"))]).await;
        assert_eq!(desk.words(), ["row 3", "row 4"]);
        desk.page(vec![write("card/file/b", None), write("card/other", None)])
            .await;
        assert_eq!(desk.words(), ["row 4"]);
    }

    #[tokio::test]
    async fn one_that_was_left_alone_comes_back_only_with_other_words() {
        let desk = Desk::new();
        desk.page(vec![write("card/a", Some("row 2"))]).await;
        let leave = |tx: &mut Tx<'_>| {
            let card = tx.cards(1)?.remove(0);
            release::ignore_card(tx, &card.id, "entered by hand", "ann", 6)
        };
        assert!(desk.store.write(leave).await.unwrap());
        desk.page(vec![write("card/a", Some("row 2"))]).await;
        assert!(desk.words().is_empty());
        desk.page(vec![write("card/a", Some("row 9"))]).await;
        assert_eq!(desk.words(), ["row 9"]);
    }

    #[tokio::test]
    async fn retry_takes_the_key_away_and_asks_the_feed() {
        let desk = Desk::new();
        let fresh = |tx: &mut Tx<'_>| {
            let mut feed = crate::pull::fresh_feed(FEED.0, FEED.1);
            feed.next_due = 1_000;
            tx.put_feed(&feed)
        };
        desk.store.write(fresh).await.unwrap();
        desk.page(vec![write("card/a", Some("row 2"))]).await;
        let retry = |tx: &mut Tx<'_>| {
            let card = tx.cards(1)?.remove(0);
            let (_, jobs) = tx.card(&card.id)?.unwrap();
            release::retry(tx, &jobs[0], "ann", 7)
        };
        let retried = desk.store.write(retry).await.unwrap();
        assert!(matches!(retried, Retried::Yes));
        assert!(desk.words().is_empty());
        let (kept, feed) = desk
            .store
            .read(|rx| {
                Ok::<_, StoreError>((rx.kv_get(FEED.0, "card/a")?, rx.feed(FEED.0, FEED.1)?))
            })
            .unwrap();
        assert_eq!((kept, feed.unwrap().next_due), (None, 7));
        // It is as broken as before.
        desk.page(vec![write("card/a", Some("row 2"))]).await;
        assert_eq!(desk.words(), ["row 2"]);
    }

    /// So many cards, numbered from there.
    fn numbered(numbers: std::ops::Range<usize>) -> Vec<KvWrite> {
        let one = |n: usize| write(&format!("card/{n:04}"), Some(&format!("row {n}")));
        numbers.map(one).collect()
    }

    impl Desk {
        /// Cards by rows, and what the one that counts says.
        fn shown(&self) -> (usize, Option<String>) {
            let words = self.words().into_iter();
            let (rows, mut more): (Vec<_>, Vec<_>) = words.partition(|w| w.starts_with("row "));
            assert!(more.len() < 2, "{more:?}");
            let more = more.pop().map(|words| {
                let (count, _) = words.split_once(" of this kind").expect("it counts");
                count.to_owned()
            });
            (rows.len(), more)
        }

        fn kept(&self) -> usize {
            let kept = self.store.read(|rx| rx.kv_scan(FEED.0, CARD, None, 10_000));
            kept.unwrap().len()
        }

        async fn press(&self, first_words: &str, leave: bool) {
            let words = first_words.to_owned();
            let press = move |tx: &mut Tx<'_>| {
                let cards = tx.cards(1_000)?;
                let is_it = |card: &&waybill_store::CardRow| matches!(&card.cause, Cause::Problem { problem, .. } if problem.message.starts_with(&words));
                let card = cards.iter().find(is_it).expect("the card");
                if leave {
                    return release::ignore_card(tx, &card.id, "by hand", "ann", 6).map(drop);
                }
                let (_, jobs) = tx.card(&card.id)?.expect("its jobs");
                release::retry(tx, &jobs[0], "ann", 7).map(drop)
            };
            self.store.write(press).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_has_no_place_is_counted_and_takes_the_next_one_that_is_free() {
        let desk = Desk::new();
        desk.page(numbered(0..PLACES)).await;
        assert_eq!(desk.shown(), (PLACES, None));
        desk.page(numbered(PLACES..PLACES + 4)).await;
        assert_eq!(desk.shown(), (PLACES, Some("And 4 more".to_owned())));
        // One is gone, one is looked at again, one is left alone: three places.
        desk.page(vec![write("card/0000", None)]).await;
        assert_eq!(desk.shown(), (PLACES, Some("And 3 more".to_owned())));
        desk.press("row 1", false).await;
        assert_eq!(desk.shown(), (PLACES, Some("And 2 more".to_owned())));
        desk.press("row 2", true).await;
        assert_eq!(desk.shown(), (PLACES, Some("And 1 more".to_owned())));
        // One that has no place goes as well.
        let last = format!("card/{:04}", PLACES + 3);
        desk.page(vec![write(&last, None)]).await;
        assert_eq!(desk.shown(), (PLACES, None));
        assert!(desk.store.verify().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_connector_that_never_ends_fills_neither_the_page_nor_the_database() {
        let desk = Desk::new();
        for page in 0..5 {
            desk.page(numbered(page * 300..(page + 1) * 300)).await;
            let (rows, more) = desk.shown();
            assert_eq!(rows, PLACES);
            assert!(more.is_some());
            assert!(desk.kept() <= KEPT, "{} keys are kept", desk.kept());
        }
        let (_, more) = desk.shown();
        assert!(more.unwrap().starts_with("And at least "), "nobody knows");
        let jobs = desk.store.read(|rx| rx.jobs_in("parked", 10_000)).unwrap();
        assert_eq!(jobs.len(), PLACES + 1);
        // Its words are endless, too.
        let endless = "x".repeat(500_000);
        desk.page(vec![write("card/0000", Some(&endless))]).await;
        let kept = desk.store.read(|rx| rx.kv_get(FEED.0, "card/0000"));
        assert!(kept.unwrap().unwrap().len() <= LONGEST);
    }

    #[tokio::test]
    async fn trying_the_rest_again_takes_their_keys_away_and_asks_every_feed() {
        let desk = Desk::new();
        let fresh = |tx: &mut Tx<'_>| {
            for entity in [Entity::Order, Entity::Shipment] {
                let mut feed = crate::pull::fresh_feed(FEED.0, entity);
                feed.next_due = 1_000;
                tx.put_feed(&feed)?;
            }
            Ok(())
        };
        desk.store.write(fresh).await.unwrap();
        desk.page(numbered(0..PLACES + 9)).await;
        desk.press("And 9 more", false).await;
        assert_eq!(desk.shown(), (PLACES, None));
        assert_eq!(desk.kept(), PLACES);
        let feeds = desk.store.read(Read::feeds).unwrap();
        assert!(feeds.iter().all(|feed| feed.next_due == 7), "{feeds:?}");
        // What is still wrong comes back.
        desk.page(numbered(PLACES..PLACES + 2)).await;
        assert_eq!(desk.shown(), (PLACES, Some("And 2 more".to_owned())));
    }

    #[tokio::test]
    async fn what_is_lost_is_not_forgotten_by_trying_the_rest_again() {
        let desk = Desk::new();
        desk.page(numbered(0..PLACES + 9)).await;
        let lost = [write("card/lost/a", Some("row lost"))];
        desk.page(lost.into()).await;
        desk.press("And 10 more", false).await;
        assert_eq!(desk.shown(), (PLACES, Some("And 1 more".to_owned())));
        desk.page(numbered(PLACES..KEPT + PLACES)).await;
        desk.page(vec![write("card/0000", None)]).await;
        assert!(desk.words().contains(&"row lost".to_owned()));
    }
}
