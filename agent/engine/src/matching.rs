//! Items that orders name, and which product of the receiving system each one is: naming them as orders come in, the
//! page's list, matching by hand and taking it back. How an item stands is kept by the store in the same commits.

use crate::catalogue;
use crate::core::{Core, Desk};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::view::SuggestionView;
use serde::Serialize;
use waybill_model::contract::{Descriptor, Gap, Problem};
use waybill_model::crosswalk::{self, Standing};
use waybill_model::document::{Entity, Order};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{NamedItemRow, NamedQuery, NewNamedItem, Read, Rx, StoreError, Tx};

/// Which items to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemsQuery {
    /// Only of that standing.
    pub standing: Option<Standing>,
    /// Only of that retailer (its code).
    pub retailer: Option<String>,
    /// Start of an identifier, or words of the title.
    pub search: Option<String>,
    /// Only after that retailer and value: `next` of the list before.
    pub after: Option<(String, String)>,
    /// At most so many.
    pub limit: usize,
}

/// A product of the receiving system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductView {
    /// Its key.
    pub key: String,
    /// Its title, with the identifier people know it by.
    pub title: String,
}

/// An item as orders of one retailer name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedItemView {
    /// Retailer's code.
    pub retailer: String,
    /// Retailer's name.
    pub retailer_name: String,
    /// What the orders call it.
    pub value: String,
    /// Its title on the newest order.
    pub title: String,
    /// How it is matched.
    pub standing: Standing,
    /// The product it is matched with.
    pub product: Option<ProductView>,
    /// Who matched it by hand, and when.
    pub by: Option<(String, Millis)>,
    /// The match by hand holds for all retailers.
    pub for_all: bool,
    /// What it probably is; empty where it is matched.
    pub suggestions: Vec<SuggestionView>,
    /// Orders that wait for it.
    pub waiting: u64,
}

/// A page of items.
#[derive(Debug, Clone, Serialize)]
pub struct ItemsView {
    /// Where the orders come from; `None` where no orders are routed yet.
    pub route: Option<(ConnectionId, ConnectionId)>,
    /// Title of the system the orders come from.
    pub source: String,
    /// Title of the system that holds the products.
    pub target: String,
    /// Identifiers that are compared where no retailer says otherwise: on the order, and of the product.
    pub compared: (String, String),
    /// Items by standing, of the retailer asked for or of all.
    pub counts: Vec<(Standing, u64)>,
    /// Retailers whose orders name items: code and name.
    pub retailers: Vec<(String, String)>,
    /// By retailer and value.
    pub rows: Vec<NamedItemView>,
    /// Pass as `after` for the next page.
    pub next: Option<(String, String)>,
}

/// The route that orders take; the first one where there are several. Before there is any, the one they would take: what is
/// read in the set-up can be matched then.
pub(crate) fn order_route(desk: &Desk) -> Option<(ConnectionId, ConnectionId)> {
    let mut routes = desk.routes.iter().filter(|r| r.entity == Entity::Order);
    let first = routes.next().map(|r| (r.from, r.to));
    first.or_else(|| {
        let described = || {
            desk.slots
                .iter()
                .filter_map(|(id, of)| Some((*id, of.descriptor()?)))
        };
        let takes = |d: &Descriptor| d.intake(Entity::Order).is_some();
        let gives = |d: &Descriptor| d.feed(Entity::Order).is_some() && !takes(d);
        let (from, _) = described().find(|(_, d)| gives(d))?;
        let (to, _) = described().find(|(_, d)| takes(d))?;
        Some((from, to))
    })
}

/// Names the items of an order that came in.
pub(crate) fn name_items(
    tx: &mut Tx<'_>,
    desk: &Desk,
    from: ConnectionId,
    order: &Order,
    now: Millis,
) -> Result<(), StoreError> {
    let (source_kind, target_kind) = catalogue::compared(tx, Some(from), Some(&order.retailer))?;
    let routes = desk.routes.iter();
    for route in routes.filter(|r| r.entity == Entity::Order && r.from == from) {
        for line in &order.lines {
            let Some(value) = line.identifier(&source_kind) else {
                continue;
            };
            let filled = line
                .identifiers
                .iter()
                .filter(|i| !i.value.trim().is_empty());
            let new = NewNamedItem {
                from,
                to: route.to,
                retailer: &order.retailer,
                retailer_name: &order.retailer_name,
                value,
                title: &line.title,
                identifiers: filled.map(|i| (i.kind.clone(), i.value.clone())).collect(),
                source_kind: &source_kind,
                target_kind: &target_kind,
            };
            tx.name_item(&new, now)?;
        }
    }
    Ok(())
}

/// The identifiers that are compared may have changed: every retailer's items are looked for again.
pub(crate) fn compare_again(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for route in tx.routes()? {
        if route.entity != Entity::Order {
            continue;
        }
        for count in tx.named_counts(route.from, route.to)? {
            let (source, target) =
                catalogue::compared(tx, Some(route.from), Some(&count.retailer))?;
            tx.compare_items_by(route.from, route.to, &count.retailer, &source, &target)?;
        }
    }
    Ok(())
}

