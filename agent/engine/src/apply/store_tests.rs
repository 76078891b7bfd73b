//! Plans against a real database file: what a difference shows is what a commit does, all of it or nothing, once.

use super::tests::{FULL, descriptors, inputs, plan};
use super::{ChangeKind, Difference, STORE_NAME, commit, difference, existing, parse, run};
use secrecy::ExposeSecret;
use waybill_model::contract::{Gap, Problem};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, DocumentId, JobId};
use waybill_model::job::{JobState, Reason, Work};
use waybill_store::{
    ConnectionRow, NewJob, Options, Place, Read, Scope, SealKey, Store, StoreError,
};

struct Open {
    store: Store,
    _dir: tempfile::TempDir,
}

fn open() -> Open {
    let dir = tempfile::tempdir().unwrap();
    let key = SealKey::from_bytes([3; 32]);
    let store = Store::open(Options::new(Place::File(dir.path().join("w.redb")), key)).unwrap();
    Open { store, _dir: dir }
}

fn shown(difference: &Difference) -> Vec<String> {
    difference.changes.iter().map(ToString::to_string).collect()
}

fn connection(store: &Store, name: &str) -> ConnectionRow {
    store
        .read(|rx| rx.connection_by_name(name))
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_plan_is_shown_applied_and_then_nothing_is_left_of_it() {
    let Open { store, _dir } = &open();
    let mut plan = plan(FULL);
    plan.fill_titles(&descriptors());
    let wanted = store.read(|rx| difference(&plan, rx)).unwrap();
    assert_eq!(
        shown(&wanted),
        [
            "+ name of this agent: Northfold Goods",
            "+ setting items.source-id: sku",
            "+ setting retry-cap-secs: 2.5",
            "+ retailer 1000007001, setting orders.test-orders: allow",
            "+ connection network: net",
            "+ connection network, private addresses: granted",
            "+ connection network, granted hosts: extra.example:443",
            "+ connection network, setting api-url: http://127.0.0.1:9001/api/v3",
            "+ connection network, setting poll-secs.order: 0.2",
            "+ connection network, secret client.client-id: set",
            "+ connection network, secret client.client-secret: set",
            "+ connection network, retailer 1000007001, setting channel: 7",
            "+ connection erp: books",
            "+ connection erp, setting account: northfold",
            "+ route of order: network to erp",
            "+ shipping-methods from network to erp for retailer 1000007001, upcg: 12",
            "+ shipping-methods from network to erp for retailer 1000007001, *: 13",
            "+ items from network to erp, AB-1: 501 (Mug)",
            "+ items from network to erp, AB-2: 502",
        ]
    );
    let done = run(store, plan.clone(), "tester", 1_000).await.unwrap();
    assert_eq!(done, wanted);

    let (network, erp) = (connection(store, "network"), connection(store, "erp"));
    assert_eq!(
        (network.title.as_str(), erp.title.as_str()),
        ("The network", "The books")
    );
    assert!(network.allow_private && !erp.allow_private);
    store
        .read(|rx| {
            assert_eq!(rx.effective(None, None)?[STORE_NAME], "Northfold Goods");
            let secret = rx.secret(network.id, "client", "client-secret")?.unwrap();
            assert_eq!(secret.expose_secret(), "s3cret");
            let values = rx.effective(Some(network.id), Some("1000007001"))?;
            assert_eq!(values["channel"], "7");
            assert_eq!(values["orders.test-orders"], "allow");
            let cell = rx.cell(network.id, erp.id, "shipping-methods", "1000007001", "upcg")?;
            assert_eq!(cell.as_deref(), Some("12"));
            assert_eq!(rx.routes()?.len(), 1);
            Ok(())
        })
        .unwrap();

    let history = |store: &Store| {
        store
            .read(|rx| Ok((rx.audit(99)?.len(), rx.setting_history(99)?.len())))
            .unwrap()
    };
    let before = history(store);
    assert_eq!(
        run(store, plan, "tester", 2_000).await.unwrap(),
        Difference::default()
    );
    assert_eq!(history(store), before, "the second time leaves no trace");
}

#[tokio::test]
async fn a_changed_file_changes_only_what_it_names() {
    let Open { store, _dir } = &open();
    run(store, plan(FULL), "tester", 1_000).await.unwrap();
    let mut row = connection(store, "network");
    row.unauthorized = Some(Problem::new(
        "login-refused",
        "Login refused.",
        "Renew the secret.",
    ));
    row.paused = true;
    store
        .write(move |tx| tx.put_connection(&row))
        .await
        .unwrap();

    let text = "version = 1\n[[connection]]\nname = \"network\"\nconnector = \"net\"\nsettings = { api-url = \"https://other.example/v3\" }\n[connection.credentials.client]\nclient-id = { env = \"NET_ID\" }\nclient-secret = { file = \"secret.txt\" }\n";
    let mut inputs = inputs();
    inputs.insert("file:secret.txt".to_owned(), "n3w".to_owned());
    let done = run(store, parse(text, &inputs).unwrap(), "tester", 2_000)
        .await
        .unwrap();
    assert_eq!(
        shown(&done),
        [
            "~ connection network, private addresses: granted -> not granted",
            "~ connection network, granted hosts: extra.example:443 -> none",
            "~ connection network, setting api-url: http://127.0.0.1:9001/api/v3 -> https://other.example/v3",
            "~ connection network, secret client.client-secret: set -> changed",
        ]
    );
    assert!(
        done.changes
            .iter()
            .all(|change| change.kind == ChangeKind::Change)
    );
    let row = connection(store, "network");
    assert_eq!(
        row.unauthorized, None,
        "a new secret lets a refused connection try again"
    );
    assert!(row.paused, "a person's pause stays");
    assert_eq!(row.created_at, 1_000);
    let kept = store.read(|rx| rx.effective(Some(row.id), None)).unwrap();
    assert_eq!(
        kept["poll-secs.order"], "0.2",
        "what the file does not name stays"
    );
}

#[tokio::test]
async fn a_plan_that_cannot_be_applied_changes_nothing() {
    let Open { store, _dir } = &open();
    let text =
        format!("{FULL}\n[[route]]\nentity = \"order\"\nfrom = \"network\"\nto = \"nowhere\"\n");
    let error = run(store, plan(&text), "tester", 1_000).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    assert_eq!(store.read(Read::connections).unwrap(), []);

    run(store, plan(FULL), "tester", 1_000).await.unwrap();
    let other = FULL.replace("connector = \"books\"", "connector = \"net\"");
    let error = run(store, plan(&other), "tester", 2_000).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "connection `erp` exists already and uses `books`"
    );
    let known = store.read(existing).unwrap();
    assert_eq!(known["erp"], "books");
}

