//! What is claimed of the experiments on limits on clients: every setting has its rows, the claims are right, what is broken
//! is refuted, and what a server does not know is untested.

use std::net::TcpListener;

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::reader::Reader;
use forebay::buffer::writer::Writer;
use forebay::event::jetstream;
use forebay_proof::claim::{Claim, Verdict};
use forebay_proof::pressure::clients::{Sizes, claims, evidence, run_sized};
use forebay_proof::server_setting::{Advice, Outcome};

use super::settings::{assert_every_setting_has_its_rows, on_a_server};
use crate::support::{address, name, options, read_options, server, until};

const SMALL: Sizes = Sizes { events: 12_000, appended: 500, room_bytes: 12 << 20 };

/// Every setting that is tried, and how many values of it beside the default.
const TRIED: [(&str, usize); 3] =
    [("maxclients", 0), ("client-output-buffer-limit", 1), ("maxmemory-clients", 1)];

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

fn assert_claims_hold_and_fail_where_the_cause_is_broken(outcome: &Outcome, claims: &[Claim]) {
    let ids: Vec<&str> = claims.iter().map(|claim| claim.id.as_str()).collect();
    assert_eq!(ids, CLAIMED.map(|(id, _)| id));
    for (claim, (_, broken)) in claims.iter().zip(CLAIMED) {
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
fn every_limit_is_tried_and_every_claim_fails_where_its_cause_is_broken() {
    let outcome = on_a_server(|on| run_sized(on, SMALL).unwrap());
    let tables = evidence(&outcome);
    assert_every_setting_has_its_rows(&outcome, &TRIED, &tables, 2);
    let claims = claims(outcome.clone());
    assert_eq!(claims[0].evidence, tables, "they stand beside the first claim");
    assert_claims_hold_and_fail_where_the_cause_is_broken(&outcome, &claims);
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
