//! The answers for all allocators that were asked about, and their two forms: text and JSON.

use std::fmt::Write;

use super::articles::Article;
use super::check::{Checked, Finding, Level};
use super::element::elements;
use super::target::{Target, names};
use crate::terminal::{Screen, folded, harmless, paint, style};

/// Everything there is to say.
pub struct Answer<'a> {
    /// The string that was checked; none if the text holds none.
    pub string: Option<&'a str>,
    /// What it was found in, if not given plainly.
    pub found_within: bool,
    /// Statements that were recognised.
    pub articles: Vec<&'static Article>,
    /// One for each allocator.
    pub checked: Vec<Checked>,
}

/// Allocators that say the same, and what.
type Same<'a, T> = Vec<(Vec<Target>, &'a T)>;

/// Where the sentences about an element begin.
const INDENT: usize = 7;

const PROFILER: &str = "\
jemalloc knows prof options only if it was configured with --enable-prof (Debian's is; the crate tikv-jemallocator
needs its feature profiling, and reads _RJEM_MALLOC_CONF unless it is built unprefixed).";

impl Answer<'_> {
    /// Whether nothing is refused, not read, without effect, or untrue.
    pub fn is_good(&self) -> bool {
        self.checked.iter().all(Checked::is_good) && self.articles.iter().all(|article| article.right)
    }

    /// Elements of the string, and what is said of each. All allocators cut at the same commas.
    fn elements(&self) -> impl Iterator<Item = (&str, usize, Same<'_, Finding>)> {
        let cut = self.string.map_or(Vec::new(), |string| elements(string, Target::Ours));
        cut.into_iter().enumerate().map(|(index, element)| {
            (element.text, element.offset, grouped(&self.checked, |checked| &checked.findings[index]))
        })
    }

    fn corrected(&self) -> Same<'_, String> {
        grouped(&self.checked, |checked| &checked.corrected)
    }

    /// For people.
    pub fn text(&self, screen: Screen) -> String {
        let mut out = String::new();
        let level = |word: &str| {
            let style = match word {
                "ok" | "right" => style::GOOD,
                "wrong" => style::BAD,
                _ => style::DOUBTFUL,
            };
            paint(&format!("{word:<INDENT$}"), style, screen)
        };
        let sentence =
            |text: &str| format!("{:INDENT$}{}\n", "", folded(&harmless(text, screen), INDENT, screen));
        let instead = |text: &str| {
            format!("{:INDENT$}instead: {}\n", "", paint(&harmless(text, screen), style::NAME, screen))
        };
        // Writing to a String cannot fail.
        for article in &self.articles {
            let _ = writeln!(out, "{}", level(if article.right { "right" } else { "wrong" }).trim_end());
            out.push_str(&sentence(article.truth));
            if let Some(text) = article.instead {
                out.push_str(&instead(text));
            }
        }
        if self.string == Some("") {
            let _ = writeln!(out, "{}nothing is set: every option has its default", level("ok"));
        }
        if self.found_within
            && let Some(string) = self.string
        {
            let _ = writeln!(out, "the string within: {}", harmless(string, screen));
        }
        for (element, _, said) in self.elements() {
            let differs = said.iter().any(|(_, finding)| finding.level != said[0].1.level);
            let word = if differs { "differ" } else { said[0].1.level.name() };
            let element_shown = paint(&harmless(element, screen), style::NAME, screen);
            let _ = writeln!(out, "{}{element_shown}", level(word));
            for (targets, finding) in &said {
                let whom = if said.len() == 1 { String::new() } else { format!("{}: ", names(targets)) };
                let whom = if differs { format!("{whom}{}: ", finding.level.name()) } else { whom };
                for (at, line) in finding.text.iter().enumerate() {
                    out.push_str(&sentence(&format!("{}{line}", if at == 0 { &whom } else { "" })));
                }
                if let Some(says) = &finding.says {
                    out.push_str(&sentence(&format!("its message is '{says}'")));
                }
                let meant = finding.instead.join(",");
                if finding.level != Level::Ok && !meant.is_empty() && meant != element {
                    out.push_str(&instead(&meant));
                }
            }
        }
        if self.sets_profiler_of_jemalloc() {
            let text = match screen.width {
                Some(_) => folded(&PROFILER.replace('\n', " "), 0, screen),
                None => PROFILER.into(),
            };
            let _ = writeln!(out, "\n{text}");
        }
        if !self.checked.iter().all(Checked::is_good) {
            let corrected = self.corrected();
            for (targets, string) in &corrected {
                let whom =
                    if corrected.len() == 1 { String::new() } else { format!(" for {}", names(targets)) };
                match string.as_str() {
                    "" => {
                        let _ = writeln!(out, "\ncorrected{whom}: nothing is left");
                    }
                    string => {
                        // Never folded: it is there to be copied.
                        let string = paint(&harmless(string, screen), style::NAME, screen);
                        let _ = writeln!(out, "\ncorrected{whom}:\n{string}");
                    }
                }
            }
        }
        out
    }

    fn sets_profiler_of_jemalloc(&self) -> bool {
        let of_profiler = |checked: &Checked| {
            checked.target.is_jemalloc()
                && checked
                    .findings
                    .iter()
                    .flat_map(|finding| &finding.instead)
                    .any(|pair| pair.contains("prof"))
        };
        self.checked.iter().any(of_profiler)
    }

    /// For programs: one object, documented in `docs/conf.md`.
    pub fn json(&self) -> String {
        let list = |items: Vec<String>| format!("[{}]", items.join(","));
        let targets = |of: &[Target]| list(of.iter().map(|target| quoted(target.name())).collect());
        let optional = |text: Option<&str>| text.map_or("null".into(), quoted);
        let articles = self.articles.iter().map(|article| {
            let (truth, instead) = (quoted(article.truth), optional(article.instead));
            format!("{{\"right\":{},\"truth\":{truth},\"instead\":{instead}}}", article.right)
        });
        let elements = self.elements().map(|(text, offset, said)| {
            let said = said.iter().map(|(of, finding)| {
                format!(
                    "{{\"targets\":{},\"level\":{},\"message\":{},\"text\":{},\"instead\":{}}}",
                    targets(of),
                    quoted(finding.level.name()),
                    optional(finding.says.as_deref()),
                    list(finding.text.iter().map(|line| quoted(line)).collect()),
                    list(finding.instead.iter().map(|pair| quoted(pair)).collect()),
                )
            });
            format!(
                "{{\"element\":{},\"offset\":{offset},\"findings\":{}}}",
                quoted(text),
                list(said.collect())
            )
        });
        let corrected = self.corrected().into_iter();
        let corrected = corrected
            .map(|(of, string)| format!("{{\"targets\":{},\"string\":{}}}", targets(&of), quoted(string)));
        format!(
            "{{\"ok\":{},\"string\":{},\"statements\":{},\"elements\":{},\"corrected\":{}}}\n",
            self.is_good(),
            optional(self.string),
            list(articles.collect()),
            list(elements.collect()),
            list(corrected.collect()),
        )
    }
}

