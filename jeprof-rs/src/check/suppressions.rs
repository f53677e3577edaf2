//! Suppressions in LeakSanitizer's syntax, with what ours adds in comments, so that one file serves both.
//!
//! A line `leak:TEMPLATE` each (prof-format's `suppression` has the language of templates, for the allocator, too). It is
//! tried on the module's path, the function and the source file of every frame. A comment line directly above a rule may limit it: `# jeprof-rs: max=256KiB until=2027-03-31 why="..."`.
//!
//! Source: LLVM's documentation of LeakSanitizer, and how its runtime answers.

use std::fmt;

use prof_format::suppression::{MORE, matches};

use super::date::Date;
use super::stacks::{Shown, Stack};
use crate::plan::query::value;

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What it looks for.
    pub template: String,
    /// A file and a line in it, or who else says so.
    pub origin: String,
    /// The most bytes of a stack that it suppresses.
    pub max: Option<f64>,
    /// Why it is there.
    pub why: Option<String>,
    /// A template for the function that calls the one of the first, which then has to be the innermost.
    caller: Option<&'static str>,
}

/// What is wrong in a file of suppressions.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// What libraries keep until the end of every program. Of no use where it is told what nobody points to.
const BUILTIN: &[(&str, Option<&str>, &str)] = &[
    ("libstdc++.so", Some("call_init"), "memory for exceptions when there is no other"),
    ("(anonymous namespace)::pool::pool", None, "memory for exceptions when there is no other"),
    ("__gnu_cxx::__verbose_terminate_handler", None, "the C++ library's"),
    // Not all of `_dl_`: constructors of libraries are called below `_dl_init`.
    ("^_dl_new_object", None, "the loader's tables"),
    ("^_dl_map_object", None, "the loader's tables"),
    ("^_dl_check_map_versions", None, "the loader's tables"),
    ("^_dl_allocate_tls", None, "a thread's variables"),
    ("^_dl_init_paths", None, "the loader's tables"),
    ("^_dl_exception_create", None, "the loader's messages"),
    ("^__libc_setlocale$", None, "the locale"),
    ("^setlocale$", None, "the locale"),
    ("^_nl_*", None, "the locale's"),
    ("^_IO_file_doallocate$", None, "a buffer of stdio"),
    ("^_IO_setvb$", None, "a buffer of stdio"),
    ("^__cxa_atexit$", None, "what is to be called at the end"),
    ("^__cxa_thread_atexit_impl$", None, "what is to be called at a thread's end"),
    ("^std::thread::current::*", None, "the main thread's handle"),
    ("^std::thread::Thread::new*", None, "a thread's handle"),
    ("^std::rt::init*", None, "the main thread's handle"),
    ("^std::io::stdio::*", None, "a buffer of standard output"),
];

/// Origin of rules that a program has in itself, which its dumps tell.
pub const OF_PROGRAM: &str = "__lsan_default_suppressions";

/// Origin of the rules that need no file.
const BUILT_IN: &str = "built in";

/// The rules that need no file.
pub fn builtin() -> Vec<Rule> {
    let rule = |&(template, caller, why): &(&str, Option<&'static str>, &str)| Rule {
        template: template.into(),
        origin: BUILT_IN.into(),
        max: None,
        why: Some(why.into()),
        caller,
    };
    BUILTIN.iter().map(rule).collect()
}

/// Reads a file of rules; `name` is told as their origin.
///
/// # Errors
/// A rule of another type than `leak`, without a template, or past its date; an extension that is not known or has no
/// proper value.
pub fn parse(text: &str, name: &str, today: Date) -> Result<Vec<Rule>, Mistake> {
    let mut rules = Vec::new();
    let mut limits = Limits::default();
    for (index, line) in text.lines().enumerate() {
        let at = index + 1;
        let mistake = |what: String| Mistake { line: at, what };
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            let comment = comment.trim();
            limits = match comment.as_bytes().strip_prefix(MORE) {
                Some(_) => Limits::parse(&comment[MORE.len()..]).map_err(mistake)?,
                None => Limits::default(),
            };
            continue;
        }
        let given = std::mem::take(&mut limits);
        if line.is_empty() {
            continue;
        }
        let template = match line.split_once(':') {
            Some(("leak", template)) => template,
            Some((kind, _)) => {
                return Err(mistake(format!("'{kind}' is no type of suppression here, only 'leak' is")));
            }
            None => return Err(mistake(format!("'{line}' is no rule: leak:TEMPLATE is expected"))),
        };
        if template.is_empty() {
            return Err(mistake("a rule without a template".into()));
        }
        if let Some(until) = given.until.filter(|until| *until < today) {
            return Err(mistake(format!("leak:{template}: its date has passed (until={until})")));
        }
        rules.push(Rule {
            template: template.into(),
            origin: format!("{name}:{at}"),
            max: given.max,
            why: given.why,
            caller: None,
        });
    }
    Ok(rules)
}

