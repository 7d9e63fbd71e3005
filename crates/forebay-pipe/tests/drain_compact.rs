//! What is claimed of a compaction: many small files of a lane and a date become few, with every event in its order, and whatever
//! reads commits, or the tree alone, finds the same as before.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use forebay::Stream;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::{Options, Writer};
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::compact::{CompactConfig, CompactError, Compacted, compact};
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::layout::Layout;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::roll::Rolling;
use forebay_pipe::drain::step::{Step, Steps};
use forebay_pipe::drain::stored::StoredFile;
use forebay_pipe::drain::verify::verify;
use forebay_rig::server::Server;
use forebay_rig::server::fault::disk::Disk;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::drain_server::World;
use crate::drain_support::{append, archived, assert_same, by_lane, config, drained, events, run};
use crate::support::server;

pub fn small(server: &Server, to: &Path) -> Config {
    Config { rolling: Rolling { file_bytes: 30_000, ..Rolling::default() }, ..config(server, to) }
}

pub fn of(to: &Path) -> CompactConfig {
    CompactConfig::of(Target::Folder(to.to_owned()))
}

/// Drains lines in two parts, so that every lane has two files at least.
pub fn fill(server: &Server, to: &Path, lines: &[String]) {
    for part in lines.chunks(lines.len().div_ceil(2)) {
        append(server, part);
        run(&small(server, to)).unwrap();
    }
}

/// Compacts everything.
pub fn compacted(to: &Path) -> Compacted {
    compact(&of(to), |_| {}).unwrap()
}

/// Every file in the tree, as somebody lists them who knows nothing of records.
pub fn files(to: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![to.join("events")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// The lines of a file.
fn lines(mut file: StoredFile) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(row) = file.next_row().unwrap() {
        lines.push(String::from_utf8(row.line.to_vec()).unwrap());
    }
    lines
}

/// Every line in the tree, in no order.
pub fn in_tree(to: &Path) -> Vec<String> {
    let files = files(to);
    let mut all: Vec<String> = files.iter().flat_map(|path| lines(StoredFile::open(path).unwrap())).collect();
    all.sort();
    all
}

pub fn sorted(lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    lines.sort();
    lines
}

/// What is said of a destination.
fn told(to: &Path) -> String {
    verify(&Archive::of_folder(to).unwrap(), |_| {}).unwrap().told.join("\n")
}

/// The bytes of every commit record.
fn records(to: &Path) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for lane in std::fs::read_dir(to.join("forebay/commits")).unwrap() {
        for record in std::fs::read_dir(lane.unwrap().path()).unwrap() {
            records.push(std::fs::read(record.unwrap().path()).unwrap());
        }
    }
    records.sort();
    records
}

#[test]
fn many_small_files_become_few_again_and_again_and_every_reader_finds_the_same() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..2_400);
    for upto in [800, 1_600, 2_400] {
        fill(&server, to.path(), &all[upto - 800..upto]);
        let (before, of_commits) = (files(to.path()).len(), records(to.path()));
        let lanes = by_lane(&all[..upto]).len() as u64;
        // Somebody who has looked before, and goes on afterwards.
        let archive = Archive::of_folder(to.path()).unwrap();
        assert_same(&archived(&archive), &by_lane(&all[..upto]), "before");
        let made = compacted(to.path());
        assert_eq!((made.folders, made.files_after), (lanes, lanes), "{made:?}");
        assert_eq!(made.files_before as usize, before, "{made:?}");
        assert_eq!((made.rows, files(to.path()).len() as u64), (upto as u64, lanes));
        assert_eq!(in_tree(to.path()), sorted(&all[..upto]));
        assert_same(&archived(&archive), &by_lane(&all[..upto]), "by one who has looked before");
        assert_same(&drained(to.path()), &by_lane(&all[..upto]), "by the records");
        assert!(records(to.path()) == of_commits, "a commit's record was changed");
        assert_eq!(compacted(to.path()), Compacted::default(), "there is nothing left to do");
    }
    let verified = verify(&Archive::of_folder(to.path()).unwrap(), |_| {}).unwrap();
    assert_eq!((verified.compactions, verified.files, verified.rows), (18, 6, 2_400));
}

