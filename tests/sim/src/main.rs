//! `waybill-sandbox`: starts one vendor's sandbox, or checks two running ones against each other. Must not know what the
//! vendors do.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use waybill_sim::play::rehearsal::{self, Brief};
use waybill_sim::play::story::{self, Wishes};
use waybill_sim::ports::{free_address, free_port};
use waybill_sim::serve::{ServeOptions, TlsOptions, serve};
use waybill_sim::{brightpearl, check, client, dsco, sftp};

/// What both say once they listen.
const SAID: &str = "Once it listens, it prints one line of JSON: the addresses, and under `enter` what to fill in on the page of a connection to it, credentials included. The credentials are the same every time.";

#[derive(Debug, Parser)]
#[command(
    name = "waybill-sandbox",
    about = "Sandboxes of both vendors, for tests and demonstrations"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the DSCO sandbox
    #[command(after_help = SAID)]
    Dsco {
        #[command(flatten)]
        serving: Serving,
        /// Settings as a JSON object, as `POST /_sim/settings` takes them
        #[arg(long, default_value = "{}")]
        settings: String,
        /// Exchange files in this folder, too, as export and import jobs do, and serve it by SFTP
        #[arg(long, value_name = "FOLDER")]
        files: Option<PathBuf>,
    },
    /// Start the Brightpearl sandbox
    #[command(after_help = SAID)]
    Brightpearl {
        #[command(flatten)]
        serving: Serving,
        /// Products of the catalogue; the usual ones when left out
        #[arg(long)]
        products: Option<usize>,
    },
    /// Play orders through their whole life against both sandboxes
    Demo(Demo),
    /// Play a merchant's rehearsal: the brief is a line on standard input, whose end stops everything
    Rehearse {
        /// The agent's program
        #[arg(long)]
        agent: PathBuf,
        /// The agent's configuration
        #[arg(long)]
        config: Option<PathBuf>,
        /// A folder for everything of this rehearsal
        #[arg(long)]
        folder: PathBuf,
    },
    /// The connectors whose systems a rehearsal can play, as JSON
    Plays,
    /// Compare the truths of two running sandboxes; fails when an order is lost or doubled
    Check {
        /// Control address of the DSCO sandbox
        #[arg(long)]
        dsco: String,
        /// Control address of the Brightpearl sandbox
        #[arg(long)]
        brightpearl: String,
        /// Order ids that wait for a person and may lack a sale
        #[arg(long, value_delimiter = ',')]
        waived: Vec<String>,
        /// Print the whole report as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Demo {
    /// The agent's program
    #[arg(long)]
    agent: PathBuf,
    /// Folder of the connectors (default: those of the agent's build or package)
    #[arg(long)]
    connectors: Option<PathBuf>,
    /// How many orders
    #[arg(long, default_value_t = 30)]
    orders: usize,
    /// Stop when every order is where it belongs; fails on any difference
    #[arg(long)]
    exit: bool,
    /// Failures of every kind on both sides
    #[arg(long)]
    faults: bool,
    /// Polling alone
    #[arg(long)]
    no_webhooks: bool,
    /// Both sandboxes speak TLS, under a test authority that the agent is told to trust
    #[arg(long)]
    tls: bool,
    /// Every flow of the network by files over SFTP
    #[arg(long)]
    sftp: bool,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the agent's data here
    #[arg(long)]
    data: Option<PathBuf>,
    /// Address of the page; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7878")]
    listen: String,
}

#[derive(Debug, Args)]
struct Serving {
    /// API address; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Control address; keep it on the loopback
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Speak TLS on the API and write the test authority's PEM here
    #[arg(long, value_name = "PEM")]
    tls: Option<PathBuf>,
    /// Names and addresses of the certificate
    #[arg(long, value_delimiter = ',', default_value = "localhost,127.0.0.1")]
    tls_names: Vec<String>,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Wait so many milliseconds before each answer: `20` or `5-50`
    #[arg(long, value_parser = latency)]
    latency_ms: Option<(u64, u64)>,
    /// Stop when standard input ends, so that a killed parent leaves nothing behind
    #[arg(long)]
    exit_with_stdin: bool,
}

impl Serving {
    fn options(&self) -> ServeOptions {
        let tls = self.tls.as_ref().map(|ca_pem| TlsOptions {
            ca_pem: ca_pem.clone(),
            names: self.tls_names.clone(),
        });
        ServeOptions {
            listen: self.listen,
            control_listen: self.control,
            tls,
            seed: self.seed,
            latency: self.latency_ms,
            sftp: None,
        }
    }
}

fn latency(text: &str) -> Result<(u64, u64), String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let parse = |part: &str| {
        part.parse::<u64>()
            .map_err(|_| format!("`{part}` is no number"))
    };
    Ok((parse(low)?, parse(high)?))
}

