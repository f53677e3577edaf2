//! Everything that is done once for any number of reports: reading, adding up, naming.

use std::ops::Range;

use prof_format::dump::{Dump, MapRow};
use prof_format::snapshot::SUPPRESSION;
use prof_format::vocab::Format;

use crate::compat::dump::as_jeprof_reads;
use crate::error::{Error, Result};
use crate::formats::{self, Unmapped};
use crate::load::recent::Facts;
use crate::load::statistics::{Bin, Statistics};
use crate::load::{self, Source, inputs, statistics};
use crate::model::labels::Labels;
use crate::model::merge::program_of;
use crate::model::parts::samples_taken;
use crate::model::sign::Sign;
use crate::model::{Profile, file_name};
use crate::plan::Plan;
use crate::plan::choice::{Compat, Granularity, Metric, NamedBy, Threads};
use crate::progress::Progress;
use crate::recent_samples;
use crate::symbolize::service::{self, Service};
use crate::symbolize::{Outcome, Request, symbolize};

/// A dump that went into the profile.
#[derive(Clone, Debug)]
pub struct Taken {
    /// File name or address.
    pub name: String,
    /// Path of the program that it is of, as far as it tells.
    pub program: Option<String>,
    /// Whether it has accumulated figures.
    pub has_accum: bool,
    /// Whether it has live figures.
    pub has_live: bool,
    /// Whether it has those of the peak.
    pub has_peak: bool,
    /// Whether it tells what was asked for.
    pub has_requested: bool,
}

/// Dumps, read and named.
#[derive(Debug)]
pub struct Session {
    /// The dumps, added up, those of the base subtracted.
    pub profile: Profile,
    /// Names, and what could not be named.
    pub outcome: Outcome,
    /// The dumps that were added, without those of the base.
    pub dumps: Vec<Taken>,
    /// The dumps that were subtracted.
    pub base: Vec<Taken>,
    /// File name of the program, `heap` when unknown.
    pub program_name: String,
    /// Path of the program: absolute if it was given, as the dumps have it otherwise; `heap`, or jeprof's
    /// `(unknown)`, when unknown.
    pub program_path: String,
    /// The profile part of the only dump, as it was written, when that is text and the plan asked for it.
    pub text: Option<Vec<u8>>,
    /// Slabs by size class, when statistics were given.
    pub bins: Vec<Bin>,
    /// About the recent samples, when the dumps are files of those.
    pub recent: Option<Facts>,
    /// What the programs say of their leaks, in LeakSanitizer's language; each text once.
    pub suppressions: Vec<String>,
    /// What was chosen without being asked for, and what was fetched.
    pub notes: Vec<String>,
    /// What makes the answers less than they could be.
    pub warnings: Vec<String>,
}

