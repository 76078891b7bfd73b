//! Users: who there is, who may do what, one-time codes for those who are new or lost their password. Owns how they are
//! stored; checking a password is `password.rs`'s business. There is always an admin who can log in.

use crate::first;
use crate::password::{PasswordError, Passwords, first_hash};
use crate::roles::Role;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use waybill_model::ids::Millis;

/// The key users are kept under.
const USERS: &str = "users";
/// How long a one-time code is good.
pub(crate) const CODE_LIFE: Millis = 7 * 86_400_000;
/// Users at most.
const MOST: usize = 100;
/// Longest name.
const LONGEST_NAME: usize = 40;

/// A user as kept in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    /// Of the password; empty until it is chosen.
    pub(crate) hash: String,
    pub(crate) set_at: Millis,
    /// Users of older databases are admins.
    #[serde(default = "admin")]
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) code: Option<Code>,
}

const fn admin() -> Role {
    Role::Admin
}

/// A code that is good once, instead of a password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Code {
    /// SHA-256 of its letters and digits: a hundred random bits need no slow hash.
    hash: [u8; 32],
    until: Millis,
}

impl User {
    /// Whether this is the user's code, and still good.
    pub(crate) fn has_code(&self, typed: &str, now: Millis) -> bool {
        self.code.as_ref().is_some_and(|code| {
            let same = bool::from(code.hash.ct_eq(&first_hash(typed)));
            same && now < code.until
        })
    }
}

/// A user as shown.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UserView {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Since when the password is what it is; `None` while there is only a code.
    pub(crate) password_since: Option<Millis>,
    /// Until when the code is good.
    pub(crate) code_until: Option<Millis>,
}

/// A code that was just made: it is shown once.
#[derive(Debug, Serialize)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) code: String,
    pub(crate) until: Millis,
}

/// A change of users that is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// Letters that no name has.
    #[error("a name has 1 to 40 of a-z, 0-9, dot, dash and underscore, and begins with a letter")]
    Name,
    /// A name that is taken.
    #[error("there is a user `{0}` already")]
    Taken(String),
    /// Nobody of that name.
    #[error("there is no user `{0}`")]
    Nobody(String),
    /// Nobody would be left who can set anything up.
    #[error("`{0}` is the only admin with a password")]
    LastAdmin(String),
    /// Too many.
    #[error("there are {MOST} users already")]
    Full,
    /// The first password is not spent yet.
    #[error("the first password waits in its file on the agent's machine")]
    First,
}

impl UserError {
    /// What to do next.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Name => "Choose a short name, as `maria` or `night.shift`.",
            Self::Taken(_) => "Choose another name, or reset that user's password.",
            Self::Nobody(_) => "Look at the list of users for the right name.",
            Self::LastAdmin(_) => "Make somebody else an admin first, who has logged in once.",
            Self::Full => "Remove users who are not there any more.",
            Self::First => "Log in with it and choose the admin's password first.",
        }
    }
}

/// The name as it is kept.
pub(crate) fn plain_name(typed: &str) -> Result<String, UserError> {
    let name = typed.trim().to_ascii_lowercase();
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let good = name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(letters);
    if good { Ok(name) } else { Err(UserError::Name) }
}

fn position(users: &[User], name: &str) -> Result<usize, UserError> {
    let found = users.iter().position(|user| user.name == name);
    found.ok_or_else(|| UserError::Nobody(name.to_owned()))
}

/// Whether anybody but this user is an admin who can log in.
fn other_admin(users: &[User], name: &str) -> bool {
    let can = |user: &User| user.role == Role::Admin && !user.hash.is_empty();
    users.iter().any(|user| user.name != name && can(user))
}

