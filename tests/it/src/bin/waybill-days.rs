//! `cargo days`: simulated days, one from each seed, on all cores. Stops at the first seed at whose end something is wrong,
//! says what, and how to run it alone. With a bug planted on purpose it is the other way round: it must be found.

use clap::Parser;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use waybill_it::simulation::{Plan, Plant, Report, run};
use waybill_model::ids::Millis;

/// Simulated days with crashes, faults and outages; fails on the first that ends in a difference.
#[derive(Parser)]
#[command(name = "waybill-days")]
struct Args {
    /// How many days.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// A bug planted on purpose, which must be found: never-looks, cursor-first, unjournalled, forgets-open, unmarked,
    /// hides-deadlines.
    #[arg(long, value_parser = plant)]
    plant: Option<Plant>,
    /// The last crash of each day loses the disk, and a backup goes on.
    #[arg(long)]
    backups: bool,
    /// Whole days of a large merchant: 2,000 orders, 50,000 items, outages of two hours.
    #[arg(long)]
    large: bool,
    /// Days side by side; as many as there are cores, if not given.
    #[arg(long)]
    threads: Option<usize>,
    /// Prints each day, and its hours while it lasts.
    #[arg(long, short)]
    verbose: bool,
    /// Prints every event, too: for one day that ends in a difference.
    #[arg(long)]
    events: bool,
}

fn plant(word: &str) -> Result<Plant, String> {
    let mut all = Plant::ALL.into_iter();
    all.find(|plant| plant.word() == word)
        .ok_or_else(|| "no such bug".to_owned())
}

/// What all days came to.
#[derive(Default)]
struct Sum {
    days: AtomicU64,
    orders: AtomicU64,
    crashes: AtomicU64,
    hours: AtomicU64,
    throttled: AtomicU64,
    away: AtomicU64,
    stop: AtomicBool,
    /// The lowest seed at whose end something is wrong.
    wrong: Mutex<Option<(u64, Vec<String>)>>,
}

impl Sum {
    fn add(&self, seed: u64, sales: u64, report: Report) {
        self.days.fetch_add(1, Ordering::Relaxed);
        self.orders.fetch_add(sales, Ordering::Relaxed);
        self.crashes.fetch_add(report.crashes, Ordering::Relaxed);
        self.throttled
            .fetch_add(report.throttled, Ordering::Relaxed);
        self.away.fetch_add(report.away, Ordering::Relaxed);
        let hours = report.lasted_ms.unsigned_abs().div_ceil(3_600_000);
        self.hours.fetch_add(hours, Ordering::Relaxed);
        if report.wrong.is_empty() {
            return;
        }
        self.stop.store(true, Ordering::Relaxed);
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.as_ref().is_none_or(|(known, _)| seed < *known) {
            *wrong = Some((seed, report.wrong));
        }
    }
}

fn plan(args: &Args, seed: u64) -> Plan {
    let base = if args.large { Plan::LARGE } else { Plan::SHORT };
    Plan {
        seed,
        plant: args.plant,
        goes_back: args.backups || args.plant == Some(Plant::Unmarked),
        ..base
    }
}

/// A day that panics is one that ends in a difference, too.
fn one(plan: Plan) -> Report {
    std::panic::catch_unwind(|| run(plan)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Report {
            wrong: vec![text.unwrap_or_else(|| "it panicked".to_owned())],
            ..Report::default()
        }
    })
}

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
fn main() -> ExitCode {
    let args = Args::parse();
    if args.verbose || args.events {
        let level = if args.events { "debug" } else { "info" };
        tracing_subscriber::fmt()
            .with_env_filter(format!("off,days={level}"))
            .with_writer(std::io::stderr)
            .init();
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let next = AtomicU64::new(args.from);
    let sum = Sum::default();
    std::thread::scope(|scope| {
        for _ in 0..args.threads.unwrap_or(cores) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= args.from + args.seeds || sum.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let plan = plan(&args, seed);
                    let report = one(plan);
                    if args.verbose {
                        println!("{seed}: {}", told(&report));
                    }
                    sum.add(seed, plan.orders, report);
                }
            });
        }
    });
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "{} days of {} simulated hours: {} orders, {} crashes, {} calls throttled, {} in outages",
        of(&sum.days),
        of(&sum.hours),
        of(&sum.orders),
        of(&sum.crashes),
        of(&sum.throttled),
        of(&sum.away)
    );
    let wrong = sum.wrong.lock().unwrap_or_else(PoisonError::into_inner);
    match (&*wrong, args.plant) {
        (None, None) => {
            println!("0 differences");
            ExitCode::SUCCESS
        }
        (Some((seed, wrong)), Some(plant)) => {
            println!("`{}` was found at seed {seed}: {}", plant.word(), wrong[0]);
            ExitCode::SUCCESS
        }
        (None, Some(plant)) => {
            println!("`{}` was not found", plant.word());
            ExitCode::FAILURE
        }
        (Some((seed, wrong)), None) => {
            for line in wrong {
                println!("  {line}");
            }
            let large = if args.large { " --large" } else { "" };
            let backups = if args.backups { " --backups" } else { "" };
            println!(
                "seed {seed} is wrong; alone: cargo days -- --from {seed} --seeds 1{large}{backups}"
            );
            ExitCode::FAILURE
        }
    }
}

fn told(report: &Report) -> String {
    let minutes: Millis = report.lasted_ms / 60_000;
    format!(
        "{} sales, {} parcels, {} invoices, {} cancelled, {} levels, {} hooks, {} crashes, {minutes} min, {} wrong",
        report.sales,
        report.parcels,
        report.invoices,
        report.cancels,
        report.levels,
        report.hooks,
        report.crashes,
        report.wrong.len()
    )
}
