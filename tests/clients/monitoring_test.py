#!/usr/bin/env python3
"""The alert rules and the dashboard of packaging/: what they name is what a sluiced exports.

Syntax by a YAML and a JSON parser, and by promtool where that is installed. Metrics that programs
in the kernel count are not there without the privilege to load them: these alone may be missing.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sluiced  # noqa: E402

PACKAGING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../packaging")
RULES = os.path.join(PACKAGING, "prometheus-rules.yml")
DASHBOARD = os.path.join(PACKAGING, "grafana-dashboard.json")

KERNEL = re.compile(r"sluice_(bpf|core_runqueue|pagecache|ring_op|ring_punts|tcp)_\w+")
TARGET_LABELS = {"job", "instance"}
NODE_EXPORTER = {"node_filesystem_avail_bytes", "node_filesystem_size_bytes"}
METRIC = re.compile(r"\b(sluice_\w+|node_\w+)(?:\{(.*?)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


def exported(daemon):
    """{metric: {label: values}}, of HELP lines and samples; a histogram by its own name."""
    address = daemon.address()
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    metrics = {line.split()[2]: {} for line in lines if line.startswith("# HELP ")}
    for line in lines:
        name, inner = re.match(r"#|([a-z_]+)(?:\{(.*?)\})? ", line).groups()
        base = re.sub(r"_(bucket|sum|count)$", "", name or "")
        labels = metrics.get(name, metrics.get(base))
        for label, value in re.findall(r'(\w+)="([^"]*)"', inner or ""):
            labels.setdefault(label, set()).add(value)
    return metrics


def rules():
    with open(RULES) as file:
        return [rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]


def panels():
    with open(DASHBOARD) as file:
        return json.load(file)["panels"]


def expressions():
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def check_matchers(where, metric, inner, labels):
    for label, _, text in MATCHER.findall(inner or ""):
        assert label in labels or label in TARGET_LABELS, f"{where}: {metric} has no {label}"
        values = {v for v in text.split("|") if re.fullmatch(r"[\w-]+", v)}
        never = values - labels.get(label, set())
        assert label in TARGET_LABELS or not never, f"{where}: {label} is never {never}"


def names_are_exported(daemon):
    sluice = os.path.join(sluiced.BUILD, "sluice")
    subprocess.run([sluice, "produce", "t", "--bootstrap", daemon.broker], input="x\n", text=True,
                   check=True, timeout=60, stdout=subprocess.DEVNULL)
    sluiced.search(daemon)
    metrics, seen = exported(daemon), 0
    for where, expr in expressions():
        for name, inner in METRIC.findall(expr):
            base = name if name in metrics else re.sub(r"_bucket$", "", name)
            if name in NODE_EXPORTER or base not in metrics and KERNEL.fullmatch(name):
                continue
            assert base in metrics, f"{where}: sluiced exports no {name}"
            check_matchers(where, name, inner, metrics[base])
            seen += 1
    assert seen > 40, seen


def grouped_labels_are_exported(daemon):
    metrics = exported(daemon)
    for where, expr in expressions():
        names = [re.sub(r"_bucket$", "", name) for name, _ in METRIC.findall(expr)]
        if any(KERNEL.fullmatch(name) for name in names):
            continue
        known = TARGET_LABELS.union({"le"}, *(metrics[name] for name in names if name in metrics))
        for by in re.findall(r"\bby\s*\(([^)]*)\)", expr):
            labels = {label for label in re.split(r"[\s,]+", by) if label}
            assert labels <= known, f"{where}: by {labels - known}"


def rules_are_well_formed(_):
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 10, names
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in ("info", "warning", "critical"), rule
        assert rule["annotations"]["summary"].startswith("{{ $labels.instance }}: "), rule
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m")), rule
        for pair in ("()", "{}", "[]"):
            assert rule["expr"].count(pair[0]) == rule["expr"].count(pair[1]), rule


def panels_have_a_place_of_their_own(_):
    taken = {}
    assert len({panel["id"] for panel in panels()}) == len(panels()) > 15
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["id"]) == panel["id"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]


def promtool_accepts_the_rules(_):
    if not shutil.which("promtool"):
        raise sluiced.Skip("promtool is not installed")
    subprocess.run(["promtool", "check", "rules", RULES], check=True, capture_output=True)


try:
    import yaml
except ImportError:
    sluiced.skip_all("python3-yaml is not installed")
sluiced.run([names_are_exported, grouped_labels_are_exported, rules_are_well_formed,
             panels_have_a_place_of_their_own, promtool_accepts_the_rules],
            "http.listen=127.0.0.1:0")
