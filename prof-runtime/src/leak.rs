//! The leak summary at exit: text only.
//!
//! Sums are of unbiased estimates per object, unlike jemalloc's, which scales the average over everything. A program
//! that mixes sizes is summarised rightly here.

use prof_format::vocab::Tally;

use crate::dump::names::Text;

fn counted<'a>(text: &'a mut Text, number: u64, noun: &[u8]) -> &'a mut Text {
    text.number(number).push(b" ").push(noun).push(if number == 1 { b"" } else { b"s" })
}

/// Hands over the summary, one line at a time; nothing when nothing is live. Answers whether something is.
pub fn report(live: Tally, contexts: u64, text: &mut Text, message: fn(&[u8])) -> bool {
    if live.is_empty() {
        return false;
    }
    let objects = live.est_objs_q16.saturating_add(1 << 15) >> 16;
    text.clear().push(b"<jemalloc>: Leak approximation summary: ~");
    counted(text, live.est_bytes, b"byte").push(b", ~");
    counted(text, objects, b"object").push(b", >= ");
    counted(text, contexts, b"context").push(b"\n");
    message(text.as_bytes());
    message(b"<jemalloc>: Run jeprof on dump output for leak detail\n");
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Rows;
    use prof_format::vocab::Counts;
    use std::{string::String, sync::Mutex};

    static SAID: Mutex<String> = Mutex::new(String::new());

    fn say(line: &[u8]) {
        SAID.lock().unwrap().push_str(core::str::from_utf8(line).unwrap());
    }

    #[test]
    fn one_is_singular_several_are_plural_and_nothing_says_nothing() {
        let mut text = Rows::<Text>::zeroed(1).unwrap();
        let mut said = |objs: u64, est_objs_q16: u64, est_bytes: u64, contexts: u64| {
            let sampled = Counts { objs, bytes: est_bytes };
            let told = report(Tally { sampled, est_objs_q16, est_bytes }, contexts, &mut text[0], say);
            assert_eq!(told, objs != 0);
            core::mem::take(&mut *SAID.lock().unwrap())
        };
        let tail = "<jemalloc>: Run jeprof on dump output for leak detail\n";
        assert_eq!(said(0, 0, 0, 0), "");
        assert_eq!(
            said(3, 42 << 16, 13_193_216, 3),
            std::format!(
                "<jemalloc>: Leak approximation summary: ~13193216 bytes, ~42 objects, >= 3 contexts\n{tail}"
            )
        );
        assert_eq!(
            said(1, (1 << 16) + 1, 1, 1),
            std::format!("<jemalloc>: Leak approximation summary: ~1 byte, ~1 object, >= 1 context\n{tail}")
        );
    }
}
