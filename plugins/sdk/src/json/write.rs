//! A [`serde::Serializer`] of compact JSON. Numbers with a point are the library's; the rest is texts and brackets.

use super::text::{QUOTE, Text};
use serde::ser::{self, Error as _, Serialize, Serializer};
use serde_json::Error;
use std::fmt::{self, Write as _};

/// Writes one value.
pub(super) struct Writer<'a>(pub(super) &'a mut Text);

/// Writes what is between brackets.
pub(super) struct Between<'a> {
    text: &'a mut Text,
    first: bool,
    /// Closes it.
    end: &'static str,
}

impl<'a> Writer<'a> {
    fn open(self, start: &'static str, end: &'static str) -> Between<'a> {
        self.0.piece(start.as_bytes());
        Between {
            text: self.0,
            first: true,
            end,
        }
    }

    /// A variant with something in it: an object of one field.
    fn variant(self, name: &'static str, start: &'static str, end: &'static str) -> Between<'a> {
        self.0.byte(b'{');
        self.0.name(true, name);
        self.open(start, end)
    }

    fn whole(self, number: u64, negative: bool) {
        // Twenty digits and a sign.
        let mut digits = [0; 21];
        let (mut rest, mut at) = (number, digits.len());
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if negative {
            at -= 1;
            digits[at] = b'-';
        }
        self.0.piece(&digits[at..]);
    }

    fn library(self, value: &impl Serialize) -> Result<(), Error> {
        self.0.piece(&serde_json::to_vec(value)?);
        Ok(())
    }
}

impl Between<'_> {
    fn comma(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.text.byte(b',');
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.comma();
        value.serialize(Writer(self.text))
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        self.text.name(std::mem::take(&mut self.first), name);
        value.serialize(Writer(self.text))
    }

    fn close(self) {
        self.text.piece(self.end.as_bytes());
    }
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Between<'a>;
    type SerializeTuple = Between<'a>;
    type SerializeTupleStruct = Between<'a>;
    type SerializeTupleVariant = Between<'a>;
    type SerializeMap = Between<'a>;
    type SerializeStruct = Between<'a>;
    type SerializeStructVariant = Between<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.0.piece(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.whole(value.unsigned_abs(), value < 0);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.whole(value, false);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.library(&value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.library(&value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.0.quoted(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.0.piece(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = self.open("{", "}");
        object.field(variant, value)?;
        object.close();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Between<'a>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Between<'a>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Between<'a>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Between<'a>, Error> {
        Ok(self.variant(variant, "[", "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Between<'a>, Error> {
        Ok(self.open("{", "}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Between<'a>, Error> {
        Ok(self.open("{", "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Between<'a>, Error> {
        Ok(self.variant(variant, "{", "}}"))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.0.byte(QUOTE);
        write!(Inside(self.0), "{value}").map_err(Error::custom)?;
        self.0.byte(QUOTE);
        Ok(())
    }
}

/// What a value shows of itself, between quotes.
struct Inside<'a>(&'a mut Text);

impl fmt::Write for Inside<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.inside(text);
        Ok(())
    }
}

/// Traits whose values have no name.
macro_rules! elements {
    ($($of:ident::$element:ident)*) => {$(
        impl ser::$of for Between<'_> {
            type Ok = ();
            type Error = Error;

            fn $element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

/// Traits whose values have one.
macro_rules! fields {
    ($($of:ident)*) => {$(
        impl ser::$of for Between<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Between<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.comma();
        let at = self.text.len();
        key.serialize(Writer(self.text))?;
        if self.text.at(at) == Some(QUOTE) {
            return Ok(());
        }
        Err(Error::custom("a key of a map must be a text"))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.text.byte(b':');
        value.serialize(Writer(self.text))
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}
