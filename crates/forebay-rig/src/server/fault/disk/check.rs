//! The model held against a simpler one: of each file a copy as of its last fsync, of each folder its names as of the last.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use proptest::prelude::*;

use super::model::{Model, ROOT};
use fastrand::Rng;

/// What a program does. Files are named by a number below [`NAMES`].
#[derive(Debug, Clone)]
enum Deed {
    Write { name: u8, at: u16, bytes: Vec<u8> },
    Resize { name: u8, length: u16 },
    Rename { from: u8, to: u8 },
    Remove { name: u8 },
    Fsync { name: u8 },
    FsyncFolder,
    CutPower,
}

const NAMES: u8 = 4;

/// Copies instead of steps to undo.
#[derive(Default)]
struct Plain {
    /// Bytes by number: as programs see them, and as of the last fsync.
    files: BTreeMap<u64, (Vec<u8>, Vec<u8>)>,
    /// Numbers by name, likewise.
    names: (BTreeMap<OsString, u64>, BTreeMap<OsString, u64>),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let name = 0..NAMES;
    let deed = prop_oneof![
        4 => (name.clone(), 0..40_u16, prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(name, at, bytes)| Deed::Write { name, at, bytes }),
        1 => (name.clone(), 0..40_u16).prop_map(|(name, length)| Deed::Resize { name, length }),
        2 => (name.clone(), name.clone()).prop_map(|(from, to)| Deed::Rename { from, to }),
        1 => name.clone().prop_map(|name| Deed::Remove { name }),
        3 => name.prop_map(|name| Deed::Fsync { name }),
        2 => Just(Deed::FsyncFolder),
        1 => Just(Deed::CutPower),
    ];
    prop::collection::vec(deed, 1..60)
}

fn named(name: u8) -> OsString {
    format!("f{name}").into()
}

/// The number of a file, which is made where it is not there.
fn open(model: &mut Model, plain: &mut Plain, name: &OsStr) -> u64 {
    if let Ok(number) = model.look_up(ROOT, name) {
        return number;
    }
    let number = model.make(ROOT, name, 0o644, false).unwrap();
    plain.files.insert(number, Default::default());
    plain.names.0.insert(name.into(), number);
    number
}

fn write(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    bytes.resize(bytes.len().max(at + data.len()), 0);
    bytes[at..at + data.len()].copy_from_slice(data);
}

fn play(model: &mut Model, plain: &mut Plain, deed: &Deed) {
    match deed {
        Deed::Write { name, at, bytes } => {
            let number = open(model, plain, &named(*name));
            assert_eq!(model.write(number, u64::from(*at), bytes), Ok(bytes.len()));
            write(&mut plain.files.get_mut(&number).unwrap().0, usize::from(*at), bytes);
        }
        Deed::Resize { name, length } => {
            let number = open(model, plain, &named(*name));
            model.resize(number, u64::from(*length)).unwrap();
            plain.files.get_mut(&number).unwrap().0.resize(usize::from(*length), 0);
        }
        Deed::Rename { from, to } => {
            let (from, to) = (named(*from), named(*to));
            let done = model.rename((ROOT, &from), (ROOT, &to));
            assert_eq!(done.is_ok(), plain.names.0.contains_key(&from));
            if done.is_ok() {
                let number = plain.names.0.remove(&from).unwrap();
                plain.names.0.insert(to, number);
            }
        }
        Deed::Remove { name } => {
            let done = model.remove(ROOT, &named(*name), false);
            assert_eq!(done.is_ok(), plain.names.0.remove(&named(*name)).is_some());
        }
        Deed::Fsync { name } => {
            let Ok(number) = model.look_up(ROOT, &named(*name)) else { return };
            let changes = model.changes(number).unwrap();
            model.settle(number, changes);
            let (now, kept) = plain.files.get_mut(&number).unwrap();
            kept.clone_from(now);
        }
        Deed::FsyncFolder => {
            let changes = model.changes(ROOT).unwrap();
            model.settle(ROOT, changes);
            plain.names.1.clone_from(&plain.names.0);
        }
        Deed::CutPower => {
            model.cut_power(None);
            plain.names.0.clone_from(&plain.names.1);
            for (now, kept) in plain.files.values_mut() {
                now.clone_from(kept);
            }
        }
    }
}

/// What programs see: each name with its bytes.
fn seen(model: &Model) -> BTreeMap<OsString, Vec<u8>> {
    let names = model.names(ROOT).unwrap().iter();
    names.map(|(name, number)| (name.clone(), model.read(*number, 0, u32::MAX).unwrap().to_vec())).collect()
}

proptest! {
    #[test]
    fn a_power_cut_leaves_what_fsync_has_covered_and_nothing_else(deeds in deeds()) {
        let (mut model, mut plain) = (Model::new(1 << 20), Plain::default());
        for deed in deeds.iter().chain([&Deed::CutPower]) {
            play(&mut model, &mut plain, deed);
            let due = plain.names.0.iter().map(|(name, number)| (name.clone(), plain.files[number].0.clone()));
            prop_assert_eq!(seen(&model), due.collect::<BTreeMap<_, _>>(), "after {:?}", deed);
        }
    }

    #[test]
    fn a_torn_power_cut_loses_nothing_that_fsync_has_covered(
        kept in prop::collection::vec(any::<u8>(), 0..40),
        more in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..6),
        seed in any::<u64>(),
    ) {
        let mut model = Model::new(1 << 20);
        let number = model.make(ROOT, OsStr::new("aof"), 0o644, false).unwrap();
        model.write(number, 0, &kept).unwrap();
        model.settle_all();
        let mut whole = kept.clone();
        for bytes in &more {
            model.write(number, whole.len() as u64, bytes).unwrap();
            whole.extend(bytes);
        }
        model.cut_power(Some(&mut Rng::with_seed(seed)));
        let left = seen(&model).remove(OsStr::new("aof")).unwrap();
        prop_assert!(left.len() >= kept.len() && whole.starts_with(&left), "{left:?} of {whole:?}");
    }
}
