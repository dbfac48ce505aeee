"""What kinds of Kubernetes objects there are and what is in them."""

import json
from pathlib import Path

from report import expect
from toolbox import HERE, REQUIREMENTS, Toolbox

MODULE = "sources"

# Descriptions of the API of each minor version of Kubernetes, in a Python package.
KUBERNETES = "kubernetes_validate"

# Modules of projects, and where in them definitions of custom resources are. Of Istio's older versions of a kind, none is wanted:
# they are in the same definitions.
CUSTOM = {
    "github.com/bitnami-labs/sealed-secrets": "helm/sealed-secrets/crds/*.yaml",
    "github.com/cert-manager/cert-manager": "deploy/crds/*.yaml",
    "github.com/cloudnative-pg/cloudnative-pg": "config/crd/bases/*.yaml",
    "github.com/cloudnative-pg/plugin-barman-cloud": "config/crd/bases/*.yaml",
    "github.com/external-secrets/external-secrets": "config/crds/bases/external-secrets.io_*.yaml",
    "github.com/prometheus-operator/prometheus-operator": "example/prometheus-operator-crd/*.yaml",
    "istio.io/api": "kubernetes/customresourcedefinitions.gen.yaml",
    "sigs.k8s.io/gateway-api": "config/crd/standard/*.yaml",
}

REFERENCE = "#/$defs/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
INT_OR_STRING = {"anyOf": [{"type": "integer"}, {"type": "string"}]}

# Definitions that are more, or more exactly something, than the API's description says.
SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": INT_OR_STRING,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "anyOf": [
            {"type": "number"},
            {"type": "string", "pattern": r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"},
        ]
    },
}


def strict(schema: object) -> object:
    """An OpenAPI schema as a JSON Schema that knows every field there may be: no others are allowed."""
    if isinstance(schema, list):
        return [strict(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return INT_OR_STRING
    result: dict[str, object] = {}
    for key, value in schema.items():
        if key in ("description", "default", "example", "nullable", "format") or key.startswith("x-kubernetes-"):
            continue
        if key in ("properties", "patternProperties"):
            result[key] = {name: strict(entry) for name, entry in value.items()}
        elif key in ("enum", "required"):
            result[key] = value
        else:
            result[key] = strict(value)
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource")
    if schema.get("properties") and "type" in schema and "additionalProperties" not in schema and not open_ended:
        result["additionalProperties"] = False
    if schema.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
        if "enum" in result:
            result["enum"] = [*result["enum"], None]
    return result


def needed(definitions: dict[str, object], start: object) -> dict[str, object]:
    """The definitions that a schema refers to, and those that these refer to."""
    found: dict[str, object] = {}
    waiting = [start]
    while waiting:
        schema = waiting.pop()
        if isinstance(schema, dict):
            reference = schema.get("$ref")  # or a field of that name
            name = reference.removeprefix(REFERENCE) if isinstance(reference, str) else None
            if name and name not in found:
                found[name] = definitions[name]
                waiting.append(found[name])
            waiting += schema.values()
        elif isinstance(schema, list):
            waiting += schema
    return found


def file_name(group: str, version: str, kind: str) -> str:
    return f"{group or version}_{version}_{kind.lower()}.json"


# As kubeconform writes such a name: to it, the core group is called like its version.
LOCATION = "{{ .Group }}_{{ .ResourceAPIVersion }}_{{ .ResourceKind }}.json"


def write(folder: Path, name: str, schema: dict, definitions: dict[str, object]) -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    if parts := needed(definitions, schema):
        schema["$defs"] = parts
    (folder / name).write_text(json.dumps(schema), encoding="utf-8")


def api(tools: Toolbox, version: str) -> dict[str, dict]:
    """Definitions of what an API server knows by itself."""
    path = tools.python_package(KUBERNETES) / f"kubernetes-json-schema/v{version}.0-local/_definitions.json"
    expect(path.exists(), f"no description of the API of Kubernetes {version} is known")
    return json.loads(path.read_text(encoding="utf-8"))["$defs"]


def custom_resources(tools: Toolbox) -> Path:
    """A list of the definitions of all custom resources, as an API server takes it."""

    def make_list(target: Path) -> None:
        modules = tools.go_modules(MODULE)
        paths = []
        for module, pattern in CUSTOM.items():
            found = sorted(modules[module].glob(pattern))
            expect(found, f"{module}: no {pattern}")
            paths += found
        items = [entry for entry in tools.yaml(*paths) if entry["kind"] == "CustomResourceDefinition"]
        target.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), encoding="utf-8")

    return tools.once(tools.cache / f"custom-resources-{tools.key(MODULE, Path(__file__))}.json", make_list)


def make(tools: Toolbox, version: str, target: Path) -> None:
    target.mkdir()
    given = api(tools, version)
    definitions = {name: SPECIAL.get(name) or strict(schema) for name, schema in given.items()}
    for name, schema in given.items():
        kinds = schema.get("x-kubernetes-group-version-kind") or []
        if len(kinds) == 1 and "metadata" in schema.get("properties", {}):
            kind = kinds[0]
            write(target, file_name(kind["group"], kind["version"], kind["kind"]), definitions[name], definitions)
    for crd in json.loads(custom_resources(tools).read_text(encoding="utf-8"))["items"]:
        spec = crd["spec"]
        for served in spec["versions"]:
            schema = strict(served["schema"]["openAPIV3Schema"])
            schema["properties"] |= {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"$ref": f"{REFERENCE}{META}"},
            }
            schema["additionalProperties"] = False
            write(target, file_name(spec["group"], served["name"], spec["names"]["kind"]), schema, definitions)


def schemas(tools: Toolbox, version: str) -> Path:
    """A folder with a JSON Schema for every version of every kind that a cluster with a version of Kubernetes knows."""
    inputs = (Path(__file__), HERE / REQUIREMENTS["checks"], version)
    return tools.once(tools.cache / f"schemas-{tools.key(MODULE, *inputs)}", lambda target: make(tools, version, target))
