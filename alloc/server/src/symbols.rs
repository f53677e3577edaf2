//! `/pprof/symbol`: gperftools' protocol, which Go's programs, jeprof and pprof speak as well.

use crate::endpoint::Asked;
use crate::parameters::decoded;
use crate::request::Answer;
use crate::response::{Response, TEXT};

/// The page.
pub fn page(asked: &Asked) -> Result<Answer, Response> {
    // Whoever posts may have filters in the query, as jeprof does, which then applies them itself.
    let text = match asked.request.method {
        "POST" => std::str::from_utf8(asked.request.body)
            .map_err(|_| Response::error(400, "body: is no text of addresses, `0x1+0x2`"))?,
        _ => asked.request.query,
    };
    let addresses = addresses(text)?;
    let answer =
        if addresses.is_empty() { format!("num_symbols: {}\n", count()) } else { lines(&addresses)? };
    Ok(Answer::Now(Response::page(TEXT, answer)))
}

/// The addresses of `0x1+0x2`.
fn addresses(text: &str) -> Result<Vec<u64>, Response> {
    let wrong = |word: &str| {
        let word: String = word.chars().take(40).collect();
        Response::error(
            400,
            format_args!("address: `{word}` is no number like 0x7f12; several have + between them"),
        )
    };
    let text = decoded(text).ok_or_else(|| wrong(text))?;
    text.split(['+', ' ', '\n', '\r'])
        .filter(|word| !word.is_empty())
        .map(|word| {
            let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
            digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or_else(|| wrong(word))
        })
        .collect()
}

#[cfg(feature = "symbols")]
fn count() -> usize {
    crate::names::count()
}

/// Who asks takes it for a program without symbols.
#[cfg(not(feature = "symbols"))]
fn count() -> usize {
    0
}

#[cfg(feature = "symbols")]
fn lines(addresses: &[u64]) -> Result<String, Response> {
    let names = crate::names::of(addresses);
    Ok(names.iter().map(|(address, name)| format!("{address:#x}\t{name}\n")).collect())
}

#[cfg(not(feature = "symbols"))]
fn lines(_: &[u64]) -> Result<String, Response> {
    Err(Response::error(501, "jealloc-server was built without the feature `symbols`"))
}

#[cfg(test)]
mod tests {
    use crate::request::Request;
    use crate::respond;

    fn ask(method: &str, query: &str, body: &[u8]) -> (u16, String) {
        let response = respond(&Request { method, path: "/pprof/symbol", query, body });
        (response.status, String::from_utf8(response.body).unwrap())
    }

    /// A function that has a symbol and that nothing is inlined into.
    #[inline(never)]
    fn somebody() -> usize {
        std::hint::black_box(17)
    }

    #[test]
    fn without_addresses_it_tells_how_many_symbols_there_are() {
        for (method, body) in [("GET", &b""[..]), ("POST", b""), ("POST", b"\n")] {
            let (status, text) = ask(method, "", body);
            let count = text.strip_prefix("num_symbols: ").and_then(|count| count.trim().parse::<u32>().ok());
            assert!(status == 200 && count.is_some_and(|count| count > 1000), "{text}");
        }
    }

    #[test]
    fn functions_of_program_and_libraries_have_names_and_other_addresses_none() {
        assert_eq!(somebody(), 17);
        let mine = somebody as *const () as u64 + 1;
        let libc = std::process::id as *const () as u64;
        let stack = std::ptr::from_ref(&mine).addr() as u64;
        let list = format!("{mine:#018x}+{libc:#x}+{stack:#x}+0x10");
        let (status, text) = ask("POST", "retain=x", list.as_bytes());
        assert_eq!(status, 200);
        let wanted = format!("{mine:#x}\tjealloc_server::symbols::tests::somebody");
        assert!(text.lines().any(|line| line == wanted), "{wanted} in\n{text}");
        assert!(text.lines().any(|line| line.ends_with("\tstd::process::id")), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert_eq!(ask("GET", &list, b"").1, text);
        assert_eq!(ask("GET", &list.replace('+', "%2B"), b"").1, text);
    }

    #[test]
    fn what_is_no_address_is_named() {
        for wrong in ["12", "0x", "0xz", "0x11111111111111111", "%zz"] {
            let (status, text) = ask("GET", wrong, b"");
            assert!(status == 400 && text.contains(&format!("`{wrong}`")), "{text}");
        }
        assert_eq!(ask("POST", "", &[0xff]).0, 400);
    }
}
