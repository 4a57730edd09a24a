//! What is served: health, metrics, status, the page and the API.
