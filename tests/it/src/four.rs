//! Two networks and two ERPs in one engine. Their keys, numbers, items and retailers are the same on purpose: whatever is
//! looked up without its connection finds somebody else's. Must not know what a test does with them.

use crate::bench::{Side, held, item, order};
use crate::simulation::{SimClock, connection, open};
use crate::start::{self, Start};
use crate::world::{Chance, SeededRng};
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use waybill_engine::alert::{Mail, Messenger, NotDelivered, Way};
use waybill_engine::connectors::{Binding, CallsUsed, Connectors};
use waybill_engine::{EngineOptions, EngineParts, Handle};
use waybill_host::connector::Connector;
use waybill_host::ports::Clock;
use waybill_model::contract::{Delivery, Descriptor, Outcome, Receipt, Role};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Entity, Order};
use waybill_model::ids::ConnectionId;
use waybill_store::sim_disk::SimDisk;
use waybill_store::{OrderRow, Read, RouteRow, Scope, Store, StoreError, Tx};

/// The networks.
pub const A: ConnectionId = ConnectionId(1);
/// The other one.
pub const B: ConnectionId = ConnectionId(2);
/// The ERPs.
pub const X: ConnectionId = ConnectionId(3);
/// The other one.
pub const Y: ConnectionId = ConnectionId(4);

const START: Start = Start {
    max_batch: 4,
    route: true,
    cancels: true,
    stock: true,
    invoices: true,
    settings: &[],
    poll_secs: 5,
    gather_secs: 1,
};

struct Sides(Vec<Arc<Side>>);

impl Connectors for Sides {
    fn descriptors(&self) -> Vec<Descriptor> {
        let all = self.0.iter().map(|side| side.own_descriptor().clone());
        all.collect()
    }
    fn bind(&self, _: &str, binding: Binding) -> Result<Arc<dyn Connector>, String> {
        let at = binding.connection.0 as usize - 1;
        match self.0.get(at) {
            Some(side) => Ok(side.clone()),
            None => Err(format!("no side {at}")),
        }
    }
    fn calls_used(&self, _: ConnectionId) -> CallsUsed {
        CallsUsed::default()
    }
}

/// The engine between four sides.
pub struct Four {
    /// Its database.
    pub store: Store,
    /// Its door.
    pub handle: Handle,
    clock: Arc<dyn Clock>,
    sides: Vec<Arc<Side>>,
    /// What each side was told, in words, in the order it came.
    told: [Arc<Mutex<Vec<String>>>; 4],
    /// The same as it was handed over, settings included.
    handed: [Arc<Mutex<Vec<Delivery>>>; 4],
    mails: Arc<Mails>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

/// Keeps mails.
#[derive(Default)]
struct Mails(Mutex<Vec<String>>);

#[async_trait]
impl Messenger for Mails {
    async fn mail(&self, mail: &Mail) -> Result<(), NotDelivered> {
        held(&self.0).push(mail.text.clone());
        Ok(())
    }
    async fn call(
        &self,
        _: &SecretString,
        _: Option<Vec<u8>>,
        _: bool,
    ) -> Result<(), NotDelivered> {
        Ok(())
    }
}

/// What a side is told, as far as it is the same however busy the engine was.
fn words(document: &Document) -> Option<String> {
    let lines = |lines: &[waybill_model::document::LineQuantity]| -> String {
        let all = lines
            .iter()
            .map(|l| format!("{}x{}", l.line, l.quantity.normal()));
        all.collect::<Vec<_>>().join(",")
    };
    Some(match &document.body {
        Body::Order(order) => format!("order {} {}", document.key, order.number),
        Body::Customer(customer) => format!("customer {} {}", customer.code, customer.address.name),
        Body::Shipment(shipment) => {
            let parcels = shipment.parcels.iter().map(|p| {
                let units: Decimal = p.lines.iter().fold(Decimal::ZERO, |sum, l| {
                    sum.checked_add(l.quantity).unwrap_or(sum)
                });
                format!("{:?} {}", p.tracking, units.normal())
            });
            let parcels: Vec<_> = parcels.collect();
            format!(
                "shipment {} {} {parcels:?}",
                document.key, shipment.order_key
            )
        }
        Body::Invoice(invoice) => format!("invoice {} {}", invoice.number, invoice.total.gross),
        Body::Cancellation(cancel) => format!(
            "cancel {} {:?} {:?} {}",
            cancel.order_key,
            cancel.phase,
            cancel.reason,
            lines(&cancel.lines)
        ),
        _ => return None,
    })
}

impl Four {
    /// Starts an engine: orders go from A to X, and from B to the ERP that is named; what follows comes back.
    ///
    /// # Panics
    /// When the store or the engine does not open.
    pub fn start(erp_of_b: ConnectionId) -> Self {
        Self::start_with(erp_of_b, |_| Ok(()))
    }

