//! Plays the rehearsal: both sandboxes in this process, the agent as a child that ends with it, the warehouse and the
//! accountant, and what is seen at each system. Must not know how settings are made over.

use super::account::in_words;
use super::plan::Settings;
use super::{Brief, ERP, End, NETWORK, Place, account, aside, order, say};
use crate::brightpearl::{Brightpearl, Options};
use crate::client;
use crate::dsco::Sandbox;
use crate::play::provisioning::SECRETS;
use crate::serve::{ServeOptions, Server};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Looks until the agent answers, or has read what it needs: a minute.
const BEGINNINGS: u32 = 300;
/// Looks that see nothing new before the order counts as stuck: most of a minute.
const PATIENCE: u32 = 225;
/// What is packed.
const TRACKING: &str = "1Z999AA10000000001";
/// Currencies of the ERP's sandbox.
const MONEY: [&str; 4] = ["USD", "GBP", "EUR", "CAD"];
/// Short delays and no throttle.
const HURRY: &str = r#"{"d1_ms": 100, "d2_ms": 150, "d3_ms": 100, "d3_max_ms": 400, "log_lag_ms": 50, "limits": false}"#;

/// Both systems, and the agent between them.
struct Stage<'b> {
    brief: &'b Brief,
    place: &'b Place,
    settings: Settings,
    retailer: String,
    network: Server,
    erp: Server,
    agent: Child,
}

/// How far the order is.
#[derive(Default)]
struct Seen {
    steps: BTreeSet<&'static str>,
    number: String,
    order: String,
    sale: i64,
    invoiced: bool,
}

impl Seen {
    fn step(&mut self, step: &'static str, text: &str) {
        if self.steps.insert(step) {
            say(&json!({"step": {"step": step, "text": text}}));
        }
    }

    fn has(&self, step: &str) -> bool {
        self.steps.contains(step)
    }
}

/// Plays it to its end, which is said whatever becomes of it.
pub async fn perform(brief: &Brief, place: &Place) {
    let ended = play(brief, place).await;
    let end = ended.unwrap_or_else(|error| {
        End::bad(
            format!("The rehearsal could not go on: {error:#}."),
            "Rehearse once more. If it happens again, send a support bundle.",
        )
    });
    end.say();
}

async fn play(brief: &Brief, place: &Place) -> anyhow::Result<End> {
    ensure!(
        (brief.from.connector.as_str(), brief.to.connector.as_str()) == (NETWORK, ERP),
        "the sandboxes stand in for `{NETWORK}` and `{ERP}` only"
    );
    let settings = Settings::read(&brief.settings)?;
    let retailer = order::retailer(brief);
    let item = order::item(&settings, brief, &retailer);
    let number = format!("REHEARSAL-{}", jiff::Timestamp::now().as_second());
    let wish = order::wish(&settings, brief, &retailer, &item, &number);
    let currency = currency(&settings, brief, &retailer.code);
    let vendor = Sandbox::with_settings(1, &serde_json::from_str(HURRY)?)
        .map_err(|why| anyhow::anyhow!(why))?
        .with_retailer(&retailer.code, &retailer.name, &currency)
        .with_warehouses(&account::network_warehouses(&settings, brief));
    if settings.goes_by_files(&brief.from) {
        aside(&format!(
            "{} is asked by API here: names, columns and folders of its files are not rehearsed.",
            brief.from.title
        ));
    }
    let network = Server::start(vendor, ServeOptions::default()).await?;
    let options = Options {
        products: 0,
        throttle: false,
        ..Options::default()
    };
    let vendor = Brightpearl::new(options).furnished(&account::furniture(&settings, brief, &item));
    let erp = Server::start(vendor, ServeOptions::default()).await?;
    let file = settings.provisioning(brief, (&network.api, &erp.api), order::matched(&item))?;
    let mut stage = Stage {
        brief,
        place,
        settings,
        retailer: retailer.code.clone(),
        network,
        erp,
        agent: start(place)?,
    };
    let ended = stage.acts(&file, &wish, number).await;
    // It goes before its folder does.
    drop(stage.agent.kill().await);
    ended
}