impl Passwords {
    /// Everybody, by name.
    pub(crate) async fn list(&self) -> Result<Vec<UserView>, PasswordError> {
        let mut all: Vec<UserView> = self
            .users()
            .await?
            .into_iter()
            .map(|user| UserView {
                password_since: (!user.hash.is_empty()).then_some(user.set_at),
                code_until: user.code.map(|code| code.until),
                name: user.name,
                role: user.role,
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Adds a user, who logs in with the code and chooses a password then.
    pub(crate) async fn add(
        &self,
        name: &str,
        role: Role,
        who: &str,
    ) -> Result<Given, PasswordError> {
        let name = plain_name(name)?;
        let (code, given) = self.new_code(&name, role)?;
        let _one_at_a_time = self.changing().await?;
        let mut users = self.users().await?;
        if users.iter().any(|user| user.name == name) {
            return Err(UserError::Taken(name).into());
        }
        if users.len() >= MOST {
            return Err(UserError::Full.into());
        }
        users.push(User {
            name: name.clone(),
            hash: String::new(),
            set_at: self.handle.now(),
            role,
            code: Some(code),
        });
        let detail = format!("`{name}` was added: {}.", role.word());
        self.put_users(&users, who, &detail).await?;
        Ok(given)
    }

    /// Voids a user's password and gives a code instead.
    pub(crate) async fn reset(&self, name: &str, who: &str) -> Result<Given, PasswordError> {
        let _one_at_a_time = self.changing().await?;
        let mut users = self.users().await?;
        let at = position(&users, name)?;
        let (code, given) = self.new_code(name, users[at].role)?;
        users[at].hash = String::new();
        users[at].code = Some(code);
        let detail = format!("The password of `{name}` was reset.");
        self.put_users(&users, who, &detail).await?;
        Ok(given)
    }

    /// Gives a user another role.
    pub(crate) async fn set_role(
        &self,
        name: &str,
        role: Role,
        who: &str,
    ) -> Result<(), PasswordError> {
        let _one_at_a_time = self.changing().await?;
        let mut users = self.users().await?;
        let at = position(&users, name)?;
        let before = users[at].role;
        if before == Role::Admin && role != Role::Admin && !other_admin(&users, name) {
            return Err(UserError::LastAdmin(name.to_owned()).into());
        }
        users[at].role = role;
        let detail = format!("`{name}` is {} now, was {}.", role.word(), before.word());
        self.put_users(&users, who, &detail).await
    }

    /// Removes a user.
    pub(crate) async fn remove(&self, name: &str, who: &str) -> Result<(), PasswordError> {
        let _one_at_a_time = self.changing().await?;
        let mut users = self.users().await?;
        let at = position(&users, name)?;
        if users[at].role == Role::Admin && !other_admin(&users, name) {
            return Err(UserError::LastAdmin(name.to_owned()).into());
        }
        users.remove(at);
        let detail = format!("`{name}` was removed.");
        self.put_users(&users, who, &detail).await
    }

    /// Sets the password of a user who logged in with a code, which is spent by that.
    pub(crate) async fn spend_code(&self, name: &str, hash: String) -> Result<Role, PasswordError> {
        let _one_at_a_time = self.changing().await?;
        let mut users = self.users().await?;
        let at = position(&users, name)?;
        let user = &mut users[at];
        if user.code.take().is_none() {
            return Err(PasswordError::AlreadySet);
        }
        user.hash = hash;
        user.set_at = self.handle.now();
        let role = user.role;
        let detail = "The one-time code was replaced by a password.";
        self.put_users(&users, name, detail).await?;
        Ok(role)
    }

    fn new_code(&self, name: &str, role: Role) -> Result<(Code, Given), PasswordError> {
        let code = first::code(&self.random()?);
        let until = self.handle.now() + CODE_LIFE;
        let kept = Code {
            hash: first_hash(&code),
            until,
        };
        let given = Given {
            name: name.to_owned(),
            role,
            code,
            until,
        };
        Ok((kept, given))
    }

    pub(crate) async fn users(&self) -> Result<Vec<User>, PasswordError> {
        match self.handle.meta(USERS).await? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(PasswordError::Users),
            None => Ok(Vec::new()),
        }
    }

    pub(crate) async fn put_users(
        &self,
        users: &[User],
        who: &str,
        detail: &str,
    ) -> Result<(), PasswordError> {
        let bytes = serde_json::to_vec(users).map_err(PasswordError::Users)?;
        let audit = (who, "Users", detail);
        Ok(self.handle.put_meta_audited(USERS, bytes, audit).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_never_like_a_user_of_the_machine() {
        assert_eq!(plain_name(" Maria ").unwrap(), "maria");
        assert_eq!(plain_name("night.shift-2").unwrap(), "night.shift-2");
        for bad in ["", "uid 0", "0", ".x", "mária", &"a".repeat(41)] {
            assert_eq!(plain_name(bad), Err(UserError::Name), "{bad}");
        }
    }

    #[test]
    fn users_of_older_databases_are_admins_and_codes_end() {
        let old: User =
            serde_json::from_str(r#"{"name":"admin","hash":"$argon2id$x","set_at":5}"#).unwrap();
        assert_eq!(old.role, Role::Admin);
        assert!(!old.has_code("", 0), "no code is no code");
        let code = Some(Code {
            hash: first_hash("ABCD-EFGH"),
            until: 100,
        });
        let new = User { code, ..old };
        assert!(new.has_code("abcd efgh", 99));
        assert!(!new.has_code("abcd efgh", 100));
        assert!(!new.has_code("abcd efgi", 99));
    }
}
