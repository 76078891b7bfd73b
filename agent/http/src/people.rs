//! Users and who of them is logged in: one of each agent, shared by the browser's listener and the local socket.

use crate::password::{PasswordError, Passwords};
use crate::server::AdminOptions;
use crate::session::Sessions;
use crate::site::locked;
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

    /// Ends what a user has open: what he may has changed.
    pub(crate) fn log_out(&self, user: &str) {
        locked(&self.sessions).close_user(user);
    }
}