/// The address, or the same with a free port where that one is taken.
fn page_address(wanted: &str) -> anyhow::Result<String> {
    let mut address: SocketAddr = wanted
        .parse()
        .with_context(|| format!("`{wanted}` is no address with a port"))?;
    if address.port() == 0 || std::net::TcpListener::bind(address).is_err() {
        address.set_port(free_port());
    }
    Ok(address.to_string())
}

/// Returns when standard input ends.
async fn stdin_ended() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        let mut stdin = std::io::stdin();
        while matches!(stdin.read(&mut buffer), Ok(n) if n > 0) {}
        sender.send(()).ok();
    });
    receiver.await.ok();
}

/// Plays the rehearsal that standard input asks for, until its end or that of standard input.
async fn rehearse(place: rehearsal::Place) -> anyhow::Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let brief: Brief = serde_json::from_str(&line).context("no brief on standard input")?;
    tokio::select! {
        () = rehearsal::perform(&brief, &place) => {}
        () = stdin_ended() => {}
    }
    Ok(())
}

async fn run(
    vendor: impl waybill_sim::vendor::Vendor,
    serving: &Serving,
    options: ServeOptions,
) -> anyhow::Result<()> {
    let served = serve(vendor, options);
    if !serving.exit_with_stdin {
        return served.await;
    }
    tokio::select! {
        result = served => result,
        () = stdin_ended() => Ok(()),
    }
}

async fn check_both(
    dsco: &str,
    brightpearl: &str,
    waived: Vec<String>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let truth = |base: &str| format!("{}/_sim/truth", base.trim_end_matches('/'));
    let network = client::json("GET", &truth(dsco), &Value::Null).await?;
    let erp = client::json("GET", &truth(brightpearl), &Value::Null).await?;
    let cards: BTreeSet<String> = waived.into_iter().collect();
    let report = check::check(&network, &erp, &cards);
    let mut out = std::io::stdout();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        writeln!(out, "{}", report.summary())?;
        for (list, finding) in report.problems() {
            writeln!(out, "{list}: {}: {}", finding.key, finding.what)?;
        }
    }
    Ok(if report.ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    run_command().await.unwrap_or_else(|error| {
        // The whole chain in one line; a backtrace would say nothing to a person.
        drop(writeln!(std::io::stderr(), "error: {error:#}"));
        ExitCode::FAILURE
    })
}

async fn serve_network(
    serving: &Serving,
    settings: &str,
    files: Option<PathBuf>,
) -> anyhow::Result<()> {
    let settings: Value = serde_json::from_str(settings).context("bad `--settings`")?;
    let mut vendor = dsco::Sandbox::with_settings(serving.seed, &settings)
        .map_err(|why| anyhow::anyhow!("bad `--settings`: {why}"))?;
    let mut options = serving.options();
    if let Some(folder) = files {
        vendor = vendor
            .with_folder(&folder)
            .with_context(|| format!("cannot use `{}`", folder.display()))?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        options.sftp = Some(sftp::serve(any, &folder).await?);
    }
    run(vendor, serving, options).await
}

async fn run_command() -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    match Cli::parse().command {
        Command::Dsco {
            serving,
            settings,
            files,
        } => {
            serve_network(&serving, &settings, files).await?;
        }
        Command::Brightpearl { serving, products } => {
            let usual = brightpearl::Options::default();
            let options = brightpearl::Options {
                seed: serving.seed,
                products: products.unwrap_or(usual.products),
                ..usual
            };
            let vendor = brightpearl::Brightpearl::new(options);
            run(vendor, &serving, serving.options()).await?;
        }
        Command::Demo(demo) => {
            // Scripts and tests run beside each other: they take a free port.
            let listen = if demo.exit {
                free_address()
            } else {
                page_address(&demo.listen)?
            };
            let wishes = Wishes {
                agent: demo.agent,
                connectors: demo.connectors,
                orders: demo.orders,
                exit: demo.exit,
                faults: demo.faults,
                tls: demo.tls,
                sftp: demo.sftp,
                seed: demo.seed,
                data: demo.data,
                listen,
                hooks: if demo.no_webhooks {
                    None
                } else {
                    Some(free_address())
                },
            };
            story::play(&wishes).await?;
        }
        Command::Rehearse {
            agent,
            config,
            folder,
        } => {
            let place = rehearsal::Place {
                agent,
                config,
                folder,
            };
            rehearse(place).await?;
        }
        Command::Plays => {
            writeln!(std::io::stdout(), "{}", serde_json::json!(rehearsal::PLAYS))?;
        }
        Command::Check {
            dsco,
            brightpearl,
            waived,
            json,
        } => {
            return check_both(&dsco, &brightpearl, waived, json).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}
