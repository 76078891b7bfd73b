//! Every flow by files over OpenSSH's own server, through the whole agent: over a line that is cut in the middle, with an
//! agent that is killed there, and with files that somebody writes slowly. Whatever was lost on the way, both sides agree
//! in the end.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows test functions, not what they share"
)]

#[allow(dead_code, reason = "the host's tests use the rest")]
#[path = "../host/tests/it/support/openssh.rs"]
mod openssh;
mod shop;

use openssh::{Cut, Openssh};
use serde_json::json;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use waybill_sim::play::agent::{Agent, Place};
use waybill_sim::play::house::{FileServer, House};
use waybill_sim::play::provisioning::{HURRY, Scene};
use waybill_sim::play::story::{self, Cast};
use waybill_sim::play::verdict::Verdict;

/// Places at which the line is cut, each way; the agent is killed at each third.
const PLACES: u64 = 20;
/// Bytes between two of them: a sign-in takes some thousand, a file of some orders a few thousand more.
const STEP: u64 = 1_400;
const LOOK: Duration = Duration::from_millis(100);
const A_MINUTE: Duration = Duration::from_mins(1);
/// Places at which a file is read whole, and nothing of it is committed: the journal does not know it yet, and knows it.
const READ: [&str; 2] = [
    "effect.answered=get Purchase*:1",
    "effect.finished=get Purchase*:1",
];
/// Looks until a line that carries every poll must have carried enough.
const LOOKS: usize = 600;

const SCENE: Scene<'_> = Scene {
    every_method: true,
    stock: Some("3"),
    invoices: &[
        ("1000007001", "order"),
        ("1000007002", "shipment"),
        ("1000007003", "lines"),
    ],
    network_calls: Some(100_000),
    ..Scene::of(&HURRY)
};

/// Both vendors, OpenSSH in place of the sandbox's own file server, and an agent.
struct Street {
    ssh: Openssh,
    house: House,
    place: Place,
    agent: Agent,
    cast: Cast,
    home: TempDir,
}

/// An agent's things in that folder.
fn place(connectors: &Path, home: &Path) -> Place {
    Place {
        program: PathBuf::from(shop::WAYBILL),
        connectors: connectors.to_owned(),
        data: home.join("data"),
        listen: "127.0.0.1:0".to_owned(),
        hooks: None,
        roots: None,
    }
}

/// What the streets share: an agent's data folder with its signing key, and the connectors compiled as they are signed with
/// it, since compiling takes longer than all the rest.
struct Built {
    connectors: PathBuf,
    sandbox: PathBuf,
    data: PathBuf,
    _home: TempDir,
}

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let home = TempDir::new().unwrap();
        let connectors = home.path().join("connectors");
        waybill_pack::build_all(&connectors).unwrap();
        let place = place(&connectors, home.path());
        place.prepare().unwrap();
        let once = async {
            let mut agent = place.start(&[]).unwrap();
            place.wait_until_up(&mut agent).await.unwrap();
            agent.kill().await.unwrap();
        };
        Runtime::new().unwrap().block_on(once);
        Built {
            connectors,
            sandbox: shop::sandbox_program(),
            data: place.data,
            _home: home,
        }
    })
}

/// A test that fails leaves the agent's data and log there, to be looked at.
impl Drop for Street {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.home.disable_cleanup(true);
        }
    }
}

