//! The `.rpm`, written by the `rpm` crate from the list that the `.deb` is made of. Owns what differs between the two
//! families: paths of completions, names of the libraries, scripts.

use crate::list::{self, Entry};
use crate::stage::{Stage, root};
use crate::{Wishes, read};
use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};
use std::io::Write as _;
use std::path::PathBuf;

const UNIT: &str = "/usr/lib/systemd/system/waybill.service";

pub(crate) fn make(wishes: &Wishes, stage: &Stage) -> anyhow::Result<PathBuf> {
    let base = root().join("agent");
    let manifest = read(&base.join("Cargo.toml"))?;
    let table: toml::Table = manifest.parse().context("the manifest is no TOML")?;
    let about = |name: &str| {
        table["package"]["metadata"]["deb"]
            .get(name)
            .and_then(toml::Value::as_str)
            .with_context(|| format!("the manifest has no `package.metadata.deb.{name}`"))
    };
    let mut entries = list::entries(&manifest, &base)?;
    entries.push(Entry {
        source: root().join("packaging/systemd/waybill.service"),
        place: UNIT.to_owned(),
        mode: 0o644,
    });
    let summary = table["package"]["description"]
        .as_str()
        .context("the manifest has no description")?;
    let (version, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let mut builder =
        PackageBuilder::new("waybill", version, env!("CARGO_PKG_LICENSE"), arch, summary);
    // A development build is tried on this machine: packing it would take longer than installing it.
    let mut config = BuildConfig::default().compression(if wishes.release {
        CompressionWithLevel::Gzip(9)
    } else {
        CompressionWithLevel::None
    });
    if let Some(date) = stage.date {
        config = config.source_date(date);
    }
    builder
        .using_config(config)
        .release(wishes.revision.to_string())
        .description(about("extended-description")?)
        .packager(about("maintainer")?);
    for needed in [
        "libc.so.6(GLIBC_2.34)(64bit)",
        "libgcc_s.so.1()(64bit)",
        "ca-certificates",
    ] {
        builder.requires(Dependency::any(needed));
    }
    builder.requires(Dependency::greater_eq("systemd", "247"));
    let script = |name: &str| read(&root().join("packaging/rpm").join(name));
    builder
        .post_install_script(script("post")?)
        .pre_uninstall_script(script("preun")?)
        .post_uninstall_script(script("postun")?);
    for folder in [
        "/etc/waybill",
        "/usr/lib/waybill",
        "/usr/lib/waybill/connectors",
        "/usr/lib/waybill/trusted-keys.d",
        "/usr/share/doc/waybill",
        "/usr/share/licenses/waybill",
    ] {
        builder.with_dir_entry(FileOptions::dir(folder).permissions(0o755))?;
    }
    // The key that the script makes is no file of the package, not even a ghost: `rpm -e` removes what a package owns,
    // and without the key the database that stays behind opens no secret.
    for entry in &entries {
        add(&mut builder, entry)?;
    }
    builder.with_file(
        root().join("LICENSE"),
        FileOptions::new("/usr/share/licenses/waybill/LICENSE")
            .permissions(0o644)
            .license(),
    )?;
    let place = wishes
        .out
        .join(format!("waybill-{version}-{}.{arch}.rpm", wishes.revision));
    std::fs::create_dir_all(&wishes.out)?;
    builder
        .build()
        .and_then(|package| package.write_file(&place))
        .with_context(|| format!("cannot write `{}`", place.display()))?;
    Ok(place)
}

fn add(builder: &mut PackageBuilder, entry: &Entry) -> anyhow::Result<()> {
    let mut place = entry
        .place
        .replace("/zsh/vendor-completions/", "/zsh/site-functions/");
    let manual = place.starts_with("/usr/share/man/");
    if manual {
        place.push_str(".gz");
    }
    let mut options = FileOptions::new(&place).permissions(entry.mode);
    if place.starts_with("/etc/") {
        options = options.config().noreplace();
    }
    if manual || place.starts_with("/usr/share/doc/") {
        options = options.doc();
    }
    let bytes = std::fs::read(&entry.source)
        .with_context(|| format!("cannot read `{}`", entry.source.display()))?;
    let bytes = if manual { gzip(&bytes)? } else { bytes };
    builder
        .with_file_contents(bytes, options)
        .with_context(|| format!("cannot add `{place}`"))?;
    Ok(())
}

fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    Ok(packed.finish()?)
}
