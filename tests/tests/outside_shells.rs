//! The completion scripts in zsh and fish themselves: what they offer for a line. (bash, which every machine has, is
//! asked in `jeprof-rs/tests/shell.rs`.)
#![cfg(feature = "outside")]

use std::process::Command;

use suite::build::{Profile, viewer};
use suite::scratch::Scratch;

/// In the folder of a test: the script under the name by which the shell finds it, and a dump.
fn folder(shell: &str, script: &str) -> Scratch {
    let folder = Scratch::new(shell);
    let outcome = Command::new(viewer(Profile::own())).args(["completions", shell]).output().unwrap();
    assert!(outcome.status.success(), "{outcome:?}");
    std::fs::write(folder.file(script), outcome.stdout).unwrap();
    std::fs::write(folder.file("svc.1.0.f.heap"), "").unwrap();
    folder
}

/// Runs a program of the shell, which prints the candidates for `line`, one each line.
fn candidates(folder: &Scratch, shell: &str, options: &[&str], program: &str, line: &str) -> Vec<String> {
    let outcome = Command::new(shell)
        .args(options)
        .args(["-c", program, shell, line])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("ZDOTDIR", folder.path())
        .env("TERM", "dumb")
        .output()
        .unwrap_or_else(|error| panic!("{shell}: {error}; tests/outside.sh installs it"));
    assert!(outcome.status.success() && outcome.stderr.is_empty(), "{line}: {outcome:?}");
    let text = String::from_utf8(outcome.stdout).unwrap();
    let mut words: Vec<String> =
        text.lines().map(|line| line.split('\t').next().unwrap_or_default().trim().to_string()).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Lines and what is offered for their ends, the same in every shell.
const OFFERED: &[(&str, &[&str])] = &[
    ("jeprof-rs --show_b", &["--show_bytes"]),
    ("jeprof-rs compl", &["completions"]),
    ("jeprof-rs completions z", &["zsh"]),
    ("jeprof-rs flame --colo", &["--color", "--colors"]),
    ("jeprof-rs flame --colors pu", &["purple"]),
    ("jeprof-rs --granularity f", &["filefunctions", "files", "functions"]),
    ("jeprof-rs --base sv", &["svc.1.0.f.heap"]),
    ("jeprof-rs flame sv", &["svc.1.0.f.heap"]),
    ("jeprof-rs svc", &["svc.1.0.f.heap"]),
    ("jeprof-rs one.heap sv", &["svc.1.0.f.heap"]),
    ("jeprof-rs one.heap --show_b", &["--show_bytes"]),
    ("jeprof-rs conf --for jemalloc-5", &["jemalloc-5.3.0", "jemalloc-5.3.1"]),
];

#[test]
fn fish_completes_options_commands_values_and_dump_files() {
    let folder = folder("fish", "jeprof-rs.fish");
    // fish gives a program no name of its own: the first argument is the second here.
    let program = "source jeprof-rs.fish; complete -C $argv[2]";
    for (line, want) in OFFERED {
        assert_eq!(candidates(&folder, "fish", &["--no-config"], program, line), *want, "{line}");
    }
}

/// Completion in zsh needs its line editor, so a second zsh runs on a terminal of its own. Candidates are read where
/// the completion functions hand them over.
const ZSH: &str = r#"
cat > inside.zsh <<'END'
PS1= PS2=
fpath=($PWD $fpath)
autoload -Uz compinit
compinit -u -D
bindkey '^I' complete-word
compadd() {
  # Calls with these options fill arrays of the completion functions, and offer nothing.
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
  local -a fitting
  builtin compadd -O fitting "$@"
  (( $#fitting )) && print -rl -- "offered "$^fitting
  builtin compadd "$@"
}
say-begin() { print; print offers begin }
say-done() { print; print offers done }
compprefuncs=(say-begin) comppostfuncs=(say-done)
print shell is ready
END
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'source ./inside.zsh'
while zpty -r shell line; do [[ $line == 'shell is ready'* ]] && break; done
zpty -w -n shell "$1"$'\t'
while zpty -r shell line; do
  case $line in
    'offered '*) print -r -- ${${line#offered }%%[[:space:]]#};;
    'offers done'*) break;;
  esac
done
zpty -d shell
"#;

#[test]
fn zsh_completes_options_commands_values_and_dump_files() {
    let folder = folder("zsh", "_jeprof-rs");
    for (line, want) in OFFERED {
        assert_eq!(candidates(&folder, "zsh", &["-f", "-o", "extended_glob"], ZSH, line), *want, "{line}");
    }
}
