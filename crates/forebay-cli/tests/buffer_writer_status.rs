//! What is claimed of writers that publish what became of their events: whoever listens hears the same as the writer
//! counts, also while the server is full, and hears how it ended; a writer that cannot publish writes all the same.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::status_subscriber::{Ends, StatusSubscriber, WriterSnapshot, WritersSnapshot};
use forebay::buffer::writer::{Counts, Monitor, Options};
use forebay::buffer::writer_status::{FateCounts, WriterState};
use forebay::event::jetstream;
use forebay_rig::server::Server;
use rustix::process::{Pid, Signal, kill_process};

use crate::cli_support::at_work;
use crate::support::*;

pub fn hearing(address: &Address) -> StatusSubscriber {
    let hearing = StatusSubscriber::start(address, &name());
    until("it listens", || hearing.look().is_subscribed);
    hearing
}

fn fates(counts: &Counts) -> FateCounts {
    FateCounts {
        acknowledged: counts.acknowledged,
        spilled: counts.spilled,
        recovered: counts.recovered,
        shed: counts.shed,
        trimmed: counts.trimmed,
        unreadable: counts.unreadable,
        lost: counts.lost_by_server,
        refusals: counts.retries,
    }
}

fn fates_of(monitor: &Monitor) -> BTreeMap<String, FateCounts> {
    monitor.lanes().iter().map(|lane| (lane.name().to_owned(), fates(&monitor.lane(lane)))).collect()
}

fn shed(heard: &WritersSnapshot) -> u64 {
    heard.sums.values().map(|lane| lane.shed).sum()
}

/// The only writer that was heard.
pub fn only(heard: &WritersSnapshot) -> &WriterSnapshot {
    assert_eq!(heard.writers.len(), 1, "{heard:?}");
    &heard.writers[0]
}

/// Waits until the only writer was heard to stand so.
fn until_heard(hearing: &StatusSubscriber, state: WriterState) -> WriterSnapshot {
    until(&format!("a writer is heard {state:?}"), || {
        hearing.look().writers.first().is_some_and(|writer| writer.state == state)
    });
    only(&hearing.look()).clone()
}

#[test]
fn what_is_heard_at_the_end_is_what_the_writers_counted_and_adds_up() {
    let server = server(&[]);
    let address = address(&server);
    let hearing = hearing(&address);
    let mut counted = Vec::new();
    for (run, seed) in [3, 4].into_iter().enumerate() {
        let source = Source::start(open(&address, &options(5, 4)), seed, 50);
        source.grant(2_000);
        source.until_acknowledged(1_000);
        until("it is heard while it writes", || {
            hearing.look().writers.iter().any(|writer| writer.state == WriterState::Writing)
        });
        let monitor = source.monitor.clone();
        let (_, counts) = source.finish();
        until("its end is heard", || hearing.look().ends.closed == run as u64 + 1);
        let heard = hearing.look();
        let closed = heard.writers.iter().filter(|writer| writer.totals == fates(&counts));
        assert!(closed.into_iter().any(|writer| writer.state == WriterState::Closed && writer.why.is_none()));
        counted.push(fates_of(&monitor));
    }
    let heard = hearing.look();
    for lane in jetstream::ALL {
        let sum: u64 = counted.iter().map(|lanes| lanes[lane.name()].acknowledged).sum();
        assert!(sum > 0);
        assert_eq!(heard.of(lane).acknowledged, sum);
    }
    assert_eq!(heard.ends, Ends { closed: 2, ..Ends::default() });
    assert_eq!((heard.writers.len(), heard.not_understood), (2, 0));
    // Each run once, whatever its number.
    assert_ne!(heard.writers[0].id, heard.writers[1].id);
}

#[test]
fn what_is_shed_is_heard_while_the_server_refuses_writes() {
    let server = server(&[]);
    let address = address(&server);
    let early = hearing(&address);
    let options = Options { overflow: Overflow::Shed, ..options(4, 3) };
    let source = Source::start(open(&address, &options), 5, 100);
    let monitor = source.monitor.clone();
    source.grant(100);
    source.until_acknowledged(50);
    tell(&server, "CONFIG SET maxmemory 1");
    until("much is heard to be shed", || {
        source.grant(20);
        shed(&early.look()) > 1_000
    });
    let writer = until_heard(&early, WriterState::HeldBack);
    assert!(writer.why.as_ref().is_some_and(|why| why.contains("OOM")), "{writer:?}");
    // Also by one that comes to a full server.
    let late = hearing(&address);
    until("more is heard to be shed", || {
        source.grant(20);
        shed(&late.look()) > 1_000
    });
    assert!(ask::<String>(&server, "SET other 1").unwrap_err().to_string().contains("OOM"));
    let (_, counts) = source.finish();
    until_heard(&early, WriterState::Closed);
    assert!(ask::<String>(&server, "SET other 1").is_err(), "the server took writes meanwhile");
    assert_eq!(early.look().sums, fates_of(&monitor));
    assert!(counts.shed > shed(&late.look()));
}

