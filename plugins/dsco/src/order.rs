//! A vendor's order as a canonical one. Knows no call and no cursor; unknown fields are carried as extras.

use crate::api::Api;
use crate::line::{Contents, contents, extra, is_open, lines};
use crate::wire::order::{Address as WireAddress, Line, Order as WireOrder};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::{
    Address, Body, Charge, Deadline, DeadlineSource, Decimal, Document, Extra, Method, Order,
    OrderLine, OrderPhase, Totals,
};
use waybill_sdk::date;
use waybill_sdk::decimal::ZERO;
use waybill_sdk::host::Core;
use waybill_sdk::log::Level;

/// Names of retailers, as the retailer feed left them in the private space.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, String>);

/// Where the name of a retailer is kept.
pub(crate) fn name_key(retailer: &str) -> String {
    format!("{NAMES}{retailer}")
}

/// Before the id of each.
pub(crate) const NAMES: &str = "retailer-name/";

impl Names {
    /// The names of the retailers of these orders.
    pub(crate) fn of(host: &(impl Core + ?Sized), orders: &[WireOrder]) -> Self {
        let retailers: Vec<String> = orders
            .iter()
            .map(retailer)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        if retailers.is_empty() {
            return Self::default();
        }
        let keys: Vec<String> = retailers.iter().map(|id| name_key(id)).collect();
        let names = host.kv_get(&keys);
        Self(
            retailers
                .into_iter()
                .zip(names)
                .filter_map(|(id, name)| Some((id, String::from_utf8(name?).ok()?)))
                .collect(),
        )
    }
}

