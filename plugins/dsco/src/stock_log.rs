//! What became of levels: one look at the log of stock per call, whatever the number of its items. Sends nothing.

use crate::api::{Api, encode};
use crate::change_log::{self, INVENTORY, Read};
use crate::confirm::{WAITS, WHOLE_MS};
use crate::files::verdict::{Seen, Stage, key};
use crate::queue::ENOUGH_MS;
use crate::wire::log::Entry;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use waybill_sdk::date;
use waybill_sdk::problem::{done, pending};
use waybill_sdk::types::{Failure, Problem, Receipt, Verdict};

/// What a ticket remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handle {
    /// The item. No other ticket of this connector has one.
    #[serde(rename = "i")]
    sku: String,
    /// Its warehouses.
    #[serde(rename = "c")]
    codes: Vec<String>,
    /// The vendor's id of the call; none where its answer could not be read.
    #[serde(rename = "r")]
    request: Option<String>,
    /// When it was sent, in milliseconds.
    #[serde(rename = "t")]
    sent: i64,
    /// How often the log was asked.
    #[serde(rename = "n")]
    asked: usize,
    /// The file it went by.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// All units that the file tells of the item.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    units: Option<i64>,
    /// Since when the file is known to be processed, in milliseconds.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    processed: Option<i64>,
}

impl Handle {
    pub(crate) fn new(request: Option<String>, sku: &str, codes: Vec<String>, sent: i64) -> Self {
        Self {
            sku: sku.to_owned(),
            codes,
            request,
            sent,
            asked: 0,
            file: None,
            units: None,
            processed: None,
        }
    }

    /// The same, of what went by a file that tells so many units.
    pub(crate) fn by_file(self, name: &str, units: i64) -> Self {
        Self {
            file: Some(name.to_owned()),
            units: Some(units),
            ..self
        }
    }

    /// Reads a ticket, if it is one of stock.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The verdict that waits.
    pub(crate) fn ticket(&self, check_in_secs: u32) -> Verdict {
        // A struct of texts and numbers always serialises.
        pending(
            serde_json::to_string(self).unwrap_or_default(),
            check_in_secs,
        )
    }

    /// Asks again later, and gives up after too long.
    fn again(&self, api: &Api<'_>) -> Verdict {
        if api.host.now_ms() - self.sent > api.config.confirm_limit_ms {
            return Err(Failure::InDoubt(Problem::new(
                "never-confirmed",
                format!(
                    "DSCO took the stock of `{}`, but never said what became of it.",
                    self.sku
                ),
                "Look at the item in the DSCO portal, then press Done or Retry. The next full set tells it again.",
            )));
        }
        let next = Self {
            asked: self.asked + 1,
            ..self.clone()
        };
        next.ticket(WAITS[self.asked.min(WAITS.len() - 1)])
    }

    /// Whether an entry about its item may be about what it tells. Files have no id in the log, so an earlier one of the
    /// item is told apart by its units.
    fn is_told_by(&self, entry: &Entry) -> bool {
        if self.file.is_some() && !entry.may_be_of_a_file() {
            return false;
        }
        let logged = entry.payload.as_ref().and_then(|p| p.quantity_available);
        match (self.units, logged) {
            (Some(units), Some(logged)) => units == logged,
            _ => true,
        }
    }

    fn done() -> impl Fn(&Self) -> Verdict {
        |handle| done(Receipt::of(handle.sku.clone()))
    }
}

/// A ticket and its place among those handed in.
pub(crate) type Asked = (usize, Handle);

/// The verdicts of tickets, with their places.
pub(crate) fn confirm(
    api: &Api<'_>,
    tickets: Vec<Asked>,
) -> Result<Vec<(usize, Verdict)>, Failure> {
    let mut by_request: BTreeMap<(Option<String>, i64), Vec<Asked>> = BTreeMap::new();
    let (filed, tickets): (Vec<Asked>, Vec<Asked>) = tickets
        .into_iter()
        .partition(|(_, handle)| handle.file.is_some());
    let mut verdicts = of_files(api, filed)?;
    for (index, handle) in tickets {
        // Calls without a request id are told apart by their time.
        let time = handle.request.is_none().then_some(handle.sent);
        let key = (handle.request.clone(), time.unwrap_or_default());
        by_request.entry(key).or_default().push((index, handle));
    }
    for ((request, sent), group) in by_request {
        // What is known by then is kept.
        if !verdicts.is_empty() && api.host.remaining_ms() < ENOUGH_MS {
            let later = Err(Failure::Retry(Some(0)));
            verdicts.extend(group.iter().map(|(index, _)| (*index, later.clone())));
            continue;
        }
        match request {
            Some(request) => of_request(api, &request, group, &mut verdicts)?,
            None => of_time(api, sent, group, &mut verdicts)?,
        }
    }
    Ok(verdicts)
}

