//! A merchant's private key, as it comes out of a form: the line ends of a pasted key may be gone.

use super::error::SftpError;
use russh::keys::{PrivateKey, decode_secret_key};
use secrecy::{ExposeSecret, SecretString};

/// Reads a private key in the format of OpenSSH or in PEM.
pub(crate) fn read(
    text: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<PrivateKey, SftpError> {
    let text = lines(text.expose_secret());
    let passphrase = passphrase
        .map(ExposeSecret::expose_secret)
        .filter(|p| !p.is_empty());
    // The cause names no byte of the key.
    decode_secret_key(text.expose_secret(), passphrase)
        .map_err(|e| SftpError::KeyUnreadable(e.to_string()))
}

/// A field of one line takes the line ends away; the frame says where they were.
fn lines(text: &str) -> SecretString {
    let text = text.trim();
    let framed = || {
        let (label, rest) = text.strip_prefix("-----BEGIN ")?.split_once("-----")?;
        let (body, _) = rest.split_once("-----END ")?;
        let body: Vec<char> = body.chars().filter(|c| !c.is_whitespace()).collect();
        let body: Vec<String> = body.chunks(64).map(|line| line.iter().collect()).collect();
        Some(format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            body.join("\n")
        ))
    };
    if text.contains('\n') {
        return format!("{}\n", text.replace("\r\n", "\n")).into();
    }
    framed().unwrap_or_else(|| text.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_its_line_ends_is_read() {
        let flat = "-----BEGIN X KEY-----YWJjZA== ZGVm-----END X KEY-----".to_owned();
        assert_eq!(
            lines(&flat).expose_secret(),
            "-----BEGIN X KEY-----\nYWJjZA==ZGVm\n-----END X KEY-----\n"
        );
        let windows = "-----BEGIN X KEY-----\r\nYWJj\r\n-----END X KEY-----\r\n";
        assert_eq!(
            lines(windows).expose_secret(),
            "-----BEGIN X KEY-----\nYWJj\n-----END X KEY-----\n"
        );
        assert!(read(&"no key".to_owned().into(), None).is_err());
    }
}
