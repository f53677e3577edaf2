//! The stacks of several dumps by key, each with an estimate for each dump.

use hashbrown::HashMap;
use prof_format::dump::Label;

use super::stack_key::{KeyFrame, Role, key_of, own};
use crate::error::{Error, Result};
use crate::inference::estimate::Estimate;
use crate::inference::survival::{Ages, class_of};
use crate::model::labels::{number_of, text_of};
use crate::model::parts::{Part, PartDump};
use crate::model::sign::Sign;
use crate::model::{Figures, Place, Profile, file_name};
use crate::plan::check::KeyPlan;
use crate::session::{Session, Taken};
use crate::symbolize::symbols::LineId;
use crate::transform::View;

/// A frame as reports show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Readable name, or what stands for it.
    pub function: String,
    /// Whether the name is known.
    pub is_named: bool,
    /// Path of the source file, empty when unknown.
    pub file: String,
    /// Line in it, 0 when unknown.
    pub line: u32,
    /// Path of the file with the code, empty when unknown.
    pub module: String,
    /// Its build id, may be empty.
    pub build_id: String,
    /// Whether the function is inlined into the next one.
    pub inlined: bool,
}

/// A stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Index in [`Profile::stacks`] of the first that has its key.
    pub first: u32,
    /// Its key.
    pub key: String,
    /// Texts of its frames as the key has them, leaf first.
    pub texts: Vec<String>,
    /// All frames, leaf first, as far as the view shows them.
    pub frames: Vec<Shown>,
    /// Which of them are the program's own.
    pub own: std::ops::Range<usize>,
    /// For each dump what is live.
    pub live: Vec<Estimate>,
    /// For each dump the bytes that were allocated so far, where dumps tell.
    pub allocated: Vec<f64>,
    /// Samples of the last dump of each process by age, those that were freed at their death, where it tells.
    pub ages: Ages,
    /// Bytes and objects of each dump that nobody points to, where it was looked at.
    pub unreachable: Vec<(f64, f64)>,
}

impl Stack {
    /// What is live in several dumps together.
    pub fn live_in(&self, dumps: &[usize]) -> Estimate {
        dumps.iter().map(|&dump| self.live[dump]).sum()
    }

    /// The program's own frames, leaf first.
    pub fn own_frames(&self) -> &[Shown] {
        &self.frames[self.own.clone()]
    }
}

/// Dumps, and what each has of each stack.
#[derive(Clone, Debug)]
pub struct Stacks {
    /// The dumps: those of the base and then those to look at, each in their order.
    pub dumps: Vec<PartDump>,
    /// Their names.
    pub names: Vec<String>,
    /// How many of them are of the base.
    pub base: usize,
    /// The stacks, in the order in which they were met.
    pub all: Vec<Stack>,
}

/// The label of what nobody points to (`direct`), or only what itself is lost does (`indirect`).
pub const LEAK: &str = "leak";

