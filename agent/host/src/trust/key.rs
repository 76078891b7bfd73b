//! Keys and how they are written: one line of text, `ed25519:HEX NAME`, and `ed25519-private:HEX NAME` for the half that
//! signs. Names are for people and come from those who keep the keys; a signed file names a key by its id alone.

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

const PUBLIC: &str = "ed25519";
const PRIVATE: &str = "ed25519-private";
const LEN: usize = 32;
/// Longest name.
const NAME_CHARS: usize = 60;

/// Points of small order, whose signatures anybody can make; the sign bit is left out. A key of noughts, as somebody
/// writes into an example, is one of them.
const WEAK: [[u8; LEN]; 7] = [
    [0; LEN],
    ends(1, 0, 0),
    ends(0xec, 0xff, 0x7f),
    ends(0xed, 0xff, 0x7f),
    ends(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

const fn ends(first: u8, middle: u8, last: u8) -> [u8; LEN] {
    let mut bytes = [middle; LEN];
    bytes[0] = first;
    bytes[LEN - 1] = last;
    bytes
}

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not begin as a key does.
    #[error("a {wanted} key is written `{wanted_kind}:`, 64 hexadecimal digits, and a name", wanted_kind = kind(wanted))]
    Form {
        /// `public` or `private`.
        wanted: &'static str,
    },
    /// The other half was given.
    #[error("this is a {found} key, not a {wanted} one")]
    OtherHalf {
        /// What was given.
        found: &'static str,
        /// What is needed.
        wanted: &'static str,
    },
    /// A key without a name cannot be told from others.
    #[error("the key has no name: write a name of at most {NAME_CHARS} characters after it")]
    Name,
    /// Anybody could sign for it.
    #[error("this is no key that anybody keeps: everybody can sign for it")]
    Weak,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

fn kind(wanted: &str) -> &'static str {
    if wanted == "private" { PRIVATE } else { PUBLIC }
}

/// Names a key in a signed file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KeyId::LEN]);

impl KeyId {
    pub(super) const LEN: usize = 8;

    pub(super) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(self) -> [u8; Self::LEN] {
        self.0
    }

    fn of(public: &[u8; LEN]) -> Self {
        let digest = Sha256::digest(public);
        let mut id = [0; Self::LEN];
        id.copy_from_slice(&digest[..Self::LEN]);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The half that everybody may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    bytes: [u8; LEN],
}

impl PublicKey {
    /// What its keeper called it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How signed files name it.
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.bytes)
    }

    /// Whether the signature is this key's, over exactly these bytes.
    pub(super) fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes)
            .verify(bytes, signature)
            .is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(line: &str) -> Result<Self, KeyError> {
        let (bytes, name) = parse(line, "public", PUBLIC)?;
        let mut plain = *bytes;
        plain[LEN - 1] &= 0x7f;
        if WEAK.contains(&plain) {
            return Err(KeyError::Weak);
        }
        Ok(Self {
            name,
            bytes: *bytes,
        })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}:")?;
        write_hex(f, &self.bytes)?;
        write!(f, " {}", self.name)
    }
}

