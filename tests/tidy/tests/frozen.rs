//! Frozen contracts do not change: every file under `wit/frozen/` has the hash that `SHA256SUMS` there says, and what a
//! release listed stays listed. How one is frozen: `wit/frozen/README.md`.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use waybill_tidy::{files, root};

const FROZEN: &str = "wit/frozen";
const SUMS: &str = "wit/frozen/SHA256SUMS";
const HOW: &str = "read wit/frozen/README.md";

type Sums = BTreeMap<PathBuf, String>;

/// As `sha256sum` writes it: digits, two blanks, a path.
fn listed(text: &str) -> Result<Sums, String> {
    let mut sums = Sums::new();
    for line in text.lines() {
        let (sum, path) = line
            .split_once("  ")
            .ok_or(format!("{SUMS}: no sum and path in `{line}`"))?;
        sums.insert(PathBuf::from(path), sum.to_owned());
    }
    Ok(sums)
}

/// The contracts that lie under a folder.
fn found(folder: &Path, paths: &[PathBuf]) -> std::io::Result<Sums> {
    let mut sums = Sums::new();
    for path in paths {
        let digest = Sha256::digest(std::fs::read(folder.join(path))?);
        let mut sum = String::new();
        for byte in &digest {
            let _infallible = write!(sum, "{byte:02x}");
        }
        sums.insert(path.clone(), sum);
    }
    Ok(sums)
}

/// What differs, one line each.
fn differences(listed: &Sums, found: &Sums) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, sum) in found {
        match listed.get(path) {
            None => problems.push(format!("{}: frozen without a sum; {HOW}", path.display())),
            Some(known) if known != sum => {
                problems.push(format!("{}: a frozen file changed; {HOW}", path.display()));
            }
            Some(_) => {}
        }
    }
    for path in listed.keys().filter(|path| !found.contains_key(*path)) {
        problems.push(format!("{}: a frozen file is gone; {HOW}", path.display()));
    }
    problems
}

/// What a release listed and now is listed otherwise.
fn rewritten(released: &Sums, listed: &Sums) -> Vec<String> {
    released
        .iter()
        .filter(|(path, sum)| listed.get(*path) != Some(sum))
        .map(|(path, _)| {
            format!(
                "{}: belongs to a release, and is not as there",
                path.display()
            )
        })
        .collect()
}

fn frozen_files() -> Vec<PathBuf> {
    files()
        .iter()
        .filter_map(|path| path.strip_prefix(FROZEN).ok())
        .filter(|path| path.extension().is_some_and(|e| e == "wit"))
        .map(Path::to_owned)
        .collect()
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git")
        .current_dir(root())
        .args(arguments)
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn frozen_contracts_are_as_their_sums_say() {
    let paths = frozen_files();
    assert!(paths.len() >= 3, "nothing is frozen");
    let listed = listed(&waybill_tidy::read(Path::new(SUMS))).expect(HOW);
    let found = found(&root().join(FROZEN), &paths).expect("frozen files are readable");
    let problems = differences(&listed, &found);
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn what_a_release_froze_stays_frozen() {
    let now = listed(&waybill_tidy::read(Path::new(SUMS))).expect(HOW);
    // A clone without tags has nothing to compare with; the machine that releases has them all.
    for tag in git(&["tag", "--list", "v*"]).unwrap_or_default().lines() {
        if let Some(text) = git(&["show", &format!("{tag}:{SUMS}")]) {
            let problems = rewritten(&listed(&text).expect(tag), &now);
            assert!(problems.is_empty(), "{tag}:\n{}", problems.join("\n"));
        }
    }
}

#[test]
fn each_kind_of_change_is_noticed() {
    let sums = |text: &str| listed(text).expect("sums");
    let old = sums("aa  0.1.0/host.wit\nbb  0.1.0/types.wit");
    assert!(differences(&old, &old).is_empty());
    let changed = differences(&old, &sums("ac  0.1.0/host.wit\nbb  0.1.0/types.wit"));
    assert!(changed[0].contains("changed"), "{changed:?}");
    let gone = differences(&old, &sums("aa  0.1.0/host.wit"));
    assert!(gone[0].contains("gone"), "{gone:?}");
    let more = sums("aa  0.1.0/host.wit\nbb  0.1.0/types.wit\ncc  0.2.0/host.wit");
    assert!(differences(&old, &more)[0].contains("without a sum"));
    assert!(rewritten(&old, &more).is_empty(), "a release may add");
    assert_eq!(rewritten(&more, &old).len(), 1);
    assert!(listed("aa 0.1.0/host.wit").is_err());
}
