//! Looking at a note's job before it is sent: how far the note is, its tracking, whole kits, what is open, and the codes.
//! What may be at the network already is not judged again: the connector finds out, with what was sent.

use super::count::{self, Units};
use super::rest::{Reads, Rest};
use super::restored::{self, Known};
use super::show;
use super::tables::BothWays;
use super::trigger::{self, Trigger};
use super::unnoted::{at_first, is_whole, named};
use crate::cancel::count::Sight;
use crate::core::Desk;
use crate::restored::MAYBE_REPORTED;
use crate::translate::{self, Looked};
use std::cell::RefCell;
use waybill_model::contract::{Delivery, Problem};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Entity, LineQuantity, Order, OrderPhase, Shipment};
use waybill_model::ids::Millis;
use waybill_model::job::{Ending, JobState, Reason};
use waybill_model::kits::{self, Note, Share};
use waybill_model::parcels::Account;
use waybill_model::quantities;
use waybill_model::settings::{
    self, GENERIC_CODES, SHIP_GRACE, SHIP_STATUSES, SHIP_TRACKING, SHIP_TRIGGER, SHIP_WAREHOUSE,
    Values,
};
use waybill_model::shipping::{self, Target};
use waybill_store::{DocumentRow, JobRow, OrderRow, Read, StoreError, Tx};

/// Code: more is shipped than is open.
pub(crate) const ABOVE_OPEN: &str = "above-open";
/// Code: no tracking number in time.
pub(crate) const NO_TRACKING: &str = "no-tracking";
/// Code: shipped, and the order is cancelled.
pub(crate) const CANCELLED: &str = "shipped-though-cancelled";
/// Code: reported at a status, and none is chosen.
const NO_STATUS: &str = "no-status";
/// Code: a line that the order does not have.
const UNKNOWN_LINE: &str = "line-unknown";
/// What a change of the order or of another note may mend.
pub(crate) const OWN_PROBLEMS: [&str; 4] = [ABOVE_OPEN, CANCELLED, UNKNOWN_LINE, MAYBE_REPORTED];

const HOUR_MS: Millis = 3_600_000;

/// The shipment in a document, if it is one.
pub(crate) const fn shipment(document: &Document) -> Option<&Shipment> {
    if let Body::Shipment(shipment) = &document.body {
        Some(shipment)
    } else {
        None
    }
}

/// What one look needs beside the note.
pub(super) struct Case<'a> {
    pub(super) job: &'a JobRow,
    pub(super) row: &'a OrderRow,
    pub(super) note: &'a DocumentRow,
    pub(super) shipment: &'a Shipment,
    pub(super) order: &'a Order,
    pub(super) jobs: &'a [JobRow],
    values: &'a Values,
    pub(super) now: Millis,
}

/// Looks at a note's job.
pub(crate) fn look(
    tx: &Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    now: Millis,
) -> Result<Looked, StoreError> {
    let Some(row) = job.order.map(|id| tx.order(id)).transpose()?.flatten() else {
        return Ok(missing());
    };
    let (Some(note), Some(origin)) = (tx.document(job.document)?, tx.document(row.document)?)
    else {
        return Ok(missing());
    };
    let (Some(shipment), Some(order)) = (shipment(&note.document), origin.document.order()) else {
        return Ok(missing());
    };
    let case = Case {
        job,
        row: &row,
        note: &note,
        shipment,
        order,
        jobs: &tx.jobs_of_order(row.id)?,
        values: &tx.effective(Some(row.connection), Some(&row.retailer))?,
        now,
    };
    let units = if tx.has_effects(job.id)? {
        let mut sent = Units::new();
        quantities::add(&mut sent, &job.units);
        sent
    } else {
        match case.units(tx, desk)? {
            Ok(units) => units,
            Err(looked) => return Ok(looked),
        }
    };
    deliver(tx, desk, &case, &units, &origin.document)
}

fn missing() -> Looked {
    Looked::Park(translate::missing_document())
}

