//! Owns reading a large answer for a few of its fields, without a value for each of the others. Must not know what is
//! asked. As tolerant as reading a [`serde_json::Value`]: what is no object has no pairs.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The pairs of an object, in its order; none of anything else.
#[derive(Debug, PartialEq)]
pub struct Pairs<'a, T>(pub Vec<(Cow<'a, str>, T)>);

impl<T> Pairs<'_, T> {
    /// The value under that name; of several the last, as JSON is read everywhere.
    pub fn get(&self, name: &str) -> Option<&T> {
        let mut latest_first = self.0.iter().rev();
        latest_first.find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The same, without the rest.
    pub fn take(self, name: &str) -> Option<T> {
        let mut latest_first = self.0.into_iter().rev();
        latest_first.find(|(n, _)| n == name).map(|(_, v)| v)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<'de, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tolerant(PhantomData))
    }
}

/// A name, borrowed where nothing in it is escaped.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(Self)
    }
}

struct Tolerant<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Tolerant<T> {
    type Value = Pairs<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::with_capacity(map.size_hint().unwrap_or_default());
        while let Some((Name(name), value)) = map.next_entry()? {
            all.push((name, value));
        }
        Ok(Pairs(all))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Pairs(Vec::new()))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Pairs(Vec::new()))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Pairs(Vec::new()))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Pairs(Vec::new()))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Pairs(Vec::new()))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Pairs(Vec::new()))
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Pairs(Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    type Deep<'a> = Pairs<'a, Pairs<'a, Value>>;

    #[test]
    fn what_is_no_object_has_no_pairs() {
        for text in [
            "null",
            "true",
            "-1",
            "1",
            "1.5",
            "\"a\"",
            "[{\"a\":1}]",
            "{}",
        ] {
            let read: Deep<'_> = serde_json::from_str(text).unwrap();
            assert_eq!(read.0, [], "{text}");
            let within = format!("{{\"x\":{text},\"y\":{{\"n\\u0061me\":7}}}}");
            let read: Deep<'_> = serde_json::from_str(&within).unwrap();
            assert_eq!(read.get("x").map(|x| x.0.len()), Some(0), "{text}");
            let name = read.take("y").and_then(|y| y.take("name"));
            assert_eq!(name, Some(Value::from(7)), "{text}");
        }
    }

    #[test]
    fn of_a_name_that_is_there_twice_the_last_counts() {
        let read: Pairs<'_, Value> = serde_json::from_str(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(read.get("a"), Some(&Value::from(2)));
    }

    #[test]
    fn what_is_cut_short_is_not_read() {
        for text in ["", "{", "{\"a\":{\"b\":1}", "{\"a\":[1}", "{} x"] {
            assert!(serde_json::from_str::<Deep<'_>>(text).is_err(), "{text}");
        }
    }
}
