//! Owns how a canonical address fits Brightpearl's lines and lengths. What does not fit is shortened and named, since an
//! order must not wait for a long street. Must not know whose address it is.

use crate::country;
use crate::wire::contact::PostalAddress;
use crate::wire::sale::Address as SaleAddress;
use std::borrow::Cow;
use waybill_sdk::blank::trim;
use waybill_sdk::commerce::Address;
use waybill_sdk::types::Problem;

/// Longest line of an address.
const LINE: usize = 64;

/// An address that fits, and the names of the fields that had to be shortened.
pub struct Fitted<'a> {
    /// As an order takes it.
    pub address: SaleAddress<'a>,
    /// For the log; never their contents.
    pub shortened: Vec<&'static str>,
}

/// At most `max` characters, without blanks at either end.
pub fn fit(text: &str, max: usize) -> &str {
    let text = trim(text);
    match end(text, max) {
        Some(end) => text[..end].trim_end(),
        None => text,
    }
}

/// Where a text of more than `max` characters has to end. Most have not even so many bytes.
fn end(text: &str, max: usize) -> Option<usize> {
    if text.len() <= max {
        return None;
    }
    text.char_indices().nth(max).map(|(end, _)| end)
}

/// Fits an address; a country that is none is a problem.
pub fn fitted(address: &Address) -> Result<Fitted<'_>, Problem> {
    let mut shortened = Vec::new();
    let (first, second) = street(address);
    let fitted = SaleAddress {
        address_full_name: line(&mut shortened, "name", &address.name),
        company_name: filled(address.company.as_ref()).map(|t| line(&mut shortened, "company", t)),
        line1: line(&mut shortened, "street", first),
        line2: second.map(|text| match text {
            Cow::Borrowed(text) => line(&mut shortened, "street", text).into(),
            Cow::Owned(text) => line(&mut shortened, "street", &text).to_owned().into(),
        }),
        line3: line(&mut shortened, "city", &address.city),
        line4: filled(address.region.as_ref()).map(|t| line(&mut shortened, "region", t)),
        postal_code: line(&mut shortened, "postcode", &address.postcode),
        country_iso_code: country(filled(address.country.as_ref()))?,
        telephone: filled(address.phone.as_ref()),
        email: filled(address.email.as_ref()),
    };
    Ok(Fitted {
        address: fitted,
        shortened,
    })
}

/// One line that fits; its name is noted where it had to be shortened.
fn line<'a>(shortened: &mut Vec<&'static str>, name: &'static str, text: &'a str) -> &'a str {
    let fit = fit(text, LINE);
    if fit.len() < trim(text).len() {
        shortened.push(name);
    }
    fit
}

/// Whether nobody could find it: no street, no city, no postcode.
pub fn is_blank(fitted: &SaleAddress<'_>) -> bool {
    [fitted.line1, fitted.line3, fitted.postal_code]
        .iter()
        .all(|line| line.is_empty())
}

/// The same lines as a postal address, whose first line must be filled: `instead` where there is no street.
pub fn postal(fitted: &SaleAddress<'_>, instead: &str) -> PostalAddress {
    let filled = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    PostalAddress {
        line1: filled(fitted.line1).unwrap_or_else(|| fit(instead, LINE).to_owned()),
        line2: fitted.line2.as_deref().map(str::to_owned),
        line3: filled(fitted.line3),
        line4: fitted.line4.map(str::to_owned),
        postal_code: filled(fitted.postal_code),
        country_iso_code: fitted.country_iso_code.map(str::to_owned),
    }
}

fn filled(text: Option<&String>) -> Option<&str> {
    text.map(|t| trim(t)).filter(|t| !t.is_empty())
}

fn country(code: Option<&str>) -> Result<Option<&'static str>, Problem> {
    let Some(code) = code else {
        return Ok(None);
    };
    match country::alpha3(code) {
        Some(known) => Ok(Some(known)),
        None => Err(Problem::new(
            "country",
            format!("`{code}` is no country code."),
            "The address must name its country by an ISO 3166 code such as US or USA; correct it at its source.",
        )),
    }
}

