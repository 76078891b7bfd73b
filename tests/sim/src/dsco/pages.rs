//! Owns `GET /order/page` and the scroll ids of all searches. Must not know streams.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::order::Status;
use super::orders::raw;
use super::sandbox::Sandbox;
use super::{answers, dates};
use crate::vendor::{Req, Resp};

/// `until` must be at least this old.
const UNTIL_AGE_MS: i64 = 5000;

/// A scroll id: base64 of a JSON search state, opaque to callers.
pub(crate) fn scroll_id(kind: &str, id: u64, from: usize) -> String {
    STANDARD.encode(json!({"k": kind, "s": id, "o": from}).to_string())
}

/// Reads a scroll id of this kind.
pub(crate) fn parse_scroll(kind: &str, text: &str) -> Option<(u64, usize)> {
    let state: Value = serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()?;
    if state["k"] != kind {
        return None;
    }
    Some((
        state["s"].as_u64()?,
        usize::try_from(state["o"].as_u64()?).ok()?,
    ))
}

impl Sandbox {
    /// Answers one page of orders.
    pub(crate) fn order_page(&mut self, now: i64, req: &Req) -> Resp {
        if let Some(scroll) = req.param("scrollId") {
            let Some((id, from)) = parse_scroll("page", scroll) else {
                return answers::plain(400, "scrollId is not valid");
            };
            return self.order_scroll(now, id, from);
        }
        match self.order_search(now, req) {
            Ok((found, per_page)) => {
                let id = self.keep_scroll(now, found, per_page);
                self.order_scroll(now, id, 0)
            }
            Err(why) => answers::plain(400, &why),
        }
    }

    fn order_scroll(&mut self, now: i64, id: u64, from: usize) -> Resp {
        let Some((places, full)) = self.scroll_page(now, id, from) else {
            return answers::plain(404, "The scroll page has expired");
        };
        let orders: Vec<&str> = places
            .iter()
            .filter_map(|&at| self.book.shown(at))
            .map(|s| &*s.json)
            .collect();
        let next = if full {
            format!(
                "\"scrollId\":\"{}\",",
                scroll_id("page", id, from + places.len())
            )
        } else {
            String::new()
        };
        raw(format!("{{{next}\"orders\":[{}]}}", orders.join(",")))
    }

    fn order_search(&self, now: i64, req: &Req) -> Result<(Vec<usize>, usize), String> {
        let per_page = match req.param("ordersPerPage") {
            None => 1000,
            Some(text) => match text.parse::<usize>() {
                Ok(n) if (10..=1000).contains(&n) => n,
                _ => return Err("ordersPerPage must be between 10 and 1000".to_owned()),
            },
        };
        let statuses: Vec<&str> = req.params("status").collect();
        if let Some(bad) = statuses.iter().find(|s| !Status::known(s)) {
            return Err(format!("status {bad} is not valid"));
        }
        let tests = flag(req, "includeTestOrders")?;
        let returned = flag(req, "returnedOnly")?;
        let mut found = self.order_range(now, req)?;
        found.retain(|&at| {
            self.book.shown(at).is_some_and(|s| {
                (statuses.is_empty() || statuses.contains(&s.status.text()))
                    && (tests || !s.test)
                    && !returned
            })
        });
        Ok((found, per_page))
    }

    fn order_range(&self, now: i64, req: &Req) -> Result<Vec<usize>, String> {
        if let Some(number) = req.param("consumerOrderNumber") {
            return Ok(self
                .book
                .find("consumerOrderNumber", number)
                .unwrap_or_default());
        }
        let date = |name: &str| match req.param(name) {
            None => Ok(None),
            Some(text) => dates::parse(text)
                .map(Some)
                .ok_or_else(|| format!("{name} is not an ISO 8601 date")),
        };
        let (created, updated) = (date("ordersCreatedSince")?, date("ordersUpdatedSince")?);
        let until = date("until")?.ok_or("until is required")?;
        if until > now - UNTIL_AGE_MS {
            return Err("until must be at least 5 seconds in the past".to_owned());
        }
        match (created, updated) {
            (Some(since), _) => Ok(self.book.created_between(since, until)),
            (None, Some(since)) => Ok(self.book.updated_between(since, until)),
            (None, None) => {
                Err("one of ordersCreatedSince, ordersUpdatedSince is required".to_owned())
            }
        }
    }
}

fn flag(req: &Req, name: &str) -> Result<bool, String> {
    match req.param(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(format!("{name} must be true or false")),
    }
}