fn parked(store: &Store, key: &str, gaps: Vec<Gap>) -> JobId {
    let (from, to) = (connection(store, "network").id, connection(store, "erp").id);
    let key = key.to_owned();
    store
        .write_blocking(move |tx| {
            tx.create_job(
                NewJob {
                    work: Work::Push(Entity::Order),
                    from,
                    to,
                    entity: Entity::Order,
                    key: key.clone(),
                    order: None,
                    lane: key.clone(),
                    document: DocumentId(1),
                    state: JobState::Parked(Reason::Gaps(gaps.clone())),
                    urgent_by: None,
                },
                1_000,
            )
        })
        .unwrap()
}

fn state(store: &Store, id: JobId) -> String {
    let job = store.read(|rx| rx.job(id)).unwrap().unwrap();
    job.state.word().to_owned()
}

#[tokio::test]
async fn filled_cells_release_what_waits_for_them() {
    let Open { store, _dir } = &open();
    let bare = FULL.split("[[crosswalk]]").next().unwrap();
    run(store, plan(bare), "tester", 1_000).await.unwrap();
    let gap = |table: &str, retailer: &str, value: &str| Gap {
        table: table.to_owned(),
        retailer: Some(retailer.to_owned()),
        value: value.to_owned(),
    };
    let own = parked(
        store,
        "a",
        vec![gap("shipping-methods", "1000007001", "upcg")],
    );
    let any = parked(
        store,
        "b",
        vec![gap("shipping-methods", "1000007001", "fedex")],
    );
    let other = parked(store, "c", vec![gap("shipping-methods", "2", "upcg")]);
    let item = parked(
        store,
        "d",
        vec![gap("items", "2", "AB-1"), gap("items", "2", "AB-2")],
    );
    let half = parked(
        store,
        "e",
        vec![gap("items", "2", "AB-1"), gap("items", "2", "AB-9")],
    );

    run(store, plan(FULL), "tester", 2_000).await.unwrap();
    assert_eq!(state(store, own), "ready");
    assert_eq!(state(store, any), "ready", "the wildcard fills every value");
    assert_eq!(
        state(store, other),
        "parked",
        "another retailer's cell is still empty"
    );
    assert_eq!(
        state(store, item),
        "ready",
        "a cell for all fills each retailer's"
    );
    assert_eq!(
        state(store, half),
        "parked",
        "one of two cells is not enough"
    );
    let audit = store.read(|rx| rx.audit(1)).unwrap();
    assert!(
        audit[0].detail.ends_with("3 waiting jobs released"),
        "{}",
        audit[0].detail
    );
}

#[test]
fn a_commit_that_fails_later_takes_everything_back() {
    let Open { store, _dir } = &open();
    let plan = plan(FULL);
    let failed = store.write_blocking(move |tx| {
        commit(tx, &plan, "tester", 1_000)?;
        Err::<(), _>(StoreError::Conflict("power cut".to_owned()))
    });
    assert!(failed.is_err());
    let left = store.read(|rx| {
        let settings = rx.settings(&Scope::default())?.len();
        let secrets = rx.secret_names(ConnectionId(1))?.len();
        Ok((
            rx.connections()?.len(),
            settings,
            secrets,
            rx.audit(9)?.len(),
        ))
    });
    assert_eq!(left.unwrap(), (0, 0, 0, 0));
}
