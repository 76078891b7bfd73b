//! Owns the state of the DSCO sandbox and the way of one request through it: route, body limit, token, rate limit, then
//! the endpoint. Must not know sockets or the wall clock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::answers;
use super::book::{Book, Snapshot};
use super::events::{Events, What};
use super::inventory::Inventory;
use super::invoices::Invoices;
use super::limits::Limits;
use super::log::{Journal, Logs};
use super::route::Route;
use super::settings::Settings;
use super::streams::Stream;
use super::writes::Write;
use crate::dice::Dice;
use crate::vendor::{Req, Resp, Vendor};

/// Something that happens later.
#[derive(Debug)]
pub(crate) enum Task {
    /// A received order becomes created.
    Release(usize),
    /// The retailer cancels the whole order, with this code and extra visibility lag.
    RetailerCancel {
        at: usize,
        code: String,
        extra_ms: i64,
    },
    /// A queued write takes effect.
    Write(Box<Write>),
    /// A change becomes visible.
    Show {
        at: usize,
        snapshot: Arc<Snapshot>,
        events: Vec<What>,
    },
}

/// A search that can be scrolled: places of orders, or of log entries.
#[derive(Debug)]
pub(crate) struct Scroll {
    pub(crate) found: Vec<usize>,
    pub(crate) per_page: usize,
    pub(crate) touched: i64,
}

/// How long a scroll lives between two pages.
pub(crate) const SCROLL_LIFE_MS: i64 = 5 * 60_000;

/// The DSCO sandbox.
#[derive(Debug)]
pub struct Sandbox {
    pub(crate) settings: Settings,
    pub(crate) dice: Dice,
    pub(crate) tokens: HashMap<String, i64>,
    pub(crate) limits: Limits,
    pub(crate) book: Book,
    pub(crate) events: Events,
    pub(crate) streams: BTreeMap<String, Stream>,
    pub(crate) logs: Logs,
    pub(crate) inventory: Inventory,
    pub(crate) invoices: Invoices,
    /// Request ids of large batches whose file is awaited, and whether unknown items are left out.
    pub(crate) uploads: HashMap<String, bool>,
    pub(crate) scrolls: HashMap<u64, Scroll>,
    pub(crate) next_scroll: u64,
    pub(crate) next_order: u64,
    pub(crate) next_po: u64,
    pub(crate) next_package: u64,
    pub(crate) catalogue: Vec<crate::catalogue::SeedProduct>,
    pub(crate) retailers: Vec<crate::catalogue::Retailer>,
    /// Warehouses that may be named. Stock is told of the seeded ones only.
    pub(crate) warehouses: Vec<crate::catalogue::Warehouse>,
    /// The file side, where it is switched on.
    pub(crate) folder: Option<super::folder::Folder>,
    tasks: BTreeMap<(i64, u64), Task>,
    next_task: u64,
}

impl Sandbox {
    /// An empty sandbox with the usual settings.
    pub fn new(seed: u64) -> Self {
        let catalogue = crate::catalogue::products(crate::catalogue::PRODUCTS);
        Self {
            settings: Settings::default(),
            dice: Dice::new(seed),
            tokens: HashMap::new(),
            limits: Limits::default(),
            book: Book::default(),
            events: Events::default(),
            streams: BTreeMap::new(),
            logs: Logs::default(),
            inventory: Inventory::of(&catalogue),
            invoices: Invoices::default(),
            uploads: HashMap::new(),
            scrolls: HashMap::new(),
            next_scroll: 1,
            next_order: 1_000_400_001,
            next_po: 1001,
            next_package: 70_001,
            catalogue,
            retailers: crate::catalogue::RETAILERS.to_vec(),
            warehouses: crate::catalogue::WAREHOUSES.to_vec(),
            folder: None,
            tasks: BTreeMap::new(),
            next_task: 0,
        }
    }

    /// As [`Sandbox::new`], with a JSON object merged into the settings.
    ///
    /// # Errors
    /// A sentence naming the field that is not known or not valid.
    pub fn with_settings(seed: u64, change: &Value) -> Result<Self, String> {
        let mut sandbox = Self::new(seed);
        sandbox.settings = sandbox.settings.merged(change)?;
        Ok(sandbox)
    }

    /// With one more retailer, who trades in that currency; one of the same account takes that name.
    #[must_use]
    pub fn with_retailer(mut self, account: &str, name: &str, currency: &str) -> Self {
        self.retailers.retain(|known| known.account_id != account);
        self.retailers.push(crate::catalogue::Retailer {
            account_id: crate::catalogue::kept(account),
            partner_id: "REHEARSAL",
            name: crate::catalogue::kept(name),
            status: "active",
            currency: crate::catalogue::kept(currency),
        });
        self
    }

    /// With warehouses of somebody else's, code and name; of a code that is known already the first stays.
    #[must_use]
    pub fn with_warehouses(mut self, more: &[(String, String)]) -> Self {
        for (code, name) in more {
            if self.warehouses.iter().any(|known| known.code == code) {
                continue;
            }
            let number = 5_000_000_001 + self.warehouses.len();
            self.warehouses.push(crate::catalogue::Warehouse {
                code: crate::catalogue::kept(code),
                network_id: crate::catalogue::kept(&number.to_string()),
                name: crate::catalogue::kept(name),
                ..crate::catalogue::WAREHOUSES[0]
            });
        }
        self
    }

    /// Lets something happen at `due`.
    pub(crate) fn schedule(&mut self, due: i64, task: Task) {
        self.tasks.insert((due, self.next_task), task);
        self.next_task += 1;
    }

