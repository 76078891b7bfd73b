//! Call limits as people are shown them: which calls each holds for, and how much of it is used. Counts nothing itself.

use crate::core::Core;
use crate::view::BudgetView;
use waybill_host::budget::BudgetUse;
use waybill_model::ids::ConnectionId;

/// Calls that no other limit of their host holds for.
const THE_REST: &str = "all other calls";

/// The limits of a connection's calls.
pub(crate) fn budgets(core: &Core, connection: ConnectionId) -> Vec<BudgetView> {
    shown(core.connectors.budgets(connection))
}

/// Host and path of an address.
fn parts(reach: &str) -> (&str, &str) {
    let address = reach
        .split_once("://")
        .map_or(reach, |(_, address)| address);
    address.split_at(address.find('/').unwrap_or(address.len()))
}

fn shown(uses: Vec<BudgetUse>) -> Vec<BudgetView> {
    let reaches: Vec<String> = uses.iter().map(|of| of.reach.clone()).collect();
    uses.into_iter().map(|of| one(of, &reaches)).collect()
}

/// Which calls of its host a limit holds for; empty where it is the host's only one.
fn group(reach: &str, all: &[String]) -> String {
    let (host, path) = parts(reach);
    let of_host = all.iter().map(|other| parts(other));
    let paths: Vec<&str> = of_host
        .filter(|(other, _)| *other == host)
        .map(|(_, path)| path)
        .collect();
    if paths.len() < 2 {
        return String::new();
    }
    // The limit of all that has none of its own begins as the others do.
    let begins_all = |start: &str| paths.iter().all(|path| path.starts_with(start));
    let rest = paths.iter().find(|path| begins_all(path)).copied();
    if rest == Some(path) {
        return THE_REST.to_owned();
    }
    let own = path.strip_prefix(rest.unwrap_or_default()).unwrap_or(path);
    own.trim_matches(['/', '?']).to_owned()
}

fn one(of: BudgetUse, all: &[String]) -> BudgetView {
    let limit = |n: u32| (n > 0).then_some(n);
    BudgetView {
        host: parts(&of.reach).0.to_owned(),
        group: group(&of.reach, all),
        per_minute: limit(of.per_minute),
        per_second: limit(of.per_second),
        used: of.used.iter().map(|(_, n)| *n).sum(),
        by: of.used,
        kept: of.kept,
        remaining: of.remaining,
        resets_at: of.resets_at,
    }
}

#[cfg(test)]
mod tests {
    use super::group;

    #[test]
    fn limits_of_one_host_are_told_apart_by_their_calls() {
        let groups = |reaches: &[&str]| -> Vec<String> {
            let all: Vec<String> = reaches.iter().map(|reach| (*reach).to_owned()).collect();
            all.iter().map(|reach| group(reach, &all)).collect()
        };
        assert_eq!(groups(&["https://api.test/v3/"]), [""]);
        assert_eq!(groups(&["https://api.test", "https://auth.test"]), ["", ""]);
        assert_eq!(
            groups(&[
                "https://api.test/v3/",
                "https://api.test/v3/order/?",
                "https://api.test/v3/order/page",
                "https://auth.test/",
            ]),
            ["all other calls", "order", "order/page", ""]
        );
        assert_eq!(
            groups(&[
                "https://api.test/v3/order/page",
                "https://api.test/v3/invoice?"
            ]),
            ["v3/order/page", "v3/invoice"]
        );
    }
}
