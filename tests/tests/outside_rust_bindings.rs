//! The Rust bindings of jemalloc run on ours, with their own tests, in the two ways that need no change of a program's
//! source: `JEMALLOC_OVERRIDE`, which has the binding link our archive, and a `[patch]` that puts our stand-in in the
//! binding's place.
#![cfg(feature = "outside")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use suite::build::{self, Profile, target_folder, workspace};
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// How ours gets into a program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Override,
    Patch,
}

const WAYS: [Way; 2] = [Way::Override, Way::Patch];

/// The workspace that the binding's packages are looked up for.
const WANTED: &str = "[package]\nname = \"wanted\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n\
                      [dependencies]\ntikv-jemallocator = \"=0.7.0\"\ntikv-jemalloc-ctl = \"=0.7.0\"\n\
                      jemalloc_pprof = \"=0.9.0\"\n[workspace]\n";

/// Where cargo keeps the sources of the bindings.
fn sources(package: &str) -> PathBuf {
    static METADATA: OnceLock<serde_json::Value> = OnceLock::new();
    let metadata = METADATA.get_or_init(|| {
        let scratch = Scratch::new("wanted");
        fs::write(scratch.file("Cargo.toml"), WANTED).unwrap();
        fs::write(scratch.file("lib.rs"), "").unwrap();
        let run = Run::new(env!("CARGO")).args(["metadata", "--format-version=1"]).folder(scratch.path());
        serde_json::from_str(&run.limit(Duration::from_secs(600)).outcome().ok().stdout).expect("JSON")
    });
    let packages = metadata["packages"].as_array().expect("a list");
    let found = packages.iter().find(|found| found["name"] == package).expect("a package of this name");
    Path::new(found["manifest_path"].as_str().expect("a path")).parent().expect("a folder").to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, &to).map(|_| ()).unwrap() }
    }
}

/// Runs cargo on a package in a folder, with ours in the place of the C library.
fn cargo(way: Way, folder: &Path, arguments: &[&str]) -> Outcome {
    cargo_with(way, "0.7", folder, arguments)
}

/// The same for a release of the binding.
fn cargo_with(way: Way, binding: &str, folder: &Path, arguments: &[&str]) -> Outcome {
    // One build at a time, so that the packages that all have in common are compiled once.
    static LOCK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let name = if way == Way::Override { "override" } else { "patch" };
    let run = Run::new(env!("CARGO")).args(arguments).folder(folder).limit(Duration::from_secs(3600));
    let run = run.env("CARGO_TARGET_DIR", target_folder().join("suite-bindings").join(name));
    // The setting of the program counts, which that of the tests would outdo.
    let run = run.env("CARGO_PROFILE_RELEASE_LTO", "fat");
    // A test of the control crate wants the epoch to stay while it looks, which other tests of its advance.
    let run = run.env("RUST_TEST_THREADS", "1");
    let outcome = match way {
        Way::Override => {
            // In the package's own folder: cargo looks at the path, not at whether the archive has changed.
            let archive = folder.join("libjemalloc.a");
            fs::copy(build::package("jemalloc", Profile::Release).join("libjemalloc.a"), &archive).unwrap();
            run.env("JEMALLOC_OVERRIDE", archive)
        }
        Way::Patch => {
            let ours = workspace().join(format!("alloc/compat/tikv-jemalloc-sys-{binding}"));
            run.arg("--config")
                .arg(format!("patch.{}.tikv-jemalloc-sys.path={ours:?}", ["crates", "io"].join("-")))
        }
    }
    .outcome();
    assert!(!outcome.stderr.contains("was not used in the crate graph"), "{outcome}");
    outcome
}

