//! What is claimed of the faults of the rig's bucket: each does what it says, to the requests that it is armed for, and counts.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use forebay_rig::s3::{Fault, Operation, S3Server, When};

use super::s3_support::{Client, answer, ask, start};

/// The fault is armed for one PUT, on a bucket that has `k`.
fn armed(fault: Fault) -> S3Server {
    let server = start();
    server.put("k", *b"before");
    server.arm(fault, When::next(1).on(Operation::Put));
    server
}

/// The faults of the last request, and its status.
fn last(server: &S3Server) -> (Vec<&'static str>, Option<u16>) {
    let request = server.requests().pop().unwrap();
    (request.faults, request.status)
}

#[test]
fn an_error_is_answered_in_place_of_the_request() {
    for (fault, status, code) in [
        (Fault::InternalError, 500, "InternalError"),
        (Fault::SlowDown, 503, "SlowDown"),
        (Fault::ConditionalRequestConflict, 409, "ConditionalRequestConflict"),
        (Fault::PreconditionFailed, 412, "PreconditionFailed"),
        (Fault::AccessDenied, 403, "AccessDenied"),
        (Fault::RequestTimeTooSkewed, 403, "RequestTimeTooSkewed"),
    ] {
        let server = armed(fault);
        let mut client = Client::new(&server);
        assert_eq!(client.ask("GET", "/forebay/k", &[], b"").unwrap().status, 200);
        assert_eq!(client.ask("PUT", "/forebay/k", &[], b"after").unwrap().error(), (status, code));
        assert_eq!(last(&server), (vec![fault.name()], Some(status)));
        assert_eq!(server.bytes("k").unwrap(), b"before");
        assert_eq!(client.ask("PUT", "/forebay/k", &[], b"after").unwrap().status, 200);
        assert_eq!(last(&server), (Vec::new(), Some(200)));
        assert_eq!(
            (server.acted(), server.bytes("k").unwrap().as_slice()),
            (vec![(fault.name(), 1)], &b"after"[..])
        );
    }
}

/// Puts `after`; why there is no answer.
fn failed_put(server: &S3Server) -> ErrorKind {
    ask(server, "PUT", "/forebay/k", &[], b"after").unwrap_err().kind()
}

#[test]
fn a_reset_after_the_body_leaves_nothing_behind() {
    let server = armed(Fault::ResetAfterBody);
    assert_eq!(failed_put(&server), ErrorKind::ConnectionReset);
    assert_eq!(
        (last(&server), server.bytes("k").unwrap()),
        ((vec!["reset-after-body"], None), b"before".to_vec())
    );
    assert_eq!(answer(&server, "PUT", "/forebay/k", b"after").status, 200);
    assert_eq!(server.times("reset-after-body"), 1);
}

