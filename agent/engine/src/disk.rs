//! The alarm before the disk is full. Below one bound people are told; below a second one nothing new is read, so that
//! what is here already can be finished. Owns both bounds and the words; the disk is a port.

use crate::core::Core;
use crate::view::AlarmView;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use waybill_model::ids::Millis;
use waybill_model::settings::{DISK_ALARM, DISK_STOP};

/// How often the disk is asked at most.
const EVERY_MS: Millis = 10_000;
const MIB: u64 = 1024 * 1024;
/// Bounds where no setting says otherwise, in MiB.
const ALARM_MIB: u64 = 1_024;
const STOP_MIB: u64 = 256;

/// Bytes that are free where the database lies.
#[derive(Clone)]
pub struct FreeSpace(pub Arc<dyn Fn() -> io::Result<u64> + Send + Sync>);

impl fmt::Debug for FreeSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreeSpace")
    }
}

/// How the disk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Room {
    /// There is enough, or nobody can say.
    Enough,
    /// People are to be told.
    Low,
    /// Nothing new is read.
    Stop,
}

/// What was found last.
#[derive(Debug)]
pub(crate) struct Disk {
    free: AtomicU64,
    asked_at: AtomicI64,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            free: AtomicU64::new(u64::MAX),
            asked_at: AtomicI64::new(Millis::MIN),
        }
    }
}

fn bound(core: &Core, key: &str, default: u64) -> u64 {
    let set = core
        .desk()
        .agent
        .get(key)
        .and_then(|v| v.trim().parse::<u64>().ok());
    set.unwrap_or(default).saturating_mul(MIB)
}

impl Core {
    /// How the disk stands, as it was found last.
    pub(crate) fn room(&self) -> Room {
        let free = self.disk.free.load(Ordering::Relaxed);
        if free < bound(self, DISK_STOP, STOP_MIB) {
            Room::Stop
        } else if free < bound(self, DISK_ALARM, ALARM_MIB) {
            Room::Low
        } else {
            Room::Enough
        }
    }

    /// Asks the disk where it is time to, and logs what changed.
    pub(crate) fn look_at_disk(&self, now: Millis) -> Room {
        let Some(FreeSpace(ask)) = &self.options.free_space else {
            return Room::Enough;
        };
        let before = self.room();
        let asked_at = self.disk.asked_at.load(Ordering::Relaxed);
        // A clock that was set back asks at once.
        if now >= asked_at && now < asked_at.saturating_add(EVERY_MS) {
            return before;
        }
        self.disk.asked_at.store(now, Ordering::Relaxed);
        match ask() {
            Ok(free) => self.disk.free.store(free, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, "The disk does not say how much of it is free.");
                return before;
            }
        }
        let (room, free_mib) = (self.room(), self.disk.free.load(Ordering::Relaxed) / MIB);
        match room {
            _ if room == before => {}
            Room::Stop => {
                tracing::error!(free_mib, "The disk is nearly full. Nothing new is read.");
            }
            Room::Low => tracing::error!(free_mib, "The disk is getting full."),
            Room::Enough => tracing::info!(free_mib, "The disk has room again."),
        }
        room
    }

    /// For the frame of every page.
    pub(crate) fn disk_alarm(&self) -> Option<AlarmView> {
        let free = self.disk.free.load(Ordering::Relaxed) / MIB;
        let text = match self.room() {
            Room::Enough => return None,
            Room::Low => format!("The disk is getting full: {free} MiB are free."),
            Room::Stop => format!(
                "The disk is nearly full: {free} MiB are free. New orders are not read until there is room; what is \
                 here goes on."
            ),
        };
        Some(AlarmView {
            text,
            as_of: None,
            hint: "Free some space on this machine, or keep less: `keep-documents-days` and \
                   `keep-transcripts-days`."
                .to_owned(),
        })
    }
}
