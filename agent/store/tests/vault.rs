//! Sealed secrets: not in the file, not with another key, not in another place.

mod sample;

use sample::{SOURCE, TARGET, in_memory, key, on_disk, with_connections};
use secrecy::{ExposeSecret, SecretString};
use waybill_store::sim_disk::SimDisk;
use waybill_store::{Options, Place, Read, SealKey, Store, StoreError, Writer};

const PLAIN: &str = "correct-horse-battery-staple";

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn a_secret_of_the_agent_is_made_once_and_is_hard_to_guess() {
    use secrecy::ExposeSecret as _;
    let store = sample::in_memory();
    sample::with_connections(&store);
    let make = |connection| {
        let made = store.write_blocking(move |tx| tx.ensure_secret(connection, "hooks", "path", 5));
        made.unwrap().expose_secret().to_owned()
    };
    let (first, again, other) = (
        make(sample::SOURCE),
        make(sample::SOURCE),
        make(sample::TARGET),
    );
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_eq!(first.len(), 64);
    assert!(first.bytes().all(|b| b.is_ascii_hexdigit()));
}

#[test]
fn a_secret_is_never_in_the_file_and_comes_back() {
    let disk = SimDisk::new(1);
    let store = on_disk(&disk, Writer::Inline);
    with_connections(&store);
    let secret = SecretString::from(PLAIN);
    store
        .write_blocking(move |tx| {
            tx.set_secret(SOURCE, "api", "client-secret", &secret, 77)?;
            tx.audit("ann", "secret-set", "client-secret", 77)
        })
        .unwrap();
    let opened = store
        .read(|rx| rx.secret(SOURCE, "api", "client-secret"))
        .unwrap()
        .unwrap();
    assert_eq!(opened.expose_secret(), PLAIN);
    let names = store.read(|rx| rx.secret_names(SOURCE)).unwrap();
    assert_eq!(names, [("api".to_owned(), "client-secret".to_owned(), 77)]);
    assert!(
        store
            .read(|rx| rx.secret(TARGET, "api", "client-secret"))
            .unwrap()
            .is_none()
    );
    let bytes = disk.bytes();
    assert!(holds(&bytes, "client-secret"), "the name is there");
    assert!(!holds(&bytes, PLAIN), "the secret is not");
    assert!(!holds(&bytes, &PLAIN[..8]));
    store
        .write_blocking(|tx| tx.remove_secret(SOURCE, "api", "client-secret"))
        .unwrap();
    assert!(store.read(|rx| rx.secret_names(SOURCE)).unwrap().is_empty());
}

#[test]
fn another_key_gives_a_clear_error_and_the_secret_can_be_entered_again() {
    let disk = SimDisk::new(1);
    let store = on_disk(&disk, Writer::Inline);
    store
        .write_blocking(|tx| tx.set_secret(SOURCE, "api", "token", &SecretString::from(PLAIN), 1))
        .unwrap();
    drop(store);
    let store = Store::open(Options {
        writer: Writer::Inline,
        ..Options::new(
            Place::Backend(SimDisk::with_image(2, disk.bytes()).backend()),
            SealKey::from_bytes([8; 32]),
        )
    })
    .unwrap();
    let error = store
        .read(|rx| rx.secret(SOURCE, "api", "token"))
        .unwrap_err();
    assert!(matches!(error, StoreError::Sealed(_)));
    assert!(error.to_string().contains("`token`"), "{error}");
    assert!(error.hint().is_some_and(|h| h.contains("enter them again")));
    store
        .write_blocking(|tx| tx.set_secret(SOURCE, "api", "token", &SecretString::from("new"), 2))
        .unwrap();
    let opened = store
        .read(|rx| rx.secret(SOURCE, "api", "token"))
        .unwrap()
        .unwrap();
    assert_eq!(opened.expose_secret(), "new");
}

#[test]
fn the_same_secret_is_sealed_differently_each_time_and_a_key_never_prints() {
    let store = in_memory();
    store
        .write_blocking(|tx| {
            tx.set_secret(SOURCE, "a", "x", &SecretString::from(PLAIN), 1)?;
            tx.set_secret(SOURCE, "b", "x", &SecretString::from(PLAIN), 1)
        })
        .unwrap();
    assert_eq!(format!("{:?}", key()), "SealKey(***)");
    let (one, two) = (SealKey::generate().unwrap(), SealKey::generate().unwrap());
    assert_ne!(one.expose_bytes(), two.expose_bytes());
}
