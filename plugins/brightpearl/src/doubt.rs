//! Owns how long a write whose answer was lost must rest before a look-up counts. The age of a write is counted from
//! its start, but a slow one may have been carried out when its time ran out, and a search trails that. So the end of
//! such an attempt is noted. Must not know what was written.

use crate::api::Api;
use crate::settings::Settings;

/// Without an instance id nothing but the look-up stands against a double: it rests so many times longer.
const UNGUARDED: u64 = 4;

/// One write that may be in doubt.
pub struct Doubt<'a> {
    api: &'a Api<'a>,
    key: String,
    settle_ms: u64,
}

impl<'a> Doubt<'a> {
    /// Of the record with that reference. `guarded`: the vendor itself refuses a second one.
    pub fn of(api: &'a Api<'a>, reference: &str, settings: Settings<'_>, guarded: bool) -> Self {
        let times = if guarded { 1 } else { UNGUARDED };
        Self {
            api,
            key: format!("ended/{reference}"),
            settle_ms: settings.settle_ms().saturating_mul(times),
        }
    }

    /// When the last attempt ended without a usable answer, in milliseconds.
    fn ended(&self) -> Option<i64> {
        let key = std::slice::from_ref(&self.key);
        read(self.api.host.kv_get(key).pop()?)
    }

    /// [`Self::is_noted`] of several, in their order, asked for in one call.
    pub fn are_noted<'d>(api: &Api<'_>, doubts: impl Iterator<Item = &'d Self>) -> Vec<bool>
    where
        'a: 'd,
    {
        let keys: Vec<String> = doubts.map(|doubt| doubt.key.clone()).collect();
        if keys.is_empty() {
            return Vec::new();
        }
        let values = api.host.kv_get(&keys).into_iter();
        values.map(|bytes| read(bytes).is_some()).collect()
    }

    /// Whether an attempt is known to have ended without a usable answer.
    pub fn is_noted(&self) -> bool {
        self.ended().is_some()
    }

    /// An attempt ended now, or so many milliseconds ago.
    pub fn note(&self, age_ms: u64) {
        let age = i64::try_from(age_ms).unwrap_or(i64::MAX);
        let at = self.api.host.now_ms().saturating_sub(age);
        self.api.host.kv_set(&self.key, at.to_string().as_bytes());
    }

    /// It is known what became of it.
    pub fn settle(&self) {
        if self.is_noted() {
            self.api.host.kv_delete(&self.key);
        }
    }

    /// Sent so long ago and not found: how many seconds until a look-up counts. `None`: it counts now.
    pub fn wait_secs(&self, age_ms: u64) -> Option<u32> {
        let since_end = self.ended().map_or(age_ms, |at| {
            u64::try_from(self.api.host.now_ms().saturating_sub(at)).unwrap_or(0)
        });
        let left = self.settle_ms.checked_sub(age_ms.min(since_end))?;
        (left > 0).then(|| u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX))
    }
}

fn read(bytes: Option<Vec<u8>>) -> Option<i64> {
    String::from_utf8(bytes?).ok()?.parse().ok()
}
