//! Decides about a file's bytes before anything compiles them, and signs. A signature that is there must be good and of a
//! trusted key, whether or not unsigned files are taken too: a switch for development must not turn a tampered file into
//! an accepted one.

use super::key::{KeyId, PublicKey, SigningKey};
use super::section::{Damage, Mark, take_apart};
use crate::load::{LoadError, is_component};

/// Why a file's signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error("the file is not signed")]
    Missing,
    /// It names a key that nobody here trusts.
    #[error("the file is signed by key `{id}`, which is not trusted here")]
    UnknownKey {
        /// Which.
        id: KeyId,
    },
    /// The bytes are not those that were signed.
    #[error("the file is not as `{name}` (key `{id}`) signed it")]
    Tampered {
        /// The trusted key's name.
        name: String,
        /// Its id.
        id: KeyId,
    },
    /// More than one: whose word would count?
    #[error("the file carries {0} signatures; it must be exactly one")]
    Several(usize),
    /// Something was added.
    #[error("the file goes on for {0} bytes after its signature")]
    Trailing(usize),
    /// A signature of another form.
    #[error("the signature has a form that this agent does not read")]
    Form,
    /// Its end is missing.
    #[error("the file ends in the middle of a section")]
    CutShort,
}

impl SignatureError {
    /// What a person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing => {
                "Sign it with `waybill connectors sign`. For development only, `allow-unsigned = true` under `[connectors]` in agent.toml takes unsigned files.".to_owned()
            }
            Self::UnknownKey { id } => format!(
                "If you know who signed it: add the public key with the id `{id}` to `trusted-keys` under `[connectors]` in agent.toml. Else leave the file alone."
            ),
            Self::Tampered { name, .. } => format!(
                "Copy the file again. If it stays so, it is not what `{name}` released: do not use it, and ask them."
            ),
            Self::Several(_) | Self::Trailing(_) => {
                "Take the file from its maker again, or sign it again: `waybill connectors sign` leaves one signature at the end.".to_owned()
            }
            Self::Form => {
                "Take a file that was signed for this version of the agent, or upgrade the agent.".to_owned()
            }
            Self::CutShort => "Copy the file again; it may be cut short.".to_owned(),
        }
    }
}

impl From<Damage> for SignatureError {
    fn from(damage: Damage) -> Self {
        match damage {
            Damage::CutShort => Self::CutShort,
            Damage::Several(count) => Self::Several(count),
            Damage::Trailing(bytes) => Self::Trailing(bytes),
            Damage::Form => Self::Form,
        }
    }
}

/// Who answers for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Name of the trusted key, as the configuration says it.
    pub name: String,
    /// Its id.
    pub id: KeyId,
}

/// A file that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked<'b> {
    /// The component: every byte that was signed, without the signature.
    pub component: &'b [u8],
    /// `None`: nobody, and that is allowed.
    pub signer: Option<Signer>,
}

/// Whose connectors are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    keys: Vec<PublicKey>,
    allow_unsigned: bool,
}

impl Trust {
    /// These keys' files; and unsigned ones where that is said.
    pub const fn new(keys: Vec<PublicKey>, allow_unsigned: bool) -> Self {
        Self {
            keys,
            allow_unsigned,
        }
    }

    /// The trusted keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Looks at a component's bytes; nothing of them is compiled or run.
    pub fn check<'b>(&self, file: &'b [u8]) -> Result<Checked<'b>, SignatureError> {
        let parts = take_apart(file)?;
        let signer = match parts.mark {
            None if self.allow_unsigned => None,
            None => return Err(SignatureError::Missing),
            Some(mark) => Some(self.signer(parts.component, &mark)?),
        };
        Ok(Checked {
            component: parts.component,
            signer,
        })
    }

    fn signer(&self, component: &[u8], mark: &Mark) -> Result<Signer, SignatureError> {
        let id = mark.id;
        let key = self.keys.iter().find(|key| key.id() == id);
        let key = key.ok_or(SignatureError::UnknownKey { id })?;
        let name = key.name().to_owned();
        if key.signed(component, &mark.signature) {
            Ok(Signer { name, id })
        } else {
            Err(SignatureError::Tampered { name, id })
        }
    }
}

