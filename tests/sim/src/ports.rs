//! Ports for listeners that are told theirs before they start. Must not know what listens.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of this machine that nobody listens on. Below what the kernel hands out by itself: no connection of another
/// program takes it before it is listened on, or between a kill and the next start.
///
/// # Panics
/// Nothing is free below that.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Programs that run beside each other begin at different places.
    let own = u16::try_from(std::process::id() % 100).unwrap_or_default();
    (0..10_000)
        .map(|_| 20_000 + (own * 100 + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port between 20000 and 29999 is free")
}

/// The same with the address.
pub fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}
