//! Whatever a host does, each event of the network is in the buffer once.

use std::time::Duration;

use forebay_pipe::ingest::Counted;
use forebay_pipe::ingest::running::{Heard, Running};
use forebay_rig::jetstream::{Fault, IngestLedger, Protocol, Settings, Simulator};

use crate::support::{Waits, config, for_each, ledger_of, server, until, urls};

const HISTORY: u64 = 6_000;
const ALL: u64 = 10_000;

/// By which of a host's ways events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    V1,
    V2,
    /// The second version's own stream.
    Events,
}

const WAYS: [Way; 3] = [Way::V1, Way::V2, Way::Events];

impl Way {
    fn protocol(self) -> Protocol {
        if self == Self::V1 { Protocol::V1 } else { Protocol::V2 }
    }
}

/// What happens in a round.
struct Round {
    way: Way,
    faults: Vec<Fault>,
    seed: u64,
    is_compressed: bool,
    /// Live events a second: few where something is to happen while they come.
    rate: f64,
    /// Which faults must have acted.
    acted: Vec<&'static str>,
}

impl Round {
    fn of(way: Way, seed: u64, faults: Vec<Fault>) -> Self {
        let acted = faults.iter().map(Fault::name).collect();
        Self { way, faults, seed, is_compressed: false, rate: 2_000.0, acted }
    }

    /// Runs it; something else may happen meanwhile.
    fn run(self, meanwhile: impl FnOnce(&Simulator, &Running)) -> (IngestLedger, Counted, Heard) {
        let Self { way, faults, seed, is_compressed, rate, acted } = self;
        let settings = Settings {
            protocol: way.protocol(),
            seed,
            rate,
            history: HISTORY,
            last: Some(ALL - 1),
            faults: faults.clone(),
            ..Settings::default()
        };
        let simulator = Simulator::start(settings).unwrap();
        let server = server(&[]);
        let mut config = config(&server, &urls(&simulator, way.protocol(), way == Way::Events));
        let folder = tempfile::tempdir().unwrap();
        if is_compressed {
            let path = folder.path().join("dictionary");
            std::fs::write(&path, Simulator::dictionary().unwrap()).unwrap();
            (config.compress, config.dictionary) = (true, Some(path));
        }
        let running = Running::start(config);
        meanwhile(&simulator, &running);
        running.wait_for(ALL);
        // Some messages that are no events of the network are events all the same.
        running.wait_for_silence();
        let (outcome, heard) = running.end();
        let counted = outcome.unwrap_or_else(|why| panic!("{way:?} {faults:?}: {why} {heard:?}"));
        let ledger = ledger_of(&simulator, &server, 0, ALL);
        for name in acted {
            assert!(
                simulator.times(name) > 0,
                "{name} did nothing: {way:?} {faults:?} {:?}",
                simulator.acted()
            );
        }
        println!(
            "{way:?} seed {seed} {faults:?} {:?} {counted:?} order {} {:?}",
            simulator.acted(),
            ledger.out_of_order.len(),
            heard.remarks.len()
        );
        assert!(
            ledger.lost().is_empty() && ledger.twice.is_empty(),
            "{way:?} seed {seed} {faults:?}: lost {:?} twice {:?} {counted:?} {heard:?}",
            ledger.lost(),
            ledger.twice
        );
        (ledger, counted, heard)
    }
}

fn clean(way: Way, seed: u64, faults: &[Fault]) {
    let (ledger, counted, heard) = Round::of(way, seed, faults.to_vec()).run(|_, _| {});
    assert!(ledger.is_clean(), "{way:?} {faults:?} {ledger:?} {counted:?} {heard:?}");
    assert!(counted.missed.is_empty(), "{way:?} {faults:?} {counted:?}");
}

#[test]
fn without_a_fault_everything_is_there_once_and_in_order() {
    for_each(WAYS, |way| {
        clean(way, 1, &[]);
    });
}

#[test]
fn with_compression_everything_is_there_once_and_in_order() {
    for_each(WAYS, |way| {
        let round = Round { is_compressed: true, ..Round::of(way, 2, vec![]) };
        let (ledger, ..) = round.run(|_, _| {});
        assert!(ledger.is_clean(), "{way:?} {ledger:?}");
    });
}

#[test]
fn a_connection_that_is_closed_or_reset_again_and_again() {
    for_each(WAYS, |way| {
        clean(way, 3, &[Fault::Drop { every: 1_500 }]);
        clean(way, 4, &[Fault::Reset { every: 1_500 }]);
    });
}

#[test]
fn a_cut_over_that_swallows_and_reorders() {
    // It is met by nobody who ends the replay before it: that it acts is shown by a client that takes it as it comes.
    let fault = Fault::CutOver { swallow: 20, reorder: 10, close_after: 200 };
    let round = |seed, more: &[Fault]| {
        let faults = [std::slice::from_ref(&fault), more].concat();
        let (ledger, ..) = Round { acted: vec![], ..Round::of(Way::V1, seed, faults) }.run(|_, _| {});
        assert!(ledger.is_clean(), "{ledger:?}");
    };
    round(5, &[]);
    round(6, &[Fault::Drop { every: 3_000 }]);
}

