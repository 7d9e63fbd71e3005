//! What is claimed of a drain to a bucket: each event is in one object, whatever the bucket and the way to it do, and what is there
//! is seen as it is.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::destination::DestinationError;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::place::bucket_settings::Access;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::drain::running::Running;
use forebay_pipe::drain::step::{Step, Steps};
use forebay_pipe::drain::verify::verify;
use forebay_rig::s3::{Fault, Operation, S3Server, Settings, When};
use forebay_rig::server::Server;

use crate::drain_support::{append, archived, assert_same, by_lane, config, events, run};
use crate::support::{LIMIT, server};

/// A place in the server's bucket.
fn bucket_of(s3: &S3Server, prefix: &str) -> Target {
    let settings = s3.settings();
    let target = Target::parse(Path::new(&format!("s3://{}/{prefix}", settings.bucket))).unwrap();
    let Target::Bucket(url) = target else { panic!("it is a folder") };
    let (endpoint, id) = (s3.url(), settings.access_key);
    Target::Bucket(url.by(Access::Key { endpoint, id, secret: "never-shown".into() }))
}

/// A drain of that server to that bucket.
fn to(server: &Server, s3: &S3Server, staging: &Path) -> Config {
    Config { to: bucket_of(s3, "lake/raw"), staging: Some(staging.to_owned()), ..config(server, staging) }
}

fn read(s3: &S3Server) -> crate::drain_support::Lines {
    archived(&Archive::open(&bucket_of(s3, "lake/raw")).unwrap())
}

#[test]
fn every_event_is_in_one_object_and_a_drain_that_ends_before_any_step_goes_on() {
    let (server, s3, staging) =
        (server(&[]), S3Server::start(Settings::default()).unwrap(), tempfile::tempdir().unwrap());
    let all = events(0..1_600);
    for (at, step) in Step::ALL.into_iter().enumerate() {
        append(&server, &all[at * 160..][..160]);
        let seen = AtomicU64::new(0);
        let steps = Steps::asked(move |now| now != step || seen.fetch_add(1, Relaxed) > 0);
        let stopped = run(&Config { steps, ..to(&server, &s3, staging.path()) });
        assert!(
            matches!(&stopped, Err(DrainError::Destination(DestinationError::Stopped(at))) if *at == step),
            "{step:?}: {:?}",
            stopped.err()
        );
        if at % 2 == 0 {
            // Another machine goes on, without what was staged.
            std::fs::remove_dir_all(staging.path()).unwrap();
        }
    }
    run(&to(&server, &s3, staging.path())).unwrap();
    assert_same(&read(&s3), &by_lane(&all), "in all");
    assert!(
        s3.keys()
            .iter()
            .all(|key| key.starts_with("lake/raw/events/lane=") || key.starts_with("lake/raw/forebay/"))
    );
    assert!(!s3.keys().iter().any(|key| key.contains("/pending/")), "{:?}", s3.keys());
}

#[test]
fn whatever_a_bucket_answers_each_event_is_in_one_object() {
    let faults = [
        Fault::InternalError,
        Fault::SlowDown,
        Fault::ConditionalRequestConflict,
        Fault::PreconditionFailed,
        Fault::AccessDenied,
        Fault::RequestTimeTooSkewed,
        Fault::ResetAfterBody,
        Fault::AnswerLost,
        Fault::TornStore,
        Fault::Forgotten,
        Fault::SlowAnswer { wait: Duration::from_millis(30) },
    ];
    let threads = faults.map(|fault| std::thread::spawn(move || survive(fault)));
    for (fault, thread) in faults.into_iter().zip(threads) {
        assert!(thread.join().is_ok(), "{fault:?}");
    }
}

/// A drain to a bucket that does this once to each kind of request.
fn survive(fault: Fault) {
    let (server, s3) = (server(&[]), S3Server::start(Settings::default()).unwrap());
    let staging = tempfile::tempdir().unwrap();
    let all = events(0..300);
    append(&server, &all);
    let ids = [Operation::Put, Operation::Get, Operation::Head, Operation::Delete]
        .map(|operation| s3.arm(fault, When::next(1).after(2).on(operation)));
    run(&to(&server, &s3, staging.path())).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
    let acted: u64 = ids.iter().map(|id| s3.times_of(*id)).sum();
    assert!(acted > 0, "{fault:?} never acted");
    s3.disarm_all();
    assert_same(&read(&s3), &by_lane(&all), &format!("{fault:?}"));
}

