//! `cargo packages [--deb] [--rpm] [--dev] [--revision N] [--out DIR] [--signing-key FILE] [--no-install]`: reads its
//! arguments, nothing else.

use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use waybill_packages::Wishes;

const USAGE: &str = "\
Builds the packages from this source: programs, connectors, unit, configuration, manual, completions.

usage: cargo packages -- [--deb] [--rpm] [--dev] [--revision N] [--out DIR] [--signing-key FILE] [--no-install]

  --deb, --rpm   that one only (both)
  --dev          the development build, for trying a package: quick to build, slow and large
  --revision N   number of this packaging of the version (1)
  --out DIR      where the packages go (target/packages)
  --signing-key FILE
                 signs the connectors; FILE.pub is packaged as a trusted key (a throw-away key of the build folder)
  --no-install   fail where the packager of .deb files is missing, instead of installing it into target/tools
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _unheard = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut wishes = Wishes::default();
    let (mut deb, mut rpm) = (false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("`{argument}` needs a value"))
        };
        match argument.as_str() {
            "--deb" => deb = true,
            "--rpm" => rpm = true,
            "--dev" => wishes.release = false,
            "--revision" => {
                wishes.revision = value()?.parse().context("`--revision` needs a number")?;
            }
            "--out" => wishes.out = std::path::absolute(PathBuf::from(value()?))?,
            "--signing-key" => {
                wishes.signing_key = Some(std::path::absolute(PathBuf::from(value()?))?);
            }
            "--no-install" => wishes.install = false,
            "--help" | "-h" => {
                out.write_all(USAGE.as_bytes())?;
                return Ok(());
            }
            other => bail!("unknown argument `{other}`\nhint: see `cargo packages -- --help`"),
        }
    }
    let both = deb == rpm;
    let stage = waybill_packages::stage(&wishes)?;
    let mut made = Vec::new();
    if deb || both {
        made.push(waybill_packages::deb(&wishes, &stage)?);
    }
    if rpm || both {
        made.push(waybill_packages::rpm(&wishes, &stage)?);
    }
    for place in made {
        let size = std::fs::metadata(&place)?.len();
        writeln!(out, "{} ({} kB)", place.display(), size.div_ceil(1000))?;
    }
    Ok(())
}
