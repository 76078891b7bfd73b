//! Owns id sets: reading `1-5,9.12` and writing the compact form. It must not know what the ids name.

use std::collections::BTreeSet;

/// Ids as ranges, in the order given. Ranges are never expanded before their size is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdSet(Vec<(i64, i64)>);

impl IdSet {
    /// Reads a set; `None` for anything else, open ranges and falling ranges included.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut ranges = Vec::new();
        for part in text.split([',', '.']) {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let (low, high) = (positive(low)?, positive(high)?);
            if low > high {
                return None;
            }
            ranges.push((low, high));
        }
        Some(Self(ranges))
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        self.0
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&id))
    }

    /// How many ids the set names, doubles counted.
    pub(super) fn size(&self) -> i64 {
        self.0.iter().fold(0, |sum: i64, (low, high)| {
            sum.saturating_add(high - low + 1)
        })
    }

    /// The distinct ids, rising. Ask for the size first.
    pub(super) fn ids(&self) -> BTreeSet<i64> {
        self.0.iter().flat_map(|(low, high)| *low..=*high).collect()
    }
}

fn positive(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Writes rising ids as ranges and single ids.
pub(super) fn compact(ids: &[i64]) -> String {
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for id in ids {
        match parts.last_mut() {
            Some((_, high)) if *high + 1 == *id => *high = *id,
            _ => parts.push((*id, *id)),
        }
    }
    let texts: Vec<String> = parts
        .iter()
        .map(|(low, high)| {
            if low == high {
                low.to_string()
            } else {
                format!("{low}-{high}")
            }
        })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::{IdSet, compact};

    #[test]
    fn sets_are_lists_ranges_and_mixes() {
        let set = IdSet::parse("10-12.5,60").unwrap();
        assert_eq!(
            set.ids().into_iter().collect::<Vec<_>>(),
            [5, 10, 11, 12, 60]
        );
        assert_eq!(set.size(), 5);
        assert!(set.contains(11) && !set.contains(13));
        for bad in ["", "a", "5-", "5-3", "-1", "1,,2", "100/", "1 2"] {
            assert_eq!(IdSet::parse(bad), None, "{bad}");
        }
        assert_eq!(IdSet::parse("1-9000000000").unwrap().size(), 9_000_000_000);
    }

    #[test]
    fn ids_are_written_compactly() {
        assert_eq!(compact(&[1, 2, 5, 8, 10, 11, 12]), "1-2,5,8,10-12");
        assert_eq!(compact(&[]), "");
    }
}
