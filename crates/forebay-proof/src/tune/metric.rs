//! What is measured of a setting, which way is better, and how much of a difference is one.

/// A figure of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Events acknowledged a second, as fast as they are taken.
    Append,
    /// Events read, acknowledged and trimmed a second.
    Drain,
    /// Operations at the profile's rate: 99 of 100 took at most this.
    P99,
    /// The server's processor time for each event or operation.
    ServerCpu,
    /// Memory for each event.
    BytesPerEvent,
    /// From the start of a killed server until it answers with its data.
    Recovery,
}

impl Metric {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "events/s in",
            Self::Drain => "events/s out",
            Self::P99 => "p99",
            Self::ServerCpu => "server CPU",
            Self::BytesPerEvent => "bytes/event",
            Self::Recovery => "recovery",
        }
    }

    /// What a figure counts, behind it.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Append | Self::Drain => "/s",
            Self::P99 | Self::Recovery => " ms",
            Self::ServerCpu => " µs",
            Self::BytesPerEvent => " B",
        }
    }

    /// Digits behind the point of a figure.
    pub fn digits(self) -> usize {
        match self {
            Self::Append | Self::Drain => 0,
            Self::BytesPerEvent | Self::Recovery => 1,
            Self::P99 | Self::ServerCpu => 3,
        }
    }

    /// How much better `candidate` is than `today`: above 1 where it is.
    pub fn gain(self, today: f64, candidate: f64) -> f64 {
        match self {
            Self::Append | Self::Drain => candidate / today,
            Self::P99 | Self::ServerCpu | Self::BytesPerEvent | Self::Recovery => today / candidate,
        }
    }

    /// A candidate for something else must surely not lose more than this part.
    pub fn bearable(self) -> f64 {
        match self {
            Self::BytesPerEvent => 0.05,
            Self::Append | Self::Drain | Self::ServerCpu | Self::Recovery => 0.25,
            Self::P99 => 0.5,
        }
    }

    /// Less of a gain or a loss, as a part, is none that counts.
    pub fn least(self) -> f64 {
        match self {
            Self::BytesPerEvent => 0.01,
            Self::Append | Self::Drain | Self::ServerCpu => 0.02,
            Self::Recovery => 0.05,
            // Of few operations; a longest one in a hundred is a coarse figure.
            Self::P99 => 0.10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_events_and_less_of_all_else_is_a_gain() {
        for metric in [Metric::Append, Metric::Drain] {
            assert!(metric.gain(100.0, 110.0) > 1.0, "{metric:?}");
        }
        for metric in [Metric::P99, Metric::ServerCpu, Metric::BytesPerEvent, Metric::Recovery] {
            assert!(metric.gain(100.0, 110.0) < 1.0, "{metric:?}");
        }
    }
}
