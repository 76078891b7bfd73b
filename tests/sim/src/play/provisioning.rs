//! Owns the files a merchant's IT person would write: the agent's configuration, and what to connect. Must not know the
//! agent's types: it writes what the documentation says.

use super::house::House;
use super::worker::MISROUTED_METHOD;
use crate::catalogue::{FIRST_METHOD, SERVICES, WAREHOUSES, service_of};
use std::fmt::Write as _;
use std::path::Path;

/// How fast the agent is to work; the defaults of a shipped agent are slower. What is blank is left at its default.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Seconds between polls for orders.
    pub poll: &'static str,
    /// Seconds between polls for goods-out notes. The agent allows itself fewer calls a minute to the ERP than to the
    /// network, whatever the sandbox takes.
    pub notes: &'static str,
    /// Seconds between polls for what the merchant changes in sales.
    pub states: &'static str,
    /// Seconds acknowledgements are gathered.
    pub gather: &'static str,
    /// Longest wait before a retry.
    pub retry_cap: &'static str,
    /// Seconds a search is given to show a write; 0: the default.
    pub settle_secs: u32,
}

/// As shipped.
pub const SHIPPED: Pace = Pace {
    poll: "",
    notes: "",
    states: "",
    gather: "",
    retry_cap: "",
    settle_secs: 0,
};

/// For people who watch.
pub const DEMO: Pace = Pace {
    poll: "1",
    notes: "2",
    states: "5",
    gather: "1",
    retry_cap: "5",
    settle_secs: 3,
};
/// For hundreds of kills.
pub const HURRY: Pace = Pace {
    poll: "0.1",
    notes: "2",
    states: "5",
    gather: "0.1",
    retry_cap: "0.5",
    settle_secs: 1,
};

/// What is connected, and how far the merchant has come.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// How fast.
    pub pace: &'a Pace,
    /// Address under which the ERP reaches the agent's hooks listener; `None`: no webhooks.
    pub hooks: Option<&'a str>,
    /// A shipping method is declared by a wrong code, which the network refuses.
    pub mistaken: bool,
    /// Every shipping method has its code at the network; otherwise a person is asked for some.
    pub every_method: bool,
    /// Calls a minute that the ERP agreed to; `None`: the limit it publishes. It tells how many are left of its own.
    pub erp_calls: Option<u32>,
    /// The same, of the network, which does not.
    pub network_calls: Option<u32>,
    /// Stock is sent, and the ERP asked for it this often in seconds; `None`: no stock.
    pub stock: Option<&'a str>,
    /// Invoices are sent, as these retailers want them; empty: none are.
    pub invoices: &'a [(&'a str, &'a str)],
    /// Of the retailers that want invoices: those whose orders have a contact of the consumer each.
    pub consumers: &'a [&'a str],
}

/// How the retailers that trade want their invoices: all that the demonstration shows.
pub const INVOICES: [(&str, &str); 3] = [
    ("1000007001", "order"),
    ("1000007002", "shipment"),
    ("1000007003", "lines"),
];

impl<'a> Scene<'a> {
    /// Everything right, without webhooks.
    pub const fn of(pace: &'a Pace) -> Self {
        Self {
            pace,
            hooks: None,
            mistaken: false,
            every_method: false,
            erp_calls: None,
            network_calls: None,
            stock: None,
            invoices: &[],
            consumers: &[],
        }
    }
}

/// The code by which a method is declared by mistake.
pub const WRONG_CODE: &str = "ONXX";

/// `agent.toml`.
pub fn configuration(
    data: &Path,
    connectors: &Path,
    trusted_key: &str,
    listen: &str,
    hooks: Option<&str>,
    roots: Option<&Path>,
) -> String {
    let roots = roots.map_or_else(String::new, |file| {
        format!("trusted-roots = {:?}\n", file.display().to_string())
    });
    let hooks = hooks.map_or_else(String::new, |address| {
        format!("[hooks]\nlisten = {address:?}\n")
    });
    format!(
        "data-dir = {:?}\nconnectors-dir = {:?}\nsocket = {:?}\nlisten = {listen:?}\n{roots}{hooks}\
         [connectors]\ntrusted-keys = [{trusted_key:?}]\n",
        data.display().to_string(),
        connectors.display().to_string(),
        data.join("admin.sock").display().to_string(),
    )
}

