//! Findings for people and for scripts. Owns the layout; judges nothing.

use crate::out::{Failure, Out};
use serde_json::json;
use waybill_engine::finding::{Finding, State};

const fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Skipped => "skipped",
        State::Warning => "WARNING",
        State::Problem => "PROBLEM",
    }
}

/// One finding in lines.
pub(super) fn lines(finding: &Finding) -> Vec<String> {
    let what = match &finding.about {
        Some(about) => format!("{} `{about}`", finding.check.word()),
        None => finding.check.word().to_owned(),
    };
    let mut lines = vec![format!(
        "{:<8} {what}: {}",
        word(finding.state),
        finding.text
    )];
    if finding.state == State::Ok {
        return lines;
    }
    let more = [("where", &finding.place), ("next", &finding.next)];
    for (label, text) in more {
        if let Some(text) = text {
            lines.push(format!("{:8}   {label:<6} {text}", ""));
        }
    }
    lines
}

fn counted(findings: &[Finding]) -> String {
    let count = |state: State| findings.iter().filter(|f| f.state == state).count();
    let (problems, warnings) = (count(State::Problem), count(State::Warning));
    let noun = |n: usize, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    match (problems, warnings) {
        (0, 0) => "No problem found. Nothing was changed.".to_owned(),
        (0, n) => format!("No problem, {}. Nothing was changed.", noun(n, "warning")),
        (n, 0) => format!("{}. Nothing was changed.", noun(n, "problem")),
        (n, m) => format!(
            "{}, {}. Nothing was changed.",
            noun(n, "problem"),
            noun(m, "warning")
        ),
    }
}

/// Prints, and fails where there is a problem.
pub(super) fn show(out: Out, findings: &[Finding]) -> Result<(), Failure> {
    for line in findings.iter().flat_map(lines) {
        out.line(line);
    }
    let problems = findings.iter().any(|f| f.state == State::Problem);
    out.line(counted(findings));
    out.value(&json!({"healthy": !problems, "findings": findings}));
    if problems { Err(Failure::Told) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_engine::finding::Check;

    #[test]
    fn a_finding_says_what_where_and_what_next() {
        let found = Finding::problem(Check::Login, "The token was refused.")
            .about("erp")
            .at("credentials of connection `erp`")
            .next("Enter it again.");
        assert_eq!(
            lines(&found),
            [
                "PROBLEM  login `erp`: The token was refused.",
                "           where  credentials of connection `erp`",
                "           next   Enter it again.",
            ]
        );
        let fine = Finding::ok(Check::Page, "It answers.").at("127.0.0.1:7878");
        assert_eq!(lines(&fine), ["ok       page: It answers."]);
        assert_eq!(
            counted(&[found.clone(), fine.clone()]),
            "1 problem. Nothing was changed."
        );
        assert_eq!(counted(&[fine]), "No problem found. Nothing was changed.");
    }
}
