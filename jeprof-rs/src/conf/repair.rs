//! What was probably meant: pairs that the allocator takes in place of those that it does not.

use super::mistakes::{self, Instead};
use super::option::{Row, Says};
use super::readable::Unit;
use super::settings::{option, options};
use super::target::Target;
use super::value::{self, Kind, Value};

/// Whether an ordinary build of the allocator knows the option.
pub fn is_ordinary(row: &Row) -> bool {
    row.build.is_none_or(|build| build == super::jemalloc::PROF)
}

/// Pairs in place of an element that is no pair, or whose pair is refused.
///
/// Semicolons and blanks are taken for commas, `=` for a colon, quotes are dropped.
pub fn element(text: &str, target: Target) -> Vec<String> {
    let pieces = text.split([';', ' ', '\t', '\n']).map(|piece| piece.trim_matches(['"', '\'', '`']));
    let mut pairs: Vec<String> = Vec::new();
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        let (key, value) = match piece.split_once([':', '=']) {
            Some((key, value)) => (key, value.trim_matches(['"', '\'', '`'])),
            // 'prof' means that it is to be on.
            None => (piece, "true"),
        };
        // 'prof_prefix: /tmp/x' and the like: the value stands behind a blank.
        if !piece.contains([':', '='])
            && let Some(last) = pairs.last_mut().filter(|last| last.ends_with(':'))
        {
            last.push_str(piece);
            continue;
        }
        pairs.push(format!("{key}:{value}"));
    }
    pairs
        .iter()
        .filter_map(|text| text.split_once(':').and_then(|(key, value)| pair(key, value, target)))
        .collect()
}

/// A pair in place of one that is refused; none where there is no way to tell.
pub fn pair(key: &str, value: &str, target: Target) -> Option<String> {
    let value = value.trim();
    let plain = key.trim().to_ascii_lowercase().replace('-', "_");
    let row = |name: &str| option(name, target).filter(|row| is_ordinary(row));
    if let Some(row) = row(key).or_else(|| row(&plain)) {
        return with_value(row, value, target);
    }
    if let Some((mistake, rest)) = mistakes::find(key).or_else(|| mistakes::find(&plain)) {
        return match mistake.instead {
            Instead::Nothing => None,
            Instead::Key(key) => with_value(row(key)?, value, target),
            Instead::Rest => with_value(row(rest)?, value, target),
            Instead::Times(key, factor) => {
                let number = value::integer(value)?;
                let number = if number > 0 { number.checked_mul(factor)? } else { number };
                with_value(row(key)?, &number.to_string(), target)
            }
            Instead::Pair(pair) => row(pair.split_once(':')?.0).map(|_| pair.into()),
        };
    }
    with_value(row(resembling(&plain, target)?)?, value, target)
}

/// The word that was probably meant, of some: the only one that is nearest, if it is near.
pub fn resembling_word<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let near = match text.len() {
        0..3 => 0,
        3..6 => 1,
        _ => 2,
    };
    let text = text.to_ascii_lowercase();
    let mut close: Vec<(usize, &str)> = words
        .filter(|word| word.len().abs_diff(text.len()) <= near)
        .map(|word| (strsim::damerau_levenshtein(&text, word), word))
        .filter(|(distance, _)| *distance <= near)
        .collect();
    close.sort_unstable();
    match close.as_slice() {
        [(_, word)] => Some(word),
        [(first, word), (second, _), ..] if first < second => Some(word),
        _ => None,
    }
}

/// The one option of any allocator whose name is nearest, if it is near and the target has it; else the one that the
/// key is the beginning or the end of (`dirty_decay`, `prof_sample`).
pub fn resembling(key: &str, target: Target) -> Option<&'static str> {
    let near = match key.len() {
        0..4 => 0,
        4..6 => 1,
        6..12 => 2,
        _ => 3,
    };
    let key = key.to_ascii_lowercase();
    let all = Target::ALL.iter().flat_map(|target| options(*target)).map(|row| row.name);
    let nearest = all
        // Names of another length are further away than that; this spares nearly all the work.
        .filter(|name| name.len().abs_diff(key.len()) <= near)
        .map(|name| (strsim::damerau_levenshtein(&key, name), name))
        .filter(|(distance, _)| *distance <= near)
        .min();
    match nearest {
        Some((_, name)) => option(name, target).map(|row| row.name),
        None => longer(&key, target),
    }
}

