//! `cargo measure -- files`: a file of very many order rows comes through the sandbox's file server. Counts the orders read,
//! the pages, how often the file passed the wire, the time and the most memory the agent ever had; then a line that does not
//! end. Their items are unknown at the ERP, so nothing but the reading is measured. Fails when a bar is missed.

use crate::figures::{aimed, mib, plain};
use crate::programs::Programs;
use crate::{process, say, starts};
use anyhow::{Context as _, ensure};
use clap::Args;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use waybill_http::LocalClient;
use waybill_sim::play::agent::{Agent, Place};
use waybill_sim::play::house::House;
use waybill_sim::play::provisioning::{Pace, Scene};

/// Large files of orders.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Rows of the file, two for each order
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(2..=1_000_000))]
    rows: u64,
    /// MiB of a line that does not end; beyond 512 the file is not even fetched; 0 leaves it out
    #[arg(long, default_value_t = 256)]
    line_mib: u64,
    /// Columns of the file; those beyond what an export needs are empty
    #[arg(long, default_value_t = 223)]
    columns: usize,
    /// The lines of an order do not stand together
    #[arg(long)]
    scattered: bool,
    /// Measure the agent that was built with this very program
    #[arg(long)]
    pub(crate) as_built: bool,
    /// Leave the data folder behind
    #[arg(long)]
    keep: bool,
}

/// Orders of a page, as the connector hands them on.
const PAGE: u64 = 1_000;
/// Most memory of the agent.
const MEMORY: u64 = 96 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_mins(30);
const LOOK: Duration = Duration::from_millis(250);
/// Nothing is new at the start before that.
const CALM: Duration = Duration::from_secs(5);
const PACE: Pace = Pace {
    poll: "1",
    notes: "30",
    states: "30",
    gather: "1",
    retry_cap: "5",
    settle_secs: 3,
};
/// Columns that an export fills.
const FILLED: [&str; 22] = [
    "po_number",
    "number_of_line_items",
    "dsco_order_id",
    "dsco_retailer_id",
    "dsco_lifecycle",
    "dsco_last_update_date",
    "currency_code",
    "line_item_line_number",
    "line_item_sku",
    "line_item_quantity",
    "line_item_title",
    "line_item_expected_cost",
    "ship_first_name",
    "ship_last_name",
    "ship_address_1",
    "ship_city",
    "ship_region",
    "ship_postal",
    "ship_country",
    "ship_phone",
    "shipping_service_level_code",
    "ship_by_date",
];

/// Measures everything.
pub(crate) async fn measure(wanted: &Files) -> anyhow::Result<()> {
    let programs = Programs::find()?;
    let folder = programs.folder.join("files");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let mut run = Run::start(&programs, &folder).await?;
    let idle = run.memory()?;
    say(&plain(
        "idle: in memory, most so far",
        &format!("{}, {}", mib(idle.resident), mib(idle.peak)),
    ));
    run.read(wanted).await?;
    if wanted.line_mib > 0 {
        run.refuse(wanted.line_mib).await?;
    }
    let peak = run.memory()?.peak;
    let good = peak <= MEMORY;
    say(&aimed("most memory of all", &mib(peak), "96 MiB", good));
    if !good {
        run.missed.push("most memory");
    }
    starts::stop(&run.place, &mut run.agent).await?;
    if !wanted.keep && run.missed.is_empty() {
        std::fs::remove_dir_all(&folder)?;
    }
    ensure!(run.missed.is_empty(), "missed: {}", run.missed.join(", "));
    Ok(())
}

struct Run {
    place: Place,
    agent: Agent,
    /// Ends with this value.
    _house: House,
    /// The folder that the file server shows.
    files: PathBuf,
    /// Bytes that came from the file server.
    wire: Arc<AtomicU64>,
    missed: Vec<&'static str>,
}

impl Run {
    /// Both sides, and an agent that has compiled its connectors in an earlier life: that takes more memory than anything.
    async fn start(programs: &Programs, folder: &Path) -> anyhow::Result<Self> {
        let connectors = folder.join("connectors");
        waybill_pack::build_all(&connectors)?;
        let files = folder.join("network-files");
        std::fs::create_dir_all(&files)?;
        let mut house = House::with_files(&programs.sandbox, 1, None, Some(&files)).await?;
        house.hurry().await?;
        let wire = Arc::new(AtomicU64::new(0));
        let server = house.network.files.as_mut().context("no file server")?;
        server.address = relay(server.address.clone(), Arc::clone(&wire)).await?;
        let place = Place {
            program: programs.agent.clone(),
            connectors,
            data: folder.join("data"),
            listen: "127.0.0.1:0".to_owned(),
            hooks: None,
            roots: None,
        };
        place.prepare()?;
        let mut first = place.start(&[])?;
        place.wait_until_up(&mut first).await?;
        place.provision_as(&house, &Scene::of(&PACE)).await?;
        tokio::time::sleep(CALM).await;
        starts::stop(&place, &mut first).await?;
        let mut agent = place.start(&[])?;
        place.wait_until_up(&mut agent).await?;
        tokio::time::sleep(CALM).await;
        Ok(Self {
            place,
            agent,
            _house: house,
            files,
            wire,
            missed: Vec::new(),
        })
    }