impl Session {
    /// Reads, adds up and names what the plan lists.
    ///
    /// # Errors
    /// See the exit status in the help: everything that makes the answer wrong or empty.
    pub fn load(plan: &Plan) -> Result<Session> {
        let progress = Progress::start();
        let mut inputs = inputs::sort(&plan.input, &progress)?;
        let mut warnings: Vec<String> = Vec::new();
        let mut profile = Profile::default();
        profile.keeps_parts = plan.input.keep_parts;
        let mut text = None;
        let mut suppressions = Vec::new();
        let (mut dumps, mut base) = (Vec::new(), Vec::new());
        let (mut empty, mut services) = (Vec::new(), Vec::new());
        let (mut earlier, mut same_process): (Vec<Vec<MapRow>>, Vec<_>) = (Vec::new(), Vec::new());
        let mut statistics: Option<Statistics> = None;
        let by_thread = plan.selection.threads != Threads::Process;
        let recent = recent_samples::read(&inputs.dumps, plan, &progress)?;
        let facts = recent.as_ref().map(|recent| recent.facts.clone());
        let contents: Box<dyn Iterator<Item = Result<(&Source, Content)>>> = match recent {
            Some(recent) => {
                inputs.notes.extend(recent.notes);
                let content = |(source, dump)| Ok((source, Content::Dump(Box::new(dump), None)));
                Box::new(recent.dumps.into_iter().map(content))
            }
            None => Box::new(
                inputs.dumps.iter().map(|source| Ok((source, read(source, plan, &progress, &mut warnings)?))),
            ),
        };
        for (index, content) in contents.enumerate() {
            let (source, content) = content?;
            let (dump, bytes) = match content {
                Content::Dump(dump, bytes) => (dump, bytes),
                Content::Statistics(read) => {
                    statistics = Some(read);
                    continue;
                }
            };
            text = bytes;
            // With every object recorded, nothing that is live at the end is what a search for leaks is after; with some of them,
            // too, of a program that is known to have been sampled.
            let says_something = plan.input.keep_parts && (dump.period == 1 || samples_taken(&dump) != 0);
            if dump.stacks.is_empty() && !says_something {
                empty.push(source);
            }
            same_process.extend(earlier.iter().any(|maps| one_process(maps, &dump.maps)).then_some(source));
            dumps.push(taken(source, &dump));
            let told = suppressions_of(&dump);
            if !told.is_empty() && !suppressions.contains(&told) {
                suppressions.push(told);
            }
            let known = profile.frames.len();
            let labels = labels(plan, &dump);
            profile.add(&dump, Sign::Plus, labels)?;
            // compat: jeprof takes the threads of the last dump for those of all, subtracts nothing from them, and
            // reads them in heap_v2 only.
            let is_jeprof_s = index + 1 == inputs.dumps.len() && dump.format == Format::HeapV2;
            if by_thread && (is_jeprof_s || plan.compat == Compat::None) {
                profile.add_shares(&dump, Sign::Plus, labels)?;
            }
            services.extend(service(source, known..profile.frames.len()));
            profile.made_at = profile.made_at.max(source.written_at());
            earlier.push(dump.maps);
        }
        if statistics.is_some() && dumps.is_empty() {
            return Err(Error::new("statistics were given, and no heap profile"));
        }
        let mut bins = Vec::new();
        if let Some(statistics) = statistics {
            (profile.totals, bins) = (Some(statistics.totals), statistics.bins);
        }
        match empty.as_slice() {
            [source, ..] if empty.len() == dumps.len() && !plan.input.keep_parts => {
                return Err(Error::at(source, NO_SAMPLES));
            }
            some => warnings.extend(some.iter().map(|source| format!("{source}: {NO_SAMPLES}"))),
        }
        if let [first, ..] = same_process.as_slice()
            && !plan.input.keep_parts
        {
            warnings.push(format!(
                "{first}: comes from the same process as a dump before it (code lies at the same addresses); what is \
                 live in both is counted twice"
            ));
        }
        for source in &inputs.base {
            let Content::Dump(dump, _) = read(source, plan, &progress, &mut warnings)? else {
                return Err(Error::at(source, "--base wants a dump, these are statistics"));
            };
            base.push(taken(source, &dump));
            let known = profile.frames.len();
            let labels = labels(plan, &dump);
            profile.add(&dump, Sign::Minus, labels)?;
            if by_thread && plan.compat == Compat::None {
                profile.add_shares(&dump, Sign::Minus, labels)?;
            }
            services.extend(service(source, known..profile.frames.len()));
        }
        if plan.input.named_by == NamedBy::ServiceFirst {
            progress.step("asking for names");
            for service in &services {
                service::name_all(&mut profile, service)?;
            }
        }
        let names: Vec<String> = dumps.iter().map(|taken| taken.name.clone()).collect();
        let request = Request {
            profile: &profile,
            program: inputs.program.as_deref(),
            dumps: &names,
            finding: &plan.finding,
        };
        let mut outcome = symbolize(&request, &progress)?;
        if plan.input.named_by == NamedBy::Both {
            progress.step("asking for names");
            for service in &services {
                // What is left without a name is told anyway, with its share of the total.
                let outcome = service::name_rest(&profile, service, &mut outcome);
                warnings.extend(outcome.err().map(|error| error.to_string()));
            }
        }
        warnings.append(&mut outcome.warnings);
        let given = inputs.program.as_deref().and_then(|path| path.to_str());
        let absolute = inputs.program.as_deref().and_then(|path| path.canonicalize().ok());
        let program_path = absolute
            .map(|path| path.display().to_string())
            .or_else(|| profile.program_path.clone())
            .unwrap_or_else(|| if plan.compat == Compat::Jeprof { "(unknown)" } else { "heap" }.into());
        let program_name = given.or(profile.program_path.as_deref()).map_or("heap", file_name).to_string();
        Ok(Session {
            profile,
            outcome,
            dumps,
            base,
            program_name,
            program_path,
            recent: facts,
            suppressions,
            bins,
            text: text.filter(|_| inputs.dumps.len() == 1 && inputs.base.is_empty()),
            notes: inputs.notes,
            warnings,
        })
    }

    /// The figures that all dumps have, in the order of profile.proto.
    pub fn metrics(&self) -> Vec<Metric> {
        Metric::ALL.into_iter().filter(|metric| self.check_metric(*metric).is_ok()).collect()
    }