impl Stacks {
    /// Groups what a session has read, which must have kept parts.
    ///
    /// # Errors
    /// A dump that does not tell how it was sampled.
    pub fn new(session: &Session, view: &View<'_>, keys: KeyPlan) -> Result<Stacks> {
        let profile = view.profile();
        let order = order(profile, session);
        let mut stacks = Stacks {
            dumps: order.iter().map(|(at, _)| profile.part_dumps[*at].clone()).collect(),
            names: order.iter().map(|(_, name)| name.clone()).collect(),
            base: order.iter().filter(|(at, _)| profile.part_dumps[*at].sign == Sign::Minus).count(),
            all: Vec::new(),
        };
        for (dump, name) in stacks.dumps.iter().zip(&stacks.names) {
            if dump.period == 0 {
                return Err(Error::at(
                    name,
                    "does not tell its sampling distance, so nothing can be said about its error",
                ));
            }
        }
        // From the order of the profile to that of the report.
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, (old, _))| place[*old] = new);
        let mut parts_of: Vec<Vec<&Part>> = vec![Vec::new(); profile.stacks.len()];
        profile.parts.iter().for_each(|part| parts_of[part.stack as usize].push(part));

        let lines = Lines::new(view, keys);
        let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut is_last = vec![false; order.len()];
        stacks.processes().iter().filter_map(|dumps| dumps.last()).for_each(|&last| is_last[last] = true);
        let mut roles: Vec<Role> = Vec::new();
        view.walk_all(|index, ids| {
            roles.clear();
            roles.extend(ids.iter().map(|id| lines.roles[id.index()]));
            let own = own(&roles);
            let texts = keys.folded(ids[own.clone()].iter().map(|id| lines.texts[id.index()]));
            let at = *known.entry(texts).or_insert_with_key(|texts| {
                let texts: Vec<String> =
                    texts.iter().map(|text| lines.distinct[*text as usize].clone()).collect();
                let all_frames: Vec<Shown> = ids.iter().map(|id| shown(view, *id)).collect();
                stacks.all.push(Stack {
                    first: index as u32,
                    key: key_of(&texts),
                    texts,
                    own,
                    frames: all_frames,
                    // What a dump does not have was sampled as the rest of it.
                    live: stacks.dumps.iter().map(|dump| nothing(dump.period)).collect(),
                    allocated: vec![0.0; order.len()],
                    ages: Ages::default(),
                    unreachable: vec![(0.0, 0.0); order.len()],
                });
                stacks.all.len() - 1
            });
            let labels = profile.labels.get(profile.stacks[index].labels);
            for part in &parts_of[index] {
                let dump = place[part.dump as usize];
                stacks.all[at].add(part, dump, &stacks.dumps[dump]);
                if is_last[dump] {
                    stacks.all[at].note_ages(part, labels, stacks.dumps[dump].period);
                }
                if text_of(labels, LEAK).is_some() {
                    let (bytes, objects) = &mut stacks.all[at].unreachable[dump];
                    *bytes += part.figures.live_bytes;
                    *objects += part.figures.live_objs;
                }
            }
        });
        Ok(stacks)
    }

    /// The dumps to look at, as indices.
    pub fn looked_at(&self) -> std::ops::Range<usize> {
        self.base..self.dumps.len()
    }

    /// Whether none of the dumps to look at shows that anything was sampled: a gate that looks at nothing is not to be green.
    pub fn is_empty(&self) -> bool {
        let has = |stack: &Stack| {
            self.looked_at().any(|dump| stack.live[dump].bytes > 0.0 || stack.allocated[dump] > 0.0)
        };
        let sampled = self.dumps[self.looked_at()].iter().any(|dump| dump.samples_taken != 0);
        !sampled && !self.all.iter().any(has)
    }

    /// The dumps to look at by process, as far as their names tell; those whose names do not are of one.
    pub fn processes(&self) -> Vec<Vec<usize>> {
        let mut processes: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
        for dump in self.looked_at() {
            let process = process_of(&self.names[dump]);
            match processes.iter_mut().find(|(known, _)| *known == process) {
                Some((_, dumps)) => dumps.push(dump),
                None => processes.push((process, vec![dump])),
            }
        }
        processes.into_iter().map(|(_, dumps)| dumps).collect()
    }

    /// The same, of processes while they ran: without the dump that one wrote when it ended, where there are two others. By then
    /// a program may have given back what had grown all the time.
    pub fn series(&self) -> Vec<Vec<usize>> {
        let mut processes = self.processes();
        for dumps in &mut processes {
            let is_last = |dumps: &[usize]| dumps.last().is_some_and(|&last| is_final(&self.names[last]));
            if dumps.len() > 2 && is_last(dumps) {
                dumps.pop();
            }
        }
        processes
    }

    /// What is live in all stacks together in a dump.
    pub fn total(&self, dump: usize) -> Estimate {
        self.all.iter().map(|stack| stack.live[dump]).sum()
    }

    /// The largest sampling distance.
    pub fn period(&self) -> u64 {
        self.dumps.iter().map(|dump| dump.period).max().unwrap_or(1)
    }
}

impl Stack {
    fn add(&mut self, part: &Part, at: usize, dump: &PartDump) {
        let (bytes, objects) = (part.figures.live_bytes, part.figures.live_objs);
        let period = dump.period as f64;
        self.live[at] += match dump.tells_spread {
            true => Estimate::told(bytes, objects, part.variance, part.samples, period),
            false => Estimate::of_heap_v2(bytes, objects, period),
        };
        self.allocated[at] += part.figures.accum_bytes;
    }
}

impl Stack {
    /// How old the living of a row are, and how long the freed ones lived. Freed objects were samples once, as many as their
    /// estimate is worth.
    fn note_ages(&mut self, part: &Part, labels: &[Label], period: u64) {
        let class = |key: &str| Some(class_of(u64::try_from(number_of(labels, key)?).unwrap_or(0)));
        if let Some(class) = class("age") {
            self.ages.alive[class] += part.samples;
        }
        if let Some(class) = class("lifetime") {
            let Figures { accum_bytes, accum_objs, .. } = part.figures;
            let samples = match period {
                0 | 1 => accum_objs,
                period => Estimate::of_heap_v2(accum_bytes, accum_objs, period as f64).effective_samples(),
            };
            self.ages.freed[class] += samples;
        }
    }
}

/// An estimate of nothing in a dump of this sampling distance.
fn nothing(period: u64) -> Estimate {
    Estimate { period: if period > 1 { period as f64 } else { 0.0 }, ..Estimate::default() }
}

