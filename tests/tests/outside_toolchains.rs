//! Toolchains under `LD_PRELOAD`: node with npm, a JVM with its compiler, g++ on a large file.
#![cfg(feature = "outside")]

use std::path::Path;

use suite::build::preload;
use suite::run::Run;
use suite::scratch::Scratch;

/// Runs commands in a folder without and with the library and compares what they print.
#[track_caller]
fn same(folder: &Path, command: &[&str]) -> String {
    let run = || Run::new(command[0]).args(&command[1..]).folder(folder).env("HOME", folder);
    let without = run().outcome().ok();
    let with = run().preload(&preload()).outcome().ok();
    assert_eq!(without.stdout, with.stdout, "{}", with.command);
    assert!(!with.stderr.contains("<jemalloc>"), "{with}");
    with.stdout
}

#[test]
fn npm_installs_a_package_and_builds() {
    let folder = Scratch::new("npm");
    let write = |path: &str, text: &str| {
        let path = folder.file(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("wordlist/package.json", r#"{"name": "wordlist", "version": "1.2.3", "main": "index.js"}"#);
    write(
        "wordlist/index.js",
        "exports.words = n => Array.from({length: n}, (_, i) => `word${i * 7919 % 10007}`)\n",
    );
    let package =
        r#"{"name": "app", "version": "1.0.0", "private": true, "scripts": {"build": "node build.js"}}"#;
    const BUILD: &str = "
const fs = require('fs'), zlib = require('zlib'), {words} = require('wordlist')
const {Worker, isMainThread, parentPort} = require('worker_threads')
const bundle = () => {
  const parts = []
  for (let i = 0; i < 40; i++) parts.push(JSON.stringify(words(5000 + i).map((w, k) => ({w, k, s: w.repeat(k % 5)}))))
  return zlib.gunzipSync(zlib.gzipSync(parts.join('\\n'))).toString()
}
if (isMainThread) {
  const text = bundle()
  fs.mkdirSync('dist', {recursive: true})
  fs.writeFileSync('dist/bundle.txt', text)
  let left = 3
  for (let i = 0; i < 3; i++) new Worker(__filename).on('message', size => {
    if (size !== text.length) throw new Error('another bundle')
    if (--left === 0) console.log('built', size)
  })
} else parentPort.postMessage(bundle().length)
";
    let built = |library: Option<&Path>, name: &str| {
        write(&format!("{name}/package.json"), package);
        write(&format!("{name}/build.js"), BUILD);
        for arguments in
            [&["install", "--offline", "--no-audit", "--no-fund", "../wordlist"][..], &["run", "build"]]
        {
            let run = Run::new("npm").args(arguments).folder(&folder.file(name)).env("HOME", folder.path());
            let run = if let Some(library) = library { run.preload(library) } else { run };
            let outcome = run.outcome().ok();
            assert!(!outcome.stderr.contains("<jemalloc>"), "{outcome}");
        }
        std::fs::read(folder.file(&format!("{name}/dist/bundle.txt"))).unwrap()
    };
    assert!(built(None, "without") == built(Some(&preload()), "with"), "other bundles");
}

#[test]
fn a_jvm_compiles_and_runs_a_program() {
    const SOURCE: &str = r#"
import java.util.*;
import java.util.stream.*;

public class Work {
    record Item(int id, String name, double value) {}

    static long work(int seed) {
        Map<String, List<Item>> groups = IntStream.range(0, 200_000)
            .mapToObj(i -> new Item(i, "name " + (i * 7919L + seed) % 1009, i * 0.5))
            .collect(Collectors.groupingBy(Item::name, TreeMap::new, Collectors.toList()));
        long sum = 0;
        for (var group : groups.entrySet())
            sum = sum * 31 + group.getKey().hashCode() + (long) group.getValue().stream().mapToDouble(Item::value).sum();
        return sum;
    }

    public static void main(String[] arguments) throws Exception {
        var results = new long[4];
        var threads = new ArrayList<Thread>();
        for (int i = 0; i < results.length; i++) {
            int me = i;
            threads.add(new Thread(() -> results[me] = work(me)));
        }
        for (var thread : threads) thread.start();
        for (var thread : threads) thread.join();
        var direct = java.nio.ByteBuffer.allocateDirect(1 << 24);
        for (int i = 0; i < direct.capacity(); i += 4096) direct.put(i, (byte) i);
        System.out.println(Arrays.toString(results));
    }
}
"#;
    let folder = Scratch::new("java");
    std::fs::write(folder.file("Work.java"), SOURCE).unwrap();
    same(folder.path(), &["javac", "Work.java"]);
    let said = same(folder.path(), &["java", "-cp", ".", "Work"]);
    assert!(said.starts_with('['), "{said}");
}

#[test]
fn the_c_plus_plus_compiler_compiles_a_large_file() {
    let folder = Scratch::new("g++");
    let mut source = String::from(
        "#include <algorithm>\n#include <functional>\n#include <map>\n#include <memory>\n#include <regex>\n#include <sstream>\n#include <string>\n#include <unordered_map>\n#include <vector>\n",
    );
    for n in 0..50 {
        source += &format!(
            "template <class T> struct Box{n} {{ T value; std::vector<T> more; std::map<std::string, T> names;\n\
             T sum() const {{ T all = value; for (const auto &m : more) all = all + m; for (const auto &[k, v] : names) all = all + v; return all; }} }};\n\
             int f{n}(int x) {{ Box{n}<int> a{{x, {{x, {n}}}, {{}}}}; Box{n}<double> b{{x * 0.5, {{}}, {{}}}}; a.names[\"k{n}\"] = x;\n\
             std::function<int(int)> g = [&](int y) {{ return a.sum() + y + int(b.sum()); }};\n\
             std::unordered_map<std::string, std::shared_ptr<Box{n}<int>>> m; m[\"x\"] = std::make_shared<Box{n}<int>>(a);\n\
             std::sort(a.more.begin(), a.more.end(), [](int l, int r) {{ return l > r; }}); return g({n}) + m.begin()->second->sum(); }}\n"
        );
    }
    source += "int main() { return f0(1) == 42; }\n";
    std::fs::write(folder.file("large.cc"), source).unwrap();
    let compile = || {
        Run::new("g++").args(["-std=c++17", "-O1", "-S", "large.cc", "-o", "large.s"]).folder(folder.path())
    };
    let assembly = |run: Run| {
        run.outcome().ok();
        std::fs::read(folder.file("large.s")).unwrap()
    };
    let without = assembly(compile());
    assert!(without.len() > 500_000, "{} bytes of assembly", without.len());
    assert!(without == assembly(compile().preload(&preload())), "other assembly under the library");
}
