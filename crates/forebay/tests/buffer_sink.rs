//! What is claimed of a sink: how far it has a lane outlives its runs, what it planned binds the next one, an older run can do
//! nothing any more, and a commit lets go of what every group is done with, on a full server too. On every server that is here.

use std::time::Duration;

use forebay::buffer::entry::Id;
use forebay::buffer::error::Error;
use forebay::buffer::look;
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::buffer::sink::{Committed, Done, LaneLook, Plan, Planned, Sink};
use forebay::event::jetstream::{self, LIKES};
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

/// So many blocks of two likes each.
fn fill(server: &Server, ledger: &mut Ledger, blocks: u64) {
    add(server, ledger, blocks);
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

#[test]
fn how_far_a_lane_is_outlives_the_run_and_a_plan_binds_the_next_one() {
    for binary in servers() {
        let server = server_of(&binary);
        fill(&server, &mut Ledger::default(), 6);
        let all = blocks(&server);
        let mut first = sink(&server);
        let look = first.look(LIKES).unwrap();
        assert_eq!(look, LaneLook { newest: Some((6, 12)), ..LaneLook::default() }, "{binary:?}");
        assert_eq!(first.plan(LIKES, all[1], 1).unwrap(), Planned::Made);
        assert_eq!(first.commit(LIKES, all[1], 1).unwrap(), committed(all[1].id, 2));
        assert_eq!(first.plan(LIKES, all[3], 2).unwrap(), Planned::Made);
        assert_eq!(first.plan(LIKES, all[3], 2).unwrap(), Planned::Made, "twice is once");

        let mut second = sink(&server);
        assert!(second.epoch() > first.epoch());
        let look = second.look(LIKES).unwrap();
        assert_eq!(
            (look.done, look.commit, look.plan, look.after),
            (Some(all[1]), 1, Some(all[3]), all[1].id)
        );
        assert_eq!(second.plan(LIKES, all[4], 2).unwrap(), Planned::Standing(all[3]));
        for fenced in [first.plan(LIKES, all[3], 2).unwrap_err(), first.commit(LIKES, all[3], 2).unwrap_err()]
        {
            assert!(matches!(fenced, Error::TakenOver { .. }), "{fenced}");
        }
        assert!(matches!(first.look(LIKES), Err(Error::TakenOver { .. })));
        assert_eq!(second.commit(LIKES, all[3], 2).unwrap(), committed(all[3].id, 2));
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