    /// The same, with more in the store before the engine starts.
    ///
    /// # Panics
    /// When the store or the engine does not open.
    pub fn start_with(
        erp_of_b: ConnectionId,
        more: impl Fn(&mut Tx<'_>) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SimClock {
            start: tokio::time::Instant::now(),
        });
        let store = open(&SimDisk::new(1));
        set_up(&store, erp_of_b);
        store.write_blocking(more).expect("what is more is stored");
        let source = [Role::Source, Role::Listing, Role::Sink, Role::Tickets];
        let network = || Side::new(start::network(START), &source, clock.clone());
        let erp = || {
            let roles = [Role::Source, Role::Sink];
            let descriptor = start::erp(START.max_batch, START.poll_secs);
            let side = Side::new(descriptor, &roles, clock.clone());
            held(&side.documents).extend((0..5).map(|n| item(&format!("SKU-{n}"), &n.to_string())));
            side
        };
        let sides = vec![network(), network(), erp(), erp()];
        let told: [Arc<Mutex<Vec<String>>>; 4] = Default::default();
        let handed: [Arc<Mutex<Vec<Delivery>>>; 4] = Default::default();
        for ((side, told), handed) in sides.iter().zip(&told).zip(&handed) {
            listen(side, told.clone(), handed.clone());
        }
        let mails = Arc::new(Mails::default());
        let parts = EngineParts {
            store: store.clone(),
            clock: clock.clone(),
            rng: Arc::new(SeededRng(Mutex::new(Chance::new(7)))),
            connectors: Arc::new(Sides(sides.clone())),
            options: EngineOptions {
                messenger: Some(Way(mails.clone())),
                ..EngineOptions::default()
            },
            observer: None,
        };
        let (handle, stop, running) = crate::start::engine(parts);
        Self {
            store,
            handle,
            clock,
            sides,
            told,
            handed,
            mails,
            stop,
            running,
        }
    }

    /// Tells people what they must hear, until the engine is stopped.
    pub fn tell_people(&self) {
        let told = self.handle.clone().run_alerts(self.stop.clone());
        tokio::spawn(told);
    }

    /// Texts of the mails that left.
    pub fn mails(&self) -> Vec<String> {
        held(&self.mails.0).clone()
    }

    /// A side.
    pub fn side(&self, id: ConnectionId) -> &Side {
        &self.sides[id.0 as usize - 1]
    }

    /// A side hands this out.
    pub fn hand_out(&self, id: ConnectionId, document: Document) {
        held(&self.side(id).documents).push(document);
    }

    /// What a side was told, sorted: the order between sides' documents is not fixed.
    pub fn told(&self, id: ConnectionId) -> Vec<String> {
        let mut all = held(&self.told[id.0 as usize - 1]).clone();
        all.sort();
        all
    }

    /// What a side was handed, in the order it came.
    pub fn handed(&self, id: ConnectionId) -> Vec<Delivery> {
        held(&self.handed[id.0 as usize - 1]).clone()
    }

    /// Lets that much time pass.
    ///
    /// # Panics
    /// When the engine ended by itself.
    pub async fn pass(&self, secs: u64) {
        self.clock.sleep_ms(secs * 1000).await;
        assert!(!self.running.is_finished(), "the engine ended by itself");
    }

    /// An order by its key at a network.
    ///
    /// # Panics
    /// When it is not there.
    pub fn order(&self, network: ConnectionId, key: &str) -> OrderRow {
        let found = self.store.read(|rx| rx.order_by_key(network, key));
        found.expect("the store reads").expect("the order is there")
    }

