//! Connectors that keep every promise.

use crate::guest::{component, settings, tested};
use waybill_contract::{Check, Report};

fn kept(report: &Report) {
    assert!(report.failed().is_empty(), "{report}");
    assert!(report.skipped().is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn brightpearl() {
    kept(&tested(component("waybill-brightpearl"), None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn dsco() {
    kept(&tested(component("waybill-dsco"), None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_guide() {
    kept(&tested(component("waybill-example"), Some(&settings())).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_settings_file_it_says_what_was_not_looked_at() {
    let report = tested(component("waybill-example"), None).await;
    assert!(report.failed().is_empty(), "{report}");
    let told = [
        Check::CursorsMoveOn,
        Check::PagingEnds,
        Check::PushHappensOnce,
    ];
    assert_eq!(report.skipped(), told, "{report}");
}
