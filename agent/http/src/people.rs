//! Users and who of them is logged in: one of each agent, shared by the browser's listener and the local socket.

use crate::password::{PasswordError, Passwords};
use crate::roles::Role;
use crate::server::AdminOptions;
use crate::session::Sessions;
use crate::site::locked;
use crate::users::Given;
use std::sync::{Arc, Mutex};
use waybill_engine::Handle;

/// Users, their passwords, their sessions.
pub struct People {
    pub(crate) passwords: Passwords,
    pub(crate) sessions: Mutex<Sessions>,
}

impl People {
    /// Reads the users; where there are none, writes a first password.
    ///
    /// # Errors
    /// The store does not answer, users that this version cannot read, or no place for the first password.
    pub async fn open(handle: Handle, options: &AdminOptions) -> Result<Arc<Self>, PasswordError> {
        let (file, random) = (options.first_password_file.clone(), options.random);
        Ok(Arc::new(Self {
            passwords: Passwords::open(handle, file, random).await?,
            sessions: Mutex::new(Sessions::default()),
        }))
    }

    /// Voids a user's password and ends what is open under it. Whoever does so to himself stays, to read the code.
    pub(crate) async fn reset(&self, name: &str, who: &str) -> Result<Given, PasswordError> {
        let given = self.passwords.reset(name, who).await?;
        if name != who {
            self.log_out(name);
        }
        Ok(given)
    }

    /// Gives a user another role; a session holds the one before, so it ends.
    pub(crate) async fn set_role(
        &self,
        name: &str,
        role: Role,
        who: &str,
    ) -> Result<(), PasswordError> {
        self.passwords.set_role(name, role, who).await?;
        self.log_out(name);
        Ok(())
    }

    /// Removes a user.
    pub(crate) async fn remove(&self, name: &str, who: &str) -> Result<(), PasswordError> {
        self.passwords.remove(name, who).await?;
        self.log_out(name);
        Ok(())
    }

    /// Ends what a user has open.
    pub(crate) fn log_out(&self, user: &str) {
        locked(&self.sessions).close_user(user);
    }
}