#[test]
fn events_that_come_before_others() {
    for_each(WAYS, |way| {
        let faults = vec![Fault::Reorder { every: 500, by: 5 }, Fault::Drop { every: 2_500 }];
        Round::of(way, 7, faults).run(|_, _| {});
    });
}

#[test]
fn times_that_go_back_a_little() {
    for_each(WAYS, |way| {
        clean(way, 8, &[Fault::TimeBack { jitter_us: 50_000 }, Fault::Drop { every: 1_500 }]);
    });
}

#[test]
fn events_that_come_twice() {
    for_each(WAYS, |way| {
        clean(way, 9, &[Fault::DuplicateLast { n: 500, at: 8_000 }]);
    });
}

#[test]
fn messages_that_are_no_events() {
    for_each(WAYS, |way| {
        let faults = vec![Fault::Evil { every: 500 }, Fault::Drop { every: 2_500 }];
        let (_, counted, _) = Round::of(way, 10, faults).run(|_, _| {});
        assert!(counted.refused > 0, "{counted:?}");
    });
}

#[test]
fn a_host_that_becomes_another_version_under_its_name() {
    for_each([(Way::V1, Protocol::V2), (Way::V2, Protocol::V1)], |(from, to)| {
        let round = Round { rate: 500.0, acted: vec!["other-protocol"], ..Round::of(from, 11, vec![]) };
        round.run(|simulator, running| {
            running.wait_for(HISTORY + 500);
            simulator.change(|settings| settings.protocol = to);
            simulator.cut();
            until("a connection", running, |counted| counted.connections > 2);
        });
    });
}

#[test]
fn a_host_that_counts_anew() {
    for_each([Way::V2, Way::Events], |way| {
        for first_seq in [1_000_000, 3_000] {
            let round = Round { rate: 500.0, acted: vec!["cut"], ..Round::of(way, 12, vec![]) };
            round.run(|simulator, running| {
                running.wait_for(HISTORY + 500);
                simulator.change(|settings| settings.first_seq = first_seq);
                simulator.cut();
            });
        }
    });
}

#[test]
fn frames_that_do_not_open() {
    for_each(WAYS, |way| {
        let of = |seed, fault| Round { is_compressed: true, ..Round::of(way, seed, vec![fault]) };
        of(13, Fault::WrongDictionary { after: 3_000 }).run(|_, _| {});
        let (_, counted, _) = of(14, Fault::Bomb { after: 3_000, bytes: 300 << 20 }).run(|_, _| {});
        assert!(counted.refused > 0, "{counted:?}");
    });
    let rotated =
        Round { is_compressed: true, ..Round::of(Way::Events, 15, vec![Fault::Drop { every: 2_000 }]) };
    rotated.run(|simulator, _| simulator.change(|settings| settings.faults.push(Fault::RotatedDictionary)));
}

#[test]
fn a_host_that_refuses_for_a_while() {
    for_each(WAYS, |way| {
        for code in [400, 429, 503] {
            clean(way, 16, &[Fault::Status { code, times: 2 }]);
        }
    });
}

#[test]
fn a_segment_that_begins_before_what_was_asked_for() {
    // A time cursor is given where the host became another: what lies before it is dropped, as far as it is known to be settled.
    let faults = vec![Fault::SegmentStart { events: 4_000 }];
    let round = Round { rate: 500.0, ..Round::of(Way::V1, 17, faults) };
    let (_, counted, _) = round.run(|simulator, running| {
        running.wait_for(HISTORY + 500);
        simulator.change(|settings| settings.protocol = Protocol::V2);
        simulator.cut();
    });
    assert!(counted.repeats > 1_000, "{counted:?}");
}

#[test]
fn accounts_that_a_host_sends_again_under_other_numbers_of_its_own_are_there_once() {
    for_each([Way::V2, Way::Events], |way| {
        let (_, counted, _) =
            Round::of(way, 18, vec![Fault::Regress { by: 4_000, at: 8_000 }]).run(|_, _| {});
        assert!(counted.missed.is_empty(), "{counted:?}");
    });
}

#[test]
fn a_host_that_is_idle_for_a_while_or_slow_to_answer() {
    for_each(WAYS, |way| {
        let second = Duration::from_secs(1);
        clean(way, 19, &[Fault::Idle { after: 2_000, for_: 2 * second }]);
        clean(way, 20, &[Fault::SlowHandshake { wait: second }]);
    });
}

#[test]
fn a_frame_of_64_megabytes_is_refused_and_nothing_is_lost_beside_it() {
    for_each(WAYS, |way| {
        let (_, counted, _) =
            Round::of(way, 21, vec![Fault::LargeFrame { bytes: 64 << 20, after: 3_000 }]).run(|_, _| {});
        assert!(counted.refused > 0, "{counted:?}");
    });
}

#[test]
fn a_clock_that_is_set_back_by_an_hour() {
    for_each(WAYS, |way| {
        let step = Fault::TimeStep { at_index: 8_000, back_us: 3_600_000_000 };
        Round::of(way, 22, vec![step]).run(|_, _| {});
    });
}

#[test]
fn a_host_that_says_nothing_any_more_is_asked_again() {
    for_each(WAYS, |way| {
        clean(way, 23, &[Fault::Stall { after: 4_500, for_: Duration::from_secs(30) }]);
        clean(way, 24, &[Fault::HalfOpen { after: 4_500, connections: u64::MAX }]);
    });
}
