//! Samples put together: by stack, leaf, thread or size.

use prof_format::dump::Label;

use super::by_key::ByKey;
use super::keys::Keys;
use crate::model::labels::{number_of, text_of};
use crate::plan::choice::{GroupBy, GroupOrder};
use crate::transform::{View, tags};

/// What the samples of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Common {
    /// Keys, leaf first; with [`GroupBy::Nothing`] of the only sample, which its number tells apart.
    Stack(Vec<usize>, Option<i64>),
    /// A key.
    Leaf(usize),
    /// The name.
    Thread(String),
    /// Usable bytes.
    Size(i64),
}

/// Samples that have something in common.
#[derive(Clone, Debug)]
pub struct Group {
    /// What that is.
    pub common: Common,
    /// How many samples.
    pub samples: u64,
    /// How many of them live.
    pub live_samples: u64,
    /// Bytes that they stand for.
    pub bytes: f64,
    /// Bytes that the live ones stand for.
    pub live_bytes: f64,
    /// Objects that they stand for.
    pub objects: f64,
    /// Nanoseconds that the oldest live one has lived.
    pub age_max: Option<i64>,
    /// Median of the nanoseconds that the freed ones lived.
    pub lifetime_median: Option<i64>,
    /// Labels of the only sample, when there is one.
    pub labels: Vec<Label>,
    lifetimes: Vec<i64>,
}

impl Group {
    fn new(common: Common) -> Group {
        Group {
            common,
            samples: 0,
            live_samples: 0,
            bytes: 0.0,
            live_bytes: 0.0,
            objects: 0.0,
            age_max: None,
            lifetime_median: None,
            labels: Vec::new(),
            lifetimes: Vec::new(),
        }
    }

    fn rank(&self, order: GroupOrder) -> f64 {
        match order {
            GroupOrder::Live => self.live_bytes,
            GroupOrder::Bytes => self.bytes,
            GroupOrder::Samples => self.samples as f64,
            GroupOrder::Size => self.bytes / self.objects,
            GroupOrder::Age => self.age_max.map_or(-1.0, |age| age as f64),
            GroupOrder::Lifetime => self.lifetime_median.map_or(-1.0, |life| life as f64),
        }
    }
}

/// The groups of what the filters leave, the greatest first. Equal ones stay in the order of the dumps; among groups of
/// which nothing lives, those with more bytes come first.
///
/// Cost: one hash look-up per sample.
pub fn groups(view: &View<'_>, keys: &Keys, by: GroupBy, order: GroupOrder) -> Vec<Group> {
    let mut by_common = ByKey::new();
    view.walk_every_figure(|seen| {
        let labels = tags::labels_of(view.profile(), seen.stack);
        let number = |key: &str| number_of(&labels, key);
        let mut frames = keys.of_stack(view, seen.lines).map(|(_, key)| key);
        let common = match by {
            GroupBy::Stack => Common::Stack(frames.collect(), None),
            GroupBy::Nothing => Common::Stack(frames.collect(), number(SAMPLE)),
            GroupBy::Leaf => Common::Leaf(frames.next().unwrap_or_default()),
            GroupBy::Thread => Common::Thread(text_of(&labels, "thread").unwrap_or_default().into()),
            GroupBy::Size => {
                Common::Size(number("usize").or_else(|| number(tags::BYTES)).unwrap_or_default())
            }
        };
        let group = by_common.of(common, |common| Group::new(common.clone()));
        let figures = seen.stack.figures;
        group.samples += 1;
        group.live_samples += u64::from(figures.live_bytes != 0.0);
        group.bytes += figures.accum_bytes;
        group.objects += figures.accum_objs;
        group.live_bytes += figures.live_bytes;
        group.age_max = group.age_max.max(number("age"));
        group.lifetimes.extend(number("lifetime"));
        group.labels = if group.samples == 1 { labels } else { Vec::new() };
    });
    let mut groups = by_common.all;
    for group in &mut groups {
        let lifetimes = &mut group.lifetimes;
        let middle = lifetimes.len() / 2;
        group.lifetime_median = (!lifetimes.is_empty()).then(|| *lifetimes.select_nth_unstable(middle).1);
    }
    groups.sort_by(|a, b| b.rank(order).total_cmp(&a.rank(order)).then_with(|| b.bytes.total_cmp(&a.bytes)));
    groups
}

