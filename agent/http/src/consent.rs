//! Approvals under way: who was sent to a vendor with which `state`, and what came back. A `state` is random, is known here
//! by its hash, works once and for a while only, and for the user who set out. The vendor's answer comes without our
//! cookie, since another site sends it: so it is only put down here, and taken by the user's own next request. In memory:
//! a restart costs pressing Connect again. Knows no request.

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use waybill_model::ids::Millis;

/// How long an approval may take.
pub(crate) const PATIENCE: Millis = 15 * 60_000;
/// More than so many push out the oldest.
const MOST: usize = 32;

/// What a vendor sent back.
#[derive(Debug, Clone)]
pub(crate) enum Back {
    /// A code to take.
    Code(SecretString),
    /// No.
    No,
}

struct Waiting {
    state: [u8; 32],
    connection: String,
    user: String,
    redirect: String,
    until: Millis,
    back: Option<Back>,
}

/// What is taken on.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Where the vendor was told to send the browser.
    pub(crate) redirect: String,
    /// What it said.
    pub(crate) back: Back,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Consents(Vec<Waiting>);

fn hash(state: &str) -> [u8; 32] {
    Sha256::digest(state).into()
}

impl Consents {
    /// Notes that a user sets out. An earlier setting out of the same user to the same vendor counts no longer.
    pub(crate) fn set_out(
        &mut self,
        state: &str,
        connection: &str,
        user: &str,
        redirect: &str,
        now: Millis,
    ) {
        self.0
            .retain(|w| w.until > now && !(w.connection == connection && w.user == user));
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(Waiting {
            state: hash(state),
            connection: connection.to_owned(),
            user: user.to_owned(),
            redirect: redirect.to_owned(),
            until: now + PATIENCE,
            back: None,
        });
    }

    /// Puts down what a vendor sent back; whether somebody waits for it. The first answer to a `state` is the only one.
    pub(crate) fn came_back(
        &mut self,
        state: &str,
        connection: &str,
        back: Back,
        now: Millis,
    ) -> bool {
        let state = hash(state);
        let mut waiting = self.0.iter_mut();
        let Some(found) = waiting.find(|w| {
            // Hashes may be compared in any time: nobody can aim at one.
            w.state == state && w.connection == connection && w.until > now && w.back.is_none()
        }) else {
            return false;
        };
        found.back = Some(back);
        true
    }

    /// Takes what came back for a user, once.
    pub(crate) fn arrive(&mut self, connection: &str, user: &str, now: Millis) -> Option<Taken> {
        let at = self.0.iter().position(|w| {
            w.connection == connection && w.user == user && w.until > now && w.back.is_some()
        })?;
        let waiting = self.0.remove(at);
        Some(Taken {
            redirect: waiting.redirect,
            back: waiting.back?,
        })
    }

    /// The address a user was to come back to, where he brings the code by hand; that approval is over then. With a
    /// `state` beside the code it must be the one he set out with.
    pub(crate) fn by_hand(
        &mut self,
        connection: &str,
        user: &str,
        state: Option<&str>,
        now: Millis,
    ) -> Option<String> {
        let state = state.map(hash);
        let at = self.0.iter().position(|w| {
            w.connection == connection
                && w.user == user
                && w.until > now
                && state.is_none_or(|state| state == w.state)
        })?;
        Some(self.0.remove(at).redirect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const BACK: &str = "http://localhost:7878/connect/erp";

    fn code() -> Back {
        Back::Code("abc".to_owned().into())
    }

    fn out() -> Consents {
        let mut consents = Consents::default();
        consents.set_out("right", "erp", "anna", BACK, 0);
        consents
    }

    #[test]
    fn a_state_works_once_for_its_connection_and_its_user() {
        let mut consents = out();
        assert!(!consents.came_back("wrong", "erp", code(), 1));
        assert!(!consents.came_back("right", "other", code(), 1));
        assert!(
            consents.arrive("erp", "anna", 1).is_none(),
            "nothing came back yet"
        );
        assert!(consents.came_back("right", "erp", code(), 1));
        let second = Back::Code("stolen".to_owned().into());
        assert!(!consents.came_back("right", "erp", second, 1));
        assert!(consents.arrive("erp", "bert", 1).is_none());
        let taken = consents.arrive("erp", "anna", 1).unwrap();
        assert_eq!(taken.redirect, BACK);
        assert!(matches!(taken.back, Back::Code(code) if code.expose_secret() == "abc"));
        assert!(consents.arrive("erp", "anna", 1).is_none());
        assert!(!consents.came_back("right", "erp", code(), 1));
    }

    #[test]
    fn it_ends_after_a_while_and_when_the_user_sets_out_anew() {
        let mut consents = out();
        assert!(!consents.came_back("right", "erp", code(), PATIENCE));
        let mut consents = out();
        consents.set_out("newer", "erp", "anna", BACK, 1);
        assert!(!consents.came_back("right", "erp", code(), 2));
        assert!(consents.came_back("newer", "erp", code(), 2));
    }

    #[test]
    fn a_code_by_hand_needs_the_same_user_and_state() {
        let mut consents = out();
        assert_eq!(consents.by_hand("erp", "anna", Some("wrong"), 1), None);
        assert_eq!(consents.by_hand("erp", "bert", None, 1), None);
        assert_eq!(
            consents.by_hand("erp", "anna", Some("right"), 1).as_deref(),
            Some(BACK)
        );
        assert_eq!(consents.by_hand("erp", "anna", None, 1), None, "spent");
    }

    #[test]
    fn memory_is_bounded() {
        let mut consents = Consents::default();
        for n in 0..100 {
            consents.set_out("s", &n.to_string(), "anna", BACK, 0);
        }
        assert_eq!(consents.0.len(), MOST);
    }
}
