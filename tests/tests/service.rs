//! The sample service and the demo's parts behave as they say.

use suite::build::{self, Profile};
use suite::run::Run;
use suite::truth;

#[test]
fn the_same_arguments_give_the_same_truth_and_another_seed_gives_another() {
    let svc = build::svc(Profile::own());
    let run = |seed: &str| {
        let arguments = ["--truth", "--cache=1000", "--requests=2000", "--seed", seed];
        truth::parse(&Run::new(&svc).args(arguments).outcome().ok().stdout)
    };
    let first = run("1");
    assert_eq!(first, run("1"));
    assert_ne!(first, run("2"));
    assert_eq!(first["cache_key"].objects, 1000);
    assert_eq!(first["leak_request"].objects, 100, "one request in twenty leaks");
    assert_eq!(first["request_body"].objects, 0, "bodies are all freed");
    assert_eq!(first["render_answer"].objects, 200, "one answer in ten is kept");
    assert!(first.len() >= 18, "{} sites", first.len());
}

#[test]
fn wrong_arguments_are_told_with_exit_status_2() {
    let outcome = Run::new(build::svc(Profile::own())).arg("--cash=3").outcome();
    assert_eq!(outcome.status.code(), Some(2), "{outcome}");
    assert!(outcome.stderr.contains("--cash=3"), "{outcome}");
    let help = Run::new(build::svc(Profile::own())).arg("--help").outcome().ok();
    assert!(help.stdout.contains("--leak-every"), "{help}");
}

#[test]
fn seconds_keep_it_serving_and_the_leak_growing() {
    let arguments = ["--cache=100", "--requests=10", "--leak-every=1", "--seconds=1", "--truth"];
    let outcome = Run::new(build::svc(Profile::own())).args(arguments).outcome().ok();
    let sites = truth::parse(&outcome.stdout);
    assert!(sites["leak_request"].objects > 10, "{outcome}");
}