    fn memory(&self) -> anyhow::Result<process::Memory> {
        process::memory(self.agent.id().context("the agent has ended")?)
    }

    /// Orders that are here, in whatever state.
    async fn orders(&self) -> anyhow::Result<u64> {
        let client = LocalClient::connect(&self.place.socket()).await?;
        let today = client.get_json("/api/v1/today").await?;
        let stages = today["stages"].as_array().context("no states")?;
        Ok(stages.iter().filter_map(|stage| stage[1].as_u64()).sum())
    }

    /// The large file, from its first byte on the server to its last order here.
    async fn read(&mut self, wanted: &Files) -> anyhow::Result<()> {
        let (before, orders) = (self.orders().await?, wanted.rows / 2);
        let part = self.files.join("misc/orders.part");
        let size = write(&part, orders, wanted)?;
        say(&format!(
            "\n{} rows of {} columns, {orders} orders, {}",
            orders * 2,
            wanted.columns,
            mib(size)
        ));
        let (wire, start) = (self.wire.load(Ordering::Relaxed), starts::now());
        std::fs::rename(&part, self.files.join("out/Purchase_Order_large.csv"))?;
        while self.orders().await? < before + orders {
            ensure!(start.elapsed() < PATIENCE, "the file is not read");
            tokio::time::sleep(LOOK).await;
        }
        let took = start.elapsed();
        let passed = self.wire.load(Ordering::Relaxed) - wire;
        let memory = self.memory()?;
        say(&plain("pages", &orders.div_ceil(PAGE).to_string()));
        let tenths = passed * 10 / size.max(1);
        let times = format!("{}.{} times, {}", tenths / 10, tenths % 10, mib(passed));
        // What else is said takes some room, most of it in listings.
        let once = passed < size + size / 2;
        say(&aimed("the file passed the wire", &times, "once", once));
        if !once {
            self.missed.push("downloads");
        }
        let per_second = orders * 1_000 / u64::try_from(took.as_millis())?.max(1);
        say(&plain(
            "time",
            &format!("{} s, {per_second} orders a second", took.as_secs()),
        ));
        say(&plain(
            "in memory now, without files, most so far",
            &format!(
                "{}, {}, {}",
                mib(memory.resident),
                mib(memory.anonymous),
                mib(memory.peak)
            ),
        ));
        Ok(())
    }

    /// A line that does not end is a card, which says where.
    async fn refuse(&mut self, line_mib: u64) -> anyhow::Result<()> {
        let name = "Purchase_Order_endless.csv";
        let part = self.files.join("misc/endless.part");
        let mut file = std::fs::File::create(&part)?;
        writeln!(file, "{}", FILLED.join(","))?;
        file.write_all(b"\"")?;
        file.set_len(line_mib << 20)?;
        say(&format!("\nA line of {line_mib} MiB"));
        let start = starts::now();
        std::fs::rename(&part, self.files.join("out").join(name))?;
        let card = loop {
            let mut cards = self.place.cards().await?.into_iter();
            if let Some(card) = cards.find(|title| title.contains(name)) {
                break card;
            }
            ensure!(start.elapsed() < PATIENCE, "the file is not refused");
            tokio::time::sleep(LOOK).await;
        };
        say(&plain(
            "refused after",
            &format!("{} s", start.elapsed().as_secs()),
        ));
        say(&format!("    {card}"));
        Ok(())
    }
}

/// A file of orders of two lines each; its size.
fn write(path: &Path, orders: u64, wanted: &Files) -> anyhow::Result<u64> {
    let columns = wanted.columns;
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut header = FILLED.join(",");
    for more in FILLED.len()..columns {
        write!(header, ",more_{more}")?;
    }
    writeln!(file, "{header}")?;
    let empty = ",".repeat(columns.saturating_sub(FILLED.len()));
    for row in 0..orders * 2 {
        let (order, line) = if wanted.scattered {
            (row % orders, row / orders + 1)
        } else {
            (row / 2, row % 2 + 1)
        };
        writeln!(
            file,
            "PO-L{order},2,{},1000007001,acknowledged,2025-11-21T09:00:00+00:00,USD,{line},NOBODY-{line},1,A thing of many \
             words that nobody sells,9.50,Jo,Shopper,\"12 Example St, Apt {order}\",Springfield,IL,62701,US,555-0100,GCG,\
             2030-11-24T23:59:59+00:00{empty}",
            7_000_000_000_u64 + order
        )?;
    }
    file.flush()?;
    Ok(std::fs::metadata(path)?.len())
}

/// Passes everything on to the server, and counts what comes from it.
async fn relay(server: String, wire: Arc<AtomicU64>) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server, wire) = (server.clone(), Arc::clone(&wire));
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(server).await else {
                    return;
                };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                let up = AtomicU64::new(0);
                tokio::join!(
                    pass(from_client, to_server, &up),
                    pass(from_server, to_client, &wire)
                );
            });
        }
    });
    Ok(address)
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicU64,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        count.fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    drop(to.shutdown().await);
}
