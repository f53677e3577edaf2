//! The query of a request: names and values, checked against those that the endpoint has.

use crate::response::Response;

/// A parameter of an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Which values it may have.
    pub values: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// Names and values, decoded.
#[derive(Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Takes a query apart.
    ///
    /// # Errors
    /// A response that names what is wrong: an escape, a parameter that is not `known`, or one that comes twice.
    pub fn parse(query: &str, known: &[Parameter]) -> Result<Parameters, Response> {
        let mut found = Vec::<(String, String)>::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text| {
                decoded(text).ok_or_else(|| {
                    Response::error(
                        400,
                        format_args!("query: `{pair}` has a `%` without two hex digits of UTF-8"),
                    )
                })
            };
            let (name, value) = (decode(name)?, decode(value)?);
            if !known.iter().any(|parameter| parameter.name == name) {
                let names: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(Response::error(
                    400,
                    format_args!("query: there is no parameter `{name}` here; known: {known}"),
                ));
            }
            if found.iter().any(|(other, _)| *other == name) {
                return Err(Response::error(400, format_args!("query: `{name}` is given twice")));
            }
            found.push((name, value));
        }
        Ok(Parameters(found))
    }

    /// The value of a parameter; `None` when it is not given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is one of some words; the first of them when it is not given.
    ///
    /// # Errors
    /// A response that names the parameter and the words.
    pub fn choice<'w>(&self, name: &str, words: &[&'w str]) -> Result<&'w str, Response> {
        let Some(value) = self.get(name) else { return Ok(words[0]) };
        words.iter().find(|word| **word == value).copied().ok_or_else(|| {
            Response::error(400, format_args!("{name}: `{value}` is none of {}", words.join(", ")))
        })
    }

    /// A parameter that is a whole number from 1 to `most`; `None` when it is not given.
    ///
    /// # Errors
    /// A response that names the parameter and its range.
    pub fn number(&self, name: &str, most: u32) -> Result<Option<u32>, Response> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
            _ => Err(Response::error(
                400,
                format_args!("{name}: `{value}` is no whole number from 1 to {most}"),
            )),
        }
    }
}

/// A text without its percent-encoding; `None` when that is broken.
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                (digit()? << 4 | digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[
        Parameter { name: "a", values: "", about: "" },
        Parameter { name: "long name", values: "", about: "" },
    ];

    fn refused(query: &str) -> String {
        let response = Parameters::parse(query, KNOWN).unwrap_err();
        assert_eq!(response.status, 400);
        String::from_utf8(response.body).unwrap()
    }

    #[test]
    fn names_and_values_are_decoded() {
        let parameters = Parameters::parse("&a=1%2B2&&long+name=%c3%a4", KNOWN).unwrap();
        assert_eq!((parameters.get("a"), parameters.get("long name")), (Some("1+2"), Some("ä")));
        assert_eq!(Parameters::parse("a", KNOWN).unwrap().get("a"), Some(""));
        assert_eq!(Parameters::parse("", KNOWN).unwrap().get("a"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refused("a=1&b=2").contains("no parameter `b` here; known: a, long name"));
        assert!(refused("a=1&a=1").contains("`a` is given twice"));
        for broken in ["a=%", "a=%4", "a=%zz", "%ff=1"] {
            assert!(refused(broken).contains(&format!("`{broken}` has a `%`")), "{broken}");
        }
    }

    #[test]
    fn words_and_numbers_have_ranges() {
        let parameters = |query| Parameters::parse(query, KNOWN).unwrap();
        assert_eq!(parameters("").choice("a", &["x", "y"]).unwrap(), "x");
        assert_eq!(parameters("a=y").choice("a", &["x", "y"]).unwrap(), "y");
        let wrong = parameters("a=z").choice("a", &["x", "y"]).unwrap_err();
        assert_eq!((wrong.status, &wrong.body[..]), (400, &b"a: `z` is none of x, y\n"[..]));
        assert_eq!(parameters("").number("a", 9).unwrap(), None);
        assert_eq!(parameters("a=9").number("a", 9).unwrap(), Some(9));
        for wrong in ["a=0", "a=10", "a=-1", "a=1.5", "a=", "a=x", "a=99999999999"] {
            let wrong = parameters(wrong).number("a", 9).unwrap_err();
            assert!(String::from_utf8_lossy(&wrong.body).ends_with("is no whole number from 1 to 9\n"));
        }
    }
}