#[test]
fn a_writer_that_a_server_holds_back_which_cannot_save_says_so() {
    let server = server(&[("save", "3600 1000000"), ("stop-writes-on-bgsave-error", "yes")]);
    let hearing = hearing(&address(&server));
    let mut writer = open(&address(&server), &options(2, 4));
    std::fs::create_dir(server.dir().join("dump.rdb")).unwrap();
    tell(&server, "BGSAVE");
    until("the snapshot has failed", || info(&server, "rdb_last_bgsave_status") == "err");
    Ledger::default().push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    let heard = until_heard(&hearing, WriterState::HeldBack);
    assert!(heard.why.as_ref().is_some_and(|why| why.contains("MISCONF")), "{heard:?}");
}

#[test]
fn a_fenced_writer_is_heard_before_its_owner_does_anything_and_once() {
    let server = server(&[]);
    let hearing = hearing(&address(&server));
    let mut writer = open(&address(&server), &options(2, 4));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    until("they are stored", || writer.monitor().counts().acknowledged == 4);
    open(&address(&server), &taking_over(2, 4)).close().unwrap();
    until("the newer one's end is heard", || hearing.look().ends.closed == 1);
    ledger.push_many(&mut writer, jetstream::LIKES, 2).unwrap();
    let fenced = || hearing.look().writers.into_iter().find(|writer| writer.state == WriterState::Fenced);
    until("a writer is heard to be fenced", || fenced().is_some());
    let heard = fenced().unwrap();
    let since = Instant::now();
    let why = heard.why.as_deref().unwrap_or_default();
    assert!(why.contains("lane likes: fenced") && why.contains("2 events"), "{why}");
    let monitor = writer.monitor();
    // A message is told from the one before by its age, which is in milliseconds.
    until("the last message has another age", || since.elapsed() > Duration::from_millis(1));
    assert!(matches!(writer.close(), Err(Error::Fenced { .. })));
    until("the last message is heard", || fenced().unwrap().age > heard.age);
    let heard = hearing.look();
    assert_eq!(heard.ends, Ends { fenced: 1, closed: 1, ..Ends::default() });
    assert_eq!(heard.sums, fates_of(&monitor));
}

/// With the password wherever an error might have taken it from.
#[test]
fn a_writer_that_gives_up_says_why_and_no_password() {
    let server = server(&[]);
    tell(&server, "ACL SETUSER app on >opensesame ~* &* +@all");
    let url = server.url().replace("redis://", "redis://app:opensesame@");
    let address = Address::parse(&url).unwrap();
    let hearing = hearing(&address);
    let options = Options { patience: Duration::from_millis(300), ..options(2, 4) };
    let mut writer = open(&address, &options);
    tell(&server, "CONFIG SET maxmemory 1");
    Ledger::default().push_many(&mut writer, jetstream::LIKES, 2).unwrap();
    let heard = until_heard(&hearing, WriterState::Failed);
    let why = heard.why.as_deref().unwrap_or_default();
    assert!(why.contains("gave up") && why.contains("app:***@") && !why.contains("opensesame"), "{why}");
    assert_eq!(hearing.look().ends, Ends { failed: 1, ..Ends::default() });
}

#[test]
fn a_writer_that_is_given_up_is_heard_as_failed() {
    let server = server(&[]);
    let hearing = hearing(&address(&server));
    drop(open(&address(&server), &options(2, 4)));
    let heard = until_heard(&hearing, WriterState::Failed);
    assert!(heard.why.as_ref().is_some_and(|why| why.contains("without being closed")), "{heard:?}");
}

#[test]
fn an_end_is_heard_though_the_connection_was_cut_right_before() {
    let server = server(&[]);
    let hearing = hearing(&address(&server));
    let (proxy, near) = proxy(&server);
    let writer = open(&near, &options(2, 4));
    until_heard(&hearing, WriterState::Writing);
    proxy.cut_all();
    writer.close().unwrap();
    until_heard(&hearing, WriterState::Closed);
}

