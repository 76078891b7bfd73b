//! Matching of items: what orders call an item, and which product it is. Matching by hand, and taking it back.

use super::layout::{Base, sentence};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::body::Fields;
use crate::html::{Mark, Times, count, encoded, grouped};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::matching::{ItemsQuery, ItemsView, NamedItemView};
use waybill_engine::view::{SuggestionView, Tone};
use waybill_model::contract::Gap;
use waybill_model::crosswalk::{CUSTOMERS, ITEMS, SHIPPING_METHODS, Standing, WAREHOUSES};

/// Items on a page.
const ROWS: usize = 50;
const PLACE: &str = "/matching/items";

/// The tables, with their titles.
pub(super) const TABLES: [(&str, &str); 4] = [
    (ITEMS, "Items"),
    (CUSTOMERS, "Customers"),
    (SHIPPING_METHODS, "Shipping methods"),
    (WAREHOUSES, "Warehouses"),
];

pub(super) struct Tab {
    pub(super) href: String,
    pub(super) text: String,
    pub(super) current: bool,
}

/// Which table is shown.
pub(super) fn tables(current: &str) -> Vec<Tab> {
    let tab = |(table, words): (&str, &str)| Tab {
        href: format!("/matching/{table}"),
        text: words.to_owned(),
        current: table == current,
    };
    TABLES.map(tab).into()
}

struct Row {
    id: String,
    retailer: String,
    retailer_name: String,
    value: String,
    title: String,
    product: Option<(String, String)>,
    why: Mark,
    waiting: String,
    suggestions: Vec<SuggestionView>,
    /// Ambiguous ones are chosen from the products that share the identifier.
    choose: bool,
    by_hand: bool,
    for_all: bool,
}

#[derive(Template)]
#[template(path = "matching.html")]
struct MatchingPage {
    base: Base,
    lead: String,
    stamp: Mark,
    figures: Vec<(&'static str, String)>,
    tables: Vec<Tab>,
    tabs: Vec<Tab>,
    retailers: Vec<(String, String, bool)>,
    search: String,
    show: String,
    head: String,
    empty: String,
    target: String,
    rows: Vec<Row>,
    list: String,
    next: Option<String>,
    routed: bool,
    table: &'static str,
    codes: &'static str,
    announces: bool,
}

/// What a list shows, as the address says it.
#[derive(Default, Clone)]
struct Asking {
    standing: Option<Standing>,
    everything: bool,
    retailer: Option<String>,
    search: Option<String>,
    after: Option<(String, String)>,
}

impl Asking {
    fn of(fields: &Fields) -> Self {
        let show = fields.filled("show");
        let after = fields.get("after").zip(fields.get("of"));
        Self {
            standing: show.and_then(Standing::from_word),
            everything: show == Some("all"),
            retailer: fields.filled("retailer").map(str::to_owned),
            search: fields.filled("q").map(str::to_owned),
            after: after.map(|(value, of)| (of.to_owned(), value.to_owned())),
        }
    }

    fn query(&self) -> String {
        let mut out = Vec::new();
        if self.everything {
            out.push("show=all".to_owned());
        }
        if let Some(standing) = self.standing {
            out.push(format!("show={standing}"));
        }
        if let Some(retailer) = &self.retailer {
            out.push(format!("retailer={}", encoded(retailer)));
        }
        if let Some(search) = &self.search {
            out.push(format!("q={}", encoded(search)));
        }
        if let Some((of, value)) = &self.after {
            out.push(format!("of={}&after={}", encoded(of), encoded(value)));
        }
        out.join("&")
    }

    fn href(&self) -> String {
        let query = self.query();
        if query.is_empty() {
            PLACE.to_owned()
        } else {
            format!("{PLACE}?{query}")
        }
    }
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, _) = base(asked, PLACE, "Matching").await?;
    let asking = Asking::of(&asked.query);
    let query = ItemsQuery {
        standing: asking.standing,
        retailer: asking.retailer.clone(),
        search: asking.search.clone(),
        after: asking.after.clone(),
        limit: ROWS,
    };
    let view = asked.site.handle.items(query).await?;
    let times = asked.times();
    render(StatusCode::OK, &compose(base, &view, &asking, &times))
}

