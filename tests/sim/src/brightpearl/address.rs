//! Owns postal addresses: reading them, and showing them in the two shapes of orders. It must not know who lives there.

use serde_json::{Value, json};

/// Country id, alpha-2, alpha-3 and name. Codes outside this table are kept as given.
const COUNTRIES: [(i64, &str, &str, &str); 16] = [
    (13, "AU", "AUS", "Australia"),
    (14, "AT", "AUT", "Austria"),
    (21, "BE", "BEL", "Belgium"),
    (38, "CA", "CAN", "Canada"),
    (57, "DK", "DNK", "Denmark"),
    (73, "FR", "FRA", "France"),
    (81, "DE", "DEU", "Germany"),
    (103, "IE", "IRL", "Ireland"),
    (105, "IT", "ITA", "Italy"),
    (138, "MX", "MEX", "Mexico"),
    (150, "NL", "NLD", "Netherlands"),
    (195, "ES", "ESP", "Spain"),
    (203, "SE", "SWE", "Sweden"),
    (204, "CH", "CHE", "Switzerland"),
    (222, "GB", "GBR", "United Kingdom"),
    (223, "US", "USA", "United States"),
];

/// An address; unset parts are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) full_name: String,
    pub(super) company: String,
    pub(super) lines: [String; 4],
    pub(super) postal_code: String,
    pub(super) country: String,
    pub(super) telephone: String,
    pub(super) mobile: String,
    pub(super) fax: String,
    pub(super) email: String,
}

impl Address {
    /// Reads an address object; the error names the part that is wrong.
    pub(super) fn parse(from: &Value) -> Result<Self, String> {
        let text = |key: &str| match &from[key] {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.clone()),
            _ => Err(format!("The address field {key} must be a string")),
        };
        let country = match super::envelope::integer(&from["countryId"]) {
            Some(id) if from["countryIsoCode"].is_null() => COUNTRIES
                .iter()
                .find(|(number, ..)| *number == id)
                .map(|(_, two, ..)| (*two).to_owned())
                .ok_or_else(|| format!("You have supplied an invalid country id: {id}"))?,
            _ => iso_code(&text("countryIsoCode")?)?,
        };
        Ok(Self {
            full_name: text("addressFullName")?,
            company: text("companyName")?,
            lines: [
                text("addressLine1")?,
                text("addressLine2")?,
                text("addressLine3")?,
                text("addressLine4")?,
            ],
            postal_code: text("postalCode")?,
            country,
            telephone: text("telephone")?,
            mobile: text("mobileTelephone")?,
            fax: text("fax")?,
            email: text("email")?,
        })
    }

    /// The address object of a sales order.
    pub(super) fn view(&self) -> Value {
        let [one, two, three, four] = &self.lines;
        json!({
            "addressFullName": self.full_name, "companyName": self.company, "addressLine1": one,
            "addressLine2": two, "addressLine3": three, "addressLine4": four, "postalCode": self.postal_code,
            "countryIsoCode": self.country, "telephone": self.telephone, "mobileTelephone": self.mobile,
            "fax": self.fax, "email": self.email,
        })
    }

    /// A party of an order: the same with the country's id, name and both codes.
    pub(super) fn party(&self, contact: Option<i64>) -> Value {
        let mut view = self.view();
        let row = COUNTRIES.iter().find(|(_, two, ..)| *two == self.country);
        view["countryId"] = json!(row.map_or(0, |(id, ..)| *id));
        if let Some((_, two, three, name)) = row {
            view["country"] = json!(name);
            view["countryIsoCode"] = json!(two);
            view["countryIsoCode3"] = json!(three);
        } else if self.country.is_empty()
            && let Some(map) = view.as_object_mut()
        {
            map.remove("countryIsoCode");
        }
        if let Some(contact) = contact {
            view["contactId"] = json!(contact);
        }
        view
    }

    /// What a postal address GET shows.
    pub(super) fn postal(&self, id: i64) -> Value {
        let mut view = self.party(None);
        view["addressId"] = json!(id);
        view
    }
}

/// Takes alpha-2 and alpha-3, gives alpha-2 where known.
fn iso_code(code: &str) -> Result<String, String> {
    if code.is_empty() {
        return Ok(String::new());
    }
    let upper = code.to_ascii_uppercase();
    let found = COUNTRIES
        .iter()
        .find(|(_, two, three, _)| *two == upper || *three == upper);
    if let Some((_, two, ..)) = found {
        return Ok((*two).to_owned());
    }
    let plausible = matches!(upper.len(), 2 | 3) && upper.bytes().all(|b| b.is_ascii_uppercase());
    if plausible && upper != "XX" && upper != "XXX" {
        return Ok(upper);
    }
    Err(format!(
        "You have supplied an invalid country ISO code: {code}"
    ))
}
