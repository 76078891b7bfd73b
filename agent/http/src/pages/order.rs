//! One order: what it asks for, where each line stands, whether the money agrees, what was sent, all that happened.

use super::layout::Base;
use super::orders::Row;
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::barcode::{Barcode, code128};
use crate::html::{
    Icon, Mark, Times, count, deadline_words, icon, money, quantity, set_by, tone_class,
};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::view::{
    DeadlineKind, InvoiceView, JobView, LineView, MoneyRow, NoteView, OrderDetail, ShipmentView,
    Tone,
};
use waybill_model::contract::Exchange;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Address, Method, Order, OrderLine};
use waybill_model::ids::{JobId, OrderId};
use waybill_model::order_state::OrderStage;

struct DeadlineBox {
    what: &'static str,
    left: String,
    when: String,
    set_by: String,
    mark: Option<Mark>,
}

struct Line {
    number: String,
    title: String,
    ids: Vec<(String, String)>,
    ordered: String,
    shipped: String,
    cancelled: String,
    invoiced: String,
    open: String,
    is_open: bool,
    price: String,
    amount: String,
}

/// One goods-out note, and what became of its shipment.
struct Shipped {
    note: String,
    tracking: Vec<String>,
    carrier: String,
    units: String,
    left: String,
    mark: Mark,
    changed: String,
    retry: Option<String>,
}

/// One invoice, or a part of one.
struct Invoiced {
    number: String,
    of: Option<String>,
    over: String,
    units: String,
    made: String,
    mark: Mark,
    changed: String,
    retry: Option<String>,
}

struct Amount {
    label: String,
    order: String,
    sale: String,
    difference: String,
    sum: bool,
}

struct Sent {
    what: String,
    mark: Mark,
    changed: String,
    tries: String,
    retry: Option<String>,
}

struct Day {
    head: String,
    notes: Vec<Note>,
}

struct Note {
    time: String,
    iso: String,
    tone: &'static str,
    icon: Icon,
    text: String,
    words: Option<String>,
}

