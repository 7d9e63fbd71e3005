//! Patterns: how a rate runs over the time of a run, as people name them.

use std::fmt;
use std::str::FromStr;

use super::curve::{Curve, Piece};

/// Highest rate that makes sense for one process.
pub const RATE_MAX: f64 = 2_000_000.0;

/// Peak over trough of the network's day.
const DAY_RATIO: f64 = 2.15;

/// Straight pieces that a day's curve is made of: five minutes each.
const DAY_PIECES: usize = 288;

/// Multiples of the rate that a pattern may ask for.
const FACTOR_MAX: f64 = 1_000.0;

/// Share of the time that a spike, an outage take.
const SPIKE_SHARE: f64 = 0.1;
const OUTAGE_SHARE: f64 = 0.2;

/// How much faster than usual what an outage held up comes.
const BURST_FACTOR: f64 = 10.0;

/// How the rate runs over the time of the run.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// The same rate throughout, evenly spaced.
    Constant,
    /// The same rate on average, at random moments that know nothing of each other.
    Poisson,
    /// From one multiple of the rate to another, in a straight line.
    Ramp(f64, f64),
    /// Multiples of the rate, the same time each.
    Steps(Vec<f64>),
    /// The rate, and this multiple of it for a tenth of the time, in the middle.
    Spike(f64),
    /// A day in the time of the run: a sine whose peak is this multiple of its trough; the rate is its mean.
    Sine(f64),
    /// A source that was away: nothing for a fifth of the time, then ten times the rate until all of it has come.
    Burst,
    /// As fast as answers allow: no request is due before one is answered. This is a closed loop.
    Saturate,
}

impl Pattern {
    /// Every pattern that has a rate, as it is by default.
    pub fn paced() -> [Self; 7] {
        let steps = Self::Steps(vec![0.5, 1.0, 1.5, 1.0]);
        let ramp = Self::Ramp(0.5, 1.5);
        [Self::Constant, Self::Poisson, ramp, steps, Self::Spike(3.0), Self::Sine(DAY_RATIO), Self::Burst]
    }

