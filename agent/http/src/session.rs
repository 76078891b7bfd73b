//! Who is logged in, and who tried too often. Sessions live in memory only, under the hash of their token; a restart
//! logs everybody out. Time and randomness come in as values, so this file needs no clock and can be tested without one.

use crate::roles::Role;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use waybill_model::ids::Millis;

/// A session that was not used for that long is over.
pub(crate) const IDLE: Millis = 12 * 3_600_000;
/// More sessions than this push out the least recently used one.
const MOST_SESSIONS: usize = 256;
/// Bad tries that cost nothing.
const FREE_TRIES: u32 = 5;
/// The first wait after them; it doubles with each further bad try.
const FIRST_WAIT: Millis = 30_000;
/// The longest wait.
const LONGEST_WAIT: Millis = 15 * 60_000;
/// An address without a try for that long starts afresh.
const FORGET: Millis = 24 * 3_600_000;
/// More addresses than this push out the oldest ones.
const MOST_ADDRESSES: usize = 4096;

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// What the role may.
    Role(Role),
    /// Set a password in place of a one-time code, and nothing else.
    SetPassword,
}

/// What the next page says once, after a form was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notice {
    /// It did not work.
    pub(crate) bad: bool,
    /// One or two sentences.
    pub(crate) text: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Where to go on: address and words.
    pub(crate) next: Option<(String, String)>,
    /// Details, such as what a probe reached.
    pub(crate) pairs: Vec<(String, String)>,
}

#[derive(Debug)]
struct Session {
    user: String,
    form_token: String,
    rights: Rights,
    seen: Millis,
    notice: Option<Notice>,
}

/// The key of a session: the hash of its cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// The key of that cookie value.
    pub(crate) fn of(cookie: &str) -> Self {
        Self(Sha256::digest(cookie.as_bytes()).into())
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// The session.
    pub(crate) key: Key,
    /// Who, for the audit.
    pub(crate) user: String,
    /// What every form must carry.
    pub(crate) form_token: String,
    /// What is allowed.
    pub(crate) rights: Rights,
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<Key, Session>);

impl Sessions {
    /// Opens a session for the holder of this cookie.
    pub(crate) fn open(
        &mut self,
        cookie: &str,
        form_token: String,
        user: &str,
        rights: Rights,
        now: Millis,
    ) {
        self.0.retain(|_, s| now.saturating_sub(s.seen) < IDLE);
        while self.0.len() >= MOST_SESSIONS {
            let Some(oldest) = self
                .0
                .iter()
                .min_by_key(|(_, s)| s.seen)
                .map(|(key, _)| *key)
            else {
                break;
            };
            self.0.remove(&oldest);
        }
        self.0.insert(
            Key::of(cookie),
            Session {
                user: user.to_owned(),
                form_token,
                rights,
                seen: now,
                notice: None,
            },
        );
    }

    /// Who holds this cookie; counts as use.
    pub(crate) fn visitor(&mut self, cookie: &str, now: Millis) -> Option<Visitor> {
        let key = Key::of(cookie);
        let session = self.0.get_mut(&key)?;
        if now.saturating_sub(session.seen) >= IDLE {
            self.0.remove(&key);
            return None;
        }
        session.seen = session.seen.max(now);
        Some(Visitor {
            key,
            user: session.user.clone(),
            form_token: session.form_token.clone(),
            rights: session.rights,
        })
    }

    /// Ends one session.
    pub(crate) fn close(&mut self, key: Key) {
        self.0.remove(&key);
    }

    /// Ends every session of a user, for example when the password changed.
    pub(crate) fn close_user(&mut self, user: &str) {
        self.0.retain(|_, session| session.user != user);
    }

    /// Leaves a notice for the next page.
    pub(crate) fn leave_notice(&mut self, key: Key, notice: Notice) {
        if let Some(session) = self.0.get_mut(&key) {
            session.notice = Some(notice);
        }
    }

    /// Takes the notice left for this page.
    pub(crate) fn take_notice(&mut self, key: Key) -> Option<Notice> {
        self.0.get_mut(&key)?.notice.take()
    }
}

#[derive(Debug)]
struct Tried {
    bad: u32,
    last: Millis,
    until: Millis,
}

/// Bad tries by address.
#[derive(Debug, Default)]
pub(crate) struct Tries(HashMap<IpAddr, Tried>);