struct Call {
    when: String,
    method: String,
    url: String,
    status: String,
    took: String,
    step: Option<String>,
    request: String,
    answer: String,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    base: Base,
    row: Row,
    source: String,
    target: String,
    barcode: Option<Barcode>,
    deadlines: Vec<DeadlineBox>,
    facts: Vec<(&'static str, String)>,
    problem: Option<String>,
    lines: Vec<Line>,
    shipments: Vec<Shipped>,
    invoices: Vec<Invoiced>,
    /// The preview of trying everything of it again.
    again: Option<String>,
    amounts: Vec<Amount>,
    money: Option<Mark>,
    sent: Vec<Sent>,
    days: Vec<Day>,
    calls: Vec<Call>,
    as_of: String,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let id = OrderId(asked.number("id")?);
    let detail = asked
        .site
        .handle
        .order(id)
        .await?
        .ok_or_else(|| Failure::not_found("This order"))?;
    let (base, times) = base(asked, "/orders/one", &detail.order.number).await?;
    let now = asked.site.handle.now();
    render(
        StatusCode::OK,
        &compose(base, &detail, &times, times.clock_seconds(now)),
    )
}

/// Tries a step again.
pub(crate) async fn retry(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (id, job) = (asked.number("id")?, asked.number("job")?);
    asked.site.handle.retry_job(JobId(job), &asked.who).await?;
    let notice = Notice {
        text: "It is tried again now. What was confirmed already is not sent twice.".to_owned(),
        ..Notice::default()
    };
    Ok(asked.say(&format!("/orders/{id}"), notice))
}

fn join(parts: &[Option<&str>]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .flatten()
        .map(|p| p.trim())
        .filter(|p| !p.is_empty())
        .collect();
    parts.join(", ")
}

fn method(method: Option<&Method>) -> String {
    let words = method.map(|m| join(&[m.carrier.as_deref(), m.name.as_deref(), m.code.as_deref()]));
    words
        .filter(|w| !w.is_empty())
        .unwrap_or_else(|| "not said".to_owned())
}

fn address(address: &Address) -> String {
    let street = address.street.join(", ");
    let town = [
        Some(address.city.as_str()),
        address.region.as_deref(),
        Some(address.postcode.as_str()),
    ];
    let town: Vec<&str> = town
        .into_iter()
        .flatten()
        .filter(|p| !p.is_empty())
        .collect();
    join(&[
        Some(&address.name),
        address.company.as_deref(),
        address.attention.as_deref(),
        Some(&street),
        Some(&town.join(" ")),
        address.country.as_deref(),
    ])
}

fn facts(
    detail: &OrderDetail,
    order: Option<&Order>,
    times: &Times,
) -> Vec<(&'static str, String)> {
    let view = &detail.order;
    let mut facts = vec![("Received", times.when(view.received_at))];
    let confirmed = |at: Option<i64>, otherwise: &str| {
        at.map_or_else(|| otherwise.to_owned(), |at| times.when(at))
    };
    if view.stage != OrderStage::Refused {
        let not_yet = format!("{} has not confirmed yet", view.source);
        facts.push(("Acknowledged", confirmed(view.acknowledged_at, &not_yet)));
        facts.push((
            "Sale number sent back",
            confirmed(
                view.delivered_at,
                if view.sale.is_some() {
                    &not_yet
                } else {
                    "not yet"
                },
            ),
        ));
    }
    let Some(order) = order else {
        return facts;
    };
    if let Some(number) = &order.customer {
        facts.push(("Customer's order no.", number.clone()));
    }
    if let Some(placed) = order.placed_at {
        facts.push(("Placed", times.when(placed)));
    }
    facts.push(("Asked for", method(order.shipping_method.as_ref())));
    if let Some(warehouse) = &order.warehouse {
        facts.push(("Ships from", warehouse.clone()));
    }
    facts.push(("Ship to", address(&order.ship_to)));
    facts
}

fn deadlines(detail: &OrderDetail, times: &Times) -> Vec<DeadlineBox> {
    let view = &detail.order;
    let over = matches!(
        view.stage,
        OrderStage::Cancelled | OrderStage::Refused | OrderStage::Invoiced
    );
    detail
        .deadlines
        .iter()
        .map(|(kind, at, by)| {
            let met = match kind {
                DeadlineKind::Acknowledge => view.acknowledged_at.is_some(),
                DeadlineKind::Ship => view.stage == OrderStage::Shipped,
                DeadlineKind::Invoice => false,
            };
            let (left, mark) = match (over || met, times.past(*at)) {
                (true, _) => (String::new(), Some(Mark::of(Tone::Ok, "done"))),
                (false, true) => (String::new(), Some(Mark::of(Tone::You, times.left(*at)))),
                (false, false) => (format!("{} left", times.left(*at)), None),
            };
            DeadlineBox {
                what: deadline_words(*kind),
                left,
                when: times.when(*at),
                set_by: set_by(*by, &view.source),
                mark,
            }
        })
        .collect()
}

/// A line in words; its quantities are the agent's own count where there is one, which knows what is under way.
fn line(line: &OrderLine, counted: Option<&LineView>, currency: Option<&str>) -> Line {
    let open = line.wanted().checked_sub(line.shipped).unwrap_or_default();
    let (shipped, open) = counted.map_or((line.shipped, open), |c| (c.shipped, c.open));
    let amount = line
        .unit_price
        .and_then(|price| price.checked_mul(line.wanted()));
    let shown = |amount: Option<Decimal>| {
        amount.map_or_else(|| "not given".to_owned(), |a| money(a, currency))
    };
    Line {
        number: line
            .number
            .map_or_else(|| line.line.clone(), |n| n.to_string()),
        title: if line.title.is_empty() {
            "No title given".to_owned()
        } else {
            line.title.clone()
        },
        ids: line
            .identifiers
            .iter()
            .filter(|id| !id.value.is_empty())
            .map(|id| (id.kind.clone(), id.value.clone()))
            .collect(),
        ordered: quantity(line.quantity),
        shipped: quantity(shipped),
        cancelled: quantity(line.cancelled),
        invoiced: quantity(counted.map_or(Decimal::ZERO, |c| c.invoiced)),
        open: quantity(open),
        is_open: open.is_positive(),
        price: shown(line.unit_price),
        amount: shown(amount),
    }
}

/// Lines of the order with their counts.
fn lines(detail: &OrderDetail, order: &Order) -> Vec<Line> {
    let currency = order.currency.as_deref();
    let counted = |key: &str| detail.lines.iter().find(|c| c.line == key);
    let all = order.lines.iter();
    all.map(|l| line(l, counted(&l.line), currency)).collect()
}

/// "2 of line 1, 1 of line 2".
fn units(all: &[(String, Decimal)], detail: &OrderDetail) -> String {
    let number = |key: &str| {
        let line = detail.lines.iter().find(|l| l.line == key);
        line.and_then(|l| l.number)
            .map_or_else(|| key.to_owned(), |n| n.to_string())
    };
    let each: Vec<String> = all
        .iter()
        .map(|(line, units)| format!("{} of line {}", quantity(*units), number(line)))
        .collect();
    each.join(", ")
}

fn invoice(invoice: &InvoiceView, detail: &OrderDetail, times: &Times) -> Invoiced {
    let units = units(&invoice.units, detail);
    Invoiced {
        number: invoice.number.clone(),
        of: invoice.of.clone(),
        over: money(invoice.over, Some(&invoice.currency)),
        units: if units.is_empty() {
            "none sent yet".to_owned()
        } else {
            units
        },
        made: times.when(invoice.issued_at),
        mark: Mark::of(invoice.tone, invoice.state.clone()),
        changed: times.when(invoice.changed_at),
        retry: invoice
            .can_retry
            .then(|| format!("/orders/{}/jobs/{}/retry", detail.order.id, invoice.job)),
    }
}

fn shipment(shipment: &ShipmentView, detail: &OrderDetail, times: &Times) -> Shipped {
    let units = units(&shipment.units, detail);
    Shipped {
        note: shipment.note.clone(),
        tracking: shipment.tracking.clone(),
        carrier: shipment
            .carrier
            .clone()
            .unwrap_or_else(|| "not said".to_owned()),
        units: if units.is_empty() {
            "none told yet".to_owned()
        } else {
            units
        },
        left: shipment
            .shipped_at
            .map_or_else(|| "not shipped yet".to_owned(), |at| times.when(at)),
        mark: Mark::of(shipment.tone, shipment.state.clone()),
        changed: times.when(shipment.changed_at),
        retry: shipment
            .can_retry
            .then(|| format!("/orders/{}/jobs/{}/retry", detail.order.id, shipment.job)),
    }
}

fn amount(row: &MoneyRow, currency: Option<&str>) -> Amount {
    let shown = |amount: Option<Decimal>| {
        amount.map_or_else(|| "not yet".to_owned(), |a| money(a, currency))
    };
    let difference = row
        .order
        .zip(row.sale)
        .and_then(|(order, sale)| order.checked_sub(sale));
    Amount {
        label: row.label.clone(),
        order: shown(row.order),
        sale: shown(row.sale),
        difference: difference.map_or_else(String::new, |d| money(d, None)),
        sum: row.sum,
    }
}

fn sent(job: &JobView, order: OrderId, times: &Times) -> Sent {
    Sent {
        what: job.what.clone(),
        mark: Mark::of(job.tone, job.state.clone()),
        changed: times.when(job.changed_at),
        tries: if job.attempt == 0 {
            "not yet".to_owned()
        } else {
            count(job.attempt.into(), "time", "times")
        },
        retry: job
            .can_retry
            .then(|| format!("/orders/{order}/jobs/{}/retry", job.id)),
    }
}

fn days(notes: &[NoteView], times: &Times) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for note in notes {
        let head = times.day_head(note.at);
        let shown = Note {
            time: times.clock(note.at),
            iso: Times::iso(note.at),
            tone: tone_class(note.tone),
            icon: icon(&note.icon),
            text: note.text.clone(),
            words: note.words.clone(),
        };
        match days.last_mut() {
            Some(day) if day.head == head => day.notes.push(shown),
            _ => days.push(Day {
                head,
                notes: vec![shown],
            }),
        }
    }
    days
}

