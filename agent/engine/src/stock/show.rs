//! Fills what people are shown of stock from what is stored: lists by ranges of keys, and the steps of one number as they
//! were derived. Knows no HTML.

use super::derive::{self, Route, all_routes};
use super::view::{
    Counted, Shown, StockItemView, StockList, StockOrder, StockQuery, StockRoute, StockRow,
    StockStep, StockWhy,
};
use super::{full, send};
use crate::core::{Core, Desk};
use crate::view::Tone;
use std::collections::BTreeSet;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Entity};
use waybill_model::ids::ConnectionId;
use waybill_model::levels::{self, Derived, Rule};
use waybill_store::{CatalogueItem, LevelList, LevelRow, Read, RouteRow, Rx, StoreError};

/// What is counted is counted so far.
const COUNTED: usize = 1_000;
/// Most orders that a number names.
const ORDERS: usize = 50;

const fn list_of(shown: Shown) -> LevelList {
    match shown {
        Shown::All => LevelList::All,
        Shown::Waiting => LevelList::Waiting,
        Shown::Refused => LevelList::Refused,
    }
}

fn route_of(desk: &Desk, row: &RouteRow) -> StockRoute {
    StockRoute {
        from: row.from,
        to: row.to,
        source: desk.title(row.from),
        target: desk.title(row.to),
    }
}

/// A list of numbers.
pub(crate) fn list(core: &Core, rx: &Rx, query: &StockQuery) -> Result<StockList, StoreError> {
    let desk = core.desk();
    let routes: Vec<StockRoute> = all_routes(&desk).map(|row| route_of(&desk, row)).collect();
    let wanted = |r: &&StockRoute| query.route.is_none_or(|pair| pair == (r.from, r.to));
    let route = routes.iter().find(wanted).cloned();
    let mut list = StockList {
        on: derive::is_on(&desk),
        sentence: (Tone::Quiet, "No stock is sent to anybody.".to_owned()),
        all: counted(0),
        waiting: counted(0),
        refused: counted(0),
        full_set: None,
        rows: Vec::new(),
        next: None,
        routes,
        route: route.clone(),
    };
    let Some(route) = route else {
        return Ok(list);
    };
    let pair = (route.from, route.to);
    let count = |list| rx.count_levels(pair, list, COUNTED).map(counted);
    list.all = count(LevelList::All)?;
    list.waiting = count(LevelList::Waiting)?;
    list.refused = count(LevelList::Refused)?;
    list.full_set = full::so_far(rx, pair)?;
    let sends = Sends::of(core, rx, &desk, &route)?;
    list.sentence = sentence(sends, &route, &list);
    let place = (query.begins.as_str(), query.after.as_deref());
    let limit = query.limit.max(1);
    let mut levels = rx.listed_levels(pair, list_of(query.shown), place, limit + 1)?;
    if levels.len() > limit {
        levels.truncate(limit);
        list.next = levels.last().map(|row| row.item.clone());
    }
    for level in &levels {
        let item = rx.item(level.from, &level.source)?;
        let title = item.map(|item| item.title).unwrap_or_default();
        let rows = level.wanted.iter();
        list.rows
            .extend(rows.map(|derived| row(level, derived, &title, sends, &route)));
    }
    Ok(list)
}

const fn counted(items: usize) -> Counted {
    Counted {
        items,
        or_more: items >= COUNTED,
    }
}

/// Whether levels leave now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sends {
    Yes,
    /// Only lower numbers: the network's orders cannot be read.
    Lower,
    /// Switched off.
    Off,
    /// The route or a side is paused.
    Paused,
}

impl Sends {
    fn of(core: &Core, rx: &Rx, desk: &Desk, route: &StockRoute) -> Result<Self, StoreError> {
        if !derive::is_on(desk) {
            return Ok(Self::Off);
        }
        let same = |row: &&RouteRow| (row.from, row.to) == (route.from, route.to);
        let held = |id: ConnectionId| desk.slots.get(&id).is_none_or(|slot| slot.row.paused);
        let paused = all_routes(desk).find(same).is_none_or(|row| row.paused);
        if paused || held(route.to) || held(route.from) {
            return Ok(Self::Paused);
        }
        let slot = desk.slots.get(&route.to);
        let behind = match slot {
            Some(slot) => send::is_behind(rx, slot, core.now())?,
            None => false,
        };
        Ok(if behind { Self::Lower } else { Self::Yes })
    }
}

fn items(counted: Counted) -> String {
    let number = counted.items;
    match (counted.or_more, number) {
        (true, _) => format!("{number} items or more"),
        (_, 1) => "1 item".to_owned(),
        _ => format!("{number} items"),
    }
}

