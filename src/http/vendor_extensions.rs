//! Schemas that extend others. Serde writes one object, so the description says `allOf`; but a schema that allows no further members
//! cannot be extended that way: nothing would be valid. What it says stands in its place instead, open.

use serde_json::{Map, Value};

/// Opens every schema that is extended, where it is.
pub(super) fn open(document: &mut Value) {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object).cloned();
    if let Some(schemas) = schemas {
        visit(document, &schemas);
    }
}

fn visit(value: &mut Value, schemas: &Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for part in members.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(opened) = opened(part, schemas) {
                    *part = opened;
                }
            }
            members.values_mut().for_each(|member| visit(member, schemas));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, schemas)),
        _ => {}
    }
}

/// The schema that `part` refers to without its being closed; `None` when it is open, or said in place.
fn opened(part: &Value, schemas: &Map<String, Value>) -> Option<Value> {
    let name = part.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")?;
    let mut schema = schemas.get(name)?.clone();
    let closed = schema.as_object_mut()?.remove("additionalProperties")?;
    (closed == Value::Bool(false)).then_some(schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_closed_schema_is_opened_only_where_it_is_extended() {
        let mut document = json!({"components": {"schemas": {
            "Closed": {"type": "object", "properties": {"a": {}}, "additionalProperties": false},
            "Open": {"type": "object"},
            "More": {"allOf": [{"$ref": "#/components/schemas/Closed"}, {"$ref": "#/components/schemas/Open"}, {"properties": {"b": {}}}]},
        }}, "paths": {"/": {"schema": {"$ref": "#/components/schemas/Closed"}}}});
        open(&mut document);
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["More"]["allOf"][0], json!({"type": "object", "properties": {"a": {}}}));
        assert_eq!(schemas["More"]["allOf"][1], json!({"$ref": "#/components/schemas/Open"}));
        assert_eq!(schemas["Closed"]["additionalProperties"], json!(false));
        assert_eq!(document["paths"]["/"]["schema"], json!({"$ref": "#/components/schemas/Closed"}));
    }
}