#[test]
fn files_that_are_too_new_or_large_enough_stay_as_they_are() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..1_200);
    fill(&server, to.path(), &all);
    let day = std::time::Duration::from_secs(86_400);
    let made = compact(&CompactConfig { older_than: day, ..of(to.path()) }, |_| {}).unwrap();
    assert_eq!(made, Compacted::default());
    let size = |path: &PathBuf| std::fs::metadata(path).unwrap().len();
    let mut sizes: Vec<u64> = files(to.path()).iter().map(size).collect();
    sizes.sort_unstable();
    let middle = sizes[sizes.len() / 2];
    let (large, little): (Vec<_>, Vec<_>) =
        files(to.path()).into_iter().partition(|path| size(path) >= middle);
    assert!(large.len() > 5 && little.len() > 5, "{} and {}", large.len(), little.len());
    let made = compact(&CompactConfig { file_bytes: 2 * middle, ..of(to.path()) }, |_| {}).unwrap();
    assert!(made.files_after > 0 && made.files_before as usize <= little.len(), "{made:?}");
    let after: BTreeSet<_> = files(to.path()).into_iter().collect();
    assert!(large.iter().all(|path| after.contains(path)), "those that are large enough are the same files");
    assert_eq!(in_tree(to.path()), sorted(&all));
    assert_same(&drained(to.path()), &by_lane(&all), "by the records");
}

#[test]
fn a_server_that_came_back_with_less_is_drained_on_from_compacted_files() {
    let (mut world, to) = (World::new(1_500), tempfile::tempdir().unwrap());
    let config = small(&world.server, to.path());
    world.append(300);
    world.save();
    world.append(600);
    run(&config).unwrap();
    compacted(to.path());
    world.lose_since_the_last();
    world.resend();
    world.append(300);
    let counted = run(&config).unwrap().look();
    assert_eq!((counted.repeats, counted.rows), (600, 300));
    compacted(to.path());
    assert_eq!(in_tree(to.path()), sorted(&world.all[..world.next]));
    assert_same(&drained(to.path()), &by_lane(&world.all[..world.next]), "in all");
}

#[test]
fn a_record_of_a_compaction_that_is_missing_or_was_changed_is_found() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..1_600);
    for part in all.chunks(800) {
        fill(&server, to.path(), part);
        compacted(to.path());
    }
    let path = |number: u64| to.path().join(format!("forebay/compactions/{number:012}.json"));
    assert_eq!(told(to.path()), "");
    for number in [1, 6, 12] {
        let text = std::fs::read(path(number)).unwrap();
        std::fs::remove_file(path(number)).unwrap();
        assert!(told(to.path()).contains("it is not there"), "{number}: {}", told(to.path()));
        std::fs::write(path(number), text).unwrap();
    }
    let text = std::fs::read_to_string(path(12)).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let output = &record["outputs"][0];
    let of = |file: &serde_json::Value, key: &str| format!("\"{key}\": {}", file[key]);
    let (file, input) = (&output["file"], &output["inputs"][0]);
    let mut changed = vec![text.replacen(&of(&record, "previous"), "\"previous\": null", 1)];
    for (of_file, key, other) in [
        (file, "sha256", "\"sha256\": \"00\""),
        (file, "rows", "\"rows\": 1"),
        (input, "sha256", "\"sha256\": \"00\""),
        (input, "rows", "\"rows\": 1"),
        (input, "bytes", "\"bytes\": 1"),
        (input, "path", "\"path\": \"lane=likes/date=x/y.parquet\""),
    ] {
        changed.push(text.replacen(&of(of_file, key), other, 1));
    }
    for changed in changed {
        assert_ne!(changed, text);
        std::fs::write(path(12), &changed).unwrap();
        assert_ne!(told(to.path()), "", "{changed}");
    }
    std::fs::write(path(12), &text).unwrap();
    let one = std::fs::read_to_string(path(1)).unwrap();
    let at = serde_json::from_str::<serde_json::Value>(&one).unwrap()["at_us"].to_string();
    std::fs::write(path(1), one.replacen(&at, "7", 1)).unwrap();
    assert!(
        told(to.path()).contains("compaction 2: the record before it is not the one"),
        "{}",
        told(to.path())
    );
}

