//! The steps of the check, in their order: cheap ones first, so that a slip is told early.

use crate::{axe, install, suites};
use anyhow::{Context as _, bail};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use waybill_pack::{DEFAULT_PACKAGES, Pack, Way};

/// How a step ended well.
pub(crate) enum Done {
    /// So many tests; 0 for a step that is one check.
    Passed {
        /// Tests that ran.
        passed: u64,
        /// Tests that did not.
        skipped: u64,
    },
    /// This machine cannot do it.
    Skipped(String),
}

/// One step.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// Not worth running once something failed.
    pub(crate) needs_the_others: bool,
    pub(crate) run: Box<dyn Fn() -> anyhow::Result<Done>>,
}

const ONE: Done = Done::Passed {
    passed: 1,
    skipped: 0,
};

/// Every step.
pub(crate) fn all(may_install: bool) -> Vec<Step> {
    let step = |name, run: fn(bool) -> anyhow::Result<Done>| Step {
        name,
        needs_the_others: false,
        run: Box::new(move || run(may_install)),
    };
    let late = |name, run: fn(bool) -> anyhow::Result<Done>| Step {
        needs_the_others: true,
        ..step(name, run)
    };
    vec![
        step("system packages", install::packages),
        step("axe-core, for the pages", axe::fetch),
        step("format", |_| cargo(&["fmt", "--all", "--check"])),
        step("connectors", |_| connectors()),
        step("clippy", |_| {
            cargo(&[
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])
        }),
        step("tests", |_| suites::all()),
        step("the first run in a browser", |_| Ok(browser())),
        step("documentation", |_| documentation()),
        step("bans, licences, sources", install::deny),
        late("both ways to build a guest", |_| both_ways()),
        late("demo, 40 orders", |_| demo(&["--orders", "40", "--exit"])),
        late("demo, 40 orders, by files over SFTP", |_| {
            demo(&["--orders", "40", "--exit", "--sftp"])
        }),
        late("demo, 40 orders, with faults", |_| {
            demo(&["--orders", "40", "--exit", "--faults"])
        }),
        late("Prometheus", |_| prometheus()),
        late("package: the unit", |may| in_box("unit", may)),
        late("package: the .rpm", |may| in_box("rpm", may)),
        late("package: a service's life", |may| in_box("life", may)),
    ]
}

/// The top of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The cargo that runs this program.
pub(crate) fn cargo_command() -> Command {
    let mut command = waybill_pack::own_cargo();
    command.current_dir(root()).stdin(Stdio::null());
    command
}

fn cargo(arguments: &[&str]) -> anyhow::Result<Done> {
    ran(cargo_command().args(arguments))
}

/// Runs a command to its end, its output shown.
pub(crate) fn ran(command: &mut Command) -> anyhow::Result<Done> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(ONE)
}

fn target() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    Ok(own
        .ancestors()
        .nth(2)
        .context("this program lies in no target folder")?
        .to_path_buf())
}

fn connectors() -> anyhow::Result<Done> {
    waybill_pack::build_all(&target()?.join("connectors"))?;
    Ok(ONE)
}

fn documentation() -> anyhow::Result<Done> {
    ran(cargo_command().env("RUSTDOCFLAGS", "-D warnings").args([
        "doc",
        "--locked",
        "--workspace",
        "--no-deps",
        "--quiet",
    ]))
}

/// Both ways of building a guest must work; each is tried where its compiler is there.
fn both_ways() -> anyhow::Result<Done> {
    let mut missing = Vec::new();
    for way in [Way::Native, Way::Debian] {
        match way.is_there() {
            Ok(()) => {
                let out = target()?.join("connectors-by").join(way.word());
                Pack::new()
                    .by(way)
                    .without_install()
                    .into_dir(&out)
                    .build(&DEFAULT_PACKAGES)?;
            }
            Err(error) => missing.push(format!("{way}: {error:#}").replace('\n', "; ")),
        }
    }
    match missing.as_slice() {
        [] => Ok(ONE),
        [why] => Ok(Done::Skipped(why.clone())),
        _ => bail!("no way to build a guest: {}", missing.join("; ")),
    }
}

/// A real Prometheus scrapes a real agent, and its checker takes figures and alerts. The tests alone skip that where the
/// programs are missing.
fn prometheus() -> anyhow::Result<Done> {
    if !Path::new("/usr/bin/promtool").exists() {
        return Ok(Done::Skipped(
            "install by hand: apt-get install prometheus".to_owned(),
        ));
    }
    suites::one("prometheus", ("WAYBILL_NEEDS_PROMETHEUS", "1"))
}

/// The step `tests` looks at the first run in a browser, and passes where there is none: that is said here.
fn browser() -> Done {
    let programs = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    if programs
        .iter()
        .any(|name| Path::new("/usr/bin").join(name).exists())
    {
        return ONE;
    }
    let why =
        "the first run was not looked at in a browser; install by hand: apt-get install chromium";
    Done::Skipped(why.to_owned())
}

fn demo(arguments: &[&str]) -> anyhow::Result<Done> {
    ran(cargo_command()
        .args(["run", "-q", "--locked", "--bin", "waybill-demo", "--"])
        .args(arguments))
}

/// One part of `cargo box`; every line that begins with `ok` is one proof.
#[expect(clippy::print_stdout, reason = "the report is this program's output")]
fn in_box(part: &str, may_install: bool) -> anyhow::Result<Done> {
    let mut command = cargo_command();
    command
        .args(["run", "-q", "--locked", "--bin", "waybill-box", "--", part])
        .stdout(Stdio::piped());
    if !may_install {
        command.arg("--no-install");
    }
    let mut child = command.spawn().context("cannot start `cargo box`")?;
    let output = child.stdout.take().context("it has no output")?;
    let (mut passed, mut last) = (0, String::new());
    for line in BufReader::new(output).lines() {
        last = line.context("cannot read what `cargo box` says")?;
        println!("{last}");
        if last.starts_with("ok ") {
            passed += 1;
        }
    }
    match child.wait()?.code() {
        Some(0) if passed > 0 => Ok(Done::Passed { passed, skipped: 0 }),
        // The last line says why.
        Some(77) => Ok(Done::Skipped(last)),
        Some(0) => bail!("`cargo box -- {part}` proved nothing"),
        _ => bail!("`cargo box -- {part}`: {last}"),
    }
}
