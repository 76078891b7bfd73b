//! The vendors a connector is put before, and what is pushed to them: the sandboxes for the connectors of this house, a
//! script for everybody else's. The only place that knows which is which.

use crate::pushes::{Act, Operation, follow};
use crate::sample;
use crate::script::{Script, Scripted};
use crate::stand::Stand;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use waybill_host::ports::Clock as _;
use waybill_model::contract::{Delivery, Descriptor, Field, Moment, Outcome, Pairs, Settled};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Entity, Identifier, PackedLine, Parcel};
use waybill_sim::brightpearl::{Brightpearl, Options};
use waybill_sim::dsco::Sandbox;
use waybill_sim::serve::{ServeOptions, Server};

/// A vendor with the settings to reach it.
#[derive(Debug, Clone)]
pub enum Kit {
    /// The ERP's sandbox, with searches that trail and nothing that refuses doubles.
    Brightpearl,
    /// The network's sandbox.
    Dsco,
    /// A vendor of the author's own.
    Script(Script),
}

/// Members of a batch that is cut.
const MEMBERS: u32 = 3;

impl Kit {
    /// The file's vendor, or else the one that belongs to a connector of that id.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(id: &str, settings: Option<&Path>) -> anyhow::Result<Self> {
        Ok(match (settings, id) {
            (Some(path), _) => Self::Script(Script::read(path)?),
            (None, "brightpearl") => Self::Brightpearl,
            (None, "dsco") => Self::Dsco,
            (None, _) => Self::Script(Script::generic()),
        })
    }

    /// For the first line of a report.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Brightpearl | Self::Dsco => "the built-in sandbox of its vendor",
            Self::Script(script) if script.generic => {
                "a vendor that answers `{}` to everything: what only a real conversation shows is skipped (give --settings)"
            }
            Self::Script(_) => "the vendor of its settings file",
        }
    }

    /// Whether nobody told what the vendor answers.
    pub(crate) const fn is_generic(&self) -> bool {
        matches!(self, Self::Script(script) if script.generic)
    }

    pub(crate) async fn serve(&self) -> anyhow::Result<Server> {
        let options = ServeOptions::default();
        match self {
            Self::Brightpearl => {
                let account = Options {
                    enforce_unique_pair: false,
                    search_lag_ms: 20_000,
                    ..Options::default()
                };
                Server::start(Brightpearl::new(account), options).await
            }
            Self::Dsco => {
                let sandbox = Sandbox::with_settings(7, &json!({})).map_err(anyhow::Error::msg)?;
                Server::start(sandbox, options).await
            }
            Self::Script(script) => Server::start(Scripted::new(script.clone()), options).await,
        }
    }

    pub(crate) fn settings(&self, descriptor: &Descriptor, vendor: &str) -> Pairs {
        let pairs = |list: &[(&str, &str)]| {
            let own = |(k, v): &(&str, &str)| ((*k).to_owned(), v.replace("{vendor}", vendor));
            list.iter().map(own).collect::<Pairs>()
        };
        match self {
            Self::Brightpearl => pairs(&[
                ("base-url", "{vendor}/public-api/simaccount"),
                ("auth", "staff"),
                ("app-ref", "simaccount_waybill"),
                ("order-status", "22"),
                ("channel", "3"),
                ("warehouse", "2"),
                ("price-list", "3"),
                ("currency", "USD"),
                ("tax-code", "Z"),
                ("nominal-code", "4000"),
            ]),
            Self::Dsco => pairs(&[("api-url", "{vendor}/api/v3"), ("auth", "token")]),
            Self::Script(script) if script.generic => guessed(descriptor, vendor),
            Self::Script(script) => script
                .settings
                .iter()
                .map(|(key, value)| (key.clone(), value.replace("{vendor}", vendor)))
                .collect(),
        }
    }

    pub(crate) fn secrets(
        &self,
        descriptor: &Descriptor,
    ) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for credential in &descriptor.credentials {
            let slot = &credential.slot;
            let named = |name: &String| (name.clone(), format!("contract-secret-{slot}-{name}"));
            all.insert(slot.clone(), credential.secrets.iter().map(named).collect());
        }
        let mut known = |slot: &str, name: &str, secret: &str| {
            all.entry(slot.to_owned())
                .or_default()
                .insert(name.to_owned(), secret.to_owned());
        };
        match self {
            Self::Brightpearl => known("staff", "token", "sim-staff-token"),
            Self::Dsco => known("token", "token", "sandbox-static-token"),
            Self::Script(script) => {
                for (slot, secrets) in &script.secrets {
                    for (name, secret) in secrets {
                        known(slot, name, secret);
                    }
                }
            }
        }
        all
    }

    /// What is pushed and settled. Made through the connector itself where a vendor wants documents of its own.
    pub(crate) async fn operations(&self, stand: &Stand) -> anyhow::Result<Vec<Operation>> {
        match self {
            Self::Brightpearl => Ok(erp(stand)),
            Self::Dsco => network(stand).await,
            Self::Script(script) => scripted(script, stand).await,
        }
    }

    /// Something for the feeds to read.
    pub(crate) async fn fill(&self, stand: &Stand) -> anyhow::Result<()> {
        if matches!(self, Self::Dsco) {
            new_orders(stand, 5).await?;
            stand.clock.pass(60_000).await?;
        }
        Ok(())
    }

    /// How often each record was made at the vendor.
    pub(crate) async fn made(&self, stand: &Stand) -> anyhow::Result<BTreeMap<String, u64>> {
        let truth = stand.control("GET", "truth", &Value::Null).await?;
        let mut made = BTreeMap::new();
        let mut count = |name: String, by: u64| *made.entry(name).or_default() += by;
        match self {
            Self::Brightpearl => {
                for sale in list(&truth["orders"]) {
                    count(format!("sale {}", sale["externalRef"]), 1);
                }
                for contact in list(&truth["contacts"]) {
                    count(format!("contact {}", contact["accountReference"]), 1);
                }
            }
            Self::Dsco => {
                for order in list(&truth["orders"]) {
                    let id = &order["dscoOrderId"];
                    let told = order["acknowledgements"].as_u64().unwrap_or(0);
                    count(format!("acknowledgement of {id}"), told);
                    for parcel in list(&order["packages"]) {
                        count(format!("parcel {} of {id}", parcel["trackingNumber"]), 1);
                    }
                    for invoice in list(&order["invoices"]) {
                        count(format!("invoice {} of {id}", invoice["invoiceId"]), 1);
                    }
                    for line in list(&order["lines"]) {
                        let units = line["shipped"].as_u64().unwrap_or(0);
                        count(format!("units of {id} line {}", line["lineNumber"]), units);
                    }
                }
                // A level told twice is the same: its units count, not how often it was told.
                let stock = stand.control("GET", "inventory", &Value::Null).await?;
                for item in list(&stock["items"]) {
                    let units = item["available"].as_u64().unwrap_or(0);
                    count(format!("units of item {}", item["sku"]), units);
                }
            }
            Self::Script(_) => {
                for (name, times) in truth["records"].as_object().into_iter().flatten() {
                    count(name.clone(), times.as_u64().unwrap_or(0));
                }
            }
        }
        Ok(made)
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Addresses lead to the vendor; what is required gets some value, unless only the vendor's own list has one.
fn guessed(descriptor: &Descriptor, vendor: &str) -> Pairs {
    let value = |field: &Field| match field {
        Field::Url => Some(vendor.to_owned()),
        Field::OneOf(choices) => choices.first().map(|c| c.value.clone()),
        Field::Integer | Field::Decimal => Some("1".to_owned()),
        Field::Toggle => Some("true".to_owned()),
        Field::Text => Some("contract".to_owned()),
        Field::Lookup => None,
    };
    let needed = |s: &&waybill_model::contract::Setting| {
        matches!(s.field, Field::Url) || (s.required && s.default.is_none())
    };
    let settings = descriptor.settings.iter().filter(needed);
    settings
        .filter_map(|s| Some((s.key.clone(), value(&s.field)?)))
        .collect()
}

fn erp(stand: &Stand) -> Vec<Operation> {
    let now = stand.clock.now_ms();
    let item = |product: &str| {
        vec![Identifier {
            kind: "mapped".to_owned(),
            value: product.to_owned(),
        }]
    };
    let order = |number: u32| {
        let mut delivery = sample::delivery(Entity::Order, number, now);
        if let Body::Order(order) = &mut delivery.document.body {
            order.lines.truncate(2);
            // The second is a kit.
            for (line, product) in order.lines.iter_mut().zip(["1003", "1096"]) {
                line.identifiers = item(product);
            }
            order.total = None;
        }
        delivery
    };
    vec![
        Operation::push(
            "customers",
            (1..=2)
                .map(|n| sample::delivery(Entity::Customer, n, now))
                .collect(),
        ),
        Operation::push("orders", (1..=MEMBERS).map(order).collect()),
        Operation::push("one order", vec![order(9)]),
    ]
}

async fn new_orders(stand: &Stand, count: u32) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let wish = json!({"lines": [{"sku": "TEE-BLK-M", "quantity": 3}, {"sku": "TEE-BLK-M", "quantity": 2}]});
        let made = stand.control("POST", "orders", &wish).await?;
        ids.push(
            made["dscoOrderId"]
                .as_str()
                .context("the sandbox names its order")?
                .to_owned(),
        );
    }
    Ok(ids)
}

