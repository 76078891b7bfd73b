//! Owns the calls that must not happen twice: each has its effect, and the connection is cut before the answer. Afterwards
//! the effect must be there once. Must not know how the agent finds that out.

use crate::rounds::{CONSUMERS, Rounds};
use anyhow::ensure;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use waybill_sim::play::house::SandboxProcess;

/// One unsafe call.
pub(crate) struct Cut {
    /// For people.
    pub(crate) name: &'static str,
    endpoint: &'static str,
    at_network: bool,
    /// How many orders come at once to make it happen.
    orders: u32,
}

/// All of them.
pub(crate) const CUTS: [Cut; 13] = [
    Cut {
        name: "contact",
        endpoint: "POST /contact-service/contact",
        at_network: false,
        orders: 6,
    },
    Cut {
        name: "create sale",
        endpoint: "POST /order-service/sales-order",
        at_network: false,
        orders: 1,
    },
    Cut {
        name: "multi-message",
        endpoint: "POST /multi-message",
        at_network: false,
        orders: 10,
    },
    Cut {
        name: "multi-message, cut within",
        endpoint: "POST /multi-message",
        at_network: false,
        orders: 10,
    },
    Cut {
        name: "acknowledge",
        endpoint: "POST /order/acknowledge",
        at_network: true,
        orders: 3,
    },
    Cut {
        name: "shipment",
        endpoint: "POST /order/shipment/batch/small",
        at_network: true,
        orders: 3,
    },
    Cut {
        name: "status of a sale",
        endpoint: "PUT /order-service/order/{id}/status",
        at_network: false,
        orders: 12,
    },
    Cut {
        name: "note deleted",
        endpoint: "DELETE /warehouse-service/order/{id}/goods-note/goods-out/{id}",
        at_network: false,
        orders: 12,
    },
    Cut {
        name: "cancel told",
        endpoint: "POST /order/item/cancel/batch/small",
        at_network: true,
        orders: 12,
    },
    Cut {
        name: "invoice",
        endpoint: "POST /invoice/batch/small",
        at_network: true,
        orders: 6,
    },
    Cut {
        name: "row of a sale",
        endpoint: "DELETE /order-service/order/{id}/row/{id}",
        at_network: false,
        orders: 12,
    },
    Cut {
        name: "stock batch",
        endpoint: "POST /inventory/batch/small",
        at_network: true,
        orders: 3,
    },
    Cut {
        name: "webhook registration",
        endpoint: "POST /integration-service/webhook",
        at_network: false,
        orders: 0,
    },
];

/// How the note begins that the agent leaves in a sale it cancels.
const OWN: &str = "Cancelled: the retailer";

/// How long one cut may take to happen, on a machine that does other things as well.
const PATIENCE: u32 = 480;
const STEP: Duration = Duration::from_millis(250);
/// Steps between two orders that make it happen: sales that wait for each other leave in one call, and then nothing is
/// created by a call of its own.
const AGAIN: u32 = 80;

impl Rounds {
    fn side(&self, cut: &Cut) -> &SandboxProcess {
        if cut.at_network {
            &self.house.network
        } else {
            &self.house.erp
        }
    }

    /// Cuts one kind of call so often; how often it happened.
    pub(crate) async fn cut(&mut self, cut: &Cut, times: u32) -> anyhow::Result<u32> {
        let mut agent = self.place.start(&[])?;
        self.place.wait_until_up(&mut agent).await?;
        let mut done = 0;
        let standing = self.registered(1).await?;
        for _ in 0..times {
            if cut.name.ends_with("within") {
                let some = json!({"multiStopAfter": [6]});
                self.house.erp.control("POST", "settings", &some).await?;
            }
            let rule = json!({"endpoint": cut.endpoint, "kind": "cut-after", "count": 1});
            let made = self.side(cut).control("POST", "faults", &rule).await?;
            if cut.orders == 0 {
                // The vendor forgets the webhooks: the next start registers them.
                agent.kill().await?;
                self.house
                    .erp
                    .control("POST", "hooks/forget", &json!({}))
                    .await?;
                agent = self.place.start(&[])?;
                self.place.wait_until_up(&mut agent).await?;
            }
            self.turn(cut.orders).await?;
            let mut waited = 0;
            while waited < PATIENCE && !self.was_hit(cut, &made["id"]).await? {
                tokio::time::sleep(STEP).await;
                self.turn(u32::from(waited % AGAIN == AGAIN - 1) * cut.orders)
                    .await?;
                waited += 1;
            }
            done += u32::from(waited < PATIENCE);
            if cut.orders == 0 {
                self.registered(standing).await?;
            }
            let path = format!("faults/{}", made["id"]);
            self.side(cut)
                .control("DELETE", &path, &Value::Null)
                .await?;
        }
        agent.kill().await?;
        Ok(done)
    }

