//! How fast an ingest takes what a host replays, and what it costs at the network's rate. Figures, no judgement of the machine.

use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use forebay::buffer::overflow::{Fate, Listener};
use forebay::event::parse::parse;
use forebay_pipe::ingest::Until;
use forebay_pipe::ingest::running::Running;

use forebay_rig::jetstream::{Protocol, Settings, Simulator};

use crate::support::{Waits, config, read_all, server, urls};

/// Resident memory of this process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

#[test]
#[ignore = "takes a minute: make nightly"]
fn nightly_a_replay_from_loopback() {
    for (protocol, own) in [(Protocol::V1, false), (Protocol::V2, false), (Protocol::V2, true)] {
        for is_compressed in [false, true] {
            let events = 1_000_000;
            let settings = Settings {
                protocol,
                rate: 938.0,
                history: events,
                last: Some(events - 1),
                ..Settings::default()
            };
            let simulator = Simulator::start(settings).unwrap();
            let server = server(&[]);
            let mut config = config(&server, &urls(&simulator, protocol, own));
            let folder = tempfile::tempdir().unwrap();
            if is_compressed {
                let path = folder.path().join("dictionary");
                std::fs::write(&path, Simulator::dictionary().unwrap()).unwrap();
                (config.compress, config.dictionary) = (true, Some(path));
            }
            let since = Instant::now();
            let running = Running::start(config);
            running.wait_for(events);
            let took = since.elapsed();
            let memory = resident();
            running.end().0.unwrap();
            println!(
                "{protocol:?} own stream {own} compressed {is_compressed}: {:.0} events/s, resident {memory:.0} MiB (with the host)",
                events as f64 / took.as_secs_f64()
            );
        }
    }
}

#[test]
#[ignore = "takes a minute: make nightly"]
fn nightly_from_the_host_to_the_acknowledgement() {
    const EVENTS: u64 = 2_000 * 30;
    for (protocol, own) in [(Protocol::V1, false), (Protocol::V2, true)] {
        let settings =
            Settings { protocol, rate: 2_000.0, history: 0, last: Some(EVENTS - 1), ..Settings::default() };
        let simulator = Simulator::start(settings).unwrap();
        let server = server(&[]);
        let mut config = config(&server, &urls(&simulator, protocol, own));
        (config.since_us, config.until) = (None, Until::default());
        // When each event of a lane was acknowledged, in its order.
        let acknowledged: Arc<Mutex<Vec<Vec<u64>>>> = Arc::new(Mutex::new(config.name.lanes().defaults()));
        let heard = Arc::clone(&acknowledged);
        config.options.listener = Some(Listener(Arc::new(move |report| {
            if report.fate == Fate::Acknowledged {
                let now =
                    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros() as u64;
                let lane = &mut heard.lock().unwrap()[report.lane.index()];
                lane.extend(std::iter::repeat_n(now, report.events as usize));
            }
        })));
        let running = Running::start(config);
        running.wait_for(EVENTS / 2);
        running.wait_for_silence();
        running.end().0.unwrap();
        let times = read_all(&server);
        let mut latencies: Vec<u64> = Vec::new();
        for (lane, acknowledged) in times.iter().zip(&*acknowledged.lock().unwrap()) {
            for (line, at) in lane.iter().zip(acknowledged) {
                latencies.push(at.saturating_sub(parse(line).unwrap().time_us));
            }
        }
        latencies.sort_unstable();
        let of = |share: f64| latencies[(latencies.len() as f64 * share) as usize] as f64 / 1_000.0;
        println!(
            "{protocol:?} own stream {own}: {} events at 2,000/s, from when the host had them to the acknowledgement, linger 200 \
             ms: p50 {:.0} ms, p99 {:.0} ms, p99.9 {:.0} ms",
            latencies.len(),
            of(0.5),
            of(0.99),
            of(0.999)
        );
    }
}