/// Orders to acknowledge, and shipments of others that are acknowledged already.
async fn network(stand: &Stand) -> anyhow::Result<Vec<Operation>> {
    let ids = new_orders(stand, 3 * MEMBERS).await?;
    stand.clock.pass(60_000).await?;
    let settled = |ids: &[String]| -> Vec<Settled> {
        let one = |id: &String| Settled {
            entity: Entity::Order,
            key: id.clone(),
            links: Vec::new(),
        };
        ids.iter().map(one).collect()
    };
    let (known, open) = ids.split_at(2 * MEMBERS as usize);
    let first = Act::Settle(Moment::Accepted, settled(known));
    let verdicts = follow(stand, &first, &[101, 102, 103, 104, 105, 106]).await?;
    ensure!(
        verdicts
            .iter()
            .all(|v| matches!(v, Some(Ok(Outcome::Done(_))))),
        "the sandbox's orders could not be acknowledged: {verdicts:?}"
    );
    stand.clock.pass(60_000).await?;
    let (shipped, billed) = known.split_at(MEMBERS as usize);
    let now = stand.clock.now_ms();
    let shipments = |orders: Vec<Document>| -> Vec<Delivery> {
        let all = (1..).zip(orders);
        all.map(|(n, order)| shipment_of(&order, n, now)).collect()
    };
    let before = Act::Push(shipments(fetched(stand, billed).await?));
    follow(stand, &before, &[111, 112, 113]).await?;
    stand.clock.pass(60_000).await?;
    let invoices = (1..).zip(fetched(stand, billed).await?);
    let now = stand.clock.now_ms();
    let invoices = invoices.map(|(n, order)| invoice_of(&order, n, now));
    Ok(vec![
        Operation::push("shipments", shipments(fetched(stand, shipped).await?)),
        Operation::push("invoices", invoices.collect()),
        Operation::push("stock", levels(now)),
        Operation {
            name: "acknowledgements".to_owned(),
            act: Act::Settle(Moment::Accepted, settled(open)),
        },
    ])
}

