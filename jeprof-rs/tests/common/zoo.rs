//! The Rust program whose stacks are known from its source (`menagerie.rs` and its crate `keeper.rs`): how to build
//! it, and what a report of its dump has to say.

use std::path::{Path, PathBuf};
use std::process::Command;

use object::Object;

use super::{Scratch, command, finish, program, run, truth};

/// What a build lets a reader know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Functions with their paths, inlined ones too, and lines.
    All,
    /// The same, but debug information gives inlined functions no path.
    AllShort,
    /// Functions that exist as code.
    Symbols,
    /// Nothing.
    Nothing,
}

/// Which mangling the program was compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mangling {
    /// `_ZN..17h..E`: no arguments of generic functions.
    Legacy,
    /// `_R..`.
    V0,
}

/// One frame of a true stack.
struct Frame {
    legacy: &'static str,
    v0: &'static str,
    short: &'static str,
    inlined: bool,
    source: &'static str,
    mark: &'static str,
}

const fn frame(name: &'static str, source: &'static str, mark: &'static str) -> Frame {
    Frame { legacy: name, v0: name, short: "", inlined: false, source, mark }
}

const fn inlined(name: &'static str, short: &'static str, source: &'static str, mark: &'static str) -> Frame {
    Frame { legacy: name, v0: name, short, inlined: true, source, mark }
}

const MAIN: &str = "menagerie.rs";
const KEEPER: &str = "keeper.rs";

/// The stacks below `main`, root first, with the bytes of their site.
const STACKS: &[(i64, &[Frame])] = &[
    (
        1000,
        &[
            frame("menagerie::main", MAIN, "main trait"),
            frame("<menagerie::Cat as menagerie::Voice>::call", MAIN, "trait"),
        ],
    ),
    (
        2000,
        &[
            frame("menagerie::main", MAIN, "main generic"),
            Frame {
                legacy: "menagerie::generic_site",
                ..frame("menagerie::generic_site::<u32>", MAIN, "generic")
            },
        ],
    ),
    (
        4000,
        &[
            frame("menagerie::main", MAIN, "main outer"),
            frame("menagerie::den::outer_site", MAIN, "outer"),
            inlined("menagerie::inlined_site", "inlined_site", MAIN, "inlined"),
        ],
    ),
    (
        8000,
        &[
            frame("menagerie::main", MAIN, "main twice"),
            Frame {
                legacy: "menagerie::twice",
                ..frame("menagerie::twice::<menagerie::main::{closure#0}>", MAIN, "twice")
            },
            Frame {
                legacy: "menagerie::main::{{closure}}",
                short: "{closure#0}",
                inlined: true,
                ..frame("menagerie::main::{closure#0}", MAIN, "closure")
            },
        ],
    ),
    (
        16000,
        &[
            frame("menagerie::main", MAIN, "main shared"),
            Frame {
                legacy: "keeper::cage::shared",
                ..frame("keeper::cage::shared::<u16>", KEEPER, "shared")
            },
            inlined("keeper::bridge", "bridge", KEEPER, "bridge"),
            inlined("keeper::deep", "deep", KEEPER, "deep"),
        ],
    ),
    (32000, &[frame("menagerie::main", MAIN, "main kept"), frame("keeper::kept", KEEPER, "kept")]),
];

/// A built program and the dump that it made.
pub struct Zoo {
    pub scratch: Scratch,
    pub binary: PathBuf,
    pub dump: PathBuf,
    pub mangling: Mangling,
}

impl Zoo {
    /// Compiles both crates with these compiler flags beside `-O` and runs the program.
    pub fn build(name: &str, flags: &[&str]) -> Zoo {
        let zoo = Zoo::compile(name, flags);
        zoo.record();
        zoo
    }