/// Indices of the profile's dumps with their names: the base first, each by the numbers that jemalloc puts into names, if all
/// have them, else by time when all tell one, else as given.
fn order(profile: &Profile, session: &Session) -> Vec<(usize, String)> {
    let named = |sign: Sign, names: &[Taken]| -> Vec<(usize, String)> {
        let of_sign = profile.part_dumps.iter().enumerate().filter(|(_, dump)| dump.sign == sign);
        let mut all: Vec<(usize, String)> =
            of_sign.zip(names).map(|((at, _), taken)| (at, taken.name.clone())).collect();
        let numbered = all.iter().all(|(_, name)| numbers(name).is_some());
        let times: Vec<u64> = all.iter().map(|(at, _)| profile.part_dumps[*at].time_nanos).collect();
        if numbered {
            all.sort_by(|(_, a), (_, b)| numbers(a).cmp(&numbers(b)));
        } else if times.iter().all(|time| *time != 0) {
            all.sort_by_key(|(at, _)| profile.part_dumps[*at].time_nanos);
        }
        all
    };
    let mut order = named(Sign::Minus, &session.base);
    order.extend(named(Sign::Plus, &session.dumps));
    order
}

/// Process and sequence in a name such as `svc.1234.7.i7.heap`. A process is told by folder and prefix, too: in containers all
/// have one number.
fn numbers(name: &str) -> Option<(&str, u64)> {
    let folder = name.rfind('/').map_or(0, |at| at + 1);
    let file = name[folder..].strip_suffix(".gz").unwrap_or(&name[folder..]);
    let mut words = file.rsplitn(4, '.').skip(2);
    let sequence = words.next()?.parse().ok()?;
    let process = words.next()?;
    process.rsplit('.').next()?.parse::<u64>().ok()?;
    Some((&name[..folder + process.len()], sequence))
}

/// The process that a dump is of, as far as its name tells.
pub fn process_of(name: &str) -> Option<&str> {
    numbers(name).map(|(process, _)| process)
}

/// Whether a dump is of a process's end, as far as its name tells.
fn is_final(name: &str) -> bool {
    let file = name.strip_suffix(".gz").unwrap_or(name);
    numbers(name).is_some() && file.rsplit('.').nth(1) == Some("f")
}

/// What keys need to know of each line, found out once.
struct Lines {
    roles: Vec<Role>,
    /// Per line an index in `distinct`.
    texts: Vec<u32>,
    distinct: Vec<String>,
}

impl Lines {
    fn new(view: &View<'_>, keys: KeyPlan) -> Lines {
        let mut ids: HashMap<String, u32> = HashMap::new();
        let mut lines = Lines { roles: Vec::new(), texts: Vec::new(), distinct: Vec::new() };
        for id in (0..view.symbols().lines.len()).map(LineId::new) {
            let shown = shown(view, id);
            let function = shown.is_named.then_some(shown.function.as_str());
            lines.roles.push(Role::of(function));
            let text = keys.frame_text(&KeyFrame {
                function,
                file: &shown.file,
                module: file_name(&shown.module),
                build_id: &shown.build_id,
                offset: offset(view, id),
            });
            let distinct = &mut lines.distinct;
            lines.texts.push(*ids.entry_ref(text.as_str()).or_insert_with(|| {
                distinct.push(text.clone());
                distinct.len() as u32 - 1
            }));
        }
        lines
    }
}

fn place_of(view: &View<'_>, id: LineId) -> Option<Place> {
    view.frame_of(id).map(|frame| view.profile().frames[frame.index()].place)
}

fn shown(view: &View<'_>, id: LineId) -> Shown {
    let symbols = view.symbols();
    let line = symbols.line(id);
    let image = match place_of(view, id) {
        Some(Place::Image { image, .. }) => Some(&view.profile().images[image.index()]),
        _ => None,
    };
    Shown {
        function: symbols.function_name(line).to_string(),
        is_named: !symbols.is_stand_in(line),
        file: symbols.names.text(line.file).to_string(),
        line: line.line,
        module: image.map_or(String::new(), |image| image.path.clone()),
        build_id: image.map_or(String::new(), |image| image.build_id.to_string()),
        inlined: view.is_inlined(id),
    }
}

fn offset(view: &View<'_>, id: LineId) -> u64 {
    match place_of(view, id) {
        Some(Place::Image { offset, .. }) => offset,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_final, numbers};

    #[test]
    fn process_and_sequence_are_in_the_names_of_dumps() {
        for (name, known) in [
            ("/tmp/svc.1234.7.i7.heap", Some(("/tmp/svc.1234", 7))),
            ("jeprof.9.0.f.heap", Some(("jeprof.9", 0))),
            ("a/svc.9.10.m10.pb.gz", Some(("a/svc.9", 10))),
            ("before.heap", None),
            ("heap", None),
            ("a.b.c.heap", None),
        ] {
            assert_eq!(numbers(name), known, "{name}");
        }
    }

    #[test]
    fn the_dump_of_the_end_is_told_by_its_name() {
        for name in ["jeprof.9.0.f.heap", "/tmp/python3.9.12.f.pb.gz", "a.9.1.f.heap.gz"] {
            assert!(is_final(name), "{name}");
        }
        for name in ["svc.1234.7.i7.heap", "a.f.heap", "f.heap", "f/svc.1.2.m2.heap"] {
            assert!(!is_final(name), "{name}");
        }
    }
}