    /// Keeps a search and returns its number.
    pub(crate) fn keep_scroll(&mut self, now: i64, found: Vec<usize>, per_page: usize) -> u64 {
        self.scrolls
            .retain(|_, s| s.touched + SCROLL_LIFE_MS >= now);
        let id = self.next_scroll;
        self.next_scroll += 1;
        self.scrolls.insert(
            id,
            Scroll {
                found,
                per_page,
                touched: now,
            },
        );
        id
    }

    /// The places of a scroll's page and whether more may follow; `None` when the scroll is gone.
    pub(crate) fn scroll_page(
        &mut self,
        now: i64,
        id: u64,
        from: usize,
    ) -> Option<(Vec<usize>, bool)> {
        let scroll = self.scrolls.get_mut(&id)?;
        if scroll.touched + SCROLL_LIFE_MS < now {
            self.scrolls.remove(&id);
            return None;
        }
        scroll.touched = now;
        let end = from.saturating_add(scroll.per_page).min(scroll.found.len());
        let page = scroll.found.get(from..end).unwrap_or_default().to_vec();
        let full = page.len() == scroll.per_page;
        Some((page, full))
    }

    fn run(&mut self, due: i64, task: Task) {
        match task {
            Task::Release(at) => self.release(due, at),
            Task::RetailerCancel { at, code, extra_ms } => {
                self.retailer_cancel_whole(due, at, &code, extra_ms);
            }
            Task::Write(write) => self.perform(due, *write),
            Task::Show {
                at,
                snapshot,
                events,
            } => self.show(due, at, &snapshot, events),
        }
    }

    fn dispatch(&mut self, now: i64, req: &Req, route: &Route) -> Resp {
        match route {
            Route::Hello => Resp::json(200, &json!({"hello": "World!"})),
            Route::Order => self.get_order(req),
            Route::OrderPage => self.order_page(now, req),
            Route::OrderLog => self.read_log(now, Journal::Orders, req),
            Route::Acknowledge => self.post_acknowledge(now, req),
            Route::CancelOne => self.post_cancel_one(now, req),
            Route::CancelBatch => self.post_cancel_batch(now, req),
            Route::ShipOne => self.post_single_shipment(now, req),
            Route::ShipBatch => self.post_shipment_batch(now, req),
            Route::StreamList => self.list_streams(now, req),
            Route::StreamCreate => self.create_stream(now, req),
            Route::StreamUpdate(id) => self.update_stream(now, id, req),
            Route::StreamDelete(id) => self.delete_stream(id),
            Route::StreamOperate(id) => self.operate_stream(id, req),
            Route::StreamRead {
                id,
                partition,
                position,
            } => self.read_stream(id, partition, position, None),
            Route::StreamSingle {
                id,
                partition,
                position,
            } => self.read_single(id, partition, position),
            Route::StreamRange {
                id,
                partition,
                start,
                end,
            } => self.read_stream(id, partition, start, Some(end)),
            Route::StreamCheckpoint {
                id,
                partition,
                position,
            } => self.checkpoint(now, id, partition, position),
            Route::Invoices => self.get_invoices(now, req),
            Route::InvoiceLog => self.read_log(now, Journal::Invoices, req),
            Route::InvoiceOne => self.post_invoice_one(now, req),
            Route::InvoiceBatch => self.post_invoice_batch(now, req),
            Route::Inventory => self.get_inventory(req),
            Route::InventoryLog => self.read_log(now, Journal::Inventory, req),
            Route::InventoryOne => self.post_inventory_one(now, req),
            Route::InventoryBatch => self.post_inventory_batch(now, req),
            Route::InventoryLarge => self.post_inventory_large(now, req),
            Route::Upload(id) => self.put_upload(now, id, req),
            Route::Warehouses => self.warehouses(now, req),
            Route::Partners => self.partners(now, req),
            Route::DoubleEncoded => answers::plain(400, "Invalid stream position"),
            Route::Token | Route::Unknown => answers::no_route(),
        }
    }
}

impl Vendor for Sandbox {
    fn entered(&self, api: &str) -> Value {
        json!({
            "API address": format!("{api}/api/v3"),
            "Client id": self.settings.client_id,
            "Client secret": self.settings.client_secret,
            "Private addresses": "ticked",
        })
    }

    fn handle(&mut self, now_ms: i64, req: &Req) -> Resp {
        let route = Route::of(req);
        if route == Route::Unknown {
            return answers::no_route();
        }
        let bounded = !matches!(route, Route::Upload(_));
        if bounded && req.body.len() > self.settings.max_body {
            return answers::plain(413, "Request Entity Too Large");
        }
        if route == Route::Token {
            return self.token(now_ms, req);
        }
        if !self.authorised(now_ms, req) {
            return answers::plain(401, "Unauthorized");
        }
        if self.settings.limits && !self.limits.allow(now_ms, &route) {
            return answers::plain(429, "Too Many Requests");
        }
        self.dispatch(now_ms, req, &route)
    }

    fn control(&mut self, now_ms: i64, req: &Req) -> Resp {
        self.steer(now_ms, req)
    }

    fn tick(&mut self, now_ms: i64) {
        while let Some(entry) = self.tasks.first_entry() {
            let due = entry.key().0;
            if due > now_ms {
                break;
            }
            let task = entry.remove();
            self.run(due, task);
        }
        self.run_jobs(now_ms);
    }

    fn endpoint(&self, req: &Req) -> String {
        Route::of(req).name().to_owned()
    }

    fn truth(&self) -> Value {
        self.whole_truth()
    }

    fn state(&self) -> Value {
        let streams: Vec<Value> = self.streams.values().map(Stream::value).collect();
        let refused = self.folder.as_ref().map(|folder| &folder.refused);
        json!({"files_refused": refused, "settings": self.settings, "streams": streams, "events": self.events.len(),
            "tasks_waiting": self.tasks.len(), "truth": self.whole_truth()})
    }
}
