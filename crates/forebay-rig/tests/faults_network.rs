//! What is claimed of the network of our own, with plain sockets at both ends: exactly so many bytes pass before a cut;
//! what is delayed or held back comes later, all of it and in order; and its end leaves nothing behind.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use forebay_rig::server::fault::network::{CONNECTIONS_MAX, Direction, HELD_BYTES_MAX, NetworkError, Proxy};
use rustix::net;

use crate::support::{
    LIMIT, NEVER, Random, Source, address, assert_holds_exactly, connection, open, options, proxy, server,
    until,
};

/// What listens behind a proxy, both ends of its connections being ours.
struct Net {
    proxy: Proxy,
    listener: TcpListener,
}

impl Net {
    fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let proxy = Proxy::start("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        Self { proxy, listener }
    }

    fn dial(&self) -> TcpStream {
        patient(TcpStream::connect(("127.0.0.1", self.proxy.port())).unwrap())
    }

    /// A connection that has come through to the server, if there is one.
    fn arrived(&self) -> Option<TcpStream> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(false).unwrap();
        Some(patient(stream))
    }

    fn accept(&self) -> TcpStream {
        let mut stream = None;
        until("a connection comes through", || {
            stream = self.arrived();
            stream.is_some()
        });
        stream.unwrap()
    }

    /// Both ends of a connection: the client's, the server's.
    fn connect(&self) -> (TcpStream, TcpStream) {
        (self.dial(), self.accept())
    }

    /// Waits until no more is taken, as far as one can see: it is more than half, since pieces have a cost of their own.
    fn until_full(&self, way: Direction) {
        until("no more is taken", || {
            let held = self.proxy.held_bytes(way);
            std::thread::sleep(Duration::from_millis(300));
            held > HELD_BYTES_MAX as u64 / 2 && held == self.proxy.held_bytes(way)
        });
    }

    fn until_held(&self, way: Direction, bytes: usize) {
        until(&format!("{bytes} bytes are held {way:?}"), || self.proxy.held_bytes(way) == bytes as u64);
    }
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The ends in the order in which bytes go.
fn ends(way: Direction, (client, server): (TcpStream, TcpStream)) -> (TcpStream, TcpStream) {
    if way == Direction::ToServer { (client, server) } else { (server, client) }
}

fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..bytes).map(|_| random.below(256) as u8).collect()
}

fn read(mut from: &TcpStream, bytes: usize) -> Vec<u8> {
    let mut all = vec![0; bytes];
    from.read_exact(&mut all).unwrap();
    all
}

/// All that comes until the connection ends, one way or the other.
fn read_to_end(mut from: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    if let Err(why) = from.read_to_end(&mut all) {
        assert_eq!(why.kind(), ErrorKind::ConnectionReset);
    }
    all
}

fn write(mut to: &TcpStream, bytes: &[u8]) {
    to.write_all(bytes).unwrap();
}

/// Nothing has come, and no end either.
fn assert_silent(mut stream: &TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let why = stream.read(&mut [0]).unwrap_err();
    assert_eq!(why.kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
}

fn assert_passes(first: &TcpStream, second: &TcpStream) {
    for (from, to) in [(first, second), (second, first)] {
        write(from, b"as ever");
        assert_eq!(read(to, 7), b"as ever");
    }
}

#[test]
fn everything_passes_in_order_both_ways_at_once_and_each_end_on_its_own() {
    let net = Net::new();
    let (client, server) = net.connect();
    let (there, back) = (noise(5_000_000, 1), noise(5_000_000, 2));
    std::thread::scope(|scope| {
        scope.spawn(|| write(&client, &there));
        scope.spawn(|| write(&server, &back));
        scope.spawn(|| assert!(read(&client, back.len()) == back));
        assert!(read(&server, there.len()) == there);
    });
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&server), b"");
    write(&server, b"an answer to one who has no more to say");
    drop(server);
    assert_eq!(read_to_end(&client), b"an answer to one who has no more to say");
    until("it is over", || net.proxy.connections() == 0);
    assert_eq!(net.proxy.cuts(), 0);
    assert_eq!(net.proxy.url(), format!("redis://127.0.0.1:{}", net.proxy.port()));
}

