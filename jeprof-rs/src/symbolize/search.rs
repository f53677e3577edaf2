//! The places where a file may be, in the order in which they are tried. Only names are made here; whether there is a
//! file and whether it is the right one is for `locate` and `debug_file` to say.

use std::path::{Component, Path, PathBuf};

use prof_format::vocab::BuildId;

use super::debuginfod::{Debuginfod, Environment};
use crate::plan::finding::Finding;

/// Where distributions put debug files.
const DEBUG_ROOT: &str = "/usr/lib/debug";

/// Where to look, from the command line and the environment.
#[derive(Debug, Default)]
pub struct Search {
    /// Folders with copies, those of the command line first.
    symbol_path: Vec<PathBuf>,
    lib_prefix: Vec<PathBuf>,
    sysroot: Option<PathBuf>,
    /// Servers to ask when no file is found.
    pub debuginfod: Option<Debuginfod>,
}

impl Search {
    /// Puts together what was asked for. `PPROF_BINARY_PATH` counts as in pprof, with its default, and
    /// `DEBUGINFOD_URLS` as in elfutils: without it no server is asked.
    pub fn new(finding: &Finding, environment: Environment<'_>) -> Search {
        let of_pprof = match environment("PPROF_BINARY_PATH").filter(|list| !list.is_empty()) {
            Some(list) => std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect(),
            // Most people have no such folder, and need not be told that nothing is in it.
            None => environment("HOME")
                .map(|home| Path::new(&home).join("pprof/binaries"))
                .filter(|folder| folder.is_dir())
                .into_iter()
                .collect(),
        };
        let of_pprof: Vec<PathBuf> = of_pprof;
        Search {
            symbol_path: finding.symbol_path.iter().cloned().chain(of_pprof).collect(),
            lib_prefix: finding.lib_prefix.clone(),
            sysroot: finding.sysroot.clone(),
            debuginfod: if finding.offline { None } else { Debuginfod::new(environment) },
        }
    }

    /// Candidates for the file that a process had mapped from `path`, with the place that each comes from.
    pub fn binaries(&self, path: &str, id: &BuildId) -> Vec<(PathBuf, Origin)> {
        let path = Path::new(path);
        let mut found = Candidates::default();
        for folder in &self.symbol_path {
            for candidate in pprof_order(folder, path, id) {
                found.add(candidate, Origin::Copy);
            }
        }
        let parts: Vec<Component<'_>> =
            path.components().filter(|part| *part != Component::RootDir).collect();
        for first in 0..parts.len() {
            for folder in &self.lib_prefix {
                found.add(folder.join(parts[first..].iter().collect::<PathBuf>()), Origin::Copy);
            }
        }
        if path.is_absolute() {
            if let Some(root) = &self.sysroot {
                found.add(below(root, path), Origin::Copy);
            }
            let origin = if self.sysroot.is_some() { Origin::OtherRoot } else { Origin::Itself };
            found.add(path.to_path_buf(), origin);
        }
        // Fedora links every installed file by its build id; a debug file stands in for a file that is gone.
        for root in self.roots() {
            by_build_id(&below(&root, Path::new("/usr/lib")), id)
                .into_iter()
                .for_each(|path| found.add(path.with_extension(""), Origin::Copy));
        }
        for root in self.debug_roots() {
            by_build_id(&root, id).into_iter().for_each(|path| found.add(path, Origin::Copy));
        }
        found.list
    }