/// The half that signs. It is never shown; [`Self::line`] is for its file.
pub struct SigningKey {
    name: String,
    seed: Zeroizing<[u8; LEN]>,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key.
    pub fn generate(name: &str) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; LEN]);
        SystemRandom::new()
            .fill(seed.as_mut_slice())
            .map_err(|_| KeyError::Random)?;
        Self::from_seed(seed, named(name)?)
    }

    fn from_seed(seed: Zeroizing<[u8; LEN]>, name: String) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
        let pair = pair.map_err(|_| KeyError::Form { wanted: "private" })?;
        Ok(Self { name, seed, pair })
    }

    /// Its other half, under the same name.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; LEN];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey {
            name: self.name.clone(),
            bytes,
        }
    }

    /// The line that its file holds.
    pub fn line(&self) -> Zeroizing<String> {
        let mut line = Zeroizing::new(String::with_capacity(LEN * 2 + NAME_CHARS * 4 + 20));
        line.push_str(PRIVATE);
        line.push(':');
        for byte in self.seed.iter() {
            for digit in [byte >> 4, byte & 15] {
                line.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        line.push(' ');
        line.push_str(&self.name);
        line
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(bytes).as_ref());
        signature
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(line: &str) -> Result<Self, KeyError> {
        let (seed, name) = parse(line, "private", PRIVATE)?;
        Self::from_seed(seed, name)
    }
}

fn parse(
    line: &str,
    wanted: &'static str,
    kind: &str,
) -> Result<(Zeroizing<[u8; LEN]>, String), KeyError> {
    let form = || KeyError::Form { wanted };
    let line = line.trim();
    let (found, rest) = line.split_once(':').ok_or_else(form)?;
    if found != kind {
        return Err(match found {
            PUBLIC => KeyError::OtherHalf {
                found: "public",
                wanted,
            },
            PRIVATE => KeyError::OtherHalf {
                found: "private",
                wanted,
            },
            _ => form(),
        });
    }
    let (digits, name) = rest.split_once(' ').unwrap_or((rest, ""));
    let bytes = unhex(digits).ok_or_else(form)?;
    Ok((bytes, named(name)?))
}

fn named(name: &str) -> Result<String, KeyError> {
    let name = name.trim();
    let shown = !name.is_empty()
        && name.chars().count() <= NAME_CHARS
        && !name.chars().any(char::is_control);
    if shown {
        Ok(name.to_owned())
    } else {
        Err(KeyError::Name)
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn unhex(digits: &str) -> Option<Zeroizing<[u8; LEN]>> {
    let mut bytes = Zeroizing::new([0; LEN]);
    if digits.len() != LEN * 2 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key = SigningKey::generate(" Northfold IT ").unwrap();
        let public = key.public();
        assert_eq!(public.name(), "Northfold IT");
        assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
        let again: SigningKey = key.line().parse().unwrap();
        assert_eq!(again.public(), public);
        assert_eq!(public.id().to_string().len(), 16);
        let seed = &key.line()[PRIVATE.len() + 1..][..64];
        assert!(!format!("{key:?}").contains(seed));
    }

    /// The first test of RFC 8032, section 7.1: the keys are ordinary ed25519 keys.
    #[test]
    fn keys_are_those_of_the_standard() {
        let key: SigningKey =
            "ed25519-private:9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60 rfc"
                .parse()
                .unwrap();
        assert_eq!(
            key.public().to_string(),
            "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a rfc"
        );
        assert_eq!(
            key.sign(b"")[..8],
            [0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72]
        );
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let digits = "9d".repeat(32);
        let public = |line: &str| line.parse::<PublicKey>().unwrap_err();
        assert!(matches!(public(""), KeyError::Form { .. }));
        assert!(matches!(public("ssh-ed25519 AAAA"), KeyError::Form { .. }));
        assert!(matches!(public("ed25519:9d x"), KeyError::Form { .. }));
        assert_eq!(public(&format!("ed25519:{digits}")), KeyError::Name);
        let half = public(&format!("ed25519-private:{digits} x")).to_string();
        assert_eq!(half, "this is a private key, not a public one");
        let half = format!("ed25519:{digits} x").parse::<SigningKey>();
        assert!(matches!(half, Err(KeyError::OtherHalf { .. })));
        let digits = "0".repeat(64);
        assert_eq!(public(&format!("ed25519:{digits} x")), KeyError::Weak);
        let digits = format!("ec{}ff", "ff".repeat(30));
        assert_eq!(public(&format!("ed25519:{digits} x")), KeyError::Weak);
        assert_eq!(
            SigningKey::generate("a\nb").err(),
            Some(KeyError::Name),
            "a name of two lines would make a second key"
        );
    }
}
