//! What is claimed of servers that are not what they say: whatever they send, every verb that connects ends in its time,
//! takes little memory, and leaves the terminal alone.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::cli_append::peak_kib;
use super::cli_support::{append, forebay, interrupt, run, synthetic};
use super::support::server;
use forebay_rig::server::Server;

/// Longest that a verb may go on: three answers, of 15 s each, that do not come; and where it is a run of load, as long as its plan
/// is, since a server that answers anything at all is asked to the end.
fn ends_within(verb: &[&str]) -> Duration {
    Duration::from_secs(if verb.contains(&"--allow-load") { 300 } else { 60 })
}

/// Memory that a verb may take.
const BYTES_MAX: u64 = 100 << 20;

/// What a server of Forebay's needs says of itself.
const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nprocess_id:1\r\nrun_id:0\r\n\
    tcp_port:6379\r\nuptime_in_seconds:10\r\nrole:master\r\ncluster_enabled:0\r\nloading:0\r\nmaxmemory:1000000\r\n\
    used_memory:500000\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";

/// How a server misbehaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ill {
    Silent,
    HangsUp,
    Http,
    HugeBulk,
    LongestBulk,
    NegativeLength,
    EndlessText,
    EndlessError,
    EndlessNothing,
    Drip,
    HugeArray,
    Nested,
    Pushes,
    Maps,
    Numbers,
    Nils,
    EmptyArrays,
    Okays,
    Errors,
    Moved,
    Flood,
    Escapes,
    ManyFields,
}

pub const ILLS: [Ill; 23] = [
    Ill::Silent,
    Ill::HangsUp,
    Ill::Http,
    Ill::HugeBulk,
    Ill::LongestBulk,
    Ill::NegativeLength,
    Ill::EndlessText,
    Ill::EndlessError,
    Ill::EndlessNothing,
    Ill::Drip,
    Ill::HugeArray,
    Ill::Nested,
    Ill::Pushes,
    Ill::Maps,
    Ill::Numbers,
    Ill::Nils,
    Ill::EmptyArrays,
    Ill::Okays,
    Ill::Errors,
    Ill::Moved,
    Ill::Flood,
    Ill::Escapes,
    Ill::ManyFields,
];

