"""Writes the table of keys in docs/job-spec.md from the JSON Schema: `python docs/make_job_spec.py`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from orchestrator.specs.schema import job_schema

PAGE = Path(__file__).with_name("job-spec.md")
BEGIN = "<!-- keys: made by docs/make_job_spec.py -->"
END = "<!-- end of keys -->"


def page() -> str:
    """Return the page as it should be: the text written by hand, with the table made anew."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.split(END)[1]


def table() -> str:
    """Return the table of all keys, those of sections below their section."""
    schema = job_schema()
    head = ["| key | meaning | default | example |", "|---|---|---|---|"]
    return "\n".join([*head, *_rows(schema, schema["$defs"], "")])


def _rows(schema: dict[str, Any], sections: dict[str, Any], parent: str) -> Iterator[str]:
    for name, field in schema["properties"].items():
        given = field.get("default") not in (None, "")
        default = "**required**" if name in schema["required"] else f"`{_flow(field['default'])}`" if given else ""
        example = f"`{name}: {_flow(field['examples'][0])}`"
        meaning = field["description"].replace("|", r"\|")
        yield f"| `{parent}{name}` | {meaning} | {default} | {example} |"
        inner = [(choice, "") for choice in field.get("anyOf", ())]
        inner += [(field.get("items", {}), "[]"), (field.get("additionalProperties", {}), ".*")]
        for choice, suffix in inner:
            if "$ref" in choice:
                yield from _rows(sections[choice["$ref"].rpartition("/")[2]], sections, f"{parent}{name}{suffix}.")


def _flow(value: Any) -> str:
    """Return a value as YAML in one line."""
    flow = isinstance(value, dict | list)
    return yaml.safe_dump(value, default_flow_style=flow, sort_keys=False, width=1000).removesuffix("...\n").strip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
