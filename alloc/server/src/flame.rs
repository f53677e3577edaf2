//! `/debug/pprof/flamegraph`.

use crate::endpoint::Asked;
use crate::parameters::Parameter;
use crate::request::Answer;
use crate::response::Response;

/// The one parameter.
pub const PARAMETERS: &[Parameter] = &[Parameter {
    name: "type",
    values: "`inuse_space`, `inuse_objects`, `alloc_space`, `alloc_objects`",
    about: "What the widths are; the latter two with `prof_accum:true` only.",
}];

/// Without the feature there is nothing that draws.
#[cfg(not(feature = "flame"))]
pub fn page(_: &Asked) -> Result<Answer, Response> {
    Err(Response::error(501, "jealloc-server was built without the feature `flame`"))
}

#[cfg(feature = "flame")]
pub use drawn::page;

#[cfg(feature = "flame")]
mod drawn {
    use std::collections::{BTreeMap, HashSet};

    use inferno::flamegraph::color::{BasicPalette, Palette};
    use inferno::flamegraph::{Options, from_lines};
    use prof_format::dump::{Dump, StackRow};

    use super::*;
    use crate::{names, snapshot};

    /// What can be drawn, with its unit and whether profiles may lack it.
    type Figure = fn(&StackRow) -> f64;
    const FIGURES: [(&str, &str, bool, Figure); 4] = [
        ("inuse_space", "bytes", false, |row| row.live.bytes),
        ("inuse_objects", "objects", false, |row| row.live.objs),
        ("alloc_space", "bytes", true, |row| row.accum.bytes),
        ("alloc_objects", "objects", true, |row| row.accum.objs),
    ];

    /// The page.
    pub fn page(asked: &Asked) -> Result<Answer, Response> {
        let names = FIGURES.map(|(name, ..)| name);
        let name = asked.parameters.choice("type", &names)?;
        let (_, unit, accumulated, figure) =
            FIGURES.into_iter().find(|(known, ..)| *known == name).unwrap_or(FIGURES[0]);
        let dump = snapshot::read()?;
        if accumulated && !dump.has_accum {
            let what = format!("type: {name} is not known: the program was not started with prof_accum:true");
            return Err(Response::error(400, what));
        }
        let svg = draw(&folded(&dump, figure), name, unit)?;
        Ok(Answer::Now(Response::page("image/svg+xml", svg)))
    }

    /// Lines `root;...;leaf VALUE`, each stack once.
    fn folded(dump: &Dump, figure: Figure) -> Vec<String> {
        // Each address is looked up once.
        let addresses: HashSet<u64> = dump.frame_table.iter().map(|frame| frame.address).collect();
        let known = names::of(&addresses.into_iter().collect::<Vec<_>>());
        let name = |&frame: &u32| {
            let address = dump.frame_table[frame as usize].address;
            // What separates frames and values is no part of a name.
            let plain = |name: &String| name.replace(';', ":").replace(['\n', '\r'], " ");
            known.get(&address).map_or_else(|| format!("{address:#x}"), plain)
        };
        let mut sums = BTreeMap::<String, f64>::new();
        for row in &dump.stacks {
            let mut frames: Vec<String> = dump.stack(row).iter().map(name).collect();
            let plumbing = frames.iter().take_while(|name| is_plumbing(name)).count();
            frames.drain(..plumbing.min(frames.len().saturating_sub(1)));
            frames.reverse();
            *sums.entry(frames.join(";")).or_default() += figure(row);
        }
        let whole =
            sums.into_iter().map(|(stack, sum)| (stack, sum.round() as u64)).filter(|(_, sum)| *sum != 0);
        whole.map(|(stack, sum)| format!("{stack} {sum}")).collect()
    }

    /// Whether a function stands for allocating as such, as `prof_format::pprof::DROP_FRAMES` says of profiles.
    fn is_plumbing(name: &str) -> bool {
        const STARTS: [&str; 6] =
            ["alloc::alloc::", "<alloc::alloc::", "jealloc::", "<jealloc::", "__rust_", "__rustc::__rust_"];
        STARTS.iter().any(|start| name.starts_with(start))
    }

    fn draw(lines: &[String], name: &str, unit: &str) -> Result<Vec<u8>, Response> {
        if lines.is_empty() {
            return Err(Response::error(503, "there is nothing to draw: nothing was sampled so far"));
        }
        let mut options = Options::default();
        options.title = format!("{}: {name}", program());
        options.count_name = unit.to_owned();
        options.colors = Palette::Basic(BasicPalette::Mem);
        // The same colours for the same names.
        options.deterministic = true;
        let mut svg = Vec::new();
        from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
            .map_err(|error| Response::error(500, format_args!("flame graph: {error}")))?;
        Ok(svg)
    }

    /// The program's name.
    fn program() -> String {
        let path = std::env::args().next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use prof_format::testing::VecSnapshot;

        #[inline(never)]
        fn leaf() -> u64 {
            std::hint::black_box(1)
        }

        #[test]
        fn stacks_are_named_from_the_root_and_added_up() {
            assert_eq!(leaf(), 1);
            // Frames of a snapshot are return addresses.
            let named = leaf as *const () as u64 + 1;
            let mut snapshot = VecSnapshot::empty(1, true);
            snapshot.push(&[named, 0x11, 0x21], &[(0, &[16, 16], &[16, 16, 32])]);
            snapshot.push(&[named, 0x11, 0x21], &[(1, &[], &[64])]);
            let mut bytes = Vec::new();
            let Ok(()) = prof_format::pprof::write(&snapshot, &mut bytes);
            let dump = prof_format::pprof::read(&bytes).unwrap();
            let stack = "0x20;0x10;jealloc_server::flame::drawn::tests::leaf";
            let [space, _, allocated, objects] = FIGURES.map(|(.., figure)| folded(&dump, figure));
            assert_eq!(space, [format!("{stack} 32")]);
            assert_eq!((allocated, objects), (vec![format!("{stack} 128")], vec![format!("{stack} 4")]));
            let svg = String::from_utf8(draw(&space, "inuse_space", "bytes").unwrap()).unwrap();
            assert!(svg.contains("drawn::tests::leaf (32 bytes, 100.00%)"), "{svg}");
            assert_eq!(draw(&[], "inuse_space", "bytes").unwrap_err().status, 503);
        }

        #[test]
        fn plumbing_is_told_by_its_name() {
            for name in
                ["alloc::alloc::alloc", "__rust_alloc", "__rustc::__rust_realloc", "<jealloc::X as Y>::z"]
            {
                assert!(is_plumbing(name), "{name}");
            }
            for name in ["alloc::vec::Vec<T>::push", "my::alloc::alloc", "jealloc_server::x", "main"] {
                assert!(!is_plumbing(name), "{name}");
            }
        }
    }
}
