//! What the machine beneath the server should be: the audit's rules on it, as advice. Nothing of it is tried or changed here.

use super::bench::Bench;
use crate::audit::judge;
use crate::audit::look::Look;
use crate::audit::outcome::{Finding, Outcome};
use crate::audit::rule::{Fix, Section};
use crate::claim::Evidence;
use crate::target::Target;

/// Overcommit, huge pages, the queue of connections, swap, file system and disk: what was read, and what mends it.
pub(super) fn evidence(bench: &Bench<'_>) -> anyhow::Result<Evidence> {
    let on = &bench.on;
    let is_own = matches!(on.target, Target::Own(..));
    let look = Look { profile: on.profile, buffer: on.name, probe_disk: is_own, is_own };
    let address = on.target.address();
    let audit = judge::audit(&look.at(address)?, &address.to_string(), false);
    let rows = audit.rules.iter().filter(|finding| finding.section == Section::Host).map(row).collect();
    Ok(Evidence::Table {
        title: "The machine, by the rules of `forebay audit`: advice, never applied".into(),
        columns: ["must be", "read", "so?", "to do"].map(str::to_owned).into(),
        rows,
    })
}

fn row(finding: &Finding) -> Vec<String> {
    let is_so = match finding.outcome {
        Outcome::Ok => "yes",
        Outcome::Broken => "no",
        Outcome::NotShown => "not shown",
        Outcome::DoesNotApply => "does not apply",
    };
    let fixes: Vec<String> = finding.fixes.iter().map(Fix::line).collect();
    let to_do = if fixes.is_empty() { "–".into() } else { fixes.join("; ") };
    vec![finding.must.clone(), finding.read.clone(), is_so.into(), to_do]
}