/// What the retailer pays in.
fn currency(settings: &Settings, brief: &Brief, retailer: &str) -> String {
    let wished = settings
        .value(Some(&brief.to), retailer, "currency")
        .unwrap_or(MONEY[0]);
    if MONEY.contains(&wished) {
        return wished.to_owned();
    }
    aside(&format!(
        "The stand-ins know no {wished}: the order is in {}.",
        MONEY[0]
    ));
    MONEY[0].to_owned()
}

fn command(place: &Place) -> Command {
    let mut command = Command::new(&place.agent);
    if let Some(config) = &place.config {
        command.arg("--config").arg(config);
    }
    command.arg("--rehearsal").arg(&place.folder);
    command
}

/// The agent, which ends when its standard input does.
fn start(place: &Place) -> anyhow::Result<Child> {
    let log = std::fs::File::create(place.folder.join("agent.log"))?;
    command(place)
        .arg("run")
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start `{}`", place.agent.display()))
}

impl Stage<'_> {
    async fn command(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = command(self.place);
        command.arg("--json").args(arguments).envs(SECRETS);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        Ok(output.await?)
    }

    /// What the agent answers; `None` while it does not.
    async fn ask(&self, arguments: &[&str]) -> anyhow::Result<Option<Value>> {
        let output = self.command(arguments).await?;
        if !output.status.success() {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&output.stdout)?))
    }

    async fn network(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        client::json(
            method,
            &format!("{}/_sim/{path}", self.network.control),
            body,
        )
        .await
    }

    async fn erp(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        client::json(method, &format!("{}/_sim/{path}", self.erp.control), body).await
    }

    async fn acts(&mut self, file: &str, wish: &Value, number: String) -> anyhow::Result<End> {
        self.up().await?;
        if let Some(end) = self.provision(file).await? {
            return Ok(end);
        }
        if let Some(end) = self.read().await? {
            return Ok(end);
        }
        let made = self.network("POST", "orders", wish).await?;
        let mut seen = Seen {
            order: made["dscoOrderId"].as_str().unwrap_or_default().to_owned(),
            number,
            ..Seen::default()
        };
        let placed = format!("Order {} is placed", seen.number);
        seen.step("placed", &placed);
        let (mut steps, mut quiet) = (seen.steps.len(), 0);
        loop {
            if let Some(end) = self.look(&mut seen).await? {
                return Ok(end);
            }
            quiet = if steps == seen.steps.len() {
                quiet + 1
            } else {
                0
            };
            steps = seen.steps.len();
            if quiet > PATIENCE {
                return self.stuck(&seen).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn up(&mut self) -> anyhow::Result<()> {
        for _ in 0..BEGINNINGS {
            if self.ask(&["status"]).await?.is_some() {
                return Ok(());
            }
            if let Some(status) = self.agent.try_wait()? {
                let log = std::fs::read_to_string(self.place.folder.join("agent.log"));
                let log = log.unwrap_or_default();
                let last = log.lines().next_back().unwrap_or_default();
                anyhow::bail!("its agent ended with {status}, saying `{last}`");
            }
            tokio::time::sleep(LOOK).await;
        }
        anyhow::bail!("its agent did not answer within a minute")
    }

    /// Hands the settings over; the end where they are refused.
    async fn provision(&self, file: &str) -> anyhow::Result<Option<End>> {
        let path = self.place.folder.join("rehearsal.toml");
        std::fs::write(&path, file)?;
        let path = path.display().to_string();
        let output = self.command(&["apply", "--yes", &path]).await?;
        if output.status.success() {
            return Ok(None);
        }
        let why = refusal(&output);
        Ok(Some(End::bad(
            format!("Your settings were not taken: {why}"),
            "Put it right on the page of the connection or under Settings, then rehearse again.",
        )))
    }

    /// Waits until the agent has read what orders are matched with, and follows the network's orders: one placed while its
    /// stream is being made is found by the search a minute later only.
    async fn read(&self) -> anyhow::Result<Option<End>> {
        let needed = [(&self.brief.to, "item"), (&self.brief.from, "order")];
        let mut behind = (needed[0].0, String::new());
        for _ in 0..BEGINNINGS {
            let status = self.ask(&["status"]).await?.unwrap_or_default();
            let unread = needed.iter().find_map(|(side, entity)| {
                let sentence = unread(&status, &side.name, entity)?;
                Some((*side, sentence))
            });
            let Some(unread) = unread else {
                return Ok(None);
            };
            behind = unread;
            tokio::time::sleep(LOOK).await;
        }
        let (side, sentence) = behind;
        Ok(Some(End::bad(
            format!(
                "The stand-in of {} could not be read: {sentence}",
                side.title
            ),
            "Look at the settings of the connection, then rehearse again.",
        )))
    }

    /// One look at both systems and at the agent; what is due there is done. The end, once it is reached.
    async fn look(&self, seen: &mut Seen) -> anyhow::Result<Option<End>> {
        let path = format!("orders/{}", seen.order);
        let order = self.network("GET", &path, &Value::Null).await?;
        let before = seen.steps.len();
        let mut row = Value::Null;
        if !seen.has("read") || seen.has("note") {
            let rows = self.ask(&["orders"]).await?.unwrap_or_default();
            let mut rows = rows["rows"].as_array().into_iter().flatten();
            let own = rows.find(|row| row["number"] == seen.number.as_str());
            row = own.cloned().unwrap_or_default();
        }
        let (network, erp) = (&self.brief.from.title, &self.brief.to.title);
        if !row.is_null() {
            seen.step("read", &format!("Read from {network}"));
        }
        let sale = self.sale(seen).await?;
        if let Some(sale) = &sale {
            if !seen.has("sale") {
                self.show(sale);
            }
            seen.step("sale", &format!("Sale {} made in {erp}", seen.sale));
        }
        if !order["acknowledgedAt"].is_null() {
            seen.step("acknowledged", &format!("Acknowledged at {network}"));
        }
        if let Some(number) = order["supplierOrderNumber"].as_str() {
            seen.step(
                "told",
                &format!("Sale number {number} sent back to {network}"),
            );
        }
        let mut end = None;
        if let Some(sale) = sale.filter(|_| seen.has("told") && seen.has("acknowledged")) {
            end = self.ships(seen, &order, &row, &sale).await?;
        }
        // What goes on does not wait for a person.
        if end.is_none() && seen.steps.len() == before {
            end = self.card().await?;
        }
        Ok(end)
    }

    async fn sale(&self, seen: &mut Seen) -> anyhow::Result<Option<Value>> {
        let sales = self.erp("GET", "sales", &Value::Null).await?;
        let sale = sales["orders"].as_array().into_iter().flatten().next();
        if let Some(sale) = sale {
            seen.sale = sale["id"].as_i64().unwrap_or_default();
        }
        Ok(sale.cloned())
    }

    /// The order from its sale to its end.
    async fn ships(
        &self,
        seen: &mut Seen,
        order: &Value,
        row: &Value,
        sale: &Value,
    ) -> anyhow::Result<Option<End>> {
        if !seen.has("note") {
            let body = json!({"stage": "shipped", "reference": TRACKING});
            let made = self
                .erp("POST", &format!("order/{}/note", seen.sale), &body)
                .await?;
            let text = format!(
                "Goods-out note {} shipped, tracking {TRACKING}",
                made["goodsOutNoteId"]
            );
            seen.step("note", &text);
            self.reach_status(seen).await?;
            return Ok(None);
        }
        let stage = row["stage"].as_str().unwrap_or_default();
        let parcels = order["packages"].as_array().map_or(0, Vec::len);
        if parcels == 0 || !["shipped", "invoiced"].contains(&stage) {
            return Ok(None);
        }
        let parcel = &order["packages"][0];
        let as_told: Vec<&str> = ["carrier", "method", "code", "warehouseCode"]
            .iter()
            .filter_map(|name| parcel[*name].as_str())
            .collect();
        let network = &self.brief.from.title;
        let text = format!(
            "Shipment reported and accepted at {network}: {}",
            as_told.join(", ")
        );
        seen.step("shipment", &text);
        let policy = self.settings.value(None, &self.retailer, "invoices.policy");
        if policy == Some("none") {
            seen.step("invoice", "This retailer takes no invoices: none is sent");
            return Ok(Some(self.done(seen, None)));
        }
        if !seen.invoiced {
            self.erp("POST", &format!("order/{}/invoice", seen.sale), &json!({}))
                .await?;
            seen.invoiced = true;
            return Ok(None);
        }
        let sent = order["invoices"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        if !sent || stage != "invoiced" {
            return Ok(None);
        }
        let number = sale["invoice"].as_str().unwrap_or_default();
        seen.step(
            "invoice",
            &format!("Invoice {number} sent and accepted at {network}"),
        );
        Ok(Some(self.done(seen, Some(number))))
    }

    /// Where shipments are reported at a status of the sale, the sale gets it.
    async fn reach_status(&self, seen: &Seen) -> anyhow::Result<()> {
        let value = |key: &str| self.settings.value(None, &self.retailer, key);
        let status = value("shipments.statuses").and_then(|all| order::list(all).next());
        let status = status.and_then(|status| status.parse::<i64>().ok());
        if let (Some("status"), Some(status)) = (value("shipments.trigger"), status) {
            let body = json!({ "orderStatusId": status });
            self.erp("POST", &format!("order/{}/status", seen.sale), &body)
                .await?;
        }
        Ok(())
    }

    fn done(&self, seen: &Seen, invoice: Option<&str>) -> End {
        let (network, erp) = (&self.brief.from.title, &self.brief.to.title);
        let invoice = invoice.map_or_else(String::new, |number| format!(", invoice {number}"));
        End {
            good: true,
            sentence: format!(
                "The order went all the way: {} became sale {}, shipped with tracking {TRACKING}{invoice}. Nothing of it reached {network} or {erp}.",
                seen.number, seen.sale
            ),
            next: Some("Look whether the sale stands as you want it; then go live.".to_owned()),
            card: None,
        }
    }

    /// The end, where something waits for a person.
    async fn card(&self) -> anyhow::Result<Option<End>> {
        let cards = self.ask(&["cards"]).await?.unwrap_or_default();
        let all = cards.as_array().or_else(|| cards["cards"].as_array());
        let Some(card) = all.into_iter().flatten().next() else {
            return Ok(None);
        };
        let status = self.ask(&["status"]).await?.unwrap_or_default();
        let named = |id: &Value| {
            let all = status["frame"]["connections"]
                .as_array()
                .into_iter()
                .flatten();
            let mut own = all.filter(|of| of["id"] == *id);
            own.next().map(|of| of["name"].clone()).unwrap_or_default()
        };
        let cell = &card["cell"];
        let cell = (!cell.is_null()).then(|| {
            json!({
                "from": named(&cell["from"]), "to": named(&cell["to"]), "table": cell["gap"]["table"],
                "retailer": cell["gap"]["retailer"], "value": cell["gap"]["value"], "label": cell["label"],
                "choices": cell["choices"],
            })
        });
        let next = if cell.is_some() {
            "Fill it in here; it counts from now on. Then rehearse again."
        } else {
            "Put it right under Settings, Defaults or Matching, then rehearse again."
        };
        Ok(Some(End {
            good: false,
            sentence: "The order stopped where a real one would: something waits for you."
                .to_owned(),
            next: Some(next.to_owned()),
            card: Some(json!({
                "title": card["title"], "text": card["text"], "hint": card["hint"], "cell": cell,
            })),
        }))
    }

    async fn stuck(&self, seen: &Seen) -> anyhow::Result<End> {
        let detail = self
            .ask(&["order", &seen.number])
            .await?
            .unwrap_or_default();
        let last = detail["timeline"][0]["text"]
            .as_str()
            .unwrap_or("Nothing was said.");
        let sentence = format!("The order did not go on. The last that was said of it: {last}");
        Ok(End::bad(
            sentence,
            "Look at the settings it names, then rehearse again.",
        ))
    }

    /// The sale as it stands, in the account's own words where they are known.
    fn show(&self, sale: &Value) {
        let words = |list: &str, value: &Value| match value.as_i64() {
            Some(id) if id > 0 => in_words(&self.settings, self.brief, list, &id.to_string()),
            _ => "none".to_owned(),
        };
        let row = &sale["rows"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let code =
            |list: &str, value: &Value| in_words(&self.settings, self.brief, list, &text(value));
        let customer = sale["delivery"]["address"]["addressFullName"].as_str();
        let fields = json!([
            ["Status", words("order-status", &sale["statusId"])],
            ["Channel", words("channel", &sale["channelId"])],
            ["Warehouse", words("warehouse", &sale["warehouseId"])],
            ["Price list", words("price-list", &sale["priceListId"])],
            [
                "Shipping method",
                words("shipping-method", &sale["delivery"]["shippingMethodId"])
            ],
            ["Lead source", words("lead-source", &sale["leadSourceId"])],
            ["Tax code", code("tax-code", &row["taxCode"])],
            ["Nominal code", code("nominal-code", &row["nominalCode"])],
            ["Customer", format!("contact {}", sale["customerId"])],
            [
                "Ships to",
                customer.unwrap_or("the consumer of the order").to_owned()
            ],
            [
                "Total",
                format!(
                    "{} {}",
                    text(&sale["total"]["gross"]),
                    text(&sale["currency"])
                )
            ],
        ]);
        let rows = sale["rows"].as_array().into_iter().flatten();
        let lines: Vec<Value> = rows
            .map(|row| {
                json!({"item": row["name"], "sku": row["sku"], "quantity": row["quantity"], "net": row["net"], "tax": row["tax"]})
            })
            .collect();
        say(&json!({"sale": {"fields": fields, "lines": lines}}));
    }
}

/// How a connection stands whose feed was not read to its end yet.
fn unread(status: &Value, name: &str, entity: &str) -> Option<String> {
    let all = status["frame"]["connections"].as_array();
    let own = all.into_iter().flatten().find(|of| of["name"] == name);
    let of = own.unwrap_or(&Value::Null);
    let mut feeds = of["feeds"].as_array().into_iter().flatten();
    let read = feeds.any(|feed| feed["entity"] == entity && !feed["caught_up_at"].is_null());
    (!read).then(|| of["sentence"].as_str().unwrap_or_default().to_owned())
}

/// The sentences of a refused command.
fn refusal(output: &Output) -> String {
    let printed = if output.stdout.is_empty() {
        &output.stderr
    } else {
        &output.stdout
    };
    let told: Value = serde_json::from_slice(printed).unwrap_or_default();
    let mistakes = told["error"]["mistakes"]
        .as_array()
        .or_else(|| told["mistakes"].as_array());
    let all: Vec<&str> = mistakes
        .into_iter()
        .flatten()
        .filter_map(|mistake| mistake["message"].as_str())
        .collect();
    if !all.is_empty() {
        return all.join("; ");
    }
    let whole = told["error"]["message"].as_str().map(str::to_owned);
    whole.unwrap_or_else(|| String::from_utf8_lossy(printed).trim().to_owned())
}