    /// Candidates for the debug file of a binary. `paths` are those that the binary has, here and in the dump; `link` is
    /// the name that it gives its debug file.
    pub fn debug_files(&self, paths: &[&Path], id: &BuildId, link: Option<&str>) -> Vec<PathBuf> {
        let mut found = Candidates::default();
        let mut add = |path: PathBuf| {
            if paths.iter().all(|known| *known != path) {
                found.add(path, Origin::Copy);
            }
        };
        for folder in &self.symbol_path {
            if let Some(path) = by_build_id(folder, id) {
                add(path);
            }
            add(folder.join(id.to_string()).join("debuginfo"));
            let by_link = link.map(|link| folder.join(link));
            by_link.into_iter().for_each(&mut add);
            for path in paths {
                pprof_order(folder, path, id).into_iter().for_each(&mut add);
            }
        }
        for root in self.debug_roots() {
            by_build_id(&root, id).into_iter().for_each(&mut add);
        }
        for path in paths {
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
            let mut conventional = name.to_os_string();
            conventional.push(".debug");
            // Some distributions give the debug file the binary's own name.
            self.debug_roots().iter().for_each(|root| add(below(root, path)));
            for name in link.map(Path::new).into_iter().chain([Path::new(&conventional)]) {
                add(folder.join(name));
                add(folder.join(".debug").join(name));
                for root in self.debug_roots() {
                    add(below(&root, folder).join(name));
                }
            }
        }
        found.list.into_iter().map(|(path, _)| path).collect()
    }

    /// Candidates for the file that several debug files share. `owner` is the file that names it `name`.
    pub fn common_files(&self, owner: &Path, name: &Path, id: &BuildId) -> Vec<PathBuf> {
        let mut found = Candidates::default();
        let mut add = |path: PathBuf| found.add(path, Origin::Copy);
        for folder in &self.symbol_path {
            by_build_id(folder, id).into_iter().for_each(&mut add);
            name.file_name().into_iter().for_each(|name| add(folder.join(name)));
        }
        if let (true, Some(root)) = (name.is_absolute(), &self.sysroot) {
            add(below(root, name));
        }
        // Joining an absolute name gives that name.
        for owner in [Some(owner.to_path_buf()), owner.canonicalize().ok()].into_iter().flatten() {
            owner.parent().into_iter().for_each(|folder| add(folder.join(name)));
        }
        for root in self.debug_roots() {
            by_build_id(&root, id).into_iter().for_each(&mut add);
            name.file_name().into_iter().for_each(|name| add(root.join(".dwz").join(name)));
        }
        found.list.into_iter().map(|(path, _)| path).collect()
    }

    /// Candidates for the package of split debug information of files with these paths.
    pub fn packages(&self, paths: &[&Path]) -> Vec<PathBuf> {
        let mut found = Candidates::default();
        for path in paths {
            let mut package = path.as_os_str().to_os_string();
            package.push(".dwp");
            let package = PathBuf::from(package);
            found.add(package.clone(), Origin::Copy);
            for folder in &self.symbol_path {
                package.file_name().into_iter().for_each(|name| found.add(folder.join(name), Origin::Copy));
                found.add(below(folder, &package), Origin::Copy);
            }
            for root in self.debug_roots() {
                found.add(below(&root, &package), Origin::Copy);
            }
        }
        found.list.into_iter().map(|(path, _)| path).collect()
    }

    /// Where files with the split debug information of units may be; `owners` are the files that name them.
    pub fn split_places(&self, owners: &[&Path]) -> SplitPlaces {
        let beside = owners.iter().filter_map(|owner| owner.parent().map(Path::to_path_buf));
        SplitPlaces {
            sysroot: self.sysroot.clone(),
            folders: beside.chain(self.symbol_path.iter().cloned()).collect(),
        }
    }

    /// A path of the dump's file system, here.
    pub fn in_sysroot(&self, path: &Path) -> PathBuf {
        self.sysroot.as_deref().map_or_else(|| path.to_path_buf(), |root| below(root, path))
    }

    fn roots(&self) -> Vec<PathBuf> {
        self.sysroot.iter().cloned().chain([PathBuf::from("/")]).collect()
    }

    fn debug_roots(&self) -> Vec<PathBuf> {
        self.roots().iter().map(|root| below(root, Path::new(DEBUG_ROOT))).collect()
    }
}

