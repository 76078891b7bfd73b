//! Matching, files of matches and replay over a real engine: what a merchant and the command line do, on real sockets.

mod support;

use serde_json::{Value, json};
use support::{Agent, START, Served};
use waybill_http::Limit;
use waybill_model::contract::{Gap, Problem};
use waybill_model::document::{Body, Document, Entity, Identifier, Item};
use waybill_model::ids::{ConnectionId, OrderId};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::{NewJob, NewNamedItem, Options, Place, Read, SealKey, Store, StoreError, Tx};

const FROM: ConnectionId = ConnectionId(1);
const TO: ConnectionId = ConnectionId(2);

fn product(key: &str, title: &str, identifiers: &[(&str, &str)]) -> Document {
    let identifiers = identifiers.iter().map(|(kind, value)| Identifier {
        kind: (*kind).to_owned(),
        value: (*value).to_owned(),
    });
    Document {
        key: key.to_owned(),
        revision: "1".to_owned(),
        occurred_at: START,
        body: Body::Item(Item {
            identifiers: identifiers.collect(),
            title: title.to_owned(),
            tracked: true,
            active: true,
            components: Vec::new(),
            extras: Vec::new(),
        }),
    }
}

fn gap(value: &str) -> Gap {
    Gap {
        table: "items".to_owned(),
        retailer: Some("HP".to_owned()),
        value: value.to_owned(),
    }
}

/// Steps of the order: one waits for an item, one was refused, one is finished.
#[expect(clippy::unwrap_used, reason = "a test's set-up")]
fn steps(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let document = tx.order(OrderId(1))?.unwrap().document;
    for (key, state) in [
        (
            "waits",
            JobState::Parked(Reason::Gaps(vec![gap("LH-4410")])),
        ),
        (
            "refused",
            JobState::Parked(Reason::Problem(Problem::new(
                "odd",
                "Refused there.",
                "Mend it.",
            ))),
        ),
        ("done", JobState::Done(Ending::Written("9".to_owned()))),
    ] {
        tx.create_job(
            NewJob {
                work: Work::Push(Entity::Order),
                from: FROM,
                to: TO,
                entity: Entity::Order,
                key: key.to_owned(),
                order: Some(OrderId(1)),
                lane: key.to_owned(),
                document,
                state,
                urgent_by: None,
            },
            START,
        )?;
    }
    Ok(())
}

/// The order of the support, and a second job of it that waits for an item; four products, four items.
#[expect(clippy::unwrap_used, reason = "a test's set-up")]
fn shop() -> Agent {
    let filled = Agent::open();
    let Agent {
        folder,
        handle,
        engine,
        ..
    } = filled;
    drop((handle, engine));
    let place = Place::File(folder.path().join("waybill.redb"));
    let store = Store::open(Options::new(place, SealKey::from_bytes([7; 32]))).unwrap();
    store
        .write_blocking(|tx| {
            for document in [
                product(
                    "1",
                    "Bowl, stoneware, small",
                    &[("sku", "NF-BWL-S"), ("upc", "0123456789050")],
                ),
                product("2", "Mug, moss", &[("sku", "NF-MUG")]),
                product("3", "Mug, moss, 24", &[("sku", "NF-MUG")]),
                product("4", "Lantern", &[("sku", "NF-LAN")]),
            ] {
                tx.accept(TO, &document, START)?;
            }
            for (value, title, others) in [
                (
                    "LH-4410",
                    "Stoneware bowl small",
                    vec![("upc", "123456789050")],
                ),
                ("NF-MUG", "Moss mug", vec![]),
                ("NF-LAN", "Lantern", vec![]),
                ("=HP-99", "=Gift card", vec![]),
            ] {
                let all = [("sku", value)].into_iter().chain(others);
                tx.name_item(
                    &NewNamedItem {
                        from: FROM,
                        to: TO,
                        retailer: "HP",
                        retailer_name: "Harbor & Pine",
                        value,
                        title,
                        identifiers: all.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
                        source_kind: "sku",
                        target_kind: "sku",
                    },
                    START,
                )?;
            }
            steps(tx)
        })
        .unwrap();
    drop(store);
    Agent::open_in(folder, false)
}

