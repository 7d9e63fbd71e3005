//! What is claimed of the disk of our own, with plain files: what was fsynced stays, what was not goes, bytes and names
//! alike; its fsync may be slow or fail, its room run out, its bytes be damaged; and it is never left mounted.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forebay_rig::server::fault::disk::{self, Disk, DiskError};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::until;

const ROOM: u64 = 64 << 20;

/// A disk, or nothing where none can be mounted: on the machines that the tests must hold on, one can.
fn disk(room: u64) -> Disk {
    Disk::mount(room).unwrap()
}

fn create(path: &Path, content: &[u8]) -> File {
    let mut file = File::create(path).unwrap();
    file.write_all(content).unwrap();
    file
}

fn sync_folder(path: &Path) {
    File::open(path).unwrap().sync_all().unwrap();
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_are_files() {
    let disk = disk(ROOM);
    let at = |name: &str| disk.path().join(name);
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    drop(create(&at("a"), &content));
    assert_eq!(fs::read(at("a")).unwrap(), content);
    let mut file = OpenOptions::new().read(true).write(true).open(at("a")).unwrap();
    file.seek(SeekFrom::Start(1_000_000)).unwrap();
    file.write_all(b"in the middle").unwrap();
    file.seek(SeekFrom::Start(999_999)).unwrap();
    let mut there = [0; 15];
    file.read_exact(&mut there).unwrap();
    assert_eq!(
        (&there[1..14], there[0], there[14]),
        (&b"in the middle"[..], content[999_999], content[1_000_013])
    );
    file.set_len(10).unwrap();
    assert_eq!(fs::read(at("a")).unwrap(), content[..10]);
    file.set_len(12).unwrap();
    assert_eq!(fs::read(at("a")).unwrap(), [&content[..10], &[0, 0]].concat());
    let mut end = OpenOptions::new().append(true).open(at("a")).unwrap();
    end.write_all(b"more").unwrap();
    assert_eq!(fs::metadata(at("a")).unwrap().len(), 16);

    fs::create_dir(at("folder")).unwrap();
    fs::rename(at("a"), at("folder/b")).unwrap();
    assert_eq!((names(disk.path()), names(&at("folder"))), (vec!["folder".into()], vec!["b".into()]));
    let busy = fs::remove_dir(at("folder")).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::DirectoryNotEmpty);
    assert_eq!(fs::create_dir(at("folder")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(File::open(at("nothing")).unwrap_err().kind(), ErrorKind::NotFound);
    // An open file outlives its name.
    fs::remove_file(at("folder/b")).unwrap();
    fs::remove_dir(at("folder")).unwrap();
    assert_eq!(names(disk.path()), Vec::<String>::new());
    end.write_all(b"!").unwrap();
    assert_eq!(end.metadata().unwrap().len(), 17);
}

#[test]
fn what_was_fsynced_stays_and_what_was_not_goes() {
    let disk = disk(ROOM);
    let at = |name: &str| disk.path().join(name);
    let mut kept = create(&at("kept"), b"kept");
    kept.sync_all().unwrap();
    kept.write_all(b", and this not").unwrap();
    let mut rewritten = create(&at("rewritten"), b"before and after");
    rewritten.sync_data().unwrap();
    rewritten.seek(SeekFrom::Start(3)).unwrap();
    rewritten.write_all(b"XXXXX").unwrap();
    rewritten.set_len(10).unwrap();
    let never = create(&at("never"), b"nothing of it");
    sync_folder(disk.path());
    assert_eq!(fs::read(at("kept")).unwrap(), b"kept, and this not");
    drop((kept, rewritten, never));

    disk.cut_power(None);
    assert_eq!(fs::read(at("kept")).unwrap(), b"kept");
    assert_eq!(fs::read(at("rewritten")).unwrap(), b"before and after");
    assert_eq!(fs::read(at("never")).unwrap(), b"");
    // And it goes on from there.
    let mut kept = OpenOptions::new().append(true).open(at("kept")).unwrap();
    kept.write_all(b" again").unwrap();
    kept.sync_all().unwrap();
    disk.cut_power(None);
    assert_eq!(fs::read(at("kept")).unwrap(), b"kept again");
}

#[test]
fn a_name_that_no_fsync_of_its_folder_covers_is_undone() {
    let disk = disk(ROOM);
    let at = |name: &str| disk.path().join(name);
    for name in ["replaced", "removed"] {
        create(&at(name), name.as_bytes()).sync_all().unwrap();
    }
    fs::create_dir(at("folder")).unwrap();
    sync_folder(disk.path());
    // Each of these is durable as bytes, and none as a name.
    create(&at("new"), b"new").sync_all().unwrap();
    fs::rename(at("new"), at("replaced")).unwrap();
    fs::remove_file(at("removed")).unwrap();
    create(&at("folder/inner"), b"inner").sync_all().unwrap();
    assert_eq!(fs::read(at("replaced")).unwrap(), b"new");
    disk.cut_power(None);
    assert_eq!(names(disk.path()), ["folder", "removed", "replaced"]);
    assert_eq!(fs::read(at("replaced")).unwrap(), b"replaced");
    assert_eq!(fs::read(at("removed")).unwrap(), b"removed");
    assert_eq!(names(&at("folder")), Vec::<String>::new());

    create(&at("new"), b"new").sync_all().unwrap();
    fs::rename(at("new"), at("replaced")).unwrap();
    fs::remove_file(at("removed")).unwrap();
    create(&at("folder/inner"), b"inner").sync_all().unwrap();
    sync_folder(disk.path());
    disk.cut_power(None);
    assert_eq!(names(disk.path()), ["folder", "replaced"]);
    assert_eq!(fs::read(at("replaced")).unwrap(), b"new");
    assert_eq!(
        names(&at("folder")),
        Vec::<String>::new(),
        "the folder of the folder was fsynced, not itself"
    );
}

#[test]
fn what_has_settled_stays() {
    let disk = disk(ROOM);
    let path = disk.path().join("file");
    let mut file = create(&path, b"old");
    disk.settle();
    file.write_all(b" and new").unwrap();
    drop(file);
    disk.cut_power(None);
    assert_eq!(fs::read(path).unwrap(), b"old");
}

#[test]
fn a_disk_that_was_writing_keeps_a_beginning_of_what_was_not_fsynced() {
    let mut lengths = Vec::new();
    for seed in 0..30 {
        let disk = disk(ROOM);
        let path = disk.path().join("file");
        let mut file = create(&path, &[b'a'; 100]);
        file.sync_all().unwrap();
        sync_folder(disk.path());
        let more: Vec<u8> = (0..10_u8).flat_map(|n| [n; 100]).collect();
        more.chunks(100).for_each(|part| file.write_all(part).unwrap());
        drop(file);
        disk.cut_power(Some(seed));
        let content = fs::read(&path).unwrap();
        assert_eq!(content, [&[b'a'; 100][..], &more][..].concat()[..content.len()], "seed {seed}");
        lengths.push(content.len());
        let again = fs::read(&path).unwrap();
        disk.cut_power(None);
        assert_eq!(fs::read(&path).unwrap(), again, "what a power cut left is on the disk");
    }
    lengths.sort_unstable();
    assert!(
        lengths[0] < 400 && lengths[29] > 800 && lengths.iter().any(|length| length % 100 != 0),
        "{lengths:?}"
    );
}

#[test]
fn a_slow_fsync_covers_what_was_written_before_it_and_holds_up_nobody_else() {
    let disk = disk(ROOM);
    let at = |name: &str| disk.path().join(name);
    let slow = Duration::from_millis(700);
    let file = create(&at("file"), b"before");
    sync_folder(disk.path());
    disk.slow_fsync(slow);
    let started = Instant::now();
    let waiting = std::thread::spawn(move || {
        file.sync_all().unwrap();
        (Instant::now(), file)
    });
    // Another file is written meanwhile.
    drop(create(&at("other"), b"other"));
    assert_eq!(fs::read(at("other")).unwrap(), b"other");
    let others = Instant::now();
    let (done, _file) = waiting.join().unwrap();
    assert!(done - started >= slow, "{:?}", done - started);
    assert!(others < done, "the disk stood still");
    assert_eq!(disk.fsyncs(), (2, 0));
    disk.cut_power(None);
    assert_eq!(fs::read(at("file")).unwrap(), b"before");
}

#[test]
fn an_fsync_that_the_power_cut_met_keeps_nothing() {
    let disk = disk(ROOM);
    let path = disk.path().join("file");
    let file = create(&path, b"content");
    sync_folder(disk.path());
    disk.slow_fsync(Duration::from_millis(300));
    let waiting = std::thread::spawn(move || file.sync_all());
    // The kernel has asked once the file is held: a write to it waits for the fsync.
    while disk.under_way() == 0 {
        std::thread::yield_now();
    }
    disk.cut_power(None);
    assert!(waiting.join().unwrap().is_err());
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn an_fsync_that_fails_says_so_and_keeps_nothing() {
    let disk = disk(ROOM);
    let path = disk.path().join("file");
    let file = create(&path, b"content");
    sync_folder(disk.path());
    disk.fail_fsync();
    assert_eq!(file.sync_all().unwrap_err().raw_os_error(), Some(5));
    disk.cut_power(None);
    assert_eq!(fs::read(&path).unwrap(), b"");
    disk.heal_fsync();
    let file = create(&path, b"content");
    file.sync_all().unwrap();
    disk.cut_power(None);
    assert_eq!((fs::read(&path).unwrap(), disk.fsyncs()), (b"content".to_vec(), (2, 1)));
}

#[test]
fn a_full_disk_takes_what_fits_and_all_again_once_there_is_room() {
    let disk = disk(1_000_000);
    let at = |name: &str| disk.path().join(name);
    let mut file = create(&at("file"), &vec![1; 900_000]);
    let error = file.write_all(&vec![2; 200_000]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!((disk.used(), fs::metadata(at("file")).unwrap().len()), (1_000_000, 1_000_000));
    let statfs = rustix::fs::statfs(disk.path()).unwrap();
    assert_eq!(statfs.f_bavail, 0);
    assert_eq!(file.write(b"x").unwrap_err().kind(), ErrorKind::StorageFull);
    // What is there can be overwritten, and names cost nothing.
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&[3; 100]).unwrap();
    drop(create(&at("empty"), b""));
    disk.set_room(2_000_000);
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(&vec![2; 100_000]).unwrap();
    drop(file);
    fs::remove_file(at("file")).unwrap();
    // The kernel says later that nobody has it open any more.
    until("a removed file takes no room", || disk.used() == 0);
}

#[test]
fn damage_is_on_the_disk_itself() {
    let disk = disk(ROOM);
    fs::create_dir(disk.path().join("folder")).unwrap();
    let path = disk.path().join("folder/file");
    create(&path, b"abcdef").sync_all().unwrap();
    disk.settle();
    disk.flip(&path, 2).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"abbdef");
    disk.cut(&path, 4).unwrap();
    disk.cut_power(None);
    assert_eq!(fs::read(&path).unwrap(), b"abbd");
    for (error, wanted) in [
        (disk.flip(&path, 4).unwrap_err(), "Invalid argument"),
        (disk.flip(&disk.path().join("none"), 0).unwrap_err(), "No such file"),
        (disk.cut(&disk.path().join("folder"), 0).unwrap_err(), "Is a directory"),
    ] {
        assert!(matches!(error, DiskError::File { .. }) && error.to_string().contains(wanted), "{error}");
    }
}

/// The mount points of ours that are in the table.
fn mounted(path: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().any(|line| line.split(' ').nth(4) == path.to_str())
}

#[test]
fn a_disk_ends_with_its_owner_although_files_are_open_on_it() {
    let disk = disk(ROOM);
    let path = disk.path().to_owned();
    let _open = create(&path.join("file"), b"content");
    assert!(mounted(&path));
    drop(disk);
    assert!(!mounted(&path) && !path.exists());
}

#[test]
#[ignore = "a process of the test below"]
fn a_life_with_a_disk() {
    let Ok(_) = std::env::var("FOREBAY_TEST_DISK") else { return };
    let disk = disk(ROOM);
    println!("disk: {}", disk.path().display());
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read_line(&mut String::new());
    // As at the end of the program by a signal: nothing is dropped.
    forebay_rig::server::end_all();
    std::process::exit(0);
}

#[test]
fn a_disk_whose_owner_was_killed_is_found_and_taken_away_by_the_next_and_no_other_is() {
    let own = disk(ROOM);
    for is_killed in [true, false] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["a_life_with_a_disk", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env("FOREBAY_TEST_DISK", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let path = lines.find_map(|line| line.unwrap().split_once("disk: ").map(|(_, path)| path.to_owned()));
        let path = std::path::PathBuf::from(path.unwrap());
        assert!(mounted(&path));
        // Of a program that lives nothing is taken, nor of one that is stopped and answers nobody.
        assert!(!disk::clear_left().contains(&path) && mounted(&path));
        let pid = Pid::from_child(&process);
        kill_process(pid, Signal::STOP).unwrap();
        let (send, cleared) = std::sync::mpsc::channel();
        std::thread::spawn(move || send.send(disk::clear_left()).unwrap());
        let cleared = cleared.recv_timeout(Duration::from_secs(20));
        kill_process(pid, Signal::CONT).unwrap();
        assert!(!cleared.unwrap().contains(&path) && mounted(&path));
        if is_killed {
            process.kill().unwrap();
            process.wait().unwrap();
            // By this or by another test that does the same at the same time.
            disk::clear_left();
        } else {
            drop(process.stdin.take());
            assert!(process.wait().unwrap().success());
        }
        assert!(!mounted(&path) && !path.exists(), "killed: {is_killed}");
    }
    assert!(mounted(own.path()));
}

#[test]
fn a_disk_counts_what_it_refused_and_what_a_power_cut_took_back_and_nothing_else() {
    let disk = disk(ROOM);
    let path = disk.path().join("file");
    let mut file = create(&path, b"synced");
    file.sync_all().unwrap();
    sync_folder(disk.path());
    assert_eq!((disk.cut_power(None), disk.refused()), (0, 0), "all of it was synced, and fitted");
    (0..3).for_each(|_| file.write_all(b"x").unwrap());
    assert_eq!(disk.cut_power(None), 3);
    disk.set_room(disk.used());
    assert_eq!(file.write(b"x").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(disk.refused(), 1);
}