impl Street {
    async fn start(built: &Built) -> Self {
        let home = TempDir::new().unwrap();
        let ssh = Openssh::start("").await;
        let files = ssh.file("");
        let mut house = House::with_files(&built.sandbox, 7, None, Some(&files))
            .await
            .unwrap();
        let secret = |name: &str, text: &str| -> PathBuf {
            let path = home.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        house.network.files = Some(FileServer {
            address: ssh.server(),
            key: Some((
                secret("user", &openssh::user()),
                secret("key", &ssh.client_key()),
            )),
        });
        house.hurry().await.unwrap();
        house.strict_about(SCENE.invoices).await.unwrap();
        let place = place(&built.connectors, home.path());
        shop::copy(&built.data.join("compiled"), &place.data.join("compiled"));
        for name in ["signing.key", "signing.key.pub"] {
            std::fs::copy(built.data.join(name), place.data.join(name)).unwrap();
        }
        place.prepare().unwrap();
        let mut agent = place.start(&[]).unwrap();
        place.wait_until_up(&mut agent).await.unwrap();
        place.provision_as(&house, &SCENE).await.unwrap();
        let mut cast = Cast::default();
        cast.worker.books.on = true;
        Self {
            ssh,
            house,
            place,
            agent,
            cast,
            home,
        }
    }

    async fn orders(&self, count: u64) {
        let wish = json!({ "count": count });
        let network = &self.house.network;
        network.control("POST", "generate", &wish).await.unwrap();
    }

    /// An ordinary order: something to read, and later to send.
    async fn order(&self) {
        let wish = json!({ "count": 1, "mix": {} });
        let network = &self.house.network;
        network.control("POST", "generate", &wish).await.unwrap();
    }

    /// Goes on until the line was cut once more.
    async fn until_cut(&mut self, cut: Cut) {
        let before = self.ssh.cuts();
        self.ssh.cut(cut);
        self.order().await;
        for _ in 0..LOOKS {
            if self.ssh.cuts() > before {
                return;
            }
            self.cast.worker.work(&self.house).await.unwrap();
            tokio::time::sleep(LOOK).await;
        }
        panic!("{cut:?} was never reached");
    }

    /// The agent dies where the line stands still.
    async fn killed(&mut self, cut: Cut) {
        self.until_cut(cut).await;
        self.agent.kill().await.unwrap();
        self.ssh.cut(Cut::NEVER);
        self.agent = self.place.start(&[]).unwrap();
    }

    /// The agent dies by itself at that crash point, with the next orders. Before another one starts, the server has moved
    /// what was read to its archive, as the vendor's does.
    async fn dies_at(&mut self, point: &str) {
        self.agent.kill().await.unwrap();
        let at = [("WAYBILL_CRASH", point.to_owned())];
        self.agent = self.place.start(&at).unwrap();
        self.order().await;
        let ended = self.agent.ended_within(A_MINUTE).await.unwrap();
        let ended = ended.unwrap_or_else(|| panic!("{point} was never reached"));
        assert_eq!(ended.signal(), Some(9), "{point}: {ended}");
        let read = |name: &String| name.starts_with("Purchase_");
        for name in self.ssh.names("out").iter().filter(|name| read(name)) {
            let from = self.ssh.file(&format!("out/{name}"));
            let to = self.ssh.file(&format!("out/archive/{name}"));
            std::fs::rename(from, to).unwrap();
        }
        self.agent = self.place.start(&[]).unwrap();
    }

    /// What an export looks like.
    fn export(&self) -> Vec<u8> {
        let all = self.ssh.names("out");
        let first = all.iter().find(|n| n.starts_with("Purchase_")).unwrap();
        std::fs::read(self.ssh.file(&format!("out/{first}"))).unwrap()
    }

    /// An export that was read before is written once more, under another name and so slowly that it is seen in parts.
    async fn slow_copy(&self) {
        let whole = self.export();
        let copy = self.ssh.file("out/Purchase_Order_again.csv");
        for part in 1..=6 {
            std::fs::write(&copy, &whole[..whole.len() * part / 6]).unwrap();
            tokio::time::sleep(LOOK * 5).await;
        }
    }

    /// What is said on cards of files.
    async fn cards(&self) -> Vec<String> {
        let mut cards = self.place.cards().await.unwrap_or_default();
        cards.retain(|title| title.contains("Purchase_Order_"));
        cards
    }

    async fn until_cards(&self, wanted: usize) -> Vec<String> {
        for _ in 0..LOOKS {
            let cards = self.cards().await;
            if cards.len() == wanted {
                return cards;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("no {wanted} cards: {:?}", self.cards().await);
    }

    /// Two files that nobody can read are cards, each with its place; all flows go on, and a card goes with its file.
    async fn broken(&mut self) {
        let whole = self.export();
        let rows = String::from_utf8_lossy(&whole).lines().count();
        let files = ["a", "b"].map(|name| {
            let path = self.ssh.file(&format!("out/Purchase_Order_{name}.csv"));
            std::fs::write(&path, [&whole[..], b"half a row"].concat()).unwrap();
            path
        });
        let cards = self.until_cards(2).await;
        let place = format!("`Purchase_Order_a.csv`: row {}, column", rows + 1);
        assert!(cards.iter().any(|card| card.contains(&place)), "{cards:?}");
        self.orders(3).await;
        self.agrees().await;
        std::fs::remove_file(&files[0]).unwrap();
        let left = self.until_cards(1).await;
        assert!(left[0].contains("Purchase_Order_b.csv"), "{left:?}");
        std::fs::remove_file(&files[1]).unwrap();
        self.until_cards(0).await;
    }

    async fn agrees(&mut self) {
        let Self {
            house, place, cast, ..
        } = self;
        let verdict = story::settle(house, place, cast, &SCENE).await.unwrap();
        let told = self.told(&verdict).await;
        assert_eq!(verdict.differences(), 0, "{}\n{told}", verdict.table());
    }

    /// What the agent says of all that differs.
    async fn told(&self, verdict: &Verdict) -> String {
        let mut told = Vec::new();
        for (_, finding) in verdict.report.problems() {
            let found = self.place.ask(&["orders", "--find", &finding.key]).await;
            let id = found.unwrap_or_default()["rows"][0]["id"].to_string();
            told.push(self.place.ask(&["order", id.trim_matches('"')]).await);
            told.push(self.place.ask(&["cards"]).await);
        }
        format!("{told:#?}")
    }

    /// Files of that kind which the network has processed.
    fn processed(&self, prefix: &str) -> usize {
        let names = self.ssh.names("in/archive");
        names.iter().filter(|name| name.starts_with(prefix)).count()
    }
}

/// A street of its own, which agrees once and then has this happen to it. Several share the machine: they mostly wait.
fn street(happens: impl AsyncFnOnce(&mut Street)) {
    if !openssh::is_there() {
        return;
    }
    let built = built();
    let test = async {
        let mut street = Street::start(built).await;
        street.orders(6).await;
        street.agrees().await;
        happens(&mut street).await;
        street.ssh.cut(Cut::NEVER);
        street.agrees().await;
        street.agent.kill().await.unwrap();
    };
    Runtime::new().unwrap().block_on(test);
}

/// Cuts at each place, and every kind of file went.
async fn cut_at_each(street: &mut Street, cut: impl Fn(u64) -> Cut) {
    for place in 1..=PLACES {
        street.until_cut(cut(place * STEP)).await;
    }
    street.ssh.cut(Cut::NEVER);
    street.agrees().await;
    for prefix in ["Shipment_", "Invoice_", "Inventory_", "Cancel_"] {
        assert!(street.processed(prefix) > 0, "no file went by `{prefix}`");
    }
}

#[test]
fn every_flow_by_files_survives_lines_that_are_cut_while_it_sends() {
    street(async |street| {
        cut_at_each(street, |up| Cut { up, ..Cut::NEVER }).await;
    });
}

#[test]
fn every_flow_by_files_survives_lines_that_are_cut_while_it_reads() {
    street(async |street| {
        cut_at_each(street, |down| Cut { down, ..Cut::NEVER }).await;
    });
}

#[test]
fn broken_and_half_written_files_and_kills_lose_and_double_nothing() {
    street(async |street| {
        street.broken().await;
        street.slow_copy().await;
        // Every other one while something is sent.
        for place in (1..=PLACES).step_by(3) {
            let mut cut = Cut {
                holds: true,
                ..Cut::NEVER
            };
            match place % 2 {
                0 => cut.up = place * STEP,
                _ => cut.down = place * STEP,
            }
            street.killed(cut).await;
        }
        for point in READ {
            street.dies_at(point).await;
        }
    });
}
