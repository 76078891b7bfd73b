//! Finds the line of the table of routes that answers a method and a path. Knows no route by name.

use crate::routes::{self, Entry};
use hyper::Method;
use matchit::Router;
use percent_encoding::percent_decode_str;
use std::collections::HashMap;

/// Parameters of a path, decoded.
pub(crate) type Params = HashMap<String, String>;

/// What an address comes to.
pub(crate) enum Found {
    /// This line of the table.
    Entry(&'static Entry, Params),
    /// The path is there, with these methods.
    OtherMethod(String),
    /// Nothing is there.
    Nothing,
}

/// The table, ready to be asked.
pub(crate) struct Routes(Router<Vec<&'static Entry>>);

impl Routes {
    /// Builds the router of the table.
    ///
    /// # Errors
    /// When two paths of the table collide; a test keeps that from happening.
    pub(crate) fn new() -> Result<Self, matchit::InsertError> {
        let mut by_path: Vec<(&'static str, Vec<&'static Entry>)> = Vec::new();
        for entry in routes::all() {
            match by_path.iter_mut().find(|(path, _)| *path == entry.path) {
                Some((_, entries)) => entries.push(entry),
                None => by_path.push((entry.path, vec![entry])),
            }
        }
        let mut router = Router::new();
        for (path, entries) in by_path {
            router.insert(path, entries)?;
        }
        Ok(Self(router))
    }

    /// What answers this method and path.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let Ok(found) = self.0.at(path) else {
            return Found::Nothing;
        };
        let wanted = if *method == Method::HEAD {
            "GET"
        } else {
            method.as_str()
        };
        let Some(entry) = found.value.iter().find(|entry| entry.method == wanted) else {
            let methods: Vec<_> = found.value.iter().map(|entry| entry.method).collect();
            return Found::OtherMethod(methods.join(", "));
        };
        let params = found
            .params
            .iter()
            .map(|(name, value)| {
                (
                    name.to_owned(),
                    percent_decode_str(value).decode_utf8_lossy().into_owned(),
                )
            })
            .collect();
        Found::Entry(entry, params)
    }
}
