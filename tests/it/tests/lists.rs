//! What the lists of shipments, invoices, cancellations and retailers say of real work: where a row stands, why, until
//! when, and how it is found.

use waybill_engine::lists::{CancelLine, InvoiceLine, ListQuery, ShipmentLine, State, Wanted};
use waybill_engine::retailers::Since;
use waybill_it::bench::{
    Bench, NETWORK, Start, billed, held, in_simulated_time, invoice, note, order, parcel, receipt,
};
use waybill_model::contract::{Failure, Problem};
use waybill_model::document::{
    Body, CancelPhase, Cancellation, Document, Order, OrderPhase, Shipment,
};
use waybill_store::Scope;

fn accepted(order: &mut Order) {
    order.phase = OrderPhase::Accepted;
}

/// A bench with an order whose sale is made. The network refuses note 9.
async fn sold() -> Bench {
    let bench = Bench::start(Start {
        invoices: true,
        cancels: true,
        ..Start::default()
    });
    *held(&bench.network.on_push) = Box::new(|batch| {
        let verdict = |delivery: &waybill_model::contract::Delivery| {
            if delivery.document.key == "9" {
                let problem = Problem::new("no", "Network refused the shipment: closed.", "Ask.");
                return Err(Failure::Rejected(problem));
            }
            receipt(&delivery.document.key)
        };
        Ok(batch.iter().map(verdict).collect())
    });
    bench.send(order("1", 1, accepted));
    bench.pass(30).await;
    bench
}

fn sale(bench: &Bench) -> String {
    bench.order("1").sale_key.expect("the sale is made")
}

async fn ship(bench: &Bench, key: &str, tracked: bool, units: i64) {
    let tracking = format!("1Z{key}");
    let tracking = tracked.then_some(tracking.as_str());
    let change = |note: &mut Shipment| {
        note.parcels = vec![parcel(tracking, &[("1", units)])];
    };
    bench.ship(note(key, &sale(bench), 1, change));
    bench.pass(60).await;
}

fn of(state: Option<State>, find: &str) -> ListQuery {
    ListQuery {
        state,
        find: find.to_owned(),
        limit: 50,
        ..ListQuery::default()
    }
}

async fn notes(bench: &Bench, query: ListQuery) -> Vec<ShipmentLine> {
    let list = bench.handle.shipments(query).await;
    list.expect("the list is read").rows
}

async fn numbers(bench: &Bench, query: ListQuery) -> Vec<String> {
    let rows = notes(bench, query).await;
    rows.into_iter().map(|row| row.note).collect()
}

#[test]
fn a_note_is_listed_with_its_state_and_found_by_every_number() {
    in_simulated_time(async {
        let bench = sold().await;
        ship(&bench, "7", true, 2).await;
        ship(&bench, "8", false, 1).await;
        ship(&bench, "9", true, 1).await;
        let all = notes(&bench, of(None, "")).await;
        let states: Vec<_> = all
            .iter()
            .map(|row| (row.note.as_str(), row.common.standing))
            .collect();
        assert_eq!(
            states,
            [
                ("9", State::You),
                ("8", State::Waits),
                ("7", State::Confirmed)
            ]
        );
        let (refused, waits, told) = (&all[0], &all[1], &all[2]);
        assert!(
            refused
                .common
                .state
                .contains("refused the shipment: closed")
        );
        assert_eq!(refused.common.hint.as_deref(), Some("Ask."));
        assert!(waits.common.state.contains("tracking"), "{waits:?}");
        assert!(waits.common.until.is_some_and(|at| at > bench.handle.now()));
        assert!(told.common.state.starts_with("Reported, confirmed by"));
        assert_eq!(told.tracking, ["1Z7"]);
        assert_eq!(told.units.fixed(0), "2");
        let number = bench.order("1").number;
        for find in [number.as_str(), "1Z7"] {
            let found = numbers(&bench, of(None, find)).await;
            assert_eq!(found, ["9", "8", "7"], "{find}");
        }
        // A note by its own number: it comes first, and alone where no order has that number too.
        assert_eq!(numbers(&bench, of(None, "8")).await[0], "8");
        assert!(numbers(&bench, of(None, "nowhere")).await.is_empty());
        assert_eq!(numbers(&bench, of(Some(State::Waits), "")).await, ["8"]);
        let list = bench.handle.shipments(of(None, "")).await.expect("read");
        let count = |state| list.counts.iter().find(|c| c.state == state);
        assert_eq!(count(State::You).map(|c| c.rows), Some(1));
        assert_eq!(count(State::Over).map(|c| c.rows), Some(0));
        assert_eq!(list.retailers.len(), 1);
        let own = ListQuery {
            retailer: Some(list.retailers[0].id),
            limit: 2,
            ..ListQuery::default()
        };
        let first = bench.handle.shipments(own.clone()).await.expect("read");
        assert_eq!(first.rows.len(), 2);
        let rest = ListQuery {
            before: first.next,
            ..own
        };
        assert_eq!(numbers(&bench, rest).await, ["7"]);
        bench.end().await;
    });
}

async fn bills(bench: &Bench, find: &str) -> Vec<InvoiceLine> {
    let list = bench.handle.invoices(of(None, find)).await;
    list.expect("the list is read").rows
}