fn items(core: &Core, rx: &Rx, query: &ItemsQuery) -> Result<ItemsView, StoreError> {
    let desk = core.desk();
    let route = order_route(&desk);
    let compared = catalogue::compared(rx, route.map(|(from, _)| from), query.retailer.as_deref())?;
    let Some((from, to)) = route else {
        return Ok(ItemsView {
            route: None,
            source: String::new(),
            target: String::new(),
            compared,
            counts: Vec::new(),
            retailers: Vec::new(),
            rows: Vec::new(),
            next: None,
        });
    };
    let limit = query.limit.clamp(1, 500);
    let counted = rx.named_counts(from, to)?;
    let wanted = query.retailer.as_deref();
    let counts = Standing::ALL.iter().map(|standing| {
        let of = counted
            .iter()
            .filter(|c| wanted.is_none_or(|w| w == c.retailer));
        let all = of.filter_map(|c| c.items.get(standing)).sum();
        (*standing, all)
    });
    let search = query.search.as_deref().map(str::trim);
    let (found, next) = if let Some(text) = search.filter(|s| !s.is_empty()) {
        let mut found = rx.search_named(from, to, text, limit)?;
        found.retain(|row| wanted.is_none_or(|w| w == row.retailer));
        (found, None)
    } else {
        let listed = NamedQuery {
            standing: query.standing,
            retailer: wanted,
            after: query.after.as_ref().map(|(r, v)| (r.as_str(), v.as_str())),
            limit: limit + 1,
        };
        let mut found = rx.named_items(from, to, &listed)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        let next = last.map(|row| (row.retailer.clone(), row.value.clone()));
        (found, next)
    };
    let name = |code: &str| {
        let known = counted.iter().find(|c| c.retailer == code);
        let name = known.map(|c| c.name.as_str()).filter(|n| !n.is_empty());
        name.unwrap_or(code).to_owned()
    };
    let rows = found
        .iter()
        .map(|row| named_view(rx, row, name(&row.retailer)));
    Ok(ItemsView {
        route: Some((from, to)),
        source: desk.title(from),
        target: desk.title(to),
        compared,
        counts: counts.collect(),
        retailers: counted
            .iter()
            .map(|c| (c.retailer.clone(), name(&c.retailer)))
            .collect(),
        rows: rows.collect::<Result<_, _>>()?,
        next,
    })
}

fn named_view(
    rx: &Rx,
    row: &NamedItemRow,
    retailer_name: String,
) -> Result<NamedItemView, StoreError> {
    let gap = Gap {
        table: crosswalk::ITEMS.to_owned(),
        retailer: Some(row.retailer.clone()),
        value: row.value.clone(),
    };
    let matched = matches!(row.standing, Standing::ByHand | Standing::Automatic);
    let product = match row.keys.first().filter(|_| matched) {
        Some(key) => {
            let item = rx.item(row.to, key)?;
            Some(ProductView {
                key: key.clone(),
                title: item.map_or_else(
                    || "not in the catalogue".to_owned(),
                    |item| catalogue::product(&item, &row.target_kind),
                ),
            })
        }
        None => None,
    };
    let cell = |retailer: Option<&str>| {
        rx.cell_row(row.from, row.to, crosswalk::ITEMS, retailer, &row.value)
    };
    let (by, for_all) = match row.standing {
        Standing::ByHand => match cell(Some(&row.retailer))? {
            Some(own) => (Some((own.who, own.at)), false),
            None => (cell(None)?.map(|all| (all.who, all.at)), true),
        },
        _ => (None, false),
    };
    let (suggestions, waiting) = if matched {
        (Vec::new(), 0)
    } else {
        (
            catalogue::suggestions(rx, row.from, row.to, &gap)?,
            rx.gap_jobs(row.from, row.to, &gap)?.len() as u64,
        )
    };
    Ok(NamedItemView {
        retailer: row.retailer.clone(),
        retailer_name,
        value: row.value.clone(),
        title: row.title.clone(),
        standing: row.standing,
        product,
        by,
        for_all,
        suggestions,
        waiting,
    })
}

impl Handle {
    /// Items that orders name, with their matches.
    pub async fn items(&self, query: ItemsQuery) -> Result<ItemsView, CommandError> {
        self.read(move |core, rx| items(core, rx, &query)).await
    }

    /// Takes a match by hand back: the cell is emptied, and what was found automatically holds again. Orders that were
    /// created with it stay as they are.
    ///
    /// # Errors
    /// `NotFound` when that cell is empty.
    pub async fn empty_cell(
        &self,
        from: ConnectionId,
        to: ConnectionId,
        cell: Gap,
        who: &str,
    ) -> Result<(), CommandError> {
        let (who, now) = (who.to_owned(), self.now());
        let what = format!("match for `{}`; it may be taken back by now", cell.value);
        let emptied = self
            .core
            .store
            .write(move |tx| empty(tx, from, to, &cell, &who, now))
            .await?;
        if !emptied {
            return Err(CommandError::NotFound(what));
        }
        self.core.wake(Event::Changed);
        Ok(())
    }

    /// The route that orders take, where there is one.
    ///
    /// # Errors
    /// `Refused` while no orders are routed.
    pub fn order_route(&self) -> Result<(ConnectionId, ConnectionId), CommandError> {
        order_route(&self.core.desk()).ok_or_else(|| {
            CommandError::Refused(Problem::new(
                "no-route",
                "No orders are routed yet.",
                "Declare a route for orders with `waybill apply`.",
            ))
        })
    }
}

/// Empties a cell; whether it was filled.
pub(crate) fn empty(
    tx: &mut Tx<'_>,
    from: ConnectionId,
    to: ConnectionId,
    cell: &Gap,
    who: &str,
    now: Millis,
) -> Result<bool, StoreError> {
    let retailer = cell.retailer.as_deref();
    let Some(old) = tx.cell_row(from, to, &cell.table, retailer, &cell.value)? else {
        return Ok(false);
    };
    tx.set_cell(
        from,
        to,
        &cell.table,
        retailer,
        &cell.value,
        None,
        None,
        who,
        now,
    )?;
    let detail = format!("{}: {} was {}", cell.table, cell.value, old.code);
    tx.audit(who, "Took a match back", &detail, now)?;
    Ok(true)
}
