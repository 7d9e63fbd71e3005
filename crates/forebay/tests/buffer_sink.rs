//! What is claimed of a sink: how far it has a lane outlives its runs, what it planned binds the next one, an older run can do
//! nothing any more, and a commit lets go of what every group is done with, on a full server too. On every server that is here.

use forebay::buffer::entry::Id;
use forebay::buffer::error::Error;
use forebay::buffer::look;
use forebay::buffer::reader::ReadItem;
use forebay::buffer::scripts::SINK_COMMIT;
use forebay::buffer::sink::{Committed, Done, LaneLook, Plan, Planned, Sink, SinkFigures, SinkStat};
use forebay::event::jetstream::{LIKES, POSTS};
use forebay::{Groups, Stream, Unit, Writer};
use forebay_rig::server::{Server, ServerBinary};

use crate::buffer_fsync::servers;
use crate::support::*;

/// A server without a log, of one kind.
fn server_of(binary: &ServerBinary) -> Server {
    let plain = [("appendonly", "no"), ("save", ""), ("requirepass", "")];
    Server::start(binary, &plain.into_iter().collect()).unwrap()
}

fn sink(server: &Server) -> Sink {
    Sink::open_existing(&address(server), &name(), "lake", LIMIT).unwrap()
}

/// The likes that are there, as places that can be committed.
fn blocks(server: &Server) -> Vec<Done> {
    entries(&drain(&mut likes(&address(server), None)))
        .iter()
        .map(|entry| Done { number: entry.number, id: entry.id, total: entry.total })
        .collect()
}

fn committed(at: Id, trimmed: u64) -> Committed {
    Committed { at: Some(at), trimmed }
}

const NOTHING: Committed = Committed { at: None, trimmed: 0 };

fn to(last: Done, commit: u64) -> Plan {
    Plan { commit, last }
}

/// The next commit of the likes, whole.
fn make(sink: &mut Sink, last: Done, commit: u64) -> Committed {
    assert_eq!(sink.plan(LIKES, to(last, commit), commit - 1).unwrap(), Planned::Made);
    sink.commit(LIKES, to(last, commit)).unwrap()
}

#[test]
fn how_far_a_lane_is_outlives_the_run_and_a_plan_binds_the_next_one() {
    for binary in servers() {
        let server = server_of(&binary);
        add(&server, &mut Ledger::default(), 6);
        let all = blocks(&server);
        let mut first = sink(&server);
        let look = first.look(LIKES).unwrap();
        assert_eq!(look, LaneLook { newest: Some((6, 12)), ..LaneLook::default() }, "{binary:?}");
        assert_eq!(first.commit(LIKES, to(all[1], 1)).unwrap(), NOTHING, "what nobody planned");
        assert_eq!(make(&mut first, all[1], 1), committed(all[1].id, 2));
        assert_eq!(first.plan(LIKES, to(all[3], 2), 1).unwrap(), Planned::Made);
        assert_eq!(first.plan(LIKES, to(all[3], 2), 1).unwrap(), Planned::Made, "twice is once");

        let mut second = sink(&server);
        assert!(second.epoch() > first.epoch());
        let look = second.look(LIKES).unwrap();
        assert_eq!(
            (look.done, look.commit, look.plan, look.after),
            (Some(all[1]), 1, Some(to(all[3], 2)), all[1].id)
        );
        assert_eq!(second.plan(LIKES, to(all[4], 2), 1).unwrap(), Planned::Standing(to(all[3], 2)));
        assert_eq!(second.commit(LIKES, to(all[4], 2)).unwrap(), NOTHING, "another range than was planned");
        for fenced in [
            first.plan(LIKES, to(all[3], 2), 1).unwrap_err(),
            first.commit(LIKES, to(all[3], 2)).unwrap_err(),
            first.let_go(LIKES, all[3].id, 2).unwrap_err(),
        ] {
            assert!(matches!(fenced, Error::TakenOver { .. }), "{fenced}");
        }
        assert!(matches!(first.look(LIKES), Err(Error::TakenOver { .. })));
        assert_eq!(second.commit(LIKES, to(all[3], 2)).unwrap(), committed(all[3].id, 2));
        let look = second.look(LIKES).unwrap();
        assert_eq!((look.done, look.commit, look.plan), (Some(all[3]), 2, None));
        assert_eq!(held(&server), 2);

        // Read on from there, though that block is gone.
        let mut reader = likes(&address(&server), None);
        reader.go_on_after(LIKES, all[3].id, all[3].number, all[3].total).unwrap();
        let found = drain(&mut reader);
        assert_eq!((numbers(&found), faults(&found)), (vec![5, 6], vec![]));
        assert_eq!(second.oldest_after(LIKES, all[3].id).unwrap().unwrap().number, 5);
        assert_eq!(second.newest(LIKES).unwrap().unwrap().total, 12);
        assert_eq!(second.oldest_after(LIKES, all[5].id).unwrap(), None);
    }
}

