//! The tests: built once, then one suite for each core at a time, since most of them wait for something most of the time;
//! doc tests by cargo itself. The runner's own lines are counted.

use crate::steps::{Done, cargo_command};
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A program full of tests.
#[derive(Debug, PartialEq, Eq)]
struct Suite {
    /// As cargo names it.
    name: String,
    program: PathBuf,
    /// Folder of its crate, in which it runs.
    home: PathBuf,
    /// Starts real programs, and so takes longest.
    integration: bool,
}

impl Suite {
    /// What a line of `cargo test --no-run` says of one.
    fn read(line: &str) -> Option<Self> {
        let message: Value = serde_json::from_str(line).ok()?;
        let program = message["executable"].as_str()?;
        if message["profile"]["test"] != true {
            return None;
        }
        let manifest = Path::new(message["manifest_path"].as_str()?);
        let target = &message["target"];
        let home = manifest.parent()?;
        Some(Self {
            name: format!(
                "{} of {}",
                target["name"].as_str()?,
                home.file_name()?.display()
            ),
            program: PathBuf::from(program),
            home: home.to_owned(),
            integration: target["kind"][0] == "test",
        })
    }

    /// Runs it to its end: what it said, and whether it passed.
    fn run(&self) -> anyhow::Result<(String, bool)> {
        let output = Command::new(&self.program)
            .current_dir(&self.home)
            .env("CARGO_MANIFEST_DIR", &self.home)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start `{}`", self.program.display()))?;
        let mut text = format!("Suite {}\n", self.name);
        text.push_str(&String::from_utf8_lossy(&output.stdout));
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok((text, output.status.success()))
    }
}

/// Unit, integration and doc tests.
pub(crate) fn all() -> anyhow::Result<Done> {
    // The tests that start the real agent and the sandboxes find both beside themselves.
    waybill_pack::build_programs(&["waybill", "waybill-sandbox"], &[])?;
    let mut sums = Sums::default();
    for (text, passed) in run(built()?)? {
        sums.add(&text, passed);
    }
    by_cargo(
        cargo_command().args([
            "test",
            "--locked",
            "--workspace",
            "--no-fail-fast",
            "--doc",
            "--quiet",
        ]),
        &mut sums,
    )?;
    sums.done()
}

/// Tests that cargo runs itself.
fn by_cargo(command: &mut Command, sums: &mut Sums) -> anyhow::Result<()> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start the tests")?;
    let text = String::from_utf8_lossy(&output.stdout);
    show(&text);
    sums.add(&text, output.status.success());
    Ok(())
}

/// Builds every suite; those that take longest come first.
fn built() -> anyhow::Result<Vec<Suite>> {
    let output = cargo_command()
        .args([
            "test",
            "--locked",
            "--workspace",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot build the tests")?;
    ensure!(output.status.success(), "the tests do not build");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut suites: Vec<Suite> = text.lines().filter_map(Suite::read).collect();
    suites.sort_by_key(|suite| !suite.integration);
    Ok(suites)
}

/// What each suite said, and whether it passed. Each is shown once it has ended.
fn run(suites: Vec<Suite>) -> anyhow::Result<Vec<(String, bool)>> {
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    let left = Mutex::new(VecDeque::from(suites));
    let lane = || -> anyhow::Result<Vec<(String, bool)>> {
        let mut said = Vec::new();
        loop {
            let next = left
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(suite) = next else {
                return Ok(said);
            };
            let result = suite.run()?;
            show(&result.0);
            said.push(result);
        }
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let mut all = Vec::new();
        for lane in lanes {
            match lane.join() {
                Ok(said) => all.extend(said?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

/// One test of its own kind, by its name.
pub(crate) fn one(name: &str, environment: (&str, &str)) -> anyhow::Result<Done> {
    let mut sums = Sums::default();
    by_cargo(
        cargo_command().env(environment.0, environment.1).args([
            "test",
            "--locked",
            "--workspace",
            "--test",
            name,
        ]),
        &mut sums,
    )?;
    sums.done()
}

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
fn show(text: &str) {
    let lines = text.lines();
    let told: Vec<&str> = lines
        .filter(|l| !l.ends_with("... ok") && !l.trim().is_empty())
        .collect();
    println!("{}", told.join("\n"));
}

/// The runner's closing lines, added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Programs that did not end well, whatever their lines say.
    broken: u64,
}

impl Sums {
    fn add(&mut self, text: &str, passed: bool) {
        for line in text.lines().filter(|l| l.starts_with("test result:")) {
            let number = |word: &str| {
                let before = line.split(word).next().unwrap_or_default();
                let number = before.trim_end().rsplit([' ', '.']).next();
                number.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
            };
            self.passed += number("passed");
            self.failed += number("failed");
            self.ignored += number("ignored");
        }
        self.broken += u64::from(!passed);
    }

    fn done(&self) -> anyhow::Result<Done> {
        if self.failed > 0 || self.broken > 0 {
            bail!("{} tests failed, in {} programs", self.failed, self.broken);
        }
        ensure!(self.passed > 0, "no test ran");
        Ok(Done::Passed {
            passed: self.passed,
            skipped: self.ignored,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_what_the_runner_says() {
        let mut sums = Sums::default();
        let text = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured\nnoise 3 passed\n\
                    test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured";
        sums.add(text, true);
        let all = Sums {
            passed: 14,
            failed: 4,
            ignored: 1,
            broken: 0,
        };
        assert_eq!(sums, all);
        sums.failed = 0;
        assert!(sums.done().is_ok());
        sums.add("it died before its closing line", false);
        assert!(sums.done().is_err());
    }

    #[test]
    fn takes_test_programs_alone() {
        let line = |test: bool, program: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/p/agent/store/Cargo.toml","target":{{"kind":["test"],"name":"crash"}},"profile":{{"test":{test}}},"executable":{program}}}"#
            )
        };
        let suite = Suite::read(&line(true, "\"/t/crash-1\"")).unwrap();
        assert_eq!(suite.name, "crash of store");
        assert_eq!(suite.home, Path::new("/p/agent/store"));
        assert!(suite.integration);
        assert_eq!(Suite::read(&line(false, "\"/t/waybill\"")), None);
        assert_eq!(Suite::read(&line(true, "null")), None);
        assert_eq!(Suite::read("not JSON"), None);
    }
}
