//! The Rust programs of `tests/bench/rust`, linked with each allocator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use suite::bench::report::{BASE, OURS};
use suite::bench::rows::Linking;
use suite::build::{target_folder, workspace};

use crate::peers::Peer;

/// Allocators, each with the feature that links it and the package it comes from: jemalloc first and ours second.
const ALLOCATORS: [(&str, Option<&str>); 5] = [
    (BASE, Some("tikv-jemallocator")),
    (OURS, Some("jealloc")),
    ("mimalloc", Some("mimalloc")),
    ("snmalloc", Some("snmalloc-rs")),
    ("glibc", None),
];

/// All that can be built, and the others, each with its reason. What is built already is built again only when its sources
/// have changed.
///
/// # Errors
/// When jemalloc or ours cannot be built, since all is compared with these.
pub fn all() -> Result<(Vec<Peer>, Vec<String>), String> {
    let package = workspace().join("tests/bench/rust");
    let manifest = fs::read_to_string(package.join("Cargo.toml"))
        .map_err(|error| format!("{}: {error}", package.display()))?;
    let (mut peers, mut missing) = (Vec::new(), Vec::new());
    for (name, from) in ALLOCATORS {
        match built(&package, name, from.is_some()) {
            Ok(path) => {
                let version = from.map_or("the default".to_owned(), |from| version(&manifest, from));
                peers.push(Peer { name: name.to_owned(), version, path });
            }
            Err(what) if [BASE, OURS].contains(&name) => return Err(format!("{name}: {what}")),
            Err(what) => missing.push(format!("{name}: {}", what.lines().last().unwrap_or_default())),
        }
    }
    Ok((peers, missing))
}

/// The folder of an allocator's programs: one for each way of linking, with the name of its profile.
fn built(package: &Path, name: &str, feature: bool) -> Result<PathBuf, String> {
    let target = target_folder().join("bench-set/rust");
    let folder = target.join("linked").join(name);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (_, profile) in Linking::ALL {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
        cargo
            .current_dir(package)
            .args(["build", "--quiet", "--profile", profile, "--target-dir"])
            .arg(&target);
        if feature {
            cargo.args(["--features", name]);
        }
        cargo.env_remove("LD_PRELOAD").env_remove("MALLOC_CONF");
        let answer = cargo.output().map_err(|error| format!("{cargo:?}: {error}"))?;
        if !answer.status.success() {
            return Err(String::from_utf8_lossy(&answer.stderr).trim_end().to_owned());
        }
        // The next allocator's program gets the same name.
        let (from, to) = (target.join(profile).join("bench-rust"), folder.join(profile));
        fs::copy(&from, &to).map_err(|error| format!("{}: {error}", from.display()))?;
    }
    Ok(folder)
}

/// A package with the version that the manifest asks for, and the features that are more than its defaults.
fn version(manifest: &str, package: &str) -> String {
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap_or_default();
    let line =
        dependencies.lines().find(|line| line.starts_with(&format!("{package} ="))).unwrap_or_default();
    let quoted = |after: &str| line.split_once(after).and_then(|(_, rest)| rest.split('"').nth(1));
    let words = [quoted("version ="), quoted("features =")];
    let words = words.into_iter().flatten().map(|word| format!(" {}", word.trim_start_matches('=')));
    format!("{package}{}", words.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_manifests() {
        let manifest = "[features]\na = [\"dep:a\"]\n[dependencies]\na = { version = \"=1.2\", features = [\"fast\"], optional = true }\nab = { path = \"x\" }\n";
        assert_eq!(version(manifest, "a"), "a 1.2 fast");
        assert_eq!(version(manifest, "ab"), "ab");
    }
}
