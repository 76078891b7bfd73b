//! The merchant's rules for what an order has beside its goods: which total its sale must come to, and whether shipping,
//! handling, discounts, surcharges and tax are rows of the sale, are left out, or wait for a person. Without rules an order
//! is as its source has it. Pure; `money.rs` adds up.
//!
//! The model has one total and the charges that count. What a source states beside them are extras of the order:
//! `total order` and `total lines` with an amount, and `amount KIND` with an amount and its words, `1.50 Shipping surcharge`.

use crate::contract::{Choice, Field, Problem, Setting};
use crate::decimal::Decimal;
use crate::document::{Charge, Order, Totals, words};
use crate::money;
use crate::settings::Values;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Key of the setting: which total of the order its sale must come to.
pub const TOTAL: &str = "amounts.total";
/// Prefix of the settings that say what becomes of one kind of amount: `amounts.shipping`.
pub const AMOUNTS: &str = "amounts.";
/// Code: the merchant wants to be asked about an amount of the order.
pub const WAITS: &str = "amount-waits";
/// Code: what the sale would come to is not what the order states.
pub const DIFFERS: &str = "total-differs";

/// How the name of an extra begins that states a total.
const STATED: &str = "total ";
/// How the name of an extra begins that shows an amount which is no charge.
const SHOWN: &str = "amount ";

words!(
    /// What a sale must come to.
    Whole { Stated = "stated", Order = "order", Lines = "lines", Nothing = "none" }
);
words!(
    /// What becomes of the amounts of one kind.
    Fate { AsOrdered = "order", Row = "row", LeaveOut = "leave-out", Wait = "wait" }
);
words!(
    /// Kinds of amounts beside the goods.
    Kind { Shipping = "shipping", Handling = "handling", Discount = "discount", Surcharge = "surcharge", Tax = "tax" }
);

impl Kind {
    /// The kind of a charge; what is none of the others is a surcharge.
    fn of(charge: &str) -> Self {
        Self::from_word(charge).unwrap_or(Self::Surcharge)
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Shipping => "Shipping",
            Self::Handling => "Handling",
            Self::Discount => "Discounts",
            Self::Surcharge => "Surcharges",
            Self::Tax => "Tax",
        }
    }

    fn key(self) -> String {
        format!("{AMOUNTS}{self}")
    }
}

fn one_of(list: &[(&str, &str)]) -> Field {
    let choice = |(value, label): &(&str, &str)| Choice {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        disabled: false,
    };
    Field::OneOf(list.iter().map(choice).collect())
}

fn setting(key: String, label: String, help: &str, default: &str, field: Field) -> Setting {
    Setting {
        key,
        label,
        help: help.to_owned(),
        group: "amounts".to_owned(),
        required: false,
        per_retailer: true,
        default: Some(default.to_owned()),
        field,
        was: Vec::new(),
    }
}

/// The settings, agent-wide and per retailer. Their defaults change nothing.
pub fn amount_settings() -> Vec<Setting> {
    let total = setting(
        TOTAL.to_owned(),
        "A sale must come to".to_owned(),
        "To the cent; otherwise the order waits for you with both figures.",
        Whole::Stated.word(),
        one_of(&[
            (
                "stated",
                "The total that the network's connection names, where the order states it",
            ),
            ("order", "The order's own total, everything in it"),
            (
                "lines",
                "The order's total of its lines; what is beside them comes on top",
            ),
            ("none", "Whatever its lines and charges come to"),
        ]),
    );
    let kinds = Kind::ALL.iter().map(|kind| {
        let (help, as_ordered, row) = match kind {
            Kind::Tax => (
                "A row of its own bears no tax itself. Left out: the sale is without tax.",
                "As the order has it: with each row",
                "A row of its own, also where the order only shows it",
            ),
            _ => (
                "What counts as part of an order, and what is only shown, is the network's connection's to say.",
                "As the order has it: a row of the sale if it counts",
                "A row of the sale, also where the order only shows it",
            ),
        };
        setting(
            kind.key(),
            kind.title().to_owned(),
            help,
            Fate::AsOrdered.word(),
            one_of(&[
                ("order", as_ordered),
                ("row", row),
                ("leave-out", "Left out of the sale"),
                ("wait", "Ask me"),
            ]),
        )
    });
    std::iter::once(total).chain(kinds).collect()
}

/// The rules that hold for one retailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    whole: Whole,
    fates: [Fate; Kind::ALL.len()],
}

impl Rules {
    /// As the values in force say.
    pub fn of(values: &Values) -> Self {
        let value = |key: &str| values.get(key).map(|value| value.trim());
        let whole = value(TOTAL).and_then(Whole::from_word);
        let mut fates = [Fate::AsOrdered; Kind::ALL.len()];
        for (fate, kind) in fates.iter_mut().zip(Kind::ALL) {
            let said = value(&kind.key()).and_then(Fate::from_word);
            *fate = said.unwrap_or(Fate::AsOrdered);
        }
        Self {
            whole: whole.unwrap_or(Whole::Stated),
            fates,
        }
    }

