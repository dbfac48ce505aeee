"""Reads a pipeline of Logstash, and sends sample lines through its filters.

    pipeline.py PIPELINE <SAMPLES

No package registry has Logstash. What this does is the part of its language that bundles use: the grammar, conditions, and
the filters below, refusing every other. Regular expressions are Oniguruma's, as in Logstash. SAMPLES is a JSON list of
`service`, `line`, and the `fields` that must come out, each by its path. What differs is printed, and is the exit status.
"""

import json
import re
import sys

import onigurumacffi

TOKENS = re.compile(
    r"""\s*(?:\#[^\n]*\n\s*)*(?:
    (?P<text>"(?:\\"|[^"])*"|'(?:\\'|[^'])*')
  | (?P<selector>(?:\[[^\[\],]+\])+)(?=\s*(?:==|!=|=~|!~|and\b|or\b|in\b|\)|\{))
  | (?P<sign>=>|==|!=|=~|!~|[{}\[\](),!])
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<word>[A-Za-z_][\w-]*)
  | (?P<end>\Z))""",
    re.VERBOSE,
)


class Broken(Exception):
    """The pipeline cannot be read or run."""


class Reader:
    """Turns a pipeline's text into sections, plugins and conditions."""

    def __init__(self, text: str):
        self.text, self.at = text, 0
        self.kind = self.value = ""
        self.next()

    def next(self) -> str:
        before = self.value
        found = TOKENS.match(self.text, self.at)
        if found is None:
            line = self.text.count("\n", 0, self.at) + 1
            raise Broken(f"line {line}: cannot read {self.text[self.at : self.at + 40]!r}")
        self.kind, self.at = found.lastgroup, found.end()
        self.value = found[self.kind]
        return before

    def take(self, value: str) -> None:
        if self.kind == "text" or self.value != value:
            line = self.text.count("\n", 0, self.at) + 1
            raise Broken(f"line {line}: {value!r} is expected, not {self.value!r}")
        self.next()

    def word(self) -> str:
        if self.kind != "word":
            raise Broken(f"a name is expected, not {self.value!r}")
        return self.next()

    def sections(self) -> dict[str, list]:
        found = {}
        while self.kind != "end":
            name = self.word()
            if name not in ("input", "filter", "output") or name in found:
                raise Broken(f"{name!r} is no section")
            found[name] = self.block()
        return found

    def block(self) -> list:
        self.take("{")
        entries = []
        while self.value != "}" or self.kind == "text":
            if self.kind == "word" and self.value == "if":
                entries.append(self.branches())
            else:
                entries.append((self.word(), self.attributes()))
        self.take("}")
        return entries

    def branches(self) -> tuple:
        branches = []
        while True:
            self.take("if")
            branches.append((self.condition(), self.block()))
            if not (self.kind == "word" and self.value == "else"):
                return ("if", branches)
            self.next()
            if self.value != "if":
                branches.append((None, self.block()))
                return ("if", branches)

    def attributes(self) -> dict:
        self.take("{")
        found = {}
        while self.value != "}" or self.kind == "text":
            name = self.word()
            if name in found:
                raise Broken(f"{name!r} is said twice")
            self.take("=>")
            found[name] = self.data()
        self.take("}")
        return found

    def data(self) -> object:
        if self.kind == "text":
            # Escapes are off, as they are unless somebody asks for them.
            return self.next()[1:-1]
        if self.kind == "number":
            return float(self.next())
        if self.kind == "word":
            return self.next()
        if self.value == "[":
            return self.list()
        if self.value == "{":
            self.next()
            table = {}
            while self.value != "}" or self.kind == "text":
                if self.kind not in ("text", "word", "number"):
                    raise Broken(f"a key is expected, not {self.value!r}")
                key = self.data()
                self.take("=>")
                if key in table:
                    raise Broken(f"{key!r} is said twice")
                table[key] = self.data()
            self.take("}")
            return table
        raise Broken(f"a value is expected, not {self.value!r}")

    def list(self) -> list:
        self.take("[")
        items = []
        while self.value != "]" or self.kind == "text":
            items.append(self.data())
            if self.value == "," and self.kind != "text":
                self.next()
            elif self.value != "]":
                raise Broken(f"a comma is expected, not {self.value!r}")
        self.take("]")
        return items

    def condition(self) -> tuple:
        found = self.conjunction()
        while self.kind == "word" and self.value == "or":
            self.next()
            found = ("or", found, self.conjunction())
        return found

    def conjunction(self) -> tuple:
        found = self.comparison()
        while self.kind == "word" and self.value == "and":
            self.next()
            found = ("and", found, self.comparison())
        return found

    def comparison(self) -> tuple:
        if self.value == "!":
            self.next()
            return ("not", self.comparison())
        if self.value == "(":
            self.next()
            found = self.condition()
            self.take(")")
            return found
        if self.kind != "selector":
            raise Broken(f"a field is expected, not {self.value!r}")
        field = self.next()
        if self.value in ("==", "!=", "=~", "!~"):
            return (self.next(), field, self.data())
        return ("is", field)


def keys(field: str) -> list[str]:
    return re.findall(r"\[([^\]]+)\]", field) or [field]


