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

/// Whether `cargo run` set a variable to say which package this program is of.
fn names_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The cargo that runs this program, for another build in the same target folder. Some build scripts ask which package
/// they are of: one that saw this program's would be run again, and all that depends on it compiled again, each time.
pub fn own_cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(names_package) {
            cargo.env_remove(name);
        }
    }
    cargo
}

#[cfg(test)]
mod tests {
    use super::{is_ours, names_package, own_cargo};

    #[test]
    fn another_build_is_not_told_this_package() {
        // Cargo sets these for tests too.
        let removed = |name: &str| {
            own_cargo()
                .get_envs()
                .any(|(other, value)| other == name && value.is_none())
        };
        assert!(removed("CARGO_PKG_NAME"));
        assert!(removed("CARGO_MANIFEST_DIR"));
        for kept in ["CARGO_TARGET_DIR", "CARGO_HOME", "PATH"] {
            assert!(!names_package(kept), "{kept}");
        }
    }

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
