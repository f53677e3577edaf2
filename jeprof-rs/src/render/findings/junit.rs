//! JUnit's XML, which GitLab, Jenkins, Buildkite and others show beside the tests. A case for each limit and for each
//! stack that is above one; names hold keys and no figures, so that they stay from run to run.
//!
//! Source: the schema of Jenkins' xUnit plugin (`junit-10.xsd`).

use super::words::plain_line;
use super::xml::text;
use super::{Form, Shown};
use crate::check::finding::Finding;
use crate::error::Result;
use crate::inference::interval::Verdict;

/// The row of this form.
pub const FORM: Form = Form {
    name: "junit",
    about: "GitLab, Jenkins, Buildkite, GitHub's test reports: JUnit XML",
    binary: false,
    render,
};

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let findings = shown.findings;
    let count = |verdict| findings.count(verdict);
    let program = text(&shown.request.session.program_name);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n\
         <testsuite name=\"{program}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">\n",
        findings.all.len().max(1),
        count(Verdict::Fail),
        count(Verdict::Unsure),
    );
    if findings.all.is_empty() {
        // A report without a case is taken for one that is missing.
        out += &format!("<testcase classname=\"memory\" name=\"{}\"/>\n", shown.command);
    }
    for finding in &findings.all {
        out += &case(finding);
    }
    out += "</testsuite>\n</testsuites>\n";
    Ok(out.into_bytes())
}

fn case(finding: &Finding) -> String {
    let name = finding.name();
    let open = format!("<testcase classname=\"memory\" name=\"{}\"", text(&name));
    let message = text(&plain_line(finding));
    match finding.verdict {
        Verdict::Pass => format!("{open}/>\n"),
        Verdict::Unsure => format!("{open}>\n<skipped message=\"{message}\"/>\n</testcase>\n"),
        Verdict::Fail => {
            let stack = finding.place.as_ref().map_or(String::new(), |place| place.texts.join("\n"));
            format!(
                "{open}>\n<failure message=\"{message}\" type=\"{}\">{}</failure>\n</testcase>\n",
                finding.kind.word(),
                text(&stack)
            )
        }
    }
}
