//! The completion script in bash, and the commands that make no report, through the binary.

use std::process::{Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_jeprof-rs");

fn jeprof_rs(args: &[&str]) -> Output {
    Command::new(BINARY).args(args).env_remove("MALLOC_CONF").stdin(Stdio::null()).output().unwrap()
}

/// What bash offers for the last of the words, in a folder with a dump in it.
fn offered(name: &str, words: &[&str]) -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("svc.1.0.f.heap"), "").unwrap();
    let script = folder.join("script");
    std::fs::write(&script, jeprof_rs(&["completions", "bash"]).stdout).unwrap();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = words.len() - 1;
    // The function that the script registers with `complete`; compopt works only where bash itself calls it.
    let program = format!(
        "compopt() {{ :; }}; source ./script || exit 1; COMP_WORDS=({words}); COMP_CWORD={last}; \
         [[ $(complete -p jeprof-rs) =~ -F[[:space:]]([^ ]+) ]]; \"${{BASH_REMATCH[1]}}\" jeprof-rs '{current}' '{previous}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words = quoted.join(" "),
        current = words[last],
        previous = words[last - 1],
    );
    let outcome =
        Command::new("bash").args(["--norc", "-c", &program]).current_dir(&folder).output().unwrap();
    assert!(outcome.status.success() && outcome.stderr.is_empty(), "{outcome:?}");
    String::from_utf8(outcome.stdout).unwrap().lines().map(String::from).collect()
}

#[test]
fn bash_accepts_the_script_and_registers_it() {
    let script = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("jeprof-rs.bash");
    std::fs::write(&script, jeprof_rs(&["completions", "bash"]).stdout).unwrap();
    let check = "bash --norc -n \"$SCRIPT\" && source \"$SCRIPT\" && complete -p jeprof-rs";
    let outcome = Command::new("bash").args(["--norc", "-c", check]).env("SCRIPT", script).output().unwrap();
    assert!(outcome.status.success() && outcome.stderr.is_empty(), "{outcome:?}");
}

#[test]
fn bash_completes_options_commands_and_dump_files() {
    assert_eq!(offered("options", &["jeprof-rs", "--show_b"]), ["--show_bytes"]);
    assert_eq!(offered("command", &["jeprof-rs", "compl"]), ["completions"]);
    assert_eq!(offered("shell", &["jeprof-rs", "completions", "zs"]), ["zsh"]);
    assert_eq!(offered("dump", &["jeprof-rs", "--base", "svc"]), ["svc.1.0.f.heap"]);
    assert_eq!(offered("conf", &["jeprof-rs", "conf", "--for", "jemalloc-5.3.1"]), ["jemalloc-5.3.1"]);
    let all = offered("all", &["jeprof-rs", "flame", "--"]);
    assert!(
        all.contains(&"--inuse_space".to_string()) && !all.contains(&"--argument".to_string()),
        "{all:?}"
    );
}

#[test]
fn conf_has_exit_status_0_1_and_2() {
    let status = |args: &[&str]| jeprof_rs(&[&["conf"], args].concat()).status.code();
    assert_eq!(status(&["prof:true,prof_final:true"]), Some(0));
    assert_eq!(status(&["lg_chunk:22"]), Some(1));
    // jemalloc has it, the allocator of this project has not; the other both have.
    assert_eq!(status(&["--for=jemalloc", "bin_shards:1-64:2"]), Some(0));
    assert_eq!(status(&["--for=jeprof-rs", "bin_shards:1-64:2"]), Some(1));
    assert_eq!(status(&["--for=jemalloc", "background_thread:true"]), Some(0));
    assert_eq!(status(&["--for=jeprof-rs", "background_thread:true"]), Some(0));
    assert_eq!(status(&[]), Some(2));
    assert_eq!(status(&["--for=tcmalloc", "a:1"]), Some(2));
}

#[test]
fn stats_reads_a_file_or_stdin_and_tells_what_is_wrong() {
    let run = |args: &[&str], input: &'static str| {
        let mut command = Command::new(BINARY);
        command.arg("stats").args(args);
        let mut echo = Command::new("printf").args(["%s", input]).stdout(Stdio::piped()).spawn().unwrap();
        let outcome = command.stdin(echo.stdout.take().unwrap()).output().unwrap();
        echo.wait().unwrap();
        (outcome.status.code(), String::from_utf8(outcome.stdout).unwrap(), outcome.stderr)
    };
    let json = r#"{"jemalloc":{"version":"5.3.0","stats":{"allocated":1048576,"active":2097152}}}"#;
    let (status, text, _) = run(&[], json);
    assert!(status == Some(0) && text.contains("Fragmentation: 50.0 %"), "{text}");
    let (status, text, _) = run(&["--format=openmetrics", "-"], json);
    assert!(status == Some(0) && text.contains("\njemalloc_active_bytes 2097152\n"), "{text}");
    assert!(text.ends_with("\njemalloc_fragmentation_ratio 0.500000\n# EOF\n"), "{text}");
    for (args, input, what) in [
        (&[][..], "no", "standard input: JSON: "),
        (&["/nowhere.json"][..], "", "/nowhere.json: no such file"),
    ] {
        let (status, text, message) = run(args, input);
        let message = String::from_utf8(message).unwrap();
        assert!(status == Some(2) && text.is_empty() && message.contains(what), "{message}");
    }
}

#[test]
fn conf_reads_the_environment_and_stdin() {
    let run = |args: &[&str], input: &'static str| {
        let mut command = Command::new(BINARY);
        command.arg("conf").args(args).env("MALLOC_CONF", "stats_print:2");
        let mut echo = Command::new("printf").arg(input).stdout(Stdio::piped()).spawn().unwrap();
        let outcome = command.stdin(echo.stdout.take().unwrap()).output().unwrap();
        echo.wait().unwrap();
        String::from_utf8(outcome.stdout).unwrap()
    };
    assert!(run(&[], "").starts_with("wrong  stats_print:2\n"));
    assert_eq!(run(&["-"], "tcache:true\\n"), "ok     tcache:true\n       threads cache freed objects\n");
}

#[test]
fn the_manual_page_is_roff_that_names_this_version() {
    let page = String::from_utf8(jeprof_rs(&["man"]).stdout).unwrap();
    assert!(page.starts_with(".TH JEPROF-RS 1 "), "{}", &page[..80]);
    assert!(page.contains(env!("CARGO_PKG_VERSION")) && page.contains(".SH EXIT STATUS"));
}