/// The label that tells samples of one stack apart.
const SAMPLE: &str = crate::load::recent::SAMPLE;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::recent::read;
    use crate::model::Profile;
    use crate::model::labels::Labels;
    use crate::model::sign::Sign;
    use crate::plan::Plan;
    use crate::plan::choice::Granularity;
    use crate::plan::query::Query;
    use crate::symbolize::symbols::{Function, Line, NameId, Symbols};

    const TEXT: &[u8] = br#"{"sample_interval":1,"recent_alloc_max":9,"recent_alloc":[
        {"size":100,"usize":112,"released":true,"alloc_thread_uid":1,"alloc_time":1000,"alloc_trace":["0x11","0x21"],
         "dalloc_thread_uid":0,"dalloc_time":5000,"dalloc_trace":[]},
        {"size":90,"usize":96,"released":true,"alloc_thread_uid":1,"alloc_time":1000,"alloc_trace":["0x11","0x21"],
         "dalloc_thread_uid":0,"dalloc_time":3000,"dalloc_trace":[]},
        {"size":300,"usize":320,"released":false,"alloc_thread_uid":0,"alloc_time":2000,"alloc_trace":["0x11"]},
        {"size":300,"usize":320,"released":false,"alloc_thread_uid":2,"alloc_time":9000,"alloc_trace":["0x21"]}]}"#;

    fn grouped(by: GroupBy, order: GroupOrder, condition: Option<&str>) -> Vec<Group> {
        let dump = read(TEXT).unwrap().unwrap().into_dump(Vec::new());
        let mut profile = Profile::default();
        profile.add(&dump, Sign::Plus, Labels::Keep).unwrap();
        let mut symbols = Symbols::default();
        for frame in &profile.frames {
            let name = symbols.names.id(&format!("f{:x}", frame.address));
            let function = symbols.function_id(Function { name, ..Function::default() });
            symbols.push([Line { function, file: NameId::EMPTY, line: 0, column: 0 }]);
        }
        let mut plan = Plan::default();
        plan.selection.condition = condition.map(|text| Query::parse(text).unwrap());
        let view = View::new(&profile, &symbols, &plan);
        groups(&view, &Keys::new(&view, Granularity::Functions), by, order)
    }

    fn sums(groups: &[Group]) -> Vec<(u64, u64, f64, f64)> {
        groups
            .iter()
            .map(|group| (group.samples, group.live_samples, group.live_bytes, group.bytes))
            .collect()
    }

    #[test]
    fn samples_of_one_stack_are_one_group() {
        let groups = grouped(GroupBy::Stack, GroupOrder::Samples, None);
        assert_eq!(sums(&groups), [(2, 0, 0.0, 208.0), (1, 1, 320.0, 320.0), (1, 1, 320.0, 320.0)]);
        assert_eq!((groups[0].lifetime_median, groups[0].age_max), (Some(4000), None));
        assert_eq!((groups[1].lifetime_median, groups[1].age_max), (None, Some(7000)));
    }

    #[test]
    fn groups_are_of_what_was_asked_for() {
        let count = |by| grouped(by, GroupOrder::Bytes, None).len();
        assert_eq!(
            [GroupBy::Leaf, GroupBy::Thread, GroupBy::Size, GroupBy::Nothing].map(count),
            [2, 3, 3, 4],
        );
        let threads = grouped(GroupBy::Thread, GroupOrder::Age, None);
        assert_eq!(threads[0].common, Common::Thread("t0".into()));
        let sizes = grouped(GroupBy::Size, GroupOrder::Size, None);
        assert_eq!((&sizes[0].common, sizes[0].samples), (&Common::Size(320), 2));
        let lives = grouped(GroupBy::Nothing, GroupOrder::Lifetime, None);
        assert_eq!(lives[0].lifetime_median, Some(4000));
    }

    #[test]
    fn a_condition_chooses_samples_by_labels_and_frames() {
        assert_eq!(grouped(GroupBy::Nothing, GroupOrder::Live, Some("stack=f20")).len(), 3);
        assert_eq!(grouped(GroupBy::Nothing, GroupOrder::Live, Some("leaf=f20")).len(), 1);
        assert_eq!(grouped(GroupBy::Nothing, GroupOrder::Live, Some("not released and age>5us")).len(), 1);
        assert_eq!(grouped(GroupBy::Nothing, GroupOrder::Live, Some("thread=t1 and size<100")).len(), 1);
    }
}
