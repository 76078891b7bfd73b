//! Owns cancelling one sale, whole or in part, exactly once: the sale and its notes are looked at before anything is sent,
//! whenever it is tried again too. What has left, is invoiced or paid is never touched. Rows are cut in `cut.rs`.

use crate::api::{self, Api, Deleted, Sent};
use crate::cut;
use crate::notes;
use crate::sink::{Member, adopted, made};
use crate::wire::note::{Note, STEPS};
use crate::wire::standing::{self, Standing};
use serde_json::json;
use waybill_sdk::commerce::Cancellation;
use waybill_sdk::effect::effect;
use waybill_sdk::types::{Failure, Outcome, Verdict};

/// Setting: how far a note may be to be deleted; put in by the agent.
const NOTE: &str = "cancel.note";
/// How often a refusal that the sale itself does not explain is looked at again.
const PATIENCE: u32 = 3;
/// Seconds until a sale that changed under our hands is looked at again.
const AGAIN_SECS: u32 = 3;

/// Carries a cancellation out.
pub fn push(api: &Api<'_>, member: &Member<'_>, cancellation: &Cancellation) -> Verdict {
    let key = cancellation.order_key.trim();
    let id = key.parse::<i64>().ok().filter(|id| *id > 0);
    let Some(sale) = id.map(|id| read(api, id)).transpose()?.flatten() else {
        return Err(Failure::rejected(
            "sale-gone",
            format!("Brightpearl does not show sale {key}, which is to be cancelled."),
            "Look for the sale in Brightpearl; leave this card with a reason once it is cancelled.",
        ));
    };
    let status = member.settings.id("cancel-status");
    let status = status.map_err(Failure::Rejected)?;
    if sale.cancelled || (status.is_some() && sale.status == status) {
        return adopted(sale.id);
    }
    let lines = &cancellation.lines;
    if sale.invoiced {
        let unread = Case {
            api,
            member,
            sale: &sale,
            notes: &[],
        };
        // Cut by us, and invoiced before the answer was known.
        if member.attempt > 1 && !lines.is_empty() && cut::is_done(&unread, lines) {
            return cut::lines(&unread, lines);
        }
        return Err(cannot(
            "cancel-invoiced",
            format!("Sale {} is invoiced already.", sale.id),
            "Raise a sales credit in Brightpearl, then leave this card with a reason.",
        ));
    }
    let notes = notes(api, sale.id)?;
    let case = Case {
        api,
        member,
        sale: &sale,
        notes: &notes,
    };
    if lines.is_empty() {
        case.whole(status)
    } else {
        cut::lines(&case, lines)
    }
}

/// What forbids it, for a person.
pub fn cannot(code: &str, message: String, hint: &str) -> Failure {
    Failure::rejected(code, message, hint)
}

fn read(api: &Api<'_>, id: i64) -> Result<Option<Standing>, Failure> {
    let path = format!("/order-service/sales-order/{id}");
    let Some(reply) = api.get_found(&path)? else {
        return Ok(None);
    };
    let found = standing::standing(&reply.value);
    Ok(found.into_iter().find(|sale| sale.id == id))
}

fn notes(api: &Api<'_>, sale: i64) -> Result<Vec<(i64, Note)>, Failure> {
    let mut all = notes::of_sales(api, &[sale])?;
    all.retain(|(_, note)| note.order == sale);
    Ok(all)
}

/// How far a note is: 0 made, 1 printed, 2 picked, 3 packed, 4 shipped.
fn stage(note: &Note) -> usize {
    let done = note.steps.iter().rposition(|done| *done);
    done.map_or(0, |step| step + 1)
}

/// A sale that is to be cancelled, whole or in part.
pub struct Case<'a> {
    /// The way to the account.
    pub api: &'a Api<'a>,
    /// What is asked.
    pub member: &'a Member<'a>,
    /// The sale as it stands.
    pub sale: &'a Standing,
    /// Its goods-out notes.
    pub notes: &'a [(i64, Note)],
}