    fn fate(self, kind: Kind) -> Fate {
        let all = Kind::ALL.iter().zip(self.fates);
        let mut own = all.filter(|(known, _)| **known == kind);
        own.next().map_or(Fate::AsOrdered, |(_, fate)| fate)
    }

    /// The order with what becomes of its amounts.
    pub fn apply(self, order: &Order) -> Ruled<'_> {
        let as_ordered = |fate: &Fate| *fate == Fate::AsOrdered;
        if self.fates.iter().all(as_ordered) {
            return Ruled {
                counted: Cow::Borrowed(order),
                taxed_apart: false,
                whole: self.whole,
                waits: Vec::new(),
            };
        }
        let mut counted = order.clone();
        counted
            .charges
            .retain(|charge| self.fate(Kind::of(&charge.kind)) != Fate::LeaveOut);
        let tax = self.fate(Kind::Tax);
        if tax == Fate::LeaveOut {
            untax(&mut counted);
        }
        let shown = shown(order);
        let rows = shown
            .iter()
            .filter(|(kind, _)| self.fate(*kind) == Fate::Row);
        counted
            .charges
            .extend(rows.map(|(_, charge)| charge.clone()));
        Ruled {
            counted: Cow::Owned(counted),
            taxed_apart: tax == Fate::Row,
            whole: self.whole,
            waits: self.waits(order, &shown),
        }
    }

    /// What a person wants to be asked about, in words.
    fn waits(self, order: &Order, shown: &[(Kind, Charge)]) -> Vec<String> {
        let currency = order.currency.as_deref().unwrap_or_default();
        let charges = order.charges.iter().map(|c| (Kind::of(&c.kind), c));
        let shown = shown.iter().map(|(kind, charge)| (*kind, charge));
        let mut waits = Vec::new();
        for (kind, charge) in charges.chain(shown) {
            let amount = charge.amount.gross;
            if self.fate(kind) == Fate::Wait && !amount.is_zero() {
                waits.push(say(&charge.title, kind, amount, currency));
            }
        }
        if self.fate(Kind::Tax) == Fate::Wait {
            let tax = taxes(order).filter(|tax| !tax.is_zero());
            waits.extend(tax.map(|tax| say("Tax of its lines", Kind::Tax, tax, currency)));
        }
        waits
    }
}

fn say(title: &str, kind: Kind, amount: Decimal, currency: &str) -> String {
    let title = match title.trim() {
        "" => kind.title(),
        title => title,
    };
    let text = format!("{title} {} {currency}", amount.rounded(2).fixed(2));
    text.trim_end().to_owned()
}

/// Tax of lines and charges.
fn taxes(order: &Order) -> Option<Decimal> {
    let lines = order.lines.iter().filter_map(|line| line.tax);
    let others = order.charges.iter();
    let others = others.filter(|charge| Kind::of(&charge.kind) != Kind::Tax);
    lines
        .chain(others.map(|charge| charge.amount.tax))
        .try_fold(Decimal::ZERO, Decimal::checked_add)
}

fn untax(order: &mut Order) {
    for line in &mut order.lines {
        line.tax = None;
    }
    order
        .charges
        .retain(|charge| Kind::of(&charge.kind) != Kind::Tax);
    for charge in &mut order.charges {
        charge.amount.tax = Decimal::ZERO;
        charge.amount.gross = charge.amount.net;
    }
}

/// Amounts that the order shows and that are no charges of it. Tax is told as tax: it is no part of a net sum.
fn shown(order: &Order) -> Vec<(Kind, Charge)> {
    let extras = order.extras.iter().filter_map(|extra| {
        let kind = Kind::of(extra.name.strip_prefix(SHOWN)?.trim());
        let (amount, title) = extra.value.split_once(' ').unwrap_or((&extra.value, ""));
        let amount: Decimal = amount.parse().ok()?;
        let (net, tax) = match kind {
            Kind::Tax => (Decimal::ZERO, amount),
            _ => (amount, Decimal::ZERO),
        };
        let title = match title.trim() {
            "" => kind.title(),
            title => title,
        };
        let charge = Charge {
            kind: kind.word().to_owned(),
            title: title.to_owned(),
            amount: Totals {
                net,
                tax,
                gross: amount,
            },
        };
        Some((kind, charge))
    });
    extras.collect()
}

/// The amount of an extra that states a total.
fn stated(order: &Order, name: &str) -> Option<Decimal> {
    let mut extras = order.extras.iter();
    let own = extras.find(|extra| extra.name.strip_prefix(STATED) == Some(name))?;
    own.value.trim().parse().ok()
}