impl Tries {
    /// Counts a try as bad until [`Tries::clear`] says otherwise, so that many at once do not slip through together.
    ///
    /// # Errors
    /// How long this address has to wait.
    pub(crate) fn begin(&mut self, address: IpAddr, now: Millis) -> Result<(), Millis> {
        self.0.retain(|_, t| now.saturating_sub(t.last) < FORGET);
        while self.0.len() >= MOST_ADDRESSES && !self.0.contains_key(&address) {
            let Some(oldest) = self.0.iter().min_by_key(|(_, t)| t.last).map(|(a, _)| *a) else {
                break;
            };
            self.0.remove(&oldest);
        }
        let tried = self.0.entry(address).or_insert(Tried {
            bad: 0,
            last: now,
            until: 0,
        });
        // A clock that was set back must not lock somebody out for longer than the longest wait.
        let wait = tried
            .until
            .min(now.saturating_add(LONGEST_WAIT))
            .saturating_sub(now);
        if wait > 0 {
            return Err(wait);
        }
        tried.bad = tried.bad.saturating_add(1);
        tried.last = now;
        if tried.bad >= FREE_TRIES {
            let wait = FIRST_WAIT
                .saturating_mul(1 << (tried.bad - FREE_TRIES).min(10))
                .min(LONGEST_WAIT);
            tried.until = now.saturating_add(wait);
        }
        Ok(())
    }

    /// The password was right.
    pub(crate) fn clear(&mut self, address: IpAddr) {
        self.0.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_session_ends_after_twelve_idle_hours_and_not_before() {
        let mut sessions = Sessions::default();
        sessions.open(
            "cookie",
            "form".to_owned(),
            "admin",
            Rights::Role(Role::Admin),
            0,
        );
        assert!(sessions.visitor("cookie", IDLE - 1).is_some());
        assert!(
            sessions.visitor("cookie", 2 * IDLE - 2).is_some(),
            "use prolongs it"
        );
        assert!(sessions.visitor("cookie", 3 * IDLE - 2).is_none());
        assert!(
            sessions.visitor("cookie", 3 * IDLE - 2).is_none(),
            "and it is gone"
        );
        assert!(sessions.visitor("other", 0).is_none());
    }

    #[test]
    fn the_table_holds_no_cookie_and_is_bounded() {
        let mut sessions = Sessions::default();
        for at in 0..300 {
            sessions.open(
                &format!("cookie-{at}"),
                String::new(),
                "admin",
                Rights::Role(Role::Admin),
                at,
            );
        }
        assert_eq!(sessions.0.len(), MOST_SESSIONS);
        assert!(sessions.visitor("cookie-0", 300).is_none());
        assert!(sessions.visitor("cookie-299", 300).is_some());
        assert!(!format!("{sessions:?}").contains("cookie-299"));
    }

    #[test]
    fn sessions_of_one_user_end_together_and_nobody_elses() {
        let mut sessions = Sessions::default();
        for (cookie, user) in [("a", "maria"), ("b", "maria"), ("c", "tom")] {
            sessions.open(cookie, String::new(), user, Rights::SetPassword, 0);
        }
        sessions.close_user("maria");
        assert!(sessions.visitor("a", 1).is_none());
        assert!(sessions.visitor("b", 1).is_none());
        assert!(sessions.visitor("c", 1).is_some());
    }

    #[test]
    fn a_notice_is_shown_once() {
        let mut sessions = Sessions::default();
        sessions.open(
            "cookie",
            String::new(),
            "admin",
            Rights::Role(Role::Admin),
            0,
        );
        let key = Key::of("cookie");
        sessions.leave_notice(key, Notice::default());
        assert!(sessions.take_notice(key).is_some());
        assert!(sessions.take_notice(key).is_none());
    }

    #[test]
    fn the_sixth_bad_try_waits_and_waits_grow_to_a_limit() {
        let mut tries = Tries::default();
        for _ in 0..5 {
            assert_eq!(tries.begin(HERE, 1000), Ok(()));
        }
        assert_eq!(tries.begin(HERE, 1000), Err(FIRST_WAIT));
        let other = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));
        assert_eq!(
            tries.begin(other, 1000),
            Ok(()),
            "others are not locked out"
        );
        let mut now = 1000;
        let mut last = FIRST_WAIT;
        for _ in 0..10 {
            now += last;
            assert_eq!(tries.begin(HERE, now), Ok(()));
            let wait = tries.begin(HERE, now).unwrap_err();
            assert_eq!(wait, (last * 2).min(LONGEST_WAIT));
            last = wait;
        }
        assert_eq!(tries.begin(HERE, 0), Err(LONGEST_WAIT), "a clock set back");
        tries.clear(HERE);
        assert_eq!(tries.begin(HERE, now), Ok(()));
    }
}
