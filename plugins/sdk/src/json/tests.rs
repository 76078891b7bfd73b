//! Our writer beside the library, shape by shape and byte by byte.

use super::*;
use serde_json::json;
use std::collections::BTreeMap;

/// Every shape that serde knows.
#[derive(Serialize)]
enum Shape {
    Unit,
    New(Option<u8>),
    Tuple(i8, char),
    Struct { a: (), b: Vec<Shape> },
}

#[derive(Serialize)]
struct Pair(u16, f32);

#[derive(Serialize)]
struct Nothing;

fn assert_as_the_library<T: Serialize>(value: &T) {
    let ours = String::from_utf8(to_vec(value).unwrap()).unwrap();
    assert_eq!(ours, serde_json::to_string(value).unwrap());
}

#[test]
fn writes_what_the_library_writes() {
    let long = "a text longer than what is copied at once, \"quoted\" and \u{e9}\n".repeat(100);
    for value in [
        json!(null),
        json!({"a": 1, "b": [true, false, 0.5, -1e300, "c\u{1}"], "long": long, "": {}}),
        json!([]),
        json!([i64::MIN, i64::MAX, u64::MAX, 0, -1, 10, 1_000_000_007]),
        json!((0..50).map(|n| "x".repeat(n)).collect::<Vec<_>>()),
    ] {
        assert_as_the_library(&value);
    }
    assert_as_the_library(&(
        Shape::Struct {
            a: (),
            b: vec![
                Shape::Unit,
                Shape::New(None),
                Shape::New(Some(7)),
                Shape::Tuple(-8, '\u{20ac}'),
            ],
        },
        Pair(9, 0.1),
        Nothing,
        BTreeMap::from([("k\t", 1_i16), ("l", i16::MIN)]),
        f64::NAN,
    ));
}

#[test]
fn each_byte_is_escaped_wherever_it_stands() {
    for byte in 0..=0x7f_u8 {
        for length in [1, 2, 3, 4, 6, 8, 11, 16, 21] {
            for at in 0..length {
                let mut text = vec![b'x'; length];
                text[at] = byte;
                assert_as_the_library(&String::from_utf8(text).unwrap());
            }
        }
    }
    for text in [
        "\u{80}",
        "\u{a0}\u{ffff}",
        "na\u{ef}ve caf\u{e9}",
        "\u{10ffff}\"",
        "\u{7f}\u{80}\u{2028}",
    ] {
        assert_as_the_library(&text);
    }
}

#[test]
fn a_key_that_is_no_text_is_refused() {
    let wrong = to_vec(&BTreeMap::from([(1, 2)])).unwrap_err();
    assert_eq!(wrong.to_string(), "a key of a map must be a text");
}

#[test]
fn what_shows_itself_is_a_text() {
    struct Shown;
    impl Serialize for Shown {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.collect_str(&format_args!("{}\"{}", 1, "\n"))
        }
    }
    assert_as_the_library(&Shown);
}
