//! WIT types of contract 0.1 to and from the model, field by field. It decides nothing but whether a value fits.

use super::bindings::exports::waybill::connector::{base, levels, listing, sink, source, webhook};
use super::bindings::waybill::commerce::types as wit;
use super::bindings::waybill::connector::types as con;
use super::bindings::waybill::host::{effects as eff, http, links, log};
use crate::caps::http::{Request, Response};
use crate::caps::log::Level;
use crate::effects::{Denial, Effect, IoError};
use waybill_model::contract as m;
use waybill_model::decimal::{Decimal, MAX_SCALE};
use waybill_model::document as d;

/// A value the model has no room for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misfit(String);

/// A value that exists on both sides of the border.
pub(crate) trait Canonical: Sized {
    /// Its WIT twin.
    type Wit;
    /// From the guest.
    fn lift(wit: Self::Wit) -> Result<Self, Misfit>;
    /// To the guest.
    fn lower(self) -> Self::Wit;
}

macro_rules! plain {
    ($($ty:ty),*) => {$(
        impl Canonical for $ty {
            type Wit = $ty;
            fn lift(wit: $ty) -> Result<Self, Misfit> { Ok(wit) }
            fn lower(self) -> $ty { self }
        }
    )*};
}
plain!(String, bool, u32, u8, i64, (String, String));

macro_rules! record {
    ($model:ty as $wit:ty { $($field:ident),* $(,)? }) => {
        impl Canonical for $model {
            type Wit = $wit;
            fn lift(wit: $wit) -> Result<Self, Misfit> {
                Ok(Self { $($field: Canonical::lift(wit.$field)?),* })
            }
            fn lower(self) -> $wit {
                type Wit = $wit;
                Wit { $($field: Canonical::lower(self.$field)),* }
            }
        }
    };
}

macro_rules! words {
    ($model:ty as $wit:ty { $($case:ident),* $(,)? }) => {
        impl Canonical for $model {
            type Wit = $wit;
            fn lift(wit: $wit) -> Result<Self, Misfit> {
                type Wit = $wit;
                Ok(match wit { $(Wit::$case => Self::$case),* })
            }
            fn lower(self) -> $wit {
                type Wit = $wit;
                match self { $(Self::$case => Wit::$case),* }
            }
        }
    };
}

macro_rules! cases {
    ($model:ty as $wit:ty { $($case:ident($named:ident)),* $(,)? } $(, { $($bare:ident = $bare_named:ident),* })?) => {
        impl Canonical for $model {
            type Wit = $wit;
            fn lift(wit: $wit) -> Result<Self, Misfit> {
                type Wit = $wit;
                Ok(match wit {
                    $(Wit::$named(value) => Self::$case(Canonical::lift(value)?),)*
                    $($(Wit::$bare_named => Self::$bare,)*)?
                })
            }
            fn lower(self) -> $wit {
                type Wit = $wit;
                match self {
                    $(Self::$case(value) => Wit::$named(Canonical::lower(value)),)*
                    $($(Self::$bare => Wit::$bare_named,)*)?
                }
            }
        }
    };
}

impl<T: Canonical> Canonical for Option<T> {
    type Wit = Option<T::Wit>;
    fn lift(wit: Self::Wit) -> Result<Self, Misfit> {
        wit.map(T::lift).transpose()
    }
    fn lower(self) -> Self::Wit {
        self.map(T::lower)
    }
}

impl<T: Canonical> Canonical for Vec<T> {
    type Wit = Vec<T::Wit>;
    fn lift(wit: Self::Wit) -> Result<Self, Misfit> {
        wit.into_iter().map(T::lift).collect()
    }
    fn lower(self) -> Self::Wit {
        self.into_iter().map(T::lower).collect()
    }
}

impl<T: Canonical, E: Canonical> Canonical for Result<T, E> {
    type Wit = Result<T::Wit, E::Wit>;
    fn lift(wit: Self::Wit) -> Result<Self, Misfit> {
        match wit {
            Ok(value) => T::lift(value).map(Ok),
            Err(error) => E::lift(error).map(Err),
        }
    }
    fn lower(self) -> Self::Wit {
        self.map(T::lower).map_err(E::lower)
    }
}