impl Case<'_> {
    fn whole(&self, status: Option<i64>) -> Verdict {
        let id = self.sale.id;
        let Some(status) = status else {
            return Err(Failure::rejected(
                "cancel-status",
                "No status is chosen for cancelled sales.",
                "Choose Status of cancelled sales for Brightpearl (Connections, Set up), then retry.",
            ));
        };
        if self.sale.paid {
            return Err(cannot(
                "cancel-paid",
                format!("Sale {id} has a payment, and Brightpearl cancels no paid sale."),
                "Refund or move the payment in Brightpearl, then retry.",
            ));
        }
        if let Some((note, _)) = self.notes.iter().find(|(_, note)| note.steps[3]) {
            return Err(shipped(id, *note));
        }
        let open: Vec<i64> = self.notes.iter().map(|(note, _)| *note).collect();
        if let Some(verdict) = self.delete(&open)? {
            return Ok(verdict);
        }
        let path = format!("/order-service/order/{id}/status");
        let words = "Cancelled: the retailer cancelled the order.";
        let body =
            json!({"orderStatusId": status, "orderNote": {"text": words, "isPublic": false}});
        self.send("PUT", &path, &body, "cancel-sale")?
            .map_or_else(|| made(id), Ok)
    }

    /// Deletes open notes, where the merchant allows it. An outcome ends the whole.
    pub fn delete(&self, notes: &[i64]) -> Result<Option<Outcome>, Failure> {
        let allowed = self.member.settings.get(NOTE).unwrap_or("none");
        let most = match allowed {
            "none" => None,
            "created" => Some(0),
            word => STEPS[..3].iter().position(|s| *s == word).map(|at| at + 1),
        };
        let concerned = || self.notes.iter().filter(|(id, _)| notes.contains(id));
        let furthest = concerned().max_by_key(|(_, note)| stage(note));
        if let Some((id, note)) = furthest
            && most.is_none_or(|most| stage(note) > most)
        {
            let is = match stage(note) {
                0 => "made",
                step => STEPS[step - 1],
            };
            return Err(cannot(
                "cancel-stage",
                format!("Goods-out note {id} of sale {} is {is}.", self.sale.id),
                "Press Retry to delete the note and cancel all the same, or leave this card with a reason to ship it.",
            ));
        }
        for (id, _) in concerned() {
            let path = format!(
                "/warehouse-service/order/{}/goods-note/goods-out/{id}",
                self.sale.id
            );
            let step = effect(&format!("delete-note-{id}"), [self.member.index]);
            // It was there a moment ago: one that was sent before did nothing, or does it now. Twice is as good as once.
            let deleted = match self.api.delete(&path, &step)? {
                Deleted::Doubt => self.api.delete(&path, &step.resend())?,
                other => other,
            };
            match deleted {
                Deleted::Gone => {}
                Deleted::Doubt => return Err(Failure::Retry(Some(AGAIN_SECS))),
                Deleted::Practice => return Ok(Some(Outcome::Recorded)),
            }
        }
        Ok(None)
    }

    /// Sends one change. None: it is done. A doubt is as good as not done once a search would show it, since the sale was
    /// looked at before.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        body: &impl serde::Serialize,
        step: &str,
    ) -> Result<Option<Outcome>, Failure> {
        let step = effect(step, [self.member.index]);
        let mut sent = self.api.change(method, path, body, &step)?;
        if let Sent::Doubt(age_ms) = sent {
            let settle = self.member.settings.settle_ms();
            if let Some(left) = settle.checked_sub(age_ms).filter(|left| *left > 0) {
                let secs = u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX);
                return Err(Failure::Retry(Some(secs)));
            }
            sent = self.api.change(method, path, body, &step.resend())?;
        }
        match sent {
            Sent::Created(_) | Sent::Unread(_) => Ok(None),
            Sent::Practice => Ok(Some(Outcome::Recorded)),
            Sent::Lost(failure) => Err(failure),
            Sent::Doubt(_) => Err(Failure::Retry(Some(AGAIN_SECS))),
            // The sale changed since it was looked at, perhaps: the next look says so.
            Sent::Refused(..) if self.member.attempt < PATIENCE => {
                Err(Failure::Retry(Some(AGAIN_SECS)))
            }
            Sent::Refused(status, list) => Err(Failure::Rejected(api::refusal(status, &list))),
        }
    }
}

/// Goods that have left are not cancelled.
pub fn shipped(sale: i64, note: i64) -> Failure {
    cannot(
        "cancel-shipped",
        format!("Goods-out note {note} of sale {sale} has shipped."),
        "Stop the parcel, or settle it with the retailer; then leave this card with a reason.",
    )
}
