//! Owns what the connector keeps in its private space with a date on it, and throws away when it is old. Must not know
//! what the values mean; a value it cannot read counts as none.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use waybill_sdk::Host;

/// Entries looked at by one [`prune`]; the next one goes on behind them.
const PRUNED: u32 = 2_000;

/// A value and when it was kept, in UTC milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept<T> {
    /// When.
    pub at: i64,
    /// What.
    pub value: T,
}

#[derive(Deserialize)]
struct Dated {
    at: i64,
}

/// Keeps a value.
pub fn put<T: Serialize>(host: &dyn Host, key: &str, at: i64, value: &T) {
    if let Ok(bytes) = serde_json::to_vec(&Kept { at, value }) {
        host.kv_set(key, &bytes);
    }
}

/// The values of these keys, in their order.
pub fn get<T: DeserializeOwned>(host: &dyn Host, keys: &[String]) -> Vec<Option<Kept<T>>> {
    if keys.is_empty() {
        return Vec::new();
    }
    let read = |bytes: Option<Vec<u8>>| serde_json::from_slice(&bytes?).ok();
    host.kv_get(keys).into_iter().map(read).collect()
}

/// One value.
pub fn one<T: DeserializeOwned>(host: &dyn Host, key: &str) -> Option<Kept<T>> {
    get(host, &[key.to_owned()]).pop().flatten()
}

/// Deletes entries under a prefix that were kept before then; each call looks at some of them and the next one goes on.
pub fn prune(host: &dyn Host, prefix: &str, before: i64) {
    let place = format!("pruned-to/{prefix}");
    let after = host.kv_get(std::slice::from_ref(&place)).pop().flatten();
    let after = after.and_then(|bytes| String::from_utf8(bytes).ok());
    let entries = host.kv_scan(prefix, after.as_deref(), PRUNED);
    for (key, bytes) in &entries {
        let at = serde_json::from_slice(bytes).ok().map(|d: Dated| d.at);
        if at.is_none_or(|at| at < before) {
            host.kv_delete(key);
        }
    }
    let full = u32::try_from(entries.len()).unwrap_or(u32::MAX) >= PRUNED;
    match entries.last().filter(|_| full) {
        Some((last, _)) => host.kv_set(&place, last.as_bytes()),
        None if after.is_some() => host.kv_delete(&place),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_sdk::replay::TestHost;

    #[test]
    fn what_is_old_or_unreadable_goes() {
        let host = TestHost::at(0).with_kv("x/0", b"scribble");
        for n in 1..=3_i64 {
            put(&host, &format!("x/{n}"), n, &n);
        }
        put(&host, "y/1", 1, &1);
        prune(&host, "x/", 3);
        let keys = ["x/0", "x/1", "x/2", "x/3", "y/1"].map(str::to_owned);
        let kept: Vec<Option<i64>> = get(&host, &keys)
            .into_iter()
            .map(|k| k.map(|k: Kept<i64>| k.value))
            .collect();
        assert_eq!(kept, [None, None, None, Some(3), Some(1)]);
    }

    #[test]
    fn pruning_goes_on_where_it_stopped() {
        let host = TestHost::at(0);
        for n in 0..i64::from(PRUNED) + 5 {
            put(&host, &format!("x/{n:05}"), n % 2, &n);
        }
        prune(&host, "x/", 1);
        prune(&host, "x/", 1);
        assert!(host.kv("pruned-to/x/").is_none());
        let left = waybill_sdk::Core::kv_scan(&host, "x/", None, 10_000);
        assert_eq!(left.len(), 1_002);
    }
}
