//! A page for people: one file that a browser opens from disk, with nothing to fetch and nothing to run.
//!
//! The markup is XML as well, with no tag left open, so that a parser can hold it to that. Every text of a dump goes through
//! [`xml::text`].

mod bar;
mod rows;
#[cfg(test)]
mod tests;

use super::excerpt::Excerpt;
use super::words::{self, counted, sampling};
use super::xml::{self, text};
use super::{Form, Shown};
use crate::check::finding::{Finding, Findings, Suppressed, word};
use crate::error::Result;
use crate::inference::interval::Verdict;
use crate::plan::choice::Rows;
use crate::render::flame_inline::flame;
use crate::session::Taken;
use crate::units::{bytes_for_people, count_for_people};
use crate::unnamed::explain_unnamed;

/// The row of this form.
pub const FORM: Form = Form {
    name: "html",
    about: "people, in a browser: one file with nothing to fetch",
    binary: false,
    render,
};

const STYLE: &str = include_str!("page.css");

/// Nothing is fetched and nothing runs, whatever a name in a dump looks like.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Rows of a table where nobody says how many: some browsers are slow with more.
const ROWS_MAX: usize = 1000;

/// So many dumps are listed as they are; more are folded.
const DUMPS_LISTED_MAX: usize = 4;

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let request = shown.request;
    let session = request.session;
    let excerpt = Excerpt::of(shown);
    let names = |dumps: &[Taken]| dumps.iter().map(|dump| dump.name.clone()).collect();
    let program = session.profile.program.map(|image| &session.profile.images[image.index()]);
    let unnamed = explain_unnamed(&session.profile, &session.outcome, request.view);
    let page = Page {
        command: shown.command,
        program: &session.program_name,
        build_id: program.map_or(String::new(), |image| image.build_id.to_string()),
        command_line: &shown.command_line,
        dumps: names(&session.dumps),
        base: names(&session.base),
        warnings: session.warnings.iter().cloned().chain(unnamed).collect(),
        findings: shown.findings,
        status: shown.status,
        rows_max: match request.plan.rows.count {
            Rows::AtMost(rows) => rows,
            Rows::Fitting => ROWS_MAX,
            Rows::All => usize::MAX,
        },
        flame: flame(&excerpt.view(request))?,
    };
    Ok(page.html().into_bytes())
}

/// What a page says.
struct Page<'a> {
    command: &'a str,
    program: &'a str,
    /// Empty where it is not known.
    build_id: String,
    command_line: &'a str,
    dumps: Vec<String>,
    base: Vec<String>,
    warnings: Vec<String>,
    findings: &'a Findings,
    status: u8,
    rows_max: usize,
    /// The drawing of what leaks or grew, as markup.
    flame: Option<String>,
}

