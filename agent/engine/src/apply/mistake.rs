//! A mistake in a file and where it is. Knows nothing of what the file means.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl Place {
    /// The place of a byte offset.
    pub fn of(source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub place: Place,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong, in one sentence without full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Mistake {
    /// A mistake at a place.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            line: place.line,
            column: place.column,
            message: message.into(),
            hint: None,
        }
    }

    /// The same, with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// A hint for a word that is none of the known ones: the nearest, else all of them.
pub fn suggest(word: &str, known: &[&str]) -> Option<String> {
    let nearest = known
        .iter()
        .map(|k| (distance(word, k), *k))
        .min()
        .filter(|(far, k)| *far <= 2.max(k.len() / 3));
    match nearest {
        Some((_, k)) => Some(format!("Did you mean `{k}`?")),
        None if known.is_empty() => None,
        None => Some(format!("Known here: `{}`.", known.join("`, `"))),
    }
}

/// How many letters have to be changed, added or taken away.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let changed = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one() {
        let source = "ab\nc\u{e4}d = 1\n";
        let at = |offset| {
            let place = Place::of(source, offset);
            (place.line, place.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(3), (2, 1));
        assert_eq!(at(source.find("d =").unwrap()), (2, 3));
        assert_eq!(at(usize::MAX), (3, 1));
    }

    #[test]
    fn the_nearest_word_is_suggested() {
        let known = ["api-url", "channel", "price-list"];
        assert_eq!(
            suggest("chanel", &known).as_deref(),
            Some("Did you mean `channel`?")
        );
        assert_eq!(
            suggest("api_url", &known).as_deref(),
            Some("Did you mean `api-url`?")
        );
        assert!(suggest("zebra", &known).unwrap().contains("`price-list`"));
        assert_eq!(suggest("zebra", &[]), None);
    }
}
