//! Retailers for the page: what came from each, what is due, what waits for a person, and what holds for it. A look reads
//! a bounded number of open orders and deadlines, however many orders there are.

use crate::catalogue;
use crate::core::{Core, Desk};
use crate::handle::{CommandError, Handle};
use crate::in_force::{self, HeldSetting};
use crate::status;
use crate::stock::view::Counted;
use crate::view::{DeadlineView, OrderView};
use serde::Serialize;
use std::collections::BTreeMap;
use waybill_model::crosswalk::CUSTOMERS;
use waybill_model::document::{Body, Entity};
use waybill_model::ids::{ConnectionId, Millis, OrderId, RetailerId};
use waybill_model::order_state::OrderStage;
use waybill_model::settings;
use waybill_store::{Lists, OrderQuery, OrderRow, Read, Rx, StoreError};

/// Orders, open deadlines and waiting orders are counted up to here.
const COUNTED: usize = 1_000;
/// Retailers on the page.
const LISTED: usize = 500;
/// Rows of each list of one retailer's page.
const SHOWN: usize = 20;

/// A retailer in the list.
#[derive(Debug, Clone, Serialize)]
pub struct RetailerView {
    /// Its number here; `None` while no order has come from it.
    pub id: Option<RetailerId>,
    /// The connection its orders come from.
    pub connection: ConnectionId,
    /// Title of that system.
    pub source: String,
    /// Its code there.
    pub code: String,
    /// Its name, or its code where no name is known.
    pub name: String,
    /// Orders that came since the start of today, and of the week.
    pub today: Counted,
    /// The same of the last seven days.
    pub week: Counted,
    /// Orders that wait for a person.
    pub waiting: Counted,
    /// Open deadlines among the nearest ones of all retailers.
    pub deadlines: Counted,
    /// How many of them are past.
    pub late: usize,
    /// Its customer in the ERP: key, and name where known.
    pub customer: Option<(String, String)>,
    /// Whether a customer is created by itself.
    pub customer_created: bool,
    /// Whether each of its orders has a customer of its own, made of the consumer.
    pub customer_per_order: bool,
    /// Settings of its own.
    pub own_settings: usize,
}

/// One retailer, whole.
#[derive(Debug, Clone, Serialize)]
pub struct RetailerDetail {
    /// The list's columns.
    pub retailer: RetailerView,
    /// Open deadlines, nearest first.
    pub deadlines: Vec<DeadlineView>,
    /// Orders that wait for a person.
    pub waiting: Vec<OrderView>,
    /// Newest orders.
    pub orders: Vec<OrderView>,
    /// Pass as `before` for older ones.
    pub next: Option<OrderId>,
    /// What holds of the settings that may differ.
    pub settings: Vec<HeldSetting>,
    /// What its connection has for it of other settings: connection, key, value.
    pub at_connections: Vec<(String, String, String)>,
}

/// From when on orders are counted.
#[derive(Debug, Clone, Copy)]
pub struct Since {
    /// Start of today where the merchant is.
    pub today: Millis,
    /// Start of the week.
    pub week: Millis,
}

/// A retailer's place: its connection and its code there.
pub(crate) type Place = (ConnectionId, String);

fn place(row: &OrderRow) -> Place {
    (row.connection, row.retailer.clone())
}

fn counted(items: usize) -> Counted {
    Counted {
        items,
        or_more: items >= COUNTED,
    }
}

/// What is open, of all retailers together: one look serves the whole list.
#[derive(Default)]
struct Open {
    waiting: Vec<OrderRow>,
    deadlines: Vec<(waybill_store::DeadlineKind, Millis, OrderId)>,
    orders: BTreeMap<OrderId, OrderRow>,
}

impl Open {
    fn of(rx: &Rx) -> Result<Self, StoreError> {
        let waiting = rx.orders(OrderQuery {
            stage: Some(OrderStage::Waiting),
            before: None,
            limit: COUNTED,
        })?;
        let mut open = Self {
            waiting,
            ..Self::default()
        };
        for (at, kind, id) in rx.deadlines(Millis::MIN, COUNTED)? {
            if !open.orders.contains_key(&id)
                && let Some(row) = rx.order(id)?
            {
                open.orders.insert(id, row);
            }
            open.deadlines.push((kind, at, id));
        }
        Ok(open)
    }

