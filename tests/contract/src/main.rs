//! `cargo contract -- FILE.wasm [--settings FILE]`: reads its arguments, runs the checks, prints the report.

use clap::Parser;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use waybill_contract::{Report, run};
use waybill_host::engine::HostEngine;

/// Runs the contract test on a connector: which promises it keeps, and what to do about the others
#[derive(Debug, Parser)]
#[command(name = "cargo contract")]
struct Arguments {
    /// The component
    component: PathBuf,
    /// Settings, secrets, documents and the vendor of a connector that is not of this house
    #[arg(long)]
    settings: Option<PathBuf>,
}

fn main() -> ExitCode {
    match look(&Arguments::parse()) {
        Ok(report) if report.failed().is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            // Where not even this can be written, the exit code still says it.
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn look(arguments: &Arguments) -> anyhow::Result<Report> {
    let shown = arguments.component.display();
    let bytes = std::fs::read(&arguments.component)
        .map_err(|error| anyhow::anyhow!("cannot read `{shown}`: {error}"))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let tested = run(
        HostEngine::new(None)?,
        &bytes,
        arguments.settings.as_deref(),
    );
    let (report, kit) = runtime.block_on(tested)?;
    let mut out = std::io::stdout();
    if let Some(kit) = kit {
        writeln!(out, "`{shown}` against {}", kit.words())?;
    }
    writeln!(out, "{report}")?;
    for check in report.skipped() {
        writeln!(out, "NOT LOOKED AT: {check}")?;
    }
    Ok(report)
}
