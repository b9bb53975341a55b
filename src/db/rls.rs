//! The RLS context: the settings that row-level security reads. See `docs/adr/0012-row-level-security.md`.

use super::copy::literal;

/// What a piece of work may see and change of what agencies own. Nothing, unless somebody says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RlsContext {
    /// Value of `ict_index.scope`.
    scope: String,
    /// Value of `ict_index.caller`: whose repeated requests are answered.
    caller: String,
}

impl RlsContext {
    /// Of every agency.
    pub fn all() -> Self {
        Self { scope: "all".into(), caller: String::new() }
    }

    /// Of the agencies with these ids; `None`: of every agency.
    pub fn of(ids: Option<Vec<i32>>) -> Self {
        let Some(ids) = ids else { return Self::all() };
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        Self { scope: format!("{{{}}}", ids.join(",")), caller: String::new() }
    }

    /// Of everything, for the service's own work.
    pub fn system() -> Self {
        Self::all().as_caller("system")
    }

    /// The same, and the answers kept for this caller.
    pub fn as_caller(self, caller: &str) -> Self {
        Self { caller: caller.to_owned(), ..self }
    }

    /// What says so, until the transaction ends (`set local`) or until something else is said (`set`). No query: a transaction
    /// may still choose its isolation after it.
    pub(super) fn set_sql(&self, set: &str) -> String {
        let (scope, caller) = (literal(&self.scope), literal(&self.caller));
        format!("{set} ict_index.scope = {scope}; {set} ict_index.caller = {caller}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_sees_nothing_and_nothing_ends_the_text() {
        let scope = |ctx: RlsContext| ctx.scope;
        assert_eq!(scope(RlsContext::default()), "");
        assert_eq!(scope(RlsContext::of(Some(vec![]))), "{}");
        assert_eq!(scope(RlsContext::of(Some(vec![3, 14]))), "{3,14}");
        assert_eq!(scope(RlsContext::of(None)), "all");
        let text = RlsContext::all().as_caller("x'; select '").set_sql("set local");
        assert!(text.ends_with("set local ict_index.caller = 'x''; select '''"), "{text}");
    }
}
