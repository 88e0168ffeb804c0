// The policies that were planned: at each budget of the tables the one to use, what it solves and what it runs. They are
// planned at the report's prices, so that they are not shown at others.
"use strict";
(function (page) {
  const { html } = window.htmPreact;
  const ROUNDING = 1e-9;

  // The planned rows of the unit that is shown, budgets rising; none at other prices.
  page.planned = function (state) {
    if (state.plan === "hide" || page.repriced(state)) return [];
    const rows = page.data.benchmarks[state.benchmark].frontier[state.unit] || [];
    return rows.filter((row) => row.success !== null).sort((one, other) => one.budget - other.budget);
  };

  // The policy of the largest planned budget that a budget pays for; undefined where it is below all of them.
  page.policyAt = (state, budget) => page.planned(state).findLast((row) => row.budget <= budget * (1 + ROUNDING));

  page.hasPlan = (state) => Object.keys(page.data.benchmarks[state.benchmark].frontier).length > 0;

  page.draws = function (row) {
    if (row.draws.length) return steps(row.draws, row.last_share);
    return Object.entries(row.by_label || {}).map(([label, own]) => `${label}: ${steps(own.draws, own.last_share)}`).join("; ");
  };

  function steps(draws, last) {
    const merged = [], kept = draws.length - (last < 1 ? 1 : 0);
    for (const [arm, count] of draws.slice(0, kept)) {
      const before = merged[merged.length - 1];
      if (before && before[0] === arm) before[1] += count;
      else merged.push([arm, count]);
    }
    const texts = [...merged, ...draws.slice(kept)].map(([arm, count]) => `${page.printable(arm)} × ${page.grouped(count)}`);
    if (last < 1) texts[texts.length - 1] += ` (for ${page.percent(last, 0)}% of the problems)`;
    if (texts.length > 7) texts.splice(5, texts.length - 6, `... ${texts.length - 6} more steps ...`);
    return texts.join(", ");
  }

  // What the plan says at the chosen budget.
  page.Policy = function ({ state, budget }) {
    if (!page.hasPlan(state) || state.plan === "hide") return null;
    return html`<p class="policy" id="policy" aria-live="polite">${said(state, budget)}</p>`;
  };

  function said(state, budget) {
    if (page.repriced(state)) return "Policies are planned at the report's prices; isobudget plan --costs plans at yours.";
    if (!page.planned(state).length) return `No policy is planned in ${state.unit.replaceAll("_", " ")}.`;
    const row = page.policyAt(state, budget);
    if (!row) return "No policy is planned for so small a budget.";
    const ends = page.interval(row.low, row.high), spent = `, spends ${page.withUnit(row.expected_cost, state.unit)} on average`;
    return html`<b>Policy for a budget of ${page.withUnit(row.budget, state.unit)}: ${row.policy.replaceAll("_", " ")}</b> solves ${page.percent(row.success)}%${ends && ` (${ends})`}${spent}${gained(row)}: ${page.draws(row)}.`;
  }

  function gained(row) {
    if (row.gain === null || row.policy === "fixed_k") return "";
    if ([row.gain, row.gain_low, row.gain_high].every((points) => points === 0)) return ", the same as the best single model with fixed k";
    const around = row.gain_low === null ? "" : ` (${page.points(row.gain_low)} to ${page.points(row.gain_high)})`;
    return `, ${page.points(row.gain)} points over the best single model with fixed k${around}`;
  }
})((window.isobudgetPage = window.isobudgetPage || {}));
