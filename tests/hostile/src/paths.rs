//! Methods and paths, with and without a token.

use crate::world::{Asked, Function, World, service_claims};

/// A method and, after a space, a path, percent-decoded as by API Gateway. Without a verified token only public routes
/// are found, and no path causes a 500.
pub fn paths(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((method, path)) = text.split_once(' ') else { return };
    if !path.starts_with('/') {
        return;
    }
    for function in Function::ALL {
        for claims in [None, service_claims()] {
            let is_open = claims.is_none();
            let world = World::of(function);
            let before = world.books();
            let asked = Asked { method, path, claims, ..Asked::default() };
            let Some(answer) = world.answer(&asked.event()) else { continue };
            if is_open {
                assert!(!matches!(answer.status, 200 | 201 | 302), "{function:?} without a token: {answer:?}");
            }
            assert_eq!(world.books(), before, "a request without a body changes nothing: {answer:?}");
        }
    }
}