/// `key = "value"` for every value that is not blank.
fn lines(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "\"{key}\" = {value:?}");
    }
    text
}

/// The provisioning file: two connections, orders one way, shipments and invoices the other, cancels both ways, the crosswalks. Secrets are named, not
/// written.
pub fn plan(house: &House, scene: &Scene<'_>) -> String {
    let mut text =
        String::from("version = 1\n\n[agent]\nstore-name = \"Northfold Goods\"\n\n[settings]\n");
    let pace = scene.pace;
    let retry = if pace.retry_cap.is_empty() { "" } else { "0.2" };
    text.push_str(&lines(&[
        ("gather-secs", pace.gather),
        ("retry-base-secs", retry),
        ("retry-cap-secs", pace.retry_cap),
        ("cancel.note", "created"),
        ("cancel.otherwise", "refuse"),
    ]));
    let settle = match pace.settle_secs {
        0 => String::new(),
        secs => secs.to_string(),
    };
    let agreed = |calls: Option<u32>| calls.map_or_else(String::new, |n| n.to_string());
    let (erp_calls, network_calls) = (agreed(scene.erp_calls), agreed(scene.network_calls));
    let network = lines(&[
        ("calls-per-minute", &network_calls),
        ("poll-secs.order", pace.poll),
        ("poll-secs.cancellation", pace.poll),
        ("confirm-secs", pace.poll),
        ("search-settle-secs", &settle),
    ]);
    let files = by_files(house);
    let erp = lines(&[
        ("poll-secs.shipment", pace.notes),
        ("poll-secs.order-state", pace.states),
        ("poll-secs.invoice", pace.states),
        ("poll-secs.inventory-level", scene.stock.unwrap_or_default()),
        ("calls-per-minute", &erp_calls),
        ("search-settle-secs", &settle),
        ("hooks.public-url", scene.hooks.unwrap_or_default()),
    ]);
    // Writing to a string cannot fail.
    let _infallible = write!(
        text,
        "\n[[connection]]\nname = \"network\"\nconnector = \"dsco\"\nprivate-addresses = true\n\n\
         [connection.settings]\napi-url = \"{}/api/v3\"\nauth = \"client\"\n{network}{}\n\
         [connection.credentials.client]\nclient-id = {{ env = \"NETWORK_CLIENT_ID\" }}\nclient-secret = {{ env = \"NETWORK_CLIENT_SECRET\" }}\n{}\n\
         [[connection]]\nname = \"erp\"\nconnector = \"brightpearl\"\nprivate-addresses = true\n\n\
         [connection.settings]\nbase-url = \"{}/public-api/simaccount\"\nauth = \"staff\"\napp-ref = \"simaccount_waybill\"\n\
         order-status = \"22\"\ncancel-status = \"5\"\nchannel = \"3\"\nwarehouse = \"2\"\nprice-list = \"3\"\ncurrency = \"USD\"\ntax-code = \"Z\"\n\
         nominal-code = \"4000\"\n{erp}\n\
         [connection.credentials.staff]\ntoken = {{ env = \"ERP_STAFF_TOKEN\" }}\n\n\
         [[route]]\nentity = \"order\"\nfrom = \"network\"\nto = \"erp\"\n\n\
         [[route]]\nentity = \"shipment\"\nfrom = \"erp\"\nto = \"network\"\n\n\
         [[route]]\nentity = \"cancellation\"\nfrom = \"network\"\nto = \"erp\"\n\n\
         [[route]]\nentity = \"cancellation\"\nfrom = \"erp\"\nto = \"network\"\n\n\
         [[crosswalk]]\nfrom = \"erp\"\nto = \"network\"\ntable = \"cancel-codes\"\n[crosswalk.pairs]\n\"*\" = \"CXSO\"\n\n",
        house.network.api, files.0, files.1, house.erp.api,
    );
    text.push_str(&wishes(scene));
    text.push_str("[[crosswalk]]\nfrom = \"network\"\nto = \"erp\"\ntable = \"shipping-methods\"\n[crosswalk.pairs]\n");
    for (id, service) in (FIRST_METHOD..).zip(SERVICES) {
        let _infallible = writeln!(text, "{} = \"{id}\"", service.code.to_lowercase());
    }
    text.push_str("\n[[crosswalk]]\nfrom = \"erp\"\nto = \"network\"\ntable = \"shipping-methods\"\n[crosswalk.pairs]\n");
    let methods: Vec<i64> = if scene.every_method {
        (FIRST_METHOD..).zip(SERVICES).map(|(id, _)| id).collect()
    } else {
        vec![13, 14, MISROUTED_METHOD]
    };
    for method in methods {
        let code = if scene.mistaken && method == MISROUTED_METHOD {
            Some(WRONG_CODE)
        } else {
            None
        };
        if let Some(cell) = cell_of(method, code) {
            let _infallible = writeln!(text, "{method} = \"{cell}\"");
        }
    }
    text.push_str("\n[[crosswalk]]\nfrom = \"network\"\nto = \"erp\"\ntable = \"warehouses\"\n[crosswalk.pairs]\n");
    for warehouse in WAREHOUSES {
        let _infallible = writeln!(text, "{} = \"{}\"", warehouse.code, warehouse.erp_id);
    }
    text
}

