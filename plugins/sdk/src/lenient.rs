//! Tolerant readers for `#[serde(deserialize_with)]`: vendors write one field as number or string, as null, missing or
//! `{}`. Use with `#[serde(default)]`. Nothing here fails on a value of another shape: it reads it as none.

use crate::commerce::Decimal;
use crate::date;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;

/// The text of a scalar; blank is none.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A string, a number or a truth value as text.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(&Value::deserialize(deserializer)?))
}

/// Texts in an array, or one on its own.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(values) => values.iter().filter_map(text_of).collect(),
        other => text_of(&other).into_iter().collect(),
    })
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
    Ok(text_of(&Value::deserialize(deserializer)?).map(|text| {
        matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "1" | "yes" | "y"
        )
    }))
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
    T: Deserialize<'de>,
{
    Ok(deserializer.deserialize_any(Shape(PhantomData))?.pop())
}

/// Objects in an array; an object on its own counts as one, `{}`, null and scalars as none. Reads without keeping the
/// raw values, so that a large page does not need its memory twice.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(Shape(PhantomData))
}

/// Zero, one or many `T`, whatever the shape.
struct Shape<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Shape<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, an array of objects, or nothing")
    }
    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_none<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_bool<E>(self, _: bool) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_i64<E>(self, _: i64) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_u64<E>(self, _: u64) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_f64<E>(self, _: f64) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_str<E>(self, _: &str) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(One(one)) = seq.next_element::<One<T>>()? {
            all.extend(one);
        }
        Ok(all)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        let mut filled = Filled { map, any: false };
        let value = T::deserialize(MapAccessDeserializer::new(&mut filled))?;
        while filled.map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(if filled.any { vec![value] } else { Vec::new() })
    }
}

/// One element of an array: itself, or none where it is null or `{}`.
struct One<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shape(PhantomData)).map(Self)
    }
}

/// Notices whether an object had any field.
struct Filled<A> {
    map: A,
    any: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for &mut Filled<A> {
    type Error = A::Error;

    fn next_key_seed<K: serde::de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let key = self.map.next_key_seed(seed)?;
        self.any |= key.is_some();
        Ok(key)
    }
    fn next_value_seed<V: serde::de::DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
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
}
