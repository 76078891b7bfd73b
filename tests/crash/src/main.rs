//! `cargo crash`: a real agent against both sandboxes, killed with SIGKILL at every named crash point and then at
//! random under load with faults on; and every call that must not happen twice cut off after its effect. At the end
//! everything must be where it belongs. Prints hits per point.

mod build;
mod cuts;
mod points;
mod rounds;
mod swaps;

use anyhow::ensure;
use clap::Parser;
use rounds::Rounds;
use std::io::Write as _;

/// Kills the agent again and again and looks whether anything is lost or doubled.
#[derive(Debug, Parser)]
#[command(name = "cargo crash")]
struct Arguments {
    /// Kills at each named crash point
    #[arg(long, default_value_t = 20)]
    hits: u32,
    /// Kills at random moments under load, with faults on
    #[arg(long, default_value_t = 300)]
    random: u32,
    /// Cuts of each call that must not happen twice
    #[arg(long, default_value_t = 5)]
    cuts: u32,
    /// Only crash points whose names begin so
    #[arg(long, default_value = "")]
    point: String,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn say(text: &str) {
    // A closed terminal must not stop the run.
    drop(writeln!(std::io::stdout(), "{text}"));
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    say("Building the agent with crash points, the sandboxes and the connectors ...");
    let built = build::all()?;
    let mut rounds = Rounds::start(&built, arguments.seed).await?;
    let points = points::all(&arguments.point);
    ensure!(
        !points.is_empty(),
        "no crash point begins with `{}`",
        arguments.point
    );
    let mut missed: Vec<String> = Vec::new();
    for point in points {
        let hits = rounds.at_point(&point, arguments.hits).await?;
        say(&format!("{:<32} {hits:>4} hits", point.name));
        if hits < arguments.hits {
            missed.push(point.name);
        }
    }
    for cut in cuts::CUTS {
        let done = rounds.cut(&cut, arguments.cuts).await?;
        say(&format!("{:<32} {done:>4} cut after the effect", cut.name));
        if done < arguments.cuts {
            missed.push(cut.name.to_owned());
        }
    }
    if arguments.random > 0 {
        let kills = rounds.at_random(arguments.random).await?;
        say(&format!(
            "{:<32} {kills:>4} kills, with faults on",
            "at random"
        ));
    }
    let verdict = rounds.end().await?;
    say(&verdict.table());
    let report = &verdict.report;
    let without = report.acknowledged_without_sale.len()
        - report
            .waived
            .len()
            .min(report.acknowledged_without_sale.len());
    say(&format!(
        "{} lost, {} doubled, {without} acknowledged without a sale or an open card, {} differences",
        report.lost.len(),
        report.doubled.len(),
        verdict.differences()
    ));
    ensure!(
        missed.is_empty(),
        "not hit often enough: {}",
        missed.join(", ")
    );
    ensure!(
        verdict.differences() == 0,
        "{} differences",
        verdict.differences()
    );
    Ok(())
}
