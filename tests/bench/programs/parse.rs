//! parse THREADS COUNT: as a compiler's front end, each thread makes sources, takes them apart into tokens that are
//! strings, builds syntax trees of boxes and vectors, renames and folds them and prints them again; COUNT sources.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Instant;

#[derive(Clone, Debug)]
enum Tree {
    Number(u64),
    Name(String),
    Call(String, Vec<Tree>),
    Binary(Box<Tree>, char, Box<Tree>),
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn source(state: &mut u64, depth: u32, text: &mut String) {
    match (depth, random(state) % 3) {
        (0, 0) => write!(text, "{}", random(state) % 1000).expect("strings grow"),
        (0, _) => write!(text, "name{}", random(state) % 50).expect("strings grow"),
        (_, 0) => {
            write!(text, "f{}(", random(state) % 20).expect("strings grow");
            for at in 0..1 + random(state) % 4 {
                text.push_str(if at > 0 { "," } else { "" });
                source(state, depth - 1, text);
            }
            text.push(')');
        }
        _ => {
            text.push('(');
            source(state, depth - 1, text);
            text.push(['+', '*', '-'][random(state) as usize % 3]);
            source(state, depth - 1, text);
            text.push(')');
        }
    }
}

fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut word = false;
    for c in text.chars() {
        let part = c.is_alphanumeric();
        match found.last_mut() {
            Some(last) if part && word => last.push(c),
            _ => found.push(c.to_string()),
        }
        word = part;
    }
    found
}

fn parse(tokens: &mut std::slice::Iter<String>) -> Tree {
    let token = tokens.next().expect("sources are whole");
    if token == "(" {
        let left = parse(tokens);
        let operator = tokens.next().and_then(|token| token.chars().next()).expect("sources are whole");
        let right = parse(tokens);
        tokens.next();
        return Tree::Binary(Box::new(left), operator, Box::new(right));
    }
    if let Ok(number) = token.parse() {
        return Tree::Number(number);
    }
    if tokens.as_slice().first().is_some_and(|next| next == "(") {
        let mut arguments = Vec::new();
        while tokens.next().is_some_and(|token| token != ")") {
            arguments.push(parse(tokens));
            if tokens.as_slice().first().is_some_and(|next| next == ")") {
                tokens.next();
                break;
            }
        }
        return Tree::Call(token.clone(), arguments);
    }
    Tree::Name(token.clone())
}

fn folded(tree: Tree, names: &mut HashMap<String, usize>) -> Tree {
    match tree {
        Tree::Binary(left, operator, right) => match (folded(*left, names), operator, folded(*right, names)) {
            (Tree::Number(left), '+', Tree::Number(right)) => Tree::Number(left + right),
            (left, operator, right) => Tree::Binary(Box::new(left), operator, Box::new(right)),
        },
        Tree::Call(name, arguments) => {
            Tree::Call(name, arguments.into_iter().map(|argument| folded(argument, names)).collect())
        }
        Tree::Name(name) => {
            let next = names.len();
            Tree::Name(format!("v{}", names.entry(name).or_insert(next)))
        }
        number => number,
    }
}

fn printed(tree: &Tree) -> String {
    match tree {
        Tree::Number(number) => number.to_string(),
        Tree::Name(name) => name.clone(),
        Tree::Call(name, arguments) => {
            format!("{name}({})", arguments.iter().map(printed).collect::<Vec<_>>().join(","))
        }
        Tree::Binary(left, operator, right) => format!("({}{operator}{})", printed(left), printed(right)),
    }
}

fn work(seed: u64, count: u64) {
    let mut state = seed;
    let mut kept = Vec::new();
    for _ in 0..count {
        let mut text = String::new();
        source(&mut state, 9, &mut text);
        let tree = folded(parse(&mut tokens(&text).iter()), &mut HashMap::new());
        let copy = tree.clone();
        assert_eq!(printed(&tree), printed(&copy));
        kept.push(tree);
        if kept.len() > 50 {
            kept.swap_remove(random(&mut state) as usize % 50);
        }
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>().expect("a number"));
    let [threads, count] = [(); 2].map(|()| numbers.next().expect("THREADS COUNT"));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for seed in 0..threads {
            scope.spawn(move || work(seed + 1, count));
        }
    });
    println!("seconds\t{:.6}", started.elapsed().as_secs_f64());
}