#[test]
fn what_was_spilled_and_what_a_server_lost_is_heard_after_it_came_back() {
    let mut server = server(&[]);
    let address = address(&server);
    let hearing = hearing(&address);
    let folder = tempfile::tempdir().unwrap();
    let spill = Spill { folder: folder.path().to_owned(), bytes_max: 1 << 30 };
    let options = Options { overflow: Overflow::Spill(spill), ..options(3, 4) };
    let source = Source::start(open(&address, &options), 8, 50);
    let monitor = source.monitor.clone();
    source.grant(500);
    until("they are stored", || monitor.counts().acknowledged > 400);
    until_heard(&hearing, WriterState::Writing);
    server.kill().unwrap();
    until("much is spilled", || {
        source.grant(10);
        monitor.counts().spilled > 1_000
    });
    until("it is known that nobody listens", || !hearing.look().is_subscribed);
    let why = hearing.look().why_not.unwrap();
    assert!(why.contains(&server.port().to_string()), "{why}");
    server.restart().unwrap();
    until("it listens again", || hearing.look().is_subscribed);
    assert_eq!(hearing.look().why_not, None);
    // Nobody hears an end but those who listen by then.
    until("it is heard again", || shed_or_spilled(&hearing.look()) > 1_000);
    let (_, counts) = source.finish();
    until_heard(&hearing, WriterState::Closed);
    assert!(counts.lost_by_server > 400, "{counts:?}");
    assert_eq!(hearing.look().sums, fates_of(&monitor));
}

fn shed_or_spilled(heard: &WritersSnapshot) -> u64 {
    heard.sums.values().map(|lane| lane.shed + lane.spilled).sum()
}

#[test]
fn a_user_who_may_not_publish_writes_all_the_same() {
    let server = server(&[]);
    let hearing = hearing(&address(&server));
    for (user, rules) in [("mute", "&* +@all -publish"), ("elsewhere", "resetchannels +@all")] {
        tell(&server, &format!("ACL SETUSER {user} on >pw ~* {rules}"));
        let url = server.url().replace("redis://", &format!("redis://{user}:pw@"));
        let mut writer = open(&Address::parse(&url).unwrap(), &options(2, 4));
        let mut ledger = Ledger::default();
        ledger.push_many(&mut writer, jetstream::LIKES, 100).unwrap();
        assert_eq!(writer.close().unwrap().acknowledged, 100);
        // What is refused is told once, and not tried again every second.
        let refused: Vec<redis::Value> = ask(&server, "ACL LOG").unwrap();
        assert_eq!(refused.len(), 1, "{refused:?}");
        let told = crate::cli_support::run(&["append", "/dev/null", "--url", &url]);
        assert!(told.code == 0 && told.err.matches("+publish").count() == 1, "{}", told.err);
        tell(&server, "ACL LOG RESET");
    }
    assert!(hearing.look().writers.is_empty(), "{:?}", hearing.look());
}

#[test]
fn a_writer_waits_no_longer_for_its_last_message_than_a_second() {
    let server = server(&[]);
    let writer = open(&address(&server), &options(2, 4));
    server.pause().unwrap();
    let started = Instant::now();
    writer.close().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    server.resume().unwrap();
}

/// A connection of a writer's lane and not the publisher's: with one too few for both, every lane comes through.
#[test]
fn lanes_go_first_where_the_server_takes_no_more_clients() {
    let server = server(&[]);
    let mut admin = connection(&server);
    let mut writer = open(&address(&server), &options(1, 4));
    let mut ledger = Ledger::default();
    let clients = |admin: &mut redis::Connection| -> usize {
        redis::cmd("CLIENT").arg("LIST").query::<String>(admin).unwrap().lines().count()
    };
    until("the publisher has connected", || clients(&mut admin) == jetstream::ALL.len() + 2);
    let most = jetstream::ALL.len() + 1;
    redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(most).exec(&mut admin).unwrap();
    redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut admin).unwrap();
    // The publisher connects again first: lanes do with their next block.
    until("the publisher is back", || clients(&mut admin) == 2);
    for lane in jetstream::ALL {
        ledger.push_many(&mut writer, lane, 10).unwrap();
    }
    until("every lane has come through", || writer.monitor().counts().acknowledged == 60);
}

fn start_appending(server: &Server) -> (std::process::Child, std::process::ChildStdin) {
    at_work(server, &["--buffer", "events"])
}

#[test]
fn a_killed_append_is_just_not_heard_any_more() {
    let server = server(&[]);
    let hearing = StatusSubscriber::start(&address(&server), &"events".parse().unwrap());
    until("it listens", || hearing.look().is_subscribed);
    let (mut child, stdin) = start_appending(&server);
    let writer = until_heard(&hearing, WriterState::Writing);
    until("it is heard again", || only(&hearing.look()).age > writer.age);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    drop(stdin);
    until("it is not heard any more", || only(&hearing.look()).heard_ago > Duration::from_secs(3));
    let heard = hearing.look();
    assert_eq!((only(&heard).state, heard.ends), (WriterState::Writing, Ends::default()));
    // The next one counts beside it.
    let (mut child, stdin) = start_appending(&server);
    drop(stdin);
    assert!(child.wait().unwrap().success());
    until("the next one's end is heard", || hearing.look().ends.closed == 1);
    let heard = hearing.look();
    assert_eq!((heard.writers.len(), heard.of(jetstream::OTHER).acknowledged), (2, 2));
}