fn sentence(sends: Sends, route: &StockRoute, list: &StockList) -> (Tone, String) {
    let target = &route.target;
    match sends {
        Sends::Off => {
            let text = format!("Stock is switched off: {target} keeps the numbers it has.");
            (Tone::Hold, text)
        }
        Sends::Paused => (
            Tone::Hold,
            format!("Paused: {target} keeps the numbers it has until you resume."),
        ),
        _ if list.refused.items > 0 => {
            let text = format!("{target} refused the numbers of {}.", items(list.refused));
            (Tone::You, text)
        }
        Sends::Lower => (
            Tone::Hold,
            format!(
                "Orders of {target} cannot be read, so only lower numbers are sent. {} wait.",
                items(list.waiting)
            ),
        ),
        Sends::Yes if list.all.items == 0 => {
            let text = format!("No item of {} is told to {target} yet.", route.source);
            (Tone::Quiet, text)
        }
        Sends::Yes if list.waiting.items > 0 => {
            let text = format!("The numbers of {} are on their way.", items(list.waiting));
            (Tone::Soon, text)
        }
        Sends::Yes => (Tone::Ok, format!("{target} has every number.")),
    }
}

fn row(
    level: &LevelRow,
    derived: &Derived,
    title: &str,
    sends: Sends,
    route: &StockRoute,
) -> StockRow {
    let sent = level.sent.as_ref().and_then(|sent| {
        let mut sent = sent.iter();
        sent.find(|count| count.warehouse == derived.warehouse)
    });
    let sent = sent.map(|count| count.units);
    let target = &route.target;
    let higher = |has: Decimal| {
        let more = derived.available.checked_sub(has);
        more.is_some_and(Decimal::is_positive)
    };
    let (tone, sentence) = match (&level.problem, sent, sends) {
        (Some(problem), ..) => (Tone::You, problem.message.clone()),
        (None, Some(has), _) if has == derived.available => (Tone::Ok, "Confirmed".to_owned()),
        (_, _, Sends::Off) => (Tone::Hold, "Not sent: stock is off".to_owned()),
        (_, _, Sends::Paused) => (Tone::Hold, "Not sent: paused".to_owned()),
        (_, Some(has), Sends::Lower) if higher(has) => (
            Tone::Hold,
            format!("Still {has} at {target}: a higher number waits until orders are read"),
        ),
        (_, Some(has), _) => (Tone::Soon, format!("On its way, {has} at {target}")),
        (_, None, _) => (Tone::Soon, "Not sent yet".to_owned()),
    };
    StockRow {
        item: level.item.clone(),
        title: title.to_owned(),
        warehouse: derived.warehouse.clone(),
        on_hand: derived.on_hand,
        taken: derived.taken,
        wanted: derived.available,
        sent,
        sent_at: level.sent_at.filter(|_| sent.is_some()),
        sentence,
        tone,
        problem: level.problem.clone(),
    }
}

/// Why the numbers of an item are what they are; `None`: there are none.
pub(crate) fn item(
    core: &Core,
    rx: &Rx,
    pair: Option<(ConnectionId, ConnectionId)>,
    name: &str,
) -> Result<Option<StockItemView>, StoreError> {
    let desk = core.desk();
    let wanted = |row: &&RouteRow| pair.is_none_or(|pair| pair == (row.from, row.to));
    let Some(row_of) = all_routes(&desk).find(wanted) else {
        return Ok(None);
    };
    let shown = route_of(&desk, row_of);
    let Some(level) = rx.level(shown.from, shown.to, name)? else {
        return Ok(None);
    };
    let route = Route::read(rx, &desk, shown.from, shown.to)?;
    let item = rx.item(shown.from, &level.source)?;
    let title = item.as_ref().map(|i| i.title.clone()).unwrap_or_default();
    let sends = Sends::of(core, rx, &desk, &shown)?;
    let mut places = Vec::new();
    for derived in &level.wanted {
        places.push(StockWhy {
            row: row(&level, derived, &title, sends, &shown),
            steps: steps(rx, &route, &shown, item.as_ref(), derived)?,
        });
    }
    let orders = match &item {
        Some(item) => orders(rx, &route, item)?,
        None => Vec::new(),
    };
    Ok(Some(StockItemView {
        item: level.item.clone(),
        key: level.source.clone(),
        title,
        places,
        orders,
        route: shown,
    }))
}

fn orders(rx: &Rx, route: &Route, item: &CatalogueItem) -> Result<Vec<StockOrder>, StoreError> {
    let mut all = Vec::new();
    let parts = item.components.iter().map(|(part, _)| part);
    let own = item.components.is_empty().then_some(&item.key);
    for key in own.into_iter().chain(parts) {
        for taken in rx.taken(route.from, key)? {
            if all.len() == ORDERS {
                return Ok(all);
            }
            let order = rx.order(taken.order)?;
            all.push(StockOrder {
                id: taken.order,
                number: order.map(|o| o.number).unwrap_or_default(),
                units: taken.units,
                warehouse: taken.warehouse,
                leaving: taken.fewer.is_some(),
            });
        }
    }
    Ok(all)
}

