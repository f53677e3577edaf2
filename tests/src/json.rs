//! JSON read strictly, keys in their order: no key twice, nothing behind the end. What a test wants is got by panicking
//! accessors.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// Keys and values in their order.
    Object(Vec<(String, Json)>),
    /// Values.
    Array(Vec<Json>),
    /// A text.
    String(String),
    /// A number, as it is written.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl Json {
    /// Reads a document.
    ///
    /// # Panics
    /// When it is not strict JSON.
    pub fn read(text: &str) -> Json {
        let mut reader = Reader { text: text.as_bytes(), at: 0 };
        let value = reader.value();
        assert_eq!(&text[reader.at..], "", "behind the end");
        value
    }

    /// The keys of an object.
    ///
    /// # Panics
    /// When it is none.
    pub fn keys(&self) -> Vec<&str> {
        let Json::Object(pairs) = self else { panic!("no object: {self:?}") };
        pairs.iter().map(|(key, _)| key.as_str()).collect()
    }

    /// The value of a key, if the object has it.
    ///
    /// # Panics
    /// When it is no object.
    pub fn find(&self, key: &str) -> Option<&Json> {
        let Json::Object(pairs) = self else { panic!("no object: {self:?}") };
        pairs.iter().find(|(other, _)| other == key).map(|(_, value)| value)
    }

    /// The value of a key.
    ///
    /// # Panics
    /// When there is none.
    pub fn get(&self, key: &str) -> &Json {
        self.find(key).unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }

    /// The values of an array.
    ///
    /// # Panics
    /// When it is none.
    pub fn items(&self) -> &[Json] {
        let Json::Array(items) = self else { panic!("no array: {self:?}") };
        items
    }

    /// A text.
    ///
    /// # Panics
    /// When it is none.
    pub fn text(&self) -> &str {
        let Json::String(text) = self else { panic!("no text: {self:?}") };
        text
    }

    /// A number without sign.
    ///
    /// # Panics
    /// When it is none.
    pub fn number(&self) -> u64 {
        let Json::Number(number) = self else { panic!("no number: {self:?}") };
        number.parse().unwrap_or_else(|_| panic!("{number}"))
    }

    /// Its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Object(_) => "object",
            Json::Array(_) => "array",
            Json::String(_) => "string",
            Json::Number(_) => "number",
            Json::Bool(_) => "bool",
            Json::Null => "null",
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> u8 {
        *self.text.get(self.at).unwrap_or_else(|| panic!("cut at {}", self.at))
    }

    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.text[self.at - 1]
    }

    fn expect(&mut self, literal: &str) {
        let found = &self.text[self.at..self.at + literal.len()];
        assert_eq!(String::from_utf8_lossy(found), literal, "at {}", self.at);
        self.at += literal.len();
    }

    fn string(&mut self) -> String {
        self.expect("\"");
        let mut string = Vec::new();
        loop {
            match self.byte() {
                b'"' => return String::from_utf8(string).expect("JSON is UTF-8"),
                b'\\' => match self.byte() {
                    b'u' => self.at += 4,
                    c if b"\"\\/bfnrt".contains(&c) => string.push(c),
                    c => panic!("escape {c} at {}", self.at),
                },
                c => {
                    assert!(c >= b' ', "control character at {}", self.at);
                    string.push(c);
                }
            }
        }
    }

    fn number(&mut self) -> String {
        let start = self.at;
        while self.text.get(self.at).is_some_and(|byte| b"-+.0123456789eE".contains(byte)) {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).expect("digits");
        let plain = text.len() == 1 || !text.starts_with('0') || text.starts_with("0.");
        assert!(text.parse::<f64>().is_ok() && plain, "{text}");
        text.to_owned()
    }

    fn word(&mut self, word: &str, value: Json) -> Json {
        self.expect(word);
        value
    }

    fn value(&mut self) -> Json {
        match self.peek() {
            b'{' => {
                let mut pairs: Vec<(String, Json)> = Vec::new();
                self.list(b'}', |reader| {
                    let key = reader.string();
                    assert!(!pairs.iter().any(|(other, _)| *other == key), "{key} twice");
                    reader.expect(":");
                    pairs.push((key, reader.value()));
                });
                Json::Object(pairs)
            }
            b'[' => {
                let mut items = Vec::new();
                self.list(b']', |reader| items.push(reader.value()));
                Json::Array(items)
            }
            b'"' => Json::String(self.string()),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => Json::Number(self.number()),
        }
    }

    fn list(&mut self, close: u8, mut item: impl FnMut(&mut Self)) {
        self.at += 1;
        for n in 0.. {
            if self.peek() == close {
                self.at += 1;
                return;
            }
            if n > 0 {
                self.expect(",");
            }
            item(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn keys_stay_in_order_and_values_have_their_types() {
        let read = Json::read(r#"{"b":[1,-0.5e3,"x\"y"],"a":{"c":true,"d":null}}"#);
        assert_eq!(read.keys(), ["b", "a"]);
        let kinds: Vec<_> = read.get("b").items().iter().map(Json::kind).collect();
        assert_eq!(kinds, ["number", "number", "string"]);
        assert_eq!((read.get("b").items()[0].number(), read.get("b").items()[2].text()), (1, "x\"y"));
        assert_eq!(read.get("a").find("c"), Some(&Json::Bool(true)));
    }

    #[test]
    fn what_is_not_strict_is_refused() {
        let broken = [r#"{"a":1,"a":2}"#, "[1] ", "[01]", r#"["a]"#, "[1,,2]", "{", "[tru]", "[1 2]"];
        for text in broken {
            assert!(std::panic::catch_unwind(|| Json::read(text)).is_err(), "{text}");
        }
    }
}
