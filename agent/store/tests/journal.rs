//! The effect journal: what was finished is replayed, what was not is in doubt, what is proven absent is sent again.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod sample;

use sample::{SOURCE, TARGET, assert_sound, in_memory};
use waybill_model::ids::{EffectId, JobId};
use waybill_store::{BegunRow, Read, Store, StoreError};

const A: JobId = JobId(1);
const B: JobId = JobId(2);
const C: JobId = JobId(3);

fn begin(store: &Store, jobs: &'static [JobId], absent: bool, now: i64) -> BegunRow {
    begin_after(store, jobs, absent.then_some(now), now)
}

fn begin_after(store: &Store, jobs: &'static [JobId], absent: Option<i64>, now: i64) -> BegunRow {
    store
        .write_blocking(move |tx| {
            tx.begin_effect(TARGET, "batch", jobs, "create-order", absent, now)
        })
        .unwrap()
}

fn fresh(begun: &BegunRow) -> EffectId {
    match begun {
        BegunRow::Fresh(id) => *id,
        other => panic!("{other:?}"),
    }
}

fn finish(store: &Store, id: EffectId, answer: Option<&'static [u8]>) {
    store
        .write_blocking(move |tx| tx.finish_effect(id, answer, 50))
        .unwrap();
}

#[test]
fn a_finished_step_is_replayed_to_the_same_members_and_to_some_of_them() {
    let store = in_memory();
    let id = fresh(&begin(&store, &[A, B], false, 10));
    finish(&store, id, Some(b"answer"));
    assert_eq!(
        begin(&store, &[A, B], false, 20),
        BegunRow::Replay(b"answer".to_vec())
    );
    assert_eq!(
        begin(&store, &[B], true, 20),
        BegunRow::Replay(b"answer".to_vec())
    );
    // One member more: nobody knows of that one.
    assert_eq!(begin(&store, &[A, B, C], false, 20), BegunRow::InDoubt(10));
    assert_eq!(begin(&store, &[A, C], true, 20), BegunRow::InDoubt(10));
    assert_sound(&store);
}

#[test]
fn an_unfinished_step_is_in_doubt_until_it_is_proven_absent() {
    let store = in_memory();
    let first = fresh(&begin(&store, &[A, B], false, 10));
    assert_eq!(begin(&store, &[A, B], false, 30), BegunRow::InDoubt(10));
    let second = fresh(&begin(&store, &[A, B], true, 40));
    assert_ne!(first, second);
    assert_eq!(begin(&store, &[A], false, 50), BegunRow::InDoubt(40));
    let late = store.write_blocking(move |tx| tx.finish_effect(first, Some(b"late"), 60));
    assert!(matches!(late, Err(StoreError::NotFound { .. })), "{late:?}");
    assert_sound(&store);
}

/// A crash came after one member was sent again alone: the batch is told the age of the oldest begin, and what it looks up
/// then says nothing about the newer one, which searches may trail.
#[test]
fn a_look_up_says_nothing_about_what_was_sent_after_it() {
    let store = in_memory();
    fresh(&begin(&store, &[A, B], false, 10));
    fresh(&begin_after(&store, &[B], Some(10), 500));
    assert_eq!(begin(&store, &[A, B], false, 510), BegunRow::InDoubt(10));
    assert_eq!(
        begin_after(&store, &[A, B], Some(10), 510),
        BegunRow::InDoubt(500)
    );
    assert_eq!(
        begin_after(&store, &[B], Some(10), 510),
        BegunRow::InDoubt(500)
    );
    fresh(&begin_after(&store, &[A], Some(10), 510));
    assert_eq!(begin(&store, &[B], false, 900), BegunRow::InDoubt(500));
    fresh(&begin_after(&store, &[B], Some(500), 900));
    assert_sound(&store);
}

#[test]
fn an_answer_that_proves_nothing_happened_leaves_no_trace() {
    let store = in_memory();
    let id = fresh(&begin(&store, &[A, B], false, 10));
    finish(&store, id, None);
    assert!(store.read(|rx| rx.effect(id)).unwrap().is_none());
    fresh(&begin(&store, &[A], false, 20));
    fresh(&begin(&store, &[B], false, 20));
    assert_sound(&store);
}

