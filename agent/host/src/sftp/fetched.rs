//! Files that were read whole and may be asked for again: a large one is handed on in pages, each by a call of its own, and
//! passes the wire once. Few and not for long, in files without a name: a crash leaves nothing. Must not know who asks.

use super::files::Entry;
use crate::caps::blob::Spool;
use sha2::{Digest, Sha256};
use std::sync::{Mutex, MutexGuard, PoisonError};
use waybill_model::ids::{ConnectionId, Millis};

/// Files kept at once.
const FILES: usize = 4;
/// Bytes of all of them: as many as one call may read.
const BYTES: u64 = 512 << 20;
/// How long nobody asks for one that is dropped.
const IDLE_MS: Millis = 10 * 60_000;

/// Whose files they are: a server with its key, and who signed in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account([u8; 32]);

impl Account {
    /// Only their hash is kept, for the user is a secret.
    pub(crate) fn of(place: &str, fingerprint: &str, user: &str) -> Self {
        Self(Sha256::digest(format!("{place}\n{fingerprint}\n{user}")).into())
    }
}

/// What was read, by what a listing says of it: the server may have put it into another folder meanwhile.
struct One {
    connection: ConnectionId,
    account: Account,
    name: String,
    modified_ms: i64,
    spool: Spool,
    used: Millis,
}

/// What was read, the longest unused first. Shared by all connections, each of which sees its own.
#[derive(Default)]
pub(crate) struct Fetched(Mutex<Vec<One>>);

impl Fetched {
    fn all(&self) -> MutexGuard<'_, Vec<One>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a file that was read under that path, unless it is small enough to be read again.
    pub(crate) fn keep(
        &self,
        (connection, account): (ConnectionId, Account),
        path: &str,
        modified_ms: i64,
        spool: &Spool,
        now: Millis,
    ) {
        let Some(spool) = spool.share() else {
            return;
        };
        let mut all = self.all();
        let name = name(path);
        all.retain(|one| !one.is(connection, account, name) || one.modified_ms != modified_ms);
        all.push(One {
            connection,
            account,
            name: name.to_owned(),
            modified_ms,
            spool,
            used: now,
        });
        while all.len() > FILES || all.iter().map(|one| one.spool.len()).sum::<u64>() > BYTES {
            all.remove(0);
        }
    }

    /// Which of these files were read before as they are now, by their paths.
    pub(crate) fn among(
        &self,
        (connection, account): (ConnectionId, Account),
        entries: &[Entry],
        now: Millis,
    ) -> Vec<(String, Spool)> {
        let mut all = self.all();
        let mut found = Vec::new();
        for one in all.iter_mut() {
            let same = |entry: &&Entry| {
                one.is(connection, account, name(&entry.path))
                    && (one.spool.len(), one.modified_ms) == (entry.size, entry.modified_ms)
            };
            if let Some(entry) = entries.iter().find(same)
                && let Some(spool) = one.spool.share()
            {
                one.used = now;
                found.push((entry.path.clone(), spool));
            }
        }
        all.sort_by_key(|one| one.used);
        found
    }

    /// A file of that name is about to be another.
    pub(crate) fn forget(&self, (connection, account): (ConnectionId, Account), path: &str) {
        self.all()
            .retain(|one| !one.is(connection, account, name(path)));
    }

    /// Drops what nobody asked for in a while. A clock that was set back must not make them stay.
    pub(crate) fn tidy(&self, now: Millis) {
        self.all()
            .retain(|one| (0..IDLE_MS).contains(&(now - one.used)));
    }
}

impl One {
    fn is(&self, connection: ConnectionId, account: Account, name: &str) -> bool {
        self.connection == connection && self.account == account && self.name == name
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 70_000;

    fn whose(connection: u32, user: &str) -> (ConnectionId, Account) {
        (
            ConnectionId(connection),
            Account::of("a.test:22", "SHA256:a", user),
        )
    }

    fn spool(len: usize) -> Spool {
        let mut spool = Spool::new(None);
        spool.append(&vec![1; len]).unwrap();
        spool
    }

    fn entry(path: &str, size: usize, modified_ms: i64) -> Entry {
        Entry {
            path: path.to_owned(),
            size: size as u64,
            modified_ms,
        }
    }

    #[test]
    fn what_was_read_is_known_again_in_another_folder_and_in_no_other_shape() {
        let (kept, own) = (Fetched::default(), whose(1, "me"));
        kept.keep(own, "out/a.csv", 5_000, &spool(LARGE), 0);
        let found = |whose, entry: Entry| kept.among(whose, &[entry], 0).len();
        assert_eq!(found(own, entry("out/archive/a.csv", LARGE, 5_000)), 1);
        assert_eq!(found(own, entry("a.csv", LARGE, 5_000)), 1);
        assert_eq!(found(own, entry("out/a.csv", LARGE + 1, 5_000)), 0);
        assert_eq!(found(own, entry("out/a.csv", LARGE, 6_000)), 0);
        assert_eq!(found(own, entry("out/b.csv", LARGE, 5_000)), 0);
        let theirs = entry("out/a.csv", LARGE, 5_000);
        assert_eq!(found(whose(2, "me"), theirs.clone()), 0);
        assert_eq!(found(whose(1, "another"), theirs.clone()), 0);
        kept.forget(own, "in/a.csv");
        assert_eq!(found(own, theirs), 0);
    }

    #[test]
    fn few_are_kept_and_not_for_long() {
        let (kept, own) = (Fetched::default(), whose(1, "me"));
        kept.keep(own, "small.csv", 0, &spool(100), 0);
        assert!(kept.all().is_empty(), "it is read again as fast");
        for n in 0..FILES {
            kept.keep(own, &format!("{n}.csv"), 0, &spool(LARGE), 0);
        }
        assert_eq!(kept.among(own, &[entry("0.csv", LARGE, 0)], 1).len(), 1);
        kept.keep(own, "new.csv", 0, &spool(LARGE), 2);
        let names = || -> Vec<String> { kept.all().iter().map(|o| o.name.clone()).collect() };
        assert_eq!(names(), ["2.csv", "3.csv", "0.csv", "new.csv"]);
        kept.tidy(IDLE_MS);
        assert_eq!(names(), ["0.csv", "new.csv"]);
        kept.tidy(-1);
        assert!(names().is_empty());
    }
}
