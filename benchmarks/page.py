"""The report's page of 5,000 problems x 4 models x 1,000 samples in a headless browser: size, time, memory, nodes.

    python benchmarks/page.py [PAGE]

Without PAGE it makes the report of made-up counts first. Time is from the navigation to all parts drawn; "busy" is the
processor time of the page's main thread, which a busy machine does not lengthen as much.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from isobudget import api

PROBLEMS, SAMPLES = 5_000, 1_000
MODELS = {"Code Llama 7B": -1.0, "Code Llama 13B": -0.5, "Code Llama 34B": 0.2, "Code Llama 70B": 0.6}
OPTIONS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]
REPEATS = 5


def made_page(folder: Path) -> Path:
    """The page of counts of made-up models."""
    generator = np.random.default_rng(0)
    difficulty = generator.normal(0, 2, PROBLEMS)
    with (folder / "counts.jsonl").open("w") as file:
        for model, skill in MODELS.items():
            chance = 1 / (1 + np.exp(difficulty - skill + generator.normal(0, 0.5, PROBLEMS)))
            for at, passed in enumerate(generator.binomial(SAMPLES, chance).tolist()):
                file.write(json.dumps({"model": model, "task_id": f"bench/{at}", "n": SAMPLES, "c": passed}) + "\n")
    return api.report(folder / "counts.jsonl", folder / "report", ("flops", "seconds"), costs="paper").page


def measure(page: Path) -> None:
    """Load the page several times and print the median of each figure."""
    from playwright.sync_api import sync_playwright

    figures = []
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        for _ in range(REPEATS):
            tab = browser.new_page()
            session = tab.context.new_cdp_session(tab)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            tab.goto(page.as_uri())
            tab.wait_for_function("document.documentElement.dataset.ready === 'yes'")
            ready = tab.evaluate("() => Math.round(performance.getEntriesByType('navigation')[0].domInteractive)")
            session.send("HeapProfiler.collectGarbage")
            found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
            busy = 1000 * found["TaskDuration"]
            figures.append((ready, busy, found["JSHeapUsedSize"] / 2**20, found["Nodes"]))
            tab.close()
        browser.close()
    ready, busy, heap, nodes = np.median(np.array(figures), axis=0)
    print(f"{page.stat().st_size / 1e6:.2f} MB; ready after {ready:.0f} ms ({busy:.0f} ms busy); ", end="")
    print(f"heap {heap:.1f} MiB; {nodes:.0f} nodes; medians of {REPEATS}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        measure(Path(sys.argv[1]) if len(sys.argv) > 1 else made_page(Path(place)))