/// An order under its retailer's rules.
#[derive(Debug)]
pub struct Ruled<'a> {
    /// With the charges that count. Tax stands where the order has it.
    counted: Cow<'a, Order>,
    /// Tax becomes a row of its own.
    taxed_apart: bool,
    whole: Whole,
    waits: Vec<String>,
}

impl Ruled<'_> {
    /// What the sale comes to.
    ///
    /// # Errors
    /// A line has no price, or the amounts do not add up to a number that fits.
    pub fn totals(&self) -> Result<Totals, Problem> {
        money::order_totals(&self.counted)
    }

    /// Whether a total of the order is held against the sale.
    pub fn is_compared(&self) -> bool {
        self.whole != Whole::Nothing
    }

    /// Whether the sale comes to what it must, and nobody wants to be asked. What it comes to, or the difference and the
    /// amounts in words.
    ///
    /// # Errors
    /// See above; [`DIFFERS`] and [`WAITS`] are a person's to accept.
    pub fn check(&self) -> Result<Totals, Problem> {
        let compared = match self.whole {
            Whole::Stated => money::check(&self.counted),
            Whole::Nothing => self.totals(),
            Whole::Order | Whole::Lines => self.totals().and_then(|sum| self.held(sum)),
        };
        let differs = match compared {
            Ok(sum) if self.waits.is_empty() => return Ok(sum),
            Ok(_) => None,
            Err(problem) if problem.code != DIFFERS || self.waits.is_empty() => {
                return Err(problem);
            }
            Err(problem) => Some(problem.message),
        };
        let wish = format!(
            "This order has {}, which you want to be asked about.",
            self.waits.join(", ")
        );
        let message = differs.map_or_else(|| wish.clone(), |differs| format!("{wish} {differs}"));
        Err(Problem::new(
            WAITS,
            message,
            "Trying again makes the sale with the amounts as the order has them, for this order only. Or set in Settings, Amounts, what becomes of them, then try again.",
        ))
    }

    /// One stated figure against ours.
    fn held(&self, sum: Totals) -> Result<Totals, Problem> {
        let order = &*self.counted;
        let (name, what, ours) = if self.whole == Whole::Lines {
            let lines = Order {
                charges: Vec::new(),
                ..order.clone()
            };
            let net = money::order_totals(&lines)?.net;
            ("lines", "for its lines", net)
        } else {
            ("order", "in all", sum.gross)
        };
        let ours = ours.rounded(2);
        let currency = order.currency.as_deref().unwrap_or_default();
        let message = match stated(order, name).map(|stated| stated.rounded(2)) {
            Some(stated) if stated == ours => return Ok(sum),
            Some(stated) => format!(
                "The order states {} {currency} {what}, its sale would come to {}: a difference of {}.",
                stated.fixed(2),
                ours.fixed(2),
                stated.checked_sub(ours).unwrap_or_default().fixed(2),
            ),
            None => format!(
                "The order does not state what it comes to {what}, and its sale is to be held against that; it would come to {} {currency}.",
                ours.fixed(2)
            ),
        };
        Err(Problem::new(
            DIFFERS,
            message.replace("  ", " ").replace(" .", "."),
            "Ask the retailer which one is right. Trying again accepts the sale's figure, for this order only. Which total counts is set in Settings, Amounts.",
        ))
    }

    /// The order as its sale is made of it: net, tax and charges are what the rows get.
    pub fn into_order(self) -> Order {
        let mut order = self.counted.into_owned();
        if !self.taxed_apart {
            return order;
        }
        let Some(tax) = wanted_taxes(&order) else {
            // It does not fit: then nothing of it does, and the check said so.
            return order;
        };
        untax(&mut order);
        if !tax.is_zero() {
            order.charges.push(Charge {
                kind: Kind::Tax.word().to_owned(),
                title: Kind::Tax.title().to_owned(),
                amount: Totals {
                    net: tax,
                    tax: Decimal::ZERO,
                    gross: tax,
                },
            });
        }
        order
    }
}

/// Tax of charges, and of lines as far as they are wanted.
fn wanted_taxes(order: &Order) -> Option<Decimal> {
    let charges = order.charges.iter().map(|charge| {
        let all = Kind::of(&charge.kind) == Kind::Tax;
        Some(if all {
            charge.amount.gross
        } else {
            charge.amount.tax
        })
    });
    let lines = order.lines.iter().map(|line| {
        let tax = line.tax.unwrap_or_default();
        if line.cancelled.is_zero() {
            return Some(tax);
        }
        crate::billing::share(tax, Decimal::ZERO, line.wanted(), line.quantity)
    });
    charges
        .chain(lines)
        .try_fold(Decimal::ZERO, |sum, tax| sum.checked_add(tax?))
}