    fn waiting_of<'a>(&'a self, of: &'a Place) -> impl Iterator<Item = &'a OrderRow> {
        self.waiting.iter().filter(move |row| place(row) == *of)
    }

    fn deadlines_of<'a>(
        &'a self,
        of: &'a Place,
    ) -> impl Iterator<Item = (waybill_store::DeadlineKind, Millis, &'a OrderRow)> {
        let all = self.deadlines.iter();
        all.filter_map(move |(kind, at, id)| {
            let row = self.orders.get(id)?;
            (place(row) == *of).then_some((*kind, *at, row))
        })
    }

    /// Whether there may be more than were looked at.
    fn is_cut(&self) -> bool {
        self.deadlines.len() >= COUNTED
    }
}

/// What a list of retailers is made with.
struct Look<'a> {
    desk: &'a Desk,
    rx: &'a Rx,
    open: Open,
    first: (OrderId, OrderId),
    now: Millis,
}

impl<'a> Look<'a> {
    fn new(core: &Core, desk: &'a Desk, rx: &'a Rx, since: Since) -> Result<Self, StoreError> {
        Ok(Self {
            desk,
            rx,
            open: Open::of(rx)?,
            first: (
                rx.first_order_since(since.today)?,
                rx.first_order_since(since.week)?,
            ),
            now: core.now(),
        })
    }

    fn customer(&self, of: &Place) -> Result<Option<(String, String)>, StoreError> {
        let routes = self.desk.routes.iter();
        let mut targets = routes.filter(|r| r.entity == Entity::Order && r.from == of.0);
        let Some(to) = targets.next().map(|r| r.to) else {
            return Ok(None);
        };
        let Some(key) = self.rx.cell(of.0, to, CUSTOMERS, &of.1, &of.1)? else {
            return Ok(None);
        };
        let name = catalogue::name_of(self.rx, to, CUSTOMERS, &key)?;
        Ok(Some((key, name.unwrap_or_default())))
    }

    fn view(
        &self,
        id: Option<RetailerId>,
        of: &Place,
        name: &str,
    ) -> Result<RetailerView, StoreError> {
        let since = |first| match id {
            Some(id) => self.rx.orders_since(id, first, COUNTED).map(counted),
            None => Ok(counted(0)),
        };
        let values = self.rx.effective(Some(of.0), Some(&of.1))?;
        let defaults = settings::agent_settings();
        let mode = settings::value(&values, settings::CUSTOMERS, &defaults);
        let deadlines = self.open.deadlines_of(of).count();
        Ok(RetailerView {
            id,
            connection: of.0,
            source: self.desk.title(of.0),
            code: of.1.clone(),
            name: if name.is_empty() { &of.1 } else { name }.to_owned(),
            today: since(self.first.0)?,
            week: since(self.first.1)?,
            waiting: Counted {
                items: self.open.waiting_of(of).count(),
                or_more: self.open.waiting.len() >= COUNTED,
            },
            deadlines: Counted {
                items: deadlines,
                or_more: self.open.is_cut(),
            },
            late: self
                .open
                .deadlines_of(of)
                .filter(|(_, at, _)| *at < self.now)
                .count(),
            customer: self.customer(of)?,
            customer_created: mode == Some(settings::CUSTOMER_PER_RETAILER),
            customer_per_order: mode == Some(settings::CUSTOMER_PER_ORDER),
            own_settings: in_force::set_at(self.rx, of.0, Some(&of.1))?.len(),
        })
    }
}

