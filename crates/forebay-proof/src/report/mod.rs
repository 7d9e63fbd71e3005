//! A run's report: what was tried, on what, and what it showed. One type, three renderers.

mod audit;
pub mod chart;
mod content;
pub mod html;
pub mod json;
pub mod junit;
pub mod load;
mod machine;
pub mod shell;
pub mod standing;
pub mod terminal;
pub mod units;
pub mod write;

pub use content::{Conflict, Machine, Report, Target, Warning};
pub use write::{Written, write_all};