/// Orders as the connector gives them now.
async fn fetched(stand: &Stand, ids: &[String]) -> anyhow::Result<Vec<Document>> {
    let call = stand.poll(Entity::Order, None);
    let answer = stand.connector.fetch(call, Entity::Order, ids.to_vec());
    let orders = stand.forget(answer.await);
    orders.map_err(|e| anyhow::anyhow!("orders cannot be fetched: {e:?}"))
}

/// One unit of the first line.
fn invoice_of(order: &Document, number: u32, now: i64) -> Delivery {
    let mut delivery = sample::delivery(Entity::Invoice, number, now);
    if let (Body::Invoice(invoice), Some(known)) = (&mut delivery.document.body, order.order()) {
        invoice.order_key.clone_from(&order.key);
        invoice.lines = known.lines.iter().take(1).cloned().collect();
        invoice.charges.clear();
        for line in &mut invoice.lines {
            line.quantity = Decimal::whole(1);
            line.unit_price = Some(Decimal::new(950, 2));
        }
        invoice.total.net = Decimal::new(950, 2);
        invoice.total.tax = Decimal::ZERO;
        invoice.total.gross = Decimal::new(950, 2);
    }
    delivery.origin = Some(order.clone());
    delivery
}

/// Levels of two items, one of them in two warehouses.
fn levels(now: i64) -> Vec<Delivery> {
    let all = [
        ("CAP-BLK-S", "WH01", 7),
        ("CAP-BLK-S", "WH02", 2),
        ("MUG-BLK-S", "WH01", 5),
    ];
    let level = |(number, (item, warehouse, units)): (u32, (&str, &str, i64))| {
        let mut delivery = sample::delivery(Entity::InventoryLevel, number, now);
        delivery.document.key = format!("{item}@{warehouse}");
        if let Body::InventoryLevel(level) = &mut delivery.document.body {
            item.clone_into(&mut level.item);
            warehouse.clone_into(&mut level.warehouse);
            level.available = Decimal::whole(units);
        }
        delivery
    };
    (1..).zip(all).map(level).collect()
}