/// Retailers by name: those that sent an order, then those a network has told us of.
pub(crate) fn known(
    desk: &Desk,
    rx: &(impl Read + Lists),
) -> Result<BTreeMap<Place, (Option<RetailerId>, String)>, StoreError> {
    let mut known = BTreeMap::new();
    let sources = desk.routes.iter().filter(|r| r.entity == Entity::Order);
    for source in sources {
        for row in rx.latest_documents(source.from, Entity::Retailer, None, LISTED)? {
            if let Body::Retailer(retailer) = row.document.body {
                known.insert((source.from, retailer.code), (None, retailer.name));
            }
        }
    }
    for row in rx.retailers()? {
        let told = known.entry((row.connection, row.code)).or_default();
        told.0 = Some(row.id);
        if !row.name.is_empty() {
            told.1 = row.name;
        }
    }
    Ok(known)
}

/// Their names by code; a code stands for itself where no name is known.
pub(crate) fn names(
    desk: &Desk,
    rx: &(impl Read + Lists),
) -> Result<BTreeMap<String, String>, StoreError> {
    let known = known(desk, rx)?.into_iter();
    let named = known.map(|((_, code), (_, name))| {
        let name = if name.is_empty() { &code } else { &name };
        (code.clone(), name.clone())
    });
    Ok(named.collect())
}

fn list(core: &Core, rx: &Rx, since: Since) -> Result<Vec<RetailerView>, StoreError> {
    let desk = core.desk();
    let look = Look::new(core, &desk, rx, since)?;
    let all = known(&desk, rx)?.into_iter().take(LISTED);
    let mut views = all
        .map(|(place, (id, name))| look.view(id, &place, &name))
        .collect::<Result<Vec<_>, _>>()?;
    views.sort_by_cached_key(|view| (view.id.is_none(), view.name.to_lowercase(), view.connection));
    Ok(views)
}

fn one(
    core: &Core,
    rx: &Rx,
    of: &Place,
    before: Option<OrderId>,
    since: Since,
) -> Result<Option<RetailerDetail>, StoreError> {
    let desk = core.desk();
    let Some((id, name)) = known(&desk, rx)?.remove(of) else {
        return Ok(None);
    };
    let look = Look::new(core, &desk, rx, since)?;
    let rows = match id {
        Some(id) => rx.orders_of(id, before, SHOWN)?,
        None => Vec::new(),
    };
    let deadlines = look.open.deadlines_of(of).take(SHOWN);
    let deadlines = deadlines.filter_map(|(kind, at, row)| {
        let kind = status::deadline_kind(kind);
        let dates = status::deadlines_of(row).into_iter();
        let mut same = dates.filter(|(other, _, _)| *other == kind);
        same.next().map(|(_, _, set_by)| DeadlineView {
            kind,
            at,
            set_by,
            order: status::order_view(&desk, row),
        })
    });
    let held = in_force::held(rx, of.0, &of.1)?;
    let own = in_force::set_at(rx, of.0, Some(&of.1))?.into_iter();
    let at_connections = own.filter_map(|row| {
        let told = held.iter().any(|setting| setting.key == row.key);
        let slot = desk.slots.get(&row.scope.connection.filter(|_| !told)?)?;
        Some((slot.row.title.clone(), row.key, row.value))
    });
    Ok(Some(RetailerDetail {
        retailer: look.view(id, of, &name)?,
        deadlines: deadlines.collect(),
        waiting: look
            .open
            .waiting_of(of)
            .take(SHOWN)
            .map(|row| status::order_view(&desk, row))
            .collect(),
        next: rows
            .last()
            .filter(|_| rows.len() == SHOWN)
            .map(|row| row.id),
        orders: rows
            .iter()
            .map(|row| status::order_view(&desk, row))
            .collect(),
        at_connections: at_connections.collect(),
        settings: held,
    }))
}

impl Handle {
    /// Every retailer, by name.
    pub async fn retailers(&self, since: Since) -> Result<Vec<RetailerView>, CommandError> {
        self.read(move |core, rx| list(core, rx, since)).await
    }

    /// One retailer, and its orders before that one.
    pub async fn retailer(
        &self,
        connection: ConnectionId,
        code: &str,
        before: Option<OrderId>,
        since: Since,
    ) -> Result<Option<RetailerDetail>, CommandError> {
        let place = (connection, code.to_owned());
        self.read(move |core, rx| one(core, rx, &place, before, since))
            .await
    }
}
