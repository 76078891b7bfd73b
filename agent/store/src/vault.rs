//! Secrets, sealed with XChaCha20-Poly1305: a fresh random nonce each time, and connection, slot, name and version
//! as associated data, so that a sealed secret cannot be moved to another place. No secret is ever listed.

use crate::access::{Access, Tx};
use crate::codec::{Key, Parts, Span, corrupt};
use crate::error::StoreError;
use crate::schema::Tab;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use waybill_model::ids::{ConnectionId, Millis};
use zeroize::Zeroizing;

const SEAL_VERSION: u8 = 1;
const NONCE: usize = 24;

/// The key all secrets are sealed with. Wiped when dropped.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// The key made of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new random key.
    pub fn generate() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(no_random)?;
        Ok(Self(bytes))
    }

    /// Its bytes, to be written to a key file.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Tells two keys apart, and nothing of the key.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"waybill sealing key\n");
        hash.update(self.0.as_slice());
        crate::codec::hex(&hash.finalize()[..16])
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key: &[u8; 32] = &self.0;
        XChaCha20Poly1305::new(key.into())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(***)")
    }
}

pub(crate) fn no_random(error: getrandom::Error) -> StoreError {
    StoreError::Sealed(format!("no randomness for sealing: {error}"))
}

fn place(connection: ConnectionId, slot: &str, name: &str) -> Key {
    Key::new().u32(connection.0).text(slot).text(name)
}

fn seal(key: &SealKey, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(no_random)?;
    let sealed = key
        .cipher()
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad })
        .map_err(|_| StoreError::Sealed("a secret could not be sealed".to_owned()))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn associated(place: &Key) -> Vec<u8> {
    place.clone().byte(SEAL_VERSION).0
}

pub(crate) fn secret(
    a: &dyn Access,
    connection: ConnectionId,
    slot: &str,
    name: &str,
) -> Result<Option<SecretString>, StoreError> {
    let key = place(connection, slot, name);
    let Some(row) = a.bytes(Tab::Vault, &key.0)? else {
        return Ok(None);
    };
    let damaged = || corrupt(Tab::Vault.name(), &key.0, "not a sealed secret");
    let (version, rest) = row.split_first().ok_or_else(damaged)?;
    if *version != SEAL_VERSION {
        return Err(damaged());
    }
    let sealed = rest.get(8..).ok_or_else(damaged)?;
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
    let aad = associated(&key);
    let plain = a
        .env()
        .key
        .cipher()
        .decrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: sealed,
                aad: &aad,
            },
        )
        .map(Zeroizing::new)
        .map_err(|_| {
            StoreError::Sealed(format!(
                "`{name}` of `{slot}` was sealed with another key, or its row was changed"
            ))
        })?;
    let text = std::str::from_utf8(&plain).map_err(|_| damaged())?;
    Ok(Some(SecretString::from(text)))
}

pub(crate) fn secret_names(
    a: &dyn Access,
    connection: ConnectionId,
) -> Result<Vec<(String, String, Millis)>, StoreError> {
    let mut out = Vec::new();
    let span = Span::prefix(Key::new().u32(connection.0));
    a.scan(Tab::Vault, &span, &mut |key, row| {
        let mut parts = Parts::of(Tab::Vault.name(), key);
        parts.u32()?;
        let (slot, name) = (parts.text()?, parts.text()?);
        let at = row
            .get(1..9)
            .and_then(|b| <[u8; 8]>::try_from(b).ok())
            .ok_or_else(|| corrupt(Tab::Vault.name(), key, "not a sealed secret"))?;
        out.push((slot, name, Millis::from_be_bytes(at)));
        Ok(true)
    })?;
    Ok(out)
}

impl Tx<'_> {
    /// Seals a secret; the one before is gone.
    pub fn set_secret(
        &mut self,
        connection: ConnectionId,
        slot: &str,
        name: &str,
        secret: &SecretString,
        now: Millis,
    ) -> Result<(), StoreError> {
        self.at(now);
        let key = place(connection, slot, name);
        let sealed = seal(
            &self.env().key,
            &associated(&key),
            secret.expose_secret().as_bytes(),
        )?;
        let row = [&[SEAL_VERSION], now.to_be_bytes().as_slice(), &sealed].concat();
        self.put_bytes(Tab::Vault, &key.0, &row)
    }

    /// The secret of that place; a random one (64 hexadecimal digits) is made and sealed where there is none.
    pub fn ensure_secret(
        &mut self,
        connection: ConnectionId,
        slot: &str,
        name: &str,
        now: Millis,
    ) -> Result<SecretString, StoreError> {
        if let Some(known) = secret(self, connection, slot, name)? {
            return Ok(known);
        }
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(no_random)?;
        let made = SecretString::from(crate::codec::hex(bytes.as_slice()));
        self.set_secret(connection, slot, name, &made, now)?;
        Ok(made)
    }

    /// Forgets a secret.
    pub fn remove_secret(
        &mut self,
        connection: ConnectionId,
        slot: &str,
        name: &str,
    ) -> Result<bool, StoreError> {
        self.del(Tab::Vault, &place(connection, slot, name).0)
    }
}