/// Runs a package's own tests, and answers how many passed and how many were ignored.
fn own_tests(way: Way, package: &str, more_of_manifest: &str, arguments: &[&str]) -> (u32, u32) {
    let scratch = Scratch::new(package);
    copy(&sources(package), scratch.path());
    // Ours does not have the versions that the package was locked to.
    let _ = fs::remove_file(scratch.file("Cargo.lock"));
    let manifest = fs::read_to_string(scratch.file("Cargo.toml")).unwrap();
    fs::write(scratch.file("Cargo.toml"), format!("{manifest}\n{more_of_manifest}\n[workspace]\n")).unwrap();
    let outcome = cargo(way, scratch.path(), &[&["test", "--no-fail-fast"], arguments].concat()).ok();
    let count = |word: &str| {
        let results = outcome.stdout.lines().filter(|line| line.starts_with("test result: ok"));
        results
            .filter_map(|line| line.split("; ").find(|part| part.ends_with(word)))
            .filter_map(|part| part.rsplit(' ').nth(1)?.parse::<u32>().ok())
            .sum()
    };
    (count(" passed"), count(" ignored"))
}

#[test]
fn the_tests_of_tikv_jemallocator_pass() {
    // Its tests use the other package, which its published manifest has lost.
    let lost = "[dev-dependencies.tikv-jemalloc-ctl]\nversion = \"=0.7.0\"";
    for way in WAYS {
        assert_eq!(own_tests(way, "tikv-jemallocator", lost, &[]), (12, 0));
    }
}

#[test]
fn the_tests_of_tikv_jemalloc_ctl_pass() {
    for way in WAYS {
        let features = ["--features", "stats,profiling,use_std"];
        assert_eq!(own_tests(way, "tikv-jemalloc-ctl", "", &features), (35 + 31, 0));
    }
}

#[test]
fn the_documentation_tests_of_jemalloc_pprof_pass() {
    for way in WAYS {
        // All of its examples are marked not to be run.
        assert_eq!(own_tests(way, "jemalloc_pprof", "", &["--doc"]), (0, 3));
    }
}

/// A program that profiles itself by `jemalloc_pprof`, brings its options under a name, and asks who serves `malloc`.
const PROGRAM: &str = r#"
#[global_allocator]
static ALLOC: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg_attr(feature = "unprefixed", export_name = "malloc_conf")]
#[cfg_attr(not(feature = "unprefixed"), export_name = "_rjem_malloc_conf")]
pub static OPTIONS: &[u8] = b"prof:true,prof_active:true,lg_prof_sample:0\0";

#[inline(never)]
fn remember() -> Vec<Vec<u8>> {
    (0..1000).map(|i| vec![i as u8; 1000]).collect()
}

fn main() {
    let kept = std::hint::black_box(remember());
    let control = jemalloc_pprof::PROF_CTL.as_ref().expect("profiling is on");
    let profile = control.try_lock().unwrap().dump_profile().unwrap();
    let bytes: f64 = profile.iter().map(|(stack, _)| stack.weight).sum();
    assert!(bytes >= 1_000_000.0, "{bytes} bytes");
    assert!(control.try_lock().unwrap().dump_pprof().unwrap().starts_with(&[0x1f, 0x8b]));
    // SAFETY: the start of a vector that is alive, which this allocator made.
    assert_eq!(unsafe { tikv_jemallocator::usable_size(kept[0].as_ptr()) }, 1024);
    // SAFETY: nothing writes to the variable.
    assert!(unsafe { tikv_jemalloc_sys::malloc_conf }.is_some());
    let same = tikv_jemalloc_sys::malloc as *const () == libc::malloc as *const ();
    println!("{bytes} bytes live, malloc is ours: {same}");
}
"#;