async fn served() -> (Served, String, String) {
    let served = Served::with(shop(), Limit::default()).await;
    let (cookie, token) = served.log_in().await;
    (served, cookie, token)
}

#[tokio::test]
async fn an_unknown_or_ambiguous_product_is_refused_and_a_sku_is_taken_for_its_key() {
    let (served, cookie, token) = served().await;
    let with = [("cookie", cookie.as_str())];
    let save = async |code: &str| {
        let body =
            format!("token={token}&retailer=HP&value=LH-4410&code={code}&list=show%3Dsuggested");
        let heard = served.form("/matching/items", &with, &body).await;
        assert_eq!(
            heard.header("location"),
            Some("/matching/items?show=suggested")
        );
        served.get("/matching/items", &with).await.body
    };
    let page = served
        .get("/matching/items?show=suggested", &with)
        .await
        .body;
    for words in [
        "LH-4410",
        "Same upc",
        "Bowl, stoneware, small (NF-BWL-S)",
        "1 order waits",
        "Suggested 1",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let page = save("NF-BOWL").await;
    assert!(page.contains("There is no product `NF-BOWL`."), "{page}");
    let page = save("NF-MUG").await;
    assert!(page.contains("`NF-MUG` means 2 products."), "{page}");
    assert!(page.contains("key:2 for &#34;Mug, moss&#34;"), "{page}");
    let page = save("").await;
    assert!(
        page.contains("No product was chosen for LH-4410."),
        "{page}"
    );
    let page = save("NF-BWL-S").await;
    assert!(
        page.contains("LH-4410 is matched by you now. 1 order goes on."),
        "{page}"
    );
    let body = format!("token={token}&retailer=HP&value=LH-4410&scope=one");
    served.form("/matching/items/undo", &with, &body).await;
    let page = served
        .get("/matching/items?show=suggested", &with)
        .await
        .body;
    assert!(
        page.contains("Your match for LH-4410 is taken back."),
        "{page}"
    );
    assert!(page.contains("Suggested 1"));
    let history = served.get("/history", &with).await.body;
    assert!(
        history.contains("Took a match back") && history.contains("LH-4410 was 1"),
        "{history}"
    );
}

/// Sends a file as a browser does.
async fn upload(served: &Served, cookie: &str, token: &str, csv: &str) -> String {
    upload_to(served, "items", cookie, token, csv).await
}

async fn upload_to(served: &Served, table: &str, cookie: &str, token: &str, csv: &str) -> String {
    let body = format!(
        "--xx\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n--xx\r\ncontent-disposition: form-data; name=\"file\"; filename=\"my.csv\"\r\ncontent-type: text/csv\r\n\r\n{csv}\r\n--xx--\r\n"
    );
    let with = [
        ("cookie", cookie),
        ("content-type", "multipart/form-data; boundary=xx"),
    ];
    served
        .ask("POST", &format!("/matching/{table}/check"), &with, &body)
        .await
        .body
}

#[tokio::test]
async fn a_file_is_previewed_and_saved_all_at_once_or_not_at_all() {
    let (served, cookie, token) = served().await;
    let with = [("cookie", cookie.as_str())];
    let page = upload(&served, &cookie, "wrong", "value,code\n").await;
    assert!(
        page.contains("Not allowed"),
        "a file needs its token: {page}"
    );
    let bad = "\u{feff}retailer,value,code,colour\r\nHP,LH-4410,1,red\r\n";
    let page = upload(&served, &cookie, &token, bad).await;
    assert!(page.contains("There is no column `colour`."), "{page}");
    let bad = "retailer,value,code\nHP,LH-4410,NF-BWL-S\nHP,NF-MUG,nothing\nHP,\"a, b\",1,extra\nHP,LH-4410,4\n";
    let page = upload(&served, &cookie, &token, bad).await;
    for words in [
        "There is no product `nothing`.",
        "This row has 4 columns, not 3.",
        "`LH-4410` has another code on line 2, `NF-BWL-S`.",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(!page.contains("Save all rows"));
    let good = "\u{feff}retailer,value,code,title\r\nHP,LH-4410,NF-BWL-S,\"Bowl, \"\"small\"\"\"\r\nHP,NF-MUG,key:3,\r\nHP,NF-LAN,,\r\n,NEW,4,\r\n";
    let page = upload(&served, &cookie, &token, good).await;
    for words in [
        "4 rows: 3 new matches, 0 changed, 1 as it is",
        "1 document goes on.",
        "1 (Bowl, stoneware, small)",
        "Save all rows",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let id = kept(&page);
    let stale = format!("token={token}&file=other");
    served.form("/matching/items/apply", &with, &stale).await;
    let page = served.get("/matching/items", &with).await.body;
    assert!(page.contains("This file is not kept any more."), "{page}");
    upload(&served, &cookie, &token, good).await;
    served
        .form(
            "/matching/items/apply",
            &with,
            &format!("token={token}&file={id}"),
        )
        .await;
    let page = served.get("/matching/items?show=by-hand", &with).await.body;
    assert!(
        page.contains("Saved: 3 new matches, 0 changed, 1 as it is. 1 document goes on."),
        "{page}"
    );
    assert!(page.contains("Matched by hand 2"), "{page}");
    let history = served.get("/history", &with).await.body;
    assert!(
        history.contains("items: 3 new, 0 changed, 0 taken back from a file"),
        "{history}"
    );
    let csv = served.get("/matching/items/file", &with).await;
    assert_eq!(
        csv.header("content-disposition"),
        Some("attachment; filename=\"items.csv\"")
    );
    for line in [
        "retailer,value,code,label,title,standing,found",
        ",NEW,4,Lantern,,,",
        "HP,LH-4410,1,\"Bowl, stoneware, small\",Stoneware bowl small,by-hand,",
        "HP,NF-LAN,,,Lantern,automatic,4 Lantern",
        "HP,=HP-99,,,'=Gift card,unmatched,",
    ] {
        assert!(csv.body.contains(line), "{line}\n{}", csv.body);
    }
    let page = upload(&served, &cookie, &token, &csv.body).await;
    assert!(
        page.contains("Nothing: every row says what holds already"),
        "{page}"
    );
}

/// The number under which a preview keeps its file.
fn kept(page: &str) -> String {
    let mark = "name=\"file\" value=\"";
    let (_, rest) = page.split_once(mark).unwrap_or_default();
    rest.chars().take_while(|c| *c != '"').collect()
}

#[tokio::test]
async fn a_row_without_an_answer_is_named() {
    let (served, cookie, token) = served().await;
    let with = [("cookie", cookie.as_str())];
    let form = format!("token={token}&from=1&to=2&retailer=HP&value=GSIG&code=");
    let place = "/matching/shipping-methods";
    let heard = served.form(place, &with, &form).await;
    assert_eq!(heard.header("location"), Some(place), "{}", heard.body);
    let page = served.get(place, &with).await.body;
    assert!(
        page.contains("The field for GSIG is still empty."),
        "{page}"
    );
    assert!(page.contains("Fill it in, then save."), "{page}");
    assert!(!page.contains("leave the card"), "{page}");
}

#[tokio::test]
async fn a_method_of_the_network_is_written_as_one() {
    let (served, cookie, token) = served().await;
    let with = [("cookie", cookie.as_str())];
    let place = "/matching/shipping-methods";
    let list = "direction,value,code\nback,12,Generic Ground\n";
    let page = upload_to(&served, "shipping-methods", &cookie, &token, list).await;
    assert!(page.contains("Write it as UPS|Ground|UPCG"), "{page}");
    for (code, words) in [
        ("Generic+Ground", "Write it as UPS|Ground|UPCG"),
        ("UPS|Ground|UPCG", "12 is matched by you now."),
    ] {
        let form = format!("token={token}&from=2&to=1&retailer=&value=12&code={code}");
        served.form(place, &with, &form).await;
        let page = served.get(place, &with).await.body;
        assert!(page.contains(words), "{words}\n{page}");
    }
}

#[tokio::test]
async fn a_list_of_codes_is_announced_with_those_that_are_required() {
    let (served, cookie, token) = served().await;
    let with = [("cookie", cookie.as_str())];
    let list = "value,code,label,required\nUPSG,,UPS Ground,yes\nUPS2,,,\n";
    let send = async || upload_to(&served, "shipping-methods", &cookie, &token, list).await;
    let page = send().await;
    for words in [
        "2 rows: 0 new matches, 0 changed, 2 announced, 0 as it is",
        "Announced, and required",
        "Save all rows",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let save = format!("token={token}&file={}", kept(&page));
    served
        .form("/matching/warehouses/apply", &with, &save)
        .await;
    let page = served.get("/matching/warehouses", &with).await.body;
    assert!(page.contains("This file is not kept any more."), "{page}");
    send().await;
    served
        .form("/matching/shipping-methods/apply", &with, &save)
        .await;
    let page = served.get("/matching/shipping-methods", &with).await.body;
    for words in [
        "2 announced",
        "UPS Ground",
        "Not matched, and required",
        "2 to look at",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
}

#[tokio::test]
async fn the_api_does_the_same() {
    let (served, cookie, token) = served().await;
    let with = [
        ("cookie", cookie.as_str()),
        ("x-form-token", token.as_str()),
    ];
    let post = async |place: &str, body: Value| {
        let heard = served.ask("POST", place, &with, &body.to_string()).await;
        let answer: Value = serde_json::from_str(&heard.body).unwrap();
        (heard.status, answer)
    };
    let items = served
        .get("/api/v1/matching/items?standing=ambiguous", &with)
        .await
        .body;
    assert!(
        items.contains("\"value\":\"NF-MUG\"") && !items.contains("NF-LAN"),
        "{items}"
    );
    assert_eq!(
        served
            .get("/api/v1/matching/items?standing=odd", &with)
            .await
            .status,
        400
    );
    let cell = json!({"from": 1, "to": 2, "table": "items", "retailer": "HP", "value": "LH-4410", "code": "99"});
    let (status, answer) = post("/api/v1/cells", cell).await;
    assert_eq!(
        (status, answer["error"]["code"].as_str()),
        (409, Some("unknown-code"))
    );
    let file = |code: &str, dry: bool| json!({"csv": format!("retailer;value;code\nHP;LH-4410;{code}\n"), "dry_run": dry});
    let (status, answer) = post("/api/v1/mappings/items", file("nothing", false)).await;
    assert_eq!((status, &answer["mistakes"][0]["row"]), (422, &json!(2)));
    let (_, answer) = post("/api/v1/mappings/items", file("1", true)).await;
    assert_eq!(
        (&answer["new"], &answer["applied"]),
        (&json!(1), &json!(false))
    );
    let (_, answer) = post("/api/v1/mappings/items", file("1", false)).await;
    assert_eq!(
        (&answer["released"], &answer["applied"]),
        (&json!(1), &json!(true))
    );
    let (_, answer) = post("/api/v1/mappings/items", file("-", false)).await;
    assert_eq!(answer["taken_back"], 1);
    let (status, answer) = post("/api/v1/mappings/colours", file("1", true)).await;
    assert_eq!(
        (status, answer["error"]["code"].as_str()),
        (409, Some("unknown-table"))
    );
    let gone = json!({"from": 1, "to": 2, "table": "items", "retailer": "HP", "value": "LH-4410"});
    assert_eq!(post("/api/v1/cells/empty", gone).await.0, 404);
}

#[tokio::test]
async fn a_replay_tells_what_it_would_try_and_leaves_what_is_finished() {
    let (served, cookie, token) = served().await;
    let with = [
        ("cookie", cookie.as_str()),
        ("x-form-token", token.as_str()),
    ];
    let page = served.get("/replay?order=1", &with).await.body;
    for words in [
        "3 steps would be tried again",
        "1 step: finished. Nothing of it is sent again.",
        "Refused there.",
        "Try 3 steps again",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let page = served
        .get("/replay?since=2026-11-20T15:00", &with)
        .await
        .body;
    assert!(
        page.contains("nothing stopped, so nothing is tried"),
        "{page}"
    );
    assert_eq!(served.get("/replay?since=soon", &with).await.status, 400);
    assert_eq!(served.get("/replay?number=none", &with).await.status, 404);
    let post = async |body: Value| {
        let heard = served
            .ask("POST", "/api/v1/replay", &with, &body.to_string())
            .await;
        let answer: Value = serde_json::from_str(&heard.body).unwrap();
        (heard.status, answer)
    };
    let (_, answer) = post(json!({"all_parked": true, "dry_run": true})).await;
    assert_eq!(
        (&answer["again"], &answer["dry_run"]),
        (&json!(3), &json!(true))
    );
    assert_eq!(post(json!({"order": 99})).await.0, 404);
    assert_eq!(post(json!({})).await.0, 400);
    assert_eq!(post(json!({"order": 1, "all_parked": true})).await.0, 400);
    let cards = served.agent.handle.cards().await.unwrap();
    let odd = cards
        .iter()
        .find(|card| card.title == "Refused there.")
        .unwrap();
    served
        .agent
        .handle
        .ignore_card(&odd.id, "by phone", "ann")
        .await
        .unwrap();
    let (_, answer) = post(json!({"all_parked": true})).await;
    assert_eq!(
        (&answer["again"], &answer["left_alone"]),
        (&json!(2), &json!(1))
    );
    let (_, answer) = post(json!({"card": odd.id})).await;
    assert_eq!(answer["again"], 1, "a card that is named is meant");
    let order = served.get("/orders/1", &with).await.body;
    assert!(
        order.contains("admin replayed it from the step that stopped."),
        "{order}"
    );
    let (_, answer) = post(json!({"order": 1})).await;
    assert_eq!(
        (&answer["again"], &answer["finished"], &answer["under_way"]),
        (&json!(0), &json!(1), &json!(3))
    );
}

#[tokio::test]
async fn several_causes_are_tried_again_together() {
    let (served, cookie, token) = served().await;
    let with = [("cookie", cookie.as_str())];
    let page = served.get("/attention", &with).await.body;
    assert!(
        page.contains("Not matched 2") && page.contains("Other 1"),
        "{page}"
    );
    let body = format!("token={token}");
    served.form("/attention-retry", &with, &body).await;
    let page = served.get("/attention", &with).await.body;
    assert!(page.contains("No cause is marked."), "{page}");
    let body = format!("token={token}&kind=unmatched&do=all");
    let heard = served.form("/attention-retry", &with, &body).await;
    assert_eq!(heard.header("location"), Some("/attention?show=unmatched"));
    let page = served.get("/attention", &with).await.body;
    assert!(page.contains("Tried again. 2 orders go on."), "{page}");
    let left = served.agent.handle.cards().await.unwrap();
    assert_eq!(left.len(), 1, "cards vanish with their cause");
    let id = &left[0].id;
    served
        .form(
            "/attention-retry",
            &with,
            &format!("token={token}&card={id}"),
        )
        .await;
    assert!(served.agent.handle.cards().await.unwrap().is_empty());
}
