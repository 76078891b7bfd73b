//! Lanes of jobs, and the cards behind which they wait.

use super::ready_store;
use crate::sample::{TARGET, assert_sound, new_job, problem, take_order};
use waybill_model::contract::Gap;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Generation, JobId};
use waybill_model::job::{JobState, Reason, Work};
use waybill_store::{Lists as _, Read, Store, StoreError};

#[test]
fn a_lane_gives_one_job_at_a_time_and_the_most_urgent_lane_goes_first() {
    let store = ready_store();
    let ids = store
        .write_blocking(|tx| {
            let mut ids = Vec::new();
            for (key, lane, urgent_by) in [
                ("a", "1", None),
                ("b", "1", Some(5)),
                ("c", "2", Some(9)),
                ("d", "3", Some(7)),
            ] {
                let mut job = new_job(key, None, waybill_model::ids::DocumentId(1));
                job.lane = lane.to_owned();
                job.urgent_by = urgent_by;
                ids.push(tx.create_job(job, 1)?);
            }
            Ok(ids)
        })
        .unwrap();
    let ready = |store: &Store| {
        let rows = store.read(|rx| rx.ready(TARGET, 10)).unwrap();
        rows.into_iter().map(|j| j.id).collect::<Vec<JobId>>()
    };
    assert_eq!(ready(&store), [ids[3], ids[2], ids[0]]);
    let (first, second) = (ids[0], ids[1]);
    store
        .write_blocking(move |tx| {
            tx.create_batch(
                TARGET,
                Work::Push(Entity::Order),
                Entity::Order,
                &[first],
                Generation(1),
                2,
            )
        })
        .unwrap();
    assert_eq!(ready(&store), [ids[3], ids[2]]);
    let held = store.write_blocking(move |tx| {
        tx.create_batch(
            TARGET,
            Work::Push(Entity::Order),
            Entity::Order,
            &[second],
            Generation(1),
            2,
        )
    });
    assert!(matches!(held, Err(StoreError::Conflict(_))));
    // A parked job does not hold its lane.
    store
        .write_blocking(move |tx| {
            tx.set_state(first, JobState::Parked(Reason::Problem(problem("x"))), 3)
        })
        .unwrap();
    assert_eq!(ready(&store), [second, ids[3], ids[2]]);
    assert_sound(&store);
}

#[test]
fn two_sources_with_the_same_key_are_two_jobs() {
    let store = ready_store();
    let (one, two) = store
        .write_blocking(|tx| {
            let job = new_job("a", None, waybill_model::ids::DocumentId(1));
            let mut other = job.clone();
            other.from = ConnectionId(9);
            Ok((tx.create_job(job, 1)?, tx.create_job(other, 1)?))
        })
        .unwrap();
    assert_ne!(one, two);
}

#[test]
fn an_ignored_card_comes_back_with_a_new_job() {
    let store = ready_store();
    let park = |key: &'static str| {
        store
            .write_blocking(move |tx| {
                let order = take_order(tx, key, 1)?;
                let job = tx.jobs_of_order(order)?[0].id;
                let gap = Gap {
                    table: "items".to_owned(),
                    retailer: Some("r1".to_owned()),
                    value: "AB-1".to_owned(),
                };
                tx.set_state(job, JobState::Parked(Reason::Gaps(vec![gap])), 2)
            })
            .unwrap();
    };
    park("a");
    let card = store.read(|rx| rx.cards(5)).unwrap().remove(0);
    assert_eq!((card.jobs, card.first_at), (1, 2));
    let id = card.id.clone();
    store
        .write_blocking(move |tx| tx.ignore_card(&id, "known"))
        .unwrap();
    assert!(store.read(|rx| rx.cards(5)).unwrap().is_empty());
    assert_eq!(store.read(Read::counters).unwrap().cards, 0);
    let ignored = store.read(|rx| rx.card(&card.id)).unwrap().unwrap();
    assert_eq!(ignored.0.ignored.as_deref(), Some("known"));
    let left = store.read(|rx| rx.left_cards(5)).unwrap();
    assert_eq!(left, [ignored.0]);
    park("b");
    let cards = store.read(|rx| rx.cards(5)).unwrap();
    assert_eq!((cards[0].jobs, cards[0].ignored.clone()), (2, None));
    assert_sound(&store);
}

#[test]
fn jobs_that_are_not_done_are_listed_by_their_keys() {
    let store = ready_store();
    let first = store
        .write_blocking(|tx| {
            let mut ids = Vec::new();
            for key in ["b", "a", "c"] {
                let job = new_job(key, None, waybill_model::ids::DocumentId(1));
                ids.push(tx.create_job(job, 1)?);
            }
            Ok(ids[0])
        })
        .unwrap();
    let open = |entity| {
        let (work, from) = (
            Work::Push(Entity::Order),
            new_job("", None, waybill_model::ids::DocumentId(1)).from,
        );
        let rows = store
            .read(|rx| rx.open_jobs(work, from, TARGET, entity))
            .unwrap();
        rows.into_iter().map(|job| job.key).collect::<Vec<_>>()
    };
    assert_eq!(open(Entity::Order), ["a", "b", "c"]);
    assert!(open(Entity::Invoice).is_empty());
    store
        .write_blocking(move |tx| {
            let done = JobState::Done(waybill_model::job::Ending::Recorded);
            tx.set_state(first, done, 2)
        })
        .unwrap();
    assert_eq!(open(Entity::Order), ["a", "c"]);
}
