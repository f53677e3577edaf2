//! The options as they were set, and which of them are refused here.

use core::fmt;

use prof_options::{BadValue, Element, Host, Kind, ROWS, at, elements, row};

use crate::report;

/// Longest prefix of names, `PATH_MAX` without its NUL; what is more is cut.
const PREFIX_MAX: usize = 4095;
/// Bytes of options that dumps tell; what is more is cut.
const CONF_MAX: usize = 2048;

/// Options that can not be had over an allocator that the profiler knows nothing of, each with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("prof_frag", "the allocator has no slabs to be asked about"),
    ("prof_gdump", "how much memory of the allocator is active is not known"),
    (
        "prof_interval_ms",
        "there is no thread for it; call Profiled::dump_automatic from one of the program's",
    ),
    ("prof_leak_reach", "what memory is the allocator's own is not known"),
    ("prof_listen", "there is no thread for it; call Profiled::dump upon a request"),
    ("prof_signal", "there is no thread for it; call Profiled::dump_automatic from one of the program's"),
    ("prof_stats", "the allocator has no size classes"),
];

/// Values of all options.
pub struct Options {
    values: [i64; ROWS.len()],
    prefix: Text<PREFIX_MAX>,
    conf: Text<CONF_MAX>,
    /// Whether the user was told which options there are.
    explained: bool,
}

/// Bytes up to a number of them.
struct Text<const MAX: usize> {
    bytes: [u8; MAX],
    len: usize,
}

impl<const MAX: usize> Text<MAX> {
    const EMPTY: Self = Text { bytes: [0; MAX], len: 0 };

    fn push(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(MAX - self.len);
        self.bytes[self.len..self.len + n].copy_from_slice(&bytes[..n]);
        self.len += n;
    }

    fn set(&mut self, bytes: &[u8]) {
        self.len = 0;
        self.push(bytes);
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Options {
    /// Those of the texts, of which later ones win; tells the user what could not be used. Ends the process when
    /// something could not and `abort_conf` is set. Never allocates.
    pub fn read(sources: &[(&str, &[u8])]) -> Options {
        let mut options = Options {
            values: ROWS.each_ref().map(|row| row.default),
            prefix: Text::EMPTY,
            conf: Text::EMPTY,
            explained: false,
        };
        options.prefix.set(const { row("prof_prefix").text }.as_bytes());
        // Whether to confirm must be known before the first pair is accepted.
        let all = || sources.iter().flat_map(|(_, text)| elements(text));
        all().for_each(|element| {
            if let Element::Pair(b"confirm_conf", value) = element
                && let Ok(number) = const { row("confirm_conf") }.number(value)
            {
                options.values[const { at("confirm_conf") }] = number;
            }
        });
        for (nth, (title, text)) in (1..).zip(sources) {
            if options.confirms() {
                let shown = prof_options::Show(text);
                report::message(format_args!("malloc_conf #{nth} ({title}): \"{shown}\""));
            }
            let comma: &[u8] = if options.conf.len == 0 || text.is_empty() { b"" } else { b"," };
            options.conf.push(comma);
            options.conf.push(text);
            if !prof_options::read(&mut options, text) && options.on(const { at("abort_conf") }) {
                report::fatal(format_args!("Abort (abort_conf:true) on invalid conf value (see above)."));
            }
        }
        options.settle();
        options
    }

    /// What one option means for others.
    fn settle(&mut self) {
        if self.on(const { at("prof_leak_error") }) {
            self.values[const { at("prof_leak") }] = 1;
            if !self.on(const { at("prof_final") }) {
                report::message(format_args!("prof_leak_error is set w/o prof_final."));
            }
        }
        if self.on(const { at("prof_leak") }) {
            self.values[const { at("prof") }] = 1;
        }
    }

    /// Value of a number, 0 or 1, or the position of the chosen word, by the option's place in the table.
    pub fn get(&self, at: usize) -> i64 {
        self.values[at]
    }

    /// Value of a switch.
    pub fn on(&self, at: usize) -> bool {
        self.values[at] != 0
    }

    /// Start of the names of dumps.
    pub fn prefix(&self) -> &[u8] {
        self.prefix.as_bytes()
    }

    /// The texts, with commas between them.
    pub fn conf(&self) -> &[u8] {
        self.conf.as_bytes()
    }
}

impl Host for Options {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadValue> {
        let Some(at) = ROWS.iter().position(|row| row.name.as_bytes() == key) else {
            if !core::mem::replace(&mut self.explained, true) {
                self.tell(format_args!(
                    "Profiled has the options of the profiler (prof*, lg_prof*), abort, abort_conf and confirm_conf"
                ));
            }
            return Err(BadValue::Unknown);
        };
        let row = &ROWS[at];
        let number = row.number(value)?;
        if let Some((name, why)) = REFUSED.iter().find(|(name, _)| *name == row.name)
            && number != row.default
        {
            self.tell(format_args!("{name} has no effect over this allocator: {why}"));
            return Err(BadValue::Invalid);
        }
        match row.kind {
            Kind::Text => self.prefix.set(value),
            _ => self.values[at] = number,
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        ROWS.iter().map(|row| row.name)
    }

    fn confirms(&self) -> bool {
        self.on(const { at("confirm_conf") })
    }

    fn tell(&self, text: fmt::Arguments) {
        report::message(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Options {
        let sources: Vec<(&str, &[u8])> = texts.iter().map(|text| ("a test", text.as_bytes())).collect();
        Options::read(&sources)
    }

    #[test]
    fn later_sources_win_and_dumps_tell_all_of_them() {
        let options = read(&["prof:true,lg_prof_sample:10,prof_prefix:/a", "", "lg_prof_sample:12"]);
        assert!(options.on(at("prof")) && options.on(at("prof_active")));
        assert_eq!((options.get(at("lg_prof_sample")), options.prefix()), (12, &b"/a"[..]));
        assert_eq!(options.conf(), b"prof:true,lg_prof_sample:10,prof_prefix:/a,lg_prof_sample:12");
        assert_eq!((read(&[]).prefix(), read(&[]).get(at("lg_prof_sample"))), (&b"jeprof"[..], 19));
    }

    #[test]
    fn what_is_refused_stays_at_its_default_and_keeps_nothing_else_from_being_set() {
        for (name, _) in REFUSED {
            assert!(ROWS.iter().any(|row| row.name == *name), "{name} is an option");
        }
        let options = read(&["prof_stats:true,prof_signal:SIGUSR2,narenas:4,prof_signal:none,prof:true"]);
        assert_eq!([at("prof_stats"), at("prof_signal")].map(|at| options.get(at)), [0, 0]);
        assert!(options.on(at("prof")));
    }

    #[test]
    fn a_leak_report_takes_the_profiler_and_long_texts_are_cut() {
        let options = read(&["prof_leak_error:true,prof_final:true"]);
        assert!(options.on(at("prof_leak")) && options.on(at("prof")));
        let long = format!("prof_prefix:{}", "p".repeat(5000));
        let options = read(&[&long]);
        assert_eq!((options.prefix().len(), options.conf().len()), (PREFIX_MAX, CONF_MAX));
    }
}