#[test]
fn a_lost_answer_is_to_what_was_done() {
    let server = armed(Fault::AnswerLost);
    server.remove("k");
    let put = || ask(&server, "PUT", "/forebay/k", &[("If-None-Match", "*")], b"after");
    assert_eq!(put().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!((last(&server), server.bytes("k").unwrap()), ((vec!["answer-lost"], None), b"after".to_vec()));
    // What a client that tries again is answered.
    assert_eq!(put().unwrap().error(), (412, "PreconditionFailed"));
    assert_eq!(server.times("answer-lost"), 1);
    let lost = server.arm(Fault::AnswerLost, When::next(1).on(Operation::Delete));
    assert!(ask(&server, "DELETE", "/forebay/k", &[], b"").is_err());
    assert_eq!((server.keys().len(), server.times_of(lost)), (0, 1));
}

#[test]
fn a_torn_store_has_half_and_says_so_of_the_half() {
    let whole = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    let server = armed(Fault::TornStore);
    assert_eq!(answer(&server, "PUT", "/forebay/empty", b"").status, 200);
    assert_eq!(server.times("torn-store"), 0);
    let headers = [("x-amz-checksum-sha256", whole), ("x-amz-meta-a", "b")];
    let put = ask(&server, "PUT", "/forebay/k", &headers, b"hello").unwrap();
    assert_eq!((put.status, server.bytes("k").unwrap().as_slice()), (200, &b"he"[..]));
    let half = answer(&server, "PUT", "/forebay/half", b"he");
    assert_eq!(put.header("ETag"), half.header("ETag"));
    let head = ask(&server, "HEAD", "/forebay/k", &[("x-amz-checksum-mode", "ENABLED")], b"").unwrap();
    assert_eq!((head.header("Content-Length"), head.header("ETag")), (Some("2"), half.header("ETag")));
    assert_eq!(head.header("x-amz-meta-a"), Some("b"));
    let checksum = head.header("x-amz-checksum-sha256").unwrap();
    assert!(checksum != whole && put.header("x-amz-checksum-sha256") == Some(checksum));
    // It is that of the half: the server takes it for one.
    let checked =
        ask(&server, "PUT", "/forebay/half", &[("x-amz-checksum-sha256", checksum)], b"he").unwrap();
    assert_eq!((checked.status, server.times("torn-store")), (200, 1));
}

#[test]
fn a_forgotten_object_is_answered_like_any_other() {
    let server = armed(Fault::Forgotten);
    assert_eq!(ask(&server, "PUT", "/forebay/k", &[("If-None-Match", "*")], b"x").unwrap().status, 412);
    assert_eq!(server.times("forgotten"), 0);
    let put = answer(&server, "PUT", "/forebay/new", b"after");
    let kept = answer(&server, "PUT", "/forebay/kept", b"after");
    assert_eq!((put.status, put.header("ETag")), (200, kept.header("ETag")));
    assert_eq!((server.keys(), server.times("forgotten")), (vec!["k".to_owned(), "kept".to_owned()], 1));
}

#[test]
fn slow_is_slow_and_nothing_else() {
    let (wait, bytes) = (Duration::from_millis(300), vec![7; 100_000]);
    for fault in [Fault::SlowAnswer { wait }, Fault::SlowBody { rate: 333_333 }] {
        let server = armed(fault);
        let begin = Instant::now();
        assert_eq!(answer(&server, "PUT", "/forebay/k", &bytes).status, 200);
        assert!(begin.elapsed() >= wait, "{fault:?}: {:?}", begin.elapsed());
        assert_eq!((server.times(fault.name()), server.bytes("k").unwrap()), (1, bytes.clone()));
    }
}

#[test]
fn a_slow_body_acts_on_bodies_alone() {
    let server = start();
    let slow = server.arm(Fault::SlowBody { rate: u64::MAX }, When::always());
    answer(&server, "GET", "/forebay/k", b"");
    answer(&server, "PUT", "/forebay/k", b"");
    assert_eq!(server.times_of(slow), 0);
    answer(&server, "PUT", "/forebay/k", b"x");
    assert_eq!(server.times_of(slow), 1);
}

#[test]
fn faults_are_for_the_keys_and_requests_that_they_were_armed_for() {
    let server = start();
    let of_lane =
        server.arm(Fault::SlowDown, When::always().key("lane=1/").on(Operation::Put).on(Operation::List));
    let third = server.arm(Fault::AccessDenied, When::next(1).on(Operation::Head).after(2));
    let status = |method: &str, target: &str| answer(&server, method, target, b"x").status;
    assert_eq!((status("PUT", "/forebay/lane=0/a"), status("PUT", "/forebay/lane=1/a")), (200, 503));
    assert_eq!(
        (status("GET", "/forebay/lane=1/a"), status("GET", "/forebay?list-type=2&prefix=lane%3D1/b")),
        (404, 503)
    );
    let heads: Vec<u16> = (0..4).map(|_| status("HEAD", "/forebay/lane=0/a")).collect();
    assert_eq!((heads, server.times_of(third)), (vec![200, 200, 403, 200], 1));
    server.disarm(of_lane);
    assert_eq!((status("PUT", "/forebay/lane=1/a"), server.times_of(of_lane)), (200, 2));
    server.arm(Fault::InternalError, When::always());
    assert_eq!(status("PUT", "/forebay/a"), 500);
    server.disarm_all();
    assert_eq!(status("PUT", "/forebay/a"), 200);
}

#[test]
fn a_share_of_requests_fails_the_same_for_the_same_seed() {
    let run = |seed| {
        let server = start();
        server.arm(Fault::InternalError, When::share(0.3, seed).on(Operation::Put));
        let mut client = Client::new(&server);
        let failed: Vec<bool> =
            (0..60).map(|_| client.ask("PUT", "/forebay/k", &[], b"x").unwrap().status == 500).collect();
        assert_eq!(failed.iter().filter(|failed| **failed).count() as u64, server.times("internal-error"));
        failed
    };
    let first = run(1);
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!(run(1), first);
    assert_ne!(run(2), first);
}
