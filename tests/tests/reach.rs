//! `prof_leak_reach`: which objects a program can still reach when it ends, on programs that lose a known number.

use std::path::Path;

use prof_format::dump::{Dump, LabelValue};
use suite::build::{Profile, preload, viewer};
use suite::fixture::{compiled, compiled_with};
use suite::heap::read;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

const CONF: &str = "prof:true,prof_final:true,lg_prof_sample:0,prof_leak_reach:true";

/// Objects and bytes with a value of the label `leak`.
fn labelled(dump: &Dump, value: &str) -> (u64, u64) {
    let has = |labels: &[prof_format::dump::Label]| {
        labels.iter().any(|label| label.key == "leak" && label.value == LabelValue::Text(value.into()))
    };
    let rows = dump.stacks.iter().filter(|row| has(&dump.label_sets[row.labels as usize]));
    let (objs, bytes) = rows.fold((0.0, 0.0), |sum, row| (sum.0 + row.live.objs, sum.1 + row.live.bytes));
    (objs as u64, bytes as u64)
}

fn about(dump: &Dump) -> &str {
    dump.about("reach").unwrap_or("")
}

/// A number of the line that tells what was found out.
#[track_caller]
fn told(dump: &Dump, name: &str) -> u64 {
    let words = about(dump).strip_prefix("done ").unwrap_or_else(|| panic!("{}", about(dump)));
    let word = words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    word.map_or(0, |number| number.parse().unwrap())
}

fn run(program: &Path, arguments: &[&str], conf: &str) -> (Outcome, Vec<Dump>) {
    let folder = Scratch::new("reach");
    let prefix = folder.file("p");
    let conf = format!("{CONF},prof_prefix:{},{conf}", prefix.display());
    let outcome = Run::new(program).preload(&preload()).args(arguments).conf(conf).outcome().ok();
    let mut files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    // By process: a child comes after its parent.
    files.sort();
    let dumps = files.iter().map(|file| read(file)).collect();
    (outcome, dumps)
}

/// Asserts how many objects a scene loses, by the labels and by the sums that the dump tells, and what else is alive at least.
#[track_caller]
fn loses_in(program: &Path, arguments: &[&str], direct: u64, indirect: u64, alive: u64) {
    let (outcome, dumps) = run(program, arguments, "prof_dump_format:pprof");
    let [dump] = &dumps[..] else { panic!("{} dumps: {outcome}", dumps.len()) };
    let [of_direct, of_indirect] = [labelled(dump, "direct"), labelled(dump, "indirect")];
    assert_eq!((of_direct.0, of_indirect.0), (direct, indirect), "{}: {outcome}", about(dump));
    assert_eq!((told(dump, "direct"), told(dump, "direct_bytes")), of_direct);
    assert_eq!((told(dump, "indirect"), told(dump, "indirect_bytes")), of_indirect);
    let objects = told(dump, "objects");
    assert!(objects >= alive + direct + indirect, "{objects}");
    // Reached ones have rows, too. Threads go on before the dump is written, and may be about to free a thing or two.
    assert!((suite::heap::total(dump).objs - objects as f64).abs() <= 3.0, "{objects}");
}

#[track_caller]
fn loses(scene: &str, direct: u64, indirect: u64, alive: u64) {
    loses_in(&compiled("reachable.c"), &[scene], direct, indirect, alive);
}

#[test]
fn what_nothing_leads_to_is_direct_and_what_it_leads_to_is_indirect() {
    loses("direct", 3, 0, 0);
    loses("chain", 1, 99_999, 0);
}

#[test]
fn of_a_circle_one_object_is_direct_unless_another_one_leads_to_it() {
    loses("cycles", 11, 20, 0);
    loses("tailed-cycles", 2, 2, 0);
}

#[test]
fn what_variables_stacks_and_mappings_lead_to_is_reached_however_far() {
    loses("global", 0, 0, 100_000);
    loses("stack", 0, 0, 1000);
    loses("own-thread-local", 0, 0, 10);
    loses("mapped", 0, 0, 200);
}

