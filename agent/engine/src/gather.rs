//! When gathered work leaves: acknowledgements, sale numbers and shipments wait for each other, because a call to a
//! network is worth more than seconds; sales wait a moment to fill a call. Knows no call, only what is ready.

use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, JobId, Millis};
use waybill_model::job::Work;
use waybill_store::JobRow;

/// Most documents of one gathered call.
pub(crate) const MOST: usize = 1_000;
/// A deadline nearer than this is not gathered for.
const NEAR_MS: Millis = 600_000;
/// A wave that nothing was added to for so long is complete, where nothing of it is on its way.
const QUIET_MS: Millis = 3_000;
/// Sales wait no longer than this for a full call.
const SALES_MS: Millis = 1_000;

/// A job that may be claimed, as far as its time to leave depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadyJob {
    pub(crate) id: JobId,
    pub(crate) work: Work,
    pub(crate) from: ConnectionId,
    pub(crate) changed_at: Millis,
    pub(crate) urgent_by: Option<Millis>,
}

impl From<&JobRow> for ReadyJob {
    fn from(job: &JobRow) -> Self {
        Self {
            id: job.id,
            work: job.work,
            from: job.from,
            changed_at: job.changed_at,
            urgent_by: job.urgent_by,
        }
    }
}

/// How one kind of work is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gathering {
    /// A full call.
    most: usize,
    /// The first one waits no longer.
    longest: Millis,
    /// The last one waits so long for another, where none is on its way.
    quiet: Millis,
}

/// How this work is gathered; `None`: not at all. `most` is what one call takes, `gather` the merchant's setting.
pub(crate) fn of(work: Work, most: usize, gather: Millis) -> Option<Gathering> {
    let most = most.clamp(1, MOST);
    match work {
        Work::Settle(_) | Work::Push(Entity::Shipment | Entity::Invoice) => Some(Gathering {
            most,
            longest: gather,
            quiet: gather.min(QUIET_MS),
        }),
        Work::Push(Entity::Order) if most > 1 => Some(Gathering {
            most,
            longest: SALES_MS,
            quiet: SALES_MS,
        }),
        Work::Push(_) | Work::Compare | Work::Attend => None,
    }
}

/// When gathered jobs should leave; `None`: there are none. `busy`: more of their wave is on its way.
pub(crate) fn due(
    jobs: &[ReadyJob],
    gathering: Gathering,
    busy: bool,
    now: Millis,
) -> Option<Millis> {
    // A change that lies ahead was written before the clock was set back.
    let changed = |job: &ReadyJob| {
        if job.changed_at > now {
            0
        } else {
            job.changed_at
        }
    };
    let oldest = jobs.iter().map(changed).min()?;
    let newest = jobs.iter().map(changed).max()?;
    let near = jobs
        .iter()
        .filter_map(|j| j.urgent_by)
        .any(|by| by - now < NEAR_MS);
    if near || jobs.len() >= gathering.most {
        return Some(now);
    }
    let longest = oldest.saturating_add(gathering.longest);
    if busy {
        return Some(longest);
    }
    Some(longest.min(newest.saturating_add(gathering.quiet)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_model::contract::Moment;

    fn job(changed_at: Millis) -> ReadyJob {
        ReadyJob {
            id: JobId(1),
            work: Work::Settle(Moment::Accepted),
            from: ConnectionId(1),
            changed_at,
            urgent_by: None,
        }
    }

    #[test]
    fn a_wave_leaves_when_it_is_complete_or_has_waited() {
        let gathering = of(Work::Settle(Moment::Accepted), MOST, 30_000).unwrap();
        let now = 100_000;
        let wave = [job(99_000), job(95_000)];
        assert_eq!(due(&[], gathering, false, now), None);
        assert_eq!(due(&wave, gathering, false, now), Some(102_000));
        assert_eq!(due(&wave, gathering, true, now), Some(125_000));
        assert_eq!(
            due(&[job(99_000), job(60_000)], gathering, true, now),
            Some(90_000)
        );
        assert_eq!(
            due(&vec![job(99_000); MOST], gathering, true, now),
            Some(now)
        );
        let near = ReadyJob {
            urgent_by: Some(now + NEAR_MS - 1),
            ..job(99_000)
        };
        assert_eq!(due(&[near], gathering, true, now), Some(now));
        // Written before the clock was set back: not gathered for ever.
        assert!(due(&[job(900_000)], gathering, true, now).unwrap() < now);
    }

    #[test]
    fn sales_fill_a_call_or_wait_a_moment() {
        let sale = Work::Push(Entity::Order);
        assert_eq!(of(sale, 1, 30_000), None);
        let gathering = of(sale, 10, 30_000).unwrap();
        assert_eq!(
            due(&[job(99_000); 10], gathering, false, 99_000),
            Some(99_000)
        );
        assert_eq!(
            due(&[job(99_000); 9], gathering, true, 99_000),
            Some(100_000)
        );
    }
}