/// The items of files: what the folders of imports tell and, where the API is connected, what the log says of a file that
/// was processed.
fn of_files(api: &Api<'_>, filed: Vec<Asked>) -> Result<Vec<(usize, Verdict)>, Failure> {
    if filed.is_empty() {
        return Ok(Vec::new());
    }
    let depot = api.depot()?;
    let seen = Seen::look(depot)?;
    let (now, limit) = (api.host.now_ms(), api.config.confirm_limit_ms);
    let mut verdicts = Vec::new();
    let mut processed = Vec::new();
    for (index, handle) in filed {
        let name = handle.file.clone().unwrap_or_default();
        let verdict = match seen.stage(depot, &name, now - handle.sent, handle.asked, limit) {
            Stage::Processed if api.config.api => {
                let processed_at = handle.processed.or(Some(now));
                processed.push((
                    index,
                    Handle {
                        processed: processed_at,
                        ..handle
                    },
                ));
                continue;
            }
            Stage::Processed => done(Receipt::of(key(&name, &handle.sku))),
            Stage::Waits(secs) => Handle {
                asked: handle.asked + 1,
                ..handle
            }
            .ticket(secs),
            Stage::Stuck(failure) => Err(failure),
        };
        verdicts.push((index, verdict));
    }
    let Some(first) = processed.iter().map(|(_, handle)| handle.sent).min() else {
        return Ok(verdicts);
    };
    let read = between(api, first - api.config.log_window_ms, now)?;
    // DSCO passes over an item that it does not have without a word, as it does by the API. It must not be waited for: no
    // other stock leaves before the verdict of the last item.
    let silent = |handle: &Handle| match handle.processed {
        Some(since) if now - since >= api.config.settle_ms => Handle::done()(handle),
        _ => handle.again(api),
    };
    judge(&read.entries, processed, silent, &mut verdicts);
    Ok(verdicts)
}

/// The items of one request: what a finished request does not name among its failures has succeeded.
fn of_request(
    api: &Api<'_>,
    request: &str,
    group: Vec<Asked>,
    verdicts: &mut Vec<(usize, Verdict)>,
) -> Result<(), Failure> {
    let now = api.host.now_ms();
    let again = |handle: &Handle| handle.again(api);
    // Just after a call the log may be short, and say all the same that it is complete. The tickets stay as they are, so that
    // tens of thousands need not be written anew.
    let youngest = group.iter().map(|(_, handle)| now - handle.sent).min();
    if let Some(age) = youngest.filter(|age| *age < WHOLE_MS) {
        let left = (WHOLE_MS - age.max(0)).unsigned_abs().div_ceil(1_000);
        let later = Err(Failure::Retry(u32::try_from(left).ok()));
        verdicts.extend(group.iter().map(|(index, _)| (*index, later.clone())));
        return Ok(());
    }
    let log = |status: &str| -> Result<Read, Failure> {
        let query = format!("requestId={}&status={status}", encode(request));
        Ok(change_log::read(api, INVENTORY, &query)?.unwrap_or_default())
    };
    let failures = log("failure")?;
    let named = |entry: &Entry| entry.payload.as_ref().is_some_and(|p| p.sku.is_some());
    if failures.is_complete() && failures.entries.iter().all(named) {
        judge(&failures.entries, group, Handle::done(), verdicts);
    } else if failures.is_in_work() {
        judge(&failures.entries, group, again, verdicts);
    } else {
        // It does not say whether it is done: every item is followed to its own entry.
        let read = log("success_or_failure")?;
        judge(&read.entries, group, again, verdicts);
    }
    Ok(())
}