#[test]
fn a_program_profiles_itself_through_them_optimized_as_a_whole_or_not() {
    let manifest = "[package]\nname = \"program\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
                    [[bin]]\nname = \"program\"\npath = \"main.rs\"\n\
                    [features]\nunprefixed = [\"tikv-jemallocator/unprefixed_malloc_on_supported_platforms\"]\n\
                    [dependencies]\ntikv-jemallocator = { version = \"=0.7.0\", features = [\"profiling\"] }\n\
                    tikv-jemalloc-sys = \"0.7\"\njemalloc_pprof = \"=0.9.0\"\nlibc = \"0.2\"\n\
                    [profile.release]\nlto = \"fat\"\n[workspace]\n";
    let scratch = Scratch::new("program");
    fs::write(scratch.file("Cargo.toml"), manifest).unwrap();
    fs::write(scratch.file("main.rs"), PROGRAM).unwrap();
    for (way, arguments, ours) in [
        (Way::Override, &["run"][..], true),
        (Way::Patch, &["run"], false),
        (Way::Patch, &["run", "--features", "unprefixed"], true),
        (Way::Patch, &["run", "--release", "--features", "unprefixed"], true),
    ] {
        // One that was locked for the other way would keep the binding's own package.
        let _ = fs::remove_file(scratch.file("Cargo.lock"));
        let outcome = cargo(way, scratch.path(), arguments).ok();
        // An archive whose malloc is there is asked for it by the program's own malloc, prefix or not.
        assert!(outcome.stdout.ends_with(&format!("malloc is ours: {ours}\n")), "{outcome}");
    }
}

/// A program of the older release: the allocator, statistics, options by name, extent hooks by the binding's types.
const OLDER: &str = r#"
use tikv_jemalloc_ctl::{epoch, raw, stats, version};
use tikv_jemalloc_sys::{MALLOCX_ALIGN, extent_alloc_t, extent_hooks_t, mallocx, sdallocx};

#[global_allocator]
static ALLOC: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[export_name = "_rjem_malloc_conf"]
pub static OPTIONS: &[u8] = b"narenas:3\0";

fn main() {
    let kept = std::hint::black_box(vec![1u8; 10 << 20]);
    let before = epoch::advance().unwrap();
    assert_eq!(epoch::advance().unwrap(), before + 1);
    let (allocated, active) = (stats::allocated::read().unwrap(), stats::active::read().unwrap());
    assert!(allocated >= kept.len() && allocated <= active, "{allocated} {active}");
    assert!(stats::resident::mib().unwrap().read().unwrap() >= active);
    assert_eq!(tikv_jemalloc_ctl::opt::narenas::read().unwrap(), 3);
    // SAFETY: the start of a vector that is alive, which this allocator made.
    assert_eq!(unsafe { tikv_jemallocator::usable_size(kept.as_ptr()) }, 10 << 20);
    // SAFETY: the table that the arena has, valid for ever, with a hook that every table has.
    let alloc: Option<extent_alloc_t> =
        unsafe { (*raw::read::<*mut extent_hooks_t>(b"arena.0.extent_hooks\0").unwrap()).alloc };
    assert!(alloc.is_some());
    // SAFETY: freed as it was allocated.
    unsafe {
        let flags = MALLOCX_ALIGN(4096);
        let object = mallocx(100, flags);
        assert_eq!(object as usize % 4096, 0);
        sdallocx(object, 100, flags);
    }
    println!("jemalloc {}", version::read().unwrap().to_string());
}
"#;

#[test]
fn a_program_of_the_release_before_runs_on_its_stand_in() {
    let manifest = "[package]\nname = \"older\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
                    [[bin]]\nname = \"older\"\npath = \"main.rs\"\n\
                    [dependencies]\ntikv-jemallocator = \"=0.6.1\"\n\
                    tikv-jemalloc-ctl = { version = \"=0.6.1\", features = [\"stats\", \"use_std\"] }\n\
                    tikv-jemalloc-sys = \"0.6\"\n[workspace]\n";
    let scratch = Scratch::new("older");
    fs::write(scratch.file("Cargo.toml"), manifest).unwrap();
    fs::write(scratch.file("main.rs"), OLDER).unwrap();
    let outcome = cargo_with(Way::Patch, "0.6", scratch.path(), &["run"]).ok();
    assert!(outcome.stdout.starts_with("jemalloc 5.3.1"), "{outcome}");
}