impl Ill {
    /// What it sends first, and then without end, with a pause after each.
    fn sends(self) -> (Vec<u8>, Vec<u8>, Duration) {
        let no_pause = Duration::ZERO;
        let once = |text: &str| (text.as_bytes().to_vec(), Vec::new(), no_pause);
        let endless = |first: &str, then: &[u8]| (first.as_bytes().to_vec(), then.repeat(4_096), no_pause);
        match self {
            Self::Silent | Self::HangsUp => once(""),
            Self::Http => once("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
            Self::HugeBulk => endless("$4000000000\r\n", b"xxxxxxxx"),
            Self::LongestBulk => endless("$9223372036854775807\r\n", b"xxxxxxxx"),
            Self::NegativeLength => once("$-7\r\n"),
            Self::EndlessText => endless("+", b"aaaaaaaa"),
            Self::EndlessError => endless("-ERR ", b"aaaaaaaa"),
            Self::EndlessNothing => endless("", b"\0\0\0\0\0\0\0\0"),
            Self::Drip => (b"$40000000\r\n".to_vec(), b"x".to_vec(), Duration::from_millis(300)),
            Self::HugeArray => endless("*1000000000\r\n", b":1\r\n"),
            Self::Nested => endless("", b"*1\r\n"),
            Self::Pushes => endless("", b">3\r\n+message\r\n+a\r\n+b\r\n"),
            Self::Maps => endless("", b"%1\r\n+a\r\n+b\r\n"),
            Self::Numbers => once(":1\r\n"),
            Self::Nils => once("$-1\r\n"),
            Self::EmptyArrays => once("*0\r\n"),
            Self::Okays => once("+OK\r\n"),
            Self::Errors => once("-ERR no\r\n"),
            Self::Moved => once("-MOVED 1 127.0.0.1:1\r\n"),
            Self::Flood => endless("+OK\r\n", b"+OK\r\n"),
            Self::Escapes => once("-ERR \u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}no\r\n"),
            Self::ManyFields => {
                let body = "a:b\r\n".repeat(8 << 20);
                (format!("${}\r\n{body}\r\n", body.len()).into_bytes(), Vec::new(), no_pause)
            }
        }
    }
}

/// A server that misbehaves, at once or only after it has said what it is.
pub struct Hostile {
    port: u16,
    is_over: Arc<AtomicBool>,
}

impl Hostile {
    pub fn start(ill: Ill, is_polite_first: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let sends = Arc::new(ill.sends());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Relaxed) {
                    return;
                }
                let (over, sends) = (Arc::clone(&over), Arc::clone(&sends));
                std::thread::spawn(move || {
                    // The client has gone.
                    let _ = serve(&mut stream.unwrap(), ill, &sends, is_polite_first, &over);
                });
            }
        });
        Self { port, is_over }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(
    stream: &mut TcpStream,
    ill: Ill,
    (first, then, pause): &(Vec<u8>, Vec<u8>, Duration),
    is_polite_first: bool,
    is_over: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut asked = vec![0; 64 << 10];
    while !is_over.load(Relaxed) {
        match stream.read(&mut asked) {
            Ok(0) => return Ok(()),
            Ok(count) if is_polite_first && asked[..count].ends_with(b"$4\r\nINFO\r\n") => {
                stream.write_all(format!("${}\r\n{INFO}\r\n", INFO.len()).as_bytes())?;
            }
            Ok(_) if ill == Ill::HangsUp => return Ok(()),
            Ok(_) => {
                stream.write_all(first)?;
                while !then.is_empty() && !is_over.load(Relaxed) {
                    stream.write_all(then)?;
                    std::thread::sleep(*pause);
                }
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Runs a verb against a server; it must end by itself, or, where it watches, at a signal.
pub fn survives(ill: Ill, is_polite_first: bool, verb: &[&str]) -> (Duration, u64) {
    let what = format!("{verb:?} before {ill:?}, polite first: {is_polite_first}");
    let server = Hostile::start(ill, is_polite_first);
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let mut args = vec![verb[0], "--url", &url];
    args.extend(&verb[1..]);
    let started = Instant::now();
    let mut command = forebay(&args);
    let mut child = command.current_dir(folder.path()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reads = [
        std::thread::spawn(move || {
            let mut text = Vec::new();
            out.read_to_end(&mut text).map(|_| text)
        }),
        std::thread::spawn(move || {
            let mut text = Vec::new();
            err.read_to_end(&mut text).map(|_| text)
        }),
    ];
    let (mut most, mut is_told) = (0, false);
    let code = loop {
        most = most.max(peak_kib(child.id()).unwrap_or(0) << 10);
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if verb[0] == "watch" && !is_told && started.elapsed() > Duration::from_secs(5) {
            is_told = true;
            interrupt(&child);
        }
        if started.elapsed() > ends_within(verb) {
            child.kill().unwrap();
            panic!("{what}: still at work after {:?}", ends_within(verb));
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let took = started.elapsed();
    for read in reads {
        let text = String::from_utf8_lossy(&read.join().unwrap().unwrap()).into_owned();
        assert!(!text.contains("panicked"), "{what}: {text}");
        let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || c == '\u{202e}';
        assert!(!text.contains(steers), "{what}: {text:?}");
    }
    assert!(most <= BYTES_MAX, "{what}: took {} MiB", most >> 20);
    // That such a server is fit, or that something was stored or read there, it must not say; but a server that
    // refuses all but INFO can be audited by what INFO says.
    let refuses = matches!(
        ill,
        Ill::Errors | Ill::Moved | Ill::Escapes | Ill::Numbers | Ill::Nils | Ill::EmptyArrays | Ill::Okays
    );
    let is_audited = verb[0] == "audit" && is_polite_first && refuses;
    if verb[0] != "watch" && !is_audited {
        assert!(code.is_some_and(|code| code != 0), "{what}: exit code {code:?}");
    }
    (took, most)
}

/// Every pair at once, so many at a time.
pub fn all_survive(ills: &[Ill], politeness: &[bool], verbs: &[&[&str]], at_once: usize) -> (Duration, u64) {
    let mut pairs = Vec::new();
    for ill in ills {
        for verb in verbs {
            pairs.extend(politeness.iter().map(|polite| (*ill, *polite, *verb)));
        }
    }
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let work = || {
            let mut worst = (Duration::ZERO, 0);
            while let Some((ill, polite, verb)) = pairs.get(next.fetch_add(1, Relaxed)) {
                let (took, most) = survives(*ill, *polite, verb);
                worst = (worst.0.max(took), worst.1.max(most));
            }
            worst
        };
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended.fold((Duration::ZERO, 0), |all, one| (all.0.max(one.0), all.1.max(one.1)))
    })
}

#[test]
fn a_look_at_any_server_ends_in_its_time_and_in_little_memory() {
    let verbs: [&[&str]; 2] = [&["stat"], &["audit"]];
    // What takes its whole time is tried at night.
    let quick: Vec<Ill> = ILLS.into_iter().filter(|ill| !matches!(ill, Ill::Silent | Ill::Drip)).collect();
    all_survive(&quick, &[false, true], &verbs, 8);
}

/// In front of a server: answers a command itself, always the same, and passes on everything else.
fn always_answers(server: &Server, command: &'static str, answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, beyond) = (listener.local_addr().unwrap().port(), server.port());
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (mut near, far) = (near.unwrap(), TcpStream::connect(("127.0.0.1", beyond)).unwrap());
            let (mut back, mut from) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut back));
            std::thread::spawn(move || {
                let (mut asked, mut far) = (vec![0; 64 << 10], far);
                // One command at a time is on its way on such a connection. At its end the other side hears of it.
                while let Ok(count @ 1..) = near.read(&mut asked) {
                    let is_it = String::from_utf8_lossy(&asked[..count]).contains(command);
                    let passed = if is_it {
                        near.write_all(answer.as_bytes())
                    } else {
                        far.write_all(&asked[..count])
                    };
                    if passed.is_err() {
                        break;
                    }
                }
                let _ = far.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    port
}

#[test]
fn a_server_that_gives_the_same_page_again_and_again_is_asked_no_more() {
    let server = server(&[]);
    assert_eq!(append(&server, &synthetic(100), &[]).code, 0);
    let ran = run(&["read", "--quiet", "--group", "g", "--consumer", "c", "--url", &server.url()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let page = "*1\r\n*4\r\n$3\r\n5-0\r\n$1\r\nc\r\n:1\r\n:1\r\n";
    for (command, answer, verb) in [
        ("XAUTOCLAIM", "*3\r\n$3\r\n5-0\r\n*0\r\n*0\r\n", &["read", "--group", "g"][..]),
        ("XPENDING", page, &["group", "skip", "g"]),
    ] {
        let url = format!("redis://127.0.0.1:{}", always_answers(&server, command, answer));
        let ran = run(&[verb, &["--url", &url]].concat());
        assert_ne!(ran.code, 0, "{verb:?}");
        assert!(ran.err.contains(&format!("{command} goes on at 5-0 after 2 pages")), "{}", ran.err);
    }
}

#[test]
#[ignore = "nightly"]
fn nightly_every_verb_that_connects_outlives_every_server() {
    let more: [&[&str]; 13] = [
        &["stat"],
        &["audit"],
        &["append", "--patience", "5s"],
        &["read", "--patience", "5s"],
        &["read", "--group", "g", "--patience", "5s"],
        &["watch", "--listen", "127.0.0.1:0"],
        &["load", "--allow-load", "--duration", "2s"],
        &["baseline", "--allow-load"],
        &["capacity", "--allow-load"],
        &["pressure", "--allow-load", "--allow-faults"],
        &["durability", "--allow-load", "--allow-faults", "--kill-cmd", "true", "--start-cmd", "true"],
        &["throughput", "--allow-load"],
        &["tune", "--allow-load"],
    ];
    let (took, most) = all_survive(&ILLS, &[false, true], &more, 16);
    println!(
        "nightly hostile: {} servers, {} verbs, each at once and after INFO: at most {:.1} s, {} MiB",
        ILLS.len(),
        more.len(),
        took.as_secs_f64(),
        most >> 20
    );
}
