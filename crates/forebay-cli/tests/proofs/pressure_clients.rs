//! What is claimed of the experiments on memory settings: every setting has its rows, the claims are right, what is broken
//! is refuted, and what a server does not know is untested.

use std::net::TcpListener;
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::reader::Reader;
use forebay::buffer::writer::Writer;
use forebay::event::jetstream;
use forebay_proof::claim::{Evidence, Verdict};
use forebay_proof::pressure::settings::row::Advice;
use forebay_proof::pressure::settings::{Outcome, Sizes, run_sized};
use forebay_proof::progress::Silent;
use forebay_proof::target::{Target, own_name};
use forebay_proof::{Scale, Subject};
use forebay_rig::server::ServerBinary;
use forebay_watch::profile::{DEFAULT, Profile};

use crate::support::{address, name, options, read_options, server, until};

const SMALL: Sizes = Sizes {
    events: 12_000,
    plain_events: 2_000,
    cycles: 2,
    settle: Duration::from_secs(1),
    tries: 1,
    appended: 500,
    room_bytes: 12 << 20,
};

fn run(sizes: Sizes) -> Outcome {
    let (profile, binary) = (Profile::load(DEFAULT).unwrap(), ServerBinary::find(None).unwrap());
    let (target, name) = (Target::own(&binary, &profile).unwrap(), own_name("settings").unwrap());
    let on = Subject {
        profile: &profile,
        target: &target,
        binary: &binary,
        name: &name,
        seed: 1,
        scale: Scale::Quick,
        progress: &Silent,
    };
    run_sized(&on, sizes).unwrap()
}

/// Every setting that is tried, and how many values of it beside the default.
const TRIED: [(&str, usize); 10] = [
    ("activedefrag", 1),
    ("stream-node-max-bytes", 5),
    ("stream-node-max-entries", 2),
    ("lazyfree-lazy-user-del", 1),
    ("lazyfree-lazy-server-del", 1),
    ("lazyfree-lazy-expire", 1),
    ("lazyfree-lazy-eviction", 1),
    ("maxclients", 0),
    ("client-output-buffer-limit", 1),
    ("maxmemory-clients", 1),
];

/// Every claim, and what must be seen of the control: its broken cause, in figures.
const CLAIMED: [(&str, &str); 10] = [
    ("pressure.maxclients.refused", "0: a client gets \"+PONG\""),
    ("pressure.maxclients.told", "0: writer: came about; reader: came about"),
    ("pressure.maxclients.connected", "max number of clients reached"),
    ("pressure.maxclients.recovered", "0: writer: "),
    ("pressure.client-output-buffer-limit.dropped", "0: the client held up to "),
    ("pressure.client-output-buffer-limit.appends", "0 events: "),
    ("pressure.client-output-buffer-limit.room", " MiB: "),
    ("pressure.maxmemory-clients.dropped", "0: the client held up to "),
    ("pressure.maxmemory-clients.appends", "OOM"),
    ("pressure.maxmemory-clients.room", " MiB: "),
];

fn assert_every_setting_has_its_rows(outcome: &Outcome) {
    for (setting, others) in TRIED {
        let rows: Vec<_> = outcome.rows.iter().filter(|row| row.setting == setting).collect();
        if let [row] = rows[..]
            && others > 0
        {
            assert!(row.advice.words().contains("this server does not know it"), "{row:?}");
            continue;
        }
        assert_eq!(rows.len(), others + 1, "{setting}: {rows:?}");
        assert_eq!(rows.iter().filter(|row| row.value.ends_with(" (default)")).count(), 1, "{rows:?}");
        for row in rows {
            match &row.advice {
                Advice::Untested(why) => assert!(why.len() > 10 && row.measured == "-", "{row:?}"),
                _ => assert!(row.measured.chars().any(|c| c.is_ascii_digit()), "{row:?}"),
            }
        }
    }
    let known: usize =
        outcome.rows.iter().filter(|row| TRIED.iter().any(|(name, _)| row.setting == *name)).count();
    assert_eq!(known, outcome.rows.len(), "a row of no setting: {:?}", outcome.rows);
    let evidence = outcome.evidence();
    let Evidence::Table { columns, rows, .. } = &evidence[0] else { panic!("{evidence:?}") };
    assert_eq!((columns.len(), rows.len()), (4, outcome.rows.len()));
    assert!(matches!(&evidence[1], Evidence::Note { text } if text.contains("change where")), "{evidence:?}");
    assert_eq!(evidence.len(), 7, "a table for each experiment");
    for table in &evidence {
        if let Evidence::Table { title, columns, rows } = table {
            assert!(!rows.is_empty() && rows.iter().all(|row| row.len() == columns.len()), "{title}");
        }
    }
}

fn assert_claims_hold_and_fail_where_the_cause_is_broken(outcome: &Outcome) {
    let ids: Vec<&str> = outcome.claims.iter().map(|claim| claim.id.as_str()).collect();
    assert_eq!(ids, CLAIMED.map(|(id, _)| id));
    for (claim, (_, broken)) in outcome.claims.iter().zip(CLAIMED) {
        if claim.verdict() == Verdict::Untested {
            assert!(
                claim.why.contains("does not know") && claim.id.contains("maxmemory-clients"),
                "{claim:?}"
            );
            continue;
        }
        assert_eq!(claim.verdict(), Verdict::Proven, "{claim:?}");
        let control = claim.control().unwrap_or_else(|| panic!("no control: {claim:?}"));
        assert!(control.is_refuted() && control.measured.contains(broken), "{control:?}");
    }
    // What the figures say of clients that do not read is what the advice says.
    for setting in ["client-output-buffer-limit", "maxmemory-clients"] {
        let mut shown = outcome.rows.iter().filter(|row| row.setting == setting).map(|row| &row.advice);
        assert!(shown.all(|advice| matches!(advice, Advice::Change | Advice::Untested(_))), "{setting}");
    }
}

#[test]
fn every_setting_is_measured_and_every_claim_fails_where_its_cause_is_broken() {
    let outcome = run(SMALL);
    assert_every_setting_has_its_rows(&outcome);
    assert_claims_hold_and_fail_where_the_cause_is_broken(&outcome);
}

#[test]
fn a_server_with_too_many_clients_is_not_taken_for_one_that_is_away() {
    let mut server = server(&[("maxclients", "3")]);
    // Whoever saw it start may still be one of its clients.
    let mut held = Vec::new();
    until("it has as many clients as it takes", || {
        held.extend(address(&server).dial());
        held.len() == 3
    });
    let errors = [
        address(&server).connect().map(drop),
        Writer::open(&address(&server), &name(), &options(2, 1)).map(drop),
        Reader::open(&address(&server), &name(), read_options(&jetstream::ALL, None)).map(drop),
    ];
    for error in errors.map(Result::unwrap_err) {
        let is_told = matches!(&error, Error::Crowded { why, .. } if why.contains("max number of clients"));
        assert!(is_told && error.to_string().contains("raise its maxclients"), "{error}");
    }
    drop(held);
    until("the server takes clients again", || address(&server).connect().is_ok());

    // It keeps its port: one that is free may be another test's by now.
    server.kill().unwrap();
    let error = address(&server).connect().map(drop).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[test]
fn a_server_that_hangs_up_without_a_word_is_not_taken_for_a_crowded_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    // The client, and whoever then listens for a reason.
    let hangs_up = std::thread::spawn(move || listener.incoming().take(2).for_each(drop));
    let error = Address::parse(&url).unwrap().connect().map(drop).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    hangs_up.join().unwrap();
}
