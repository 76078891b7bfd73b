//! Owns faults on command: rules set over the control side, and the plan they make for one request. Must not know
//! sockets; `serve.rs` carries a plan out.

use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The connection is dropped and nothing has happened.
    CutBefore,
    /// The effect happens, then the connection is dropped without an answer.
    CutAfter,
    /// The given status and body are answered; the effect happens only with `effect`.
    Status,
    /// As `Status`, with an HTML page and 502 unless a status is given.
    Html,
    /// The request waits `ms` first (with `effect`: after the effect); other rules still apply.
    Delay,
    /// The effect happens; half of the answer's body is sent, then the connection drops.
    Truncate,
}

/// One rule as the control side sends it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Given by the server.
    #[serde(default)]
    pub id: u64,
    /// Which endpoints: names as counters show them, `*` matches anything.
    #[serde(default = "any")]
    pub endpoint: String,
    /// What goes wrong.
    pub kind: Kind,
    /// How often; without it until deleted.
    #[serde(default)]
    pub count: Option<u64>,
    /// How likely per matching call (0 to 1); without it always.
    #[serde(default)]
    pub probability: Option<f64>,
    /// How many matching calls pass first.
    #[serde(default)]
    pub skip: u64,
    /// Status to answer.
    #[serde(default)]
    pub status: Option<u16>,
    /// Body to answer.
    #[serde(default)]
    pub body: Option<String>,
    /// Extra headers of the answer, for example `Retry-After`.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Milliseconds of a delay.
    #[serde(default)]
    pub ms: u64,
    /// Whether the effect happens before the fault (for `status`, `html`, `delay`).
    #[serde(default)]
    pub effect: bool,
    /// How often the rule has been applied.
    #[serde(default)]
    pub hits: u64,
}

fn any() -> String {
    "*".to_owned()
}

/// What shall happen to one request.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Wait before handling.
    pub delay_before_ms: u64,
    /// Wait after handling.
    pub delay_after_ms: u64,
    /// The one rule that changes the outcome.
    pub rule: Option<Rule>,
    /// Whether any rule matched.
    pub hit: bool,
}

/// All rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Vec<Rule>,
    next: u64,
}

impl Faults {
    /// Adds a rule and returns its id.
    pub fn add(&mut self, mut rule: Rule) -> u64 {
        self.next += 1;
        rule.id = self.next;
        rule.hits = 0;
        self.rules.push(rule);
        self.next
    }

    /// Removes one rule, or all.
    pub fn clear(&mut self, id: Option<u64>) {
        self.rules.retain(|r| id.is_some_and(|id| id != r.id));
    }

    /// The rules, used-up ones included.
    pub fn list(&self) -> &[Rule] {
        &self.rules
    }

    /// Decides what happens to a call of `endpoint`. All delays add up; of the others the first in force wins.
    pub fn plan(&mut self, endpoint: &str, dice: &mut Dice) -> Plan {
        let mut plan = Plan::default();
        for rule in &mut self.rules {
            if !glob(&rule.endpoint, endpoint) {
                continue;
            }
            let delay = rule.kind == Kind::Delay;
            if !delay && plan.rule.is_some() {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if rule.count == Some(0) || rule.probability.is_some_and(|p| !dice.chance(p)) {
                continue;
            }
            rule.count = rule.count.map(|n| n - 1);
            rule.hits += 1;
            plan.hit = true;
            if !delay {
                plan.rule = Some(rule.clone());
            } else if rule.effect {
                plan.delay_after_ms += rule.ms;
            } else {
                plan.delay_before_ms += rule.ms;
            }
        }
        plan
    }
}

/// Whether `pattern` with `*` matches the whole of `text`.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let mut last = "";
    for part in parts {
        last = part;
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    last.is_empty() || text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{Faults, Kind, Rule, glob};
    use crate::dice::Dice;

    fn rule(text: &str) -> Rule {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn globs_match_whole_names() {
        assert!(glob("*", "GET /order"));
        assert!(glob("POST /order/*", "POST /order/acknowledge"));
        assert!(glob("*acknow*", "POST /order/acknowledge"));
        assert!(glob("GET /a*b", "GET /abb"));
        assert!(!glob("GET /order", "GET /order/page"));
        assert!(!glob("POST *", "GET /order"));
        assert!(!glob("*page", "GET /page/x"));
    }

    #[test]
    fn a_rule_skips_then_counts_down() {
        let mut faults = Faults::default();
        faults.add(rule(
            r#"{"endpoint":"GET *","kind":"cut-after","skip":1,"count":2}"#,
        ));
        let mut dice = Dice::new(1);
        let hits: Vec<bool> = (0..5)
            .map(|_| faults.plan("GET /order", &mut dice).rule.is_some())
            .collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(!faults.plan("POST /order", &mut dice).hit);
        assert_eq!(faults.list()[0].hits, 2);
    }

    #[test]
    fn delays_add_up_and_the_first_other_rule_wins() {
        let mut faults = Faults::default();
        faults.add(rule(r#"{"kind":"delay","ms":5}"#));
        faults.add(rule(r#"{"kind":"status","status":503}"#));
        let second = faults.add(rule(r#"{"kind":"cut-before"}"#));
        faults.add(rule(r#"{"kind":"delay","ms":7,"effect":true}"#));
        let plan = faults.plan("x", &mut Dice::new(1));
        assert_eq!((plan.delay_before_ms, plan.delay_after_ms), (5, 7));
        assert_eq!(plan.rule.unwrap().kind, Kind::Status);
        faults.clear(Some(second));
        assert_eq!(faults.list().len(), 3);
        faults.clear(None);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<Rule>(r#"{"kind":"delay","millis":5}"#).is_err());
    }
}
