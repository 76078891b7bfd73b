//! What a scripted side lists: two documents a page, by date or by key; and what it offers for settings.

use waybill_host::connector::CallError;
use waybill_model::contract::{Choice, ChoicePage, Failure, Page, Pairs, Problem, Scope};
use waybill_model::document::{Body, Document, Entity};

/// Two of the documents that are meant.
pub(crate) fn page<'a>(
    known: impl Iterator<Item = &'a Document>,
    entity: Entity,
    scope: &Scope,
    cursor: Option<&[u8]>,
) -> Page {
    let meant: Vec<&Document> = known.filter(|d| is_meant(d, entity, scope)).collect();
    let from = usize::from(cursor.map_or(0, |c| c[0]));
    let page = meant.iter().skip(from).take(2);
    Page {
        documents: page.copied().cloned().collect(),
        cursor: vec![u8::try_from(from + 2).unwrap_or(u8::MAX)],
        more: meant.len() > from + 2,
    }
}

/// What a list offers: value, and whether it is hidden. No list: it does not come now.
pub(crate) fn offered(list: Option<&Vec<(&'static str, bool)>>) -> Result<ChoicePage, CallError> {
    let list = list.ok_or(CallError::Failure(Failure::Retry(None)))?;
    let choice = |(value, hidden): &(&str, bool)| Choice {
        value: (*value).to_owned(),
        label: format!("Number {value}"),
        disabled: *hidden,
    };
    Ok(ChoicePage {
        items: list.iter().map(choice).collect(),
        next: None,
    })
}

/// A channel is a number.
pub(crate) fn no_numbers(settings: &Pairs) -> Vec<Problem> {
    let channels = settings.iter().filter(|(key, value)| {
        key == "channel" && !value.is_empty() && value.parse::<u32>().is_err()
    });
    let wrong = |(key, value): &(String, String)| {
        Problem::new(key, format!("`{value}` is no id."), "Enter a number.")
    };
    channels.map(wrong).collect()
}

fn is_meant(document: &Document, entity: Entity, scope: &Scope) -> bool {
    let (at, number) = match &document.body {
        Body::Order(order) => (order.placed_at, order.number.as_str()),
        Body::Invoice(made) => (Some(made.issued_at), made.number.as_str()),
        _ => (Some(document.occurred_at), ""),
    };
    document.body.entity() == entity
        && match scope {
            Scope::Everything => true,
            Scope::Between(from, to) => at.is_some_and(|at| *from <= at && at < *to),
            Scope::Keys(keys) => keys.iter().any(|key| *key == document.key || key == number),
        }
}