#[test]
fn an_invoice_is_listed_with_its_policy_amount_and_parts() {
    in_simulated_time(async {
        let bench = sold().await;
        bench.set("invoices.policy", "shipment");
        bench.pass(5).await;
        bench.ship(invoice(&sale(&bench), "SI-5", vec![billed("1", 5, 950)]));
        bench.pass(60).await;
        let row = bills(&bench, "").await.remove(0);
        assert_eq!(row.common.standing, State::Waits, "{row:?}");
        let over = row.over.expect("its document is here");
        assert_eq!(
            (over.0.fixed(2), over.1.as_str()),
            ("47.50".to_owned(), "USD")
        );
        assert_eq!(row.policy, "One per shipment");
        ship(&bench, "7", true, 2).await;
        let rows = bills(&bench, "").await;
        assert_eq!(rows[0].number, "SI-5-7");
        assert_eq!(rows[0].of.as_deref(), Some("SI-5"));
        assert_eq!(rows[0].common.standing, State::Confirmed, "{rows:?}");
        let part = rows[0].over.as_ref().expect("its document is here");
        assert_eq!(part.0.fixed(2), "19.00");
        for find in ["SI-5-7", "SI-5"] {
            assert_eq!(bills(&bench, find).await[0].number, "SI-5-7", "{find}");
        }
        assert_eq!(bills(&bench, "SI-5").await.len(), 2);
        assert!(bills(&bench, "SI-6").await.is_empty());
        // What the policy is changed to is shown, and changes nothing that was sent.
        bench.set("invoices.policy", "none");
        bench.pass(5).await;
        assert_eq!(
            bills(&bench, "SI-5-7").await[0].policy,
            "None: nothing is sent"
        );
        bench.end().await;
    });
}

#[test]
fn what_a_network_has_of_its_own_is_shown_for_its_retailers() {
    in_simulated_time(async {
        let bench = sold().await;
        let retailer = bench.order("1").retailer;
        bench.set("invoices.policy", "none");
        let own = Scope {
            connection: Some(NETWORK),
            retailer: None,
        };
        let stored = bench.store.write_blocking(move |tx| {
            tx.set_setting(&own, "invoices.policy", Some("shipment"), "ann", 0)
        });
        stored.expect("the store takes a setting");
        bench.pass(5).await;
        bench.ship(invoice(&sale(&bench), "SI-5", vec![billed("1", 5, 950)]));
        bench.pass(60).await;
        assert_eq!(bills(&bench, "").await[0].policy, "One per shipment");
        let since = Since { today: 0, week: 0 };
        let one = bench
            .handle
            .retailer(NETWORK, &retailer, None, since)
            .await
            .expect("the store can be read")
            .expect("an order came from it");
        let policy = one.settings.iter().find(|s| s.key == "invoices.policy");
        let holds = policy.and_then(|policy| policy.holds.clone());
        assert_eq!(holds.as_deref(), Some("One per shipment"));
        bench.end().await;
    });
}

async fn cancels(bench: &Bench) -> Vec<CancelLine> {
    let list = bench.handle.cancellations(of(None, "")).await;
    list.expect("the list is read").rows
}

#[test]
fn a_cancellation_says_who_wanted_it_and_what_was_decided() {
    in_simulated_time(async {
        let bench = sold().await;
        bench.set("cancel.requests", "ask");
        bench.pass(5).await;
        bench.send(Document {
            key: "1".to_owned(),
            revision: "r1".to_owned(),
            occurred_at: 0,
            body: Body::Cancellation(Cancellation {
                order_key: "1".to_owned(),
                phase: CancelPhase::Requested,
                reason: Some("REGRET".to_owned()),
                lines: Vec::new(),
            }),
        });
        bench.pass(60).await;
        let asked = cancels(&bench).await.remove(0);
        assert_eq!(asked.wanted, Wanted::AskedByRetailer);
        assert_eq!(asked.common.standing, State::You);
        assert!(asked.decision.starts_with("Yours to make"), "{asked:?}");
        assert_eq!(asked.reason.as_deref(), Some("REGRET"));
        assert!(asked.lines.is_empty(), "the whole order");
        let card = bench.cards().remove(0).id;
        let retried = bench.handle.retry_card(&card, "ann").await;
        retried.expect("yes is said");
        bench.pass(60).await;
        let rows = cancels(&bench).await;
        let said: Vec<_> = rows
            .iter()
            .map(|row| (row.wanted, row.common.standing, row.decision.as_str()))
            .collect();
        assert_eq!(
            said,
            [
                (Wanted::Answer, State::Confirmed, "Accepted."),
                (Wanted::AskedByRetailer, State::Confirmed, "Accepted."),
            ],
            "{rows:?}"
        );
        let (line, title, units) = &rows[1].lines[0];
        assert_eq!((line.as_str(), units.fixed(0).as_str()), ("1", "5"));
        assert!(!title.is_empty(), "lines are named");
        bench.end().await;
    });
}

#[test]
fn what_the_merchant_cancels_in_the_sale_is_his() {
    in_simulated_time(async {
        let bench = sold().await;
        let state = bench.state("1", "s1", |sale| {
            sale.cancelled = true;
            "5".clone_into(&mut sale.status);
        });
        bench.ship(state);
        bench.pass(60).await;
        let own = cancels(&bench).await.remove(0);
        assert_eq!(own.wanted, Wanted::ByMerchant);
        assert_eq!(
            (own.reason.as_deref(), own.decision.as_str()),
            (Some("5"), "Yours.")
        );
        // Its reason has no code yet.
        assert_eq!(own.common.standing, State::You, "{own:?}");
        bench.end().await;
    });
}
