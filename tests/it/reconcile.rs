//! The loop against real repositories.
