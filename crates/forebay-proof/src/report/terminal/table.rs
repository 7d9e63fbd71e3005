//! Tables in the terminal: compact columns where they fit, else a list of rows.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, Width};
use textwrap::core::display_width;

use super::page::clean;
use crate::report::units;

/// Columns narrower than this break words into syllables; then a list reads better.
const NARROWEST: usize = 8;

/// The table in lines of at most `width` columns.
pub(super) fn lines(columns: &[String], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let longest = columns.iter().chain(rows.iter().flatten()).map(|cell| display_width(cell)).max();
    if words(columns, rows).iter().map(|word| word + 2).sum::<usize>() > width + 2 {
        return list(columns, rows, width);
    }
    let natural = columns.len() * (longest.unwrap_or(0) + 2);
    if natural > width && width / columns.len().max(1) < NARROWEST {
        return list(columns, rows, width);
    }
    let drawn: Vec<String> = grid(columns, rows, width).lines().map(|line| line.trim_end().into()).collect();
    let fits = drawn.iter().all(|line| display_width(line) <= width);
    if fits { drawn } else { list(columns, rows, width) }
}

fn grid(columns: &[String], rows: &[Vec<String>], width: usize) -> Table {
    let mut table = Table::new();
    table
        .load_style(NOTHING.header_separator(LineStyle::none().fill('─').junction('─')))
        .force_no_tty()
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(columns.iter().map(|head| Cell::new(clean(head))));
    for row in rows {
        table.add_row(row.iter().map(|cell| Cell::new(clean(cell))));
    }
    let figures = units::figure_columns(columns.len(), rows);
    let last = columns.len().saturating_sub(1);
    let words = words(columns, rows);
    for (at, (column, figures)) in table.column_iter_mut().zip(figures).enumerate() {
        // So that no word is broken.
        let padding = if at == last { 0 } else { 2 };
        let least = u16::try_from(words[at] + padding).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        column.set_padding((0, if at == last { 0 } else { 2 }));
        if figures {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The width of each column's longest word.
fn words(columns: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let longest = |cell: &str| cell.split_whitespace().map(display_width).max().unwrap_or(0);
    let of = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).chain(columns.get(at));
        cells.map(|cell| longest(cell)).max().unwrap_or(0)
    };
    (0..columns.len()).map(of).collect()
}

/// Each row as its first cell, and under it the others by name.
fn list(columns: &[String], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let head = columns.get(at).map_or("", String::as_str);
            let indent = if at == 0 { "" } else { "  " };
            let options = textwrap::Options::new(width).initial_indent(indent).subsequent_indent("    ");
            let text = clean(&format!("{head}: {cell}"));
            lines.extend(textwrap::wrap(&text, options).iter().map(ToString::to_string));
        }
    }
    lines
}
