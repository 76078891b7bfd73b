//! Real folders and the system's own events.

use super::*;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::sync::Notify;

struct Bench {
    dir: TempDir,
    count: Arc<AtomicUsize>,
    told: Arc<Notify>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn start(poll: Option<Duration>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder {
            path: dir.path().join("connectors"),
            poll,
        };
        fs::create_dir(&folder.path).unwrap();
        let (count, told, stop) = (
            Arc::default(),
            Arc::new(Notify::new()),
            CancellationToken::new(),
        );
        let running = tokio::spawn({
            let (count, told, stop) = (Arc::clone(&count), Arc::clone(&told), stop.clone());
            run(folder, stop, move || {
                AtomicUsize::fetch_add(&count, 1, Ordering::Relaxed);
                told.notify_one();
            })
        });
        let bench = Self {
            dir,
            count,
            told,
            stop,
            running,
        };
        bench.next().await;
        bench
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join("connectors").join(name)
    }

    async fn next(&self) {
        timeout(Duration::from_secs(20), self.told.notified())
            .await
            .expect("the change is told");
    }

    /// Nothing is told for twice as long as a change takes.
    async fn silent(&self) {
        let told = timeout(3 * QUIET, self.told.notified()).await;
        assert!(told.is_err(), "something was told");
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_renamed_into_place_is_told_once() {
    let bench = Bench::start(None).await;
    fs::write(bench.at(".new"), "component").unwrap();
    fs::rename(bench.at(".new"), bench.at("a.wasm")).unwrap();
    bench.next().await;
    bench.silent().await;
    assert_eq!(bench.count(), 2);
    bench.end().await;
}

#[tokio::test]
async fn a_slow_copy_is_told_when_it_is_whole() {
    use std::io::Write;
    let bench = Bench::start(None).await;
    let mut file = fs::File::create(bench.at("a.wasm")).unwrap();
    for _ in 0..8 {
        file.write_all(&[0; 1000]).unwrap();
        tokio::time::sleep(QUIET / 4).await;
    }
    drop(file);
    bench.next().await;
    assert_eq!(fs::metadata(bench.at("a.wasm")).unwrap().len(), 8000);
    bench.silent().await;
    assert_eq!(bench.count(), 2);
    bench.end().await;
}

#[tokio::test]
async fn reading_and_other_files_are_no_change() {
    let bench = Bench::start(None).await;
    fs::write(bench.at("a.wasm"), "component").unwrap();
    bench.next().await;
    bench.silent().await;
    fs::read(bench.at("a.wasm")).unwrap();
    fs::write(bench.at("notes.txt"), "x").unwrap();
    fs::write(bench.at(".a.wasm.swp"), "x").unwrap();
    bench.silent().await;
    fs::remove_file(bench.at("a.wasm")).unwrap();
    bench.next().await;
    bench.end().await;
}

#[tokio::test]
async fn network_drives_are_looked_at_by_the_clock() {
    let bench = Bench::start(Some(Duration::from_millis(50))).await;
    for _ in 0..3 {
        bench.next().await;
    }
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_not_there_is_looked_for() {
    let bench = Bench::start(None).await;
    bench.end().await;
    let (count, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let folder = Folder {
        path: PathBuf::from("/nowhere/connectors"),
        poll: None,
    };
    let counted = Arc::clone(&count);
    let running = tokio::spawn(run(folder, stop.clone(), move || {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    tokio::time::sleep(3 * UNTOLD + QUIET).await;
    assert_eq!(count.load(Ordering::Relaxed), 4);
    stop.cancel();
    running.await.unwrap();
}
