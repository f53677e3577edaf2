//! What is pasted besides plain strings: statements of articles, which are answered, and command lines or source code
//! around a string, which is taken out of them.

use std::sync::LazyLock;

use regex::Regex;

/// A statement that people find in articles.
#[derive(Debug)]
pub struct Article {
    /// What recognises it, in lower case.
    pub pattern: &'static str,
    /// Whether it is right.
    pub right: bool,
    /// What is true.
    pub truth: &'static str,
    /// What to write or do instead.
    pub instead: Option<&'static str>,
}

/// Every row.
pub const ROWS: &[Article] = &[
    Article {
        pattern: r#"mallctl\w*\s*\(\s*"opt\."#,
        right: false,
        truth: "opt.* can only be read: a write gives EPERM. Options are set at start",
        instead: Some("set the option without 'opt.' in MALLOC_CONF or in the variable malloc_conf"),
    },
    Article {
        pattern: r#"mallctl\w*\s*\(\s*"prof\.recent_alloc_max"#,
        right: false,
        truth: "there is no such name",
        instead: Some(
            "mallctl(\"experimental.prof_recent.alloc_max\", ...), or prof_recent_alloc_max:N in MALLOC_CONF",
        ),
    },
    Article {
        pattern: r"\bmuzzy\b.*\bdefault|\bdefault.*\bmuzzy\b",
        right: false,
        truth: "muzzy_decay_ms is 0 by default since 5.2.0 (10 s was the default of 5.0 and 5.1); dirty_decay_ms is \
                10000, that is 10 s",
        instead: None,
    },
    Article {
        pattern: r"configure\b.*--with-jemalloc",
        right: false,
        truth: "PostgreSQL's configure has no such option; it links the C library's malloc",
        instead: Some("start it with LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
    },
    Article {
        pattern: r"jemalloc-bg-thread\s+(yes|no)",
        right: true,
        truth: "an option of redis-server itself: it turns jemalloc's background threads on or off while it runs \
                (mallctl background_thread)",
        instead: None,
    },
    Article {
        pattern: r"ld_preload.*\b(go|golang)\b|\b(go|golang)\b.*ld_preload",
        right: false,
        truth: "a pure Go program does not call malloc, so LD_PRELOAD has no effect on it; only what it calls through \
                cgo is served",
        instead: Some("Go's own profiler (runtime/pprof) for Go's heap"),
    },
    Article {
        pattern: r"per-arena decay",
        right: false,
        truth: "that exists since 5.0",
        instead: Some("mallctl(\"arena.<i>.dirty_decay_ms\", ...) and arena.<i>.muzzy_decay_ms"),
    },
    Article {
        pattern: r#"(export_name\s*=\s*"|\bstatic\s+)malloc_conf\b"#,
        right: false,
        truth: "the crate tikv-jemallocator reads a variable of this name only with its feature \
                unprefixed_malloc_on_supported_platforms; without it the name is _rjem_malloc_conf (and \
                _RJEM_MALLOC_CONF in the environment). The allocator jeprof-rs comes with reads malloc_conf",
        instead: Some("#[export_name = \"_rjem_malloc_conf\"], or the feature"),
    },
];

/// The rows that `text` holds.
pub fn found(text: &str) -> Vec<&'static Article> {
    static PATTERNS: LazyLock<Vec<(Regex, &Article)>> = LazyLock::new(|| {
        // A row whose pattern is broken is caught by the test below.
        ROWS.iter().filter_map(|row| Some((Regex::new(row.pattern).ok()?, row))).collect()
    });
    let text = text.to_lowercase().replace('\n', " ");
    PATTERNS.iter().filter(|(pattern, _)| pattern.is_match(&text)).map(|(_, row)| *row).collect()
}

/// The string inside of `MALLOC_CONF=...` on a command line, or of a literal that is given to `malloc_conf`.
pub fn string_within(text: &str) -> Option<&str> {
    static WITHIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?s)MALLOC_CONF=(?:"([^"]*)"|'([^']*)'|([^\s"']*))|malloc_conf\b[^"]*?=[^"]*?b?"([^"\\]*)|malloc_conf"\)?\]?.*?=\s*b?&?\w*"([^"\\]*)"#,
        )
        .ok()
    });
    let captures = WITHIN.as_ref()?.captures(text)?;
    captures.iter().skip(1).flatten().next().map(|inner| inner.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_a_regular_expression() {
        for row in ROWS {
            assert!(Regex::new(row.pattern).is_ok(), "{}", row.pattern);
            assert!(!row.truth.ends_with('.'));
        }
    }

    #[test]
    fn statements_are_recognised_and_plain_strings_are_none() {
        for (text, word) in [
            ("mallctl(\"opt.narenas\", NULL, NULL, &n, sizeof(n))", "EPERM"),
            ("mallctl(\"prof.recent_alloc_max\", ...)", "no such name"),
            ("muzzy decay default 10 s", "5.2.0"),
            ("./configure --with-jemalloc", "PostgreSQL"),
            ("redis-server --jemalloc-bg-thread yes", "redis-server itself"),
            ("LD_PRELOAD=libjemalloc.so ./my-go-service   # pure Go binary", "cgo"),
            ("per-arena decay Meta is building", "5.0"),
            ("#[export_name = \"malloc_conf\"]", "_rjem_malloc_conf"),
        ] {
            let rows = found(text);
            assert!(rows.iter().any(|row| row.truth.contains(word)), "{text}: {rows:?}");
        }
        assert!(found("prof:true,muzzy_decay_ms:0,thp:default").is_empty());
        assert!(found("#[export_name = \"_rjem_malloc_conf\"]").is_empty());
    }

    #[test]
    fn a_string_is_found_within_commands_and_source_code() {
        for text in [
            "MALLOC_CONF=prof:true,tcache:false ./svc --x",
            "export MALLOC_CONF=\"prof:true,tcache:false\"",
            "_RJEM_MALLOC_CONF='prof:true,tcache:false'",
            "ENV MALLOC_CONF=prof:true,tcache:false",
            "const char *malloc_conf = \"prof:true,tcache:false\";",
            "pub static malloc_conf: &[u8] = b\"prof:true,tcache:false\\0\";",
            "#[unsafe(export_name = \"malloc_conf\")]\npub static CONF: &[u8] = b\"prof:true,tcache:false\\0\";",
            "#[export_name = \"_rjem_malloc_conf\"]\nstatic X: &[u8; 9] = b\"prof:true,tcache:false\\0\";",
        ] {
            assert_eq!(string_within(text), Some("prof:true,tcache:false"), "{text}");
        }
        assert_eq!(string_within("prof:true"), None);
    }
}
