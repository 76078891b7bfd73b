//! JSON text of a body. Must not know what is in it.

mod text;
mod write;

use serde::Serialize;

/// As [`serde_json::to_vec`], quicker in a component.
///
/// # Errors
/// The value has a map whose keys are no texts, or its own `Serialize` fails.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut text = text::Text::new();
    value.serialize(write::Writer(&mut text))?;
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests;
