//! What is claimed of the rig's bucket as an HTTP server: connections, bounds, input that is not valid, and its end.

use std::net::TcpStream;

use forebay_rig::s3::{Fault, S3Server, Settings, When};

use super::s3_support::{Client, answer, start, wait_until};

#[test]
fn a_connection_serves_one_request_after_the_other_until_the_client_is_done() {
    let server = start();
    let mut client = Client::new(&server);
    for number in 0..50_u8 {
        let target = format!("/forebay/{number}");
        assert_eq!(client.ask("PUT", &target, &[], &[number]).unwrap().status, 200);
        assert_eq!(client.ask("GET", &target, &[], b"").unwrap().body, [number]);
        assert_eq!(client.ask("GET", "/forebay/none", &[], b"").unwrap().status, 404);
    }
    // Two at once are answered in their order.
    client.send_head("GET", "/forebay/1", &[]).unwrap();
    client.send_head("GET", "/forebay/2", &[("Connection", "close")]).unwrap();
    assert_eq!(client.receive("GET").unwrap().body, [1]);
    let last = client.receive("GET").unwrap();
    assert_eq!((last.body.as_slice(), last.header("Connection")), (&[2_u8][..], Some("close")));
    assert!(client.is_closed());
}

#[test]
fn what_is_beyond_its_bytes_is_refused_and_room_comes_back() {
    let server = S3Server::start(Settings { bytes_max: 100_000, ..Settings::default() }).unwrap();
    let (mut client, body) = (Client::new(&server), vec![0; 60_000]);
    assert_eq!(client.ask("PUT", "/forebay/a", &[], &body).unwrap().status, 200);
    let refused = client.ask("PUT", "/forebay/b", &[], &body).unwrap();
    assert_eq!(refused.error(), (507, "XMinioStorageFull"));
    assert_eq!(server.held_bytes(), 60_000);
    assert_eq!(client.ask("DELETE", "/forebay/a", &[], b"").unwrap().status, 204);
    assert_eq!(client.ask("PUT", "/forebay/b", &[], &body).unwrap().status, 200);
    assert_eq!((server.keys(), server.held_bytes()), (vec!["b".to_owned()], 60_000));
}

#[test]
fn what_is_not_valid_http_is_answered_once_and_the_connection_ends() {
    let server = start();
    let long = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(64 << 10));
    for invalid in [
        "\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/2\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "PUT /forebay/k HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "PUT /forebay/k HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "PUT /forebay/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "PUT /forebay/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        &long,
    ] {
        let mut client = Client::new(&server);
        client.send_raw(invalid.as_bytes()).unwrap();
        assert_eq!(client.receive("GET").unwrap().error(), (400, "InvalidRequest"), "{invalid:.60}");
        assert!(client.is_closed());
    }
    assert_eq!(answer(&server, "HEAD", "/forebay", b"").status, 200);
    let mut client = Client::new(&server);
    client.send_head("PUT", "/forebay/k", &[]).unwrap();
    assert_eq!(client.receive("PUT").unwrap().error(), (411, "MissingContentLength"));
}

#[test]
fn a_client_that_leaves_in_the_middle_stores_nothing() {
    let server = start();
    let mut client = Client::new(&server);
    // From here on the connection is open.
    assert_eq!(client.ask("HEAD", "/forebay", &[], b"").unwrap().status, 200);
    client.send_head("PUT", "/forebay/k", &[("Content-Length", "10")]).unwrap();
    client.send_raw(b"12345").unwrap();
    drop(client);
    wait_until("the connection is gone", || server.open() == 0);
    assert_eq!((server.keys().len(), server.held_bytes(), server.requests_total()), (0, 0, 1));
}

#[test]
fn a_server_ends_its_connections_also_those_that_wait() {
    let server = start();
    let address = server.address();
    let hour = std::time::Duration::from_secs(3_600);
    server.arm(Fault::SlowAnswer { wait: hour }, When::always().key("slow"));
    let (mut idle, mut waits) = (Client::new(&server), Client::new(&server));
    assert_eq!(idle.ask("HEAD", "/forebay", &[], b"").unwrap().status, 200);
    waits.send_head("GET", "/forebay/slow", &[]).unwrap();
    wait_until("the answer is slow", || server.times("slow-answer") == 1);
    drop(server);
    assert!(idle.is_closed() && waits.is_closed());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_cut_ends_every_connection_and_keeps_what_is_stored() {
    let server = start();
    let mut client = Client::new(&server);
    assert_eq!(client.ask("PUT", "/forebay/k", &[], b"x").unwrap().status, 200);
    server.cut();
    assert!(client.is_closed());
    assert_eq!(answer(&server, "GET", "/forebay/k", b"").text(), "x");
}
