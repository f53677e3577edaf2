//! The page of a service that names addresses: gperftools' `/pprof/symbol`, which Go's programs have as well.
//!
//! Asked without content it says `num_symbols: N`; addresses posted to it as `0x1+0x2` are answered by lines
//! `0x1<tab>name`. Inlined functions are separated by `--`, the caller first.

use std::collections::HashMap;

use super::http::Client;
use super::url::Url;
use crate::error::{Error, Result};

/// Addresses of one request: below the megabytes at which servers begin to refuse.
const ADDRESSES_MAX: usize = 20_000;

/// A page that names addresses.
#[derive(Clone, Debug)]
pub struct SymbolPage {
    client: Client,
    url: Url,
}

impl SymbolPage {
    /// The page at this address; nothing is asked yet.
    pub fn new(client: Client, url: Url) -> SymbolPage {
        SymbolPage { client, url }
    }

    /// The page's address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Names of addresses, as the server writes them, innermost inlined function first. What it does not know is not
    /// among them. The addresses are those of the process that the profile came from. `None` when the server has no
    /// such page.
    ///
    /// # Errors
    /// The server has no symbols, or does not answer.
    pub fn names(&self, addresses: &[u64]) -> Result<Option<HashMap<u64, Vec<String>>>> {
        let Some(answer) = self.client.get(&self.url)? else { return Ok(None) };
        match symbol_count(&answer) {
            Some(0) => return Err(Error::at(&self.url, "the server has no symbols (stripped?)")),
            Some(_) => {}
            None => return Err(Error::at(&self.url, "does not answer as a symbol page (num_symbols: N)")),
        }
        let mut names = HashMap::new();
        for group in addresses.chunks(ADDRESSES_MAX) {
            let question: Vec<String> = group.iter().map(|address| format!("{address:#018x}")).collect();
            let Some(answer) = self.client.post(&self.url, question.join("+").as_bytes())? else {
                return Ok(None);
            };
            read_names(&String::from_utf8_lossy(&answer), &mut names);
        }
        Ok(Some(names))
    }
}

fn symbol_count(answer: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(answer).ok()?.lines().next()?;
    line.strip_prefix("num_symbols:")?.trim().parse().ok()
}

/// Reads the lines of an answer; those that are not `0xADDRESS name` are passed over, as jeprof does.
pub fn read_names(answer: &str, names: &mut HashMap<u64, Vec<String>>) {
    for line in answer.lines() {
        if line.starts_with("---") {
            return;
        }
        let Some((address, name)) = line.split_once([' ', '\t']) else { continue };
        let Some(address) =
            address.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok())
        else {
            continue;
        };
        let name = name.trim();
        // A server that does not know an address answers with the address, or not at all.
        if name.is_empty() || name.starts_with("0x") || name == "??" {
            continue;
        }
        names.insert(address, name.rsplit("--").map(str::to_string).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_the_rest_is_passed_over() {
        let answer = "num_symbols: 1\n0x0000000000001a\tmain\n0x2b  outer--inner \r\nbinary=x\n0x3c\t0x3c\n0x4d\t??\n---\n0x5e\tafter\n";
        let mut names = HashMap::new();
        read_names(answer, &mut names);
        assert_eq!(names.len(), 2);
        assert_eq!(names[&0x1a], ["main"]);
        assert_eq!(names[&0x2b], ["inner", "outer"]);
    }

    #[test]
    fn the_first_line_says_whether_there_are_symbols() {
        assert_eq!(symbol_count(b"num_symbols: 12\n"), Some(12));
        assert_eq!(symbol_count(b"num_symbols:0"), Some(0));
        assert_eq!(symbol_count(b"<html>"), None);
    }
}
