//! Blanks around a text. Knows no fields.

/// As [`str::trim`], without decoding a text that has nothing to trim, as nearly all of them.
pub fn trim(text: &str) -> &str {
    let plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    if plain(bytes.first()) && plain(bytes.last()) {
        text
    } else {
        text.trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_what_the_library_trims() {
        for text in [
            "",
            " ",
            "a",
            " a",
            "a\u{3000}",
            "\u{a0}a b\t",
            "a b",
            "\u{e9}",
            "\u{e9} ",
            "-",
        ] {
            assert_eq!(trim(text), text.trim(), "{text:?}");
        }
    }
}
