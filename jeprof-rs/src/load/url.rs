//! Addresses of pages, taken apart as far as fetching profiles needs it.

use std::fmt;

/// An `http` or `https` address. Shown without the password that it may carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// `user` or `user:password`, still percent-encoded; empty for none.
    user: String,
    /// `host` or `host:port`.
    pub authority: String,
    /// From the first slash on, without a query; never empty.
    pub path: String,
    /// Behind the question mark.
    pub query: Option<String>,
}

impl Url {
    /// Takes an address apart.
    ///
    /// # Errors
    /// In words: not http or https, or no host.
    pub fn parse(text: &str) -> Result<Url, String> {
        let (scheme, rest) = text.split_once("://").ok_or("is no address of a page")?;
        let encrypted = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            other => return Err(format!("only http and https are spoken, not {other}")),
        };
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err("has a space in it (write %20)".into());
        }
        let rest = rest.split('#').next().unwrap_or(rest);
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query.to_string())),
            None => (rest, None),
        };
        let slash = place.find('/').unwrap_or(place.len());
        let (user, authority) = place[..slash].rsplit_once('@').unwrap_or(("", &place[..slash]));
        let host = authority.rsplit_once(':').map_or(authority, |(host, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { authority }
        });
        if host.is_empty() {
            return Err("names no host".into());
        }
        let path = if slash == place.len() { "/" } else { &place[slash..] };
        Ok(Url { encrypted, user: user.into(), authority: authority.into(), path: path.into(), query })
    }

    /// The same place with another path and without a query.
    pub fn with_path(&self, path: impl Into<String>) -> Url {
        Url { path: path.into(), query: None, ..self.clone() }
    }

    /// The same place with another path.
    pub fn at_path(&self, path: impl Into<String>) -> Url {
        Url { path: path.into(), ..self.clone() }
    }

    /// Adds `name=value` to the query.
    pub fn with_parameter(mut self, name: &str, value: impl fmt::Display) -> Url {
        let before = self.query.take().filter(|query| !query.is_empty());
        self.query = Some(match before {
            Some(before) => format!("{before}&{name}={value}"),
            None => format!("{name}={value}"),
        });
        self
    }

    /// Where a redirection leads, which may be said in full or relative to this address.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, location: &str) -> Result<Url, String> {
        let scheme = self.scheme();
        let target = if location.split(['/', '?', '#']).next().is_some_and(|start| start.ends_with(':')) {
            Url::parse(location)?
        } else if let Some(rest) = location.strip_prefix("//") {
            Url::parse(&format!("{scheme}://{rest}"))?
        } else if location.starts_with('/') {
            Url::parse(&format!("{scheme}://{}{location}", self.authority))?
        } else {
            let folder = &self.path[..=self.path.rfind('/').unwrap_or(0)];
            Url::parse(&format!("{scheme}://{}{folder}{location}", self.authority))?
        };
        // Credentials belong to the server that they were given for.
        let user = if target.same_server(self) && target.user.is_empty() { &self.user } else { &target.user };
        Ok(Url { user: user.clone(), ..target })
    }

    /// Whether both lead to the same server by the same means.
    pub fn same_server(&self, other: &Url) -> bool {
        self.encrypted == other.encrypted && self.authority.eq_ignore_ascii_case(&other.authority)
    }

    /// The host without the port.
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// User and password in plain bytes, for the `Authorization` header.
    pub fn credentials(&self) -> Option<Vec<u8>> {
        (!self.user.is_empty()).then(|| {
            let mut plain = percent_decoded(&self.user);
            if !plain.contains(&b':') {
                plain.push(b':');
            }
            plain
        })
    }

    /// What is asked for, without credentials.
    pub fn target(&self) -> String {
        let query = self.query.as_ref().map_or(String::new(), |query| format!("?{query}"));
        format!("{}://{}{}{query}", self.scheme(), self.authority, self.path)
    }

    fn scheme(&self) -> &'static str {
        if self.encrypted { "https" } else { "http" }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.target())
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let code = digits.filter(|_| bytes[at] == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok());
        plain.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn parts_are_found_and_the_password_is_not_shown() {
        let whole = url("http://me:s%3Acret@host:8080/pprof/heap?seconds=3#top");
        assert_eq!(whole.to_string(), "http://host:8080/pprof/heap?seconds=3");
        assert_eq!(whole.credentials().unwrap(), b"me:s:cret");
        assert_eq!((whole.host(), whole.path.as_str()), ("host", "/pprof/heap"));
        assert_eq!(url("HTTPS://host").to_string(), "https://host/");
        assert_eq!(url("https://[::1]:80?x").to_string(), "https://[::1]:80/?x");
        assert_eq!(url("http://[::1]/").host(), "[::1]");
        assert_eq!(url("http://me@host/").credentials().unwrap(), b"me:");
        assert_eq!(url("http://host/").credentials(), None);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["host:80/x", "ftp://host/", "http://", "http:///x", "http://:80/", "http://a b/"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn redirections_are_relative_and_keep_credentials_only_at_home() {
        let from = url("http://me:pw@host:1/a/b?q");
        for (location, expected) in [
            ("/c", "http://host:1/c"),
            ("c?d=http://x/", "http://host:1/a/c?d=http://x/"),
            ("//other/c", "http://other/c"),
            ("https://host:1/c", "https://host:1/c"),
        ] {
            let to = from.join(location).unwrap();
            assert_eq!(to.to_string(), expected);
            assert_eq!(to.credentials().is_some(), expected.starts_with("http://host:1/"), "{location}");
        }
        assert!(from.join("file:///etc/passwd").is_err());
    }

    #[test]
    fn parameters_are_appended() {
        let page = url("http://h/p").with_parameter("seconds", 3);
        assert_eq!(page.to_string(), "http://h/p?seconds=3");
        assert_eq!(page.with_parameter("gc", 1).to_string(), "http://h/p?seconds=3&gc=1");
    }
}
