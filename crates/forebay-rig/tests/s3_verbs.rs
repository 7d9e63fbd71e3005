//! What is claimed of the rig's bucket: each operation does what S3's does.

use forebay_rig::s3::{LoggedRequest, Operation};
use sha2::{Digest, Sha256};

use super::s3_support::{Client, answer, ask, element, signed_with, start, wait_until};

/// The SHA-256 of `hello`, as headers have it.
const HELLO_SHA256: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

#[test]
fn an_object_comes_back_with_what_was_given_with_it() {
    let server = start();
    let headers = [
        ("Content-Type", "application/vnd.apache.parquet"),
        ("x-amz-meta-lane", "3"),
        ("x-amz-checksum-sha256", HELLO_SHA256),
    ];
    let put = ask(&server, "PUT", "/forebay/a/b%20%C3%A4.parquet", &headers, b"hello").unwrap();
    assert_eq!((put.status, put.header("x-amz-checksum-sha256")), (200, Some(HELLO_SHA256)));
    let etag = put.header("ETag").unwrap().to_owned();
    assert!(etag.len() == 34 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    assert_eq!(server.keys(), ["a/b ä.parquet"]);
    for method in ["GET", "HEAD"] {
        let plain = answer(&server, method, "/forebay/a/b%20%C3%A4.parquet", b"");
        assert_eq!((plain.status, plain.header("x-amz-checksum-sha256")), (200, None));
        assert_eq!((plain.header("ETag"), plain.header("Content-Length")), (Some(etag.as_str()), Some("5")));
        assert_eq!(plain.header("Content-Type"), Some("application/vnd.apache.parquet"));
        assert_eq!(plain.header("x-amz-meta-lane"), Some("3"));
        let modified = plain.header("Last-Modified").unwrap();
        assert!(modified.ends_with(" GMT") && jiff::fmt::rfc2822::parse(modified).is_ok(), "{modified}");
        assert_eq!(plain.body, if method == "GET" { &b"hello"[..] } else { b"" });
        let mode = [("x-amz-checksum-mode", "ENABLED")];
        let full = ask(&server, method, "/forebay/a/b%20%C3%A4.parquet", &mode, b"").unwrap();
        assert_eq!(full.header("x-amz-checksum-sha256"), Some(HELLO_SHA256));
    }
    let again = answer(&server, "PUT", "/forebay/other", b"hello");
    assert_eq!(again.header("ETag"), Some(etag.as_str()));
    assert_ne!(answer(&server, "PUT", "/forebay/other", b"hallo").header("ETag"), Some(etag.as_str()));
}

#[test]
fn a_range_is_a_part_and_says_which() {
    let server = start();
    server.put("k", *b"0123456789");
    let get = |range: &str| {
        let headers = [("Range", range), ("x-amz-checksum-mode", "ENABLED")];
        ask(&server, "GET", "/forebay/k", &headers, b"").unwrap()
    };
    for (range, part, told) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-1", "9", "bytes 9-9/10"),
    ] {
        let answer = get(range);
        assert_eq!((answer.status, answer.text(), answer.header("Content-Range")), (206, part, Some(told)));
    }
    assert_eq!(get("bytes=10-").error(), (416, "InvalidRange"));
    assert_eq!((get("bytes=4-2").status, get("bytes=4-2").body.len()), (200, 10));
}

