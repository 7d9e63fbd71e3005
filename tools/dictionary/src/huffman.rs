//! Lengths of prefix codes.

use forebay::block::atproto::code::{CLASSES, CODE_BITS_MAX};

/// All classes alike.
pub fn flat() -> [u8; CLASSES] {
    let mut lengths = [6; CLASSES];
    lengths[CLASSES - 1] = 7;
    lengths[CLASSES - 2] = 7;
    lengths
}

/// Huffman's lengths for these counts, none longer than is allowed. Each class has a code.
pub fn lengths(counts: &[u64; CLASSES]) -> [u8; CLASSES] {
    let mut weights = counts.map(|count| count * 64 + 1);
    loop {
        let lengths = huffman(&weights);
        if lengths.iter().all(|length| u32::from(*length) <= CODE_BITS_MAX) {
            return lengths;
        }
        weights = weights.map(|weight| weight / 2 + 1);
    }
}

/// Counts of a role whose numbers may be others elsewhere: neighbours of frequent classes and all that occur at
/// all get a share.
pub fn smoothed(counts: &[u64; CLASSES]) -> [u64; CLASSES] {
    let total: u64 = counts.iter().sum();
    std::array::from_fn(|class| {
        let at = |class: usize| counts.get(class).copied().unwrap_or(0);
        let near = at(class.wrapping_sub(1)) + at(class + 1);
        let further = at(class.wrapping_sub(2)) + at(class + 2);
        at(class) + near / 24 + further / 64 + if class <= 44 { total / 1_500 } else { 0 }
    })
}

fn huffman(weights: &[u64; CLASSES]) -> [u8; CLASSES] {
    let mut lengths = [0; CLASSES];
    let mut trees: Vec<(u64, Vec<usize>)> =
        weights.iter().enumerate().map(|(class, weight)| (*weight, vec![class])).collect();
    while trees.len() > 1 {
        // The two lightest; of equals the ones that stand last.
        trees.sort_by_key(|tree| std::cmp::Reverse(tree.0));
        let (Some(a), Some(b)) = (trees.pop(), trees.pop()) else { break };
        let classes: Vec<usize> = a.1.into_iter().chain(b.1).collect();
        for class in &classes {
            lengths[*class] += 1;
        }
        trees.push((a.0 + b.0, classes));
    }
    lengths
}