pub(super) fn park(code: &str, message: String, hint: &str) -> Looked {
    Looked::Park(Reason::Problem(Problem::new(code, message, hint)))
}

impl Case<'_> {
    fn setting(&self, key: &str) -> String {
        let defaults = settings::agent_settings();
        let value = settings::value(self.values, key, &defaults);
        value.unwrap_or_default().trim().to_owned()
    }

    /// Units of each line to tell, or why nothing is told now.
    fn units(&self, tx: &Tx<'_>, desk: &Desk) -> Result<Result<Units, Looked>, StoreError> {
        if let Some(looked) = self.too_early(tx)?.or_else(|| self.cancelled(desk)) {
            return Ok(Err(looked));
        }
        if let Some(looked) = self.without_tracking() {
            return Ok(Err(looked));
        }
        let shown = match restored::look(self, tx, desk)? {
            Known::Unasked => Account::default(),
            Known::Shown(account) => account,
            Known::Reported(units) => return Ok(Ok(units)),
            Known::Not(looked) => return Ok(Err(looked)),
        };
        let share = self.share(tx, &shown)?;
        if let Some(looked) = self.nothing_to_tell(&share) {
            return Ok(Err(looked));
        }
        if let Some(looked) = restored::doubt(self, tx, desk, &shown, &share.units)? {
            return Ok(Err(looked));
        }
        if !desk.counts_open {
            return Ok(Ok(share.units));
        }
        self.open(tx, share.units)
    }

    fn too_early(&self, tx: &Tx<'_>) -> Result<Option<Looked>, StoreError> {
        let (why, reads) = match Trigger::of(self.values) {
            Trigger::Note(_) if is_whole(&self.job.key) => {
                let text = format!(
                    "Shipments are reported by their goods-out notes again; {} is not reported.",
                    named(&self.job.key)
                );
                return Ok(Some(Looked::End(Ending::Withdrawn, text)));
            }
            Trigger::Note(wanted) => {
                let is = self.shipment.stage;
                if is >= wanted {
                    return Ok(None);
                }
                let why = format!("Waits until it is {wanted}; it is {is}");
                (why, Reads::Note)
            }
            Trigger::Sale(wanted) if wanted.is_empty() => {
                return Ok(Some(park(
                    NO_STATUS,
                    format!("No status is chosen that reports {}.", named(&self.job.key)),
                    &format!("Set `{SHIP_STATUSES}`, or another `{SHIP_TRIGGER}`; then try again."),
                )));
            }
            Trigger::Sale(wanted) => {
                let sale = &self.shipment.order_key;
                let is = trigger::status(tx, self.job.from, sale)?;
                if is.as_ref().is_some_and(|is| wanted.contains(is)) {
                    return Ok(None);
                }
                let is = is.map_or_else(|| "another".to_owned(), |is| format!("`{is}`"));
                let wanted = wanted.join("` or `");
                let why = format!("Waits until its sale has the status `{wanted}`; it has {is}");
                (why, Reads::Sale(sale.clone()))
            }
        };
        Ok(Some(Looked::Rest(Rest {
            why,
            reads,
            until: None,
            said: false,
        })))
    }

    /// Nothing that was cancelled is shipped in silence.
    fn cancelled(&self, desk: &Desk) -> Option<Looked> {
        (self.row.phase == OrderPhase::Cancelled).then(|| {
            park(
                CANCELLED,
                format!(
                    "{} is {}, and {} cancelled order {}.",
                    at_first(&self.job.key),
                    self.shipment.stage,
                    self.row.retailer_name,
                    self.row.number
                ),
                &format!(
                    "Stop the parcel and delete the note in {}, or settle it with the retailer; then leave this card with a reason.",
                    desk.title(self.job.from)
                ),
            )
        })
    }

    fn without_tracking(&self) -> Option<Looked> {
        let parcels = &self.shipment.parcels;
        let has =
            |tracking: &Option<String>| tracking.as_ref().is_some_and(|t| !t.trim().is_empty());
        if self.setting(SHIP_TRACKING) == "send" || parcels.iter().all(|p| has(&p.tracking)) {
            return None;
        }
        let hours = self.setting(SHIP_GRACE).parse::<Millis>().unwrap_or(24);
        let since = self.shipment.shipped_at.unwrap_or(self.note.stored_at);
        let until = since.min(self.note.stored_at) + hours.clamp(0, 8_760) * HOUR_MS;
        if self.now >= until {
            return Some(park(
                NO_TRACKING,
                format!("No tracking number on {}.", named(&self.job.key)),
                "Enter it there: the shipment goes on by itself.",
            ));
        }
        Some(Looked::Rest(Rest {
            why: "Waits for its tracking number".to_owned(),
            reads: Reads::Note,
            until: Some(until),
            said: true,
        }))
    }

    /// What this note has to tell, whole kits counted over all notes of the order. One that was reported before a restore
    /// told what is shown of it.
    fn share(&self, tx: &Tx<'_>, shown: &Account) -> Result<Share, StoreError> {
        let counts_from = Trigger::of(self.values).stage();
        let mut others = Vec::new();
        for job in self.jobs.iter().filter(|j| count::is_shipment(j)) {
            let withdrawn = matches!(
                job.state,
                JobState::Done(Ending::Withdrawn | Ending::Ignored(_))
            );
            if job.key == self.job.key || job.from != self.job.from || withdrawn {
                continue;
            }
            // The card of a change is not a note of its own.
            if super::change::is_card(job) {
                continue;
            }
            if let Some(note) = tx.document(job.document)? {
                others.push((job, note));
            }
        }
        let mut notes: Vec<Note<'_>> = Vec::new();
        notes.extend(as_note(&self.note.document, None));
        for (job, note) in &others {
            let own = || shown.of.get(&job.key).map(|own| &*own.units);
            let counted = || count::is_counted(job).then_some(&*job.units);
            let told = super::change::is_told(job).then_some(&*job.units);
            let told = told.or_else(own).or_else(counted);
            notes.extend(
                as_note(&note.document, told)
                    .filter(|n| told.is_some() || n.shipment.stage >= counts_from),
            );
        }
        let mut shares = kits::shares(&notes);
        Ok(shares.remove(&self.job.key).unwrap_or_default())
    }

    fn nothing_to_tell(&self, share: &Share) -> Option<Looked> {
        if !share.units.is_empty() {
            return None;
        }
        Some(match &share.with {
            _ if share.waits => Looked::Rest(Rest {
                why: "Holds part of a kit; waits for the note that makes it whole".to_owned(),
                reads: Reads::Nothing,
                until: None,
                said: true,
            }),
            Some(key) => Looked::End(
                Ending::Merged(key.clone()),
                format!(
                    "{} holds the rest of a kit that is reported with note {key}.",
                    at_first(&self.job.key)
                ),
            ),
            None => Looked::End(
                Ending::Withdrawn,
                format!(
                    "{} holds nothing of the order; nothing is reported for it.",
                    at_first(&self.job.key)
                ),
            ),
        })
    }

    /// Not more than is open, unless a person said: send what is open.
    fn open(&self, tx: &Tx<'_>, mut units: Units) -> Result<Result<Units, Looked>, StoreError> {
        let sent = count::sent(self.jobs, self.job.id);
        let mut counted = quantities::count(self.order, &sent);
        // What the source was told as cancelled is not open, whether or not it shows it yet.
        if let Some(sight) = Sight::of(tx, self.row.id)? {
            counted = sight.less_told(counted);
        }
        let mut over = Vec::new();
        for (line, quantity) in &mut units {
            let Some(count) = counted.iter().find(|c| c.line == *line) else {
                return Ok(Err(self.unknown_line(line)));
            };
            if *quantity > count.open {
                over.push(format!(
                    "{} of {}, and {} open",
                    quantity.normal(),
                    self.named(line),
                    are(count.open)
                ));
                *quantity = count.open;
            }
        }
        if over.is_empty() {
            return Ok(Ok(units));
        }
        let message = format!(
            "{} of order {} ships {}.",
            at_first(&self.job.key),
            self.row.number,
            over.join("; ")
        );
        let accepted = tx.meta(&accepted_key(self.job))?;
        if accepted.as_deref() != Some(message.as_bytes()) {
            return Ok(Err(park(
                ABOVE_OPEN,
                message,
                "Correct the note, or press Retry to report what is open.",
            )));
        }
        units.retain(|_, quantity| quantity.is_positive());
        if units.is_empty() {
            let text = format!(
                "Nothing that {} ships is open; nothing is reported for it.",
                named(&self.job.key)
            );
            let why = "nothing of it is open".to_owned();
            return Ok(Err(Looked::End(Ending::Ignored(why), text)));
        }
        Ok(Ok(units))
    }

    pub(super) fn named(&self, line: &str) -> String {
        let title = self.order.lines.iter().find(|l| l.line == line);
        let title = title.map(|l| l.title.trim()).filter(|t| !t.is_empty());
        title.map_or_else(
            || format!("line {line}"),
            |title| format!("line {line} ({title})"),
        )
    }

    fn unknown_line(&self, line: &str) -> Looked {
        park(
            UNKNOWN_LINE,
            format!(
                "{} names line {line}, which order {} does not have.",
                at_first(&self.job.key),
                self.row.number
            ),
            "Correct the row of the sale, or leave this card with a reason.",
        )
    }
}

