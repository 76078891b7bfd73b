//! Says what was proved, one line each with its time. `cargo verify` counts the lines that begin with `ok`.

use crate::say;
use std::cell::RefCell;
use tokio::time::Instant;

/// What is being proved, so that a failure can name it.
#[derive(Default)]
pub(crate) struct Proof {
    doing: RefCell<Option<(String, Instant)>>,
}

impl Proof {
    /// From here on, this is being proved.
    pub(crate) fn begin(&self, what: &str) {
        self.doing.replace(Some((what.to_owned(), Instant::now())));
    }

    /// What was begun is proved.
    pub(crate) fn done(&self) {
        if let Some((what, since)) = self.doing.take() {
            say(&format!(
                "ok   {what} ({:.1} s)",
                since.elapsed().as_secs_f64()
            ));
        }
    }

    /// What was begun and not proved.
    pub(crate) fn doing(&self) -> Option<String> {
        self.doing.take().map(|(what, _)| what)
    }
}
