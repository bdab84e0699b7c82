//! Tests of the panel, over its router.
