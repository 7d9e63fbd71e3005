//! A headless Chromium with one page, driven over its remote debugging protocol: what it shows, and what it complains of.

use std::fs::File;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// How long anything here may take. Only failures take this long.
const LIMIT: Duration = Duration::from_secs(120);

/// How often a page is asked whether something is so.
const ASK: Duration = Duration::from_millis(50);

/// What it is called on a PATH.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// As root it does not start with its sandbox, and it opens nothing but pages of our own. `/dev/shm` is too small for it in
/// many containers. The rest keeps it from asking the network anything of its own.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
];

/// Kills it once our end of the pipe is closed, so that it does not outlive a test that is killed.
const KEEPER: &str = r#"trap '' INT TERM HUP; "$@" & read -r _; kill -9 $!; wait"#;

/// Something that the browser holds against a page.
#[derive(Debug)]
pub struct Complaint {
    /// `network`, `security`, `exception`, `console`, and the like.
    pub source: String,
    pub text: String,
}

/// The process and its folder, which go when it is dropped.
struct Browser {
    keeper: Child,
    folder: TempDir,
}

/// One page in a browser of its own.
pub struct Page {
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    calls: u64,
    complaints: Vec<Complaint>,
    browser: Browser,
}

/// The one named, else one on the PATH.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("FOREBAY_CHROMIUM").filter(|named| !named.is_empty()) {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = NAMES.iter().flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)));
    all.into_iter().find(|program| program.is_file()).unwrap_or_else(|| {
        panic!("none of {NAMES:?} on the PATH: run `make test`, which installs one, or set FOREBAY_CHROMIUM")
    })
}

impl Browser {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let program = program();
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh"]).arg(&program).args(FLAGS);
        command.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
        let keeper = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn();
        Self { keeper: keeper.unwrap(), folder }
    }

    /// Where it can be spoken to: the port, and the path there.
    fn place(&self) -> (u16, String) {
        let started = Instant::now();
        loop {
            let file = self.folder.path().join("profile/DevToolsActivePort");
            let said = std::fs::read_to_string(file).unwrap_or_default();
            if let Some((port, path)) = said.split_once('\n')
                && !path.is_empty()
            {
                return (port.parse().unwrap(), path.trim_end().into());
            }
            assert!(started.elapsed() < LIMIT, "{} gives no port: {}", program().display(), self.log());
            std::thread::sleep(ASK);
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        // Its helpers end by themselves once it is gone, and until then they may write one more file.
        let started = Instant::now();
        while std::fs::remove_dir_all(self.folder.path()).is_err() && started.elapsed() < LIMIT {
            if !self.folder.path().exists() {
                break;
            }
            std::thread::sleep(ASK);
        }
    }
}

impl Page {
    /// Opens an address.
    pub fn open(url: &str) -> Self {
        let browser = Browser::start();
        let (port, path) = browser.place();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let (socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), stream).unwrap();
        let mut page = Self { socket, session: None, calls: 0, complaints: Vec::new(), browser };
        let target = page.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = page.call("Target.attachToTarget", &attach);
        page.session = Some(session["sessionId"].as_str().unwrap().into());
        for domain in ["Runtime.enable", "Log.enable"] {
            page.call(domain, &json!({}));
        }
        let went = page.call("Page.navigate", &json!({ "url": url }));
        assert_eq!(went["errorText"], Value::Null, "{url}");
        page
    }

    /// Calls a method of the protocol; its result.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(call.to_string())).unwrap();
        let started = Instant::now();
        while started.elapsed() < LIMIT {
            let read = self.socket.read();
            let Message::Text(text) =
                read.unwrap_or_else(|why| panic!("{method}: {why}: {}", self.browser.log()))
            else {
                continue;
            };
            let mut said: Value = serde_json::from_str(&text).unwrap();
            if said["id"] == self.calls {
                assert_eq!(said["error"], Value::Null, "{method}");
                return said["result"].take();
            }
            self.complaints.extend(complaint(&said));
        }
        panic!("no answer to {method} within {LIMIT:?}");
    }

    /// The value of an expression, or why it has none.
    fn try_evaluate(&mut self, expression: &str) -> Result<Value, String> {
        let mut said =
            self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }));
        match said.get("exceptionDetails") {
            Some(why) => Err(thrown(why)),
            None => Ok(said["result"]["value"].take()),
        }
    }

    /// The value of an expression.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        self.try_evaluate(expression).unwrap_or_else(|why| panic!("{expression}: {why}"))
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, what: &str, expression: &str) {
        let started = Instant::now();
        loop {
            // It throws while the page is not there yet.
            let value = self.try_evaluate(expression);
            if value == Ok(json!(true)) {
                return;
            }
            if started.elapsed() > LIMIT {
                let shown = self.try_evaluate("document.body.innerText");
                panic!("not within {LIMIT:?}: {what} ({value:?}); the page shows: {shown:#?}");
            }
            std::thread::sleep(ASK);
        }
    }

    /// What the element with this id shows.
    pub fn text(&mut self, id: &str) -> String {
        let text = self.evaluate(&format!("document.getElementById('{id}').innerText"));
        text.as_str().unwrap_or_else(|| panic!("no text in {id}")).trim().into()
    }

    /// Shows it as a phone would that is so wide.
    pub fn narrow(&mut self, width: u32) {
        let phone = json!({ "width": width, "height": 800, "deviceScaleFactor": 2, "mobile": true });
        self.call("Emulation.setDeviceMetricsOverride", &phone);
    }

    /// Asks for dark colours, or for light ones.
    pub fn colours(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// All that the browser has complained of by now.
    pub fn complaints(&mut self) -> &[Complaint] {
        // What it had to say before comes before the answer.
        self.evaluate("0");
        &self.complaints
    }
}

fn complaint(said: &Value) -> Option<Complaint> {
    let params = &said["params"];
    let (source, text) = match said["method"].as_str()? {
        "Runtime.exceptionThrown" => ("exception", thrown(&params["exceptionDetails"])),
        "Runtime.consoleAPICalled" if ["error", "assert"].contains(&params["type"].as_str()?) => {
            ("console", params["args"].to_string())
        }
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            let entry = &params["entry"];
            (entry["source"].as_str()?, format!("{} {}", entry["text"], entry["url"]))
        }
        _ => return None,
    };
    Some(Complaint { source: source.into(), text })
}

fn thrown(details: &Value) -> String {
    details["exception"]["description"].as_str().map_or_else(|| details["text"].to_string(), str::to_owned)
}
