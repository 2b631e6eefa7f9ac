package profile

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// SchemaURL is the $id of the schema, for "$schema" in a file.
const SchemaURL = "https://github.com/mailsession/mailsession/raw/main/profile/schema.json"

// Schema returns the JSON Schema (draft 2020-12) of a file. It knows names, types
// and words; what depends on more than one field, [Load] tells.
func Schema() []byte { return slices.Clone(schema) }
