//! What a simulated agent is set up with: both connections, the routes of every flow, and what is matched from the start.

use crate::plan::Plan;
use crate::simulation::{START, connection};
use crate::stock::RULES;
use crate::world::waits_for_status;
use waybill_model::contract::{Descriptor, Feed, Intake};
use waybill_model::document::Entity;
use waybill_model::levels::{BUFFER, CAP};
use waybill_store::{Read, RouteRow, Scope, Store, StoreError, Tx};

/// The network with stock, which it lowers by itself.
pub(crate) fn network(plan: &Plan) -> Descriptor {
    let mut descriptor = crate::network::descriptor();
    descriptor.pushes.push(Intake {
        entity: Entity::InventoryLevel,
        max_batch: if plan.items > 1_000 { 12_500 } else { 7 },
        self_decrementing: true,
    });
    let shipments = |intake: &&mut Intake| intake.entity == Entity::Shipment;
    if let Some(intake) = descriptor.pushes.iter_mut().find(shipments) {
        intake.max_batch = plan.ships;
    }
    for feed in &mut descriptor.pulls {
        feed.poll_secs *= plan.patience;
    }
    descriptor
}

/// The ERP with all of its feeds, polled as often as its limit of calls allows.
pub(crate) fn erp(plan: &Plan) -> Descriptor {
    let mut descriptor = crate::erp::descriptor();
    let feed = |(entity, secs)| Feed {
        entity,
        poll_secs: secs * plan.patience,
        settles: Vec::new(),
    };
    descriptor.pulls = [
        (Entity::Item, 300),
        (Entity::Shipment, 10),
        (Entity::Invoice, 15),
        (Entity::OrderState, 15),
        (Entity::InventoryLevel, 60),
    ]
    .map(feed)
    .to_vec();
    descriptor
}

/// Stores all of it, unless it is there.
pub(crate) fn store(plan: &Plan, store: &Store) {
    let plan = *plan;
    store
        .write_blocking(move |tx| {
            if !tx.connections()?.is_empty() {
                return Ok(());
            }
            let from = tx.put_connection(&connection("network", "Network"))?;
            let to = tx.put_connection(&connection("erp", "ERP"))?;
            tx.put_route(&RouteRow::new(Entity::Order, from, to))?;
            for entity in [Entity::Shipment, Entity::Invoice, Entity::InventoryLevel] {
                tx.put_route(&RouteRow::new(entity, to, from))?;
            }
            crate::documents::routes_of_cancels(tx, from, to)?;
            let mut cell = |table: &str, value: &str, code: &str| {
                crate::start::cell(tx, (to, from), table, value, code)
            };
            cell("cancel-codes", "*", "CXSO")?;
            cell("shipping-methods", "12", "UPS|Ground|UPSG")?;
            cell("warehouses", "2", "EAST")?;
            for (item, buffer, cap) in RULES {
                for (table, units) in [(BUFFER, buffer), (CAP, cap)] {
                    if let Some(units) = units {
                        cell(table, &format!("SKU-{item}"), &units.to_string())?;
                    }
                }
            }
            settings(&plan, tx)?;
            let erp = Scope {
                connection: Some(to),
                retailer: None,
            };
            let (url, secs) = (crate::post::URL, (60 * plan.patience).to_string());
            tx.set_setting(&erp, "hooks.public-url", Some(url), "simulation", START)?;
            let poll = "poll-secs.inventory-level";
            tx.set_setting(&erp, poll, Some(&secs), "simulation", START)
        })
        .expect("the set-up is stored");
}

fn settings(plan: &Plan, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let mut set = |retailer: Option<&str>, key: &str, value: &str| {
        let scope = Scope {
            connection: None,
            retailer: retailer.map(str::to_owned),
        };
        tx.set_setting(&scope, key, Some(value), "simulation", START)
    };
    for number in 0..plan.retailers {
        let retailer = format!("R{number}");
        let policy = crate::bills::policy(&retailer);
        set(Some(&retailer), "invoices.policy", policy)?;
        if number < plan.consumers {
            set(Some(&retailer), "customers.mode", "order")?;
        }
        if waits_for_status(&retailer) {
            set(Some(&retailer), "shipments.trigger", "status")?;
            set(Some(&retailer), "shipments.statuses", "22")?;
        }
    }
    set(None, "gather-secs", &(2 * plan.patience).to_string())?;
    set(None, "retry-cap-secs", &(20 * plan.patience).to_string())
}
