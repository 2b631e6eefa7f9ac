"""Validates documents against a JSON Schema (draft 2020-12) with jsonschema.

Reads {"schema", "documents"} as JSON from standard input and prints a list: for
each document None where it is valid, else the path of what is not. A schema that
is none of that draft ends the program.
"""

import json
import sys

import jsonschema

question = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(question["schema"])
validator = jsonschema.Draft202012Validator(question["schema"])
answers = []
for document in question["documents"]:
    best = jsonschema.exceptions.best_match(validator.iter_errors(document))
    answers.append(None if best is None else "/".join(str(p) for p in best.absolute_path))
json.dump(answers, sys.stdout)
