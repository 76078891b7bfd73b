//! Which promise is broken.

/// Sixteen bytes; the tests write others over them.
static FLAVOUR: &str = "promise:kept    ";

/// Whether this one is.
pub(crate) fn is(word: &str) -> bool {
    core::hint::black_box(FLAVOUR).trim_end() == word
}
