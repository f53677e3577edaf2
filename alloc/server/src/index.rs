//! `/debug/pprof/`: the endpoints as a page; and the same as the tables of `docs/server.md`.

use jealloc::ctl;

use crate::allocator::{has_profiler, is_allocator};
use crate::endpoint::{Asked, Endpoint, Methods};
use crate::request::Answer;
use crate::response::Response;

/// The page.
pub fn page(asked: &Asked) -> Result<Answer, Response> {
    let rows: String = asked.endpoints.iter().map(row).collect();
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Heap</title>\n<style>body \
         {{ font: 1em sans-serif; margin: 2em }} td, th {{ text-align: left; vertical-align: top; padding: .2em 1em .2em 0 }}\
         </style></head>\n<body>\n<h1>Heap</h1>\n<p>{}</p>\n<table>\n<tr><th scope=\"col\">method</th><th \
         scope=\"col\">path</th><th scope=\"col\">parameters</th><th scope=\"col\">what it is</th></tr>\n{rows}</table>\n\
         </body>\n</html>\n",
        state()
    );
    Ok(Answer::Now(Response::page("text/html; charset=utf-8", page)))
}

/// Whether the profiler is there, in a sentence.
fn state() -> String {
    if !is_allocator() {
        return "jealloc is not the allocator of this program.".into();
    }
    if !has_profiler() {
        return "The profiler is off: the program was not started with <code>prof:true</code>.".into();
    }
    let sampling = if ctl::read(c"prof.active").unwrap_or(false) { "on" } else { "off" };
    let lg_sample: usize = ctl::read(c"prof.lg_sample").unwrap_or(0);
    let freed = if jealloc::profile::has_accumulated() { "kept" } else { "not kept" };
    let bytes = 1u64.checked_shl(lg_sample as u32).unwrap_or(u64::MAX);
    format!(
        "Sampling is {sampling}, one sample in {bytes} bytes on average; figures of what was freed are {freed}."
    )
}

fn row(endpoint: &Endpoint) -> String {
    let paths: Vec<String> = endpoint
        .paths
        .iter()
        .map(|path| match endpoint.methods {
            Methods::Post => format!("<code>{path}</code>"),
            // From this page on, wherever the server has put it.
            _ => format!("<a href=\"../..{path}\">{path}</a>"),
        })
        .collect();
    let parameters: Vec<String> =
        endpoint.parameters.iter().map(|parameter| format!("<code>{}</code>", parameter.name)).collect();
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        methods(endpoint),
        paths.join("<br>"),
        parameters.join(" "),
        marked(endpoint.about)
    )
}

/// `HEAD` goes without saying.
fn methods(endpoint: &Endpoint) -> &'static str {
    match endpoint.methods {
        Methods::Get => "GET",
        Methods::Post => "POST",
        Methods::Both => "GET, POST",
    }
}

/// A sentence of a row as HTML: what stands between backquotes is code.
fn marked(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let parts = escaped.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 0 { part.to_owned() } else { format!("<code>{part}</code>") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Parameter;
    use crate::table::ENDPOINTS;

    /// Where the tables are.
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/server.md");
    const BEGIN: &str = "<!-- endpoints -->\n";
    const END: &str = "<!-- end -->\n";

    fn tables() -> String {
        let mut tables =
            String::from("| method | path | parameters | what it answers |\n|---|---|---|---|\n");
        let mut parameters = Vec::<&Parameter>::new();
        for endpoint in ENDPOINTS {
            let codes = |names: &mut dyn Iterator<Item = &str>, between| {
                names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
            };
            tables += &format!(
                "| {} | {} | {} | {} |\n",
                methods(endpoint),
                codes(&mut endpoint.paths.iter().copied(), "<br>"),
                codes(&mut endpoint.parameters.iter().map(|parameter| parameter.name), " "),
                endpoint.about
            );
            for parameter in endpoint.parameters {
                match parameters.iter().find(|known| known.name == parameter.name) {
                    Some(known) => assert_eq!(known.about, parameter.about, "one name has one meaning"),
                    None => parameters.push(parameter),
                }
            }
        }
        tables += "\n| parameter | values | what it does |\n|---|---|---|\n";
        for Parameter { name, values, about } in parameters {
            tables += &format!("| `{name}` | {values} | {about} |\n");
        }
        tables
    }

    #[test]
    fn the_tables_of_the_documentation_are_current() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let wanted = format!("{before}{BEGIN}{}{END}{after}", tables());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(PAGE, &wanted).unwrap();
        } else {
            assert!(
                page == wanted,
                "docs/server.md is stale; UPDATE_GOLDEN=1 cargo test -p jealloc-server rewrites it"
            );
        }
    }

    #[test]
    fn the_page_has_every_path_and_no_markup_of_others() {
        let request = crate::Request { method: "GET", path: "/debug/pprof/", query: "", body: b"" };
        let page = String::from_utf8(crate::respond(&request).body).unwrap();
        for path in ENDPOINTS.iter().flat_map(|endpoint| endpoint.paths) {
            assert!(page.contains(&format!(">{path}<")), "{path}");
        }
        assert!(page.contains("<code>0x1&lt;tab>name</code>"), "{page}");
        assert!(page.contains("was not started with <code>prof:true</code>"), "{page}");
    }
}
