//! The command line's grammar. Owns names, help texts and the rules between options; does nothing.

mod alerts;
mod backfill;
mod backup;
mod connectors;
mod flows;
mod practice;
mod rehearse;
mod settings;
mod stock;
mod users;

use clap::{ArgGroup, Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) use alerts::Alerts;
pub(crate) use backfill::{Backfill, LookForOrders};
pub(crate) use backup::{Backup, BackupOther, Restore};
pub(crate) use connectors::{
    AcceptBuild, ChooseBuild, Connectors, Install, Keygen, Remove, Sign, Verify,
};
pub(crate) use flows::{Compare, Flows, OneFlow};
pub(crate) use practice::{ListPractised, Practice, PracticeOf, Practised};
pub(crate) use rehearse::Rehearse;
pub(crate) use settings::{ExportSettings, Settings};
pub(crate) use stock::{ListStock, Stock, StockRoute, WhyStock};
pub(crate) use users::Users;

/// Keeps a merchant's ERP and dropship network in step.
#[derive(Debug, Parser)]
#[command(
    name = "waybill",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// The agent's configuration (default: /etc/waybill/agent.toml, where it exists).
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Socket of the running agent, where it is not the configured one.
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// This agent plays in a rehearsal, and lives in that folder.
    #[arg(long, global = true, value_name = "FOLDER", hide = true)]
    pub(crate) rehearsal: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the agent in the foreground until it is told to stop.
    Run,
    /// Check the configuration, and a provisioning file, without touching anything.
    Check(Check),
    /// Apply a provisioning file: all of it or nothing.
    Apply(Apply),
    /// Is everything in step?
    Status,
    /// Find what is wrong, from the configuration to the vendors' doors; changes nothing.
    Doctor(Doctor),
    /// The last lines of the service's log.
    Logs(Logs),
    /// Pack what a support person needs into one file, without secrets and consumers' data.
    SupportBundle(SupportBundle),
    /// List orders, newest first.
    Orders(Orders),
    /// Show one order.
    Order(Order),
    /// List what waits for a person.
    Cards,
    /// Try again what waits for a cause, or one step of an order.
    Retry(Retry),
    /// Leave a cause alone, with a reason.
    Ignore(Ignore),
    /// Fill the cell that a card asks for.
    Fill(Fill),
    /// Read and write crosswalks as CSV files.
    #[command(subcommand)]
    Mappings(Mappings),
    /// Try what stopped again, from the step that stopped; nothing is sent twice.
    Replay(Replay),
    /// Orders from before this agent ran, or that got lost on the way: look for them, take what is missing.
    #[command(subcommand)]
    Backfill(Backfill),
    /// Read from a connection now.
    Poll(Poll),
    /// Test a connection.
    Probe(Named),
    /// Call a connection no more until it is resumed.
    Pause(Named),
    /// Go on with a paused connection.
    Resume(Named),
    /// Comparisons of both sides, newest first; or compare now.
    Compare(Compare),
    /// Flows, one kind of document over one route: whether each runs, pause, run now.
    #[command(subcommand)]
    Flows(Flows),
    /// Everything that is set as one file, out and in; versions compared and restored.
    #[command(subcommand)]
    Settings(Settings),
    /// Practice: what would be sent, nothing sent; going live.
    #[command(subcommand)]
    Practice(Practice),
    /// Rehearse an order with your settings and matches, on stand-ins for both systems; nothing of it reaches them.
    Rehearse(Rehearse),
    /// Stock: what is told of each item, why a number is what it is, on and off.
    #[command(subcommand)]
    Stock(Stock),
    /// Let go of connections: pause them and remove what was registered at their vendors. To be run before a purge.
    Disconnect(Disconnect),
    /// Alerts by mail, webhook and ping: whether they arrive, a test, their secrets.
    #[command(subcommand)]
    Alerts(Alerts),
    /// Who may log in to the page, as what; one-time codes for new users and lost passwords.
    #[command(subcommand)]
    Users(Users),
    /// Who did what, newest first.
    History(History),
    /// Write a backup of the database, of the running agent or of a stopped one; or check one.
    Backup(Backup),
    /// Put a backup, or a kept database, in place of the database. The agent must be stopped.
    Restore(Restore),
    /// Connectors: what runs, what waits for you, going back; who signed one, and keys to sign with.
    #[command(subcommand)]
    Connectors(Connectors),
    /// Run the agent against the built-in sandbox of both vendors.
    Demo(Demo),
    /// Print the completions of a shell.
    Completions(Completions),
    /// Write the manual pages into a folder; packages are made with it.
    #[command(hide = true)]
    ManualPages(ManualPages),
}

/// `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A provisioning file to check as well.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Leave the connectors out: the service asks this before each start.
    #[arg(long, conflicts_with = "file")]
    pub(crate) quick: bool,
}

