//! The commands that ask the running agent over its socket and show what it answers. Owns the wording of tables; knows
//! the API's addresses and nothing of what is behind them.

use crate::cli::{Command, Connectors, Fill, Mappings, Order, Orders, Poll, Retry};
use crate::config::Config;
use crate::out::{Failure, Out};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use waybill_http::{ClientError, LocalClient};

/// A refusal of the agent, or its absence, with what to do next.
pub(crate) fn client_failure(error: &ClientError) -> Failure {
    Failure::Other {
        message: error.to_string(),
        hint: error.hint().map(str::to_owned),
    }
}

/// Runs a command that needs the running agent.
pub(crate) async fn run(out: Out, config: &Config, command: &Command) -> Result<(), Failure> {
    let client = LocalClient::connect(&config.socket).await;
    let agent = Agent {
        out,
        client: client.map_err(|error| client_failure(&error))?,
    };
    match command {
        Command::Status => agent.status().await,
        Command::Orders(args) => agent.orders(args).await,
        Command::Order(args) => agent.order(args).await,
        Command::Cards => agent.cards().await,
        Command::Retry(args) => agent.retry(args).await,
        Command::Ignore(args) => {
            let place = format!("/api/v1/cards/{}/ignore", coded(&args.card));
            agent
                .post(&place, &json!({"reason": args.reason}), "Left alone.")
                .await
        }
        Command::Fill(args) => agent.fill(args).await,
        Command::Mappings(Mappings::Export(args)) => agent.export(args).await,
        Command::Mappings(Mappings::Import(args)) => agent.import(args).await,
        Command::Replay(args) => agent.replay(args).await,
        Command::Backfill(command) => crate::backfill::run(&agent, command).await,
        Command::Compare(args) => crate::flows::compare(&agent, args).await,
        Command::Flows(command) => crate::flows::run(&agent, command).await,
        Command::Alerts(command) => crate::alerts::run(&agent, command).await,
        Command::Users(command) => crate::users::run(&agent, command).await,
        Command::Settings(command) => crate::settings::run(&agent, command).await,
        Command::Practice(command) => crate::practice::run(&agent, command).await,
        Command::Rehearse(args) => crate::rehearse::run(&agent, args).await,
        Command::Stock(command) => crate::stock::run(&agent, command).await,
        Command::Poll(args) => agent.poll(args).await,
        Command::Probe(args) => agent.probe(&args.connection).await,
        Command::Pause(args) => agent.connection(&args.connection, "pause", "Paused.").await,
        Command::Resume(args) => {
            agent
                .connection(&args.connection, "resume", "Resumed.")
                .await
        }
        Command::Disconnect(args) => agent.disconnect(args).await,
        Command::History(args) => agent.history(args.limit).await,
        Command::Connectors(Connectors::Accept(args)) => agent.accept_build(args).await,
        Command::Connectors(Connectors::Rollback(args)) => agent.roll_back(&args.connector).await,
        Command::Connectors(Connectors::Choose(args)) => agent.choose_build(args).await,
        Command::Connectors(Connectors::Retry(args)) => agent.retry_build(&args.file).await,
        Command::Run
        | Command::Check(_)
        | Command::Apply(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Connectors(_)
        | Command::Demo(_)
        | Command::Doctor(_)
        | Command::Logs(_)
        | Command::SupportBundle(_)
        | Command::Completions(_)
        | Command::ManualPages(_) => Err(Failure::other("this command does not ask the agent")),
    }
}

pub(crate) fn coded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A time on this machine's clock face.
pub(crate) fn time(value: &Value) -> String {
    let at = value
        .as_i64()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(String::new, |at| {
        at.to_zoned(jiff::tz::TimeZone::system())
            .strftime("%Y-%m-%d %H:%M")
            .to_string()
    })
}

/// `{units, scale}` as people write it.
pub(crate) fn decimal(value: &Value) -> String {
    serde_json::from_value::<waybill_model::decimal::Decimal>(value.clone())
        .map_or_else(|_| String::new(), |amount| amount.to_string())
}

/// The running agent, and where its answers are shown.
pub(crate) struct Agent {
    pub(crate) out: Out,
    pub(crate) client: LocalClient,
}

impl Agent {
    pub(crate) async fn get(&self, place: &str) -> Result<Value, Failure> {
        let answer = self.client.get_json(place).await;
        answer.map_err(|error| client_failure(&error))
    }

    pub(crate) async fn ask(&self, place: &str, body: &Value) -> Result<Value, Failure> {
        let answer = self.client.post_json(place, body).await;
        answer.map_err(|error| client_failure(&error))
    }

    pub(crate) async fn post(&self, place: &str, body: &Value, done: &str) -> Result<(), Failure> {
        let answer = self.ask(place, body).await?;
        self.out.line(done);
        self.out.value(&answer);
        Ok(())
    }

    async fn connection(&self, name: &str, verb: &str, done: &str) -> Result<(), Failure> {
        let place = format!("/api/v1/connections/{}/{verb}", coded(name));
        self.post(&place, &Value::Null, done).await
    }

    async fn status(&self) -> Result<(), Failure> {
        let frame = self.get("/api/v1/frame").await?;
        let today = self.get("/api/v1/today").await?;
        self.out.value(&json!({"frame": frame, "today": today}));
        let name = text(&frame["store"]);
        self.out
            .line(format!("{name}: {}", text(&today["verdict"])));
        for alarm in list(&frame["alarms"]) {
            self.out.line(text(&alarm["text"]));
            self.out.line(format!("  {}", text(&alarm["hint"])));
        }
        for paused in list(&frame["paused"]) {
            self.out.line(format!("Paused: {}", text(paused)));
        }
        let stages: Vec<String> = list(&today["stages"])
            .iter()
            .map(|pair| format!("{} {}", text(&pair[1]), text(&pair[0])))
            .collect();
        if !stages.is_empty() {
            self.out.line(format!("Orders: {}", stages.join(", ")));
        }
        let (causes, waiting) = (text(&frame["causes"]), text(&frame["waiting"]));
        self.out.line(format!(
            "Waiting for you: {causes} causes, {waiting} orders"
        ));
        if let Some(deadline) = list(&today["deadlines"]).first() {
            self.out.line(format!(
                "Next deadline: {} by {} (order {})",
                text(&deadline["kind"]),
                time(&deadline["at"]),
                text(&deadline["order"]["number"])
            ));
        }
        self.out.line(format!("Agent {}", text(&frame["version"])));
        let rows: Vec<Vec<String>> = list(&frame["connections"])
            .iter()
            .map(|connection| {
                vec![
                    text(&connection["name"]),
                    text(&connection["title"]),
                    build(connection),
                    text(&connection["sentence"]),
                    time(&connection["last_ok"]),
                    webhooks(&connection["hooks"]),
                ]
            })
            .collect();
        if rows.is_empty() {
            self.out
                .line("No connection yet: apply a provisioning file, or open the page.");
        } else {
            self.out.table(
                &[
                    "CONNECTION",
                    "SYSTEM",
                    "CONNECTOR",
                    "STATE",
                    "LAST CONTACT",
                    "WEBHOOKS",
                ],
                &rows,
            );
        }
        Ok(())
    }

    async fn orders(&self, args: &Orders) -> Result<(), Failure> {
        let filter = match (args.stage, &args.find) {
            (Some(stage), _) => format!("&state={stage}"),
            (None, Some(find)) => format!("&q={}", coded(find)),
            (None, None) => String::new(),
        };
        let place = format!("/api/v1/orders?limit={}{filter}", args.limit);
        let answer = self.get(&place).await?;
        self.order_rows(list(&answer["rows"]));
        self.out.value(&answer);
        Ok(())
    }

    fn order_rows(&self, rows: &[Value]) {
        if rows.is_empty() {
            self.out.line("No orders.");
            return;
        }
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|order| {
                vec![
                    text(&order["id"]),
                    text(&order["number"]),
                    text(&order["retailer_name"]),
                    time(&order["received_at"]),
                    text(&order["sale"]),
                    text(&order["stage_label"]),
                    text(&order["problem"]),
                ]
            })
            .collect();
        let heads = ["ID", "PO", "RETAILER", "RECEIVED", "SALE", "STATE", "WHY"];
        self.out.table(&heads, &rows);
    }

    /// By PO number first, since people know that; a number that is no PO is an id.
    pub(crate) async fn order_id(&self, named: &str) -> Result<String, Failure> {
        let found = self
            .get(&format!("/api/v1/orders?limit=50&q={}", coded(named)))
            .await?;
        let same: Vec<Value> = list(&found["rows"])
            .iter()
            .filter(|order| order["number"] == named)
            .cloned()
            .collect();
        match (same.as_slice(), named.parse::<u64>()) {
            ([order], _) => Ok(text(&order["id"])),
            ([], Ok(id)) => Ok(id.to_string()),
            ([], Err(_)) => Err(Failure::hinted(
                format!("there is no order `{named}`"),
                "`waybill orders --find TEXT` also finds tracking, SKU and sale numbers.",
            )),
            (several, _) => {
                self.order_rows(several);
                self.out.value(&json!({"rows": several}));
                Err(Failure::hinted(
                    format!("{} orders have the PO number `{named}`", several.len()),
                    "Name one of them by its id.",
                ))
            }
        }
    }

    async fn order(&self, args: &Order) -> Result<(), Failure> {
        let id = self.order_id(&args.order).await?;
        let order = self.get(&format!("/api/v1/orders/{id}")).await?;
        self.out.value(&order);
        self.order_detail(&order);
        Ok(())
    }

    fn order_detail(&self, detail: &Value) {
        let order = &detail["order"];
        self.out.line(format!(
            "Order {} from {} through {}: {}",
            text(&order["number"]),
            text(&order["retailer_name"]),
            text(&order["source"]),
            text(&order["stage_label"])
        ));
        if let Some(problem) = order["problem"].as_str() {
            self.out.line(format!("Waits: {problem}"));
        }
        if let Some(sale) = order["sale"].as_str() {
            self.out
                .line(format!("Sale: {sale} in {}", text(&order["target"])));
        }
        if let Some(total) = order["total"].as_array() {
            let (amount, currency) = (decimal(&total[0]), text(&total[1]));
            let sentence = text(&detail["money_sentence"][1]);
            self.out
                .line(format!("Total: {amount} {currency}. {sentence}"));
        }
        for deadline in list(&detail["deadlines"]) {
            self.out
                .line(format!("{} by {}", text(&deadline[0]), time(&deadline[1])));
        }
        self.out.line("");
        let notes = list(&detail["timeline"]).iter();
        let notes: Vec<Vec<String>> = notes
            .map(|note| vec![time(&note["at"]), text(&note["text"]), text(&note["words"])])
            .collect();
        self.out.table(&["WHEN", "WHAT", "THEIR WORDS"], &notes);
        self.out.line("");
        let jobs: Vec<Vec<String>> = list(&detail["jobs"])
            .iter()
            .map(|job| {
                let (id, what) = (text(&job["id"]), text(&job["what"]));
                vec![id, what, text(&job["attempt"]), text(&job["state"])]
            })
            .collect();
        self.out.table(&["STEP", "WHAT", "TRIED", "STATE"], &jobs);
    }

    async fn cards(&self) -> Result<(), Failure> {
        let answer = self.get("/api/v1/cards").await?;
        self.out.value(&answer);
        let cards = list(&answer["cards"]);
        if cards.is_empty() {
            self.out.line("Nothing waits for you.");
        }
        for card in cards {
            let ignored = card["ignored"]
                .as_str()
                .map_or_else(String::new, |why| format!(" (left alone: {why})"));
            self.out.line(format!(
                "{}  {}{ignored}",
                text(&card["id"]),
                text(&card["title"])
            ));
            self.out.line(format!("    {}", text(&card["text"])));
            if let Some(hint) = card["hint"].as_str() {
                self.out.line(format!("    {hint}"));
            }
            if let Some(cell) = card["cell"].as_object() {
                let label = text(&cell["label"]);
                self.out.line(format!(
                    "    {label}: waybill fill {} CODE",
                    text(&card["id"])
                ));
            }
            let deadline = time(&card["deadline"]);
            let by = if deadline.is_empty() {
                String::new()
            } else {
                format!(", the first by {deadline}")
            };
            self.out.line(format!(
                "    Orders that wait: {}{by}",
                text(&card["waiting"])
            ));
        }
        Ok(())
    }

    async fn retry(&self, args: &Retry) -> Result<(), Failure> {
        if let Some(job) = args.job {
            return self
                .post(
                    &format!("/api/v1/jobs/{job}/retry"),
                    &Value::Null,
                    "Tried again.",
                )
                .await;
        }
        let card = args.card.as_deref().unwrap_or_default();
        let answer = self
            .ask(
                &format!("/api/v1/cards/{}/retry", coded(card)),
                &Value::Null,
            )
            .await?;
        self.released(&answer);
        Ok(())
    }

    fn released(&self, answer: &Value) {
        self.out
            .line(format!("Steps that go on: {}", text(&answer["released"])));
        self.out.value(answer);
    }

    async fn fill(&self, args: &Fill) -> Result<(), Failure> {
        let answer = self.get("/api/v1/cards").await?;
        let card = list(&answer["cards"])
            .iter()
            .find(|card| card["id"] == args.card.as_str());
        let cell = match card {
            Some(card) if card["cell"].is_object() => &card["cell"],
            Some(_) => {
                return Err(Failure::other(format!(
                    "card `{}` asks for no cell",
                    args.card
                )));
            }
            None => {
                return Err(Failure::hinted(
                    format!("there is no card `{}`", args.card),
                    "`waybill cards` lists them; it may be solved by now.",
                ));
            }
        };
        let body = json!({
            "from": cell["from"], "to": cell["to"], "table": cell["gap"]["table"],
            "retailer": cell["gap"]["retailer"], "value": cell["gap"]["value"],
            "code": args.code, "for_all": args.for_all,
        });
        let answer = self.ask("/api/v1/cells", &body).await?;
        self.released(&answer);
        Ok(())
    }

    async fn poll(&self, args: &Poll) -> Result<(), Failure> {
        let place = format!("/api/v1/connections/{}/poll", coded(&args.connection));
        let body = args
            .entity
            .map_or(Value::Null, |entity| json!({"entity": entity}));
        self.post(&place, &body, "Reading now.").await
    }

    async fn probe(&self, name: &str) -> Result<(), Failure> {
        let answer = self
            .ask(
                &format!("/api/v1/connections/{}/probe", coded(name)),
                &Value::Null,
            )
            .await?;
        self.out.value(&answer);
        self.out.line(format!("`{name}` works."));
        for pair in list(&answer["reached"]) {
            self.out
                .line(format!("  {}: {}", text(&pair[0]), text(&pair[1])));
        }
        Ok(())
    }

    async fn history(&self, limit: u16) -> Result<(), Failure> {
        let answer = self.get(&format!("/api/v1/history?limit={limit}")).await?;
        self.out.value(&answer);
        let rows: Vec<Vec<String>> = list(&answer["rows"])
            .iter()
            .map(|row| {
                vec![
                    time(&row["at"]),
                    text(&row["who"]),
                    text(&row["what"]),
                    text(&row["detail"]),
                ]
            })
            .collect();
        self.out.table(&["WHEN", "WHO", "WHAT", "DETAIL"], &rows);
        Ok(())
    }
}

/// Version and generation of a connection's connector.
fn build(connection: &Value) -> String {
    match connection["connector"].as_array().map(Vec::as_slice) {
        Some([_, version]) => {
            let generation = text(&connection["generation"]);
            format!("{} (generation {generation})", text(version))
        }
        _ => "none".to_owned(),
    }
}

fn webhooks(hooks: &Value) -> String {
    if hooks.is_null() {
        return String::new();
    }
    let sentence = text(&hooks["sentence"]);
    match hooks["waiting"].as_u64() {
        Some(waiting @ 1..) => format!("{sentence}; {waiting} waiting"),
        _ => sentence,
    }
}