#[test]
fn members_that_leave_an_unfinished_step_leave_the_others_in_doubt() {
    let store = in_memory();
    let first = fresh(&begin(&store, &[A, B], false, 10));
    let second = fresh(&begin(&store, &[A], true, 20));
    assert_ne!(first, second);
    assert_eq!(begin(&store, &[B], false, 30), BegunRow::InDoubt(10));
    assert_eq!(
        store.read(|rx| rx.effect(first)).unwrap().unwrap().jobs,
        [B]
    );
    // Finished by two effects is not finished by one.
    finish(&store, first, Some(b"b"));
    finish(&store, second, Some(b"a"));
    assert_eq!(begin(&store, &[A, B], true, 40), BegunRow::InDoubt(10));
    assert_eq!(
        begin(&store, &[B], false, 40),
        BegunRow::Replay(b"b".to_vec())
    );
    assert_sound(&store);
}

#[test]
fn without_jobs_the_scope_and_the_step_are_the_key() {
    let store = in_memory();
    let go = |scope: &'static str, step: &'static str| {
        store
            .write_blocking(move |tx| tx.begin_effect(SOURCE, scope, &[], step, None, 10))
            .unwrap()
    };
    let id = fresh(&go("poll-1", "pop"));
    assert_eq!(go("poll-1", "pop"), BegunRow::InDoubt(10));
    fresh(&go("poll-2", "pop"));
    fresh(&go("poll-1", "other"));
    finish(&store, id, Some(b"page"));
    assert_eq!(go("poll-1", "pop"), BegunRow::Replay(b"page".to_vec()));
    assert_sound(&store);
}

#[test]
fn a_retracted_step_is_a_first_one_answered_or_not() {
    let store = in_memory();
    let retract = |jobs: &'static [JobId]| {
        store.write_blocking(move |tx| tx.retract_effect("batch", jobs, "create-order"))
    };
    let first = fresh(&begin(&store, &[A], false, 10));
    retract(&[A]).unwrap();
    retract(&[A]).unwrap();
    let second = fresh(&begin(&store, &[A], false, 20));
    assert_ne!(first, second);
    finish(&store, second, Some(b"refused"));
    retract(&[A]).unwrap();
    fresh(&begin(&store, &[A], false, 25));
    let scope = store
        .write_blocking(|tx| tx.begin_effect(SOURCE, "set-up", &[], "hook", None, 1))
        .unwrap();
    fresh(&scope);
    store
        .write_blocking(|tx| tx.retract_effect("set-up", &[], "hook"))
        .unwrap();
    let again = store
        .write_blocking(|tx| tx.begin_effect(SOURCE, "set-up", &[], "hook", None, 2))
        .unwrap();
    fresh(&again);
    let gone = store.write_blocking(move |tx| tx.finish_effect(second, Some(b"x"), 9));
    assert!(gone.is_err());
    assert_sound(&store);
}

#[test]
fn one_refused_member_of_an_answered_step_leaves_and_the_others_keep_their_answer() {
    let store = in_memory();
    let id = fresh(&begin(&store, &[A, B], false, 10));
    finish(&store, id, Some(b"207"));
    let twice = store.write_blocking(move |tx| tx.finish_effect(id, Some(b"x"), 9));
    assert!(matches!(twice, Err(StoreError::Conflict(_))));
    store
        .write_blocking(|tx| tx.retract_effect("batch", &[A], "create-order"))
        .unwrap();
    fresh(&begin(&store, &[A], false, 20));
    let replay = BegunRow::Replay(b"207".to_vec());
    assert_eq!(begin(&store, &[B], false, 20), replay);
    assert_sound(&store);
}

#[test]
fn a_refused_job_forgets_its_effects_and_the_others_keep_theirs() {
    let store = in_memory();
    let id = fresh(&begin(&store, &[A, B], false, 10));
    finish(&store, id, Some(b"answer"));
    store.write_blocking(|tx| tx.forget_effects(A)).unwrap();
    assert_sound(&store);
    fresh(&begin(&store, &[A], false, 20));
    let replay = BegunRow::Replay(b"answer".to_vec());
    assert_eq!(begin(&store, &[B], false, 20), replay);
    store.write_blocking(|tx| tx.forget_effects(B)).unwrap();
    assert!(store.read(|rx| rx.effect(id)).unwrap().is_none());
    assert_sound(&store);
}
