//! The environment of a child compiler: what cargo and rustup set for *this* program must not reach it.
//! Must not know which compiler is started or what for.

use std::ffi::OsStr;
use std::process::Command;

/// Cargo's own settings that a person may have made on purpose: proxies, mirrors, the registry's folder, colours.
const KEPT: [&str; 8] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRY_",
    "CARGO_REGISTRIES_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "CARGO_BUILD_JOBS",
];
/// Set by `cargo run` or by rustup's proxies for their child.
const DROPPED: [&str; 10] = [
    "CARGO",
    "RUSTUP_TOOLCHAIN",
    "RUST_RECURSION_COUNT",
    "RUSTFLAGS",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "LD_LIBRARY_PATH",
    "MAKEFLAGS",
    "MFLAGS",
    "NUM_JOBS",
];

/// Whether a variable of this program must not be seen by a compiler it starts.
pub(crate) fn is_ours(name: &str) -> bool {
    DROPPED.contains(&name)
        || name == "RUSTC"
        || name.starts_with("RUSTC_")
        || (name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept)))
}

/// A command that inherits nothing of the cargo that runs this program.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_ours) {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn a_child_sees_mirrors_but_not_our_own_build() {
        for name in [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_PKG_NAME",
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PROFILE_GUEST_STRIP",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_BOOTSTRAP",
            "RUSTUP_TOOLCHAIN",
            "RUSTFLAGS",
            "LD_LIBRARY_PATH",
        ] {
            assert!(is_ours(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "CARGO_HTTP_PROXY",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_CRATES_IO_PROTOCOL",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