impl Page<'_> {
    fn html(&self) -> String {
        let title = format!("Memory of {}: {}", self.program, self.command);
        let (of_verdict, passed): (Vec<&Finding>, Vec<&Finding>) =
            self.findings.all.iter().partition(|finding| finding.verdict != Verdict::Pass);
        let sections = [
            self.head(&of_verdict),
            self.found(&of_verdict),
            self.notes(),
            self.picture(),
            self.passed(&passed),
            self.suppressed(),
            self.about(),
        ];
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n\
             <meta charset=\"utf-8\"/>\n<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"generator\" content=\"jeprof-rs {}\"/>\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
             </head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
            env!("CARGO_PKG_VERSION"),
            text(&title),
            sections.concat(),
        )
    }

    /// The verdict over everything, in a word.
    fn verdict(&self) -> (Verdict, &'static str) {
        let has = |verdict: Verdict| self.findings.count(verdict) > 0;
        let verdict = if has(Verdict::Fail) {
            Verdict::Fail
        } else if has(Verdict::Unsure) {
            Verdict::Unsure
        } else {
            Verdict::Pass
        };
        let said = match (self.command, verdict) {
            ("leaks", Verdict::Fail) => "LEAKS",
            ("leaks", Verdict::Pass) => "NO LEAKS",
            ("diff", Verdict::Fail) => "GREW",
            ("diff", Verdict::Pass) => "DID NOT GROW",
            _ => word(verdict),
        };
        (verdict, said)
    }

    fn head(&self, of_verdict: &[&Finding]) -> String {
        let findings = self.findings;
        let (verdict, said) = self.verdict();
        let lines = match self.command {
            "leaks" => {
                let leaking: Vec<&Finding> =
                    of_verdict.iter().copied().filter(|finding| finding.verdict == Verdict::Fail).collect();
                [Some(words::leaked(findings, &leaking)), words::still_reachable(findings)]
            }
            "check" => [Some(words::tally(findings)), self.total()],
            _ => [words::total_change(findings), Some(words::movements(findings))],
        };
        let lines: String =
            lines.into_iter().flatten().map(|line| format!("<p>{}</p>\n", text(&line))).collect();
        format!(
            "<header class=\"{}\">\n<p class=\"badge\">{said}</p>\n<div>\n<h1>Memory of <code>{}</code></h1>\n{lines}\
             <p class=\"dim\">{}; {}; {} looked at; exit status {}</p>\n</div>\n</header>\n",
            rows::class(verdict),
            text(self.program),
            self.command,
            text(&sampling(findings)),
            counted(findings.stacks, "stack"),
            self.status,
        )
    }

    /// What is live at the end.
    fn total(&self) -> Option<String> {
        let total = self.findings.totals.last()?;
        Some(format!("live at the end: {}", words::measured(total)))
    }

    fn found(&self, of_verdict: &[&Finding]) -> String {
        let shown = &of_verdict[..of_verdict.len().min(self.rows_max)];
        if shown.is_empty() {
            return "<section>\n<h2>Findings</h2>\n<p>None.</p>\n</section>\n".into();
        }
        let table = rows::table(self.findings, shown, of_verdict.len() - shown.len());
        let mut legend = "The bar is the estimate".to_string();
        if !self.findings.is_exact() {
            legend +=
                &format!(", the thin line the bounds that hold with {} %", self.findings.confidence * 100.0);
        }
        if rows::has_limit(shown) {
            legend += ", the dashed line what is allowed";
        }
        format!("<section>\n<h2>Findings</h2>\n{table}<p class=\"dim\">{legend}.</p>\n</section>\n")
    }

    fn notes(&self) -> String {
        let findings = self.findings;
        let notes = findings.notes.iter().cloned().chain(words::unshown(findings));
        let notes: String = notes.map(|note| format!("<li>{}</li>\n", text(&note))).collect();
        let warnings = self.warnings.iter();
        let warnings: String =
            warnings.map(|warning| format!("<li class=\"warning\">{}</li>\n", text(warning))).collect();
        if notes.is_empty() && warnings.is_empty() {
            return String::new();
        }
        format!("<section>\n<h2>Notes</h2>\n<ul>\n{notes}{warnings}</ul>\n</section>\n")
    }

    fn picture(&self) -> String {
        let Some(flame) = &self.flame else { return String::new() };
        let what = if self.command == "leaks" { "What leaks" } else { "What grew" };
        format!(
            "<section>\n<h2>{what}, by stack</h2>\n<div class=\"wide\">{}</div>\n<p class=\"dim\">The wider, the more bytes; \
             what allocated is on top. The figures show where the pointer rests.</p>\n</section>\n",
            xml::legal(flame)
        )
    }

    fn passed(&self, passed: &[&Finding]) -> String {
        let shown = &passed[..passed.len().min(self.rows_max)];
        if shown.is_empty() {
            return String::new();
        }
        let table = rows::table(self.findings, shown, passed.len() - shown.len());
        format!("<section>\n<h2>Passed</h2>\n{table}</section>\n")
    }

    fn suppressed(&self) -> String {
        let findings = self.findings;
        let mut out = String::new();
        if !findings.suppressed.is_empty() {
            let rows: String = findings.suppressed.iter().map(suppression).collect();
            out += &format!(
                "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">rule</th><th scope=\"col\">from</th>\
                 <th scope=\"col\">why</th><th scope=\"col\" class=\"number\">stacks</th>\
                 <th scope=\"col\" class=\"number\">bytes</th><th scope=\"col\" class=\"number\">blocks</th></tr></thead>\n\
                 <tbody>\n{rows}</tbody></table></div>\n"
            );
        }
        if !findings.unused_rules.is_empty() {
            let rules: String = findings
                .unused_rules
                .iter()
                .map(|rule| format!("<li><code>{}</code></li>\n", text(rule)))
                .collect();
            out += &format!("<p>Rules that left nothing out:</p>\n<ul>\n{rules}</ul>\n");
        }
        if out.is_empty() { out } else { format!("<section>\n<h2>Suppressed</h2>\n{out}</section>\n") }
    }

    /// How the page came to be.
    fn about(&self) -> String {
        let mut rows = vec![("command", format!("<code>{}</code>", text(self.command_line)))];
        if !self.build_id.is_empty() {
            rows.push(("build id", format!("<code>{}</code>", text(&self.build_id))));
        }
        rows.extend((!self.base.is_empty()).then(|| ("base", list(&self.base))));
        rows.push(("dumps", list(&self.dumps)));
        let rows: String =
            rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>\n")).collect();
        format!("<footer>\n<h2>This report</h2>\n<dl>\n{rows}</dl>\n</footer>\n")
    }
}

fn suppression(rule: &Suppressed) -> String {
    let whole = |figure: f64| count_for_people(figure.round() as i64);
    format!(
        "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
         <td class=\"number\">{}</td></tr>\n",
        text(&rule.template),
        text(&rule.origin),
        text(rule.why.as_deref().unwrap_or_default()),
        count_for_people(rule.stacks as i64),
        text(&bytes_for_people(rule.bytes)),
        whole(rule.objects),
    )
}

/// Names, folded when there are many.
fn list(names: &[String]) -> String {
    let items: String = names.iter().map(|name| format!("<li><code>{}</code></li>", text(name))).collect();
    match names {
        [one] => format!("<code>{}</code>", text(one)),
        names if names.len() <= DUMPS_LISTED_MAX => format!("<ul>{items}</ul>"),
        names => {
            format!("<details><summary>{}</summary><ul>{items}</ul></details>", counted(names.len(), "dump"))
        }
    }
}
