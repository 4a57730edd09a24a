//! What others are told: the state of commits, and what needs a person.
