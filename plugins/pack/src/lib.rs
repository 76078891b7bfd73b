//! Builds connectors for `wasm32-unknown-unknown` and wraps each into one component file.
//! The one place that knows how such a build is done on this machine; it knows nothing of the agent or of any vendor.
//! Read `way.rs` for the choice of the compiler, `component.rs` for the build.

mod child;
mod component;
mod programs;
mod way;

pub use child::own_cargo;
pub use component::{DEFAULT_PACKAGES, Pack, build, build_all, wrap};
pub use programs::build_programs;
pub use way::Way;