/// From what is on hand to the number: each step of `levels::available`, in its order.
fn steps(
    rx: &Rx,
    route: &Route,
    shown: &StockRoute,
    item: Option<&CatalogueItem>,
    derived: &Derived,
) -> Result<Vec<StockStep>, StoreError> {
    let mut all = on_hand(rx, route, shown, item, derived)?;
    let step = |text: String, note: String, units: i64| StockStep {
        text,
        note,
        at: None,
        units,
    };
    let (rule, free) = (derived.rule, derived.on_hand - derived.taken);
    if derived.taken > 0 {
        all.push(step(
            "In orders, not set aside yet".to_owned(),
            format!(
                "{} does not know of these units, {} has lowered its number for them",
                shown.source, shown.target
            ),
            -derived.taken,
        ));
    }
    if free < 0 {
        let note = "Orders take more than is there".to_owned();
        all.push(step("Never below none".to_owned(), note, -free));
    }
    let free = free.max(0);
    let of = |rule: Rule| levels::available(derived.on_hand, derived.taken, rule);
    let (buffer, cap) = (0, None);
    let share = of(Rule {
        buffer,
        cap,
        ..rule
    });
    if rule.percent < 100 {
        let text = format!("Your share: {} percent", rule.percent);
        all.push(step(text, "Rounded down".to_owned(), share - free));
    }
    let kept = of(Rule { cap, ..rule });
    if rule.buffer > 0 {
        let note = format!("You hold back {}", rule.buffer);
        all.push(step("Held back".to_owned(), note, kept - share));
    }
    if let Some(most) = rule.cap {
        let last = of(rule);
        let note = if last < kept {
            "Reached"
        } else {
            "Not reached"
        };
        let text = format!("Your upper limit: {most}");
        all.push(step(text, note.to_owned(), last - kept));
    }
    Ok(all)
}

/// What is on hand, warehouse by warehouse.
fn on_hand(
    rx: &Rx,
    route: &Route,
    shown: &StockRoute,
    item: Option<&CatalogueItem>,
    derived: &Derived,
) -> Result<Vec<StockStep>, StoreError> {
    let mut all = Vec::new();
    let source = &shown.source;
    if let Some(item) = item.filter(|item| !item.components.is_empty()) {
        let mut parts = Vec::new();
        for (part, each) in &item.components {
            let known = rx.item(route.from, part)?;
            let title = known.map_or_else(|| part.clone(), |part| part.title);
            parts.push(format!("{each} of {title}"));
        }
        all.push(StockStep {
            text: "Whole kits".to_owned(),
            note: format!("Worked out from its components: {}", parts.join(", ")),
            at: None,
            units: derived.on_hand,
        });
        return Ok(all);
    }
    let held = item
        .map(|item| rx.on_hand(route.from, &item.key))
        .transpose()?;
    if let Some(held) = held.flatten() {
        let here: BTreeSet<&String> = route
            .places
            .iter()
            .filter(|(_, code)| **code == derived.warehouse)
            .map(|(place, _)| place)
            .collect();
        for count in &held.counts {
            let name = place_name(rx, route.from, &count.warehouse)?;
            let units = levels::whole(count.units);
            if here.contains(&count.warehouse) {
                all.push(StockStep {
                    text: format!("Free in {name}"),
                    note: format!("{source}: in stock less what is allocated"),
                    at: Some(held.at),
                    units,
                });
            } else if !route.places.contains_key(&count.warehouse) && units > 0 {
                all.push(StockStep {
                    text: format!("In {name}: {units}"),
                    note: format!(
                        "Does not count: not matched to a warehouse of {}, or left out by your setting",
                        shown.target
                    ),
                    at: Some(held.at),
                    units: 0,
                });
            }
        }
    }
    let sum: i64 = all.iter().map(|step| step.units).sum();
    if all.is_empty() || sum != derived.on_hand {
        all.retain(|step| step.units == 0);
        all.push(StockStep {
            text: "Free in all warehouses that count".to_owned(),
            note: source.clone(),
            at: None,
            units: derived.on_hand,
        });
    }
    Ok(all)
}

fn place_name(rx: &Rx, from: ConnectionId, key: &str) -> Result<String, StoreError> {
    let known = rx.latest_document(from, Entity::Warehouse, key)?;
    Ok(match known.map(|stored| stored.document.body) {
        Some(Body::Warehouse(warehouse)) if !warehouse.name.is_empty() => warehouse.name,
        _ => format!("warehouse {key}"),
    })
}