/// `apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The provisioning file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Show the difference and stop.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// The agent is stopped: open its data folder instead of asking it.
    #[arg(long)]
    pub(crate) offline: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Ask nobody outside this machine.
    #[arg(long)]
    pub(crate) local: bool,
}

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Only lines about this order.
    #[arg(long, value_name = "PO")]
    pub(crate) order: Option<String>,
    /// Only lines about this connection.
    #[arg(long, value_name = "NAME")]
    pub(crate) connection: Option<String>,
    /// Only lines of this weight and above: error, warning, info or debug.
    #[arg(long, value_parser = level)]
    pub(crate) level: Option<&'static str>,
    /// Only lines from then on: 2026-11-20T14:00 on this machine's clock, or with an offset.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<i64>,
    /// At most so many, the last ones.
    #[arg(long, short = 'n', default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) lines: u16,
}

impl Logs {
    /// The last lines of everything.
    pub(crate) const fn last(lines: u16) -> Self {
        Self {
            order: None,
            connection: None,
            level: None,
            since: None,
            lines,
        }
    }
}

/// `support-bundle`.
#[derive(Debug, Args)]
pub(crate) struct SupportBundle {
    /// The file to make, for example waybill-support.tar.gz.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `orders`.
#[derive(Debug, Args)]
pub(crate) struct Orders {
    /// Only orders in this state, for example `waiting`.
    #[arg(long, value_parser = stage)]
    pub(crate) stage: Option<&'static str>,
    /// Find a PO number, a tracking number, a SKU or a sale number.
    #[arg(long, value_name = "TEXT", conflicts_with = "stage")]
    pub(crate) find: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
}

/// `order`.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Id of the order in this agent, or its PO number.
    #[arg(value_name = "ID|PO")]
    pub(crate) order: String,
}

/// `retry`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["card", "job"]))]
pub(crate) struct Retry {
    /// Id of a card.
    pub(crate) card: Option<String>,
    /// Number of a step.
    #[arg(long, value_name = "N")]
    pub(crate) job: Option<u64>,
}

/// `ignore`.
#[derive(Debug, Args)]
pub(crate) struct Ignore {
    /// Id of a card.
    pub(crate) card: String,
    /// Kept in the history.
    #[arg(long)]
    pub(crate) reason: String,
}

/// `fill`.
#[derive(Debug, Args)]
pub(crate) struct Fill {
    /// Id of a card that asks for a cell.
    pub(crate) card: String,
    /// What to write into the cell.
    pub(crate) code: String,
    /// For all retailers, not only the card's.
    #[arg(long)]
    pub(crate) for_all: bool,
}

/// `mappings`.
#[derive(Debug, Subcommand)]
pub(crate) enum Mappings {
    /// Write a crosswalk to standard output, or to a file.
    Export(Export),
    /// Apply a CSV file to a crosswalk: all rows or none.
    Import(Import),
}

/// `mappings export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The crosswalk: items, shipping-methods, warehouses or customers.
    #[arg(value_name = "TABLE", value_parser = waybill_engine::mappings::TABLES)]
    pub(crate) table: String,
    /// Write to this file.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `mappings import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The crosswalk: items, shipping-methods, warehouses or customers.
    #[arg(value_name = "TABLE", value_parser = waybill_engine::mappings::TABLES)]
    pub(crate) table: String,
    /// The CSV file; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Show what would change and stop.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `replay`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope").required(true).args(["order", "since", "card", "all_parked"]))]
pub(crate) struct Replay {
    /// One order, by its PO number or its id.
    #[arg(long, value_name = "PO|ID")]
    pub(crate) order: Option<String>,
    /// Everything that stopped since then: 2026-11-20T14:00 on this machine's clock, or with an offset.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<i64>,
    /// Everything behind a card.
    #[arg(long, value_name = "ID")]
    pub(crate) card: Option<String>,
    /// Everything that waits for a person and was not left alone.
    #[arg(long)]
    pub(crate) all_parked: bool,
    /// Show what would be tried and stop.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `poll`.
#[derive(Debug, Args)]
pub(crate) struct Poll {
    /// Name of the connection.
    pub(crate) connection: String,
    /// Only this kind of document.
    #[arg(long, value_parser = entity)]
    pub(crate) entity: Option<&'static str>,
}

/// A command about one connection.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Name of the connection.
    pub(crate) connection: String,
}

/// `disconnect`.
#[derive(Debug, Args)]
pub(crate) struct Disconnect {
    /// Name of the connection; all of them when left out.
    pub(crate) connection: Option<String>,
    /// Forget its secrets too.
    #[arg(long)]
    pub(crate) forget_secrets: bool,
}

/// `history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
}

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Handed to the sandbox.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

/// `manual-pages`.
#[derive(Debug, Args)]
pub(crate) struct ManualPages {
    /// Where they go.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
}

fn stage(word: &str) -> Result<&'static str, String> {
    use waybill_model::order_state::OrderStage;
    let found = OrderStage::from_word(word).map(OrderStage::word);
    found.ok_or_else(|| one_of(OrderStage::ALL.iter().map(|s| s.word())))
}

/// A weight, as the journal calls it.
fn level(word: &str) -> Result<&'static str, String> {
    const LEVELS: [(&str, &str); 5] = [
        ("error", "err"),
        ("warn", "warning"),
        ("warning", "warning"),
        ("info", "info"),
        ("debug", "debug"),
    ];
    let found = LEVELS.iter().find(|(known, _)| *known == word);
    found
        .map(|(_, level)| *level)
        .ok_or_else(|| one_of(["error", "warning", "info", "debug"].into_iter()))
}

