//! Loop 2: turns everything that happens into inputs of the engine, and its effects into acts.
