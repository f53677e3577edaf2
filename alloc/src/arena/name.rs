//! Names of arenas.

use core::fmt::Write;

use super::Role;
use crate::report::Line;
use crate::units::ArenaInd;

/// Bytes of a name with its NUL, as in jemalloc.
pub const NAME_MAX: usize = 32;

/// A name of up to 31 bytes, zeros behind it. All-zero is the empty name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Name([u8; NAME_MAX]);

impl Name {
    /// The first bytes of `text`.
    pub fn cut(text: &[u8]) -> Name {
        let mut name = [0; NAME_MAX];
        let n = text.len().min(NAME_MAX - 1);
        name[..n].copy_from_slice(&text[..n]);
        Name(name)
    }

    /// The name that an arena begins with, the reference's.
    pub fn first(index: ArenaInd, role: Role) -> Name {
        let mut line = Line::new();
        // Writing to a `Line` never fails.
        let _ = match role {
            Role::Automatic => write!(line, "auto_{}", index.0),
            Role::Huge => write!(line, "auto_oversize"),
            Role::Manual => write!(line, "manual_{}", index.0),
        };
        Name::cut(line.as_bytes())
    }

    /// The bytes, without a NUL.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(NAME_MAX);
        &self.0[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_always_ends() {
        let long = [b'x'; 100];
        assert_eq!(Name::cut(&long).as_bytes(), &long[..31]);
        assert_eq!(Name::cut(b"").as_bytes(), b"");
        assert_eq!(Name::first(ArenaInd(4094), Role::Manual).as_bytes(), b"manual_4094");
    }
}