/// What a comment says of the rule below it.
#[derive(Default)]
struct Limits {
    max: Option<f64>,
    until: Option<Date>,
    why: Option<String>,
}

impl Limits {
    fn parse(words: &str) -> Result<Limits, String> {
        let mut limits = Limits::default();
        let mut rest = words.trim();
        while !rest.is_empty() {
            let (key, behind) = rest.split_once('=').ok_or_else(|| format!("'{rest}' is no KEY=VALUE"))?;
            let (given, behind) = match behind.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .ok_or_else(|| format!("{key}: the quotation mark is not closed"))?,
                None => behind.split_once(char::is_whitespace).unwrap_or((behind, "")),
            };
            match key {
                "max" => {
                    let bytes = value::bytes(given)
                        .ok_or_else(|| format!("max: '{given}' is no size such as 256KiB"))?;
                    limits.max = Some(bytes);
                }
                "until" => {
                    let date = Date::parse(given)
                        .ok_or_else(|| format!("until: '{given}' is no date such as 2027-03-31"))?;
                    limits.until = Some(date);
                }
                "why" => limits.why = Some(given.into()),
                _ => return Err(format!("'{key}' is none of max, until, why")),
            }
            rest = behind.trim_start();
        }
        Ok(limits)
    }
}

impl Rule {
    /// Whether somebody wrote it down for this program.
    pub fn is_of_file(&self) -> bool {
        self.origin != BUILT_IN && !self.origin.starts_with(OF_PROGRAM)
    }

    /// Whether it is meant for a stack, however large that is. `bytes` is the upper end of what the stack holds.
    pub fn suppresses(&self, stack: &Stack, bytes: f64) -> bool {
        self.max.is_none_or(|max| bytes <= max)
            && match self.caller {
                None => stack.frames.iter().any(|frame| fits_frame(&self.template, frame)),
                Some(caller) => match stack.own_frames() {
                    [leaf, next, ..] => fits_frame(&self.template, leaf) && fits(caller, &next.function),
                    _ => false,
                },
            }
    }
}

fn fits_frame(template: &str, frame: &Shown) -> bool {
    [&frame.module, &frame.function, &frame.file].into_iter().any(|text| fits(template, text))
}

fn fits(template: &str, text: &str) -> bool {
    matches(template.as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = Date { year: 2026, month: 11, day: 29 };

    #[test]
    fn rules_are_read_with_what_the_comment_above_says() {
        let text = "# a remark\n\nleak:one\r\n  # jeprof-rs: max=256KiB until=2027-03-31 why=\"upstream issue\"\n leak:^two$\nleak:three:four\n";
        let rules = parse(text, "x.supp", TODAY).unwrap();
        let told: Vec<_> =
            rules.iter().map(|rule| (rule.template.as_str(), rule.origin.as_str(), rule.max)).collect();
        assert_eq!(
            told,
            [
                ("one", "x.supp:3", None),
                ("^two$", "x.supp:5", Some(262_144.0)),
                ("three:four", "x.supp:6", None)
            ]
        );
        assert_eq!(rules[1].why.as_deref(), Some("upstream issue"));
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let told = |text: &str| parse(text, "x", TODAY).unwrap_err().to_string();
        assert_eq!(told("\nrace:x"), "line 2: 'race' is no type of suppression here, only 'leak' is");
        assert_eq!(told("leak:"), "line 1: a rule without a template");
        assert_eq!(told("hello"), "line 1: 'hello' is no rule: leak:TEMPLATE is expected");
        assert_eq!(
            told("# jeprof-rs: until=2026-11-28\nleak:f"),
            "line 2: leak:f: its date has passed (until=2026-11-28)"
        );
        assert_eq!(told("# jeprof-rs: max=many\nleak:f"), "line 1: max: 'many' is no size such as 256KiB");
        assert_eq!(told("# jeprof-rs: until=soon"), "line 1: until: 'soon' is no date such as 2027-03-31");
        assert_eq!(told("# jeprof-rs: who=me"), "line 1: 'who' is none of max, until, why");
        assert_eq!(told("# jeprof-rs: why=\"open"), "line 1: why: the quotation mark is not closed");
    }
}