/// The items of a call whose request id is not known: the entries around its time. A failure of an earlier level cannot
/// be told from one of this: then the level is told once more, which harms nothing.
fn of_time(
    api: &Api<'_>,
    sent: i64,
    group: Vec<Asked>,
    verdicts: &mut Vec<(usize, Verdict)>,
) -> Result<(), Failure> {
    let window = api.config.log_window_ms;
    let until = api.host.now_ms().max(sent + window);
    let read = between(api, sent - window, until)?;
    judge(&read.entries, group, |handle| handle.again(api), verdicts);
    Ok(())
}

fn between(api: &Api<'_>, from: i64, until: i64) -> Result<Read, Failure> {
    let query = format!(
        "startDate={}&endDate={}",
        encode(&date::format(from)),
        encode(&date::format(until))
    );
    Ok(change_log::read(api, INVENTORY, &query)?.unwrap_or_default())
}

/// The verdicts of entries; `silent` says what becomes of an item without one.
fn judge(
    entries: &[Entry],
    group: Vec<Asked>,
    silent: impl Fn(&Handle) -> Verdict,
    verdicts: &mut Vec<(usize, Verdict)>,
) {
    let mut said: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        if let Some(sku) = entry.payload.as_ref().and_then(|p| p.sku.as_deref()) {
            said.entry(sku).or_default().push(entry);
        }
    }
    for (index, handle) in group {
        let of_it = said.get(handle.sku.as_str()).map_or(&[][..], Vec::as_slice);
        let own = of_it.iter().filter(|entry| handle.is_told_by(entry));
        let with = |word: &str| {
            let mut latest_first = own.clone().rev();
            latest_first.find(|entry| entry.status.as_deref() == Some(word))
        };
        let verdict = if let Some(entry) = with("failure") {
            Err(refused(&handle.sku, &handle.codes, &entry.words()))
        } else if with("success").is_some() {
            Handle::done()(&handle)
        } else {
            silent(&handle)
        };
        verdicts.push((index, verdict));
    }
}

/// Why DSCO does not take the stock of an item, in plain words. Its own are not documented.
pub(crate) fn refused(sku: &str, codes: &[String], words: &str) -> Failure {
    let lower = words.to_ascii_lowercase();
    let any = |all: &[&str]| all.iter().any(|word| lower.contains(word));
    // A quantity names its warehouse, too, and an unknown warehouse spoils the sum: each message is judged by itself.
    let of_warehouse =
        |one: &str| one.contains("warehouse") && !one.contains("quantity") && !one.contains("sum");
    let (code, what, hint) = if lower.split(';').any(of_warehouse) {
        let named: Vec<&str> = codes
            .iter()
            .map(String::as_str)
            .filter(|code| words.contains(code))
            .collect();
        let all = || codes.join("`, `");
        let those = if named.is_empty() {
            all()
        } else {
            named.join("`, `")
        };
        (
            "warehouse-refused",
            format!("it does not know the warehouse code `{those}`"),
            "Enter the code in the table of warehouses exactly as the DSCO portal's Warehouse Manager shows it, or create the warehouse there, then retry.",
        )
    } else if any(&[
        "upc",
        "ean",
        "gtin",
        "isbn",
        "new item",
        "new sku",
        "not exist",
        "not found",
        "unknown",
    ]) {
        (
            "item-refused",
            "it does not know the item, or one of its codes".to_owned(),
            "Create the item in DSCO's catalogue first, or match it to the SKU that it has there, then retry.",
        )
    } else if any(&["quantity", "sum", "negative"]) {
        (
            "quantity-refused",
            "it does not take the quantity".to_owned(),
            "Compare the item's quantities in the DSCO portal with its stock here, then retry.",
        )
    } else {
        (
            "stock-refused",
            "it gives a reason of its own".to_owned(),
            "Correct what DSCO says, then retry.",
        )
    };
    let said = if words.is_empty() {
        "no reason was given"
    } else {
        words
    };
    Failure::Rejected(Problem::new(
        code,
        format!("DSCO refused the stock of `{sku}`: {what}. Its words: {said}"),
        hint,
    ))
}
