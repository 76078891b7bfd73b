//! Owns which feed answers which kind of document. Must not know how a page is read.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::settings::Settings;
use crate::{invoice, item, places, shipment, state, stock, whole};
use waybill_sdk::Host;
use waybill_sdk::commerce::{Document, Entity};
use waybill_sdk::types::{Context, Failure};

/// The next page of a feed.
pub fn pull(
    host: &dyn Host,
    ctx: &Context,
    entity: Entity,
    cursor: Option<&[u8]>,
) -> Result<Page, Failure> {
    let settings = Settings::of(&ctx.settings);
    let api = Api::new(host, settings)?;
    match entity {
        Entity::Item => item::pull(&api, settings, cursor),
        Entity::Shipment => shipment::pull(&api, settings, cursor),
        Entity::OrderState => state::pull(&api, settings, cursor),
        Entity::Invoice => invoice::pull(&api, settings, cursor),
        Entity::Warehouse => places::pull(&api, places::Kind::Warehouse, cursor),
        Entity::ShippingMethod => places::pull(&api, places::Kind::ShippingMethod, cursor),
        // Nothing at the vendor says which stock changed: the agent asks for items by name.
        Entity::InventoryLevel => Ok(Page {
            documents: Vec::new(),
            cursor: Vec::new(),
            more: false,
        }),
        _ => Err(unsupported()),
    }
}

/// These documents, now.
pub fn fetch(
    host: &dyn Host,
    ctx: &Context,
    entity: Entity,
    keys: &[String],
) -> Result<Vec<Document>, Failure> {
    let settings = Settings::of(&ctx.settings);
    let api = Api::new(host, settings)?;
    let documents = match entity {
        Entity::Item => return item::fetch(&api, settings, keys),
        Entity::Shipment => {
            let mut all = shipment::fetch(&api, keys)?;
            all.extend(whole::fetch(&api, settings, keys)?);
            return Ok(all);
        }
        Entity::OrderState => return state::fetch(&api, settings, keys),
        Entity::Invoice => return invoice::fetch(&api, settings, keys),
        Entity::InventoryLevel => return stock::fetch(&api, keys),
        Entity::Warehouse => places::pull(&api, places::Kind::Warehouse, None)?.documents,
        Entity::ShippingMethod => places::pull(&api, places::Kind::ShippingMethod, None)?.documents,
        _ => return Err(unsupported()),
    };
    Ok(documents
        .into_iter()
        .filter(|d| keys.contains(&d.key))
        .collect())
}

/// A kind of document that Brightpearl's connector does not read.
pub fn unsupported() -> Failure {
    Failure::rejected(
        "unsupported",
        "Brightpearl's connector does not read documents of this kind.",
        "Update the connector.",
    )
}
