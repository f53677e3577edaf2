//! The manual page in groff, which must have nothing to complain of.
#![cfg(feature = "outside")]

use std::process::{Command, Stdio};

use suite::build::{Profile, viewer};

#[test]
fn groff_formats_the_manual_page_without_a_warning() {
    let mut man = Command::new(viewer(Profile::own())).arg("man").stdout(Stdio::piped()).spawn().unwrap();
    let groff = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww", "-rLL=100n", "-P-cbou"])
        .stdin(man.stdout.take().unwrap())
        .output()
        .expect("groff is missing: tests/outside.sh installs it");
    assert!(man.wait().unwrap().success());
    assert!(groff.status.success() && groff.stderr.is_empty(), "{}", String::from_utf8_lossy(&groff.stderr));
    let text = String::from_utf8(groff.stdout).unwrap();
    for words in ["EXIT STATUS", "ENVIRONMENT", "NO_COLOR", "inuse_space"] {
        assert!(text.contains(words), "{words}");
    }
}
