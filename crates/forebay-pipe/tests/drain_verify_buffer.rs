//! What is claimed of files held against their buffer: what both have must be the same, event by event, whatever the records say;
//! and the buffer is as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forebay::{Event, Stream};
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::compact::{CompactConfig, compact};
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::record::{CommitRecord, hex};
use forebay_pipe::drain::roll::Rolling;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::drain::schema::Rows;
use forebay_pipe::drain::stored::StoredFile;
use forebay_pipe::drain::table::FileWriter;
use forebay_pipe::drain::verify::{Verified, verify};
use forebay_pipe::drain::verify_buffer::{BufferSource, InBuffer, verify_buffer};
use forebay_rig::server::Server;

use crate::drain_server::World;
use crate::drain_support::{append, by_lane, config, events, run};
use crate::support::{LIMIT, server};

fn connection(server: &Server) -> redis::Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// A group that reads nothing, so that the buffer keeps every block.
fn keep_all(server: &Server) {
    let mut connection = connection(server);
    for lane in by_lane(&events(0..300)).keys() {
        let key = format!("forebay:{{test.{lane}.0}}");
        redis::cmd("XGROUP").arg(&["CREATE", &key, "slow", "0"][..]).exec(&mut connection).unwrap();
    }
}

fn small(config: Config) -> Config {
    Config { rolling: Rolling { file_bytes: 30_000, ..Rolling::default() }, ..config }
}

fn against(to: &Path, server: &Server) -> Result<(Verified, InBuffer), DrainError> {
    let config = config(server, to);
    let archive = Archive::of_folder(to)?;
    let mut verified = verify(&archive, |_| {})?;
    let source =
        BufferSource { address: config.address, name: config.name, group: config.group, patience: LIMIT };
    let in_buffer = verify_buffer(&archive, &source, &mut verified, |_| {})?;
    Ok((verified, in_buffer))
}

/// Every key of the server, as it stands there.
fn keys(server: &Server) -> BTreeMap<String, Vec<u8>> {
    let mut connection = connection(server);
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let dump = |name: String| {
        let dump = redis::cmd("DUMP").arg(&name).query(&mut connection).unwrap();
        (name, dump)
    };
    names.into_iter().map(dump).collect()
}

/// The last commit of `likes`, and where its record is.
fn last(to: &Path) -> (CommitRecord, PathBuf) {
    let archive = Archive::of_folder(to).unwrap();
    let commit = archive.last_commit("likes").unwrap();
    let path = to.join(format!("forebay/commits/likes/{commit:012}.json"));
    (archive.record("likes", commit).unwrap().unwrap(), path)
}

/// The first file of the last commit of `likes`, written again with other rows, and its record with the figures of that.
fn rewrite(to: &Path, mut change: impl FnMut(u64, &mut Vec<u8>) -> bool) {
    let (mut record, record_path) = last(to);
    let path = to.join("events").join(&record.files[0].path);
    let mut file = StoredFile::open(&path).unwrap();
    let footer = file.footer().clone();
    let rows = Rows::of(Stream::jetstream(), vec![], false).unwrap();
    let mut writer = FileWriter::create(Vec::new(), &rows).unwrap();
    let mut number = 0;
    while let Some(row) = file.next_row().unwrap() {
        let mut line = row.line.to_vec();
        if change(number, &mut line) {
            let lane = Stream::jetstream().lanes().first();
            let event = Event { bytes: &line, time_us: row.time_us, lane, cursor: 0 };
            writer.push(row.block, row.index, row.partition, &event).unwrap();
        }
        number += 1;
    }
    let (bytes, written) = writer.finish(&footer).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let lost = record.files[0].rows - written.rows;
    (record.rows, record.events) = (record.rows - lost, record.events - lost);
    let of = &mut record.files[0];
    (of.bytes, of.sha256, of.rows) = (written.bytes, hex(&written.sha256), written.rows);
    of.times = written.times.unwrap();
    std::fs::write(record_path, record.text()).unwrap();
}

#[test]
fn what_the_buffer_still_has_is_in_the_files_and_the_buffer_stays_as_it_was() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..1_000);
    append(&server, &all[..800]);
    keep_all(&server);
    run(&small(config(&server, to.path()))).unwrap();
    append(&server, &all[800..]);
    let before = keys(&server);
    let (verified, found) = against(to.path(), &server).unwrap();
    assert_eq!((verified.told, found.remarks.clone()), (vec![], vec![]));
    assert_eq!((found.events, found.waiting_events, found.repeats), (800, 200, 0));
    assert!(found.blocks > 20, "{found:?}");
    assert!(keys(&server) == before, "the server has something else than before");
    let made = compact(&CompactConfig::of(Target::Folder(to.path().to_owned())), |_| {}).unwrap();
    assert!(made.files_before > 4, "{made:?}");
    let (verified, compacted) = against(to.path(), &server).unwrap();
    assert_eq!((verified.told, compacted), (vec![], found));
}

