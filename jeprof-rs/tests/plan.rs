//! The command `plan`, as it is typed.

mod common;

use common::tool;

#[test]
fn a_plan_says_what_to_set() {
    let text = tool(&["plan", "--heap=4GiB", "--detect=10MiB"]).quiet().stdout;
    assert!(
        text.contains("For a new stack of 10 MiB:\n  MALLOC_CONF=prof:true,lg_prof_sample:19\n"),
        "{text}"
    );
    let json = tool(&["plan", "--heap=4GiB", "--detect=10MiB", "--format=json"]).quiet().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["recommended"][0]["malloc_conf"], "prof:true,lg_prof_sample:19");
    assert_eq!(json["stack_bytes"], 104_857_600.0);
}

#[test]
fn values_that_make_no_plan_are_told_with_their_option() {
    for (args, words) in [
        (&["--heap=4GiB"][..], "--detect"),
        (&["--heap=four", "--detect=1MiB"], "'four' for '--heap <SIZE>': not a size"),
        (&["--heap=4GiB", "--detect=1MiB", "--power=1"], "'1' for '--power <SHARE>'"),
        (&["--heap=4GiB", "--detect=1MiB", "--stacks=0"], "'0' for '--stacks <N>'"),
        (&["--heap=1MiB", "--detect=1GiB"], "plan: --detect: 1 GiB is more than the heap, which is 1 MiB"),
        (&["--heap=4GiB", "--detect=1MiB", "dump.heap"], "dump.heap"),
    ] {
        let run = tool(&[&["plan"], args].concat());
        assert!(run.status == 2 && run.stderr.contains(words), "{args:?}: {}", run.stderr);
    }
}