class Event:
    """A line on its way, with the fields that it has by now."""

    def __init__(self, line: str, service: str):
        self.fields = {"message": line, "service": {"name": service}}

    def get(self, field: str) -> object:
        inner = self.fields
        for key in keys(field):
            if not isinstance(inner, dict) or key not in inner:
                return None
            inner = inner[key]
        return inner

    def set(self, field: str, value: object) -> None:
        *path, last = keys(field)
        inner = self.fields
        for key in path:
            inner = inner.setdefault(key, {})
        inner[last] = value

    def remove(self, field: str) -> object:
        *path, last = keys(field)
        inner = self.fields
        for key in path:
            inner = inner.get(key)
            if not isinstance(inner, dict):
                return None
        return inner.pop(last, None)

    def fill(self, text: str) -> str:
        return re.sub(r"%\{([^}]+)\}", lambda found: str(self.get(found[1])), text)


def decorate(event: Event, settings: dict) -> None:
    for field, value in settings.get("add_field", {}).items():
        event.set(field, event.fill(value))
    for field in settings.get("remove_field", []):
        event.remove(field)


def allow(settings: dict, *names: str) -> None:
    unknown = settings.keys() - {"id", "add_field", "remove_field", "add_tag", "remove_tag", *names}
    if unknown:
        raise Broken(f"{sorted(unknown)} are settings that are not tried here")


def mutate(event: Event, settings: dict) -> None:
    allow(settings, "gsub", "rename", "replace", "lowercase")
    # The order is Logstash's own, whatever is written first.
    for source, target in settings.get("rename", {}).items():
        value = event.remove(source)
        if value is not None:
            event.set(target, value)
    for field, value in settings.get("replace", {}).items():
        event.set(field, event.fill(value))
    triples = settings.get("gsub", [])
    for field, pattern, put in zip(triples[::3], triples[1::3], triples[2::3], strict=True):
        text = event.get(field)
        if isinstance(text, str):
            event.set(field, substitute(pattern, put, text))
    for field in settings.get("lowercase", []):
        value = event.get(field)
        if isinstance(value, str):
            event.set(field, value.lower())
    decorate(event, settings)


def substitute(pattern: str, put: str, text: str) -> str:
    regex, at, done = onigurumacffi.compile(pattern), 0, ""
    while at <= len(text):
        found = regex.search(text, at)
        if found is None or found.end() == found.start():
            break
        first = ""
        try:
            first = found.group(1) or ""
        except IndexError:
            pass
        done += text[at : found.start()] + put.replace("\\1", first)
        at = found.end()
    return done + text[at:]


def read_json(event: Event, settings: dict) -> None:
    allow(settings, "source", "target", "skip_on_invalid_json")
    try:
        event.set(settings["target"], json.loads(event.get(settings["source"])))
    except ValueError:
        if settings.get("skip_on_invalid_json") != "true":
            raise


def grok(event: Event, settings: dict) -> None:
    allow(settings, "match", "pattern_definitions", "tag_on_failure")
    definitions = settings.get("pattern_definitions", {})
    for source, patterns in settings["match"].items():
        for pattern in patterns:
            fields = []

            def part(found: re.Match, fields: list = fields) -> str:
                if found["name"] not in definitions:
                    raise Broken(f"%{{{found['name']}}} is not defined")
                if found["field"] is None:
                    return f"(?:{definitions[found['name']]})"
                fields.append(found["field"])
                return f"(?<f{len(fields) - 1}>{definitions[found['name']]})"

            expression = re.sub(r"%\{(?P<name>\w+)(?::(?P<field>[^}]+))?\}", part, pattern)
            found = onigurumacffi.compile(expression).search(event.get(source))
            if found is not None:
                for number, field in enumerate(fields, 1):
                    if found.group(number):
                        event.set(field, found.group(number))
                decorate(event, settings)
                return


def translate(event: Event, settings: dict) -> None:
    allow(settings, "source", "target", "override", "dictionary")
    value = settings["dictionary"].get(str(event.get(settings["source"])))
    if value is not None:
        event.set(settings["target"], value)


def date(event: Event, settings: dict) -> None:
    allow(settings, "match", "timezone", "locale", "tag_on_failure")
    if event.get(settings["match"][0]) is not None:
        decorate(event, settings)


FILTERS = {"mutate": mutate, "json": read_json, "grok": grok, "translate": translate, "date": date}


def holds(event: Event, condition: tuple) -> bool:
    match condition:
        case ("or", left, right):
            return holds(event, left) or holds(event, right)
        case ("and", left, right):
            return holds(event, left) and holds(event, right)
        case ("not", inner):
            return not holds(event, inner)
        case ("is", field):
            return event.get(field) not in (None, False)
        case ("==", field, value):
            return event.get(field) == value
        case ("!=", field, value):
            return event.get(field) != value
        case ("=~", field, value):
            return isinstance(event.get(field), str) and onigurumacffi.compile(value).search(event.get(field)) is not None
    raise Broken(f"{condition[0]} is not tried here")


def run(event: Event, block: list) -> None:
    for name, body in block:
        if name == "if":
            for condition, inner in body:
                if condition is None or holds(event, condition):
                    run(event, inner)
                    break
        elif name in FILTERS:
            FILTERS[name](event, body)
        else:
            raise Broken(f"the filter {name} is not tried here")


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as handle:
        sections = Reader(handle.read()).sections()
    if sections.keys() != {"input", "filter", "output"}:
        raise Broken(f"sections are {sorted(sections)}")
    wrong = []
    for sample in json.load(sys.stdin):
        event = Event(sample["line"], sample["service"])
        run(event, sections["filter"])
        for field, expected in sample["fields"].items():
            value = event.get(field)
            if str(value) != expected:
                wrong.append(f"{sample['service']}: {field} of {sample['line'][:60]!r} is {value!r}, not {expected!r}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Broken, onigurumacffi.OnigError) as error:
        sys.exit(f"pipeline: {error}")