#[test]
fn a_body_arrives_in_every_encoding() {
    let server = start();
    let aws = "3;chunk-signature=ab\r\nhel\r\n2;chunk-signature=cd\r\nlo\r\n0;chunk-signature=ef\r\n";
    let trailer = format!("{aws}x-amz-checksum-sha256:{HELLO_SHA256}\r\n\r\n");
    let http = |body: &str| {
        let (first, second) = body.split_at(body.len() / 2);
        let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
        format!("{}{}0\r\nbehind: it\r\n\r\n", chunk(first), chunk(second))
    };
    let chunked = ("Transfer-Encoding", "chunked");
    let streaming = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let encoded = ("Content-Encoding", "aws-chunked,zstd");
    let decoded = ("x-amz-decoded-content-length", "5");
    for (number, (headers, body)) in [
        (vec![chunked], http("hello")),
        (vec![streaming, decoded], format!("{aws}\r\n")),
        (vec![encoded, decoded], trailer.clone()),
        (vec![encoded, streaming, decoded, chunked], http(&trailer)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = Client::new(&server);
        let (target, length) = (format!("/forebay/{number}"), body.len().to_string());
        let mut all = headers.clone();
        if !headers.contains(&chunked) {
            all.push(("Content-Length", &length));
        }
        client.send_head("PUT", &target, &all).unwrap();
        client.send_raw(body.as_bytes()).unwrap();
        assert_eq!(client.receive("PUT").unwrap().status, 200, "{headers:?}");
        assert_eq!(server.bytes(&number.to_string()).unwrap(), b"hello", "{headers:?}");
        // The connection is where the next request begins.
        let mode = [("x-amz-checksum-mode", "ENABLED")];
        let head = client.ask("HEAD", &target, &mode, b"").unwrap();
        assert_eq!(head.header("x-amz-checksum-sha256").is_some(), body.contains(HELLO_SHA256));
        assert_eq!(head.header("Content-Encoding"), headers.contains(&encoded).then_some("zstd"));
    }
}

#[test]
fn a_client_that_expects_to_be_asked_for_the_body_is_asked() {
    let server = start();
    let mut client = Client::new(&server);
    client.send_head("PUT", "/forebay/k", &[("Expect", "100-continue"), ("Content-Length", "5")]).unwrap();
    assert_eq!(client.read_line().unwrap(), "HTTP/1.1 100 Continue");
    assert_eq!(client.read_line().unwrap(), "");
    client.send_raw(b"hello").unwrap();
    assert_eq!(client.receive("PUT").unwrap().status, 200);
}

#[test]
fn a_body_that_is_not_what_its_headers_say_is_not_stored() {
    let server = start();
    let put = |headers: &[(&str, &str)]| ask(&server, "PUT", "/forebay/k", headers, b"hallo").unwrap();
    let signed =
        Sha256::digest(b"hello").iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!(put(&[("x-amz-checksum-sha256", HELLO_SHA256)]).error(), (400, "BadDigest"));
    assert_eq!(put(&[("x-amz-content-sha256", &signed)]).error(), (400, "XAmzContentSHA256Mismatch"));
    assert_eq!(put(&[("Content-Encoding", "aws-chunked")]).error(), (400, "IncompleteBody"));
    assert_eq!(put(&[("x-amz-decoded-content-length", "4")]).error(), (400, "IncompleteBody"));
    assert!(server.keys().is_empty());
    assert_eq!(put(&[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]).status, 200);
    let hello = [("x-amz-content-sha256", signed.as_str()), ("x-amz-checksum-sha256", HELLO_SHA256)];
    assert_eq!(ask(&server, "PUT", "/forebay/k", &hello, b"hello").unwrap().status, 200);
}

#[test]
fn a_key_is_created_once_and_replaced_by_its_tag() {
    let server = start();
    let put =
        |headers: &[(&str, &str)], body: &[u8]| ask(&server, "PUT", "/forebay/k", headers, body).unwrap();
    assert_eq!(put(&[("If-Match", "\"e\"")], b"0").error(), (404, "NoSuchKey"));
    let first = put(&[("If-None-Match", "*")], b"1");
    assert_eq!(first.status, 200);
    assert_eq!(put(&[("If-None-Match", "*")], b"2").error(), (412, "PreconditionFailed"));
    assert_eq!(put(&[("If-None-Match", "\"e\"")], b"2").error(), (501, "NotImplemented"));
    assert_eq!(server.bytes("k").unwrap(), b"1");
    let etag = first.header("ETag").unwrap();
    assert_eq!(put(&[("If-Match", etag)], b"3").status, 200);
    assert_eq!(put(&[("If-Match", etag)], b"4").error(), (412, "PreconditionFailed"));
    assert_eq!(put(&[], b"5").status, 200);
    assert_eq!(server.bytes("k").unwrap(), b"5");
}

#[test]
fn of_many_clients_one_creates_a_key() {
    let server = start();
    let created = std::thread::scope(|scope| {
        let put = |number: u8| {
            let body = vec![number; 10_000];
            ask(&server, "PUT", "/forebay/k", &[("If-None-Match", "*")], &body).unwrap().status
        };
        let threads: Vec<_> = (0..16).map(|number| scope.spawn(move || put(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|status| *status == 200).count()
    });
    assert_eq!((created, server.requests_total()), (1, 16));
}

#[test]
fn keys_are_deleted_one_by_one_or_many_at_once() {
    let server = start();
    for key in ["a", "b&<c>", "d", "e"] {
        server.put(key, *b"x");
    }
    for _ in 0..2 {
        let gone = answer(&server, "DELETE", "/forebay/a", b"");
        assert_eq!((gone.status, gone.header("Content-Length")), (204, None));
    }
    let body = "<?xml version=\"1.0\"?><Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Object><Key>b&amp;&lt;c&gt;</Key></Object><Object><Key>not there</Key></Object></Delete>";
    let gone = answer(&server, "POST", "/forebay?delete", body.as_bytes());
    assert_eq!(gone.status, 200);
    assert!(
        gone.text()
            .contains("<Deleted><Key>b&amp;&lt;c&gt;</Key></Deleted><Deleted><Key>not there</Key></Deleted>")
    );
    let quiet = "<Delete><Object><Key>d</Key></Object><Quiet>true</Quiet></Delete>";
    assert_eq!(element(answer(&server, "POST", "/forebay?delete", quiet.as_bytes()).text(), "Deleted"), None);
    assert_eq!(server.keys(), ["e"]);
    for malformed in
        ["", "<Delete></Delete>", "<Delete><Object></Object></Delete>", "<Object><Key>&x;</Key></Object>"]
    {
        let refused = answer(&server, "POST", "/forebay?delete", malformed.as_bytes());
        assert_eq!(refused.error(), (400, "MalformedXML"), "{malformed}");
    }
}

#[test]
fn what_may_not_be_is_refused_with_the_code_of_s3() {
    let server = start();
    server.put("k", *b"x");
    let get = |target: &str| answer(&server, "GET", target, b"");
    assert_eq!(get("/other/k").error(), (404, "NoSuchBucket"));
    assert_eq!(get("/other?list-type=2").error(), (404, "NoSuchBucket"));
    assert_eq!(get("/forebay/none").error(), (404, "NoSuchKey"));
    assert_eq!(element(get("/forebay/a&b").text(), "Resource"), Some("/forebay/a&amp;b"));
    assert_eq!(get("/forebay/%FF").error(), (400, "InvalidURI"));
    assert_eq!(get("/forebay?location").error(), (501, "NotImplemented"));
    assert_eq!(answer(&server, "POST", "/forebay/k?uploads", b"").error(), (501, "NotImplemented"));
    assert_eq!(answer(&server, "HEAD", "/forebay", b"").status, 200);
    assert_eq!(answer(&server, "HEAD", "/other", b"").status, 404);
    assert_eq!(answer(&server, "HEAD", "/forebay/none", b"").status, 404);
    let other = signed_with("other");
    for authorization in [other.as_str(), "Basic YTpi"] {
        let headers = [("Authorization", authorization)];
        for (method, target) in [("PUT", "/forebay/k"), ("GET", "/forebay/k"), ("GET", "/other/k")] {
            let refused = ask(&server, method, target, &headers, b"y").unwrap();
            assert_eq!(refused.error(), (403, "InvalidAccessKeyId"));
        }
    }
    assert_eq!(server.bytes("k").unwrap(), b"x");
}

#[test]
fn permissions_are_taken_and_given_while_it_runs() {
    let server = start();
    server.put("k", *b"x");
    server.change(|settings| settings.is_read_only = true);
    assert_eq!(answer(&server, "PUT", "/forebay/k", b"y").error(), (403, "AccessDenied"));
    assert_eq!(answer(&server, "DELETE", "/forebay/k", b"").error(), (403, "AccessDenied"));
    let body = b"<Delete><Object><Key>k</Key></Object></Delete>";
    let many = answer(&server, "POST", "/forebay?delete", body);
    assert_eq!((many.error(), element(many.text(), "Key")), ((200, "AccessDenied"), Some("k")));
    assert_eq!(answer(&server, "GET", "/forebay/k", b"").text(), "x");
    assert_eq!(answer(&server, "GET", "/forebay?list-type=2", b"").status, 200);
    server.change(|settings| {
        settings.is_read_only = false;
        settings.may_list = false;
    });
    assert_eq!(answer(&server, "GET", "/forebay?list-type=2", b"").error(), (403, "AccessDenied"));
    assert_eq!(answer(&server, "PUT", "/forebay/k", b"y").status, 200);
    assert_eq!(server.bytes("k").unwrap(), b"y");
}

#[test]
fn the_log_shows_what_was_asked_and_answered() {
    let server = start();
    answer(&server, "PUT", "/forebay/a/k", b"x");
    answer(&server, "GET", "/forebay?list-type=2&prefix=a%2F", b"");
    answer(&server, "HEAD", "/forebay/none", b"");
    let logged = |method: &str, operation, key: &str, status| LoggedRequest {
        method: method.into(),
        operation,
        key: key.into(),
        status: Some(status),
        faults: Vec::new(),
    };
    let expected = [
        logged("PUT", Operation::Put, "a/k", 200),
        logged("GET", Operation::List, "a/", 200),
        logged("HEAD", Operation::Head, "none", 404),
    ];
    assert_eq!(server.requests(), expected);
}

#[test]
fn what_happens_behind_a_clients_back_shows_as_it_would() {
    let server = start();
    ask(&server, "PUT", "/forebay/k", &[("x-amz-checksum-sha256", HELLO_SHA256)], b"hello").unwrap();
    let head = || {
        let head = ask(&server, "HEAD", "/forebay/k", &[("x-amz-checksum-mode", "ENABLED")], b"").unwrap();
        ["ETag", "Last-Modified", "x-amz-checksum-sha256"].map(|name| head.header(name).map(str::to_owned))
    };
    let before = head();
    assert!(server.alter("k", |bytes| bytes[1] = b'a'));
    assert_eq!((server.bytes("k").unwrap().as_slice(), head()), (&b"hallo"[..], before.clone()));
    server.put("k", *b"hello");
    assert_eq!((head()[0].as_ref(), head()[2].as_ref()), (before[0].as_ref(), None));
    assert!(server.remove("k") && !server.remove("k") && !server.alter("k", Vec::clear));
    // An answer that was just sent may still hold its object.
    wait_until("nothing is held", || server.held_bytes() == 0);
}
