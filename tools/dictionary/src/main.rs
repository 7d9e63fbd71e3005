//! Makes the dictionary from files of events: `make_dictionary <out> <real.ndjson>… -- <synthetic.ndjson>…`.
//! The same files give the same dictionary.

mod blocks;
mod huffman;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use forebay::block::atproto::code::{CLASSES, CODE_BYTES, ROLES, Role, class_of};
use forebay::block::atproto::tally::{Column, Tally};
use forebay::block::atproto::{
    DICTIONARY_BYTES_MAX, Dictionary, Effort, Encoder, TEMPLATES_MAX, skeleton_of,
};

/// Skeletons that came less often (a recorded event counts as [`REAL_WEIGHT`]) are not kept.
const COUNT_MIN: u64 = 6;
/// An event that was recorded counts as so many made-up ones.
const REAL_WEIGHT: u64 = 40;

/// What is counted while the events are encoded with a dictionary that knows nothing yet of numbers.
#[derive(Default)]
struct Census {
    numbers: HashMap<Role, [u64; CLASSES]>,
    texts: Vec<Vec<u8>>,
}

impl Tally for Census {
    fn number(&mut self, role: Role, number: u64, _: u32) {
        self.numbers.entry(role).or_insert([0; CLASSES])[class_of(number) as usize] += 1;
    }
    fn bytes(&mut self, _: Column, _: &[u8]) {}
    fn texts(&mut self, texts: &[u8]) {
        if !texts.is_empty() {
            self.texts.push(texts.to_vec());
        }
    }
}

/// Skeletons by how many bytes it saves to have them, the most frequent first.
fn skeletons(real: &[&str], synthetic: &[&str]) -> Vec<Vec<u8>> {
    let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (lines, weight) in [(real, REAL_WEIGHT), (synthetic, 1)] {
        for line in lines {
            *counts.entry(skeleton_of(line.as_bytes())).or_default() += weight;
        }
    }
    let mut all: Vec<_> = counts.into_iter().filter(|(skeleton, _)| !skeleton.is_empty()).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    all.retain(|(_, count)| *count >= COUNT_MIN);
    all.into_iter().take(TEMPLATES_MAX).map(|(skeleton, _)| skeleton).collect()
}

/// The parts together: the skeletons compressed, and zstd's own dictionary.
fn assemble(codes: &[[u8; CLASSES]], skeletons: &[u8], zstd: &[u8]) -> Vec<u8> {
    let mut out = vec![ROLES.len() as u8];
    for lengths in codes {
        let mut packed = [0; CODE_BYTES];
        for (class, length) in lengths.iter().enumerate() {
            packed[class / 2] |= length << (4 * (class % 2));
        }
        out.extend_from_slice(&packed);
    }
    out.extend_from_slice(&(skeletons.len() as u16).to_le_bytes());
    out.extend_from_slice(skeletons);
    out.extend_from_slice(zstd);
    out
}

fn census(
    dictionary: &[u8],
    real: &[&str],
    synthetic: &[&str],
) -> (HashMap<Role, [u64; CLASSES]>, Vec<Vec<u8>>) {
    let dictionary = Arc::new(Dictionary::new(1, dictionary).expect("the maker's own dictionary"));
    let mut numbers: HashMap<Role, [u64; CLASSES]> = HashMap::new();
    let mut texts = Vec::new();
    for (lines, weight) in [(real, REAL_WEIGHT), (synthetic, 1)] {
        for rate in [94.0, 938.0] {
            let mut encoder = Encoder::with_tally(Arc::clone(&dictionary), Census::default()).expect("zstd");
            let step = if rate < 100.0 && weight == 1 { 10 } else { 1 };
            let thinned: Vec<&str> = lines.iter().copied().step_by(step).collect();
            for block in blocks::blocks(&thinned, rate) {
                encoder.encode(&block, Effort::Dense).expect("zstd");
            }
            for (role, counts) in &encoder.tally().numbers {
                let sums = numbers.entry(*role).or_insert([0; CLASSES]);
                let weight = weight * if step > 1 { 10 } else { 1 };
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count * weight);
            }
            texts.extend(encoder.tally().texts.iter().cloned());
        }
    }
    (numbers, texts)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (out, files) = arguments.split_first().expect("usage: make_dictionary <out> <real>… -- <synthetic>…");
    let between = files.iter().position(|file| file == "--").expect("`--` between real and synthetic");
    let read = |files: &[String]| {
        files.iter().map(|file| std::fs::read_to_string(file).expect(file)).collect::<String>()
    };
    let (real, synthetic) = (read(&files[..between]), read(&files[between + 1..]));
    let (real, synthetic): (Vec<&str>, Vec<&str>) = (real.lines().collect(), synthetic.lines().collect());

    let skeletons = skeletons(&real, &synthetic);
    let packed = zstd::bulk::compress(&skeletons.join(&b'\n'), 19).expect("zstd");
    let flat = [huffman::flat(); ROLES.len()];
    let (numbers, texts) = census(&assemble(&flat, &packed, &[]), &real, &synthetic);
    let codes: Vec<_> = ROLES
        .iter()
        .map(|role| {
            let mut counts = numbers.get(role).copied().unwrap_or([1; CLASSES]);
            if *role == Role::OwnCid {
                // Under pressure all of them are stored: that must not be dear.
                counts[1] += counts[0] / 8;
            }
            let is_time = matches!(
                role,
                Role::NextTime
                    | Role::RevTime
                    | Role::RkeyTime
                    | Role::KeyTime
                    | Role::TidTime
                    | Role::Created
                    | Role::CreatedWithKey
                    | Role::Int
            );
            huffman::lengths(&if is_time { huffman::smoothed(&counts) } else { counts })
        })
        .collect();

    let room = DICTIONARY_BYTES_MAX - assemble(&codes, &packed, &[]).len();
    let mut trained = zstd::dict::from_samples(&texts, room).expect("zstd trains a dictionary");
    // zstd's own number of the dictionary, which it else draws from the content.
    trained[4..8].copy_from_slice(&1_u32.to_le_bytes());
    let dictionary = assemble(&codes, &packed, &trained);
    Dictionary::new(1, &dictionary).expect("a dictionary");
    std::fs::write(out, &dictionary).expect("written");
    println!(
        "{} bytes: {} skeletons in {}, {} of zstd's",
        dictionary.len(),
        skeletons.len(),
        packed.len(),
        trained.len(),
    );
}