/// The retailer's account. Not the trading partner id: that is how the retailer calls *this supplier*.
fn retailer(order: &WireOrder) -> String {
    order
        .dsco_retailer_id
        .clone()
        .or_else(|| order.dsco_trading_partner_id.clone())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Whether DSCO is still working on it: it comes again as `created`.
pub(crate) fn is_pending(order: &WireOrder) -> bool {
    order.dsco_lifecycle.as_deref() == Some("received")
}

/// The revision of an order. `dscoLastUpdate` alone is not enough: it has whole seconds, and an order created and
/// acknowledged in one second would look unchanged. So the state the agent acts on stands beside it; all of it is the
/// vendor's, and it is the same whether the order came by stream, by search or by key.
pub(crate) fn revision(order: &WireOrder) -> String {
    let cancelled = order
        .line_items
        .iter()
        .filter_map(|line| line.cancelled_quantity)
        .try_fold(ZERO, Decimal::plus)
        .unwrap_or(ZERO);
    let asked = order.line_items.iter().enumerate();
    let asked: Vec<String> = asked
        .filter(|(_, line)| line.cancel_requested == Some(true))
        .map(|(index, _)| (index + 1).to_string())
        .collect();
    format!(
        "{} {} {} {cancelled}{}{}{}",
        changed_at(order).map_or_else(|| "-".to_owned(), date::format),
        order.dsco_lifecycle.as_deref().unwrap_or("-"),
        order.dsco_status.as_deref().unwrap_or("-"),
        if order.cancel_requested == Some(true) {
            " cancel-requested"
        } else {
            ""
        },
        if asked.is_empty() {
            String::new()
        } else {
            format!(" of {}", asked.join(","))
        },
        match order.packages.len() {
            0 => String::new(),
            parcels => format!(" parcels {parcels}"),
        }
    )
}

/// When it last changed there.
pub(crate) fn changed_at(order: &WireOrder) -> Option<i64> {
    order.dsco_last_update.or(order.dsco_create_date)
}

/// The canonical order; none, with an error in the log, where it has no id to be known by.
pub(crate) fn document(api: &Api<'_>, order: &WireOrder, names: &Names) -> Option<Document> {
    let Some(key) = order.dsco_order_id.clone() else {
        api.host.log(
            Level::Error,
            "An order without dscoOrderId was left out.",
            &[("number", order.po_number.as_deref().unwrap_or("-"))],
        );
        return None;
    };
    let retailer = retailer(order);
    let lines = lines(order);
    Some(Document {
        revision: revision(order),
        occurred_at: changed_at(order).unwrap_or_else(|| api.host.now_ms()),
        body: Body::Order(Order {
            number: order.po_number.clone().unwrap_or_else(|| key.clone()),
            retailer_name: names
                .0
                .get(&retailer)
                .cloned()
                .unwrap_or_else(|| retailer.clone()),
            retailer,
            kind: order
                .order_type
                .as_deref()
                .map_or_else(|| "dropship".to_owned(), str::to_ascii_lowercase),
            test: order.test_flag.unwrap_or(false),
            phase: phase(order, &lines),
            currency: order.currency_code.clone(),
            placed_at: order
                .retailer_create_date
                .or(order.consumer_order_date)
                .or(order.dsco_create_date),
            acknowledge_by: deadline(
                order,
                &lines,
                |line| line.acknowledge_by_date,
                order.acknowledge_by_date,
                order.dsco_acknowledge_late_date,
            ),
            ship_by: deadline(
                order,
                &lines,
                |line| line.ship_by_date,
                order.ship_by_date,
                order.dsco_ship_late_date,
            ),
            invoice_by: deadline(
                order,
                &lines,
                |line| line.invoice_by_date,
                order.invoice_by_date,
                order.dsco_invoice_late_date,
            ),
            cancel_after: order
                .line_items
                .iter()
                .filter_map(|line| line.cancel_after_date)
                .chain(order.cancel_after_date)
                .min(),
            customer: None,
            warehouse: order
                .ship_warehouse_code
                .clone()
                .or_else(|| order.dsco_warehouse_code.clone())
                .or_else(|| order.requested_warehouse_code.clone()),
            shipping_method: method(order),
            bill_to: order.bill_to.as_ref().and_then(address),
            ship_to: order
                .shipping
                .as_ref()
                .and_then(address)
                // It will wait for a person, since an address without country does.
                .unwrap_or_else(Address::blank),
            charges: charges(api, order),
            total: total(api, order),
            supplier_number: order.supplier_order_number.clone(),
            extras: extras(api, order),
            lines,
        }),
        key,
    })
}

/// What may be done with it. The lifecycle counts; the older status only where there is none.
fn phase(order: &WireOrder, lines: &[OrderLine]) -> OrderPhase {
    let all_cancelled = !lines.is_empty()
        && lines
            .iter()
            .all(|line| line.cancelled.compare(line.quantity) != Ordering::Less);
    if order.dsco_status.as_deref() == Some("cancelled") || all_cancelled {
        return OrderPhase::Cancelled;
    }
    let nothing_open = !lines.is_empty() && lines.iter().all(|line| !is_open(line));
    match (
        order.dsco_lifecycle.as_deref(),
        order.dsco_status.as_deref(),
    ) {
        (Some("received"), _) => OrderPhase::Pending,
        (Some("acknowledged"), _) => OrderPhase::Accepted,
        (Some("completed"), _) => OrderPhase::Completed,
        // `shipped` is said after the first parcel already.
        (Some("created"), _) => OrderPhase::Open,
        (_, Some("shipped")) if nothing_open => OrderPhase::Completed,
        (_, Some("shipped" | "shipment_pending")) => OrderPhase::Accepted,
        // A state of a later version: shown as open, so that whatever is wrong with it is seen.
        _ => OrderPhase::Open,
    }
}

/// The earliest deadline of the lines still open: a line's own date, else the order's, else the network's.
fn deadline(
    order: &WireOrder,
    lines: &[OrderLine],
    of_line: impl Fn(&Line) -> Option<i64>,
    of_order: Option<i64>,
    of_network: Option<i64>,
) -> Option<Deadline> {
    let general = of_order
        .map(|at| (at, DeadlineSource::Order))
        .or(of_network.map(|at| (at, DeadlineSource::Network)));
    let any_open = lines.iter().any(is_open);
    let earliest = order
        .line_items
        .iter()
        .zip(lines)
        .filter(|(_, line)| !any_open || is_open(line))
        .filter_map(|(wire, _)| {
            of_line(wire)
                .map(|at| (at, DeadlineSource::Line))
                .or(general)
        })
        .min_by_key(|(at, _)| *at)
        .or(general);
    earliest.map(|(at, set_by)| Deadline { at, set_by })
}

/// The first triplet that says anything: what the supplier is to use, DSCO's own choice, what the retailer asked.
fn method(order: &WireOrder) -> Option<Method> {
    [
        (
            &order.ship_carrier,
            &order.ship_method,
            &order.shipping_service_level_code,
        ),
        (
            &order.dsco_ship_carrier,
            &order.dsco_ship_method,
            &order.dsco_shipping_service_level_code,
        ),
        (
            &order.requested_ship_carrier,
            &order.requested_ship_method,
            &order.requested_shipping_service_level_code,
        ),
    ]
    .into_iter()
    .find(|(carrier, name, code)| carrier.is_some() || name.is_some() || code.is_some())
    .map(|(carrier, name, code)| Method {
        carrier: carrier.clone(),
        name: name.clone(),
        code: code.clone(),
    })
}

/// The address; none where nothing in it is filled.
fn address(wire: &WireAddress) -> Option<Address> {
    let both = [wire.first_name.as_deref(), wire.last_name.as_deref()];
    let split: Vec<&str> = both.into_iter().flatten().collect();
    let name = wire
        .name
        .clone()
        .or_else(|| Some(split.join(" ")).filter(|name| !name.is_empty()))
        .or_else(|| wire.attention.clone())
        .or_else(|| wire.company.clone());
    let mut street: Vec<String> = wire.address.clone();
    street.retain(|line| !line.is_empty());
    if street.is_empty() {
        street.extend(wire.address1.iter().chain(&wire.address2).cloned());
    }
    let region = wire.region.clone().or_else(|| wire.state.clone());
    if name.is_none()
        && street.is_empty()
        && wire.city.is_none()
        && wire.postal.is_none()
        && wire.country.is_none()
        && region.is_none()
    {
        return None;
    }
    Some(Address {
        name: name.unwrap_or_default(),
        company: wire.company.clone(),
        attention: wire.attention.clone(),
        street,
        city: wire.city.clone().unwrap_or_default(),
        region,
        postcode: wire.postal.clone().unwrap_or_default(),
        country: wire.country.clone(),
        phone: wire.phone.clone(),
        email: wire.email.clone(),
    })
}

const fn net(amount: Decimal) -> Totals {
    Totals {
        net: amount,
        tax: ZERO,
        gross: amount,
    }
}

/// The total as the source states it, by the field the merchant chose. What a retailer pays a supplier has no tax.
fn total(api: &Api<'_>, order: &WireOrder) -> Option<Totals> {
    match api.config.total_field {
        "none" => None,
        "orderTotalAmount" => order.order_total_amount,
        _ => order.extended_expected_cost_total,
    }
    .map(net)
}

/// What the surcharge is called, on sales and invoices too.
const SURCHARGE: &str = "Shipping surcharge";

fn charges(api: &Api<'_>, order: &WireOrder) -> Vec<Charge> {
    order
        .shipping_surcharge
        .filter(|amount| api.config.surcharge_as_charge && !amount.is_zero())
        .map(|amount| Charge {
            kind: "surcharge".to_owned(),
            title: SURCHARGE.to_owned(),
            amount: net(amount),
        })
        .into_iter()
        .collect()
}

/// The sum over the lines; none where no line says it.
fn over_lines(order: &WireOrder, of: impl Fn(&Line) -> Option<Decimal>) -> Option<Decimal> {
    let mut amounts = order.line_items.iter().filter_map(of).peekable();
    amounts.peek()?;
    amounts.try_fold(ZERO, Decimal::plus)
}

/// What the agent may be told to hold a sale against, or to put on it: both totals, and amounts that are no charges. A
/// surcharge of the order is taken for the sum of those of its lines.
fn amounts(api: &Api<'_>, order: &WireOrder) -> impl Iterator<Item = Extra> {
    let surcharge = order
        .shipping_surcharge
        .or_else(|| over_lines(order, |line| line.shipping_surcharge));
    let counts = !charges(api, order).is_empty();
    let handling = over_lines(order, |line| line.handling_amount);
    let totals = [
        ("total order", order.order_total_amount),
        ("total lines", order.extended_expected_cost_total),
    ];
    let totals = totals
        .into_iter()
        .filter_map(|(name, amount)| Some(extra(name, &amount?.to_string())));
    let shown = [
        ("amount surcharge", surcharge.filter(|_| !counts), SURCHARGE),
        ("amount handling", handling, "Handling"),
        (
            "amount tax",
            order.amount_of_sales_tax_collected,
            "Sales tax",
        ),
    ];
    let shown = shown.into_iter().filter_map(|(name, amount, title)| {
        let amount = amount.filter(|amount| !amount.is_zero())?;
        Some(extra(name, &format!("{amount} {title}")))
    });
    totals.chain(shown)
}

fn extras(api: &Api<'_>, order: &WireOrder) -> Vec<Extra> {
    let mut all: Vec<Extra> = [
        ("dscoStatus", &order.dsco_status),
        ("dscoLifecycle", &order.dsco_lifecycle),
        ("dscoTradingPartnerId", &order.dsco_trading_partner_id),
        ("cancelRequestedCode", &order.cancel_requested_code),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.as_deref().map(|value| extra(name, value)))
    .collect();
    if order.cancel_requested == Some(true) {
        all.push(extra("cancelRequested", "true"));
    }
    for (name, amount) in [
        ("orderTotalAmount", order.order_total_amount),
        ("shippingSurcharge", order.shipping_surcharge),
        (
            "amountOfSalesTaxCollected",
            order.amount_of_sales_tax_collected,
        ),
    ] {
        all.extend(amount.map(|amount| extra(name, &amount.to_string())));
    }
    all.extend(amounts(api, order));
    all.extend(order.others.iter().map(|(name, value)| extra(name, value)));
    all.extend(contents(order).iter().map(parcel));
    if let Some(shipping) = &order.shipping {
        let fields = shipping.others.iter();
        all.extend(fields.map(|(name, value)| extra(&format!("shipping.{name}"), value)));
    }
    all
}

const PARCEL: &str = "package ";

/// A parcel that DSCO knows of, where people and the next shipment can see it: `1: 2, 2: 1` is two units of line 1 and
/// one of line 2.
fn parcel(contents: &Contents) -> Extra {
    let lines: Vec<String> = contents
        .lines
        .iter()
        .map(|(line, units)| format!("{line}: {units}"))
        .collect();
    extra(&format!("{PARCEL}{}", contents.tracking), &lines.join(", "))
}

/// The parcels that a canonical order of ours carries.
pub(crate) fn parcels(order: &Order) -> Vec<Contents> {
    let known = order.extras.iter();
    known
        .filter_map(|extra| {
            let lines = extra.value.split(", ").map(|line| {
                let (key, units) = line.rsplit_once(": ")?;
                Some((key.to_owned(), Decimal::parse(units)?))
            });
            Some(Contents {
                tracking: extra.name.strip_prefix(PARCEL)?.to_owned(),
                lines: lines.collect::<Option<_>>()?,
                numbered: true,
            })
        })
        .collect()
}
