//! Options that need, silence or contradict each other, and values that are rarely meant: one row each.

use super::settings::Settings;
use super::target::Target;

/// One thing to say about a string that is otherwise well formed.
pub struct Rule {
    /// The option to which it is said.
    pub key: &'static str,
    /// Whom it concerns.
    pub who: Who,
    /// Whether it holds. The option is set.
    pub when: fn(&Settings) -> bool,
    /// What is said.
    pub text: &'static str,
    /// What to do about it. Anything but `Leave` makes the pair wrong: it has no effect as it stands.
    pub cure: Cure,
}

/// Whom a rule concerns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    All,
    /// jemalloc only.
    Jemalloc,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Nothing has to be done.
    Leave,
    /// Add this pair.
    Add(&'static str),
    /// Leave the pair out.
    Remove,
}

fn dumps_itself(set: &Settings) -> bool {
    set.on("prof_final") || set.on("prof_gdump") || interval(set) || from_outside(set)
}

/// Whether a dump comes by the clock or when somebody outside of the program wants one.
fn from_outside(set: &Settings) -> bool {
    set.on("prof_listen")
        || between(set, "prof_interval_ms", 1, i128::MAX)
        || set.text("prof_signal").is_some_and(|signal| signal != "none")
}

fn interval(set: &Settings) -> bool {
    set.number("lg_prof_interval").is_some_and(|lg| lg >= 0)
}

fn between(set: &Settings, key: &str, min: i128, max: i128) -> bool {
    set.number(key).is_some_and(|number| (min..=max).contains(&number))
}

fn leak(set: &Settings) -> bool {
    set.on("prof_leak") || set.on("prof_leak_error")
}

/// Whether the profiler runs.
pub fn profiling(set: &Settings) -> bool {
    set.on("prof") || leak(set)
}

/// Whether an option is the profiler's and does nothing while it is off.
pub fn needs_profiler(key: &str) -> bool {
    (key.starts_with("prof_") || key.starts_with("lg_prof_")) && !key.starts_with("prof_leak")
}

const fn note(key: &'static str, who: Who, when: fn(&Settings) -> bool, text: &'static str) -> Rule {
    Rule { key, who, when, text, cure: Cure::Leave }
}

const fn idle(
    key: &'static str,
    who: Who,
    when: fn(&Settings) -> bool,
    cure: Cure,
    text: &'static str,
) -> Rule {
    Rule { key, who, when, text, cure }
}

