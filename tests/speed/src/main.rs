//! `cargo speed`: what it costs to push an order of five lines through a connector, beside the same mapping compiled for
//! this machine, in one run. Fails when a bar is missed. The connector is the ERP's; practice mode keeps the network out.

mod count;
mod hosted;
mod native;
mod order;

use anyhow::{Context as _, ensure};
use clap::Parser;
use hosted::Hosted;
use native::Native;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Measures a call of a connector against the same mapping compiled natively
#[derive(Debug, Parser)]
#[command(name = "cargo speed")]
struct Arguments {
    /// Calls of each kind
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
    /// Leave instructions uncounted
    #[arg(long)]
    no_count: bool,
    /// Only these calls, for counting instructions: hosted, native
    #[arg(long, hide = true)]
    only: Option<String>,
    /// With so many members each
    #[arg(long, hide = true, default_value_t = 1)]
    batch: usize,
    /// With settings that the connector refuses before it looks at a member
    #[arg(long, hide = true)]
    refused: bool,
}

/// Most that a call may cost beyond the native mapping.
const OVER: Duration = Duration::from_micros(100);
/// Most that the mapping may cost, in times of the native one.
const TIMES: f64 = 2.0;
/// Members of the batch by which the mapping itself is told apart.
const BATCH: usize = 10;
const WARM: u32 = 200;
const ROUNDS: u32 = 3;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match arguments.only.as_deref() {
            Some(kind) => only(kind, &arguments).await,
            None => measure(&arguments).await,
        }
    })
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")
}

async fn component() -> anyhow::Result<Hosted> {
    let place = target().join("connectors/brightpearl.wasm");
    Hosted::new(&place, &target().join("speed")).await
}

async fn only(kind: &str, arguments: &Arguments) -> anyhow::Result<()> {
    let (batch, usable) = (arguments.batch, !arguments.refused);
    match kind {
        "native" => {
            let native = Native::new(batch, usable);
            for _ in 0..arguments.calls {
                native.call();
            }
        }
        "hosted" => {
            let hosted = component().await?;
            for _ in 0..arguments.calls {
                hosted.call(Hosted::prepare(batch, usable)).await?;
            }
        }
        other => anyhow::bail!("no calls of the kind `{other}`"),
    }
    Ok(())
}

/// Times of calls, sorted.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    fn at(&self, hundredth: usize) -> Duration {
        let place = self.0.len() * hundredth / 100;
        self.0
            .get(place)
            .or(self.0.last())
            .copied()
            .unwrap_or_default()
    }
}

fn natively(count: usize, usable: bool, calls: u32) -> anyhow::Result<Times> {
    let native = Native::new(count, usable);
    let wanted = usable.then_some(count);
    ensure!(
        native.call() == wanted,
        "the native mapping answers {:?}, not {wanted:?}",
        native.call()
    );
    for _ in 0..WARM {
        native.call();
    }
    let one = |_| {
        let begin = Instant::now();
        native.call();
        begin.elapsed()
    };
    Ok(Times::of((0..calls).map(one).collect()))
}

