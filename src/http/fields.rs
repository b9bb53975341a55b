//! What fields mean whose types do not say it: one name has one meaning, so most are described once, in `docs/api-fields.csv`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

const FIELDS: &str = include_str!("../../docs/api-fields.csv");

/// Descriptions by `field` or, where a schema means something of its own, by `Schema.field`; schemas by their name.
struct Vocabulary(HashMap<String, String>);

impl Vocabulary {
    fn read() -> Result<Self, String> {
        let mut reader = csv::Reader::from_reader(FIELDS.as_bytes());
        let rows: Result<_, _> = reader.deserialize().collect();
        rows.map(Self).map_err(|error| format!("docs/api-fields.csv: {error}"))
    }

    fn of_field(&self, schema: &str, field: &str) -> Option<&str> {
        self.0.get(&format!("{schema}.{field}")).or_else(|| self.0.get(field)).map(String::as_str)
    }
}

/// Describes the schemas and fields of the document that their declarations leave without a description.
pub(super) fn describe(document: &mut Value) -> Result<(), String> {
    let vocabulary = Vocabulary::read()?;
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else {
        return Ok(());
    };
    for (name, schema) in schemas.iter_mut() {
        if let (Some(schema), Some(text)) = (schema.as_object_mut(), vocabulary.0.get(name)) {
            schema.entry("description").or_insert_with(|| json!(text));
        }
    }
    let known = schemas.clone();
    for (name, schema) in schemas.iter_mut() {
        visit(schema, name.strip_prefix("Page_").unwrap_or(name), &known, &vocabulary);
    }
    if let Some(paths) = document.get_mut("paths") {
        visit(paths, "", &known, &vocabulary);
    }
    Ok(())
}

fn visit(value: &mut Value, schema: &str, known: &Map<String, Value>, vocabulary: &Vocabulary) {
    match value {
        Value::Object(members) => {
            for (field, property) in
                members.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
            {
                describe_property(property, schema, field, known, vocabulary);
            }
            members.values_mut().for_each(|member| visit(member, schema, known, vocabulary));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, schema, known, vocabulary)),
        _ => {}
    }
}

fn describe_property(
    property: &mut Value,
    schema: &str,
    field: &str,
    known: &Map<String, Value>,
    vocabulary: &Vocabulary,
) {
    if is_described(property, known) {
        return;
    }
    if let (Some(property), Some(text)) = (property.as_object_mut(), vocabulary.of_field(schema, field)) {
        property.insert("description".into(), json!(text));
    }
}

/// By itself, or by the schema that it refers to. A number or text says what it is in this field only here.
fn is_described(schema: &Value, known: &Map<String, Value>) -> bool {
    let of_reference = || {
        let name = schema.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")?;
        known.get(name).filter(|named| !is_scalar(named))?.get("description")
    };
    let mut alternatives =
        ["allOf", "anyOf", "oneOf"].iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
    schema.get("description").is_some()
        || of_reference().is_some()
        || alternatives.any(|alternative| is_described(alternative, known))
}

/// A number or a text that is none of a closed list.
fn is_scalar(schema: &Value) -> bool {
    let kind = schema.get("type").and_then(Value::as_str);
    schema.get("enum").is_none() && matches!(kind, Some("number" | "integer" | "string"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_described_once_and_keeps_its_own_words() {
        let mut document = json!({"components": {"schemas": {
            "Plan": {"properties": {"code": {}, "title": {"description": "own"}, "month": {"$ref": "#/components/schemas/Month"},
                "status": {"$ref": "#/components/schemas/Status"}}},
            "Month": {"type": "string"},
            "Status": {"type": "string", "enum": ["a"], "description": "Of a plan."},
        }}});
        describe(&mut document).unwrap();
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Plan"]["properties"]["code"]["description"], "Code of the plan.");
        assert_eq!(schemas["Plan"]["properties"]["title"]["description"], "own");
        assert_eq!(schemas["Month"]["description"], "A month, such as `2018-03`.");
        assert_eq!(schemas["Plan"]["properties"]["month"]["description"], "Month, such as `2018-03`.");
        assert_eq!(schemas["Plan"]["properties"]["status"], json!({"$ref": "#/components/schemas/Status"}));
    }
}
