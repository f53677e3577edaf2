//! What `MALLOC_CONF` is for the program: what `run` needs, then what the user has set, which wins.

use crate::error::{Error, Result};
use crate::plan::query::value;

/// How allocations are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Every one.
    Exact,
    /// One in so many bytes on average, as a power of two.
    Lg(u8),
}

impl Sampling {
    /// From `exact` or a number.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str) -> std::result::Result<Sampling, String> {
        match (text, text.parse::<u8>()) {
            ("exact", _) => Ok(Sampling::Exact),
            (_, Ok(lg)) if lg < 64 => Ok(Sampling::Lg(lg)),
            _ => Err("neither 'exact' nor a power of two from 0 to 63, such as 19 for 512 KiB".into()),
        }
    }

    fn lg(self) -> u8 {
        match self {
            Sampling::Exact => 0,
            Sampling::Lg(lg) => lg,
        }
    }
}

/// A size with a unit, at least one byte.
///
/// # Errors
/// In words.
pub fn bytes(text: &str) -> std::result::Result<u64, String> {
    value::bytes(text)
        .filter(|bytes| (1.0..9e18).contains(bytes))
        .map(|bytes| bytes as u64)
        .ok_or_else(|| "not a size, such as 100MiB".into())
}

/// The signals that the allocator can dump upon, without `SIG`.
const SIGNALS: [&str; 10] = ["HUP", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "URG", "WINCH", "IO", "PWR"];

/// A signal, with or without `SIG`.
///
/// # Errors
/// In words.
pub fn signal(text: &str) -> std::result::Result<String, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    match SIGNALS.contains(&name) {
        true => Ok(format!("SIG{name}")),
        false => Err(format!("no signal that a dump can be had by; there are {}", SIGNALS.join(", "))),
    }
}

/// What was asked for.
pub struct Asked {
    /// How to sample.
    pub sampling: Sampling,
    /// Whether somebody said so.
    pub sampling_is_given: bool,
    /// Bytes between dumps.
    pub every: Option<u64>,
    /// The signal for dumps.
    pub signal: Option<String>,
    /// How names of dumps start.
    pub prefix: String,
}

/// A pair of the user's that cannot stand beside ours.
struct Conflict {
    key: &'static str,
    /// With which values.
    when: fn(&str) -> bool,
    /// Why, and what to use instead.
    why: &'static str,
}

/// What keeps the dumps from being found, or decides the exit status.
const CONFLICTS: [Conflict; 5] = [
    Conflict {
        key: "prof",
        when: |value| value == "false",
        why: "turns the profiler off, without which there is nothing to report",
    },
    Conflict {
        key: "prof_final",
        when: |value| value == "false",
        why: "turns off the dump that the report is made of",
    },
    Conflict {
        key: "prof_prefix",
        when: |_| true,
        why: "sends the dumps elsewhere: --keep DIR says where they stay",
    },
    Conflict {
        key: "prof_pid_namespace",
        when: |value| value == "true",
        why: "changes the names by which dumps are found",
    },
    Conflict {
        key: "prof_leak_error",
        when: |value| value == "true",
        why: "changes the program's exit status: that of this command tells what leaked",
    },
];

/// Asks what nobody points to any more when the program ends.
const REACH: &str = "prof_leak_reach:true,prof_dump_format:pprof,";

