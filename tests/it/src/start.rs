//! What a bench starts with: both descriptors, connections, routes, and what is matched from the start. Must not know what
//! the sides answer.

use crate::simulation::{START, connection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waybill_engine::{Engine, EngineParts, Handle};
use waybill_model::contract::{Descriptor, Feed, Field, Intake, Setting};
use waybill_model::document::Entity;
use waybill_model::ids::ConnectionId;
use waybill_store::{RouteRow, Scope, Store, StoreError, Tx};

/// An engine that runs until it is told to stop.
pub(crate) fn engine(parts: EngineParts) -> (Handle, CancellationToken, JoinHandle<()>) {
    let (engine, handle) = Engine::open(parts).expect("the engine opens");
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let running = tokio::spawn(async move {
        engine.run(stopped).await.expect("the engine keeps running");
    });
    (handle, stop, running)
}

/// A cell that all retailers share.
pub fn cell(
    tx: &mut Tx<'_>,
    (from, to): (ConnectionId, ConnectionId),
    table: &str,
    value: &str,
    code: &str,
) -> Result<(), StoreError> {
    tx.set_cell(
        from,
        to,
        table,
        None,
        value,
        Some(code),
        None,
        "test",
        START,
    )
}

pub(crate) fn network(start: Start) -> Descriptor {
    let mut descriptor = crate::network::descriptor();
    if start.stock {
        descriptor.pushes.push(Intake {
            entity: Entity::InventoryLevel,
            max_batch: 100,
            self_decrementing: true,
        });
    }
    descriptor
}

pub(crate) fn erp(max_batch: u32, poll_secs: u32) -> Descriptor {
    let mut descriptor = crate::erp::descriptor();
    for Intake {
        entity,
        max_batch: most,
        ..
    } in &mut descriptor.pushes
    {
        if *entity == Entity::Order {
            *most = max_batch;
        }
    }
    let feed = |entity| Feed {
        entity,
        poll_secs,
        settles: Vec::new(),
    };
    let chosen = |key: &str, label: &str| Setting {
        key: key.to_owned(),
        label: label.to_owned(),
        help: "One of its list.".to_owned(),
        group: "orders".to_owned(),
        required: false,
        per_retailer: true,
        default: None,
        field: Field::Lookup,
        was: Vec::new(),
    };
    descriptor.settings = vec![chosen("channel", "Channel"), chosen("team", "Team")];
    descriptor.pulls = [
        Entity::Item,
        Entity::Shipment,
        Entity::OrderState,
        Entity::Invoice,
        Entity::InventoryLevel,
    ]
    .map(feed)
    .to_vec();
    descriptor
}

/// What a bench starts with.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Orders of one push.
    pub max_batch: u32,
    /// Whether orders lead from the network to the ERP.
    pub route: bool,
    /// Whether cancellations lead both ways.
    pub cancels: bool,
    /// Whether stock leads from the ERP to the network.
    pub stock: bool,
    /// Whether invoices lead from the ERP to the network.
    pub invoices: bool,
    /// Settings of the agent, for every retailer.
    pub settings: &'static [(&'static str, &'static str)],
    /// How often the ERP's items are read.
    pub poll_secs: u32,
    /// How long answers are gathered at most, in seconds.
    pub gather_secs: u32,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            max_batch: 4,
            route: true,
            cancels: false,
            stock: false,
            invoices: false,
            settings: &[],
            poll_secs: 5,
            gather_secs: 1,
        }
    }
}

/// Both connections, their routes, and what is matched from the start.
pub(crate) fn set_up(store: &Store, start: Start) {
    store
        .write_blocking(move |tx| {
            let from = tx.put_connection(&connection("network", "Network"))?;
            let to = tx.put_connection(&connection("erp", "ERP"))?;
            if start.route {
                tx.put_route(&RouteRow::new(Entity::Order, from, to))?;
            }
            tx.put_route(&RouteRow::new(Entity::Shipment, to, from))?;
            let everybody = Scope::default();
            for (key, value) in start.settings {
                tx.set_setting(&everybody, key, Some(value), "ann", 0)?;
            }
            if start.cancels {
                crate::documents::routes_of_cancels(tx, from, to)?;
            }
            for (entity, leads) in [
                (Entity::InventoryLevel, start.stock),
                (Entity::Invoice, start.invoices),
            ] {
                if leads {
                    tx.put_route(&RouteRow::new(entity, to, from))?;
                }
            }
            // Method 12 of the ERP is known at the network, and so is its warehouse.
            for (table, value, code) in [
                ("shipping-methods", "12", "UPS|Ground|UPSG"),
                ("warehouses", "2", "EAST"),
            ] {
                cell(tx, (to, from), table, value, code)?;
            }
            let agent = waybill_store::Scope::default();
            let gather = start.gather_secs.to_string();
            tx.set_setting(&agent, "gather-secs", Some(&gather), "test", START)?;
            tx.set_setting(&agent, "retry-cap-secs", Some("5"), "test", START)
        })
        .expect("the set-up is stored");
}
