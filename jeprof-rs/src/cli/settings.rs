//! Values of flags, kept as they were given, so that the prompt can change one and make the plan anew.

use super::flags::{self, Flag, Takes};
use crate::error::{Error, Result};
use crate::plan::{Part, Plan};

/// Flags that are given, in no order; a switch has no values.
#[derive(Clone, Default)]
pub struct Settings {
    given: Vec<(&'static str, Vec<String>)>,
}

/// One flag, for lists of what can be set.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What its value is called; `None` for a switch.
    pub value: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
    /// The part of the plan that it is about.
    pub part: Part,
}

/// Parts that count once, when profiles are read and code is named.
pub const ONCE: [Part; 2] = [Part::Input, Part::Naming];

/// Every flag that may be changed between two reports.
pub fn changeable() -> impl Iterator<Item = Setting> {
    flags::all().filter(|(part, _)| !ONCE.contains(part)).map(|(part, flag)| Setting {
        name: flag.name,
        value: match flag.takes {
            Takes::Switch(_) => None,
            Takes::One(value, _) | Takes::Many(value, _) => Some(value),
        },
        help: flag.help,
        part,
    })
}

impl Settings {
    /// Takes over what the command line gives.
    pub(super) fn give(&mut self, flag: &'static Flag, values: Vec<String>) {
        self.given.push((flag.name, values));
    }

    /// The values of a flag; those of a switch that is on are none.
    pub fn values(&self, name: &str) -> Option<&[String]> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, values)| values.as_slice())
    }

    /// Sets a flag by any of its names. Of flags of which only one may be given, the others are taken back. An empty
    /// value takes the flag itself back, for switches also `false` and `0`.
    ///
    /// # Errors
    /// There is no such flag, it is about what was read already, or the value does not fit; nothing is changed then.
    pub fn assign(&mut self, name: &str, value: &str) -> Result<()> {
        let (part, flag) = find(name).ok_or_else(|| Error::new(format!("there is no option {name}")))?;
        let at_flag = |what: &str| Error::at(flag.name, what);
        if ONCE.contains(&part) {
            return Err(at_flag("counts when the profiles are read: give it on the command line"));
        }
        let values = match (flag.takes, value) {
            (Takes::Switch(_), "" | "false" | "0" | "f" | "no") | (_, "") => None,
            (Takes::Switch(_), "true" | "1" | "t" | "yes") => Some(Vec::new()),
            (Takes::Switch(_), _) => return Err(at_flag("is on or off: true or false")),
            (Takes::One(..) | Takes::Many(..), value) => Some(vec![value.to_string()]),
        };
        let mut changed = self.clone();
        changed.given.retain(|(given, _)| {
            let other = find(given).map(|(_, flag)| flag);
            *given != flag.name
                && (values.is_none()
                    || flag.one_of.is_none()
                    || other.is_none_or(|other| other.one_of != flag.one_of))
        });
        changed.given.extend(values.map(|values| (flag.name, values)));
        changed.plan()?;
        *self = changed;
        Ok(())
    }

    /// Whether a word is a switch that can be set.
    pub fn is_switch(word: &str) -> bool {
        find(word).is_some_and(|(part, flag)| !ONCE.contains(&part) && !flag.takes.a_value())
    }

    /// The plan that the flags make, without input words.
    ///
    /// # Errors
    /// A value that does not fit its flag, which is named.
    pub fn plan(&self) -> Result<Plan> {
        let mut plan = Plan::default();
        for (_, flag) in flags::all() {
            let Some(values) = self.values(flag.name) else { continue };
            let outcome = match flag.takes {
                Takes::Switch(set) => {
                    set(&mut plan);
                    Ok(())
                }
                Takes::One(_, set) | Takes::Many(_, set) => {
                    values.iter().try_for_each(|value| set(&mut plan, value))
                }
            };
            outcome.map_err(|what| Error::at(format_args!("--{}", flag.name), what))?;
        }
        Ok(plan)
    }
}

/// A flag by any of its names, with `-` for `_`.
fn find(name: &str) -> Option<(Part, &'static Flag)> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    flags::all().find(|(_, flag)| flag.name == name || flag.aliases.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::choice::{Metric, Rows};

    #[test]
    fn values_are_set_replaced_and_taken_back() {
        let mut settings = Settings::default();
        settings.assign("nodecount", "3").unwrap();
        settings.assign("focus", "a b").unwrap();
        settings.assign("focus", "c").unwrap();
        let plan = settings.plan().unwrap();
        assert_eq!((plan.rows.count, plan.selection.focus.unwrap().as_str()), (Rows::AtMost(3), "c"));
        settings.assign("focus", "").unwrap();
        assert!(settings.plan().unwrap().selection.focus.is_none());
    }

    #[test]
    fn of_flags_that_exclude_each_other_the_last_one_stays() {
        let mut settings = Settings::default();
        settings.assign("alloc-space", "true").unwrap();
        settings.assign("inuse_objects", "1").unwrap();
        assert_eq!(settings.plan().unwrap().figure.metric, Metric::InuseObjects);
        settings.assign("inuse_objects", "false").unwrap();
        assert_eq!(settings.plan().unwrap().figure.metric, Metric::InuseSpace);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut settings = Settings::default();
        settings.assign("nodecount", "3").unwrap();
        for (name, value) in
            [("nodecount", "x"), ("focus", "("), ("base", "x.heap"), ("nothing", "1"), ("cum", "2")]
        {
            assert!(settings.assign(name, value).is_err(), "{name}={value}");
        }
        assert_eq!(settings.plan().unwrap().rows.count, Rows::AtMost(3));
        assert!(settings.values("focus").is_none());
    }
}