/// Where the split debug information of one file's units may be (`.dwo`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SplitPlaces {
    sysroot: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl SplitPlaces {
    /// Candidates for a unit that was compiled in `folder` and names its file `name`: where it was made, then beside
    /// the files that name it and in folders for copies.
    pub fn candidates(&self, folder: &Path, name: &Path) -> Vec<PathBuf> {
        let mut found = Candidates::default();
        let whole = folder.join(name);
        if let (true, Some(root)) = (whole.is_absolute(), &self.sysroot) {
            found.add(below(root, &whole), Origin::Copy);
        }
        found.add(whole, Origin::Copy);
        for folder in &self.folders {
            if name.is_relative() {
                found.add(folder.join(name), Origin::Copy);
            }
            name.file_name().into_iter().for_each(|name| found.add(folder.join(name), Origin::Copy));
        }
        found.list.into_iter().map(|(path, _)| path).collect()
    }
}

/// How much the place of a candidate says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The very path of the dump.
    Itself,
    /// The path of the dump, though the program ran in another file system.
    OtherRoot,
    /// A place that was named for copies.
    Copy,
}

/// Paths in the order in which they were added, each once.
#[derive(Default)]
struct Candidates {
    list: Vec<(PathBuf, Origin)>,
}

impl Candidates {
    fn add(&mut self, path: PathBuf, origin: Origin) {
        if self.list.iter().all(|(known, _)| *known != path) {
            self.list.push((path, origin));
        }
    }
}

/// A path under another root.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// `ROOT/.build-id/ab/cdef.debug`.
fn by_build_id(root: &Path, id: &BuildId) -> Option<PathBuf> {
    let id = id.to_string();
    let (first, rest) = id.split_at_checked(2).filter(|(_, rest)| !rest.is_empty())?;
    Some(root.join(".build-id").join(first).join(format!("{rest}.debug")))
}

