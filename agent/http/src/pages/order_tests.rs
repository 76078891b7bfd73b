//! Renders the order page from composed views.