#[test]
fn a_file_that_was_changed_is_not_compacted_and_everything_stays() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    append(&server, &events(0..800));
    run(&small(&server, to.path())).unwrap();
    let before = files(to.path());
    let file = before.iter().find(|path| path.to_string_lossy().contains("lane=likes")).unwrap();
    let bytes = std::fs::read(file).unwrap();
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    std::fs::write(file, changed).unwrap();
    let error = compact(&of(to.path()), |_| {}).unwrap_err().to_string();
    assert!(error.contains("its bytes are not those that were committed"), "{error}");
    assert!(std::fs::read_dir(to.path().join("forebay/compacting")).unwrap().all(|left| {
        let number: u64 = left.unwrap().file_name().to_str().unwrap().parse().unwrap();
        to.path().join(format!("forebay/compactions/{number:012}.json")).exists()
    }));
    std::fs::write(file, bytes).unwrap();
    assert_eq!(told(to.path()), "");
    assert_eq!(in_tree(to.path()), sorted(&events(0..800)));
}

#[test]
fn what_is_beside_the_files_stays_and_a_folder_there_is_refused() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    fill(&server, to.path(), &events(0..800));
    let folder = files(to.path())[0].parent().unwrap().to_owned();
    std::fs::create_dir(folder.join("more")).unwrap();
    let error = compact(&of(to.path()), |_| {}).unwrap_err();
    assert!(matches!(error, CompactError::Stranger { .. }), "{error}");
    std::fs::remove_dir(folder.join("more")).unwrap();
    std::fs::write(folder.join("note.txt"), "of a person").unwrap();
    compacted(to.path());
    assert_eq!(std::fs::read_to_string(folder.join("note.txt")).unwrap(), "of a person");
}

#[test]
fn a_drain_and_a_compaction_keep_each_other_out_and_a_bucket_is_refused() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let config = small(&server, to.path());
    append(&server, &events(0..400));
    let error = compact(&of(to.path()), |_| {}).unwrap_err().to_string();
    assert!(error.contains("nothing was drained to it"), "{error}");
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 0, "nothing is made there");
    let other = of(to.path());
    let steps = Steps::asked(move |step| {
        if step == Step::Record {
            let error = compact(&other, |_| {}).unwrap_err().to_string();
            assert!(error.contains("a drain or a compaction runs there"), "{error}");
        }
        true
    });
    run(&Config { steps, ..config.clone() }).unwrap();
    append(&server, &events(400..800));
    run(&config).unwrap();
    let steps = Steps::asked(move |step| {
        if step == Step::Merge {
            let error = run(&config).unwrap_err().to_string();
            assert!(error.contains("or it is being compacted"), "{error}");
        }
        true
    });
    let made = compact(&CompactConfig { steps, ..of(to.path()) }, |_| {}).unwrap();
    assert_eq!(made.folders, 6);
    let bucket = Target::parse(Path::new("s3://lake/events")).unwrap();
    let error = compact(&CompactConfig::of(bucket), |_| {}).unwrap_err().to_string();
    assert!(error.contains("s3://lake/events: a bucket has no folders"), "{error}");
}

#[test]
fn what_another_user_drains_is_not_compacted() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    fill(&server, to.path(), &events(0..800));
    let mine = rustix::process::geteuid().as_raw();
    // Only an administrator may give it away.
    if std::os::unix::fs::chown(to.path().join("events"), Some(mine + 1), None).is_err() {
        return;
    }
    let error = compact(&of(to.path()), |_| {}).unwrap_err().to_string();
    assert!(error.contains(&format!("is of user {}, and this is user {mine}", mine + 1)), "{error}");
    assert!(!to.path().join("forebay/compacting").exists());
}

