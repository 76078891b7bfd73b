//! Tolerant readers for `#[serde(deserialize_with)]`: vendors write one field as number or string, as null, missing or
//! `{}`. Use with `#[serde(default)]`. Nothing here fails on a value of another shape: it reads it as none.

use crate::commerce::Decimal;
use crate::date;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};
use std::fmt;

/// The text of a scalar; blank is none.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().filter_map(text_of).collect(),
        other => text_of(other).into_iter().collect(),
    }
}

fn is_true(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "1" | "yes" | "y"
    )
}

/// A string, a number or a truth value as text.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(&Value::deserialize(deserializer)?))
}

/// Texts in an array, or one on its own.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(texts_of(&Value::deserialize(deserializer)?))
}

/// A number, or a text that is one.
pub fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    Ok(text_of(&Value::deserialize(deserializer)?)
        .as_deref()
        .and_then(Decimal::parse))
}

/// A whole number, or a text that is one.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(decimal(deserializer)?.and_then(Decimal::to_whole))
}

/// A truth value: `true`, 1, "yes", "Y" and the like are true, every other filled value is false.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(text(deserializer)?.as_deref().map(is_true))
}

/// An ISO 8601 date as UTC milliseconds.
pub fn when<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(text_of(&Value::deserialize(deserializer)?)
        .as_deref()
        .and_then(date::parse))
}

/// An object; none for null, for a scalar and for `{}`. `T` must have `#[serde(default)]` on all of its fields.
pub fn object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    Ok(list(deserializer)?.pop())
}

/// Objects in an array; an object on its own counts as one, `{}`, null and scalars as none. Keeps the raw value of one
/// element at a time, so that a large page does not need its memory twice.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let mut all = Vec::new();
    let mut keep = |value: Value| {
        all.extend(one(value)?);
        Ok(())
    };
    deserializer.deserialize_any(Elements(&mut keep))?;
    Ok(all)
}

/// The object, where it has a field. Every type is read from a `Value`, so that its code is there once.
fn one<T: DeserializeOwned>(value: Value) -> serde_json::Result<Option<T>> {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            serde_json::from_value(Value::Object(fields)).map(Some)
        }
        _ => Ok(None),
    }
}

/// Hands on each element of an array, or the value itself.
struct Elements<'a>(&'a mut dyn FnMut(Value) -> serde_json::Result<()>);

impl Elements<'_> {
    fn keep<E: Error>(&mut self, value: Value) -> Result<(), E> {
        (self.0)(value).map_err(E::custom)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, an array of objects, or nothing")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<Value>()? {
            self.keep(value)?;
        }
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let value = Value::deserialize(MapAccessDeserializer::new(map))?;
        self.keep(value)
    }
}

/// The fields of an object, taken one by one by their name in snake case: for vendors whose records have a hundred
/// fields, where a derived reader would be most of the component. What was not taken is left for [`Fields::rest`].
#[derive(Debug, Default)]
pub struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    /// Anything but an object has no fields.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }))
    }
}

impl Fields {
    /// The value as it is; null where it is missing. `dsco_order_id` takes `dscoOrderId`.
    pub fn any(&mut self, name: &str) -> Value {
        self.0.remove(&camel(name)).unwrap_or_default()
    }
    /// As [`text`].
    pub fn text(&mut self, name: &str) -> Option<String> {
        text_of(&self.any(name))
    }
    /// As [`texts`].
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        texts_of(&self.any(name))
    }
    /// As [`decimal`].
    pub fn decimal(&mut self, name: &str) -> Option<Decimal> {
        self.text(name).as_deref().and_then(Decimal::parse)
    }
    /// As [`integer`].
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        self.decimal(name).and_then(Decimal::to_whole)
    }
    /// As [`flag`].
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.text(name).as_deref().map(is_true)
    }
    /// As [`when`].
    pub fn when(&mut self, name: &str) -> Option<i64> {
        self.text(name).as_deref().and_then(date::parse)
    }
    /// As [`object`].
    pub fn object<T: From<Self>>(&mut self, name: &str) -> Option<T> {
        Self::filled(self.any(name)).map(T::from)
    }
    /// As [`list`].
    pub fn list<T: From<Self>>(&mut self, name: &str) -> Vec<T> {
        match self.any(name) {
            Value::Array(values) => {
                let filled = values.into_iter().filter_map(Self::filled);
                filled.map(T::from).collect()
            }
            other => Self::filled(other).map(T::from).into_iter().collect(),
        }
    }
    /// Every field that was not taken and holds a text, a number or a truth value, by name.
    pub fn rest(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0)
            .into_iter()
            .filter_map(|(name, value)| Some((name, text_of(&value)?)))
            .collect()
    }

    fn filled(value: Value) -> Option<Self> {
        match value {
            Value::Object(fields) if !fields.is_empty() => Some(Self(fields)),
            _ => None,
        }
    }
}

