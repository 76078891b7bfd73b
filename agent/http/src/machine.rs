//! What the system says of this process and of the disk its database lies on. Asked for each scrape, kept nowhere; what
//! the system does not tell is left out.

use std::path::Path;
use waybill_model::ids::Millis;

/// At one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Machine {
    /// The disk.
    pub(crate) disk: Option<Disk>,
    /// This process.
    pub(crate) process: Option<Process>,
    /// When it began to listen.
    pub(crate) started_at: Millis,
}

/// A disk, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    pub(crate) free: u64,
    pub(crate) size: u64,
}

/// A process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    /// Bytes in memory.
    pub(crate) resident: u64,
    /// Processor time so far.
    pub(crate) cpu_seconds: f64,
    /// Open files.
    pub(crate) open_files: u64,
}

/// Ticks of the kernel's clock in a second; the same on every system we are built for.
const TICKS: f64 = 100.0;

impl Machine {
    /// Asks the system.
    pub(crate) fn now(data_dir: &Path, started_at: Millis) -> Self {
        Self {
            disk: rustix::fs::statvfs(data_dir).ok().map(|disk| Disk {
                free: disk.f_bavail.saturating_mul(disk.f_frsize),
                size: disk.f_blocks.saturating_mul(disk.f_frsize),
            }),
            process: process(),
            started_at,
        }
    }
}

fn process() -> Option<Process> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    Some(Process {
        resident: resident(&read("status")?)?,
        cpu_seconds: ticks(&read("stat")?)? / TICKS,
        // Without the one that reads the list.
        open_files: u64::try_from(open.saturating_sub(1)).ok()?,
    })
}

/// Bytes in memory.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Processor time in ticks. The process's name may hold blanks and brackets.
fn ticks(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |n: usize| fields.get(n).and_then(|text| text.parse::<f64>().ok());
    Some(field(11)? + field(12)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 12345 1 2 3";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(
            resident("Name:\tx\nVmRSS:\t   23552 kB\nThreads:\t4\n"),
            Some(23552 * 1024)
        );
    }

    #[test]
    fn this_process_is_measured() {
        let machine = Machine::now(Path::new("/"), 0);
        let process = machine.process.unwrap();
        assert!(process.resident > 1_000_000 && process.open_files >= 3);
        assert!(machine.disk.unwrap().size > 0);
    }
}