fn grouped<'a, T: PartialEq>(checked: &'a [Checked], of: impl Fn(&'a Checked) -> &'a T) -> Same<'a, T> {
    let mut same: Same<'a, T> = Vec::new();
    for one in checked {
        match same.iter_mut().find(|(_, known)| **known == *of(one)) {
            Some((targets, _)) => targets.push(one.target),
            None => same.push((vec![one.target], of(one))),
        }
    }
    same
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::check::check;

    fn answer(string: &str) -> Answer<'_> {
        let checked = Target::ALL.iter().map(|target| check(string, *target)).collect();
        Answer { string: Some(string), found_within: false, articles: Vec::new(), checked }
    }

    #[test]
    fn allocators_that_differ_are_told_apart_and_the_corrected_strings_stand_on_lines_of_their_own() {
        assert_eq!(
            answer("tcache:false,bin_shards:1-64:2").text(Screen::default()),
            "\
ok     tcache:false
       threads do not cache: every call takes a lock
differ bin_shards:1-64:2
       jemalloc: ok: bins per size class in each arena: 1-64:2 (FROM-TO bytes:N bins)
       jeprof-rs: wrong: an option of jemalloc that the allocator of jeprof-rs does not have
       its message is 'Invalid conf pair: bin_shards:1-64:2'

corrected for jemalloc:
tcache:false,bin_shards:1-64:2

corrected for jeprof-rs:
tcache:false
"
        );
    }

    #[test]
    fn a_terminal_has_colours_and_folded_sentences() {
        let screen = Screen { width: Some(50), color: true };
        let text = answer("tcache:ture").text(screen);
        let head = "\u{1b}[1;31mwrong  \u{1b}[0m\u{1b}[1mtcache:ture\u{1b}[0m\n";
        assert!(text.starts_with(head), "{text:?}");
        assert!(text.contains("       instead: \u{1b}[1mtcache:true\u{1b}[0m\n"), "{text:?}");
        let plain = answer("stats_print_opts:J").text(Screen { color: false, ..screen });
        assert!(plain.lines().all(|line| line.chars().count() <= 50), "{plain}");
        assert_eq!(
            plain.split_whitespace().collect::<Vec<_>>(),
            answer("stats_print_opts:J").text(Screen::default()).split_whitespace().collect::<Vec<_>>()
        );
    }

    #[test]
    fn json_holds_the_same() {
        let json = answer("tcache:\"x\"").json();
        assert!(
            json.starts_with(
                "{\"ok\":false,\"string\":\"tcache:\\\"x\\\"\",\"statements\":[],\"elements\":[{\"element\":"
            ),
            "{json}"
        );
        assert!(json.contains("\"targets\":[\"jemalloc-5.3.0\",\"jemalloc-5.3.1\",\"jeprof-rs\"]"), "{json}");
        assert_eq!(quoted("a\u{1}\n\"\\"), "\"a\\u0001\\n\\\"\\\\\"");
    }
}