/// `dscoOrderId` for `dsco_order_id`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        all.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        all.push_str(letters.as_str());
    }
    all
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        #[serde(default, deserialize_with = "super::text")]
        name: Option<String>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        #[serde(default, deserialize_with = "super::text")]
        id: Option<String>,
        #[serde(default, deserialize_with = "super::texts")]
        reasons: Vec<String>,
        #[serde(default, deserialize_with = "super::decimal")]
        cost: Option<crate::commerce::Decimal>,
        #[serde(default, deserialize_with = "super::integer")]
        line: Option<i64>,
        #[serde(default, deserialize_with = "super::flag")]
        test: Option<bool>,
        #[serde(default, deserialize_with = "super::when")]
        at: Option<i64>,
        #[serde(default, deserialize_with = "super::object")]
        bill_to: Option<Inner>,
        #[serde(default, deserialize_with = "super::list")]
        lines: Vec<Inner>,
    }

    fn read(json: &str) -> Outer {
        serde_json::from_str(json).unwrap()
    }

    fn named(name: &str) -> Inner {
        Inner {
            name: Some(name.to_owned()),
        }
    }

    #[test]
    fn every_shape_a_vendor_was_seen_to_send() {
        let one = read(
            r#"{"id": 1000456789, "reasons": "create", "cost": "9.50", "line": "2", "test": 1,
                "at": "2025-11-21T07:00:00+00:00", "bill_to": {"name": "Jo"}, "lines": {"name": "a"}}"#,
        );
        let many = read(
            r#"{"id": "1000456789", "reasons": ["create", null], "cost": 9.5, "line": 2.0, "test": "true",
                "at": "2025-11-21T07:00:00Z", "bill_to": {"name": "Jo"}, "lines": [null, {"name": "a"}, {}]}"#,
        );
        assert_eq!(one, many);
        assert_eq!(one.bill_to, Some(named("Jo")));
        assert_eq!(one.lines, [named("a")]);
        assert_eq!(one.cost.map(|c| c.to_string()).as_deref(), Some("9.5"));
    }

    #[test]
    fn null_missing_and_empty_are_the_same() {
        let missing = read("{}");
        let nulls = read(
            r#"{"id": null, "reasons": null, "cost": null, "line": null, "test": null, "at": null, "bill_to": null,
                "lines": null}"#,
        );
        let empties = read(
            r#"{"id": " ", "reasons": [], "cost": {}, "line": "x", "test": "", "at": "soon", "bill_to": {},
                "lines": {}}"#,
        );
        let odd = read(r#"{"bill_to": 5, "lines": "none", "cost": [], "reasons": {}}"#);
        assert_eq!(missing, nulls);
        assert_eq!(missing, empties);
        assert_eq!(missing, odd);
    }

    #[derive(Debug, PartialEq)]
    struct Taken {
        order_id: Option<String>,
        lines: Vec<Option<String>>,
        rest: Vec<(String, String)>,
    }

    impl From<super::Fields> for Taken {
        fn from(mut fields: super::Fields) -> Self {
            let lines = fields.list::<Taken>("line_items");
            Self {
                order_id: fields.text("dsco_order_id"),
                lines: lines.into_iter().map(|line| line.order_id).collect(),
                rest: fields.rest(),
            }
        }
    }

    #[test]
    fn fields_are_taken_by_name_and_the_rest_is_carried() {
        let fields = r#"{"dscoOrderId": 7, "lineItems": [{"dscoOrderId": "a"}, {}, null], "b": "x", "a": 1.5, "c": {}}"#;
        let taken = Taken::from(serde_json::from_str::<super::Fields>(fields).unwrap());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            taken,
            Taken {
                order_id: Some("7".to_owned()),
                lines: vec![Some("a".to_owned())],
                rest: vec![pair("a", "1.5"), pair("b", "x")],
            }
        );
        let none: super::Fields = serde_json::from_str("5").unwrap();
        assert_eq!(Taken::from(none).order_id, None);
    }
}
