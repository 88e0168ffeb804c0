// The figure: success against the budget, one line a model with its band, drawn by uPlot.
//
// Lines are dashed where k is above half of the recorded samples; stars are greedy outputs. A click chooses the budget;
// so does the slider below, which keyboards and screen readers use. The figure itself is an image with a description.
"use strict";
(function (page) {
  const HEIGHT = 380, NARROW = 300;
  let plot = null;
  let drawn = "";
  let box = null;

  // One model's line: its points, and what it is between them on the figure's x values (null outside).
  function line(state, label, xs) {
    const curve = page.comparison(state).models[label], price = page.price(state, label);
    const cost = curve.k.map((k) => page.cost(price, k));
    const trusted = page.comparison(state).costs[label].trusted_k;
    const along = (values) => between(cost, values, xs);
    const last = cost[curve.k.findLastIndex((k) => k <= trusted)] ?? cost[0];
    const success = along(curve.success);
    return {
      label, cost, curve, trusted,
      solid: success.map((value, at) => (xs[at] <= last ? value : null)),
      dashed: success.map((value, at) => (xs[at] >= last ? value : null)),
      low: along(curve.low), high: along(curve.high),
    };
  }

  // Values at x, on straight lines over log x between the points; null before the first and after the last.
  function between(at, values, xs) {
    let next = 0;
    return xs.map((x) => {
      while (next < at.length && at[next] < x) next += 1;
      if (next < at.length && at[next] === x) return percentage(values[next]);
      if (next === 0 || next === at.length || values[next] === null || values[next - 1] === null) return null;
      const share = Math.log(x / at[next - 1]) / Math.log(at[next] / at[next - 1]);
      return percentage(values[next - 1] + share * (values[next] - values[next - 1]));
    });
  }

  const percentage = (share) => (share === null ? null : 100 * share);

  // Everything to draw: x values, lines, greedy outputs, ends of both axes.
  page.drawing = function (state) {
    const labels = page.order(state);
    const costs = labels.flatMap((label) => {
      const price = page.price(state, label);
      return page.comparison(state).models[label].k.map((k) => page.cost(price, k));
    });
    const xs = [...new Set(costs)].sort((one, other) => one - other);
    const lines = labels.map((label) => line(state, label, xs));
    const stars = labels.map((label) => greedyOf(state, label)).filter(Boolean);
    const policies = page.planned(state).map((row) => ({ x: row.budget, y: 100 * row.success, low: percentage(row.low), high: percentage(row.high) }));
    const ends = [...policies.flatMap((one) => [one.y, one.low, one.high]), ...lines.flatMap((one) => [...one.low, ...one.high, ...one.solid, ...one.dashed]), ...stars.map((one) => one.y)];
    const ys = ends.filter((value) => value !== null);
    const reach = [...xs, ...[...stars, ...policies].map((one) => one.x)];
    return {
      xs, lines, stars, policies,
      x: [Math.min(...reach) / 1.25, Math.max(...reach) * 1.25],
      y: [Math.max(0, 10 * Math.floor(Math.min(...ys) / 10)), Math.min(102, 10 * Math.ceil(Math.max(...ys) / 10) + 2)],
    };
  };

  // A greedy output's success at what it costs now.
  function greedyOf(state, label) {
    const greedy = page.own(page.data.benchmarks[state.benchmark].greedy, label);
    if (!greedy) return null;
    const recorded = greedy.cost[page.baseUnit(state)];
    const cost = page.comparison(state).costs[label];
    const factor = page.price(state, label).perSample / cost.per_sample;
    return recorded ? { label, x: recorded * factor, y: 100 * greedy.success } : null;
  }

  // Small amounts of money are those of many problems; the smallest first.
  const MANY = [[1e-6, "million"], [1e-3, "1,000"]];

  // What suits an axis: a factor, and its text.
  page.scale = function (state, [low, high]) {
    const unit = page.unitShown(state);
    const middle = Math.sqrt(low * high), few = unit === "usd" && MANY.find(([factor]) => middle < 100 * factor);
    if (few) return { factor: few[0], text: `usd per ${few[1]} problems` };
    if (unit !== "flops") return { factor: 1, text: `${unit.replace("_", " ")} per problem` };
    const prefixes = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"]];
    const [factor, prefix] = prefixes.find(([size]) => middle >= size) || [1, ""];
    return { factor, text: `${prefix}flops per problem` };
  };

  // Ticks at powers of two, few enough for so many pixels.
  page.ticks = function ([low, high], factor, pixels) {
    const first = Math.ceil(Math.log2(low / factor)), last = Math.floor(Math.log2(high / factor));
    const step = Math.max(1, Math.ceil((last - first + 1) / Math.max(2, pixels / 64)));
    const powers = Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at);
    return powers.filter((power) => power % step === 0).map((power) => 2 ** power * factor);
  };

  function options(state, drawing, width) {
    const ink = page.colour("--ink"), rule = page.colour("--rule"), scale = page.scale(state, drawing.x);
    const series = [{}], bands = [];
    for (const { label } of drawing.lines) {
      const stroke = page.colour(page.variable(label)), none = { show: false };
      const at = series.length;
      series.push(
        { scale: "y", width: 0, points: none }, { scale: "y", width: 0, points: none },
        { scale: "y", stroke, width: 2, points: none }, { scale: "y", stroke, width: 1.5, dash: [6, 4], points: none },
      );
      bands.push({ series: [at + 1, at], fill: faint(stroke, drawing.lines.length) });
    }
    const axis = { stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 }, font: "12px system-ui" };
    return {
      width, height: width < 600 ? NARROW : HEIGHT, series, bands,
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: false, y: false }, y: false },
      scales: { x: { time: false, distr: 3, log: 2, range: () => drawing.x }, y: { range: () => drawing.y } },
      axes: [
        { ...axis, label: scale.text, labelSize: 24, labelFont: "12px system-ui",
          splits: (self) => page.ticks(drawing.x, scale.factor, self.bbox.width / devicePixelRatio), filter: (_, splits) => splits,
          values: (_, splits) => splits.map((tick) => page.amount(tick / scale.factor)) },
        { ...axis, label: "problems solved: pass@k, %", labelSize: 24, labelFont: "12px system-ui", size: 44 },
      ],
      hooks: { draw: [(self) => ornaments(self, drawing)], setCursor: [hover] },
    };
  }

  function faint(colour, lines) {
    const share = Math.round((0.4 / Math.max(3, lines)) * 255).toString(16).padStart(2, "0");
    return /^#[0-9a-f]{6}$/i.test(colour) ? colour + share : colour;
  }

  // What uPlot has no form for: markers at powers of two, greedy stars, the chosen budget.
  function ornaments(self, drawing) {
    const context = self.ctx, size = devicePixelRatio;
    context.save();
    context.setLineDash([]); // the last line may have been dashed
    const to = (x, y) => [self.valToPos(x, "x", true), self.valToPos(y, "y", true)];
    for (const { label, curve, cost, trusted } of drawing.lines) {
      context.strokeStyle = page.colour(page.variable(label));
      curve.k.forEach((k, at) => {
        if (Math.log2(k) % 1) return;
        context.fillStyle = k <= trusted ? context.strokeStyle : page.colour("--page");
        context.lineWidth = 1.3 * size;
        page.trace(context, page.marker(label), ...to(cost[at], 100 * curve.success[at]), 3.4 * size);
        context.fill();
        context.stroke();
      });
    }
    for (const { label, x, y } of drawing.stars) {
      context.fillStyle = page.colour(page.variable(label));
      context.strokeStyle = page.colour("--ink");
      context.lineWidth = size;
      page.trace(context, "star", ...to(x, y), 5 * size);
      context.fill();
      context.stroke();
    }
    policies(context, drawing.policies, to, size);
    const [x] = to(page.stop(page.state).budget, 0);
    context.strokeStyle = page.colour("--ink");
    context.lineWidth = 1.5 * size;
    context.setLineDash([3 * size, 3 * size]);
    context.beginPath();
    context.moveTo(x, self.bbox.top);
    context.lineTo(x, self.bbox.top + self.bbox.height);
    context.stroke();
    context.restore();
  }

  // The planned policies: a diamond with its interval at each budget, and a thin line along them.
  function policies(context, points, to, size) {
    context.strokeStyle = context.fillStyle = page.colour("--ink");
    context.lineWidth = size;
    context.beginPath();
    points.forEach(({ x, y }, at) => context[at ? "lineTo" : "moveTo"](...to(x, y)));
    for (const { x, low, high } of points.filter((one) => one.low !== null)) {
      context.moveTo(...to(x, low));
      context.lineTo(...to(x, high));
    }
    context.stroke();
    for (const { x, y } of points) {
      page.trace(context, "diamond", ...to(x, y), 4.5 * size);
      context.fill();
    }
  }

  // Beside the pointer: every model at that budget, with k, what that costs, and the interval.
  function hover(self) {
    const { left, top } = self.cursor;
    const { html, render } = window.htmPreact;
    if (left === undefined || left < 0) return box.hidden = true;
    const state = page.state, budget = self.posToVal(left, "x"), unit = page.unitShown(state);
    const rows = page.choose(state, budget).points.map((point) => html`<tr key=${point.label}>
      <th scope="row"><${page.Sign} label=${point.label} /> ${page.printable(point.label)}</th>
      ${point.k === 0 ? html`<td colspan="3">cannot afford one sample</td>` : html`
        <td>k = ${page.grouped(point.k)}</td><td>${page.withUnit(point.cost, unit)}</td>
        <td>${page.percent(point.success)}% <small>${page.interval(point.low, point.high)}</small></td>`}</tr>`);
    const planned = page.policyAt(state, budget);
    if (planned) {
      rows.push(html`<tr><th scope="row">◆ ${planned.policy.replaceAll("_", " ")}</th><td>planned for</td><td>${page.withUnit(planned.budget, unit)}</td>
        <td>${page.percent(planned.success)}% <small>${page.interval(planned.low, planned.high)}</small></td></tr>`);
    }
    render(html`<table><caption>${page.withUnit(budget, unit)} a problem</caption><tbody>${rows}</tbody></table>`, box);
    box.hidden = false;
    const room = self.over.clientWidth, wide = box.offsetWidth;
    const x = left + 16 + wide > room ? Math.max(-40, left - wide - 16) : left + 16;
    box.style.transform = `translate(${self.over.offsetLeft + x}px, ${Math.max(0, top - 20)}px)`;
    return undefined;
  }

  function describe(state, drawing) {
    const parts = drawing.lines.map(({ label, curve }) => {
      const last = curve.k.length - 1;
      return `${label} from ${page.percent(curve.success[0])}% with 1 sample to ${page.percent(curve.success[last])}% with ${curve.k[last]}`;
    });
    const planned = drawing.policies.length ? `; planned policies at ${page.counted(drawing.policies.length, "budget")}` : "";
    return page.printable(`Problems solved against ${page.unitShown(state)} per problem: ${parts.join("; ")}${planned}.`);
  }

  function width(host) {
    return Math.max(240, Math.floor(host.clientWidth));
  }

  // Redraw where more than the budget has changed, else only the line of the budget.
  function update(state, host) {
    const { budget: _, problem: __, sort: ___, pair: ____, ranked: _____, ...rest } = state;
    const now = JSON.stringify([rest, [...state.hidden], page.night.matches, page.version || 0]);
    if (plot && now === drawn) return plot.redraw(false);
    drawn = now;
    const drawing = page.drawing(state);
    if (plot) plot.destroy();
    const columns = drawing.lines.flatMap((one) => [one.low, one.high, one.solid, one.dashed]);
    plot = new window.uPlot(options(state, drawing, width(host)), [drawing.xs, ...columns], host);
    plot.over.addEventListener("click", () => page.set({ budget: plot.posToVal(plot.cursor.left, "x") }));
    host.setAttribute("aria-label", describe(state, drawing));
    box = host.appendChild(Object.assign(document.createElement("div"), { className: "hover", hidden: true }));
    return undefined;
  }

  page.showFigure = function (host) {
    host.setAttribute("role", "img");
    update(page.state, host);
    page.listen((state) => update(state, host));
    page.night.addEventListener("change", () => update(page.state, host));
    new ResizeObserver(() => {
      if (plot && plot.width !== width(host)) plot.setSize({ width: width(host), height: width(host) < 600 ? NARROW : HEIGHT });
    }).observe(host);
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
