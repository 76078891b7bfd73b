//! Passwords of users: checked with argon2 on a blocking thread, few at a time. The first password is a one-time
//! code in a file. Who the users are is `users.rs`'s business, sessions `session.rs`'s.

use crate::first;
use crate::roles::Role;
use crate::users::{User, UserError};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use sha2::{Digest, Sha256};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use waybill_engine::{CommandError, Handle};

/// The first user.
pub(crate) const ADMIN: &str = "admin";
/// Shortest password.
pub(crate) const SHORTEST: usize = 10;
/// Longest password; more is not stronger, only slower.
const LONGEST: usize = 512;
/// Passwords hashed at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;

/// Fills a buffer with random bytes.
pub type Random = fn(&mut [u8]) -> io::Result<()>;

/// What a login came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is this user.
    User(String, Role),
    /// It is a code that is good once: the user's own password is to be set now.
    Code(String),
    /// Neither.
    Wrong,
}

/// Why passwords could not be checked or set.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The store did not answer.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Users are stored in a way this version cannot read.
    #[error("the stored users cannot be read")]
    Users(#[source] serde_json::Error),
    /// The file of the first password cannot be written.
    #[error("the first password could not be written to `{path}`")]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No random numbers.
    #[error("the system gave no random numbers")]
    Random(#[source] io::Error),
    /// The hash could not be made.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
    /// Too short or too long, or like the user's name.
    #[error("{0}")]
    Weak(&'static str),
    /// A password is set already.
    #[error("a password is set already")]
    AlreadySet,
    /// A change of users that is not made.
    #[error(transparent)]
    User(#[from] UserError),
}

impl PasswordError {
    /// What to do next.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::File { .. } => Some(
                "The agent must be able to write its data directory; check its owner and the free space.",
            ),
            _ => None,
        }
    }
}

/// Users, and the first password while there are none.
pub(crate) struct Passwords {
    pub(crate) handle: Handle,
    file: PathBuf,
    random: Random,
    turns: Arc<Semaphore>,
    /// Hash of the first password while it is good; the lock also orders all changes of users.
    first: Mutex<Option<[u8; 32]>>,
}

pub(crate) fn first_hash(typed: &str) -> [u8; 32] {
    Sha256::digest(first::plain(typed).as_bytes()).into()
}

/// Why a password is not taken.
pub(crate) fn weakness(password: &str) -> Option<&'static str> {
    let letters = password.chars().count();
    let first = password.chars().next();
    if letters < SHORTEST {
        Some("The password needs at least 10 characters.")
    } else if password.len() > LONGEST {
        Some("The password is longer than 512 bytes.")
    } else if password.chars().all(|c| Some(c) == first) {
        Some("The password is one character over and over.")
    } else {
        None
    }
}

impl Passwords {
    /// Reads the users; when there are none, writes a first password.
    pub(crate) async fn open(
        handle: Handle,
        file: PathBuf,
        random: Random,
    ) -> Result<Self, PasswordError> {
        let passwords = Self {
            handle,
            file,
            random,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            first: Mutex::new(None),
        };
        if passwords.users().await?.is_empty() {
            passwords.write_first().await?;
        } else {
            passwords.remove_file().await?;
        }
        Ok(passwords)
    }

    /// Where the first password is, while it is good.
    pub(crate) async fn first_password_file(&self) -> Option<String> {
        let waiting = self.first.lock().await.is_some();
        waiting.then(|| self.file.display().to_string())
    }

    /// Whose password this is.
    pub(crate) async fn check(&self, name: &str, password: &str) -> Result<Checked, PasswordError> {
        if password.len() > LONGEST {
            return Ok(Checked::Wrong);
        }
        let first = *self.first.lock().await;
        if let Some(first) = first {
            let same = bool::from(first.ct_eq(&first_hash(password)));
            return Ok(if same {
                Checked::Code(ADMIN.to_owned())
            } else {
                Checked::Wrong
            });
        }
        let name = name.trim().to_ascii_lowercase();
        let users = self.users().await?;
        let user = users.into_iter().find(|user| user.name == name);
        if user
            .as_ref()
            .is_some_and(|user| user.has_code(password, self.handle.now()))
        {
            return Ok(Checked::Code(name));
        }
        // An unknown name, or one with a code only, takes as long as any other.
        let known = user.filter(|user| !user.hash.is_empty());
        let hash = known.as_ref().map(|user| user.hash.clone());
        let password = password.to_owned();
        let good = self
            .in_turn(move || match hash {
                Some(hash) => Ok(Argon2::default()
                    .verify_password(password.as_bytes(), hash.as_str())
                    .is_ok()),
                None => make_hash(&password, &[0; 16]).map(|_| false),
            })
            .await?;
        Ok(match known {
            Some(user) if good => Checked::User(user.name, user.role),
            _ => Checked::Wrong,
        })
    }

