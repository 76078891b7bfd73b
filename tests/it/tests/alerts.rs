//! What people hear of while they set a connection up. How messages leave is in the agent's own tests.

use waybill_it::bench::in_simulated_time;
use waybill_it::four::{Four, Y};
use waybill_store::{Read, Scope, StoreError, Tx};

fn by_mail(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for (key, value) in [
        ("alerts.mail-to", "desk@example.com"),
        ("alerts.mail-from", "waybill@example.com"),
        ("alerts.smtp", "mail.example.com:465"),
    ] {
        tx.set_setting(&Scope::default(), key, Some(value), "ann", 0)?;
    }
    Ok(())
}

fn without_flows(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for route in tx.routes()? {
        tx.remove_route(&route)?;
    }
    by_mail(tx)
}

#[test]
fn whoever_sets_up_hears_once_when_all_was_read() {
    in_simulated_time(async {
        let four = Four::start_with(Y, without_flows);
        four.tell_people();
        four.pass(3_600).await;
        let mails = four.mails();
        let said = |mail: &&String| mail.contains("was read for the first time: 5 items.");
        let told: Vec<_> = mails.iter().filter(said).collect();
        let [mail] = told[..] else {
            panic!("{mails:#?}");
        };
        for erp in ["X", "Y"] {
            let line = format!("{erp} was read for the first time: 5 items.");
            assert!(mail.contains(&line), "{mail}");
        }
        assert!(mail.contains("no document moves before that"), "{mail}");
        four.end().await;
    });
}

#[test]
fn nobody_hears_of_what_is_in_use_already() {
    in_simulated_time(async {
        let four = Four::start_with(Y, by_mail);
        four.tell_people();
        four.pass(3_600).await;
        let mails = four.mails().join("\n");
        assert!(!mails.contains("for the first time"), "{mails}");
        four.end().await;
    });
}
