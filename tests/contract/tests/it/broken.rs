//! Connectors that each break one promise: the test names that one and no other.

use crate::guest::{component, settings, tested};
use waybill_contract::{Check, Outcome, Report};

/// The broken connector with that flavour written over the sixteen bytes that say which promise it breaks.
fn flavoured(flavour: &str) -> Vec<u8> {
    const KEPT: &[u8] = b"promise:kept    ";
    let mut bytes = component("waybill-broken");
    let places: Vec<usize> = (0..bytes.len() - KEPT.len())
        .filter(|at| bytes[*at..].starts_with(KEPT))
        .collect();
    assert_eq!(places.len(), 1, "the flavour stands in the component once");
    let padded = format!("{flavour:<16}");
    bytes[places[0]..places[0] + KEPT.len()].copy_from_slice(padded.as_bytes());
    bytes
}

/// Exactly this promise is broken, and the sentence says so.
async fn breaks(flavour: &str, check: Check, words: &str) {
    let report = tested(flavoured(flavour), Some(&settings())).await;
    told(flavour, &report, check, words);
}

fn told(what: &str, report: &Report, check: Check, words: &str) {
    assert_eq!(report.failed(), [check], "{what}\n{report}");
    let Some(Outcome::Failed(why)) = report.of(check) else {
        panic!("{what}: {check} did not fail\n{report}");
    };
    assert!(why.contains(words), "{what}: {why}");
}

macro_rules! broken {
    ($($name:ident: $flavour:literal breaks $check:ident, saying $words:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                breaks($flavour, Check::$check, $words).await;
            }
        )*
    };
}

broken! {
    a_title_that_counts: "describe:counts" breaks DescribeIsPure, saying "its title";
    a_clock_while_describing: "describe:clock" breaks DescribeIsPure, saying "clock";
    a_role_it_does_not_describe: "exports:differ" breaks ExportsMatch, saying "exports `sink`";
    a_template_with_an_unknown_name: "describe:unknown" breaks DescriptorHolds, saying "`adress`";
    a_password_as_a_setting: "secret:setting" breaks SecretsStay, saying "shop-password";
    a_token_that_is_exposed: "secret:exposed" breaks SecretsStay, saying "access_token";
    a_problem_of_no_setting: "validate:names" breaks ValidateNamesSettings, saying "address-is-wrong";
    a_probe_that_writes: "probe:writes" breaks ProbeOnlyReads, saying "POST";
    a_push_without_an_effect: "push:no-effect" breaks EffectsAreNamed, saying "POST";
    a_host_it_never_declared: "push:elsewhere" breaks StaysInReach, saying "elsewhere.test";
    too_few_verdicts: "push:few" breaks OneVerdictEach, saying "1 verdicts for 2 members";
    steps_with_a_time_in_them: "push:new-step" breaks StepsAreStable, saying "create-order at";
    sending_again_without_looking: "push:no-look" breaks PushHappensOnce, saying "2 times";
    a_cursor_that_goes_back: "pull:goes-back" breaks CursorsMoveOn, saying "handed out before";
    a_feed_that_begins_anew: "pull:restarts" breaks CursorsMoveOn, saying "began anew";
    more_without_an_end: "pull:endless" breaks PagingEnds, saying "still `more`";
    trust_in_answers: "answer:unwrap" breaks HostileAnswers, saying "it trapped";
    trust_in_documents: "document:slice" breaks HostileDocuments, saying "it trapped";
}

#[tokio::test(flavor = "multi_thread")]
async fn as_it_is_built_it_keeps_them_all() {
    let report = tested(component("waybill-broken"), Some(&settings())).await;
    assert!(
        report.failed().is_empty() && report.skipped().is_empty(),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_no_component() {
    let mut bytes = component("waybill-broken");
    let half = bytes.len() / 2;
    bytes.truncate(half);
    told(
        "half a file",
        &tested(bytes, None).await,
        Check::Loads,
        "ends in the middle",
    );
    told(
        "a text",
        &tested(b"hello".to_vec(), None).await,
        Check::Loads,
        "not a component",
    );
}
