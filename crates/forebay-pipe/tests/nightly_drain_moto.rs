//! What is claimed of a bucket that is not of our own making: moto's server. Each event is in one object, through a drain that ends
//! before each step, and pyarrow reads the tree from the bucket.
//!
//! `FOREBAY_MOTO` names the program `moto_server` where it is not on the PATH; without it nothing is tried, and that is said.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::place::bucket_settings::Access;
use forebay_pipe::drain::step::{Step, Steps};

use crate::drain_readers::python;
use crate::drain_support::{append, archived, assert_same, by_lane, config, events, run};
use crate::support::{LIMIT, server};

/// Rows of each lane, as pyarrow finds them in the bucket.
const READ: &str = "
import sys, json, pyarrow.dataset as ds, pyarrow.fs as fs
s3 = fs.S3FileSystem(access_key='key', secret_key='secret', scheme='http', endpoint_override=sys.argv[1], region='us-east-1')
table = ds.dataset('lake/raw/events', filesystem=s3, format='parquet', partitioning='hive').to_table(columns=['lane'])
counts = table.group_by('lane').aggregate([('lane', 'count')]).to_pylist()
print(json.dumps({row['lane']: row['lane_count'] for row in counts}))
";

struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    /// Starts it, with a bucket; none where there is no such program.
    fn start() -> Option<Self> {
        let program = std::env::var("FOREBAY_MOTO").unwrap_or_else(|_| "moto_server".into());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let moto = Self { child, port };
        let deadline = Instant::now() + LIMIT;
        while moto.put_bucket().is_err() {
            assert!(Instant::now() < deadline, "moto does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(moto)
    }

    fn put_bucket(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let head = "PUT /lake HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Ok(())
    }

    fn target(&self) -> Target {
        let Ok(Target::Bucket(url)) = Target::parse(Path::new("s3://lake/raw")) else { panic!("no bucket") };
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        Target::Bucket(url.by(Access::Key { endpoint, id: "key".into(), secret: "secret".into() }))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "nightly"]
fn nightly_a_bucket_of_moto_has_each_event_once_and_pyarrow_reads_it() {
    let Some(moto) = Moto::start() else {
        println!("skipped: there is no moto_server (pip install 'moto[server]', FOREBAY_MOTO)");
        return;
    };
    let (server, staging) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..20_000);
    let config = Config {
        to: moto.target(),
        staging: Some(staging.path().to_owned()),
        ..config(&server, staging.path())
    };
    for (at, step) in Step::ALL.into_iter().enumerate() {
        append(&server, &all[at * 2_000..][..2_000]);
        assert!(run(&Config { steps: Steps::until(step, 2), ..config.clone() }).is_err(), "{step:?}");
    }
    run(&config).unwrap();
    assert_same(&archived(&Archive::open(&moto.target()).unwrap()), &by_lane(&all), "in all");
    let read =
        Command::new(python()).args(["-c", READ, &format!("127.0.0.1:{}", moto.port)]).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let counts: std::collections::BTreeMap<String, usize> = serde_json::from_slice(&read.stdout).unwrap();
    let expected = by_lane(&all).into_iter().map(|(lane, lines)| (lane, lines.len())).collect();
    assert_eq!(counts, expected);
    println!(
        "moto: {} events, a drain that ended before each of {} steps: 0 lost, 0 twice",
        all.len(),
        Step::ALL.len()
    );
}