#[test]
fn a_connection_is_cut_after_exactly_so_many_bytes_again_and_again() {
    for way in Direction::ALL {
        let net = Net::new();
        let counts = [0, 1, 1_000, 40_000, 3];
        net.proxy.cut_after(way, counts);
        for (turn, bytes) in counts.into_iter().enumerate() {
            let (from, to) = ends(way, net.connect());
            // The other way is free.
            write(&to, b"a question");
            assert_eq!(read(&from, 10), b"a question");
            let sent = noise(bytes as usize + 20_000, bytes);
            write(&from, &sent[..bytes as usize]);
            assert!(read(&to, bytes as usize) == sent[..bytes as usize], "{way:?}, {bytes}");
            assert_eq!(
                net.proxy.cuts(),
                turn as u64,
                "{way:?}: cut by the byte after the last that may pass"
            );
            write(&from, &sent[bytes as usize..]);
            assert_eq!(read_to_end(&to), b"", "{way:?}, {bytes}");
            assert_eq!(net.proxy.cuts(), turn as u64 + 1);
            assert_eq!(read_to_end(&from), b"");
        }
        let (client, server) = net.connect();
        assert_passes(&client, &server);
    }
}

#[test]
fn a_cut_in_the_middle_of_one_piece_lets_its_first_part_pass_to_a_reader_who_has_more_to_say() {
    for way in Direction::ALL {
        let net = Net::new();
        // More than fits into the sockets, so that some of it is on its way when the cut comes.
        let bytes = 300_001;
        net.proxy.cut_after(way, [bytes]);
        let (from, to) = ends(way, net.connect());
        let sent = noise(bytes as usize + 20_000, 5);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut from = &from;
                // It may be cut before all is taken.
                let _ = from.write_all(&sent);
            });
            until("it is cut", || net.proxy.cuts() == 1);
            for _ in 0..100 {
                write(&to, &[b'?'; 10_000]);
            }
            let came = read_to_end(&to);
            assert_eq!(came.len(), bytes as usize, "{way:?}");
            assert!(came == sent[..bytes as usize], "{way:?}");
        });
    }
}

#[test]
fn a_cut_that_is_due_falls_on_whichever_connection_has_the_byte() {
    let net = Net::new();
    let ((first, first_end), (second, second_end)) = (net.connect(), net.connect());
    net.proxy.cut_after(Direction::ToServer, [10]);
    write(&first, b"123456");
    assert_eq!(read(&first_end, 6), b"123456");
    write(&second, b"abcdef");
    assert_eq!(read_to_end(&second_end), b"abcd");
    assert_passes(&first, &first_end);
}

#[test]
fn all_connections_are_cut_at_once_and_new_ones_are_not() {
    let net = Net::new();
    assert_eq!(net.proxy.cut_all(), 0);
    let all: Vec<_> = (0..3).map(|_| net.connect()).collect();
    assert_eq!(net.proxy.cut_all(), 3);
    for (client, server) in &all {
        assert_eq!((read_to_end(client), read_to_end(server)), (vec![], vec![]));
    }
    assert_eq!(net.proxy.cuts(), 3);
    let (client, server) = net.connect();
    assert_passes(&client, &server);
}

#[test]
fn a_question_gets_no_answer_so_many_times_though_the_server_has_it() {
    let net = Net::new();
    net.proxy.leave_unanswered("question", 2);
    let other = net.connect();
    for turn in 1..=2 {
        let (client, server) = net.connect();
        // In two pieces, so that it must be known across them.
        write(&client, b"one que");
        assert_eq!(read(&server, 7), b"one que");
        write(&client, b"stion more");
        assert_eq!(read(&server, 10), b"stion more");
        assert_eq!(net.proxy.cuts(), turn - 1);
        write(&server, b"answer");
        assert_eq!(read_to_end(&client), b"", "turn {turn}");
        assert_eq!(net.proxy.cuts(), turn);
    }
    for (client, server) in [other, net.connect()] {
        write(&client, b"one question more");
        assert_eq!(read(&server, 17), b"one question more");
        assert_passes(&client, &server);
    }
    assert_eq!(net.proxy.cuts(), 2);
}