    /// Waits until so many webhooks are registered: a failed registration is tried again later each time, so that the next
    /// cut must follow a good one. How many there are.
    async fn registered(&self, least: usize) -> anyhow::Result<usize> {
        let mut standing = 0;
        for _ in 0..PATIENCE {
            let hooks = self.house.erp.control("GET", "hooks", &Value::Null).await?;
            standing = hooks["registered"].as_array().map_or(0, Vec::len);
            if standing >= least {
                break;
            }
            tokio::time::sleep(STEP).await;
        }
        Ok(standing)
    }

    async fn was_hit(&self, cut: &Cut, id: &Value) -> anyhow::Result<bool> {
        let all = self
            .side(cut)
            .control("GET", "faults", &Value::Null)
            .await?;
        let rules = all["faults"].as_array().into_iter().flatten();
        Ok(rules
            .filter(|rule| rule["id"] == *id)
            .any(|rule| rule["hits"].as_u64() > Some(0)))
    }

    /// Each change of a sale's status leaves a note in it: where the agent cancelled one, there is one of its own.
    pub(crate) async fn statuses_once(&self) -> anyhow::Result<()> {
        let truth = self.house.erp.truth().await?;
        for sale in truth["orders"].as_array().into_iter().flatten() {
            let notes = sale["notes"].as_array().into_iter().flatten();
            let own = notes.filter(|note| note.as_str().is_some_and(|text| text.starts_with(OWN)));
            let count = own.count();
            ensure!(
                count < 2,
                "sale {} was cancelled {count} times by the agent",
                sale["id"]
            );
        }
        Ok(())
    }

    /// Every contact of the agent is there once, and each sale for a retailer of [`CONSUMERS`] has that of its own order.
    pub(crate) async fn contacts_once(&self) -> anyhow::Result<()> {
        let truth = self.house.erp.truth().await?;
        let mut made: BTreeMap<&str, &Value> = BTreeMap::new();
        for contact in truth["contacts"].as_array().into_iter().flatten() {
            let reference = contact["accountReference"].as_str().unwrap_or_default();
            let double = !reference.is_empty() && made.insert(reference, &contact["id"]).is_some();
            ensure!(!double, "contact {reference} is there twice");
        }
        let network = self.house.network.truth().await?;
        let mut orders: BTreeMap<String, &str> = BTreeMap::new();
        for order in network["orders"].as_array().into_iter().flatten() {
            let retailer = order["retailerId"].as_str().unwrap_or_default();
            let id = order["dscoOrderId"].as_str().unwrap_or_default();
            orders.insert(format!("wb-{id}"), retailer);
        }
        let mut own = 0;
        for sale in truth["orders"].as_array().into_iter().flatten() {
            let reference = sale["externalRef"].as_str().unwrap_or_default();
            let Some(retailer) = orders.get(reference).filter(|r| CONSUMERS.contains(r)) else {
                continue;
            };
            let order = reference.trim_start_matches("wb-");
            let contact = made.get(format!("WAYBILL-{retailer}/{order}").as_str());
            ensure!(
                contact == Some(&&sale["customerId"]),
                "sale {} has customer {}, and not {contact:?}",
                sale["id"],
                sale["customerId"]
            );
            own += 1;
        }
        ensure!(own > 0, "no sale has a contact of its own");
        Ok(())
    }

    /// Every webhook of the agent is registered once, and there are some, soon after a start.
    pub(crate) async fn webhooks_once(&self) -> anyhow::Result<()> {
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        let mut waited = 0;
        while found.is_empty() && waited < PATIENCE {
            let hooks = self.house.erp.control("GET", "hooks", &Value::Null).await?;
            for hook in hooks["registered"].as_array().into_iter().flatten() {
                let name = format!("{} to {}", hook["subscribeTo"], hook["uriTemplate"]);
                *found.entry(name).or_default() += 1;
            }
            tokio::time::sleep(STEP).await;
            waited += 1;
        }
        ensure!(!found.is_empty(), "no webhook is registered at the end");
        let doubled: Vec<&String> = found
            .iter()
            .filter(|(_, n)| **n > 1)
            .map(|(name, _)| name)
            .collect();
        ensure!(doubled.is_empty(), "webhooks registered twice: {doubled:?}");
        Ok(())
    }
}
