//! The list of files that both packages hold. Read from the agent's manifest, where `cargo-deb` reads it too; must not
//! know what a file is for.

use anyhow::{Context as _, bail, ensure};
use std::path::{Path, PathBuf};

/// One file and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it lies now.
    pub(crate) source: PathBuf,
    /// Where it belongs, absolute.
    pub(crate) place: String,
    /// Permissions, for example `0o644`.
    pub(crate) mode: u16,
}

/// Every file of the list, by place. `base`: the folder that sources are relative to.
pub(crate) fn entries(manifest: &str, base: &Path) -> anyhow::Result<Vec<Entry>> {
    let manifest: toml::Table = manifest.parse().context("the manifest is no TOML")?;
    let assets = manifest
        .get("package")
        .and_then(|package| {
            package
                .get("metadata")?
                .get("deb")?
                .get("assets")?
                .as_array()
        })
        .context("the manifest has no `package.metadata.deb.assets`")?;
    let mut entries = Vec::new();
    for asset in assets {
        let texts: Vec<&str> = asset
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_str)
            .collect();
        let [source, place, mode] = texts.as_slice() else {
            bail!("an asset is source, place and mode, not `{asset}`")
        };
        let mode = u16::from_str_radix(mode, 8)
            .with_context(|| format!("`{mode}` is no mode of `{source}`"))?;
        for source in matching(&base.join(source))? {
            let mut whole = format!("/{place}");
            if whole.ends_with('/') {
                let name = source.file_name().context("a file has a name")?;
                whole.push_str(&name.to_string_lossy());
            }
            entries.push(Entry {
                source,
                place: whole,
                mode,
            });
        }
    }
    entries.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(entries)
}

/// The file, or every file that a name such as `*.wasm` means; none is a mistake.
fn matching(pattern: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let name = pattern
        .file_name()
        .and_then(|name| name.to_str())
        .context("a source has a name")?;
    let Some(end) = name.strip_prefix('*') else {
        ensure!(
            pattern.is_file(),
            "`{}` is not there; the list names it",
            pattern.display()
        );
        return Ok(vec![pattern.to_owned()]);
    };
    let folder = pattern.parent().context("a source has a folder")?;
    let mut found = Vec::new();
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?
    {
        let path = entry?.path();
        if path.is_file() && path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    ensure!(!found.is_empty(), "nothing is `{}`", pattern.display());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_the_name_and_a_pattern_means_every_file() {
        let base = tempfile::tempdir().unwrap();
        for name in ["one.wasm", "two.wasm", "two.txt"] {
            std::fs::write(base.path().join(name), name).unwrap();
        }
        let text = "[package.metadata.deb]\nassets = [[\"*.wasm\", \"usr/lib/x/\", \"644\"],\n\
                    [\"two.txt\", \"etc/x.conf\", \"600\"]]";
        let entries = entries(text, base.path()).unwrap();
        let seen: Vec<(&str, u16)> = entries.iter().map(|e| (e.place.as_str(), e.mode)).collect();
        assert_eq!(
            seen,
            [
                ("/etc/x.conf", 0o600),
                ("/usr/lib/x/one.wasm", 0o644),
                ("/usr/lib/x/two.wasm", 0o644)
            ]
        );
    }

    #[test]
    fn what_the_list_names_must_be_there() {
        let base = tempfile::tempdir().unwrap();
        for source in ["gone", "*.gone"] {
            let text =
                format!("[package.metadata.deb]\nassets = [[\"{source}\", \"usr/bin/\", \"755\"]]");
            assert!(entries(&text, base.path()).is_err(), "{source}");
        }
    }
}