#[test]
fn nothing_passes_sooner_than_its_delay_and_order_holds() {
    const DELAY: Duration = Duration::from_millis(60);
    let net = Net::new();
    for way in Direction::ALL {
        net.proxy.delay(way, DELAY);
        let (from, to) = ends(way, net.connect());
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let sending = scope.spawn(move || {
                for number in 0..200_u32 {
                    tell.send(Instant::now()).unwrap();
                    write(&from, &number.to_be_bytes());
                }
                from
            });
            for number in 0..200_u32 {
                assert_eq!(read(&to, 4), number.to_be_bytes());
                let sent = told.recv().unwrap();
                assert!(sent.elapsed() >= DELAY, "{way:?}, {number}: {:?}", sent.elapsed());
            }
            // The end of the connection is no sooner either, with nothing before it.
            let from = sending.join().unwrap();
            let ended = Instant::now();
            drop(from);
            assert_eq!(read_to_end(&to), b"");
            assert!(ended.elapsed() >= DELAY, "{way:?}, its end: {:?}", ended.elapsed());
        });
        net.proxy.delay(way, Duration::ZERO);
    }
}

#[test]
fn a_delay_holds_many_pieces_at_a_time_and_one_way_and_is_switched_while_connections_live() {
    for way in Direction::ALL {
        let net = Net::new();
        let (from, to) = ends(way, net.connect());
        assert_passes(&from, &to);
        // Long enough that nothing can come of waiting.
        net.proxy.delay(way, NEVER);
        let sent = noise(3_000_000, 3);
        for (piece, total) in sent.chunks(50_000).zip((50_000..).step_by(50_000)) {
            write(&from, piece);
            net.until_held(way, total);
        }
        write(&to, b"the other way");
        assert_eq!(read(&from, 13), b"the other way");
        assert_silent(&to);
        from.shutdown(Shutdown::Write).unwrap();
        net.proxy.delay(way, Duration::ZERO);
        assert!(read_to_end(&to) == sent, "{way:?}");
        assert_eq!(net.proxy.held_bytes(way), 0);
    }
}

#[test]
fn what_is_held_is_bounded_and_the_sender_waits() {
    let net = Net::new();
    let (client, server) = net.connect();
    net.proxy.black_hole();
    let sent = noise(1 << 20, 4);
    let times = (HELD_BYTES_MAX >> 20) + 64;
    std::thread::scope(|scope| {
        scope.spawn(|| (0..times).for_each(|_| write(&client, &sent)));
        net.until_full(Direction::ToServer);
        assert!(net.proxy.held_bytes(Direction::ToServer) < HELD_BYTES_MAX as u64 + (64 << 10));
        net.proxy.heal();
        for part in 0..times {
            assert!(read(&server, sent.len()) == sent, "MiB {part}");
        }
    });
}

#[test]
fn a_black_hole_takes_everything_and_gives_it_back_when_it_heals() {
    let net = Net::new();
    let (client, server) = net.connect();
    assert_passes(&client, &server);
    net.proxy.black_hole();
    let (there, back) = (noise(700_000, 6), noise(900_000, 7));
    there.chunks(100_000).for_each(|piece| write(&client, piece));
    back.chunks(100_000).for_each(|piece| write(&server, piece));
    net.until_held(Direction::ToServer, there.len());
    net.until_held(Direction::ToClient, back.len());
    // Nor does the end of one side pass, and connections made now are accepted and taken nowhere.
    client.shutdown(Shutdown::Write).unwrap();
    let late = net.dial();
    write(&late, b"late");
    until("both are connected", || net.proxy.connections() == 2);
    for stream in [&client, &server, &late] {
        assert_silent(stream);
    }
    assert!(net.arrived().is_none());
    assert_eq!(net.proxy.held_bytes(Direction::ToServer), there.len() as u64);

    net.proxy.heal();
    assert!(read_to_end(&server) == there);
    assert!(read(&client, back.len()) == back);
    let late_end = net.accept();
    assert_eq!(read(&late_end, 4), b"late");
    assert_passes(&late, &late_end);
    assert_eq!(net.proxy.cuts(), 0);
}