/// Every rule.
pub const RULES: &[Rule] = &[
    note(
        "background_thread",
        Who::Jemalloc,
        |set| {
            set.on("background_thread")
                && between(set, "dirty_decay_ms", -1, 0)
                && between(set, "muzzy_decay_ms", -1, 0)
        },
        "nothing is left for the background threads: dirty_decay_ms and muzzy_decay_ms leave no page to decay",
    ),
    note(
        "hpa",
        Who::Jemalloc,
        |set| set.on("hpa"),
        "experimental; arena 0 and arenas with extent hooks of their own do not use it",
    ),
    note(
        "junk",
        Who::Jemalloc,
        |set| set.on("zero") && set.text("junk").is_some_and(|junk| junk == "true" || junk == "alloc"),
        "new memory is not filled with junk while zero:true fills it with zeros",
    ),
    idle(
        "lg_prof_interval",
        Who::Jemalloc,
        |set| interval(set) && leak(set) && !set.on("prof"),
        Cure::Add("prof:true"),
        "prof_leak turns profiling on by itself, but then dumps by interval stay off: prof:true is needed",
    ),
    note(
        "lg_prof_interval",
        Who::All,
        |set| between(set, "lg_prof_interval", 0, 23),
        "that is often: a busy program writes very many files; 30 (1 GiB) is usual",
    ),
    note(
        "lg_prof_interval",
        Who::All,
        |set| interval(set) && set.number("lg_prof_interval") < set.number("lg_prof_sample"),
        "less than lg_prof_sample: bytes are counted at samples only, so a dump cannot come more often than these",
    ),
    note(
        "lg_prof_sample",
        Who::All,
        |set| between(set, "lg_prof_sample", 1, 12),
        "fine for a test; in production 19 (512 KiB) costs hardly anything, this costs a lot",
    ),
    note(
        "lg_prof_sample",
        Who::All,
        |set| between(set, "lg_prof_sample", 31, 63),
        "so rare that most programs get no sample at all",
    ),
    note(
        "max_background_threads",
        Who::Jemalloc,
        |set| !set.on("background_thread") && changed(set, "max_background_threads"),
        "there are none unless background_thread:true is set, here or by mallctl later",
    ),
    note(
        "muzzy_decay_ms",
        Who::All,
        |set| set.number("muzzy_decay_ms") != Some(0),
        "not the default: that is 0 since jemalloc 5.2.0, and was 10 s in 5.0 and 5.1; muzzy pages count as resident \
         until the kernel needs them",
    ),
    note(
        "narenas",
        Who::Jemalloc,
        |set| set.number("narenas").is_some_and(|n| n > 4094),
        "jemalloc reduces it to 4094",
    ),
    note(
        "narenas",
        Who::Jemalloc,
        |set| set.text("percpu_arena").is_some_and(|mode| mode != "disabled"),
        "percpu_arena gives each processor its arena, so fewer than processors are not possible and more are not used",
    ),
    idle(
        "narenas_ratio",
        Who::Jemalloc,
        |set| set.number("narenas").is_some(),
        Cure::Remove,
        "without effect: narenas sets the number itself",
    ),
    note(
        "prof",
        Who::All,
        |set| set.on("prof") && !dumps_itself(set) && !leak(set),
        "no dump is written by itself: add prof_final:true or lg_prof_interval:30, or call mallctl prof.dump",
    ),
    note(
        "prof_active",
        Who::All,
        |set| set.on("prof") && !set.on("prof_active"),
        "costs next to nothing until the program sets prof.active (mallctl); what was allocated before is not seen",
    ),
    note("prof_gdump", Who::All, |set| set.on("prof_gdump"), "a growing program writes very many files"),
    idle(
        "prof_gdump",
        Who::Jemalloc,
        |set| set.on("prof_gdump") && leak(set) && !set.on("prof"),
        Cure::Add("prof:true"),
        "prof_leak turns profiling on by itself, but then dumps at new maxima stay off: prof:true is needed",
    ),
    idle(
        "prof_leak",
        Who::Jemalloc,
        |set| set.on("prof_leak") && !set.on("prof_final"),
        Cure::Add("prof_final:true"),
        "prints nothing without prof_final:true: the summary is made with the final dump",
    ),
    idle(
        "prof_leak_error",
        Who::Jemalloc,
        |set| set.on("prof_leak_error") && !set.on("prof_final"),
        Cure::Add("prof_final:true"),
        "does nothing without prof_final:true; jemalloc prints 'prof_leak_error is set w/o prof_final.'",
    ),
    note(
        "prof_leak_error",
        Who::Jemalloc,
        |set| set.on("prof_leak_error"),
        "the program ends by _exit then: what its stdio buffers hold is lost",
    ),
    idle(
        "prof_prefix",
        Who::All,
        |set| set.text("prof_prefix").is_some_and(|prefix| prefix.is_empty()) && dumps_itself(set),
        Cure::Remove,
        "an empty prefix turns off all dumps that the profiler writes by itself",
    ),
    idle(
        "stats_interval_opts",
        Who::Jemalloc,
        |set| !between(set, "stats_interval", 0, i128::MAX) && changed(set, "stats_interval_opts"),
        Cure::Remove,
        "without effect: stats_interval is not set",
    ),
    note(
        "stats_interval",
        Who::Jemalloc,
        |set| between(set, "stats_interval", 0, (1 << 20) - 1),
        "bytes, not milliseconds: that prints all the time; 1073741824 prints once per GiB allocated",
    ),
    idle(
        "stats_print_opts",
        Who::Jemalloc,
        |set| !set.on("stats_print") && changed(set, "stats_print_opts"),
        Cure::Add("stats_print:true"),
        "without effect: stats_print is not on",
    ),
    note(
        "tcache",
        Who::Jemalloc,
        |set| {
            !set.on("tcache")
                && set.changed().any(|key| key.starts_with("tcache_") || key.starts_with("lg_tcache"))
        },
        "the other options of the thread cache have no effect then",
    ),
    note(
        "tcache_max",
        Who::Jemalloc,
        |set| between(set, "tcache_max", 0, 1023),
        "bytes, not objects: larger objects are not cached at all (the default is 32768); \
         tcache_nslots_small_max limits the number of objects",
    ),
    note(
        "tcache_nslots_small_min",
        Who::Jemalloc,
        |set| set.number("tcache_nslots_small_min") > set.number("tcache_nslots_small_max"),
        "more than tcache_nslots_small_max, which wins",
    ),
];

fn changed(set: &Settings, key: &str) -> bool {
    set.changed().any(|changed| changed == key)
}

/// What the rules say of one option of a string: text and cure.
pub fn said_of(key: &str, set: &Settings) -> Vec<(&'static str, Cure)> {
    let mut said: Vec<_> = RULES
        .iter()
        .filter(|rule| rule.key == key && (rule.who == Who::All || set.target != Target::Ours))
        .filter(|rule| (rule.when)(set))
        .map(|rule| (rule.text, rule.cure))
        .collect();
    if changed(set, key) && needs_profiler(key) && !profiling(set) {
        said.push(match set.given("prof") {
            None => (
                "without effect: profiling is off without prof:true (unless the program's own malloc_conf has it)",
                Cure::Add("prof:true"),
            ),
            Some(_) => ("without effect as long as prof:false turns profiling off", Cure::Leave),
        });
    }
    if changed(set, key) && key.starts_with("hpa_") && !set.on("hpa") {
        said.push(("without effect: the huge page allocator is off without hpa:true", Cure::Remove));
    }
    said
}
