//! Other builds of a packaged connector: the next one, the next one signed by a stranger, and one without a signature. A
//! build differs from the packaged one by a section that no runtime reads. Knows the order of sections, nothing else.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes before the first section.
const HEADER: usize = 8;

/// Files outside of the system.
pub(crate) struct Builds {
    /// As packaged.
    pub(crate) packaged: PathBuf,
    /// Another one, signed by the package's key.
    pub(crate) next: PathBuf,
    /// Another one, signed by a key that nobody trusts.
    pub(crate) stranger: PathBuf,
    /// Signed by nobody.
    pub(crate) unsigned: PathBuf,
}

impl Builds {
    /// `stage`: what the package was made of. `folder`: where the builds go.
    pub(crate) fn make(stage: &Path, folder: &Path) -> anyhow::Result<Self> {
        let packaged = stage.join("connectors/brightpearl.wasm");
        let signed = std::fs::read(&packaged).context("cannot read the packaged connector")?;
        let component = signed
            .get(..last_section(&signed)?)
            .context("a section begins behind the end")?;
        let made = |name: &str, note: &str| -> anyhow::Result<PathBuf> {
            let place = folder.join(name);
            std::fs::write(&place, [component, &section(note)?].concat())?;
            Ok(place)
        };
        let waybill = stage.join("bin/waybill");
        let next = made("next.wasm", "the next build")?;
        run(Command::new(&waybill)
            .args(["connectors", "sign", "--key"])
            .arg(waybill_packages::own_key())
            .arg(&next))?;
        let key = folder.join("stranger.key");
        for part in [key.clone(), key.with_extension("key.pub")] {
            drop(std::fs::remove_file(part));
        }
        run(Command::new(&waybill)
            .args(["connectors", "keygen", "--name", "A stranger"])
            .arg(&key))?;
        let stranger = made("stranger.wasm", "a build of somebody else")?;
        run(Command::new(&waybill)
            .args(["connectors", "sign", "--key"])
            .arg(&key)
            .arg(&stranger))?;
        Ok(Self {
            unsigned: made("unsigned.wasm", "a build that nobody signed")?,
            packaged,
            next,
            stranger,
        })
    }
}

/// Where the last section of a component begins: the signature.
fn last_section(bytes: &[u8]) -> anyhow::Result<usize> {
    let (mut last, mut at) = (HEADER, HEADER);
    while at < bytes.len() {
        last = at;
        let (mut size, mut shift) = (0_usize, 0);
        at += 1;
        loop {
            let byte = *bytes.get(at).context("the file ends in a section")?;
            at += 1;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        at += size;
    }
    ensure!(at == bytes.len(), "the last section is cut short");
    Ok(last)
}

/// A section named `build` that holds a note.
fn section(note: &str) -> anyhow::Result<Vec<u8>> {
    let content = [b"\x05build".as_slice(), note.as_bytes()].concat();
    let size = u8::try_from(content.len()).ok().filter(|size| *size < 128);
    let size = size.context("the note is too long")?;
    Ok([&[0, size], content.as_slice()].concat())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{last_section, section};

    #[test]
    fn the_last_section_is_found_by_its_length_and_a_cut_one_is_none() {
        let first = [&[0, 0x80, 0x01], [7; 128].as_slice()].concat();
        let note = section("hello").unwrap();
        let whole = [b"\0asm\x0d\0\x01\0".as_slice(), &first, &note].concat();
        assert_eq!(last_section(&whole).unwrap(), 8 + first.len());
        assert!(last_section(&whole[..whole.len() - 1]).is_err());
    }
}
