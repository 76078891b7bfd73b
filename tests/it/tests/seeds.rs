//! Fifty days with crashes and faults, the same day twice, and a planted bug that must be found.

use waybill_it::simulation::{Plan, run};

const DAY: Plan = Plan {
    seed: 0,
    orders: 40,
    faults: 60,
    crashes: 4,
    never_looks: false,
};

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in [1, 2, 3] {
        let plan = Plan { seed, ..DAY };
        let (first, second) = (run(plan), run(plan));
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert!(first.sales > 10, "seed {seed}: only {} sales", first.sales);
    }
}

#[test]
fn fifty_seeds_with_crashes_lose_and_double_nothing() {
    let mut crashes = 0;
    for seed in 100..150 {
        let report = run(Plan { seed, ..DAY });
        assert!(report.wrong.is_empty(), "seed {seed}: {:#?}", report.wrong);
        crashes += report.crashes;
    }
    assert!(crashes >= 150, "only {crashes} crashes took place");
}

#[test]
fn a_connector_that_never_looks_is_found() {
    let found = (200..230).any(|seed| {
        !run(Plan {
            seed,
            never_looks: true,
            ..DAY
        })
        .wrong
        .is_empty()
    });
    assert!(
        found,
        "thirty seeds did not find a connector that sends again without looking"
    );
}
