//! Retailers: what came from each, what is due and what waits; and one retailer with the settings that hold for it.

use super::layout::Base;
use super::orders::Row as OrderLine;
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::api_setup;
use crate::html::{Mark, Times, deadline_words, grouped, set_by};
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use waybill_engine::in_force::HeldSetting;
use waybill_engine::retailers::{RetailerDetail, RetailerView};
use waybill_engine::stock::view::Counted;
use waybill_engine::view::Tone;

struct Row {
    href: String,
    name: String,
    code: String,
    source: String,
    today: String,
    week: String,
    waiting: Mark,
    deadlines: Mark,
    customer: String,
    own: String,
}

#[derive(Template)]
#[template(path = "retailers.html")]
struct RetailersPage {
    base: Base,
    rows: Vec<Row>,
}

struct Due {
    href: String,
    number: String,
    what: &'static str,
    left: String,
    late: bool,
    when: String,
    set_by: String,
}

struct Setting {
    label: String,
    key: String,
    holds: String,
    from: String,
    own: bool,
    small: Option<String>,
}

#[derive(Template)]
#[template(path = "retailer.html")]
struct RetailerPage {
    base: Base,
    row: Row,
    number: Option<u32>,
    due: Vec<Due>,
    waiting: Vec<OrderLine>,
    orders: Vec<OrderLine>,
    settings: Vec<Setting>,
    at_connections: Vec<(String, String, String)>,
    next: Option<String>,
}

/// The list.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, _) = base(asked, "/retailers", "Retailers").await?;
    let views = asked.site.handle.retailers(api_setup::since(asked)).await?;
    let page = RetailersPage {
        base,
        rows: views.iter().map(row).collect(),
    };
    render(StatusCode::OK, &page)
}

/// One of them.
pub(crate) async fn one(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let detail = api_setup::retailer(asked).await?;
    let (base, times) = base(asked, "/retailers/", &detail.retailer.name).await?;
    render(StatusCode::OK, &compose(base, &detail, &times))
}

fn number(counted: Counted) -> String {
    let more = if counted.or_more { "+" } else { "" };
    format!("{}{more}", grouped(&counted.items.to_string()))
}

fn row(view: &RetailerView) -> Row {
    let code = utf8_percent_encode(&view.code, NON_ALPHANUMERIC);
    let customer = match &view.customer {
        _ if view.customer_per_order => "Its consumer, for each order".to_owned(),
        Some((key, name)) if name.is_empty() => format!("Contact {key}"),
        Some((key, name)) => format!("{name}, contact {key}"),
        None if view.customer_created => "Created with its first sale".to_owned(),
        None => "Not matched yet".to_owned(),
    };
    let late = match view.late {
        0 => String::new(),
        late => format!(", {late} late"),
    };
    let tone = |bad: bool, of: Counted| match of.items {
        0 => Tone::Ok,
        _ if bad => Tone::You,
        _ => Tone::Quiet,
    };
    Row {
        href: format!("/retailers/{}-{code}", view.connection),
        name: view.name.clone(),
        code: view.code.clone(),
        source: view.source.clone(),
        today: number(view.today),
        week: number(view.week),
        waiting: Mark::of(tone(true, view.waiting), number(view.waiting)),
        deadlines: Mark::of(
            tone(view.late > 0, view.deadlines),
            format!("{}{late}", number(view.deadlines)),
        ),
        customer,
        own: match view.own_settings {
            0 => "none".to_owned(),
            own => own.to_string(),
        },
    }
}

fn setting(held: &HeldSetting, times: &Times) -> Setting {
    let others = held.others.as_deref().unwrap_or("nothing set");
    Setting {
        label: held.label.clone(),
        key: held.key.clone(),
        holds: held
            .holds
            .clone()
            .unwrap_or_else(|| "nothing set".to_owned()),
        from: match &held.own {
            Some(_) => format!("Its own; for the others: {others}"),
            None => "As for all retailers".to_owned(),
        },
        own: held.own.is_some(),
        small: held
            .own
            .as_ref()
            .map(|own| format!("Set by {}, {}", own.who, times.when(own.at))),
    }
}

fn compose(base: Base, detail: &RetailerDetail, times: &Times) -> RetailerPage {
    let row = row(&detail.retailer);
    let due = detail.deadlines.iter().map(|due| Due {
        href: format!("/orders/{}", due.order.id),
        number: due.order.number.clone(),
        what: deadline_words(due.kind),
        left: times.left(due.at),
        late: times.past(due.at),
        when: times.when(due.at),
        set_by: set_by(due.set_by, &due.order.source),
    });
    let orders = |all: &[waybill_engine::view::OrderView]| {
        all.iter()
            .map(|order| OrderLine::of(order, times))
            .collect()
    };
    RetailerPage {
        number: detail.retailer.id.map(|id| id.0),
        due: due.collect(),
        waiting: orders(&detail.waiting),
        orders: orders(&detail.orders),
        settings: detail
            .settings
            .iter()
            .map(|held| setting(held, times))
            .collect(),
        at_connections: detail.at_connections.clone(),
        next: detail
            .next
            .map(|before| format!("{}?before={before}", row.href)),
        row,
        base,
    }
}

#[cfg(test)]
#[path = "retailers_tests.rs"]
mod tests;
