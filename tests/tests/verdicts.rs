//! The zoo of leaks before `jeprof-rs check`: what leaks is found, and named first; what does not never alarms.
//!
//! Every object is recorded, so that chance plays no part.

use suite::verdict::gate;
use suite::zoo::ZOO;

#[test]
fn exact_dumps_name_every_leak_and_alarm_for_nothing_else() {
    let mut wrong = Vec::new();
    for animal in ZOO {
        let told = gate(animal, "lg_prof_sample:0", 1);
        let right = match animal.kind.leaks() {
            true => told.names_first(),
            false => told.passes(),
        };
        if !right {
            wrong.push(format!("{} (status {:?}):\n{}", animal.file, told.status, told.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