/// The only option of the target that has the key as its first or last words.
fn longer(key: &str, target: Target) -> Option<&'static str> {
    let is_longer = |name: &&str| {
        let rest = name.strip_prefix(key).filter(|rest| rest.starts_with('_'));
        rest.or_else(|| name.strip_suffix(key).filter(|rest| rest.ends_with('_'))).is_some()
    };
    let mut found = options(target).filter(|row| is_ordinary(row)).map(|row| row.name).filter(is_longer);
    found.next().filter(|_| found.next().is_none())
}

fn with_value(row: &Row, value: &str, target: Target) -> Option<String> {
    let value =
        if misread_power(row, value, target) || value::read(row.name, row.kind, value, target).is_err() {
            repaired(row, value)?
        } else {
            value.into()
        };
    value::read(row.name, row.kind, &value, target).ok()?;
    Some(format!("{}:{value}", row.name))
}

/// Whether a number of bytes was given where its power of two belongs, and would be moved into the range in silence.
pub fn misread_power(row: &Row, value: &str, target: Target) -> bool {
    matches!(row.says, Says::Amount(Unit::LgBytes, ..))
        && value::integer(value).is_some_and(|number| number >= 1024)
        && value::read(row.name, row.kind, value, target).is_ok()
}

fn repaired(row: &Row, value: &str) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    match row.kind {
        Kind::Bool => match lower.as_str() {
            "true" | "1" | "yes" | "on" | "y" | "t" | "enable" | "enabled" => Some("true".into()),
            "false" | "0" | "no" | "off" | "n" | "f" | "disable" | "disabled" => Some("false".into()),
            _ => resembling_word(&lower, ["true", "false"].into_iter()).map(String::from),
        },
        Kind::Words { words, .. } => {
            let on = ["true", "1", "yes", "on"].contains(&lower.as_str());
            let off = ["false", "0", "no", "off", "none"].contains(&lower.as_str());
            let meant = |word: &&str| {
                *word == lower
                    || (on && ["true", "always"].contains(word))
                    || (off && ["false", "never", "disabled"].contains(word))
            };
            let one_that_begins = || {
                let mut found = words.split('|').filter(|word| !lower.is_empty() && word.starts_with(&lower));
                found.next().filter(|_| found.next().is_none())
            };
            let alike = || resembling_word(&lower, words.split('|'));
            words.split('|').find(meant).or_else(one_that_begins).or_else(alike).map(String::from)
        }
        Kind::Number { .. } if row.name == "narenas" && ["0", "auto"].contains(&lower.as_str()) => {
            Some("default".into())
        }
        Kind::Number { min, max, .. } => {
            let Says::Amount(unit, ..) = row.says else { return None };
            number(&lower, unit, min).map(|number| number.clamp(min, max).to_string())
        }
        Kind::Fraction { max, .. } => {
            let number: f64 = lower.strip_suffix('%').unwrap_or(&lower).parse().ok()?;
            let number = if lower.ends_with('%') { number / 100.0 } else { number };
            let number = number.clamp(0.0, max.map_or(65_535.0, f64::from));
            number.is_finite().then(|| number.to_string())
        }
        Kind::Ranges { .. } | Kind::Text => None,
    }
}

/// `512k`, `10 s`, `never`, a number of bytes where the power of two belongs.
fn number(text: &str, unit: Unit, min: i128) -> Option<i128> {
    let text = text.replace('_', "");
    if min == -1 && ["never", "off", "none", "disabled", "false", "inf", "infinite"].contains(&text.as_str())
    {
        return Some(-1);
    }
    if let Some(number) = value::integer(&text)
        && (unit != Unit::LgBytes || number < 1024)
    {
        return Some(number);
    }
    let behind = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (figure, suffix) = text.split_at(behind);
    let figure: f64 = figure.trim().parse().ok()?;
    let factor: f64 = match unit {
        Unit::Bytes | Unit::LgBytes => match suffix.trim_end_matches('b').trim_end_matches('i') {
            "" => 1.0,
            "k" => 1024.0,
            "m" => 1_048_576.0,
            "g" => 1_073_741_824.0,
            "t" => 1_099_511_627_776.0,
            _ => return None,
        },
        Unit::Milliseconds => match suffix {
            "ms" | "" => 1.0,
            "s" | "sec" => 1000.0,
            "m" | "min" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        },
        Unit::Count | Unit::LgCount if suffix.is_empty() => 1.0,
        Unit::Count | Unit::LgCount => return None,
    };
    let number = figure * factor;
    if !number.is_finite() || number.abs() > 1e18 {
        return None;
    }
    if unit == Unit::LgBytes { Some(number.max(1.0).log2().round() as i128) } else { Some(number as i128) }
}

