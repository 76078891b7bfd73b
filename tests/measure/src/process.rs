//! What the kernel says of a running process: memory and time on the processor. Must not know whose process it is.

use anyhow::Context as _;

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All of it that is in memory, with files it shares with others.
    pub(crate) resident: u64,
    /// What would be free if it ended.
    pub(crate) private: u64,
    /// Private memory that is no file: heap, stacks, compiled code.
    pub(crate) anonymous: u64,
    /// The most it ever had in memory.
    pub(crate) peak: u64,
}

/// Memory of that process now.
pub(crate) fn memory(id: u32) -> anyhow::Result<Memory> {
    let read = |name: &str| {
        let path = format!("/proc/{id}/{name}");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))
    };
    memory_of(&read("smaps_rollup")?, &read("status")?)
}

fn memory_of(rollup: &str, status: &str) -> anyhow::Result<Memory> {
    Ok(Memory {
        resident: kilobytes(rollup, "Rss")?,
        private: kilobytes(rollup, "Private_Clean")? + kilobytes(rollup, "Private_Dirty")?,
        anonymous: kilobytes(rollup, "Anonymous")?,
        peak: kilobytes(status, "VmHWM")?,
    })
}

/// The bytes in a line such as `Rss:   123 kB`.
fn kilobytes(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .with_context(|| format!("the kernel does not say `{name}`"))?;
    let number = line.split_whitespace().next().unwrap_or_default();
    let kilobytes: u64 = number
        .parse()
        .with_context(|| format!("`{name}` is no number"))?;
    Ok(kilobytes * 1024)
}

/// Hundredths of a second that process has spent on processors, with its threads that ended.
pub(crate) fn ticks(id: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{id}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    ticks_of(&text).with_context(|| format!("`{path}` is not as expected"))
}

fn ticks_of(stat: &str) -> Option<u64> {
    // The name comes second, in brackets, and may hold anything.
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernels_words() {
        let rollup = "7f00-7fff ---p 00000000 00:00 0    [rollup]\nRss:              100 kB\nPss:               60 kB\n\
                      Private_Clean:     5 kB\nPrivate_Dirty:    40 kB\nAnonymous:        30 kB\n";
        let status = "Name:\twaybill\nVmPeak:\t  900 kB\nVmHWM:\t  120 kB\n";
        let memory = memory_of(rollup, status).unwrap();
        assert_eq!(
            memory,
            Memory {
                resident: 102_400,
                private: 46_080,
                anonymous: 30_720,
                peak: 122_880
            }
        );
        assert!(memory_of("", status).is_err());
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_times() {
        let stat = "12 (a) b) S 1 12 12 0 -1 4194560 100 0 0 0 70 5 0 0 20 0 7 0 100 0 0";
        assert_eq!(ticks_of(stat), Some(75));
        assert_eq!(ticks_of("12 (a"), None);
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let own = std::process::id();
        assert!(memory(own).unwrap().resident > 0);
        ticks(own).unwrap();
    }
}
