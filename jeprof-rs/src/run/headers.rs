//! What the headers of a program or a library say: for which machine it is, how it is started, whether this project's
//! allocator is in it.

use std::path::Path;

use object::{Architecture, Object, ObjectSection, ReadCache};

use prof_format::text::MARK;

use crate::error::plain;

/// See the module's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// For which processor.
    pub architecture: Architecture,
    /// Whether a loader starts it.
    pub is_dynamic: bool,
    /// Whether this project's allocator is in it, with its profiler: then a line that all its dumps have is in its read-only
    /// data.
    pub has_allocator: bool,
}

impl Headers {
    /// Reads them; `None` for what is no ELF file.
    ///
    /// # Errors
    /// In words: it cannot be read.
    pub fn of(path: &Path) -> std::result::Result<Option<Headers>, String> {
        let file = std::fs::File::open(path).map_err(|error| plain(&error))?;
        let cache = ReadCache::new(file);
        let Ok(object) = object::File::parse(&cache) else { return Ok(None) };
        let mark = |section: object::Section<'_, '_, _>| {
            section.data().is_ok_and(|data| memchr::memmem::find(data, MARK.as_bytes()).is_some())
        };
        Ok(Some(Headers {
            architecture: object.architecture(),
            is_dynamic: object.section_by_name(".interp").is_some(),
            has_allocator: object.section_by_name(".rodata").is_some_and(mark),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_them_and_a_text_has_none() {
        let headers = Headers::of(Path::new("/bin/ls")).unwrap().unwrap();
        assert!(headers.is_dynamic && !headers.has_allocator);
        assert_eq!(Headers::of(Path::new("/proc/self/status")).unwrap(), None);
    }
}
