//! Webhooks and hints: with all of them lost, doubled or in any order, and with crashes, the end is the same; and what
//! becomes of a request that is odd, of a flood, and of a connection that may not be called.

use std::sync::Arc;
use waybill_engine::HookRefusal;
use waybill_host::ports::Clock;
use waybill_it::hooked::{Hooked, Post, URL, VENDOR, Vendor, clock, day, lock, request};
use waybill_model::contract::{Failure, Problem};
use waybill_model::document::Entity;
use waybill_store::sim_disk::SimDisk;
use waybill_store::{Read, Scope};

fn simulated<F: Future>(test: F) -> F::Output {
    waybill_it::bench::in_simulated_time(test)
}

/// An engine beside a vendor that never fails; polls are an hour apart, so that only webhooks bring anything.
async fn quiet() -> (Hooked, Arc<dyn Clock>) {
    let clock = clock();
    let vendor = Vendor::new(1, 0);
    let hooked = Hooked::start(&vendor, &SimDisk::new(1), &clock, 3_600);
    hooked.pass(5_000).await;
    assert_eq!(lock(&vendor).registered.len(), 1);
    (hooked, clock)
}

#[test]
fn lost_doubled_or_reordered_the_end_is_the_same() {
    let mut crashes = 0;
    for seed in 0..8 {
        for post in [Post::Lost, Post::Sound, Post::Wild] {
            let (wrong, times) = simulated(day(seed, post));
            assert!(wrong.is_empty(), "seed {seed}, {post:?}: {wrong:#?}");
            crashes += times;
        }
    }
    assert!(crashes >= 60, "only {crashes} crashes took place");
}

#[test]
fn a_thousand_requests_about_one_record_are_one_read() {
    simulated(async {
        let (hooked, _) = quiet().await;
        lock(&hooked.vendor).change(Entity::Item, "7");
        lock(&hooked.vendor).change(Entity::Item, "8");
        for n in 0..1_000 {
            let key = if n % 2 == 0 { "7" } else { "8" };
            hooked
                .call(&request(Entity::Item, key))
                .await
                .expect("taken");
        }
        hooked.pass(5_000).await;
        let read: Vec<_> = lock(&hooked.vendor).fetches.concat();
        let both = ["7", "8"].map(|key| (Entity::Item, key.to_owned()));
        assert_eq!(read, both);
        assert_eq!(hooked.known(), lock(&hooked.vendor).records);
        assert_eq!(hooked.waiting(), (0, 0));
        hooked.end(true).await;
    });
}

#[test]
fn a_request_about_several_records_and_an_order_is_followed() {
    simulated(async {
        let (hooked, _) = quiet().await;
        for key in ["1", "2", "3"] {
            lock(&hooked.vendor).change(Entity::Warehouse, key);
        }
        // A pull of orders that lead nowhere is held back; a hint reads all the same.
        lock(&hooked.vendor).change(Entity::Order, "5001");
        hooked.call(b"warehouse 1,2,3,gone").await.expect("taken");
        hooked
            .call(&request(Entity::Order, "5001"))
            .await
            .expect("taken");
        hooked.pass(5_000).await;
        assert_eq!(hooked.known(), lock(&hooked.vendor).records);
        assert_eq!(hooked.waiting(), (0, 0));
        let order = hooked.store.read(|rx| rx.order_by_key(VENDOR, "5001"));
        assert!(order.expect("the store reads").is_some());
        hooked.end(true).await;
    });
}

#[test]
fn what_cannot_be_understood_is_left_out_and_said() {
    simulated(async {
        let (hooked, _) = quiet().await;
        lock(&hooked.vendor).change(Entity::Item, "7");
        for body in [
            b"nonsense".as_slice(),
            b"stop",
            b"shipment 4",
            b"item 7",
            b"stop",
        ] {
            hooked.call(body).await.expect("taken");
        }
        hooked.pass(5_000).await;
        assert_eq!(hooked.known(), lock(&hooked.vendor).records);
        assert_eq!(hooked.waiting(), (0, 0));
        let (row, audit) = hooked
            .store
            .read(|rx| Ok((rx.hooks(VENDOR)?, rx.audit(50)?)))
            .expect("the store reads");
        assert_eq!(row.expect("a row").refused, 3);
        let said: Vec<_> = audit
            .into_iter()
            .filter(|a| a.what.starts_with("Webhook"))
            .collect();
        assert!(
            said.iter().any(|a| a.detail.contains("It makes no sense.")),
            "{said:?}"
        );
        assert!(
            said.iter().any(|a| a.detail.contains("out of bounds")),
            "{said:?}"
        );
        hooked.end(true).await;
    });
}