#[test]
fn an_event_that_is_another_one_in_a_file_or_missing_there_is_found_though_all_records_agree() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    append(&server, &events(0..800));
    keep_all(&server);
    run(&small(config(&server, to.path()))).unwrap();
    let (record, path) = last(to.path());
    let file = to.path().join("events").join(&record.files[0].path);
    let original = (std::fs::read(&path).unwrap(), std::fs::read(&file).unwrap());
    let found = |number: u64, is_kept: bool| {
        std::fs::write(&path, &original.0).unwrap();
        std::fs::write(&file, &original.1).unwrap();
        rewrite(to.path(), |at, line| {
            if at == number {
                // A letter of an identifier.
                let place = line.windows(8).position(|word| word == b"did:plc:").unwrap() + 8;
                line[place] = if line[place] == b'a' { b'b' } else { b'a' };
            }
            at != number || is_kept
        });
        let own = verify(&Archive::of_folder(to.path()).unwrap(), |_| {}).unwrap();
        assert_eq!(own.told, [""; 0], "the records know nothing of it");
        let (verified, found) = against(to.path(), &server).unwrap();
        assert_eq!((verified.faults, found.events), (1, 799), "{verified:?}");
        verified.told[0].clone()
    };
    let told = found(5, true);
    assert!(told.contains("lane likes: event ") && told.contains("has other bytes in the buffer"), "{told}");
    let told = found(3, false);
    assert!(told.contains("lane likes: event ") && told.contains("not in the files of commit"), "{told}");
}

#[test]
fn a_destination_that_lost_its_last_commit_is_found_and_a_server_that_came_back_with_less_is_remarked() {
    let (mut world, to) = (World::new(1_000), tempfile::tempdir().unwrap());
    world.append(300);
    keep_all(&world.server);
    run(&config(&world.server, to.path())).unwrap();
    world.save();
    world.append(200);
    run(&config(&world.server, to.path())).unwrap();
    let (record, path) = last(to.path());
    let text = std::fs::read(&path).unwrap();
    let kept: Vec<_> = record.files.iter().map(|file| to.path().join("events").join(&file.path)).collect();
    let bytes: Vec<_> = kept.iter().map(|path| std::fs::read(path).unwrap()).collect();
    for path in kept.iter().chain([&path]) {
        std::fs::remove_file(path).unwrap();
    }
    let (verified, _) = against(to.path(), &world.server).unwrap();
    let told = verified.told.join("\n");
    assert!(told.contains("lane likes: the server has commit 2, and the last one here is 1"), "{told}");
    assert!(told.contains("is behind the server's last commit, and no commit here has it"), "{told}");
    std::fs::write(&path, text).unwrap();
    kept.iter().zip(bytes).for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    assert_eq!(against(to.path(), &world.server).unwrap().0.told, [""; 0]);

    world.lose_since_the_last();
    let (verified, found) = against(to.path(), &world.server).unwrap();
    assert_eq!((verified.told, found.events), (vec![], 300));
    let remark = "lane likes: the server has commit 1, and the last one here is 2";
    assert!(found.remarks.iter().any(|told| told.contains(remark)), "{:?}", found.remarks);

    // What comes again is left out of the files of later commits, and found in those of earlier ones.
    world.resend();
    world.append(100);
    run(&config(&world.server, to.path())).unwrap();
    let (verified, found) = against(to.path(), &world.server).unwrap();
    assert_eq!((verified.told, found.events, found.repeats), (vec![], 400, 200), "{:?}", found.remarks);
}

#[test]
fn another_buffer_is_remarked_and_one_that_is_not_there_or_not_of_these_files_is_an_error() {
    let (mut world, to) = (World::new(500), tempfile::tempdir().unwrap());
    world.append(300);
    run(&config(&world.server, to.path())).unwrap();
    world.lose(None);
    let error = against(to.path(), &world.server).unwrap_err().to_string();
    assert!(error.contains("there is no buffer test"), "{error}");
    world.append(200);
    let (verified, found) = against(to.path(), &world.server).unwrap();
    assert_eq!((verified.told, found.events, found.waiting_events), (vec![], 0, 200));
    assert!(found.remarks.iter().any(|told| told.contains("is another one (incarnation")), "{found:?}");
    let path = to.path().join("forebay/destination.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"test\"", "\"prod\"")).unwrap();
    let error = against(to.path(), &world.server).unwrap_err().to_string();
    assert!(error.contains("has files of buffer \"prod\", and \"test\" was named"), "{error}");
}
