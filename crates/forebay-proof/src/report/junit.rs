//! The audit as `JUnit` XML, which every CI shows: a suite a section, one for the profile's settings, a case a rule.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::audit::{self, bare};
use crate::audit::outcome::{Audit, Finding, Outcome, Setting};
use crate::audit::rule::{Fix, Section, Severity};
use crate::printable::printable;

/// The audit as the text of a `JUnit` XML file. A broken note passes, and says so in its output; what is not shown and
/// what does not apply is skipped. Characters that XML cannot hold are left out.
pub fn to_string(audit: &Audit) -> String {
    let mut report = Report::new(format!("audit of {}", audit.of));
    let settings = audit.settings.iter().map(|setting| setting_case(setting, audit.is_file));
    add(&mut report, "profile", settings.collect());
    for section in Section::ALL {
        let findings = audit.rules.iter().filter(|finding| finding.section == section);
        let cases = findings.map(|finding| rule_case(finding, audit.is_file));
        add(&mut report, section.word(), cases.collect());
    }
    // Proof: no time is written, which alone could be unfit, and the sink takes all.
    let text = report.to_string().expect("a Vec takes all");
    // quick-junit leaves out the others.
    printable(&text.replace(['\u{fffe}', '\u{ffff}'], "")).into_owned()
}

fn add(report: &mut Report, name: &str, mut cases: Vec<TestCase>) {
    if cases.is_empty() {
        return;
    }
    for case in &mut cases {
        case.set_classname(name);
    }
    let mut suite = TestSuite::new(name);
    suite.add_test_cases(cases);
    report.add_test_suite(suite);
}

fn setting_case(setting: &Setting, is_file: bool) -> TestCase {
    let found = setting.found.as_deref().unwrap_or_default();
    let read = format!("{:?} where the profile asks for {:?}", found, setting.required);
    let status = match setting.outcome {
        Outcome::Ok => TestCaseStatus::success(),
        Outcome::Broken => failure("differs", &read, &mends(&setting.fixes, is_file)),
        Outcome::NotShown | Outcome::DoesNotApply => skipped(&setting.why),
    };
    TestCase::new(&*setting.name, status)
}

fn rule_case(finding: &Finding, is_file: bool) -> TestCase {
    let must = format!("must: {}", bare(&finding.must));
    let text = [must, format!("why: {}", finding.why), mends(&finding.fixes, is_file)].join("\n");
    let status = match finding.outcome {
        Outcome::Broken if finding.severity != Severity::Note => {
            failure(finding.severity.word(), &finding.read, text.trim_end())
        }
        Outcome::Ok | Outcome::Broken => TestCaseStatus::success(),
        Outcome::NotShown | Outcome::DoesNotApply => skipped(&finding.read),
    };
    let mut case = TestCase::new(&*finding.id, status);
    if finding.is_broken() && finding.severity == Severity::Note {
        case.set_system_out(format!("note: {}\n{}", finding.read, text.trim_end()));
    }
    case
}

fn failure(kind: &str, message: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(kind).set_message(message).set_description(text);
    status
}

fn skipped(reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(reason);
    status
}

/// What mends it, a line each under the place where it goes.
fn mends(fixes: &[Fix], is_file: bool) -> String {
    let parts = audit::mends(fixes, is_file).into_iter();
    parts
        .map(|(place, lines)| format!("mend, {}:\n  {}", place.words(), lines.join("\n  ")))
        .collect::<Vec<_>>()
        .join("\n")
}