async fn through_the_host(
    hosted: &Hosted,
    count: usize,
    usable: bool,
    calls: u32,
) -> anyhow::Result<Times> {
    let wanted = usable.then_some(count);
    let told = hosted.call(Hosted::prepare(count, usable)).await?;
    ensure!(
        told == wanted,
        "the connector answers {told:?}, not {wanted:?}"
    );
    for _ in 0..WARM {
        hosted.call(Hosted::prepare(count, usable)).await?;
    }
    let mut all = Vec::new();
    for _ in 0..calls {
        let ready = Hosted::prepare(count, usable);
        let begin = Instant::now();
        hosted.call(ready).await?;
        all.push(begin.elapsed());
    }
    Ok(Times::of(all))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// p50 of each kind.
#[derive(Clone, Copy)]
struct Figures {
    call: Duration,
    native: Duration,
    batch: Duration,
    refused: Duration,
    native_batch: Duration,
    native_refused: Duration,
    /// p99 of the call.
    tail: Duration,
}

impl Figures {
    async fn round(hosted: &Hosted, calls: u32) -> anyhow::Result<Self> {
        let few = calls.div_ceil(4);
        let call = through_the_host(hosted, 1, true, calls).await?;
        Ok(Self {
            call: call.at(50),
            native: natively(1, true, calls)?.at(50),
            batch: through_the_host(hosted, BATCH, true, few).await?.at(50),
            refused: through_the_host(hosted, BATCH, false, few).await?.at(50),
            native_batch: natively(BATCH, true, few)?.at(50),
            native_refused: natively(BATCH, false, few)?.at(50),
            tail: call.at(99),
        })
    }

    fn best(self, other: Self) -> Self {
        Self {
            call: self.call.min(other.call),
            native: self.native.min(other.native),
            batch: self.batch.min(other.batch),
            refused: self.refused.min(other.refused),
            native_batch: self.native_batch.min(other.native_batch),
            native_refused: self.native_refused.min(other.native_refused),
            tail: self.tail.min(other.tail),
        }
    }
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "Not optimised: these figures say nothing about a released agent."
        )?;
    }
    waybill_pack::build("waybill-brightpearl").context("the connector cannot be built")?;
    let hosted = component().await?;
    // One after the other and again: a machine that is busy for a moment must not favour one side.
    let mut figures = Figures::round(&hosted, arguments.calls).await?;
    for _ in 1..ROUNDS {
        figures = figures.best(Figures::round(&hosted, arguments.calls).await?);
    }
    let met = print(&mut out, &figures, arguments.calls)?;
    if !arguments.no_count {
        count_all(&mut out)?;
    }
    ensure!(met, "a bar is missed");
    Ok(())
}

/// Instructions beside the times: they are the same on a busy machine.
fn count_all(out: &mut impl std::io::Write) -> anyhow::Result<()> {
    for kind in ["hosted", "native"] {
        let Some(call) = count::instructions(kind, 1, true)? else {
            writeln!(out, "instructions not counted: valgrind is missing")?;
            return Ok(());
        };
        let with = count::instructions(kind, BATCH, true)?.unwrap_or_default();
        let without = count::instructions(kind, BATCH, false)?.unwrap_or_default();
        let mapping = with.saturating_sub(without) / 10;
        writeln!(
            out,
            "instructions by callgrind, {kind:<6} {call:9} of a call, {mapping:9} of mapping one order"
        )?;
    }
    Ok(())
}

/// The figures beside their bars; whether all are met.
fn print(out: &mut impl std::io::Write, figures: &Figures, calls: u32) -> anyhow::Result<bool> {
    let Figures {
        call,
        native,
        batch,
        refused,
        native_batch,
        native_refused,
        tail,
    } = *figures;
    writeln!(
        out,
        "an order of five lines, {calls} calls, p50 of the best of {ROUNDS} rounds"
    )?;
    writeln!(
        out,
        "call through the host            {:8.1} us   p99 {:.1} us",
        micros(call),
        micros(tail)
    )?;
    writeln!(
        out,
        "the same mapping, native         {:8.1} us",
        micros(native)
    )?;
    let over = call.saturating_sub(native);
    line(
        out,
        "the call beyond the mapping",
        micros(over),
        "us",
        micros(OVER),
        over <= OVER,
    )?;
    // What a call costs that refuses its batch at once is everything but the mapping.
    let each = |with: Duration, without: Duration| micros(with.saturating_sub(without)) / 10.0;
    let (mapped, natively) = (each(batch, refused), each(native_batch, native_refused));
    writeln!(
        out,
        "mapping one order, in the call   {mapped:8.1} us   of a batch of {BATCH}, less what the call costs without it"
    )?;
    writeln!(out, "mapping one order, native        {natively:8.1} us")?;
    let times = mapped / natively.max(0.001);
    line(
        out,
        "the mapping against the native",
        times,
        "times",
        TIMES,
        times <= TIMES,
    )?;
    Ok(over <= OVER && times <= TIMES)
}

fn line(
    out: &mut impl std::io::Write,
    name: &str,
    value: f64,
    unit: &str,
    bar: f64,
    met: bool,
) -> std::io::Result<()> {
    let word = if met { "ok" } else { "MISSED" };
    writeln!(
        out,
        "{name:<32} {value:8.1} {unit:<5} at most {bar:.0}   {word}"
    )
}
