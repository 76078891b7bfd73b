//! What is listed where: every flow at the side it comes from, and at the other one what it holds of ours.

use super::{Purpose, Step};
use crate::core::Desk;
use waybill_model::contract::Role;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};

/// Every listing of a comparison, in order.
pub(super) fn steps(desk: &Desk) -> Vec<Step> {
    use Purpose::{Confirmed, Feed, Sales};
    let mut steps: Vec<Step> = Vec::new();
    for (entity, purpose) in [
        (Entity::Order, Feed),
        (Entity::Order, Sales),
        (Entity::Shipment, Feed),
        (Entity::Invoice, Feed),
        (Entity::Invoice, Confirmed),
    ] {
        for route in desk.routes.iter().filter(|row| row.entity == entity) {
            let step = Step {
                connection: if purpose == Feed {
                    route.from
                } else {
                    route.to
                },
                entity,
                purpose,
            };
            if lists(desk, step.connection) && !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    steps
}

fn lists(desk: &Desk, connection: ConnectionId) -> bool {
    let slot = desk.slots.get(&connection);
    let connector = slot.and_then(|slot| slot.connector());
    connector.is_some_and(|c| c.roles().contains(&Role::Listing))
}

/// When the connection of a step was made. What is older was seen to by somebody else: a person asks for it.
pub(super) fn made_at(desk: &Desk, step: &Step) -> Millis {
    let slot = desk.slots.get(&step.connection);
    slot.map_or(0, |slot| slot.row.created_at)
}