/// Settings and credentials of the network's files, where it has a file server: every flow goes by them.
fn by_files(house: &House) -> (String, String) {
    let Some(server) = &house.network.files else {
        return (String::new(), String::new());
    };
    let settings = lines(&[
        ("transport", "each"),
        ("orders-by", "files"),
        ("shipments-by", "files"),
        ("stock-by", "files"),
        ("invoices-by", "files"),
        ("cancels-by", "files"),
        ("sftp-host", &server.address),
        (
            "sftp-login",
            server.key.as_ref().map_or("password", |_| "key"),
        ),
        ("file-settle-secs", "1"),
    ]);
    let login = match &server.key {
        None => "\n[connection.credentials.sftp]\nuser = { env = \"NETWORK_FILES_USER\" }\npassword = { env = \"NETWORK_FILES_PASSWORD\" }\n".to_owned(),
        Some((user, key)) => format!(
            "\n[connection.credentials.sftp-key]\nuser = {{ file = {:?} }}\nkey = {{ file = {:?} }}\n",
            user.display().to_string(),
            key.display().to_string(),
        ),
    };
    (settings, login)
}

/// The routes that not every scene has, and what single retailers want.
fn wishes(scene: &Scene<'_>) -> String {
    let mut text = String::new();
    if scene.stock.is_some() {
        text.push_str(
            "[[route]]\nentity = \"inventory-level\"\nfrom = \"erp\"\nto = \"network\"\n\n",
        );
    }
    if !scene.invoices.is_empty() {
        text.push_str("[[route]]\nentity = \"invoice\"\nfrom = \"erp\"\nto = \"network\"\n\n");
    }
    for (retailer, policy) in scene.invoices {
        let own = if scene.consumers.contains(retailer) {
            ", \"customers.mode\" = \"order\""
        } else {
            ""
        };
        let _infallible = write!(
            text,
            "[[retailer]]\ncode = \"{retailer}\"\nsettings = {{ \"invoices.policy\" = \"{policy}\"{own} }}\n\n"
        );
    }
    text
}

/// What the cell of a shipping method says: carrier, name and code at the network, or another code than the right one.
pub fn cell_of(method: i64, code: Option<&str>) -> Option<String> {
    let service = service_of(method)?;
    let code = code.unwrap_or(service.code);
    Some(format!("{}|{}|{code}", service.carrier, service.method))
}

/// The secrets by the environment names of the plan. They open nothing but the sandboxes.
pub const SECRETS: [(&str, &str); 3] = [
    ("NETWORK_CLIENT_ID", "sandbox-client"),
    ("NETWORK_CLIENT_SECRET", "sandbox-secret"),
    ("ERP_STAFF_TOKEN", "sim-staff-token"),
];

/// The same of a plan in which files are exchanged.
pub const FILE_SECRETS: [(&str, &str); 2] = [
    ("NETWORK_FILES_USER", crate::sftp::LOGIN.0),
    ("NETWORK_FILES_PASSWORD", crate::sftp::LOGIN.1),
];
