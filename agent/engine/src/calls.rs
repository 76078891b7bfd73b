//! What a call's end means for its connection: good contact, a hold named by the vendor, a refused login.

use crate::core::Core;
use waybill_host::connector::CallError;
use waybill_model::contract::{Failure, Problem, Verdict};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{FeedRow, Read, StoreError, Tx};

/// Good contact is noted at most that often: it is not worth a page write each time.
const CONTACT_GRAIN_MS: Millis = 5_000;

/// One verdict for each of so many `members`, as they are called; another number says nothing about anybody.
pub(crate) fn one_each(
    verdicts: Vec<Verdict>,
    expected: usize,
    members: &str,
) -> Result<Vec<Verdict>, CallError> {
    let told = verdicts.len();
    if told == expected {
        return Ok(verdicts);
    }
    let why = format!("{told} verdicts for {expected} {members}");
    Err(CallError::Contract(why))
}

/// A good answer.
pub(crate) fn mark_ok(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(mut row) = tx.connection(connection)? else {
        return Ok(());
    };
    let fresh = row.last_ok.is_some_and(|at| now - at < CONTACT_GRAIN_MS);
    if fresh
        && row.last_error.is_none()
        && row.unauthorized.is_none()
        && row.hold_until.is_none_or(|until| until > now)
    {
        return Ok(());
    }
    row.last_ok = Some(now);
    row.last_error = None;
    if row.unauthorized.take().is_some() {
        // It waited for that alone.
        row.hold_until = None;
    }
    row.hold_until = row.hold_until.filter(|until| *until > now);
    tx.put_connection(&row).map(drop)
}

/// A test succeeded: what failed before is over, so that waiting for it is, too.
pub(crate) fn mark_tested(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    now: Millis,
) -> Result<(), StoreError> {
    mark_ok(tx, connection, now)?;
    for feed in tx.feeds()? {
        if feed.connection == connection && feed.failures > 0 {
            tx.put_feed(&FeedRow {
                failures: 0,
                next_due: now,
                ..feed
            })?;
        }
    }
    Ok(())
}

/// What a person is told of a test that failed.
pub(crate) fn refused_test(error: &CallError) -> Problem {
    let own = match error {
        CallError::Failure(Failure::Rejected(p) | Failure::Unauthorized(p)) => p.hint.clone(),
        _ => None,
    };
    let hint = own.unwrap_or_else(|| {
        "Check address and credentials of the connection, and that the other side is up.".to_owned()
    });
    Problem::new("probe-failed", sentence(error), hint)
}

/// No good answer. A refused login pauses the connection until its credentials change or it is tried again.
pub(crate) fn mark_error(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    error: &CallError,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(mut row) = tx.connection(connection)? else {
        return Ok(());
    };
    match error {
        CallError::Failure(Failure::Retry(Some(secs))) => {
            row.hold_until = Some(now + Millis::from(*secs) * 1000);
        }
        CallError::Failure(Failure::Unauthorized(problem)) => {
            row.unauthorized = Some(problem.clone());
            row.hold_until = Some(now + LOGIN_AGAIN_MS);
        }
        _ => {}
    }
    row.last_error = Some(sentence(error));
    tx.put_connection(&row).map(drop)
}

/// How long a reading waits after its failure in a row, the first being 1: as long as the vendor says, else longer each time.
pub(crate) fn wait_ms(core: &Core, error: &CallError, attempt: u32) -> Millis {
    match error {
        CallError::Failure(Failure::Retry(Some(secs))) => Millis::from(*secs) * 1000,
        _ => core.backoff().wait_ms(attempt, core.rng.next_u64()),
    }
}

/// A refused login is tried again that much later, in case it was mended at the vendor.
pub(crate) const LOGIN_AGAIN_MS: Millis = 60_000;

