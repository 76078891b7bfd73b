//! Owns which webhooks stand at the agent's address: one for each event, no double, none of an older shape; and nobody
//! else's is touched, since an account's list shows the webhooks of other apps too. An answer that was lost is settled
//! by the list itself. Must not know what a delivery says (`receive.rs`).

use crate::api::{self, Api, Deleted, Sent};
use crate::settings::Settings;
use crate::wire::hook::{self, Standing, Webhook};
use waybill_sdk::Host;
use waybill_sdk::effect::effect;
use waybill_sdk::types::{Context, Failure, Problem};

const PATH: &str = "/integration-service/webhook";

/// What is listened to: everything about goods-out notes, orders whose status changes (an invoice has no event of its
/// own), products that come and go, and stock that moves. What else changes is found by polling.
const EVENTS: [&str; 5] = [
    "goods-out-note",
    "order.modified.order-status",
    "product.created",
    "product.destroyed",
    "product.modified.on-hand-modified",
];

/// Registers what is missing and removes what is ours and wrong; what stands now, in words.
pub fn ensure(host: &dyn Host, ctx: &Context, callback: &str) -> Result<Vec<String>, Failure> {
    let settings = Settings::of(&ctx.settings);
    let api = Api::new(host, settings)?;
    let ours = ours(&api, callback)?;
    let mut words = Vec::with_capacity(EVENTS.len());
    let mut kept = Vec::with_capacity(EVENTS.len());
    let mut refused = None;
    for event in EVENTS {
        let right = ours.iter().filter(|hook| hook.right && hook.event == event);
        let id = match right.map(|hook| hook.id).min() {
            Some(id) => Some(id),
            None => match create(&api, settings, event, callback) {
                Ok(id) => id,
                // The other events are worth having without this one.
                Err(Failure::Rejected(problem)) => {
                    refused.get_or_insert(problem);
                    continue;
                }
                Err(failure) => return Err(failure),
            },
        };
        match id {
            Some(id) => {
                kept.push(id);
                words.push(format!("{event}: webhook {id}"));
            }
            None => words.push(format!("{event}: not registered while practising")),
        }
    }
    for hook in ours.iter().filter(|hook| !kept.contains(&hook.id)) {
        delete(&api, hook.id)?;
    }
    match refused {
        Some(problem) => Err(Failure::Rejected(problem)),
        None => Ok(words),
    }
}

/// Removes what is ours.
pub fn remove(host: &dyn Host, ctx: &Context, callback: &str) -> Result<(), Failure> {
    let api = Api::new(host, Settings::of(&ctx.settings))?;
    for hook in ours(&api, callback)? {
        delete(&api, hook.id)?;
    }
    Ok(())
}

/// What stands at our address. It holds a secret that nobody else has.
fn ours(api: &Api<'_>, callback: &str) -> Result<Vec<Standing>, Failure> {
    if callback.is_empty() || callback.contains("${") {
        return Err(Failure::rejected(
            "webhook-address",
            "The address for webhooks cannot be registered.",
            "Correct the public address of this connection's webhooks.",
        ));
    }
    let mut all = match api.get_found(PATH)? {
        Some(reply) => hook::standing(&reply.value),
        None => Vec::new(),
    };
    all.retain(|hook| is_at(&hook.uri, callback));
    Ok(all)
}

/// Exactly this address, or below it; not one that only begins with the same letters.
fn is_at(uri: &str, callback: &str) -> bool {
    uri.strip_prefix(callback).is_some_and(|rest| {
        rest.is_empty() || callback.ends_with('/') || rest.starts_with(['/', '?'])
    })
}

/// The id of the webhook that was registered; `None` in practice mode. Called after the list showed none.
fn create(
    api: &Api<'_>,
    settings: Settings<'_>,
    event: &str,
    callback: &str,
) -> Result<Option<i64>, Failure> {
    let step = format!("create-webhook/{event}");
    let body = Webhook::on(event, callback);
    let mut effect = effect(&step, []);
    // At most: a kept answer that is outdated, then a doubt, then the call itself.
    for _ in 0..3 {
        match api.create_anew(PATH, &body, &effect)? {
            (Sent::Created(id), false) => return Ok(Some(id)),
            (Sent::Created(id), true) => {
                // Made by an earlier attempt, and not listed: the list trails, or somebody has removed it since.
                if api.get_found(&format!("{PATH}/{id}"))?.is_some() {
                    return Ok(Some(id));
                }
                api.host.retract(&step, &[]);
            }
            (Sent::Doubt(age_ms), _)
                if age_ms >= settings.settle_ms() && !effect.verified_absent =>
            {
                effect = effect.resend();
            }
            // The list will tell, a little later.
            (Sent::Doubt(_) | Sent::Unread(_), _) => return Err(Failure::Retry(None)),
            (Sent::Lost(failure), _) => return Err(failure),
            (Sent::Refused(status, list), _) => {
                return Err(Failure::Rejected(Problem {
                    hint: Some("Switch webhooks off for this connection, or ask Brightpearl's support; polling works without them.".to_owned()),
                    ..api::refusal(status, &list)
                }));
            }
            (Sent::Practice, _) => return Ok(None),
        }
    }
    Err(Failure::Retry(None))
}

fn delete(api: &Api<'_>, id: i64) -> Result<(), Failure> {
    let path = format!("{PATH}/{id}");
    let step = effect(&format!("delete-webhook/{id}"), []);
    match api.delete(&path, &step)? {
        // Ids are never used again: removing it twice is removing it once.
        Deleted::Doubt => match api.delete(&path, &step.resend())? {
            Deleted::Doubt => Err(Failure::Retry(None)),
            Deleted::Gone | Deleted::Practice => Ok(()),
        },
        Deleted::Gone | Deleted::Practice => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_address_is_ours() {
        let callback = "https://x.test/hooks/bp/secret";
        assert!(is_at(callback, callback));
        assert!(is_at("https://x.test/hooks/bp/secret/gon", callback));
        assert!(is_at("https://x.test/hooks/bp/secret?e=gon", callback));
        assert!(!is_at("https://x.test/hooks/bp/secret2", callback));
        assert!(!is_at("https://x.test/hooks/bp", callback));
        assert!(!is_at("https://other.test/hooks/bp/secret", callback));
    }
}
