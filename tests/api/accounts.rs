//! Logging in and out, users, machine clients.
