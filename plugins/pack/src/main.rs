//! `cargo pack [PACKAGE..] [--out DIR] [--way native|debian] [--no-install]`: reads its arguments, nothing else.

use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use waybill_pack::{DEFAULT_PACKAGES, Pack};

const USAGE: &str = "\
Builds connectors and wraps each into one component.

usage: cargo pack [PACKAGE..] [--out DIR] [--way native|debian] [--no-install]

  PACKAGE       which packages; without one, all first-party connectors
  --out DIR     where the components go (target/connectors)
  --way WAY     native: the installed toolchain, with its wasm32-unknown-unknown target
                debian: Debian's compiler, with the standard library built from source
                (without it: native where that target is installed, else debian)
  --no-install  never install Debian packages (also: WAYBILL_NO_INSTALL=1)
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Written by hand: a report with a backtrace would bury the one sentence that helps. Where not even this can
            // be written, the exit code still says it.
            let _unheard = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut pack = Pack::new();
    let mut packages = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("`{argument}` needs a value"))
        };
        match argument.as_str() {
            "--out" => pack = pack.into_dir(&PathBuf::from(value()?)),
            "--way" => pack = pack.by(value()?.parse()?),
            "--no-install" => pack = pack.without_install(),
            "--help" | "-h" => {
                out.write_all(USAGE.as_bytes())?;
                return Ok(());
            }
            other if other.starts_with('-') => {
                bail!("unknown option `{other}`\nhint: see `cargo pack --help`")
            }
            _ => packages.push(argument),
        }
    }
    if packages.is_empty() {
        packages.extend(DEFAULT_PACKAGES.map(str::to_owned));
    }
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    for place in pack.build(&names)? {
        let size = std::fs::metadata(&place)?.len();
        writeln!(out, "{} ({} kB)", place.display(), size.div_ceil(1000))?;
    }
    Ok(())
}