fn shipment_of(order: &Document, number: u32, now: i64) -> Delivery {
    let mut delivery = sample::delivery(Entity::Shipment, number, now);
    if let Body::Shipment(shipment) = &mut delivery.document.body {
        shipment.order_key.clone_from(&order.key);
        shipment.warehouse = order.order().and_then(|o| o.warehouse.clone());
        let parcel = |tracking: String, line: &str| Parcel {
            tracking: Some(tracking),
            lines: vec![PackedLine {
                line: line.to_owned(),
                quantity: Decimal::whole(1),
                part: None,
            }],
            span: false,
            extras: Vec::new(),
        };
        shipment.parcels = vec![
            parcel(format!("1ZA{number}"), "1"),
            parcel(format!("1ZB{number}"), "2"),
        ];
    }
    delivery.origin = Some(order.clone());
    delivery
}

async fn scripted(script: &Script, stand: &Stand) -> anyhow::Result<Vec<Operation>> {
    let now = stand.clock.now_ms();
    let descriptor = stand.connector.descriptor();
    let samples = |entity, most: u32| -> Vec<Delivery> {
        let members = MEMBERS.min(most.max(1));
        (1..=members)
            .map(|n| sample::delivery(entity, n, now))
            .collect()
    };
    let mut operations = Vec::new();
    for intake in &descriptor.pushes {
        let written = script
            .pushes
            .iter()
            .find(|p| p.entity == intake.entity.word());
        let mut batch = samples(intake.entity, intake.max_batch);
        if let Some(push) = written {
            for (place, document) in batch.iter_mut().zip(push.read()?) {
                place.document = document;
            }
        }
        operations.push(Operation::push(intake.entity.word(), batch));
    }
    for feed in &descriptor.pulls {
        for moment in &feed.settles {
            let call = stand.poll(feed.entity, None);
            let answer = stand.connector.pull(call, feed.entity, None).await;
            let Ok(page) = stand.forget(answer) else {
                continue;
            };
            let batch: Vec<Settled> = page
                .documents
                .iter()
                .take(MEMBERS as usize)
                .map(|document| Settled {
                    entity: feed.entity,
                    key: document.key.clone(),
                    links: Vec::new(),
                })
                .collect();
            if !batch.is_empty() {
                operations.push(Operation {
                    name: format!("{} {moment}", feed.entity),
                    act: Act::Settle(*moment, batch),
                });
            }
        }
    }
    Ok(operations)
}
