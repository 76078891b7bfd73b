//! Counting: every test of a step counts, and a step without tests counts as one.

use crate::steps::{Done, Step};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// What came of all steps.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    rows: Vec<(String, Duration, String)>,
}

impl Tally {
    /// Runs a step and counts what it says.
    #[expect(clippy::print_stdout, reason = "the report is this program's output")]
    #[expect(
        clippy::disallowed_methods,
        reason = "the time a step takes is what is reported"
    )]
    pub(crate) fn run(&mut self, step: &Step) {
        println!("==> {}", step.name);
        let start = Instant::now();
        let done = (step.run)();
        let took = start.elapsed();
        let what = match done {
            Ok(Done::Passed { passed, skipped }) => {
                self.passed += passed.max(1);
                self.skipped += skipped;
                format!("{} passed, {skipped} skipped", passed.max(1))
            }
            Ok(Done::Skipped(why)) => {
                self.skipped += 1;
                println!("SKIPPED {}: {why}", step.name);
                format!("SKIPPED: {why}")
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED {}: {error:#}", step.name);
                format!("FAILED: {error:#}")
            }
        };
        println!("<== {} took {:.1} s", step.name, took.as_secs_f64());
        self.rows.push((step.name.to_owned(), took, what));
    }

    /// Leaves a step out.
    #[expect(clippy::print_stdout, reason = "the report is this program's output")]
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        self.skipped += 1;
        println!("SKIPPED {name}: {why}");
        self.rows
            .push((name.to_owned(), Duration::ZERO, format!("SKIPPED: {why}")));
    }

    /// One row a step.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from("\nstep                          seconds  result\n");
        for (name, took, what) in &self.rows {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "{name:<28} {:>8.1}  {what}", took.as_secs_f64());
        }
        text
    }
}
