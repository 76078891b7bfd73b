//! Keeps the house in order: floors, vendor words, headers, file sizes, the top-level list. The rules are tests in
//! `tests/`; this library only reads the tree.

use std::path::{Path, PathBuf};

/// The top of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file that git knows or would add, relative to the top.
///
/// # Panics
/// When git cannot be asked: a tidy check that saw no file would prove nothing.
pub fn files() -> Vec<PathBuf> {
    let output = std::process::Command::new("git")
        .current_dir(root())
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .output()
        .expect("git lists the files");
    assert!(output.status.success(), "git could not list the files");
    let names = String::from_utf8(output.stdout).expect("file names are text");
    let files: Vec<PathBuf> = names
        .split('\0')
        .filter(|n| !n.is_empty())
        .map(PathBuf::from)
        .filter(|p| root().join(p).exists())
        .collect();
    assert!(files.len() > 50, "git listed only {} files", files.len());
    files
}

/// The Rust sources among them, with their text.
pub fn sources() -> Vec<(PathBuf, String)> {
    files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| {
            let text = read(&path);
            (path, text)
        })
        .collect()
}

/// The text of a file of the project.
///
/// # Panics
/// When it cannot be read as text.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}
