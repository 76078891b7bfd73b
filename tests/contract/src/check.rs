//! The promises of a connector, one by one, and what was found of each. Knows no way to find out.

use std::collections::BTreeMap;
use std::fmt;

macro_rules! checks {
    ($($case:ident = $name:literal, $promise:literal, $hint:literal;)*) => {
        /// One promise.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check { $(#[doc = $promise] $case),* }

        impl Check {
            /// All of them, in the order in which they are looked at.
            pub const ALL: &'static [Self] = &[$(Self::$case),*];
            /// As printed and as written in the authors' guide.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$case => $name),* }
            }
            /// What is promised, as a sentence.
            pub const fn promise(self) -> &'static str {
                match self { $(Self::$case => $promise),* }
            }
            /// What the author can do where it is broken.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$case => $hint),* }
            }
        }
    };
}

checks! {
    Loads = "loads", "The file is a component of a served contract that imports nothing but its capabilities.",
        "build it with `cargo pack`, against the contract this agent serves";
    DescribeIsPure = "describe-is-pure", "`describe` says the same every time, by itself and at once.",
        "make `describe` a function of constants: no static that changes, no host call but `log`";
    ExportsMatch = "exports-match", "The descriptor names what the component exports, and nothing else.",
        "`pulls` need `source`, `pushes` need `sink`, and the other way round; every name once";
    DescriptorHolds = "descriptor-holds", "Names in templates exist, defaults fit their fields, everything has a label.",
        "name every `{value}` of reach, hosts and credentials among the settings or the slot's secrets; give defaults the page could have stored";
    SecretsStay = "secrets-stay", "No secret reaches the connector, and none is asked for as a setting.",
        "ask for secrets in `credentials`, never in `settings`; expose no token; the host puts secrets into requests by slot";
    ValidateNamesSettings = "validate-names-settings", "`validate` answers any settings with problems that name a setting.",
        "`problem.code` is the key of the setting that is wrong; read settings without `unwrap`";
    ProbeOnlyReads = "probe-only-reads", "`probe` sends nothing but GET, HEAD and OPTIONS.",
        "prove the connection by reading; registering things belongs to `ensure` or to the first call that needs them";
    CursorsMoveOn = "cursors-move-on", "A cursor never leads back, and the same cursor gives the same documents again.",
        "keep the whole position in the cursor; move the vendor's own position only up to the cursor that was handed in";
    PagingEnds = "paging-ends", "`more` ends when nothing more is there.",
        "answer `more` only where the vendor says so, or where a page was full";
    EffectsAreNamed = "effects-are-named", "Every call that may change something names an effect.",
        "give every POST, PUT, PATCH and DELETE an effect with its step and the members it carries";
    StaysInReach = "stays-in-reach", "It calls what its descriptor declares, and leaves the host's headers to the host.",
        "declare the address in `reach`, and the credential's hosts; do not set `authorization` yourself";
    OneVerdictEach = "one-verdict-each", "One verdict per member, in the same order, whatever the batch.",
        "map over the batch; a member that was not sent gets `retry`";
    StepsAreStable = "steps-are-stable", "A batch that is run again names the steps it named before.",
        "name a step by what it does (`create-order`), never by time, attempt or chance";
    PushHappensOnce = "push-happens-once", "Wherever a call is cut, each document makes one record.",
        "in doubt, look for the record by your own reference; adopt it, or wait until a search would show it and then send again with `verified-absent`";
    HostileAnswers = "hostile-answers", "No answer of the vendor makes it trap.",
        "read answers with tolerant types; anything unreadable is a `failure`, never a panic";
    HostileDocuments = "hostile-documents", "No document, key or cursor makes it trap.",
        "cut texts at characters, use checked arithmetic, and answer `rejected` for what the vendor cannot take";
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Kept; what was looked at.
    Passed(String),
    /// Broken; how.
    Failed(String),
    /// Not looked at; why.
    Skipped(String),
}

/// What was found of every promise.
#[derive(Debug, Default)]
pub struct Report {
    found: BTreeMap<Check, Outcome>,
}

impl Report {
    /// Keeps what was found of a promise. A broken one stays broken.
    pub fn put(&mut self, check: Check, outcome: Outcome) {
        if !matches!(self.found.get(&check), Some(Outcome::Failed(_))) {
            self.found.insert(check, outcome);
        }
    }

    /// Marks all that was not looked at.
    pub fn skip_rest(&mut self, why: &str) {
        for check in Check::ALL {
            self.found
                .entry(*check)
                .or_insert_with(|| Outcome::Skipped(why.to_owned()));
        }
    }

    /// What was found of one promise.
    pub fn of(&self, check: Check) -> Option<&Outcome> {
        self.found.get(&check)
    }

    /// The broken promises.
    pub fn failed(&self) -> Vec<Check> {
        let broken = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
        self.only(broken)
    }

    /// Those that were not looked at.
    pub fn skipped(&self) -> Vec<Check> {
        let skipped = |outcome: &Outcome| matches!(outcome, Outcome::Skipped(_));
        self.only(skipped)
    }

    fn only(&self, wanted: impl Fn(&Outcome) -> bool) -> Vec<Check> {
        let found = self.found.iter().filter(|(_, outcome)| wanted(outcome));
        found.map(|(check, _)| *check).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = [0_u32; 3];
        for (check, outcome) in &self.found {
            let (at, word, text) = match outcome {
                Outcome::Passed(text) => (0, "ok", text),
                Outcome::Failed(text) => (1, "FAILED", text),
                Outcome::Skipped(text) => (2, "SKIPPED", text),
            };
            counts[at] += 1;
            writeln!(f, "{word:<8} {:<24} {text}", check.name())?;
            if at == 1 {
                writeln!(f, "         promise: {}", check.promise())?;
                writeln!(f, "         hint: {}", check.hint())?;
            }
        }
        let [passed, failed, skipped] = counts;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_promise_stays_broken_and_is_explained() {
        let mut report = Report::default();
        report.put(Check::Loads, Outcome::Passed("it did".to_owned()));
        report.put(Check::PagingEnds, Outcome::Failed("never".to_owned()));
        report.put(Check::PagingEnds, Outcome::Passed("later".to_owned()));
        report.skip_rest("no time");
        assert_eq!(report.failed(), [Check::PagingEnds]);
        assert_eq!(report.skipped().len(), Check::ALL.len() - 2);
        let text = report.to_string();
        assert!(text.contains("FAILED   paging-ends"), "{text}");
        assert!(text.contains(Check::PagingEnds.hint()), "{text}");
        assert!(text.ends_with("1 passed, 1 failed, 14 skipped"), "{text}");
    }
}