#[test]
fn one_key_that_stops_the_connector_does_not_hold_the_others() {
    simulated(async {
        let (hooked, _) = quiet().await;
        for n in 0..50 {
            lock(&hooked.vendor).change(Entity::Item, &n.to_string());
            hooked
                .call(&request(Entity::Item, &n.to_string()))
                .await
                .expect("taken");
        }
        lock(&hooked.vendor).poison.insert("13".to_owned());
        hooked.pass(30_000).await;
        assert_eq!(hooked.known().len(), 49);
        assert_eq!(hooked.waiting(), (0, 1));
        let calls = lock(&hooked.vendor).fetches.len();
        assert!(calls < 16, "{calls} calls");
        hooked.pass(600_000).await;
        let more = lock(&hooked.vendor).fetches.len() - calls;
        assert!((2..6).contains(&more), "asked {more} times in ten minutes");
        lock(&hooked.vendor).poison.clear();
        hooked.pass(3_600_000).await;
        assert_eq!((hooked.known().len(), hooked.waiting()), (50, (0, 0)));
        hooked.end(true).await;
    });
}

#[test]
fn a_paused_connection_takes_requests_and_reads_later() {
    simulated(async {
        let (hooked, _) = quiet().await;
        hooked
            .handle
            .pause("vendor", true, "ann")
            .await
            .expect("paused");
        lock(&hooked.vendor).change(Entity::Item, "7");
        hooked
            .call(&request(Entity::Item, "7"))
            .await
            .expect("taken");
        hooked.pass(60_000).await;
        assert_eq!(hooked.waiting(), (0, 1), "a hint waits, no request");
        assert!(lock(&hooked.vendor).fetches.is_empty());
        hooked
            .handle
            .pause("vendor", false, "ann")
            .await
            .expect("resumed");
        hooked.pass(5_000).await;
        assert_eq!(hooked.known(), lock(&hooked.vendor).records);
        hooked.end(true).await;
    });
}

#[test]
fn a_stranger_learns_nothing_and_a_flood_is_put_off() {
    simulated(async {
        let (hooked, clock) = quiet().await;
        let address = lock(&hooked.vendor).registered[0].clone();
        let secret = address.rsplit('/').next().expect("a secret").to_owned();
        assert_eq!(secret.len(), 64);
        for (name, secret) in [
            ("vendor", "wrong"),
            ("nobody", secret.as_str()),
            ("vendor", ""),
        ] {
            let refused = hooked
                .handle
                .take_delivery(name, secret.as_bytes(), Vec::new(), Vec::new())
                .await;
            assert_eq!(refused, Err(HookRefusal::Unknown));
        }
        hooked
            .handle
            .pause("vendor", true, "ann")
            .await
            .expect("paused");
        let mut taken = 0;
        while hooked.call(b"item 1").await.is_ok() {
            taken += 1;
            assert!(taken <= 13_000, "no bound");
        }
        let refused = hooked.call(b"item 1").await;
        assert!(matches!(
            refused,
            Err(HookRefusal::NotReady {
                retry_after_secs: 1..
            })
        ));
        clock.sleep_ms(60_000).await;
        hooked.call(b"item 1").await.expect("taken again");
        hooked.end(true).await;
    });
}

