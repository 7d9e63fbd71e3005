//! The table that `make bench` prints, and the raw rows below it.

/// One figure.
pub struct Row {
    what: String,
    unit: &'static str,
    values: Vec<f64>,
    asked: Option<(&'static str, f64)>,
    peer: Option<(String, Vec<f64>, Option<f64>)>,
}

impl Row {
    pub fn new(what: &str, unit: &'static str, values: Vec<f64>) -> Self {
        Self { what: what.into(), unit, values, asked: None, peer: None }
    }

    pub fn at_least(mut self, figure: f64) -> Self {
        self.asked = Some(("≥", figure));
        self
    }

    pub fn at_most(mut self, figure: f64) -> Self {
        self.asked = Some(("≤", figure));
        self
    }

    /// A peer measured in turn with it, and the ratio asked for.
    pub fn beside(mut self, name: &str, values: Vec<f64>, ratio: Option<f64>) -> Self {
        self.peer = Some((name.into(), values, ratio));
        self
    }

    fn cells(&self) -> [String; 5] {
        let asked = self.asked.map_or(String::new(), |(sign, figure)| format!("{sign} {}", show(figure)));
        let (peer, ratio) = self.peer.as_ref().map_or_else(Default::default, |(name, values, asked)| {
            let pairs: Vec<f64> =
                self.values.iter().zip(values).map(|(ours, theirs)| ours / theirs).collect();
            let asked = asked.map_or(String::new(), |asked| format!(" (≥ {asked})"));
            (format!("{} {}", show(median(values)), name), format!("{:.2}{asked}", median(&pairs)))
        });
        [self.what.clone(), format!("{} {}", show(median(&self.values)), self.unit), asked, peer, ratio]
    }
}

/// Rows in the order in which they were measured.
#[derive(Default)]
pub struct Table(Vec<Row>);

impl Table {
    pub fn add(&mut self, row: Row) {
        let [what, figure, ..] = row.cells();
        eprintln!("{what}: {figure}");
        self.0.push(row);
    }

    pub fn print(&self) {
        println!("| what | measured | asked | beside it | ratio |\n|---|---|---|---|---|");
        for row in &self.0 {
            println!("| {} |", row.cells().join(" | "));
        }
        println!("\nraw rows:");
        for row in &self.0 {
            println!("{} [{}]: {}", row.what, row.unit, all(&row.values));
            if let Some((name, values, _)) = &row.peer {
                println!("  {name}: {}", all(values));
            }
        }
    }
}

fn all(values: &[f64]) -> String {
    values.iter().map(|value| show(*value)).collect::<Vec<_>>().join(" ")
}

fn show(value: f64) -> String {
    if value.abs() >= 1_000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The middle value; of an even number the lower middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