#[test]
fn a_commit_trims_what_every_group_is_done_with_and_nothing_else() {
    let server = server(&[]);
    add(&server, &mut Ledger::default(), 6);
    let all = blocks(&server);
    let mut other = likes(&address(&server), Some(("other", "one")));
    let mut sink = sink(&server);
    assert_eq!(make(&mut sink, all[3], 1), committed(all[3].id, 0));
    let found = drain(&mut other);
    other.acknowledge(places(&found)[..2].to_vec()).unwrap();
    assert_eq!(held(&server), 4, "the other group holds the third");
    other.acknowledge(places(&found)[2..].to_vec()).unwrap();
    assert_eq!(held(&server), 2, "the sink holds the fifth");
    // What it shows of itself: the group is given what is committed, and nothing is ever pending.
    let stat = look::look(&address(&server), &name()).unwrap();
    let group = stat.groups.iter().find(|group| group.group == "lake" && group.lane == LIKES).unwrap();
    assert_eq!((group.given, group.unread_events), (Some(all[3].id), Some(4)));
    assert_eq!((group.pending_blocks, group.consumers, group.commits), (Some(0), 0, Some(1)));
    let read = stat.groups.iter().find(|group| group.group == "other").unwrap();
    assert_eq!(read.commits, None);
    assert_eq!(make(&mut sink, all[5], 2), committed(all[5].id, 2));
    let stat = look::look(&address(&server), &name()).unwrap();
    let group = stat.groups.iter().find(|group| group.group == "lake" && group.lane == LIKES).unwrap();
    assert_eq!((group.unread_events, group.behind_ms), (Some(0), Some(0)));
}

#[test]
fn what_a_writer_keeps_back_stays_though_it_is_committed() {
    let server = server(&[]);
    add(&server, &mut Ledger::default(), 4);
    let all = blocks(&server);
    let mut sink = sink(&server);
    let key = name().writer(LIKES);
    tell(&server, &format!("HSET {key} k {}", all[1].id));
    assert_eq!(make(&mut sink, all[2], 1), committed(all[2].id, 1));
    assert_eq!(
        sink.commit(LIKES, to(all[2], 1)).unwrap(),
        committed(all[2].id, 0),
        "the block is there, and committed"
    );
    tell(&server, &format!("HDEL {key} k"));
    assert_eq!(make(&mut sink, all[3], 2), committed(all[3].id, 3));
}

#[test]
fn a_full_server_takes_every_step_of_a_sink_whose_group_is_there() {
    for binary in servers() {
        let server = server_of(&binary);
        add(&server, &mut Ledger::default(), 4);
        let all = blocks(&server);
        drop(sink(&server));
        tell(&server, "CONFIG SET maxmemory 1");
        let mut sink = sink(&server);
        assert_eq!(make(&mut sink, all[1], 1), committed(all[1].id, 2), "{binary:?}");
        assert_eq!(sink.plan(LIKES, to(all[2], 2), 1).unwrap(), Planned::Made);
        assert_eq!(sink.withdraw(LIKES, 1).unwrap(), Planned::Made);
        assert_eq!(sink.plan(LIKES, to(all[3], 2), 1).unwrap(), Planned::Made);
        assert_eq!(sink.let_go(LIKES, all[2].id, 1).unwrap(), committed(all[2].id, 1));
        let other = Sink::open_existing(&address(&server), &name(), "other", LIMIT).err().unwrap();
        assert!(matches!(other, Error::GroupFull { .. }), "{other}");
    }
}