#[test]
fn a_client_that_gives_up_in_a_black_hole_has_what_it_sent_passed_on_and_then_its_end() {
    let net = Net::new();
    let (client, server) = net.connect();
    net.proxy.black_hole();
    write(&client, b"last words");
    net.until_held(Direction::ToServer, 10);
    drop(client);
    assert_silent(&server);
    net.proxy.heal();
    assert_eq!(read_to_end(&server), b"last words");
}

#[test]
fn a_sender_who_waits_for_room_is_told_that_the_receiver_is_gone() {
    for way in Direction::ALL {
        let net = Net::new();
        let (from, to) = ends(way, net.connect());
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let (mut from, piece) = (&from, vec![7; 1 << 20]);
                while from.write_all(&piece).is_ok() {}
            });
            net.until_full(way);
            drop(to);
            sending.join().unwrap();
        });
        until("it is over", || net.proxy.connections() == 0);
    }
}

#[test]
fn new_connections_are_refused_and_old_ones_stay() {
    let net = Net::new();
    let (client, server) = net.connect();
    net.proxy.refuse();
    for _ in 0..3 {
        assert_eq!(read_to_end(&net.dial()), b"");
    }
    assert_passes(&client, &server);
    assert!(net.arrived().is_none());
    net.proxy.heal();
    let (client, server) = net.connect();
    assert_passes(&client, &server);
    assert_eq!(net.proxy.cuts(), 0);
}

#[test]
fn healing_ends_what_has_not_happened_yet() {
    let net = Net::new();
    let (client, server) = net.connect();
    for way in Direction::ALL {
        net.proxy.cut_after(way, [2, 2]);
        net.proxy.delay(way, NEVER);
    }
    net.proxy.leave_unanswered("as", 5);
    net.proxy.heal();
    assert_passes(&client, &server);
    assert_passes(&client, &server);
    assert_eq!(net.proxy.cuts(), 0);
}

/// Threads of a proxy, where the system tells.
fn threads(port: u16) -> usize {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == format!("net-{port}")).count()
}

/// The socket that listens on a port of this machine, where the system tells.
fn listener(port: u16) -> Option<String> {
    let sockets = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let (address, listens) = (format!("0100007F:{port:04X}"), "0A");
    let mut rows = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&&*address) && row.get(3) == Some(&listens))?;
    row.get(9).map(|inode| (*inode).to_owned())
}

#[test]
fn its_end_closes_the_port_and_every_connection_and_leaves_no_thread() {
    let net = Net::new();
    // One in each state in which a thread waits for something else.
    let (idle, idle_end) = net.connect();
    let (stuck, stuck_end) = net.connect();
    stuck.set_nonblocking(true).unwrap();
    until("nobody reads and both sockets are full", || {
        let mut to = &stuck;
        while to.write(&[0; 1 << 14]).is_ok() {}
        net.proxy.held_bytes(Direction::ToServer) > 1 << 20
    });
    let (cut, cut_end) = net.connect();
    net.proxy.cut_after(Direction::ToClient, [0]);
    write(&cut_end, b"one");
    until("one is cut", || net.proxy.cuts() == 1);
    net.proxy.delay(Direction::ToClient, NEVER);
    write(&idle_end, b"delayed");
    net.until_held(Direction::ToClient, 7);
    net.proxy.black_hole();
    let late = net.dial();
    until("four are connected", || net.proxy.connections() == 4);
    let port = net.proxy.port();
    let listening = listener(port);
    if cfg!(target_os = "linux") {
        assert!(threads(port) > 9, "the check sees them: {}", threads(port));
        assert!(listening.is_some(), "and its socket");
    }

    drop(net.proxy);
    assert_eq!((read_to_end(&idle), read_to_end(&late), read_to_end(&cut)), (vec![], vec![], vec![]));
    stuck.set_nonblocking(false).unwrap();
    read_to_end(&stuck);
    read_to_end(&stuck_end);
    assert_eq!(read_to_end(&idle_end), b"");
    // A process that another test begins right now has the socket too, until it is under way. And another test may have been
    // given the port by then, and with it another socket.
    until("it no longer listens", || listening.is_none() || listener(port) != listening);
    // The system counts a thread for a moment after its last word.
    until("no thread is left", || threads(port) == 0);
}

