// The page's arithmetic: what each model affords at a budget, which is best, and whether that is clear.
//
// It is that of Python's curves/curve.py and curves/best.py on the numbers of samples that the page holds; tests compare
// the two at random states. Whether a lead is clear is looked up in intervals that Python computed.
"use strict";
(function (page) {
  const ROUNDING = 1e-9; // a budget that is meant to be exactly k samples must not lose one by rounding
  const LEVEL = 1e-12; // success that differs by no more is the same
  const SECONDS_PER_HOUR = 3600;

  // What a sample of a model, and what its samples share, costs in the chosen unit at the chosen prices.
  page.price = function (state, label) {
    const cost = page.comparison(state).costs[label];
    let factor = page.own(state.price, label) || 1;
    if (state.unit === "own") factor *= page.rate(state, label) / (state.per === "hour" ? SECONDS_PER_HOUR : 1e6);
    return { perSample: cost.per_sample * factor, perProblem: cost.per_problem * factor };
  };

  // Own usd per GPU-hour, or per million tokens; 1 until the reader says otherwise.
  page.rate = (state, label) => page.own(state.rate, label) || 1;

  page.unitShown = (state) => (state.unit === "own" ? "usd" : state.unit);

  // Whether prices differ from the recorded ones by more than one factor for all models.
  page.repriced = (state) => state.unit === "own" || Object.keys(state.price).length > 0;

  page.cost = (price, k) => price.perProblem + k * price.perSample;

  // Labels that are shown, the cheapest sample first; of equal prices the one that is named first.
  page.order = function (state) {
    const labels = Object.keys(page.comparison(state).models).filter((label) => !state.hidden.has(label));
    const first = new Map(labels.map((label) => [label, page.cost(page.price(state, label), 1)]));
    return labels.sort((one, other) => first.get(one) - first.get(other));
  };

  // One model at a budget: the most samples that it affords, of those that the page holds.
  page.at = function (state, label, budget) {
    const comparison = page.comparison(state), curve = comparison.models[label], price = page.price(state, label);
    const paid = Math.max(0, (budget * (1 + ROUNDING) - price.perProblem) / price.perSample);
    let place = -1;
    while (place + 1 < curve.k.length && curve.k[place + 1] <= paid) place += 1;
    if (place < 0) return { label, k: 0, place, success: NaN, low: NaN, high: NaN, capped: false, trusted: true };
    const last = curve.k[curve.k.length - 1], k = curve.k[place];
    return {
      label, k, place,
      success: curve.success[place], low: curve.low[place], high: curve.high[place],
      cost: page.cost(price, k),
      capped: paid >= last + 1,
      trusted: k <= comparison.costs[label].trusted_k,
    };
  };

  // The least that a model spends for a success, which it reaches.
  function spent(state, label, success) {
    const curve = page.comparison(state).models[label];
    const place = curve.success.findIndex((one) => one >= success - LEVEL);
    return place < 0 ? NaN : page.cost(page.price(state, label), curve.k[place]);
  }

  // All models that are shown at a budget, and which is best: of those that are level, the one that spends least.
  page.choose = function (state, budget) {
    const points = page.order(state).map((label) => page.at(state, label, budget));
    const able = points.filter((point) => point.k > 0);
    if (!able.length) return { budget, points, best: null, reason: "cannot afford one sample" };
    const most = Math.max(...able.map((point) => point.success));
    if (most === 0) return { budget, points, best: null, reason: "no model solves anything" };
    const level = able.filter((point) => point.success >= most - LEVEL);
    const best = level.reduce((one, other) =>
      spent(state, other.label, other.success) < spent(state, one.label, one.success) ? other : one);
    for (const point of able) if (point !== best) point.lead = page.lead(state, budget, best, point);
    return { budget, points, best, reason: "" };
  };

  // By how much one model leads another at a budget: the difference with its interval, and whether it is clear. A model
  // that could afford more samples than were recorded is never clearly worse.
  page.lead = function (state, budget, one, other) {
    const sliders = page.data.benchmarks[state.benchmark].sliders;
    const { low, high } = ends(state, sliders, budget, one, other);
    const known = low !== null && high !== null;
    return {
      difference: one.success - other.success,
      low: known ? low * sliders.step : NaN,
      high: known ? high * sliders.step : NaN,
      clear: known && low > 0 && !other.capped,
    };
  };

  function ends(state, sliders, budget, one, other) {
    const first = sliders.labels.indexOf(one.label), second = sliders.labels.indexOf(other.label);
    if (first > second) {
      const turned = ends(state, sliders, budget, other, one);
      const less = (value) => (value === null ? null : -value);
      return { low: less(turned.high), high: less(turned.low) };
    }
    const pair = pairPlace(sliders.labels.length, first, second);
    if (!page.repriced(state)) {
      const row = sliders.rows[state.unit], at = sliders.budgets[state.unit].indexOf(budget);
      if (at >= 0) return { low: row.low[pair][at], high: row.high[pair][at] };
    }
    const table = sliders.anywhere[pair];
    return { low: table.low[one.place][other.place], high: table.high[one.place][other.place] };
  }

  // The place of a pair in Python's combinations of so many labels.
  function pairPlace(labels, first, second) {
    return first * labels - (first * (first + 1)) / 2 + second - first - 1;
  }

  // The budgets at which the slider stops: at recorded prices those that Python judged, else every one at which a model
  // affords one more of the numbers of samples that the page holds.
  page.stops = function (state) {
    const sliders = page.data.benchmarks[state.benchmark].sliders;
    if (!page.repriced(state)) return sliders.budgets[state.unit];
    const all = sliders.labels.flatMap((label) => {
      const price = page.price(state, label);
      return page.comparison(state).models[label].k.map((k) => page.cost(price, k));
    });
    return [...new Set(all)].sort((one, other) => one - other);
  };

  // The stop of the slider: the largest that the chosen budget pays for; without one, what one sample of every model
  // costs at least.
  page.stop = function (state) {
    const stops = page.stops(state);
    const wanted = state.budget === null ? dearestSample(state) : state.budget;
    let place = 0;
    while (place + 1 < stops.length && stops[place + 1] <= wanted * (1 + ROUNDING)) place += 1;
    return { stops, place, budget: stops[place] };
  };

  function dearestSample(state) {
    const labels = page.data.benchmarks[state.benchmark].sliders.labels;
    return Math.max(...labels.map((label) => page.cost(page.price(state, label), 1)));
  }
})((window.isobudgetPage = window.isobudgetPage || {}));
