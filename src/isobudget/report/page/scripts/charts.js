// Figures as files: what a figure shows now as an SVG of its own, in the colours of print, and its points as a table.
//
// A chart has the ends of its axes (x on a log scale), the scale and label of each, and series: `name`, `colour`, `shape`
// of its markers, `dots`, `lines` of points with their `dash`, and `band`, its ends at each x (bars where it has `bars`).
"use strict";
(function (page) {
  const PRINTED = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7d8590"];
  const INK = "#1b1f24", RULE = "#d9dde2", W = 640, PLOT = 364, L = 52, R = 12, T = 12, ROW = 18, LETTER = 11, SMALLEST = 6.5;

  page.printedAt = (place) => PRINTED[place % PRINTED.length];

  const escape = (text) => page.printable(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);

  // A name in one line of the legend: in smaller letters where it is long, and cut where these would be too small.
  function fitted(name) {
    const context = document.createElement("canvas").getContext("2d"), room = W - L - R - 18;
    context.font = `${LETTER}px sans-serif`;
    const share = room / context.measureText(name).width;
    if (share >= SMALLEST / LETTER) return { text: name, letters: Math.min(LETTER, LETTER * share) };
    return { text: `${name.slice(0, Math.floor((name.length * share * LETTER) / SMALLEST) - 2)}…`, letters: SMALLEST };
  }

  page.chartSvg = function (chart) {
    const [x0, x1] = chart.x.map(Math.log), [y0, y1] = chart.y, foot = T + PLOT;
    const at = {
      x: (x) => (L + ((Math.log(x) - x0) / (x1 - x0)) * (W - L - R)).toFixed(2),
      y: (y) => (foot - ((y - y0) / (y1 - y0)) * PLOT).toFixed(2),
    };
    const named = chart.series.filter((one) => one.name !== null), height = foot + 44 + ROW * named.length;
    const parts = [...axes(chart, at, foot), ...chart.series.map((one) => band(one, at)), ...chart.series.map((one) => drawn(one, at)),
      ...named.map((one, row) => legend(one, foot + 50 + ROW * row))];
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${W} ${height}" width="${W}" height="${height}" font-family="sans-serif" font-size="${LETTER}" fill="${INK}"><rect width="${W}" height="${height}" fill="#ffffff"/>${parts.join("")}</svg>`;
  };

  function axes({ x, y: [y0, y1], scale, label }, at, foot) {
    const parts = page.ticks(x, scale.factor, W - L - R).map((tick) =>
      `<path d="M${at.x(tick)} ${T}V${foot}" stroke="${RULE}"/><text x="${at.x(tick)}" y="${foot + 15}" text-anchor="middle">${page.amount(tick / scale.factor)}</text>`);
    for (let y = y0; y <= Math.min(100, y1); y += y1 - y0 > 50 ? 20 : 10) {
      parts.push(`<path d="M${L} ${at.y(y)}H${W - R}" stroke="${RULE}"/><text x="${L - 6}" y="${Number(at.y(y)) + 4}" text-anchor="end">${y}</text>`);
    }
    parts.push(`<text x="${(L + W - R) / 2}" y="${foot + 32}" text-anchor="middle">${scale.text}</text>`);
    parts.push(`<text transform="translate(14 ${(foot + T) / 2}) rotate(-90)" text-anchor="middle">${label}</text>`);
    return parts;
  }

  const known = (points) => points.filter((one) => one.slice(1).every((value) => value !== null));

  function band({ band: ends = [], bars, colour }, at) {
    const points = known(ends);
    if (!points.length) return "";
    if (bars) return `<path d="${points.map(([x, low, high]) => `M${at.x(x)} ${at.y(low)}V${at.y(high)}`).join("")}" stroke="${colour}"/>`;
    const around = [...points.map(([x, , high]) => [x, high]), ...points.map(([x, low]) => [x, low]).reverse()];
    return `<path d="M${around.map(([x, y]) => `${at.x(x)} ${at.y(y)}`).join("L")}Z" fill="${colour}" fill-opacity="0.13"/>`;
  }

  function drawn(one, at) {
    const lines = (one.lines || []).map(({ points, dash }) => ({ dash, points: known(points) })).filter(({ points }) => points.length > 1).map(({ points, dash }) =>
      `<path d="M${points.map(([x, y]) => `${at.x(x)} ${at.y(y)}`).join("L")}" fill="none" stroke="${one.colour}" stroke-width="${one.thin ? 1 : 1.7}"${dash ? ` stroke-dasharray="${dash}"` : ""}/>`);
    const dots = one.dots.map(([x, y]) => page.path(one.shape, Number(at.x(x)), Number(at.y(y)), one.size || 3)).join("");
    return lines.join("") + (dots && `<path d="${dots}" fill="${one.colour}"${one.edge ? ` stroke="${INK}" stroke-width="0.7"` : ""}/>`);
  }

  function legend(one, y) {
    const { text, letters } = fitted(page.printable(one.name));
    return `<path d="${page.path(one.shape, L + 6, y - 4, 4)}" fill="${one.colour}"/><text x="${L + 18}" y="${y}" font-size="${letters.toFixed(2)}">${escape(text)}</text>`;
  }

  const powerOfTwo = (k) => Math.log2(k) % 1 === 0;

  // A model's or ranker's line with its markers at powers of two.
  page.series = (name, colour, shape, cost, k, success) => ({
    name, colour, shape, dots: k.flatMap((count, at) => (powerOfTwo(count) ? [[cost[at], 100 * success[at]]] : [])),
  });

  // The figure as it is shown now.
  page.figureChart = function (state) {
    const drawing = page.drawing(state);
    const models = drawing.lines.map((one) => {
      const place = page.place(one.label), along = (values) => values.map((value, at) => [drawing.xs[at], value]);
      return { ...page.series(one.label, page.printedAt(place), page.marker(one.label), one.cost, one.curve.k, one.curve.success),
        lines: [{ points: along(one.solid) }, { points: along(one.dashed), dash: "5 3" }], band: drawing.xs.map((x, at) => [x, one.low[at], one.high[at]]) };
    });
    const stars = drawing.stars.map(({ label, x, y }) => ({ name: null, colour: page.printedAt(page.place(label)), shape: "star", edge: true, size: 4.5, dots: [[x, y]] }));
    const meaning = stars.length ? [{ name: "greedy output", colour: INK, shape: "star", dots: [] }] : [];
    const points = drawing.policies.map(({ x, y }) => [x, y]);
    const plan = points.length ? [{ name: "planned policies", colour: INK, shape: "diamond", size: 4, thin: true, bars: true, dots: points, lines: [{ points }],
      band: drawing.policies.map(({ x, low, high }) => [x, low, high]) }] : [];
    return { x: drawing.x, y: drawing.y, scale: page.scale(state, drawing.x), label: "problems solved: pass@k, %", series: [...models, ...stars, ...meaning, ...plan] };
  };

  // Its points as the rows of a table.
  page.figureRows = function (state) {
    const unit = page.unitShown(state).replaceAll("_", " ");
    const rows = page.drawing(state).lines.flatMap(({ label, cost, curve }) =>
      curve.k.map((k, at) => [page.printable(label), String(k), exact(cost[at]), ...percentages(curve.success[at], curve.low[at], curve.high[at])]));
    return [["Model", "k", `${unit} per problem`, "success, %", "low, %", "high, %"], ...rows];
  };

  const exact = (amount) => page.significant(amount, 6);
  const percentages = (...shares) => shares.map((share) => (share === null ? "" : page.percent(share, 2)));

  // What is chosen from the samples of one model by tests and by rankers, as it is shown now.
  page.rankersChart = function (state) {
    const { lines, x, y } = page.rankersDrawing(state);
    const series = lines.map((one) => ({ ...page.series(one.charged ? null : one.name, page.printedAt(one.place), page.markerAt(one.place), one.cost, one.k, one.success),
      lines: [{ points: one.cost.map((cost, at) => [cost, 100 * one.success[at]]), dash: one.charged ? "2 4" : "" }] }));
    const dotted = lines.some((one) => one.charged) ? [{ name: "dotted: including the ranker's own cost", colour: "none", shape: "circle", dots: [] }] : [];
    return { x, y, scale: page.scale(state, x), label: "chosen sample passes, %", series: [...series, ...dotted] };
  };

  page.rankersRows = function (state) {
    const model = page.rankedModel(state), unit = page.unitShown(state).replaceAll("_", " "), { lines } = page.rankersDrawing(state);
    const rows = lines.flatMap((one) => one.k.map((k, at) =>
      [page.printable(one.name), one.charged ? "paid" : "not counted", String(k), exact(one.cost[at]), ...percentages(one.success[at], one.low[at], one.high[at])]));
    return [[`Samples of ${page.printable(model.model)} chosen by`, "ranker's own cost", "k", `${unit} per problem`, "success, %", "low, %", "high, %"], ...rows];
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