#[test]
fn a_server_that_is_away_is_told_by_a_closed_connection_and_one_that_comes_is_found() {
    // Bound, so that nobody else has the port, and not listening yet.
    let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).unwrap();
    net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true).unwrap();
    let proxy = Proxy::start("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
    let net = Net { proxy, listener };
    assert_eq!(read_to_end(&net.dial()), b"");
    net::listen(&net.listener, 16).unwrap();
    let (client, server) = net.connect();
    assert_passes(&client, &server);
}

#[test]
fn more_connections_than_there_may_be_are_closed_at_once() {
    let net = Net::new();
    net.proxy.black_hole();
    // They take a file and a thread each, at this end and at the other.
    let all: Vec<_> = (0..CONNECTIONS_MAX).map(|_| net.dial()).collect();
    until("they are accepted", || net.proxy.connections() == CONNECTIONS_MAX);
    assert_eq!(read_to_end(&net.dial()), b"");
    assert_silent(&all[CONNECTIONS_MAX - 1]);
    assert_eq!(net.proxy.cut_all(), CONNECTIONS_MAX as u64);
    net.proxy.heal();
    until("they are over", || net.proxy.connections() == 0);
    let (client, server) = net.connect();
    assert_passes(&client, &server);
}

#[test]
fn a_host_without_an_address_is_named_with_what_to_look_at() {
    let error = Proxy::start("no\0host", 6379).unwrap_err();
    assert!(matches!(error, NetworkError::Target { .. }), "{error}");
    assert!(error.to_string().contains("no\0host:6379"), "{error}");
    assert!(error.to_string().contains("Is the host's name right"), "{error}");
}

#[test]
fn a_writer_survives_all_that_a_network_can_do_and_nothing_is_lost() {
    let server = server(&[]);
    let (proxy, near) = proxy(&server);
    let source = Source::start(open(&near, &options(3, 8)), 9, 300);
    let mut granted = 0;
    let mut grant = |events| {
        source.grant(events);
        granted += events;
        granted
    };
    source.until_acknowledged(grant(500));

    proxy.black_hole();
    grant(500);
    until("it is held", || proxy.held_bytes(Direction::ToServer) > 0);
    let before = source.monitor.counts().acknowledged;
    assert_eq!(before, 500, "nothing is acknowledged that has not passed");
    proxy.heal();
    source.until_acknowledged(grant(500));

    for way in Direction::ALL {
        proxy.delay(way, Duration::from_millis(20));
    }
    source.until_acknowledged(grant(500));
    assert!(proxy.cut_all() > 0);
    source.until_acknowledged(grant(500));

    proxy.refuse();
    proxy.cut_all();
    grant(500);
    until("it tries again", || source.monitor.counts().retries > 6);
    proxy.heal();
    source.until_acknowledged(grant(500));
    let (ledger, counts) = source.finish();
    assert_eq!(counts.pushed, counts.acknowledged);
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn an_answer_takes_at_least_both_delays() {
    let server = server(&[]);
    let (proxy, near) = proxy(&server);
    let mut client = near.dial().unwrap();
    let mut own = connection(&server);
    redis::cmd("SET").arg("key").arg("value").exec(&mut own).unwrap();
    proxy.delay(Direction::ToServer, Duration::from_millis(80));
    proxy.delay(Direction::ToClient, Duration::from_millis(120));
    for _ in 0..3 {
        let started = Instant::now();
        let value: String = redis::cmd("GET").arg("key").query(&mut client).unwrap();
        assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
        assert_eq!(value, "value");
    }
}
