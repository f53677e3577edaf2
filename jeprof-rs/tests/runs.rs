//! Several dumps, bases, and programs that are not the ones that made the dump.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Scratch, compile, run, tool};

fn text(path: &Path) -> String {
    path.to_str().unwrap().into()
}

/// The same profile in this project's text form, which carries build ids: here one for the program itself.
fn with_build_id(dump: &str, program: &str, build_id: &str) -> String {
    let (profile, maps) = dump.split_once("MAPPED_LIBRARIES:\n").unwrap();
    let own_code = |line: &&str| line.ends_with(program) && line.contains("r-xp");
    let start = maps.lines().find(own_code).unwrap().split('-').next().unwrap();
    let mut out = String::from("heap profile: 4: 15000 [4: 15000] @ heap_v2/1\n# jeprof-rs text 1\n");
    out += &format!("# build-id {build_id} 0x{start}\n");
    let mut stack = "";
    for line in profile.lines().skip(2) {
        if let Some(addresses) = line.strip_prefix("@ ") {
            stack = addresses;
        } else if let Some(counts) = line.trim().strip_prefix("t*: ") {
            out += &format!("{counts} @ {stack}\n");
        }
    }
    format!("{out}\nMAPPED_LIBRARIES:\n{maps}# end\n")
}

fn build_id(binary: &str) -> String {
    let notes = run(Command::new("readelf").args(["-n", binary]));
    notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: ")).unwrap().to_string()
}

#[test]
fn dumps_of_several_runs_are_added_up_and_subtracted_whatever_their_addresses() {
    let scratch = Scratch::new("runs-sum");
    let binary = scratch.path("program");
    compile("plain.c", &binary, &["-g", "-fPIE", "-pie"]);
    let dumps: Vec<String> = (0..3).map(|index| text(&scratch.path(&format!("{index}.heap")))).collect();
    for dump in &dumps {
        run(Command::new(&binary).arg(dump));
    }
    let all = tool(&["--show_bytes", &dumps[0], &dumps[1], &dumps[2]]).quiet();
    assert!(all.stdout.starts_with("Total: 45000 B\n"), "{}", all.stdout);
    assert_eq!(all.figures("direct_site"), (3000, 3000));
    // Each site is one address of the program, not one per run.
    let addresses = tool(&["--show_bytes", "--addresses", &dumps[0], &dumps[1], &dumps[2]]).quiet();
    assert_eq!(addresses.rows().iter().filter(|(_, _, name)| name.contains("direct_site")).count(), 1);
    let difference = tool(&["--show_bytes", "--base", &dumps[2], &dumps[0], &dumps[1]]).quiet();
    assert_eq!(difference.figures("direct_site"), (1000, 1000));
    let nothing = tool(&["--show_bytes", "--base", &dumps[1], &dumps[0]]);
    assert_eq!((nothing.status, nothing.stdout.as_str()), (0, ""));
    assert!(nothing.stderr.contains("nothing differs from the base"), "{}", nothing.stderr);
    let negative = tool(&["--show_bytes", "--base", &dumps[1], "--base", &dumps[2], &dumps[0]]).quiet();
    assert_eq!(negative.figures("direct_site"), (-1000, -1000));
    let dropped = tool(&["--drop_negative", "--base", &dumps[1], "--base", &dumps[2], &dumps[0]]);
    assert_eq!((dropped.status, dropped.stdout.as_str()), (0, ""));
}

#[test]
fn a_named_program_with_another_build_id_is_refused_with_both_ids() {
    let scratch = Scratch::new("runs-build-id");
    let (binary, other, plain) =
        (scratch.path("program"), scratch.path("other"), text(&scratch.path("p.heap")));
    compile("plain.c", &binary, &["-g"]);
    compile("plain.c", &other, &["-g", "-O1"]);
    run(Command::new(&binary).arg(&plain));
    let (binary, other) = (text(&binary), text(&other));
    let (own, strange) = (build_id(&binary), build_id(&other));
    let content = with_build_id(&std::fs::read_to_string(&plain).unwrap(), &binary, &own);
    let dump = text(&scratch.write("with-id.heap", content));

    assert_eq!(tool(&["--show_bytes", &binary, &dump]).quiet().flat("direct_site"), 1000);
    let refused = tool(&["--show_bytes", &other, &dump]);
    assert_eq!((refused.status, refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.contains(&own) && refused.stderr.contains(&strange), "{}", refused.stderr);

    // The same file elsewhere is the same program.
    let copy = text(&scratch.path("copy"));
    std::fs::copy(&binary, &copy).unwrap();
    std::fs::remove_file(&binary).unwrap();
    assert_eq!(tool(&["--show_bytes", &copy, &dump]).quiet().flat("direct_site"), 1000);

    // A file that took its place is not used.
    std::fs::rename(&other, &binary).unwrap();
    let replaced = tool(&["--show_bytes", &dump]);
    assert_eq!(replaced.status, 0);
    assert!(
        replaced.stderr.contains("replaced") && replaced.stderr.contains(&strange),
        "{}",
        replaced.stderr
    );
    assert!(replaced.stdout.contains("program+0x") && !replaced.stdout.contains("direct_site"));
}

#[test]
fn a_program_that_is_gone_or_was_deleted_is_reported_and_never_guessed() {
    let scratch = Scratch::new("runs-deleted");
    let (binary, dump) = (scratch.path("program"), text(&scratch.path("p.heap")));
    compile("plain.c", &binary, &["-g"]);
    run(Command::new(&binary).arg(&dump));
    let content = std::fs::read_to_string(&dump).unwrap();
    let deleted = content.replace(&format!("{}\n", text(&binary)), &format!("{} (deleted)\n", text(&binary)));
    let deleted = text(&scratch.write("deleted.heap", deleted));
    let answer = tool(&["--show_bytes", &deleted]);
    assert!(answer.stderr.contains("deleted or replaced"), "{}", answer.stderr);
    assert!(answer.stdout.contains("program+0x") && !answer.stdout.contains("direct_site"));
    std::fs::remove_file(&binary).unwrap();
    let answer = tool(&["--show_bytes", &dump]);
    assert!(answer.stderr.contains("no such file") && answer.status == 0, "{}", answer.stderr);
    assert!(answer.stdout.contains("program+0x"), "{}", answer.stdout);
}

#[test]
fn a_program_of_another_layout_is_refused_even_without_build_ids() {
    let scratch = Scratch::new("runs-layout");
    let (binary, dump) = (scratch.path("program"), text(&scratch.path("p.heap")));
    compile("plain.c", &binary, &["-g"]);
    run(Command::new(&binary).arg(&dump));
    let answer = tool(&[env!("CARGO_BIN_EXE_jeprof-rs"), &dump]);
    assert_eq!(answer.status, 2);
    assert!(answer.stderr.contains("is not the program that made the dump"), "{}", answer.stderr);
}

#[test]
fn a_program_that_was_built_again_after_the_dump_is_told() {
    let scratch = Scratch::new("runs-rebuilt");
    let (binary, dump) = (scratch.path("program"), scratch.path("p.heap"));
    compile("plain.c", &binary, &["-g"]);
    run(Command::new(&binary).arg(&dump));
    tool(&["--show_bytes", &text(&dump)]).quiet();
    let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::options().write(true).open(&dump).unwrap().set_modified(an_hour_ago).unwrap();
    let answer = tool(&["--show_bytes", &text(&dump)]);
    assert_eq!(answer.figures("direct_site"), (1000, 1000));
    assert!(answer.stderr.contains("was changed after the dump was made"), "{}", answer.stderr);
}
