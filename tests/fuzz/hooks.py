"""How schemathesis writes bodies that are neither JSON nor a form: what it made up for them goes out as it is, or a JSON value a line."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson", "text/csv")
def lines(_context, value):
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", errors="surrogatepass")
    rows = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(row) for row in rows).encode()