#[test]
fn a_group_of_readers_is_not_drained() {
    let server = server(&[]);
    let refused =
        || Sink::open_existing(&address(&server), &name(), "lake", LIMIT).err().unwrap().to_string();
    assert!(refused().contains("there is no buffer"), "{}", refused());
    add(&server, &mut Ledger::default(), 2);
    let mut reader = likes(&address(&server), Some(("lake", "one")));
    let found = drain(&mut reader);
    let why = refused();
    assert!(
        why.contains("consumer one holds 2 blocks of lane likes") && why.contains("name another"),
        "{why}"
    );
    reader.acknowledge(places(&found)).unwrap();
    assert!(refused().contains("it is being read"), "{}", refused());
    reader.leave();
    // It continues where the readers were.
    assert_eq!(sink(&server).look(LIKES).unwrap().after, places(&found)[1].1);
}

#[test]
fn lanes_that_are_written_or_added_later_are_taken_when_they_are_met() {
    let server = server(&[]);
    let (two, three) = ("a", "b");
    let events = |lanes: &[&str]| {
        let all = Stream::json().time("/ts", Unit::Us).lane("/type").default_lane("rest");
        lanes.iter().fold(all, |all, lane| all.route(*lane, *lane)).build().unwrap()
    };
    let mut groups = Groups::connect(&server.url(), "test").unwrap().of(events(&[two])).unwrap();
    let mut sink = Sink::open(&address(&server), &name().of(events(&[two])), "lake", LIMIT).unwrap();
    let lanes = sink.lanes().unwrap();
    assert_eq!((lanes.len(), sink.incarnation().len()), (2, 32));
    let lane = lanes.find(two).unwrap();
    assert_eq!(sink.look(lane).unwrap(), LaneLook::default());
    let at = Done { number: 1, id: Id { ms: 1, seq: 1 }, total: 1 };
    assert_eq!(sink.plan(lane, to(at, 1), 0).unwrap(), Planned::OutOfStep, "nobody wrote it");
    assert_eq!(sink.commit(lane, to(at, 1)).unwrap(), NOTHING);
    assert_eq!(sink.let_go(lane, at.id, 1).unwrap(), NOTHING);

    groups.add_lanes(events(&[two, three])).unwrap();
    until("the lane that was added is seen", || sink.lanes().unwrap().len() == 3);
    let mut writer = Writer::builder(server.url(), "test").events(events(&[two, three])).open().unwrap();
    for lane in [two, three] {
        let line = format!(r#"{{"ts":1,"type":"{lane}"}}"#);
        writer.push(&writer.events().parse(line.as_bytes()).unwrap()).unwrap();
    }
    writer.close().unwrap();
    for lane in [two, three] {
        let lane = sink.lanes().unwrap().find(lane).unwrap();
        assert_eq!(sink.look(lane).unwrap().newest, Some((1, 1)));
        let head = sink.newest(lane).unwrap().unwrap();
        assert_eq!((head.number, head.events, head.total, head.times), (1, 1, 1, (1, 1)));
        assert_eq!(sink.oldest_after(lane, Id::default()).unwrap(), Some(head));
        let done = Done { number: 1, id: head.id, total: 1 };
        assert_eq!(sink.plan(lane, to(done, 1), 0).unwrap(), Planned::Made);
        assert_eq!(sink.commit(lane, to(done, 1)).unwrap(), committed(head.id, 1));
    }
}

#[test]
fn a_server_that_came_back_with_less_is_seen_by_its_commit_and_nothing_new_is_skipped() {
    for binary in servers() {
        let mut server = server_of(&binary);
        let mut ledger = Ledger::default();
        add(&server, &mut ledger, 4);
        let mut sink = sink(&server);
        let old = blocks(&server);
        make(&mut sink, old[1], 1);
        tell(&server, "SAVE");
        add(&server, &mut ledger, 2);
        let all = [&old[..2], &blocks(&server)].concat();
        assert_eq!(sink.plan(LIKES, to(all[4], 2), 1).unwrap(), Planned::Made);
        server.kill().unwrap();
        server.restart().unwrap();

        // The same run, over a connection that it makes again: without its plan, and without the blocks of it.
        assert_eq!(sink.commit(LIKES, to(all[4], 2)).unwrap(), NOTHING, "{binary:?}");
        assert_eq!(sink.plan(LIKES, to(all[4], 2), 1).unwrap(), Planned::OutOfStep);
        assert_eq!(make(&mut sink, all[3], 2), committed(all[3].id, 2));
        server.kill().unwrap();
        server.restart().unwrap();

        // What it has is what was committed before; what comes next has a number that says what is between.
        let look = sink.look(LIKES).unwrap();
        assert_eq!((look.newest, look.done, look.commit), (Some((4, 8)), Some(all[1]), 1), "{binary:?}");
        assert_eq!(sink.plan(LIKES, to(all[3], 3), 2).unwrap(), Planned::OutOfStep, "it has commit 1");
        add(&server, &mut ledger, 3);
        let mut reader = likes(&address(&server), None);
        reader.go_on_after(LIKES, look.after, 0, 0).unwrap();
        let found = drain(&mut reader);
        assert_eq!(numbers(&found), [3, 4, 5, 6, 7]);
        let epochs: Vec<u64> = entries(&found).iter().map(|entry| entry.epoch).collect();
        assert!(epochs[1] < epochs[2], "the repeated ones are told by their epochs: {epochs:?}");
        // What was read again is had; the server still has no later commit.
        let again = places(&found)[1].1;
        assert_eq!(sink.let_go(LIKES, again, 2).unwrap(), committed(again, 2));
        let look = sink.look(LIKES).unwrap();
        assert_eq!((look.done.unwrap(), look.commit, look.after), (Done { id: again, ..all[1] }, 1, again));
        let new = blocks(&server);
        assert_eq!(sink.plan(LIKES, to(new[2], 3), 1).unwrap(), Planned::Made);
        assert_eq!(sink.commit(LIKES, to(new[2], 3)).unwrap(), committed(new[2].id, 3));
        let older = sink.let_go(LIKES, again, 2).unwrap_err().to_string();
        assert!(older.contains("has commit 3 on the server, and the last one here is 2"), "{older}");
    }
}

#[test]
fn a_plan_from_before_a_loss_gives_way_to_a_later_commit() {
    let mut server = server(&[]);
    let mut ledger = Ledger::default();
    add(&server, &mut ledger, 4);
    let mut sink = sink(&server);
    let all = blocks(&server);
    assert_eq!(sink.plan(LIKES, to(all[0], 1), 0).unwrap(), Planned::Made);
    tell(&server, "SAVE");
    sink.commit(LIKES, to(all[0], 1)).unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(sink.look(LIKES).unwrap().plan, Some(to(all[0], 1)));
    assert_eq!(sink.plan(LIKES, to(all[2], 2), 0).unwrap(), Planned::Made);
    assert_eq!(sink.commit(LIKES, to(all[2], 2)).unwrap(), committed(all[2].id, 3));
}

#[test]
fn a_reader_of_a_server_that_lost_all_comes_upon_what_is_missing() {
    let mut server = server(&[]);
    let mut ledger = Ledger::default();
    let mut writer = open(&address(&server), &options(1, 4));
    ledger.push_many(&mut writer, LIKES, 3).unwrap();
    until("they are stored", || writer.monitor().counts().acknowledged == 3);
    let mut sink = sink(&server);
    let all = blocks(&server);
    make(&mut sink, all[0], 1);
    server.kill().unwrap();
    server.restart().unwrap();
    ledger.push_many(&mut writer, LIKES, 1).unwrap();
    until("it is stored", || writer.monitor().counts().acknowledged == 4);
    writer.close().unwrap();
    let look = sink.look(LIKES).unwrap();
    assert_eq!((look.newest, look.done, look.commit), (Some((4, 4)), None, 0));
    let mut reader = likes(&address(&server), None);
    reader.go_on_after(LIKES, all[0].id, 1, 1).unwrap();
    let found = drain(&mut reader);
    assert_eq!(numbers(&found), [4]);
    assert!(matches!(found[0], ReadItem::Missing { numbers: (2, 3), events: 2, .. }), "{:?}", found[0]);
    // From an id that this server never gave, it is said, and read from the start.
    reader.go_on_after(LIKES, Id { ms: u64::MAX >> 1, seq: 0 }, 1, 1).unwrap();
    let found = drain(&mut reader);
    assert!(matches!(found[0], ReadItem::WentBack { .. }) && numbers(&found) == [4], "{found:?}");
}

#[test]
fn a_group_never_stands_where_no_block_is_yet() {
    for binary in servers() {
        let server = server_of(&binary);
        add(&server, &mut Ledger::default(), 2);
        let mut sink = sink(&server);
        let all = blocks(&server);
        let ahead = Id { ms: 1 << 50, seq: 7 };
        assert_eq!(sink.let_go(LIKES, ahead, 0).unwrap(), committed(Id::default(), 0), "{binary:?}");
        assert_eq!(make(&mut sink, all[1], 1), committed(all[1].id, 2));
        // Trimmed by now, and committed once more.
        assert_eq!(sink.commit(LIKES, to(all[1], 1)).unwrap(), committed(all[1].id, 0));
        // Nor does it go back.
        assert_eq!(sink.let_go(LIKES, all[0].id, 1).unwrap(), committed(all[1].id, 0));
    }
}

#[test]
fn a_step_whose_answer_is_lost_is_done_once_and_one_that_nobody_answers_ends() {
    let server = server(&[]);
    add(&server, &mut Ledger::default(), 4);
    let all = blocks(&server);
    let (proxy, near) = proxy(&server);
    let mut sink = Sink::open_existing(&near, &name(), "lake", LIMIT).unwrap();
    make(&mut sink, all[0], 1);
    proxy.leave_unanswered(redis::Script::new(SINK_COMMIT).get_hash(), 2);
    sink.plan(LIKES, to(all[2], 2), 1).unwrap();
    assert_eq!(sink.commit(LIKES, to(all[2], 2)).unwrap(), committed(all[2].id, 2));
    assert_eq!(proxy.cuts(), 2);
    let look = sink.look(LIKES).unwrap();
    assert_eq!((look.done, look.commit, look.plan), (Some(all[2]), 2, None));
    assert_eq!(held(&server), 1);

    let patience = std::time::Duration::from_millis(300);
    let mut sink = Sink::open_existing(&near, &name(), "lake", patience).unwrap();
    proxy.refuse();
    proxy.cut_all();
    let lost = sink.look(LIKES).unwrap_err();
    assert!(matches!(lost, Error::Lost { .. }), "{lost}");
}

#[test]
fn a_field_that_no_sink_wrote_is_named_with_its_place() {
    let server = server(&[]);
    add(&server, &mut Ledger::default(), 2);
    let mut sink = sink(&server);
    let key = name().writer(LIKES);
    tell(&server, &format!("HSET {key} sink:lake nonsense"));
    let at = Done { number: 1, id: Id { ms: 1, seq: 1 }, total: 1 };
    for error in [
        sink.look(LIKES).unwrap_err(),
        sink.plan(LIKES, to(at, 1), 0).unwrap_err(),
        sink.commit(LIKES, to(at, 1)).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.contains(&key) && text.contains("field sink:lake holds \"nonsense\""), "{text}");
    }
    assert_eq!(sink.look(POSTS).unwrap().newest, Some((0, 0)), "a lane that its writer took and never wrote");
}

