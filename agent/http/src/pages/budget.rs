//! A call limit in words and as a bar: used, kept in reserve, and what the vendor says is left. Shown on Today and on
//! Connections.

use crate::html::Times;
use waybill_engine::view::BudgetView;
use waybill_model::job::Priority;

/// One call limit in words and as a bar.
pub(crate) struct Budget {
    /// The host it holds for.
    pub(crate) host: String,
    /// Which of the host's calls, where they have several limits; else empty.
    pub(crate) group: String,
    /// "61 of 200 calls in the last minute".
    pub(crate) sentence: String,
    /// What for, what is kept in reserve, and the vendor's own count.
    pub(crate) details: Vec<(&'static str, String)>,
    /// The bar in words.
    pub(crate) words: String,
    /// What we used; none without a limit.
    pub(crate) used: Option<Bar>,
    /// What is left.
    pub(crate) free: Option<Bar>,
}

/// A stretch of the bar, in percent.
pub(crate) struct Bar {
    /// Where it begins.
    pub(crate) from: String,
    /// How long it is.
    pub(crate) width: String,
}

const fn work_words(priority: Priority) -> &'static str {
    match priority {
        Priority::NearDeadline => "what is most urgent",
        Priority::Order => "orders and shipments",
        Priority::Stock => "stock",
        Priority::Catalogue => "the catalogue",
    }
}

fn of_each(parts: &[(Priority, u32)]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|(priority, n)| format!("{n} for {}", work_words(*priority)))
        .collect();
    parts.join(", ")
}

impl Budget {
    /// A limit as the page shows it.
    pub(crate) fn of(of: &BudgetView, times: &Times) -> Self {
        let sentence = match (of.per_minute, of.per_second) {
            (Some(limit), _) => format!("{} of {limit} calls in the last minute", of.used),
            (None, Some(limit)) => format!(
                "{} calls in the last minute, at most {limit} a second",
                of.used
            ),
            (None, None) => format!("{} calls in the last minute, no limit", of.used),
        };
        let mut details = Vec::new();
        if !of.by.is_empty() {
            details.push(("Used", of_each(&of.by)));
        }
        let kept: Vec<String> = of
            .kept
            .iter()
            .map(|(priority, n)| format!("{n} from {}", work_words(*priority)))
            .collect();
        if !kept.is_empty() {
            details.push(("Kept in reserve for what is more urgent", kept.join(", ")));
        }
        details.push((
            "Its own count",
            match (of.remaining, of.resets_at) {
                (Some(left), Some(at)) => {
                    format!("{left} left, counted anew in {}", times.left(at))
                }
                (Some(left), None) => format!("{left} left"),
                _ => "said nothing lately".to_owned(),
            },
        ));
        let percent = |part: u32, whole: u32| u64::from(part) * 100 / u64::from(whole.max(1));
        let bars = of.per_minute.map(|limit| {
            let used = percent(of.used, limit).min(100);
            // Other programs draw on the same calls: what the vendor says is left is less than what we have not used.
            let free = of
                .remaining
                .map_or(100 - used, |left| percent(left, limit).min(100 - used));
            (used, free)
        });
        let words = match bars {
            Some((used, free)) if used + free < 100 => {
                format!("{sentence}; {free} percent are free, the rest is used by other programs")
            }
            _ => sentence.clone(),
        };
        let bar = |from: u64, width: u64| {
            (width > 0).then(|| Bar {
                from: format!("{from}%"),
                width: format!("{width}%"),
            })
        };
        Budget {
            host: of.host.clone(),
            group: of.group.clone(),
            sentence,
            details,
            words,
            used: bars.and_then(|(used, _)| bar(0, used)),
            free: bars.and_then(|(_, free)| bar(100 - free, free)),
        }
    }
}