#[test]
fn addresses_inside_of_an_object_lead_to_it_and_so_does_the_end_of_a_counted_array_of_none() {
    loses("inside", 0, 0, 1);
    loses("end", 0, 0, 1);
}

/// A stack below which the program has memory of its own, of a thread that runs, of one that ended, and for signals.
#[test]
fn stacks_within_memory_of_the_program_hide_nothing_of_it() {
    loses("own-stack", 0, 0, 1200);
    loses("own-stack-ended", 0, 0, 200);
    loses("signal-stack", 0, 0, 200);
}

#[test]
fn what_was_written_and_then_sealed_counts() {
    loses("sealed", 0, 0, 200);
}

/// The process's own files tell nothing any more then; those of its threads do.
#[test]
fn a_first_thread_that_has_ended_keeps_nothing_from_being_read() {
    loses("first-thread-ends", 0, 0, 100);
}

/// As in LeakSanitizer: an address with bits put into it, and one that is not aligned, are not seen.
#[test]
fn hidden_addresses_lead_nowhere() {
    loses("hidden", 2, 0, 0);
}

#[test]
fn what_other_threads_hold_is_reached_in_their_stacks_registers_and_own_variables() {
    loses("thread-stack", 0, 0, 1000);
    loses("thread-specific", 0, 0, 2000);
    #[cfg(target_arch = "x86_64")]
    loses("registers", 0, 0, 2000);
}

#[test]
fn a_thread_that_holds_signals_back_is_not_waited_for_for_ever_and_its_stack_counts() {
    let (outcome, dumps) = run(&compiled("reachable.c"), &["blocks-signals"], "prof_dump_format:pprof");
    assert_eq!((told(&dumps[0], "running_threads"), told(&dumps[0], "direct")), (1, 0), "{outcome}");
}

/// What only the registers of such a thread hold seems to be lost.
#[test]
fn what_is_lost_beside_a_thread_that_did_not_stop_is_not_decided() {
    let folder = Scratch::new("reach-unsure");
    let conf = format!("{CONF},prof_dump_format:pprof,prof_prefix:{}", folder.file("p").display());
    let program = compiled("reachable.c");
    let leaks = |scene: &str, more: &[&str]| {
        folder.files("p.").into_iter().for_each(|file| std::fs::remove_file(file).unwrap());
        Run::new(&program).preload(&preload()).arg(scene).conf(&conf).outcome().ok();
        let tool = Run::new(viewer(Profile::own())).arg("leaks").args(more);
        tool.arg(&program).args(folder.files(".pb.gz")).outcome()
    };
    let unsure = leaks("blocks-signals-and-loses", &[]).ok();
    assert!(unsure.stdout.starts_with("no leak is certain, 2 stacks not decided"), "{unsure}");
    assert!(
        unsure.stdout.contains("lose_direct") && unsure.stdout.contains("a thread did not stop"),
        "{unsure}"
    );
    let failing = leaks("blocks-signals-and-loses", &["--undecided=fail"]);
    assert_eq!(failing.status.code(), Some(3), "{failing}");
    let certain = leaks("direct", &[]);
    assert_eq!(certain.status.code(), Some(1), "{certain}");
}

/// They hold all signals back, and nothing of the program.
#[test]
fn threads_of_the_allocator_are_not_waited_for_and_leave_nothing_open() {
    let conf = "prof_dump_format:pprof,prof_signal:SIGUSR2,prof_listen:true,background_thread:true";
    let (outcome, dumps) = run(&compiled("reachable.c"), &["direct"], conf);
    assert_eq!((told(&dumps[0], "running_threads"), told(&dumps[0], "direct")), (0, 3), "{outcome}");
}

/// On x86-64: elsewhere nothing tells a stack that is kept for the next thread from memory of the program.
#[cfg(target_arch = "x86_64")]
#[test]
fn what_a_thread_that_ended_held_is_lost() {
    loses("ended", 2, 18, 1);
}

