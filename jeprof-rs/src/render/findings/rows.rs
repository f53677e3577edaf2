//! The rows of the outputs that find something.

use crate::check::programs::check_series;
use crate::plan::Part;
use crate::render::Output;

/// Parts of the plan that checks look at.
pub const PARTS: &[Part] =
    &[Part::Output, Part::Terminal, Part::Check, Part::Rows, Part::Selection, Part::Input, Part::Naming];

/// Those of the gate.
const GATE_PARTS: &[Part] = &[
    Part::Output,
    Part::Terminal,
    Part::Check,
    Part::Limits,
    Part::Rows,
    Part::Selection,
    Part::Input,
    Part::Naming,
];

/// The row of leaks.
pub const LEAKS: Output = Output {
    name: "leaks",
    command: true,
    about: "What was not given back by the end of the program, by stack; the exit status tells whether something was",
    examples: "\
DUMP is what a program wrote when it ended (prof_final:true), mostly with lg_prof_sample:0, which records every object;
with sampled dumps figures have bounds. Dumps of several processes are added up; of one process the last counts.
Where dumps tell what nobody points to any more (prof_leak_reach:true, which 'jeprof-rs run' sets), only that is a leak.

Examples:
  jeprof-rs leaks ./server jeprof.4711.0.f.heap
  jeprof-rs leaks --suppressions=.jeprof.supp --format=text,json=leaks.json ./server jeprof.*.f.heap

Exit status: 0 nothing leaks, 1 something does, 2 wrong use or input.",
    parts: PARTS,
    keeps_labels: true,
    keeps_parts: true,
    finds: Some(|request| Some(super::find_leaks(request))),
    ..Output::BASE
};

/// The row of the gate.
pub const CHECK: Output = Output {
    name: "check",
    command: true,
    about: "Whether memory grows, and keeps to limits: a gate for CI, with an exit status and reports for CI systems",
    examples: "\
DUMPs of one process, in the order in which they were made, are looked at for growth: of two, the last against the first;
of more, what both that test and the order of all figures find, and what had not stopped at the end. Nine dumps or more
are best. Limits are in jeprof.toml, or the file of --config (docs/leaks.md).

Examples:
  jeprof-rs check ./server soak/je.*.heap
  jeprof-rs check --config=ci/jeprof.toml --format=text,junit=mem.xml,sarif=mem.sarif,github ./server dumps/*.heap

Exit status: 0 all is well, 1 findings, 2 wrong use or input, 3 undecided with --undecided=fail.",
    parts: GATE_PARTS,
    keeps_labels: true,
    keeps_parts: true,
    wants: |request| match request.plan.check.any_program {
        true => Ok(()),
        false => check_series(&request.session.dumps),
    },
    finds: Some(|request| Some(super::find_all(request))),
    ..Output::BASE
};
