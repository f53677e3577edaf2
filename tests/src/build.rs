//! Building the packages under test with the cargo that runs the test, once per process and package.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the suite lies in the workspace").to_owned()
}

/// Which of cargo's profiles to build with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `dev`.
    Dev,
    /// `release`.
    Release,
}

impl Profile {
    /// The profile of the running program, told by its own path (`target/release/...`).
    pub fn own() -> Profile {
        let release = own_path().components().any(|part| part.as_os_str() == "release");
        if release { Profile::Release } else { Profile::Dev }
    }

    fn folder(self) -> &'static str {
        match self {
            Profile::Dev => "debug",
            Profile::Release => "release",
        }
    }
}

fn own_path() -> PathBuf {
    std::env::current_exe().expect("a running program has a path")
}

/// Cargo's target folder, told by the running program's own path, so that every setting of it is honoured.
pub fn target_folder() -> PathBuf {
    let own = own_path();
    let folder = own.ancestors().find(|folder| {
        folder.file_name().is_some_and(|name| name == "debug" || name == "release")
            && folder.join("deps").is_dir()
    });
    folder.and_then(Path::parent).expect("the running program was built by cargo").to_owned()
}

/// Builds `package` and gives the folder that the result lies in.
///
/// # Panics
/// When the build fails, with cargo's output.
pub fn package(package: &'static str, profile: Profile) -> PathBuf {
    built(package, None, profile)
}

/// An example of `package`.
///
/// # Panics
/// As [`package`].
pub fn example(package: &'static str, example: &'static str, profile: Profile) -> PathBuf {
    built(package, Some(example), profile).join("examples").join(example)
}

fn built(package: &'static str, example: Option<&'static str>, profile: Profile) -> PathBuf {
    type Built = HashMap<(&'static str, Option<&'static str>, Profile), Result<PathBuf, String>>;
    static BUILT: Mutex<Option<Built>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let answer = built
        .get_or_insert_default()
        .entry((package, example, profile))
        .or_insert_with(|| build(package, example, profile))
        .clone();
    drop(built);
    answer.unwrap_or_else(|what| panic!("{what}"))
}

fn build(package: &str, example: Option<&str>, profile: Profile) -> Result<PathBuf, String> {
    let target = target_folder();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo
        .current_dir(workspace())
        .args(["build", "--quiet", "--package", package, "--target-dir"])
        .arg(&target);
    if let Some(example) = example {
        cargo.args(["--example", example]);
    }
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    // As the workspace says for the library; the others take minutes that way, and need it less. Set for both, because
    // the tests themselves may run under another setting.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", if package == "jemalloc" { "fat" } else { "thin" });
    // The allocator under test must not be the one that builds it.
    cargo.env_remove("LD_PRELOAD").env_remove("MALLOC_CONF");
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if output.status.success() {
        return Ok(target.join(profile.folder()));
    }
    Err(format!("cargo build --package {package} failed:\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// `libjemalloc.so`, built with the test's own profile.
pub fn preload() -> PathBuf {
    preload_of(Profile::own())
}

/// `libjemalloc.so` of a profile. `SUITE_PRELOAD` names another library instead: the same tests then tell how the
/// reference behaves.
pub fn preload_of(profile: Profile) -> PathBuf {
    if let Some(other) = std::env::var_os("SUITE_PRELOAD") {
        return other.into();
    }
    package("jemalloc", profile).join("libjemalloc.so")
}

/// The sample service.
pub fn svc(profile: Profile) -> PathBuf {
    package("svc", profile).join("svc")
}

/// The viewer.
pub fn viewer(profile: Profile) -> PathBuf {
    package("jeprof-rs", profile).join("jeprof-rs")
}

/// Where cargo keeps the sources of a crate that the workspace depends on under some feature.
///
/// # Errors
/// In words, when cargo does not name the crate.
pub fn crate_folder(name: &str) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["metadata", "--format-version=1", "--all-features"])
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata = String::from_utf8_lossy(&output.stdout);
    let crate_part = format!("/{name}-");
    let manifest = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut folders = manifest.filter_map(|path| path.strip_suffix("/Cargo.toml"));
    folders
        .find(|folder| folder.rfind('/').is_some_and(|at| folder[at..].starts_with(&crate_part)))
        .map(PathBuf::from)
        .ok_or_else(|| format!("cargo metadata names no crate {name}"))
}
