//! What an examination finds: what was looked at, how it stands, where, and what to do next. Sentences for people,
//! words for scripts; knows nothing of how anything is looked at.

use serde::{Deserialize, Serialize};

/// What was looked at. The words are a promise to scripts and stand in `packaging/docs/doctor.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The agent's configuration file.
    Configuration,
    /// The data folder: there, its owner, its mode.
    DataFolder,
    /// Room on the disk.
    DiskSpace,
    /// The key that seals secrets.
    SealingKey,
    /// The running agent.
    Agent,
    /// The page's address.
    Page,
    /// The address where webhooks are taken.
    HooksListener,
    /// The connectors folder.
    ConnectorsFolder,
    /// A file of the connectors folder.
    Connector,
    /// The database file.
    Database,
    /// A connection as such.
    Connection,
    /// The settings of a connection.
    Settings,
    /// The vendor's address.
    Address,
    /// This machine's clock against the vendor's.
    Clock,
    /// The credentials of a connection.
    Login,
    /// Webhooks of a connection.
    Webhooks,
}

impl Check {
    /// All of them, in the order they are looked at.
    pub const ALL: &[Self] = &[
        Self::Configuration,
        Self::DataFolder,
        Self::DiskSpace,
        Self::SealingKey,
        Self::Agent,
        Self::Page,
        Self::HooksListener,
        Self::ConnectorsFolder,
        Self::Connector,
        Self::Database,
        Self::Connection,
        Self::Settings,
        Self::Address,
        Self::Clock,
        Self::Login,
        Self::Webhooks,
    ];

    /// Its word, as scripts read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::DataFolder => "data-folder",
            Self::DiskSpace => "disk-space",
            Self::SealingKey => "sealing-key",
            Self::Agent => "agent",
            Self::Page => "page",
            Self::HooksListener => "hooks-listener",
            Self::ConnectorsFolder => "connectors-folder",
            Self::Connector => "connector",
            Self::Database => "database",
            Self::Connection => "connection",
            Self::Settings => "settings",
            Self::Address => "address",
            Self::Clock => "clock",
            Self::Login => "login",
            Self::Webhooks => "webhooks",
        }
    }
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Could not be looked at.
    Skipped,
    /// Works, but somebody should know.
    Warning,
    /// Does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub check: Check,
    /// How it stands.
    pub state: State,
    /// Which one, where there are several: the name of a connection, the name of a file.
    pub about: Option<String>,
    /// One sentence.
    pub text: String,
    /// Where: a file with its line, an address, a setting.
    pub place: Option<String>,
    /// What to do next.
    pub next: Option<String>,
}

impl Finding {
    fn new(check: Check, state: State, text: impl Into<String>) -> Self {
        Self {
            check,
            state,
            about: None,
            text: text.into(),
            place: None,
            next: None,
        }
    }

    /// As it should be.
    pub fn ok(check: Check, text: impl Into<String>) -> Self {
        Self::new(check, State::Ok, text)
    }

    /// Could not be looked at.
    pub fn skipped(check: Check, text: impl Into<String>) -> Self {
        Self::new(check, State::Skipped, text)
    }

    /// Works, but somebody should know.
    pub fn warning(check: Check, text: impl Into<String>) -> Self {
        Self::new(check, State::Warning, text)
    }

    /// Does not work.
    pub fn problem(check: Check, text: impl Into<String>) -> Self {
        Self::new(check, State::Problem, text)
    }

    /// Which one.
    #[must_use]
    pub fn about(mut self, name: impl Into<String>) -> Self {
        self.about = Some(name.into());
        self
    }

    /// Where.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// What to do next.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_read_the_words_that_are_documented() {
        for check in Check::ALL {
            assert_eq!(serde_json::to_value(check).unwrap(), check.word());
        }
    }
}