/// What the sink of the group says of itself, as a look sees it.
fn said(server: &Server) -> Option<SinkStat> {
    look::look(&address(server), &name()).unwrap().sinks.pop()
}

#[test]
fn what_a_sink_says_of_itself_is_seen_by_others_and_a_newer_run_has_the_last_word() {
    for binary in servers() {
        let server = server_of(&binary);
        add(&server, &mut Ledger::default(), 4);
        let first = sink(&server);
        assert_eq!(said(&server), None, "{binary:?}");
        let mut old = first.figures_writer();
        assert_eq!(old.before().unwrap(), None);
        let of = |rows: u64| SinkFigures { to: "there".into(), rows, ..SinkFigures::default() };
        assert!(old.write(&of(5)).unwrap());
        let seen = said(&server).unwrap();
        assert_eq!((seen.group.as_str(), seen.epoch, &seen.figures), ("lake", first.epoch(), &of(5)));
        assert_eq!(old.before().unwrap().unwrap(), seen);

        let second = sink(&server);
        let mut new = second.figures_writer();
        assert_eq!(new.before().unwrap().unwrap().figures, of(5), "what was before is gone on with");
        assert!(old.write(&of(6)).unwrap(), "nothing was said since");
        assert!(new.write(&of(7)).unwrap());
        assert!(!old.write(&of(8)).unwrap(), "{binary:?}: the older run is fenced");
        assert_eq!(said(&server).unwrap().figures, of(7));
        // A full server takes it.
        tell(&server, "CONFIG SET maxmemory 1");
        assert!(new.write(&of(9)).unwrap(), "{binary:?}");
        assert_eq!(said(&server).unwrap().figures, of(9));
        tell(&server, "CONFIG SET maxmemory 0");
        // Whatever stands there is no reason to be silent.
        tell(&server, &format!("HSET {} drain:lake nonsense", name().meta()));
        assert_eq!(said(&server), None);
        assert!(old.write(&of(10)).unwrap());
        assert_eq!(said(&server).unwrap().figures, of(10));
        // A server that lost the buffer gets nothing of it.
        tell(&server, "FLUSHALL");
        assert!(!new.write(&of(11)).unwrap());
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection(&server)).unwrap();
        assert_eq!(keys, Vec::<String>::new());
    }
}

