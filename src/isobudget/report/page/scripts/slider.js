// The controls, the budget slider, and what it says: the best model at that budget, what it needs, what each other model
// reaches there and whether that is clearly less.
"use strict";
(function (page) {
  const { html, render } = window.htmPreact;
  const NAMES = { own: "usd, at prices that you set", device_seconds: "device seconds" };
  const ONE_PROBLEM = "One problem gives no interval.";
  const FEW = 3; // models that a sentence names

  function Controls({ state }) {
    const names = Object.keys(page.data.benchmarks);
    const units = page.comparisons(state.benchmark).map((one) => one.unit);
    if (page.ownPrices(state.benchmark).length) units.push("own");
    const labels = page.data.benchmarks[state.benchmark].sliders.labels;
    return html`<div class="controls">
      ${names.length > 1 && html`<label>Benchmark
        <select value=${state.benchmark} onChange=${(event) => page.set({ benchmark: event.target.value, unit: page.comparisons(event.target.value)[0].unit, problem: null })}>
          ${names.map((name) => html`<option key=${name} value=${name}>${page.printable(name)}</option>`)}</select></label>`}
      <fieldset><legend>Budget in</legend>
        ${units.map((unit) => html`<label key=${unit}><input type="radio" name="unit" value=${unit} checked=${state.unit === unit}
          onChange=${() => page.set({ unit, budget: null, price: {}, per: unit === "own" ? page.ownPrices(state.benchmark)[0] : state.per })} /> ${NAMES[unit] || unit}</label>`)}
      </fieldset>
      <fieldset><legend>Models</legend>
        ${labels.map((label) => html`<label key=${label}><input type="checkbox" name="model" value=${label} checked=${!state.hidden.has(label)}
          disabled=${!state.hidden.has(label) && state.hidden.size === labels.length - 1}
          onChange=${() => page.set({ hidden: toggled(state.hidden, label) })} /> <${page.Sign} label=${label} /> ${page.printable(label)}</label>`)}
        ${page.hasPlan(state) && html`<label><input type="checkbox" name="plan" checked=${state.plan === "show"}
          onChange=${() => page.set({ plan: state.plan === "show" ? "hide" : "show" })} /> ◆ planned policies</label>`}
      </fieldset></div>`;
  }

  function toggled(hidden, label) {
    const changed = new Set(hidden);
    if (!changed.delete(label)) changed.add(label);
    return changed;
  }

  function Slider({ state }) {
    const { stops, place, budget } = page.stop(state), unit = page.unitShown(state);
    const shown = page.withUnit(budget, unit), choice = page.choose(state, budget);
    const move = (event) => page.set({ budget: stops[Number(event.target.value)] });
    return html`<div class="slider">
      <label for="budget">Budget: <output for="budget">${shown}</output> a problem</label>
      <input id="budget" type="range" min="0" max=${stops.length - 1} step="1" value=${place} aria-valuetext=${`${shown} a problem`} onInput=${move} />
      <p class="winner" id="winner" aria-live="polite">${sentence(state, choice)}</p>
      <${page.Policy} state=${state} budget=${budget} />
      <${Reached} state=${state} choice=${choice} />
      <p class="note">${explained(state, choice)}</p></div>`;
  }

  // The verdict at one budget in a sentence.
  function sentence(state, { best, points, reason }) {
    if (!best) return `No model is best here: ${reason}.`;
    const ends = page.interval(best.low, best.high);
    const start = `${page.printable(best.label)} is best: ${page.counted(best.k, "sample")} solve${best.k === 1 ? "s" : ""} ${page.percent(best.success)}%${ends && ` (${ends})`}`;
    const rivals = points.filter((point) => point.lead);
    const unclear = rivals.filter((point) => !point.lead.clear).map((point) => page.printable(point.label));
    if (!rivals.length) return `${start}; ${points.length > 1 ? "no other model affords a sample" : "no other model is shown"}.`;
    if (!unclear.length) return `${start}; its lead is clear.`;
    if (unclear.length === rivals.length && rivals.length > 2) return `${start}; not clear against any other.`;
    return `${start}; not clear against ${unclear.length > FEW ? `${unclear.length} of ${rivals.length} others` : unclear.join(", ")}.`;
  }

  function Reached({ state, choice }) {
    const unit = page.unitShown(state);
    return html`<div class="scroll" role="region" aria-label="Every model at this budget" tabindex="0"><table id="reached">
      <caption>Every model at this budget</caption>
      <thead><tr><th scope="col">Model</th><th scope="col">Solves</th><th scope="col">k, cost</th><th scope="col" class="text">Lead</th></tr></thead>
      <tbody>${choice.points.map((point) => html`<${Row} key=${point.label} point=${point} best=${choice.best} unit=${unit} />`)}</tbody></table></div>`;
  }

  function Row({ point, best, unit }) {
    const name = html`<th scope="row"><${page.Sign} label=${point.label} /> ${page.printable(point.label)}</th>`;
    if (point.k === 0) return html`<tr data-label=${point.label}>${name}<td colspan="3" class="text">cannot afford one sample</td></tr>`;
    const is = point === best, solved = `${point.capped ? ">" : ""}${page.percent(point.success)}%`;
    return html`<tr data-label=${point.label}>${name}
      <td class=${is ? "best" : ""}>${is ? html`<strong>${solved}</strong>` : solved}<small>${page.interval(point.low, point.high) || "no interval"}</small></td>
      <td>${page.grouped(point.k)}${point.trusted ? "" : "?"}<small>${page.withUnit(point.cost, unit)}</small></td>
      <td class="text">${is ? "best" : point.lead && html`<${Lead} lead=${point.lead} />`}</td></tr>`;
  }

  // By how much the best leads, and whether that is clear.
  function Lead({ lead }) {
    const ends = Number.isNaN(lead.low) ? "no interval" : `${page.points(lead.low)} to ${page.points(lead.high)}`;
    return html`${lead.clear ? "clear" : "not clear"}, ${page.points(lead.difference)}<small>${ends}</small>`;
  }

  // What the table rests on.
  function explained(state, choice) {
    const level = page.percent(page.comparison(state).level, 0), parts = [];
    const shown = choice.points.filter((point) => point.k > 0);
    parts.push(shown.some((point) => page.interval(point.low, point.high)) ? `Intervals: ${level}%, over problems.` : ONE_PROBLEM);
    if (page.data.benchmarks[state.benchmark].sliders.labels.length > 1) {
      parts.push(page.repriced(state)
        ? "Clear: with every budget and price that can be chosen here tested together, which is stricter than a test at one budget."
        : "Clear: with all models at this budget tested together, including those that are not shown.");
    }
    if (choice.points.some((point) => !point.trusted)) parts.push("? k above half of the recorded samples.");
    if (choice.points.some((point) => point.capped)) parts.push("> The budget would pay for more samples than were recorded, so no lead over this model is clear.");
    return parts.join(" ");
  }

  // What has been changed from the recorded prices, with a way back.
  function Changed({ state }) {
    const changed = Object.entries(state.price);
    if (!changed.length) return null;
    return html`<p class="changed">At other prices than recorded: ${changed.map(([label, factor]) => `${page.printable(label)} × ${page.significant(factor, 3)}`).join(", ")}.
      <button type="button" onClick=${() => page.set({ price: {} })}>Back to the recorded prices</button></p>`;
  }

  page.showSlider = function (controls, host) {
    const draw = (state) => {
      render(html`<${Controls} state=${state} />`, controls);
      render(html`<${Changed} state=${state} /><${Slider} state=${state} />`, host);
    };
    draw(page.state);
    page.listen(draw);
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
