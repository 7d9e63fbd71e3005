//! What is claimed of the rig's bucket by clients that others wrote: they work with it as with S3.

use std::path::Path;
use std::process::Command;

use forebay_rig::s3::{Fault, Operation, S3Server, Settings, When};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/s3.py");

/// An interpreter that has this package, if there is one.
fn python(package: &str) -> Option<String> {
    let named = std::env::var("FOREBAY_PYTHON").ok();
    let mut tried = named.into_iter().chain([format!("{ROOT}/target/python/bin/python3"), "python3".into()]);
    tried.find(|python| {
        let ran = Command::new(python).args(["-c", &format!("import {package}")]).output();
        ran.is_ok_and(|output| output.status.success())
    })
}

/// Runs what the client does with a bucket, where there is the client. It tries again where one of these operations is
/// answered with 503, and leaves `left` behind, of 9,000,000 bytes.
fn run(package: &str, slowed_down: &[Operation]) {
    let Some(python) = python(package) else {
        println!(
            "skipped: no python3 with the package {package}; make setup-python, or name one in FOREBAY_PYTHON"
        );
        return;
    };
    let server = S3Server::start(Settings { page_max: 3, ..Settings::default() }).unwrap();
    for operation in slowed_down {
        server.arm(Fault::SlowDown, When::next(1).on(*operation));
    }
    let settings = server.settings();
    let mut command = Command::new(python);
    command.arg(Path::new(CLIENT)).args([package, &server.url(), &settings.bucket, &settings.access_key]);
    // Nothing of the machine's own: neither credentials nor a proxy.
    for name in ["http_proxy", "HTTP_PROXY", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"] {
        command.env_remove(name);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    let ran = command.output().unwrap();
    let log = server.requests();
    assert!(ran.status.success(), "{}\n{log:#?}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(server.keys(), ["left"], "{log:#?}");
    assert_eq!(server.times("slow-down"), slowed_down.len() as u64, "{log:#?}");
    let expected: Vec<u8> = (0..9_000_000_u32).map(|index| (index % 251) as u8).collect();
    assert!(server.bytes("left").unwrap() == expected);
}

#[test]
fn boto3_in_python_works_with_it_as_with_s3() {
    run("boto3", &[Operation::Put, Operation::Get, Operation::List]);
}

#[test]
fn obstore_in_python_works_with_it_as_with_s3() {
    run("obstore", &[Operation::Put, Operation::Get, Operation::List]);
}

#[test]
fn pyarrow_in_python_works_with_it_as_with_s3() {
    // It cannot read an error that is longer than the range that it asked for.
    run("pyarrow", &[Operation::Put, Operation::List]);
}
