//! A skeleton of the dictionary, cut at its marks so that a line can be held against it.

use super::lexer::{Token, value_at};
use super::marks;
use super::plan::Plan;

/// A stretch of a skeleton that stands for itself, and the mark behind it: none at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) plain: &'a [u8],
    pub(super) mark: Option<u8>,
}

/// A skeleton of the dictionary.
#[derive(Debug)]
pub(super) struct Template {
    plain: Vec<u8>,
    /// Where each stretch of `plain` ends, and its mark.
    parts: Vec<(u32, u8)>,
    fixed: Option<Fixed>,
}

/// A skeleton whose values all have texts of a fixed length, so that all its lines are as long and have them at the
/// same places. Nearly all events are such lines.
#[derive(Debug)]
pub(super) struct Fixed {
    /// The line with zeros in place of its values.
    pub(super) pattern: Vec<u8>,
    /// All bits where a byte of `pattern` counts.
    mask: Vec<u8>,
    /// Each value's mark and place.
    pub(super) values: Vec<(u8, u32)>,
    /// How its record looks in DAG-CBOR.
    pub(super) plan: Option<Plan>,
}

impl Template {
    /// Cuts a skeleton; none where a mark stands for nothing.
    pub(super) fn of(skeleton: &[u8]) -> Option<Self> {
        let (mut plain, mut parts) = (Vec::new(), Vec::new());
        let mut bytes = skeleton.iter();
        while let Some(&byte) = bytes.next() {
            match byte {
                marks::PLAIN => plain.push(*bytes.next()?),
                _ if marks::is_mark(byte) => parts.push((plain.len() as u32, byte)),
                _ => plain.push(byte),
            }
        }
        let mut template = Self { plain, parts, fixed: None };
        template.fixed = template.fixed_of();
        Some(template)
    }

    fn fixed_of(&self) -> Option<Fixed> {
        let (mut pattern, mut mask, mut values, mut plan) = (Vec::new(), Vec::new(), Vec::new(), None);
        for Part { plain, mark } in self.parts() {
            pattern.extend_from_slice(plain);
            mask.resize(pattern.len(), 0xFF);
            let Some(mark) = mark else { break };
            if mark == marks::OWN_CID {
                let places: Option<Vec<_>> =
                    values.iter().map(|&(mark, at)| Some((at as usize, marks::text_len(mark)?))).collect();
                plan = Plan::of(&pattern, &places?);
            }
            values.push((mark, pattern.len() as u32));
            pattern.resize(pattern.len() + marks::text_len(mark)?, 0);
            mask.resize(pattern.len(), 0);
        }
        Some(Fixed { pattern, mask, values, plan })
    }

    /// What all lines of it have in common, if they are all as long.
    #[inline]
    pub(super) fn fixed(&self) -> Option<&Fixed> {
        self.fixed.as_ref()
    }

    /// Its stretches, in order.
    #[inline]
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let ends = self.parts.iter().map(|&(end, mark)| (end as usize, Some(mark)));
        let mut start = 0;
        ends.chain([(self.plain.len(), None)]).map(move |(end, mark)| {
            let plain = self.plain.get(start..end).unwrap_or_default();
            start = end;
            Part { plain, mark }
        })
    }

    /// Whether a line has this skeleton; if so, its tokens stand in `tokens`.
    #[inline]
    pub(super) fn matches(&self, line: &[u8], tokens: &mut Vec<Token>) -> bool {
        tokens.clear();
        match &self.fixed {
            Some(fixed) => fixed.matches(line, tokens),
            None => self.matches_by_parts(line, tokens),
        }
    }

    fn matches_by_parts(&self, line: &[u8], tokens: &mut Vec<Token>) -> bool {
        let mut at = 0;
        for Part { plain, mark } in self.parts() {
            if !line.get(at..).is_some_and(|rest| rest.starts_with(plain)) {
                return false;
            }
            at += plain.len();
            let Some(mark) = mark else { break };
            let Some((value, end)) = value_at(mark, line, at) else { return false };
            tokens.push((mark, value));
            at = end;
        }
        at == line.len()
    }
}

impl Fixed {
    #[inline]
    fn matches(&self, line: &[u8], tokens: &mut Vec<Token>) -> bool {
        if line.len() != self.pattern.len() {
            return false;
        }
        let differences = line.iter().zip(&self.pattern).zip(&self.mask);
        if differences.fold(0, |sum, ((byte, pattern), mask)| sum | ((byte ^ pattern) & mask)) != 0 {
            return false;
        }
        self.values.iter().all(|&(mark, at)| {
            value_at(mark, line, at as usize).is_some_and(|(value, _)| {
                tokens.push((mark, value));
                true
            })
        })
    }
}