#[test]
fn what_is_wrong_with_a_bucket_is_said_with_its_name_and_without_the_secret() {
    let (server, s3, staging) =
        (server(&[]), S3Server::start(Settings::default()).unwrap(), tempfile::tempdir().unwrap());
    append(&server, &events(0..50));
    let config = to(&server, &s3, staging.path());
    let says = |config: &Config| {
        let said = run(config).err().unwrap().to_string();
        assert!(said.len() <= 180 && !said.contains(['<', '\n']), "{said}");
        said
    };
    s3.change(|settings| settings.may_list = false);
    let said = says(&config);
    assert!(
        said.starts_with("s3://") && said.contains("AccessDenied") && said.contains("the rights to list"),
        "{said}"
    );
    s3.change(|settings| (settings.may_list, settings.is_read_only) = (true, true));
    let said = says(&Config { patience: Duration::from_secs(3), ..config.clone() });
    assert!(said.contains("lake/raw/forebay/destination.json: putting: 403 AccessDenied"), "{said}");
    s3.change(|settings| (settings.bucket, settings.is_read_only) = ("another".into(), false));
    let said = says(&config);
    assert!(said.contains("NoSuchBucket"), "{said}");
    s3.change(|settings| settings.access_key = "another".into());
    let said = says(&config);
    assert!(said.contains("InvalidAccessKeyId") && said.contains("AWS_ACCESS_KEY_ID"), "{said}");
    assert!(!format!("{said} {config:?}").contains("never-shown"), "{config:?}");
}

#[test]
fn a_bucket_that_takes_requests_and_does_not_answer_is_given_up_after_patience_and_seen_before() {
    let (server, s3, staging) =
        (server(&[]), S3Server::start(Settings::default()).unwrap(), tempfile::tempdir().unwrap());
    let all = events(0..200);
    append(&server, &all);
    let config = to(&server, &s3, staging.path());
    run(&config).unwrap();
    append(&server, &all);
    let far = Duration::from_secs(3_600);
    s3.arm(Fault::SlowAnswer { wait: far }, When::next(u64::MAX).on(Operation::Put));
    let impatient = Config { patience: Duration::from_secs(3), ..config.clone() };
    let why = run(&impatient).err().unwrap().to_string();
    assert!(why.contains("gave up") && why.contains("putting: the bucket has not answered for"), "{why}");
    let running = Running::start(Config { once: false, ..config.clone() });
    let deadline = Instant::now() + LIMIT / 2;
    while !running.counts.trouble().is_some_and(|why| why.contains("has not answered for")) {
        assert!(Instant::now() < deadline && !running.is_over(), "{:?}", running.counts.trouble());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(running.counts.look().failures, 0, "it is seen while it is waited for");
    s3.disarm_all();
    drop(s3);
    assert!(running.end().is_err());

    // From the first request on.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let Target::Bucket(url) = config.to else { panic!("a folder") };
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let access = Access::Key { endpoint, id: "key".into(), secret: "never-shown".into() };
    let why = run(&Config { to: Target::Bucket(url.by(access)), ..impatient }).err().unwrap().to_string();
    assert!(why.contains("s3://") && why.contains("listing: the bucket has not answered"), "{why}");
}

#[test]
fn two_buffers_are_not_drained_to_one_prefix_and_what_is_changed_or_gone_is_found() {
    let (server, s3, staging) =
        (server(&[]), S3Server::start(Settings::default()).unwrap(), tempfile::tempdir().unwrap());
    append(&server, &events(0..400));
    let config = to(&server, &s3, staging.path());
    run(&config).unwrap();
    let other = Config { name: "other".parse().unwrap(), ..config };
    let mut writer = forebay::Writer::builder(server.url(), "other").open().unwrap();
    writer.push(&forebay::event::parse::parse(events(0..1)[0].as_bytes()).unwrap()).unwrap();
    writer.close().unwrap();
    let said = run(&other).err().unwrap().to_string();
    assert!(said.contains("buffer \"test\"") && said.contains("buffer \"other\""), "{said}");

    let archive = Archive::open(&bucket_of(&s3, "lake/raw")).unwrap();
    let told = || verify(&archive, |_| {}).unwrap().told.join("\n");
    assert_eq!(told(), "");
    let file = s3.keys().into_iter().find(|key| key.contains("/events/lane=likes/")).unwrap();
    s3.alter(&file, |bytes| bytes[100] ^= 1);
    assert!(told().contains("its bytes are not those that were committed"), "{}", told());
    s3.remove(&file);
    assert!(told().contains("it is not there"), "{}", told());
    s3.put("lake/raw/events/lane=likes/stray.parquet", b"PAR1".to_vec());
    assert!(told().contains("stray.parquet: it is in the tree, and no commit has it"), "{}", told());
    let nothing = Archive::open(&bucket_of(&s3, "elsewhere")).err().unwrap().to_string();
    assert!(nothing.contains("nothing was drained to it"), "{nothing}");
}
