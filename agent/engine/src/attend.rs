//! Cards that a connector asks for: what it found while it read a feed and cannot settle itself. One for each key of its
//! private space that begins with `card/`, whose value is the problem: a job that is never sent, which comes and goes in the
//! commit of the page. Must not know what any of them is about.

use crate::offered;
use waybill_model::contract::{KvWrite, Problem};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, DocumentId, Millis};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::{JobRow, NewJob, Read, StoreError, Tx};

/// How keys of cards begin.
const CARD: &str = "card/";

/// Whether this job is only such a card.
pub(crate) fn is_card(job: &JobRow) -> bool {
    job.work == Work::Attend
}

/// Opens, renews and closes cards as a page of that feed says.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    feed: (ConnectionId, Entity),
    writes: &[KvWrite],
    now: Millis,
) -> Result<(), StoreError> {
    for write in writes.iter().filter(|write| write.key.starts_with(CARD)) {
        match &write.value {
            Some(value) => show(tx, feed, &write.key, problem(value), now)?,
            None => close(tx, feed, &write.key, now)?,
        }
    }
    Ok(())
}

fn problem(value: &[u8]) -> Problem {
    serde_json::from_slice(value).unwrap_or_else(|_| {
        Problem::new(
            "unreadable-card",
            "The connector has something to say about what it read, and it cannot be understood.",
            "Update the connector.",
        )
    })
}

fn open(
    tx: &Tx<'_>,
    (connection, entity): (ConnectionId, Entity),
    key: &str,
) -> Result<Option<JobRow>, StoreError> {
    tx.open_job(Work::Attend, connection, connection, entity, key)
}

/// A card that says the same already stays as it is: somebody may have left it alone.
pub(crate) fn show(
    tx: &mut Tx<'_>,
    feed: (ConnectionId, Entity),
    key: &str,
    problem: Problem,
    now: Millis,
) -> Result<(), StoreError> {
    let state = JobState::Parked(Reason::Problem(problem));
    if let Some(job) = open(tx, feed, key)? {
        if job.state == state {
            return Ok(());
        }
        return tx.set_state(job.id, state, now);
    }
    let (connection, entity) = feed;
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
        state,
        urgent_by: None,
    };
    tx.create_job(card, now).map(drop)
}

/// Closes a card, where it is open.
pub(crate) fn close(
    tx: &mut Tx<'_>,
    feed: (ConnectionId, Entity),
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

/// A person wants it looked at again: the connector finds no card of its own any more, and the feed is due.
pub(crate) fn again(
    tx: &mut Tx<'_>,
    job: &JobRow,
    who: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let gone = KvWrite {
        key: job.key.clone(),
        value: None,
    };
    tx.kv_apply(job.from, &[gone])?;
    if let JobState::Parked(reason) = &job.state {
        tx.audit(who, "Retried", &crate::words::reason(reason), now)?;
    }
    end(tx, job, &format!("{who} wanted it read again"), now)?;
    offered::again(tx, job.from, &job.key)?;
    if let Some(mut feed) = tx.feed(job.from, job.entity)? {
        feed.next_due = now;
        tx.put_feed(&feed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{self, Retried};
    use waybill_store::{Cause, Options, Place, SealKey, Store};

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
            let cards = self.store.read(|rx| rx.cards(10)).unwrap();
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
}
