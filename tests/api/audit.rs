//! The audit trail: read by those who need it, handed out whole, and changed by nobody unnoticed.

mod export;
mod seals;
