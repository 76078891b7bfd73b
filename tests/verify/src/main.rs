//! `cargo verify`: the whole check, step by step, each step's time printed; the last line counts. A step that this
//! machine cannot do is skipped, loudly. `-- --no-install` installs nothing.

mod axe;
mod install;
mod steps;
mod suites;
mod tally;

use std::process::ExitCode;
use tally::Tally;

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
fn main() -> ExitCode {
    let may_install = !std::env::args().any(|a| a == "--no-install");
    let mut tally = Tally::default();
    for step in steps::all(may_install) {
        if tally.failed > 0 && step.needs_the_others {
            tally.skip(step.name, "an earlier step failed");
            continue;
        }
        tally.run(&step);
    }
    println!("{}", tally.table());
    println!(
        "{} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.skipped
    );
    if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
