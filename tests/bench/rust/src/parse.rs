//! As a compiler's front end: each thread takes sources, makes syntax trees of them and keeps these; then names are
//! changed in all, and they are printed again. COUNT passes over all sources.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proc_macro2::Ident;
use quote::ToTokens;
use syn::visit_mut::VisitMut;

use crate::{sources, timed};

struct Rename(usize);

impl VisitMut for Rename {
    fn visit_ident_mut(&mut self, ident: &mut Ident) {
        let name = ident.to_string();
        if name.len() > 3 && !name.starts_with("r#") {
            self.0 += 1;
            *ident = Ident::new(&format!("{name}_{}", self.0 % 7), ident.span());
        }
    }
}

pub fn run(threads: u64, folder: &str, count: u64) {
    let sources = sources::read(folder);
    let next: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    let printed = AtomicUsize::new(0);
    let all = Barrier::new(threads as usize);
    timed(threads, |_| {
        for pass in &next {
            let mut trees = Vec::new();
            while let Some(source) = sources.get(pass.fetch_add(1, Relaxed)) {
                trees.push(syn::parse_file(source).expect("sources are whole"));
            }
            let mut rename = Rename(0);
            for mut tree in trees {
                rename.visit_file_mut(&mut tree);
                printed.fetch_add(tree.to_token_stream().to_string().len(), Relaxed);
            }
            all.wait();
        }
    });
    assert!(printed.into_inner() > 0);
}
