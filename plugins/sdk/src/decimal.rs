//! Exact decimals: the contract's `decimal` with arithmetic. Never a float: a JSON number is read by its shortest text.

use crate::commerce::Decimal;
use serde::Serializer;
use std::cmp::Ordering;
use std::fmt;

/// The most digits behind the point that the agent takes.
pub const MAX_SCALE: u8 = 9;

/// A sign, a digit, a point, and as many digits behind it as a scale can say.
const LONGEST: usize = 3 + 255;

/// The same with a scale of 18 at most: there are as many digits in front of the point then.
const SHORT: usize = 3 + 18;

/// Nought.
pub const ZERO: Decimal = Decimal { units: 0, scale: 0 };

impl Decimal {
    /// A whole number.
    pub const fn whole(units: i64) -> Self {
        Self { units, scale: 0 }
    }

    /// Reads `19.99`, `-3`, `.5`, `1e3`. `None` where it is no number, or too long to be exact.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let part = part.trim_end_matches('0');
        if whole.is_empty() && part.is_empty() {
            // `0.` and `.0` and `` differ: only the ones with a digit are numbers.
            return digits.bytes().any(|b| b == b'0').then_some(ZERO);
        }
        let mut units: i64 = 0;
        for byte in whole.bytes().chain(part.bytes()) {
            let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
            units = units.checked_mul(10)?.checked_add(digit)?;
        }
        if negative {
            units = -units;
        }
        if units == 0 {
            return Some(ZERO);
        }
        let scale = i32::try_from(part.len()).ok()?.checked_sub(exponent)?;
        if scale < 0 {
            let up = 10_i64.checked_pow(scale.unsigned_abs())?;
            return Some(Self::whole(units.checked_mul(up)?));
        }
        let plain = Self {
            units,
            scale: u8::try_from(scale).ok()?,
        }
        .normal();
        (plain.scale <= MAX_SCALE).then_some(plain)
    }

    /// Without trailing noughts behind the point.
    #[must_use]
    pub const fn normal(mut self) -> Self {
        if self.units == 0 {
            return ZERO;
        }
        while self.scale > 0 && self.units % 10 == 0 {
            self.units /= 10;
            self.scale -= 1;
        }
        self
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
        // Money nearly always has the digits asked for.
        if scale == self.scale {
            return Some(self.units);
        }
        let up = 10_i64.checked_pow(u32::from(scale.checked_sub(self.scale)?))?;
        product(self.units, up)
    }

    /// The sum, or `None` where it does not fit.
    pub fn plus(self, other: Self) -> Option<Self> {
        if other.is_zero() {
            return Some(self.normal());
        }
        if self.is_zero() {
            return Some(other.normal());
        }
        let scale = self.scale.max(other.scale);
        let units = self.at(scale)?.checked_add(other.at(scale)?)?;
        Some(Self { units, scale }.normal())
    }

    /// The difference, or `None` where it does not fit.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self {
            units: other.units.checked_neg()?,
            scale: other.scale,
        })
    }

    /// The product, or `None` where it does not fit.
    pub fn times(self, other: Self) -> Option<Self> {
        Some(
            Self {
                units: product(self.units, other.units)?,
                scale: self.scale.checked_add(other.scale)?,
            }
            .normal(),
        )
    }

    /// Rounded to `scale` digits, half away from nought, as money is rounded in the trade.
    #[must_use]
    pub fn rounded(self, scale: u8) -> Self {
        if scale >= self.scale {
            return self;
        }
        let down = 10_i64.pow(u32::from(self.scale - scale).min(18));
        let (whole, rest) = (self.units / down, self.units % down);
        let away = i64::from(rest.unsigned_abs() >= down.unsigned_abs().div_ceil(2));
        Self {
            units: whole + away * self.units.signum(),
            scale,
        }
    }

    /// Which is larger, by value.
    pub fn compare(self, other: Self) -> Ordering {
        if self.scale == other.scale {
            return self.units.cmp(&other.units);
        }
        let scale = self.scale.max(other.scale);
        let wide = |d: Self| i128::from(d.units) * 10_i128.pow(u32::from(scale - d.scale).min(19));
        wide(self).cmp(&wide(other))
    }

    /// The whole number, where it is one.
    pub const fn to_whole(self) -> Option<i64> {
        let plain = self.normal();
        if plain.scale == 0 {
            Some(plain.units)
        } else {
            None
        }
    }
}

