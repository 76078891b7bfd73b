//! `cargo speed`: what it costs to push an order of five lines through a connector, beside the same mapping compiled for
//! this machine, in one run. Fails when a bar is missed. The connector is the ERP's; practice mode keeps the network out.

mod count;
mod hosted;
mod native;
mod order;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use hosted::Hosted;
use native::Native;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

const CONNECTOR: &str = "brightpearl.wasm";
const MAPPING: &str = "mapping.wasm";

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
    /// Only these calls, for counting instructions
    #[arg(long, hide = true)]
    only: Option<Kind>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// The connector called through the host.
    Hosted,
    /// The same code, called natively.
    Native,
    /// The mapping alone, in the sandbox.
    Mapping,
    /// The mapping alone, natively.
    NativeMapping,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Hosted => "hosted",
            Self::Native => "native",
            Self::Mapping => "mapping",
            Self::NativeMapping => "native-mapping",
        }
    }
}

/// Most that a call may cost beyond the native mapping.
const OVER: Duration = Duration::from_micros(100);
/// Most that the mapping may cost, in times of the native one.
const TIMES: f64 = 2.0;
/// Mappings of one call by which the mapping itself is told apart from the call.
const MAPPINGS: u32 = 50;
const WARM: u32 = 200;
const ROUNDS: u32 = 3;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match arguments.only {
            Some(kind) => only(kind, arguments.calls).await,
            None => measure(&arguments).await,
        }
    })
}

async fn component(name: &str) -> anyhow::Result<Hosted> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let place = target.join("connectors").join(name);
    Hosted::new(&place, &target.join("speed")).await
}

async fn only(kind: Kind, calls: u32) -> anyhow::Result<()> {
    match kind {
        Kind::Native => {
            let native = Native::new();
            (0..calls).try_for_each(|_| native.call())
        }
        Kind::NativeMapping => Native::new().map(calls),
        Kind::Mapping => component(MAPPING).await?.call(Hosted::prepare(calls)).await,
        Kind::Hosted => {
            let hosted = component(CONNECTOR).await?;
            for _ in 0..calls {
                hosted.call(Hosted::prepare(1)).await?;
            }
            Ok(())
        }
    }
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

/// Times of something done natively.
fn natively(calls: u32, act: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<Times> {
    (0..WARM).try_for_each(|_| act())?;
    let one = |_| {
        let begin = Instant::now();
        act()?;
        Ok(begin.elapsed())
    };
    Ok(Times::of(
        (0..calls).map(one).collect::<anyhow::Result<_>>()?,
    ))
}

/// Times of calls through the host.
async fn hosted(connector: &Hosted, attempt: u32, calls: u32) -> anyhow::Result<Times> {
    for _ in 0..WARM {
        connector.call(Hosted::prepare(attempt)).await?;
    }
    let mut all = Vec::new();
    for _ in 0..calls {
        let ready = Hosted::prepare(attempt);
        let begin = Instant::now();
        connector.call(ready).await?;
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
    /// A call that maps its order once, and one that maps it [`MAPPINGS`] times more.
    once: Duration,
    often: Duration,
    native_often: Duration,
    /// p99 of the call.
    tail: Duration,
}

impl Figures {
    async fn round(connector: &Hosted, mapping: &Hosted, calls: u32) -> anyhow::Result<Self> {
        let few = calls.div_ceil(4);
        let native = Native::new();
        let call = hosted(connector, 1, calls).await?;
        Ok(Self {
            call: call.at(50),
            native: natively(calls, || native.call())?.at(50),
            once: hosted(mapping, 1, few).await?.at(50),
            often: hosted(mapping, 1 + MAPPINGS, few).await?.at(50),
            native_often: natively(few, || native.map(MAPPINGS))?.at(50),
            tail: call.at(99),
        })
    }

    fn best(self, other: Self) -> Self {
        Self {
            call: self.call.min(other.call),
            native: self.native.min(other.native),
            once: self.once.min(other.once),
            often: self.often.min(other.often),
            native_often: self.native_often.min(other.native_often),
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
    for package in ["waybill-brightpearl", "waybill-mapping"] {
        waybill_pack::build(package).with_context(|| format!("`{package}` cannot be built"))?;
    }
    let (connector, mapping) = (component(CONNECTOR).await?, component(MAPPING).await?);
    // One after the other and again: a machine that is busy for a moment must not favour one side.
    let mut figures = Figures::round(&connector, &mapping, arguments.calls).await?;
    for _ in 1..ROUNDS {
        figures = figures.best(Figures::round(&connector, &mapping, arguments.calls).await?);
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
    for (kind, words) in [
        (Kind::Hosted, "a call through the host"),
        (Kind::Native, "the same, native"),
        (Kind::Mapping, "the mapping, in the sandbox"),
        (Kind::NativeMapping, "the mapping, native"),
    ] {
        let Some(count) = count::instructions(kind)? else {
            writeln!(out, "instructions not counted: valgrind is missing")?;
            return Ok(());
        };
        writeln!(out, "instructions by callgrind, {words:<28} {count:9}")?;
    }
    Ok(())
}

/// The figures beside their bars; whether all are met.
fn print(out: &mut impl std::io::Write, figures: &Figures, calls: u32) -> anyhow::Result<bool> {
    let Figures {
        call,
        native,
        once,
        often,
        native_often,
        tail,
    } = *figures;
    writeln!(
        out,
        "an order of five lines, {calls} calls, p50 of the best of {ROUNDS} rounds"
    )?;
    let mut figure =
        |name: &str, micros: f64, more: &str| writeln!(out, "{name:<32} {micros:8.1} us{more}");
    let tail = format!("   p99 {:.1} us", micros(tail));
    figure("call through the host", micros(call), &tail)?;
    figure("the same call, native", micros(native), "")?;
    let each = |all: Duration| micros(all) / f64::from(MAPPINGS);
    let (mapped, mapped_natively) = (each(often.saturating_sub(once)), each(native_often));
    figure("mapping one order, in the sandbox", mapped, "")?;
    figure("mapping one order, native", mapped_natively, "")?;
    let over = call.saturating_sub(native);
    line(
        out,
        "the call beyond the native one",
        micros(over),
        "us",
        micros(OVER),
        over <= OVER,
    )?;
    let times = mapped / mapped_natively.max(0.001);
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
