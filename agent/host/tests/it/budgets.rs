//! Call limits: windows, reserves, the vendor's reports, holds; and that a guest feels them.

use crate::support::guest::Bench;
use crate::support::memory::StillClock;
use crate::support::site::{Site, text};
use std::sync::Arc;
use waybill_host::budget::{BudgetKey, Budgets, Rate};
use waybill_host::connector::Mode;
use waybill_host::ports::Clock;
use waybill_model::ids::ConnectionId;
use waybill_model::job::Priority::{self, Catalogue, NearDeadline, Order, Stock};

fn key() -> BudgetKey {
    BudgetKey {
        connection: ConnectionId(1),
        reach: "https://a.test/".to_owned(),
    }
}

const fn rate(per_minute: u32, per_second: u32) -> Rate {
    Rate {
        per_minute,
        per_second,
    }
}

struct Desk {
    budgets: Budgets,
    clock: Arc<StillClock>,
}

impl Desk {
    fn new() -> Self {
        let clock = Arc::new(StillClock::at(1_000_000));
        Self {
            budgets: Budgets::new(clock.clone()),
            clock,
        }
    }
    /// How many calls of this priority are allowed at once.
    async fn burst(&self, rate: Rate, priority: Priority) -> usize {
        let mut count = 0;
        while self
            .budgets
            .acquire(&key(), rate, priority, 0)
            .await
            .is_ok()
        {
            count += 1;
            assert!(count < 10_000);
        }
        count
    }
}

#[tokio::test]
async fn the_urgent_may_use_what_the_others_leave() {
    let desk = Desk::new();
    let limit = rate(100, 0);
    assert_eq!(desk.burst(limit, Catalogue).await, 50);
    assert_eq!(desk.burst(limit, Stock).await, 20);
    assert_eq!(desk.burst(limit, Order).await, 20);
    assert_eq!(desk.burst(limit, NearDeadline).await, 10);
    let used = &desk.budgets.snapshot(ConnectionId(1))[0].used;
    assert_eq!(
        used,
        &[
            (NearDeadline, 10),
            (Order, 20),
            (Stock, 20),
            (Catalogue, 50)
        ]
    );
    assert!(desk.budgets.snapshot(ConnectionId(2)).is_empty());
}

#[tokio::test]
async fn the_window_moves_with_the_clock() {
    let desk = Desk::new();
    assert_eq!(desk.burst(rate(10, 0), NearDeadline).await, 10);
    desk.clock.advance(59_999);
    assert_eq!(desk.burst(rate(10, 0), NearDeadline).await, 0);
    desk.clock.advance(1);
    assert_eq!(desk.burst(rate(10, 0), NearDeadline).await, 10);
}

#[tokio::test]
async fn a_call_waits_as_long_as_it_has_patience() {
    let desk = Desk::new();
    let limit = rate(0, 3);
    assert_eq!(desk.burst(limit, NearDeadline).await, 3);
    let refused = desk
        .budgets
        .acquire(&key(), limit, NearDeadline, 999)
        .await
        .unwrap_err();
    assert_eq!((refused.wait_ms, refused.until), (1_000, 1_001_000));
    let before = desk.clock.now_ms();
    desk.budgets
        .acquire(&key(), limit, NearDeadline, 1_000)
        .await
        .unwrap();
    assert_eq!(desk.clock.now_ms() - before, 1_000);
}

#[tokio::test]
async fn the_least_urgent_still_gets_one_of_a_small_limit() {
    let desk = Desk::new();
    assert_eq!(desk.burst(rate(1, 1), Catalogue).await, 1);
}

#[tokio::test]
async fn the_vendors_report_counts_more_than_our_count() {
    let desk = Desk::new();
    let limit = rate(100, 0);
    desk.budgets.report(&key(), 12, 30_000);
    assert_eq!(
        desk.burst(limit, Order).await,
        2,
        "ten are kept for the urgent"
    );
    assert_eq!(desk.burst(limit, NearDeadline).await, 10);
    desk.budgets.report(&key(), 5, 30_000);
    assert_eq!(
        desk.burst(limit, NearDeadline).await,
        0,
        "an older answer does not refill it"
    );
    let page = &desk.budgets.snapshot(ConnectionId(1))[0];
    assert_eq!((page.remaining, page.resets_at), (Some(0), Some(1_030_000)));
    desk.clock.advance(30_000);
    assert!(desk.burst(limit, NearDeadline).await > 0);
}

#[tokio::test]
async fn a_hold_stops_the_whole_connection() {
    let desk = Desk::new();
    desk.budgets.hold(ConnectionId(1), 1_005_000);
    desk.budgets.hold(ConnectionId(1), 1_002_000);
    assert_eq!(desk.burst(rate(0, 0), NearDeadline).await, 0);
    let other = BudgetKey {
        connection: ConnectionId(2),
        ..key()
    };
    desk.budgets
        .acquire(&other, rate(0, 0), Stock, 0)
        .await
        .unwrap();
    desk.clock.advance(5_000);
    desk.budgets
        .acquire(&key(), rate(0, 0), Stock, 0)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refund_is_a_call_that_was_not_made() {
    let desk = Desk::new();
    assert_eq!(desk.burst(rate(2, 0), NearDeadline).await, 2);
    desk.budgets.refund(&key(), NearDeadline);
    assert_eq!(desk.burst(rate(2, 0), NearDeadline).await, 1);
}

#[tokio::test]
async fn a_guest_waits_for_its_budget_or_is_told_when() {
    let site = Site::start(|_| text(200, "hello")).await;
    let bench = Bench::at(&site.base()).await;
    let slow = "do=send-often\ntimes=2\nurl={base}/slow";
    let answer = bench.push(Mode::Live, slow).await;
    assert!(
        format!("{:?}", answer.value).contains("the call limit allows the next call in 60000 ms")
    );
    assert_eq!(
        answer.hold_until, None,
        "other places, and the urgent, may still be called"
    );
    assert_eq!(
        site.asked().len(),
        1,
        "two a minute, one kept for the urgent"
    );
    let page = bench.budgets.snapshot(ConnectionId(1));
    let slow = page.iter().find(|b| b.reach.ends_with("/slow")).unwrap();
    assert_eq!((slow.per_minute, slow.hold_until), (2, None));
    assert_eq!(bench.said("do=send\nurl={base}/api").await, "200 hello");
}

#[tokio::test]
async fn a_guest_passes_on_what_the_vendor_says() {
    let site = Site::start(|_| text(200, "hello")).await;
    let bench = Bench::at(&site.base()).await;
    let said = bench
        .said("do=quota\nurl={base}/api\nremaining=0\nresets=45000")
        .await;
    assert!(
        said.starts_with("200 hello | ") && said.contains("45000 ms"),
        "{said}"
    );
}

#[tokio::test]
async fn replays_cost_no_calls() {
    let site = Site::start(|_| text(200, "made")).await;
    let bench = Bench::at(&site.base()).await;
    let create = "do=send-twice\nmethod=POST\nurl={base}/api\nstep=s\nmembers=0";
    assert_eq!(
        bench.pushed(Mode::Live, create).await,
        "200 made | 200 replayed made"
    );
    let used: u32 = bench.budgets.snapshot(ConnectionId(1))[0]
        .used
        .iter()
        .map(|(_, n)| n)
        .sum();
    assert_eq!(used, 1);
}