/// A signed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Whose signature it carried before; this one is in its place.
    pub replaced: Option<KeyId>,
}

/// Signs a component. An earlier signature is replaced: a file answers to one key.
pub fn sign(file: &[u8], key: &SigningKey) -> Result<Signed, LoadError> {
    is_component(file)?;
    let parts = take_apart(file).map_err(SignatureError::from)?;
    let mark = Mark {
        id: key.public().id(),
        signature: key.sign(parts.component),
    };
    let mut bytes = parts.component.to_vec();
    bytes.extend_from_slice(&mark.section());
    Ok(Signed {
        bytes,
        replaced: parts.mark.map(|mark| mark.id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, a custom section, and a section whose content is arbitrary.
    const FILE: &[u8] = b"\0asm\x0d\0\x01\0\0\x05\x04name\x07\x03abc";

    fn key(name: &str) -> SigningKey {
        SigningKey::generate(name).unwrap()
    }

    fn trusting(key: &SigningKey) -> Trust {
        Trust::new(vec![key.public()], false)
    }

    #[test]
    fn a_good_signature_names_its_key_and_the_bytes_it_covers() {
        let key = key("ours");
        let signed = sign(FILE, &key).unwrap();
        assert_eq!(signed.replaced, None);
        let trust = trusting(&key);
        let checked = trust.check(&signed.bytes).unwrap();
        assert_eq!(checked.component, FILE);
        assert_eq!(checked.signer.unwrap().name, "ours");
    }

    #[test]
    fn one_bit_anywhere_is_noticed() {
        let key = key("ours");
        let good = sign(FILE, &key).unwrap().bytes;
        for switch in [false, true] {
            let trust = Trust::new(vec![key.public()], switch);
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                if is_component(&bad).is_err() {
                    continue;
                }
                let seen = trust.check(&bad);
                // With the switch on, a signature that is no longer one leaves an unsigned file, as if it were cut off.
                let unsigned = matches!(&seen, Ok(checked) if checked.signer.is_none());
                assert!(seen.is_err() || switch && unsigned, "bit {bit}: {seen:?}");
            }
        }
    }

    #[test]
    fn signing_again_leaves_one_signature() {
        let (old, new) = (key("old"), key("new"));
        let once = sign(FILE, &old).unwrap().bytes;
        let again = sign(&once, &new).unwrap();
        assert_eq!(again.replaced, Some(old.public().id()));
        let unknown = trusting(&old).check(&again.bytes).unwrap_err();
        assert_eq!(
            unknown,
            SignatureError::UnknownKey {
                id: new.public().id()
            }
        );
        assert!(trusting(&new).check(&again.bytes).is_ok());
        assert_eq!(sign(&again.bytes, &new).unwrap().bytes, again.bytes);
        assert!(sign(b"\0asm\x01\0\0\0", &new).is_err());
    }

    #[test]
    fn the_switch_takes_unsigned_files_and_nothing_else() {
        let (ours, theirs) = (key("ours"), key("theirs"));
        let open = Trust::new(vec![ours.public()], true);
        assert_eq!(open.check(FILE).unwrap().signer, None);
        assert_eq!(
            trusting(&ours).check(FILE).unwrap_err(),
            SignatureError::Missing
        );
        let foreign = sign(FILE, &theirs).unwrap().bytes;
        assert!(matches!(
            open.check(&foreign),
            Err(SignatureError::UnknownKey { .. })
        ));
        let mut bad = sign(FILE, &ours).unwrap().bytes;
        bad[12] ^= 1;
        assert!(matches!(
            open.check(&bad),
            Err(SignatureError::Tampered { .. })
        ));
    }
}
