//! Renders the attention page from composed views.
