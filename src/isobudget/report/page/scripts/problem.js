// One problem: its prompt, and of every model the greedy output, a sample that passed and some that failed, each with
// its verdict, the first failing test, and what differs from the one that passed.
//
// Outputs lie in files beside the page. Each is a classic script that calls isobudgetTexts with one JSON string, which
// works from a disk too, where a page may fetch nothing. A file is loaded when one of its problems is opened.
"use strict";
(function (page) {
  const { html, render } = window.htmPreact;
  const texts = new Map(); // benchmark and problem -> what its file says
  const asked = new Map(); // file -> "loading" | "failed"
  const KINDS = { greedy: "Greedy output", passed: "Passed", failed: "Failed" };
  let drawn = () => {};

  const nameOf = (benchmark, task) => JSON.stringify([benchmark, task]);

  // Called by the files.
  window.isobudgetTexts = function (text) {
    const { benchmark, problems } = JSON.parse(text);
    for (const problem of problems) texts.set(nameOf(benchmark, problem.task_id), problem);
    drawn();
  };

  // The file that holds a problem.
  function fileOf(state) {
    const record = page.data.benchmarks[state.benchmark], place = record.task_ids.indexOf(state.problem);
    const found = record.texts.filter(([, first]) => first <= place);
    return found.length ? found[found.length - 1][0] : null;
  }

  function load(file) {
    if (asked.has(file)) return;
    asked.set(file, "loading");
    const script = document.createElement("script");
    script.src = file;
    script.onerror = () => { asked.set(file, "failed"); drawn(); };
    document.head.append(script);
  }

  function Problem({ state }) {
    if (state.problem === null) return null;
    const found = texts.get(nameOf(state.benchmark, state.problem)), file = fileOf(state);
    if (!found && file) load(file);
    const close = () => page.set({ problem: null });
    return html`<div class="problem" role="region" aria-label="The problem that is open">
      <h3>${page.printable(state.problem)} <button type="button" onClick=${close}>Close</button></h3>
      ${found ? html`<${Opened} state=${state} found=${found} />` : html`<p role="status">${missing(file)}</p>`}</div>`;
  }

  function missing(file) {
    if (!file) return "This page has no outputs of models: the samples came without texts, or were left out (--texts 0).";
    return asked.get(file) === "failed" ? `The outputs are in ${file}, which should lie beside this page and cannot be read.` : "Reading the outputs ...";
  }

  function Opened({ state, found }) {
    const labels = Object.keys(found.models).filter((label) => !state.hidden.has(label));
    return html`<details open><summary>Prompt</summary><pre tabindex="0"><${page.Code} text=${found.prompt} /></pre></details>
      ${labels.map((label) => html`<${Model} key=${state.problem + label} state=${state} label=${label} outputs=${page.own(found.models, label)} />`)}`;
  }

  function Model({ state, label, outputs }) {
    const [passed, judged] = page.own(page.data.benchmarks[state.benchmark].passed[label], state.problem) || [0, 0];
    const passing = outputs.find((one) => one.passed);
    return html`<h4><${page.Sign} label=${label} /> ${page.printable(label)}: ${page.grouped(passed)} of ${page.counted(judged, "sample")} passed</h4>
      ${outputs.map((one, at) => html`<${Output} key=${at} one=${one} passing=${passing} open=${at === 0} />`)}`;
  }

  function Output({ one, passing, open }) {
    const differs = passing && passing !== one && !one.passed;
    const which = one.kind === "greedy" ? KINDS.greedy : `${KINDS[one.kind]}: sample ${one.index + 1}`;
    const verdict = one.outcome.replaceAll("_", " ") + (one.tests_total ? `, ${one.tests_passed} of ${page.counted(one.tests_total, "test")} passed` : "");
    return html`<details open=${open}><summary><span class=${one.passed ? "verdict-passed" : "verdict-failed"}>${one.passed ? "✓" : "✗"}</span> ${which}: ${verdict}</summary>
      ${one.detail && html`<p>It ended with: <code>${one.detail}</code></p>`}
      ${one.first_failing && html`<p>First failing test: <code>${one.first_failing}</code></p>`}
      ${one.left_out > 0 && html`<p class="note">Shown up to here; ${page.grouped(one.left_out)} more letters are in the run.</p>`}
      <pre tabindex="0"><${page.Code} text=${one.text} /></pre>
      ${differs && html`<details><summary>What differs from the one that passed</summary><pre tabindex="0"><${page.Diff} from=${passing.text} to=${one.text} /></pre></details>`}</details>`;
  }

  // Forget the outputs: the run has more.
  page.forgetTexts = function () {
    texts.clear();
    asked.clear();
  };

  page.showProblem = function (host) {
    drawn = () => render(html`<${Problem} state=${page.state} />`, host);
    drawn();
    page.listen(drawn);
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