impl Canonical for Decimal {
    type Wit = wit::Decimal;
    fn lift(wit: wit::Decimal) -> Result<Self, Misfit> {
        if wit.scale > MAX_SCALE {
            return Err(Misfit(format!(
                "a decimal with {} digits behind the point; at most {MAX_SCALE} are kept",
                wit.scale
            )));
        }
        Ok(Self::new(wit.units, wit.scale))
    }
    fn lower(self) -> wit::Decimal {
        wit::Decimal {
            units: self.units,
            scale: self.scale,
        }
    }
}

words!(d::Entity as wit::Entity {
    Order, Cancellation, OrderState, Shipment, Invoice, InventoryLevel, Item, Customer, Retailer,
    Warehouse, ShippingMethod,
});
words!(d::OrderPhase as wit::OrderPhase { Pending, Open, Accepted, Completed, Cancelled });
words!(d::DeadlineSource as wit::DeadlineSource { Order, Line, Network });
words!(d::CancelPhase as wit::CancelPhase { Requested, Ordered, Accepted, Refused });
words!(d::Stage as wit::Stage { Created, Printed, Picked, Packed, Shipped });
words!(m::Moment as con::Moment { Accepted, Delivered });

record!(d::Totals as wit::Totals { net, tax, gross });
record!(d::Extra as wit::Extra { name, value });
record!(d::Identifier as wit::Identifier { kind, value });
record!(d::Address as wit::Address {
    name, company, attention, street, city, region, postcode, country, phone, email,
});
record!(d::Method as wit::Method { carrier, name, code });
record!(d::Charge as wit::Charge { kind, title, amount });
record!(d::Deadline as wit::Deadline { at, set_by });
record!(d::OrderLine as wit::OrderLine {
    line, number, identifiers, title, quantity, cancelled, shipped, unit_price, tax, ship_by,
    warehouse, extras,
});
record!(d::Order as wit::Order {
    number, retailer, retailer_name, kind, test, phase, currency, placed_at, acknowledge_by,
    ship_by, invoice_by, cancel_after, customer, warehouse, shipping_method, bill_to, ship_to,
    lines, charges, total, supplier_number, extras,
});
record!(d::LineQuantity as wit::LineQuantity { line, quantity });
record!(d::Cancellation as wit::Cancellation { order_key, phase, reason, lines });
record!(d::LineState as wit::LineState { line, allocated, shipped, cancelled, invoiced });
record!(d::OrderState as wit::OrderState { order_key, status, cancelled, invoices, lines });
record!(m::Delivered as webhook::Delivered { headers, body });
record!(m::Hint as webhook::Hint { entity, key });
record!(d::Part as wit::Part { item, per_unit, parts });
record!(d::PackedLine as wit::PackedLine { line, quantity, part });
record!(d::Parcel as wit::Parcel { tracking, lines, span, extras });
record!(d::Shipment as wit::Shipment {
    order_key, stage, shipped_at, warehouse, shipping_method, parcels, extras,
});
record!(d::Invoice as wit::Invoice {
    number, order_key, issued_at, currency, lines, charges, total, extras,
});
record!(d::InventoryLevel as wit::InventoryLevel { item, warehouse, available, expected_at });
record!(d::Component as wit::Component { item, quantity });
record!(d::Item as wit::Item { identifiers, title, tracked, active, components, extras });
record!(d::Customer as wit::Customer { code, address, extras });
record!(d::Retailer as wit::Retailer { code, name, active, extras });
record!(d::Warehouse as wit::Warehouse { code, name, active, extras });
record!(d::ShippingMethod as wit::ShippingMethod { method, extras });
record!(d::Document as wit::Document { key, revision, occurred_at, body });
cases!(d::Body as wit::Body {
    Order(Order), Cancellation(Cancellation), OrderState(OrderState), Shipment(Shipment),
    Invoice(Invoice), InventoryLevel(InventoryLevel), Item(Item), Customer(Customer),
    Retailer(Retailer), Warehouse(Warehouse), ShippingMethod(ShippingMethod),
});

