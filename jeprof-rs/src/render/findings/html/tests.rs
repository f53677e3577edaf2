//! The page is XML whatever names are in it, each text is found in it as it was, and nothing in it is fetched or runs.

use roxmltree::{Document, Node, ParsingOptions};

use super::*;
use crate::check::finding::{Kind, Measured, Where};
use crate::check::stacks;
use crate::render::findings::xml::legal;

/// What breaks markup, and what functions are called.
const PIECES: [&str; 24] = [
    "<",
    ">",
    "&",
    "\"",
    "'",
    "]]>",
    "<!--",
    "-->",
    "</script><img src=x onerror=alert(1)>",
    "</td></tr>",
    "&amp;",
    "&lt;",
    "operator<<",
    "std::map<std::string, std::vector<int> >::operator[](std::string const&)",
    "{lambda(auto&&)#1}",
    "<svc::Cache as core::ops::Drop>::drop",
    "\u{1}",
    "\u{7f}",
    "\u{ffff}",
    "\u{202e}",
    "名前",
    " ",
    ";",
    "a",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// Not blank, as names are not.
    fn name(&mut self) -> String {
        let pieces: String = (0..1 + self.below(4)).map(|_| PIECES[self.below(PIECES.len())]).collect();
        format!("{pieces}x")
    }

    fn measured(&mut self) -> Measured {
        let value = self.below(1 << 30) as f64 - self.below(1 << 20) as f64;
        match self.below(3) {
            0 => Measured { value, low: value, high: value, samples: None },
            1 => Measured { value, low: f64::NEG_INFINITY, high: f64::INFINITY, samples: None },
            _ => Measured {
                value,
                low: value - self.below(1 << 22) as f64,
                high: 1.5 * value.abs(),
                samples: None,
            },
        }
    }

    fn place(&mut self) -> Where {
        let frame = |random: &mut Random| stacks::Shown {
            function: random.name(),
            is_named: true,
            file: if random.below(3) == 0 { String::new() } else { random.name() },
            line: random.below(3) as u32,
            module: random.name(),
            build_id: String::new(),
            inlined: random.below(2) == 0,
        };
        let frames: Vec<stacks::Shown> = (0..1 + self.below(5)).map(|_| frame(self)).collect();
        let own = 0..self.below(frames.len() + 1);
        Where { stack: 0, key: "k1:0123456789abcdef".into(), texts: Vec::new(), frames, own }
    }

    fn finding(&mut self) -> Finding {
        const UNITS: [&str; 4] = ["bytes", "objects", "bytes/min", "bytes/iteration"];
        let some = |random: &mut Random| random.below(2) == 0;
        Finding {
            kind: crate::check::finding::KINDS[self.below(8)].0,
            verdict: [Verdict::Fail, Verdict::Unsure, Verdict::Pass][self.below(3)],
            subject: self.name(),
            figure: self.measured(),
            unit: UNITS[self.below(4)],
            sides: some(self).then(|| (self.measured(), self.measured())),
            objects: some(self).then(|| self.below(1000) as f64),
            limit: some(self).then(|| self.below(1 << 24) as f64),
            q: some(self).then_some(0.01),
            place: some(self).then(|| self.place()),
            by_pattern: some(self),
            owner: some(self).then(|| self.name()),
            notes: (0..self.below(3)).map(|_| self.name()).collect(),
        }
    }

    fn findings(&mut self) -> Findings {
        Findings {
            all: (0..self.below(6)).map(|_| self.finding()).collect(),
            totals: vec![self.measured()],
            stacks: self.below(9999),
            reachable: (self.below(2) == 0).then_some((1, 64.0, 2.0)),
            suppressed: (0..self.below(3))
                .map(|_| Suppressed {
                    template: self.name(),
                    origin: self.name(),
                    why: Some(self.name()),
                    stacks: 1,
                    bytes: 100.0,
                    objects: 1.0,
                })
                .collect(),
            unused_rules: (0..self.below(2)).map(|_| self.name()).collect(),
            noise: self.below(3),
            confidence: 0.95,
            period: [1, 512][self.below(2)],
            notes: (0..self.below(2)).map(|_| self.name()).collect(),
            ..Findings::default()
        }
    }
}

fn page<'a>(command: &'a str, program: &'a str, findings: &'a Findings) -> Page<'a> {
    Page {
        command,
        program,
        build_id: "ab12".into(),
        command_line: "jeprof-rs leaks 'a b.heap'",
        dumps: vec!["a b.heap".into()],
        base: Vec::new(),
        warnings: Vec::new(),
        findings,
        status: 1,
        rows_max: 100,
        flame: None,
    }
}

fn parsed(html: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(html, options).unwrap_or_else(|error| panic!("{error}\n{html}"))
}