#[test]
fn webhooks_follow_their_setting_and_a_refusal_stops_nothing_else() {
    simulated(async {
        let (hooked, _) = quiet().await;
        let set = |value: &'static str| {
            let scope = Scope {
                connection: Some(VENDOR),
                retailer: None,
            };
            hooked
                .store
                .write_blocking(move |tx| {
                    tx.set_setting(&scope, "hooks.public-url", Some(value), "ann", 1)
                })
                .expect("set");
        };
        let view = async || {
            let frame = hooked.handle.frame().await.expect("a frame");
            frame.connections[0].hooks.clone().expect("webhooks")
        };
        let registered = view().await;
        assert_eq!(registered.sentence, "Registered");
        assert_eq!(
            registered.callback.as_deref(),
            Some("https://hooks.example.com/hooks/vendor/")
        );
        assert_eq!(registered.standing, ["everything"]);
        let reload = async || {
            let plan =
                waybill_engine::apply::parse("version = 1", &std::collections::BTreeMap::new());
            hooked
                .handle
                .apply(plan.expect("an empty plan"), "ann")
                .await
                .expect("applied");
            hooked.pass(5_000).await;
        };
        // Somebody removes it at the vendor: the next look mends it.
        lock(&hooked.vendor).registered.clear();
        hooked.pass(3_700_000).await;
        assert_eq!(lock(&hooked.vendor).registered.len(), 1);
        // Another address: the old one goes.
        set("https://other.example.com/");
        reload().await;
        let now = lock(&hooked.vendor).registered.clone();
        assert!(
            now.len() == 1 && now[0].starts_with("https://other.example.com/hooks/vendor/"),
            "{now:?}"
        );
        // Off: removed, and the address is closed.
        set("");
        reload().await;
        assert_eq!(lock(&hooked.vendor).registered, Vec::<String>::new());
        assert_eq!(view().await.sentence, "Off");
        let secret = now[0].rsplit('/').next().expect("a secret");
        let refused = hooked
            .handle
            .take_delivery("vendor", secret.as_bytes(), Vec::new(), Vec::new())
            .await;
        assert_eq!(refused, Err(HookRefusal::Unknown));
        // Refused by the vendor: polling goes on, and the page says so.
        let why = Problem::new("no-right", "The account has no webhooks.", "Ask.");
        lock(&hooked.vendor).no_hooks = Some(Failure::Unauthorized(why));
        set(URL);
        reload().await;
        assert_eq!(
            view().await.sentence,
            "Not registered: The account has no webhooks."
        );
        let pulls = lock(&hooked.vendor).pulls;
        hooked.pass(3_700_000).await;
        assert!(lock(&hooked.vendor).pulls > pulls);
        lock(&hooked.vendor).no_hooks = None;
        hooked.pass(3_700_000).await;
        assert_eq!(view().await.sentence, "Registered");
        hooked.end(true).await;
    });
}

#[test]
fn an_order_near_its_ship_by_is_read_first() {
    simulated(async {
        let (hooked, _) = quiet().await;
        let mut keys: Vec<String> = (0..260).map(|n| format!("far-{n}")).collect();
        keys.push("near-1".to_owned());
        let tell = async || {
            for key in &keys {
                lock(&hooked.vendor).change(Entity::Order, key);
                let told = hooked.call(&request(Entity::Order, key)).await;
                told.expect("taken");
            }
        };
        // Known from here on, with their dates.
        tell().await;
        hooked.pass(30_000).await;
        assert_eq!(hooked.known().len(), 261);
        // All wait at once, the urgent one told last.
        hooked
            .handle
            .pause("vendor", true, "ann")
            .await
            .expect("paused");
        tell().await;
        hooked.pass(30_000).await;
        assert_eq!(hooked.waiting(), (0, 261));
        let before = lock(&hooked.vendor).fetches.len();
        hooked
            .handle
            .pause("vendor", false, "ann")
            .await
            .expect("resumed");
        hooked.pass(30_000).await;
        let calls = lock(&hooked.vendor).fetches[before..].to_vec();
        let sizes: Vec<usize> = calls.iter().map(Vec::len).collect();
        assert_eq!(sizes, [200, 61]);
        assert_eq!(calls[0][0].1, "near-1");
        assert_eq!(hooked.known(), lock(&hooked.vendor).records);
        hooked.end(true).await;
    });
}