/// Where a form goes back to: the list it stood on.
fn back(asked: &Asked<'_>) -> String {
    let list = asked.form.get("list").unwrap_or_default();
    Asking::of(&Fields::parse(list.as_bytes())).href()
}

pub(super) fn bad(failure: Failure) -> Notice {
    Notice {
        bad: true,
        text: sentence(&failure.message),
        hint: failure.hint,
        ..Notice::default()
    }
}

fn cell(asked: &Asked<'_>) -> Result<Gap, Failure> {
    let value = asked.form.filled("value");
    let value = value.ok_or_else(|| Failure::bad("the item is missing in the form"))?;
    Ok(Gap {
        table: ITEMS.to_owned(),
        retailer: asked.form.filled("retailer").map(str::to_owned),
        value: value.to_owned(),
    })
}

/// Matches an item by hand.
pub(crate) async fn fill(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let cell = cell(asked)?;
    let code = asked
        .form
        .filled("take")
        .or_else(|| asked.form.filled("code"));
    let (handle, value) = (&asked.site.handle, cell.value.clone());
    let Some(code) = code else {
        let notice = Notice {
            bad: true,
            text: format!("No product was chosen for {value}."),
            hint: Some("Type its SKU or number, then save.".to_owned()),
            ..Notice::default()
        };
        return Ok(asked.say(&back(asked), notice));
    };
    let (from, to) = handle.order_route()?;
    let for_all = asked.form.get("scope") == Some("all");
    let filled = handle
        .fill_cell(from, to, cell, for_all, code.to_owned(), &asked.who)
        .await;
    let notice = match filled {
        Ok(0) => Notice {
            text: format!("{value} is matched by you now."),
            ..Notice::default()
        },
        Ok(jobs) => Notice {
            text: format!(
                "{value} is matched by you now. {} on.",
                count(jobs, "order goes", "orders go")
            ),
            ..Notice::default()
        },
        Err(error) => bad(error.into()),
    };
    Ok(asked.say(&back(asked), notice))
}

/// Takes a match by hand back.
pub(crate) async fn undo(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let mut cell = cell(asked)?;
    if asked.form.get("scope") == Some("all") {
        cell.retailer = None;
    }
    let handle = &asked.site.handle;
    let (from, to) = handle.order_route()?;
    let value = cell.value.clone();
    let notice = match handle.empty_cell(from, to, cell, &asked.who).await {
        Ok(()) => Notice {
            text: format!(
                "Your match for {value} is taken back. Sales that were created with it stay as they are."
            ),
            ..Notice::default()
        },
        Err(error) => bad(error.into()),
    };
    Ok(asked.say(&back(asked), notice))
}

const fn standing_words(standing: Standing) -> &'static str {
    match standing {
        Standing::Unmatched => "Not matched",
        Standing::Ambiguous => "Several share one key",
        Standing::Suggested => "Suggested",
        Standing::ByHand => "Matched by hand",
        Standing::Automatic => "Matched by itself",
    }
}

/// In the order a person looks at them.
const ORDER: [Standing; 5] = [
    Standing::Unmatched,
    Standing::Ambiguous,
    Standing::Suggested,
    Standing::ByHand,
    Standing::Automatic,
];

fn row(at: usize, item: &NamedItemView, times: &Times) -> Row {
    let why = match (item.standing, &item.by) {
        (Standing::ByHand, Some((who, when))) => {
            Mark::of(Tone::Ok, format!("Matched by {who}, {}", times.when(*when)))
        }
        (Standing::ByHand, None) => Mark::of(Tone::Ok, "Matched by hand"),
        (Standing::Automatic, _) => Mark::of(Tone::Ok, "Matched by itself"),
        (Standing::Suggested, _) => Mark::of(Tone::Soon, "Suggested: please check it"),
        (Standing::Ambiguous, _) => Mark::of(Tone::You, "Several share one key: never guessed"),
        (Standing::Unmatched, _) => Mark::of(Tone::You, "Not matched"),
    };
    Row {
        id: format!("i{}", at + 1),
        retailer: item.retailer.clone(),
        retailer_name: item.retailer_name.clone(),
        value: item.value.clone(),
        title: item.title.clone(),
        product: item
            .product
            .as_ref()
            .map(|p| (p.key.clone(), p.title.clone())),
        why,
        waiting: match item.waiting {
            0 => String::new(),
            1 => "1 order waits".to_owned(),
            n => format!("{} wait", count(n, "order", "orders")),
        },
        suggestions: item.suggestions.clone(),
        choose: item.standing == Standing::Ambiguous && !item.suggestions.is_empty(),
        by_hand: item.standing == Standing::ByHand,
        for_all: item.for_all,
    }
}

