//! Renders the connections page from composed views.