record!(m::Link as links::Link { system, entity, key });
record!(m::Problem as con::Problem { code, message, hint });
record!(m::Gap as con::Gap { table, retailer, value });
cases!(m::Failure as con::Failure {
    Retry(Retry), Rejected(Rejected), Unmapped(Unmapped), InDoubt(InDoubt),
    Unauthorized(Unauthorized), Withdrawn(Withdrawn),
});
record!(m::Receipt as con::Receipt { key, number, duplicate, links });
record!(m::Ticket as con::Ticket { handle, check_in_secs });
cases!(m::Outcome as con::Outcome { Done(Done), Pending(Pending) }, { Recorded = Recorded });
record!(m::Context as con::Context { settings, attempt });
record!(m::Choice as con::Choice { value, label, disabled });
record!(m::ChoicePage as base::ChoicePage { items, next });
cases!(m::Field as con::Field { OneOf(OneOf) }, {
    Text = Text, Url = Url, Integer = Integer, Decimal = Decimal, Toggle = Toggle, Lookup = Lookup
});
record!(m::Setting as con::Setting {
    key, label, help, group, required, per_retailer, default, field, was,
});
record!(m::OAuth as con::Oauth { authorize_url, token_url, client_id, form, headers, expose });
cases!(m::Scheme as con::Scheme {
    Headers(Headers), OAuth2Client(Oauth2Client), OAuth2Code(Oauth2Code)
}, { SftpPassword = SftpPassword, SshKey = SshKey });
record!(m::Credential as con::Credential { slot, label, help, scheme, secrets, hosts, steps });
record!(m::Reach as con::Reach { url, per_minute, per_second });
record!(m::Table as con::Table { name, label, columns, per_retailer, lookup });
record!(m::Feed as con::Feed { entity, poll_secs, settles });
record!(m::Intake as con::Intake { entity, max_batch, self_decrementing });
record!(m::Descriptor as con::Descriptor {
    id, version, title, reach, credentials, settings, tables, pulls, pushes,
});
record!(m::Settled as source::Settled { entity, key, links });
record!(m::Place as levels::Place { warehouse, available, expected_at });
record!(m::Level as levels::Level { item, places });
record!(m::Delivery as sink::Delivery { document, origin, links, settings });

/// Bytes are moved, not walked.
pub(crate) fn page(wit: source::Page) -> Result<m::Page, Misfit> {
    Ok(m::Page {
        documents: Canonical::lift(wit.documents)?,
        cursor: wit.cursor,
        more: wit.more,
    })
}

pub(crate) fn scope(scope: m::Scope) -> listing::Scope {
    match scope {
        m::Scope::Everything => listing::Scope::Everything,
        m::Scope::Between(from, to) => listing::Scope::Between((from, to)),
        m::Scope::Keys(keys) => listing::Scope::Keys(keys),
    }
}

pub(crate) fn level(level: log::Level) -> Level {
    match level {
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warn => Level::Warn,
        log::Level::Error => Level::Error,
    }
}

pub(crate) fn request(wit: http::Request) -> Request {
    Request {
        method: wit.method,
        url: wit.url,
        headers: wit.headers,
        body: wit.body,
        credential: wit.credential,
        effect: wit.effect.map(effect),
    }
}

pub(crate) fn effect(wit: eff::Effect) -> Effect {
    Effect {
        step: wit.step,
        members: wit.members,
        verified_absent: wit.verified_absent,
    }
}

pub(crate) fn response(response: Response) -> http::Response {
    http::Response {
        status: response.answer.status,
        headers: response.answer.headers,
        body: response.answer.body,
        replayed: response.replayed,
    }
}

pub(crate) fn io_error(error: IoError) -> eff::IoError {
    match error {
        IoError::Denied(denial) => eff::IoError::Denied(match denial {
            Denial::NotGranted(why) => eff::Denial::NotGranted(why),
            Denial::EffectRequired => eff::Denial::EffectRequired,
            Denial::ReadOnlyCall => eff::Denial::ReadOnlyCall,
            Denial::Practice => eff::Denial::Practice,
        }),
        IoError::TimedOut => eff::IoError::TimedOut,
        IoError::Refused(why) => eff::IoError::Refused(why),
        IoError::TooLarge(limit) => eff::IoError::TooLarge(limit),
        IoError::InDoubt(age) => eff::IoError::InDoubt(age),
    }
}