    /// Whether all dumps have the figure.
    ///
    /// # Errors
    /// One has not; the text says what to do.
    pub fn check_metric(&self, metric: Metric) -> Result<()> {
        for taken in self.dumps.iter().chain(&self.base) {
            if metric.is_accumulated() && !taken.has_accum {
                let what = format!(
                    "has no accumulated figures, so there is no {}: run the program with prof_accum:true",
                    metric.name()
                );
                return Err(Error::at(&taken.name, what));
            }
            if matches!(metric, Metric::PeakSpace | Metric::PeakObjects) && !taken.has_peak {
                return Err(Error::at(&taken.name, NO_PEAK));
            }
            if metric == Metric::RequestedSpace && !taken.has_requested {
                return Err(Error::at(&taken.name, NO_REQUESTED));
            }
            if !metric.is_accumulated() && !taken.has_live {
                return Err(Error::at(
                    &taken.name,
                    format!("has no live figures, so there is no {}", metric.name()),
                ));
            }
        }
        Ok(())
    }
}

const NO_PEAK: &str = "has no peak: run the program on this project's allocator with prof_peak:true, and dump in pprof's \
                       format (prof_dump_format:pprof, or a name ending in .pb.gz)";
const NO_REQUESTED: &str = "does not tell what was asked for: that is in profiles in pprof's format that this project's \
                            allocator wrote (prof_dump_format:pprof, or a name ending in .pb.gz)";

/// The rules of the program behind a dump, a line each.
fn suppressions_of(dump: &Dump) -> String {
    let lines = dump.about.iter().filter(|(name, _)| name == SUPPRESSION).map(|(_, line)| line.as_str());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether stacks of different labels of a dump are told apart. What looks at each dump by itself takes the rows of the
/// whole process, of which more is told, where a dump has those beside the rows of its threads.
fn labels(plan: &Plan, dump: &Dump) -> Labels {
    let by_thread = !dump.thread_stacks.is_empty();
    if plan.input.keep_labels && !(plan.input.keep_parts && by_thread) { Labels::Keep } else { Labels::Drop }
}

/// The process behind a dump, if it can be asked.
fn service(source: &Source, frames: Range<usize>) -> Option<Service> {
    let Source::Service(fetched) = source else { return None };
    Some(Service { frames, page: fetched.symbols.clone()? })
}

fn taken(source: &Source, dump: &Dump) -> Taken {
    // A dump without stacks has every figure: they are zero.
    let empty = dump.stacks.is_empty();
    Taken {
        name: source.to_string(),
        program: program_of(dump).1,
        has_accum: dump.has_accum || empty,
        has_live: dump.has_live || empty,
        has_peak: dump.has_peak || empty,
        has_requested: !dump.more.is_empty() || empty,
    }
}

/// Whether two dumps are of one process: every file that both have mapped lies at the same place, and at least two do,
/// since a program that is linked to fixed addresses is always at the same place.
fn one_process(a: &[MapRow], b: &[MapRow]) -> bool {
    let start_in =
        |rows: &[MapRow], path: &str| rows.iter().find(|row| row.path == path).map(|row| row.start);
    let mut shared = 0;
    for row in a.iter().filter(|row| !row.path.starts_with('[')) {
        match start_in(b, &row.path) {
            Some(start) if start_in(a, &row.path) != Some(start) => return false,
            Some(_) => shared += 1,
            None => {}
        }
    }
    shared >= 2
}

/// Why a dump may have no samples.
pub const NO_SAMPLES: &str = "has no samples: profiling was off (prof:true, prof_active:true), or little was allocated for \
the sampling distance (lg_prof_sample), or what was sampled had been freed (prof_accum:true keeps that; a dump while \
the program runs shows it live)";

/// What a source holds.
enum Content {
    /// A dump, and its text without symbols and headings in front if the plan asks for it.
    Dump(Box<Dump>, Option<Vec<u8>>),
    /// The allocator's statistics, which a stock jemalloc prints beside its dumps.
    Statistics(Statistics),
}

fn read(source: &Source, plan: &Plan, progress: &Progress, warnings: &mut Vec<String>) -> Result<Content> {
    progress.step(format!("reading {source}"));
    let bytes = load::read(source, plan.input.unpack_bytes_max)?;
    if let Some(statistics) = statistics::read(&bytes) {
        return statistics.map(Content::Statistics).map_err(|what| Error::at(source, what));
    }
    // A service may name addresses that its own profile does not map.
    let bare = plan.rows.granularity == Granularity::Addresses || matches!(source, Source::Service(_));
    let mut dump = formats::parse(source, &bytes, if bare { Unmapped::Fine } else { Unmapped::Refused })?;
    if plan.compat == Compat::Jeprof {
        as_jeprof_reads(&mut dump, &bytes);
    }
    warnings.extend(dump.warnings.iter().map(|warning| format!("{source}: {warning}")));
    let text = (plan.input.keep_text && dump.format != Format::Pprof)
        .then(|| bytes.get(dump.profile_offset..).map(<[u8]>::to_vec))
        .flatten();
    Ok(Content::Dump(Box::new(dump), text))
}