/// Texts of elements, each as a reader sees it.
fn texts(tree: &Document<'_>) -> Vec<String> {
    let text = |node: Node<'_, '_>| {
        node.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect::<String>()
    };
    tree.descendants().filter(|node| node.is_element()).map(text).collect()
}

/// What a finding has that has to be on the page.
fn words_of(finding: &Finding) -> Vec<String> {
    let mut words = vec![finding.subject.clone()];
    words.extend(finding.notes.iter().cloned());
    words.extend(finding.owner.clone());
    if let Some(place) = &finding.place {
        for frame in &place.frames {
            words.push(frame.function.clone());
            words.push(match (frame.file.as_str(), frame.line) {
                ("", _) => frame.module.clone(),
                (file, 0) => file.into(),
                (file, line) => format!("{file}:{line}"),
            });
        }
    }
    words
}

/// Elements, attributes and their values that fetch or run something.
fn check_is_still(tree: &Document<'_>) {
    for node in tree.descendants().filter(|node| node.is_element()) {
        let name = node.tag_name().name();
        let known = [
            "html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer", "div",
            "p", "h1", "h2", "code", "span", "table", "thead", "tbody", "tr", "th", "td", "details",
            "summary", "ol", "ul", "li", "dl", "dt", "dd", "svg", "g", "rect", "path", "text",
        ];
        assert!(known.contains(&name), "<{name}>");
        for attribute in node.attributes() {
            let name = attribute.name();
            assert!(
                !name.starts_with("on") && !["src", "href", "srcset", "action", "style"].contains(&name),
                "{name}"
            );
            assert!(!attribute.value().contains("url("), "{name}");
        }
    }
}

#[test]
fn any_name_is_found_as_it_was_on_a_page_that_parses() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let findings = random.findings();
        let program = random.name();
        let command = ["leaks", "diff", "check"][random.below(3)];
        let html = page(command, &program, &findings).html();
        let tree = parsed(&html);
        check_is_still(&tree);
        let texts = texts(&tree);
        let rules = findings.suppressed.iter().flat_map(|rule| [&rule.template, &rule.origin]).cloned();
        let expected = findings.all.iter().flat_map(words_of).chain(rules);
        for words in expected.chain(findings.notes.iter().cloned()).chain([program.clone()]) {
            assert!(texts.contains(&legal(&words).into_owned()), "seed {seed}: {words:?} is not in\n{html}");
        }
        let rows = tree.descendants().filter(|node| node.attribute("class") == Some("what")).count();
        assert_eq!(rows, findings.all.len(), "seed {seed}");
        assert!(!html.contains("NaN") && !html.contains("inf\""), "seed {seed}: {html}");
    }
}

#[test]
fn the_style_fetches_nothing_and_has_both_schemes() {
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains(['<', '&']));
    assert!(STYLE.contains("@media (prefers-color-scheme: dark)"));
}

#[test]
fn the_verdict_stands_first_and_says_what_was_asked() {
    let told = |command: &str, verdicts: &[Verdict]| {
        let findings = Findings {
            all: verdicts
                .iter()
                .map(|verdict| Finding { verdict: *verdict, kind: Kind::Growth, ..Random(1).finding() })
                .collect(),
            ..Findings::default()
        };
        let html = page(command, "svc", &findings).html();
        let tree = parsed(&html);
        let body = tree.descendants().find(|node| node.has_tag_name("main")).unwrap();
        let first = body.first_element_child().unwrap();
        let badge = first.first_element_child().unwrap().text().unwrap().to_string();
        (first.attribute("class").unwrap().to_string(), badge)
    };
    let pair = |class: &str, badge: &str| (class.to_string(), badge.to_string());
    assert_eq!(told("leaks", &[]), pair("pass", "NO LEAKS"));
    assert_eq!(told("leaks", &[Verdict::Fail]), pair("fail", "LEAKS"));
    assert_eq!(told("diff", &[Verdict::Pass, Verdict::Fail]), pair("fail", "GREW"));
    assert_eq!(told("diff", &[Verdict::Pass]), pair("pass", "DID NOT GROW"));
    assert_eq!(told("check", &[Verdict::Pass, Verdict::Unsure]), pair("unsure", "UNSURE"));
    assert_eq!(told("check", &[Verdict::Pass]), pair("pass", "PASS"));
}

#[test]
fn rows_beyond_the_number_asked_for_are_counted() {
    let finding = |index: u64| Finding { verdict: Verdict::Fail, ..Random(index).finding() };
    let findings = Findings { all: (0..9).map(finding).collect(), ..Findings::default() };
    let html = Page { rows_max: 7, ..page("leaks", "svc", &findings) }.html();
    let tree = parsed(&html);
    assert_eq!(tree.descendants().filter(|node| node.attribute("class") == Some("what")).count(), 7);
    assert!(html.contains("2 more rows not shown"), "{html}");
}
