"""Builds, sorts, dumps and reads nested objects, COUNT times; PYTHONMALLOC=malloc sends all of them to malloc."""
import json
import sys

for turn in range(int(sys.argv[1])):
    rows = [
        {"id": i, "name": f"name {i * 7919 % 5003}", "tags": [str(i % 17), str(i % 23)], "at": (i, i * 0.5)}
        for i in range(3000)
    ]
    rows.sort(key=lambda row: row["name"])
    groups = {}
    for row in rows:
        groups.setdefault(row["tags"][0], []).append(row)
    text = json.dumps(groups)
    back = json.loads(text)
    words = text.split(",")
    assert sum(len(group) for group in back.values()) == len(rows) and len(words) > len(rows)