    /// Stops the engine and compares the store with itself.
    ///
    /// # Panics
    /// When the engine ended in error, or the store disagrees with itself.
    pub async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("the engine stops");
        let wrong = self.store.verify().expect("the store reads");
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

/// An order of a network: the same key and item as the other's, another number and price.
pub fn placed(network: ConnectionId, key: &str, revision: u32, cancelled: i64) -> Document {
    order(key, revision, |order: &mut Order| {
        order.number = number(network, key);
        order.retailer_name = format!("Retailer of {network}");
        for line in &mut order.lines {
            line.unit_price = Some(Decimal::new(1_000 * i64::from(network.0), 2));
            line.cancelled = Decimal::whole(cancelled);
        }
        order.total = None;
    })
}

/// Its number.
pub fn number(network: ConnectionId, key: &str) -> String {
    format!("PO-{network}-{key}")
}

fn listen(side: &Side, told: Arc<Mutex<Vec<String>>>, handed: Arc<Mutex<Vec<Delivery>>>) {
    let mut sale = 500_u32;
    let settled = told.clone();
    *held(&side.on_settle) = Box::new(move |moment, batch| {
        let said = batch.iter().map(|s| {
            let links: BTreeSet<_> = s.links.iter().map(|l| l.key.clone()).collect();
            let verdict = Ok(Outcome::Done(Receipt {
                key: s.key.clone(),
                number: None,
                duplicate: false,
                links: Vec::new(),
            }));
            held(&settled).push(format!("settle {moment} {} {}", s.key, links.len()));
            verdict
        });
        Ok(said.collect())
    });
    *held(&side.on_push) = Box::new(move |batch| {
        held(&handed).extend_from_slice(batch);
        let mut one = |delivery: &Delivery| {
            held(&told).extend(words(&delivery.document));
            let key = match delivery.document.body.entity() {
                Entity::Order | Entity::Customer => {
                    sale += 1;
                    sale.to_string()
                }
                _ => format!("told-{}", delivery.document.key),
            };
            Ok(Outcome::Done(Receipt {
                key,
                number: None,
                duplicate: false,
                links: Vec::new(),
            }))
        };
        Ok(batch.iter().map(&mut one).collect())
    });
}

fn set_up(store: &Store, erp_of_b: ConnectionId) {
    let stored = store.write_blocking(move |tx| {
        for (name, title) in [("a", "A"), ("b", "B"), ("x", "X"), ("y", "Y")] {
            let kind = if name < "x" { "network" } else { "erp" };
            let mut row = connection(name, title);
            kind.clone_into(&mut row.connector);
            tx.put_connection(&row)?;
        }
        let pairs = [(A, X), (B, erp_of_b)];
        for (network, erp) in pairs {
            tx.put_route(&RouteRow::new(Entity::Order, network, erp))?;
            for entity in [
                Entity::Shipment,
                Entity::Invoice,
                Entity::InventoryLevel,
                Entity::Cancellation,
            ] {
                tx.put_route(&RouteRow::new(entity, erp, network))?;
            }
            tx.put_route(&RouteRow::new(Entity::Cancellation, network, erp))?;
            let code = format!("CODE-{network}");
            let place = format!("EAST-{network}");
            for (table, value, code) in [
                ("shipping-methods", "12", "UPS|Ground|UPSG"),
                ("warehouses", "2", place.as_str()),
                ("cancel-codes", "*", code.as_str()),
            ] {
                crate::start::cell(tx, (erp, network), table, value, code)?;
            }
        }
        // The same retailer, and each network's own rules for it.
        for (network, key, value) in [
            (A, "invoices.policy", "order"),
            (B, "invoices.policy", "none"),
            (A, "shipments.trigger", "shipped"),
            (B, "shipments.trigger", "packed"),
            (A, "cancel.requests", "accept"),
            (B, "cancel.requests", "ask"),
        ] {
            let scope = Scope {
                connection: Some(network),
                retailer: Some("R1".to_owned()),
            };
            tx.set_setting(&scope, key, Some(value), "ann", 0)?;
        }
        let agent = Scope::default();
        tx.set_setting(&agent, "gather-secs", Some("1"), "test", 0)?;
        tx.set_setting(&agent, "retry-cap-secs", Some("5"), "test", 0)
    });
    stored.expect("the set-up is stored");
}
