//! A program that has jealloc linked, and allocates from another library.

use jealloc_server::{ENDPOINTS, Needs, Request, respond};

#[test]
fn what_is_not_known_of_another_allocator_is_said_and_the_rest_answered() {
    for endpoint in ENDPOINTS {
        let method = endpoint.methods.names()[0];
        let response = respond(&Request { method, path: endpoint.paths[0], query: "", body: b"" });
        let text = String::from_utf8_lossy(&response.body);
        if endpoint.needs == Needs::Nothing {
            assert_eq!(response.status, 200, "{endpoint:?}: {text}");
        } else {
            assert_eq!(response.status, 503, "{endpoint:?}: {text}");
            assert!(text.starts_with("jealloc is not the allocator of this program"), "{text}");
        }
    }
}
