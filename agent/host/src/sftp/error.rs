//! What goes wrong with files on a server, in sentences. What each proves about an effect is decided where it happens.

use russh_sftp::client::error::Error as Protocol;
use russh_sftp::protocol::StatusCode;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SftpError {
    #[error("`{host}` resolves to {address}, an address that was not granted")]
    AddressRefused { host: String, address: String },
    #[error("could not connect to `{place}`: {why}")]
    NotReached { place: String, why: String },
    #[error("`{place}` shows the host key `{shown}` and not `{expected}`: nothing was sent to it")]
    KeyChanged {
        place: String,
        expected: String,
        shown: String,
    },
    #[error("`{0}` did not accept the sign-in")]
    LoginRefused(String),
    #[error("the private key cannot be used: {0}")]
    KeyUnreadable(String),
    #[error("`{0}` is not there")]
    NotThere(String),
    #[error("`{path}` was read whole before ({size} bytes) and is not there any more")]
    ReadBefore { path: String, size: String },
    #[error("`{0}` is there already")]
    ThereAlready(String),
    #[error("the server refused `{path}`: {why}")]
    Refused { path: String, why: String },
    #[error(
        "`{path}` has {found} bytes where {expected} were expected: it changed in the meantime"
    )]
    Changed {
        path: String,
        expected: u64,
        found: u64,
    },
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    #[error("no answer in time")]
    TimedOut,
    #[error("connection lost: {0}")]
    Lost(String),
    #[error("no room for the file on this machine: {0}")]
    NoRoom(String),
}

impl SftpError {
    /// What the server's answer to a request about this path means.
    pub(crate) fn of(path: &str, error: Protocol) -> Self {
        match error {
            Protocol::Status(status) => match status.status_code {
                StatusCode::NoSuchFile => Self::NotThere(path.to_owned()),
                StatusCode::NoConnection | StatusCode::ConnectionLost => {
                    Self::Lost(status.error_message)
                }
                code => Self::Refused {
                    path: path.to_owned(),
                    why: if status.error_message.is_empty() {
                        code.to_string()
                    } else {
                        status.error_message
                    },
                },
            },
            Protocol::Timeout => Self::TimedOut,
            other => Self::Lost(other.to_string()),
        }
    }

    /// Whether the server itself said no: the connection stands, and what was asked did not happen.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NotThere(_)
                | Self::ReadBefore { .. }
                | Self::ThereAlready(_)
                | Self::Refused { .. }
        )
    }

    /// Whether another request may use the same connection.
    pub(crate) fn leaves_connection(&self) -> bool {
        self.is_refusal()
            || matches!(
                self,
                Self::Changed { .. } | Self::TooLarge(_) | Self::NoRoom(_)
            )
    }

    /// As the counts name it.
    pub(crate) const fn counted(&self) -> &'static str {
        match self {
            Self::AddressRefused { .. } => "not-granted",
            Self::NotReached { .. } => "not-connected",
            Self::TimedOut => "timed-out",
            Self::Lost(_) => "lost",
            Self::TooLarge(_) => "too-large",
            _ => "4xx",
        }
    }
}
