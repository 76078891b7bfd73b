//! Short days with everything in them, from one seed each: crashes, faults, outages, calls that are short, webhooks that go
//! astray, all flows. The same day twice is the same; bugs planted on purpose are found. `cargo days` runs more of them.

use waybill_it::simulation::{Plan, Plant, run};

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in [1, 2, 3] {
        let plan = Plan {
            seed,
            ..Plan::SHORT
        };
        let (first, second) = (run(plan), run(plan));
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert!(first.sales > 10, "seed {seed}: {first:?}");
        assert!(first.invoices > 5, "seed {seed}: {first:?}");
        assert!(first.parcels > 10, "seed {seed}: {first:?}");
        assert!(first.cancels > 0, "seed {seed}: {first:?}");
        assert!(first.levels > 20, "seed {seed}: {first:?}");
        assert!(first.hooks > 20, "seed {seed}: {first:?}");
        assert!(first.away > 0, "seed {seed}: {first:?}");
    }
}

/// Days with crashes and faults at whose end everything is where it belongs.
fn nothing_is_lost_or_doubled(seeds: std::ops::Range<u64>) {
    let (mut crashes, mut throttled, mut scarce) = (0, 0, 0);
    let most = seeds.end - seeds.start;
    for seed in seeds {
        let report = run(Plan {
            seed,
            ..Plan::SHORT
        });
        assert!(report.wrong.is_empty(), "seed {seed}: {:#?}", report.wrong);
        crashes += report.crashes;
        throttled += report.throttled;
        scarce += report.scarce;
    }
    assert!(crashes >= most * 3, "only {crashes} crashes took place");
    assert!(throttled > 0, "no call was throttled");
    assert!(scarce > 0, "all shipments could leave at once");
}

// Two halves, so that two cores share them.
#[test]
fn seeds_with_crashes_lose_and_double_nothing() {
    nothing_is_lost_or_doubled(100..200);
}

#[test]
fn more_seeds_with_crashes_lose_and_double_nothing() {
    nothing_is_lost_or_doubled(200..300);
}

#[test]
fn each_order_has_one_contact_of_its_consumer_wherever_calls_and_the_agent_die() {
    let mut crashes = 0;
    for seed in 150..162 {
        let report = run(Plan {
            seed,
            consumers: 4,
            ..Plan::SHORT
        });
        assert!(report.wrong.is_empty(), "seed {seed}: {:#?}", report.wrong);
        assert!(report.sales > 10, "seed {seed}: {report:?}");
        crashes += report.crashes;
    }
    assert!(crashes >= 36, "only {crashes} crashes took place");
}

/// Each of them was wrong or never ended once: an invoice, a shipment or a number of units lay in the way of a crash.
#[test]
fn days_that_were_wrong_once_stay_right() {
    for seed in [196, 308, 444, 468, 724, 933, 1171] {
        let plan = Plan {
            seed,
            ..Plan::SHORT
        };
        let report = run(plan);
        assert!(report.wrong.is_empty(), "seed {seed}: {:#?}", report.wrong);
    }
}

/// What is wrong at the end of the first day on which this bug shows.
fn found(plant: Plant) -> Vec<String> {
    for seed in 1..=20 {
        let plan = Plan {
            seed,
            plant: Some(plant),
            goes_back: plant == Plant::Unmarked,
            ..Plan::SHORT
        };
        let wrong = run(plan).wrong;
        if !wrong.is_empty() {
            return wrong;
        }
    }
    panic!("twenty seeds did not find `{}`", plant.word())
}

#[test]
fn shipments_that_are_not_held_against_what_is_open_are_found() {
    let wrong = found(Plant::ForgetsOpen);
    assert!(wrong.iter().any(|w| w.contains("shipped")), "{wrong:?}");
}

#[test]
fn a_connector_that_sends_again_without_looking_is_found() {
    found(Plant::NeverLooks);
}

#[test]
fn a_place_in_a_feed_that_is_stored_before_what_it_covers_is_found() {
    let wrong = found(Plant::CursorFirst);
    assert!(wrong.iter().any(|w| w.contains("expected")), "{wrong:?}");
}

#[test]
fn a_sale_without_an_entry_in_the_journal_is_found() {
    found(Plant::Unjournalled);
}

#[test]
fn shipments_that_leave_in_another_order_than_they_are_due_are_found() {
    let wrong = found(Plant::HidesDeadlines);
    assert!(wrong.iter().any(|w| w.contains("left at")), "{wrong:?}");
}

/// Days that lose their disk and go on with a backup.
fn a_backup_goes_on(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let report = run(Plan {
            seed,
            goes_back: true,
            ..Plan::SHORT
        });
        assert!(report.wrong.is_empty(), "seed {seed}: {:#?}", report.wrong);
    }
}

// Two halves, so that two cores share them.
#[test]
fn a_backup_that_goes_on_loses_and_doubles_nothing() {
    a_backup_goes_on(400..410);
}

#[test]
fn more_backups_that_go_on_lose_and_double_nothing() {
    a_backup_goes_on(410..420);
}

#[test]
fn a_backup_that_does_not_know_it_is_one_is_found() {
    found(Plant::Unmarked);
}
