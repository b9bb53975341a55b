//! What can be wrong with a framework: a closed list, each with a JSON pointer and parameters for the message.

use std::collections::BTreeMap;

use serde::Serialize;

macro_rules! fault_codes {
    ($($(#[$meta:meta])* $code:ident),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum FaultCode { $($(#[$meta])* $code),+ }

        impl FaultCode {
            pub const ALL: &[Self] = &[$(Self::$code),+];
        }
    };
}

fault_codes! {
    CodeInvalid,
    CodeDuplicate,
    /// A code that occurs again below itself.
    CodeCycle,
    IndicatorUnknown,
    NameEmpty,
    TooDeep,
    TooManyLeaves,
    NodeEmpty,
    /// Children and a leaf's fields at once.
    NodeAndLeaf,
    AggregateMissing,
    WeightNegative,
    WeightsAllZero,
    WeightsTotal,
    MethodMissing,
    MethodAndPoints,
    GoalpostsMissing,
    GoalpostsReversed,
    BoundsUnused,
    ScaleReversed,
    TruncateReversed,
    PerNotPositive,
    MaxPointsMissing,
    MaxPointsNotPositive,
    MaxPointsTotal,
    PointsParameter,
    StepsMissing,
    StepsUnordered,
    StepsOutOfRange,
    AlternativesMissing,
    AlternativeKind,
    DirectionNotAllowed,
    AppliesToEmpty,
    RankDecimals,
    BandsUnordered,
    /// A warning: a zero in the group makes the whole group zero.
    ZeroUnderMean,
    /// A warning: `max_points` and a weight other than 1 both count in a sum.
    WeightAndPoints,
    /// A warning: a deduction under a mean lowers nothing below zero.
    DeductionUnderMean,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    pub code: FaultCode,
    pub pointer: String,
    pub params: BTreeMap<&'static str, String>,
}

/// Faults forbid the framework, warnings do not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
}

impl Report {
    pub fn fault(&mut self, code: FaultCode, pointer: &str, params: &[(&'static str, String)]) {
        self.faults.push(fault(code, pointer, params));
    }

    pub fn warn(&mut self, code: FaultCode, pointer: &str, params: &[(&'static str, String)]) {
        self.warnings.push(fault(code, pointer, params));
    }

    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

fn fault(code: FaultCode, pointer: &str, params: &[(&'static str, String)]) -> Fault {
    Fault { code, pointer: pointer.to_owned(), params: params.iter().cloned().collect() }
}
