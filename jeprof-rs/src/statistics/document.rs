//! The fields of a statistics document. Which there are depends on the version and on the letters it was printed with.

use serde_json::{Deserializer, Value};

/// One document.
pub struct Document {
    root: Value,
}

/// One arena, or all of them together.
pub struct Arena<'a> {
    /// Its index, or `merged`.
    pub index: &'a str,
    /// Its name; empty when the document tells none.
    pub name: &'a str,
    fields: &'a Value,
}

impl Document {
    /// Reads the last of the documents that the bytes consist of.
    ///
    /// # Errors
    /// In words: what it is that is no statistics document.
    pub fn read(bytes: &[u8]) -> Result<Document, String> {
        let mut last = None;
        for document in Deserializer::from_slice(bytes).into_iter::<Value>() {
            last = Some(document.map_err(|error| format!("JSON: {error}"))?);
        }
        let mut last = last.ok_or("is empty; statistics are printed with the letter J")?;
        let root = last.get_mut("jemalloc").map(Value::take);
        let root = root.ok_or("is JSON, but not jemalloc's statistics: there is no field 'jemalloc'")?;
        let document = Document::of(root);
        if document.number(&["stats", "allocated"]).is_none() {
            return Err("field 'jemalloc.stats.allocated' is missing (statistics compiled out?)".into());
        }
        Ok(document)
    }

    /// What stands behind the field `jemalloc` of a document.
    pub fn of(root: Value) -> Document {
        Document { root }
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.root, |value, key| value.get(key))
    }

    /// A number.
    pub fn number(&self, path: &[&str]) -> Option<u64> {
        self.at(path)?.as_u64()
    }

    /// A text.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// Bytes of a page.
    pub fn page(&self) -> u64 {
        self.number(&["arenas", "page"]).unwrap_or(4096)
    }

    /// Each lock of the process as a whole, with its counters.
    pub fn mutexes(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.at(&["stats", "mutexes"])
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, of)| (name.as_str(), of))
    }

    /// Each arena by its number, lowest first.
    pub fn arenas(&self) -> Vec<Arena<'_>> {
        let all = self.at(&["stats.arenas"]).and_then(Value::as_object);
        let mut arenas: Vec<(u64, Arena)> = all
            .into_iter()
            .flatten()
            .filter_map(|(index, fields)| Some((index.parse().ok()?, Arena::of(index, fields))))
            .collect();
        arenas.sort_by_key(|(index, _)| *index);
        arenas.into_iter().map(|(_, arena)| arena).collect()
    }

    /// All arenas together; a single arena is that, and is not printed twice.
    pub fn merged(&self) -> Option<Arena<'_>> {
        match self.at(&["stats.arenas", "merged"]) {
            Some(fields) => Some(Arena::of("merged", fields)),
            None => {
                let mut arenas = self.arenas();
                let only = (arenas.len() == 1).then(|| arenas.pop()).flatten()?;
                Some(Arena { index: "merged", name: "", ..only })
            }
        }
    }

    /// What a slab of each small class has: bytes of a region, and regions.
    pub fn bins(&self) -> Vec<(u64, u64)> {
        let bins = self.at(&["arenas", "bin"]).and_then(Value::as_array);
        let number = |of: &Value, key: &str| of.get(key).and_then(Value::as_u64).unwrap_or(0);
        bins.into_iter().flatten().map(|of| (number(of, "size"), number(of, "nregs"))).collect()
    }
}

impl<'a> Arena<'a> {
    fn of(index: &'a str, fields: &'a Value) -> Arena<'a> {
        let name = fields.get("name").and_then(Value::as_str).unwrap_or("");
        Arena { index, name, fields }
    }

    /// A number.
    pub fn number(&self, path: &[&str]) -> Option<u64> {
        path.iter().try_fold(self.fields, |value, key| value.get(key))?.as_u64()
    }

    /// Slabs and taken regions of each small class.
    pub fn bins(&self) -> Vec<(u64, u64)> {
        let bins = self.fields.get("bins").and_then(Value::as_array);
        let number = |of: &Value, key: &str| of.get(key).and_then(Value::as_u64).unwrap_or(0);
        bins.into_iter().flatten().map(|of| (number(of, "curslabs"), number(of, "curregs"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_documents_counts() {
        let one = r#"{"jemalloc":{"stats":{"allocated":1}}}"#;
        let two = one.replace('1', "2");
        let document = Document::read(format!("{one}\n{two}\n").as_bytes()).unwrap();
        assert_eq!(document.number(&["stats", "allocated"]), Some(2));
        assert!(document.merged().is_none() && document.bins().is_empty());
    }

    #[test]
    fn a_single_arena_is_all_arenas() {
        let text = r#"{"jemalloc":{"stats":{"allocated":1},"stats.arenas":{"0":{"name":"a","pactive":7}}}}"#;
        let document = Document::read(text.as_bytes()).unwrap();
        let merged = document.merged().unwrap();
        assert_eq!((merged.index, merged.name, merged.number(&["pactive"])), ("merged", "", Some(7)));
        assert_eq!(document.arenas()[0].name, "a");
    }

    #[test]
    fn what_is_no_statistics_is_told() {
        for (text, what) in [
            ("", "is empty"),
            ("{", "JSON: "),
            ("{}", "no field 'jemalloc'"),
            (r#"{"jemalloc":{}}"#, "'jemalloc.stats.allocated' is missing"),
            ("___ Begin jemalloc statistics ___", "JSON: "),
        ] {
            let error = Document::read(text.as_bytes()).err().unwrap();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