/// The string.
///
/// # Errors
/// The user's own string contradicts what was asked for, or the prefix cannot be written in it.
pub fn string(asked: &Asked, own: Option<&str>) -> Result<String> {
    let own = own.unwrap_or("").trim_matches(',');
    let sets =
        |name: &str| own.split(',').filter_map(|pair| pair.split_once(':')).any(|(key, _)| key == name);
    for (key, value) in own.split(',').filter_map(|pair| pair.split_once(':')) {
        if let Some(conflict) =
            CONFLICTS.iter().find(|conflict| conflict.key == key && (conflict.when)(value))
        {
            return Err(Error::at("MALLOC_CONF", format_args!("{key}:{value} {}", conflict.why)));
        }
    }
    for (option, given, key) in [
        ("--sample", asked.sampling_is_given, "lg_prof_sample"),
        ("--every", asked.every.is_some(), "lg_prof_interval"),
        ("--signal", asked.signal.is_some(), "prof_signal"),
    ] {
        if given && sets(key) {
            return Err(Error::at(
                "MALLOC_CONF",
                format_args!("{key} says otherwise than {option}: leave one of them out"),
            ));
        }
    }
    if asked.prefix.contains(',') {
        return Err(Error::at(&asked.prefix, "a comma in a folder's name cannot be written in MALLOC_CONF"));
    }
    // Which objects are lost can be found out only if all are known, and is told in pprof's format alone.
    let mut string = String::new();
    let pairs = own.split(',').filter_map(|pair| pair.split_once(':'));
    let own_rate = pairs.filter(|(key, _)| *key == "lg_prof_sample").map(|(_, rate)| rate).next_back();
    if own_rate.map_or(asked.sampling.lg() == 0, |rate| rate == "0") {
        string += REACH;
    }
    string += &format!(
        "prof:true,prof_final:true,lg_prof_sample:{},prof_prefix:{}",
        asked.sampling.lg(),
        asked.prefix
    );
    if let Some(every) = asked.every {
        string += &format!(",lg_prof_interval:{}", every.max(1).ilog2());
    }
    if let Some(signal) = &asked.signal {
        string += &format!(",prof_signal:{signal}");
    }
    if !own.is_empty() {
        string = format!("{string},{own}");
    }
    Ok(string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked {
            sampling: Sampling::Exact,
            sampling_is_given: false,
            every: None,
            signal: None,
            prefix: "/tmp/x/app".into(),
        }
    }

    const BASE: &str = "prof_leak_reach:true,prof_dump_format:pprof,prof:true,prof_final:true,lg_prof_sample:0,\
                        prof_prefix:/tmp/x/app";

    #[test]
    fn the_user_s_own_options_come_last_and_win() {
        assert_eq!(string(&asked(), None).unwrap(), BASE);
        assert_eq!(string(&asked(), Some("narenas:2")).unwrap(), format!("{BASE},narenas:2"));
        let sampled = string(&asked(), Some("lg_prof_sample:12")).unwrap();
        assert!(sampled.starts_with("prof:true,") && sampled.ends_with(",lg_prof_sample:12"), "{sampled}");
        let more = Asked { every: Some(100 << 20), signal: Some("SIGUSR2".into()), ..asked() };
        assert_eq!(string(&more, None).unwrap(), format!("{BASE},lg_prof_interval:26,prof_signal:SIGUSR2"));
    }

    #[test]
    fn contradictions_are_told_with_the_pair_that_is_wrong() {
        let error = |asked: &Asked, own: &str| string(asked, Some(own)).unwrap_err().to_string();
        assert!(error(&asked(), "narenas:1,prof_prefix:/x").starts_with("MALLOC_CONF: prof_prefix:/x sends"));
        assert!(error(&asked(), "prof:false").contains("turns the profiler off"));
        assert!(error(&asked(), "prof_final:false").contains("turns off the dump"));
        assert!(string(&asked(), Some("prof:true,prof_final:true")).is_ok());
        let given = Asked { sampling_is_given: true, ..asked() };
        assert!(error(&given, "lg_prof_sample:3").contains("--sample"));
        let odd = Asked { prefix: "/a,b/c".into(), ..asked() };
        assert!(error(&odd, "").contains("comma"));
    }

    #[test]
    fn values_of_options_are_read_or_refused_in_words() {
        assert_eq!(
            (Sampling::parse("exact"), Sampling::parse("19")),
            (Ok(Sampling::Exact), Ok(Sampling::Lg(19)))
        );
        assert!(["", "64", "-1", "often"].iter().all(|text| Sampling::parse(text).is_err()));
        assert_eq!((bytes("100MiB"), bytes("4096")), (Ok(100 << 20), Ok(4096)));
        assert!(["", "0", "MiB", "-1", "1e30"].iter().all(|text| bytes(text).is_err()));
        assert_eq!((signal("usr2"), signal("SIGHUP")), (Ok("SIGUSR2".into()), Ok("SIGHUP".into())));
        assert!(signal("KILL").unwrap_err().contains("USR1"));
    }
}