fn entity(word: &str) -> Result<&'static str, String> {
    use waybill_model::document::Entity;
    let found = Entity::from_word(word).map(Entity::word);
    found.ok_or_else(|| one_of(Entity::ALL.iter().map(|e| e.word())))
}

/// A time on this machine's clock, or with an offset of its own, in milliseconds since 1970.
fn moment(text: &str) -> Result<i64, String> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    text.parse::<jiff::civil::DateTime>()
        .and_then(|at| at.to_zoned(jiff::tz::TimeZone::system()))
        .map(|at| at.timestamp().as_millisecond())
        .map_err(|_| "write it as 2026-11-20T14:00 or 2026-11-20T14:00:00Z".to_owned())
}

fn one_of(words: impl Iterator<Item = &'static str>) -> String {
    format!("it must be one of {}", words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_are_read() {
        let cli = parse("waybill apply shop.toml --yes --json --config a.toml").unwrap();
        assert!(cli.json);
        assert_eq!(cli.config, Some(PathBuf::from("a.toml")));
        assert!(matches!(
            cli.command,
            Command::Apply(Apply {
                yes: true,
                dry_run: false,
                ..
            })
        ));
        let cli = parse("waybill orders --stage waiting --limit 7").unwrap();
        assert!(matches!(
            cli.command,
            Command::Orders(Orders {
                stage: Some("waiting"),
                limit: 7,
                ..
            })
        ));
        let cli = parse("waybill retry --job 12").unwrap();
        assert!(matches!(
            cli.command,
            Command::Retry(Retry {
                card: None,
                job: Some(12)
            })
        ));
        let cli = parse("waybill replay --since 2026-11-20T14:06:00Z --dry-run").unwrap();
        assert!(matches!(
            cli.command,
            Command::Replay(Replay {
                since: Some(1_795_183_560_000),
                dry_run: true,
                ..
            })
        ));
        let cli = parse("waybill mappings import items my.csv --dry-run").unwrap();
        assert!(matches!(
            cli.command,
            Command::Mappings(Mappings::Import(Import { dry_run: true, .. }))
        ));
        let cli = parse("waybill connectors accept erp --set shop.url.base=a=b --yes").unwrap();
        let Command::Connectors(Connectors::Accept(accept)) = cli.command else {
            panic!("not accept")
        };
        let set = &accept.set[0];
        assert_eq!(
            (&*set.connection, &*set.key, &*set.value),
            ("shop", "url.base", "a=b")
        );
        let cli = parse("waybill backup /mnt/usb").unwrap();
        assert!(matches!(
            cli.command,
            Command::Backup(Backup {
                target: Some(_),
                other: None
            })
        ));
        let cli = parse("waybill backup verify a.backup").unwrap();
        assert!(matches!(
            cli.command,
            Command::Backup(Backup {
                target: None,
                other: Some(BackupOther::Verify(_))
            })
        ));
        let cli = parse("waybill demo --seed 7 -- x").unwrap();
        let Command::Demo(demo) = cli.command else {
            panic!("not demo")
        };
        assert_eq!(demo.args[..2], ["--seed", "7"]);
    }

    #[test]
    fn practice_and_settings_are_understood() {
        for line in [
            "waybill practice list --fields",
            "waybill practice on --flow shipment --retailer 1001",
            "waybill practice live --discard late",
            "waybill practice discard 7 8 --reason twice",
            "waybill settings export",
            "waybill settings compare 3",
            "waybill settings restore 3 --yes",
            "waybill settings import f --dry-run",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            "waybill",
            "waybill retry",
            "waybill retry gap-1 --job 2",
            "waybill apply f --yes --dry-run",
            "waybill orders --stage waitin",
            "waybill orders --limit 0",
            "waybill poll net --entity orders",
            "waybill flows pause orders network erp",
            "waybill flows run order network",
            "waybill settings",
            "waybill settings import",
            "waybill settings restore",
            "waybill practice",
            "waybill practice apply",
            "waybill practice apply 7 --all",
            "waybill practice discard 7",
            "waybill practice live --apply --discard late",
            "waybill practice on --flow shipments",
            "waybill stock",
            "waybill stock why",
            "waybill stock list --show some",
            "waybill ignore card-1",
            "waybill nonsense",
            "waybill mappings import things file.csv",
            "waybill connectors accept erp --set url=x",
            "waybill connectors choose erp",
            "waybill replay",
            "waybill connectors keygen key",
            "waybill connectors sign c.wasm",
            "waybill connectors sign --key k",
            "waybill connectors verify",
            "waybill connectors install",
            "waybill connectors remove",
            "waybill replay --since yesterday",
            "waybill replay --order 7 --all-parked",
            "waybill backup",
            "waybill restore",
            "waybill restore a.backup --kept b",
            "waybill restore --kept b --without-secrets",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        let error = parse("waybill orders --stage waitin")
            .unwrap_err()
            .to_string();
        assert!(error.contains("part-shipped"), "{error}");
    }
}
