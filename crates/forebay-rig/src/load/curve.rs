//! A rate in straight pieces over the time of a run.

/// A rate in straight pieces.
#[derive(Debug)]
pub(super) struct Curve {
    pub pieces: Vec<Piece>,
}

/// A stretch of time in which the rate runs in a straight line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub seconds: f64,
    from: f64,
    to: f64,
}

impl Piece {
    pub fn of(seconds: f64, from: f64, to: f64) -> Self {
        Self { seconds, from, to }
    }

    pub fn area(&self) -> f64 {
        self.seconds * f64::midpoint(self.from, self.to)
    }

    /// When the area from the piece's start is `area`.
    pub fn at(&self, area: f64) -> f64 {
        let slope = (self.to - self.from) / self.seconds;
        // This form of the root loses no digits where the slope is small.
        let root = (self.from * self.from + 2.0 * slope * area).max(0.0).sqrt();
        if area <= 0.0 { 0.0 } else { (2.0 * area / (self.from + root)).min(self.seconds) }
    }
}
