//! A real browser for the tests: Chromium without a window, told what to do over two pipes (its own protocol, one line of
//! JSON per message). Knows no page of ours. Waits are promises in the page, never time of its own.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

pub(crate) mod axe;

use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Names under which it is found.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// A browser that says nothing for so long is stuck.
const SILENCE: Duration = Duration::from_secs(90);
/// Pages that may come and go while something is waited for.
const PAGES: usize = 60;

/// Where it is on this machine.
pub(crate) fn program() -> Option<PathBuf> {
    let found = |name: &&str| {
        let out = Command::new("sh")
            .args(["-c", &format!("command -v {name}")])
            .output()
            .ok()?;
        let path = String::from_utf8(out.stdout).ok()?.trim().to_owned();
        (!path.is_empty()).then(|| PathBuf::from(path))
    };
    PROGRAMS.iter().find_map(found)
}

/// One page in a browser of its own.
pub(crate) struct Browser {
    child: Child,
    wishes: File,
    answers: Receiver<Value>,
    next: u64,
    session: Option<String>,
    /// Its profile; gone with it.
    _folder: tempfile::TempDir,
}

fn pipe(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    path
}

impl Browser {
    /// Starts it with a window of that many pixels.
    pub(crate) fn start(program: &Path, (width, height): (u32, u32)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (wishes, answers) = (pipe(folder.path(), "in"), pipe(folder.path(), "out"));
        // The pipes are its files 3 and 4, which only a shell opens without further ado.
        let child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<\"$IN\" 4>\"$OUT\"", "sh"])
            .arg(program)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox"])
            .args(["--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .arg(format!(
                "--user-data-dir={}",
                folder.path().join("profile").display()
            ))
            .arg("about:blank")
            .env("IN", &wishes)
            .env("OUT", &answers)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wishes = File::options().write(true).open(wishes).unwrap();
        let told = BufReader::new(File::open(answers).unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for message in told.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else {
                    return;
                };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            wishes,
            answers,
            next: 0,
            session: None,
            _folder: folder,
        };
        let target = browser
            .ask("Target.createTarget", &json!({"url": "about:blank"}))
            .unwrap();
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", &attach).unwrap();
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        browser.ask("Page.enable", &json!({})).unwrap();
        let screen =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        browser
            .ask("Emulation.setDeviceMetricsOverride", &screen)
            .unwrap();
        browser
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        self.next += 1;
        let mut wish = json!({"id": self.next, "method": method, "params": params});
        if let Some(session) = &self.session {
            wish["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&wish).unwrap();
        bytes.push(0);
        self.wishes.write_all(&bytes).unwrap();
        loop {
            let answer = self.answers.recv_timeout(SILENCE);
            let answer =
                answer.unwrap_or_else(|e| panic!("{method}: the browser says nothing: {e}"));
            if answer["id"] == self.next {
                return match answer.get("error") {
                    Some(error) => Err(error.to_string()),
                    None => Ok(answer["result"].clone()),
                };
            }
        }
    }

    /// What an expression of the page comes to; an error when the page went away meanwhile.
    pub(crate) fn value(&mut self, expression: &str) -> Result<Value, String> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", &params)?;
        match answer.get("exceptionDetails") {
            Some(error) => Err(error.to_string()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Opens an address.
    pub(crate) fn open(&mut self, address: &str) {
        self.ask("Page.navigate", &json!({"url": address})).unwrap();
        self.wait("document.readyState === 'complete'");
    }

    /// The text of the page.
    pub(crate) fn text(&mut self) -> String {
        let text = self.value("location.href + '\\n' + document.body.innerText");
        text.map_or_else(|e| e, |text| text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until a condition of the page holds, on whatever page comes.
    pub(crate) fn wait(&mut self, condition: &str) {
        let promise = format!(
            "new Promise(done => {{ const look = async () => {{ let holds = false; \
             try {{ holds = await ({condition}); }} catch (e) {{}} \
             if (holds) {{ clearInterval(timer); done(true); }} }}; \
             const timer = setInterval(look, 100); look(); \
             setTimeout(() => {{ clearInterval(timer); done(false); }}, 30000); }})"
        );
        for _ in 0..PAGES {
            match self.value(&promise) {
                Ok(Value::Bool(true)) => return,
                Ok(_) => panic!("`{condition}` never held on\n{}", self.text()),
                // Another page came.
                Err(_) => {}
            }
        }
        panic!("`{condition}` never held");
    }

    /// Waits for words.
    pub(crate) fn words(&mut self, words: &str) {
        let words = json!(words);
        self.wait(&format!("document.body.innerText.includes({words})"));
    }

    /// Fills fields in, by their selectors.
    pub(crate) fn fill(&mut self, fields: &[(&str, &str)]) {
        for (selector, value) in fields {
            let (at, text) = (json!(selector), json!(value));
            let filled = format!(
                "(() => {{ const e = document.querySelector({at}); \
                 if (e.type === 'checkbox') {{ e.checked = true; return 'on'; }} \
                 e.value = {text}; return e.value; }})()"
            );
            let value = if *value == "on" { "on" } else { value };
            let found = self
                .value(&filled)
                .unwrap_or_else(|e| panic!("{selector}: {e}"));
            assert_eq!(found, json!(value), "{selector}");
        }
    }

    /// Presses a button or follows a link.
    pub(crate) fn press(&mut self, selector: &str) {
        let at = json!(selector);
        // After the answer, so that the page does not go away under it.
        let pressed = self.value(&format!(
            "(() => {{ const e = document.querySelector({at}); if (!e) return false; setTimeout(() => e.click(), 0); return true; }})()"
        ));
        assert_eq!(
            pressed,
            Ok(Value::Bool(true)),
            "{selector} on\n{}",
            self.text()
        );
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
