//! Statistics: levels of procedures as of a period's end, dossier rates.

mod levels;