    /// Compiles without running: what is done to the file comes before the dump.
    #[track_caller]
    pub fn compile(name: &str, flags: &[&str]) -> Zoo {
        let scratch = Scratch::new(&format!("zoo-{name}"));
        let mangling =
            if flags.iter().any(|flag| flag.ends_with("=legacy")) { Mangling::Legacy } else { Mangling::V0 };
        let chosen = flags.iter().any(|flag| flag.contains("symbol-mangling-version"));
        let crates: [(_, &[&str]); 2] =
            [("keeper.rs", &["--crate-type=rlib"]), ("menagerie.rs", &["--extern", "keeper=libkeeper.rlib"])];
        for (source, own_flags) in crates {
            let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
            rustc
                .current_dir(scratch.path(""))
                // The mangling that is not the default of the compiler at hand is an unstable option.
                .env("RUSTC_BOOTSTRAP", "1")
                .args(["--edition=2024", "-O", "-Zunstable-options", "-C", "codegen-units=1"])
                .args(own_flags)
                .args(if chosen { [].as_slice() } else { &["-C", "symbol-mangling-version=v0"] })
                .args(flags)
                .arg(program(source));
            run(&mut rustc);
        }
        let (binary, dump) = (scratch.path("menagerie"), scratch.path("menagerie.heap"));
        Zoo { scratch, binary, dump, mangling }
    }

    /// Runs the program, which writes the dump.
    #[track_caller]
    pub fn record(&self) {
        run(Command::new(&self.binary).arg(&self.dump));
    }

    /// Puts the debug information into a file of its own, of which the program knows nothing.
    #[track_caller]
    pub fn split_off(&self, debug: &Path) {
        run(Command::new("objcopy").arg("--only-keep-debug").args([&self.binary, debug]));
        run(Command::new("strip").arg(&self.binary));
    }

    /// The program's build id in hex.
    #[track_caller]
    pub fn build_id(&self) -> String {
        let bytes = std::fs::read(&self.binary).unwrap();
        let object = object::File::parse(&*bytes).unwrap();
        let id = object.build_id().unwrap().expect("the program has a build id");
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Writes the dump anew with the program's build id, as gperftools and Go do in their maps.
    pub fn put_build_id_into_dump(&self) {
        let (id, path) = (self.build_id(), self.binary.to_str().unwrap());
        let line = |line: &str| match line.split_once(path) {
            Some((fields, _)) => {
                let fields: Vec<&str> = fields.split_whitespace().collect();
                format!("{} {} {path} (@{}) {id}\n", fields[0], fields[1], fields[2])
            }
            None => format!("{line}\n"),
        };
        let text: String = std::fs::read_to_string(&self.dump).unwrap().lines().map(line).collect();
        std::fs::write(&self.dump, text).unwrap();
    }

    /// Writes the dump anew as it is: it has no build id, so it has to be younger than the program.
    pub fn touch_dump(&self) {
        let content = std::fs::read(&self.dump).unwrap();
        std::fs::write(&self.dump, content).unwrap();
    }

    /// The dump's path as an argument.
    pub fn dump(&self) -> &str {
        self.dump.to_str().unwrap()
    }

    /// Checks stacks and lines of the report against the source, with these arguments before the dump.
    #[track_caller]
    pub fn check(&self, known: Known, args: &[&str]) {
        self.check_with(known, args, &[]);
    }

    /// The same, with variables of the environment.
    #[track_caller]
    pub fn check_with(&self, known: Known, args: &[&str], environment: &[(&str, &str)]) {
        let ask = |more: &[&str]| {
            let mut tool = command(&[more, args, &[self.dump()]].concat());
            finish(tool.envs(environment.iter().copied()).output().unwrap())
        };
        if known == Known::Nothing {
            let collapsed = ask(&["--collapsed"]);
            assert_eq!(collapsed.status, 0, "{}", collapsed.stderr);
            assert!(!collapsed.stdout.contains("menagerie::"), "{}", collapsed.stdout);
            assert!(collapsed.stderr.contains("have no name"), "{}", collapsed.stderr);
            return;
        }
        let known_frame =
            |frame: &Frame| truth::Known { name: self.name(frame, known), place: (frame.source, frame.mark) };
        let stacks: Vec<(i64, Vec<truth::Known>)> = STACKS
            .iter()
            .map(|(bytes, stack)| (*bytes, visible(stack, known).map(known_frame).collect()))
            .collect();
        truth::check(&ask, &stacks, known != Known::Symbols);
    }

    fn name(&self, frame: &Frame, known: Known) -> String {
        let whole = if self.mangling == Mangling::Legacy { frame.legacy } else { frame.v0 };
        if known == Known::AllShort && frame.inlined { frame.short.into() } else { whole.into() }
    }
}

fn visible(stack: &[Frame], known: Known) -> impl Iterator<Item = &Frame> {
    stack.iter().filter(move |frame| known != Known::Symbols || !frame.inlined)
}
