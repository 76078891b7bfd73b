//! Owns the files a merchant's IT person would write: the agent's configuration, and what to connect. Must not know the
//! agent's types: it writes what the documentation says.

use super::house::House;
use crate::catalogue::{SERVICES, WAREHOUSES};
use std::fmt::Write as _;
use std::path::Path;

/// How fast the agent is to work; the defaults of a shipped agent are slower.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Seconds between polls for orders.
    pub poll: &'static str,
    /// Seconds acknowledgements are gathered.
    pub gather: &'static str,
    /// Longest wait before a retry.
    pub retry_cap: &'static str,
    /// Seconds a search is given to show a write.
    pub settle_secs: u32,
}

/// For people who watch.
pub const DEMO: Pace = Pace {
    poll: "1",
    gather: "1",
    retry_cap: "5",
    settle_secs: 3,
};
/// For hundreds of kills.
pub const HURRY: Pace = Pace {
    poll: "0.1",
    gather: "0.1",
    retry_cap: "0.5",
    settle_secs: 1,
};

/// `agent.toml`.
pub fn configuration(data: &Path, connectors: &Path, listen: &str, roots: Option<&Path>) -> String {
    let roots = roots.map_or_else(String::new, |file| {
        format!("trusted-roots = {:?}\n", file.display().to_string())
    });
    format!(
        "data-dir = {:?}\nconnectors-dir = {:?}\nsocket = {:?}\nlisten = {listen:?}\n{roots}",
        data.display().to_string(),
        connectors.display().to_string(),
        data.join("admin.sock").display().to_string(),
    )
}

/// The provisioning file: two connections, one route, the crosswalks. Secrets are named, not written.
pub fn plan(house: &House, pace: &Pace) -> String {
    let mut text =
        String::from("version = 1\n\n[agent]\nstore-name = \"Northfold Goods\"\n\n[settings]\n");
    let (poll, gather, cap, settle) = (pace.poll, pace.gather, pace.retry_cap, pace.settle_secs);
    // Writing to a string cannot fail.
    let _infallible = write!(
        text,
        "gather-secs = \"{gather}\"\nretry-base-secs = \"0.2\"\nretry-cap-secs = \"{cap}\"\n\n\
         [[connection]]\nname = \"network\"\nconnector = \"dsco\"\nprivate-addresses = true\n\n\
         [connection.settings]\napi-url = \"{}/api/v3\"\nauth = \"client\"\n\"poll-secs.order\" = \"{poll}\"\n\
         \"poll-secs.cancellation\" = \"{poll}\"\nconfirm-secs = \"{poll}\"\nsearch-settle-secs = \"{settle}\"\n\n\
         [connection.credentials.client]\nclient-id = {{ env = \"NETWORK_CLIENT_ID\" }}\nclient-secret = {{ env = \"NETWORK_CLIENT_SECRET\" }}\n\n\
         [[connection]]\nname = \"erp\"\nconnector = \"brightpearl\"\nprivate-addresses = true\n\n\
         [connection.settings]\nbase-url = \"{}/public-api/simaccount\"\nauth = \"staff\"\napp-ref = \"simaccount_waybill\"\n\
         order-status = \"22\"\nchannel = \"3\"\nwarehouse = \"2\"\nprice-list = \"3\"\ncurrency = \"USD\"\ntax-code = \"Z\"\n\
         nominal-code = \"4000\"\nsearch-settle-secs = \"{settle}\"\n\n\
         [connection.credentials.staff]\ntoken = {{ env = \"ERP_STAFF_TOKEN\" }}\n\n\
         [[route]]\nentity = \"order\"\nfrom = \"network\"\nto = \"erp\"\n\n",
        house.network.api, house.erp.api,
    );
    text.push_str("[[crosswalk]]\nfrom = \"network\"\nto = \"erp\"\ntable = \"shipping-methods\"\n[crosswalk.pairs]\n");
    for (id, service) in (11..).zip(SERVICES) {
        let _infallible = writeln!(text, "{} = \"{id}\"", service.code.to_lowercase());
    }
    text.push_str("\n[[crosswalk]]\nfrom = \"network\"\nto = \"erp\"\ntable = \"warehouses\"\n[crosswalk.pairs]\n");
    for warehouse in WAREHOUSES {
        let _infallible = writeln!(text, "{} = \"{}\"", warehouse.code, warehouse.erp_id);
    }
    text
}

/// The secrets by the environment names of the plan. They open nothing but the sandboxes.
pub const SECRETS: [(&str, &str); 3] = [
    ("NETWORK_CLIENT_ID", "sandbox-client"),
    ("NETWORK_CLIENT_SECRET", "sandbox-secret"),
    ("ERP_STAFF_TOKEN", "sim-staff-token"),
];