    /// Its name without figures.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Ramp(..) => "ramp",
            Self::Steps(_) => "steps",
            Self::Spike(_) => "spike",
            Self::Sine(_) => "sine",
            Self::Burst => "burst",
            Self::Saturate => "saturate",
        }
    }

    /// The highest multiple of the rate that it comes to.
    pub fn peak(&self) -> f64 {
        match self {
            Self::Constant | Self::Poisson | Self::Saturate => 1.0,
            Self::Ramp(from, to) => from.max(*to),
            Self::Steps(steps) => steps.iter().copied().fold(0.0, f64::max),
            Self::Spike(factor) => factor.max(1.0),
            Self::Sine(ratio) => 2.0 * ratio / (ratio + 1.0),
            Self::Burst => BURST_FACTOR,
        }
    }

    /// The rate in straight pieces over a run.
    pub(super) fn curve(&self, rate: f64, seconds: f64) -> Curve {
        let piece = |share: f64, from: f64, to: f64| Piece::of(share * seconds, from * rate, to * rate);
        let pieces = match self {
            Self::Constant | Self::Poisson | Self::Saturate => vec![piece(1.0, 1.0, 1.0)],
            Self::Ramp(from, to) => vec![piece(1.0, *from, *to)],
            Self::Steps(steps) => {
                steps.iter().map(|step| piece(1.0 / steps.len() as f64, *step, *step)).collect()
            }
            Self::Spike(factor) => {
                let around = (1.0 - SPIKE_SHARE) / 2.0;
                vec![piece(around, 1.0, 1.0), piece(SPIKE_SHARE, *factor, *factor), piece(around, 1.0, 1.0)]
            }
            Self::Sine(ratio) => {
                let height = (ratio - 1.0) / (ratio + 1.0);
                let at = |piece: usize| {
                    1.0 - height * (std::f64::consts::TAU * piece as f64 / DAY_PIECES as f64).cos()
                };
                (0..DAY_PIECES).map(|n| piece(1.0 / DAY_PIECES as f64, at(n), at(n + 1))).collect()
            }
            Self::Burst => {
                // As usual, away, catching up while the usual goes on, as usual.
                let missed = OUTAGE_SHARE / (BURST_FACTOR - 1.0);
                let before = 0.3;
                vec![
                    piece(before, 1.0, 1.0),
                    piece(OUTAGE_SHARE, 0.0, 0.0),
                    piece(missed, BURST_FACTOR, BURST_FACTOR),
                    piece(1.0 - before - OUTAGE_SHARE - missed, 1.0, 1.0),
                ]
            }
        };
        Curve { pieces }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ramp(from, to) => write!(f, "ramp:{from}..{to}"),
            Self::Steps(steps) => {
                let steps: Vec<String> = steps.iter().map(f64::to_string).collect();
                write!(f, "steps:{}", steps.join(","))
            }
            Self::Spike(factor) => write!(f, "spike:{factor}"),
            Self::Sine(ratio) => write!(f, "sine:{ratio}"),
            plain => f.write_str(plain.name()),
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, figures) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let Some(usual) = Self::paced().into_iter().chain([Self::Saturate]).find(|one| one.name() == name)
        else {
            return Err("constant, poisson, ramp:FROM..TO, steps:A,B,..., spike:FACTOR, sine:RATIO, burst, \
                        replay:FILE or saturate; FROM, TO, A, B and FACTOR are multiples of --rate"
                .into());
        };
        let Some(figures) = figures else { return Ok(usual) };
        match usual {
            Self::Ramp(..) => {
                let (from, to) =
                    figures.split_once("..").ok_or("a ramp is ramp:FROM..TO, such as ramp:0.5..2")?;
                let (from, to) = (factor(from)?, factor(to)?);
                if from + to > 0.0 {
                    Ok(Self::Ramp(from, to))
                } else {
                    Err("a ramp from 0 to 0 never rises".into())
                }
            }
            Self::Steps(_) => {
                let steps: Vec<f64> = figures.split(',').map(factor).collect::<Result<_, _>>()?;
                if steps.iter().any(|step| *step > 0.0) {
                    Ok(Self::Steps(steps))
                } else {
                    Err("steps that are all 0 send nothing".into())
                }
            }
            Self::Spike(_) => Ok(Self::Spike(factor(figures)?)),
            Self::Sine(_) => match factor(figures)? {
                ratio if ratio >= 1.0 => Ok(Self::Sine(ratio)),
                _ => Err("sine:RATIO is peak over trough, so 1 or more".into()),
            },
            other => Err(format!("{} takes no figures", other.name())),
        }
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let value = text.trim().parse::<f64>().ok();
    value
        .filter(|value| (0.0..=FACTOR_MAX).contains(value))
        .ok_or_else(|| format!("{text:?} is not a multiple of the rate from 0 to {FACTOR_MAX}"))
}

/// A rate that requests can be sent at.
pub fn rate(value: f64) -> Result<f64, String> {
    if value.is_finite() && value > 0.0 && value <= RATE_MAX {
        Ok(value)
    } else {
        Err(format!("a rate is requests a second, above 0 and at most {RATE_MAX}; not {value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_odd_patterns_are_refused() {
        for pattern in Pattern::paced().into_iter().chain([Pattern::Saturate]) {
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
        for odd in
            ["", "const", "ramp:1", "ramp:0..0", "steps:", "steps:0,0", "spike:nan", "sine:0.5", "burst:2"]
        {
            assert!(odd.parse::<Pattern>().is_err(), "{odd}");
        }
        assert!([0.0, -1.0, f64::NAN, f64::INFINITY, 1e9].into_iter().all(|odd| rate(odd).is_err()));
    }
}
