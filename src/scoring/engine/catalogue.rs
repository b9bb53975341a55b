//! The frameworks that are shipped, as data.

use super::framework::Framework;

macro_rules! shipped {
    ($($file:literal),+ $(,)?) => {
        /// File name and content.
        pub const SHIPPED: &[(&str, &str)] = &[
            $(($file, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/frameworks/", $file)))),+
        ];
    };
}

shipped!["ict_index.json", "dti_2020.json", "dti_2022.json", "ict_index_agencies.json"];

/// All shipped frameworks; an error only if a file were no framework, which a test excludes.
pub fn frameworks() -> serde_json::Result<Vec<Framework>> {
    SHIPPED.iter().map(|(_, text)| serde_json::from_str(text)).collect()
}
