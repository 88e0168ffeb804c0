// What the reader has chosen, kept in the page's address, so that a link shows another reader the same.
//
//   benchmark  the one that is shown
//   unit       of the budgets
//   budget     per problem, in that unit; null for the default
//   hidden     models that are not shown, by label
//   price      by label, how many times its recorded price a model costs; models at 1 are left out
//   rate       by label, own usd per GPU-hour, or per million tokens (see `per`), with the unit "own"
//   pair       the two models whose flip is shown, and at how many samples of the dearer (`k_dear`)
//   plan       "hide" where policies are not shown
//   ranked     the model whose rankers are shown
//   sort       of the heat map, and the problem that is open
"use strict";
(function (page) {
  const element = document.getElementById("data");
  page.data = JSON.parse(element.textContent);

  // What a map has under a name; models may be called `constructor`, which every object answers to.
  page.own = (map, name) => (Object.hasOwn(map, name) ? map[name] : undefined);

  const listeners = [];

  function defaults() {
    const benchmark = Object.keys(page.data.benchmarks)[0];
    const unit = benchmark === undefined ? null : page.comparisons(benchmark)[0].unit;
    return {
      benchmark, unit, budget: null, hidden: new Set(), price: {}, rate: {}, per: "hour",
      pair: null, k_dear: 1, plan: "show", ranked: null, sort: "name", problem: null,
    };
  }

  // The comparisons by tests of a benchmark, one a unit.
  page.comparisons = function (benchmark) {
    const all = page.data.benchmarks[benchmark].comparisons;
    return all.filter((one) => Object.values(one.selection).every((by) => by === "tests"));
  };

  page.comparison = function (state, unit) {
    const own = page.comparisons(state.benchmark);
    return own.find((one) => one.unit === (unit || page.baseUnit(state))) || own[0];
  };

  // The recorded unit that budgets follow: own prices are by the time that a model holds its GPUs, or by tokens.
  page.baseUnit = function (state) {
    if (state.unit !== "own") return state.unit;
    const names = page.comparisons(state.benchmark).map((one) => one.unit);
    const wanted = state.per === "hour" ? ["device_seconds", "seconds"] : ["tokens"];
    return wanted.find((name) => names.includes(name)) || names[0];
  };

  // Which ways of stating an own price the recorded units allow.
  page.ownPrices = function (benchmark) {
    const names = page.comparisons(benchmark).map((one) => one.unit);
    const ways = [];
    if (names.includes("device_seconds") || names.includes("seconds")) ways.push("hour");
    if (names.includes("tokens")) ways.push("million");
    return ways;
  };

  // Change some of the state; everything that listens redraws itself.
  page.set = function (changes) {
    Object.assign(page.state, changes);
    if ("benchmark" in changes) Object.assign(page.state, { hidden: new Set(), price: {}, rate: {}, budget: null, pair: null, ranked: null });
    const hash = page.hash(page.state);
    history.replaceState(null, "", hash || location.pathname + location.search);
    page.changed();
  };

  page.changed = () => listeners.forEach((listener) => listener(page.state));
  page.listen = (listener) => listeners.push(listener);

  // The address of a state: only what differs from the default, so that links stay short.
  page.hash = function (state) {
    const first = defaults();
    const words = new URLSearchParams();
    for (const name of ["benchmark", "unit", "per", "plan", "sort", "k_dear"]) {
      if (state[name] !== first[name]) words.set(name, state[name]);
    }
    for (const name of ["budget", "ranked", "problem"]) if (state[name] !== null) words.set(name, state[name]);
    for (const label of state.hidden) words.append("hide", label);
    for (const name of ["price", "rate"]) {
      for (const [label, value] of Object.entries(state[name])) words.append(name, `${value}*${label}`);
    }
    if (state.pair) for (const label of state.pair) words.append("pair", label);
    const text = words.toString();
    return text ? `#${text}` : "";
  };

  // A price, or a factor of one, that somebody may mean.
  page.isPrice = (value) => value >= 1e-9 && value <= 1e9;

  // The state that an address states; what is not of this page is left out.
  page.parse = function (hash) {
    const state = defaults();
    const words = new URLSearchParams(hash.replace(/^#/, ""));
    if (page.own(page.data.benchmarks, words.get("benchmark"))) state.benchmark = words.get("benchmark");
    if (state.benchmark === undefined) return state;
    const record = page.data.benchmarks[state.benchmark];
    const labels = record.sliders.labels;
    state.unit = page.comparisons(state.benchmark)[0].unit;
    if (words.get("per") === "million") state.per = "million";
    const units = page.comparisons(state.benchmark).map((one) => one.unit);
    if (units.includes(words.get("unit")) || words.get("unit") === "own") state.unit = words.get("unit");
    if (Number(words.get("budget")) > 0) state.budget = Number(words.get("budget"));
    if (Number(words.get("k_dear")) > 1) state.k_dear = Number(words.get("k_dear"));
    if (["rate", "disagreement"].includes(words.get("sort"))) state.sort = words.get("sort");
    if (words.get("plan") === "hide") state.plan = "hide";
    if (labels.includes(words.get("ranked"))) state.ranked = words.get("ranked");
    if (record.task_ids.includes(words.get("problem"))) state.problem = words.get("problem");
    state.hidden = new Set(words.getAll("hide").filter((label) => labels.includes(label)));
    if (state.hidden.size === labels.length) state.hidden = new Set();
    for (const name of ["price", "rate"]) {
      for (const word of words.getAll(name)) {
        const at = word.indexOf("*"), value = Number(word.slice(0, at)), label = word.slice(at + 1);
        if (page.isPrice(value) && labels.includes(label)) state[name][label] = value;
      }
    }
    const pair = words.getAll("pair").filter((label) => labels.includes(label));
    if (pair.length === 2 && pair[0] !== pair[1]) state.pair = pair;
    return state;
  };

  page.state = page.parse(location.hash);
  window.addEventListener("hashchange", () => {
    page.state = page.parse(location.hash);
    page.changed();
  });
})((window.isobudgetPage = window.isobudgetPage || {}));