#[test]
fn a_group_that_is_being_drained_is_not_dropped_and_what_its_sink_said_goes_with_it() {
    let server = server(&[]);
    add(&server, &mut Ledger::default(), 4);
    let sink = sink(&server);
    let mut writer = sink.figures_writer();
    let running = SinkFigures { to: "there".into(), ..SinkFigures::default() };
    assert!(writer.write(&running).unwrap());
    let mut groups = Groups::open(&address(&server), &name()).unwrap();
    let refused = groups.drop_group("lake").unwrap_err();
    assert!(matches!(&refused, Error::Drained { group, .. } if group == "lake"), "{refused}");
    assert_eq!(groups.groups().unwrap(), ["lake"]);
    assert!(writer.write(&SinkFigures { is_over: true, ..running }).unwrap());
    assert!(said(&server).unwrap().figures.is_over);
    assert!(groups.drop_group("lake").is_ok());
    assert_eq!(said(&server), None);
    let field: Option<String> =
        redis::cmd("HGET").arg(name().meta()).arg("drain:lake").query(&mut connection(&server)).unwrap();
    assert_eq!(field, None);
    // One that was killed is taken to be gone after a while.
    add(&server, &mut Ledger::default(), 1);
    drop(self::sink(&server));
    let text = r#"7 {"at_ms":1,"to":"there"}"#;
    let mut set = redis::cmd("HSET");
    set.arg(name().meta()).arg("drain:lake").arg(text).exec(&mut connection(&server)).unwrap();
    assert!(groups.drop_group("lake").is_ok());
}