    /// Sets the password of somebody who logged in with a code.
    pub(crate) async fn set_own(&self, name: &str, password: &str) -> Result<Role, PasswordError> {
        if self.first.lock().await.is_some() {
            self.set_first(password).await?;
            return Ok(Role::Admin);
        }
        if let Some(weak) = weakness(password) {
            return Err(PasswordError::Weak(weak));
        }
        let hash = self.hash(password).await?;
        self.spend_code(name, hash).await
    }

    /// Sets the admin's password in place of the first one, once.
    async fn set_first(&self, password: &str) -> Result<(), PasswordError> {
        if let Some(weak) = weakness(password) {
            return Err(PasswordError::Weak(weak));
        }
        let hash = self.hash(password).await?;
        let mut first = self.first.lock().await;
        if first.is_none() || !self.users().await?.is_empty() {
            return Err(PasswordError::AlreadySet);
        }
        let user = User {
            name: ADMIN.to_owned(),
            hash,
            set_at: self.handle.now(),
            role: Role::Admin,
            code: None,
        };
        let detail = "The first password was replaced by the admin's own.";
        self.put_users(&[user], ADMIN, detail).await?;
        *first = None;
        drop(first);
        self.remove_file().await
    }

    /// Changes a user's password; the old one was checked.
    pub(crate) async fn change(&self, name: &str, password: &str) -> Result<(), PasswordError> {
        if let Some(weak) = weakness(password) {
            return Err(PasswordError::Weak(weak));
        }
        let hash = self.hash(password).await?;
        let _one_at_a_time = self.first.lock().await;
        let mut users = self.users().await?;
        let now = self.handle.now();
        if let Some(user) = users.iter_mut().find(|user| user.name == name) {
            user.hash = hash;
            user.set_at = now;
        }
        self.put_users(&users, name, "The password was changed.")
            .await
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], PasswordError> {
        let mut bytes = [0; N];
        (self.random)(&mut bytes).map_err(PasswordError::Random)?;
        Ok(bytes)
    }

    /// The lock that orders changes of users, once the first password is spent.
    pub(crate) async fn changing(&self) -> Result<MutexGuard<'_, Option<[u8; 32]>>, PasswordError> {
        let first = self.first.lock().await;
        if first.is_some() {
            return Err(UserError::First.into());
        }
        Ok(first)
    }

    async fn write_first(&self) -> Result<(), PasswordError> {
        let code = first::code(&self.random()?);
        *self.first.lock().await = Some(first_hash(&code));
        self.on_disk(move |file| first::write(file, &code)).await?;
        tracing::info!(file = %self.file.display(), "First password is in the file.");
        Ok(())
    }

    async fn remove_file(&self) -> Result<(), PasswordError> {
        self.on_disk(first::remove).await
    }

    async fn on_disk(
        &self,
        act: impl FnOnce(&std::path::Path) -> io::Result<()> + Send + 'static,
    ) -> Result<(), PasswordError> {
        let file = self.file.clone();
        tokio::task::spawn_blocking(move || act(&file))
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|source| PasswordError::File {
                path: self.file.clone(),
                source,
            })
    }

    async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let salt: [u8; 16] = self.random()?;
        let password = password.to_owned();
        self.in_turn(move || make_hash(&password, &salt)).await
    }

    async fn in_turn<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, PasswordError> + Send + 'static,
    ) -> Result<R, PasswordError> {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|e| PasswordError::Hash(e.to_string()))?;
        // The turn moves along: a client that goes away must not let more of them run at once.
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        })
        .await
        .map_err(|e| PasswordError::Hash(e.to_string()))?
    }
}

fn make_hash(password: &str, salt: &[u8; 16]) -> Result<String, PasswordError> {
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), salt)
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError::Hash(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_named() {
        assert!(weakness("short").is_some());
        assert!(weakness("aaaaaaaaaaaa").is_some());
        assert!(weakness(&"long".repeat(200)).is_some());
        assert_eq!(weakness("four words of mine"), None);
    }

    #[test]
    fn a_hash_verifies_its_password_only() {
        let hash = make_hash("four words of mine", &[3; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let verify = |password: &str| {
            Argon2::default()
                .verify_password(password.as_bytes(), hash.as_str())
                .is_ok()
        };
        assert!(verify("four words of mine"));
        assert!(!verify("four words of yours"));
    }
}
