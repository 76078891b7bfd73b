//! What a provisioning file asks for, with the place of every part, so that later checks can point at it. Secrets are
//! in it as values, and never in its debug output.

use super::mistake::{At, Place};
use secrecy::SecretString;
use waybill_model::contract::Descriptor;
use waybill_model::document::Entity;

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub key: At<String>,
    /// The value.
    pub value: At<String>,
}

/// The whole file.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The merchant's name for this agent.
    pub store_name: Option<String>,
    /// Agent-wide settings.
    pub settings: Vec<Pair>,
    /// Agent settings of one retailer.
    pub retailers: Vec<RetailerPlan>,
    /// Connections.
    pub connections: Vec<ConnectionPlan>,
    /// Routes.
    pub routes: Vec<RoutePlan>,
    /// Crosswalks.
    pub crosswalks: Vec<CrosswalkPlan>,
    /// Lists of codes that may come.
    pub announced: Vec<AnnouncedPlan>,
}

impl Plan {
    /// Gives connections that will be new the title of their connector.
    pub fn fill_titles(&mut self, descriptors: &[Descriptor]) {
        for connection in &mut self.connections {
            let descriptor = descriptors
                .iter()
                .find(|d| d.id == connection.connector.value);
            connection.default_title = descriptor.map(|d| d.title.clone());
        }
    }
}

/// Settings of one retailer.
#[derive(Debug, Clone)]
pub struct RetailerPlan {
    /// The retailer's code.
    pub code: At<String>,
    /// What differs for it.
    pub settings: Vec<Pair>,
}

/// One connection.
#[derive(Debug, Clone)]
pub struct ConnectionPlan {
    /// Its name.
    pub name: At<String>,
    /// Id of its connector.
    pub connector: At<String>,
    /// Its title on the page; the connector's own where none is given.
    pub title: Option<String>,
    /// The connector's title, for a new connection; see [`Plan::fill_titles`].
    pub default_title: Option<String>,
    /// Whether addresses of this machine and of private networks may be reached.
    pub allow_private: bool,
    /// Further hosts it may reach.
    pub grants: Vec<At<String>>,
    /// Its settings.
    pub settings: Vec<Pair>,
    /// Its secrets.
    pub secrets: Vec<SecretPlan>,
    /// What differs for a retailer.
    pub retailers: Vec<RetailerPlan>,
}

/// One secret of a slot.
#[derive(Debug, Clone)]
pub struct SecretPlan {
    /// The slot.
    pub slot: At<String>,
    /// The secret's name in the slot.
    pub name: At<String>,
    /// Its value.
    pub value: SecretString,
}

/// One route.
#[derive(Debug, Clone)]
pub struct RoutePlan {
    /// Kind of document.
    pub entity: At<Entity>,
    /// Name of the connection it comes from.
    pub from: At<String>,
    /// Name of the connection it goes to.
    pub to: At<String>,
}

/// Cells of one table.
#[derive(Debug, Clone)]
pub struct CrosswalkPlan {
    /// Where the declaration starts.
    pub place: Place,
    /// Name of the connection whose values are translated.
    pub from: At<String>,
    /// Name of the connection whose codes come out.
    pub to: At<String>,
    /// Name of the table.
    pub table: At<String>,
    /// The retailer it is for; `None`: for all.
    pub retailer: Option<At<String>>,
    /// The cells.
    pub cells: Vec<Cell>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The source's value.
    pub value: String,
    /// The receiving system's code.
    pub code: String,
    /// What people call it.
    pub label: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// The codes of one table that may come, before a document comes with them: the whole list.
#[derive(Debug, Clone)]
pub struct AnnouncedPlan {
    /// Where the declaration starts.
    pub place: Place,
    /// Name of the connection whose codes they are.
    pub from: At<String>,
    /// Name of the connection they are matched to.
    pub to: At<String>,
    /// Name of the table.
    pub table: At<String>,
    /// The retailer it is for; `None`: for all.
    pub retailer: Option<At<String>>,
    /// The codes.
    pub codes: Vec<AnnouncedCode>,
}

/// One code of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncedCode {
    /// The code.
    pub value: String,
    /// What people call it.
    pub label: Option<String>,
    /// Nothing goes live before it is matched.
    pub required: bool,
    /// Where it is declared.
    pub place: Place,
}
