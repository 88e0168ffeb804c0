// Rankers, where the run was ranked: what each chooses from the samples of one model without tests, beside pass@k, at the
// budget of the slider above; without a ranker's own cost, and with it where it is known at the recorded prices.
"use strict";
(function (page) {
  const { html, render } = window.htmPreact;
  const HEIGHT = 260, ROUNDING = 1e-9;
  let plot = null, drawn = "";

  const ranking = (state) => page.data.benchmarks[state.benchmark].ranking;

  page.rankedModel = function (state) {
    const models = ranking(state) ? ranking(state).models : [];
    return models.find((one) => one.model === state.ranked) || models[0] || null;
  };

  // Every line of one model: costs and success at k, `charged` with the ranker's own cost (null where it is not known).
  page.rankerLines = function (state, model) {
    const price = page.price(state, model.model), shift = ranking(state).models.length;
    return model.rankers.map((one, place) => {
      const cost = one.k.map((k) => page.cost(price, k)), known = !page.repriced(state) && one.cost[state.unit];
      return {
        name: one.ranker === "random" ? "a random sample" : one.ranker, place: shift + place, random: one.ranker === "random",
        k: one.k, success: one.success, low: one.low, high: one.high,
        cost, charged: isFree(one) ? cost : known ? known.charged : null,
      };
    });
  };

  // Whether ranking costs nothing, whatever the unit.
  function isFree(one) {
    return Object.values(one.cost).some(({ free, charged }) => charged !== null && charged.every((cost, at) => cost === free[at]));
  }

  // The most samples that a budget pays for, and what is chosen from them; null where it pays for none.
  page.rankedAt = function (line, costs, budget) {
    const place = costs.findLastIndex((cost) => cost <= budget * (1 + ROUNDING));
    return place < 0 ? null : { k: line.k[place], success: line.success[place], low: line.low[place], high: line.high[place] };
  };

  function Rankers({ state }) {
    const model = page.rankedModel(state), { budget } = page.stop(state), lines = page.rankerLines(state, model);
    const found = lines.map((line) => ({ line, free: page.rankedAt(line, line.cost, budget), paid: line.charged && page.rankedAt(line, line.charged, budget) }));
    const tests = page.at(state, model.model, budget), unit = page.unitShown(state);
    return html`<h3>Without tests: what rankers choose at this budget</h3>
      ${ranking(state).models.length > 1 && html`<label>Samples of <select id="ranked" value=${model.model} onChange=${(event) => page.set({ ranked: event.target.value })}>
        ${ranking(state).models.map((one) => html`<option key=${one.model} value=${one.model}>${page.printable(one.model)}</option>`)}</select></label>`}
      <p class="winner" id="chosen" aria-live="polite">${sentence(found, model, budget, unit)}</p>
      <div class="scroll" role="region" aria-label="Every ranker at this budget" tabindex="0"><table id="rankers"><caption>Every ranker at this budget</caption>
        <thead><tr><th scope="col">Chosen by</th><th scope="col">Passes</th><th scope="col">k</th><th scope="col">With its own cost</th></tr></thead>
        <tbody>${found.map((one) => html`<${Row} key=${one.line.name} ...${one} />`)}
          <tr><th scope="row"><${page.Sign} label=${model.model} /> tests (pass@k)</th>${tests.k === 0 ? html`<td colspan="3" class="text">cannot afford one sample</td>` : html`
            <td>${page.percent(tests.success)}%<small>${page.interval(tests.low, tests.high)}</small></td><td>${page.grouped(tests.k)}</td><td>–</td>`}</tr></tbody></table></div>`;
  }

  function Row({ line, free, paid }) {
    const name = html`<th scope="row"><${page.Sign} at=${line.place} /> ${page.printable(line.name)}</th>`;
    if (!free) return html`<tr>${name}<td colspan="3" class="text">cannot afford one sample</td></tr>`;
    const own = line.random ? "–" : !line.charged ? "not known in this unit" : !paid ? "cannot afford one" : html`${page.percent(paid.success)}%<small>k = ${page.grouped(paid.k)}</small>`;
    return html`<tr>${name}<td>${page.percent(free.success)}%<small>${page.interval(free.low, free.high)}</small></td><td>${page.grouped(free.k)}</td><td>${own}</td></tr>`;
  }

  // The ranker whose choice passes most often, its own cost paid where that is known.
  function sentence(found, model, budget, unit) {
    const able = found.filter((one) => !one.line.random && (one.line.charged ? one.paid : one.free)).map((one) => ({ name: one.line.name, charged: Boolean(one.line.charged), ...(one.line.charged ? one.paid : one.free) }));
    if (!able.length) return `${page.withUnit(budget, unit)} a problem pays for no ranked sample of ${page.printable(model.model)}.`;
    const best = able.reduce((one, other) => (other.success > one.success ? other : one)), ends = page.interval(best.low, best.high);
    return `Without tests, ${page.printable(best.name)} chooses best from ${page.counted(best.k, "sample")} of ${page.printable(model.model)}: ${page.percent(best.success)}% pass${ends && ` (${ends})`}, ${best.charged ? "including its own cost" : "not counting its own cost"}.`;
  }

  // Everything to draw: lines, those that pay for their ranker as well beside those that do not, and the ends of both axes.
  page.rankersDrawing = function (state) {
    const model = page.rankedModel(state), curve = page.comparison(state).models[model.model], price = page.price(state, model.model);
    const { k, success, low, high } = curve;
    const tests = { name: "tests (pass@k)", place: page.place(model.model), k, success, low, high, cost: k.map((count) => page.cost(price, count)), charged: false };
    const lines = [tests, ...page.rankerLines(state, model).flatMap((line) => {
      const own = { ...line, charged: false };
      return line.charged && line.charged !== line.cost ? [own, { ...own, cost: line.charged, charged: true }] : [own];
    })];
    const xs = lines.flatMap((one) => one.cost), ys = lines.flatMap((one) => one.success.map((value) => 100 * value));
    return { lines, x: [Math.min(...xs) / 1.25, Math.max(...xs) * 1.25],
      y: [Math.max(0, 10 * Math.floor(Math.min(...ys) / 10)), Math.min(102, 10 * Math.ceil(Math.max(...ys) / 10) + 2)] };
  };

  function draw(state, host) {
    const model = page.rankedModel(state), width = Math.max(240, Math.floor(host.clientWidth));
    const now = JSON.stringify([state.benchmark, state.unit, state.price, state.rate, model.model, width, page.night.matches, page.version || 0]);
    if (plot && now === drawn) return plot.redraw(false);
    drawn = now;
    const { lines, x, y } = page.rankersDrawing(state), xs = [...new Set(lines.flatMap((one) => one.cost))].sort((one, other) => one - other);
    const columns = lines.map((one) => { const at = new Map(one.cost.map((cost, place) => [cost, 100 * one.success[place]])); return xs.map((cost) => at.get(cost)); });
    const scale = page.scale(state, x), rule = page.colour("--rule"), font = "12px system-ui";
    const axis = { stroke: page.colour("--ink"), grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 }, font, labelFont: font, labelSize: 24 };
    if (plot) plot.destroy();
    plot = new window.uPlot({
      width, height: HEIGHT, legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false, distr: 3, log: 2, range: () => x }, y: { range: () => y } },
      series: [{}, ...lines.map((one) => ({ scale: "y", stroke: page.colour(page.variableAt(one.place)), width: 2, dash: one.charged ? [2, 4] : [], spanGaps: true, points: { show: false } }))],
      axes: [
        { ...axis, label: scale.text, splits: (self) => page.ticks(x, scale.factor, self.bbox.width / devicePixelRatio), filter: (_, splits) => splits,
          values: (_, splits) => splits.map((tick) => page.amount(tick / scale.factor)) },
        { ...axis, label: "chosen sample passes, %", size: 44 }],
      hooks: { draw: [(self) => markers(self, lines), line] },
    }, [xs, ...columns], host);
    host.setAttribute("aria-label", page.printable(`Samples of ${model.model} against budget, chosen by tests and by rankers; the table says what each reaches at the chosen budget.`));
    return undefined;
  }

  // The signs of the table, at powers of two.
  function markers(self, lines) {
    const context = self.ctx, size = devicePixelRatio;
    context.save();
    for (const one of lines) {
      context.fillStyle = page.colour(page.variableAt(one.place));
      one.k.forEach((k, at) => {
        if (Math.log2(k) % 1) return;
        page.trace(context, page.markerAt(one.place), self.valToPos(one.cost[at], "x", true), self.valToPos(100 * one.success[at], "y", true), 3.2 * size);
        context.fill();
      });
    }
    context.restore();
  }

  // The chosen budget.
  function line(self) {
    const context = self.ctx, x = self.valToPos(page.stop(page.state).budget, "x", true);
    if (x < self.bbox.left || x > self.bbox.left + self.bbox.width) return;
    context.save();
    context.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    context.strokeStyle = page.colour("--ink");
    context.lineWidth = 1.5 * devicePixelRatio;
    context.beginPath();
    context.moveTo(x, self.bbox.top);
    context.lineTo(x, self.bbox.top + self.bbox.height);
    context.stroke();
    context.restore();
  }

  page.showRankers = function (host) {
    const words = host.appendChild(document.createElement("div"));
    const figure = host.appendChild(Object.assign(document.createElement("div"), { className: "ranked" }));
    figure.setAttribute("role", "img");
    const meaning = host.appendChild(Object.assign(document.createElement("p"), { className: "note" }));
    const offered = host.appendChild(Object.assign(document.createElement("div"), { className: "save" }));
    const said = () => `${page.state.benchmark}, rankers of ${page.rankedModel(page.state).model}`;
    page.offerFigure(offered, "The rankers' figure", said, page.rankersChart, page.rankersRows);
    const show = (state) => {
      host.hidden = !page.rankedModel(state);
      if (host.hidden) return;
      render(html`<${Rankers} state=${state} />`, words);
      draw(state, figure);
      const charged = page.rankersDrawing(state).lines.some((one) => one.charged);
      meaning.textContent = `Signs as in the table, at powers of two of k.${charged ? " Dotted: including the ranker's own cost." : ""}`;
    };
    show(page.state);
    page.listen(show);
    page.night.addEventListener("change", () => show(page.state));
    new ResizeObserver(() => show(page.state)).observe(host);
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
