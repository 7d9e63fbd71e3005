//! What somebody sees who opens the page of `forebay watch` in a browser, from the first look to a watcher that is gone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU16};
use std::thread::JoinHandle;
use std::time::Duration;

use forebay::buffer::reader::{ReadItem, Reader};
use forebay::event::jetstream;
use forebay::event::parse::parse;
use forebay_rig::server::Server;
use forebay_watch::profile::{self, Profile};
use forebay_watch::serve::Served;

use super::browser::Page;
use super::support::{address, event, info, name, open, options, read_options, server, tell};
use super::watch_support::Watched;

/// How often the watch looks.
const EVERY: Duration = Duration::from_millis(500);

/// An event of each lane comes that often: seldom enough that no machine is full within a night, and often enough that some
/// come while the watch looks.
const PACE: Duration = Duration::from_millis(500);

/// Where the page may be: below the ports that systems give to connections, so that its own is still free when the watcher
/// comes back, and below those of the servers.
const PORTS: std::ops::Range<u16> = 11_000..20_000;

/// How many of them were tried. None is tried twice, so that no test takes one whose watcher is away.
static TRIED: AtomicU16 = AtomicU16::new(0);

/// What stands for a figure that is not known.
const DASH: &str = "–";

/// A thread that goes on until it is told to end.
struct Thread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    fn start(run: impl FnOnce(Arc<AtomicBool>) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        Self { stop, thread: Some(std::thread::spawn(move || run(flag))) }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// A server, a buffer on it that is written to, and a watch over it.
struct Stage {
    // In this order: clients end before their server.
    clients: Vec<Thread>,
    watched: Option<Watched>,
    server: Server,
    at: SocketAddr,
}

impl Stage {
    fn new(settings: &[(&str, &str)]) -> Self {
        Self::held_to(settings, 8.0)
    }

    /// One that must hold so many hours: from them follows when a group has stopped.
    fn held_to(settings: &[(&str, &str)], hours: f64) -> Self {
        let server = server(settings);
        let served = place();
        let at = served.address().unwrap();
        let mut profile = Profile::load(profile::DEFAULT).unwrap();
        profile.hold.hours = hours;
        let watched = Some(Watched::held_to(profile, served, &address(&server), EVERY));
        let mut stage = Self { clients: Vec::new(), watched, server, at };
        let mut writer = open(&address(&stage.server), &options(1, 16));
        stage.clients.push(Thread::start(move |stop| {
            for number in (0..).take_while(|_| !stop.load(Relaxed)) {
                for lane in jetstream::ALL {
                    writer.push_at(&parse(&event(lane, number, 100)).unwrap(), Duration::ZERO).unwrap();
                }
                std::thread::park_timeout(PACE);
            }
        }));
        stage
    }

    /// A group that reads and acknowledges all the time.
    fn read(&mut self, group: &str) {
        let mut reader = self.group(group);
        self.clients.push(Thread::start(move |stop| {
            reader.stop_on(&stop);
            while !stop.load(Relaxed) {
                let found = reader.next(EVERY).unwrap();
                let place = |found: &ReadItem| match found {
                    ReadItem::Block(lane, entry) => Some((*lane, entry.id)),
                    _ => None,
                };
                reader.acknowledge(found.iter().filter_map(place)).unwrap();
            }
        }));
    }

    /// A group that does not read yet.
    fn group(&self, group: &str) -> Reader {
        Reader::open(&address(&self.server), &name(), read_options(&jetstream::ALL, Some((group, group))))
            .unwrap()
    }

    fn page(&self) -> Page {
        Page::open(&format!("http://{}/", self.at))
    }

    fn bound(&self, bytes: u64) {
        tell(&self.server, &format!("CONFIG SET maxmemory {bytes}"));
    }
}

/// A place for a watcher that nobody else is given.
fn place() -> Served {
    let first = std::process::id() as u16;
    let tries =
        std::iter::repeat_with(|| first.wrapping_add(TRIED.fetch_add(1, Relaxed)) % PORTS.len() as u16);
    let free = |at: u16| Served::bind((Ipv4Addr::LOCALHOST, PORTS.start + at).into()).ok();
    tries.take(PORTS.len()).find_map(free).unwrap()
}

/// Waits until the verdict has this level.
fn until_level(page: &mut Page, level: &str) {
    let is_so = format!("document.getElementById('verdict').dataset.level === '{level}'");
    page.until(&format!("the verdict is {level}"), &is_so);
}

/// Waits until what an element shows has a text.
fn until_text(page: &mut Page, id: &str, text: &str) {
    let is_so = format!("document.getElementById('{id}').innerText.includes({text:?})");
    page.until(&format!("{id} has {text:?}"), &is_so);
}

/// An expression: what stands in a column of the row with this head, as a number; times in seconds.
fn cell(table: &str, head: &str, column: &str) -> String {
    format!(
        "(() => {{
            const row = [...document.getElementById('{table}').rows].find((row) => row.cells[0].innerText === '{head}');
            const text = [...row.cells].find((cell) => cell.dataset.label === '{column}').textContent;
            const unit = {{ min: 60, h: 3600 }}[text.split(' ')[1]] ?? 1;
            return Number(text.replaceAll(',', '').split(' ')[0]) * unit;
        }})()"
    )
}