#[test]
fn what_a_library_held_is_lost_when_it_is_closed() {
    let library = compiled_with("keeping.c", &["-shared", "-fPIC"]);
    let library = library.to_str().unwrap();
    loses_in(&compiled("reachable.c"), &["open", library], 0, 0, 10);
    loses_in(&compiled("reachable.c"), &["closed", library], 1, 9, 0);
}

#[test]
fn what_exit_handlers_and_destructors_free_was_not_lost() {
    loses("late", 0, 0, 0);
}

#[test]
fn a_child_tells_what_it_lost_itself_and_one_of_vfork_tells_nothing() {
    let lost = |dump: &Dump| (told(dump, "direct"), told(dump, "indirect"));
    let (outcome, dumps) = run(&compiled("reachable.c"), &["fork"], "prof_dump_format:pprof");
    let mut found: Vec<_> = dumps.iter().map(lost).collect();
    found.sort_unstable();
    assert_eq!(found, [(0, 0), (3, 0)], "{outcome}");
    loses("vfork", 0, 0, 10);
}

#[test]
fn rust_s_ways_to_lose_and_to_keep_are_told_apart() {
    let program = compiled("reachable.rs");
    loses_in(&program, &["rc-cycle"], 1, 3, 0);
    loses_in(&program, &["forget"], 1, 10, 0);
    loses_in(&program, &["keep"], 0, 0, 10_000);
    loses_in(&program, &["keep-in-a-thread"], 0, 0, 1000);
    #[cfg(target_arch = "x86_64")]
    loses_in(&program, &["leak-in-a-thread"], 1, 0, 0);
}

#[test]
fn only_what_is_lost_is_a_leak_of_the_summary_and_an_error() {
    let ends = |scene: &str, reach: &str| {
        let folder = Scratch::new("reach-error");
        let conf = format!(
            "{CONF},prof_leak_reach:{reach},prof_leak_error:true,prof_leak_threshold:0,prof_leak_error_code:77,\
             prof_prefix:{}",
            folder.file("p").display()
        );
        let program = compiled("reachable.c");
        Run::new(program).preload(&preload()).arg(scene).conf(conf).outcome()
    };
    let outcome = ends("global", "true").ok();
    assert_eq!(outcome.warnings(), Vec::<&str>::new(), "{outcome}");
    assert_eq!(ends("global", "false").status.code(), Some(77));
    let outcome = ends("direct", "true");
    let summary = "<jemalloc>: Leak approximation summary: ~336 bytes, ~3 objects, ";
    assert!(outcome.status.code() == Some(77) && outcome.warnings()[0].starts_with(summary), "{outcome}");
}

#[test]
fn the_text_form_tells_the_sums_and_dumps_without_the_option_tell_nothing() {
    let (_, dumps) = run(&compiled("reachable.c"), &["direct"], "prof_dump_format:text");
    assert_eq!((told(&dumps[0], "direct"), told(&dumps[0], "indirect")), (3, 0));
    let (_, dumps) =
        run(&compiled("reachable.c"), &["direct"], "prof_dump_format:pprof,prof_leak_reach:false");
    assert_eq!((about(&dumps[0]), labelled(&dumps[0], "direct").0), ("", 0));
}

#[test]
fn with_a_part_of_the_objects_nothing_is_known_and_that_is_told() {
    let (outcome, dumps) =
        run(&compiled("reachable.c"), &["global"], "prof_dump_format:pprof,lg_prof_sample:12");
    let why = "lg_prof_sample is not 0";
    assert_eq!(about(&dumps[0]), format!("unknown: {why}"));
    let told = format!("<jemalloc>: prof_leak_reach: not known what is reachable: {why}");
    assert_eq!(outcome.warnings(), [told]);
    assert_eq!((labelled(&dumps[0], "direct").0, labelled(&dumps[0], "indirect").0), (0, 0));
}