/// A value in words.
pub fn explain(row: &Row, written: &str, value: &Value) -> String {
    match (row.says, value) {
        (Says::Switch(on, _), Value::Bool(true)) => on.into(),
        (Says::Switch(_, off), Value::Bool(false)) => off.into(),
        (Says::Amount(unit, text, special), Value::Number(number)) => {
            match special.iter().find(|(of, _)| of == number) {
                Some((_, text)) => (*text).into(),
                None => text.replace("{}", &unit.show(*number)),
            }
        }
        (Says::Words(says), Value::Word(word)) => match row.kind {
            Kind::Words { words, .. } => {
                let at = words.split('|').position(|other| other == *word);
                at.and_then(|at| says.get(at)).copied().unwrap_or(word).into()
            }
            _ => (*word).into(),
        },
        (_, Value::Word("default")) => "left to the allocator".into(),
        (Says::Any(_), Value::Text(text)) if text.is_empty() && row.name == "prof_prefix" => {
            "no dumps but those that the program asks for".into()
        }
        (Says::Any(text), _) if text.contains("{}") => text.replace("{}", written),
        (Says::Any(text), _) => text.trim_end_matches('.').into(),
        _ => written.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn repairs(text: &str, want: &str) {
        assert_eq!(element(text, Target::Jemalloc531).join(","), want, "{text}");
    }

    #[test]
    fn values_with_units_and_other_words_are_understood() {
        repairs("lg_prof_sample:512k", "lg_prof_sample:19");
        repairs("lg_prof_sample:524288", "lg_prof_sample:19");
        repairs("lg_prof_interval:1GiB", "lg_prof_interval:30");
        repairs("dirty_decay_ms:10s", "dirty_decay_ms:10000");
        repairs("dirty_decay_ms:never", "dirty_decay_ms:-1");
        repairs("dirty_decay_ms:-5", "dirty_decay_ms:-1");
        repairs("tcache_max:32K", "tcache_max:32768");
        repairs("prof:yes", "prof:true");
        repairs("thp:on", "thp:always");
        repairs("narenas:0", "narenas:default");
        repairs("hpa_hugification_threshold_ratio:95%", "hpa_hugification_threshold_ratio:0.95");
        repairs("tcache:maybe", "");
    }

    #[test]
    fn misspelt_words_are_understood_if_only_one_is_near() {
        for (text, word) in
            [("ture", "true"), ("flase", "false"), ("tru", "true"), ("Fasle", "false"), ("truee", "true")]
        {
            repairs(&format!("prof:{text}"), &format!("prof:{word}"));
        }
        repairs("percpu_arena:percup", "percpu_arena:percpu");
        repairs("dss:primry", "dss:primary");
        repairs("thp:neveer", "thp:never");
        for text in ["prof:x", "prof:fue"] {
            repairs(text, "");
        }
        assert_eq!(resembling_word("cat", ["bat", "hat"].into_iter()), None);
        assert_eq!(resembling_word("heapv2", ["text", "heap_v2", "pprof"].into_iter()), Some("heap_v2"));
    }

    #[test]
    fn keys_without_their_first_or_last_words_are_understood() {
        repairs("dirty_decay:5s", "dirty_decay_ms:5000");
        repairs("prof_sample:17", "lg_prof_sample:17");
        repairs("decay:1", "");
    }

    #[test]
    fn other_separators_and_quotes_are_understood() {
        repairs("prof=true", "prof:true");
        repairs("prof:true;narenas:2", "prof:true,narenas:2");
        repairs(" prof:true", "prof:true");
        repairs("\"prof:true\"", "prof:true");
        repairs("lg-prof-sample: 17", "lg_prof_sample:17");
        repairs("PROF:TRUE", "prof:true");
        repairs("prof", "prof:true");
    }

    #[test]
    fn misspelt_and_replaced_keys_are_understood() {
        repairs("lg_prof_samples:17", "lg_prof_sample:17");
        repairs("narena:4", "narenas:4");
        repairs("opt.narenas:4", "narenas:4");
        repairs("decay_time:10", "dirty_decay_ms:10000");
        repairs("prof_thread_name:true", "prof_sys_thread_name:true");
        repairs("lg_chunk:22", "");
        repairs("foo:1", "");
        repairs("utrace:true", "");
    }
}
