//! Exact decimals: `units / 10^scale`. Never a float. All arithmetic is checked; overflow is `None`, not a wrong sum.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The largest scale a decimal may have; more digits than any currency or quantity of the trade needs.
pub const MAX_SCALE: u8 = 9;

/// An exact decimal: 19.99 is `Decimal { units: 1999, scale: 2 }`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Decimal {
    /// The number without its point.
    pub units: i64,
    /// Digits behind the point, at most [`MAX_SCALE`].
    pub scale: u8,
}

/// A text that is no decimal, or one with too many digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decimal with at most 9 digits behind the point")]
pub struct NotADecimal(pub String);

impl Decimal {
    /// Nought.
    pub const ZERO: Self = Self { units: 0, scale: 0 };

    /// `units / 10^scale`.
    pub const fn new(units: i64, scale: u8) -> Self {
        Self { units, scale }
    }

    /// A whole number.
    pub const fn whole(units: i64) -> Self {
        Self { units, scale: 0 }
    }

    /// Whether this is nought.
    pub const fn is_zero(self) -> bool {
        self.units == 0
    }

    /// Whether this is above nought.
    pub const fn is_positive(self) -> bool {
        self.units > 0
    }

    fn at(self, scale: u8) -> Option<i64> {
        let up = 10_i64.checked_pow(u32::from(scale.checked_sub(self.scale)?))?;
        self.units.checked_mul(up)
    }

    /// The sum, or `None` where it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Some(Self {
            units: self.at(scale)?.checked_add(other.at(scale)?)?,
            scale,
        })
    }

    /// The difference, or `None` where it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self {
            units: other.units.checked_neg()?,
            ..other
        })
    }

    /// The product, or `None` where it does not fit.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = Self {
            units: self.units.checked_mul(other.units)?,
            scale: self.scale.checked_add(other.scale)?,
        }
        .normal();
        (product.scale <= MAX_SCALE).then_some(product)
    }

    /// How many whole times `part` is in this, as a whole number: 7 by 2 is 3. `None` where `part` is not above nought,
    /// this is below it, or the count does not fit.
    pub fn whole_times(self, part: Self) -> Option<Self> {
        let scale = self.scale.max(part.scale);
        let wide = |d: Self| {
            let up = 10_i128.checked_pow(u32::from(scale - d.scale))?;
            i128::from(d.units).checked_mul(up)
        };
        let (all, one) = (wide(self)?, wide(part)?);
        if one <= 0 || all < 0 {
            return None;
        }
        i64::try_from(all / one).ok().map(Self::whole)
    }

    /// Rounded to `scale` digits, half away from nought, as money is rounded in the trade.
    #[must_use]
    pub fn rounded(self, scale: u8) -> Self {
        if scale >= self.scale {
            return self;
        }
        let down = 10_i64.pow(u32::from(self.scale - scale).min(18));
        let half = down / 2;
        let (whole, rest) = (self.units / down, self.units % down);
        let units = if rest.abs() >= half {
            whole + self.units.signum()
        } else {
            whole
        };
        Self { units, scale }
    }

    /// Without trailing noughts behind the point.
    #[must_use]
    pub fn normal(mut self) -> Self {
        while self.scale > 0 && self.units % 10 == 0 {
            self.units /= 10;
            self.scale -= 1;
        }
        self
    }

    /// With at least `digits` digits behind the point, for people: `fixed(2)` of 19 is `19.00`.
    pub fn fixed(self, digits: u8) -> String {
        match self.at(digits.max(self.scale)) {
            Some(units) => Self {
                units,
                scale: digits.max(self.scale),
            }
            .to_string(),
            None => self.to_string(),
        }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Decimal {}
impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        let wide = |d: &Self| {
            i128::from(d.units) * 10_i128.pow(u32::from(scale.saturating_sub(d.scale)).min(19))
        };
        wide(self).cmp(&wide(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(f, "{}", self.units);
        }
        let sign = if self.units < 0 { "-" } else { "" };
        let width = usize::from(self.scale) + 1;
        let digits = format!("{:0>width$}", self.units.unsigned_abs());
        let (whole, part) = digits.split_at(digits.len() - usize::from(self.scale));
        write!(f, "{sign}{whole}.{part}")
    }
}

impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let bad = || NotADecimal(text.to_owned());
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        if digits.is_empty()
            || !digits
                .bytes()
                .chain(part.bytes())
                .all(|b| b.is_ascii_digit())
        {
            return Err(bad());
        }
        let part = part.trim_end_matches('0');
        let scale = u8::try_from(part.len())
            .ok()
            .filter(|s| *s <= MAX_SCALE)
            .ok_or_else(bad)?;
        let units = format!("{whole}{part}").parse().map_err(|_| bad())?;
        Ok(Self { units, scale })
    }
}

/// The stored form of a decimal that is nearly always whole: the number itself, or the record where there are digits
/// behind the point. Reads both.
pub mod plain {
    use super::Decimal;
    use serde::de::value::MapAccessDeserializer;
    use serde::de::{Error, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes it.
    ///
    /// # Errors
    /// As the format says.
    pub fn serialize<S: Serializer>(value: &Decimal, to: S) -> Result<S::Ok, S::Error> {
        match value.scale {
            0 => to.serialize_i64(value.units),
            _ => value.serialize(to),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where there is neither a whole number nor a decimal.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Decimal, D::Error> {
        from.deserialize_any(Either)
    }

    struct Either;

    impl<'de> Visitor<'de> for Either {
        type Value = Decimal;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a whole number or a decimal")
        }
        fn visit_i64<E: Error>(self, units: i64) -> Result<Decimal, E> {
            Ok(Decimal::whole(units))
        }
        fn visit_u64<E: Error>(self, units: u64) -> Result<Decimal, E> {
            i64::try_from(units).map(Decimal::whole).map_err(E::custom)
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Decimal, A::Error> {
            Decimal::deserialize(MapAccessDeserializer::new(map))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn reads_and_writes_what_people_write() {
        for text in ["0", "19.99", "-0.05", "1234567.891"] {
            assert_eq!(dec(text).to_string(), text);
        }
        for text in [
            "",
            "-",
            ".",
            "1,5",
            "1e3",
            "0.1234567891",
            "99999999999999999999",
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn compares_by_value_not_by_scale() {
        assert_eq!(dec("2"), Decimal::new(2000, 3));
        assert!(dec("9.99") < dec("10"));
    }

    #[test]
    fn adds_and_multiplies_exactly() {
        assert_eq!(dec("0.1").checked_add(dec("0.2")), Some(dec("0.3")));
        assert_eq!(dec("9.50").checked_mul(dec("3")), Some(dec("28.5")));
        assert_eq!(
            Decimal::whole(i64::MAX).checked_add(Decimal::whole(1)),
            None
        );
    }

    #[test]
    fn counts_whole_times() {
        assert_eq!(dec("7").whole_times(dec("2")), Some(dec("3")));
        assert_eq!(dec("1.5").whole_times(dec("0.25")), Some(dec("6")));
        assert_eq!(dec("0").whole_times(dec("3")), Some(Decimal::ZERO));
        assert_eq!(dec("1").whole_times(Decimal::ZERO), None);
        assert_eq!(dec("-1").whole_times(dec("1")), None);
        assert_eq!(
            Decimal::whole(i64::MAX).whole_times(Decimal::new(1, 9)),
            None
        );
    }

    #[test]
    fn rounds_half_away_from_nought() {
        assert_eq!(dec("1.005").rounded(2), dec("1.01"));
        assert_eq!(dec("-1.005").rounded(2), dec("-1.01"));
        assert_eq!(dec("1.0049").rounded(2), dec("1.00"));
    }
}
