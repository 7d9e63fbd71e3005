//! A chart of one line.

/// Blocks of the one-line chart.
const SPARK: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Length of the one-line chart.
const SPARK_CELLS: usize = 24;

/// The values in one line of blocks, from zero (or the least below it) to the largest.
pub(super) fn spark(values: &[f64]) -> String {
    let top = values.iter().copied().fold(f64::MIN, f64::max);
    let floor = values.iter().copied().fold(0.0, f64::min);
    let cells = SPARK_CELLS.min(values.len());
    (0..cells)
        .map(|cell| {
            // The largest of a cell's values, so that no peak goes missing.
            let part = &values[cell * values.len() / cells..(cell + 1) * values.len() / cells];
            let peak = part.iter().copied().fold(f64::MIN, f64::max);
            let level = (peak - floor) / (top - floor) * (SPARK.len() - 1) as f64;
            SPARK[(level.round() as usize).min(SPARK.len() - 1)]
        })
        .collect()
}