/// The note in a document, with what it told.
pub(super) fn as_note<'d>(
    document: &'d Document,
    told: Option<&'d [LineQuantity]>,
) -> Option<Note<'d>> {
    let shipment = shipment(document)?;
    Some(Note {
        key: &document.key,
        at: shipment.shipped_at.unwrap_or(document.occurred_at),
        shipment,
        told,
    })
}

/// "3 are" or "1 is".
fn are(quantity: Decimal) -> String {
    let verb = if quantity == Decimal::whole(1) {
        "is"
    } else {
        "are"
    };
    format!("{} {verb}", quantity.normal())
}

/// Where it is kept that a person accepted that only what is open is told, for these very figures.
pub(crate) fn accepted_key(job: &JobRow) -> String {
    format!("open-accepted/{}/{}/{}", job.from, job.to, job.key)
}

/// The codes, and what a push carries beside them.
fn deliver(
    tx: &Tx<'_>,
    desk: &Desk,
    case: &Case<'_>,
    units: &Units,
    origin: &Document,
) -> Result<Looked, StoreError> {
    let settings = translate::delivery_settings(tx, desk, case.job.to, &case.row.retailer)?;
    let generic = settings.iter().find(|(key, _)| key == GENERIC_CODES);
    let generic: Vec<String> = generic
        .map(|(_, codes)| codes.split(',').map(|c| c.trim().to_owned()).collect())
        .unwrap_or_default();
    let tables = BothWays {
        tx,
        from: case.job.from,
        to: case.job.to,
        error: RefCell::new(None),
    };
    let target = Target {
        order_key: &case.row.key,
        order: case.order,
        units,
        generic: &generic,
        needs_warehouse: case.setting(SHIP_WAREHOUSE) == "required",
    };
    let mapped = shipping::translate(&case.note.document, case.shipment, &target, &tables);
    if let Some(error) = tables.error.into_inner() {
        return Err(error);
    }
    Ok(match mapped {
        Err(gaps) => Looked::Park(Reason::Gaps(gaps)),
        Ok(mapped) => Looked::Go(Box::new(Delivery {
            document: mapped.into_document(),
            origin: Some(origin.clone()),
            links: tx.links_of(case.job.from, Entity::Shipment, &case.job.key)?,
            settings,
        })),
    })
}

/// Tracking numbers of a note, for a sentence.
pub(super) fn named_tracking(shipment: &Shipment) -> String {
    match show::tracking(shipment).as_slice() {
        [] => "no tracking number".to_owned(),
        numbers => numbers.join(", "),
    }
}