/// Waits until a cell has a larger number than it has first.
fn until_grown(page: &mut Page, table: &str, head: &str, column: &str) {
    let cell = cell(table, head, column);
    page.until(&format!("{head} has a number under {column}"), &format!("{cell} > 0"));
    let first = page.evaluate(&cell);
    page.until(&format!("{column} of {head} grows beyond {first}"), &format!("{cell} > {first}"));
}

fn assert_no_complaints(page: &mut Page) {
    let complaints = page.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn the_page_shows_a_buffer_that_holds_on_a_desk_on_a_phone_and_in_the_dark() {
    let mut stage = Stage::new(&[("maxmemory", "8gb")]);
    let mut page = stage.page();
    until_level(&mut page, "good");
    assert_eq!(page.text("verdict-word"), "Good");
    let painted = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime";
    page.until("the paint is timed", &format!("{painted} > 0"));
    let painted_ms = page.evaluate(painted).as_f64().unwrap();
    eprintln!("first contentful paint after {painted_ms:.0} ms");
    // Far above what it takes: a machine that is busy must not fail this.
    assert!(painted_ms < 10_000.0, "{painted_ms} ms");
    stage.read("parquet");
    for lane in jetstream::ALL {
        until_grown(&mut page, "lanes", lane.name(), "Appended ever");
    }
    page.until("the group has a row", &format!("{} === 6", cell("groups", "parquet", "Lanes")));
    until_text(&mut page, "writers", "writing");
    page.until("the rates are known", "/^[\\d.]+$/.test(document.getElementById('in').innerText)");
    page.until("it is read dry", "document.getElementById('events').innerText === '0'");
    page.until(
        "it is told when it would be full",
        "/^\\d/.test(document.getElementById('full-in').innerText)",
    );
    until_level(&mut page, "good");
    page.until(
        "four charts are drawn",
        "document.querySelectorAll('#charts canvas').length === 4 &&
         [...document.querySelectorAll('#charts .course')].every((run) => !run.innerText.includes('not known'))",
    );
    let colour = "getComputedStyle(document.body).backgroundColor";
    page.colours("light");
    let light = page.evaluate(colour);
    page.colours("dark");
    page.until("the dark is dark", &format!("{colour} !== {light}"));
    page.narrow(360);
    page.until("it fits a phone", "innerWidth === 360 && document.scrollingElement.scrollWidth <= 360");
    assert_no_complaints(&mut page);
}

#[test]
fn a_full_buffer_is_said_to_be_full_and_one_with_room_again_to_hold() {
    let stage = Stage::new(&[("maxmemory", "8gb")]);
    let mut page = stage.page();
    until_level(&mut page, "good");
    stage.bound(info(&stage.server, "used_memory").parse::<u64>().unwrap() * 9 / 10);
    until_level(&mut page, "bad");
    until_text(&mut page, "verdict-text", "It is full, by maxmemory: writes are refused.");
    until_text(&mut page, "full-net", "full now");
    until_text(&mut page, "limits", "maxmemory (met first) ✗");
    page.until("the title says so", "document.title.startsWith('✗ It is full')");
    until_text(&mut page, "writers", "held back");
    stage.bound(1 << 30);
    until_level(&mut page, "good");
    until_text(&mut page, "warnings", "✓ Over");
    page.until("the title says so", "document.title.startsWith('✓ holds')");
    assert_no_complaints(&mut page);
}

#[test]
fn a_group_that_is_given_nothing_falls_behind_at_once_and_has_stopped_when_its_time_is_over() {
    // Of two hours: half a minute.
    let mut stage = Stage::held_to(&[("maxmemory", "8gb")], 2.0);
    stage.read("parquet");
    drop(stage.group("archive"));
    let mut page = stage.page();
    until_grown(&mut page, "groups", "archive", "Unread events");
    until_grown(&mut page, "groups", "archive", "Behind");
    until_text(&mut page, "warnings", "group archive was given nothing for");
    until_level(&mut page, "bad");
    until_text(&mut page, "verdict-text", "Group archive was given nothing for");
    assert!(!page.text("warnings").contains("group parquet"), "a group that reads is not warned of");
    page.until("the one that is late stands first", "groups.rows[0].cells[0].innerText === 'archive'");
    assert_no_complaints(&mut page);
}

#[test]
fn a_server_that_is_gone_is_a_problem_and_what_was_seen_last_stays_and_is_said_to_be_old() {
    // Without fsync: what the server wrote outlives its kill, and no slow disk is warned of.
    let mut stage = Stage::new(&[("maxmemory", "2gb"), ("appendonly", "yes"), ("appendfsync", "no")]);
    stage.read("parquet");
    let mut page = stage.page();
    page.until("there are figures", &format!("{} === 6", cell("groups", "parquet", "Lanes")));
    page.until("the rates are known", "/^[\\d.]+$/.test(document.getElementById('in').innerText)");
    assert_eq!(page.text("old"), "");
    stage.server.kill().unwrap();
    until_level(&mut page, "bad");
    until_text(&mut page, "verdict-text", "The server has not answered for");
    until_text(&mut page, "old", "old, as seen at");
    page.until("its figures are marked", "document.body.dataset.figures === 'old'");
    for id in ["full-in", "full-peak", "events", "in"] {
        assert_ne!(page.text(id), DASH, "{id}");
    }
    page.until("the group is still there", &format!("{} === 6", cell("groups", "parquet", "Lanes")));
    page.until(
        "charts say nothing of now",
        "[...document.querySelectorAll('#charts .key span')].every((key) => key.innerText.endsWith(' –'))",
    );
    until_text(&mut page, "unknown", "the buffer and its server: the server has not answered");
    until_text(&mut page, "writers", "not heard: the server does not answer");
    assert!(!page.text("warnings").contains("without a word"), "nobody can tell whether the writer is gone");
    page.until("the title says so", "document.title.startsWith('✗ The server has not answered for')");
    stage.server.restart().unwrap();
    page.until(
        "it is known again",
        "document.body.dataset.figures === 'now' && document.getElementById('old').hidden",
    );
    until_text(&mut page, "warnings", "the server was started again");
    until_grown(&mut page, "lanes", "likes", "Appended ever");
    page.until("the group is there again", &format!("{} === 6", cell("groups", "parquet", "Lanes")));
    assert_no_complaints(&mut page);
}

#[test]
fn a_watcher_that_is_gone_is_told_of_and_followed_again_once_it_is_back() {
    let mut stage = Stage::new(&[("maxmemory", "8gb")]);
    let mut page = stage.page();
    until_grown(&mut page, "lanes", "likes", "Appended ever");
    assert_eq!(page.text("banner"), "");
    assert_no_complaints(&mut page);
    stage.watched = None;
    page.until("the banner is there", "document.getElementById('banner').checkVisibility()");
    until_text(&mut page, "banner", "No answer from forebay watch since");
    page.until("the title says so", "document.title.startsWith('? no answer since')");
    until_level(&mut page, "unknown");
    until_text(&mut page, "verdict-word", "Not known; at ");
    let old = page.evaluate(&cell("lanes", "likes", "Appended ever"));
    let served = Served::bind(stage.at).unwrap();
    stage.watched = Some(Watched::at(served, &address(&stage.server), EVERY));
    page.until("the banner goes", "!document.getElementById('banner').checkVisibility()");
    let moves = format!("{} > {old}", cell("lanes", "likes", "Appended ever"));
    page.until("the figures move", &moves);
    until_level(&mut page, "good");
    for complaint in page.complaints() {
        let is_away = complaint.source == "network" && complaint.text.contains("net::ERR_");
        assert!(is_away, "{complaint:?}");
    }
}

#[test]
fn a_groups_name_is_text_whatever_is_in_it() {
    let stage = Stage::new(&[("maxmemory", "8gb")]);
    let name = r#"<b>"it's"</b><img/src="x"/onerror="alert(1)">&amp;"#;
    drop(stage.group(name));
    let mut page = stage.page();
    page.until(
        "the group has a row",
        &format!("groups.rows[0].cells[0].textContent === {}", serde_json::json!(name)),
    );
    assert_eq!(page.evaluate("document.querySelectorAll('#groups b, #groups img').length"), 0);
    page.narrow(360);
    page.until("it fits a phone", "innerWidth === 360 && document.scrollingElement.scrollWidth <= 360");
    assert_no_complaints(&mut page);
}