/// What went wrong, for the page.
pub(crate) fn sentence(error: &CallError) -> String {
    match error {
        CallError::Failure(Failure::Retry(_)) => {
            "Did not answer properly; will be asked again.".to_owned()
        }
        CallError::Failure(
            Failure::Rejected(p)
            | Failure::InDoubt(p)
            | Failure::Unauthorized(p)
            | Failure::Withdrawn(p),
        ) => p.message.clone(),
        CallError::Failure(Failure::Unmapped(_)) => "Values are not matched yet.".to_owned(),
        CallError::Trapped(why) => format!("The connector stopped: {why}"),
        CallError::TimedOut => "The connector did not finish in time.".to_owned(),
        CallError::OutOfMemory => "The connector wanted more memory than it may have.".to_owned(),
        CallError::Contract(why) => format!("The connector broke its contract: {why}"),
        CallError::Host(why) => why.clone(),
    }
}

/// A refused login among the verdicts of a call: it is the connection's, whichever member met it.
pub(crate) fn refused_login(verdicts: &[Verdict]) -> Option<CallError> {
    verdicts.iter().find_map(|verdict| match verdict {
        Err(failure @ Failure::Unauthorized(_)) => Some(CallError::Failure(failure.clone())),
        _ => None,
    })
}

/// Good contact, unless every member was put off: then nothing was proven.
pub(crate) fn mark_verdicts(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    verdicts: &[Verdict],
    now: Millis,
) -> Result<(), StoreError> {
    if let Some(error) = refused_login(verdicts) {
        return mark_error(tx, connection, &error, now);
    }
    if verdicts.iter().all(|v| matches!(v, Err(Failure::Retry(_)))) {
        return Ok(());
    }
    mark_ok(tx, connection, now)
}

/// A failure as a verdict for each member of the batch.
pub(crate) fn member_failure(error: &CallError) -> Failure {
    match error {
        // One word for a whole batch cannot say that each of its orders was cancelled.
        CallError::Failure(Failure::Withdrawn(problem)) => Failure::Rejected(problem.clone()),
        CallError::Failure(failure) => failure.clone(),
        CallError::Contract(why) => Failure::InDoubt(Problem::new(
            "contract",
            format!("The connector broke its contract: {why}"),
            "Update the connector, then retry.",
        )),
        CallError::Trapped(_)
        | CallError::TimedOut
        | CallError::OutOfMemory
        | CallError::Host(_) => Failure::Retry(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connecting::save::unborn;
    use crate::pull::fresh_feed;
    use waybill_model::document::Entity;
    use waybill_store::{Options, Place, SealKey, Store};

    #[tokio::test]
    async fn a_test_that_succeeds_ends_every_wait_that_a_refused_login_began() {
        let dir = tempfile::tempdir().unwrap();
        let key = SealKey::from_bytes([3; 32]);
        let options = Options::new(Place::File(dir.path().join("w.redb")), key);
        let store = Store::open(options).unwrap();
        let (before, after) = store
            .write(|tx| {
                let id = tx.put_connection(&unborn("desk", "desk", 0))?;
                let problem = Problem::new("credential-refused", "Refused.", "Enter it again.");
                let error = CallError::Failure(Failure::Unauthorized(problem));
                mark_error(tx, id, &error, 1_000)?;
                let feed = FeedRow {
                    next_due: 90_000,
                    failures: 3,
                    ..fresh_feed(id, Entity::Item)
                };
                tx.put_feed(&feed)?;
                let before = tx.connection(id)?;
                mark_tested(tx, id, 2_000)?;
                let feed = tx.feed(id, Entity::Item)?;
                Ok::<_, StoreError>((before, (tx.connection(id)?, feed)))
            })
            .await
            .unwrap();
        let before = before.unwrap();
        assert_eq!(before.last_error.as_deref(), Some("Refused."));
        assert_eq!(before.hold_until, Some(1_000 + LOGIN_AGAIN_MS));
        let (row, feed) = (after.0.unwrap(), after.1.unwrap());
        assert_eq!(
            (
                row.last_ok,
                row.hold_until,
                row.last_error,
                row.unauthorized
            ),
            (Some(2_000), None, None, None)
        );
        assert_eq!((feed.failures, feed.next_due), (0, 2_000));
    }
}