fn call(exchange: &Exchange, times: &Times) -> Call {
    let status = match (exchange.status, exchange.replayed) {
        (_, true) => "answered from the journal, not sent again".to_owned(),
        (0, _) => "no answer".to_owned(),
        (status, _) => status.to_string(),
    };
    Call {
        when: format!(
            "{}, {}",
            times.day(exchange.at),
            times.clock_seconds(exchange.at)
        ),
        method: exchange.method.clone(),
        url: exchange.url.clone(),
        status,
        took: format!("{} ms", exchange.took_ms),
        step: exchange.step.clone(),
        request: exchange.request.clone(),
        answer: exchange.answer.clone(),
    }
}

fn compose(base: Base, detail: &OrderDetail, times: &Times, as_of: String) -> OrderPage {
    let order = detail.document.order();
    let currency = order.and_then(|o| o.currency.as_deref());
    OrderPage {
        row: Row::of(&detail.order, times),
        source: detail.order.source.clone(),
        target: detail.order.target.clone(),
        barcode: code128(&detail.order.number),
        deadlines: deadlines(detail, times),
        facts: facts(detail, order, times),
        problem: detail.order.problem.clone(),
        lines: order.map_or_else(Vec::new, |o| lines(detail, o)),
        shipments: detail
            .shipments
            .iter()
            .map(|s| shipment(s, detail, times))
            .collect(),
        invoices: detail
            .invoices
            .iter()
            .map(|i| invoice(i, detail, times))
            .collect(),
        again: detail
            .jobs
            .iter()
            .any(|job| job.can_retry)
            .then(|| format!("/replay?order={}", detail.order.id)),
        amounts: detail
            .money
            .iter()
            .map(|row| amount(row, currency))
            .collect(),
        money: (!detail.money_sentence.1.is_empty())
            .then(|| Mark::of(detail.money_sentence.0, detail.money_sentence.1.clone())),
        sent: detail
            .jobs
            .iter()
            .map(|job| sent(job, detail.order.id, times))
            .collect(),
        days: days(&detail.timeline, times),
        calls: detail
            .exchanges
            .iter()
            .map(|exchange| call(exchange, times))
            .collect(),
        as_of,
        base,
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
