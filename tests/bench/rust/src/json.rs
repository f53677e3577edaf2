//! A document of some 50 MB is read as a `serde_json::Value`, walked, changed and dropped; COUNT times by each thread.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::{Random, timed};

const RECORDS: u64 = 150_000;

/// Records of a shop: numbers, short and long texts, lists and objects within objects.
fn document() -> String {
    let mut random = Random(1);
    let mut text = String::from("[");
    for id in 0..RECORDS {
        let comma = if id == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{comma}{{\"id\":{id},\"name\":\"customer {}\",\"active\":{},\"balance\":{}.{:02},\"address\":{{\"street\":\
             \"{} long street\",\"city\":\"city {}\",\"zip\":\"{:05}\"}},\"note\":\"{}\",\"orders\":[",
            random.below(100_000),
            random.below(2) == 0,
            random.below(10_000),
            random.below(100),
            random.below(500),
            random.below(900),
            random.below(99_999),
            "word ".repeat(random.below(12) as usize),
        );
        for order in 0..random.below(6) {
            let comma = if order == 0 { "" } else { "," };
            let _ = write!(
                text,
                "{comma}{{\"item\":\"item-{}\",\"count\":{},\"tags\":[\"a{}\",\"b{}\"]}}",
                random.below(20_000),
                random.below(9),
                random.below(50),
                random.below(50)
            );
        }
        text.push_str("]}");
    }
    text.push(']');
    text
}

/// Characters and numbers of a value and all below it.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(weight).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

/// What a program does to a document that it was sent: fields go, come and get longer, records are copied and removed.
fn change(records: &mut Vec<Value>, random: &mut Random) {
    for record in records.iter_mut() {
        let Value::Object(map) = record else { continue };
        map.remove("note");
        if let Some(Value::String(name)) = map.get_mut("name") {
            name.push_str(" (checked)");
        }
        if random.below(3) == 0 {
            let mut history = Map::new();
            history.insert("seen".to_owned(), Value::from(random.below(1000)));
            history.insert("by".to_owned(), Value::from(format!("clerk {}", random.below(40))));
            map.insert("history".to_owned(), Value::Object(history));
        }
    }
    for _ in 0..records.len() / 4 {
        let [from, to] = [(); 2].map(|()| random.below(records.len() as u64) as usize);
        records[to] = records[from].clone();
    }
    let kept = records.len() / 2;
    records.truncate(kept);
}

pub fn run(threads: u64, count: u64) {
    let text = document();
    timed(threads, |thread| {
        let mut random = Random(thread + 2);
        for _ in 0..count {
            let mut value: Value = serde_json::from_str(&text).expect("the document is whole");
            let before = weight(&value);
            if let Value::Array(records) = &mut value {
                change(records, &mut random);
            }
            assert!(weight(&value) < before);
        }
    });
}