#[test]
fn partitions_of_a_lane_stay_apart_in_their_folder() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let stream = Stream::jetstream().partitioned("/did", [("likes", 3)]).unwrap();
    let name = "test".parse::<Name>().unwrap().of(stream);
    let all = events(0..900);
    for part in all.chunks(300) {
        let address = Address::parse(&server.url()).unwrap();
        let mut writer = Writer::open(&address, &name, &Options::default()).unwrap();
        for line in part {
            writer.push(&stream.parse(line.as_bytes()).unwrap()).unwrap();
        }
        writer.close().unwrap();
        run(&small(&server, to.path())).unwrap();
    }
    let ordered = drained(to.path());
    let made = compacted(to.path());
    assert_eq!((made.folders, made.files_after, files(to.path()).len()), (6, 8, 8));
    assert_eq!(in_tree(to.path()), sorted(&all));
    assert_same(&drained(to.path()), &ordered, "by the records");
}

#[test]
fn lean_files_stay_lean_and_those_of_layout_met_have_its_columns() {
    for (version, is_lean, layout) in
        [("jetstream-1-lean", true, Layout::Hive), ("met-1", false, Layout::Met)]
    {
        let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
        let all = events(0..900);
        for part in all.chunks(300) {
            append(&server, part);
            run(&Config { is_lean, layout, ..config(&server, to.path()) }).unwrap();
        }
        let made = compacted(to.path());
        assert!(made.files_before > made.files_after && made.bytes_after < made.bytes_before, "{made:?}");
        for path in files(to.path()) {
            let file = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
            let pairs = file.metadata().file_metadata().key_value_metadata().unwrap().clone();
            let schema = pairs.into_iter().find(|pair| pair.key == "forebay.schema").unwrap();
            assert_eq!(schema.value.as_deref(), Some(version));
        }
        assert_same(&drained(to.path()), &by_lane(&all), version);
    }
}

#[test]
fn a_file_system_that_cannot_exchange_folders_is_refused_before_anything_is_changed() {
    let server = server(&[]);
    append(&server, &events(0..800));
    let disk = Disk::mount(64 << 20).unwrap();
    let to = disk.path().join("to");
    run(&small(&server, &to)).unwrap();
    let before = files(&to);
    let error = compact(&of(&to), |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("does not exchange two folders") && error.contains("nothing was compacted"),
        "{error}"
    );
    assert_eq!((files(&to), told(&to)), (before, String::new()));
}

/// Says that something is over once it is dropped, however that ended.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn whoever_has_files_open_reads_them_to_their_end_and_whoever_lists_finds_all_or_is_told() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..1_600);
    fill(&server, to.path(), &all);
    let open: Vec<StoredFile> = files(to.path()).iter().map(|path| StoredFile::open(path).unwrap()).collect();
    let folders: BTreeSet<PathBuf> =
        files(to.path()).iter().map(|path| path.parent().unwrap().to_owned()).collect();
    let (is_over, expected) = (AtomicBool::new(false), sorted(&all));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut whole, mut refused) = (0, 0);
            while !is_over.load(Relaxed) || whole == 0 {
                let opened: Result<Vec<_>, _> =
                    files(to.path()).into_iter().map(std::fs::File::open).collect();
                match opened {
                    Ok(files) => {
                        let mut found: Vec<String> = files
                            .into_iter()
                            .flat_map(|file| lines(StoredFile::read(file).unwrap()))
                            .collect();
                        found.sort();
                        assert!(found == expected, "{} of {} lines", found.len(), expected.len());
                        whole += 1;
                    }
                    Err(why) => {
                        assert_eq!(why.kind(), std::io::ErrorKind::NotFound);
                        refused += 1;
                    }
                }
            }
            (whole, refused)
        });
        let watcher = scope.spawn(|| {
            // No folder is ever gone, for however short a time.
            while !is_over.load(Relaxed) {
                assert!(folders.iter().all(|folder| folder.is_dir()), "a folder was gone");
            }
        });
        {
            let _over = Over(&is_over);
            compacted(to.path());
        }
        watcher.join().unwrap();
        let (whole, _) = reader.join().unwrap();
        assert!(whole > 0);
    });
    let mut read: Vec<String> = open.into_iter().flat_map(lines).collect();
    read.sort();
    assert!(read == sorted(&all), "those that had files open");
}
