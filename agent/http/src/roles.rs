//! What each user may do: look, do the daily work, or set everything up. Knows the names of routes, no request.

use crate::routes::{Entry, Route};
use serde::{Deserialize, Serialize};

/// What a user may do; each may do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// See everything, change nothing.
    Viewer,
    /// The daily work: fill in, try again, match, pause.
    Operator,
    /// Everything: settings, connections, connectors, users.
    Admin,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// As it is stored and typed.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of that word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// What it is for, in a merchant's words.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Viewer => "sees everything, changes nothing",
            Self::Operator => "also does the daily work: fills in, tries again, matches, pauses",
            Self::Admin => "also changes settings, connections, connectors and users",
        }
    }
}

/// The least role that may ask this. A write that nobody listed here is the admin's.
pub(crate) const fn least(entry: &Entry) -> Role {
    match entry.route {
        // The last two are links to a vendor and back, and change what the agent signs in with.
        Route::Users | Route::ApiUsers | Route::Leave | Route::FinishConsent => Role::Admin,
        Route::RetryJob
        | Route::FillCard
        | Route::RetryCard
        | Route::IgnoreCard
        | Route::RetryCards
        | Route::ChangeStock
        | Route::TurnBackfill
        | Route::CompareNow
        | Route::MatchItem
        | Route::UnmatchItem
        | Route::CheckMatches
        | Route::ApplyMatches
        | Route::MatchCode
        | Route::UnmatchCode
        | Route::Replay
        | Route::Poll
        | Route::Probe
        | Route::Pause
        | Route::Resume
        | Route::PauseFlow
        | Route::ResumeFlow
        | Route::RunFlow
        | Route::MatchingSeen
        | Route::ApiMatchingSeen
        | Route::Rehearse
        | Route::FillRehearsed
        | Route::ApiRehearse
        | Route::ApiRetryJob
        | Route::ApiRetryCard
        | Route::ApiRetryCards
        | Route::ApiIgnoreCard
        | Route::ApiFillCell
        | Route::ApiEmptyCell
        | Route::ApiLookForOrders
        | Route::ApiTakeBackfill
        | Route::ApiStopBackfill
        | Route::ApiSwitchStock
        | Route::ApiSendStock
        | Route::ApiImport
        | Route::ApiReplay
        | Route::ApiPoll
        | Route::ApiProbe
        | Route::ApiPause
        | Route::ApiResume
        | Route::ApiPauseFlow
        | Route::ApiResumeFlow
        | Route::ApiRunFlow
        | Route::ApiCompare
        | Route::ApiTestAlerts
        | Route::ApiDoctor => Role::Operator,
        _ if matches!(entry.method.as_bytes(), b"GET") => Role::Viewer,
        _ => Role::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::{Role, least};
    use crate::routes::{self, Access, Route};

    #[test]
    fn a_viewer_can_write_nothing_and_settings_are_the_admins() {
        for entry in routes::all().filter(|entry| entry.access == Access::User) {
            if entry.method != "GET" {
                assert!(least(entry) > Role::Viewer, "{}", entry.path);
            }
            let leads = matches!(entry.route, Route::Leave | Route::FinishConsent);
            assert!(!leads || least(entry) == Role::Admin, "{}", entry.path);
            let set = ["/settings", "/connectors", "/users"];
            if entry.method != "GET" && set.iter().any(|part| entry.path.contains(part)) {
                assert_eq!(least(entry), Role::Admin, "{}", entry.path);
            }
        }
    }
}