fn number(view: &ItemsView, standing: Standing) -> u64 {
    let known = view.counts.iter().find(|(s, _)| *s == standing);
    known.map_or(0, |(_, n)| *n)
}

fn tabs(view: &ItemsView, asking: &Asking, all: u64) -> Vec<Tab> {
    let searching = asking.search.is_some();
    let tab = |standing: Option<Standing>, words: &str, number: u64| {
        let listed = Asking {
            standing,
            everything: standing.is_none(),
            retailer: asking.retailer.clone(),
            ..Asking::default()
        };
        Tab {
            href: listed.href(),
            text: format!("{words} {}", grouped(&number.to_string())),
            current: asking.standing == standing && !searching,
        }
    };
    let mut tabs = vec![tab(None, "All", all)];
    tabs.extend(ORDER.map(|s| tab(Some(s), standing_words(s), number(view, s))));
    tabs
}

/// In tenths of a percent, rounded down: 100% is said only when nothing is left.
fn share(matched: u64, all: u64) -> String {
    (matched * 1000).checked_div(all).map_or_else(
        || "none yet".to_owned(),
        |tenths| format!("{}.{}%", tenths / 10, tenths % 10),
    )
}

fn lead(view: &ItemsView) -> String {
    if view.route.is_none() {
        return "Which of theirs is which of yours.".to_owned();
    }
    format!(
        "What orders from {} call an item, and which product of {} it is. What you choose by hand always wins over automatic matching.",
        view.source, view.target
    )
}

fn compose(base: Base, view: &ItemsView, asking: &Asking, times: &Times) -> MatchingPage {
    let all: u64 = view.counts.iter().map(|(_, n)| n).sum();
    let matched = number(view, Standing::ByHand) + number(view, Standing::Automatic);
    let head = match (&asking.search, asking.standing) {
        (Some(text), _) => format!("Found for \"{text}\""),
        (None, Some(standing)) => standing_words(standing).to_owned(),
        (None, None) => "All items that orders name".to_owned(),
    };
    let next = view.next.clone().map(|after| {
        let next = Asking {
            after: Some(after),
            ..asking.clone()
        };
        next.href()
    });
    let empty = if asking.search.is_some() {
        "No item has an identifier that begins like this, or these words in its title."
    } else if all == 0 {
        "No order has named an item yet. They appear here with the first orders."
    } else {
        "Nothing here."
    };
    let retailers = view.retailers.iter().map(|(code, name)| {
        let chosen = asking.retailer.as_ref() == Some(code);
        (code.clone(), name.clone(), chosen)
    });
    let rows = view.rows.iter().enumerate();
    MatchingPage {
        lead: lead(view),
        stamp: match all - matched {
            0 if all == 0 => Mark::of(Tone::Quiet, "No item yet"),
            0 => Mark::of(Tone::Ok, "All matched"),
            n => Mark::of(Tone::You, format!("{} to look at", grouped(&n.to_string()))),
        },
        figures: vec![
            ("Matched", share(matched, all)),
            ("Items that orders name", grouped(&all.to_string())),
            ("Unique id on the order", view.compared.0.clone()),
            ("Unique id of the product", view.compared.1.clone()),
        ],
        tables: tables(ITEMS),
        tabs: tabs(view, asking, all),
        retailers: retailers.collect(),
        search: asking.search.clone().unwrap_or_default(),
        show: asking.standing.map_or("all", Standing::word).to_owned(),
        head,
        empty: empty.to_owned(),
        target: view.target.clone(),
        rows: rows.map(|(at, item)| row(at, item, times)).collect(),
        list: asking.query(),
        next,
        routed: view.route.is_some(),
        table: ITEMS,
        codes: " with SKUs or product numbers",
        announces: false,
        base,
    }
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