/// Two lines: a first line that is too long runs on in the second, at a word's end.
fn street(address: &Address) -> (&str, Option<Cow<'_, str>>) {
    let mut lines = address
        .street
        .iter()
        .map(|l| trim(l))
        .filter(|l| !l.is_empty());
    let first = lines.next().unwrap_or_default();
    let (first, overflow) = split(first);
    let attention = filled(address.attention.as_ref())
        .filter(|a| !a.eq_ignore_ascii_case(address.name.trim()))
        .map(|a| Cow::Owned(format!("Attn: {a}")));
    let second = overflow
        .into_iter()
        .chain(lines)
        .map(Cow::Borrowed)
        .chain(attention)
        .reduce(|text, more| Cow::Owned([&*text, ", ", &*more].concat()));
    (first, second.filter(|s| !s.is_empty()))
}

fn split(line: &str) -> (&str, Option<&str>) {
    let Some(end) = end(line, LINE) else {
        return (line, None);
    };
    let at = line[..end].rfind(' ').filter(|at| *at > 0).unwrap_or(end);
    let (first, rest) = line.split_at(at);
    (first.trim_end(), Some(rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(street: &[&str]) -> Address {
        Address {
            name: "Jo Doe".to_owned(),
            company: Some(" ".to_owned()),
            attention: None,
            street: street.iter().map(|s| (*s).to_owned()).collect(),
            city: "Austin".to_owned(),
            region: Some("TX".to_owned()),
            postcode: "78701".to_owned(),
            country: Some("us".to_owned()),
            phone: None,
            email: None,
        }
    }

    #[test]
    fn blank_fields_are_none_and_the_country_has_three_letters() {
        let address = address(&["1 Way", "", "Unit 2"]);
        let fitted = fitted(&address).ok().unwrap();
        assert!(fitted.shortened.is_empty());
        let address = fitted.address;
        assert_eq!(address.company_name, None);
        assert_eq!(address.line1, "1 Way");
        assert_eq!(address.line2.as_deref(), Some("Unit 2"));
        assert_eq!(address.country_iso_code, Some("USA"));
    }

    #[test]
    fn a_long_first_line_runs_on_in_the_second() {
        let long =
            "1234 A Very Long Boulevard Name That Does Not Fit Into One Line At All, Building 7";
        let address = address(&[long, "Unit 2"]);
        let fitted = fitted(&address).ok().unwrap();
        assert!(fitted.address.line1.chars().count() <= LINE);
        let second = fitted.address.line2.unwrap();
        assert!(second.ends_with("All, Building 7, Unit 2"), "{second}");
        assert!(fitted.shortened.is_empty());
    }

    #[test]
    fn what_is_cut_is_named() {
        let mut long = address(&[&"x".repeat(200)]);
        long.city = "y".repeat(65);
        long.attention = Some("Dock 3".to_owned());
        let fitted = fitted(&long).ok().unwrap();
        assert_eq!(fitted.shortened, ["street", "city"]);
        assert_eq!(fitted.address.line3.len(), LINE);
    }

    #[test]
    fn whoever_it_is_for_is_kept() {
        let mut for_dock = address(&["1 Way"]);
        for_dock.attention = Some("Dock 3".to_owned());
        let fitted = fitted(&for_dock).ok().unwrap().address;
        assert_eq!(fitted.line2.as_deref(), Some("Attn: Dock 3"));
    }

    #[test]
    fn no_country_is_made_up() {
        let mut odd = address(&["1 Way"]);
        odd.country = Some("Utopia".to_owned());
        assert_eq!(fitted(&odd).err().unwrap().code, "country");
        odd.country = None;
        assert_eq!(fitted(&odd).ok().unwrap().address.country_iso_code, None);
    }

    #[test]
    fn a_postal_address_always_has_a_first_line() {
        let address = address(&[]);
        let fitted = fitted(&address).ok().unwrap();
        let postal = postal(&fitted.address, "Retailer Inc");
        assert_eq!(postal.line1, "Retailer Inc");
        assert_eq!(postal.line3.as_deref(), Some("Austin"));
    }
}
