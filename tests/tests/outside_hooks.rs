//! Extent hooks are called when the reference calls them, with the same arguments in the same order.
#![cfg(feature = "outside")]

use std::path::Path;

use suite::build::preload;
use suite::fixture::compiled;
use suite::reference;
use suite::run::Run;

/// What the hooks of `hook_calls.c` refuse.
const REFUSED: [&str; 7] =
    ["", "dalloc", "merge", "split", "dalloc lazy", "dalloc lazy forced", "dalloc merge"];

fn calls(library: &Path, conf: &str, refused: &str) -> String {
    let program = Run::new(compiled("hook_calls.c")).args([refused]).preload(library);
    program.conf(conf).outcome().ok().stdout
}

/// Compares under one string of options.
#[track_caller]
fn compare(conf: &str) {
    let conf = format!("narenas:1,{conf}");
    for refused in REFUSED {
        let (ours, theirs) = (calls(&preload(), &conf, refused), calls(&reference::v531(), &conf, refused));
        let first = ours.lines().zip(theirs.lines()).position(|(ours, theirs)| ours != theirs);
        assert!(ours.lines().count() > 100, "{conf}, refusing {refused:?}:\n{ours}");
        assert!(
            ours == theirs,
            "{conf}, refusing {refused:?}: line {first:?} differs\n{ours}\n--- theirs\n{theirs}"
        );
    }
}

#[test]
fn extents_that_stay_as_they_are() {
    compare("cache_oblivious:false,dirty_decay_ms:-1,muzzy_decay_ms:-1");
    compare("cache_oblivious:false,dirty_decay_ms:100000,muzzy_decay_ms:0");
}

#[test]
fn extents_that_are_purged_at_once() {
    // With classes nothing is left over when an extent is taken, which would be purged when the clock says so.
    let classes = "cache_oblivious:false,disable_large_size_classes:false";
    compare(&format!("{classes},dirty_decay_ms:0,muzzy_decay_ms:0"));
    compare(&format!("{classes},retain:false,dirty_decay_ms:0,muzzy_decay_ms:0"));
}

#[test]
fn extents_that_are_not_retained() {
    compare("cache_oblivious:false,retain:false,dirty_decay_ms:-1,muzzy_decay_ms:-1");
}

#[test]
fn large_extents_that_are_not_purged_for_their_length() {
    compare("cache_oblivious:false,oversize_threshold:0,dirty_decay_ms:100000,muzzy_decay_ms:100000");
}

#[test]
fn extents_that_fit_closely() {
    compare("cache_oblivious:false,lg_extent_max_active_fit:0,dirty_decay_ms:-1,muzzy_decay_ms:-1");
    compare("cache_oblivious:false,lg_extent_max_active_fit:1,dirty_decay_ms:-1,muzzy_decay_ms:-1");
}

#[test]
fn extents_of_whole_size_classes() {
    compare("cache_oblivious:false,disable_large_size_classes:false,dirty_decay_ms:-1");
}

#[test]
fn extents_with_a_page_for_offsets() {
    compare("cache_oblivious:true,dirty_decay_ms:-1,muzzy_decay_ms:-1");
    compare("cache_oblivious:true,retain:false,dirty_decay_ms:-1,muzzy_decay_ms:-1");
}