/// The product, or `None` where it does not fit. To see that costs a guest 128 bits, which amounts of trade do not need.
fn product(one: i64, other: i64) -> Option<i64> {
    match (i32::try_from(one), i32::try_from(other)) {
        (Ok(one), Ok(other)) => Some(i64::from(one) * i64::from(other)),
        _ => one.checked_mul(other),
    }
}

impl Decimal {
    /// Written from the end into `text`. By hand: every amount of every order is written, and a guest pays dearly for
    /// formatting. `N` must be three more than the larger of its scale and 18.
    fn digits<const N: usize>(self, text: &mut [u8; N]) -> &str {
        let scale = usize::from(self.scale);
        let (mut rest, mut at, mut digits) = (self.units.unsigned_abs(), N, 0);
        while digits <= scale || rest > 0 {
            if digits == scale && scale > 0 {
                at -= 1;
                text[at] = b'.';
            }
            at -= 1;
            text[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            digits += 1;
        }
        if self.units < 0 {
            at -= 1;
            text[at] = b'-';
        }
        std::str::from_utf8(&text[at..]).unwrap_or_default()
    }

    /// Whether [`SHORT`] is room for it.
    const fn is_short(self) -> bool {
        self.scale <= 18
    }
}

/// For `serialize_with`: a number as a text, as vendors want amounts.
pub fn as_text<S: Serializer>(number: &Decimal, to: S) -> Result<S::Ok, S::Error> {
    if number.is_short() {
        to.serialize_str(number.digits(&mut [0; SHORT]))
    } else {
        to.collect_str(number)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_short() {
            f.write_str(self.digits(&mut [0; SHORT]))
        } else {
            f.write_str(self.digits(&mut [0; LONGEST]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn reads_every_way_a_vendor_writes_a_number() {
        for (text, written) in [
            ("19.99", "19.99"),
            (" 9.50 ", "9.5"),
            ("-0.05", "-0.05"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("1.25E-3", "0.00125"),
            ("0.000", "0"),
            ("+2", "2"),
            ("9000000000000000000", "9000000000000000000"),
        ] {
            assert_eq!(dec(text).to_string(), written, "{text}");
        }
        for (units, scale, written) in [
            (5, 2, "0.05"),
            (-5, 1, "-0.5"),
            (0, 2, "0.00"),
            (10, 1, "1.0"),
            (i64::MIN, 9, "-9223372036.854775808"),
            (i64::MIN, 0, "-9223372036854775808"),
            (-1, 25, "-0.0000000000000000000000001"),
        ] {
            assert_eq!(Decimal { units, scale }.to_string(), written);
        }
        assert_eq!(
            Decimal {
                units: -1,
                scale: 255
            }
            .to_string()
            .len(),
            LONGEST
        );
        for text in [
            "",
            "-",
            ".",
            "1,5",
            "abc",
            "1e99",
            "1e-99",
            "0.1234567891",
            "--1",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn arithmetic_is_exact_or_none() {
        assert_eq!(dec("0.1").plus(dec("0.2")), Some(dec("0.3")));
        assert_eq!(dec("1").minus(dec("0.01")), Some(dec("0.99")));
        assert_eq!(dec("9.50").times(dec("3")), Some(dec("28.5")));
        assert_eq!(Decimal::whole(i64::MAX).plus(Decimal::whole(1)), None);
        assert_eq!(dec("2.000").compare(dec("2")), Ordering::Equal);
        assert_eq!(dec("9.99").compare(dec("10")), Ordering::Less);
    }

    #[test]
    fn rounds_half_away_from_nought() {
        assert_eq!(dec("1.005").rounded(2), dec("1.01"));
        assert_eq!(dec("-1.005").rounded(2), dec("-1.01"));
        assert_eq!(dec("1.0049").rounded(2).normal(), dec("1"));
        assert_eq!(dec("3").to_whole(), Some(3));
        assert_eq!(dec("3.5").to_whole(), None);
    }
}
