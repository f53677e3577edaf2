//! Control groups, from a folder of files like the kernel's.

use std::fs;
use std::path::{Path, PathBuf};

use suite::build::{preload, target_folder};
use suite::fixture::compiled;
use suite::run::{Outcome, Run};

/// A folder of files, removed at the end.
struct Root(PathBuf);

impl Root {
    fn new(name: &str, files: &[(&str, &str)]) -> Root {
        let folder = target_folder().join(format!("cgroup-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("can be made");
            fs::write(path, text).expect("can be written");
        }
        Root(folder)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// A value of mallctl, in a program with this root and more options.
    fn value(&self, name: &str, bytes: usize, more: &str) -> String {
        let conf = format!("cgroup_root:{}{more}", self.path().display());
        let run = Run::new(compiled("value.c")).preload(&preload()).conf(conf);
        run.arg(name).arg(bytes.to_string()).outcome().ok().stdout.trim().to_owned()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // What cannot be removed stays in the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LIMIT: usize = 256 << 20;

fn bursts(root: &Root, current: &str, conf: &str, more: &[&str]) -> Outcome {
    let conf = format!("cgroup_root:{},{conf}", root.path().display());
    let limit = LIMIT.to_string();
    let run = Run::new(compiled("bursts.c")).preload(&preload()).conf(conf);
    run.arg(root.path().join(current)).arg(limit).args(more).outcome().ok()
}

fn peak(outcome: &Outcome) -> usize {
    let number = outcome.stdout.trim().strip_prefix("peak ").and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{outcome}"))
}

fn v2(name: &str) -> Root {
    let limit = format!("{LIMIT}\n");
    Root::new(name, &[("memory.max", "max\n"), ("memory.high", &limit), ("memory.current", "0\n")])
}

fn v1(name: &str) -> Root {
    let limit = format!("{LIMIT}\n");
    Root::new(name, &[("memory/memory.limit_in_bytes", &limit), ("memory/memory.usage_in_bytes", "0\n")])
}

#[test]
fn bursts_stay_below_the_limit_that_they_would_pass_otherwise() {
    let root = v2("bursts");
    // Four arenas, so that the two threads do not share one.
    let aware = peak(&bursts(&root, "memory.current", "narenas:4", &[]));
    assert!(aware < LIMIT / 100 * 97, "{aware} of {LIMIT}");
    let never = peak(&bursts(&root, "memory.current", "narenas:4,dirty_decay_ms:-1", &[]));
    assert!(never < LIMIT / 100 * 97, "{never} of {LIMIT}");
    let background = peak(&bursts(&root, "memory.current", "narenas:4,background_thread:true", &[]));
    assert!(background < LIMIT / 100 * 97, "{background} of {LIMIT}");
    let unaware = peak(&bursts(&root, "memory.current", "narenas:4,cgroup_aware:false", &[]));
    assert!(unaware > LIMIT, "{unaware} of {LIMIT}");
}

#[test]
fn the_files_of_version_1_count_alike() {
    let root = v1("bursts1");
    let aware = peak(&bursts(&root, "memory/memory.usage_in_bytes", "narenas:4", &[]));
    assert!(aware < LIMIT / 100 * 97, "{aware} of {LIMIT}");
}

#[test]
fn reaching_the_mark_is_told_once_until_use_has_fallen_well_below() {
    for (root, current) in [(v2("lines2"), "memory.current"), (v1("lines1"), "memory/memory.usage_in_bytes")]
    {
        let outcome = bursts(&root, current, "narenas:4", &["lines"]);
        let lines = outcome.warnings();
        let about = |line: &&str| line.ends_with("unused memory is given back at once");
        assert!(lines.len() == 2 && lines.iter().all(about), "{outcome}");
        let off = bursts(&root, current, "cgroup_aware:false", &["lines"]);
        assert_eq!(off.warnings().len(), 0, "{off}");
        let higher = bursts(&root, current, "cgroup_purge_ratio:0.98", &["lines"]);
        assert_eq!(higher.warnings().len(), 1, "{higher}");
    }
}

#[test]
fn file_pages_that_nobody_uses_do_not_count() {
    let root = v2("files");
    fs::write(root.path().join("memory.stat"), format!("anon 1\ninactive_file {}\n", LIMIT / 2))
        .expect("written");
    let outcome = bursts(&root, "memory.current", "narenas:4", &["lines"]);
    assert_eq!(outcome.warnings().len(), 0, "{outcome}");
}

#[test]
fn limit_and_use_can_be_read() {
    let root = v2("leaves");
    assert_eq!(root.value("cgroup.limit", 8, ""), LIMIT.to_string());
    assert_eq!(root.value("cgroup.current", 8, ""), "0");
    assert_eq!(root.value("cgroup.limit", 8, ",cgroup_aware:false"), "No such file or directory");
    fs::write(root.path().join("memory.max"), "1000000\n").expect("written");
    assert_eq!(root.value("cgroup.limit", 8, ""), "1000000", "the lower of memory.high and memory.max");
    assert_eq!(v1("leaves1").value("cgroup.limit", 8, ""), LIMIT.to_string());
    let none =
        Root::new("none", &[("memory.max", "max\n"), ("memory.high", "max\n"), ("memory.current", "5\n")]);
    assert_eq!(none.value("cgroup.limit", 8, ""), usize::MAX.to_string());
    assert_eq!(none.value("cgroup.current", 8, ""), "5");
    let empty = Root::new("empty", &[("nothing", "")]);
    assert_eq!(empty.value("cgroup.current", 8, ""), "No such file or directory");
}

#[test]
fn openmetrics_has_limit_and_use_as_far_as_there_are_such() {
    let lines = |root: &Root| {
        let conf = format!("cgroup_root:{}", root.path().display());
        let run = Run::new(compiled("report.c")).arg("o").preload(&preload()).conf(conf);
        let text = run.outcome().ok().stdout;
        text.lines().filter(|line| line.starts_with("jemalloc_cgroup_")).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(
        lines(&v2("openmetrics")),
        format!("jemalloc_cgroup_limit_bytes {LIMIT}; jemalloc_cgroup_usage_bytes 0")
    );
    let no_limit = [("memory.max", "max\n"), ("memory.high", "max\n"), ("memory.current", "5\n")];
    assert_eq!(lines(&Root::new("openmetrics_max", &no_limit)), "jemalloc_cgroup_usage_bytes 5");
    assert_eq!(lines(&Root::new("openmetrics_none", &[("nothing", "")])), "");
}

#[test]
fn the_number_of_arenas_follows_the_quota_of_processors() {
    // By the affinity mask, too: these are for a machine with at least two processors.
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get());
    let narenas = |files: &[(&str, &str)], more: &str| {
        let root = Root::new(&format!("cpu{}", files.len() + more.len()), files);
        root.value("opt.narenas", 4, more).parse::<usize>().expect("a number")
    };
    let unlimited = narenas(&[("cpu.max", "max 100000\n")], "");
    assert_eq!(unlimited, narenas(&[("cpu.max", "90000000 100000\n")], ""));
    assert_eq!(narenas(&[("cpu.max", "50000 100000\n")], ""), 1);
    assert_eq!(narenas(&[("cpu.max", "150000 100000\n")], ""), if cpus == 1 { 1 } else { 8 });
    let quota = [("cpu/cpu.cfs_quota_us", "100000\n"), ("cpu/cpu.cfs_period_us", "100000\n")];
    assert_eq!(narenas(&quota, ""), 1);
    assert_eq!(narenas(&[("cpu.max", "50000 100000\n")], ",cgroup_aware:false"), unlimited);
    assert_eq!(narenas(&[("cpu.max", "50000 100000\n")], ",narenas:7"), 7);
}
