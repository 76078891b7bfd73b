//! The grammar of `waybill users`.

use clap::{Args, Subcommand, ValueEnum};

/// `users`.
#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Everybody who may log in, and as what.
    List,
    /// Add a user; prints a code that is good for one login, where a password is chosen.
    Add(AddUser),
    /// Void a user's password and print a code in its place.
    Reset(OneUser),
    /// Give a user another role.
    Role(UserRole),
    /// Remove a user.
    Remove(OneUser),
}

/// A user.
#[derive(Debug, Args)]
pub(crate) struct OneUser {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// `users add`.
#[derive(Debug, Args)]
pub(crate) struct AddUser {
    #[command(flatten)]
    pub(crate) user: OneUser,
    /// What the user may do.
    #[arg(long, value_enum, default_value_t = RoleName::Operator)]
    pub(crate) role: RoleName,
}

/// `users role`.
#[derive(Debug, Args)]
pub(crate) struct UserRole {
    #[command(flatten)]
    pub(crate) user: OneUser,
    /// What the user may do from now on.
    #[arg(value_enum, value_name = "ROLE")]
    pub(crate) role: RoleName,
}

/// What a user may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    /// See everything, change nothing.
    Viewer,
    /// Also the daily work: fill in, try again, match, pause.
    Operator,
    /// Everything.
    Admin,
}

impl RoleName {
    /// As the agent says it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}