/// pprof's candidates in a folder of `PPROF_BINARY_PATH`, in its order.
fn pprof_order(folder: &Path, path: &Path, id: &BuildId) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    let id = id.to_string();
    if let Some((first, rest)) = id.split_at_checked(2).filter(|(_, rest)| !rest.is_empty()) {
        found.push(folder.join(&id).join(&name));
        // Whatever lies there; in the order of names, so that runs agree.
        let entries = std::fs::read_dir(folder.join(&id)).into_iter().flatten().flatten();
        let mut others: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        others.sort();
        found.append(&mut others);
        found.push(below(folder, path).join(&id));
        found.push(folder.join(first).join(format!("{rest}.debug")));
        found.push(folder.join(".build-id").join(first).join(format!("{rest}.debug")));
    }
    if name.as_os_str().is_empty() {
        return found;
    }
    let mut debug_name = name.clone().into_os_string();
    debug_name.push(".debug");
    let parent = below(folder, path.parent().unwrap_or(path));
    found.push(folder.join(&name));
    found.push(below(folder, path));
    found.push(parent.join(&debug_name));
    found.push(parent.join(".debug").join(&debug_name));
    let parent = path.parent().unwrap_or(path);
    found.push(below(&below(folder, Path::new(DEBUG_ROOT)), parent).join(&debug_name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(finding: Finding) -> Search {
        Search::new(&finding, &|_| None)
    }

    fn texts(paths: Vec<PathBuf>) -> Vec<String> {
        paths.into_iter().map(|path| path.to_str().unwrap().to_string()).collect()
    }

    fn id() -> BuildId {
        BuildId::new(&[0xab, 0xcd, 0xef])
    }

    #[test]
    fn a_symbol_folder_is_searched_in_pprof_s_order() {
        let search = search(Finding { symbol_path: vec!["/s".into()], ..Finding::default() });
        let found = search.binaries("/opt/app/bin/svc", &id());
        assert_eq!(
            texts(found.into_iter().map(|(path, _)| path).collect()),
            [
                "/s/abcdef/svc",
                "/s/opt/app/bin/svc/abcdef",
                "/s/ab/cdef.debug",
                "/s/.build-id/ab/cdef.debug",
                "/s/svc",
                "/s/opt/app/bin/svc",
                "/s/opt/app/bin/svc.debug",
                "/s/opt/app/bin/.debug/svc.debug",
                "/s/usr/lib/debug/opt/app/bin/svc.debug",
                "/opt/app/bin/svc",
                "/usr/lib/.build-id/ab/cdef",
                "/usr/lib/debug/.build-id/ab/cdef.debug",
            ]
        );
    }

    #[test]
    fn the_environment_s_folders_come_after_those_of_the_command_line() {
        let finding = Finding { symbol_path: vec!["/first".into()], ..Finding::default() };
        let variables = |name: &str| match name {
            "PPROF_BINARY_PATH" => Some("/second::/third".into()),
            "HOME" => Some("/users/me".into()),
            _ => None,
        };
        assert_eq!(texts(Search::new(&finding, &variables).symbol_path), ["/first", "/second", "/third"]);
        let home = |name: &str| (name == "HOME").then(|| "/users/nobody/at/all".into());
        assert_eq!(texts(Search::new(&finding, &home).symbol_path), ["/first"]);
    }

    #[test]
    fn a_prefix_is_tried_with_ever_less_of_the_path() {
        let search = search(Finding { lib_prefix: vec!["/p".into(), "/q".into()], ..Finding::default() });
        let found = search.binaries("/usr/lib/libz.so", &BuildId::default());
        assert_eq!(
            texts(found.into_iter().map(|(path, _)| path).collect()),
            [
                "/p/usr/lib/libz.so",
                "/q/usr/lib/libz.so",
                "/p/lib/libz.so",
                "/q/lib/libz.so",
                "/p/libz.so",
                "/q/libz.so",
                "/usr/lib/libz.so"
            ]
        );
    }

    #[test]
    fn another_root_comes_before_this_one() {
        let search = search(Finding { sysroot: Some("/image".into()), ..Finding::default() });
        assert_eq!(
            search.binaries("/bin/svc", &BuildId::default()),
            [("/image/bin/svc".into(), Origin::Copy), ("/bin/svc".into(), Origin::OtherRoot)]
        );
        assert_eq!(
            texts(search.debug_files(&[Path::new("/bin/svc")], &id(), Some("svc.sym"))),
            [
                "/image/usr/lib/debug/.build-id/ab/cdef.debug",
                "/usr/lib/debug/.build-id/ab/cdef.debug",
                "/image/usr/lib/debug/bin/svc",
                "/usr/lib/debug/bin/svc",
                "/bin/svc.sym",
                "/bin/.debug/svc.sym",
                "/image/usr/lib/debug/bin/svc.sym",
                "/usr/lib/debug/bin/svc.sym",
                "/bin/svc.debug",
                "/bin/.debug/svc.debug",
                "/image/usr/lib/debug/bin/svc.debug",
                "/usr/lib/debug/bin/svc.debug",
            ]
        );
    }

    #[test]
    fn a_binary_is_not_its_own_debug_file() {
        let found = search(Finding::default()).debug_files(&[Path::new("/bin/svc")], &id(), Some("svc"));
        assert!(!texts(found).contains(&"/bin/svc".to_string()));
    }

    #[test]
    fn a_split_unit_is_looked_for_where_it_was_made_and_beside_its_owner() {
        let search = search(Finding { symbol_path: vec!["/s".into()], ..Finding::default() });
        assert_eq!(
            texts(
                search
                    .split_places(&[Path::new("/bin/svc")])
                    .candidates(Path::new("/build"), Path::new("out/a.dwo"))
            ),
            ["/build/out/a.dwo", "/bin/out/a.dwo", "/bin/a.dwo", "/s/out/a.dwo", "/s/a.dwo"]
        );
    }
}
